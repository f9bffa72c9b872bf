/* SPDX-License-Identifier: Apache-2.0
 *
 * Gzip streams: a byte for the size of reads, then the stream. The reference inflates it in one
 * block of memory.
 */
#include "fuzz/streams.h"

#include <zlib.h>

static expanded reference;

/* One member at a time until the bytes are used up. */
static void inflate_all(const uint8_t *data, size_t bytes) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)bytes};
    int outcome = Z_STREAM_END;
    CLAIM(inflateInit2(&z, 15 + 16) == Z_OK);
    reference.bytes = 0;
    reference.is_beyond = false;
    while (z.avail_in > 0 && outcome == Z_STREAM_END) {
        inflateReset(&z);
        z.next_out = reference.data + reference.bytes;
        z.avail_out = (uInt)(STREAM_LIMIT - reference.bytes);
        outcome = inflate(&z, Z_FINISH);
        reference.bytes = STREAM_LIMIT - z.avail_out;
    }
    reference.is_whole = outcome == Z_STREAM_END;
    reference.is_beyond = !reference.is_whole && z.avail_out == 0;
    inflateEnd(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (bytes > 0) {
        inflate_all(data + 1, bytes - 1);
        check_stream("input.gz", (input){data, bytes}, &reference);
    }
    return 0;
}
