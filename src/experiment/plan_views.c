/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables and figures of a study.
 */
#include "experiment/plan_reader.h"

#include <stdio.h>

static const char *const FIGURE_KINDS[] = {"choice",     "curves",      "deciles",
                                           "popularity", "information", "map"};

static const char *const FIGURE_TITLES[] = {
    [DIP_FIGURE_CURVES] = "Training curves",
    [DIP_FIGURE_DECILES] = "Recall by popularity of the item",
    [DIP_FIGURE_POPULARITY] = "Popularity of the items",
    [DIP_FIGURE_INFORMATION] = "Mutual information of the item features",
    [DIP_FIGURE_MAP] = "Map of the items"};

static void all_of(size_t n, dip_subset *subset) {
    subset->n = n;
    for (size_t i = 0; i < n; i++) {
        subset->at[i] = i;
    }
}

static dip_status read_subset(dip_plan_reader *r, const dip_yaml_node *node, bool of_methods,
                              dip_subset *subset, dip_error *err) {
    const dip_plan *plan = r->plan;
    const size_t most = of_methods ? plan->n_methods : plan->n_conditions;
    if (!dip_yaml_is_list(node) || dip_yaml_count(node) < 1 || dip_yaml_count(node) > most) {
        return dip_yaml_fail(&r->yaml, node, err, "a list of 1 to %zu %s is wanted here", most,
                             of_methods ? "methods" : "conditions");
    }
    subset->n = 0;
    for (size_t i = 0; i < dip_yaml_count(node); i++) {
        dip_yaml_node *none = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(&r->yaml, node, i, &none, &value);
        const char *name = dip_yaml_text(value) != NULL ? dip_yaml_text(value) : "";
        const size_t at =
            of_methods ? dip_plan_method_of(plan, name) : dip_plan_condition_of(plan, name);
        if (at == most) {
            return dip_yaml_fail(&r->yaml, value, err, "\"%s\" is no %s of this study", name,
                                 of_methods ? "method" : "condition");
        }
        subset->at[subset->n++] = at;
    }
    return DIP_OK;
}

static dip_status read_columns(dip_plan_reader *r, const dip_yaml_node *node,
                               dip_plan_columns *columns, dip_error *err) {
    if (!dip_yaml_is_list(node) || dip_yaml_count(node) < 1 ||
        dip_yaml_count(node) > DIP_PLAN_LIST) {
        return dip_yaml_fail(&r->yaml, node, err, "a list of columns such as recall@10 is wanted");
    }
    for (size_t i = 0; i < dip_yaml_count(node); i++) {
        dip_yaml_node *none = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(&r->yaml, node, i, &none, &value);
        const char *text = dip_yaml_text(value) != NULL ? dip_yaml_text(value) : "";
        const dip_status status = dip_plan_column_parse(&columns->at[i], text, err);
        if (status != DIP_OK) {
            return dip_yaml_locate(&r->yaml, value, status, err);
        }
        columns->n++;
    }
    return DIP_OK;
}

static dip_status read_table_key(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                                 const dip_yaml_node *value, dip_error *err) {
    dip_plan_table *table = object;
    if (dip_plan_is_named(key, "number")) {
        return dip_plan_count(r, value, DIP_PLAN_SEEDS_MAX, &table->number, err);
    }
    if (dip_plan_is_named(key, "title")) {
        return dip_plan_text(r, value, table->title, sizeof table->title, err);
    }
    if (dip_plan_is_named(key, "conditions")) {
        return read_subset(r, value, false, &table->conditions, err);
    }
    if (dip_plan_is_named(key, "methods")) {
        return read_subset(r, value, true, &table->methods, err);
    }
    if (dip_plan_is_named(key, "columns")) {
        return read_columns(r, value, &table->columns, err);
    }
    return dip_plan_unknown_key(r, key, "number, title, conditions, methods, columns", err);
}

static dip_status read_kind(dip_plan_reader *r, const dip_yaml_node *node, int *kind,
                            dip_error *err) {
    const char *text = dip_yaml_text(node) != NULL ? dip_yaml_text(node) : "";
    const int n = sizeof FIGURE_KINDS / sizeof FIGURE_KINDS[0];
    for (*kind = 0; *kind < n; (*kind)++) {
        if (strcmp(FIGURE_KINDS[*kind], text) == 0) {
            return DIP_OK;
        }
    }
    return dip_yaml_fail(&r->yaml, node, err,
                         "\"%s\" is no kind of figure; there are choice, curves, deciles, "
                         "popularity, information, map",
                         text);
}

static dip_status read_figure_key(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                                  const dip_yaml_node *value, dip_error *err) {
    dip_plan_figure *figure = object;
    if (dip_plan_is_named(key, "kind")) {
        return read_kind(r, value, &figure->kind, err);
    }
    if (dip_plan_is_named(key, "title")) {
        return dip_plan_text(r, value, figure->title, sizeof figure->title, err);
    }
    if (dip_plan_is_named(key, "option")) {
        return dip_plan_text(r, value, figure->option, sizeof figure->option, err);
    }
    if (dip_plan_is_named(key, "conditions")) {
        return read_subset(r, value, false, &figure->conditions, err);
    }
    if (dip_plan_is_named(key, "methods")) {
        return read_subset(r, value, true, &figure->methods, err);
    }
    if (dip_plan_is_named(key, "columns")) {
        return read_columns(r, value, &figure->columns, err);
    }
    return dip_plan_unknown_key(r, key, "kind, title, option, conditions, methods, columns", err);
}

void dip_plan_title(dip_plan_figure *figure) {
    if (figure->kind == DIP_FIGURE_CHOICE) {
        char option[DIP_PLAN_NAME_MAX];
        memcpy(option, figure->option, sizeof option);
        snprintf(figure->title, sizeof figure->title, "Quality by %s", option);
    } else {
        snprintf(figure->title, sizeof figure->title, "%s", FIGURE_TITLES[figure->kind]);
    }
}

/* Whether every method of a figure of a choice has that option to choose. */
static dip_status check_figure(dip_plan_reader *r, const dip_yaml_node *node,
                               dip_plan_figure *figure, dip_error *err) {
    if (figure->kind < 0) {
        return dip_yaml_fail(&r->yaml, node, err, "the figure has no kind");
    }
    if (figure->title[0] == '\0') {
        dip_plan_title(figure);
    }
    if (figure->columns.n == 0 &&
        (figure->kind == DIP_FIGURE_CHOICE || figure->kind == DIP_FIGURE_DECILES)) {
        return dip_yaml_fail(&r->yaml, node, err, "the figure needs columns");
    }
    for (size_t i = 0; i < figure->columns.n && figure->kind == DIP_FIGURE_DECILES; i++) {
        if (figure->columns.at[i].metric != 0 || figure->columns.at[i].slice != 0) {
            return dip_yaml_fail(&r->yaml, node, err, "deciles are drawn of recall@K alone");
        }
    }
    for (size_t m = 0; m < figure->methods.n && figure->kind == DIP_FIGURE_CHOICE; m++) {
        const dip_plan_method *method = &r->plan->method[figure->methods.at[m]];
        size_t c = 0;
        while (c < method->n_choices && strcmp(method->choice[c].key, figure->option) != 0) {
            c++;
        }
        if (c == method->n_choices) {
            return dip_yaml_fail(&r->yaml, node, err,
                                 "the method \"%s\" does not choose \"%s\", so there is nothing "
                                 "to draw for it",
                                 method->name, figure->option);
        }
    }
    return DIP_OK;
}

/* A table without a number takes its place in the list; the number is a part of its name. */
static dip_status check_table(dip_plan_reader *r, const dip_yaml_node *node, dip_error *err) {
    const size_t last = r->plan->n_tables - 1;
    dip_plan_table *table = &r->plan->table[last];
    if (table->columns.n == 0) {
        return dip_yaml_fail(&r->yaml, node, err, "the table has no columns");
    }
    if (table->title[0] == '\0') {
        snprintf(table->title, sizeof table->title, "Metrics");
    }
    table->number = table->number > 0 ? table->number : (int64_t)last + 1;
    for (size_t i = 0; i < last; i++) {
        if (r->plan->table[i].number == table->number) {
            return dip_yaml_fail(&r->yaml, node, err, "there are two tables of number %lld",
                                 (long long)table->number);
        }
    }
    return DIP_OK;
}

dip_status dip_plan_read_views(dip_plan_reader *r, const dip_yaml_node *list, bool of_tables,
                               dip_error *err) {
    dip_plan *plan = r->plan;
    if (!dip_yaml_is_list(list) || dip_yaml_count(list) > DIP_PLAN_LIST) {
        return dip_yaml_fail(&r->yaml, list, err, "a list of at most %d is wanted here",
                             DIP_PLAN_LIST);
    }
    for (size_t i = 0; i < dip_yaml_count(list); i++) {
        dip_yaml_node *none = NULL;
        dip_yaml_node *node = NULL;
        dip_yaml_at(&r->yaml, list, i, &none, &node);
        if (of_tables) {
            dip_plan_table *table = &plan->table[plan->n_tables++];
            all_of(plan->n_conditions, &table->conditions);
            all_of(plan->n_methods, &table->methods);
            DIP_TRY(dip_plan_each(r, node, read_table_key, table, err));
            DIP_TRY(check_table(r, node, err));
            continue;
        }
        dip_plan_figure *figure = &plan->figure[plan->n_figures++];
        figure->kind = -1;
        all_of(plan->n_conditions, &figure->conditions);
        all_of(plan->n_methods, &figure->methods);
        DIP_TRY(dip_plan_each(r, node, read_figure_key, figure, err));
        DIP_TRY(check_figure(r, node, figure, err));
    }
    return DIP_OK;
}
