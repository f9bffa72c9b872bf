/* SPDX-License-Identifier: Apache-2.0
 *
 * From raw files to a dataset: what is written is what the files say, the same input gives the same
 * bytes, and a failure leaves nothing.
 */
#include "fixture.h"

#include "base/mem.h"
#include "data/vocab.h"
#include "prepare/ingest.h"
#include "prepare/prepare.h"

#include <dirent.h>

static const char ITEMS[] = "id\tkind\ttags\ttitle\tprice\n"
                            "a\tx\tred|blue\tBig red\t1\n"
                            "b\tx\tred\tbig\t3\n"
                            "c\ty\t\tc word\t\n"
                            "d\tz\tlate|red\t\t1000\n"
                            "e\tw\tcold\te word\t-1000\n";
static const char PAIRS[] = "q\ti\tpart\n"
                            "a\tb\ttrain\n"
                            "c\tb\ttrain\n"
                            "c\ta\ttrain\n"
                            "a\td\tvalidation\n"
                            "b\ta\ttest\n"
                            "d\te\ttest\n"
                            "a\tb\ttrain\n"
                            "e\te\ttrain\n"
                            "a\tnone\ttrain\n";

static int count_entries(const char *path) {
    DIR *folder = opendir(path);
    int entries = 0;
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        entries++;
    }
    closedir(folder);
    return entries - 2;
}

static void check_string(const dip_strings *strings, int64_t row, const char *expected) {
    size_t length = 0;
    const char *text = dip_strings_at(strings, row, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void check_pairs(const dip_dataset *d, size_t part, const int32_t *expected, int64_t n) {
    assert_int_equal(d->n_pairs[part], n);
    assert_memory_equal(d->pairs[part], expected, (size_t)n * 2 * sizeof *expected);
}

static void a_dataset_holds_what_the_files_say(void **state) {
    static const int32_t TRAIN[] = {0, 1, 2, 1, 2, 0};
    static const int32_t VALIDATION[] = {0, 3};
    static const int32_t TEST[] = {1, 0, 3, 4};
    static const int64_t COUNTS[] = {1, 2, 0, 0, 0};
    static const uint8_t TRAINS[] = {1, 1, 1, 0, 0};
    dip_dataset d;
    fixture_load(&d, *state, fixture_yaml, ITEMS, PAIRS);
    assert_int_equal(d.items.n, 5);
    check_string(&d.items.ids, 0, "a");
    check_string(&d.items.ids, 4, "e");
    check_string(&d.items.titles, 0, "Big red");
    check_string(&d.items.titles, 3, "");
    check_pairs(&d, DIP_PART_TRAIN, TRAIN, 3);
    check_pairs(&d, DIP_PART_VALIDATION, VALIDATION, 1);
    check_pairs(&d, DIP_PART_TEST, TEST, 2);
    assert_memory_equal(d.item_count, COUNTS, sizeof COUNTS);
    assert_memory_equal(d.item_trains, TRAINS, sizeof TRAINS);
    assert_true(d.schema.queries_are_items);
    assert_ptr_equal(dip_dataset_rows(&d, DIP_SIDE_QUERY), &d.items);
    dip_dataset_release(&d);
}

/* Vocabularies: kind "x y", tags "red blue", title "big c red word", price 2 +- 1. */
static void columns_hold_rows_of_the_vocabularies(void **state) {
    static const int32_t IDS[] = {0, 1, 2, -1, -1};
    static const int32_t KINDS[] = {0, 0, 1, -1, -1};
    static const int64_t TAG_OFFSETS[] = {0, 2, 3, 3, 4, 4};
    static const int32_t TAGS[] = {0, 1, 0, 0};
    static const float PRICES[] = {-1, 1, NAN, 998, -1002};
    dip_dataset d;
    fixture_load(&d, *state, fixture_yaml, ITEMS, PAIRS);
    assert_memory_equal(d.items.columns[0].codes, IDS, sizeof IDS);
    assert_memory_equal(d.items.columns[1].codes, KINDS, sizeof KINDS);
    assert_null(d.items.columns[1].offsets);
    assert_memory_equal(d.items.columns[2].offsets, TAG_OFFSETS, sizeof TAG_OFFSETS);
    assert_memory_equal(d.items.columns[2].codes, TAGS, sizeof TAGS);
    for (size_t i = 0; i < 5; i++) {
        const float found = d.items.columns[4].numbers[i];
        assert_true(isnan(PRICES[i]) ? isnan(found) : found == PRICES[i]);
    }
    assert_null(d.items.columns[4].codes);
    dip_vocab tags;
    char name[DIP_PART_NAME_MAX];
    const int table = d.schema.items.features[2].table;
    dip_part_name(name, "vocab", (size_t)table, d.schema.tables[table].name, ".tsv");
    check_ok(dip_vocab_read(&tags, &d.folder, name, 2, check_error()));
    assert_int_equal(dip_vocab_find(&tags, "red", 3), 0);
    assert_int_equal(tags.count[0], 2);
    assert_int_equal(dip_vocab_find(&tags, "late", 4), -1);
    dip_vocab_free(&tags);
    dip_dataset_release(&d);
}

static void the_information_is_that_of_training_rows(void **state) {
    dip_dataset d;
    fixture_load(&d, *state, fixture_yaml, ITEMS, PAIRS);
    const double *m = d.mutual_information;
    const double kind = -(2 * log(2.0 / 3) + log(1.0 / 3)) / 3; /* entropy of x, x, y */
    check_close(m[0], log(3), 1e-12);                           /* three ids */
    check_close(m[1 * 5 + 1], kind, 1e-12);
    check_close(m[0 * 5 + 1], kind, 1e-12);
    check_close(m[4 * 5 + 4], log(3), 1e-12); /* -1, 1 and missing */
    for (size_t f = 0; f < 5; f++) {
        for (size_t g = 0; g < 5; g++) {
            assert_true(m[f * 5 + g] == m[g * 5 + f]);
        }
    }
    dip_dataset_release(&d);
}

static int64_t count_of(const json_t *summary, const char *key) {
    const json_t *value = json_object_get(json_object_get(summary, "counts"), key);
    assert_non_null(value);
    return json_integer_value(value);
}

static bool has_warning(const json_t *summary, const char *part) {
    const json_t *warnings = json_object_get(summary, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        if (strstr(json_string_value(json_array_get(warnings, i)), part) != NULL) {
            return true;
        }
    }
    return false;
}

static void the_summary_counts_and_warns(void **state) {
    json_t *summary = NULL;
    fixture_write(*state, fixture_yaml, ITEMS, PAIRS);
    check_ok(fixture_prepare(*state, &summary));
    assert_int_equal(count_of(summary, "item_rows"), 5);
    assert_int_equal(count_of(summary, "pairs"), 6);
    assert_int_equal(count_of(summary, "train"), 3);
    assert_int_equal(count_of(summary, "validation"), 1);
    assert_int_equal(count_of(summary, "test"), 2);
    assert_int_equal(count_of(summary, "unused"), 0);
    assert_int_equal(count_of(summary, "duplicates"), 1);
    assert_int_equal(count_of(summary, "self_pairs"), 1);
    assert_int_equal(count_of(summary, "unknown_ids"), 1);
    assert_int_equal(count_of(summary, "reversed_test_pairs"), 1);
    assert_int_equal(count_of(summary, "test_pairs_of_trained_queries"), 0);
    assert_int_equal(count_of(summary, "cold_test_pairs"), 1);
    assert_true(has_warning(summary, "pairs.tsv:10: item \"none\""));
    assert_true(has_warning(summary, "1 repeated pairs"));
    assert_true(has_warning(summary, "1 of 2 test pairs"));
    assert_false(has_warning(summary, "not by time"));
    json_decref(summary);
}

static void the_configuration_goes_with_the_dataset(void **state) {
    dip_dataset d;
    char yaml[1000];
    snprintf(yaml, sizeof yaml, "%strain: {rate: 0.125}\n", fixture_yaml);
    fixture_load(&d, *state, yaml, ITEMS, PAIRS);
    assert_true(d.config.train.rate == 0.125);
    assert_int_equal(d.config.split.by, DIP_SPLIT_COLUMN);
    dip_dataset_release(&d);
}

static void identity_of(check_folder *folder, char identity[32]) {
    dip_folder data;
    check_ok(fixture_prepare(folder, NULL));
    check_ok(
        dip_folder_open(&data, check_path(folder, "data"), DIP_DATASET_FORMAT, 1, check_error()));
    snprintf(identity, 32, "%s", dip_folder_identity(&data));
    dip_folder_close(&data);
}

static void the_same_files_give_the_same_bytes(void **state) {
    char identity[3][32];
    fixture_write_random(*state, (fixture_size){100, 500, 1}, "");
    identity_of(*state, identity[0]);
    identity_of(*state, identity[1]);
    fixture_write_random(*state, (fixture_size){100, 500, 1}, "split: {seed: 2}\n");
    identity_of(*state, identity[2]);
    assert_string_equal(identity[0], identity[1]);
    assert_string_not_equal(identity[0], identity[2]);
}

static void an_existing_output_needs_the_flag(void **state) {
    dip_project project;
    const char *path = check_path(*state, "data");
    fixture_write(*state, fixture_yaml, ITEMS, PAIRS);
    check_ok(fixture_prepare(*state, NULL));
    check_ok(fixture_project(&project, *state));
    check_fails(dip_prepare_dataset(&project, path, false, NULL, NULL, check_error()),
                DIP_ERR_USAGE, "exists");
    dip_project_release(&project);
}

static void a_failure_leaves_nothing(void **state) {
    fixture_write(*state, fixture_yaml, "id\tkind\ttags\ttitle\tprice\na\tx\t\t\tbad\n", PAIRS);
    check_fails(fixture_prepare(*state, NULL), DIP_ERR_FORMAT, "items.tsv:2: column 5 (price)");
    assert_int_equal(count_entries(check_path(*state, ".")), 3);
    fixture_write(*state, fixture_yaml, ITEMS, "q\ti\tpart\na\tb\ttest\n");
    check_fails(fixture_prepare(*state, NULL), DIP_ERR_FAILED, "the split leaves none");
    assert_int_equal(count_entries(check_path(*state, ".")), 3);
}

static int stop(void *context, const dip_progress *progress) {
    (void)context;
    (void)progress;
    return 1;
}

static void an_interruption_leaves_nothing(void **state) {
    const dip_watch watch = {.on_progress = stop, .context = NULL};
    dip_project project;
    fixture_write(*state, fixture_yaml, ITEMS, PAIRS);
    check_ok(fixture_project(&project, *state));
    check_fails(dip_prepare_dataset(&project, check_path(*state, "data"), false, &watch, NULL,
                                    check_error()),
                DIP_ERR_INTERRUPTED, "interrupted");
    assert_int_equal(count_entries(check_path(*state, ".")), 3);
    dip_project_release(&project);
}

static void queries_of_their_own_are_written(void **state) {
    static const char YAML[] = "items: {file: items.tsv, id: id, features: {kind: {}}}\n"
                               "queries: {id: user}\n"
                               "interactions: {file: pairs.tsv, query: q, item: i}\n"
                               "split: {by: column, column: part}\n";
    static const int32_t TEST[] = {1, 2};
    dip_dataset d;
    fixture_load(&d, *state, YAML, ITEMS, "q\ti\tpart\nu2\ta\ttrain\nu1\tc\ttest\nu2\tb\ttrain\n");
    assert_false(d.schema.queries_are_items);
    assert_int_equal(d.queries.n, 2);
    check_string(&d.queries.ids, 1, "u1");
    check_string(&d.queries.titles, 1, "");
    assert_int_equal(d.queries.columns[0].codes[0], 0);
    assert_int_equal(d.queries.columns[0].codes[1], -1);
    check_pairs(&d, DIP_PART_TEST, TEST, 1);
    assert_ptr_equal(dip_dataset_rows(&d, DIP_SIDE_QUERY), &d.queries);
    dip_dataset_release(&d);
}

static void a_feature_without_any_value_is_written(void **state) {
    dip_dataset d;
    fixture_load(&d, *state, fixture_yaml, "id\tkind\ttags\ttitle\tprice\na\t\t\t\t\nb\t\t\t\t\n",
                 "q\ti\tpart\na\tb\ttrain\n");
    assert_int_equal(d.items.columns[1].codes[0], -1);
    assert_int_equal(d.items.columns[2].offsets[2], 0);
    assert_true(isnan(d.items.columns[4].numbers[1]));
    dip_dataset_release(&d);
}

/* What prepare writes, load accepts: also numbers that float cannot hold, or whose squares double
 * cannot. */
static void huge_numbers_do_not_make_an_unreadable_dataset(void **state) {
    static const char *const NUMBERS[][3] = {{"1", "2", "1e300"},
                                             {"1", "2", "-1e300"},
                                             {"1e200", "-1e200", "0"},
                                             {"1e308", "-1e308", "5"},
                                             {"1e-300", "2e-300", "1"}};
    for (size_t n = 0; n < sizeof NUMBERS / sizeof NUMBERS[0]; n++) {
        char items[500];
        dip_dataset d;
        snprintf(items, sizeof items,
                 "id\tkind\ttags\ttitle\tprice\na\tx\t\t\t%s\nb\tx\t\t\t%s\nc\tx\t\t\t%s\n",
                 NUMBERS[n][0], NUMBERS[n][1], NUMBERS[n][2]);
        fixture_write(*state, fixture_yaml, items, "q\ti\tpart\na\tb\ttrain\nb\tc\ttest\n");
        check_ok(fixture_prepare(*state, NULL));
        check_ok(dip_dataset_load(&d, check_path(*state, "data"), check_error()));
        dip_dataset_release(&d);
    }
}

static void check_allocations(check_folder *folder, const dip_means *means, size_t block_bytes) {
    dip_status status = DIP_ERR_MEMORY;
    for (int64_t n = 0; status == DIP_ERR_MEMORY; n++) {
        dip_project project;
        check_ok(fixture_project(&project, folder));
        fixture_small_blocks(&project, block_bytes);
        dip_mem_fail_after(n, 1);
        status =
            dip_prepare_by(&project, check_path(folder, "data"), true, means, NULL, check_error());
        dip_mem_fail_after(-1, 0);
        dip_project_release(&project);
        assert_true(n < 50000);
    }
    check_ok(status);
}

static void every_failed_allocation_is_reported(void **state) {
    fixture_write(*state, fixture_yaml, ITEMS, PAIRS);
    check_allocations(*state, &(dip_means){.memory = SIZE_MAX, .threads = 1}, 0);
    check_allocations(*state, &(dip_means){.memory = 0, .threads = 1, .round_blocks = 1}, 30);
}

/* A memory that nothing fits into is refused with the least that is needed. */
static void too_little_memory_is_refused(void **state) {
    char yaml[1000];
    snprintf(yaml, sizeof yaml, "%sprepare: {memory: 63M}\n", fixture_yaml);
    fixture_write(*state, yaml, ITEMS, PAIRS);
    check_fails(fixture_prepare(*state, NULL), DIP_ERR_USAGE,
                "prepare.memory: at least 64M are needed");
    assert_int_equal(count_entries(check_path(*state, ".")), 3);
    snprintf(yaml, sizeof yaml, "%sprepare: {memory: 64M}\n", fixture_yaml);
    fixture_write(*state, yaml, ITEMS, PAIRS);
    check_ok(fixture_prepare(*state, NULL));
}

static int leave(void **state) {
    dip_mem_fail_after(-1, 0);
    return check_leave_folder(state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, check_enter_folder, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_dataset_holds_what_the_files_say),
        TEST(columns_hold_rows_of_the_vocabularies),
        TEST(the_information_is_that_of_training_rows),
        TEST(the_summary_counts_and_warns),
        TEST(the_configuration_goes_with_the_dataset),
        TEST(the_same_files_give_the_same_bytes),
        TEST(an_existing_output_needs_the_flag),
        TEST(a_failure_leaves_nothing),
        TEST(an_interruption_leaves_nothing),
        TEST(queries_of_their_own_are_written),
        TEST(a_feature_without_any_value_is_written),
        TEST(huge_numbers_do_not_make_an_unreadable_dataset),
        TEST(every_failed_allocation_is_reported),
        TEST(too_little_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
