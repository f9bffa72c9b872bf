/* SPDX-License-Identifier: Apache-2.0
 *
 * Zstandard streams: a byte for the size of reads, then the stream. The reference finds the frames
 * and decompresses each in one call. The library is not of one mind with itself: such a call
 * overlooks blocks that are too large for the window, a stream that a frame ending with an empty
 * block is shorter than its header says, and a stream takes every block of no bytes for an empty
 * one, also a compressed block, which cannot be.
 */
#include "fuzz/streams.h"

#include <stdbool.h>
#include <zstd.h>
#include <zstd_errors.h>

static expanded reference;

/* Whether a whole frame has a compressed block of no bytes (RFC 8878, 3.1.1). */
static bool has_hollow_block(const uint8_t *data, size_t bytes) {
    static const size_t DICTIONARY[] = {0, 1, 2, 4};
    static const size_t CONTENT[] = {0, 2, 4, 8};
    const unsigned flags = data[4];
    const bool is_single = (flags >> 5) & 1;
    size_t at = 5 + (size_t)!is_single + DICTIONARY[flags & 3] + CONTENT[flags >> 6] +
                (size_t)(is_single && flags >> 6 == 0);
    while (at + 3 <= bytes) {
        const size_t head = data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16;
        const size_t type = (head >> 1) & 3;
        if (type == 2 && head >> 3 == 0) {
            return true;
        }
        if (head & 1) {
            return false;
        }
        at += 3 + (type == 1 ? 1 : head >> 3);
    }
    return false;
}

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
        reference.refuses_more =
            ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_corruption_detected &&
            (ZSTD_getFrameContentSize(data, bytes) != ZSTD_CONTENTSIZE_UNKNOWN ||
             has_hollow_block(data, frame));
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
