/* SPDX-License-Identifier: Apache-2.0
 *
 * Public functions of studies.
 */
#include "experiment/experiment.h"
#include "api/report.h"
#include "experiment/plan.h"

#include <stdio.h>

static dip_status need(const void *argument, const char *name, dip_error *err) {
    return argument != NULL ? DIP_OK : dip_fail(err, DIP_ERR_USAGE, "argument %s is NULL", name);
}

size_t dip_experiment_setting_count(void) {
    return dip_experiment_table.n;
}

dip_status dip_experiment_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    char range[DIP_VALUE_MAX];
    DIP_TRY(need(info, "info", err));
    if (index >= dip_experiment_table.n) {
        return dip_fail(err, DIP_ERR_USAGE, "there is no setting %zu", index);
    }
    const dip_option *row = &dip_experiment_table.row[index];
    dip_options_range(row, range);
    *info = (dip_option_info){.key = row->key,
                              .type = dip_options_type_name(row->type),
                              .default_value = row->fallback,
                              .help = row->help};
    snprintf(info->range, sizeof info->range, "%.255s", range);
    return DIP_OK;
}

const char *dip_experiment_preset(const char *name) {
    size_t bytes = 0;
    return name != NULL ? dip_plan_preset_text(name, &bytes) : NULL;
}

dip_status dip_experiment(const dip_dataset *dataset, const char *const *names,
                          const char *const *values, size_t n, const char *output, unsigned flags,
                          const dip_watch *watch, dip_report **report, dip_error *err) {
    json_t *results = NULL;
    DIP_TRY(need(dataset, "dataset", err));
    DIP_TRY(need(output, "output", err));
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(need(names != NULL ? names[i] : NULL, "names", err));
        DIP_TRY(need(values != NULL ? values[i] : NULL, "values", err));
    }
    if ((flags & ~DIP_REPLACE) != 0) {
        return dip_fail(err, DIP_ERR_USAGE, "unknown flags %#x", flags);
    }
    const dip_experiment_request request = {.dataset = dataset,
                                            .names = names,
                                            .values = values,
                                            .n = n,
                                            .output = output,
                                            .replaces = (flags & DIP_REPLACE) != 0,
                                            .watch = watch};
    DIP_TRY(dip_experiment_run(&request, report != NULL ? &results : NULL, err));
    return report != NULL ? dip_report_wrap(report, results, err) : DIP_OK;
}
