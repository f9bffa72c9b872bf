/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pairs train, validate and test.
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
#include "prepare/pairs.h"

/* Fills pairs->parts (for DIP_SPLIT_COLUMN, and of the pairs of a dataset, they are there), then
 * applies train_fraction; counts[part] is the number of pairs in each dip_part.
 *
 * DIP_ERR_FAILED   of other pairs than those of a dataset none is left for training */
dip_status dip_split(dip_pairs *pairs, const dip_config *config, const dip_means *means,
                     int64_t counts[DIP_PART_UNUSED + 1], dip_error *err);

#endif
