/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/results.h"

#include "base/mem.h"
#include "experiment/costs.h"
#include "experiment/tables.h"
#include "experiment/values.h"
#include "experiment/warnings.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- what was compared ----------------------------------------------------------------------- */

/* A word as a shell reads it. */
static dip_status put_word(dip_text *text, const char *word, dip_error *err) {
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=.,:/@%";
    if (word[0] != '\0' && strspn(word, PLAIN) == strlen(word)) {
        return dip_text_printf(text, err, " %s", word);
    }
    DIP_TRY(dip_text_put(text, " '", 2, err));
    for (const char *c = word; *c != '\0'; c++) {
        DIP_TRY(*c == '\'' ? dip_text_put(text, "'\\''", 4, err) : dip_text_put(text, c, 1, err));
    }
    return dip_text_put(text, "'", 1, err);
}

/* " --map-items 500" for the setting map_items. */
static dip_status put_flag(dip_text *text, const char *key, const char *value, dip_error *err) {
    DIP_TRY(dip_text_put(text, " --", 3, err));
    for (const char *c = key; *c != '\0'; c++) {
        DIP_TRY(dip_text_put(text, *c == '_' && strchr(key, '.') == NULL ? "-" : c, 1, err));
    }
    return put_word(text, value, err);
}

/* Where runs are made, and where a file lies here, is no part of what the report says. */
static bool is_told(const dip_experiment_settings *settings, const char *key) {
    return strcmp(key, "jobs") != 0 && strcmp(key, "plotly") != 0 &&
           (strcmp(key, "preset") != 0 || settings->study[0] == '\0');
}

static dip_status write_command(const dip_results_sources *s, dip_text *text, dip_error *err) {
    DIP_TRY(dip_text_printf(text, err, "diptych experiment"));
    DIP_TRY(put_word(text, s->dataset->folder.path, err));
    for (size_t i = 0; i < dip_experiment_table.n; i++) {
        const dip_option *row = &dip_experiment_table.row[i];
        char value[DIP_VALUE_MAX];
        dip_options_get(row, s->settings, value);
        const bool is_default = strcmp(value, row->fallback) == 0;
        if (is_told(s->settings, row->key) && (!is_default || strcmp(row->key, "preset") == 0)) {
            DIP_TRY(put_flag(text, row->key, value, err));
        }
    }
    for (size_t i = 0; i < s->overrides->n; i++) {
        DIP_TRY(put_flag(text, s->overrides->at[i].key, s->overrides->at[i].value, err));
    }
    return dip_text_printf(text, err, " -o DIR");
}

/* The command that makes the report again. */
static dip_status put_command(const dip_results_sources *s, json_t *results, dip_error *err) {
    dip_text text = {0};
    dip_status status = write_command(s, &text, err);
    if (status == DIP_OK) {
        status = dip_json_set(results, "command", json_string(text.data), err);
    }
    dip_text_free(&text);
    return status;
}

static dip_status put_now(json_t *object, const char *key, dip_error *err) {
    char text[32];
    struct tm utc;
    const time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return dip_json_set(object, key, json_string(text), err);
}

static dip_status put_dataset(const dip_results_sources *s, json_t *results, dip_error *err) {
    const dip_dataset *dataset = s->dataset;
    const dip_entity *items = &dataset->schema.items;
    json_t *object = NULL;
    json_t *pairs = NULL;
    json_t *features = NULL;
    char by[DIP_VALUE_MAX];
    DIP_TRY(dip_json_put_object(results, "dataset", &object, err));
    DIP_TRY(dip_json_set(object, "name", json_string(dip_last_name(dataset->folder.path)), err));
    DIP_TRY(dip_json_set(object, "path", json_string(dataset->folder.path), err));
    DIP_TRY(
        dip_json_set(object, "identity", json_string(dip_folder_identity(&dataset->folder)), err));
    DIP_TRY(dip_json_set(object, "items", json_integer(dataset->items.n), err));
    DIP_TRY(dip_json_set(object, "queries",
                         json_integer(dip_dataset_rows(dataset, DIP_SIDE_QUERY)->n), err));
    dip_options_get(dip_options_find(&dip_config_table, "split.by"), &dataset->config, by);
    DIP_TRY(dip_json_set(object, "split_by", json_string(by), err));
    DIP_TRY(dip_json_put_object(object, "pairs", &pairs, err));
    for (size_t i = 0; i < DIP_N_SPLITS; i++) {
        DIP_TRY(dip_json_set(pairs, dip_split_names[i], json_integer(dataset->n_pairs[i]), err));
    }
    DIP_TRY(dip_json_put_array(object, "features", &features, err));
    for (size_t f = 0; f < items->n_features; f++) {
        DIP_TRY(dip_json_append(features, json_string(items->features[f].name), err));
    }
    json_t *warnings = json_object_get(dataset->folder.manifest, "warnings");
    return dip_json_set(object, "warnings", warnings != NULL ? json_incref(warnings) : json_array(),
                        err);
}

static dip_status put_study(const dip_results_sources *s, json_t *results, dip_error *err) {
    const dip_study *study = s->study;
    char text[2 * DIP_VALUE_MAX];
    char metric[DIP_VALUE_MAX];
    json_t *object = NULL;
    json_t *seeds = NULL;
    dip_settings options = study->plan->options;
    DIP_TRY(dip_json_put_object(results, "study", &object, err));
    DIP_TRY(dip_json_set(object, "preset", json_string(dip_last_name(study->plan->name)), err));
    dip_options_get(dip_options_find(&dip_config_table, "evaluate.protocol"), &study->base, metric);
    DIP_TRY(dip_json_set(object, "protocol", json_string(metric), err));
    DIP_TRY(dip_json_put_array(object, "seeds", &seeds, err));
    for (int64_t i = 1; i <= study->plan->seeds; i++) {
        DIP_TRY(dip_json_append(seeds, json_integer(i), err));
    }
    DIP_TRY(dip_json_set(object, "baseline",
                         json_string(study->plan->method[study->plan->baseline].name), err));
    dip_options_get(dip_options_find(&dip_config_table, "train.metric"), &study->base, metric);
    snprintf(text, sizeof text, "%s@%lld on the validation split, %lld seed%s", metric,
             (long long)study->base.train.metric_k, (long long)study->plan->choice_seeds,
             study->plan->choice_seeds == 1 ? "" : "s");
    DIP_TRY(dip_json_set(object, "selection", json_string(text), err));
    for (size_t i = 0; i < s->overrides->n; i++) {
        DIP_TRY(
            dip_settings_put(&options, s->overrides->at[i].key, s->overrides->at[i].value, err));
    }
    DIP_TRY(dip_put_settings(object, "options", &options, err));
    json_object_del(json_object_get(object, "options"), "threads"); /* no number depends on them */
    return DIP_OK;
}

static dip_status put_conditions(const dip_study *study, json_t *results, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(results, "conditions", &list, err));
    for (size_t c = 0; c < study->plan->n_conditions; c++) {
        const dip_plan_condition *condition = &study->plan->condition[c];
        json_t *object = NULL;
        DIP_TRY(dip_json_append_object(list, &object, err));
        DIP_TRY(dip_json_set(object, "name", json_string(condition->name), err));
        DIP_TRY(dip_json_set(object, "label", json_string(condition->label), err));
        DIP_TRY(dip_json_set(object, "train_pairs",
                             json_integer(dip_study_data_of(study, c)->dataset->n_pairs[0]), err));
        DIP_TRY(dip_put_settings(object, "options", &condition->options, err));
    }
    return DIP_OK;
}

static dip_status put_methods(const dip_study *study, json_t *results, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(results, "methods", &list, err));
    for (size_t m = 0; m < study->plan->n_methods; m++) {
        const dip_plan_method *method = &study->plan->method[m];
        json_t *object = NULL;
        DIP_TRY(dip_json_append_object(list, &object, err));
        DIP_TRY(dip_json_set(object, "name", json_string(method->name), err));
        DIP_TRY(dip_json_set(object, "label", json_string(method->label), err));
        DIP_TRY(dip_put_settings(object, "options", &method->options, err));
    }
    return DIP_OK;
}

/* ---- how it was chosen, and every run -------------------------------------------------------- */

static dip_status put_choice(const dip_study *study, const dip_cell *cell, size_t c, json_t *list,
                             dip_error *err) {
    const dip_plan_method *method = &study->plan->method[cell->method];
    json_t *object = NULL;
    json_t *tried = NULL;
    DIP_TRY(dip_json_append_object(list, &object, err));
    DIP_TRY(dip_json_set(object, "condition",
                         json_string(study->plan->condition[cell->condition].name), err));
    DIP_TRY(dip_json_set(object, "method", json_string(method->name), err));
    DIP_TRY(dip_json_set(object, "option", json_string(method->choice[c].key), err));
    DIP_TRY(dip_json_put_array(object, "tried", &tried, err));
    for (size_t v = 0; v < method->choice[c].n; v++) {
        const double score = cell->score[c][v];
        json_t *value = NULL;
        DIP_TRY(dip_json_append_object(tried, &value, err));
        DIP_TRY(dip_json_set(value, "value", json_string(method->choice[c].value[v]), err));
        DIP_TRY(dip_json_set(value, "score", dip_real_or_null(score < 0 ? NAN : score), err));
        DIP_TRY(dip_json_set(value, "chosen", json_boolean(v == cell->picked[c]), err));
    }
    return DIP_OK;
}

static dip_status put_choices(const dip_study *study, json_t *results, dip_error *err) {
    const size_t n = study->plan->n_conditions * study->plan->n_methods;
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(results, "choices", &list, err));
    for (size_t i = 0; i < n; i++) {
        const dip_cell *cell = &study->cells[i];
        for (size_t c = 0; c < study->plan->method[cell->method].n_choices; c++) {
            DIP_TRY(put_choice(study, cell, c, list, err));
        }
    }
    return DIP_OK;
}

/* A copy of a value of a run's manifest, or null. */
static dip_status put_copy(json_t *object, const char *key, const json_t *from, const char *name,
                           dip_error *err) {
    json_t *value = json_object_get(from, name);
    return dip_json_set(object, key, value != NULL ? json_incref(value) : json_null(), err);
}

static dip_status put_run(const dip_study *study, const dip_study_run *run, json_t *list,
                          dip_error *err) {
    const dip_plan *plan = study->plan;
    json_t *object = NULL;
    dip_run_result result;
    DIP_TRY(dip_json_append_object(list, &object, err));
    DIP_TRY(dip_json_set(object, "key", json_string(run->key), err));
    DIP_TRY(dip_json_set(object, "method", json_string(plan->method[run->method].name), err));
    DIP_TRY(
        dip_json_set(object, "condition", json_string(plan->condition[run->condition].name), err));
    DIP_TRY(dip_json_set(object, "seed", json_integer(run->seed), err));
    DIP_TRY(dip_json_set(object, "stage", json_string(run->choice < 0 ? "final" : "choice"), err));
    DIP_TRY(dip_put_settings(object, "setting", &run->setting, err));
    DIP_TRY(dip_run_open(&result, study->folder, run->key, err));
    static const char *const KEYS[] = {
        "epochs", "best_epoch", "best_validation", "seconds", "failed", "validation", "test"};
    dip_status status = DIP_OK;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0] && status == DIP_OK; i++) {
        status = put_copy(object, KEYS[i], result.folder.manifest, KEYS[i], err);
    }
    dip_run_close(&result);
    return status;
}

/* With what a final run of each method costs. */
static dip_status put_runs(const dip_study *study, json_t *results, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(results, "runs", &list, err));
    for (size_t i = 0; i < study->n_runs; i++) {
        DIP_TRY(put_run(study, &study->runs[i], list, err));
    }
    json_t *costs = NULL;
    DIP_TRY(dip_json_put_array(results, "costs", &costs, err));
    return dip_costs_make(study, list, costs, err);
}

/* ---- tables and figures ---------------------------------------------------------------------- */

static dip_status put_tables(const dip_study *study, const dip_outcome *outcomes, json_t *results,
                             dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(results, "tables", &list, err));
    for (size_t i = 0; i < study->plan->n_tables; i++) {
        const dip_plan_table *plan = &study->plan->table[i];
        for (size_t c = 0; c < plan->conditions.n; c++) {
            json_t *table = NULL;
            DIP_TRY(dip_table_make(study, &outcomes[plan->conditions.at[c]], plan, &table, err));
            DIP_TRY(dip_json_append(list, table, err));
        }
    }
    return DIP_OK;
}

static dip_status put_figures(const dip_results_sources *s, const dip_outcome *outcomes,
                              json_t *results, dip_error *err) {
    const dip_figure_sources sources = {.study = s->study,
                                        .outcomes = outcomes,
                                        .checks = s->checks,
                                        .category = s->settings->category,
                                        .map_items = s->settings->map_items,
                                        .watch = s->watch};
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(results, "figures", &list, err));
    for (size_t i = 0; i < s->study->plan->n_figures; i++) {
        DIP_TRY(dip_figure_add(&sources, &s->study->plan->figure[i], list, err));
    }
    return DIP_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static dip_status fill(const dip_results_sources *s, dip_outcome *outcomes, json_t *results,
                       dip_error *err) {
    const char *title =
        s->settings->title[0] != '\0' ? s->settings->title : dip_last_name(s->dataset->folder.path);
    for (size_t c = 0; c < s->study->plan->n_conditions; c++) {
        DIP_TRY(dip_outcome_create(&outcomes[c], s->study, c, s->watch, err));
    }
    DIP_TRY(dip_json_set(results, "format", json_string("diptych-report"), err));
    DIP_TRY(dip_json_set(results, "version", json_integer(1), err));
    DIP_TRY(dip_json_set(results, "title", json_string(title), err));
    DIP_TRY(dip_json_set(results, "created_by", json_pack("s+", "diptych ", dip_version()), err));
    DIP_TRY(put_now(results, "made", err));
    DIP_TRY(put_command(s, results, err));
    DIP_TRY(dip_json_set(results, "seconds", json_real(s->seconds), err));
    DIP_TRY(put_dataset(s, results, err));
    DIP_TRY(put_study(s, results, err));
    DIP_TRY(put_conditions(s->study, results, err));
    DIP_TRY(put_methods(s->study, results, err));
    DIP_TRY(put_tables(s->study, outcomes, results, err));
    DIP_TRY(put_figures(s, outcomes, results, err));
    DIP_TRY(put_choices(s->study, results, err));
    DIP_TRY(put_runs(s->study, results, err));
    json_t *warnings = NULL;
    DIP_TRY(dip_json_put_array(results, "warnings", &warnings, err));
    return dip_study_warn(s->study, outcomes, warnings, err);
}

dip_status dip_results_make(const dip_results_sources *sources, json_t **results, dip_error *err) {
    const size_t n = sources->study->plan->n_conditions;
    json_t *made = NULL;
    dip_outcome *outcomes = dip_alloc(n, sizeof *outcomes, "results", err);
    dip_status status = outcomes != NULL ? dip_json_new_object(&made, err) : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        status = fill(sources, outcomes, made, err);
    }
    for (size_t c = 0; c < n && outcomes != NULL; c++) {
        dip_outcome_free(&outcomes[c]);
    }
    dip_free(outcomes);
    if (status != DIP_OK) {
        json_decref(made);
        return status;
    }
    *results = made;
    return DIP_OK;
}
