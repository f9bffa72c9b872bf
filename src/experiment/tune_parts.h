/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of tuning share: tune.c searches, tune_report.c says what was found.
 */
#ifndef DIP_EXPERIMENT_TUNE_PARTS_H
#define DIP_EXPERIMENT_TUNE_PARTS_H

#include "base/text.h"
#include "experiment/experiment.h"
#include "experiment/halving.h"
#include "experiment/workplace.h"

typedef struct dip_tune_settings {
    char space[DIP_TEXT_MAX];
    char preset[DIP_TEXT_MAX];
    char rival[DIP_TEXT_MAX];
    int64_t trials;
    double near;
    int64_t eta;
    int64_t finalists;
    int64_t seeds;
    int64_t jobs;
} dip_tune_settings;

typedef struct dip_tuning {
    const dip_experiment_request *request;
    dip_tune_settings settings;
    dip_space space;
    dip_settings overrides;
    dip_settings rival; /* its preset is empty where there is none */
    dip_config base;
    dip_workplace place;
    dip_study_data data;
    dip_halving halving;
} dip_tuning;

/* What tune.json holds, after the search. DIP_ERR_NONFINITE when no finalist has a mean. */
dip_status dip_tune_report(const dip_tuning *tuning, json_t *report, dip_error *err);

/* What was given, and what was found on top of it: options that train reads. */
dip_status dip_tune_yaml(const dip_tuning *tuning, dip_text *text, dip_error *err);

#endif
