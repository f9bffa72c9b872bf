/* SPDX-License-Identifier: Apache-2.0
 *
 * The running top-k against a full sort: any order of arrival, ties, NaN and infinities.
 */
#include "check.h"
#include "math/topk.h"

enum { N = 300 };

typedef struct entry {
    float score;
    int64_t row;
} entry;

static int best_first(const void *left, const void *right) {
    const entry *a = left;
    const entry *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

/* The k best of the scores by sorting; entries that may not be taken left out. */
static size_t sort_out(const float *scores, size_t n, int64_t first, entry *list) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(scores[i]) && scores[i] != -INFINITY) {
            list[kept++] = (entry){scores[i], first + (int64_t)i};
        }
    }
    qsort(list, kept, sizeof *list, best_first);
    return kept;
}

static void check_result(const dip_topk *top, size_t held, const entry *list, size_t kept) {
    const size_t expected = kept < top->k ? kept : top->k;
    assert_int_equal(held, expected);
    for (size_t i = 0; i < top->k; i++) {
        if (i < expected) {
            assert_true(top->score[i] == list[i].score);
            assert_int_equal(top->row[i], list[i].row);
        } else {
            assert_true(top->score[i] == -INFINITY);
            assert_int_equal(top->row[i], -1);
        }
    }
}

/* Offers the scores in blocks, which may come in any order. */
static void check_stream(const float *scores, size_t n, size_t k, int64_t first, size_t block,
                         bool backwards) {
    float score[N + 10];
    int64_t row[N + 10];
    entry list[N];
    dip_topk top;
    const size_t blocks = (n + block - 1) / block;
    dip_topk_init(&top, k, score, row);
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = (backwards ? blocks - 1 - b : b) * block;
        dip_topk_offer(&top, first + (int64_t)at, scores + at, n - at < block ? n - at : block);
    }
    check_result(&top, dip_topk_finish(&top), list, sort_out(scores, n, first, list));
}

static void random_score(float *score, int kind, uint64_t *random) {
    static const float SPECIAL[] = {NAN, -INFINITY, INFINITY, 0.0f, -0.0f, 1e-45f, -1e38f, 1e38f};
    if (kind == 0) {
        *score = (float)check_random_unit(random) - 0.5f;
    } else if (kind == 1) {
        *score = (float)check_random_below(random, 5);
    } else {
        *score = SPECIAL[check_random_below(random, 8)];
    }
}

static void it_equals_a_full_sort(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 3000; round++) {
        float scores[N];
        const size_t n = check_random_below(&random, N + 1);
        const size_t k = 1 + check_random_below(&random, round % 5 == 0 ? N + 10 : 20);
        for (size_t i = 0; i < n; i++) {
            random_score(&scores[i], round % 3, &random);
        }
        check_stream(scores, n, k, (int64_t)check_random_below(&random, 1000),
                     1 + check_random_below(&random, N), round % 2 == 0);
    }
}

static void the_smaller_row_wins_a_tie_whenever_it_comes(void **state) {
    (void)state;
    float scores[N];
    for (size_t i = 0; i < N; i++) {
        scores[i] = 1;
    }
    for (size_t k = 1; k < 10; k++) {
        check_stream(scores, N, k, 0, 7, false);
        check_stream(scores, N, k, 0, 7, true);
        check_stream(scores, N, k, 0, 1, true);
    }
}

static void ascending_and_descending_streams_are_handled(void **state) {
    (void)state;
    float up[N];
    float down[N];
    for (size_t i = 0; i < N; i++) {
        up[i] = (float)i;
        down[i] = (float)(N - i);
    }
    for (size_t k = 1; k <= N + 3; k += 17) {
        check_stream(up, N, k, 5, 10, false);
        check_stream(down, N, k, 5, 10, false);
    }
}

static void what_may_not_be_taken_is_never_taken(void **state) {
    (void)state;
    static const float NONE[] = {NAN, -INFINITY, NAN, -INFINITY};
    static const float ONE[] = {NAN, -1e38f, -INFINITY, NAN};
    check_stream(NONE, 4, 3, 0, 4, false);
    check_stream(ONE, 4, 3, 0, 1, false);
    check_stream(ONE, 4, 1, 0, 1, true);
    check_stream(ONE, 0, 2, 0, 1, false);
}

static void rows_may_be_large(void **state) {
    (void)state;
    static const float SCORES[] = {3, 1, 3, 2};
    check_stream(SCORES, 4, 3, INT64_C(1) << 40, 2, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_equals_a_full_sort),
        cmocka_unit_test(the_smaller_row_wins_a_tie_whenever_it_comes),
        cmocka_unit_test(ascending_and_descending_streams_are_handled),
        cmocka_unit_test(what_may_not_be_taken_is_never_taken),
        cmocka_unit_test(rows_may_be_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
