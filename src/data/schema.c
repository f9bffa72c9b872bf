/* SPDX-License-Identifier: Apache-2.0 */
#include "data/schema.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define FEATURE(member) offsetof(dip_feature, member)
#define ENTITY(member) offsetof(dip_entity, member)
#define SCHEMA(member) offsetof(dip_schema, member)

/* clang-format off */
static const dip_option FEATURE_ROWS[] = {
    {"type", DIP_OPTION_CHOICE, FEATURE(type), "categorical", 0, 0,
     "id|categorical|bag|text|numeric", "what the column holds"},
    {"column", DIP_OPTION_TEXT, FEATURE(column), "", 0, 0, NULL,
     "the column, when it is not named like the feature"},
    {"separator", DIP_OPTION_TEXT, FEATURE(separator), "|", 0, 0, NULL,
     "what stands between the values of a bag"},
    {"pool", DIP_OPTION_CHOICE, FEATURE(pool), "mean", 0, 0, "mean|sum|sqrtn",
     "how the embeddings of a bag's values become one"},
    {"ngrams", DIP_OPTION_LIST, FEATURE(ngrams), "1", 1, 5, NULL,
     "lengths of the word n-grams of a text"},
    {"min_count", DIP_OPTION_INTEGER, FEATURE(min_count), "1", 1, 1e15, NULL,
     "values in fewer training rows take the default embedding"},
    {"max_vocab", DIP_OPTION_INTEGER, FEATURE(max_vocab), "0", 0, 2147483647.0, NULL,
     "keep only this many most frequent values; 0 keeps all"},
    {"hash_buckets", DIP_OPTION_INTEGER, FEATURE(hash_buckets), "0", 0, 2147483647.0, NULL,
     "hash values into this many rows instead of keeping a vocabulary; 0 keeps one"},
    {"buckets", DIP_OPTION_INTEGER, FEATURE(buckets), "0", 0, DIP_BUCKETS_MAX, NULL,
     "cut a number into this many quantile buckets, each with an embedding; 0 feeds the number"},
    {"table", DIP_OPTION_TEXT, FEATURE(table_name), "", 0, 0, NULL,
     "features that name the same table share one vocabulary and its embeddings"},
};

static const dip_option ENTITY_ROWS[] = {
    {"file", DIP_OPTION_TEXT, ENTITY(file), "", 0, 0, NULL, "the file, one row each"},
    {"id", DIP_OPTION_TEXT, ENTITY(id), "", 0, 0, NULL, "the column of the id"},
    {"title", DIP_OPTION_TEXT, ENTITY(title), "", 0, 0, NULL,
     "the column shown beside ids; by default the first text feature's"},
};

static const dip_option INTERACTION_ROWS[] = {
    {"file", DIP_OPTION_TEXT, SCHEMA(interactions), "", 0, 0, NULL, "the file, one pair a row"},
    {"query", DIP_OPTION_TEXT, SCHEMA(query_column), "", 0, 0, NULL, "the column of the query id"},
    {"item", DIP_OPTION_TEXT, SCHEMA(item_column), "", 0, 0, NULL, "the column of the item id"},
    {"time", DIP_OPTION_TEXT, SCHEMA(time_column), "", 0, 0, NULL,
     "the column of the time, a number"},
};
/* clang-format on */

const dip_option_table dip_feature_table = {
    FEATURE_ROWS, sizeof FEATURE_ROWS / sizeof FEATURE_ROWS[0], "feature setting"};
static const dip_option_table ENTITY_TABLE = {
    ENTITY_ROWS, sizeof ENTITY_ROWS / sizeof ENTITY_ROWS[0], "setting"};
static const dip_option_table INTERACTION_TABLE = {
    INTERACTION_ROWS, sizeof INTERACTION_ROWS / sizeof INTERACTION_ROWS[0], "setting"};

/* Sets the rows of a table from a mapping. Keys for which `skip` is given are left to the
 * caller. */
static dip_status set_from_map(dip_yaml *yaml, const dip_yaml_node *map,
                               const dip_option_table *table, void *object, const char *skip,
                               dip_error *err) {
    for (size_t i = 0; i < dip_yaml_count(map); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        char text[DIP_VALUE_MAX];
        dip_yaml_at(yaml, map, i, &key, &value);
        if (skip != NULL && strcmp(dip_yaml_text(key), skip) == 0) {
            continue;
        }
        if (dip_options_find(table, dip_yaml_text(key)) != NULL) {
            DIP_TRY(dip_yaml_scalar(yaml, value, text, sizeof text, err));
        } else {
            text[0] = '\0';
        }
        const dip_status status = dip_options_set(table, object, dip_yaml_text(key), text, err);
        if (status != DIP_OK) {
            return dip_yaml_locate(yaml, key, status, err);
        }
    }
    return DIP_OK;
}

/* What is wrong with a feature's settings taken together, or NULL. */
static const char *feature_problem(const dip_feature *feature) {
    const bool is_number = feature->type == DIP_FEATURE_NUMERIC;
    if (feature->separator[0] == '\0') {
        return "separator: an empty text cannot divide values";
    }
    if (feature->buckets == 1) {
        return "buckets: at least 2, or 0 for none";
    }
    if (is_number && feature->hash_buckets > 0) {
        return "hash_buckets does not go with type numeric; use buckets";
    }
    if (!is_number && feature->buckets > 0) {
        return "buckets goes with type numeric; did you mean hash_buckets?";
    }
    return NULL;
}

static dip_status read_feature(dip_feature *feature, dip_yaml *yaml, const dip_yaml_node *key,
                               const dip_yaml_node *value, dip_error *err) {
    dip_options_default(&dip_feature_table, feature, sizeof *feature);
    const char *name = dip_yaml_text(key);
    if (name[0] == '\0' || strlen(name) >= sizeof feature->name ||
        strpbrk(name, "\t\n,=/") != NULL) {
        return dip_yaml_fail(yaml, key, err,
                             "a feature's name has 1 to %zu bytes, no tab, comma, '=' or '/'",
                             sizeof feature->name - 1);
    }
    memcpy(feature->name, name, strlen(name) + 1);
    if (!dip_yaml_is_map(value)) {
        return dip_yaml_fail(yaml, value, err, "feature \"%s\": write {type: ...}", name);
    }
    DIP_TRY(set_from_map(yaml, value, &dip_feature_table, feature, NULL, err));
    if (feature->column[0] == '\0') {
        memcpy(feature->column, feature->name, sizeof feature->column);
    }
    feature->table = -1;
    feature->deviation = 1;
    const char *problem = feature_problem(feature);
    return problem == NULL ? DIP_OK : dip_yaml_fail(yaml, value, err, "%s", problem);
}

static dip_status read_features(dip_entity *entity, dip_yaml *yaml, const dip_yaml_node *map,
                                dip_error *err) {
    if (!dip_yaml_is_map(map) || dip_yaml_count(map) == 0) {
        return dip_yaml_fail(yaml, map, err, "features: at least one \"name: {type: ...}\"");
    }
    const size_t n = dip_yaml_count(map);
    if (n > DIP_FEATURES_MAX) {
        return dip_yaml_fail(yaml, map, err, "%zu features, more than %d", n, DIP_FEATURES_MAX);
    }
    entity->features = dip_alloc(n, sizeof *entity->features, "features", err);
    if (entity->features == NULL) {
        return DIP_ERR_MEMORY;
    }
    entity->n_features = n;
    for (size_t i = 0; i < n; i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(yaml, map, i, &key, &value);
        DIP_TRY(read_feature(&entity->features[i], yaml, key, value, err));
    }
    return DIP_OK;
}

static void default_title(dip_entity *entity) {
    for (size_t i = 0; i < entity->n_features && entity->title[0] == '\0'; i++) {
        if (entity->features[i].type == DIP_FEATURE_TEXT) {
            memcpy(entity->title, entity->features[i].column, sizeof entity->title);
        }
    }
}

/* Queries without a file have their id as the only feature. */
static dip_status id_feature_only(dip_entity *entity, dip_error *err) {
    entity->features = dip_alloc(1, sizeof *entity->features, "features", err);
    if (entity->features == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_feature *feature = entity->features;
    dip_options_default(&dip_feature_table, feature, sizeof *feature);
    memcpy(feature->name, entity->id, sizeof feature->name);
    memcpy(feature->column, entity->id, sizeof feature->column);
    feature->type = DIP_FEATURE_ID;
    feature->table = -1;
    feature->deviation = 1;
    entity->n_features = 1;
    return DIP_OK;
}

static dip_status read_entity(dip_entity *entity, const char *section, dip_yaml *yaml,
                              const dip_yaml_node *node, bool needs_file, dip_error *err) {
    dip_options_default(&ENTITY_TABLE, entity, sizeof *entity);
    if (!dip_yaml_is_map(node)) {
        return dip_yaml_fail(yaml, node, err, "%s: a mapping with file, id and features", section);
    }
    DIP_TRY(set_from_map(yaml, node, &ENTITY_TABLE, entity, "features", err));
    if (entity->id[0] == '\0') {
        return dip_yaml_fail(yaml, node, err, "%s: \"id\" (the id's column) is missing", section);
    }
    const dip_yaml_node *features = dip_yaml_get(yaml, node, "features");
    if (entity->file[0] == '\0') {
        if (needs_file || features != NULL) {
            return dip_yaml_fail(yaml, node, err, "%s: \"file\" is missing", section);
        }
        return id_feature_only(entity, err);
    }
    if (features == NULL) {
        return dip_yaml_fail(yaml, node, err, "%s: \"features\" is missing", section);
    }
    DIP_TRY(read_features(entity, yaml, features, err));
    default_title(entity);
    return DIP_OK;
}

static dip_status read_interactions(dip_schema *schema, dip_yaml *yaml, dip_error *err) {
    const dip_yaml_node *root = dip_yaml_root(yaml);
    const dip_yaml_node *node = dip_yaml_get(yaml, root, "interactions");
    if (node == NULL || !dip_yaml_is_map(node)) {
        return dip_yaml_fail(yaml, node != NULL ? node : root, err,
                             "section \"interactions\" (file, query, item) is missing");
    }
    DIP_TRY(set_from_map(yaml, node, &INTERACTION_TABLE, schema, NULL, err));
    const char *missing = schema->interactions[0] == '\0'   ? "file"
                          : schema->query_column[0] == '\0' ? "query"
                          : schema->item_column[0] == '\0'  ? "item"
                                                            : NULL;
    if (missing != NULL) {
        return dip_yaml_fail(yaml, node, err, "interactions: \"%s\" is missing", missing);
    }
    return DIP_OK;
}

dip_status dip_schema_read(dip_schema *schema, dip_yaml *yaml, dip_error *err) {
    dip_yaml_node *root = dip_yaml_root(yaml);
    const dip_yaml_node *items = dip_yaml_get(yaml, root, "items");
    const dip_yaml_node *queries = dip_yaml_get(yaml, root, "queries");
    memset(schema, 0, sizeof *schema);
    if (items == NULL) {
        return dip_yaml_fail(yaml, root, err, "section \"items\" (file, id, features) is missing");
    }
    DIP_TRY(read_entity(&schema->items, "items", yaml, items, true, err));
    schema->queries_are_items = queries == NULL;
    if (queries != NULL) {
        DIP_TRY(read_entity(&schema->queries, "queries", yaml, queries, false, err));
    }
    return read_interactions(schema, yaml, err);
}

const dip_entity *dip_schema_entity(const dip_schema *schema, dip_side side) {
    return side == DIP_SIDE_QUERY && !schema->queries_are_items ? &schema->queries : &schema->items;
}

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
        dip_options_get(&FEATURE_ROWS[i], feature, text);
        DIP_TRY(dip_json_set(object, FEATURE_ROWS[i].key, json_string(text), err));
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
    for (size_t i = 0; i < ENTITY_TABLE.n; i++) {
        char text[DIP_VALUE_MAX];
        dip_options_get(&ENTITY_ROWS[i], entity, text);
        DIP_TRY(dip_json_set(object, ENTITY_ROWS[i].key, json_string(text), err));
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
    dip_options_default(&ENTITY_TABLE, entity, sizeof *entity);
    DIP_TRY(set_from_json(object, &ENTITY_TABLE, entity, err));
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
        const char *problem = feature_problem(feature);
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

static void entity_free(dip_entity *entity) {
    for (size_t i = 0; i < entity->n_features; i++) {
        dip_free(entity->features[i].edges);
    }
    dip_free(entity->features);
}

void dip_schema_free(dip_schema *schema) {
    entity_free(&schema->items);
    entity_free(&schema->queries);
    dip_free(schema->tables);
    memset(schema, 0, sizeof *schema);
}
