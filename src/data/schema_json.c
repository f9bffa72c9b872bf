/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema as JSON, in manifests and models. Reading trusts nothing: what comes back can be used
 * for look-ups without further checks.
 */
#include "base/mem.h"
#include "data/schema.h"

#include <math.h>
#include <string.h>

static dip_status edges_to_json(const dip_feature *feature, json_t *object, dip_error *err) {
    json_t *edges = NULL;
    DIP_TRY(dip_json_new_array(&edges, err));
    for (size_t i = 0; i < feature->n_edges; i++) {
        const dip_status status = dip_json_append(edges, json_real(feature->edges[i]), err);
        if (status != DIP_OK) {
            json_decref(edges);
            return status;
        }
    }
    return dip_json_set(object, "edges", edges, err);
}

static dip_status feature_to_json(const dip_feature *feature, json_t *list, dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    DIP_TRY(dip_json_append(list, object, err));
    DIP_TRY(dip_json_set(object, "name", json_string(feature->name), err));
    for (size_t i = 0; i < dip_feature_table.n; i++) {
        char text[DIP_VALUE_MAX];
        dip_options_get(&dip_feature_table.row[i], feature, text);
        DIP_TRY(dip_json_set(object, dip_feature_table.row[i].key, json_string(text), err));
    }
    DIP_TRY(dip_json_set(object, "table_index", json_integer(feature->table), err));
    DIP_TRY(dip_json_set(object, "mean", json_real(feature->mean), err));
    DIP_TRY(dip_json_set(object, "deviation", json_real(feature->deviation), err));
    return edges_to_json(feature, object, err);
}

static dip_status entity_to_json(const dip_entity *entity, json_t *parent, const char *key,
                                 dip_error *err) {
    json_t *object = NULL;
    json_t *features = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    DIP_TRY(dip_json_set(parent, key, object, err));
    DIP_TRY(dip_source_to_json(&entity->source, object, err));
    for (size_t i = 0; i < dip_entity_table.n; i++) {
        char text[DIP_VALUE_MAX];
        dip_options_get(&dip_entity_table.row[i], entity, text);
        DIP_TRY(dip_json_set(object, dip_entity_table.row[i].key, json_string(text), err));
    }
    DIP_TRY(dip_json_new_array(&features, err));
    DIP_TRY(dip_json_set(object, "features", features, err));
    for (size_t i = 0; i < entity->n_features; i++) {
        DIP_TRY(feature_to_json(&entity->features[i], features, err));
    }
    return DIP_OK;
}

static dip_status tables_to_json(const dip_schema *schema, json_t *parent, dip_error *err) {
    json_t *tables = NULL;
    DIP_TRY(dip_json_new_array(&tables, err));
    DIP_TRY(dip_json_set(parent, "tables", tables, err));
    for (size_t i = 0; i < schema->n_tables; i++) {
        const dip_table *table = &schema->tables[i];
        DIP_TRY(dip_json_append(tables,
                                json_pack("{s:s, s:I, s:b}", "name", table->name, "rows",
                                          (json_int_t)table->rows, "is_vocabulary",
                                          table->is_vocabulary),
                                err));
    }
    return DIP_OK;
}

static dip_status fill_json(const dip_schema *schema, json_t *json, dip_error *err) {
    DIP_TRY(entity_to_json(&schema->items, json, "items", err));
    if (!schema->queries_are_items) {
        DIP_TRY(entity_to_json(&schema->queries, json, "queries", err));
    }
    return tables_to_json(schema, json, err);
}

dip_status dip_schema_to_json(const dip_schema *schema, json_t **json, dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    const dip_status status = fill_json(schema, object, err);
    if (status != DIP_OK) {
        json_decref(object);
        return status;
    }
    *json = object;
    return DIP_OK;
}

static dip_status set_from_json(const json_t *object, const dip_option_table *table, void *target,
                                dip_error *err) {
    for (size_t i = 0; i < table->n; i++) {
        const char *text = NULL;
        DIP_TRY(dip_json_text(object, table->row[i].key, &text, err));
        if (dip_options_set(table, target, table->row[i].key, text, err) != DIP_OK) {
            return dip_fail_context(err, DIP_ERR_FORMAT, "stored schema");
        }
    }
    return DIP_OK;
}

static dip_status edges_from_json(dip_feature *feature, const json_t *object, dip_error *err) {
    json_t *edges = NULL;
    DIP_TRY(dip_json_array(object, "edges", &edges, err));
    const size_t n = json_array_size(edges);
    if (n > DIP_BUCKETS_MAX) {
        return dip_fail(err, DIP_ERR_FORMAT, "feature \"%s\" has %zu edges", feature->name, n);
    }
    feature->edges = dip_alloc(n, sizeof *feature->edges, "bucket edges", err);
    if (feature->edges == NULL) {
        return DIP_ERR_MEMORY;
    }
    feature->n_edges = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *edge = json_array_get(edges, i);
        feature->edges[i] = json_is_number(edge) ? json_number_value(edge) : NAN;
    }
    return DIP_OK;
}

static dip_status feature_from_json(dip_feature *feature, const json_t *object, int64_t n_tables,
                                    dip_error *err) {
    const char *name = NULL;
    int64_t table = 0;
    dip_options_default(&dip_feature_table, feature, sizeof *feature);
    DIP_TRY(dip_json_text(object, "name", &name, err));
    if (strlen(name) >= sizeof feature->name) {
        return dip_fail(err, DIP_ERR_FORMAT, "a feature's name is too long");
    }
    memcpy(feature->name, name, strlen(name) + 1);
    DIP_TRY(set_from_json(object, &dip_feature_table, feature, err));
    DIP_TRY(dip_json_integer(object, "table_index", -1, n_tables - 1, &table, err));
    feature->table = (int)table;
    DIP_TRY(dip_json_number(object, "mean", &feature->mean, err));
    DIP_TRY(dip_json_number(object, "deviation", &feature->deviation, err));
    const bool is_plain_number = feature->type == DIP_FEATURE_NUMERIC && feature->buckets == 0;
    if ((feature->table < 0) != is_plain_number || !(feature->deviation > 0)) {
        return dip_fail(err, DIP_ERR_FORMAT, "feature \"%s\" contradicts its type", feature->name);
    }
    return edges_from_json(feature, object, err);
}

static dip_status entity_from_json(dip_entity *entity, const json_t *object, int64_t n_tables,
                                   dip_error *err) {
    json_t *features = NULL;
    dip_options_default(&dip_entity_table, entity, sizeof *entity);
    DIP_TRY(set_from_json(object, &dip_entity_table, entity, err));
    DIP_TRY(dip_source_from_json(&entity->source, object, err));
    DIP_TRY(dip_json_array(object, "features", &features, err));
    const size_t n = json_array_size(features);
    if (n == 0 || n > DIP_FEATURES_MAX) {
        return dip_fail(err, DIP_ERR_FORMAT, "%zu features, not 1 to %d", n, DIP_FEATURES_MAX);
    }
    entity->features = dip_alloc(n, sizeof *entity->features, "features", err);
    if (entity->features == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        entity->n_features = i + 1;
        DIP_TRY(
            feature_from_json(&entity->features[i], json_array_get(features, i), n_tables, err));
    }
    return DIP_OK;
}

static dip_status table_from_json(dip_table *table, const json_t *object, dip_error *err) {
    const char *name = NULL;
    DIP_TRY(dip_json_text(object, "name", &name, err));
    if (strlen(name) >= sizeof table->name) {
        return dip_fail(err, DIP_ERR_FORMAT, "a table's name is too long");
    }
    memcpy(table->name, name, strlen(name) + 1);
    table->is_vocabulary = json_is_true(json_object_get(object, "is_vocabulary"));
    return dip_json_integer(object, "rows", 0, INT32_MAX, &table->rows, err);
}

static dip_status tables_from_json(dip_schema *schema, const json_t *json, dip_error *err) {
    json_t *tables = NULL;
    DIP_TRY(dip_json_array(json, "tables", &tables, err));
    const size_t n = json_array_size(tables);
    if (n > 2 * DIP_FEATURES_MAX) {
        return dip_fail(err, DIP_ERR_FORMAT, "%zu tables, more than %d", n, 2 * DIP_FEATURES_MAX);
    }
    schema->tables = dip_alloc(n, sizeof *schema->tables, "tables", err);
    if (schema->tables == NULL) {
        return DIP_ERR_MEMORY;
    }
    schema->n_tables = n;
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(table_from_json(&schema->tables[i], json_array_get(tables, i), err));
    }
    return DIP_OK;
}

/* Ascending, finite, and fewer than the buckets they divide. */
static bool edges_are_sound(const dip_feature *feature) {
    if (feature->n_edges > 0 && (int64_t)feature->n_edges >= feature->buckets) {
        return false;
    }
    for (size_t i = 0; i < feature->n_edges; i++) {
        if (!isfinite(feature->edges[i]) || (i > 0 && feature->edges[i] <= feature->edges[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Rows that a feature can name must exist in its table: look-ups at serving time trust this. */
static dip_status check_entity(const dip_schema *schema, const dip_entity *entity, dip_error *err) {
    for (size_t f = 0; f < entity->n_features; f++) {
        const dip_feature *feature = &entity->features[f];
        const int64_t fixed =
            feature->type == DIP_FEATURE_NUMERIC ? feature->buckets : feature->hash_buckets;
        const char *problem = dip_feature_problem(feature);
        if (problem != NULL) {
            return dip_fail(err, DIP_ERR_FORMAT, "feature \"%s\": %s", feature->name, problem);
        }
        if (!edges_are_sound(feature)) {
            return dip_fail(err, DIP_ERR_FORMAT, "feature \"%s\" has bad bucket edges",
                            feature->name);
        }
        if (feature->table < 0) {
            continue;
        }
        const dip_table *table = &schema->tables[feature->table];
        if (table->is_vocabulary != (fixed == 0) || (fixed > 0 && table->rows != fixed)) {
            return dip_fail(err, DIP_ERR_FORMAT,
                            "feature \"%s\" does not fit its table \"%s\" of %lld rows",
                            feature->name, table->name, (long long)table->rows);
        }
    }
    return DIP_OK;
}

static dip_status fill_schema(dip_schema *schema, const json_t *json, dip_error *err) {
    json_t *items = NULL;
    json_t *queries = NULL;
    DIP_TRY(tables_from_json(schema, json, err));
    DIP_TRY(dip_json_object(json, "items", &items, err));
    DIP_TRY(entity_from_json(&schema->items, items, (int64_t)schema->n_tables, err));
    DIP_TRY(check_entity(schema, &schema->items, err));
    schema->queries_are_items = json_object_get(json, "queries") == NULL;
    if (schema->queries_are_items) {
        return DIP_OK;
    }
    DIP_TRY(dip_json_object(json, "queries", &queries, err));
    DIP_TRY(entity_from_json(&schema->queries, queries, (int64_t)schema->n_tables, err));
    return check_entity(schema, &schema->queries, err);
}

dip_status dip_schema_from_json(dip_schema *schema, const json_t *json, dip_error *err) {
    memset(schema, 0, sizeof *schema);
    const dip_status status = fill_schema(schema, json, err);
    if (status != DIP_OK) {
        dip_schema_free(schema);
        return dip_fail_context(err, status, "schema");
    }
    return DIP_OK;
}
