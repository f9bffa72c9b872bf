/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a dataset: whatever a part says, no code, offset or pair outside its range is accepted.
 * The damage is done behind right checksums, as only a faulty writer could.
 */
#include "fixture.h"

#include "base/mem.h"

static const char ITEMS[] = "id\tkind\ttags\ttitle\tprice\n"
                            "a\tx\tred|blue\tBig red\t1\n"
                            "b\tx\tred\tbig\t3\n"
                            "c\ty\t\tc word\t\n";
static const char PAIRS[] = "q\ti\tpart\n"
                            "a\tb\ttrain\n"
                            "b\tc\ttrain\n"
                            "c\ta\tvalidation\n"
                            "b\ta\ttest\n";

static void prepare(check_folder *folder) {
    fixture_write(folder, fixture_yaml, ITEMS, PAIRS);
    check_ok(fixture_prepare(folder, NULL));
}

static dip_status load(check_folder *folder) {
    dip_dataset d;
    const dip_status status = dip_dataset_load(&d, check_path(folder, "data"), check_error());
    if (status == DIP_OK) {
        dip_dataset_release(&d);
    }
    return status;
}

/* A dataset with this array for a part is refused, and the part named. */
static void check_array_refused(check_folder *folder, const char *part, dip_npy array,
                                const char *text) {
    prepare(folder);
    fixture_replace_array(folder, part, &array);
    check_fails(load(folder), DIP_ERR_FORMAT, part);
    if (strstr(check_error()->message, text) == NULL) {
        print_error("\"%s\" lacks \"%s\"\n", check_error()->message, text);
        fail();
    }
}

static dip_npy i32(const int32_t *data, int64_t rows, int64_t columns) {
    return (dip_npy){DIP_NPY_I32, rows, columns, data};
}

static dip_npy i64(const int64_t *data, int64_t rows) {
    return (dip_npy){DIP_NPY_I64, rows, 0, data};
}

static void an_untouched_dataset_loads(void **state) {
    static const int32_t KINDS[] = {1, -1, 0};
    prepare(*state);
    check_ok(load(*state));
    const dip_npy array = i32(KINDS, 3, 0);
    fixture_replace_array(*state, "item-01-kind.npy", &array);
    check_ok(load(*state));
}

/* kind has the values x and y: rows 0 and 1; -1 is missing. */
static void codes_outside_the_vocabulary_are_refused(void **state) {
    static const int32_t BAD[][3] = {
        {0, 1, 2}, {-2, 0, 0}, {0, INT32_MAX, 0}, {INT32_MIN, 0, 0}, {2, 2, 2}};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        check_array_refused(*state, "item-01-kind.npy", i32(BAD[i], 3, 0), "is not in -1 to 1");
    }
}

/* tags has red and blue; a bag has no missing value. */
static void bag_values_outside_the_vocabulary_are_refused(void **state) {
    static const int32_t BAD[][3] = {{0, 1, 2}, {-1, 0, 0}, {0, 0, INT32_MAX}};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        check_array_refused(*state, "item-02-tags.values.npy", i32(BAD[i], 3, 0),
                            "is not in 0 to 1");
    }
}

/* Right: 0, 2, 3, 3. */
static void offsets_out_of_order_are_refused(void **state) {
    static const int64_t BAD[][4] = {
        {1, 2, 3, 3}, {0, 2, 1, 3}, {0, 4, 3, 3},         {0, -1, 3, 3},        {-1, 2, 3, 3},
        {0, 2, 3, 4}, {0, 2, 2, 2}, {0, INT64_MAX, 3, 3}, {INT64_MIN, 0, 3, 3}, {0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        check_array_refused(*state, "item-02-tags.offsets.npy", i64(BAD[i], 4), "offset");
    }
}

/* Ids "abc": 0, 1, 2, 3; titles of 7, 3 and 6 bytes. */
static void string_offsets_out_of_order_are_refused(void **state) {
    static const int64_t BAD[][4] = {{0, 2, 1, 3}, {1, 1, 2, 3},  {0, 1, 2, 4},
                                     {0, 1, 2, 2}, {0, 1, -5, 3}, {0, 1, 1 << 30, 3}};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        check_array_refused(*state, "item-ids.offsets.npy", i64(BAD[i], 4), "offset");
        check_array_refused(*state, "item-titles.offsets.npy", i64(BAD[i], 4), "offset");
    }
}

static void pairs_outside_the_rows_are_refused(void **state) {
    static const char *const PARTS[] = {"pairs-train.npy", "pairs-validation.npy",
                                        "pairs-test.npy"};
    static const int32_t BAD[][4] = {{0, 1, 3, 0},  {0, 1, 0, 3},         {-1, 0, 1, 2},
                                     {0, -1, 1, 2}, {0, 1, INT32_MAX, 0}, {0, 1, 0, INT32_MIN}};
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
            check_array_refused(*state, PARTS[p], i32(BAD[i], 2, 2), "is not in 0 to 2");
        }
    }
}

static void statistics_are_checked(void **state) {
    static const int64_t COUNTS[] = {1, -1, 1};
    static const float NUMBERS[][3] = {{1, INFINITY, 0}, {-INFINITY, NAN, 0}};
    check_array_refused(*state, "item-count.npy", i64(COUNTS, 3), "negative count at row 1");
    for (size_t i = 0; i < 2; i++) {
        check_array_refused(*state, "item-04-price.npy", (dip_npy){DIP_NPY_F32, 3, 0, NUMBERS[i]},
                            "infinite");
    }
}

/* Each part with another type, and with one row more or less. */
static void types_and_shapes_are_checked(void **state) {
    static const double ZEROS[64] = {0};
    static const struct {
        const char *part;
        dip_npy_type type;
        int64_t rows; /* -1: any number is right as far as the shape goes */
        int64_t columns;
    } PARTS[] = {
        {"item-ids.offsets.npy", DIP_NPY_I64, 4, 0},
        {"item-ids.bytes.npy", DIP_NPY_U8, -1, 0},
        {"item-titles.offsets.npy", DIP_NPY_I64, 4, 0},
        {"item-01-kind.npy", DIP_NPY_I32, 3, 0},
        {"item-02-tags.offsets.npy", DIP_NPY_I64, 4, 0},
        {"item-02-tags.values.npy", DIP_NPY_I32, -1, 0},
        {"item-04-price.npy", DIP_NPY_F32, 3, 0},
        {"item-count.npy", DIP_NPY_I64, 3, 0},
        {"item-trains.npy", DIP_NPY_U8, 3, 0},
        {"pairs-train.npy", DIP_NPY_I32, -1, 2},
        {"mutual-information.npy", DIP_NPY_F64, 5, 5},
    };
    for (size_t p = 0; p < sizeof PARTS / sizeof PARTS[0]; p++) {
        const int64_t rows = PARTS[p].rows >= 0 ? PARTS[p].rows : 2;
        const dip_npy_type other = PARTS[p].type == DIP_NPY_F32 ? DIP_NPY_I32 : DIP_NPY_F32;
        const dip_npy type = {other, rows, PARTS[p].columns, ZEROS};
        const dip_npy shape = {PARTS[p].type, rows, PARTS[p].columns == 0 ? 1 : 0, ZEROS};
        check_array_refused(*state, PARTS[p].part, type, "holds");
        check_array_refused(*state, PARTS[p].part, shape, "holds");
        for (int64_t n = rows - 1; PARTS[p].rows >= 0 && n <= rows + 1; n += 2) {
            const dip_npy wrong = {PARTS[p].type, n, PARTS[p].columns, ZEROS};
            check_array_refused(*state, PARTS[p].part, wrong, "holds");
        }
    }
}

static void a_missing_part_is_named(void **state) {
    static const char *const PARTS[] = {
        "item-ids.bytes.npy", "item-ids.offsets.npy",    "item-titles.bytes.npy",
        "item-00-id.npy",     "item-02-tags.values.npy", "item-02-tags.offsets.npy",
        "item-04-price.npy",  "pairs-test.npy",          "item-count.npy",
        "item-trains.npy",    "mutual-information.npy"};
    for (size_t p = 0; p < sizeof PARTS / sizeof PARTS[0]; p++) {
        prepare(*state);
        fixture_replace_part(*state, PARTS[p], NULL, 0);
        check_fails(load(*state), DIP_ERR_FORMAT, PARTS[p]);
    }
}

static void a_part_that_is_no_array_is_refused(void **state) {
    prepare(*state);
    fixture_replace_part(*state, "item-01-kind.npy", "not an array at all", 19);
    check_fails(load(*state), DIP_ERR_FORMAT, "item-01-kind.npy is not a .npy file");
    prepare(*state);
    fixture_replace_part(*state, "pairs-test.npy", "", 0);
    check_fails(load(*state), DIP_ERR_FORMAT, "pairs-test.npy is not a .npy file");
}

static void an_altered_byte_is_noticed(void **state) {
    size_t bytes = 0;
    prepare(*state);
    const char *path = check_path(*state, "data/item-02-tags.values.npy");
    char *content = check_read(path, &bytes);
    content[bytes - 1] = (char)(content[bytes - 1] ^ 1);
    check_write(path, content, bytes);
    free(content);
    check_fails(load(*state), DIP_ERR_FORMAT, "item-02-tags.values.npy is damaged");
}

/* ---- the manifest ---------------------------------------------------------------------------- */

static void without_schema(json_t *manifest) {
    json_object_del(manifest, "schema");
}

static void without_config(json_t *manifest) {
    json_object_del(manifest, "config");
}

static void without_counts(json_t *manifest) {
    json_object_del(manifest, "counts");
}

static void with_more_rows(json_t *manifest) {
    json_object_set_new(json_object_get(manifest, "counts"), "item_rows", json_integer(4));
}

static void without_rows(json_t *manifest) {
    json_object_set_new(json_object_get(manifest, "counts"), "item_rows", json_integer(0));
}

static void with_a_bad_option(json_t *manifest) {
    json_object_set_new(json_object_get(manifest, "config"), "train.rate", json_string("fast"));
}

static void with_a_smaller_table(json_t *manifest) {
    json_t *tables = json_object_get(json_object_get(manifest, "schema"), "tables");
    json_object_set_new(json_array_get(tables, 1), "rows", json_integer(1));
}

static void a_manifest_that_contradicts_the_parts_is_refused(void **state) {
    static const struct {
        void (*edit)(json_t *);
        const char *part;
    } CASES[] = {{without_schema, "\"schema\""},
                 {without_config, "\"config\""},
                 {without_counts, "\"counts\""},
                 {with_more_rows, "item-ids.offsets.npy"},
                 {without_rows, "\"item_rows\""},
                 {with_a_bad_option, "train.rate"},
                 {with_a_smaller_table, "vocab-01-kind.tsv"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        prepare(*state);
        fixture_edit_manifest(*state, CASES[i].edit);
        check_fails(load(*state), DIP_ERR_FORMAT, CASES[i].part);
        assert_non_null(strstr(check_error()->message, "/data"));
    }
}

static void what_is_no_dataset_is_refused(void **state) {
    dip_folder_writer out;
    check_fails(load(*state), DIP_ERR_IO, "/data");
    check_ok(dip_folder_create(&out, check_path(*state, "data"), false, check_error()));
    check_ok(dip_folder_publish(&out, "diptych-model", 1, NULL, check_error()));
    check_fails(load(*state), DIP_ERR_FORMAT, "is a diptych-model, not a diptych-dataset");
    check_ok(dip_folder_create(&out, check_path(*state, "data"), true, check_error()));
    check_ok(dip_folder_publish(&out, DIP_DATASET_FORMAT, 2, NULL, check_error()));
    check_fails(load(*state), DIP_ERR_FORMAT, "format version 2");
}

static void every_failed_allocation_is_reported(void **state) {
    dip_status status = DIP_ERR_MEMORY;
    prepare(*state);
    for (int64_t n = 0; status == DIP_ERR_MEMORY; n++) {
        assert_true(n < 1000);
        dip_mem_fail_after(n, 0);
        status = load(*state);
        dip_mem_fail_after(-1, 0);
    }
    check_ok(status);
}

/* ---- names and ids --------------------------------------------------------------------------- */

static void part_names_are_plain(void **state) {
    (void)state;
    char name[DIP_PART_NAME_MAX];
    char long_name[300];
    dip_part_name(name, "item", 2, "section", ".npy");
    assert_string_equal(name, "item-02-section.npy");
    dip_part_name(name, "query", 12, "a b/c.d\xC3\xA9_-9", ".offsets.npy");
    assert_string_equal(name, "query-12-a_b_c_d___-9.offsets.npy");
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    dip_part_name(name, "vocab", 99, long_name, ".offsets.npy");
    assert_true(strlen(name) < DIP_PART_NAME_MAX - 1);
    assert_string_equal(name + strlen(name) - 12, ".offsets.npy");
}

static void ids_are_found_and_near_ones_named(void **state) {
    dip_dataset d;
    char text[200];
    fixture_load(&d, *state,
                 "items: {file: items.tsv, id: id, features: {id: {type: id}}}\n"
                 "interactions: {file: pairs.tsv, query: q, item: i}\n"
                 "split: {test: 0, validation: 0}\n",
                 "id\nnumpy\nscipy\npandas\nnump\nsympy\nnumpyy\nnumpi\nlumpy\n",
                 "q\ti\nnumpy\tscipy\n");
    assert_int_equal(dip_rows_find(&d.items, "pandas"), 2);
    assert_int_equal(dip_rows_find(&d.items, "nump"), 3);
    assert_int_equal(dip_rows_find(&d.items, "num"), -1);
    assert_int_equal(dip_rows_find(&d.items, ""), -1);
    dip_rows_nearest(&d.items, "numpz", text, sizeof text);
    assert_string_equal(text, "\"numpy\", \"nump\", \"numpi\", \"numpyy\", \"lumpy\"");
    dip_rows_nearest(&d.items, "panda", text, sizeof text);
    assert_string_equal(text, "\"pandas\"");
    dip_rows_nearest(&d.items, "zzzzzzzzz", text, sizeof text);
    assert_string_equal(text, "");
    dip_rows_nearest(&d.items, "numpz", text, 12);
    assert_true(strlen(text) < 12);
    dip_dataset_release(&d);
}

static int leave(void **state) {
    dip_mem_fail_after(-1, 0);
    return check_leave_folder(state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, check_enter_folder, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_untouched_dataset_loads),
        TEST(codes_outside_the_vocabulary_are_refused),
        TEST(bag_values_outside_the_vocabulary_are_refused),
        TEST(offsets_out_of_order_are_refused),
        TEST(string_offsets_out_of_order_are_refused),
        TEST(pairs_outside_the_rows_are_refused),
        TEST(statistics_are_checked),
        TEST(types_and_shapes_are_checked),
        TEST(a_missing_part_is_named),
        TEST(a_part_that_is_no_array_is_refused),
        TEST(an_altered_byte_is_noticed),
        TEST(a_manifest_that_contradicts_the_parts_is_refused),
        TEST(what_is_no_dataset_is_refused),
        TEST(every_failed_allocation_is_reported),
        cmocka_unit_test(part_names_are_plain),
        TEST(ids_are_found_and_near_ones_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
