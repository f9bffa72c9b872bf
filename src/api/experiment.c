/* SPDX-License-Identifier: Apache-2.0
 *
 * Public functions of studies.
 */
#include "experiment/experiment.h"
#include "api/arguments.h"
#include "api/report.h"
#include "experiment/plan.h"
#include "experiment/tune.h"

size_t dip_experiment_setting_count(void) {
    return dip_experiment_table.n;
}

dip_status dip_experiment_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    return dip_describe_option(&dip_experiment_table, index, info, err);
}

size_t dip_tune_setting_count(void) {
    return dip_tune_table.n;
}

dip_status dip_tune_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    return dip_describe_option(&dip_tune_table, index, info, err);
}

dip_status dip_experiment_preset(const char *name, const char **text, dip_error *err) {
    size_t bytes = 0;
    DIP_TRY(dip_need(name, "name", err));
    DIP_TRY(dip_need(text, "text", err));
    return dip_plan_preset_text(name, text, &bytes, err);
}

typedef dip_status (*run_fn)(const dip_experiment_request *request, json_t **report,
                             dip_error *err);

static dip_status run(const dip_experiment_request *request, unsigned flags, run_fn make,
                      dip_report **report, dip_error *err) {
    json_t *results = NULL;
    DIP_TRY(dip_need(request->dataset, "dataset", err));
    DIP_TRY(dip_need(request->output, "output", err));
    DIP_TRY(dip_need_settings(request->names, request->values, request->n, err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE, err));
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
