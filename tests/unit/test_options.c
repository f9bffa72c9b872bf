/* SPDX-License-Identifier: Apache-2.0
 *
 * Option tables: parsing, ranges, suggestions, and texts that read back as the same value.
 */
#include "base/options.h"
#include "check.h"

#include <locale.h>

typedef struct sample {
    int64_t count;
    double rate;
    bool is_on;
    int kind;
    char name[DIP_TEXT_MAX];
    dip_list widths;
    int64_t space;
} sample;

static const dip_option ROWS[] = {
    {"count", DIP_OPTION_INTEGER, offsetof(sample, count), "3", 1, 100, NULL, "how many"},
    {"rate", DIP_OPTION_NUMBER, offsetof(sample, rate), "0.05", 0, 1, NULL, "how fast"},
    {"switch", DIP_OPTION_SWITCH, offsetof(sample, is_on), "yes", 0, 0, NULL, "on or off"},
    {"kind", DIP_OPTION_CHOICE, offsetof(sample, kind), "red", 0, 0, "blue|red|redder", "which"},
    {"name", DIP_OPTION_TEXT, offsetof(sample, name), "x", 0, 0, NULL, "a text"},
    {"widths", DIP_OPTION_LIST, offsetof(sample, widths), "8,4", 1, 1000, NULL, "some numbers"},
    {"space", DIP_OPTION_SIZE, offsetof(sample, space), "64M", 1024, 1099511627776.0, NULL,
     "bytes"},
};
static const dip_option_table TABLE = {ROWS, sizeof ROWS / sizeof ROWS[0], "test option"};

static sample defaults(void) {
    sample s;
    memset(&s, 0xFF, sizeof s);
    dip_options_default(&TABLE, &s, sizeof s);
    return s;
}

static dip_status set(sample *s, const char *key, const char *text) {
    return dip_options_set(&TABLE, s, key, text, check_error());
}

static void check_same(const sample *a, const sample *b) {
    for (size_t i = 0; i < TABLE.n; i++) {
        char left[DIP_VALUE_MAX];
        char right[DIP_VALUE_MAX];
        dip_options_get(&ROWS[i], a, left);
        dip_options_get(&ROWS[i], b, right);
        assert_string_equal(left, right);
    }
}

static void defaults_fill_every_field(void **state) {
    (void)state;
    const sample s = defaults();
    assert_int_equal(s.count, 3);
    assert_true(s.rate == 0.05);
    assert_true(s.is_on);
    assert_int_equal(s.kind, 1);
    assert_string_equal(s.name, "x");
    assert_int_equal(s.name[DIP_TEXT_MAX - 1], 0);
    assert_int_equal(s.widths.n, 2);
    assert_int_equal(s.widths.value[0], 8);
    assert_int_equal(s.widths.value[1], 4);
    assert_int_equal(s.widths.value[2], 0);
}

static void ranges_include_their_ends(void **state) {
    (void)state;
    sample s = defaults();
    check_ok(set(&s, "count", "1"));
    check_ok(set(&s, "count", "100"));
    check_fails(set(&s, "count", "0"), DIP_ERR_USAGE, "count: \"0\" is not allowed");
    check_fails(set(&s, "count", "101"), DIP_ERR_USAGE, "1 to 100");
    assert_int_equal(s.count, 100);
    check_ok(set(&s, "rate", "0"));
    check_ok(set(&s, "rate", "1"));
    check_fails(set(&s, "rate", "1.0000001"), DIP_ERR_USAGE, "0 to 1");
    check_fails(set(&s, "rate", "-1e-300"), DIP_ERR_USAGE, "rate");
    assert_true(s.rate == 1);
    check_fails(set(&s, "widths", "8,0"), DIP_ERR_USAGE, "1 to 1000");
    assert_int_equal(s.widths.value[1], 4);
}

static void values_of_another_type_are_refused(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"count", "1.5"},
        {"count", ""},
        {"count", "abc"},
        {"count", " 7"},
        {"rate", "nan"},
        {"rate", "inf"},
        {"rate", "0x1"},
        {"rate", ""},
        {"rate", "0,5"},
        {"switch", "maybe"},
        {"switch", ""},
        {"switch", "YES"},
        {"kind", "green"},
        {"kind", ""},
        {"kind", "re"},
        {"kind", "blue|red"},
        {"kind", "|"},
        {"widths", ""},
        {"widths", "a"},
        {"widths", "1,2,x"},
        {"widths", "[]"},
        {"widths", "1.5"},
        {"widths", ",1"},
        {"widths", "1,2,3,4,5,6,7,8,9"},
        {"widths", "0000000000000000000000000001"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sample s = defaults();
        check_fails(set(&s, CASES[i][0], CASES[i][1]), DIP_ERR_USAGE, CASES[i][0]);
    }
}

static void a_refused_value_leaves_the_field_alone(void **state) {
    (void)state;
    static const char *const VALUES[] = {"", "x", "-1", "nan", "1,x", "[", "[]", " ", "9,9999999"};
    for (size_t r = 0; r < TABLE.n; r++) {
        for (size_t v = 0; v < sizeof VALUES / sizeof VALUES[0]; v++) {
            sample s = defaults();
            const sample before = s;
            if (set(&s, ROWS[r].key, VALUES[v]) != DIP_OK) {
                check_same(&s, &before);
            }
        }
    }
}

static void lists_are_read_with_blanks_and_brackets(void **state) {
    (void)state;
    static const char *const CASES[] = {"16,32,64", "16, 32, 64", "[16,32,64]", "[ 16 , 32 , 64 ]",
                                        "16 32 64"};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sample s = defaults();
        check_ok(set(&s, "widths", CASES[i]));
        assert_int_equal(s.widths.n, 3);
        assert_int_equal(s.widths.value[0], 16);
        assert_int_equal(s.widths.value[1], 32);
        assert_int_equal(s.widths.value[2], 64);
    }
    sample s = defaults();
    check_ok(set(&s, "widths", "1,2,3,4,5,6,7,8"));
    assert_int_equal(s.widths.n, DIP_LIST_MAX);
}

static void sizes_are_read_with_units_of_1024(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
        const char *printed;
    } GOOD[] = {{"2G", INT64_C(2147483648), "2G"},
                {"1.5k", 1536, "1536"},
                {"1025", 1025, "1025"},
                {"512m", 536870912, "512M"},
                {"2048", 2048, "2K"},
                {"1T", INT64_C(1099511627776), "1T"}};
    static const char *const BAD[] = {"", "G", "2GB", "1023", "2T", "-1K", "1 G", "0x10K", "1e"};
    sample s = defaults();
    assert_int_equal(s.space, 67108864);
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        char text[DIP_VALUE_MAX];
        assert_int_equal(set(&s, "space", GOOD[i].text), DIP_OK);
        assert_int_equal(s.space, GOOD[i].bytes);
        dip_options_get(dip_options_find(&TABLE, "space"), &s, text);
        assert_string_equal(text, GOOD[i].printed);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(set(&s, "space", BAD[i]), DIP_ERR_USAGE);
    }
    assert_non_null(strstr(check_error()->message, "size, 1K to 1T"));
}

static void nothing_may_follow_the_bracket_of_a_list(void **state) {
    (void)state;
    sample s = defaults();
    check_fails(set(&s, "widths", "[16,32]64"), DIP_ERR_USAGE, "widths");
    check_fails(set(&s, "widths", "16]x"), DIP_ERR_USAGE, "widths");
    check_ok(set(&s, "widths", "[16,32] "));
}

static void switches_have_four_spellings(void **state) {
    (void)state;
    static const char *const YES[] = {"yes", "true", "on", "1"};
    static const char *const NO[] = {"no", "false", "off", "0"};
    sample s = defaults();
    for (size_t i = 0; i < 4; i++) {
        check_ok(set(&s, "switch", NO[i]));
        assert_false(s.is_on);
        check_ok(set(&s, "switch", YES[i]));
        assert_true(s.is_on);
    }
}

static void a_choice_is_matched_whole(void **state) {
    (void)state;
    sample s = defaults();
    check_ok(set(&s, "kind", "redder"));
    assert_int_equal(s.kind, 2);
    check_ok(set(&s, "kind", "blue"));
    assert_int_equal(s.kind, 0);
    check_fails(set(&s, "kind", "pink"), DIP_ERR_USAGE, "blue | red | redder");
}

static void texts_have_255_bytes_at_most(void **state) {
    (void)state;
    char text[DIP_TEXT_MAX + 1];
    sample s = defaults();
    memset(text, 'y', sizeof text);
    text[DIP_TEXT_MAX] = '\0';
    check_fails(set(&s, "name", text), DIP_ERR_USAGE, "name");
    assert_string_equal(s.name, "x");
    text[DIP_TEXT_MAX - 1] = '\0';
    check_ok(set(&s, "name", text));
    assert_string_equal(s.name, text);
    check_ok(set(&s, "name", ""));
    assert_string_equal(s.name, "");
}

static void an_unknown_key_names_the_nearest(void **state) {
    (void)state;
    sample s = defaults();
    check_fails(set(&s, "conut", "1"), DIP_ERR_USAGE,
                "unknown test option \"conut\"; did you mean \"count\"?");
    check_fails(set(&s, "Widths", "1"), DIP_ERR_USAGE, "did you mean \"widths\"?");
    check_fails(set(&s, "zzzzzzzz", "1"), DIP_ERR_USAGE, "unknown test option \"zzzzzzzz\"");
    assert_null(strstr(check_error()->message, "did you mean"));
    check_fails(set(&s, "", "1"), DIP_ERR_USAGE, "unknown");
    assert_null(dip_options_find(&TABLE, "coun"));
    assert_ptr_equal(dip_options_find(&TABLE, "kind"), &ROWS[3]);
}

static void check_text(const char *key, const char *text, const char *expected) {
    sample s = defaults();
    char got[DIP_VALUE_MAX];
    check_ok(set(&s, key, text));
    dip_options_get(dip_options_find(&TABLE, key), &s, got);
    assert_string_equal(got, expected);
}

static void values_are_written_in_their_shortest_form(void **state) {
    (void)state;
    check_text("count", "+007", "7");
    check_text("rate", "0.1", "0.1");
    check_text("rate", "0.10000", "0.1");
    check_text("rate", "1e-3", "0.001");
    check_text("rate", "0.30000000000000004", "0.30000000000000004");
    check_text("rate", "5e-324", "5e-324");
    check_text("rate", "0", "0");
    check_text("switch", "off", "no");
    check_text("switch", "1", "yes");
    check_text("kind", "redder", "redder");
    check_text("name", "a | b", "a | b");
    check_text("widths", "[ 1, 22,333 ]", "1,22,333");
}

static void numbers_read_back_as_the_same_bits(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int i = 0; i < 20000; i++) {
        sample s = defaults();
        sample again = defaults();
        char text[DIP_VALUE_MAX];
        s.rate = check_random_unit(&random) * pow(10, -(double)check_random_below(&random, 30));
        dip_options_get(&ROWS[1], &s, text);
        check_ok(set(&again, "rate", text));
        assert_true(again.rate == s.rate);
    }
}

static void ranges_are_described(void **state) {
    (void)state;
    static const char *const EXPECTED[] = {
        "1 to 100", "0 to 1", "yes | no", "blue | red | redder", "", "1 to 1000", "1K to 1T"};
    static const char *const TYPES[] = {"integer", "number",   "switch", "choice",
                                        "text",    "integers", "size"};
    for (size_t i = 0; i < TABLE.n; i++) {
        char text[DIP_VALUE_MAX];
        dip_options_range(&ROWS[i], text);
        assert_string_equal(text, EXPECTED[i]);
        assert_string_equal(dip_options_type_name(ROWS[i].type), TYPES[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_every_field),
        cmocka_unit_test(ranges_include_their_ends),
        cmocka_unit_test(values_of_another_type_are_refused),
        cmocka_unit_test(a_refused_value_leaves_the_field_alone),
        cmocka_unit_test(lists_are_read_with_blanks_and_brackets),
        cmocka_unit_test(sizes_are_read_with_units_of_1024),
        cmocka_unit_test(nothing_may_follow_the_bracket_of_a_list),
        cmocka_unit_test(switches_have_four_spellings),
        cmocka_unit_test(a_choice_is_matched_whole),
        cmocka_unit_test(texts_have_255_bytes_at_most),
        cmocka_unit_test(an_unknown_key_names_the_nearest),
        cmocka_unit_test(values_are_written_in_their_shortest_form),
        cmocka_unit_test(numbers_read_back_as_the_same_bits),
        cmocka_unit_test(ranges_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
