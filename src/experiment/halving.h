/* SPDX-License-Identifier: Apache-2.0
 *
 * Tuning by successive halving (Jamieson and Talwalkar, AISTATS 2016): many settings are trained
 * for a few epochs, the best third of them for three times as many, and so on; the last few, the
 * setting that one began with and one that is to be beaten are trained in full with several
 * seeds. Everything is judged on the validation split; the test split is not looked at.
 *
 *   rung r   the n / eta^r best settings so far, for epochs / eta^(R - 1 - r) epochs each
 *
 * Settings are drawn from the whole space, and near one that is known to be good: that one with
 * each option drawn anew with a chance of 2 / options.
 */
#ifndef DIP_EXPERIMENT_HALVING_H
#define DIP_EXPERIMENT_HALVING_H

#include "experiment/plan.h"
#include "experiment/workers.h"

enum { DIP_TUNE_SEEDS_MAX = 64 };

/* Options and the values they may take. */
typedef struct dip_space {
    size_t n;
    dip_choice axis[DIP_PLAN_SETTINGS];
} dip_space;

/* A YAML mapping of options to lists of values; DIP_ERR_USAGE with `name`, line and column. */
dip_status dip_space_parse(dip_space *space, const char *text, size_t bytes, const char *name,
                           dip_error *err);
dip_status dip_space_read(dip_space *space, const char *path, dip_error *err);

/* The space that is built in. */
dip_status dip_space_default(dip_space *space, dip_error *err);

typedef struct dip_candidate {
    dip_settings setting;        /* empty: the one that tuning began with */
    char key[DIP_RUN_KEY_BYTES]; /* of its run of one epoch: two with equal ones are one */
    int64_t rung; /* the last that it took part in; seeds follow after the last rung */
    double score; /* there; -1 when it diverged */
} dip_candidate;

typedef struct dip_halving {
    dip_config base;
    const dip_study_data *data;
    const char *folder; /* of the runs */
    dip_workers workers;
    const dip_space *space;
    const dip_settings *rival; /* a setting to be beaten, or NULL; left out when it is the base */
    dip_error rival_problem;   /* or when it cannot be trained: why */
    const dip_settings *known; /* a good setting, which others are drawn near to, or NULL */
    double near;               /* their share of the draws, 0 to 1 */
    int64_t trials;    /* settings at the first rung, those of the base and the rival among them */
    int64_t eta;       /* what is left of n settings is n / eta */
    int64_t finalists; /* trained with several seeds, beside the base and the rival */
    int64_t seeds;
    size_t n;       /* candidates */
    size_t n_given; /* the first of them: the base, and perhaps the rival */
    dip_candidate *candidates;
    size_t rungs;
    size_t n_finals;
    size_t *finals; /* candidates, by falling mean over the seeds */
    double *values; /* [n_finals x seeds] */
} dip_halving;

/* base, data, space, rival, known, near, trials, eta, finalists and seeds are given; the rungs
 * follow.
 * DIP_ERR_USAGE   the base cannot be trained for as few epochs as the first rung has. */
dip_status dip_halving_begin(dip_halving *halving, dip_error *err);

/* folder and workers are given too. */
dip_status dip_halving_run(dip_halving *halving, dip_error *err);

/* The configuration of a candidate for a number of epochs. */
dip_status dip_halving_config(const dip_halving *halving, const dip_candidate *candidate,
                              int64_t epochs, int64_t seed, dip_config *config, dip_error *err);

/* Epochs of a rung, at least 1. */
int64_t dip_halving_epochs(const dip_halving *halving, size_t rung);

void dip_halving_free(dip_halving *halving);

#endif
