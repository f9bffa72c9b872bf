/* SPDX-License-Identifier: Apache-2.0
 *
 * Schemas: from YAML with every mistake named at its place, and through JSON without a loss.
 */
#include "check.h"
#include "data/schema.h"

#include "base/mem.h"
#include "data/tables.h"

static dip_status read_text(dip_schema *schema, check_folder *folder, const char *text) {
    dip_yaml yaml;
    check_write_text(check_path(folder, "p.yaml"), text);
    check_ok(dip_yaml_load(&yaml, check_path(folder, "p.yaml"), check_error()));
    const dip_status status = dip_schema_read(schema, &yaml, check_error());
    dip_yaml_free(&yaml);
    if (status != DIP_OK) {
        dip_schema_free(schema);
    }
    return status;
}

static const char WHOLE[] = "items:\n"
                            "  file: items.tsv\n"
                            "  id: item_id\n"
                            "  features:\n"
                            "    item_id: {type: id, min_count: 3}\n"
                            "    name: {type: text, column: full name, ngrams: [1, 2], pool: sum}\n"
                            "    tags: {type: bag, separator: ', ', max_vocab: 100, pool: sqrtn}\n"
                            "    maker: {hash_buckets: 50}\n"
                            "    price: {type: numeric}\n"
                            "    age: {type: numeric, buckets: 4}\n"
                            "queries:\n"
                            "  file: users.tsv\n"
                            "  id: user\n"
                            "  features:\n"
                            "    home: {type: categorical, table: places}\n"
                            "    work: {type: categorical, table: places}\n"
                            "interactions: {file: clicks.csv, query: u, item: i, time: t}\n";

static void a_whole_schema_is_read(void **state) {
    dip_schema s;
    check_ok(read_text(&s, *state, WHOLE));
    assert_false(s.queries_are_items);
    assert_int_equal(s.items.source.files.n, 1);
    assert_string_equal(s.items.source.files.name[0], "items.tsv");
    assert_string_equal(s.items.id, "item_id");
    assert_string_equal(s.items.title, "full name"); /* the first text's column */
    assert_int_equal(s.items.n_features, 6);
    const dip_feature *f = s.items.features;
    assert_string_equal(f[0].name, "item_id");
    assert_string_equal(f[0].column, "item_id");
    assert_int_equal(f[0].type, DIP_FEATURE_ID);
    assert_int_equal(f[0].min_count, 3);
    assert_int_equal(f[1].type, DIP_FEATURE_TEXT);
    assert_string_equal(f[1].column, "full name");
    assert_int_equal(f[1].ngrams.n, 2);
    assert_int_equal(f[1].pool, DIP_POOL_SUM);
    assert_int_equal(f[2].type, DIP_FEATURE_BAG);
    assert_string_equal(f[2].separator, ", ");
    assert_int_equal(f[2].max_vocab, 100);
    assert_int_equal(f[2].pool, DIP_POOL_SQRTN);
    assert_int_equal(f[3].type, DIP_FEATURE_CATEGORICAL);
    assert_int_equal(f[3].hash_buckets, 50);
    assert_int_equal(f[4].type, DIP_FEATURE_NUMERIC);
    assert_int_equal(f[5].buckets, 4);
    assert_int_equal(f[5].table, -1);
    assert_string_equal(s.queries.features[1].table_name, "places");
    assert_string_equal(s.queries.title, "");
    assert_string_equal(s.interactions.files.name[0], "clicks.csv");
    assert_string_equal(s.time_column, "t");
    assert_ptr_equal(dip_schema_entity(&s, DIP_SIDE_QUERY), &s.queries);
    assert_true(dip_feature_is_bag(&f[1]) && dip_feature_is_bag(&f[2]));
    assert_false(dip_feature_is_bag(&f[0]) || dip_feature_is_bag(&f[4]));
    dip_schema_free(&s);
}

static void enums_follow_the_order_of_their_choices(void **state) {
    (void)state;
    static const char *const TYPES[] = {"id", "categorical", "bag", "text", "numeric"};
    static const char *const POOLS[] = {"mean", "sum", "sqrtn"};
    for (int t = DIP_FEATURE_ID; t <= DIP_FEATURE_NUMERIC; t++) {
        dip_feature feature;
        dip_options_default(&dip_feature_table, &feature, sizeof feature);
        check_ok(dip_options_set(&dip_feature_table, &feature, "type", TYPES[t], check_error()));
        assert_int_equal(feature.type, t);
    }
    for (int p = DIP_POOL_MEAN; p <= DIP_POOL_SQRTN; p++) {
        dip_feature feature;
        dip_options_default(&dip_feature_table, &feature, sizeof feature);
        check_ok(dip_options_set(&dip_feature_table, &feature, "pool", POOLS[p], check_error()));
        assert_int_equal(feature.pool, p);
    }
}

static void without_queries_the_queries_are_items(void **state) {
    dip_schema s;
    check_ok(read_text(&s, *state,
                       "items: {file: i.tsv, id: i, features: {i: {type: id}}}\n"
                       "interactions: {file: p.tsv, query: q, item: i}\n"));
    assert_true(s.queries_are_items);
    assert_ptr_equal(dip_schema_entity(&s, DIP_SIDE_QUERY), &s.items);
    assert_string_equal(s.time_column, "");
    dip_schema_free(&s);
}

static void queries_without_a_file_have_their_id_as_feature(void **state) {
    dip_schema s;
    check_ok(read_text(&s, *state,
                       "items: {file: i.tsv, id: i, features: {i: {type: id}}}\n"
                       "queries: {id: user}\n"
                       "interactions: {file: p.tsv, query: user, item: i}\n"));
    assert_false(s.queries_are_items);
    assert_int_equal(s.queries.n_features, 1);
    assert_string_equal(s.queries.features[0].name, "user");
    assert_int_equal(s.queries.features[0].type, DIP_FEATURE_ID);
    dip_schema_free(&s);
}

#define ITEMS "items: {file: i.tsv, id: i, features: {i: {type: id}}}\n"
#define PAIRS "interactions: {file: p.tsv, query: q, item: i}\n"

static void mistakes_are_named_at_their_place(void **state) {
    static const char *const CASES[][2] = {
        {PAIRS, "p.yaml:1:1: section \"items\""},
        {"items: 5\n" PAIRS, "p.yaml:1:8: items: a mapping"},
        {"items: {id: i, features: {i: {}}}\n" PAIRS, "p.yaml:1:8: items: \"file\" is missing"},
        {"items: {file: i.tsv, features: {i: {}}}\n" PAIRS, "items: \"id\""},
        {"items: {file: i.tsv, id: i}\n" PAIRS, "items: \"features\" is missing"},
        {"items: {file: i.tsv, id: i, features: {}}\n" PAIRS,
         "p.yaml:1:39: features: at least one"},
        {"items: {file: i.tsv, id: i, features: [i]}\n" PAIRS, "features: at least one"},
        {"items: {file: i.tsv, id: i, features: {i: id}}\n" PAIRS, "p.yaml:1:43: feature \"i\""},
        {"items:\n  file: i.tsv\n  id: i\n  features:\n    i: {typ: id}\n" PAIRS,
         "p.yaml:5:9: unknown feature setting \"typ\"; did you mean \"type\"?"},
        {"items:\n  file: i.tsv\n  id: i\n  features:\n    i: {type: ids}\n" PAIRS,
         "p.yaml:5:9: type: \"ids\" is not allowed"},
        {"items: {file: i.tsv, id: i, features: {i: {min_count: 0}}}\n" PAIRS, "min_count: \"0\""},
        {"items: {file: i.tsv, id: i, features: {i: {ngrams: [1, 9]}}}\n" PAIRS, "ngrams: \"1,9\""},
        {"items: {file: i.tsv, id: i, features: {i: {type: [id, bag]}}}\n" PAIRS,
         "type: \"id,bag\""},
        {"items: {file: i.tsv, id: i, features: {i: {type: {a: b}}}}\n" PAIRS, "plain value"},
        {"items: {file: i.tsv, id: i, features: {i: {type: bag, separator: ''}}}\n" PAIRS,
         "separator: an empty text"},
        {"items: {file: i.tsv, id: i, features: {i: {type: numeric, buckets: 1}}}\n" PAIRS,
         "buckets: at least 2"},
        {"items: {file: i.tsv, id: i, features: {i: {type: numeric, hash_buckets: 9}}}\n" PAIRS,
         "hash_buckets does not go with type numeric"},
        {"items: {file: i.tsv, id: i, features: {i: {type: bag, buckets: 9}}}\n" PAIRS,
         "did you mean hash_buckets?"},
        {"items: {file: i.tsv, id: i, features: {'a,b': {}}}\n" PAIRS, "a feature's name"},
        {"items: {file: i.tsv, id: i, features: {'a/b': {}}}\n" PAIRS, "a feature's name"},
        {"items: {file: i.tsv, id: i, features: {'a=b': {}}}\n" PAIRS, "a feature's name"},
        {"items: {file: i.tsv, id: i, features: {'': {}}}\n" PAIRS, "a feature's name"},
        {"items: {fil: i.tsv, id: i}\n" PAIRS, "unknown setting \"fil\"; did you mean \"file\"?"},
        {ITEMS, "p.yaml:1:1: section \"interactions\""},
        {ITEMS "interactions: x\n", "p.yaml:2:15: section \"interactions\""},
        {ITEMS "interactions: {query: q, item: i}\n", "interactions: \"file\" is missing"},
        {ITEMS "interactions: {file: p.tsv, item: i}\n", "interactions: \"query\" is missing"},
        {ITEMS "interactions: {file: p.tsv, query: q}\n", "interactions: \"item\" is missing"},
        {ITEMS "interactions: {file: p.tsv, query: q, item: i, tim: t}\n",
         "did you mean \"time\"?"},
        {ITEMS "queries: {file: q.tsv}\n" PAIRS, "queries: \"id\""},
        {ITEMS "queries: {id: q, features: {q: {}}}\n" PAIRS, "queries: \"file\" is missing"},
        {ITEMS "queries: {file: q.tsv, id: q}\n" PAIRS, "queries: \"features\" is missing"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_schema s;
        check_fails(read_text(&s, *state, CASES[i][0]), DIP_ERR_USAGE, CASES[i][1]);
    }
}

static void more_than_64_features_are_refused(void **state) {
    char text[4000] = "items: {file: i.tsv, id: i, features: {f0: {}";
    for (int i = 1; i < DIP_FEATURES_MAX; i++) {
        sprintf(text + strlen(text), ", f%d: {}", i);
    }
    const size_t length = strlen(text);
    dip_schema s;
    strcpy(text + length, "}}\n" PAIRS);
    check_ok(read_text(&s, *state, text));
    assert_int_equal(s.items.n_features, DIP_FEATURES_MAX);
    dip_schema_free(&s);
    strcpy(text + length, ", f64: {}}}\n" PAIRS);
    check_fails(read_text(&s, *state, text), DIP_ERR_USAGE, "65 features, more than 64");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* As prepare would leave it: tables with sizes, a normaliser, bucket edges. */
static dip_schema fitted(check_folder *folder) {
    static const double EDGES[] = {-0.1, 1.0 / 3, 1e300};
    dip_schema s;
    check_ok(read_text(&s, folder, WHOLE));
    check_ok(dip_tables_lay_out(&s, check_error()));
    for (size_t t = 0; t < s.n_tables; t++) {
        s.tables[t].rows = s.tables[t].is_vocabulary ? (int64_t)(10 + t) : s.tables[t].rows;
    }
    s.items.features[4].mean = 12.3456789012345678;
    s.items.features[4].deviation = 5e-324;
    s.items.features[5].n_edges = 3;
    s.items.features[5].edges = dip_alloc(3, sizeof EDGES[0], "edges", check_error());
    memcpy(s.items.features[5].edges, EDGES, sizeof EDGES);
    return s;
}

static void check_feature(const dip_feature *a, const dip_feature *b) {
    assert_string_equal(a->name, b->name);
    for (size_t i = 0; i < dip_feature_table.n; i++) {
        char left[DIP_VALUE_MAX];
        char right[DIP_VALUE_MAX];
        dip_options_get(&dip_feature_table.row[i], a, left);
        dip_options_get(&dip_feature_table.row[i], b, right);
        assert_string_equal(left, right);
    }
    assert_int_equal(a->table, b->table);
    assert_true(a->mean == b->mean);
    assert_true(a->deviation == b->deviation);
    assert_int_equal(a->n_edges, b->n_edges);
    for (size_t i = 0; i < a->n_edges; i++) {
        assert_true(a->edges[i] == b->edges[i]);
    }
}

static void check_entity(const dip_entity *a, const dip_entity *b) {
    assert_int_equal(a->source.files.n, b->source.files.n);
    for (size_t i = 0; i < a->source.files.n; i++) {
        assert_string_equal(a->source.files.name[i], b->source.files.name[i]);
    }
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->title, b->title);
    assert_int_equal(a->n_features, b->n_features);
    for (size_t f = 0; f < a->n_features; f++) {
        check_feature(&a->features[f], &b->features[f]);
    }
}

/* Through text, as it is stored. */
static json_t *stored(const dip_schema *schema) {
    json_t *json = NULL;
    json_t *again = NULL;
    char *text = NULL;
    check_ok(dip_schema_to_json(schema, &json, check_error()));
    check_ok(dip_json_dump(json, &text, check_error()));
    check_ok(dip_json_parse(&again, text, strlen(text), "schema", check_error()));
    dip_free(text);
    json_decref(json);
    return again;
}

static void a_fitted_schema_survives_storing(void **state) {
    dip_schema s = fitted(*state);
    dip_schema again;
    json_t *json = stored(&s);
    check_ok(dip_schema_from_json(&again, json, check_error()));
    check_entity(&s.items, &again.items);
    check_entity(&s.queries, &again.queries);
    assert_int_equal(again.queries_are_items, s.queries_are_items);
    assert_int_equal(again.n_tables, s.n_tables);
    for (size_t t = 0; t < s.n_tables; t++) {
        assert_string_equal(again.tables[t].name, s.tables[t].name);
        assert_int_equal(again.tables[t].rows, s.tables[t].rows);
        assert_int_equal(again.tables[t].is_vocabulary, s.tables[t].is_vocabulary);
    }
    json_t *second = stored(&again);
    assert_true(json_equal(json, second));
    json_decref(json);
    json_decref(second);
    dip_schema_free(&s);
    dip_schema_free(&again);
}

static json_t *feature_json(json_t *json, size_t f) {
    return json_array_get(json_object_get(json_object_get(json, "items"), "features"), f);
}

static void check_needed(json_t *json, json_t *object, const char *key) {
    dip_schema again;
    const bool is_optional = strcmp(key, "queries") == 0 || strcmp(key, "is_vocabulary") == 0;
    json_t *value = json_incref(json_object_get(object, key));
    json_object_del(object, key);
    if (!is_optional) {
        check_fails(dip_schema_from_json(&again, json, check_error()), DIP_ERR_FORMAT, key);
    }
    json_object_set_new(object, key, value);
}

/* Each key of a feature, an entity and a table is needed. */
static void a_missing_key_is_named(void **state) {
    dip_schema s = fitted(*state);
    json_t *json = stored(&s);
    json_t *const objects[] = {feature_json(json, 0), json_object_get(json, "items"), json,
                               json_array_get(json_object_get(json, "tables"), 1)};
    for (size_t o = 0; o < 4; o++) {
        const char *key = NULL;
        json_t *value = NULL;
        json_t *copy = json_copy(objects[o]);
        json_object_foreach(copy, key, value) {
            check_needed(json, objects[o], key);
        }
        json_decref(copy);
    }
    json_decref(json);
    dip_schema_free(&s);
}

/* A change of one value in the stored form of the fitted schema. */
typedef struct change {
    size_t feature; /* or table, when is_table */
    bool is_table;
    const char *key;
    const char *value; /* JSON */
} change;

static dip_status read_changed(dip_schema *again, const dip_schema *s, const change *c) {
    json_t *json = stored(s);
    json_t *object = c->is_table ? json_array_get(json_object_get(json, "tables"), c->feature)
                                 : feature_json(json, c->feature);
    json_t *value = json_loads(c->value, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    json_object_set_new(object, c->key, value);
    const dip_status status = dip_schema_from_json(again, json, check_error());
    json_decref(json);
    return status;
}

static void check_changes(void **state, const change *changes, size_t n) {
    dip_schema s = fitted(*state);
    for (size_t i = 0; i < n; i++) {
        dip_schema again;
        const dip_status status = read_changed(&again, &s, &changes[i]);
        if (status == DIP_OK) {
            print_error("\"%s\": %s was accepted\n", changes[i].key, changes[i].value);
            dip_schema_free(&again);
            dip_schema_free(&s);
            fail();
        }
        assert_int_equal(status, DIP_ERR_FORMAT);
    }
    dip_schema_free(&s);
}

static void contradictions_are_refused(void **state) {
    static const change CHANGES[] = {
        {0, false, "type", "\"numeric\""},
        {4, false, "type", "\"bag\""},
        {0, false, "type", "\"nothing\""},
        {0, false, "type", "3"},
        {0, false, "table_index", "-1"},
        {0, false, "table_index", "99"},
        {0, false, "table_index", "-2"},
        {4, false, "table_index", "0"},
        {0, false, "table_index", "\"0\""},
        {4, false, "deviation", "0"},
        {4, false, "deviation", "-1.0"},
        {4, false, "deviation", "null"},
        {4, false, "mean", "\"1\""},
        {5, false, "edges", "3"},
        {5, false, "edges", "null"},
        {0, false, "name", "7"},
        {0, false, "min_count", "\"0\""},
        {0, false, "pool", "\"max\""},
        {0, true, "rows", "-1"},
        {0, true, "rows", "2147483648"},
        {0, true, "rows", "1.5"},
        {0, true, "name", "null"},
    };
    check_changes(state, CHANGES, sizeof CHANGES / sizeof CHANGES[0]);
}

/* Codes of hashed values reach hash_buckets - 1: a smaller table would be read behind its end. */
static void hash_buckets_must_fit_their_table(void **state) {
    static const change CHANGES[] = {{3, false, "hash_buckets", "\"51\""},
                                     {3, false, "hash_buckets", "\"2147483647\""}};
    check_changes(state, CHANGES, 2);
}

/* Codes of a bucketed number reach n_edges: more edges than buckets - 1 would read behind the
 * table. */
static void edges_must_fit_their_buckets(void **state) {
    static const change CHANGES[] = {{5, false, "edges", "[1, 2, 3, 4]"},
                                     {5, false, "edges", "[1, 2, 3, 4, 5, 6, 7, 8, 9]"}};
    check_changes(state, CHANGES, 2);
}

/* The search for a bucket needs ascending numbers. */
static void edges_must_be_ascending_numbers(void **state) {
    static const change CHANGES[] = {{5, false, "edges", "[3, 2, 1]"},
                                     {5, false, "edges", "[1, \"x\", 3]"},
                                     {5, false, "edges", "[1, null]"}};
    check_changes(state, CHANGES, 3);
}

static void a_damaged_list_is_refused(void **state) {
    dip_schema s = fitted(*state);
    static const char *const LISTS[] = {"[]", "[1]", "[{}]", "null", "{}", "\"x\""};
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        json_t *json = stored(&s);
        dip_schema again;
        json_object_set_new(json_object_get(json, "items"), "features",
                            json_loads(LISTS[i], JSON_DECODE_ANY, NULL));
        check_fails(dip_schema_from_json(&again, json, check_error()), DIP_ERR_FORMAT, "schema");
        json_decref(json);
        json = stored(&s);
        json_object_set_new(json, "tables", json_loads(LISTS[i], JSON_DECODE_ANY, NULL));
        check_fails(dip_schema_from_json(&again, json, check_error()), DIP_ERR_FORMAT, "schema");
        json_decref(json);
    }
    dip_schema_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(a_whole_schema_is_read),
        cmocka_unit_test(enums_follow_the_order_of_their_choices),
        check_test_in_folder(without_queries_the_queries_are_items),
        check_test_in_folder(queries_without_a_file_have_their_id_as_feature),
        check_test_in_folder(mistakes_are_named_at_their_place),
        check_test_in_folder(more_than_64_features_are_refused),
        check_test_in_folder(a_fitted_schema_survives_storing),
        check_test_in_folder(a_missing_key_is_named),
        check_test_in_folder(contradictions_are_refused),
        check_test_in_folder(hash_buckets_must_fit_their_table),
        check_test_in_folder(edges_must_fit_their_buckets),
        check_test_in_folder(edges_must_be_ascending_numbers),
        check_test_in_folder(a_damaged_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
