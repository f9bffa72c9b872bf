/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of many rankings, kept per query so that means, slices and intervals come from one table.
 *
 *   protocol standard   a query is one example; its right items are all its held-out items of the
 *                       slice
 *   protocol paper      a pair is one example with one right item; a query weighs as many as it
 *                       has
 */
#ifndef DIP_EVALUATE_SCORES_H
#define DIP_EVALUATE_SCORES_H

#include "config/config.h"
#include "evaluate/metrics.h"
#include "evaluate/questions.h"

typedef struct dip_scores {
    size_t n; /* queries */
    dip_list k;
    size_t width;  /* sums of one query: slices x k x metrics */
    float *sum;    /* [n x width] */
    float *weight; /* [n x slices] examples */
    int64_t pairs[DIP_N_SLICES];
    int64_t queries[DIP_N_SLICES];
} dip_scores;

/* From ranks of the held-out pairs in lists of `longest` (see evaluate/ranks.h).
 * DIP_ERR_USAGE   a list length of k is not within 1 ... longest, or above 1000. */
dip_status dip_scores_from_ranks(dip_scores *scores, const dip_questions *questions,
                                 const uint16_t *rank, size_t longest, const dip_list *k,
                                 int protocol, dip_error *err);

/* Likewise from the lists themselves: items [questions->n x longest] ranked rows, -1 behind the
 * end. */
dip_status dip_scores_create(dip_scores *scores, const dip_questions *questions,
                             const int64_t *items, size_t longest, const dip_list *k, int protocol,
                             dip_error *err);

/* The position of a metric in a query's sums. */
static inline size_t dip_scores_place(const dip_scores *scores, size_t slice, size_t k,
                                      size_t metric) {
    return (slice * scores->k.n + k) * DIP_N_METRICS + metric;
}

/* mean [width]: the mean over examples of each slice; 0 for an empty slice. */
void dip_scores_mean(const dip_scores *scores, double *mean);

void dip_scores_free(dip_scores *scores);

#endif
