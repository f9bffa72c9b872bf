/* SPDX-License-Identifier: Apache-2.0
 *
 * Tuning, from a request to a YAML of options:
 *
 *   best.yaml    the best setting, as options that train takes (--options)
 *   tune.json    every setting with its score, the finalists, how sure the choice is
 *   runs/KEY/    finished runs (runs.h)
 *
 * Only the validation split is looked at.
 */
#ifndef DIP_EXPERIMENT_TUNE_H
#define DIP_EXPERIMENT_TUNE_H

#include "experiment/experiment.h"

/* Settings of tuning that are no options of its runs. */
extern const dip_option_table dip_tune_table;

/* *report is tune.json; caller json_decref()s it. */
dip_status dip_tune_run(const dip_experiment_request *request, json_t **report, dip_error *err);

#endif
