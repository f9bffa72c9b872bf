/* SPDX-License-Identifier: Apache-2.0
 *
 * Datasets in memory for the evaluation: pairs and counts without files or features.
 */
#ifndef DIP_TESTS_UNIT_CATALOGUE_H
#define DIP_TESTS_UNIT_CATALOGUE_H

#include "check.h"
#include "data/dataset.h"

typedef struct catalogue {
    dip_dataset dataset;
    int32_t *pair[DIP_N_SPLITS];
    int64_t *count;
} catalogue;

/* Random distinct pairs, dealt to the three splits; the counts are those of the training pairs. */
typedef struct catalogue_size {
    size_t n_items;
    size_t n_queries; /* equal to n_items when queries are items */
    size_t n_pairs;
    bool queries_are_items;
} catalogue_size;

void catalogue_make(catalogue *c, catalogue_size size, uint64_t *random);

/* Pairs given by hand: lists of query, item, ..., each ended by -1. */
void catalogue_from_lists(catalogue *c, size_t n_items, bool queries_are_items,
                          const int32_t *train, const int32_t *validation, const int32_t *test);

void catalogue_free(catalogue *c);

/* Whether a pair stands in a split, by looking at all of them. */
bool catalogue_has(const catalogue *c, size_t split, int32_t query, int64_t item);

#endif
