/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/streams.h"

#include "data/stream.h"

#include <stdlib.h>
#include <string.h>

static uint8_t got_bytes[STREAM_LIMIT + 1];

/* Reads to the end, an error, or one byte beyond the limit, into blocks of exact size. Small pieces
 * of a bomb would take all day, so the pieces grow. */
static dip_status read_all(dip_stream *stream, size_t piece, size_t *bytes, dip_error *err) {
    enum { READS_OF_A_SIZE = 32 };
    dip_status status = DIP_OK;
    size_t got = 1;
    char *block = NULL;
    *bytes = 0;
    for (size_t i = 1; status == DIP_OK && got > 0 && *bytes <= STREAM_LIMIT; i++) {
        const size_t room = STREAM_LIMIT + 1 - *bytes;
        const bool is_grown = i % READS_OF_A_SIZE == 0;
        if (is_grown || block == NULL || room < piece) {
            free(block);
            piece = is_grown ? 2 * piece : piece;
            piece = piece < room ? piece : room;
            block = malloc(piece);
        }
        CLAIM(block != NULL);
        status = dip_stream_read(stream, block, piece, &got, err);
        CLAIM(status != DIP_OK || got <= piece);
        if (status == DIP_OK) {
            memcpy(got_bytes + *bytes, block, got);
            *bytes += got;
        }
    }
    free(block);
    return status;
}

void check_stream(const char *name, input in, const expanded *reference) {
    static const size_t PIECES[] = {1, 2, 7, 64, 1000, 4096, 65536, STREAM_LIMIT};
    dip_stream *stream = NULL;
    dip_error err = {DIP_OK, ""};
    size_t bytes = 0;
    const size_t piece = PIECES[take_byte(&in) % 8];
    CLAIM(dip_stream_open_bytes(&stream, in.at, in.left, name, &err) == DIP_OK);
    const dip_status status = read_all(stream, piece, &bytes, &err);
    CLAIM(dip_stream_position(stream) <= in.left && dip_stream_size(stream) == in.left);
    dip_stream_close(stream);
    went_well(status, DIP_ERR_FORMAT, &err);
    if (reference->is_beyond) {
        CLAIM(status != DIP_OK || bytes == STREAM_LIMIT + 1);
    } else {
        /* Damage behind the limit was not come to. */
        const bool is_cut = bytes == STREAM_LIMIT + 1 && !reference->is_whole;
        CLAIM(status != DIP_OK || reference->is_whole || reference->refuses_more || is_cut);
        CLAIM(status == DIP_OK || !reference->is_whole || reference->accepts_more);
        CLAIM(status != DIP_OK || bytes == reference->bytes || reference->refuses_more || is_cut);
    }
    const size_t common = bytes < reference->bytes ? bytes : reference->bytes;
    CLAIM(memcmp(got_bytes, reference->data, common) == 0);
}
