/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/questions.h"

#include "base/mem.h"
#include "base/order.h"

#include <stdlib.h>
#include <string.h>

const char *const dip_slice_names[DIP_N_SLICES] = {"all", "head", "tail", "cold"};

/* A pair as one number that sorts by query, then by item. */
static uint64_t key_of(const int32_t *pair) {
    return ((uint64_t)(uint32_t)pair[0] << 32) | (uint32_t)pair[1];
}

static uint64_t *sorted_pairs(const dip_dataset *dataset, size_t split, dip_error *err) {
    const size_t n = (size_t)dataset->n_pairs[split];
    uint64_t *keys = dip_alloc(n, sizeof *keys, "sorted pairs", err);
    for (size_t i = 0; keys != NULL && i < n; i++) {
        keys[i] = key_of(dataset->pairs[split] + 2 * i);
    }
    if (keys != NULL) {
        qsort(keys, n, sizeof *keys, dip_order_u64);
    }
    return keys;
}

static dip_status group_by_query(dip_questions *q, const uint64_t *keys, size_t n, dip_error *err) {
    q->query = dip_alloc(n, sizeof *q->query, "test queries", err);
    q->start = dip_alloc(n + 1, sizeof *q->start, "test queries", err);
    q->right = dip_alloc(n, sizeof *q->right, "test items", err);
    if (q->query == NULL || q->start == NULL || q->right == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const int32_t query = (int32_t)(keys[i] >> 32);
        if (q->n == 0 || q->query[q->n - 1] != query) {
            q->query[q->n] = query;
            q->start[q->n++] = (int64_t)i;
        }
        q->right[i] = (int32_t)(keys[i] & UINT32_MAX);
        q->start[q->n] = (int64_t)i + 1;
    }
    return DIP_OK;
}

/* The training pairs of the queries that are asked, sorted; of a large dataset these may be few. */
static uint64_t *sorted_training(const dip_questions *q, const dip_dataset *dataset, size_t *n,
                                 dip_error *err) {
    const int64_t n_train = dataset->n_pairs[0];
    const int64_t n_queries = dip_dataset_rows(dataset, DIP_SIDE_QUERY)->n;
    uint8_t *is_asked = dip_alloc((size_t)n_queries, 1, "test queries", err);
    size_t count = 0;
    if (is_asked == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < q->n; i++) {
        is_asked[q->query[i]] = 1;
    }
    for (int64_t i = 0; i < n_train; i++) {
        count += is_asked[dataset->pairs[0][2 * i]];
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, dataset->pairs[0] + 2 * i);
        }
    }
    uint64_t *keys = dip_alloc(count, sizeof *keys, "sorted pairs", err);
    *n = 0;
    for (int64_t i = 0; keys != NULL && i < n_train; i++) {
        const int32_t *pair = dataset->pairs[0] + 2 * i;
        if (is_asked[pair[0]]) {
            keys[(*n)++] = key_of(pair);
        }
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
    }
    if (keys != NULL) {
        qsort(keys, *n, sizeof *keys, dip_order_u64);
    }
    dip_free(is_asked);
    return keys;
}

/* Walks the sorted queries and the sorted training pairs side by side. */
static void fill_excluded(dip_questions *q, const uint64_t *train, size_t n_train,
                          bool exclude_query) {
    size_t at = 0;
    int64_t used = 0;
    for (size_t i = 0; i < q->n; i++) {
        const uint64_t query = (uint32_t)q->query[i];
        const int64_t begin = used;
        while (at < n_train && train[at] >> 32 < query) {
            at++;
        }
        for (size_t j = at; j < n_train && train[j] >> 32 == query; j++) {
            q->excluded_row[used++] = (int32_t)(train[j] & UINT32_MAX);
        }
        if (exclude_query) {
            q->excluded_row[used++] = q->query[i];
        }
        qsort(q->excluded_row + begin, (size_t)(used - begin), sizeof *q->excluded_row,
              dip_order_i32);
        q->excluded_start[i + 1] = used;
    }
}

static dip_status collect_excluded(dip_questions *q, const dip_dataset *dataset,
                                   bool exclude_training, bool exclude_query, dip_error *err) {
    size_t n_train = 0;
    uint64_t *train = exclude_training ? sorted_training(q, dataset, &n_train, err)
                                       : dip_alloc(0, sizeof *train, "sorted pairs", err);
    q->excluded_start = dip_alloc(q->n + 1, sizeof *q->excluded_start, "excluded items", err);
    q->excluded_row = dip_alloc(n_train + q->n, sizeof *q->excluded_row, "excluded items", err);
    if (train == NULL || q->excluded_start == NULL || q->excluded_row == NULL) {
        dip_free(train);
        return DIP_ERR_MEMORY;
    }
    fill_excluded(q, train, n_train, exclude_query && dataset->schema.queries_are_items);
    q->excluded = (dip_excluded){q->excluded_start, q->excluded_row};
    dip_free(train);
    return DIP_OK;
}

typedef struct counted {
    int64_t count;
    int64_t row;
} counted;

static int by_popularity(const void *left, const void *right) {
    const counted *a = left;
    const counted *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

dip_status dip_popularity_order(const dip_dataset *dataset, int64_t *order, dip_error *err) {
    const size_t n = (size_t)dataset->items.n;
    counted *list = dip_alloc(n, sizeof *list, "item popularity", err);
    if (list == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = (counted){dataset->item_count[i], (int64_t)i};
    }
    qsort(list, n, sizeof *list, by_popularity);
    for (size_t i = 0; i < n; i++) {
        order[i] = list[i].row;
    }
    dip_free(list);
    return DIP_OK;
}

dip_status dip_popularity_groups(const dip_dataset *dataset, uint8_t *group, dip_error *err) {
    const size_t n = (size_t)dataset->items.n;
    size_t seen = 0;
    int64_t *order = dip_alloc(n, sizeof *order, "item popularity", err);
    const dip_status status =
        order != NULL ? dip_popularity_order(dataset, order, err) : DIP_ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        seen += dataset->item_count[i] > 0;
    }
    for (size_t i = 0; i < n && status == DIP_OK; i++) {
        group[order[i]] = (uint8_t)(i < seen ? 10 * i / seen : 10);
    }
    dip_free(order);
    return status;
}

static dip_status mark_slices(dip_questions *q, const dip_dataset *dataset, dip_error *err) {
    const size_t n = (size_t)dataset->items.n;
    int64_t seen = 0;
    int64_t *order = dip_alloc(n, sizeof *order, "item popularity", err);
    q->slices = dip_alloc(n, 1, "popularity slices", err);
    dip_status status = order != NULL && q->slices != NULL
                            ? dip_popularity_order(dataset, order, err)
                            : DIP_ERR_MEMORY;
    for (size_t i = 0; i < n && status == DIP_OK; i++) {
        const bool is_cold = dataset->item_count[i] == 0;
        q->slices[i] = (uint8_t)(1u << DIP_SLICE_ALL | 1u << DIP_SLICE_TAIL |
                                 (unsigned)is_cold << DIP_SLICE_COLD);
        seen += !is_cold;
    }
    q->n_head = (seen + 9) / 10;
    for (int64_t i = 0; i < q->n_head && status == DIP_OK; i++) {
        q->slices[order[i]] = 1u << DIP_SLICE_ALL | 1u << DIP_SLICE_HEAD;
    }
    dip_free(order);
    return status;
}

dip_status dip_questions_create(dip_questions *questions, const dip_dataset *dataset, size_t split,
                                bool exclude_training, bool exclude_query, dip_error *err) {
    memset(questions, 0, sizeof *questions);
    uint64_t *keys = sorted_pairs(dataset, split, err);
    if (keys == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = group_by_query(questions, keys, (size_t)dataset->n_pairs[split], err);
    dip_free(keys);
    if (status == DIP_OK) {
        status = collect_excluded(questions, dataset, exclude_training, exclude_query, err);
    }
    if (status == DIP_OK) {
        status = mark_slices(questions, dataset, err);
    }
    if (status != DIP_OK) {
        dip_questions_free(questions);
    }
    return status;
}

void dip_questions_free(dip_questions *questions) {
    dip_free(questions->query);
    dip_free(questions->start);
    dip_free(questions->right);
    dip_free(questions->excluded_start);
    dip_free(questions->excluded_row);
    dip_free(questions->slices);
    memset(questions, 0, sizeof *questions);
}
