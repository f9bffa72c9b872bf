/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/baselines.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdlib.h>

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
    int64_t *order = dip_alloc(m, sizeof *order, "item popularity", err);
    if (order == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_popularity_order(dataset, order, err);
    for (size_t i = 0; i < questions->n && status == DIP_OK; i++) {
        size_t used = 0;
        for (size_t j = 0; j < m && used < k; j++) {
            if (!is_excluded(questions, i, order[j])) {
                items[i * k + used++] = order[j];
            }
        }
        fill_end(items + i * k, used, k);
    }
    dip_free(order);
    return status;
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
