/* SPDX-License-Identifier: Apache-2.0 */
#include "catalogue.h"

static void start(catalogue *c, size_t n_items, bool queries_are_items, size_t most) {
    memset(c, 0, sizeof *c);
    c->count = calloc(n_items, sizeof *c->count);
    assert_non_null(c->count);
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        c->pair[s] = calloc(2 * most + 1, sizeof *c->pair[s]);
        assert_non_null(c->pair[s]);
        c->dataset.pairs[s] = c->pair[s];
    }
    c->dataset.items.n = (int64_t)n_items;
    c->dataset.item_count = c->count;
    c->dataset.schema.queries_are_items = queries_are_items;
}

static void put(catalogue *c, size_t split, int32_t query, int32_t item) {
    const int64_t n = c->dataset.n_pairs[split]++;
    c->pair[split][2 * n] = query;
    c->pair[split][2 * n + 1] = item;
    c->count[item] += split == 0;
}

void catalogue_make(catalogue *c, catalogue_size size, uint64_t *random) {
    start(c, size.n_items, size.queries_are_items, size.n_pairs);
    c->dataset.queries.n = (int64_t)size.n_queries;
    for (size_t i = 0; i < size.n_pairs; i++) {
        const int32_t query = (int32_t)check_random_below(random, size.n_queries);
        /* The smaller of two draws: some items are popular. */
        const size_t a = check_random_below(random, size.n_items);
        const size_t b = check_random_below(random, size.n_items);
        const int32_t item = (int32_t)(a < b ? a : b);
        const bool is_self = size.queries_are_items && query == item;
        if (!is_self && !catalogue_has(c, 0, query, item) && !catalogue_has(c, 1, query, item) &&
            !catalogue_has(c, 2, query, item)) {
            put(c, check_random_below(random, DIP_N_SPLITS), query, item);
        }
    }
}

void catalogue_from_lists(catalogue *c, size_t n_items, bool queries_are_items,
                          const int32_t *train, const int32_t *validation, const int32_t *test) {
    const int32_t *const lists[DIP_N_SPLITS] = {train, validation, test};
    start(c, n_items, queries_are_items, 1000);
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        for (const int32_t *at = lists[s]; *at >= 0; at += 2) {
            put(c, s, at[0], at[1]);
        }
    }
}

void catalogue_free(catalogue *c) {
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        free(c->pair[s]);
    }
    free(c->count);
}

bool catalogue_has(const catalogue *c, size_t split, int32_t query, int64_t item) {
    for (int64_t i = 0; i < c->dataset.n_pairs[split]; i++) {
        if (c->pair[split][2 * i] == query && c->pair[split][2 * i + 1] == item) {
            return true;
        }
    }
    return false;
}
