/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing two methods by query, against all resamples of small samples and by how often it errs;
 * Holm's adjustment against another library.
 */
#include "base/mem.h"
#include "coins.h"
#include "evaluate/compare.h"

/* ---- by query -------------------------------------------------------------------------------- */

static dip_groups group_of(const dip_scores *s, uint64_t seed) {
    dip_groups g;
    check_ok(dip_groups_create(&g, s, seed, check_error()));
    dip_groups_add(&g, s);
    return g;
}

typedef struct differences {
    dip_difference column[COINS_WIDTH];
} differences;

static differences compare(const dip_scores *a, const dip_scores *b, int64_t resamples,
                           uint64_t seed, int threads) {
    differences d;
    dip_groups x = group_of(a, seed);
    dip_groups y = group_of(b, seed);
    check_ok(dip_compare_groups(&x, &y, resamples, threads, NULL, d.column, check_error()));
    dip_groups_free(&x);
    dip_groups_free(&y);
    return d;
}

/* Six queries with 1 to 3 examples each; column 0 has sums that a and b share in part. */
enum { FEW = 6 };
static const float FEW_A[FEW] = {1, 2, 0.5f, 1, 0.25f, 0};
static const float FEW_B[FEW] = {0.5f, 2.5f, 0.25f, 0.5f, 0, 0.5f};
static const float FEW_WEIGHT[FEW] = {1, 3, 1, 2, 1, 1};

static void make_few(dip_scores *s, const float *sum) {
    coins_zero(s, FEW);
    for (size_t i = 0; i < FEW; i++) {
        s->sum[i * COINS_WIDTH] = sum[i];
        s->weight[i * DIP_N_SLICES] = FEW_WEIGHT[i];
    }
}

static int ascending(const void *left, const void *right) {
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Differences of the means of all 6^6 resamples, sorted. */
static double *all_resamples(size_t *n) {
    *n = 46656;
    double *all = malloc(*n * sizeof *all);
    for (size_t r = 0; r < *n; r++) {
        double a = 0;
        double b = 0;
        double weight = 0;
        for (size_t i = 0, code = r; i < FEW; i++, code /= FEW) {
            a += (double)FEW_A[code % FEW];
            b += (double)FEW_B[code % FEW];
            weight += (double)FEW_WEIGHT[code % FEW];
        }
        all[r] = a / weight - b / weight;
    }
    qsort(all, *n, sizeof *all, ascending);
    return all;
}

/* 20000 random resamples against all there are: p within four standard deviations, the ends of the
 * interval between the quantiles half a percent of the distribution to either side. */
static void small_samples_agree_with_all_their_resamples(void **state) {
    (void)state;
    enum { RESAMPLES = 20000 };
    dip_scores a;
    dip_scores b;
    size_t n = 0;
    size_t not_above = 0;
    double *all = all_resamples(&n);
    make_few(&a, FEW_A);
    make_few(&b, FEW_B);
    const dip_difference found = compare(&a, &b, RESAMPLES, 5, 2).column[0];
    for (size_t r = 0; r < n; r++) {
        not_above += all[r] <= 0;
    }
    const double share = (double)not_above / (double)n;
    assert_true(share > 0.05 && share < 0.45);
    check_near(found.mean, (4.75 - 4.25) / 9, 1e-15);
    check_share(found.p / 2 * (RESAMPLES + 1) - 1, RESAMPLES, share, 4);
    assert_in_range(found.low >= all[n / 50] && found.low <= all[3 * n / 100], 1, 1);
    assert_in_range(found.high >= all[97 * n / 100] && found.high <= all[98 * n / 100], 1, 1);
    coins_free(&a);
    coins_free(&b);
    free(all);
}

static void a_comparison_turned_round_has_the_other_sign(void **state) {
    (void)state;
    uint64_t random = 3;
    dip_scores a;
    dip_scores b;
    coins_make(&a, 300, 0.4, &random);
    coins_make(&b, 300, 0.45, &random);
    const dip_difference one = compare(&a, &b, 999, 1, 2).column[0];
    const dip_difference other = compare(&b, &a, 999, 1, 2).column[0];
    assert_true(one.mean == -other.mean && one.p == other.p);
    assert_true(one.low == -other.high && one.high == -other.low);
    coins_free(&a);
    coins_free(&b);
}

/* Also beyond 4096 queries, where groups are resampled. */
static void comparisons_are_a_function_of_their_seed(void **state) {
    (void)state;
    static const size_t SIZES[] = {400, 6000};
    uint64_t random = 4;
    for (size_t i = 0; i < 2; i++) {
        dip_scores a;
        dip_scores b;
        coins_make(&a, SIZES[i], 0.5, &random);
        coins_make(&b, SIZES[i], 0.5, &random);
        const differences one = compare(&a, &b, 200, 7, 1);
        const differences three = compare(&a, &b, 200, 7, 3);
        const differences other = compare(&a, &b, 200, 8, 1);
        assert_memory_equal(&one, &three, sizeof one);
        assert_true(one.column[0].low != other.column[0].low ||
                    one.column[0].high != other.column[0].high);
        coins_free(&a);
        coins_free(&b);
    }
}

/* Runs are averaged: a method with runs x and y differs from itself with runs y and x by nothing,
 * and from x alone by half of y - x. */
static void runs_of_a_method_are_averaged(void **state) {
    (void)state;
    enum { N = 5000, RUNS = 3 };
    uint64_t random = 5;
    dip_scores run[RUNS];
    dip_groups forth;
    dip_groups back;
    double mean[RUNS] = {0};
    dip_difference d[COINS_WIDTH];
    for (size_t r = 0; r < RUNS; r++) {
        coins_make(&run[r], N, 0.3 + 0.1 * (double)r, &random);
        for (size_t i = 0; i < N; i++) {
            run[r].sum[i * COINS_WIDTH] *= 0.7f;
            mean[r] += (double)run[r].sum[i * COINS_WIDTH] / N;
        }
    }
    check_ok(dip_groups_create(&forth, &run[0], 1, check_error()));
    check_ok(dip_groups_create(&back, &run[0], 1, check_error()));
    for (size_t r = 0; r < RUNS; r++) {
        dip_groups_add(&forth, &run[r]);
        dip_groups_add(&back, &run[RUNS - 1 - r]);
    }
    check_ok(dip_compare_groups(&forth, &back, 100, 2, NULL, d, check_error()));
    assert_true(d[0].mean == 0 && d[0].low == 0 && d[0].high == 0 && d[0].p == 1);
    dip_groups first = group_of(&run[0], 1);
    check_ok(dip_compare_groups(&forth, &first, 100, 2, NULL, d, check_error()));
    check_near(d[0].mean, (mean[0] + mean[1] + mean[2]) / 3 - mean[0], 1e-12);
    assert_true(d[0].low > 0 && d[0].p < 0.05);
    dip_groups_free(&forth);
    dip_groups_free(&back);
    dip_groups_free(&first);
    for (size_t r = 0; r < RUNS; r++) {
        coins_free(&run[r]);
    }
}

/* 1000 comparisons of equals. Of 199 resamples p < .05 needs all but 3, or 4%; the interval
 * is to hold 0 in 95%. Four standard deviations to either side are 2.5% and 2.8%. */
static void the_test_by_query_errs_as_often_as_it_says(void **state) {
    (void)state;
    enum { WORLDS = 1000 };
    uint64_t random = 6;
    int found = 0;
    int holds = 0;
    for (uint64_t world = 0; world < WORLDS; world++) {
        dip_scores a;
        dip_scores b;
        coins_make(&a, 100, 0.3, &random);
        coins_make(&b, 100, 0.3, &random);
        const dip_difference d = compare(&a, &b, 199, world, 1).column[0];
        found += d.p < 0.05;
        holds += d.low <= 0 && d.high >= 0;
        coins_free(&a);
        coins_free(&b);
    }
    check_share(found, WORLDS, 0.04, 4);
    check_share(holds, WORLDS, 0.95, 4);
}

/* Queries that one method answers better by a little, among much noise that both share: only pairs
 * show it. */
static void clear_differences_are_found(void **state) {
    (void)state;
    enum { N = 400 };
    uint64_t random = 7;
    dip_scores a;
    dip_scores b;
    coins_make(&a, N, 0.5, &random);
    coins_zero(&b, N);
    for (size_t i = 0; i < N; i++) {
        b.sum[i * COINS_WIDTH] =
            a.sum[i * COINS_WIDTH] + (float)(0.01 + 0.06 * (check_random_unit(&random) - 0.5));
    }
    const dip_difference d = compare(&b, &a, 2000, 1, 2).column[0];
    assert_true(d.p == 2.0 / 2001);
    assert_true(d.low > 0.005 && d.mean > d.low && d.high > d.mean && d.high < 0.015);
    coins_free(&a);
    coins_free(&b);
}

/* Queries that all speak for one side: no resample says otherwise, but the sign test of so few has
 * p = 2^(1 - n). */
static void few_queries_prove_nothing(void **state) {
    (void)state;
    for (size_t n = 1; n <= 15; n++) {
        dip_scores a;
        dip_scores b;
        coins_zero(&a, n);
        coins_zero(&b, n);
        for (size_t i = 0; i < n; i++) {
            a.sum[i * COINS_WIDTH] = 1;
        }
        const dip_difference d = compare(&a, &b, 999, 1, 1).column[0];
        check_near(d.mean, 1, 0);
        check_close(d.p, fmax(2.0 / 1000, ldexp(2, -(int)n)), 1e-15);
        coins_free(&a);
        coins_free(&b);
    }
}

static bool is_unknown(const dip_difference *d) {
    return isnan(d->low) && isnan(d->high) && isnan(d->p);
}

static void what_was_not_measured_is_not_a_number(void **state) {
    (void)state;
    uint64_t random = 8;
    dip_scores a;
    dip_scores none;
    coins_make(&a, 50, 0.5, &random);
    coins_zero(&none, 0);
    const differences some = compare(&a, &a, 20, 1, 1);
    for (size_t c = 0; c < COINS_WIDTH; c++) { /* only the slice of all has examples */
        const dip_difference *d = &some.column[c];
        assert_true(c < DIP_N_METRICS ? d->mean == 0 && d->p == 1 : isnan(d->mean));
        assert_int_equal(is_unknown(d), c >= DIP_N_METRICS);
    }
    const differences unsampled = compare(&a, &a, 0, 1, 1);
    assert_true(unsampled.column[0].mean == 0 && is_unknown(&unsampled.column[0]));
    const differences empty = compare(&none, &none, 20, 1, 1);
    assert_true(isnan(empty.column[0].mean) && is_unknown(&empty.column[0]));
    coins_free(&a);
    coins_free(&none);
}

static void different_questions_are_not_compared(void **state) {
    (void)state;
    uint64_t random = 9;
    dip_difference d[COINS_WIDTH];
    dip_scores a;
    dip_scores longer;
    dip_scores heavier;
    coins_make(&a, 50, 0.5, &random);
    coins_make(&longer, 51, 0.5, &random);
    coins_make(&heavier, 50, 0.5, &random);
    heavier.weight[49 * DIP_N_SLICES] = 2;
    dip_groups x = group_of(&a, 1);
    dip_groups others[] = {group_of(&longer, 1), group_of(&heavier, 1), group_of(&a, 2)};
    for (size_t i = 0; i < 3; i++) {
        check_fails(dip_compare_groups(&x, &others[i], 10, 1, NULL, d, check_error()),
                    DIP_ERR_USAGE, "different questions");
        dip_groups_free(&others[i]);
    }
    dip_groups empty;
    check_ok(dip_groups_create(&empty, &a, 1, check_error()));
    check_fails(dip_compare_groups(&x, &empty, 10, 1, NULL, d, check_error()), DIP_ERR_USAGE,
                "1 runs of one method, 0 of the other");
    dip_groups_free(&empty);
    dip_groups_free(&x);
    coins_free(&a);
    coins_free(&longer);
    coins_free(&heavier);
}

static int stop(void *context, const dip_progress *progress) {
    (void)context;
    return progress->done >= 128;
}

static void comparisons_can_be_interrupted_and_run_out_of_memory(void **state) {
    (void)state;
    uint64_t random = 10;
    const dip_watch watch = {.on_progress = stop};
    dip_difference d[COINS_WIDTH];
    dip_scores a;
    coins_make(&a, 50, 0.5, &random);
    dip_groups x = group_of(&a, 1);
    check_fails(dip_compare_groups(&x, &x, 1000, 1, &watch, d, check_error()), DIP_ERR_INTERRUPTED,
                "while resampling");
    for (int64_t n = 0; n < 4; n++) {
        dip_mem_fail_after(n, 0);
        const dip_status status = dip_compare_groups(&x, &x, 10, 1, NULL, d, check_error());
        dip_mem_fail_after(-1, 0);
        assert_int_equal(status, DIP_ERR_MEMORY);
    }
    check_ok(dip_compare_groups(&x, &x, 10, 1, NULL, d, check_error()));
    dip_groups_free(&x);
    coins_free(&a);
}

/* ---- many tests together --------------------------------------------------------------------- */

/* statsmodels.stats.multitest.multipletests(p, method="holm")[1] */
static void adjusted_p_values_are_those_of_statsmodels(void **state) {
    (void)state;
    static const double P[] = {0.01, NAN, 0.04, 0.03, 0.005, 0.2, NAN, 0.04};
    static const double EXPECTED[] = {0.05, NAN, 0.12, 0.12, 0.03, 0.2, NAN, 0.12};
    double adjusted[8];
    dip_holm(P, 8, adjusted);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(isnan(adjusted[i]), isnan(EXPECTED[i]));
        assert_true(isnan(EXPECTED[i]) || fabs(adjusted[i] - EXPECTED[i]) < 1e-15);
    }
}

static void adjustment_at_its_ends(void **state) {
    (void)state;
    static const double P[] = {0.7, 0.02, 0.9, 0};
    double adjusted[4] = {-1, -1, -1, -1};
    dip_holm(P, 0, adjusted);
    assert_true(adjusted[0] == -1);
    dip_holm(P + 1, 1, adjusted);
    assert_true(adjusted[0] == 0.02);
    dip_holm(P, 4, adjusted);
    assert_true(adjusted[0] == 1 && adjusted[1] == 0.06 && adjusted[2] == 1 && adjusted[3] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_samples_agree_with_all_their_resamples),
        cmocka_unit_test(a_comparison_turned_round_has_the_other_sign),
        cmocka_unit_test(comparisons_are_a_function_of_their_seed),
        cmocka_unit_test(runs_of_a_method_are_averaged),
        cmocka_unit_test(the_test_by_query_errs_as_often_as_it_says),
        cmocka_unit_test(clear_differences_are_found),
        cmocka_unit_test(few_queries_prove_nothing),
        cmocka_unit_test(what_was_not_measured_is_not_a_number),
        cmocka_unit_test(different_questions_are_not_compared),
        cmocka_unit_test(comparisons_can_be_interrupted_and_run_out_of_memory),
        cmocka_unit_test(adjusted_p_values_are_those_of_statsmodels),
        cmocka_unit_test(adjustment_at_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
