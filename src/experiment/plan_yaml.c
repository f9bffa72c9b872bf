/* SPDX-License-Identifier: Apache-2.0
 *
 * From the YAML of a study to a plan. Every mistake is named with file, line and column.
 */
#include "experiment/plan_reader.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20 };

dip_status dip_plan_each(dip_plan_reader *r, const dip_yaml_node *map, dip_plan_entry_fn entry,
                         void *object, dip_error *err) {
    if (!dip_yaml_is_map(map)) {
        return dip_yaml_fail(&r->yaml, map, err, "a mapping is wanted here");
    }
    for (size_t i = 0; i < dip_yaml_count(map); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(&r->yaml, map, i, &key, &value);
        DIP_TRY(entry(r, object, key, value, err));
    }
    return DIP_OK;
}

dip_status dip_plan_unknown_key(dip_plan_reader *r, const dip_yaml_node *key, const char *known,
                                dip_error *err) {
    return dip_yaml_fail(&r->yaml, key, err, "unknown key \"%s\"; there are %s", dip_yaml_text(key),
                         known);
}

dip_status dip_plan_text(dip_plan_reader *r, const dip_yaml_node *node, char *text, size_t capacity,
                         dip_error *err) {
    if (dip_yaml_text(node) == NULL) {
        return dip_yaml_fail(&r->yaml, node, err, "a text is wanted here");
    }
    const int n = snprintf(text, capacity, "%s", dip_yaml_text(node));
    if (n < 0 || (size_t)n >= capacity) {
        return dip_yaml_fail(&r->yaml, node, err, "the text is longer than %zu bytes",
                             capacity - 1);
    }
    return DIP_OK;
}

dip_status dip_plan_count(dip_plan_reader *r, const dip_yaml_node *node, int64_t most,
                          int64_t *count, dip_error *err) {
    const char *text = dip_yaml_text(node);
    if (text == NULL || !dip_parse_integer(text, count) || *count < 1 || *count > most) {
        return dip_yaml_fail(&r->yaml, node, err, "a number from 1 to %lld is wanted here",
                             (long long)most);
    }
    return DIP_OK;
}

/* ---- options --------------------------------------------------------------------------------- */

typedef struct option_place {
    dip_settings *settings;
    dip_scope scope;
    char section[DIP_PLAN_NAME_MAX]; /* "train."; "" at the top */
} option_place;

static dip_status put_option(dip_plan_reader *r, const option_place *place, const char *key,
                             const dip_yaml_node *where, const dip_yaml_node *value,
                             dip_error *err) {
    char text[DIP_VALUE_MAX];
    DIP_TRY(dip_yaml_scalar(&r->yaml, value, text, sizeof text, err));
    dip_status status = dip_options_set(&dip_config_table, &r->scratch, key, text, err);
    if (status == DIP_OK) {
        status = dip_scope_check(place->scope, key, err);
    }
    if (status == DIP_OK) {
        status = dip_settings_put(place->settings, key, text, err);
    }
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(&r->yaml, where, status, err);
}

/* "train.rate: 0.1" or "train: {rate: 0.1}". */
static dip_status read_option(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                              const dip_yaml_node *value, dip_error *err) {
    option_place *place = object;
    char full[2 * DIP_PLAN_NAME_MAX];
    snprintf(full, sizeof full, "%s%.*s", place->section, DIP_PLAN_NAME_MAX - 2,
             dip_yaml_text(key));
    if (!dip_yaml_is_map(value)) {
        return put_option(r, place, full, key, value, err);
    }
    if (place->section[0] != '\0') {
        return dip_yaml_fail(&r->yaml, key, err, "\"%s\" is no option", full);
    }
    option_place inner = {.settings = place->settings, .scope = place->scope};
    snprintf(inner.section, sizeof inner.section, "%.*s.", DIP_PLAN_NAME_MAX - 2, full);
    return dip_plan_each(r, value, read_option, &inner, err);
}

/* What a preset sets must be settable here. */
static dip_status check_preset(const option_place *place, const char *name, dip_error *err) {
    const char *key = NULL;
    for (size_t i = 0; (key = dip_config_preset_key(name, i)) != NULL; i++) {
        DIP_TRY(dip_scope_check(place->scope, key, err));
    }
    return DIP_OK;
}

/* Options in one place may begin with a preset. */
static dip_status read_top(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                           const dip_yaml_node *value, dip_error *err) {
    option_place *place = object;
    char *preset = place->settings->preset;
    if (!dip_plan_is_named(key, "preset")) {
        return read_option(r, object, key, value, err);
    }
    DIP_TRY(dip_plan_text(r, value, preset, sizeof place->settings->preset, err));
    dip_status status = dip_config_apply_preset(&r->scratch, preset, err);
    if (status == DIP_OK) {
        status = check_preset(place, preset, err);
    }
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(&r->yaml, value, status, err);
}

static dip_status read_options(dip_plan_reader *r, const dip_yaml_node *node, dip_scope scope,
                               dip_settings *settings, dip_error *err) {
    option_place place = {.settings = settings, .scope = scope};
    return dip_plan_each(r, node, read_top, &place, err);
}

/* ---- methods and conditions ------------------------------------------------------------------ */

static dip_status read_name(dip_plan_reader *r, const dip_yaml_node *key, size_t n,
                            const char *what, char *name, dip_error *err) {
    if (n == DIP_PLAN_LIST) {
        return dip_yaml_fail(&r->yaml, key, err, "more than %d %ss", DIP_PLAN_LIST, what);
    }
    DIP_TRY(dip_plan_text(r, key, name, DIP_PLAN_NAME_MAX, err));
    if (name[0] == '\0' || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_-.") != strlen(name)) {
        return dip_yaml_fail(&r->yaml, key, err,
                             "the name of a %s is made of letters, digits, '-', '_', '.'", what);
    }
    return DIP_OK;
}

/* Every table has these rows already. */
static dip_status check_method_name(dip_plan_reader *r, const dip_yaml_node *key, const char *name,
                                    dip_error *err) {
    if (strcmp(name, "top_popular") != 0 && strcmp(name, "random") != 0) {
        return DIP_OK;
    }
    return dip_yaml_fail(&r->yaml, key, err,
                         "\"%s\" is a row that every table has beside the methods; give the method "
                         "another name",
                         name);
}

static dip_status read_condition_key(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                                     const dip_yaml_node *value, dip_error *err) {
    dip_plan_condition *condition = object;
    if (dip_plan_is_named(key, "label")) {
        return dip_plan_text(r, value, condition->label, sizeof condition->label, err);
    }
    if (dip_plan_is_named(key, "options")) {
        return read_options(r, value, DIP_SCOPE_CONDITION, &condition->options, err);
    }
    return dip_plan_unknown_key(r, key, "label, options", err);
}

static dip_status read_condition(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                                 const dip_yaml_node *value, dip_error *err) {
    dip_plan *plan = object;
    dip_plan_condition *condition = &plan->condition[plan->n_conditions];
    DIP_TRY(read_name(r, key, plan->n_conditions, "condition", condition->name, err));
    memcpy(condition->label, condition->name, sizeof condition->name);
    DIP_TRY(dip_plan_each(r, value, read_condition_key, condition, err));
    plan->n_conditions++;
    return DIP_OK;
}

dip_status dip_plan_choice(dip_plan_reader *r, dip_choice *choice, const dip_yaml_node *key,
                           const dip_yaml_node *value, dip_error *err) {
    DIP_TRY(dip_plan_text(r, key, choice->key, sizeof choice->key, err));
    if (!dip_yaml_is_list(value) || dip_yaml_count(value) < 1 ||
        dip_yaml_count(value) > DIP_PLAN_VALUES) {
        return dip_yaml_fail(&r->yaml, value, err, "a list of 1 to %d values is wanted here",
                             DIP_PLAN_VALUES);
    }
    for (size_t i = 0; i < dip_yaml_count(value); i++) {
        dip_yaml_node *none = NULL;
        dip_yaml_node *node = NULL;
        dip_yaml_at(&r->yaml, value, i, &none, &node);
        DIP_TRY(dip_plan_text(r, node, choice->value[i], DIP_PLAN_NAME_MAX, err));
        const dip_status status =
            dip_options_set(&dip_config_table, &r->scratch, choice->key, choice->value[i], err);
        if (status != DIP_OK) {
            return dip_yaml_locate(&r->yaml, node, status, err);
        }
        choice->n++;
    }
    const dip_status status = dip_scope_check(DIP_SCOPE_CHOICE, choice->key, err);
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(&r->yaml, key, status, err);
}

/* Each is tried, so one that stands there twice is a slip. */
static dip_status check_values(dip_plan_reader *r, const dip_choice *choice,
                               const dip_yaml_node *values, dip_error *err) {
    for (size_t i = 0; i < choice->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(choice->value[j], choice->value[i]) == 0) {
                dip_yaml_node *none = NULL;
                dip_yaml_node *node = NULL;
                dip_yaml_at(&r->yaml, values, i, &none, &node);
                return dip_yaml_fail(&r->yaml, node, err, "%s has the value %s twice", choice->key,
                                     choice->value[i]);
            }
        }
    }
    return DIP_OK;
}

static dip_status read_choice(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                              const dip_yaml_node *value, dip_error *err) {
    dip_plan_method *method = object;
    if (method->n_choices == DIP_PLAN_CHOICES) {
        return dip_yaml_fail(&r->yaml, key, err, "more than %d options to choose",
                             DIP_PLAN_CHOICES);
    }
    dip_choice *choice = &method->choice[method->n_choices++];
    DIP_TRY(dip_plan_choice(r, choice, key, value, err));
    return check_values(r, choice, value, err);
}

size_t dip_plan_method_of(const dip_plan *plan, const char *name) {
    size_t i = 0;
    while (i < plan->n_methods && strcmp(plan->method[i].name, name) != 0) {
        i++;
    }
    return i;
}

size_t dip_plan_condition_of(const dip_plan *plan, const char *name) {
    size_t i = 0;
    while (i < plan->n_conditions && strcmp(plan->condition[i].name, name) != 0) {
        i++;
    }
    return i;
}

static dip_status read_method_key(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                                  const dip_yaml_node *value, dip_error *err) {
    dip_plan_method *method = object;
    if (dip_plan_is_named(key, "label")) {
        return dip_plan_text(r, value, method->label, sizeof method->label, err);
    }
    if (dip_plan_is_named(key, "options")) {
        return read_options(r, value, DIP_SCOPE_METHOD, &method->options, err);
    }
    if (dip_plan_is_named(key, "choose")) {
        return dip_plan_each(r, value, read_choice, method, err);
    }
    if (dip_plan_is_named(key, "like")) { /* may name a later method: see read_likes */
        return dip_yaml_text(value) != NULL
                   ? DIP_OK
                   : dip_yaml_fail(&r->yaml, value, err, "the name of a method is wanted here");
    }
    return dip_plan_unknown_key(r, key, "label, options, choose, like", err);
}

static dip_status read_method(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                              const dip_yaml_node *value, dip_error *err) {
    dip_plan *plan = object;
    dip_plan_method *method = &plan->method[plan->n_methods];
    DIP_TRY(read_name(r, key, plan->n_methods, "method", method->name, err));
    DIP_TRY(check_method_name(r, key, method->name, err));
    memcpy(method->label, method->name, sizeof method->name);
    method->like = -1;
    DIP_TRY(dip_plan_each(r, value, read_method_key, method, err));
    plan->n_methods++;
    return DIP_OK;
}

static dip_status read_like(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                            const dip_yaml_node *value, dip_error *err) {
    dip_plan *plan = object;
    dip_plan_method *method = &plan->method[dip_plan_method_of(plan, dip_yaml_text(key))];
    const dip_yaml_node *like = dip_yaml_get(&r->yaml, value, "like");
    if (like == NULL) {
        return DIP_OK;
    }
    const size_t other = dip_plan_method_of(plan, dip_yaml_text(like));
    if (other == plan->n_methods || plan->method[other].n_choices == 0) {
        return dip_yaml_fail(&r->yaml, like, err,
                             "like: \"%s\" is no method of this study with something to choose",
                             dip_yaml_text(like));
    }
    method->like = (int)other;
    return DIP_OK;
}

/* A method that begins with what another chose must not be waited for by that one. */
static dip_status check_likes(dip_plan_reader *r, const dip_yaml_node *methods, dip_error *err) {
    const dip_plan *plan = r->plan;
    for (size_t m = 0; m < plan->n_methods; m++) {
        size_t steps = 0;
        for (int at = plan->method[m].like; at >= 0; at = plan->method[at].like) {
            if (++steps > plan->n_methods) {
                return dip_yaml_fail(&r->yaml, methods, err,
                                     "the methods are like each other in a circle, beginning with "
                                     "\"%s\"",
                                     plan->method[m].name);
            }
        }
    }
    return DIP_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static dip_status check_key(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                            const dip_yaml_node *value, dip_error *err) {
    static const char *const KEYS[] = {"options",    "seeds",   "choice_seeds", "baseline",
                                       "conditions", "methods", "tables",       "figures"};
    (void)object;
    (void)value;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        if (dip_plan_is_named(key, KEYS[i])) {
            return DIP_OK;
        }
    }
    return dip_plan_unknown_key(
        r, key, "options, seeds, choice_seeds, baseline, conditions, methods, tables, figures",
        err);
}

/* What a key's value is read by, when it is there. */
static dip_status read_baseline(dip_plan_reader *r, const dip_yaml_node *root, dip_error *err) {
    const dip_yaml_node *node = dip_yaml_get(&r->yaml, root, "baseline");
    if (node == NULL) {
        return DIP_OK;
    }
    const char *name = dip_yaml_text(node) != NULL ? dip_yaml_text(node) : "";
    r->plan->baseline = dip_plan_method_of(r->plan, name);
    return r->plan->baseline < r->plan->n_methods
               ? DIP_OK
               : dip_yaml_fail(&r->yaml, node, err, "\"%s\" is no method of this study", name);
}

static dip_status read_numbers(dip_plan_reader *r, const dip_yaml_node *root, dip_error *err) {
    const dip_yaml_node *seeds = dip_yaml_get(&r->yaml, root, "seeds");
    const dip_yaml_node *choice = dip_yaml_get(&r->yaml, root, "choice_seeds");
    r->plan->seeds = 5;
    r->plan->choice_seeds = 1;
    if (seeds != NULL) {
        DIP_TRY(dip_plan_count(r, seeds, DIP_PLAN_SEEDS_MAX, &r->plan->seeds, err));
    }
    return choice != NULL
               ? dip_plan_count(r, choice, DIP_PLAN_SEEDS_MAX, &r->plan->choice_seeds, err)
               : DIP_OK;
}

static dip_status read_parts(dip_plan_reader *r, const dip_yaml_node *root, dip_error *err) {
    const dip_yaml_node *node = NULL;
    DIP_TRY(dip_plan_each(r, root, check_key, NULL, err));
    DIP_TRY(read_numbers(r, root, err));
    if ((node = dip_yaml_get(&r->yaml, root, "options")) != NULL) {
        DIP_TRY(read_options(r, node, DIP_SCOPE_EVERY_RUN, &r->plan->options, err));
    }
    if ((node = dip_yaml_get(&r->yaml, root, "conditions")) != NULL) {
        DIP_TRY(dip_plan_each(r, node, read_condition, r->plan, err));
    }
    if ((node = dip_yaml_get(&r->yaml, root, "methods")) != NULL) {
        DIP_TRY(dip_plan_each(r, node, read_method, r->plan, err));
        DIP_TRY(dip_plan_each(r, node, read_like, r->plan, err));
        DIP_TRY(check_likes(r, node, err));
    }
    if (r->plan->n_conditions == 0 || r->plan->n_methods == 0) {
        return dip_yaml_fail(&r->yaml, root, err, "a study needs methods and conditions");
    }
    DIP_TRY(read_baseline(r, root, err));
    if ((node = dip_yaml_get(&r->yaml, root, "tables")) != NULL) {
        DIP_TRY(dip_plan_read_views(r, node, true, err));
    }
    node = dip_yaml_get(&r->yaml, root, "figures");
    return node != NULL ? dip_plan_read_views(r, node, false, err) : DIP_OK;
}

dip_status dip_plan_parse(dip_plan **plan, const char *text, size_t bytes, const char *name,
                          dip_error *err) {
    dip_plan_reader r = {.plan = NULL};
    dip_options_default(&dip_config_table, &r.scratch, sizeof r.scratch);
    DIP_TRY(dip_yaml_parse(&r.yaml, text, bytes, name, err));
    r.plan = dip_alloc(1, sizeof **plan, "a study", err);
    dip_status status = DIP_ERR_MEMORY;
    if (r.plan != NULL) {
        snprintf(r.plan->name, sizeof r.plan->name, "%s", name);
        status = read_parts(&r, dip_yaml_root(&r.yaml), err);
    }
    dip_yaml_free(&r.yaml);
    if (status != DIP_OK) {
        dip_free(r.plan);
        return status;
    }
    *plan = r.plan;
    return DIP_OK;
}

dip_status dip_plan_read(dip_plan **plan, const char *path, dip_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    DIP_TRY(dip_read_file(path, FILE_MAX_BYTES, &text, &bytes, err));
    const dip_status status = dip_plan_parse(plan, text, bytes, path, err);
    dip_free(text);
    return status;
}
