/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request for a study says, resolved: its settings, its plan, the options of every run.
 */
#ifndef DIP_EXPERIMENT_SETTINGS_H
#define DIP_EXPERIMENT_SETTINGS_H

#include "experiment/experiment.h"
#include "experiment/plan.h"

typedef struct dip_experiment_settings {
    char preset[DIP_TEXT_MAX];
    char study[DIP_TEXT_MAX];
    char conditions[DIP_TEXT_MAX];
    char methods[DIP_TEXT_MAX];
    int64_t seeds;
    int64_t choice_seeds;
    int64_t jobs;
    char category[DIP_TEXT_MAX];
    int64_t map_items;
    char plotly[DIP_TEXT_MAX];
    char title[DIP_TEXT_MAX];
} dip_experiment_settings;

/* Caller dip_free()s the plan. overrides: options that the request gives. */
dip_status dip_experiment_resolve(const dip_experiment_request *request,
                                  dip_experiment_settings *settings, dip_plan **plan,
                                  dip_config *base, dip_settings *overrides, dip_error *err);

#endif
