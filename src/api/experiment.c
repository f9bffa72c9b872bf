/* SPDX-License-Identifier: Apache-2.0
 *
 * Public functions of studies.
 */
#include "experiment/experiment.h"
#include "api/report.h"
#include "experiment/plan.h"
#include "experiment/tune.h"

#include <stdio.h>

static dip_status need(const void *argument, const char *name, dip_error *err) {
    return argument != NULL ? DIP_OK : dip_fail(err, DIP_ERR_USAGE, "argument %s is NULL", name);
}

static dip_status describe(const dip_option_table *table, size_t index, dip_option_info *info,
                           dip_error *err) {
    char range[DIP_VALUE_MAX];
    DIP_TRY(need(info, "info", err));
    if (index >= table->n) {
        return dip_fail(err, DIP_ERR_USAGE, "there is no setting %zu", index);
    }
    const dip_option *row = &table->row[index];
    dip_options_range(row, range);
    *info = (dip_option_info){.key = row->key,
                              .type = dip_options_type_name(row->type),
                              .default_value = row->fallback,
                              .help = row->help};
    snprintf(info->range, sizeof info->range, "%.255s", range);
    return DIP_OK;
}

size_t dip_experiment_setting_count(void) {
    return dip_experiment_table.n;
}

dip_status dip_experiment_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    return describe(&dip_experiment_table, index, info, err);
}

size_t dip_tune_setting_count(void) {
    return dip_tune_table.n;
}

dip_status dip_tune_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    return describe(&dip_tune_table, index, info, err);
}

const char *dip_experiment_preset(const char *name) {
    size_t bytes = 0;
    return name != NULL ? dip_plan_preset_text(name, &bytes) : NULL;
}

typedef dip_status (*run_fn)(const dip_experiment_request *request, json_t **report,
                             dip_error *err);

static dip_status run(const dip_experiment_request *request, unsigned flags, run_fn make,
                      dip_report **report, dip_error *err) {
    json_t *results = NULL;
    DIP_TRY(need(request->dataset, "dataset", err));
    DIP_TRY(need(request->output, "output", err));
    for (size_t i = 0; i < request->n; i++) {
        DIP_TRY(need(request->names != NULL ? request->names[i] : NULL, "names", err));
        DIP_TRY(need(request->values != NULL ? request->values[i] : NULL, "values", err));
    }
    if ((flags & ~DIP_REPLACE) != 0) {
        return dip_fail(err, DIP_ERR_USAGE, "unknown flags %#x", flags);
    }
    DIP_TRY(make(request, report != NULL ? &results : NULL, err));
    return report != NULL ? dip_report_wrap(report, results, err) : DIP_OK;
}

dip_status dip_experiment(const dip_dataset *dataset, const char *const *names,
                          const char *const *values, size_t n, const char *output, unsigned flags,
                          const dip_watch *watch, dip_report **report, dip_error *err) {
    const dip_experiment_request request = {
        dataset, names, values, n, output, (flags & DIP_REPLACE) != 0, watch};
    return run(&request, flags, dip_experiment_run, report, err);
}

dip_status dip_tune(const dip_dataset *dataset, const char *const *names, const char *const *values,
                    size_t n, const char *output, unsigned flags, const dip_watch *watch,
                    dip_report **report, dip_error *err) {
    const dip_experiment_request request = {
        dataset, names, values, n, output, (flags & DIP_REPLACE) != 0, watch};
    return run(&request, flags, dip_tune_run, report, err);
}
