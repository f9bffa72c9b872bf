/* SPDX-License-Identifier: Apache-2.0
 *
 * Fitting: tables, and that nothing of a held-out row reaches a vocabulary, a normaliser or a
 * bucket edge.
 */
#include "fixture.h"
#include "plain.h"

#include "data/tables.h"
#include "prepare/split.h"
typedef struct world {
    dip_project project;
    dip_raw raw;
    dip_pairs pairs;
    dip_fit fit;
} world;

/* Everything up to and with the fit. */
static void fit(world *w, check_folder *folder, const char *yaml, const char *items,
                const char *pairs) {
    static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 2};
    int64_t counts[DIP_PART_UNUSED + 1];
    memset(w, 0, sizeof *w);
    fixture_write(folder, yaml, items, pairs);
    check_ok(fixture_project(&w->project, folder));
    dip_schema *schema = &w->project.schema;
    check_ok(dip_tables_lay_out(schema, check_error()));
    check_ok(dip_ingest(&w->raw, &w->project, schema, folder->path, &MEANS, check_error()));
    check_ok(
        dip_pairs_collect(&w->pairs, &w->raw, schema->queries_are_items, &MEANS, check_error()));
    check_ok(dip_ingest_finish(&w->raw, schema, NULL, &MEANS, check_error()));
    check_ok(dip_split(&w->pairs, &w->project.config, &MEANS, counts, check_error()));
    check_ok(
        dip_fit_all(&w->fit, &w->raw, &w->pairs, schema, &MEANS, &w->raw.scratch, check_error()));
}

static void release(world *w) {
    dip_fit_free(&w->fit, &w->project.schema);
    dip_pairs_free(&w->pairs);
    dip_raw_free(&w->raw);
    dip_project_release(&w->project);
}

static const dip_feature *feature_of(const world *w, size_t f) {
    return &w->project.schema.items.features[f];
}

static const dip_kept *kept_of(const world *w, size_t f) {
    return &w->fit.kept[feature_of(w, f)->table];
}

static plain_cells cells_of(const world *w, size_t f) {
    plain_cells cells = plain_final(&w->fit, &w->raw.items, &w->project.schema.items, f);
    assert_int_equal(cells.n, w->raw.items.n);
    return cells;
}

/* The normalised number of one row. */
static double number_at(const world *w, size_t f, size_t row) {
    size_t n = 0;
    double *numbers = plain_final_numbers(&w->fit, &w->raw.items, &w->project.schema.items, f, &n);
    assert_int_equal(n, w->raw.items.n);
    const double number = numbers[row];
    free(numbers);
    return number;
}

/* The kept values of a cell, joined by '~'. */
static void check_cell(const world *w, size_t f, size_t row, const char *expected) {
    plain_cells cells = cells_of(w, f);
    plain_texts texts = plain_texts_of_kept(kept_of(w, f));
    check_row_texts(&cells, row, &texts, expected);
    plain_texts_free(&texts);
    plain_cells_free(&cells);
}

/* Items a to f: a, b, c train (c as a query only), d validates, e tests, f is in no pair: of d, e
 * and f nothing may be learned. */
static const char ITEMS[] = "id\tkind\ttags\ttitle\tprice\n"
                            "a\tx\tred|blue\tBig red\t1\n"
                            "b\tx\tred\tbig\t2\n"
                            "c\ty\tgreen|red\tc word\t6\n"
                            "d\tz\tgreen|late\td word\t1000\n"
                            "e\tw\tred|cold\te word\t-1000\n"
                            "f\tx\tblue\tf\t3\n";
static const char PAIRS[] = "q\ti\tpart\n"
                            "a\tb\ttrain\n"
                            "c\tb\ttrain\n"
                            "c\ta\ttrain\n"
                            "a\td\tvalidation\n"
                            "d\te\ttest\n"
                            "b\ta\ttest\n";

static void training_rows_are_those_of_training_pairs(void **state) {
    static const uint8_t TRAINS[] = {1, 1, 1, 0, 0, 0};
    static const uint8_t ASKS[] = {1, 0, 1, 0, 0, 0};
    static const int64_t COUNTS[] = {1, 2, 0, 0, 0, 0};
    world w;
    fit(&w, *state, fixture_yaml, ITEMS, PAIRS);
    assert_memory_equal(w.fit.item_trains, TRAINS, sizeof TRAINS);
    assert_memory_equal(w.fit.item_count, COUNTS, sizeof COUNTS);
    assert_ptr_equal(w.fit.query_trains, w.fit.item_trains);
    assert_memory_equal(w.fit.asks, ASKS, sizeof ASKS);
    release(&w);
}

static void values_of_held_out_items_are_unknown(void **state) {
    world w;
    fit(&w, *state, fixture_yaml, ITEMS, PAIRS);
    check_kept(kept_of(&w, 0), "a:1~b:1~c:1");
    check_kept(kept_of(&w, 1), "x:2~y:1");
    check_kept(kept_of(&w, 2), "red:3~blue:1~green:1");
    check_kept(kept_of(&w, 3), "big:2~c:1~red:1~word:1");
    check_cell(&w, 0, 3, "");
    check_cell(&w, 1, 3, "");
    check_cell(&w, 1, 4, "");
    check_cell(&w, 2, 0, "red~blue");
    check_cell(&w, 2, 3, "green");
    check_cell(&w, 2, 4, "red");
    check_cell(&w, 3, 4, "word");
    check_cell(&w, 0, 5, "");
    check_cell(&w, 1, 5, "x");
    check_cell(&w, 3, 5, "");
    for (size_t f = 0; f < 4; f++) {
        const dip_table *table = &w.project.schema.tables[feature_of(&w, f)->table];
        assert_int_equal(table->rows, kept_of(&w, f)->rows);
        assert_true(table->is_vocabulary);
    }
    release(&w);
}

/* What train_fraction leaves out does not count either: the ids that are known are those that
 * train. */
static void pairs_left_out_by_the_fraction_do_not_count(void **state) {
    world whole;
    world some;
    size_t bytes = 0;
    size_t trains[2] = {0};
    fixture_write_random(*state, (fixture_size){200, 400, 3}, "split: {train_fraction: 0.2}\n");
    char *items = check_read(check_path(*state, "items.tsv"), &bytes);
    char *pairs = check_read(check_path(*state, "pairs.tsv"), &bytes);
    char *project = check_read(check_path(*state, "project.yaml"), &bytes);
    fit(&some, *state, project, items, pairs);
    *strstr(project, "split:") = '#';
    fit(&whole, *state, project, items, pairs);
    for (size_t i = 0; i < 200; i++) {
        assert_true(some.fit.item_count[i] <= whole.fit.item_count[i]);
        assert_true(some.fit.item_trains[i] <= whole.fit.item_trains[i]);
        trains[0] += some.fit.item_trains[i];
        trains[1] += whole.fit.item_trains[i];
    }
    assert_true(trains[0] + 20 < trains[1]);
    assert_int_equal(kept_of(&some, 0)->rows, trains[0]);
    assert_int_equal(kept_of(&whole, 0)->rows, trains[1]);
    release(&whole);
    release(&some);
    free(items);
    free(pairs);
    free(project);
}

static void the_normaliser_ignores_held_out_numbers(void **state) {
    world w;
    fit(&w, *state, fixture_yaml, ITEMS, PAIRS);
    const double deviation = sqrt((4.0 + 1 + 9) / 3); /* of 1, 2, 6 about 3 */
    check_close(feature_of(&w, 4)->mean, 3, 1e-12);
    check_close(feature_of(&w, 4)->deviation, deviation, 1e-12);
    check_close(number_at(&w, 4, 0), -2 / deviation, 1e-12);
    check_close(number_at(&w, 4, 3), 997 / deviation, 1e-12);
    assert_int_equal(feature_of(&w, 4)->table, -1);
    release(&w);
}

static const char NUMBER_YAML[] = "items:\n"
                                  "  file: items.tsv\n"
                                  "  id: id\n"
                                  "  features:\n"
                                  "    price: {type: numeric}\n"
                                  "    rank: {type: numeric, column: price, buckets: 4}\n"
                                  "interactions: {file: pairs.tsv, query: q, item: i}\n"
                                  "split: {by: column, column: part}\n";

/* Items n0, n1, ... with these prices; pairs of neighbours train, and the last `held_out` items are
 * known from test pairs alone. */
static void fit_numbers(world *w, check_folder *folder, const char *const *prices, size_t n,
                        size_t held_out) {
    char items[4000] = "id\tprice\n";
    char pairs[4000] = "q\ti\tpart\n";
    for (size_t i = 0; i < n; i++) {
        sprintf(items + strlen(items), "n%zu\t%s\n", i, prices[i]);
    }
    for (size_t i = 0; i + 1 < n - held_out; i++) {
        sprintf(pairs + strlen(pairs), "n%zu\tn%zu\ttrain\n", i, i + 1);
    }
    for (size_t i = n - held_out; i < n; i++) {
        sprintf(pairs + strlen(pairs), "n0\tn%zu\t%s\n", i, i % 2 == 0 ? "test" : "validation");
    }
    fit(w, folder, NUMBER_YAML, items, pairs);
}

static void check_edges(const world *w, const double *edges, size_t n) {
    const dip_feature *feature = feature_of(w, 1);
    assert_int_equal(feature->n_edges, n);
    for (size_t i = 0; i < n; i++) {
        check_close(feature->edges[i], edges[i], 0);
    }
}

static void bucket_edges_are_quantiles_of_training_numbers(void **state) {
    static const char *const PRICES[] = {"5", "1", "7", "3",    "",      "8",
                                         "2", "6", "4", "9999", "-9999", "5.5"};
    static const double EDGES[] = {3, 5, 7};
    static const int32_t CODES[] = {2, 0, 3, 1, -1, 3, 0, 2, 1, 3, 0, 2};
    world w;
    fit_numbers(&w, *state, PRICES, 12, 3);
    check_edges(&w, EDGES, 3);
    plain_cells cells = cells_of(&w, 1);
    for (size_t row = 0; row < 12; row++) {
        const size_t n = cells.offset[row + 1] - cells.offset[row];
        assert_int_equal(n, CODES[row] >= 0);
        assert_true(n == 0 || cells.code[cells.offset[row]] == CODES[row]);
    }
    plain_cells_free(&cells);
    assert_int_equal(w.project.schema.tables[feature_of(&w, 1)->table].rows, 4);
    assert_false(w.project.schema.tables[feature_of(&w, 1)->table].is_vocabulary);
    check_close(feature_of(&w, 0)->mean, 4.5, 1e-12);
    assert_true(isnan(number_at(&w, 0, 4)));
    release(&w);
}

static void equal_numbers_make_no_empty_buckets(void **state) {
    static const char *const SAME[] = {"2", "2", "2", "2", "2", "7"};
    static const char *const TWO[] = {"1", "1", "1", "1", "1", "3", "3", "3"};
    static const double EDGE[] = {3};
    world w;
    fit_numbers(&w, *state, SAME, 6, 1);
    check_edges(&w, NULL, 0);
    check_close(feature_of(&w, 0)->mean, 2, 1e-12);
    check_close(feature_of(&w, 0)->deviation, 1, 0);
    release(&w);
    fit_numbers(&w, *state, TWO, 8, 0);
    check_edges(&w, EDGE, 1);
    release(&w);
}

static void a_column_without_training_numbers_is_left_alone(void **state) {
    static const char *const NONE[] = {"", "", "", "4"};
    world w;
    fit_numbers(&w, *state, NONE, 4, 1);
    check_edges(&w, NULL, 0);
    check_close(feature_of(&w, 0)->mean, 0, 0);
    check_close(feature_of(&w, 0)->deviation, 1, 0);
    check_close(number_at(&w, 0, 3), 4, 0);
    release(&w);
}

static void numbers_far_from_zero_keep_their_deviation(void **state) {
    static const char *const FAR[] = {"1000000001", "1000000002", "1000000003"};
    world w;
    fit_numbers(&w, *state, FAR, 3, 0);
    check_close(feature_of(&w, 0)->mean, 1000000002, 1e-15);
    check_close(feature_of(&w, 0)->deviation, sqrt(2.0 / 3), 1e-12);
    release(&w);
}

/* ---- settings of vocabularies ---------------------------------------------------------------- */

static void rare_and_surplus_values_vanish(void **state) {
    static const char YAML[] = "items:\n"
                               "  file: items.tsv\n"
                               "  id: id\n"
                               "  features:\n"
                               "    often: {type: bag, column: tags, min_count: 2}\n"
                               "    first: {type: bag, column: tags, max_vocab: 1}\n"
                               "    hashed: {type: bag, column: tags, hash_buckets: 3}\n"
                               "interactions: {file: pairs.tsv, query: q, item: i}\n"
                               "split: {by: column, column: part}\n";
    world w;
    fit(&w, *state, YAML, "id\ttags\na\tx|y|z\nb\tx|y\nc\tx\nd\tz\n",
        "q\ti\tpart\na\tb\ttrain\nb\tc\ttrain\nc\td\ttest\n");
    check_kept(kept_of(&w, 0), "x:3~y:2");
    check_kept(kept_of(&w, 1), "x:3");
    check_cell(&w, 0, 0, "x~y");
    check_cell(&w, 0, 3, "");
    check_cell(&w, 1, 0, "x");
    plain_cells hashed = cells_of(&w, 2);
    assert_int_equal(w.project.schema.tables[feature_of(&w, 2)->table].rows, 3);
    assert_true(hashed.offset[4] > hashed.offset[3]); /* hashing knows all values */
    plain_cells_free(&hashed);
    release(&w);
}

static const char SHARED_YAML[] = "items:\n"
                                  "  file: items.tsv\n"
                                  "  id: id\n"
                                  "  features:\n"
                                  "    from: {type: categorical, table: places}\n"
                                  "    to: {type: categorical, table: places}\n"
                                  "queries:\n"
                                  "  file: users.tsv\n"
                                  "  id: id\n"
                                  "  features:\n"
                                  "    home: {type: bag, table: places}\n"
                                  "    from: {type: categorical}\n"
                                  "interactions: {file: pairs.tsv, query: q, item: i}\n"
                                  "split: {by: column, column: part}\n";

static void features_can_share_a_table_across_sides(void **state) {
    world w;
    check_write_text(check_path(*state, "users.tsv"),
                     "id\thome\tfrom\nu\tpara|oslo\trome\nv\tlima\tlima\n");
    fit(&w, *state, SHARED_YAML, "id\tfrom\tto\na\toslo\trome\nb\toslo\tbern\nc\tkiev\tkiev\n",
        "q\ti\tpart\nu\ta\ttrain\nu\tb\ttrain\nv\tc\ttest\n");
    assert_int_equal(w.project.schema.n_tables, 2);
    assert_int_equal(feature_of(&w, 0)->table, 0);
    assert_int_equal(feature_of(&w, 1)->table, 0);
    assert_int_equal(w.project.schema.queries.features[0].table, 0);
    assert_int_equal(w.project.schema.queries.features[1].table, 1);
    assert_string_equal(w.project.schema.tables[0].name, "places");
    assert_string_equal(w.project.schema.tables[1].name, "query.from");
    check_kept(&w.fit.kept[0], "oslo:3~bern:1~para:1~rome:1");
    check_kept(&w.fit.kept[1], "rome:1");
    assert_int_equal(w.fit.query_trains[0], 1);
    assert_int_equal(w.fit.query_trains[1], 0);
    assert_ptr_equal(w.fit.asks, w.fit.query_trains);
    plain_cells home = plain_final(&w.fit, &w.raw.queries, &w.project.schema.queries, 0);
    assert_int_equal(home.n, 2);
    assert_int_equal(home.offset[1], 2);
    assert_int_equal(home.offset[2], 2);
    plain_cells_free(&home);
    release(&w);
}

static void tables_that_cannot_be_shared_are_refused(void **state) {
    static const char *const FEATURES[] = {
        "{a: {table: t}, b: {table: t, hash_buckets: 5}}",
        "{a: {table: t, hash_buckets: 4}, b: {table: t, hash_buckets: 5}}",
        "{a: {table: t}, b: {type: numeric, buckets: 3, table: t}}",
        "{a: {}, b: {table: a, hash_buckets: 2}}"};
    for (size_t i = 0; i < sizeof FEATURES / sizeof FEATURES[0]; i++) {
        dip_project project;
        char yaml[500];
        snprintf(yaml, sizeof yaml,
                 "items: {file: i.tsv, id: id, features: %s}\n"
                 "interactions: {file: p.tsv, query: q, item: i}\n",
                 FEATURES[i]);
        fixture_write(*state, yaml, "", "");
        check_ok(fixture_project(&project, *state));
        check_fails(dip_tables_lay_out(&project.schema, check_error()), DIP_ERR_USAGE,
                    "feature \"b\" cannot share table ");
        dip_project_release(&project);
    }
}

/* Numbers share no table, even when the bucketed one comes first. */
static void a_bucketed_number_lends_no_table(void **state) {
    dip_project project;
    fixture_write(
        *state,
        "items: {file: i.tsv, id: id, features: {a: {type: numeric, buckets: 3, table: t}, "
        "b: {hash_buckets: 3, table: t}}}\n"
        "interactions: {file: p.tsv, query: q, item: i}\n",
        "", "");
    check_ok(fixture_project(&project, *state));
    check_fails(dip_tables_lay_out(&project.schema, check_error()), DIP_ERR_USAGE, "cannot share");
    dip_project_release(&project);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(training_rows_are_those_of_training_pairs),
        check_test_in_folder(values_of_held_out_items_are_unknown),
        check_test_in_folder(pairs_left_out_by_the_fraction_do_not_count),
        check_test_in_folder(the_normaliser_ignores_held_out_numbers),
        check_test_in_folder(bucket_edges_are_quantiles_of_training_numbers),
        check_test_in_folder(equal_numbers_make_no_empty_buckets),
        check_test_in_folder(a_column_without_training_numbers_is_left_alone),
        check_test_in_folder(numbers_far_from_zero_keep_their_deviation),
        check_test_in_folder(rare_and_surplus_values_vanish),
        check_test_in_folder(features_can_share_a_table_across_sides),
        check_test_in_folder(tables_that_cannot_be_shared_are_refused),
        check_test_in_folder(a_bucketed_number_lends_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
