/* SPDX-License-Identifier: Apache-2.0
 *
 * What the project file says about the data: entities (items, queries), their features, and the
 * embedding tables that features look their values up in. The fitted parts (table sizes,
 * normalisers, bucket edges) are filled in by prepare and stored in the dataset's manifest.
 */
#ifndef DIP_DATA_SCHEMA_H
#define DIP_DATA_SCHEMA_H

#include "base/json.h"
#include "base/options.h"
#include "base/yaml.h"
#include "data/source.h"

/* Masks are bit sets of this many features. */
enum { DIP_FEATURES_MAX = 64, DIP_BUCKETS_MAX = 1000 };

typedef enum dip_feature_type {
    DIP_FEATURE_ID,
    DIP_FEATURE_CATEGORICAL,
    DIP_FEATURE_BAG,
    DIP_FEATURE_TEXT,
    DIP_FEATURE_NUMERIC
} dip_feature_type;

typedef enum dip_pool { DIP_POOL_MEAN, DIP_POOL_SUM, DIP_POOL_SQRTN } dip_pool;

typedef enum dip_side { DIP_SIDE_ITEM, DIP_SIDE_QUERY } dip_side;

typedef struct dip_feature {
    char name[DIP_TEXT_MAX];
    char column[DIP_TEXT_MAX];    /* the name when empty in the project file */
    char separator[DIP_TEXT_MAX]; /* between the values of a bag */
    char table_name[DIP_TEXT_MAX];
    int type; /* dip_feature_type */
    int pool; /* dip_pool */
    dip_list ngrams;
    int64_t min_count;
    int64_t max_vocab;
    int64_t hash_buckets;
    int64_t buckets;

    int table;        /* index into dip_schema.tables, or -1 for a plain number */
    double mean;      /* normaliser of a plain number */
    double deviation; /* > 0 */
    size_t n_edges;   /* buckets - 1 ascending cut points of a bucketed number */
    double *edges;
} dip_feature;

/* One vocabulary: rows 0 ... rows - 1. */
typedef struct dip_table {
    char name[DIP_TEXT_MAX];
    int64_t rows;
    bool is_vocabulary; /* has a stored list of values; false for hash buckets and number buckets */
} dip_table;

typedef struct dip_entity {
    dip_source source; /* without files for queries that only have an id */
    char id[DIP_TEXT_MAX];
    char title[DIP_TEXT_MAX];
    size_t n_features;
    dip_feature *features;
} dip_entity;

typedef struct dip_schema {
    dip_entity items;
    dip_entity queries; /* unused when queries_are_items */
    bool queries_are_items;
    dip_source interactions;
    char query_column[DIP_TEXT_MAX];
    char item_column[DIP_TEXT_MAX];
    char time_column[DIP_TEXT_MAX];
    size_t n_tables;
    dip_table *tables;
} dip_schema;

/* The settings of one feature; the table of the public documentation too. */
extern const dip_option_table dip_feature_table;

/* id and title of an entity. */
extern const dip_option_table dip_entity_table;

/* What is wrong with a feature's settings taken together, or NULL. */
const char *dip_feature_problem(const dip_feature *feature);

/* Reads the items, queries and interactions sections. */
dip_status dip_schema_read(dip_schema *schema, dip_yaml *yaml, dip_error *err);

/* A copy to write fitted values into, of a schema that has none yet. To be freed after a failure
 * too. */
dip_status dip_schema_copy(dip_schema *copy, const dip_schema *schema, dip_error *err);

/* The entity of a side (items when queries are items). */
const dip_entity *dip_schema_entity(const dip_schema *schema, dip_side side);

/* A feature with several values an item. */
static inline bool dip_feature_is_bag(const dip_feature *feature) {
    return feature->type == DIP_FEATURE_BAG || feature->type == DIP_FEATURE_TEXT;
}

/* The features of an entity that are ids, as a mask. */
uint64_t dip_entity_ids(const dip_entity *entity);

/* Those that an item can do without: all of them, or none where nothing else would be left. */
uint64_t dip_schema_spare_ids(const dip_schema *schema);

dip_status dip_schema_to_json(const dip_schema *schema, json_t **json, dip_error *err);
dip_status dip_schema_from_json(dip_schema *schema, const json_t *json, dip_error *err);

void dip_schema_free(dip_schema *schema);

#endif
