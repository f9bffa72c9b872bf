/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/pairs.h"

#include "base/first_error.h"
#include "base/mem.h"

#include <string.h>

void dip_pairs_init(dip_pairs *pairs, dip_scratch *scratch) {
    memset(pairs, 0, sizeof *pairs);
    pairs->rows.scratch = scratch;
    pairs->times.scratch = scratch;
    pairs->parts.scratch = scratch;
}

void dip_pairs_free(dip_pairs *pairs) {
    dip_spool_free(&pairs->rows);
    dip_spool_free(&pairs->times);
    dip_spool_free(&pairs->parts);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static dip_status make_chunk(dip_pairs_chunk *chunk, dip_error *err) {
    chunk->n = 0;
    chunk->rows = dip_alloc(DIP_PAIRS_CHUNK, sizeof *chunk->rows, "pairs", err);
    chunk->times = dip_alloc(DIP_PAIRS_CHUNK, sizeof *chunk->times, "pairs", err);
    chunk->parts = dip_alloc(DIP_PAIRS_CHUNK, 1, "pairs", err);
    return chunk->rows != NULL && chunk->times != NULL && chunk->parts != NULL ? DIP_OK
                                                                               : DIP_ERR_MEMORY;
}

static void chunk_free(dip_pairs_chunk *chunk) {
    dip_free(chunk->rows);
    dip_free(chunk->times);
    dip_free(chunk->parts);
    memset(chunk, 0, sizeof *chunk);
}

dip_status dip_pairs_begin(dip_pairs_cursor *cursor, const dip_pairs *pairs, dip_error *err) {
    memset(cursor, 0, sizeof *cursor);
    cursor->pairs = pairs;
    cursor->rows.spool = &pairs->rows;
    cursor->times.spool = &pairs->times;
    cursor->parts.spool = &pairs->parts;
    return make_chunk(&cursor->chunk, err);
}

/* Now and then, so that short work says nothing. */
static dip_status tell(dip_pairs_cursor *cursor, dip_error *err) {
    enum { TELL_PAIRS = 32 * DIP_PAIRS_CHUNK };
    const dip_pairs *pairs = cursor->pairs;
    cursor->n_read += cursor->chunk.n;
    if (pairs->phase == NULL || cursor->n_read == 0 || cursor->n_read % TELL_PAIRS != 0) {
        return DIP_OK;
    }
    const dip_progress progress = {.phase = pairs->phase,
                                   .unit = "pairs",
                                   .detail = "",
                                   .done = cursor->n_read,
                                   .total = pairs->n};
    return dip_tell(pairs->watch, &progress, err);
}

void dip_pairs_of_dataset(dip_pairs *pairs, const dip_dataset *dataset) {
    pairs->stored = dataset;
    pairs->n = 0;
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        pairs->n += (uint64_t)dataset->n_pairs[s];
    }
}

/* Adds to the chunk what it has room for, of the pairs of a split from one on. */
static void copy_stored(const dip_dataset *dataset, size_t split, uint64_t from,
                        dip_pairs_chunk *chunk) {
    const uint64_t left = (uint64_t)dataset->n_pairs[split] - from;
    const size_t room = DIP_PAIRS_CHUNK - chunk->n;
    const size_t n = left < room ? (size_t)left : room;
    const int32_t *pairs = dataset->pairs[split] + 2 * from;
    for (size_t i = 0; i < n; i++) {
        chunk->rows[chunk->n + i][0] = pairs[2 * i];
        chunk->rows[chunk->n + i][1] = pairs[2 * i + 1];
        chunk->parts[chunk->n + i] = (uint8_t)split;
    }
    if (n > 0 && from >> 20 != (from + n) >> 20) {
        dip_dataset_pass(dataset, pairs + 2 * (n - 1));
    }
    chunk->n += n;
}

static void next_stored(const dip_pairs_cursor *cursor, dip_pairs_chunk *chunk) {
    const dip_dataset *dataset = cursor->pairs->stored;
    uint64_t skipped = cursor->n_read;
    chunk->n = 0;
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        const uint64_t n = (uint64_t)dataset->n_pairs[s];
        const uint64_t from = skipped < n ? skipped : n;
        copy_stored(dataset, s, from, chunk);
        skipped -= from;
    }
}

static dip_status next_rows(dip_pairs_cursor *cursor, dip_pairs_chunk *chunk, dip_error *err) {
    size_t bytes = 0;
    DIP_TRY(dip_spool_read(&cursor->rows, chunk->rows, DIP_PAIRS_CHUNK * sizeof *chunk->rows,
                           &bytes, err));
    chunk->n = bytes / sizeof *chunk->rows;
    return DIP_OK;
}

dip_status dip_pairs_next(dip_pairs_cursor *cursor, dip_error *err) {
    dip_pairs_chunk *chunk = &cursor->chunk;
    DIP_TRY(tell(cursor, err));
    if (cursor->pairs->stored != NULL) {
        next_stored(cursor, chunk);
    } else {
        DIP_TRY(next_rows(cursor, chunk, err));
    }
    if (cursor->pairs->has_time) {
        DIP_TRY(dip_spool_get(&cursor->times, chunk->times, chunk->n * sizeof *chunk->times, err));
    }
    return cursor->pairs->has_part ? dip_spool_get(&cursor->parts, chunk->parts, chunk->n, err)
                                   : DIP_OK;
}

void dip_pairs_end(dip_pairs_cursor *cursor) {
    dip_spool_cursor_free(&cursor->rows);
    dip_spool_cursor_free(&cursor->times);
    dip_spool_cursor_free(&cursor->parts);
    chunk_free(&cursor->chunk);
}

static dip_status put_chunk(dip_pairs *pairs, const dip_pairs_chunk *chunk, dip_error *err) {
    DIP_TRY(dip_spool_put(&pairs->rows, chunk->rows, chunk->n * sizeof *chunk->rows, err));
    if (pairs->has_time) {
        DIP_TRY(dip_spool_put(&pairs->times, chunk->times, chunk->n * sizeof *chunk->times, err));
    }
    if (pairs->has_part) {
        DIP_TRY(dip_spool_put(&pairs->parts, chunk->parts, chunk->n, err));
    }
    pairs->n += chunk->n;
    return DIP_OK;
}

static void move_pair(dip_pairs_chunk *chunk, size_t from, size_t to) {
    chunk->rows[to][0] = chunk->rows[from][0];
    chunk->rows[to][1] = chunk->rows[from][1];
    chunk->times[to] = chunk->times[from];
    chunk->parts[to] = chunk->parts[from];
}

/* ---- leaving out what is no pair ------------------------------------------------------------- */

typedef struct record_cursor {
    dip_column_cursor query;
    dip_column_cursor item;
    dip_spool_cursor times;
    dip_spool_cursor parts;
    int32_t *codes[2]; /* [DIP_PAIRS_CHUNK] */
} record_cursor;

static dip_status next_records(record_cursor *cursor, const dip_pairs *pairs,
                               dip_pairs_chunk *chunk, dip_error *err) {
    size_t got = 0;
    DIP_TRY(dip_column_codes(&cursor->query, cursor->codes[0], DIP_PAIRS_CHUNK, &chunk->n, err));
    DIP_TRY(dip_column_codes(&cursor->item, cursor->codes[1], DIP_PAIRS_CHUNK, &got, err));
    if (pairs->has_time) {
        DIP_TRY(dip_spool_get(&cursor->times, chunk->times, chunk->n * sizeof *chunk->times, err));
    }
    if (pairs->has_part) {
        DIP_TRY(dip_spool_get(&cursor->parts, chunk->parts, chunk->n, err));
    }
    for (size_t i = 0; i < chunk->n; i++) {
        chunk->rows[i][0] = cursor->codes[0][i];
        chunk->rows[i][1] = cursor->codes[1][i];
    }
    return DIP_OK;
}

static void leave_out(dip_pairs *pairs, dip_pairs_chunk *chunk, bool queries_are_items) {
    size_t kept = 0;
    for (size_t i = 0; i < chunk->n; i++) {
        const bool is_unknown = chunk->rows[i][0] < 0 || chunk->rows[i][1] < 0;
        const bool is_self = queries_are_items && chunk->rows[i][0] == chunk->rows[i][1];
        pairs->n_unknown += is_unknown;
        pairs->n_self += !is_unknown && is_self;
        if (!is_unknown && !is_self) {
            move_pair(chunk, i, kept++);
        }
    }
    chunk->n = kept;
}

static dip_status filter(record_cursor *cursor, dip_pairs *pairs, dip_pairs_chunk *chunk,
                         bool queries_are_items, dip_error *err) {
    for (;;) {
        DIP_TRY(next_records(cursor, pairs, chunk, err));
        if (chunk->n == 0) {
            return DIP_OK;
        }
        leave_out(pairs, chunk, queries_are_items);
        DIP_TRY(put_chunk(pairs, chunk, err));
    }
}

static dip_status filter_records(dip_pairs *pairs, dip_raw *raw, bool queries_are_items,
                                 dip_error *err) {
    record_cursor cursor = {.times = {.spool = &raw->times}, .parts = {.spool = &raw->parts}};
    dip_pairs_chunk chunk = {0};
    dip_status status = make_chunk(&chunk, err);
    dip_column_begin(&cursor.query, &raw->query_rows);
    dip_column_begin(&cursor.item, &raw->item_rows);
    for (size_t i = 0; status == DIP_OK && i < 2; i++) {
        cursor.codes[i] = dip_alloc(DIP_PAIRS_CHUNK, sizeof *cursor.codes[i], "pairs", err);
        status = cursor.codes[i] != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    if (status == DIP_OK) {
        status = filter(&cursor, pairs, &chunk, queries_are_items, err);
    }
    dip_column_end(&cursor.query);
    dip_column_end(&cursor.item);
    dip_spool_cursor_free(&cursor.times);
    dip_spool_cursor_free(&cursor.parts);
    dip_free(cursor.codes[0]);
    dip_free(cursor.codes[1]);
    chunk_free(&chunk);
    dip_column_free(&raw->query_rows);
    dip_column_free(&raw->item_rows);
    dip_spool_free(&raw->times);
    dip_spool_free(&raw->parts);
    return status;
}

/* ---- repeats --------------------------------------------------------------------------------- */

enum { FEWEST_PARTS = 64, MOST_PARTS = 4096, KEY_BYTES = 32, KEYS_AHEAD = 16 };

/* One part of the pairs: their keys in order, and a bit for each that repeats an earlier one. */
typedef struct repeats_part {
    dip_spool keys;
    uint8_t *bits;
    size_t next; /* bit to be looked at */
    int64_t n_repeats;
} repeats_part;

typedef struct repeats {
    size_t n_parts; /* a power of two */
    repeats_part *parts;
} repeats;

/* Parts that fit into a quarter of the memory, all threads at once. */
static size_t choose_parts(uint64_t n, const dip_means *means) {
    size_t parts = FEWEST_PARTS;
    const uint64_t bytes = n * KEY_BYTES * (uint64_t)means->threads;
    while (parts < MOST_PARTS && bytes / parts > means->memory / 4) {
        parts *= 2;
    }
    return parts;
}

static size_t part_of(const repeats *r, uint64_t hash) {
    return (size_t)(hash >> 40) & (r->n_parts - 1);
}

static dip_status divide_keys(const repeats *r, const dip_pairs *pairs, dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        for (size_t i = 0; status == DIP_OK && i < cursor.chunk.n; i++) {
            const uint64_t key = dip_pair_key(cursor.chunk.rows[i][0], cursor.chunk.rows[i][1]);
            status = dip_spool_put(&r->parts[part_of(r, dip_pair_hash(key))].keys, &key, sizeof key,
                                   err);
        }
    }
    dip_pairs_end(&cursor);
    return status;
}

/* Puts keys into an open-addressing table, key + 1 a slot; a key that is there is a repeat. */
static void mark_repeats(repeats_part *part, const uint64_t *keys, size_t n, uint64_t *slots,
                         size_t n_slots) {
    const size_t mask = n_slots - 1;
    for (size_t i = 0; i < n; i++) {
        if (i + KEYS_AHEAD < n) {
            __builtin_prefetch(&slots[dip_pair_hash(keys[i + KEYS_AHEAD]) & mask], 1);
        }
        size_t slot = (size_t)dip_pair_hash(keys[i]) & mask;
        while (slots[slot] != 0 && slots[slot] != keys[i] + 1) {
            slot = (slot + 1) & mask;
        }
        if (slots[slot] != 0) {
            part->bits[i / 8] |= (uint8_t)(1u << (i % 8));
            part->n_repeats++;
        }
        slots[slot] = keys[i] + 1;
    }
}

static dip_status find_repeats(repeats_part *part, dip_error *err) {
    const size_t n = (size_t)(dip_spool_bytes(&part->keys) / sizeof(uint64_t));
    size_t n_slots = 64;
    while (n_slots < 2 * n) {
        n_slots *= 2;
    }
    uint64_t *keys = dip_alloc(n, sizeof *keys, "pairs", err);
    uint64_t *slots = keys != NULL ? dip_alloc(n_slots, sizeof *slots, "pairs", err) : NULL;
    part->bits = slots != NULL ? dip_alloc(n / 8 + 1, 1, "pairs", err) : NULL;
    dip_status status = part->bits != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        dip_spool_cursor cursor = {.spool = &part->keys};
        status = dip_spool_get(&cursor, keys, n * sizeof *keys, err);
        dip_spool_cursor_free(&cursor);
    }
    if (status == DIP_OK) {
        mark_repeats(part, keys, n, slots, n_slots);
    }
    dip_spool_free(&part->keys);
    dip_free(keys);
    dip_free(slots);
    return status;
}

static dip_status find_all_repeats(repeats *r, const dip_means *means, dip_error *err) {
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(means->threads)
    for (size_t p = 0; p < r->n_parts; p++) {
        dip_error error = {DIP_OK};
        dip_first_error_keep(&first, find_repeats(&r->parts[p], &error), &error);
    }
    return dip_first_error_result(&first, err);
}

static bool is_repeat(repeats *r, const int32_t rows[2]) {
    repeats_part *part = &r->parts[part_of(r, dip_pair_hash(dip_pair_key(rows[0], rows[1])))];
    const size_t bit = part->next++;
    return (part->bits[bit / 8] >> (bit % 8) & 1) != 0;
}

/* Writes the first occurrences anew. */
static dip_status drop_repeats(repeats *r, dip_pairs *pairs, dip_error *err) {
    dip_pairs before = *pairs;
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, &before, err);
    dip_pairs_init(pairs, before.rows.scratch);
    pairs->has_time = before.has_time;
    pairs->has_part = before.has_part;
    pairs->n_unknown = before.n_unknown;
    pairs->n_self = before.n_self;
    pairs->watch = before.watch;
    pairs->phase = before.phase;
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        size_t kept = 0;
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            if (!is_repeat(r, cursor.chunk.rows[i])) {
                move_pair(&cursor.chunk, i, kept++);
            }
        }
        cursor.chunk.n = kept;
        status = put_chunk(pairs, &cursor.chunk, err);
    }
    dip_pairs_end(&cursor);
    dip_pairs_free(&before);
    return status;
}

static dip_status make_distinct(dip_pairs *pairs, const dip_means *means, dip_error *err) {
    repeats r = {.n_parts = choose_parts(pairs->n, means)};
    r.parts = dip_alloc(r.n_parts, sizeof *r.parts, "parts of the pairs", err);
    if (r.parts == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t p = 0; p < r.n_parts; p++) {
        r.parts[p].keys.scratch = pairs->rows.scratch;
    }
    dip_status status = divide_keys(&r, pairs, err);
    if (status == DIP_OK) {
        status = find_all_repeats(&r, means, err);
    }
    int64_t n_repeats = 0;
    for (size_t p = 0; p < r.n_parts; p++) {
        n_repeats += r.parts[p].n_repeats;
    }
    if (status == DIP_OK && n_repeats > 0) {
        status = drop_repeats(&r, pairs, err);
        pairs->n_duplicates = n_repeats;
    }
    for (size_t p = 0; p < r.n_parts; p++) {
        dip_spool_free(&r.parts[p].keys);
        dip_free(r.parts[p].bits);
    }
    dip_free(r.parts);
    return status;
}

dip_status dip_pairs_collect(dip_pairs *pairs, dip_raw *raw, bool queries_are_items,
                             const dip_means *means, dip_error *err) {
    dip_pairs_init(pairs, &raw->scratch);
    pairs->watch = means->watch;
    pairs->phase = "taking out repeated pairs";
    pairs->has_time = dip_spool_bytes(&raw->times) > 0;
    pairs->has_part = dip_spool_bytes(&raw->parts) > 0;
    DIP_TRY(filter_records(pairs, raw, queries_are_items, err));
    return make_distinct(pairs, means, err);
}

dip_status dip_pairs_renumber(dip_pairs *pairs, const int32_t *row, dip_error *err) {
    dip_spool rows = {.scratch = pairs->rows.scratch};
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            cursor.chunk.rows[i][0] = row[cursor.chunk.rows[i][0]];
        }
        status = dip_spool_put(&rows, cursor.chunk.rows, cursor.chunk.n * sizeof *cursor.chunk.rows,
                               err);
    }
    dip_pairs_end(&cursor);
    dip_spool_free(&pairs->rows);
    pairs->rows = rows;
    return status;
}
