/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/plan.h"

#include "base/number.h"
#include "evaluate/metrics.h"
#include "evaluate/questions.h"
#include "experiment/plan_files.h"
#include "experiment/plan_reader.h"

#include <stdio.h>
#include <string.h>

enum { K_MAX = 1000 };

typedef struct preset {
    const char *name;
    const unsigned char *text;
    const size_t *bytes;
} preset;

#define PRESET(name) {#name, dip_plan_file_##name, &dip_plan_file_##name##_bytes},
static const preset PRESETS[] = {DIP_STUDIES(PRESET, PRESET)};

enum { N_PRESETS = sizeof PRESETS / sizeof PRESETS[0] };

dip_status dip_plan_preset_text(const char *name, const char **text, size_t *bytes,
                                dip_error *err) {
    for (size_t i = 0; i < N_PRESETS; i++) {
        if (strcmp(PRESETS[i].name, name) == 0) {
            *bytes = *PRESETS[i].bytes;
            *text = (const char *)PRESETS[i].text;
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ERR_USAGE, "there is no study \"%s\"; there are " DIP_STUDY_NAMES,
                    name);
}

dip_status dip_plan_preset(dip_plan **plan, const char *name, dip_error *err) {
    const char *text = NULL;
    size_t bytes = 0;
    DIP_TRY(dip_plan_preset_text(name, &text, &bytes, err));
    return dip_plan_parse(plan, text, bytes, name, err);
}

/* ---- which options may be set where ---------------------------------------------------------- */

static bool begins(const char *key, const char *section) {
    return strncmp(key, section, strlen(section)) == 0;
}

static bool is_of_runs(const char *key) {
    return begins(key, "model.") || begins(key, "train.") || begins(key, "ssl.");
}

static bool may_set(dip_scope scope, const char *key) {
    switch (scope) {
    case DIP_SCOPE_EVERY_RUN:
        return is_of_runs(key) || strcmp(key, "threads") == 0 ||
               (begins(key, "evaluate.") && strcmp(key, "evaluate.split") != 0);
    case DIP_SCOPE_CONDITION:
        return is_of_runs(key) || strcmp(key, "split.train_fraction") == 0;
    case DIP_SCOPE_METHOD:
        return is_of_runs(key);
    case DIP_SCOPE_CHOICE:
        return is_of_runs(key) && !begins(key, "train.metric");
    }
    return false;
}

dip_status dip_scope_check(dip_scope scope, const char *key, dip_error *err) {
    static const char *const MAY[] = {
        [DIP_SCOPE_EVERY_RUN] = "options of every run are those of model, train, ssl, evaluate "
                                "(without evaluate.split), and threads",
        [DIP_SCOPE_CONDITION] = "a condition sets options of model, train, ssl, and "
                                "split.train_fraction",
        [DIP_SCOPE_METHOD] = "a method sets options of model, train, ssl",
        [DIP_SCOPE_CHOICE] = "what is chosen are options of model, train, ssl, but not "
                             "train.metric"};
    return may_set(scope, key)
               ? DIP_OK
               : dip_fail(err, DIP_ERR_USAGE, "%s cannot be set here: %s", key, MAY[scope]);
}

/* ---- settings -------------------------------------------------------------------------------- */

dip_status dip_settings_apply(const dip_settings *settings, dip_config *config, dip_error *err) {
    if (settings->preset[0] != '\0') {
        DIP_TRY(dip_config_apply_preset(config, settings->preset, err));
    }
    for (size_t i = 0; i < settings->n; i++) {
        DIP_TRY(dip_options_set(&dip_config_table, config, settings->at[i].key,
                                settings->at[i].value, err));
    }
    return DIP_OK;
}

size_t dip_settings_find(const dip_settings *settings, const char *key) {
    size_t i = 0;
    while (i < settings->n && strcmp(settings->at[i].key, key) != 0) {
        i++;
    }
    return i;
}

dip_status dip_settings_put(dip_settings *settings, const char *key, const char *value,
                            dip_error *err) {
    const size_t i = dip_settings_find(settings, key);
    if (i == DIP_PLAN_SETTINGS) {
        return dip_fail(err, DIP_ERR_USAGE, "more than %d options at \"%s\"", DIP_PLAN_SETTINGS,
                        key);
    }
    snprintf(settings->at[i].key, sizeof settings->at[i].key, "%s", key);
    snprintf(settings->at[i].value, sizeof settings->at[i].value, "%s", value);
    settings->n += i == settings->n;
    return DIP_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* The position of text[0 .. length) in a list of names; n when it is not there. */
static size_t find(const char *const *names, size_t n, const char *text, size_t length) {
    size_t i = 0;
    while (i < n && (strncmp(names[i], text, length) != 0 || names[i][length] != '\0')) {
        i++;
    }
    return i;
}

dip_status dip_plan_column_parse(dip_plan_column *column, const char *text, dip_error *err) {
    const char *slash = strchr(text, '/');
    const char *metric = slash != NULL ? slash + 1 : text;
    const char *at = strchr(metric, '@');
    dip_plan_column parsed = {.slice = DIP_SLICE_ALL};
    if (slash != NULL) {
        parsed.slice = find(dip_slice_names, DIP_N_SLICES, text, (size_t)(slash - text));
    }
    if (at == NULL || parsed.slice == DIP_N_SLICES || !dip_parse_integer(at + 1, &parsed.k) ||
        parsed.k < 1 || parsed.k > K_MAX) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "\"%s\" is no column; write SLICE/METRIC@K, as in tail/recall@10, with a "
                        "slice of all, head, tail, cold",
                        text);
    }
    parsed.metric = find(dip_metric_names, DIP_N_METRICS, metric, (size_t)(at - metric));
    if (parsed.metric == DIP_N_METRICS) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "\"%s\" has no known metric; there are recall, map, ndcg, mrr, hit_rate",
                        text);
    }
    *column = parsed;
    return DIP_OK;
}

void dip_plan_column_text(const dip_plan_column *column, char text[DIP_PLAN_NAME_MAX]) {
    snprintf(text, DIP_PLAN_NAME_MAX, "%s/%s@%lld", dip_slice_names[column->slice],
             dip_metric_names[column->metric], (long long)column->k);
}

void dip_plan_column_label(const dip_plan_column *column, char text[DIP_PLAN_NAME_MAX]) {
    static const char *const LABELS[] = {"Recall", "MAP", "NDCG", "MRR", "Hit rate"};
    snprintf(text, DIP_PLAN_NAME_MAX, "%s@%lld", LABELS[column->metric], (long long)column->k);
}

/* ---- a part of a plan ------------------------------------------------------------------------ */

/* Which of a plan's methods or conditions stay, and their new numbers. */
typedef struct kept {
    const char *what; /* "method" */
    size_t n;
    const char *name[DIP_PLAN_LIST];
    bool stays[DIP_PLAN_LIST];
    size_t number[DIP_PLAN_LIST];
    size_t left;
} kept;

/* Marks what a list names. */
static dip_status mark(kept *k, const char *list, dip_error *err) {
    for (const char *at = list; *at != '\0'; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        size_t i = 0;
        while (i < k->n && (strncmp(k->name[i], at, length) != 0 || k->name[i][length] != '\0')) {
            i++;
        }
        if (i == k->n) {
            return dip_fail(err, DIP_ERR_USAGE,
                            "\"%.*s\" is no %s of the study; the first is \"%s\"", (int)length, at,
                            k->what, k->name[0]);
        }
        k->stays[i] = true;
        at += length;
    }
    for (size_t i = 0; i < k->n; i++) {
        k->number[i] = k->left;
        k->left += k->stays[i];
    }
    return k->left > 0 ? DIP_OK
                       : dip_fail(err, DIP_ERR_USAGE, "no %s of the study is left", k->what);
}

static void renumber(dip_subset *subset, const kept *k) {
    size_t n = 0;
    for (size_t i = 0; i < subset->n; i++) {
        if (k->stays[subset->at[i]]) {
            subset->at[n++] = k->number[subset->at[i]];
        }
    }
    subset->n = n;
}

static bool is_same_subset(const dip_subset *a, const dip_subset *b) {
    return a->n == b->n && memcmp(a->at, b->at, a->n * sizeof *a->at) == 0;
}

/* Whether a figure shows of some condition what another one has no condition left for. */
static bool is_drawn(const dip_plan *plan, const dip_plan_figure *wanted) {
    for (size_t i = 0; i < plan->n_figures; i++) {
        const dip_plan_figure *figure = &plan->figure[i];
        if (figure->conditions.n > 0 && figure->kind == wanted->kind &&
            strcmp(figure->option, wanted->option) == 0 &&
            is_same_subset(&figure->methods, &wanted->methods)) {
            return true;
        }
    }
    return false;
}

/* Tables and figures with nothing left go; but what no other figure shows is drawn of the first
 * condition that stays, under a title that says no more than that. */
static void keep_views(dip_plan *plan, const kept *k, bool of_methods) {
    size_t tables = 0;
    size_t figures = 0;
    for (size_t i = 0; i < plan->n_tables; i++) {
        dip_plan_table *table = &plan->table[i];
        renumber(of_methods ? &table->methods : &table->conditions, k);
        plan->table[tables] = *table;
        tables += table->conditions.n > 0 && table->methods.n > 0;
    }
    for (size_t i = 0; i < plan->n_figures; i++) {
        dip_plan_figure *figure = &plan->figure[i];
        renumber(of_methods ? &figure->methods : &figure->conditions, k);
    }
    for (size_t i = 0; i < plan->n_figures; i++) {
        dip_plan_figure *figure = &plan->figure[i];
        if (figure->conditions.n == 0 && !is_drawn(plan, figure)) {
            figure->conditions = (dip_subset){.n = 1, .at = {0}};
            dip_plan_title(figure);
        }
    }
    for (size_t i = 0; i < plan->n_figures; i++) {
        const dip_plan_figure *figure = &plan->figure[i];
        plan->figure[figures] = *figure;
        figures += figure->methods.n > 0 && figure->conditions.n > 0;
    }
    plan->n_tables = tables;
    plan->n_figures = figures;
}

dip_status dip_plan_keep_conditions(dip_plan *plan, const char *list, dip_error *err) {
    kept k = {.what = "condition", .n = plan->n_conditions};
    for (size_t c = 0; c < k.n; c++) {
        k.name[c] = plan->condition[c].name;
    }
    DIP_TRY(mark(&k, list, err));
    for (size_t c = 0; c < k.n; c++) {
        if (k.stays[c]) {
            plan->condition[k.number[c]] = plan->condition[c];
        }
    }
    plan->n_conditions = k.left;
    keep_views(plan, &k, false);
    return DIP_OK;
}

/* Whether what stays can do without what goes. */
static dip_status check_methods(const dip_plan *plan, const kept *k, dip_error *err) {
    if (!k->stays[plan->baseline]) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "the other methods are compared with \"%s\"; name it as well",
                        k->name[plan->baseline]);
    }
    for (size_t m = 0; m < k->n; m++) {
        const int like = plan->method[m].like;
        if (k->stays[m] && like >= 0 && !k->stays[like]) {
            return dip_fail(err, DIP_ERR_USAGE,
                            "\"%s\" begins with what \"%s\" chose; name that as well", k->name[m],
                            k->name[like]);
        }
    }
    return DIP_OK;
}

dip_status dip_plan_keep_methods(dip_plan *plan, const char *list, dip_error *err) {
    kept k = {.what = "method", .n = plan->n_methods};
    for (size_t m = 0; m < k.n; m++) {
        k.name[m] = plan->method[m].name;
    }
    DIP_TRY(mark(&k, list, err));
    DIP_TRY(check_methods(plan, &k, err));
    plan->baseline = k.number[plan->baseline];
    for (size_t m = 0; m < k.n; m++) {
        if (k.stays[m]) {
            const int like = plan->method[m].like;
            plan->method[m].like = like >= 0 ? (int)k.number[like] : -1;
            plan->method[k.number[m]] = plan->method[m];
        }
    }
    plan->n_methods = k.left;
    keep_views(plan, &k, true);
    return DIP_OK;
}
