/* SPDX-License-Identifier: Apache-2.0
 *
 * A pair is one key, the first number in the high half. A dump's links come nearly in order of
 * their source, so that runs hardly overlap and the heap's top mostly stays the same run.
 */
#include "import/pairs.h"

#include "base/mem.h"
#include "base/spool.h"

#include <string.h>

enum { FIRST_KEYS = 1 << 16, DIGIT_BITS = 8, DIGITS = 64 / DIGIT_BITS, RADIX = 1 << DIGIT_BITS };
enum { READ_KEYS = 1 << 10 };

typedef struct run {
    dip_spool spool;
    dip_spool_cursor cursor;
    size_t at;
    size_t filled;
    uint64_t head; /* the next key */
    uint64_t buffer[READ_KEYS];
} run;

struct dip_pairs {
    char *folder;
    uint64_t *keys;
    size_t capacity;
    size_t limit; /* keys that may be in memory */
    size_t n;
    size_t at; /* of what is given out, when there are no runs */
    dip_scratch scratch;
    run *runs; /* [DIP_PAIRS_RUNS], once there is one */
    size_t n_runs;
    run *heap[DIP_PAIRS_RUNS];
    size_t n_heap;
    uint64_t last; /* the key given out last */
    uint64_t n_put;
    uint64_t n_next;
};

dip_status dip_pairs_create(dip_pairs **out, const char *folder, size_t memory, dip_error *err) {
    dip_pairs *pairs = dip_alloc(1, sizeof *pairs, "pairs to sort", err);
    if (pairs == NULL) {
        return DIP_ERR_MEMORY;
    }
    const size_t bytes = memory > DIP_PAIRS_LEAST ? memory : DIP_PAIRS_LEAST;
    pairs->limit = bytes / (2 * sizeof *pairs->keys);
    pairs->folder = dip_copy_text(folder, strlen(folder), "a path", err);
    if (pairs->folder == NULL) {
        dip_pairs_free(pairs);
        return DIP_ERR_MEMORY;
    }
    dip_scratch_init(&pairs->scratch, pairs->folder);
    *out = pairs;
    return DIP_OK;
}

/* ---- sorting in memory ----------------------------------------------------------------------- */

static void count_digits(const uint64_t *keys, size_t n, size_t counts[DIGITS][RADIX]) {
    memset(counts, 0, DIGITS * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < DIGITS; d++) {
            counts[d][keys[i] >> (d * DIGIT_BITS) & (RADIX - 1)]++;
        }
    }
}

/* One stable pass by one digit. */
static void scatter(const uint64_t *from, uint64_t *to, size_t n, size_t digit,
                    const size_t counts[RADIX]) {
    size_t start[RADIX];
    size_t sum = 0;
    for (size_t c = 0; c < RADIX; c++) {
        start[c] = sum;
        sum += counts[c];
    }
    for (size_t i = 0; i < n; i++) {
        to[start[from[i] >> (digit * DIGIT_BITS) & (RADIX - 1)]++] = from[i];
    }
}

/* Sorts by the lowest digit first, passing over digits that all keys share. The result is in *keys
 * again; the two blocks may change places. */
static void radix_sort(uint64_t **keys, uint64_t **other, size_t n) {
    static _Thread_local size_t counts[DIGITS][RADIX];
    count_digits(*keys, n, counts);
    for (size_t d = 0; d < DIGITS; d++) {
        if (n == 0 || counts[d][**keys >> (d * DIGIT_BITS) & (RADIX - 1)] == n) {
            continue;
        }
        scatter(*keys, *other, n, d, counts[d]);
        uint64_t *sorted = *other;
        *other = *keys;
        *keys = sorted;
    }
}

static size_t drop_repeated(uint64_t *keys, size_t n) {
    size_t kept = n > 0;
    for (size_t i = 1; i < n; i++) {
        keys[kept] = keys[i];
        kept += keys[kept] != keys[kept - 1];
    }
    return kept;
}

static dip_status sort_keys(dip_pairs *pairs, dip_error *err) {
    uint64_t *other = dip_alloc(pairs->n, sizeof *other, "pairs to sort", err);
    if (other == NULL) {
        return DIP_ERR_MEMORY;
    }
    size_t capacity = pairs->capacity;
    uint64_t *mine = pairs->keys;
    radix_sort(&pairs->keys, &other, pairs->n);
    if (pairs->keys != mine) {
        capacity = pairs->n;
    }
    pairs->capacity = capacity;
    dip_free(other);
    pairs->n = drop_repeated(pairs->keys, pairs->n);
    return DIP_OK;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Writes what is in memory as one more sorted run. */
static dip_status spill(dip_pairs *pairs, dip_error *err) {
    if (pairs->n_runs == DIP_PAIRS_RUNS) {
        return dip_fail(
            err, DIP_ERR_FAILED, "%zu MB of memory are too few to sort %llu pairs; allow more",
            2 * pairs->limit * sizeof *pairs->keys >> 20, (unsigned long long)pairs->n_put);
    }
    DIP_TRY(sort_keys(pairs, err));
    if (pairs->runs == NULL) {
        pairs->runs = dip_alloc(DIP_PAIRS_RUNS, sizeof *pairs->runs, "runs of pairs", err);
    }
    if (pairs->runs == NULL) {
        return DIP_ERR_MEMORY;
    }
    run *r = &pairs->runs[pairs->n_runs++];
    r->spool.scratch = &pairs->scratch;
    DIP_TRY(dip_spool_put(&r->spool, pairs->keys, pairs->n * sizeof *pairs->keys, err));
    pairs->n = 0;
    return DIP_OK;
}

dip_status dip_pairs_put(dip_pairs *pairs, uint32_t first, uint32_t second, dip_error *err) {
    if (pairs->n == pairs->limit) {
        DIP_TRY(spill(pairs, err));
    }
    if (pairs->n == pairs->capacity) {
        size_t wanted = pairs->n < FIRST_KEYS ? FIRST_KEYS : 2 * pairs->n;
        wanted = wanted < pairs->limit ? wanted : pairs->limit;
        uint64_t *grown = dip_alloc(wanted, sizeof *grown, "pairs to sort", err);
        if (grown == NULL) {
            return DIP_ERR_MEMORY;
        }
        if (pairs->n > 0) {
            memcpy(grown, pairs->keys, pairs->n * sizeof *grown);
        }
        dip_free(pairs->keys);
        pairs->keys = grown;
        pairs->capacity = wanted;
    }
    pairs->keys[pairs->n++] = (uint64_t)first << 32 | second;
    pairs->n_put++;
    return DIP_OK;
}

/* ---- merging --------------------------------------------------------------------------------- */

/* The run's next key to its head. False in *more when there is none. */
static dip_status advance(run *r, bool *more, dip_error *err) {
    if (r->at == r->filled) {
        size_t got = 0;
        DIP_TRY(dip_spool_read(&r->cursor, r->buffer, sizeof r->buffer, &got, err));
        r->at = 0;
        r->filled = got / sizeof *r->buffer;
    }
    *more = r->at < r->filled;
    if (*more) {
        r->head = r->buffer[r->at++];
    }
    return DIP_OK;
}

/* Moves the run at a place of the heap down to where it belongs. */
static void sift_down(dip_pairs *pairs, size_t place) {
    run *moving = pairs->heap[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < pairs->n_heap && pairs->heap[child + 1]->head < pairs->heap[child]->head) {
            child++;
        }
        if (child >= pairs->n_heap || pairs->heap[child]->head >= moving->head) {
            break;
        }
        pairs->heap[place] = pairs->heap[child];
        place = child;
    }
    pairs->heap[place] = moving;
}

static dip_status open_runs(dip_pairs *pairs, dip_error *err) {
    for (size_t i = 0; i < pairs->n_runs; i++) {
        run *r = &pairs->runs[i];
        bool more = false;
        r->cursor.spool = &r->spool;
        DIP_TRY(advance(r, &more, err));
        if (more) {
            pairs->heap[pairs->n_heap++] = r;
        }
    }
    for (size_t i = pairs->n_heap / 2; i-- > 0;) {
        sift_down(pairs, i);
    }
    return DIP_OK;
}

dip_status dip_pairs_sort(dip_pairs *pairs, dip_error *err) {
    if (pairs->n_runs == 0) {
        return sort_keys(pairs, err);
    }
    if (pairs->n > 0) {
        DIP_TRY(spill(pairs, err));
    }
    dip_free(pairs->keys);
    pairs->keys = NULL;
    pairs->capacity = 0;
    return open_runs(pairs, err);
}

/* The next key, repetitions included. */
static dip_status next_key(dip_pairs *pairs, uint64_t *key, dip_error *err) {
    if (pairs->n_runs == 0) {
        if (pairs->at == pairs->n) {
            return DIP_END;
        }
        *key = pairs->keys[pairs->at++];
        return DIP_OK;
    }
    if (pairs->n_heap == 0) {
        return DIP_END;
    }
    bool more = false;
    *key = pairs->heap[0]->head;
    DIP_TRY(advance(pairs->heap[0], &more, err));
    if (!more) {
        pairs->heap[0] = pairs->heap[--pairs->n_heap];
    }
    if (pairs->n_heap > 0) {
        sift_down(pairs, 0);
    }
    return DIP_OK;
}

dip_status dip_pairs_next(dip_pairs *pairs, uint32_t *first, uint32_t *second, dip_error *err) {
    uint64_t key = 0;
    do {
        DIP_TRY(next_key(pairs, &key, err));
    } while (pairs->n_next > 0 && key == pairs->last);
    pairs->last = key;
    pairs->n_next++;
    *first = (uint32_t)(key >> 32);
    *second = (uint32_t)key;
    return DIP_OK;
}

uint64_t dip_pairs_put_count(const dip_pairs *pairs) {
    return pairs->n_put;
}

uint64_t dip_pairs_next_count(const dip_pairs *pairs) {
    return pairs->n_next;
}

uint64_t dip_pairs_file_bytes(const dip_pairs *pairs) {
    return dip_scratch_bytes(&pairs->scratch);
}

void dip_pairs_free(dip_pairs *pairs) {
    if (pairs == NULL) {
        return;
    }
    for (size_t i = 0; i < pairs->n_runs; i++) {
        dip_spool_cursor_free(&pairs->runs[i].cursor);
        dip_spool_free(&pairs->runs[i].spool);
    }
    dip_scratch_free(&pairs->scratch);
    dip_free(pairs->runs);
    dip_free(pairs->keys);
    dip_free(pairs->folder);
    dip_free(pairs);
}
