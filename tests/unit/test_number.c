/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text: the whole text or nothing, in every locale.
 */
#include "base/number.h"
#include "check.h"

#include <locale.h>

static void numbers_are_read_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double number;
    } CASES[] = {
        {"0", 0},
        {"-0", 0},
        {"1", 1},
        {"+1", 1},
        {"-1.5", -1.5},
        {".5", 0.5},
        {"5.", 5},
        {"1e3", 1000},
        {"1E-3", 1e-3},
        {"1.25e+2", 125},
        {"0.1", 0.1},
        {"00012", 12},
        {"1e308", 1e308},
        {"5e-324", 5e-324},
        {"1e-999", 0},
        {"0.07", 0.07},
        {"9007199254740993", 9007199254740992.0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        double number = NAN;
        assert_true(dip_parse_number(CASES[i].text, &number));
        assert_true(number == CASES[i].number);
    }
}

/* Short decimals take a path of their own; strtod is the reference. */
static void short_decimals_are_rounded_as_strtod_does(void **state) {
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 200000; i++) {
        char text[24];
        const size_t n = 1 + check_random_below(&random, 17);
        const size_t point = check_random_below(&random, n + 3);
        for (size_t k = 0; k < n; k++) {
            text[k] = k == point ? '.' : (char)('0' + check_random_below(&random, 10));
        }
        text[n] = '\0';
        double number = 0;
        if (n == 1 && point == 0) {
            assert_false(dip_parse_number(text, &number));
            continue;
        }
        assert_true(dip_parse_number(text, &number));
        assert_true(number == strtod(text, NULL));
    }
}

static void what_is_no_number_is_refused(void **state) {
    (void)state;
    static const char *const CASES[] = {
        "",     " ",     " 1",    "1 ",     "1\n",   "\t1",          "1x",
        "x",    "nan",   "NaN",   "inf",    "-inf",  "INF",          "infinity",
        "0x10", "0X1p3", "1e999", "-1e999", "1,5",   "1.5.2",        "1e",
        "1e+",  "e5",    ".",     "+",      "-",     "--1",          "+-1",
        "1-2",  "1_000", "1'000", "1 000",  "1e5.5", "\xEF\xBC\x91", "1\xC2\xA0",
        "1f",   "1L",    "0b1",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        double number = 42;
        if (dip_parse_number(CASES[i], &number)) {
            print_error("\"%s\" was read as %g\n", CASES[i], number);
            fail();
        }
        assert_true(number == 42);
    }
}

static void integers_are_read_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t number;
    } CASES[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"-12", -12},
        {"0012", 12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t number = 42;
        assert_true(dip_parse_integer(CASES[i].text, &number));
        assert_true(number == CASES[i].number);
    }
}

static void what_is_no_integer_is_refused(void **state) {
    (void)state;
    static const char *const CASES[] = {
        "",
        " 1",
        "1 ",
        "1.0",
        "1.",
        "1e3",
        "0x10",
        "x",
        "+",
        "-",
        "--1",
        "+-1",
        "1-2",
        "1,0",
        "1\n",
        "inf",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t number = 42;
        if (dip_parse_integer(CASES[i], &number)) {
            print_error("\"%s\" was read as %lld\n", CASES[i], (long long)number);
            fail();
        }
        assert_true(number == 42);
    }
}

/* What "%.17g" prints reads back as the same bits. */
static void printed_numbers_read_back(void **state) {
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 20000; i++) {
        const uint64_t bits = check_random(&random);
        double number = 0;
        double again = 0;
        char text[64];
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number)) {
            continue;
        }
        snprintf(text, sizeof text, "%.17g", number);
        assert_true(dip_parse_number(text, &again));
        assert_true(again == number);
    }
}

/* A locale whose decimal point is a comma, or false. */
static bool enter_comma_locale(void) {
    static const char *const NAMES[] = {"de_DE.UTF-8", "de_DE.utf8",  "de_DE",       "de_AT.UTF-8",
                                        "fr_FR.UTF-8", "fr_FR.utf8",  "nl_NL.UTF-8", "ru_RU.UTF-8",
                                        "es_ES.UTF-8", "pt_BR.UTF-8", "it_IT.UTF-8"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (setlocale(LC_ALL, NAMES[i]) != NULL && localeconv()->decimal_point[0] == ',') {
            return true;
        }
    }
    setlocale(LC_ALL, "C");
    return false;
}

/* The fewest digits of 15 to 17 that read back, by the C library; fewer next to 0. */
static void print_reference(double number, char *text) {
    for (int precision = fabs(number) < 1e-300 ? 1 : 15; precision <= 17; precision++) {
        sprintf(text, "%.*g", precision, number);
        if (strtod(text, NULL) == number) {
            return;
        }
    }
}

static void check_shown(double number) {
    char expected[DIP_NUMBER_MAX];
    char found[DIP_NUMBER_MAX];
    print_reference(number, expected);
    dip_print_number(number, found);
    assert_string_equal(found, expected);
}

static void numbers_are_shown_in_their_shortest_form(void **state) {
    (void)state;
    static const double SPECIAL[] = {0,    -0.0, 1,    -1,    0.1,    1e-4, 1e-5,    99999.9999,
                                     1e10, 1e15, 1e16, 1e300, 5e-324, 0.3,  2.0 / 3, 1e9 - 0.0001};
    uint64_t random = 9;
    for (size_t i = 0; i < sizeof SPECIAL / sizeof SPECIAL[0]; i++) {
        check_shown(SPECIAL[i]);
    }
    for (int i = 0; i < 100000; i++) {
        static const double UNITS[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e7};
        const double whole = (double)(int64_t)check_random_below(&random, 2000000000) - 1e9;
        const double number = whole / UNITS[check_random_below(&random, 7)];
        check_shown(number);
        check_shown(nextafter(number, 1e300));
    }
    char text[DIP_NUMBER_MAX];
    dip_print_float(0.1f, text);
    assert_string_equal(text, "0.1");
    dip_print_float(1e-45f, text);
    assert_string_equal(text, "1e-45");
}

static void a_comma_locale_changes_nothing(void **state) {
    (void)state;
    if (!enter_comma_locale()) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    double number = 0;
    assert_true(dip_parse_number("1.5", &number));
    assert_true(number == 1.5);
    assert_true(dip_parse_number("-2.5e-3", &number));
    assert_true(number == -2.5e-3);
    assert_false(dip_parse_number("1,5", &number));
    int64_t integer = 0;
    assert_true(dip_parse_integer("1234567", &integer));
    assert_int_equal(integer, 1234567);
    char text[8];
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* the caller's locale is as it was */
}

static int leave_locale(void **state) {
    (void)state;
    setlocale(LC_ALL, "C");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_whole),
        cmocka_unit_test(short_decimals_are_rounded_as_strtod_does),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(integers_are_read_whole),
        cmocka_unit_test(what_is_no_integer_is_refused),
        cmocka_unit_test(printed_numbers_read_back),
        cmocka_unit_test(numbers_are_shown_in_their_shortest_form),
        cmocka_unit_test_teardown(a_comma_locale_changes_nothing, leave_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
