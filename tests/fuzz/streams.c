/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/streams.h"

#include "data/stream.h"

#include <stdlib.h>
#include <string.h>

static uint8_t got_bytes[STREAM_LIMIT + 1];

/* Reads to the end, an error, or one byte beyond the limit. */
static dip_status read_all(dip_stream *stream, size_t piece, size_t *bytes, dip_error *err) {
    *bytes = 0;
    while (*bytes <= STREAM_LIMIT) {
        size_t got = 0;
        const size_t room = STREAM_LIMIT + 1 - *bytes;
        const size_t wanted = piece < room ? piece : room;
        char *block = malloc(wanted);
        CLAIM(block != NULL);
        const dip_status status = dip_stream_read(stream, block, wanted, &got, err);
        CLAIM(status != DIP_OK || got <= wanted);
        if (status == DIP_OK) {
            memcpy(got_bytes + *bytes, block, got);
            *bytes += got;
        }
        free(block);
        if (status != DIP_OK || got == 0) {
            return status;
        }
    }
    return DIP_OK;
}

void check_stream(const char *name, input in, const expanded *reference) {
    static const size_t PIECES[] = {1, 2, 7, 64, 1000, 4096, 65536, STREAM_LIMIT};
    dip_stream *stream = NULL;
    dip_error err = {DIP_OK, ""};
    size_t bytes = 0;
    const size_t piece = PIECES[take_byte(&in) % 8];
    /* Small pieces of a bomb would take all day. */
    const size_t least = reference->bytes / 256 + 1;
    CLAIM(dip_stream_open_bytes(&stream, in.at, in.left, name, &err) == DIP_OK);
    const dip_status status = read_all(stream, piece > least ? piece : least, &bytes, &err);
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
