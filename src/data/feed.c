/* SPDX-License-Identifier: Apache-2.0 */
#include "data/feed.h"

#include "base/mem.h"
#include "data/scan.h"

#include <string.h>

dip_status dip_feed_open(dip_feed *feed, const char *path, dip_error *err) {
    feed->start = 0;
    feed->filled = 0;
    feed->has_ended = false;
    return dip_stream_open(&feed->stream, path, err);
}

void dip_feed_close(dip_feed *feed) {
    if (feed->stream != NULL) {
        feed->finished += dip_stream_size(feed->stream);
    }
    dip_stream_close(feed->stream);
    feed->stream = NULL;
}

/* ISO 8859-1 to UTF-8: the n bytes from data[n] on become up to 2 n bytes from data[0] on. What is
 * written never passes what is yet to be read. */
static size_t widen(unsigned char *data, size_t n) {
    const unsigned char *source = data + n;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = source[i];
        if (c < 0x80) {
            data[used++] = c;
            continue;
        }
        data[used++] = (unsigned char)(0xC0 | c >> 6);
        data[used++] = (unsigned char)(0x80 | (c & 0x3F));
    }
    return used;
}

/* Up to `step` further bytes of the file; *got = 0 only at its end. */
static dip_status read_bytes(dip_feed *feed, char *data, size_t *got, dip_error *err) {
    if (feed->is_latin1) {
        const size_t half = feed->step / 2;
        DIP_TRY(dip_stream_read(feed->stream, data + half, half, got, err));
        memmove(data + *got, data + half, *got);
        *got = widen((unsigned char *)data, *got);
    } else {
        DIP_TRY(dip_stream_read(feed->stream, data, feed->step, got, err));
    }
    feed->has_ended = *got == 0;
    dip_feed_set_position(feed, dip_stream_position(feed->stream));
    return DIP_OK;
}

dip_status dip_feed_extend(dip_feed *feed, dip_error *err) {
    size_t got = 0;
    DIP_TRY(dip_grow((void **)&feed->carry, &feed->capacity,
                     feed->filled + feed->step + DIP_SCAN_PADDING, 1, "input records", err));
    DIP_TRY(read_bytes(feed, feed->carry + feed->filled, &got, err));
    feed->filled += got;
    return DIP_OK;
}

dip_status dip_feed_pull(dip_feed *feed, char *data, size_t *got, dip_error *err) {
    const size_t waiting = feed->filled - feed->start;
    if (waiting == 0) {
        return read_bytes(feed, data, got, err);
    }
    *got = waiting < feed->step ? waiting : feed->step;
    memcpy(data, feed->carry + feed->start, *got);
    feed->start += *got;
    return DIP_OK;
}

/* While some bytes are left in the carry, those before them are too. */
dip_status dip_feed_push_back(dip_feed *feed, const char *data, size_t n, dip_error *err) {
    if (feed->start < feed->filled) {
        feed->start -= n;
        return DIP_OK;
    }
    feed->start = 0;
    feed->filled = 0;
    if (n == 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_grow((void **)&feed->carry, &feed->capacity, n + DIP_SCAN_PADDING, 1,
                     "input records", err));
    memcpy(feed->carry, data, n);
    feed->filled = n;
    return DIP_OK;
}
