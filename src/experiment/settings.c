/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/settings.h"

#include "base/mem.h"
#include "experiment/plan_files.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(dip_experiment_settings, member)
#define TEXT(key, member, fallback, help)                                                          \
    { key, DIP_OPTION_TEXT, AT(member), fallback, 0, 0, NULL, help }
#define INTEGER(key, member, fallback, low, high, help)                                            \
    { key, DIP_OPTION_INTEGER, AT(member), fallback, low, high, NULL, help }

/* clang-format off */
static const dip_option ROWS[] = {
    TEXT("preset", preset, "quick",
         "a study that is built in: " DIP_STUDY_NAMES),
    TEXT("study", study, "", "a YAML file that says what to compare, instead of a preset"),
    TEXT("conditions", conditions, "",
         "the conditions of the study to run, divided by commas; left out, all of them"),
    TEXT("methods", methods, "",
         "the methods of the study to compare, the baseline among them; left out, all of them"),
    INTEGER("seeds", seeds, "0", 0, DIP_PLAN_SEEDS_MAX,
            "seeds of every final run; 0 takes what the study says"),
    INTEGER("choice_seeds", choice_seeds, "0", 0, DIP_PLAN_SEEDS_MAX,
            "seeds of each value that is tried; 0 takes what the study says"),
    INTEGER("jobs", jobs, "0", 0, 256, "runs at a time; 0 takes as many as cores and memory allow"),
    TEXT("category", category, "",
         "the item feature that colours the map; left out, the first categorical one, or bag"),
    INTEGER("map_items", map_items, "20000", 10, 1000000, "items on the map at most"),
    TEXT("plotly", plotly, "", "plotly.min.js, when it is not where it was installed"),
    TEXT("title", title, "", "the title of the report; left out, the dataset's name"),
};
/* clang-format on */

const dip_option_table dip_experiment_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};

/* Deals the request's settings to the table they belong to. */
static dip_status read_request(const dip_experiment_request *request,
                               dip_experiment_settings *settings, dip_settings *overrides,
                               dip_error *err) {
    for (size_t i = 0; i < request->n; i++) {
        const char *name = request->names[i];
        if (dip_options_find(&dip_config_table, name) != NULL || strchr(name, '.') != NULL) {
            DIP_TRY(dip_options_find(&dip_config_table, name) != NULL
                        ? dip_scope_check(DIP_SCOPE_EVERY_RUN, name, err)
                        : DIP_OK);
            DIP_TRY(dip_settings_put(overrides, name, request->values[i], err));
        } else {
            DIP_TRY(
                dip_options_set(&dip_experiment_table, settings, name, request->values[i], err));
        }
    }
    return DIP_OK;
}

/* A preset that is given beside a file would be passed over. */
static dip_status check_sources(const dip_experiment_request *request,
                                const dip_experiment_settings *settings, dip_error *err) {
    for (size_t i = 0; i < request->n && settings->study[0] != '\0'; i++) {
        if (strcmp(request->names[i], "preset") == 0) {
            return dip_fail(err, DIP_ERR_USAGE,
                            "preset: %.60s and study: %.200s are two studies; give one of them",
                            settings->preset, settings->study);
        }
    }
    return DIP_OK;
}

static dip_status read_plan(const dip_experiment_settings *settings, dip_plan **plan,
                            dip_error *err) {
    return settings->study[0] != '\0' ? dip_plan_read(plan, settings->study, err)
                                      : dip_plan_preset(plan, settings->preset, err);
}

/* The part of it that the request asks for. */
static dip_status narrow(const dip_experiment_settings *settings, dip_plan *plan, dip_error *err) {
    plan->seeds = settings->seeds > 0 ? settings->seeds : plan->seeds;
    plan->choice_seeds = settings->choice_seeds > 0 ? settings->choice_seeds : plan->choice_seeds;
    if (settings->conditions[0] != '\0') {
        DIP_TRY(dip_plan_keep_conditions(plan, settings->conditions, err));
    }
    return settings->methods[0] != '\0' ? dip_plan_keep_methods(plan, settings->methods, err)
                                        : DIP_OK;
}

dip_status dip_experiment_resolve(const dip_experiment_request *request,
                                  dip_experiment_settings *settings, dip_plan **plan,
                                  dip_config *base, dip_settings *overrides, dip_error *err) {
    dip_plan *read = NULL;
    dip_options_default(&dip_experiment_table, settings, sizeof *settings);
    memset(overrides, 0, sizeof *overrides);
    *base = request->dataset->config;
    DIP_TRY(read_request(request, settings, overrides, err));
    DIP_TRY(check_sources(request, settings, err));
    DIP_TRY(read_plan(settings, &read, err));
    dip_status status = narrow(settings, read, err);
    if (status == DIP_OK) {
        status = dip_settings_apply(&read->options, base, err);
    }
    if (status == DIP_OK) {
        status = dip_settings_apply(overrides, base, err);
    }
    if (status != DIP_OK) {
        dip_free(read);
        return status;
    }
    *plan = read;
    return DIP_OK;
}
