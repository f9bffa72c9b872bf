/* SPDX-License-Identifier: Apache-2.0
 *
 * Raw files in memory: numbering by first sight, what is left out and counted, and the place of
 * every mistake.
 */
#include "fixture.h"

#include "prepare/fit.h"
#include "prepare/ingest.h"

static const char ITEMS[] = "id\tkind\ttags\ttitle\tprice\n"
                            "a\tx\tred|blue\tA red thing\t1.5\n"
                            "b\ty\t\tThing\t\n"
                            "c\t x \tblue|blue\t\t-2\n";

static const char PAIRS[] = "q\ti\tpart\n"
                            "a\tb\ttrain\n"
                            "b\ta\ttest\n"
                            "a\tc\tvalid\n"
                            "a\tb\ttest\n"
                            "c\tc\ttrain\n"
                            "a\tz\ttrain\n"
                            "y\ta\ttrain\n";

/* A project and what is ingested by it. */
typedef struct world {
    dip_project project;
    dip_raw raw;
} world;

static dip_status ingest_watched(world *w, check_folder *folder, const char *yaml,
                                 const char *items, const char *pairs, const dip_watch *watch) {
    memset(w, 0, sizeof *w);
    fixture_write(folder, yaml, items, pairs);
    check_ok(fixture_project(&w->project, folder));
    check_ok(dip_fit_tables(&w->project.schema, check_error()));
    return dip_ingest(&w->raw, &w->project, &w->project.schema, watch, check_error());
}

static dip_status ingest(world *w, check_folder *folder, const char *yaml, const char *items,
                         const char *pairs) {
    return ingest_watched(w, folder, yaml, items, pairs, NULL);
}

static void release(world *w) {
    dip_raw_free(&w->raw, &w->project.schema);
    dip_project_release(&w->project);
}

/* Codes of one feature of one row, as texts joined by '~'. */
static void check_cell(const world *w, size_t feature, size_t row, const char *expected) {
    const dip_raw_column *column = &w->raw.items.columns[feature];
    const dip_vocab *seen = &w->raw.values[w->project.schema.items.features[feature].table];
    char joined[200] = "";
    for (int64_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        size_t length = 0;
        const char *text = dip_vocab_text(seen, (size_t)column->codes[i], &length);
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%.*s",
                 i > column->offsets[row] ? "~" : "", (int)length, text);
    }
    assert_string_equal(joined, expected);
}

static void items_keep_their_ids_titles_and_values(void **state) {
    world w;
    check_ok(ingest(&w, *state, fixture_yaml, ITEMS, PAIRS));
    const dip_raw_entity *items = &w.raw.items;
    assert_int_equal(items->ids.n, 3);
    assert_int_equal(dip_vocab_find(&items->ids, "c", 1), 2);
    assert_memory_equal(items->titles.data, "A red thingThing", 16);
    assert_int_equal(items->title_start[1], 11);
    assert_int_equal(items->title_start[3], 16);
    check_cell(&w, 0, 1, "b");
    check_cell(&w, 1, 0, "x");
    check_cell(&w, 1, 2, "x");
    check_cell(&w, 2, 0, "red~blue");
    check_cell(&w, 2, 1, "");
    check_cell(&w, 2, 2, "blue");
    check_cell(&w, 3, 0, "a~red~thing");
    assert_true(items->columns[4].numbers[0] == 1.5);
    assert_true(isnan(items->columns[4].numbers[1]));
    assert_true(items->columns[4].numbers[2] == -2);
    release(&w);
}

static void pairs_are_distinct_known_and_never_of_an_item_with_itself(void **state) {
    world w;
    check_ok(ingest(&w, *state, fixture_yaml, ITEMS, PAIRS));
    const dip_pairs *pairs = &w.raw.pairs;
    assert_int_equal(pairs->n, 3);
    assert_int_equal(pairs->query[0], 0);
    assert_int_equal(pairs->item[0], 1);
    assert_int_equal(pairs->query[1], 1);
    assert_int_equal(pairs->item[1], 0);
    assert_int_equal(pairs->part[0], DIP_PART_TRAIN); /* the first of the repeated ones counts */
    assert_int_equal(pairs->part[1], DIP_PART_TEST);
    assert_int_equal(pairs->part[2], DIP_PART_VALIDATION);
    assert_null(pairs->time);
    assert_int_equal(w.raw.n_duplicates, 1);
    assert_int_equal(w.raw.n_self, 1);
    assert_int_equal(w.raw.unknown.n, 2);
    assert_string_equal(w.raw.unknown.shown[0], "line 7: item \"z\"");
    assert_string_equal(w.raw.unknown.shown[1], "line 8: query \"y\"");
    release(&w);
}

static void unknown_ids_can_stop(void **state) {
    world w;
    char yaml[1000];
    snprintf(yaml, sizeof yaml, "%sprepare: {unknown_ids: stop}\n", fixture_yaml);
    check_fails(ingest(&w, *state, yaml, ITEMS, PAIRS), DIP_ERR_FORMAT,
                "pairs.tsv:7: column 2 (i): unknown item id \"z\"");
    release(&w);
    check_fails(ingest(&w, *state, yaml, ITEMS, "q\ti\tpart\ny\ta\ttrain\n"), DIP_ERR_FORMAT,
                "pairs.tsv:2: column 1 (q): unknown query id \"y\"");
    release(&w);
}

static void many_unknown_ids_are_counted_and_a_few_shown(void **state) {
    world w;
    char pairs[2000] = "q\ti\tpart\na\tb\ttrain\n";
    for (int i = 0; i < 20; i++) {
        sprintf(pairs + strlen(pairs), "a\tno%d\ttrain\n", i);
    }
    check_ok(ingest(&w, *state, fixture_yaml, ITEMS, pairs));
    assert_int_equal(w.raw.unknown.n, 20);
    assert_string_equal(w.raw.unknown.shown[DIP_SHOWN_UNKNOWN - 1], "line 7: item \"no4\"");
    release(&w);
}

static void mistakes_are_named_at_their_place(void **state) {
    static const char HEADER[] = "id\tkind\ttags\ttitle\tprice\n";
    static const struct {
        const char *items; /* rows behind the header */
        const char *pairs;
        const char *part;
    } CASES[] = {
        {"a\tx\t\t\t1\nb\tx\t\t\t2\na\tx\t\t\t3\n", PAIRS,
         "items.tsv:4: column 1 (id): the id \"a\" already stands on line 2"},
        {"\tx\t\t\t1\n", PAIRS, "items.tsv:2: column 1 (id): the id is empty"},
        {"a\tx\t\t\tcheap\n", PAIRS, "items.tsv:2: column 5 (price): \"cheap\" is not a number"},
        {"a\tx\t\t\tnan\n", PAIRS, "\"nan\" is not a number"},
        {"a\tx\t\t\t1e999\n", PAIRS, "\"1e999\" is not a number"},
        {"a\tx\t\t1\n", PAIRS, "items.tsv:2: 4 fields where the header has 5"},
        {"", PAIRS, "items.tsv has a header but no rows"},
        {"a\tx\t\t\t1\nb\tx\t\t\t2\n", "q\ti\tpart\n", "pairs.tsv has no usable pair (0 with"},
        {"a\tx\t\t\t1\nb\tx\t\t\t2\n", "q\ti\tpart\na\tz\ttrain\n",
         "pairs.tsv has no usable pair (1 with"},
        {"a\tx\t\t\t1\nb\tx\t\t\t2\n", "q\ti\tpart\na\tb\ttrain\nb\ta\tTest\n",
         "pairs.tsv:3: column 3 (part): \"Test\" is none of train, validation and test"},
        {"a\tx\t\t\t1\nb\tx\t\t\t2\n", "q\titem\tpart\na\tb\ttrain\n",
         "pairs.tsv:1: there is no column \"i\""},
        {"a\tx\t\t\t1\nb\tx\t\t\t2\n", "q\ti\na\tb\n", "pairs.tsv:1: there is no column \"part\""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        world w;
        char items[500];
        snprintf(items, sizeof items, "%s%s", HEADER, CASES[i].items);
        check_fails(ingest(&w, *state, fixture_yaml, items, CASES[i].pairs), DIP_ERR_FORMAT,
                    CASES[i].part);
        release(&w);
    }
}

static const char TIME_YAML[] = "items: {file: items.tsv, id: id, features: {id: {type: id}}}\n"
                                "interactions: {file: pairs.tsv, query: q, item: i, time: t}\n";

static void times_are_numbers(void **state) {
    world w;
    check_ok(ingest(&w, *state, TIME_YAML, "id\na\nb\n", "q\ti\tt\na\tb\t 1.5e9 \nb\ta\t-3\n"));
    assert_true(w.raw.pairs.time[0] == 1.5e9);
    assert_true(w.raw.pairs.time[1] == -3);
    release(&w);
    check_fails(ingest(&w, *state, TIME_YAML, "id\na\nb\n", "q\ti\tt\na\tb\tnoon\n"),
                DIP_ERR_FORMAT, "pairs.tsv:2: column 3 (t): \"noon\" is not a number");
    release(&w);
    check_fails(ingest(&w, *state, TIME_YAML, "id\na\nb\n", "q\ti\tt\na\tb\t\n"), DIP_ERR_FORMAT,
                "pairs.tsv:2: column 3 (t): ");
    release(&w);
}

static const char USERS_YAML[] = "items: {file: items.tsv, id: id, features: {id: {type: id}}}\n"
                                 "queries: {id: user}\n"
                                 "interactions: {file: pairs.tsv, query: user, item: i}\n";

static void queries_without_a_file_are_numbered_by_first_sight(void **state) {
    world w;
    check_ok(ingest(&w, *state, USERS_YAML, "id\na\nb\n",
                    "user\ti\nu9\ta\nu1\tb\nnew\tz\nu9\tb\na\ta\n"));
    assert_int_equal(w.raw.queries.ids.n, 3);
    assert_int_equal(dip_vocab_find(&w.raw.queries.ids, "u9", 2), 0);
    assert_int_equal(dip_vocab_find(&w.raw.queries.ids, "a", 1), 2);
    assert_int_equal(dip_vocab_find(&w.raw.queries.ids, "new", 3), -1);
    assert_int_equal(w.raw.pairs.n, 4); /* a query may be named like an item */
    assert_int_equal(w.raw.n_self, 0);
    assert_int_equal(w.raw.queries.columns[0].offsets[3], 3);
    assert_ptr_equal(dip_raw_side(&w.raw, &w.project.schema, DIP_SIDE_QUERY), &w.raw.queries);
    release(&w);
    check_fails(ingest(&w, *state, USERS_YAML, "id\na\n", "user\ti\n\ta\n"), DIP_ERR_FORMAT,
                "pairs.tsv:2: column 1 (user): the query id is empty");
    release(&w);
}

static void hashed_values_are_distinct_buckets(void **state) {
    static const char YAML[] =
        "items: {file: items.tsv, id: id, features: {tags: {type: bag, hash_buckets: 7}}}\n"
        "interactions: {file: pairs.tsv, query: q, item: i}\n";
    world w;
    char items[4000] = "id\ttags\n";
    for (int i = 0; i < 100; i++) {
        sprintf(items + strlen(items), "i%d\tt%d|t%d|t%d|u%d\n", i, i, i + 1, i * i, i);
    }
    check_ok(ingest(&w, *state, YAML, items, "q\ti\ni1\ti2\n"));
    const dip_raw_column *column = &w.raw.items.columns[0];
    for (size_t row = 0; row < 100; row++) {
        for (int64_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
            assert_in_range(column->codes[i], 0, 6);
            assert_true(i == column->offsets[row] || column->codes[i] > column->codes[i - 1]);
        }
    }
    assert_int_equal(w.raw.values[0].n, 0);
    release(&w);
}

static int stop_at_once(void *context, const dip_progress *progress) {
    int *calls = context;
    assert_string_equal(progress->unit, "bytes");
    assert_true(progress->done <= progress->total);
    return ++*calls == 2;
}

static void reading_can_be_interrupted(void **state) {
    int calls = 0;
    const dip_watch watch = {.on_progress = stop_at_once, .context = &calls};
    char *items = malloc(200000);
    size_t used = (size_t)sprintf(items, "id\n");
    for (int i = 0; i < 10000; i++) {
        used += (size_t)sprintf(items + used, "i%d\n", i);
    }
    world w;
    check_fails(ingest_watched(&w, *state, TIME_YAML, items, "q\ti\tt\n", &watch),
                DIP_ERR_INTERRUPTED, "items.tsv");
    assert_int_equal(calls, 2);
    release(&w);
    free(items);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(items_keep_their_ids_titles_and_values),
        check_test_in_folder(pairs_are_distinct_known_and_never_of_an_item_with_itself),
        check_test_in_folder(unknown_ids_can_stop),
        check_test_in_folder(many_unknown_ids_are_counted_and_a_few_shown),
        check_test_in_folder(mistakes_are_named_at_their_place),
        check_test_in_folder(times_are_numbers),
        check_test_in_folder(queries_without_a_file_are_numbered_by_first_sight),
        check_test_in_folder(hashed_values_are_distinct_buckets),
        check_test_in_folder(reading_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
