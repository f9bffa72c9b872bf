/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/csv.h"

#include "experiment/plan.h"

#include <string.h>

/* ---- fields ---------------------------------------------------------------------------------- */

/* A comma, and the number, or the truth of a yes and no as 1 and 0. */
static dip_status put_value(dip_text *text, const json_t *value, dip_error *err) {
    if (json_is_boolean(value)) {
        return dip_text_printf(text, err, ",%d", json_is_true(value));
    }
    if (json_is_integer(value)) {
        return dip_text_printf(text, err, ",%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    return json_is_number(value) ? dip_text_printf(text, err, ",%.6g", json_number_value(value))
                                 : dip_text_put(text, ",", 1, err);
}

static dip_status put_numbers(dip_text *text, const json_t *object, const char *const *keys,
                              size_t n, dip_error *err) {
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(put_value(text, json_object_get(object, keys[i]), err));
    }
    return DIP_OK;
}

/* With each quote doubled. */
static dip_status put_doubled(dip_text *text, const json_t *string, dip_error *err) {
    const char *value = json_string_value(string);
    for (const char *c = value != NULL ? value : ""; *c != '\0'; c++) {
        DIP_TRY(dip_text_put(text, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1, err));
    }
    return DIP_OK;
}

/* In quotes; they are names and labels of a study, values and titles. */
static dip_status put_quoted(dip_text *text, const json_t *string, dip_error *err) {
    DIP_TRY(dip_text_put(text, "\"", 1, err));
    DIP_TRY(put_doubled(text, string, err));
    return dip_text_put(text, "\"", 1, err);
}

static dip_status put_next(dip_text *text, const json_t *string, dip_error *err) {
    DIP_TRY(dip_text_put(text, ",", 1, err));
    return put_quoted(text, string, err);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static dip_status put_cell(dip_text *text, const json_t *table, const json_t *row, size_t i,
                           dip_error *err) {
    static const char *const CELL[] = {"mean",   "sd",      "low",     "high",          "change",
                                       "p_seed", "p_query", "is_best", "is_significant"};
    static const char *const DIFFERENCE[] = {"mean", "low", "high"};
    static const char *const COLUMN[] = {"pairs", "queries"};
    const json_t *cell = json_array_get(json_object_get(row, "cells"), i);
    const json_t *column = json_array_get(json_object_get(table, "columns"), i);
    DIP_TRY(put_quoted(text, json_object_get(table, "id"), err));
    DIP_TRY(put_next(text, json_object_get(table, "condition"), err));
    DIP_TRY(put_next(text, json_object_get(row, "method"), err));
    DIP_TRY(put_next(text, json_object_get(column, "key"), err));
    DIP_TRY(put_numbers(text, cell, CELL, sizeof CELL / sizeof CELL[0], err));
    DIP_TRY(put_numbers(text, json_object_get(cell, "difference"), DIFFERENCE, 3, err));
    DIP_TRY(put_numbers(text, column, COLUMN, 2, err));
    return dip_text_put(text, "\n", 1, err);
}

static dip_status put_table(dip_text *text, const json_t *table, dip_error *err) {
    const json_t *rows = json_object_get(table, "rows");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r);
        for (size_t i = 0; i < json_array_size(json_object_get(row, "cells")); i++) {
            DIP_TRY(put_cell(text, table, row, i, err));
        }
    }
    return DIP_OK;
}

dip_status dip_csv_tables(const json_t *results, dip_text *text, dip_error *err) {
    const json_t *tables = json_object_get(results, "tables");
    DIP_TRY(dip_text_printf(text, err,
                            "table,condition,method,column,mean,sd,low,high,change,p_seed,p_query,"
                            "is_best,is_significant,difference,difference_low,difference_high,"
                            "pairs,queries\n"));
    for (size_t i = 0; i < json_array_size(tables); i++) {
        DIP_TRY(put_table(text, json_array_get(tables, i), err));
    }
    return DIP_OK;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* The keys of the columns of all tables, each once. */
typedef struct shown {
    size_t n;
    const char *key[DIP_PLAN_LIST * DIP_PLAN_LIST];
} shown;

static void add_shown(shown *s, const char *key) {
    size_t i = 0;
    while (i < s->n && strcmp(s->key[i], key) != 0) {
        i++;
    }
    s->key[i] = key;
    s->n += i == s->n;
}

static shown shown_of(const json_t *results) {
    const json_t *tables = json_object_get(results, "tables");
    shown s = {.n = 0};
    for (size_t t = 0; t < json_array_size(tables); t++) {
        const json_t *columns = json_object_get(json_array_get(tables, t), "columns");
        for (size_t i = 0; i < json_array_size(columns); i++) {
            add_shown(&s, json_string_value(json_object_get(json_array_get(columns, i), "key")));
        }
    }
    return s;
}

static const char *const SPLITS[] = {"validation", "test"};

static dip_status put_setting(dip_text *text, const json_t *setting, dip_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    const char *before = "";
    DIP_TRY(dip_text_put(text, "\"", 1, err));
    json_object_foreach(dip_json_readable(setting), key, value) {
        DIP_TRY(dip_text_printf(text, err, "%s%s=", before, key));
        DIP_TRY(put_doubled(text, value, err));
        before = " ";
    }
    return dip_text_put(text, "\"", 1, err);
}

static dip_status put_run(dip_text *text, const json_t *run, const shown *s, dip_error *err) {
    static const char *const NUMBERS[] = {"epochs", "best_epoch", "best_validation", "seconds"};
    DIP_TRY(dip_text_printf(text, err, "%s,%s,%s,%lld,%s,",
                            json_string_value(json_object_get(run, "key")),
                            json_string_value(json_object_get(run, "method")),
                            json_string_value(json_object_get(run, "condition")),
                            (long long)json_integer_value(json_object_get(run, "seed")),
                            json_string_value(json_object_get(run, "stage"))));
    DIP_TRY(put_setting(text, json_object_get(run, "setting"), err));
    DIP_TRY(put_numbers(text, run, NUMBERS, sizeof NUMBERS / sizeof NUMBERS[0], err));
    for (size_t split = 0; split < 2; split++) {
        DIP_TRY(put_numbers(text, json_object_get(run, SPLITS[split]), s->key, s->n, err));
    }
    return dip_text_put(text, "\n", 1, err);
}

dip_status dip_csv_runs(const json_t *results, dip_text *text, dip_error *err) {
    const json_t *runs = json_object_get(results, "runs");
    const shown s = shown_of(results);
    DIP_TRY(dip_text_printf(text, err,
                            "key,method,condition,seed,stage,setting,epochs,best_epoch,"
                            "best_validation,seconds"));
    for (size_t i = 0; i < 2 * s.n; i++) {
        DIP_TRY(dip_text_printf(text, err, ",%s/%s", SPLITS[i / s.n], s.key[i % s.n]));
    }
    DIP_TRY(dip_text_put(text, "\n", 1, err));
    for (size_t i = 0; i < json_array_size(runs); i++) {
        DIP_TRY(put_run(text, json_array_get(runs, i), &s, err));
    }
    return DIP_OK;
}

/* ---- figures --------------------------------------------------------------------------------- */

/* One point: x is a number, or what stands at its place of the axis. */
typedef struct point {
    const json_t *panel;
    const json_t *series;
    const json_t *label;
    const json_t *x;
    const json_t *y;
    const json_t *low;
    const json_t *high;
} point;

static dip_status put_point(dip_text *text, const json_t *figure, point p, dip_error *err) {
    DIP_TRY(put_quoted(text, json_object_get(figure, "id"), err));
    DIP_TRY(put_next(text, p.panel, err));
    DIP_TRY(put_next(text, p.series, err));
    DIP_TRY(put_next(text, p.label, err));
    DIP_TRY(put_value(text, p.x, err));
    DIP_TRY(put_value(text, p.y, err));
    DIP_TRY(put_value(text, p.low, err));
    DIP_TRY(put_value(text, p.high, err));
    return dip_text_put(text, "\n", 1, err);
}

/* Of lines, whose points have an x each, and of bars, which stand at the ticks of the axis. */
static dip_status put_series(dip_text *text, const json_t *figure, const json_t *panel,
                             const json_t *series, dip_error *err) {
    const json_t *ticks = json_object_get(json_object_get(figure, "x"), "ticks");
    const json_t *x = json_object_get(series, "x");
    const json_t *y = json_object_get(series, "y");
    for (size_t i = 0; i < json_array_size(y); i++) {
        const point p = {.panel = json_object_get(panel, "label"),
                         .series = json_object_get(series, "name"),
                         .label = x == NULL ? json_array_get(ticks, i) : NULL,
                         .x = json_array_get(x, i),
                         .y = json_array_get(y, i),
                         .low = json_array_get(json_object_get(series, "low"), i),
                         .high = json_array_get(json_object_get(series, "high"), i)};
        DIP_TRY(put_point(text, figure, p, err));
    }
    return DIP_OK;
}

static dip_status put_all_series(dip_text *text, const json_t *figure, const json_t *panel,
                                 dip_error *err) {
    const json_t *series = json_object_get(panel, "series");
    for (size_t i = 0; i < json_array_size(series); i++) {
        DIP_TRY(put_series(text, figure, panel, json_array_get(series, i), err));
    }
    return DIP_OK;
}

/* Rows and columns of a matrix have names. */
static dip_status put_matrix(dip_text *text, const json_t *figure, dip_error *err) {
    const json_t *labels = json_object_get(figure, "labels");
    const json_t *values = json_object_get(figure, "values");
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *row = json_array_get(values, i);
        for (size_t j = 0; j < json_array_size(row); j++) {
            const point p = {.series = json_array_get(labels, i),
                             .label = json_array_get(labels, j),
                             .y = json_array_get(row, j)};
            DIP_TRY(put_point(text, figure, p, err));
        }
    }
    return DIP_OK;
}

/* The items of a map, each with its category and title. */
static dip_status put_map(dip_text *text, const json_t *figure, const json_t *panel,
                          dip_error *err) {
    const json_t *categories = json_object_get(figure, "categories");
    const json_t *category_of = json_object_get(figure, "category_of");
    const json_t *x = json_object_get(panel, "x");
    for (size_t i = 0; i < json_array_size(x); i++) {
        const json_t *category = json_array_get(category_of, i);
        const point p = {.panel = json_object_get(panel, "label"),
                         .series = json_array_get(categories, (size_t)json_integer_value(category)),
                         .label = json_array_get(json_object_get(figure, "titles"), i),
                         .x = json_array_get(x, i),
                         .y = json_array_get(json_object_get(panel, "y"), i)};
        DIP_TRY(put_point(text, figure, p, err));
    }
    return DIP_OK;
}

static dip_status put_figure(dip_text *text, const json_t *figure, dip_error *err) {
    const json_t *panels = json_object_get(figure, "panels");
    const bool is_map = json_object_get(figure, "titles") != NULL;
    for (size_t i = 0; i < json_array_size(panels); i++) {
        const json_t *panel = json_array_get(panels, i);
        DIP_TRY(is_map ? put_map(text, figure, panel, err)
                       : put_all_series(text, figure, panel, err));
    }
    return put_matrix(text, figure, err);
}

dip_status dip_csv_figures(const json_t *results, dip_text *text, dip_error *err) {
    const json_t *figures = json_object_get(results, "figures");
    DIP_TRY(dip_text_printf(text, err, "figure,panel,series,label,x,y,low,high\n"));
    for (size_t i = 0; i < json_array_size(figures); i++) {
        DIP_TRY(put_figure(text, json_array_get(figures, i), err));
    }
    return DIP_OK;
}
