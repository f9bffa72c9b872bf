/* SPDX-License-Identifier: Apache-2.0
 *
 * Resampling of queries (Efron, "Bootstrap methods: another look at the jackknife", 1979). Up to
 * 4096 queries each is a group of its own; more are dealt at random to 4096 groups, which are
 * resampled whole. Deal and draws are functions of the seed and of the number of queries alone, so
 * that runs over the same questions are resampled alike: all their columns, and one run beside
 * another.
 */
#ifndef DIP_EVALUATE_BOOTSTRAP_H
#define DIP_EVALUATE_BOOTSTRAP_H

#include "base/progress.h"
#include "evaluate/scores.h"

/* The sums of queries, of one run or of several added up. */
typedef struct dip_groups {
    size_t n;
    size_t n_queries;
    size_t width;   /* sums, as in dip_scores */
    size_t columns; /* the sums, then the examples of each slice */
    double *total;  /* [n x columns] */
    uint64_t seed;
    int64_t runs; /* how many have been added */
} dip_groups;

/* Empty groups for scores of this shape. */
dip_status dip_groups_create(dip_groups *groups, const dip_scores *shape, uint64_t seed,
                             dip_error *err);

/* Adds a run over the same questions. Sums of floats in double are as good as exact, so the order
 * of the runs does not matter. */
void dip_groups_add(dip_groups *groups, const dip_scores *scores);

/* mean [width]: sums over examples; 0 for an empty slice. */
void dip_groups_mean(const dip_groups *groups, double *mean);

/* means [resamples x width]: likewise of each resample; a slice that has no example in a resample
 * has a mean of 0 there. */
dip_status dip_groups_resample(const dip_groups *groups, size_t resamples, int threads,
                               const dip_watch *watch, double *means, dip_error *err);

void dip_groups_free(dip_groups *groups);

/* The 2.5% and 97.5% quantiles of a column of resampled means; list [resamples] is sorted by the
 * way. resamples >= 1. */
void dip_percentiles(const double *means, size_t width, size_t resamples, size_t column,
                     double *list, double *low, double *high);

/* 95% intervals of the means (percentile bootstrap): low, high [width]. */
dip_status dip_scores_bootstrap(const dip_scores *scores, int64_t resamples, uint64_t seed,
                                int threads, const dip_watch *watch, double *low, double *high,
                                dip_error *err);

#endif
