/* SPDX-License-Identifier: Apache-2.0
 *
 * The output folder of a study: whose it is, and that nobody else works on it.
 */
#ifndef DIP_EXPERIMENT_WORKPLACE_H
#define DIP_EXPERIMENT_WORKPLACE_H

#include "experiment/experiment.h"
#include "experiment/plan.h"

typedef struct dip_workplace {
    char *runs; /* output/runs */
    char *data; /* output/data */
    int lock;   /* -1: not held */
} dip_workplace;

/* Makes or takes up the folder. An interrupted study of the same dataset, plan and options goes on.
 *
 * DIP_ERR_USAGE    the folder holds something else, or another study and the request does not
 *                  replace it; the text names what differs
 * DIP_ERR_FAILED   another process works on it */
dip_status dip_workplace_open(dip_workplace *place, const dip_experiment_request *request,
                              const dip_plan *plan, const dip_config *base, dip_error *err);

void dip_workplace_close(dip_workplace *place);

#endif
