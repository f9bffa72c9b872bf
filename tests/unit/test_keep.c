/* SPDX-License-Identifier: Apache-2.0
 *
 * Which values a table keeps: against a sort of them all, in one run and in many.
 */
#include "plain.h"

#include "base/folder.h"

/* 0: every value is a run of its own. */
static const size_t MEMORIES[] = {SIZE_MAX, 10000, 500, 0};
enum { N_MEMORIES = sizeof MEMORIES / sizeof MEMORIES[0] };

typedef struct value {
    const char *text;
    size_t length;
    int64_t count;
    size_t seen; /* its place in the order of sight */
} value;

/* The order that is promised: by count, then by bytes, a beginning before what continues it. */
static int by_rank(const void *left, const void *right) {
    const value *a = left;
    const value *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    for (size_t i = 0; i < a->length && i < b->length; i++) {
        if (a->text[i] != b->text[i]) {
            return (unsigned char)a->text[i] < (unsigned char)b->text[i] ? -1 : 1;
        }
    }
    return a->length < b->length ? -1 : a->length > b->length;
}

/* All that is kept by the naive way: values in order. */
static size_t rank(const plain_texts *seen, int64_t min_count, int64_t max_vocab, value *list) {
    size_t n = 0;
    for (size_t i = 0; i < seen->n; i++) {
        if (seen->count[i] >= min_count) {
            list[n++] = (value){seen->text[i], seen->length[i], seen->count[i], i};
        }
    }
    qsort(list, n, sizeof *list, by_rank);
    return max_vocab > 0 && n > (size_t)max_vocab ? (size_t)max_vocab : n;
}

static void check_equal(const plain_texts *seen, const dip_kept *kept, const value *list,
                        size_t n) {
    plain_texts found = plain_texts_of_kept(kept);
    int32_t *row = calloc(seen->n + 1, sizeof *row);
    assert_int_equal(kept->rows, n);
    for (size_t i = 0; i < seen->n; i++) {
        row[i] = -1;
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(found.length[i], list[i].length);
        assert_memory_equal(found.text[i], list[i].text, list[i].length);
        assert_int_equal(found.count[i], list[i].count);
        row[list[i].seen] = (int32_t)i;
    }
    if (seen->n > 0) {
        assert_memory_equal(kept->remap, row, seen->n * sizeof *row);
    }
    free(row);
    plain_texts_free(&found);
}

/* Texts that were seen, with their counts, are kept as the naive way keeps them; on every
 * memory. */
static void check_kept_of(const plain_texts *seen, int64_t min_count, int64_t max_vocab) {
    value *list = calloc(seen->n + 1, sizeof *list);
    const size_t n = rank(seen, min_count, max_vocab, list);
    for (size_t m = 0; m < N_MEMORIES; m++) {
        const dip_means means = {.memory = MEMORIES[m], .threads = 1 + (int)m % 2};
        dip_scratch scratch;
        dip_intern *intern = NULL;
        dip_kept kept = {0};
        plain_scratch(&scratch);
        check_ok(dip_intern_create(&intern, &scratch, check_error()));
        plain_texts_number(seen, intern);
        assert_int_equal(dip_intern_count(intern), seen->n);
        check_ok(dip_keep_values(&kept, intern, seen->count,
                                 &(dip_keep_rule){min_count, max_vocab, 0}, &scratch, &means,
                                 check_error()));
        check_equal(seen, &kept, list, n);
        dip_kept_free(&kept);
        dip_intern_free(intern);
        dip_scratch_free(&scratch);
    }
    free(list);
}

/* Texts and counts as they are; the copies are the caller's to free. */
static plain_texts texts_of(const char *const *texts, const int64_t *counts, size_t n) {
    plain_texts list = {.n = n,
                        .text = calloc(n + 1, sizeof(char *)),
                        .length = calloc(n + 1, sizeof(size_t)),
                        .count = calloc(n + 1, sizeof(int64_t))};
    for (size_t i = 0; i < n; i++) {
        list.text[i] = strdup(texts[i]);
        list.length[i] = strlen(texts[i]);
        list.count[i] = counts[i];
    }
    return list;
}

static void the_most_frequent_come_first_and_ties_by_bytes(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"rare", "b", "a", "most", "ab", "\xC3\xA9", "never", "B"};
    static const int64_t COUNTS[] = {1, 3, 3, 9, 3, 3, 0, 3};
    static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 1};
    static const struct {
        int64_t min_count;
        int64_t max_vocab;
        const char *kept;
    } CASES[] = {{1, 0, "most:9~B:3~a:3~ab:3~b:3~\xC3\xA9:3~rare:1"},
                 {2, 0, "most:9~B:3~a:3~ab:3~b:3~\xC3\xA9:3"},
                 {3, 0, "most:9~B:3~a:3~ab:3~b:3~\xC3\xA9:3"},
                 {4, 0, "most:9"},
                 {10, 0, ""},
                 {1, 3, "most:9~B:3~a:3"},
                 {1, 1, "most:9"},
                 {1, 100, "most:9~B:3~a:3~ab:3~b:3~\xC3\xA9:3~rare:1"},
                 {3, 7, "most:9~B:3~a:3~ab:3~b:3~\xC3\xA9:3"}};
    plain_texts seen = texts_of(TEXTS, COUNTS, 8);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_scratch scratch;
        dip_intern *intern = NULL;
        dip_kept kept = {0};
        plain_scratch(&scratch);
        check_ok(dip_intern_create(&intern, &scratch, check_error()));
        plain_texts_number(&seen, intern);
        check_ok(dip_keep_values(&kept, intern, COUNTS,
                                 &(dip_keep_rule){CASES[i].min_count, CASES[i].max_vocab, 0},
                                 &scratch, &MEANS, check_error()));
        check_kept(&kept, CASES[i].kept);
        dip_kept_free(&kept);
        dip_intern_free(intern);
        dip_scratch_free(&scratch);
        check_kept_of(&seen, CASES[i].min_count, CASES[i].max_vocab);
    }
    plain_texts_free(&seen);
}

static void nothing_is_kept_of_nothing(void **state) {
    (void)state;
    plain_texts none = texts_of(NULL, NULL, 0);
    check_kept_of(&none, 1, 0);
    check_kept_of(&none, 1, 5);
    plain_texts_free(&none);
}

/* The ranking does not depend on the order in which values were met. */
static void the_order_of_sight_does_not_count(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"x", "y", "z", "u", "v"};
    static const int64_t COUNTS[] = {2, 5, 2, 5, 1};
    static const size_t ORDERS[][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}};
    for (size_t o = 0; o < 3; o++) {
        const char *texts[5];
        int64_t counts[5];
        value list[5];
        for (size_t i = 0; i < 5; i++) {
            texts[i] = TEXTS[ORDERS[o][i]];
            counts[i] = COUNTS[ORDERS[o][i]];
        }
        plain_texts seen = texts_of(texts, counts, 5);
        assert_int_equal(rank(&seen, 1, 0, list), 5);
        for (size_t i = 0; i < 5; i++) {
            assert_string_equal(list[i].text, ((const char *[]){"u", "y", "x", "z", "v"})[i]);
        }
        check_kept_of(&seen, 1, 0);
        plain_texts_free(&seen);
    }
}

/* The first eight bytes are compared apart from the rest. */
static void texts_may_share_a_beginning(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "abcdefgh",   "abcdefg",      "abcdefghi",   "abcdefghh", "abcdefgh\xFF",
        "abcdefghia", "abcdef",       "abcdefg\x01", "a",         "abcdefghib",
        "\xFF",       "abcdefg\xFFz", "abcdefghibc", "ab"};
    enum { N = sizeof TEXTS / sizeof TEXTS[0] };
    int64_t counts[N];
    for (size_t i = 0; i < N; i++) {
        counts[i] = 4;
    }
    for (int reversed = 0; reversed < 2; reversed++) {
        const char *order[N];
        for (size_t i = 0; i < N; i++) {
            order[i] = TEXTS[reversed ? N - 1 - i : i];
        }
        plain_texts seen = texts_of(order, counts, N);
        for (int64_t most = 0; most <= N; most++) {
            check_kept_of(&seen, 1, most);
        }
        plain_texts_free(&seen);
    }
}

/* Distinct texts of few letters, many of them beginnings of others, some long. */
static plain_texts draw_texts(size_t n, uint64_t *random) {
    plain_texts seen = texts_of(NULL, NULL, 0);
    seen.text = realloc(seen.text, n * sizeof *seen.text);
    seen.length = realloc(seen.length, n * sizeof *seen.length);
    seen.count = realloc(seen.count, n * sizeof *seen.count);
    while (seen.n < n) {
        const size_t length = 1 + check_random_below(random, seen.n % 50 == 0 ? 600 : 14);
        char *text = calloc(length + 1, 1);
        bool is_new = true;
        for (size_t c = 0; c < length; c++) {
            text[c] = "aab\xF0"[check_random_below(random, 4)];
        }
        for (size_t i = 0; i < seen.n && is_new; i++) {
            is_new = strcmp(seen.text[i], text) != 0;
        }
        if (!is_new) {
            free(text);
            continue;
        }
        seen.text[seen.n] = text;
        seen.length[seen.n] = length;
        seen.count[seen.n++] = (int64_t)check_random_below(random, 6);
    }
    return seen;
}

static void random_values_are_ranked(void **state) {
    (void)state;
    uint64_t random = 1;
    for (size_t n = 1; n < 400; n = n * 2 + 1) {
        plain_texts seen = draw_texts(n, &random);
        check_kept_of(&seen, 0, 0);
        check_kept_of(&seen, 1, 0);
        check_kept_of(&seen, 3, (int64_t)n / 5);
        check_kept_of(&seen, 2, (int64_t)n);
        plain_texts_free(&seen);
    }
}

/* What is written is one line a row, in order, and escaped. */
static void kept_values_are_written(void **state) {
    static const char *const TEXTS[] = {"one", "t\to", "rare"};
    static const int64_t COUNTS[] = {5, 20, 1};
    static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 1};
    size_t bytes = 0;
    dip_scratch scratch;
    dip_intern *intern = NULL;
    dip_kept kept = {0};
    dip_folder_writer out;
    plain_texts seen = texts_of(TEXTS, COUNTS, 3);
    plain_scratch(&scratch);
    check_ok(dip_intern_create(&intern, &scratch, check_error()));
    plain_texts_number(&seen, intern);
    check_ok(dip_keep_values(&kept, intern, COUNTS, &(dip_keep_rule){2, 0, 0}, &scratch, &MEANS,
                             check_error()));
    check_ok(dip_folder_create(&out, check_path(*state, "out"), false, check_error()));
    check_ok(dip_keep_write(&kept, &out, "v.tsv", check_error()));
    check_ok(dip_folder_publish(&out, "test", 1, NULL, check_error()));
    char *text = check_read(check_path(*state, "out/v.tsv"), &bytes);
    assert_string_equal(text, "t\\to\t20\none\t5\n");
    free(text);
    dip_kept_free(&kept);
    dip_intern_free(intern);
    dip_scratch_free(&scratch);
    plain_texts_free(&seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_frequent_come_first_and_ties_by_bytes),
        cmocka_unit_test(nothing_is_kept_of_nothing),
        cmocka_unit_test(the_order_of_sight_does_not_count),
        cmocka_unit_test(texts_may_share_a_beginning),
        cmocka_unit_test(random_values_are_ranked),
        check_test_in_folder(kept_values_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
