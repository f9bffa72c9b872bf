/* SPDX-License-Identifier: Apache-2.0
 *
 * Bootstrap intervals of one run.
 */
#include "coins.h"
#include "evaluate/bootstrap.h"

typedef struct interval {
    double low[COINS_WIDTH];
    double high[COINS_WIDTH];
} interval;

static interval bootstrap(const dip_scores *s, int64_t resamples, uint64_t seed, int threads) {
    interval i;
    check_ok(dip_scores_bootstrap(s, resamples, seed, threads, NULL, i.low, i.high, check_error()));
    return i;
}

static void the_bootstrap_is_a_function_of_its_seed(void **state) {
    (void)state;
    uint64_t random = 2;
    dip_scores s;
    coins_make(&s, 500, 0.3, &random);
    const interval one = bootstrap(&s, 300, 7, 1);
    const interval again = bootstrap(&s, 300, 7, 1);
    const interval threads = bootstrap(&s, 300, 7, 3);
    const interval other = bootstrap(&s, 300, 8, 1);
    assert_memory_equal(&one, &again, sizeof one);
    assert_memory_equal(&one, &threads, sizeof one);
    assert_true(one.low[0] != other.low[0] || one.high[0] != other.high[0]);
    coins_free(&s);
}

/* Of a share p of n coins: 1.96 sqrt(p (1 - p) / n) to either side, within 12%; also in groups. */
static void intervals_are_as_wide_as_theory_says(void **state) {
    (void)state;
    static const size_t SIZES[] = {200, 1000, 4096, 10000};
    uint64_t random = 3;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        dip_scores s;
        double mean[COINS_WIDTH];
        coins_make(&s, SIZES[i], 0.3, &random);
        dip_scores_mean(&s, mean);
        const interval found = bootstrap(&s, 1000, 1, 2);
        const double half = 1.96 * sqrt(mean[0] * (1 - mean[0]) / (double)SIZES[i]);
        check_close(found.high[0] - found.low[0], 2 * half, 0.12);
        check_near((found.high[0] + found.low[0]) / 2, mean[0], 0.25 * half);
        coins_free(&s);
    }
}

/* 200 worlds with a true share of 0.3: about 95% of the intervals hold it, 190 with deviation
 * 3.1. */
static void intervals_hold_the_truth_as_often_as_they_say(void **state) {
    (void)state;
    enum { WORLDS = 200 };
    uint64_t random = 4;
    int holds = 0;
    for (int world = 0; world < WORLDS; world++) {
        dip_scores s;
        coins_make(&s, 200, 0.3, &random);
        const interval found = bootstrap(&s, 200, (uint64_t)world, 2);
        holds += found.low[0] <= 0.3 && found.high[0] >= 0.3;
        coins_free(&s);
    }
    assert_in_range(holds, 178, 198);
}

static void without_variation_there_is_no_interval(void **state) {
    (void)state;
    static const size_t SIZES[] = {1, 2, 50, 5000};
    uint64_t random = 5;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        dip_scores s;
        coins_make(&s, SIZES[i], 2, &random); /* every coin hits */
        const interval found = bootstrap(&s, 50, 1, 1);
        check_close(found.low[0], 1, 1e-6);
        check_close(found.high[0], 1, 1e-6);
        assert_true(found.low[COINS_WIDTH - 1] == 0 &&
                    found.high[COINS_WIDTH - 1] == 0); /* an empty slice */
        coins_free(&s);
    }
}

static void no_queries_give_zeros(void **state) {
    (void)state;
    uint64_t random = 6;
    dip_scores s;
    coins_make(&s, 0, 0.5, &random);
    const interval found = bootstrap(&s, 50, 1, 1);
    for (size_t c = 0; c < COINS_WIDTH; c++) {
        assert_true(found.low[c] == 0 && found.high[c] == 0);
    }
    coins_free(&s);
}

static void one_resample_is_an_interval_of_one_point(void **state) {
    (void)state;
    uint64_t random = 7;
    dip_scores s;
    coins_make(&s, 100, 0.5, &random);
    const interval found = bootstrap(&s, 1, 1, 1);
    assert_true(found.low[0] == found.high[0]);
    assert_true(found.low[0] > 0.2 && found.low[0] < 0.8);
    coins_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bootstrap_is_a_function_of_its_seed),
        cmocka_unit_test(intervals_are_as_wide_as_theory_says),
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(without_variation_there_is_no_interval),
        cmocka_unit_test(no_queries_give_zeros),
        cmocka_unit_test(one_resample_is_an_interval_of_one_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
