/* SPDX-License-Identifier: Apache-2.0 */
#include "data/schema.h"

#include "base/mem.h"

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
    {"id", DIP_OPTION_TEXT, ENTITY(id), "", 0, 0, NULL, "the column of the id"},
    {"title", DIP_OPTION_TEXT, ENTITY(title), "", 0, 0, NULL,
     "the column shown beside ids; by default the first text feature's"},
};

static const dip_option INTERACTION_ROWS[] = {
    {"query", DIP_OPTION_TEXT, SCHEMA(query_column), "", 0, 0, NULL, "the column of the query id"},
    {"item", DIP_OPTION_TEXT, SCHEMA(item_column), "", 0, 0, NULL, "the column of the item id"},
    {"time", DIP_OPTION_TEXT, SCHEMA(time_column), "", 0, 0, NULL,
     "the column of the time, a number"},
};
/* clang-format on */

const dip_option_table dip_feature_table = {
    FEATURE_ROWS, sizeof FEATURE_ROWS / sizeof FEATURE_ROWS[0], "feature setting"};
const dip_option_table dip_entity_table = {ENTITY_ROWS, sizeof ENTITY_ROWS / sizeof ENTITY_ROWS[0],
                                           "setting"};
static const dip_option_table INTERACTION_TABLE = {
    INTERACTION_ROWS, sizeof INTERACTION_ROWS / sizeof INTERACTION_ROWS[0], "setting"};

/* A key that is in no table, with the nearest of those that are. */
static dip_status unknown_key(dip_yaml *yaml, const dip_yaml_node *key,
                              const dip_option_table *table, bool has_source, dip_error *err) {
    static const char *const SOURCE_KEYS[] = {"file", "columns", "format", "delimiter", "encoding"};
    const char *name = dip_yaml_text(key);
    const char *nearest = NULL;
    unsigned best = UINT32_MAX;
    const size_t n_source = has_source ? sizeof SOURCE_KEYS / sizeof SOURCE_KEYS[0] : 0;
    for (size_t i = 0; i < table->n + n_source; i++) {
        const char *known = i < table->n ? table->row[i].key : SOURCE_KEYS[i - table->n];
        unsigned distance = 0;
        if (dip_spelling_is_near(name, known, &distance) && distance < best) {
            best = distance;
            nearest = known;
        }
    }
    return dip_yaml_fail(yaml, key, err, "unknown %s \"%s\"%s%s%s", table->what, name,
                         nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                         nearest != NULL ? "\"?" : "");
}

static dip_status set_key(dip_yaml *yaml, const dip_yaml_node *key, const dip_yaml_node *value,
                          const dip_option_table *table, void *object, dip_error *err) {
    char text[DIP_VALUE_MAX];
    DIP_TRY(dip_yaml_scalar(yaml, value, text, sizeof text, err));
    const dip_status status = dip_options_set(table, object, dip_yaml_text(key), text, err);
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(yaml, key, status, err);
}

/* Sets the rows of a table, and the source when there is one, from a mapping. The key `skip`, when
 * it is given, is left to the caller. */
static dip_status set_from_map(dip_yaml *yaml, const dip_yaml_node *map,
                               const dip_option_table *table, void *object, dip_source *source,
                               const char *skip, dip_error *err) {
    for (size_t i = 0; i < dip_yaml_count(map); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(yaml, map, i, &key, &value);
        const char *name = dip_yaml_text(key);
        if (skip != NULL && strcmp(name, skip) == 0) {
            continue;
        }
        if (dip_options_find(table, name) != NULL) {
            DIP_TRY(set_key(yaml, key, value, table, object, err));
        } else if (source != NULL && dip_source_has_key(name)) {
            DIP_TRY(dip_source_set(source, yaml, key, value, err));
        } else {
            return unknown_key(yaml, key, table, source != NULL, err);
        }
    }
    return DIP_OK;
}

const char *dip_feature_problem(const dip_feature *feature) {
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
    DIP_TRY(set_from_map(yaml, value, &dip_feature_table, feature, NULL, NULL, err));
    if (feature->column[0] == '\0') {
        memcpy(feature->column, feature->name, sizeof feature->column);
    }
    feature->table = -1;
    feature->deviation = 1;
    const char *problem = dip_feature_problem(feature);
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
    dip_options_default(&dip_entity_table, entity, sizeof *entity);
    if (!dip_yaml_is_map(node)) {
        return dip_yaml_fail(yaml, node, err, "%s: a mapping with file, id and features", section);
    }
    DIP_TRY(set_from_map(yaml, node, &dip_entity_table, entity, &entity->source, "features", err));
    if (entity->id[0] == '\0') {
        return dip_yaml_fail(yaml, node, err, "%s: \"id\" (the id's column) is missing", section);
    }
    const dip_yaml_node *features = dip_yaml_get(yaml, node, "features");
    if (entity->source.files.n == 0) {
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
    DIP_TRY(set_from_map(yaml, node, &INTERACTION_TABLE, schema, &schema->interactions, NULL, err));
    const char *missing = schema->interactions.files.n == 0 ? "file"
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

uint64_t dip_entity_ids(const dip_entity *entity) {
    uint64_t mask = 0;
    for (size_t f = 0; f < entity->n_features; f++) {
        mask |= (uint64_t)(entity->features[f].type == DIP_FEATURE_ID) << f;
    }
    return mask;
}

uint64_t dip_schema_spare_ids(const dip_schema *schema) {
    const uint64_t ids = dip_entity_ids(&schema->items);
    return (size_t)__builtin_popcountll(ids) < schema->items.n_features ? ids : 0;
}

const dip_entity *dip_schema_entity(const dip_schema *schema, dip_side side) {
    return side == DIP_SIDE_QUERY && !schema->queries_are_items ? &schema->queries : &schema->items;
}

static dip_status copy_entity(dip_entity *copy, const dip_entity *entity, dip_error *err) {
    *copy = *entity;
    copy->source = (dip_source){0};
    copy->n_features = 0;
    copy->features = dip_alloc(entity->n_features, sizeof *copy->features, "features", err);
    if (copy->features == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (entity->n_features > 0) {
        memcpy(copy->features, entity->features, entity->n_features * sizeof *copy->features);
        copy->n_features = entity->n_features;
    }
    return dip_source_copy(&copy->source, &entity->source, err);
}

dip_status dip_schema_copy(dip_schema *copy, const dip_schema *schema, dip_error *err) {
    *copy = *schema;
    copy->items = (dip_entity){0};
    copy->queries = (dip_entity){0};
    copy->interactions = (dip_source){0};
    DIP_TRY(copy_entity(&copy->items, &schema->items, err));
    DIP_TRY(copy_entity(&copy->queries, &schema->queries, err));
    return dip_source_copy(&copy->interactions, &schema->interactions, err);
}

static void entity_free(dip_entity *entity) {
    for (size_t i = 0; i < entity->n_features; i++) {
        dip_free(entity->features[i].edges);
    }
    dip_free(entity->features);
    dip_source_free(&entity->source);
}

void dip_schema_free(dip_schema *schema) {
    entity_free(&schema->items);
    entity_free(&schema->queries);
    dip_source_free(&schema->interactions);
    dip_free(schema->tables);
    memset(schema, 0, sizeof *schema);
}
