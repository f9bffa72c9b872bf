/* SPDX-License-Identifier: Apache-2.0
 *
 * Studies and spaces of tuning: the first byte says which, YAML follows.
 */
#include "base/mem.h"
#include "evaluate/questions.h"
#include "experiment/halving.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Every option that was read can be set, one after the other. */
static void check_settings(const dip_settings *settings) {
    dip_config config;
    dip_options_default(&dip_config_table, &config, sizeof config);
    CLAIM(settings->n <= DIP_PLAN_SETTINGS);
    CLAIM(settings->preset[0] == '\0' ||
          dip_config_apply_preset(&config, settings->preset, NULL) == DIP_OK);
    for (size_t i = 0; i < settings->n; i++) {
        CLAIM(dip_config_set(&config, settings->at[i].key, settings->at[i].value, NULL) == DIP_OK);
    }
}

static void check_choice(const dip_choice *choice) {
    dip_config config;
    dip_options_default(&dip_config_table, &config, sizeof config);
    CLAIM(choice->n > 0 && choice->n <= DIP_PLAN_VALUES);
    for (size_t i = 0; i < choice->n; i++) {
        CLAIM(dip_config_set(&config, choice->key, choice->value[i], NULL) == DIP_OK);
    }
}

static void check_subset(const dip_subset *subset, size_t whole) {
    CLAIM(subset->n > 0 && subset->n <= whole);
    for (size_t i = 0; i < subset->n; i++) {
        CLAIM(subset->at[i] < whole);
    }
}

static void check_columns(const dip_plan_columns *columns) {
    CLAIM(columns->n <= DIP_PLAN_LIST);
    for (size_t i = 0; i < columns->n; i++) {
        CLAIM(columns->at[i].slice <= DIP_SLICE_COLD && columns->at[i].k > 0);
        CLAIM(columns->at[i].metric <= DIP_METRIC_HIT_RATE);
    }
}

static void check_methods(const dip_plan *plan) {
    CLAIM(plan->n_methods > 0 && plan->n_methods <= DIP_PLAN_LIST);
    CLAIM(plan->baseline < plan->n_methods);
    for (size_t m = 0; m < plan->n_methods; m++) {
        const dip_plan_method *method = &plan->method[m];
        CLAIM(method->name[0] != '\0' && method->n_choices <= DIP_PLAN_CHOICES);
        CLAIM(method->like == -1 || (method->like >= 0 && (size_t)method->like < plan->n_methods));
        check_settings(&method->options);
        for (size_t c = 0; c < method->n_choices; c++) {
            check_choice(&method->choice[c]);
        }
    }
}

static void check_plan(const dip_plan *plan) {
    CLAIM(plan->seeds > 0 && plan->choice_seeds > 0);
    CLAIM(plan->n_conditions > 0 && plan->n_conditions <= DIP_PLAN_LIST);
    check_settings(&plan->options);
    check_methods(plan);
    for (size_t c = 0; c < plan->n_conditions; c++) {
        check_settings(&plan->condition[c].options);
    }
    for (size_t t = 0; t < plan->n_tables; t++) {
        check_subset(&plan->table[t].conditions, plan->n_conditions);
        check_subset(&plan->table[t].methods, plan->n_methods);
        check_columns(&plan->table[t].columns);
    }
    for (size_t f = 0; f < plan->n_figures; f++) {
        check_subset(&plan->figure[f].conditions, plan->n_conditions);
        check_subset(&plan->figure[f].methods, plan->n_methods);
        check_columns(&plan->figure[f].columns);
    }
}

static void read_plan(const char *text, size_t bytes) {
    dip_plan *plan = NULL;
    dip_error err = {DIP_OK, ""};
    const dip_status status = dip_plan_parse(&plan, text, bytes, "s.yaml", &err);
    if (went_well(status, status == DIP_ERR_USAGE ? DIP_ERR_USAGE : DIP_ERR_FORMAT, &err)) {
        check_plan(plan);
        dip_free(plan);
    }
}

static void read_space(const char *text, size_t bytes) {
    static dip_space space;
    dip_error err = {DIP_OK, ""};
    const dip_status status = dip_space_parse(&space, text, bytes, "s.yaml", &err);
    if (went_well(status, status == DIP_ERR_USAGE ? DIP_ERR_USAGE : DIP_ERR_FORMAT, &err)) {
        CLAIM(space.n > 0 && space.n <= DIP_PLAN_SETTINGS);
        for (size_t i = 0; i < space.n; i++) {
            check_choice(&space.axis[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    input in = {data, bytes};
    const bool is_space = take_byte(&in) % 2 == 1;
    char *text = copy_of(in.at, in.left);
    (is_space ? read_space : read_plan)(text, in.left);
    free(text);
    return 0;
}
