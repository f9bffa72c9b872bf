/* SPDX-License-Identifier: Apache-2.0
 *
 * A study on a dataset, from its plan to the page. The output folder:
 *
 *   index.html      the report, one file that asks for nothing when it is opened
 *   results.json    every number of it
 *   tables.csv, runs.csv, figures.csv
 *   study.json      what the folder is of: dataset and plan; another study is refused
 *   runs/KEY/       finished runs (runs.h)
 *   data/           datasets with a share of the training pairs
 *   lock            held while a process works on it
 */
#ifndef DIP_EXPERIMENT_EXPERIMENT_H
#define DIP_EXPERIMENT_EXPERIMENT_H

#include "base/json.h"
#include "base/progress.h"
#include "data/dataset.h"

/* Settings of a study that are no options of its runs. */
extern const dip_option_table dip_experiment_table;

typedef struct dip_experiment_request {
    const dip_dataset *dataset;
    const char *const *names; /* settings, and options of every run */
    const char *const *values;
    size_t n;
    const char *output;
    bool replaces; /* the folder may be of another study, whose finished runs stay */
    const dip_watch *watch;
} dip_experiment_request;

/* *report is results.json; caller json_decref()s it. */
dip_status dip_experiment_run(const dip_experiment_request *request, json_t **report,
                              dip_error *err);

#endif
