/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/tables.h"

#include "base/mem.h"
#include "experiment/values.h"

#include <stdio.h>
#include <string.h>

typedef struct table_column {
    size_t place;
    size_t slice;
    double p_seed[DIP_PLAN_LIST]; /* adjusted, by row; NaN: not tested */
    double p_query[DIP_PLAN_LIST];
    double mean[DIP_PLAN_LIST]; /* NaN for a method without a good run, and in an empty slice */
    size_t best;                /* row */
    bool is_behind;             /* the best row, of TopPopular or Random */
    bool is_significant;
} table_column;

typedef struct making {
    const dip_study *study;
    const dip_outcome *outcome;
    const dip_plan_table *plan;
    size_t baseline; /* row; methods.n when the table leaves it out */
    double values[2][DIP_PLAN_SEEDS_MAX];
} making;

static const dip_method_outcome *method_of(const making *t, size_t row) {
    return &t->outcome->methods[t->plan->methods.at[row]];
}

static bool is_empty(const making *t, const table_column *c) {
    return t->outcome->pairs[c->slice] == 0;
}

/* ---- one column ------------------------------------------------------------------------------ */

/* The values of the seeds that both methods finished; b NULL: of one method alone. */
static size_t pair_up(making *t, const dip_method_outcome *a, const dip_method_outcome *b,
                      size_t place) {
    const size_t width = t->outcome->width;
    size_t n = 0;
    for (size_t s = 0; s < a->n; s++) {
        const double x = a->seed[s * width + place];
        const double y = b != NULL ? b->seed[s * width + place] : 0;
        if (isfinite(x) && isfinite(y)) {
            t->values[0][n] = x;
            t->values[1][n++] = y;
        }
    }
    return n;
}

static void test_rows(making *t, table_column *c) {
    const dip_method_outcome *baseline = &t->outcome->methods[t->study->plan->baseline];
    double p_seed[DIP_PLAN_LIST];
    double p_query[DIP_PLAN_LIST];
    for (size_t r = 0; r < t->plan->methods.n; r++) {
        const dip_method_outcome *method = method_of(t, r);
        p_seed[r] = NAN;
        p_query[r] = NAN;
        if (method->difference != NULL && !is_empty(t, c)) {
            const size_t n = pair_up(t, method, baseline, c->place);
            p_seed[r] = n > 1 ? dip_paired_t(t->values[0], t->values[1], n) : NAN;
            p_query[r] = method->difference[c->place].p;
        }
    }
    dip_holm(p_seed, t->plan->methods.n, c->p_seed);
    dip_holm(p_query, t->plan->methods.n, c->p_query);
}

static bool differs(const table_column *c, size_t row) {
    return c->p_seed[row] < DIP_SIGNIFICANT && c->p_query[row] < DIP_SIGNIFICANT;
}

/* The best method stands out when it differs from the baseline; the baseline, when all others
 * differ from it. */
static void find_best(const making *t, table_column *c) {
    bool all_differ = true;
    c->best = 0;
    for (size_t r = 0; r < t->plan->methods.n; r++) {
        const bool is_better =
            c->mean[r] > c->mean[c->best] || (isfinite(c->mean[r]) && !isfinite(c->mean[c->best]));
        c->best = is_better ? r : c->best;
        all_differ = all_differ && (r == t->baseline || differs(c, r));
    }
    c->is_behind = t->outcome->popular[c->place] > c->mean[c->best] ||
                   t->outcome->random[c->place] > c->mean[c->best];
    c->is_significant =
        c->best == t->baseline ? all_differ && t->plan->methods.n > 1 : differs(c, c->best);
}

static dip_status fill_column(making *t, const dip_plan_column *plan, table_column *c,
                              dip_error *err) {
    DIP_TRY(dip_outcome_place(t->outcome, plan, &c->place, err));
    c->slice = plan->slice;
    for (size_t r = 0; r < t->plan->methods.n; r++) {
        const size_t n = pair_up(t, method_of(t, r), NULL, c->place);
        c->mean[r] = is_empty(t, c) ? NAN : dip_spread_of(t->values[0], n).mean;
    }
    test_rows(t, c);
    find_best(t, c);
    return DIP_OK;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static dip_status put_spread(making *t, size_t row, const table_column *c, json_t *cell,
                             dip_error *err) {
    json_t *values = NULL;
    const size_t n = pair_up(t, method_of(t, row), NULL, c->place);
    const dip_spread spread = dip_spread_of(t->values[0], n);
    DIP_TRY(dip_json_set(cell, "mean", dip_real_or_null(c->mean[row]), err));
    DIP_TRY(dip_json_set(cell, "sd", dip_real_or_null(is_empty(t, c) ? NAN : spread.sd), err));
    DIP_TRY(dip_json_set(cell, "low", dip_real_or_null(is_empty(t, c) ? NAN : spread.low), err));
    DIP_TRY(dip_json_set(cell, "high", dip_real_or_null(is_empty(t, c) ? NAN : spread.high), err));
    DIP_TRY(dip_json_put_array(cell, "values", &values, err));
    for (size_t i = 0; i < n && !is_empty(t, c); i++) {
        DIP_TRY(dip_json_append(values, dip_real_or_null(t->values[0][i]), err));
    }
    return DIP_OK;
}

static dip_status put_comparison(const making *t, size_t row, const table_column *c, json_t *cell,
                                 dip_error *err) {
    const dip_method_outcome *method = method_of(t, row);
    const double base = t->baseline < t->plan->methods.n ? c->mean[t->baseline] : NAN;
    const bool has_change = row != t->baseline && base > 0;
    json_t *difference = NULL;
    DIP_TRY(dip_json_set(cell, "change",
                         dip_real_or_null(has_change ? c->mean[row] / base - 1 : NAN), err));
    DIP_TRY(dip_json_set(cell, "p_seed", dip_real_or_null(c->p_seed[row]), err));
    DIP_TRY(dip_json_set(cell, "p_query", dip_real_or_null(c->p_query[row]), err));
    const bool is_best = row == c->best && isfinite(c->mean[row]) && !c->is_behind;
    DIP_TRY(dip_json_set(cell, "is_best", json_boolean(is_best), err));
    DIP_TRY(dip_json_set(cell, "is_significant",
                         json_boolean(row == c->best ? c->is_significant : differs(c, row)), err));
    if (method->difference == NULL || is_empty(t, c)) {
        return dip_json_set(cell, "difference", json_null(), err);
    }
    const dip_difference *d = &method->difference[c->place];
    DIP_TRY(dip_json_put_object(cell, "difference", &difference, err));
    DIP_TRY(dip_json_set(difference, "mean", dip_real_or_null(d->mean), err));
    DIP_TRY(dip_json_set(difference, "low", dip_real_or_null(d->low), err));
    return dip_json_set(difference, "high", dip_real_or_null(d->high), err);
}

static dip_status put_method_row(making *t, json_t *rows, size_t row, const table_column *columns,
                                 dip_error *err) {
    const size_t m = t->plan->methods.at[row];
    const dip_plan_method *method = &t->study->plan->method[m];
    const dip_cell *chosen = dip_study_cell(t->study, t->outcome->condition, m);
    json_t *object = NULL;
    json_t *cells = NULL;
    DIP_TRY(dip_json_append_object(rows, &object, err));
    DIP_TRY(dip_json_set(object, "method", json_string(method->name), err));
    DIP_TRY(dip_json_set(object, "label", json_string(method->label), err));
    DIP_TRY(dip_json_set(object, "kind", json_string("method"), err));
    DIP_TRY(dip_put_settings(object, "setting", &chosen->chosen, err));
    DIP_TRY(
        dip_json_set(object, "seeds", json_integer((json_int_t)method_of(t, row)->n_good), err));
    DIP_TRY(dip_json_put_array(object, "cells", &cells, err));
    for (size_t i = 0; i < t->plan->columns.n; i++) {
        json_t *cell = NULL;
        DIP_TRY(dip_json_append_object(cells, &cell, err));
        DIP_TRY(put_spread(t, row, &columns[i], cell, err));
        DIP_TRY(put_comparison(t, row, &columns[i], cell, err));
    }
    return DIP_OK;
}

/* TopPopular and Random: nothing is trained, so there is no spread. */
static dip_status put_reference(const making *t, json_t *rows, const char *name, const char *label,
                                const double *mean, const table_column *columns, dip_error *err) {
    json_t *object = NULL;
    json_t *cells = NULL;
    DIP_TRY(dip_json_append_object(rows, &object, err));
    DIP_TRY(dip_json_set(object, "method", json_string(name), err));
    DIP_TRY(dip_json_set(object, "label", json_string(label), err));
    DIP_TRY(dip_json_set(object, "kind", json_string("reference"), err));
    DIP_TRY(dip_json_put_array(object, "cells", &cells, err));
    for (size_t i = 0; i < t->plan->columns.n; i++) {
        json_t *cell = NULL;
        const double value = is_empty(t, &columns[i]) ? NAN : mean[columns[i].place];
        DIP_TRY(dip_json_append_object(cells, &cell, err));
        DIP_TRY(dip_json_set(cell, "mean", dip_real_or_null(value), err));
    }
    return DIP_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static dip_status put_columns(const making *t, json_t *table, dip_error *err) {
    json_t *columns = NULL;
    DIP_TRY(dip_json_put_array(table, "columns", &columns, err));
    for (size_t i = 0; i < t->plan->columns.n; i++) {
        const dip_plan_column *plan = &t->plan->columns.at[i];
        char text[DIP_PLAN_NAME_MAX];
        json_t *column = NULL;
        dip_plan_column_text(plan, text);
        DIP_TRY(dip_json_append_object(columns, &column, err));
        DIP_TRY(dip_json_set(column, "key", json_string(text), err));
        dip_plan_column_label(plan, text);
        DIP_TRY(dip_json_set(column, "label", json_string(text), err));
        DIP_TRY(dip_json_set(column, "slice", json_string(dip_slice_names[plan->slice]), err));
        DIP_TRY(dip_json_set(column, "pairs", json_integer(t->outcome->pairs[plan->slice]), err));
        DIP_TRY(
            dip_json_set(column, "queries", json_integer(t->outcome->queries[plan->slice]), err));
    }
    return DIP_OK;
}

static dip_status put_head(const making *t, json_t *table, dip_error *err) {
    const dip_plan *plan = t->study->plan;
    const dip_plan_condition *condition = &plan->condition[t->outcome->condition];
    char text[DIP_PLAN_TEXT_MAX];
    snprintf(text, sizeof text, "table%lld-%s", (long long)t->plan->number, condition->name);
    DIP_TRY(dip_json_set(table, "id", json_string(text), err));
    DIP_TRY(dip_json_set(table, "number", json_integer(t->plan->number), err));
    json_t *title = json_sprintf("Table %lld: %s (%s)", (long long)t->plan->number, t->plan->title,
                                 condition->label);
    DIP_TRY(dip_json_set(table, "title", title, err));
    DIP_TRY(dip_json_set(table, "condition", json_string(condition->name), err));
    return dip_json_set(table, "baseline", json_string(plan->method[plan->baseline].name), err);
}

static dip_status put_rows(making *t, json_t *table, const table_column *columns, dip_error *err) {
    json_t *rows = NULL;
    DIP_TRY(dip_json_put_array(table, "rows", &rows, err));
    for (size_t r = 0; r < t->plan->methods.n; r++) {
        DIP_TRY(put_method_row(t, rows, r, columns, err));
    }
    DIP_TRY(put_reference(t, rows, "top_popular", "TopPopular", t->outcome->popular, columns, err));
    return put_reference(t, rows, "random", "Random", t->outcome->random, columns, err);
}

static dip_status fill(making *t, table_column *columns, json_t *table, dip_error *err) {
    while (t->baseline < t->plan->methods.n &&
           t->plan->methods.at[t->baseline] != t->study->plan->baseline) {
        t->baseline++;
    }
    for (size_t i = 0; i < t->plan->columns.n; i++) {
        DIP_TRY(fill_column(t, &t->plan->columns.at[i], &columns[i], err));
    }
    DIP_TRY(put_head(t, table, err));
    DIP_TRY(put_columns(t, table, err));
    return put_rows(t, table, columns, err);
}

dip_status dip_table_make(const dip_study *study, const dip_outcome *outcome,
                          const dip_plan_table *plan, json_t **table, dip_error *err) {
    json_t *object = NULL;
    making *t = dip_alloc(1, sizeof *t, "a table", err);
    table_column *columns = dip_alloc(plan->columns.n, sizeof *columns, "a table", err);
    dip_status status = t != NULL && columns != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        t->study = study;
        t->outcome = outcome;
        t->plan = plan;
        status = dip_json_new_object(&object, err);
    }
    if (status == DIP_OK) {
        status = fill(t, columns, object, err);
    }
    dip_free(columns);
    dip_free(t);
    if (status != DIP_OK) {
        json_decref(object);
        return status;
    }
    *table = object;
    return DIP_OK;
}
