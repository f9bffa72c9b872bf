/* SPDX-License-Identifier: Apache-2.0
 *
 * Leaks of a split, against a plain count.
 */
#include "plain.h"
#include "prepare/leaks.h"

/* The marks that dip_fit_all makes, by hand. */
static dip_fit fit_of(const plain_pairs *pairs, size_t rows, bool queries_are_items) {
    dip_fit fit = {.item_trains = calloc(rows, 1),
                   .asks = calloc(rows, 1),
                   .item_count = calloc(rows, sizeof(int64_t))};
    fit.query_trains = queries_are_items ? fit.item_trains : fit.asks;
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->part[i] == DIP_PART_TRAIN) {
            fit.asks[pairs->query[i]] = 1;
            fit.query_trains[pairs->query[i]] = 1;
            fit.item_trains[pairs->item[i]] = 1;
            fit.item_count[pairs->item[i]]++;
        }
    }
    return fit;
}

static void free_fit(dip_fit *fit) {
    free(fit->item_trains);
    free(fit->asks);
    free(fit->item_count);
}

static int64_t count_tests(const plain_pairs *pairs) {
    int64_t n = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        n += pairs->part[i] == DIP_PART_TEST;
    }
    return n;
}

static void check_leaks(const plain_pairs *plain, size_t rows, bool queries_are_items,
                        const dip_leaks *expected, size_t memory) {
    const dip_means means = {.memory = memory, .threads = 2};
    dip_scratch scratch;
    dip_pairs pairs;
    dip_leaks found;
    dip_fit fit = fit_of(plain, rows, queries_are_items);
    plain_scratch(&scratch);
    dip_pairs_init(&pairs, &scratch);
    plain_pairs_put(plain, &pairs);
    check_ok(dip_leaks_count(&pairs, &fit, queries_are_items, count_tests(plain), &means, &found,
                             check_error()));
    assert_int_equal(found.reversed_test_pairs, expected->reversed_test_pairs);
    assert_int_equal(found.test_pairs_of_trained_queries, expected->test_pairs_of_trained_queries);
    assert_int_equal(found.cold_test_pairs, expected->cold_test_pairs);
    dip_pairs_free(&pairs);
    dip_scratch_free(&scratch);
    free_fit(&fit);
}

/* Every test pair against every other pair. */
static dip_leaks naive(const plain_pairs *pairs, bool queries_are_items) {
    dip_leaks leaks = {0};
    for (size_t i = 0; i < pairs->n; i++) {
        bool is_reversed = false;
        bool is_trained = false;
        bool is_cold = true;
        for (size_t j = 0; j < pairs->n && pairs->part[i] == DIP_PART_TEST; j++) {
            const bool trains = pairs->part[j] == DIP_PART_TRAIN;
            is_trained = is_trained || (trains && pairs->query[j] == pairs->query[i]);
            is_cold = is_cold && !(trains && pairs->item[j] == pairs->item[i]);
            is_reversed = is_reversed || (trains && pairs->query[j] == pairs->item[i] &&
                                          pairs->item[j] == pairs->query[i]);
        }
        leaks.test_pairs_of_trained_queries += is_trained;
        leaks.reversed_test_pairs += is_reversed && queries_are_items;
        leaks.cold_test_pairs += is_cold && pairs->part[i] == DIP_PART_TEST;
    }
    return leaks;
}

static plain_pairs make(size_t n) {
    return (plain_pairs){.n = n,
                         .query = calloc(n + 1, sizeof(int32_t)),
                         .item = calloc(n + 1, sizeof(int32_t)),
                         .part = calloc(n + 1, 1)};
}

/* Distinct pairs: number i is one of the square of all. */
static void leaks_are_counted(void **state) {
    (void)state;
    enum { FEW = 25, PAIRS = 300 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t random = seed;
        plain_pairs pairs = make(seed == 0 ? 1 : PAIRS);
        for (size_t i = 0; i < pairs.n; i++) {
            const size_t at = (i * 7 + seed) % (FEW * FEW);
            pairs.query[i] = (int32_t)(at / FEW);
            pairs.item[i] = (int32_t)(at % FEW);
            pairs.part[i] = (uint8_t)check_random_below(&random, 4);
        }
        for (int are_items = 0; are_items < 2; are_items++) {
            const dip_leaks expected = naive(&pairs, are_items);
            check_leaks(&pairs, FEW, are_items, &expected, SIZE_MAX);
            check_leaks(&pairs, FEW, are_items, &expected, 0);
        }
        plain_pairs_free(&pairs);
    }
}

/* More test pairs than the set holds at a time: it is filled several times over. Of the pairs
 * (a, a + k), those of even k train when their reverse tests. */
static void test_pairs_may_be_more_than_fit(void **state) {
    (void)state;
    enum { ROWS = 4000, STEPS = 50 };
    plain_pairs pairs = make((size_t)2 * ROWS * STEPS);
    dip_leaks expected = {0};
    size_t n = 0;
    for (int32_t k = 1; k <= STEPS; k++) {
        for (int32_t a = 0; a < ROWS; a++) {
            const int32_t b = (a + k) % ROWS;
            pairs.query[n] = a;
            pairs.item[n] = b;
            pairs.part[n++] = DIP_PART_TEST;
            pairs.query[n] = b;
            pairs.item[n] = a;
            pairs.part[n++] = k % 2 == 0 ? DIP_PART_TRAIN : DIP_PART_VALIDATION;
            expected.reversed_test_pairs += k % 2 == 0;
        }
    }
    /* Every row asks and is asked for in training, so none is cold. */
    expected.test_pairs_of_trained_queries = (int64_t)ROWS * STEPS;
    check_leaks(&pairs, ROWS, true, &expected, SIZE_MAX);
    check_leaks(&pairs, ROWS, true, &expected, 0);
    expected.reversed_test_pairs = 0;
    check_leaks(&pairs, ROWS, false, &expected, 0);
    plain_pairs_free(&pairs);
}

static void no_test_pair_leaks_nothing(void **state) {
    (void)state;
    plain_pairs pairs = make(2);
    const dip_leaks none = {0};
    pairs.item[0] = 1;
    pairs.query[1] = 1;
    check_leaks(&pairs, 2, true, &none, SIZE_MAX);
    plain_pairs_free(&pairs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaks_are_counted),
        cmocka_unit_test(test_pairs_may_be_more_than_fit),
        cmocka_unit_test(no_test_pair_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
