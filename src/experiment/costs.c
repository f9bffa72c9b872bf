/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/costs.h"

#include "base/mem.h"
#include "evaluate/compare.h"
#include "experiment/values.h"

typedef struct cost {
    size_t n;        /* runs */
    double *seconds; /* [runs of the study] */
    double *epochs;
} cost;

static bool is_text(const json_t *object, const char *key, const char *text) {
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL && strcmp(value, text) == 0;
}

/* The good final runs of a method under a condition. */
static void collect(const json_t *runs, const char *condition, const char *method, cost *found) {
    found->n = 0;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        const bool is_good = !json_is_string(json_object_get(run, "failed"));
        if (is_good && is_text(run, "stage", "final") && is_text(run, "condition", condition) &&
            is_text(run, "method", method)) {
            found->seconds[found->n] = json_number_value(json_object_get(run, "seconds"));
            found->epochs[found->n++] = json_number_value(json_object_get(run, "epochs"));
        }
    }
}

static dip_status put_cost(const dip_study *study, size_t c, size_t m, const cost *found,
                           double baseline, json_t *costs, dip_error *err) {
    const dip_spread seconds = dip_spread_of(found->seconds, found->n);
    json_t *object = NULL;
    DIP_TRY(dip_json_append_object(costs, &object, err));
    DIP_TRY(dip_json_set(object, "condition", json_string(study->plan->condition[c].name), err));
    DIP_TRY(dip_json_set(object, "method", json_string(study->plan->method[m].name), err));
    DIP_TRY(dip_json_set(object, "runs", json_integer((json_int_t)found->n), err));
    DIP_TRY(dip_json_set(object, "epochs",
                         dip_real_or_null(dip_spread_of(found->epochs, found->n).mean), err));
    DIP_TRY(dip_json_set(object, "seconds", dip_real_or_null(seconds.mean), err));
    DIP_TRY(dip_json_set(object, "seconds_sd", dip_real_or_null(seconds.sd), err));
    return dip_json_set(object, "times_baseline",
                        dip_real_or_null(baseline > 0 ? seconds.mean / baseline : NAN), err);
}

static dip_status put_costs(const dip_study *study, const json_t *runs, cost *found, json_t *costs,
                            dip_error *err) {
    const dip_plan *plan = study->plan;
    for (size_t c = 0; c < plan->n_conditions; c++) {
        const char *condition = plan->condition[c].name;
        collect(runs, condition, plan->method[plan->baseline].name, found);
        const double baseline = dip_spread_of(found->seconds, found->n).mean;
        for (size_t m = 0; m < plan->n_methods; m++) {
            collect(runs, condition, plan->method[m].name, found);
            DIP_TRY(put_cost(study, c, m, found, baseline, costs, err));
        }
    }
    return DIP_OK;
}

dip_status dip_costs_make(const dip_study *study, const json_t *runs, json_t *costs,
                          dip_error *err) {
    const size_t n = json_array_size(runs);
    cost found = {0};
    found.seconds = dip_alloc(n, sizeof *found.seconds, "costs", err);
    found.epochs = dip_alloc(n, sizeof *found.epochs, "costs", err);
    const dip_status status = found.seconds != NULL && found.epochs != NULL
                                  ? put_costs(study, runs, &found, costs, err)
                                  : DIP_ERR_MEMORY;
    dip_free(found.seconds);
    dip_free(found.epochs);
    return status;
}
