/* SPDX-License-Identifier: Apache-2.0 */
#include "model/distinct.h"

#include "base/mem.h"
#include "math/vec.h"

#include <string.h>

/* Columns that one thread adds up, over all examples in their order. */
enum { COLUMNS = 32 };

dip_status dip_distinct_create(dip_distinct *distinct, size_t capacity, int threads,
                               dip_error *err) {
    static const char PURPOSE[] = "the distinct rows of a batch";
    memset(distinct, 0, sizeof *distinct);
    distinct->threads = threads;
    distinct->slots = 16;
    while (distinct->slots < 2 * capacity) {
        distinct->slots *= 2;
    }
    distinct->row = dip_alloc(capacity, sizeof *distinct->row, PURPOSE, err);
    distinct->place = dip_alloc(capacity, sizeof *distinct->place, PURPOSE, err);
    distinct->slot = dip_alloc(distinct->slots, sizeof *distinct->slot, PURPOSE, err);
    if (distinct->row == NULL || distinct->place == NULL || distinct->slot == NULL) {
        dip_distinct_free(distinct);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

/* The slot of a row, or the free one where it belongs (multiplicative hashing, linear probing). */
static size_t find_slot(const dip_distinct *distinct, int32_t row) {
    const uint64_t hash = (uint64_t)(uint32_t)row * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(hash >> 32) & (distinct->slots - 1);
    while (distinct->slot[at] != 0 && distinct->row[distinct->slot[at] - 1] != row) {
        at = (at + 1) & (distinct->slots - 1);
    }
    return at;
}

bool dip_distinct_find_few(dip_distinct *distinct, const int32_t *row, size_t n, size_t most) {
    memset(distinct->slot, 0, distinct->slots * sizeof *distinct->slot);
    distinct->n = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t at = find_slot(distinct, row[i]);
        if (distinct->slot[at] == 0 && distinct->n == most) {
            return false;
        }
        if (distinct->slot[at] == 0) {
            distinct->row[distinct->n++] = row[i];
            distinct->slot[at] = (uint32_t)distinct->n;
        }
        distinct->place[i] = distinct->slot[at] - 1;
    }
    return true;
}

void dip_distinct_find(dip_distinct *distinct, const int32_t *row, size_t n) {
    dip_distinct_find_few(distinct, row, n, n);
}

void dip_distinct_keep_all(dip_distinct *distinct, const int32_t *row, size_t n) {
    distinct->n = n;
    for (size_t i = 0; i < n; i++) {
        distinct->row[i] = row[i];
        distinct->place[i] = (uint32_t)i;
    }
}

void dip_distinct_spread(const dip_distinct *distinct, size_t n, size_t d, const dip_real *vectors,
                         dip_real *all) {
#pragma omp parallel for schedule(static) num_threads(distinct->threads)
    for (size_t i = 0; i < n; i++) {
        memcpy(all + i * d, vectors + distinct->place[i] * d, d * sizeof *all);
    }
}

void dip_distinct_sum(const dip_distinct *distinct, size_t n, size_t d, const dip_real *all,
                      dip_real *sums) {
#pragma omp parallel for schedule(static) num_threads(distinct->threads)
    for (size_t column = 0; column < d; column += COLUMNS) {
        const size_t width = d - column < COLUMNS ? d - column : COLUMNS;
        for (size_t k = 0; k < distinct->n; k++) {
            memset(sums + k * d + column, 0, width * sizeof *sums);
        }
        for (size_t i = 0; i < n; i++) {
            dip_vec_axpy(width, 1, all + i * d + column, sums + distinct->place[i] * d + column);
        }
    }
}

void dip_distinct_free(dip_distinct *distinct) {
    dip_free(distinct->row);
    dip_free(distinct->place);
    dip_free(distinct->slot);
    memset(distinct, 0, sizeof *distinct);
}
