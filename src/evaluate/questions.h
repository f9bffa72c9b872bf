/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a ranking: the held-out pairs grouped by query, the rows that must not be
 * ranked for each, and the popularity slices.
 *
 *   head   the tenth of the items with training pairs that have the most of them (ties by row)
 *   tail   all other items
 *   cold   those of the tail that are the item of no training pair
 */
#ifndef DIP_EVALUATE_QUESTIONS_H
#define DIP_EVALUATE_QUESTIONS_H

#include "data/dataset.h"
#include "engine/rank.h"

typedef enum dip_slice { DIP_SLICE_ALL, DIP_SLICE_HEAD, DIP_SLICE_TAIL, DIP_SLICE_COLD } dip_slice;
enum { DIP_N_SLICES = 4 };
extern const char *const dip_slice_names[DIP_N_SLICES];

typedef struct dip_questions {
    size_t n;       /* queries */
    int32_t *query; /* [n] ascending query rows */
    int64_t *start; /* [n + 1] */
    int32_t *right; /* right items of query i: right[start[i] .. start[i + 1]), ascending */
    int64_t *excluded_start; /* [n + 1] */
    int32_t *excluded_row;
    dip_excluded excluded;
    uint8_t *slices; /* [items] bit s: the item is in slice s */
    int64_t n_head;
} dip_questions;

/* split: 1 validation, 2 test. exclude_training: the query's training items are not ranked.
 * exclude_query: nor is the query item itself. */
dip_status dip_questions_create(dip_questions *questions, const dip_dataset *dataset, size_t split,
                                bool exclude_training, bool exclude_query, dip_error *err);

/* Item rows by falling training count, ties by row: order [items] out. */
dip_status dip_popularity_order(const dip_dataset *dataset, int64_t *order, dip_error *err);

/* Groups 0 ... 9: the items with training pairs, by falling training count and ties by row, cut
 * into ten parts of equal number, so that group 0 is the head; group 10: the items of no training
 * pair. group [items] out. */
enum { DIP_N_POPULARITY_GROUPS = 11 };
dip_status dip_popularity_groups(const dip_dataset *dataset, uint8_t *group, dip_error *err);

void dip_questions_free(dip_questions *questions);

#endif
