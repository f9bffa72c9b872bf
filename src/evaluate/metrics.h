/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranking metrics of one list. hit[i] says whether the item at place i (from 0) is right; R is the
 * number of right items there are, found or not; K the length at which the list is cut.
 *
 *   recall@K    hits in the first K / R
 *   MAP@K       (1 / min(K, R)) sum over hits i < K of (hits up to i) / (i + 1)
 *   NDCG@K      sum over hits i < K of 1/log2(i + 2), over the same sum for min(K, R) hits in front
 *   MRR@K       1 / (i + 1) of the first hit i < K, else 0
 *   hit rate@K  1 when there is a hit in the first K, else 0
 *
 * With R = 1 these are the paper's: recall is the hit, MAP the reciprocal rank cut at K.
 */
#ifndef DIP_EVALUATE_METRICS_H
#define DIP_EVALUATE_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* In the order of dip_metric_kind. */
enum { DIP_N_METRICS = 5 };
extern const char *const dip_metric_names[DIP_N_METRICS];

/* length <= K places are given. R >= 1. */
void dip_metrics(const bool *hit, size_t length, size_t right, size_t k,
                 double metric[DIP_N_METRICS]);

#endif
