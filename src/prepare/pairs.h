/* SPDX-License-Identifier: Apache-2.0
 *
 * The distinct pairs of a project, in the order of their first occurrence, in scratch space.
 *
 * Repeats are found part by part: pairs are divided by hash, each part goes through a hash table of
 * its own in memory, and one bit a pair says whether it is a repeat. Reading the pairs in order
 * again and taking the next bit of each pair's part leaves the first occurrences.
 */
#ifndef DIP_PREPARE_PAIRS_H
#define DIP_PREPARE_PAIRS_H

#include "data/dataset.h"
#include "prepare/ingest.h"

typedef struct dip_pairs {
    uint64_t n;
    const dip_dataset *stored; /* NULL, or the dataset whose pairs they are, instead of rows */
    dip_spool rows;            /* int32 query row, int32 item row */
    dip_spool times;           /* double, when the split is by time */
    dip_spool parts; /* uint8 dip_part: from a column, or after dip_split; without, stored pairs
                      * have the part that the dataset gives them */
    bool has_time;
    bool has_part;
    int64_t n_unknown; /* records left out because of an unknown id */
    int64_t n_self;    /* pairs of an item with itself, left out */
    int64_t n_duplicates;
    const dip_watch *watch; /* told while pairs are read */
    const char *phase;      /* what they are read for */
} dip_pairs;

/* How many pairs are worked on at a time. */
enum { DIP_PAIRS_CHUNK = 1 << 15 };

/* A chunk of pairs in memory. */
typedef struct dip_pairs_chunk {
    size_t n;
    int32_t (*rows)[2]; /* [DIP_PAIRS_CHUNK] query, item */
    double *times;
    uint8_t *parts;
} dip_pairs_chunk;

typedef struct dip_pairs_cursor {
    const dip_pairs *pairs;
    dip_spool_cursor rows;
    dip_spool_cursor times;
    dip_spool_cursor parts;
    uint64_t n_read;
    dip_pairs_chunk chunk;
} dip_pairs_cursor;

/* Takes the records of raw, whose columns are given back. */
dip_status dip_pairs_collect(dip_pairs *pairs, dip_raw *raw, bool queries_are_items,
                             const dip_means *means, dip_error *err);

/* The pairs of a dataset, split by split, each in its order. Into pairs that were initialised;
 * keeps the dataset. */
void dip_pairs_of_dataset(dip_pairs *pairs, const dip_dataset *dataset);

/* Replaces every query row by row[query]. */
dip_status dip_pairs_renumber(dip_pairs *pairs, const int32_t *row, dip_error *err);

/* Reads pairs in order: cursor->chunk is the next piece, with n = 0 at the end. */
dip_status dip_pairs_begin(dip_pairs_cursor *cursor, const dip_pairs *pairs, dip_error *err);
dip_status dip_pairs_next(dip_pairs_cursor *cursor, dip_error *err);
void dip_pairs_end(dip_pairs_cursor *cursor);

void dip_pairs_init(dip_pairs *pairs, dip_scratch *scratch);
void dip_pairs_free(dip_pairs *pairs);

static inline uint64_t dip_pair_key(int32_t query, int32_t item) {
    return ((uint64_t)(uint32_t)query << 32) | (uint32_t)item;
}

/* Spreads the bits of a key (the finaliser of splitmix64). */
static inline uint64_t dip_pair_hash(uint64_t key) {
    key = (key ^ (key >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    key = (key ^ (key >> 27)) * UINT64_C(0x94D049BB133111EB);
    return key ^ (key >> 31);
}

#endif
