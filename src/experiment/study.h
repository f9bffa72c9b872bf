/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan on a dataset: every method under every condition, a cell each. A cell first makes the runs
 * among which it chooses, on the validation split and one option after the other; then, with what
 * was chosen, the final runs, one a seed, which alone are asked the test pairs.
 */
#ifndef DIP_EXPERIMENT_STUDY_H
#define DIP_EXPERIMENT_STUDY_H

#include "experiment/plan.h"
#include "experiment/workers.h"

/* One run of the study, in the order in which they were asked for. */
typedef struct dip_study_run {
    size_t condition;
    size_t method;
    int64_t seed;
    int choice; /* the option that it serves to choose, -1 for a final run */
    size_t value;
    dip_settings setting; /* what was chosen or is tried */
    char key[DIP_RUN_KEY_BYTES];
} dip_study_run;

typedef struct dip_cell {
    size_t condition;
    size_t method;
    size_t stage; /* options chosen so far; beyond them the final runs */
    bool is_done;
    dip_settings chosen;
    size_t picked[DIP_PLAN_CHOICES];
    double score[DIP_PLAN_CHOICES][DIP_PLAN_VALUES]; /* mean over the choice's seeds; -1: failed */
} dip_cell;

typedef struct dip_study {
    const dip_plan *plan;
    dip_config base; /* options of every run, before those of condition and method */
    const char *folder;
    dip_workers workers;
    size_t n_data;
    dip_study_data *data;
    size_t data_of[DIP_PLAN_LIST]; /* of each condition */
    dip_cell *cells;               /* [conditions x methods] */
    size_t n_runs;
    size_t run_capacity;
    dip_study_run *runs;
    bool is_mapped[DIP_PLAN_LIST]; /* methods whose first final run keeps its vectors */
} dip_study;

/* Tries every option of a plan before anything takes time.
 * DIP_ERR_USAGE   a method that masks on a dataset with fewer than two features */
dip_status dip_study_check(const dip_plan *plan, const dip_config *base, const dip_dataset *dataset,
                           dip_error *err);

/* plan, base, folder, workers and data are given. */
dip_status dip_study_begin(dip_study *study, dip_error *err);

/* Makes all runs, but those that an earlier study has left in the folder. */
dip_status dip_study_execute(dip_study *study, dip_error *err);

static inline dip_cell *dip_study_cell(const dip_study *study, size_t condition, size_t method) {
    return &study->cells[condition * study->plan->n_methods + method];
}

static inline const dip_study_data *dip_study_data_of(const dip_study *study, size_t condition) {
    return &study->data[study->data_of[condition]];
}

/* The configuration of a run. setting may be NULL. */
dip_status dip_study_config(const dip_study *study, size_t condition, size_t method,
                            const dip_settings *setting, int64_t seed, dip_config *config,
                            dip_error *err);

/* The next run at or behind *at of a cell and choice (-1: final), or NULL at the end. */
const dip_study_run *dip_study_next(const dip_study *study, size_t *at, size_t condition,
                                    size_t method, int choice);

void dip_study_free(dip_study *study);

#endif
