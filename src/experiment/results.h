/* SPDX-License-Identifier: Apache-2.0
 *
 * results.json: everything that a study came to, and the same as comma separated values.
 */
#ifndef DIP_EXPERIMENT_RESULTS_H
#define DIP_EXPERIMENT_RESULTS_H

#include "experiment/figures.h"
#include "experiment/settings.h"

typedef struct dip_results_sources {
    const dip_study *study;
    const dip_experiment_settings *settings;
    const dip_settings *overrides;
    const dip_dataset *dataset;
    const json_t *const *checks; /* [study->n_data] */
    double seconds;
    const dip_watch *watch;
} dip_results_sources;

/* Caller json_decref()s them. */
dip_status dip_results_make(const dip_results_sources *sources, json_t **results, dip_error *err);

#endif
