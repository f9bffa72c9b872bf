/* SPDX-License-Identifier: Apache-2.0
 *
 * Vocabularies: numbering by first sight, and the stored form.
 */
#include "check.h"
#include "data/vocab.h"

#include "base/mem.h"

static int32_t add(dip_vocab *vocab, const char *text) {
    int32_t row = -1;
    check_ok(dip_vocab_add(vocab, text, strlen(text), &row, NULL, check_error()));
    return row;
}

static int32_t find(const dip_vocab *vocab, const char *text) {
    return dip_vocab_find(vocab, text, strlen(text));
}

static void check_row(const dip_vocab *vocab, size_t row, const char *text) {
    size_t length = 0;
    const char *found = dip_vocab_text(vocab, row, &length);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(found, text, length);
}

static void texts_are_numbered_by_first_sight(void **state) {
    (void)state;
    dip_vocab vocab = {0};
    bool is_new = false;
    int32_t row = -1;
    assert_int_equal(find(&vocab, "b"), -1);
    assert_int_equal(add(&vocab, "b"), 0);
    assert_int_equal(add(&vocab, "a"), 1);
    assert_int_equal(add(&vocab, "b"), 0);
    assert_int_equal(add(&vocab, ""), 2);
    assert_int_equal(add(&vocab, "B"), 3);
    check_ok(dip_vocab_add(&vocab, "a", 1, &row, &is_new, check_error()));
    assert_false(is_new);
    check_ok(dip_vocab_add(&vocab, "c", 1, &row, &is_new, check_error()));
    assert_true(is_new);
    assert_int_equal(row, 4);
    assert_int_equal(vocab.n, 5);
    check_row(&vocab, 0, "b");
    check_row(&vocab, 2, "");
    assert_int_equal(find(&vocab, "c"), 4);
    assert_int_equal(find(&vocab, "d"), -1);
    assert_int_equal(find(&vocab, "bb"), -1);
    dip_vocab_free(&vocab);
}

/* Ids are texts of any bytes: the training pairs are found by eight of them. */
static void texts_may_hold_any_byte(void **state) {
    (void)state;
    dip_vocab vocab = {0};
    int32_t row = -1;
    for (int i = 0; i < 256; i++) {
        const char key[2] = {'\0', (char)i};
        check_ok(dip_vocab_add(&vocab, key, 2, &row, NULL, check_error()));
        assert_int_equal(row, i);
        assert_int_equal(dip_vocab_find(&vocab, key, 2), i);
    }
    assert_int_equal(dip_vocab_find(&vocab, "\0", 1), -1);
    dip_vocab_free(&vocab);
}

static void many_texts_are_found_again(void **state) {
    (void)state;
    enum { N = 20000 };
    dip_vocab vocab = {0};
    char text[32];
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "value %d", i);
        assert_int_equal(add(&vocab, text), i);
    }
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "value %d", i);
        assert_int_equal(find(&vocab, text), i);
        check_row(&vocab, (size_t)i, text);
        assert_int_equal(vocab.count[i], 0);
    }
    assert_int_equal(find(&vocab, "value 20000"), -1);
    dip_vocab_free(&vocab);
}

static dip_vocab counted(const char *const *texts, const int64_t *counts, size_t n) {
    dip_vocab vocab = {0};
    for (size_t i = 0; i < n; i++) {
        const int32_t row = add(&vocab, texts[i]);
        vocab.count[row] = counts[i];
    }
    return vocab;
}

/* ---- the stored form ------------------------------------------------------------------------- */

static void publish_text(check_folder *folder, const char *text) {
    dip_folder_writer out;
    check_ok(dip_folder_create(&out, check_path(folder, "out"), true, check_error()));
    check_ok(dip_folder_put(&out, "v.tsv", text, strlen(text), check_error()));
    check_ok(dip_folder_publish(&out, "test", 1, NULL, check_error()));
}

static dip_status read_back(dip_vocab *vocab, check_folder *folder, int64_t rows) {
    dip_folder in;
    check_ok(dip_folder_open(&in, check_path(folder, "out"), "test", 1, check_error()));
    const dip_status status = dip_vocab_read(vocab, &in, "v.tsv", rows, check_error());
    dip_folder_close(&in);
    return status;
}

static void publish(check_folder *folder, const dip_vocab *vocab) {
    dip_folder_writer out;
    check_ok(dip_folder_create(&out, check_path(folder, "out"), true, check_error()));
    check_ok(dip_vocab_write(vocab, &out, "v.tsv", check_error()));
    check_ok(dip_folder_publish(&out, "test", 1, NULL, check_error()));
}

static void check_equal(const dip_vocab *a, const dip_vocab *b) {
    assert_int_equal(a->n, b->n);
    for (size_t row = 0; row < a->n; row++) {
        size_t left = 0;
        size_t right = 0;
        const char *x = dip_vocab_text(a, row, &left);
        const char *y = dip_vocab_text(b, row, &right);
        assert_int_equal(left, right);
        assert_memory_equal(x, y, left);
        assert_true(a->count[row] == b->count[row]);
        assert_int_equal(dip_vocab_find(b, x, left), (int32_t)row);
    }
}

static void any_text_survives_storing(void **state) {
    static const char *const TEXTS[] = {
        "plain", "",         "tab\there",    "line\nbreak",  "cr\rhere", "back\\slash",
        "\\",    "\\\\",     "\\t",          "ends with \\", "\t",       "\n",
        "a\\nb", " blanks ", "\xE6\xBC\xA2", "\"",           "t",        "n"};
    static const int64_t COUNTS[] = {0, 1,  2,  3,  INT64_MAX, 5,  6,  7,  8,
                                     9, 10, 11, 12, 13,        14, 15, 16, 17};
    enum { N = sizeof TEXTS / sizeof TEXTS[0] };
    dip_vocab vocab = counted(TEXTS, COUNTS, N);
    dip_vocab again;
    publish(*state, &vocab);
    check_ok(read_back(&again, *state, N));
    check_equal(&vocab, &again);
    dip_vocab_free(&vocab);
    dip_vocab_free(&again);
}

static void random_texts_survive_storing(void **state) {
    static const char LETTERS[] = "ab\\\t\n\r ntr";
    dip_vocab vocab = {0};
    dip_vocab again;
    uint64_t random = 9;
    for (int i = 0; i < 3000; i++) {
        char text[12];
        int32_t row = 0;
        const size_t length = check_random_below(&random, sizeof text);
        for (size_t c = 0; c < length; c++) {
            text[c] = LETTERS[check_random_below(&random, sizeof LETTERS - 1)];
        }
        check_ok(dip_vocab_add(&vocab, text, length, &row, NULL, check_error()));
        vocab.count[row]++;
    }
    publish(*state, &vocab);
    check_ok(read_back(&again, *state, (int64_t)vocab.n));
    check_equal(&vocab, &again);
    dip_vocab_free(&vocab);
    dip_vocab_free(&again);
}

static void the_stored_form_is_value_tab_count(void **state) {
    static const char *const TEXTS[] = {"one", "t\to"};
    static const int64_t COUNTS[] = {5, 20};
    size_t bytes = 0;
    dip_vocab vocab = counted(TEXTS, COUNTS, 2);
    publish(*state, &vocab);
    char *text = check_read(check_path(*state, "out/v.tsv"), &bytes);
    assert_string_equal(text, "one\t5\nt\\to\t20\n");
    free(text);
    dip_vocab_free(&vocab);
}

static void an_empty_vocabulary_is_stored(void **state) {
    const dip_vocab vocab = {0};
    dip_vocab again;
    publish(*state, &vocab);
    check_ok(read_back(&again, *state, 0));
    assert_int_equal(again.n, 0);
    assert_int_equal(dip_vocab_find(&again, "x", 1), -1);
    dip_vocab_free(&again);
}

static void damaged_lines_are_refused_with_their_number(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } CASES[] = {
        {"a\t1\nb 2\n", "v.tsv:2: "},
        {"a\t1\nb\t\n", "v.tsv:2: "},
        {"a\tx\n", "v.tsv:1: "},
        {"a\t-1\n", "v.tsv:1: "},
        {"a\t1.5\n", "v.tsv:1: "},
        {"a\t1\t2\n", "v.tsv:1: "},
        {"a\t99999999999999999999\n", "v.tsv:1: "},
        {"a\t000000000000000000000000000001\n", "v.tsv:1: "},
        {"\n", "v.tsv:1: "},
        {"a\t1\nb\t2", "v.tsv:2: the line does not end"},
        {"a\t1\n", "v.tsv has 1 rows, the schema says 2"},
        {"a\t1\nb\t1\nc\t1\n", "v.tsv has 3 rows"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_vocab vocab;
        publish_text(*state, CASES[i].text);
        check_fails(read_back(&vocab, *state, 2), DIP_ERR_FORMAT, CASES[i].part);
        assert_int_equal(vocab.n, 0);
    }
}

/* The repeat stands on line 3; the text must not say another one. */
static void a_value_that_stands_twice_is_refused_with_its_line(void **state) {
    dip_vocab vocab;
    publish_text(*state, "a\t1\nb\t2\na\t3\n");
    check_fails(read_back(&vocab, *state, 3), DIP_ERR_FORMAT, "v.tsv:3: the value stands twice");
}

static void a_failed_addition_changes_nothing(void **state) {
    (void)state;
    for (int64_t n = 0; n < 4; n++) {
        dip_vocab vocab = {0};
        int32_t row = 0;
        dip_mem_fail_after(n, 0);
        check_fails(dip_vocab_add(&vocab, "abc", 3, &row, NULL, check_error()), DIP_ERR_MEMORY,
                    "memory");
        dip_mem_fail_after(-1, 0);
        assert_int_equal(vocab.n, 0);
        assert_int_equal(find(&vocab, "abc"), -1);
        assert_int_equal(add(&vocab, "abc"), 0);
        assert_int_equal(add(&vocab, "d"), 1);
        check_row(&vocab, 0, "abc");
        dip_vocab_free(&vocab);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_numbered_by_first_sight),
        cmocka_unit_test(texts_may_hold_any_byte),
        cmocka_unit_test(many_texts_are_found_again),
        check_test_in_folder(any_text_survives_storing),
        check_test_in_folder(random_texts_survive_storing),
        check_test_in_folder(the_stored_form_is_value_tab_count),
        check_test_in_folder(an_empty_vocabulary_is_stored),
        check_test_in_folder(damaged_lines_are_refused_with_their_number),
        check_test_in_folder(a_value_that_stands_twice_is_refused_with_its_line),
        cmocka_unit_test(a_failed_addition_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
