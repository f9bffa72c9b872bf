/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/baselines.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdlib.h>

typedef struct counted {
    int64_t count;
    int64_t row;
} counted;

static int by_count(const void *left, const void *right) {
    const counted *a = left;
    const counted *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static int by_row(const void *key, const void *element) {
    const int64_t a = *(const int64_t *)key;
    const int64_t b = *(const int32_t *)element;
    return (a > b) - (a < b);
}

static bool is_excluded(const dip_questions *q, size_t i, int64_t row) {
    const size_t n = (size_t)(q->excluded_start[i + 1] - q->excluded_start[i]);
    return bsearch(&row, q->excluded_row + q->excluded_start[i], n, sizeof *q->excluded_row,
                   by_row) != NULL;
}

static void fill_end(int64_t *items, size_t used, size_t k) {
    for (size_t j = used; j < k; j++) {
        items[j] = -1;
    }
}

dip_status dip_rank_popular(const dip_questions *questions, const dip_dataset *dataset, size_t k,
                            int64_t *items, dip_error *err) {
    const size_t m = (size_t)dataset->items.n;
    counted *order = dip_alloc(m, sizeof *order, "item popularity", err);
    if (order == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < m; i++) {
        order[i] = (counted){dataset->item_count[i], (int64_t)i};
    }
    qsort(order, m, sizeof *order, by_count);
    for (size_t i = 0; i < questions->n; i++) {
        size_t used = 0;
        for (size_t j = 0; j < m && used < k; j++) {
            if (!is_excluded(questions, i, order[j].row)) {
                items[i * k + used++] = order[j].row;
            }
        }
        fill_end(items + i * k, used, k);
    }
    dip_free(order);
    return DIP_OK;
}

void dip_rank_random(const dip_questions *questions, const dip_dataset *dataset, size_t k,
                     uint64_t seed, int64_t *items) {
    const uint64_t m = (uint64_t)dataset->items.n;
    const dip_rng rng = dip_rng_make(seed, DIP_DRAW_RANDOM_RANKING);
    for (size_t i = 0; i < questions->n; i++) {
        const dip_permutation order = dip_permutation_make(rng, (uint64_t)questions->query[i], m);
        size_t used = 0;
        for (uint64_t j = 0; j < m && used < k; j++) {
            const int64_t row = (int64_t)dip_permute(&order, j);
            if (!is_excluded(questions, i, row)) {
                items[i * k + used++] = row;
            }
        }
        fill_end(items + i * k, used, k);
    }
}
