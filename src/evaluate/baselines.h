/* SPDX-License-Identifier: Apache-2.0
 *
 * Rankings that need no model, by the same rules (excluded rows, list length) as the
 * model's.
 */
#ifndef DIP_EVALUATE_BASELINES_H
#define DIP_EVALUATE_BASELINES_H

#include "evaluate/questions.h"

/* The items with most training pairs, ties by row. items [n x k] out, -1 behind the end. */
dip_status dip_rank_popular(const dip_questions *questions, const dip_dataset *dataset, size_t k,
                            int64_t *items, dip_error *err);

/* Items in random order, another one for each query. */
void dip_rank_random(const dip_questions *questions, const dip_dataset *dataset, size_t k,
                     uint64_t seed, int64_t *items);

#endif
