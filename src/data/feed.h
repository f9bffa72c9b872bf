/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a table's files as UTF-8, one file after the other. What was read and is not yet in
 * a block waits in the carry: the rest of what the header was read with, then the beginning of the
 * record that did not fit into the last block.
 *
 *   file    | blocks taken | carry [start, filled) | not yet read
 */
#ifndef DIP_DATA_FEED_H
#define DIP_DATA_FEED_H

#include "data/stream.h"

#include <stdatomic.h>

typedef struct dip_feed {
    dip_stream *stream; /* NULL between files */
    bool is_latin1;
    bool has_ended; /* nothing is left but the carry */
    size_t step;    /* bytes to read at once, at least 2 */
    char *carry;
    size_t capacity;
    size_t start;
    size_t filled;
    uint64_t finished;         /* bytes of the files before */
    _Atomic uint64_t position; /* and of this one */
} dip_feed;

/* Opens the next file; the carry is empty. */
dip_status dip_feed_open(dip_feed *feed, const char *path, dip_error *err);
void dip_feed_close(dip_feed *feed);

/* Reads more behind the carry. */
dip_status dip_feed_extend(dip_feed *feed, dip_error *err);

/* Moves up to `step` bytes into data: those of the carry first. *got = 0 only at the end. */
dip_status dip_feed_pull(dip_feed *feed, char *data, size_t *got, dip_error *err);

/* Gives back the n bytes that were pulled last. */
dip_status dip_feed_push_back(dip_feed *feed, const char *data, size_t n, dip_error *err);

/* How many bytes of the open file are done. */
static inline void dip_feed_set_position(dip_feed *feed, uint64_t bytes) {
    atomic_store_explicit(&feed->position, feed->finished + bytes, memory_order_relaxed);
}

static inline bool dip_feed_is_empty(const dip_feed *feed) {
    return feed->has_ended && feed->start == feed->filled;
}

#endif
