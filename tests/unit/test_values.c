/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells to values: bags, texts in several scripts, numbers and buckets.
 */
#include "check.h"
#include "data/values.h"

#include "base/mem.h"

static dip_feature feature_of(int type) {
    dip_feature feature;
    dip_options_default(&dip_feature_table, &feature, sizeof feature);
    feature.type = type;
    return feature;
}

/* The values of a cell are these, joined by '~'. */
static void check_values(dip_values *values, const dip_feature *feature, const char *cell,
                         const char *expected) {
    char joined[2000] = "";
    check_ok(dip_values_cut(values, feature, cell, strlen(cell), check_error()));
    for (size_t i = 0; i < values->n; i++) {
        assert_int_equal(strlen(dip_values_text(values, i)), dip_values_length(values, i));
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i > 0 ? "~" : "",
                 dip_values_text(values, i));
    }
    if (strcmp(joined, expected) != 0) {
        print_error("\"%s\" gives \"%s\", not \"%s\"\n", cell, joined, expected);
        fail();
    }
}

static void a_category_is_the_whole_cell_without_blanks_around(void **state) {
    (void)state;
    dip_values values = {0};
    for (int type = DIP_FEATURE_ID; type <= DIP_FEATURE_CATEGORICAL; type++) {
        const dip_feature feature = feature_of(type);
        check_values(&values, &feature, "abc", "abc");
        check_values(&values, &feature, "  a b|c \t\r\n", "a b|c");
        check_values(&values, &feature, "", "");
        check_values(&values, &feature, " \t ", "");
        check_values(&values, &feature, "ABC", "ABC");
        check_values(&values, &feature, "\xC2\xA0x", "\xC2\xA0x");
    }
    dip_values_free(&values);
}

static void a_bag_is_cut_at_its_separator(void **state) {
    (void)state;
    dip_values values = {0};
    dip_feature feature = feature_of(DIP_FEATURE_BAG);
    check_values(&values, &feature, "a|b|c", "a~b~c");
    check_values(&values, &feature, "a", "a");
    check_values(&values, &feature, " a | b|c d ", "a~b~c d");
    check_values(&values, &feature, "|a||b| |", "a~b");
    check_values(&values, &feature, "", "");
    check_values(&values, &feature, "|||", "");
    check_values(&values, &feature, "b|a|b|a|B", "b~a~B");
    check_values(&values, &feature, "a|a |  a", "a");
    dip_values_free(&values);
}

static void a_separator_may_have_several_bytes_or_be_a_blank(void **state) {
    (void)state;
    dip_values values = {0};
    dip_feature feature = feature_of(DIP_FEATURE_BAG);
    strcpy(feature.separator, ", ");
    check_values(&values, &feature, "a, b,c, d", "a~b,c~d");
    strcpy(feature.separator, " ");
    check_values(&values, &feature, "a b  c ", "a~b~c");
    strcpy(feature.separator, "||");
    check_values(&values, &feature, "a||b|c|||d", "a~b|c~|d");
    check_values(&values, &feature, "a|", "a|");
    strcpy(feature.separator, "\xC2\xB7");
    check_values(&values, &feature, "x\xC2\xB7y\xC2\xB5z", "x~y\xC2\xB5z");
    dip_values_free(&values);
}

static void a_text_is_cut_into_folded_words(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"", ""},
        {" -- ... !?", ""},
        {"Hello, World!", "hello~world"},
        {"the cat the hat", "the~cat~hat"},
        {"don't", "don~t"},
        {"snake_case kebab-case", "snake~case~kebab"},
        {"C++ 3.14 v2", "c~3~14~v2"},
        {"tabs\tand\nlines", "tabs~and~lines"},
        {"no\xC2\xA0"
         "break",
         "no~break"},
    };
    dip_values values = {0};
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_values(&values, &feature, CASES[i][0], CASES[i][1]);
    }
    dip_values_free(&values);
}

static void texts_are_normalised_by_nfkc_and_case_folding(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"Stra\xC3\x9F"
         "e",
         "strasse"},
        {"\xC3\x84"
         "RGER",
         "\xC3\xA4rger"},
        {"cafe\xCC\x81", "caf\xC3\xA9"},                          /* e + U+0301 composes */
        {"\xEF\xAC\x81ne", "fine"},                               /* U+FB01, the fi ligature */
        {"\xEF\xBC\xA1\xEF\xBC\xA2\xEF\xBC\x91", "ab1"},          /* full-width AB1 */
        {"\xE2\x91\xA0", "1"},                                    /* U+2460, circled 1 */
        {"x\xC2\xB2", "x2"},                                      /* superscript 2 */
        {"\xCE\xA3\xCE\x91\xCE\xA3", "\xCF\x83\xCE\xB1\xCF\x83"}, /* SIGMA ALPHA SIGMA */
        {"\xCF\x83\xCE\xB1\xCF\x82", "\xCF\x83\xCE\xB1\xCF\x83"}, /* with the final sigma */
        {"\xE2\x84\xAA\xE2\x84\xAB", "k\xC3\xA5"},                /* Kelvin and Angstrom signs */
        {"\xD0\x9C\xD0\x98\xD0\xA0", "\xD0\xBC\xD0\xB8\xD1\x80"}, /* Cyrillic */
        {"\xC7\xB1", "dz"},                                       /* U+01F1 */
    };
    dip_values values = {0};
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_values(&values, &feature, CASES[i][0], CASES[i][1]);
    }
    dip_values_free(&values);
}

/* A letter beyond ASCII at the end makes a text go the long way; what is before it is the same. */
static void ascii_is_folded_as_any_text(void **state) {
    (void)state;
    enum { LONGEST = 40, TEXTS = 2000 };
    static const char TAIL[] = " \xC3\xA9";
    dip_values plain = {0};
    dip_values longer = {0};
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    uint64_t random = 1;
    size_t words = 0;
    for (int i = 0; i < TEXTS; i++) {
        char text[LONGEST + sizeof TAIL];
        const size_t length = (size_t)i % LONGEST;
        for (size_t c = 0; c < length; c++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            text[c] = (char)(random >> 57);
        }
        memcpy(text + length, TAIL, sizeof TAIL);
        check_ok(dip_values_cut(&plain, &feature, text, length, check_error()));
        check_ok(dip_values_cut(&longer, &feature, text, length + sizeof TAIL - 1, check_error()));
        assert_int_equal(longer.n, plain.n + 1);
        for (size_t v = 0; v < plain.n; v++) {
            assert_string_equal(dip_values_text(&plain, v), dip_values_text(&longer, v));
        }
        words += plain.n;
    }
    assert_true(words > TEXTS);
    dip_values_free(&plain);
    dip_values_free(&longer);
}

static void marks_belong_to_their_word(void **state) {
    (void)state;
    dip_values values = {0};
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    /* Hindi "hindi": letters, vowel signs (Mc) and a virama (Mn). */
    check_values(&values, &feature,
                 "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D\xE0\xA4\xA6\xE0\xA5\x80",
                 "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D\xE0\xA4\xA6\xE0\xA5\x80");
    /* x with a combining circumflex, which has no composed form. */
    check_values(&values, &feature, "ax\xCC\x82y", "ax\xCC\x82y");
    /* Two marks in either order are the same word. */
    check_values(&values, &feature, "q\xCC\xA3\xCC\x87", "q\xCC\xA3\xCC\x87");
    check_values(&values, &feature, "q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87");
    dip_values_free(&values);
}

static void han_and_kana_characters_are_words(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"\xE6\xBC\xA2\xE5\xAD\x97", "\xE6\xBC\xA2~\xE5\xAD\x97"},
        {"abc\xE6\xBC\xA2"
         "def",
         "abc~\xE6\xBC\xA2~def"},
        {"\xE3\x81\x8B\xE3\x81\xAA", "\xE3\x81\x8B~\xE3\x81\xAA"}, /* Hiragana */
        {"\xE3\x82\xAB\xE3\x83\x8A", "\xE3\x82\xAB~\xE3\x83\x8A"}, /* Katakana */
        {"\xEF\xBD\xB6\xEF\xBE\x85", "\xE3\x82\xAB~\xE3\x83\x8A"}, /* half-width */
        {"\xE3\x81\x8B\xE3\x82\x99", "\xE3\x81\x8C"},              /* KA + dakuten */
        {"\xF0\xA0\x80\x80\xF0\xA0\x80\x81", "\xF0\xA0\x80\x80~\xF0\xA0\x80\x81"}, /* U+20000 */
        {"\xED\x95\x9C\xEA\xB5\xAD", "\xED\x95\x9C\xEA\xB5\xAD"}, /* Hangul has blanks: one word */
        {"\xE6\xBC\xA2\xE3\x80\x81\xE5\xAD\x97", "\xE6\xBC\xA2~\xE5\xAD\x97"}, /* a comma between */
    };
    dip_values values = {0};
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_values(&values, &feature, CASES[i][0], CASES[i][1]);
    }
    dip_values_free(&values);
}

/* U+31F0 is a Katakana letter outside the main block; U+1B001 is a Hiragana letter. */
static void rare_kana_are_words_too(void **state) {
    (void)state;
    dip_values values = {0};
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    check_values(&values, &feature, "\xE3\x87\xB0\xE3\x87\xB1", "\xE3\x87\xB0~\xE3\x87\xB1");
    check_values(&values, &feature, "\xF0\x9B\x80\x81\xF0\x9B\x80\x82",
                 "\xF0\x9B\x80\x81~\xF0\x9B\x80\x82");
    dip_values_free(&values);
}

static void words_are_bound_to_n_grams(void **state) {
    (void)state;
    dip_values values = {0};
    dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    feature.ngrams = (dip_list){2, {1, 2}};
    check_values(&values, &feature, "a b c", "a~b~c~a b~b c");
    check_values(&values, &feature, "a", "a");
    check_values(&values, &feature, "a b a b", "a~b~a b~b a");
    check_values(&values, &feature, "a, b. C", "a~b~c~a b~b c");
    feature.ngrams = (dip_list){1, {3}};
    check_values(&values, &feature, "a b", "");
    check_values(&values, &feature, "a b c", "a b c");
    check_values(&values, &feature, "a b c d", "a b c~b c d");
    feature.ngrams = (dip_list){1, {2}};
    check_values(&values, &feature, "\xE6\xBC\xA2\xE5\xAD\x97", "\xE6\xBC\xA2 \xE5\xAD\x97");
    check_values(&values, &feature, "x\xE6\xBC\xA2", "x \xE6\xBC\xA2");
    dip_values_free(&values);
}

static void many_values_are_kept_once_each(void **state) {
    (void)state;
    enum { WORDS = 5000 };
    dip_values values = {0};
    const dip_feature features[] = {feature_of(DIP_FEATURE_TEXT), feature_of(DIP_FEATURE_BAG)};
    char *cell = malloc(WORDS * 2 * 10);
    for (size_t f = 0; f < 2; f++) {
        size_t used = 0;
        for (int i = 0; i < 2 * WORDS; i++) {
            used += (size_t)sprintf(cell + used, "%sw%d",
                                    i == 0   ? ""
                                    : f == 0 ? " "
                                             : "|",
                                    i * 7919 % WORDS);
        }
        check_ok(dip_values_cut(&values, &features[f], cell, used, check_error()));
        assert_int_equal(values.n, WORDS);
        for (size_t i = 0; i < WORDS; i++) {
            char expected[16];
            snprintf(expected, sizeof expected, "w%zu", i * 7919 % WORDS);
            assert_string_equal(dip_values_text(&values, i), expected);
        }
    }
    free(cell);
    dip_values_free(&values);
}

static void one_workspace_serves_cells_of_all_kinds(void **state) {
    (void)state;
    dip_values values = {0};
    const dip_feature text = feature_of(DIP_FEATURE_TEXT);
    const dip_feature bag = feature_of(DIP_FEATURE_BAG);
    const dip_feature category = feature_of(DIP_FEATURE_CATEGORICAL);
    for (int i = 0; i < 50; i++) {
        check_values(&values, &text, "One two, one three", "one~two~three");
        check_values(&values, &category, " One two ", "One two");
        check_values(&values, &text, "", "");
        check_values(&values, &bag, "x|y|x", "x~y");
    }
    dip_values_free(&values);
}

static void a_cell_needs_no_nul_behind_it(void **state) {
    (void)state;
    dip_values values = {0};
    const dip_feature text = feature_of(DIP_FEATURE_TEXT);
    const dip_feature bag = feature_of(DIP_FEATURE_BAG);
    char *cell = malloc(3);
    memcpy(cell, "a|b", 3);
    check_ok(dip_values_cut(&values, &bag, cell, 3, check_error()));
    assert_int_equal(values.n, 2);
    check_ok(dip_values_cut(&values, &text, cell, 3, check_error()));
    assert_int_equal(values.n, 2);
    check_ok(dip_values_cut(&values, &bag, cell, 1, check_error()));
    assert_int_equal(values.n, 1);
    free(cell);
    dip_values_free(&values);
}

static void numbers_may_stand_between_blanks_and_may_be_missing(void **state) {
    (void)state;
    static const char *const BAD[] = {"x", "nan", "inf", "1 2", "1,5", "0x1", "1e999", "-", "--1"};
    double number = 0;
    assert_true(dip_values_number(" -1.5e2\t\r\n", &number));
    assert_true(number == -150);
    assert_true(dip_values_number("0", &number));
    assert_true(number == 0);
    assert_true(dip_values_number("", &number));
    assert_true(isnan(number));
    number = 0;
    assert_true(dip_values_number(" \t ", &number));
    assert_true(isnan(number));
    assert_true(dip_values_number("0.1000000000000000055511151231257827021181583404541", &number));
    assert_true(number == 0.1);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(dip_values_number(BAD[i], &number));
    }
}

static void a_bucket_is_the_count_of_edges_at_or_below(void **state) {
    (void)state;
    double edges[20];
    dip_feature feature = {.edges = edges};
    uint64_t random = 1;
    assert_int_equal(dip_values_bucket(&feature, 5), 0);
    for (size_t n = 1; n <= 20; n++) {
        feature.n_edges = n;
        for (size_t i = 0; i < n; i++) {
            edges[i] = (double)i * 2 - 7;
        }
        for (int round = 0; round < 200; round++) {
            const double number = (double)check_random_below(&random, 120) / 2 - 15;
            int32_t expected = 0;
            for (size_t i = 0; i < n; i++) {
                expected += edges[i] <= number;
            }
            assert_int_equal(dip_values_bucket(&feature, number), expected);
        }
        assert_int_equal(dip_values_bucket(&feature, -HUGE_VAL), 0);
        assert_int_equal(dip_values_bucket(&feature, HUGE_VAL), (int32_t)n);
    }
}

static void a_cut_without_memory_fails_and_can_be_repeated(void **state) {
    (void)state;
    static const char CELL[] = "one two three four five six seven eight nine ten";
    const dip_feature feature = feature_of(DIP_FEATURE_TEXT);
    dip_values values = {0};
    dip_status status = DIP_ERR_MEMORY;
    int64_t n = 0;
    for (; status != DIP_OK; n++) {
        assert_true(n < 100);
        dip_mem_fail_after(n, 0);
        status = dip_values_cut(&values, &feature, CELL, strlen(CELL), check_error());
        dip_mem_fail_after(-1, 0);
        assert_true(status == DIP_OK || status == DIP_ERR_MEMORY);
        check_values(&values, &feature, "a b", "a~b");
        dip_values_free(&values);
    }
    assert_true(n > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_category_is_the_whole_cell_without_blanks_around),
        cmocka_unit_test(a_bag_is_cut_at_its_separator),
        cmocka_unit_test(a_separator_may_have_several_bytes_or_be_a_blank),
        cmocka_unit_test(a_text_is_cut_into_folded_words),
        cmocka_unit_test(texts_are_normalised_by_nfkc_and_case_folding),
        cmocka_unit_test(ascii_is_folded_as_any_text),
        cmocka_unit_test(marks_belong_to_their_word),
        cmocka_unit_test(han_and_kana_characters_are_words),
        cmocka_unit_test(rare_kana_are_words_too),
        cmocka_unit_test(words_are_bound_to_n_grams),
        cmocka_unit_test(many_values_are_kept_once_each),
        cmocka_unit_test(one_workspace_serves_cells_of_all_kinds),
        cmocka_unit_test(a_cell_needs_no_nul_behind_it),
        cmocka_unit_test(numbers_may_stand_between_blanks_and_may_be_missing),
        cmocka_unit_test(a_bucket_is_the_count_of_edges_at_or_below),
        cmocka_unit_test(a_cut_without_memory_fails_and_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
