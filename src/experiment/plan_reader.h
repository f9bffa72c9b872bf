/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two files that read a study share: steps over YAML whose errors name line and column.
 */
#ifndef DIP_EXPERIMENT_PLAN_READER_H
#define DIP_EXPERIMENT_PLAN_READER_H

#include "base/yaml.h"
#include "experiment/plan.h"

#include <string.h>

typedef struct dip_plan_reader {
    dip_yaml yaml;
    dip_plan *plan;
    dip_config scratch; /* options are tried on it, so that a bad value is found where it stands */
} dip_plan_reader;

typedef dip_status (*dip_plan_entry_fn)(dip_plan_reader *reader, void *object,
                                        const dip_yaml_node *key, const dip_yaml_node *value,
                                        dip_error *err);

static inline bool dip_plan_is_named(const dip_yaml_node *key, const char *name) {
    return strcmp(dip_yaml_text(key), name) == 0;
}

/* Calls `entry` for each entry of a mapping. */
dip_status dip_plan_each(dip_plan_reader *reader, const dip_yaml_node *map, dip_plan_entry_fn entry,
                         void *object, dip_error *err);

dip_status dip_plan_unknown_key(dip_plan_reader *reader, const dip_yaml_node *key,
                                const char *known, dip_error *err);

dip_status dip_plan_text(dip_plan_reader *reader, const dip_yaml_node *node, char *text,
                         size_t capacity, dip_error *err);

/* A number from 1 to `most`. */
dip_status dip_plan_count(dip_plan_reader *reader, const dip_yaml_node *node, int64_t most,
                          int64_t *count, dip_error *err);

/* An option and the values that it may take. */
dip_status dip_plan_choice(dip_plan_reader *reader, dip_choice *choice, const dip_yaml_node *key,
                           const dip_yaml_node *value, dip_error *err);

/* The method or condition of a name; their number when there is none. */
size_t dip_plan_method_of(const dip_plan *plan, const char *name);
size_t dip_plan_condition_of(const dip_plan *plan, const char *name);

/* The title of a figure that has none of its own. */
void dip_plan_title(dip_plan_figure *figure);

/* The list of tables, or of figures. Methods and conditions are read before. */
dip_status dip_plan_read_views(dip_plan_reader *reader, const dip_yaml_node *list, bool of_tables,
                               dip_error *err);

#endif
