/* SPDX-License-Identifier: Apache-2.0
 *
 * The output folder of a study: whose it is, and that nobody else works on it.
 */
#ifndef DIP_EXPERIMENT_WORKPLACE_H
#define DIP_EXPERIMENT_WORKPLACE_H

#include "config/config.h"
#include "data/dataset.h"

typedef struct dip_workplace {
    char *runs; /* output/runs */
    char *data; /* output/data */
    int lock;   /* -1: not held */
} dip_workplace;

/* The name of the study that is a search for options. */
#define DIP_STUDY_OF_TUNE "tune"

/* What is to be done in the folder. */
typedef struct dip_claim {
    const char *output;
    const dip_dataset *dataset;
    const dip_config *base;
    const char *study; /* "paper", "tune" */
    uint64_t hash;     /* of everything else that its results depend on */
    bool replaces;     /* another study's results may be replaced; its finished runs stay */
} dip_claim;

/* Makes or takes up the folder. An interrupted study of the same dataset, plan and options goes on.
 *
 * DIP_ERR_USAGE    the folder holds something else, or another study that is not to be replaced;
 *                  the text names what differs
 * DIP_ERR_FAILED   another process works on it */
dip_status dip_workplace_open(dip_workplace *place, const dip_claim *claim, dip_error *err);

/* Says behind what interrupted a study that it can go on; DIP_ERR_INTERRUPTED. */
dip_status dip_workplace_interrupted(dip_error *err);

void dip_workplace_close(dip_workplace *place);

#endif
