/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells of arrays that are laid out by hand: no Arrow is needed. Whole files are read in
 * tests/cli/test_arrow.py.
 */
#include "check.h"
#include "data/arrow_cells.h"
#include "data/arrow_table.h"

/* The cell at a place is this text; NULL: it is null. */
static void check_cell(const dip_cell_plan *plan, const struct ArrowArray *array, int64_t place,
                       const char *expected) {
    dip_cell cell;
    dip_cell_read(plan, array, place, &cell);
    assert_int_equal(cell.is_null, expected == NULL);
    assert_int_equal(cell.length, expected != NULL ? strlen(expected) : 0);
    assert_memory_equal(cell.text, expected != NULL ? expected : "", cell.length);
}

/* An array of two buffers, the first of which says what is null. */
static void check_column(const char *format, const void *values, const unsigned char *valid,
                         const char *const *expected, int64_t n) {
    const struct ArrowSchema schema = {.format = format, .name = "x"};
    const dip_cell_plan plan = dip_cell_plan_of(&schema);
    const void *buffers[] = {valid, values};
    struct ArrowArray array = {
        .length = n, .null_count = valid != NULL, .n_buffers = 2, .buffers = buffers};
    for (int64_t i = 0; i < n; i++) {
        check_cell(&plan, &array, i, expected[i]);
    }
    /* The same through an offset. */
    array.offset = 1;
    for (int64_t i = 1; i < n; i++) {
        check_cell(&plan, &array, i - 1, expected[i]);
    }
}

static void integers_of_every_width(void **state) {
    (void)state;
    static const unsigned char VALID[] = {0x5}; /* the second is null */
    static const int8_t I8[] = {-128, 5, 127};
    static const uint8_t U8[] = {0, 5, 255};
    static const int16_t I16[] = {INT16_MIN, 5, INT16_MAX};
    static const uint16_t U16[] = {0, 5, UINT16_MAX};
    static const int32_t I32[] = {INT32_MIN, 5, INT32_MAX};
    static const uint32_t U32[] = {0, 5, UINT32_MAX};
    static const int64_t I64[] = {INT64_MIN, 5, INT64_MAX};
    static const uint64_t U64[] = {0, 5, UINT64_MAX};
    static const struct {
        const char *format;
        const void *values;
        const char *expected[3];
    } CASES[] = {{"c", I8, {"-128", NULL, "127"}},
                 {"C", U8, {"0", NULL, "255"}},
                 {"s", I16, {"-32768", NULL, "32767"}},
                 {"S", U16, {"0", NULL, "65535"}},
                 {"i", I32, {"-2147483648", NULL, "2147483647"}},
                 {"I", U32, {"0", NULL, "4294967295"}},
                 {"l", I64, {"-9223372036854775808", NULL, "9223372036854775807"}},
                 {"L", U64, {"0", NULL, "18446744073709551615"}}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *whole[3] = {CASES[i].expected[0], "5", CASES[i].expected[2]};
        check_column(CASES[i].format, CASES[i].values, VALID, CASES[i].expected, 3);
        check_column(CASES[i].format, CASES[i].values, NULL, whole, 3);
    }
}

static void reals_in_their_shortest_form(void **state) {
    (void)state;
    static const double REALS[] = {0.1, -2.5, 1e300, 4, NAN, INFINITY};
    static const char *const REAL_TEXTS[] = {"0.1", "-2.5", "1e+300", "4", NULL, "inf"};
    static const float FLOATS[] = {0.1f, -2.5f, 16777217.0f, 3.4028235e38f, NAN, -INFINITY, 1e-45f};
    static const char *const FLOAT_TEXTS[] = {"0.1", "-2.5", "16777216", "3.4028235e+38",
                                              NULL,  "-inf", "1e-45"};
    check_column("g", REALS, NULL, REAL_TEXTS, 6);
    check_column("f", FLOATS, NULL, FLOAT_TEXTS, 7);
}

static void truth_values_are_bits(void **state) {
    (void)state;
    static const unsigned char BITS[] = {0xA5, 0x02};
    static const unsigned char VALID[] = {0xFE, 0x02};
    static const char *const TEXTS[] = {NULL,   "false", "true", "false", "false",
                                        "true", "false", "true", NULL,    "true"};
    check_column("b", BITS, VALID, TEXTS, 10);
}

/* Before 1970 seconds are rounded down, too. */
static void times_become_seconds(void **state) {
    (void)state;
    static const int64_t TIMES[] = {0, 1999, -1, -1000, -1001};
    static const char *const SECONDS[] = {"0", "1999", "-1", "-1000", "-1001"};
    static const char *const OF_MILLISECONDS[] = {"0", "1", "-1", "-1", "-2"};
    static const char *const OF_MICROSECONDS[] = {"0", "0", "-1", "-1", "-1"};
    static const int32_t DAYS[] = {0, 1, -1, 20000};
    static const char *const OF_DAYS[] = {"0", "86400", "-86400", "1728000000"};
    check_column("tss:", TIMES, NULL, SECONDS, 5);
    check_column("tsm:UTC", TIMES, NULL, OF_MILLISECONDS, 5);
    check_column("tsu:Europe/Berlin", TIMES, NULL, OF_MICROSECONDS, 5);
    check_column("tsn:", TIMES, NULL, OF_MICROSECONDS, 5);
    check_column("tdm", TIMES, NULL, OF_MILLISECONDS, 5);
    check_column("tdD", DAYS, NULL, OF_DAYS, 4);
}

static void texts_are_found_by_offsets(void **state) {
    (void)state;
    static const char BYTES[] = "onethree";
    static const int32_t OFFSETS[] = {0, 3, 3, 8};
    static const int64_t LARGE[] = {0, 3, 3, 8};
    static const char *const TEXTS[] = {"one", "", "three"};
    static const char *const FORMATS[] = {"u", "z", "U", "Z"};
    for (size_t f = 0; f < 4; f++) {
        const struct ArrowSchema schema = {.format = FORMATS[f]};
        const dip_cell_plan plan = dip_cell_plan_of(&schema);
        const void *buffers[] = {NULL, f < 2 ? (const void *)OFFSETS : LARGE, BYTES};
        const struct ArrowArray array = {.length = 3, .n_buffers = 3, .buffers = buffers};
        for (int64_t i = 0; i < 3; i++) {
            check_cell(&plan, &array, i, TEXTS[i]);
        }
    }
}

static void words_are_looked_up_in_a_dictionary(void **state) {
    (void)state;
    static const char BYTES[] = "redblue";
    static const int32_t OFFSETS[] = {0, 3, 3, 7};
    static const unsigned char WORD_VALID[] = {0x5}; /* the second word is null */
    static const unsigned char VALID[] = {0x1D};     /* the second row is null */
    static const uint8_t INDICES[] = {2, 0, 0, 1, 2};
    struct ArrowSchema words = {.format = "u"};
    const struct ArrowSchema schema = {.format = "C", .dictionary = &words};
    const dip_cell_plan plan = dip_cell_plan_of(&schema);
    const void *word_buffers[] = {WORD_VALID, OFFSETS, BYTES};
    const void *buffers[] = {VALID, INDICES};
    struct ArrowArray dictionary = {
        .length = 3, .null_count = 1, .n_buffers = 3, .buffers = word_buffers};
    const struct ArrowArray array = {.length = 5,
                                     .null_count = 1,
                                     .n_buffers = 2,
                                     .buffers = buffers,
                                     .dictionary = &dictionary};
    static const char *const TEXTS[] = {"blue", NULL, "red", NULL, "blue"};
    for (int64_t i = 0; i < 5; i++) {
        check_cell(&plan, &array, i, TEXTS[i]);
    }
}

static void lists_have_places_in_their_child(void **state) {
    (void)state;
    static const int32_t OFFSETS[] = {0, 2, 2, 5};
    static const int64_t LARGE[] = {0, 2, 2, 5};
    static const unsigned char VALID[] = {0x5};
    static const char *const FORMATS[] = {"+l", "+L", "+w:3"};
    static const int64_t EXPECTED[3][2][2] = {{{0, 2}, {2, 5}}, {{0, 2}, {2, 5}}, {{0, 3}, {6, 9}}};
    struct ArrowSchema item = {.format = "i"};
    struct ArrowSchema *items[] = {&item};
    for (size_t f = 0; f < 3; f++) {
        const struct ArrowSchema schema = {
            .format = FORMATS[f], .n_children = 1, .children = items};
        const dip_cell_plan plan = dip_cell_plan_of(&schema);
        const void *buffers[] = {VALID, f == 0 ? (const void *)OFFSETS : LARGE};
        const struct ArrowArray array = {
            .length = 3, .null_count = 1, .n_buffers = f < 2 ? 2 : 1, .buffers = buffers};
        int64_t begin = -1;
        int64_t end = -1;
        assert_int_equal(plan.cell.kind, DIP_CELL_INTEGER);
        for (int64_t i = 0; i < 3; i += 2) {
            assert_true(dip_cell_list(&plan.list, &array, i, &begin, &end));
            assert_int_equal(begin, EXPECTED[f][i / 2][0]);
            assert_int_equal(end, EXPECTED[f][i / 2][1]);
        }
        assert_false(dip_cell_list(&plan.list, &array, 1, &begin, &end));
    }
}

static void other_types_are_named(void **state) {
    (void)state;
    static const char *const CASES[][2] = {{"+s", "a struct"},      {"+m", "a map"},
                                           {"d:10,2", "a decimal"}, {"ttm", "a time of day"},
                                           {"e", "a half float"},   {"w:16", "bytes of one width"},
                                           {"xyz", "xyz"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct ArrowSchema schema = {.format = CASES[i][0]};
        assert_int_equal(dip_cell_plan_of(&schema).cell.kind, DIP_CELL_OTHER);
        assert_string_equal(dip_cell_name(&schema), CASES[i][1]);
    }
    struct ArrowSchema inner = {.format = "i"};
    struct ArrowSchema *inners[] = {&inner};
    struct ArrowSchema list = {.format = "+l", .n_children = 1, .children = inners};
    struct ArrowSchema *lists[] = {&list};
    const struct ArrowSchema outer = {.format = "+l", .n_children = 1, .children = lists};
    assert_int_equal(dip_cell_plan_of(&outer).cell.kind, DIP_CELL_OTHER);
}

static void a_build_without_the_module_says_so(void **state) {
    dip_reader *reader = NULL;
    const char *path = check_path(*state, "x.parquet");
    check_write_text(path, "PAR1");
    dip_arrow_set_module("libdiptych_no_such_module.so");
    check_fails(dip_reader_open(&reader, &path, 1, NULL, check_error()), DIP_ERR_USAGE,
                "x.parquet: this build reads no Parquet and Arrow files");
    assert_non_null(strstr(check_error()->message, "to_csv"));
    assert_null(reader);
    dip_arrow_set_module(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_width),
        cmocka_unit_test(reals_in_their_shortest_form),
        cmocka_unit_test(truth_values_are_bits),
        cmocka_unit_test(times_become_seconds),
        cmocka_unit_test(texts_are_found_by_offsets),
        cmocka_unit_test(words_are_looked_up_in_a_dictionary),
        cmocka_unit_test(lists_have_places_in_their_child),
        cmocka_unit_test(other_types_are_named),
        check_test_in_folder(a_build_without_the_module_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
