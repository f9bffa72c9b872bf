/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing two methods by seed: Student's t against another library, closed forms, and how often
 * it errs.
 */
#include "check.h"
#include "evaluate/compare.h"

/* ---- Student's t ----------------------------------------------------------------------------- */

typedef struct student {
    size_t degrees;
    double t;
    double p;
} student;

/* SciPy: 2 * scipy.stats.t.sf(abs(t), v) */
static void p_values_are_those_of_scipy(void **state) {
    (void)state;
    static const student CASES[] = {
        {1, 0.5, 0.70483276469913347},     {1, 12.706204736, 0.050000000000684656},
        {2, 0.001, 0.99929289339559013},   {2, 4.3, 0.050057154117091593},
        {4, 0.2, 0.85123701413692243},     {4, 2.776, 0.050022778319976417},
        {4, 8.61, 0.001000134123827867},   {4, 60, 4.6210687276351278e-07},
        {5, -1.7, 0.14987678684832401},    {9, 0.9, 0.39156531693276658},
        {9, 3.25, 0.0099973690840215717},  {29, 2.0, 0.054943637182967173},
        {29, 12, 9.0607083331371826e-13},  {100, 0.01, 0.99204121023442848},
        {100, 1.98, 0.050451606833095394}, {1000, 5, 6.7672563646486348e-07},
        {10000, 1.3, 0.19363093218226851},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_close(dip_student_p(CASES[i].t, CASES[i].degrees), CASES[i].p, 1e-11);
    }
}

/* SciPy: scipy.stats.t.isf(p / 2, v) */
static void quantiles_are_those_of_scipy(void **state) {
    (void)state;
    static const student CASES[] = {
        {1, 12.706204736174705, 0.05},
        {2, 4.3026527297494637, 0.05},
        {3, 3.1824463052837086, 0.05},
        {4, 2.7764451051977943, 0.05},
        {5, 2.5705818356363155, 0.05},
        {6, 2.4469118511449794, 0.05},
        {7, 2.3646242515927844, 0.05},
        {8, 2.3060041352041662, 0.05},
        {9, 2.2621571627982053, 0.05},
        {10, 2.2281388519862753, 0.05},
        {14, 2.1447866879178039, 0.05},
        {19, 2.0930240544083101, 0.05},
        {29, 2.0452296421327039, 0.05},
        {49, 2.0095752371292397, 0.05},
        {99, 1.9842169515864176, 0.05},
        {999, 1.9623414611334498, 0.05},
        {1, 1.0, 0.5},
        {4, 0.13383036711194346, 0.9},
        {4, 4.604094871349993, 0.01},
        {9, 11.636782027328891, 1e-6},
        {29, 3.659405019466333, 0.001},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_close(dip_student_t(CASES[i].p, CASES[i].degrees), CASES[i].t, 1e-11);
    }
    check_near(dip_student_t(1, 4), 0, 1e-9);
}

/* With one degree of freedom P(|T| >= t) = 1 - 2 atan(t) / pi, with two 1 - t / sqrt(2 + t^2). */
static void one_and_two_degrees_have_closed_forms(void **state) {
    (void)state;
    const double pi = acos(-1.0);
    uint64_t random = 1;
    for (int i = 0; i < 1000; i++) {
        const double t = exp(8 * check_random_unit(&random) - 5);
        check_near(dip_student_p(t, 1), 1 - 2 * atan(t) / pi, 1e-14);
        check_near(dip_student_p(t, 2), 1 - t / sqrt(2 + t * t), 1e-14);
        check_near(dip_student_p(-t, 2), dip_student_p(t, 2), 0);
    }
}

static void p_falls_from_one_to_nothing(void **state) {
    (void)state;
    static const size_t DEGREES[] = {1, 2, 3, 4, 7, 30, 1001};
    for (size_t i = 0; i < sizeof DEGREES / sizeof DEGREES[0]; i++) {
        double before = dip_student_p(0, DEGREES[i]);
        check_near(before, 1, 0);
        for (double t = 0.01; t < 1e4; t *= 1.02) {
            const double p = dip_student_p(t, DEGREES[i]);
            assert_true(p <= before + 1e-15 && p >= 0);
            before = p;
        }
        assert_true(dip_student_p(INFINITY, DEGREES[i]) == 0);
        assert_true(dip_student_p(1e200, DEGREES[i]) == 0);
    }
    assert_true(isnan(dip_student_p(NAN, 3)) && isnan(dip_student_p(1, 0)));
    assert_true(isnan(dip_student_t(0, 3)) && isnan(dip_student_t(1.1, 3)));
    assert_true(isnan(dip_student_t(NAN, 3)) && isnan(dip_student_t(0.05, 0)));
}

/* ---- by seed --------------------------------------------------------------------------------- */

/* numpy.mean, numpy.std(ddof=1), scipy.stats.t.interval(.95, 4, mean, scipy.stats.sem) */
static void spreads_are_those_of_scipy(void **state) {
    (void)state;
    static const double VALUES[] = {0.4132, 0.4087, 0.4121, 0.4156, 0.4099};
    const dip_spread s = dip_spread_of(VALUES, 5);
    check_close(s.mean, 0.4119, 1e-14);
    check_close(s.sd, 0.002723049760838031, 1e-11);
    check_close(s.low, 0.40851888714665, 1e-12);
    check_close(s.high, 0.41528111285334995, 1e-12);
}

static void spreads_of_few_values(void **state) {
    (void)state;
    static const double EQUAL[] = {0.1, 0.1, 0.1};
    const dip_spread none = dip_spread_of(NULL, 0);
    const dip_spread one = dip_spread_of(EQUAL, 1);
    const dip_spread three = dip_spread_of(EQUAL, 3);
    assert_true(isnan(none.mean) && isnan(none.sd) && isnan(none.low) && isnan(none.high));
    assert_true(one.mean == 0.1 && isnan(one.sd) && isnan(one.low) && isnan(one.high));
    assert_true(three.mean == 0.1 && three.sd == 0 && three.low == 0.1 && three.high == 0.1);
}

/* scipy.stats.ttest_rel(a, b).pvalue */
static void paired_tests_are_those_of_scipy(void **state) {
    (void)state;
    static const double A[] = {0.4132, 0.4087, 0.4121, 0.4156, 0.4099};
    static const double B[] = {0.4011, 0.4035, 0.4089, 0.4042, 0.4058};
    static const double C[] = {0.31, 0.29};
    static const double D[] = {0.27, 0.28};
    static const double E[] = {0.5213, 0.5187, 0.5240, 0.5166, 0.5228,
                               0.5201, 0.5192, 0.5209, 0.5219, 0.5178};
    static const double F[] = {0.5205, 0.5199, 0.5231, 0.5181, 0.5216,
                               0.5207, 0.5188, 0.5221, 0.5211, 0.5183};
    check_close(dip_paired_t(A, B, 5), 0.018868957476023324, 1e-9);
    check_close(dip_paired_t(B, A, 5), 0.018868957476023324, 1e-9);
    check_close(dip_paired_t(C, D, 2), 0.344041739245262, 1e-9);
    check_close(dip_paired_t(E, F, 10), 0.78636970733592371, 1e-9);
}

static void equal_differences_decide_by_themselves(void **state) {
    (void)state;
    static const double A[] = {0.5, 0.25, 0.75};
    static const double B[] = {0.375, 0.125, 0.625};
    assert_true(dip_paired_t(A, A, 3) == 1);
    assert_true(dip_paired_t(A, B, 3) == 0);
    assert_true(dip_paired_t(B, A, 3) == 0);
    assert_true(isnan(dip_paired_t(A, B, 1)) && isnan(dip_paired_t(A, B, 0)));
}

static double normal(uint64_t *random) {
    const double u = 1 - check_random_unit(random);
    return sqrt(-2 * log(u)) * cos(2 * acos(-1.0) * check_random_unit(random));
}

/* Of 4000 comparisons of equals over five seeds, a share p finds a difference at p. */
static void the_test_by_seed_errs_as_often_as_it_says(void **state) {
    (void)state;
    enum { ROUNDS = 4000, SEEDS = 5 };
    uint64_t random = 2;
    int at_5 = 0;
    int at_50 = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double a[SEEDS];
        double b[SEEDS];
        for (int i = 0; i < SEEDS; i++) {
            a[i] = 0.4 + 0.01 * normal(&random);
            b[i] = 0.4 + 0.02 * normal(&random);
        }
        const double p = dip_paired_t(a, b, SEEDS);
        at_5 += p < 0.05;
        at_50 += p < 0.5;
    }
    check_share(at_5, ROUNDS, 0.05, 4);
    check_share(at_50, ROUNDS, 0.5, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_values_are_those_of_scipy),
        cmocka_unit_test(quantiles_are_those_of_scipy),
        cmocka_unit_test(one_and_two_degrees_have_closed_forms),
        cmocka_unit_test(p_falls_from_one_to_nothing),
        cmocka_unit_test(spreads_are_those_of_scipy),
        cmocka_unit_test(spreads_of_few_values),
        cmocka_unit_test(paired_tests_are_those_of_scipy),
        cmocka_unit_test(equal_differences_decide_by_themselves),
        cmocka_unit_test(the_test_by_seed_errs_as_often_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
