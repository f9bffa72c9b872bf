/* SPDX-License-Identifier: Apache-2.0
 *
 * Raw files in scratch space: numbering by first sight, what is left out and counted, and the place
 * of every mistake; all of it whether the numberings stay in memory or are spilled after each
 * round.
 */
#include "fixture.h"
#include "plain.h"

#include "data/tables.h"

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

/* How the files are read. Blocks of a byte hold one record each. */
typedef struct mode {
    size_t memory;
    size_t block_bytes;
    size_t round_blocks;
    int threads;
} mode;

static const mode MODES[] = {{SIZE_MAX, 0, 0, 1}, {SIZE_MAX, 1, 1, 2}, {SIZE_MAX, 1, 2, 1},
                             {0, 0, 0, 2},        {0, 1, 1, 1},        {0, 1, 2, 3}};
enum { N_MODES = sizeof MODES / sizeof MODES[0] };

static dip_means means_of(const mode *m) {
    return (dip_means){.memory = m->memory, .threads = m->threads, .round_blocks = m->round_blocks};
}

/* A project and what is ingested by it. */
typedef struct world {
    dip_project project;
    dip_raw raw;
    dip_pairs pairs;
} world;

static dip_status run(world *w, check_folder *folder, const dip_means *means) {
    const dip_schema *schema = &w->project.schema;
    DIP_TRY(dip_ingest(&w->raw, &w->project, schema, folder->path, means, check_error()));
    DIP_TRY(dip_pairs_collect(&w->pairs, &w->raw, schema->queries_are_items, means, check_error()));
    return dip_ingest_finish(&w->raw, schema, NULL, means, check_error());
}

static dip_status ingest(world *w, check_folder *folder, const mode *m, const char *yaml,
                         const char *items, const char *pairs) {
    const dip_means means = means_of(m);
    memset(w, 0, sizeof *w);
    fixture_write(folder, yaml, items, pairs);
    check_ok(fixture_project(&w->project, folder));
    check_ok(dip_tables_lay_out(&w->project.schema, check_error()));
    fixture_small_blocks(&w->project, m->block_bytes);
    return run(w, folder, &means);
}

static void release(world *w) {
    dip_pairs_free(&w->pairs);
    dip_raw_free(&w->raw);
    dip_project_release(&w->project);
}

/* Prepares to the end: for mistakes that only the whole sees. */
static dip_status prepare(check_folder *folder, const mode *m, const char *yaml, const char *items,
                          const char *pairs) {
    const dip_means means = means_of(m);
    fixture_write(folder, yaml, items, pairs);
    return fixture_prepare_by(folder, &means, m->block_bytes, NULL);
}

/* The values of one feature of one row, joined by '~'. */
static void check_cell(const world *w, size_t f, size_t row, const char *expected) {
    const dip_feature *feature = &w->project.schema.items.features[f];
    plain_cells cells = plain_column(&w->raw.items.columns[f], dip_feature_is_bag(feature));
    plain_texts seen = plain_texts_of(dip_intern_texts(w->raw.values[feature->table]));
    assert_int_equal(cells.n, w->raw.items.n);
    check_row_texts(&cells, row, &seen, expected);
    plain_texts_free(&seen);
    plain_cells_free(&cells);
}

static void items_keep_their_ids_titles_and_values(void **state) {
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        size_t n = 0;
        check_ok(ingest(&w, *state, &MODES[m], fixture_yaml, ITEMS, PAIRS));
        assert_int_equal(w.raw.items.n, 3);
        check_texts(dip_raw_names(&w.raw.items), "a~b~c");
        check_texts(&w.raw.items.titles, "A red thing~Thing~");
        check_cell(&w, 0, 1, "b");
        check_cell(&w, 1, 0, "x");
        check_cell(&w, 1, 2, "x");
        check_cell(&w, 2, 0, "red~blue");
        check_cell(&w, 2, 1, "");
        check_cell(&w, 2, 2, "blue");
        check_cell(&w, 3, 0, "a~red~thing");
        double *numbers = plain_numbers(&w.raw.items.columns[4].numbers, &n);
        assert_int_equal(n, 3);
        assert_true(numbers[0] == 1.5);
        assert_true(isnan(numbers[1]));
        assert_true(numbers[2] == -2);
        free(numbers);
        release(&w);
    }
}

/* The texts of every table in the order in which they were met first. */
static void values_are_numbered_by_first_sight(void **state) {
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        check_ok(ingest(&w, *state, &MODES[m], fixture_yaml, ITEMS, PAIRS));
        check_texts(dip_intern_texts(w.raw.values[1]), "x~y");
        check_texts(dip_intern_texts(w.raw.values[2]), "red~blue");
        check_texts(dip_intern_texts(w.raw.values[3]), "a~red~thing");
        release(&w);
    }
}

static void pairs_are_distinct_known_and_never_of_an_item_with_itself(void **state) {
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        check_ok(ingest(&w, *state, &MODES[m], fixture_yaml, ITEMS, PAIRS));
        plain_pairs pairs = plain_pairs_of(&w.pairs);
        assert_int_equal(pairs.n, 3);
        assert_int_equal(pairs.query[0], 0);
        assert_int_equal(pairs.item[0], 1);
        assert_int_equal(pairs.query[1], 1);
        assert_int_equal(pairs.item[1], 0);
        assert_int_equal(pairs.part[0], DIP_PART_TRAIN); /* the first of the repeated ones counts */
        assert_int_equal(pairs.part[1], DIP_PART_TEST);
        assert_int_equal(pairs.part[2], DIP_PART_VALIDATION);
        assert_null(pairs.time);
        assert_int_equal(w.pairs.n_duplicates, 1);
        assert_int_equal(w.pairs.n_self, 1);
        assert_int_equal(w.pairs.n_unknown, 2);
        assert_string_equal(w.raw.unknown.shown[0], "pairs.tsv:7: item \"z\"");
        assert_string_equal(w.raw.unknown.shown[1], "pairs.tsv:8: query \"y\"");
        assert_string_equal(w.raw.unknown.shown[2], "");
        plain_pairs_free(&pairs);
        release(&w);
    }
}

/* ---- unknown ids ----------------------------------------------------------------------------- */

static void unknown_ids_can_stop(void **state) {
    static const struct {
        const char *pairs;
        const char *part;
    } CASES[] = {
        {"a\tb\ttrain\nb\ta\ttest\na\tz\ttrain\ny\ta\ttrain\n",
         "pairs.tsv:4: column 2 (i): unknown item id \"z\""},
        {"y\ta\ttrain\n", "pairs.tsv:2: column 1 (q): unknown query id \"y\""},
        {"a\tb\ttrain\ny\ta\ttrain\na\tz\ttrain\n",
         "pairs.tsv:3: column 1 (q): unknown query id \"y\""},
        {"a\tb\ttrain\ny\tz\ttrain\na\tx\ttrain\n",
         "pairs.tsv:3: column 2 (i): unknown item id \"z\""},
    };
    char yaml[1000];
    snprintf(yaml, sizeof yaml, "%sprepare: {unknown_ids: stop}\n", fixture_yaml);
    for (size_t m = 0; m < N_MODES; m++) {
        for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
            world w;
            char pairs[500];
            snprintf(pairs, sizeof pairs, "q\ti\tpart\n%s", CASES[i].pairs);
            check_fails(ingest(&w, *state, &MODES[m], yaml, ITEMS, pairs), DIP_ERR_FORMAT,
                        CASES[i].part);
            release(&w);
        }
    }
}

static void many_unknown_ids_are_counted_and_a_few_shown(void **state) {
    char pairs[2000] = "q\ti\tpart\na\tb\ttrain\n";
    for (int i = 0; i < 20; i++) {
        sprintf(pairs + strlen(pairs), "%s\tno%d\ttrain\n", i % 2 == 0 ? "a" : "nor", i);
    }
    for (int i = 0; i < 20; i++) {
        sprintf(pairs + strlen(pairs), "q%d\ta\ttrain\n", i);
    }
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        check_ok(ingest(&w, *state, &MODES[m], fixture_yaml, ITEMS, pairs));
        assert_int_equal(w.pairs.n_unknown, 40);
        for (int i = 0; i < DIP_SHOWN_UNKNOWN; i++) {
            char shown[100];
            snprintf(shown, sizeof shown, "pairs.tsv:%d: item \"no%d\"", 3 + i, i);
            assert_string_equal(w.raw.unknown.shown[i], shown);
        }
        release(&w);
    }
}

static const char TWO_FILES_YAML[] =
    "items: {file: items.tsv, id: id, features: {id: {type: id}}}\n"
    "queries: {file: users.tsv, id: id, features: {id: {type: id}}}\n"
    "interactions: {file: pairs.tsv, query: q, item: i}\n"
    "prepare: {unknown_ids: %s}\n";
static const char TEN_ITEMS[] = "id\ni0\ni1\ni2\ni3\ni4\ni5\ni6\ni7\ni8\ni9\n";

/* Lines with unknown items, unknown queries and both; what is to be said of the first ones. */
typedef struct strange_lines {
    char pairs[3000];
    char shown[DIP_SHOWN_UNKNOWN][100];
    char stop[100];
} strange_lines;

static void draw_lines(strange_lines *s, uint64_t *random) {
    size_t n = 0;
    memset(s, 0, sizeof *s);
    strcpy(s->pairs, "q\ti\n");
    for (int line = 2; line < 60; line++) {
        const bool no_item = check_random_below(random, 5) == 0;
        const bool no_user = check_random_below(random, 5) == 0;
        const char *who = no_item ? "item" : "query";
        const char *id = no_item ? "j" : "v";
        sprintf(s->pairs + strlen(s->pairs), "%s%d\t%s%d\n", no_user ? "v" : "u",
                no_user ? line : 0, no_item ? "j" : "i", no_item ? line : line % 10);
        if (!no_item && !no_user) {
            continue;
        }
        if (n == 0) {
            snprintf(s->stop, sizeof s->stop,
                     "pairs.tsv:%d: column %d (%s): unknown %s id \"%s%d\"", line, no_item ? 2 : 1,
                     no_item ? "i" : "q", who, id, line);
        }
        if (n < DIP_SHOWN_UNKNOWN) {
            snprintf(s->shown[n], sizeof s->shown[n], "pairs.tsv:%d: %s \"%s%d\"", line, who, id,
                     line);
        }
        n++;
    }
    assert_true(n > DIP_SHOWN_UNKNOWN);
}

static void check_strange(check_folder *folder, const strange_lines *s, const mode *m) {
    char yaml[500];
    world w;
    snprintf(yaml, sizeof yaml, TWO_FILES_YAML, "skip");
    check_ok(ingest(&w, folder, m, yaml, TEN_ITEMS, s->pairs));
    for (size_t i = 0; i < DIP_SHOWN_UNKNOWN; i++) {
        assert_string_equal(w.raw.unknown.shown[i], s->shown[i]);
    }
    release(&w);
    snprintf(yaml, sizeof yaml, TWO_FILES_YAML, "stop");
    check_fails(ingest(&w, folder, m, yaml, TEN_ITEMS, s->pairs), DIP_ERR_FORMAT, s->stop);
    release(&w);
}

/* The ids of one side may be spilled when those of the other are not: whatever the memory, the
 * first lines are shown, and the first of all stops. */
static void unknown_ids_are_known_by_the_order_of_lines(void **state) {
    uint64_t random = 5;
    for (size_t round = 0; round < 6; round++) {
        strange_lines s;
        char users[2000] = "id\n";
        for (size_t i = 0; i <= round % 3 * 60; i++) {
            sprintf(users + strlen(users), "u%zu\n", i);
        }
        check_write_text(check_path(*state, "users.tsv"), users);
        draw_lines(&s, &random);
        for (size_t m = 0; m < N_MODES; m++) {
            check_strange(*state, &s, &MODES[m]);
        }
        for (size_t memory = 100000; memory < 5000000; memory *= 2) {
            check_strange(*state, &s, &(mode){memory, 40, 1, 1 + (int)round % 2});
        }
    }
}

/* A long id is cut between two characters: warnings are JSON, which takes no half ones. */
static void a_long_unknown_id_is_cut_between_characters(void **state) {
    for (size_t m = 0; m < N_MODES; m++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char pairs[1000] = "q\ti\tpart\na\tb\ttrain\na\t";
            json_t *summary = NULL;
            strcat(pairs, &"xyz"[3 - shift]);
            for (int i = 0; i < 60; i++) {
                strcat(pairs, "\xE6\xBC\xA2");
            }
            strcat(pairs, "\ttrain\n");
            fixture_write(*state, fixture_yaml, ITEMS, pairs);
            const dip_means means = means_of(&MODES[m]);
            check_ok(fixture_prepare_by(*state, &means, MODES[m].block_bytes, &summary));
            json_decref(summary);
        }
    }
}

/* ---- mistakes -------------------------------------------------------------------------------- */

static void mistakes_are_named_at_their_place(void **state) {
    static const char HEADER[] = "id\tkind\ttags\ttitle\tprice\n";
    static const struct {
        const char *items; /* rows behind the header */
        const char *pairs;
        const char *part;
    } CASES[] = {
        {"a\tx\t\t\t1\nb\tx\t\t\t2\na\tx\t\t\t3\n", PAIRS,
         "items.tsv:4: column 1 (id): the id \"a\" already stands on line 2; ids"},
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
    for (size_t m = 0; m < N_MODES; m++) {
        for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
            char items[500];
            snprintf(items, sizeof items, "%s%s", HEADER, CASES[i].items);
            check_fails(prepare(*state, &MODES[m], fixture_yaml, items, CASES[i].pairs),
                        DIP_ERR_FORMAT, CASES[i].part);
        }
    }
}

/* The two lines may lie in one round, in different rounds, and in different files. */
static void a_repeated_id_names_both_lines(void **state) {
    static const char YAML[] = "items: {file: [one.tsv, items.tsv], id: id, "
                               "features: {id: {type: id}}}\n"
                               "interactions: {file: pairs.tsv, query: q, item: i}\n";
    static const struct {
        const char *one;
        const char *two;
        const char *part;
    } CASES[] = {
        {"id\na\nb\n", "id\nc\nb\nd\n",
         "items.tsv:3: column 1 (id): the id \"b\" already stands on line 3 of "},
        {"id\na\nb\nc\na\nb\n", "id\nd\n",
         "one.tsv:5: column 1 (id): the id \"a\" already stands on line 2; ids must be distinct"},
        {"id\na\n", "id\nd\n\nd\n",
         "items.tsv:4: column 1 (id): the id \"d\" already stands on line 2; ids must be distinct"},
    };
    for (size_t m = 0; m < N_MODES; m++) {
        for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
            world w;
            check_write_text(check_path(*state, "one.tsv"), CASES[i].one);
            check_fails(ingest(&w, *state, &MODES[m], YAML, CASES[i].two, "q\ti\na\tb\n"),
                        DIP_ERR_FORMAT, CASES[i].part);
            assert_true(i > 0 || strstr(check_error()->message, "/one.tsv; ids") != NULL);
            release(&w);
        }
    }
}

static const char TIME_YAML[] = "items: {file: items.tsv, id: id, features: {id: {type: id}}}\n"
                                "interactions: {file: pairs.tsv, query: q, item: i, time: t}\n"
                                "split: {by: time}\n";

static void times_are_numbers(void **state) {
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        check_ok(ingest(&w, *state, &MODES[m], TIME_YAML, "id\na\nb\n",
                        "q\ti\tt\na\tb\t 1.5e9 \nb\ta\t-3\n"));
        plain_pairs pairs = plain_pairs_of(&w.pairs);
        assert_int_equal(pairs.n, 2);
        assert_true(pairs.time[0] == 1.5e9);
        assert_true(pairs.time[1] == -3);
        assert_null(pairs.part);
        plain_pairs_free(&pairs);
        release(&w);
        check_fails(ingest(&w, *state, &MODES[m], TIME_YAML, "id\na\nb\n", "q\ti\tt\na\tb\tnoon\n"),
                    DIP_ERR_FORMAT, "pairs.tsv:2: column 3 (t): \"noon\" is not a number");
        release(&w);
        check_fails(ingest(&w, *state, &MODES[m], TIME_YAML, "id\na\nb\n", "q\ti\tt\na\tb\t\n"),
                    DIP_ERR_FORMAT, "pairs.tsv:2: column 3 (t): ");
        release(&w);
    }
}

/* ---- queries without a file ------------------------------------------------------------------ */

static const char USERS_YAML[] = "items: {file: items.tsv, id: id, features: {id: {type: id}}}\n"
                                 "queries: {id: user}\n"
                                 "interactions: {file: pairs.tsv, query: user, item: i}\n"
                                 "split: {test: 0, validation: 0}\n";

static void queries_without_a_file_are_numbered_by_first_sight(void **state) {
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        check_ok(ingest(&w, *state, &MODES[m], USERS_YAML, "id\na\nb\n",
                        "user\ti\nu9\ta\nu1\tb\nu9\tb\na\ta\n"));
        check_texts(dip_raw_names(&w.raw.queries), "u9~u1~a");
        assert_int_equal(w.raw.queries.n, 3);
        assert_int_equal(w.pairs.n, 4); /* a query may be named like an item */
        assert_int_equal(w.pairs.n_self, 0);
        plain_cells cells = plain_column(&w.raw.queries.columns[0], false);
        assert_int_equal(cells.n, 3);
        assert_int_equal(cells.offset[3], 3);
        plain_cells_free(&cells);
        assert_ptr_equal(dip_raw_side(&w.raw, &w.project.schema, DIP_SIDE_QUERY), &w.raw.queries);
        release(&w);
        check_fails(ingest(&w, *state, &MODES[m], USERS_YAML, "id\na\n", "user\ti\n\ta\n"),
                    DIP_ERR_FORMAT, "pairs.tsv:2: column 1 (user): the query id is empty");
        release(&w);
    }
}

/* "new" and "none" come with unknown items only: the rows close up behind them. */
static void a_query_of_unknown_items_alone_is_no_row(void **state) {
    static const int32_t PAIRS_LEFT[] = {0, 0, 1, 1, 0, 1, 2, 0};
    for (size_t m = 0; m < N_MODES; m++) {
        dip_dataset d;
        check_ok(prepare(*state, &MODES[m], USERS_YAML, "id\na\nb\n",
                         "user\ti\nnone\tz\nu9\ta\nu1\tb\nnew\tz\nu9\tb\na\ta\nnone\ty\n"));
        check_ok(dip_dataset_load(&d, check_path(*state, "data"), check_error()));
        assert_int_equal(d.queries.n, 3);
        assert_memory_equal(d.queries.ids.bytes, "u9u1a", 5);
        assert_int_equal(d.queries.ids.offsets[2], 4);
        assert_int_equal(d.n_pairs[DIP_PART_TRAIN], 4);
        assert_memory_equal(d.pairs[DIP_PART_TRAIN], PAIRS_LEFT, sizeof PAIRS_LEFT);
        dip_dataset_release(&d);
    }
}

static void hashed_values_are_distinct_buckets(void **state) {
    static const char YAML[] =
        "items: {file: items.tsv, id: id, features: {tags: {type: bag, hash_buckets: 7}}}\n"
        "interactions: {file: pairs.tsv, query: q, item: i}\n";
    char items[4000] = "id\ttags\n";
    for (int i = 0; i < 100; i++) {
        sprintf(items + strlen(items), "i%d\tt%d|t%d|t%d|u%d\n", i, i, i + 1, i * i, i);
    }
    for (size_t m = 0; m < N_MODES; m++) {
        world w;
        check_ok(ingest(&w, *state, &MODES[m], YAML, items, "q\ti\ni1\ti2\n"));
        plain_cells cells = plain_column(&w.raw.items.columns[0], true);
        assert_int_equal(cells.n, 100);
        for (size_t row = 0; row < 100; row++) {
            assert_true(cells.offset[row + 1] > cells.offset[row]);
            for (size_t i = cells.offset[row]; i < cells.offset[row + 1]; i++) {
                assert_in_range(cells.code[i], 0, 6);
                assert_true(i == cells.offset[row] || cells.code[i] > cells.code[i - 1]);
            }
        }
        assert_null(w.raw.values[0]);
        plain_cells_free(&cells);
        release(&w);
    }
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
    const dip_means means = {.memory = SIZE_MAX, .threads = 1, .round_blocks = 1, .watch = &watch};
    char items[5000] = "id\n";
    for (int i = 0; i < 500; i++) {
        sprintf(items + strlen(items), "i%d\n", i);
    }
    fixture_write(*state, TIME_YAML, items, "q\ti\tt\n");
    check_fails(fixture_prepare_by(*state, &means, 100, NULL), DIP_ERR_INTERRUPTED, "items.tsv");
    assert_int_equal(calls, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(items_keep_their_ids_titles_and_values),
        check_test_in_folder(values_are_numbered_by_first_sight),
        check_test_in_folder(pairs_are_distinct_known_and_never_of_an_item_with_itself),
        check_test_in_folder(unknown_ids_can_stop),
        check_test_in_folder(many_unknown_ids_are_counted_and_a_few_shown),
        check_test_in_folder(unknown_ids_are_known_by_the_order_of_lines),
        check_test_in_folder(a_long_unknown_id_is_cut_between_characters),
        check_test_in_folder(mistakes_are_named_at_their_place),
        check_test_in_folder(a_repeated_id_names_both_lines),
        check_test_in_folder(times_are_numbers),
        check_test_in_folder(queries_without_a_file_are_numbered_by_first_sight),
        check_test_in_folder(a_query_of_unknown_items_alone_is_no_row),
        check_test_in_folder(hashed_values_are_distinct_buckets),
        check_test_in_folder(reading_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
