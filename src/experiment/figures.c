/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/figures.h"

#include "base/number.h"
#include "evaluate/ranks.h"
#include "experiment/values.h"

#include <stdio.h>
#include <string.h>

static bool is_taken(const json_t *figures, const char *id) {
    for (size_t i = 0; i < json_array_size(figures); i++) {
        const char *other = json_string_value(json_object_get(json_array_get(figures, i), "id"));
        if (other != NULL && strcmp(other, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Two figures of a kind have different names: the second one ends in -2. */
static dip_status put_id(const json_t *figures, json_t *figure, const char *wanted,
                         dip_error *err) {
    char id[2 * DIP_PLAN_TEXT_MAX + 16];
    snprintf(id, sizeof id, "%s", wanted);
    for (int n = 2; is_taken(figures, id); n++) {
        snprintf(id, sizeof id, "%.1000s-%d", wanted, n);
    }
    return dip_json_set(figure, "id", json_string(id), err);
}

/* What the figures have in common. */
static dip_status begin(const dip_plan_figure *plan, const dip_plan_condition *condition,
                        const char *name, const char *kind, json_t *figures, json_t **figure,
                        dip_error *err) {
    char text[2 * DIP_PLAN_TEXT_MAX + 8];
    DIP_TRY(dip_json_append_object(figures, figure, err));
    if (condition != NULL) {
        snprintf(text, sizeof text, "%s-%s", name, condition->name);
    } else {
        snprintf(text, sizeof text, "%s", name);
    }
    DIP_TRY(put_id(figures, *figure, text, err));
    DIP_TRY(dip_json_set(*figure, "kind", json_string(kind), err));
    if (condition != NULL) {
        snprintf(text, sizeof text, "%s (%s)", plan->title, condition->label);
    } else {
        snprintf(text, sizeof text, "%s", plan->title);
    }
    return dip_json_set(*figure, "title", json_string(text), err);
}

static dip_status put_axis(json_t *figure, const char *label, const char *scale, json_t **axis,
                           dip_error *err) {
    DIP_TRY(dip_json_put_object(figure, "x", axis, err));
    DIP_TRY(dip_json_set(*axis, "label", json_string(label), err));
    return dip_json_set(*axis, "scale", json_string(scale), err);
}

static dip_status add_panel(json_t *panels, const char *label, json_t **series, dip_error *err) {
    json_t *panel = NULL;
    DIP_TRY(dip_json_append_object(panels, &panel, err));
    DIP_TRY(dip_json_set(panel, "label", json_string(label), err));
    return dip_json_put_array(panel, "series", series, err);
}

/* The values of a series, and the interval of each where several runs make it. */
typedef struct values {
    json_t *y;
    json_t *low; /* NULL with high: there are none */
    json_t *high;
} values;

static dip_status put_values(json_t *series, bool has_interval, values *made, dip_error *err) {
    DIP_TRY(dip_json_put_array(series, "y", &made->y, err));
    if (!has_interval) {
        DIP_TRY(dip_json_set(series, "low", json_null(), err));
        return dip_json_set(series, "high", json_null(), err);
    }
    DIP_TRY(dip_json_put_array(series, "low", &made->low, err));
    return dip_json_put_array(series, "high", &made->high, err);
}

/* What the intervals of a figure are. */
static dip_status put_note(json_t *figure, const char *of, int64_t seeds, dip_error *err) {
    char text[DIP_PLAN_TEXT_MAX];
    if (seeds < 2) {
        return DIP_OK;
    }
    snprintf(text, sizeof text, "Mean over %lld seeds%s, with its 95%% interval by Student's t.",
             (long long)seeds, of);
    return dip_json_set(figure, "note", json_string(text), err);
}

static dip_status add_value(const values *made, dip_spread value, dip_error *err) {
    DIP_TRY(dip_json_append(made->y, dip_real_or_null(value.mean), err));
    if (made->low == NULL) {
        return DIP_OK;
    }
    DIP_TRY(dip_json_append(made->low, dip_real_or_null(value.low), err));
    return dip_json_append(made->high, dip_real_or_null(value.high), err);
}

typedef struct line {
    json_t *x;
    values values;
} line;

static dip_status add_line(json_t *series, const char *name, bool has_interval, line *made,
                           dip_error *err) {
    json_t *object = NULL;
    *made = (line){.x = NULL};
    DIP_TRY(dip_json_append_object(series, &object, err));
    DIP_TRY(dip_json_set(object, "name", json_string(name), err));
    DIP_TRY(dip_json_put_array(object, "x", &made->x, err));
    return put_values(object, has_interval, &made->values, err);
}

static dip_status add_point(const line *made, double x, dip_spread y, dip_error *err) {
    DIP_TRY(dip_json_append(made->x, dip_real_or_null(x), err));
    return add_value(&made->values, y, err);
}

/* ---- quality by the values tried ------------------------------------------------------------- */

/* A validation metric over runs of a cell; choice -1: over final runs. */
static dip_status validation_spread(const dip_study *study, size_t condition, size_t method,
                                    int choice, size_t value, const char *key, dip_spread *spread,
                                    dip_error *err) {
    const dip_study_run *run = NULL;
    double score_of[DIP_PLAN_SEEDS_MAX];
    size_t n = 0;
    for (size_t at = 0; (run = dip_study_next(study, &at, condition, method, choice)) != NULL;
         at++) {
        dip_run_result result;
        if (choice >= 0 && run->value != value) {
            continue;
        }
        DIP_TRY(dip_run_open(&result, study->folder, run->key, err));
        const json_t *score = result.failed ? NULL : json_object_get(result.scores[0], key);
        score_of[n++] = json_is_number(score) ? json_number_value(score) : NAN;
        dip_run_close(&result);
    }
    *spread = dip_spread_of(score_of, n);
    return DIP_OK;
}

static dip_status add_choice_line(const dip_study *study, size_t condition, size_t m,
                                  const char *option, const char *key, json_t *series,
                                  dip_error *err) {
    const dip_plan_method *method = &study->plan->method[m];
    line made;
    int c = 0;
    while (strcmp(method->choice[c].key, option) != 0) {
        c++;
    }
    DIP_TRY(add_line(series, method->label, study->plan->choice_seeds > 1, &made, err));
    for (size_t v = 0; v < method->choice[c].n; v++) {
        double x = NAN;
        dip_spread y;
        DIP_TRY(validation_spread(study, condition, m, c, v, key, &y, err));
        if (!dip_parse_number(method->choice[c].value[v], &x)) {
            x = (double)v;
        }
        DIP_TRY(add_point(&made, x, y, err));
    }
    return DIP_OK;
}

/* "Recall@10", or "Recall@10 of tail pairs". */
static void panel_label(const dip_plan_column *column, char text[2 * DIP_PLAN_NAME_MAX]) {
    char label[DIP_PLAN_NAME_MAX];
    dip_plan_column_label(column, label);
    snprintf(text, 2 * DIP_PLAN_NAME_MAX, "%s%s%s%s", label,
             column->slice == DIP_SLICE_ALL ? "" : " of ",
             column->slice == DIP_SLICE_ALL ? "" : dip_slice_names[column->slice],
             column->slice == DIP_SLICE_ALL ? "" : " pairs");
}

static const char *option_label(const char *option) {
    return strcmp(option, "ssl.alpha") == 0     ? "alpha, the weight of the second loss"
           : strcmp(option, "ssl.dropout") == 0 ? "dropout rate"
                                                : option;
}

/* The values of the method that tries most of them. */
static dip_status put_ticks(const dip_study *study, const dip_plan_figure *plan, json_t *axis,
                            dip_error *err) {
    const dip_choice *longest = NULL;
    json_t *ticks = NULL;
    for (size_t m = 0; m < plan->methods.n; m++) {
        const dip_plan_method *method = &study->plan->method[plan->methods.at[m]];
        for (size_t c = 0; c < method->n_choices; c++) {
            const dip_choice *choice = &method->choice[c];
            if (strcmp(choice->key, plan->option) == 0 &&
                (longest == NULL || choice->n > longest->n)) {
                longest = choice;
            }
        }
    }
    DIP_TRY(dip_json_put_array(axis, "ticks", &ticks, err));
    for (size_t v = 0; longest != NULL && v < longest->n; v++) {
        double x = NAN;
        if (dip_parse_number(longest->value[v], &x)) {
            DIP_TRY(dip_json_append(ticks, json_real(x), err));
        }
    }
    return DIP_OK;
}

static dip_status add_choice(const dip_figure_sources *sources, const dip_plan_figure *plan,
                             size_t condition, json_t *figures, dip_error *err) {
    const dip_study *study = sources->study;
    const bool is_alpha = strcmp(plan->option, "ssl.alpha") == 0;
    const size_t baseline = study->plan->baseline;
    json_t *figure = NULL;
    json_t *axis = NULL;
    json_t *panels = NULL;
    DIP_TRY(begin(plan, &study->plan->condition[condition], plan->option, "lines", figures, &figure,
                  err));
    DIP_TRY(dip_json_set(figure, "split", json_string("validation"), err));
    DIP_TRY(put_note(figure, " of the choice", study->plan->choice_seeds, err));
    DIP_TRY(put_axis(figure, option_label(plan->option), is_alpha ? "log" : "linear", &axis, err));
    DIP_TRY(put_ticks(study, plan, axis, err));
    DIP_TRY(dip_json_put_array(figure, "panels", &panels, err));
    for (size_t i = 0; i < plan->columns.n; i++) {
        char key[DIP_PLAN_NAME_MAX];
        char label[2 * DIP_PLAN_NAME_MAX];
        json_t *series = NULL;
        json_t *reference = NULL;
        dip_spread level;
        dip_plan_column_text(&plan->columns.at[i], key);
        panel_label(&plan->columns.at[i], label);
        DIP_TRY(add_panel(panels, label, &series, err));
        for (size_t m = 0; m < plan->methods.n; m++) {
            DIP_TRY(add_choice_line(study, condition, plan->methods.at[m], plan->option, key,
                                    series, err));
        }
        DIP_TRY(validation_spread(study, condition, baseline, -1, 0, key, &level, err));
        DIP_TRY(dip_json_put_object(json_array_get(panels, i), "reference", &reference, err));
        DIP_TRY(
            dip_json_set(reference, "name", json_string(study->plan->method[baseline].label), err));
        DIP_TRY(dip_json_set(reference, "y", dip_real_or_null(level.mean), err));
    }
    return DIP_OK;
}

/* ---- training curves ------------------------------------------------------------------------- */

static dip_status add_curve(const dip_study *study, size_t condition, size_t method,
                            json_t *const series[2], dip_error *err) {
    static const char *const KEYS[] = {"validation", "loss"};
    dip_run_result result;
    size_t at = 0;
    const dip_study_run *run = dip_study_next(study, &at, condition, method, -1);
    DIP_TRY(dip_run_open(&result, study->folder, run->key, err));
    const json_t *curve = json_object_get(result.folder.manifest, "curve");
    dip_status status = DIP_OK;
    for (size_t p = 0; p < 2 && status == DIP_OK && !result.failed; p++) {
        json_t *object = json_pack(
            "{s:s, s:O?, s:O?, s:n, s:n}", "name", study->plan->method[method].label, "x",
            json_object_get(curve, "epoch"), "y", json_object_get(curve, KEYS[p]), "low", "high");
        status = dip_json_append(series[p], object, err);
    }
    dip_run_close(&result);
    return status;
}

static dip_status add_curves(const dip_figure_sources *sources, const dip_plan_figure *plan,
                             size_t condition, json_t *figures, dip_error *err) {
    const dip_study *study = sources->study;
    char metric[DIP_VALUE_MAX];
    json_t *figure = NULL;
    json_t *axis = NULL;
    json_t *panels = NULL;
    json_t *series[2] = {NULL, NULL};
    dip_options_get(dip_options_find(&dip_config_table, "train.metric"), &study->base, metric);
    const size_t used = strlen(metric);
    snprintf(metric + used, sizeof metric - used, "@%lld, validation split",
             (long long)study->base.train.metric_k);
    DIP_TRY(
        begin(plan, &study->plan->condition[condition], "curves", "lines", figures, &figure, err));
    DIP_TRY(dip_json_set(figure, "note", json_string("The first seed of each method."), err));
    DIP_TRY(put_axis(figure, "epoch", "linear", &axis, err));
    DIP_TRY(dip_json_put_array(figure, "panels", &panels, err));
    DIP_TRY(add_panel(panels, metric, &series[0], err));
    DIP_TRY(add_panel(panels, "training loss", &series[1], err));
    for (size_t m = 0; m < plan->methods.n; m++) {
        DIP_TRY(add_curve(study, condition, plan->methods.at[m], series, err));
    }
    return DIP_OK;
}

/* ---- recall by popularity -------------------------------------------------------------------- */

static dip_status add_bars(const dip_outcome *outcome, const char *label, size_t method, size_t k,
                           json_t *series, dip_error *err) {
    const dip_method_outcome *result = &outcome->methods[method];
    values made = {NULL, NULL, NULL};
    json_t *object = NULL;
    json_t *pairs = NULL;
    DIP_TRY(dip_json_append_object(series, &object, err));
    DIP_TRY(dip_json_set(object, "name", json_string(label), err));
    DIP_TRY(put_values(object, result->n_good > 1, &made, err));
    DIP_TRY(dip_json_put_array(object, "pairs", &pairs, err));
    for (size_t g = 0; g < DIP_N_POPULARITY_GROUPS; g++) {
        double recall[DIP_PLAN_SEEDS_MAX];
        for (size_t i = 0; i < result->n_good; i++) {
            recall[i] = (double)result->hits[i].among[k][g] / (double)outcome->group_pairs[g];
        }
        const size_t n = outcome->group_pairs[g] > 0 ? result->n_good : 0;
        DIP_TRY(add_value(&made, dip_spread_of(recall, n), err));
        DIP_TRY(dip_json_append(pairs, json_integer(outcome->group_pairs[g]), err));
    }
    return DIP_OK;
}

static dip_status put_decile_ticks(json_t *axis, dip_error *err) {
    json_t *ticks = NULL;
    DIP_TRY(dip_json_put_array(axis, "ticks", &ticks, err));
    for (int g = 1; g < DIP_N_POPULARITY_GROUPS; g++) {
        char text[32];
        snprintf(text, sizeof text, g == 1 ? "%d (most popular)" : "%d", g);
        DIP_TRY(dip_json_append(ticks, json_string(text), err));
    }
    return dip_json_append(ticks, json_string("no training pair"), err);
}

static dip_status add_deciles(const dip_figure_sources *sources, const dip_plan_figure *plan,
                              size_t condition, json_t *figures, dip_error *err) {
    const dip_study *study = sources->study;
    const dip_outcome *outcome = &sources->outcomes[condition];
    char label[DIP_PLAN_NAME_MAX];
    json_t *figure = NULL;
    json_t *axis = NULL;
    json_t *panels = NULL;
    json_t *series = NULL;
    DIP_TRY(
        begin(plan, &study->plan->condition[condition], "deciles", "bars", figures, &figure, err));
    DIP_TRY(put_note(figure, "", study->plan->seeds, err));
    DIP_TRY(put_axis(figure, "tenths of the items with training pairs", "linear", &axis, err));
    DIP_TRY(put_decile_ticks(axis, err));
    DIP_TRY(dip_json_put_array(figure, "panels", &panels, err));
    for (size_t i = 0; i < plan->columns.n; i++) {
        size_t place = 0;
        DIP_TRY(dip_outcome_place(outcome, &plan->columns.at[i], &place, err));
        snprintf(label, sizeof label, "Recall@%lld of test pairs",
                 (long long)plan->columns.at[i].k);
        DIP_TRY(add_panel(panels, label, &series, err));
        for (size_t m = 0; m < plan->methods.n; m++) {
            const size_t method = plan->methods.at[m];
            DIP_TRY(add_bars(outcome, study->plan->method[method].label, method,
                             place / DIP_N_METRICS, series, err));
        }
    }
    return DIP_OK;
}

/* ---- what the data are like ------------------------------------------------------------------ */

static dip_status add_popularity(const dip_figure_sources *sources, const dip_plan_figure *plan,
                                 json_t *figures, dip_error *err) {
    const dip_study *study = sources->study;
    json_t *figure = NULL;
    json_t *axis = NULL;
    json_t *panels = NULL;
    json_t *series = NULL;
    DIP_TRY(begin(plan, NULL, "popularity", "lines", figures, &figure, err));
    DIP_TRY(put_axis(figure, "share of the items, most popular first", "linear", &axis, err));
    DIP_TRY(dip_json_put_array(figure, "panels", &panels, err));
    DIP_TRY(add_panel(panels, "share of the training pairs", &series, err));
    for (size_t d = 0; d < study->n_data; d++) {
        const json_t *curve =
            json_object_get(json_object_get(sources->checks[d], "popularity"), "curve");
        size_t condition = 0;
        line made;
        while (study->data_of[condition] != d) {
            condition++;
        }
        DIP_TRY(add_line(series, study->plan->condition[condition].label, false, &made, err));
        for (size_t i = 0; i < json_array_size(curve); i++) {
            const json_t *point = json_array_get(curve, i);
            const dip_spread y = {.mean = json_number_value(json_array_get(point, 1))};
            DIP_TRY(add_point(&made, json_number_value(json_array_get(point, 0)), y, err));
        }
    }
    return DIP_OK;
}

static dip_status put_masks(const json_t *information, json_t *figure, dip_error *err) {
    const json_t *seeds = json_object_get(information, "seeds");
    json_t *masks = NULL;
    DIP_TRY(dip_json_put_array(figure, "masks", &masks, err));
    for (size_t i = 0; i < json_array_size(seeds); i++) {
        const json_t *seed = json_array_get(seeds, i);
        json_t *mask =
            json_pack("{s:O, s:O, s:O}", "seed", json_object_get(seed, "seed"), "h",
                      json_object_get(seed, "h_masks"), "g", json_object_get(seed, "g_masks"));
        DIP_TRY(dip_json_append(masks, mask, err));
    }
    return DIP_OK;
}

static dip_status add_information(const dip_figure_sources *sources, const dip_plan_figure *plan,
                                  size_t condition, json_t *figures, dip_error *err) {
    const dip_study *study = sources->study;
    const json_t *information =
        json_object_get(sources->checks[study->data_of[condition]], "information");
    json_t *figure = NULL;
    if (json_array_size(json_object_get(information, "features")) == 0) {
        return DIP_OK;
    }
    DIP_TRY(begin(plan, &study->plan->condition[condition], "information", "heat", figures, &figure,
                  err));
    DIP_TRY(
        dip_json_set(figure, "labels", json_incref(json_object_get(information, "features")), err));
    DIP_TRY(
        dip_json_set(figure, "values", json_incref(json_object_get(information, "matrix")), err));
    return put_masks(information, figure, err);
}

/* ---- all ------------------------------------------------------------------------------------- */

static dip_status add_map(const dip_figure_sources *sources, const dip_plan_figure *plan,
                          size_t condition, json_t *figures, dip_error *err) {
    json_t *figure = NULL;
    DIP_TRY(begin(plan, &sources->study->plan->condition[condition], "map", "scatter", figures,
                  &figure, err));
    return dip_figure_map(sources, plan, condition, figure, err);
}

dip_status dip_figure_add(const dip_figure_sources *sources, const dip_plan_figure *plan,
                          json_t *figures, dip_error *err) {
    typedef dip_status (*add_fn)(const dip_figure_sources *, const dip_plan_figure *, size_t,
                                 json_t *, dip_error *);
    static const add_fn ADD[] = {
        [DIP_FIGURE_CHOICE] = add_choice,   [DIP_FIGURE_CURVES] = add_curves,
        [DIP_FIGURE_DECILES] = add_deciles, [DIP_FIGURE_INFORMATION] = add_information,
        [DIP_FIGURE_MAP] = add_map,
    };
    if (plan->kind == DIP_FIGURE_POPULARITY) {
        return add_popularity(sources, plan, figures, err);
    }
    for (size_t i = 0; i < plan->conditions.n; i++) {
        DIP_TRY(ADD[plan->kind](sources, plan, plan->conditions.at[i], figures, err));
    }
    return DIP_OK;
}
