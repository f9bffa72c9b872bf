/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/warnings.h"

#include "base/number.h"
#include "base/text.h"
#include "engine/engine.h"
#include "model/augment.h"

#include <math.h>
#include <string.h>

static dip_status warn_slices(const dip_outcome *outcome, const char *condition, json_t *warnings,
                              dip_error *err) {
    for (size_t slice = 0; slice < DIP_N_SLICES; slice++) {
        if (outcome->pairs[slice] == 0) {
            json_t *text =
                json_sprintf("%s: the slice \"%s\" has no test pairs, so its columns are empty",
                             condition, dip_slice_names[slice]);
            DIP_TRY(dip_json_append(warnings, text, err));
        }
    }
    return DIP_OK;
}

static dip_status warn_diverged(const dip_study *study, const dip_outcome *outcome,
                                const char *condition, json_t *warnings, dip_error *err) {
    for (size_t m = 0; m < outcome->n_methods; m++) {
        const dip_method_outcome *method = &outcome->methods[m];
        if (method->n_good < method->n) {
            json_t *text =
                json_sprintf("%s: %zu of %zu runs of \"%s\" diverged and are left out", condition,
                             method->n - method->n_good, method->n, study->plan->method[m].label);
            DIP_TRY(dip_json_append(warnings, text, err));
        }
    }
    return DIP_OK;
}

/* The mean over the good runs; NaN where there is none. */
static double mean_of(const dip_outcome *outcome, const dip_method_outcome *method, size_t place) {
    double sum = 0;
    for (size_t i = 0; i < method->n; i++) {
        const double value = method->seed[i * outcome->width + place];
        sum += isnan(value) ? 0 : value;
    }
    return sum / (double)method->n_good;
}

/* Where TopPopular has more of a metric over all pairs than every method, or than the baseline. */
static dip_status warn_metric(const dip_study *study, const dip_outcome *outcome,
                              const dip_plan_column *column, size_t place, json_t *warnings,
                              dip_error *err) {
    const dip_plan *plan = study->plan;
    const double popular = outcome->popular[place];
    const double baseline = mean_of(outcome, &outcome->methods[plan->baseline], place);
    char label[DIP_PLAN_NAME_MAX];
    double best = -1;
    for (size_t m = 0; m < outcome->n_methods; m++) {
        const double mean = mean_of(outcome, &outcome->methods[m], place);
        best = mean > best ? mean : best;
    }
    dip_plan_column_label(column, label);
    const char *condition = plan->condition[outcome->condition].label;
    if (best >= 0 && popular > best) {
        json_t *text = json_sprintf(
            "%s: TopPopular, which needs no model, has a %s of %.4f, and no method more than %.4f; "
            "differences between the methods say little there",
            condition, label, popular, best);
        return dip_json_append(warnings, text, err);
    }
    if (popular > baseline) {
        json_t *text = json_sprintf(
            "%s: TopPopular, which needs no model, has a %s of %.4f, more than the %.4f of \"%s\", "
            "with which the other methods are compared",
            condition, label, popular, baseline, plan->method[plan->baseline].label);
        return dip_json_append(warnings, text, err);
    }
    return DIP_OK;
}

/* Whether a table of the condition has a column over all pairs for what is at `place`. */
static bool is_shown(const dip_study *study, const dip_outcome *outcome, size_t place) {
    for (size_t t = 0; t < study->plan->n_tables; t++) {
        const dip_plan_table *table = &study->plan->table[t];
        bool is_of_condition = false;
        for (size_t c = 0; c < table->conditions.n; c++) {
            is_of_condition = is_of_condition || table->conditions.at[c] == outcome->condition;
        }
        for (size_t i = 0; is_of_condition && i < table->columns.n; i++) {
            size_t other = 0;
            if (dip_outcome_place(outcome, &table->columns.at[i], &other, NULL) == DIP_OK &&
                other == place) {
                return true;
            }
        }
    }
    return false;
}

/* By the metric that chooses, and by those that the tables show. */
static dip_status warn_popular(const dip_study *study, const dip_outcome *outcome, json_t *warnings,
                               dip_error *err) {
    for (size_t i = 0; i < outcome->k.n; i++) {
        for (size_t metric = 0; metric < DIP_N_METRICS; metric++) {
            const dip_plan_column column = {
                .slice = DIP_SLICE_ALL, .metric = metric, .k = outcome->k.value[i]};
            const bool chooses = (size_t)study->base.train.metric == metric &&
                                 study->base.train.metric_k == column.k;
            size_t place = 0;
            DIP_TRY(dip_outcome_place(outcome, &column, &place, err));
            if (chooses || is_shown(study, outcome, place)) {
                DIP_TRY(warn_metric(study, outcome, &column, place, warnings, err));
            }
        }
    }
    return DIP_OK;
}

/* A method whose two views of an item are the same teaches nothing by them. Said once a method. */
static dip_status warn_views(const dip_study *study, size_t m, json_t *warnings, dip_error *err) {
    for (size_t c = 0; c < study->plan->n_conditions; c++) {
        const dip_entity *items =
            dip_schema_entity(&dip_study_data_of(study, c)->dataset->schema, DIP_SIDE_ITEM);
        dip_config config;
        char why[DIP_PLAN_TEXT_MAX];
        DIP_TRY(
            dip_study_config(study, c, m, &dip_study_cell(study, c, m)->chosen, 1, &config, err));
        if (dip_engine_has_second_loss(&config) && dip_views_are_alike(&config, items)) {
            dip_views_explain(&config, "items", why, sizeof why);
            json_t *text = json_sprintf("the method \"%s\": %s", study->plan->method[m].label, why);
            return dip_json_append(warnings, text, err);
        }
    }
    return DIP_OK;
}

/* -1 where the value that was taken is the least of three or more numbers, 1 where it is the
 * largest, else 0. */
static int end_of(const dip_choice *choice, size_t picked) {
    double taken = 0;
    bool is_least = choice->n > 2 && dip_parse_number(choice->value[picked], &taken);
    bool is_largest = is_least;
    for (size_t v = 0; v < choice->n; v++) {
        double other = 0;
        const bool is_number = dip_parse_number(choice->value[v], &other);
        is_least = is_least && is_number && taken <= other;
        is_largest = is_largest && is_number && taken >= other;
    }
    return is_least ? -1 : is_largest;
}

/* Whether the option takes numbers beyond a value, downwards or upwards. */
static bool has_more(const dip_choice *choice, size_t picked, int end) {
    const dip_option *option = dip_options_find(&dip_config_table, choice->key);
    double taken = 0;
    return option != NULL && dip_parse_number(choice->value[picked], &taken) &&
           (end < 0 ? taken > option->low : taken < option->high);
}

/* Whether the value that was taken did better than another one that did not diverge. */
static bool is_better(const dip_cell *cell, size_t c, size_t n) {
    const double *score = cell->score[c];
    bool better = false;
    for (size_t v = 0; v < n; v++) {
        better = better || (score[v] >= 0 && score[v] < score[cell->picked[c]]);
    }
    return better;
}

/* The labels of the conditions under which a choice took an end of its values, and the value. */
static dip_status list_conditions(const dip_study *study, size_t m, size_t c, int end,
                                  dip_text *labels, const char **value, dip_error *err) {
    const dip_plan *plan = study->plan;
    const dip_choice *choice = &plan->method[m].choice[c];
    for (size_t i = 0; i < plan->n_conditions; i++) {
        const dip_cell *cell = dip_study_cell(study, i, m);
        const size_t picked = cell->picked[c];
        if (end_of(choice, picked) == end && has_more(choice, picked, end) &&
            is_better(cell, c, choice->n)) {
            const char *label = plan->condition[i].label;
            DIP_TRY(dip_text_put(labels, "; ", labels->length > 0 ? 2 : 0, err));
            DIP_TRY(dip_text_put(labels, label, strlen(label), err));
            *value = choice->value[picked];
        }
    }
    return DIP_OK;
}

/* A choice that took the same end of its values under some of the conditions. */
static dip_status warn_end(const dip_study *study, size_t m, size_t c, int end, json_t *warnings,
                           dip_error *err) {
    const dip_plan_method *method = &study->plan->method[m];
    dip_text labels = {0};
    const char *value = NULL;
    dip_status status = list_conditions(study, m, c, end, &labels, &value, err);
    if (status == DIP_OK && value != NULL) {
        json_t *text =
            json_sprintf("the method \"%s\" took the %s value of %s that was tried, %s, under: %s; "
                         "a better one may lie beyond it",
                         method->label, end < 0 ? "lowest" : "highest", method->choice[c].key,
                         value, labels.data);
        status = dip_json_append(warnings, text, err);
    }
    dip_text_free(&labels);
    return status;
}

static dip_status warn_ends(const dip_study *study, size_t m, json_t *warnings, dip_error *err) {
    for (size_t c = 0; c < study->plan->method[m].n_choices; c++) {
        DIP_TRY(warn_end(study, m, c, -1, warnings, err));
        DIP_TRY(warn_end(study, m, c, 1, warnings, err));
    }
    return DIP_OK;
}

dip_status dip_study_warn(const dip_study *study, const dip_outcome *outcomes, json_t *warnings,
                          dip_error *err) {
    for (size_t c = 0; c < study->plan->n_conditions; c++) {
        const char *condition = study->plan->condition[c].label;
        DIP_TRY(warn_slices(&outcomes[c], condition, warnings, err));
        DIP_TRY(warn_diverged(study, &outcomes[c], condition, warnings, err));
        DIP_TRY(warn_popular(study, &outcomes[c], warnings, err));
    }
    for (size_t m = 0; m < study->plan->n_methods; m++) {
        DIP_TRY(warn_views(study, m, warnings, err));
        DIP_TRY(warn_ends(study, m, warnings, err));
    }
    return DIP_OK;
}
