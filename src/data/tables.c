/* SPDX-License-Identifier: Apache-2.0 */
#include "data/tables.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static int find_table(const dip_schema *schema, const char *name) {
    for (size_t t = 0; t < schema->n_tables; t++) {
        if (strcmp(schema->tables[t].name, name) == 0) {
            return (int)t;
        }
    }
    return -1;
}

static bool is_plain_number(const dip_feature *feature) {
    return feature->type == DIP_FEATURE_NUMERIC && feature->buckets == 0;
}

static int64_t fixed_rows(const dip_feature *feature) {
    return feature->type == DIP_FEATURE_NUMERIC ? feature->buckets : feature->hash_buckets;
}

/* The settings of a table are those of the first feature that uses it. */
const dip_feature *dip_tables_first_feature(const dip_schema *schema, size_t table) {
    const dip_entity *const entities[2] = {&schema->items, &schema->queries};
    for (size_t e = 0; e < 2; e++) {
        for (size_t f = 0; f < entities[e]->n_features; f++) {
            if (entities[e]->features[f].table == (int)table) {
                return &entities[e]->features[f];
            }
        }
    }
    return NULL;
}

static dip_status check_shared(const dip_schema *schema, const dip_feature *feature,
                               dip_error *err) {
    const dip_table *table = &schema->tables[feature->table];
    const bool has_number =
        feature->type == DIP_FEATURE_NUMERIC ||
        dip_tables_first_feature(schema, (size_t)feature->table)->type == DIP_FEATURE_NUMERIC;
    if (has_number || table->rows != fixed_rows(feature)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "feature \"%s\" cannot share table \"%s\": numbers share none, and "
                        "hash_buckets must be equal",
                        feature->name, table->name);
    }
    return DIP_OK;
}

static dip_status place_feature(dip_schema *schema, dip_feature *feature, const char *prefix,
                                dip_error *err) {
    char name[2 * DIP_TEXT_MAX];
    if (is_plain_number(feature)) {
        feature->table = -1;
        return DIP_OK;
    }
    const bool is_named = feature->table_name[0] != '\0';
    snprintf(name, sizeof name, "%s%s", is_named ? "" : prefix,
             is_named ? feature->table_name : feature->name);
    if (strlen(name) >= DIP_TEXT_MAX) {
        return dip_fail(err, DIP_ERR_USAGE, "the name of table \"%.60s...\" is too long", name);
    }
    feature->table = find_table(schema, name);
    if (feature->table >= 0) {
        return check_shared(schema, feature, err);
    }
    dip_table *table = &schema->tables[schema->n_tables];
    memcpy(table->name, name, strlen(name) + 1);
    table->rows = fixed_rows(feature);
    table->is_vocabulary = table->rows == 0;
    feature->table = (int)schema->n_tables++;
    return DIP_OK;
}

dip_status dip_tables_lay_out(dip_schema *schema, dip_error *err) {
    const size_t most = schema->items.n_features + schema->queries.n_features;
    schema->tables = dip_alloc(most, sizeof *schema->tables, "tables", err);
    if (schema->tables == NULL) {
        return DIP_ERR_MEMORY;
    }
    schema->n_tables = 0;
    for (size_t f = 0; f < schema->items.n_features; f++) {
        DIP_TRY(place_feature(schema, &schema->items.features[f], "", err));
    }
    for (size_t f = 0; f < schema->queries.n_features; f++) {
        DIP_TRY(place_feature(schema, &schema->queries.features[f], "query.", err));
    }
    return DIP_OK;
}
