/* SPDX-License-Identifier: Apache-2.0
 *
 * Zstandard streams: a byte for the size of reads, then the stream. The reference finds the frames
 * and decompresses each in one call. The library is not of one mind with itself: such a call
 * overlooks blocks that are too large for the window, a stream that a frame ending with an empty
 * block is shorter than its header says.
 */
#include "fuzz/streams.h"

#include <zstd.h>
#include <zstd_errors.h>

static expanded reference;

static void expand_all(const uint8_t *data, size_t bytes) {
    reference.bytes = 0;
    reference.is_beyond = false;
    reference.is_whole = true;
    reference.accepts_more = true;
    reference.refuses_more = false;
    while (bytes > 0 && reference.is_whole) {
        const size_t frame = ZSTD_findFrameCompressedSize(data, bytes);
        const size_t room = STREAM_LIMIT - reference.bytes;
        if (ZSTD_isError(frame)) {
            reference.is_whole = false;
            return;
        }
        const size_t n = ZSTD_decompress(reference.data + reference.bytes, room, data, frame);
        reference.is_whole = !ZSTD_isError(n);
        reference.refuses_more = ZSTD_isError(n) &&
                                 ZSTD_getErrorCode(n) == ZSTD_error_corruption_detected &&
                                 ZSTD_getFrameContentSize(data, bytes) != ZSTD_CONTENTSIZE_UNKNOWN;
        reference.is_beyond =
            ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall;
        reference.bytes += reference.is_whole ? n : 0;
        data += frame;
        bytes -= frame;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (bytes > 0) {
        expand_all(data + 1, bytes - 1);
        check_stream("input.zst", (input){data, bytes}, &reference);
    }
    return 0;
}
