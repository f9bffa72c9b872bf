/* SPDX-License-Identifier: Apache-2.0
 *
 * What a final run of each method costs.
 */
#ifndef DIP_EXPERIMENT_COSTS_H
#define DIP_EXPERIMENT_COSTS_H

#include "experiment/study.h"

/* Fills `costs`, an array, with an object for each condition and method: mean epochs, mean and
 * standard deviation of the seconds over final runs that did not diverge, and how many times the
 * baseline's seconds that is. `runs` is the list of runs of results.json. Seconds are those of the
 * run when it was made, beside as many others as were made at a time. */
dip_status dip_costs_make(const dip_study *study, const json_t *runs, json_t *costs,
                          dip_error *err);

#endif
