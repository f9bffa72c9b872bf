/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pairs train, validate and test, and what that choice leaks.
 *
 * A random split draws u in [0, 1) from the seed and what is kept together (the pair, the unordered
 * pair, the query): below split.test it tests, in the next split.validation it validates. So a
 * pair's part does not depend on the other pairs, and more data later does not move it. The time
 * split puts the latest pairs into the test and the next latest into validation; equal times stay
 * together.
 */
#ifndef DIP_PREPARE_SPLIT_H
#define DIP_PREPARE_SPLIT_H

#include "config/config.h"
#include "prepare/ingest.h"

/* Fills pairs->part (for DIP_SPLIT_COLUMN it is already filled), then applies train_fraction. */
dip_status dip_split(dip_pairs *pairs, const dip_config *config, dip_error *err);

/* Held-out pairs whose reverse trains, and held-out queries that train too. Only the first is
 * counted when queries are items. */
typedef struct dip_leaks {
    int64_t reversed_test_pairs;
    int64_t test_pairs;
    int64_t validation_pairs;
    int64_t train_pairs;
    int64_t unused_pairs; /* left out by train_fraction */
    int64_t test_pairs_of_trained_queries;
} dip_leaks;

dip_status dip_split_leaks(const dip_pairs *pairs, bool queries_are_items, int64_t n_queries,
                           dip_leaks *leaks, dip_error *err);

#endif
