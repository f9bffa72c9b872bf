/* SPDX-License-Identifier: Apache-2.0
 *
 * What the final runs of one condition came to: for each method the metrics of each seed, and the
 * sums of groups of queries over all seeds, for the paired comparison with the baseline.
 */
#ifndef DIP_EXPERIMENT_OUTCOME_H
#define DIP_EXPERIMENT_OUTCOME_H

#include "evaluate/compare.h"
#include "experiment/study.h"

/* Test pairs of a popularity group whose item is among the first evaluate.k[i]. */
typedef struct dip_group_hits {
    int64_t among[DIP_LIST_MAX][DIP_N_POPULARITY_GROUPS];
} dip_group_hits;

typedef struct dip_method_outcome {
    size_t n;                   /* seeds */
    double *seed;               /* [n x width] means; NaN where the run failed */
    size_t n_good;              /* runs that did not fail */
    dip_groups groups;          /* of the good runs */
    dip_difference *difference; /* [width] from the baseline; NULL for the baseline itself */
    dip_group_hits *hits;       /* [n_good] of each good run */
} dip_method_outcome;

typedef struct dip_outcome {
    size_t condition;
    dip_list k;
    size_t width; /* slices x k x metrics, as in dip_scores */
    int64_t pairs[DIP_N_SLICES];
    int64_t queries[DIP_N_SLICES];
    int64_t group_pairs[DIP_N_POPULARITY_GROUPS];
    size_t n_methods;
    dip_method_outcome *methods;
    double *popular; /* [width] the same metrics of rankings that need no model */
    double *random;
} dip_outcome;

dip_status dip_outcome_create(dip_outcome *outcome, const dip_study *study, size_t condition,
                              const dip_watch *watch, dip_error *err);

/* The position of a column; DIP_ERR_USAGE when its list length is not among evaluate.k. */
dip_status dip_outcome_place(const dip_outcome *outcome, const dip_plan_column *column,
                             size_t *place, dip_error *err);

void dip_outcome_free(dip_outcome *outcome);

#endif
