/* SPDX-License-Identifier: Apache-2.0
 *
 * The order that can be asked both ways: a bijection with its inverse, which looks random. Seeds
 * are fixed.
 */
#include "check.h"
#include "generate/scatter.h"

static void check_bijection(int64_t n, uint64_t seed) {
    const dip_scatter scatter = dip_scatter_make(dip_rng_make(seed, DIP_DRAW_WORLD), 0, n);
    bool *seen = calloc((size_t)n, sizeof *seen);
    assert_non_null(seen);
    for (int64_t i = 0; i < n; i++) {
        const int64_t place = dip_scatter_to(&scatter, i);
        assert_true(place >= 0 && place < n && !seen[place]);
        assert_true(dip_scatter_from(&scatter, place) == i);
        seen[place] = true;
    }
    free(seen);
}

static void every_size_is_a_bijection(void **state) {
    (void)state;
    for (int64_t n = 1; n < 300; n++) {
        check_bijection(n, (uint64_t)n);
    }
    check_bijection(65536, 1);
    check_bijection(65537, 2);
    check_bijection(1000003, 3);
}

static void the_largest_sizes_go_back(void **state) {
    (void)state;
    static const int64_t N[] = {1000000000, INT32_MAX};
    uint64_t random = 4;
    for (size_t i = 0; i < sizeof N / sizeof N[0]; i++) {
        const dip_scatter scatter = dip_scatter_make(dip_rng_make(9, DIP_DRAW_WORLD), 0, N[i]);
        for (int64_t d = 0; d < 100000; d++) {
            const int64_t index = (int64_t)check_random_below(&random, (size_t)N[i]);
            const int64_t place = dip_scatter_to(&scatter, index);
            assert_true(place >= 0 && place < N[i]);
            assert_true(dip_scatter_from(&scatter, place) == index);
        }
    }
}

/* In a random order, neighbours go to independent places: the correlation of places i and i + lag
 * has deviation 1 / sqrt(n). */
static double correlation(const dip_scatter *scatter, int64_t n, int64_t lag) {
    double sum = 0;
    for (int64_t i = 0; i + lag < n; i++) {
        const double a = (double)dip_scatter_to(scatter, i) / (double)(n - 1) - 0.5;
        const double b = (double)dip_scatter_to(scatter, i + lag) / (double)(n - 1) - 0.5;
        sum += 12 * a * b;
    }
    return sum / (double)(n - lag);
}

static void neighbours_are_scattered(void **state) {
    (void)state;
    static const int64_t LAGS[] = {1, 2, 3, 10, 100, 101, 316, 317, 1000};
    enum { N = 100000 };
    for (uint64_t seed = 0; seed < 3; seed++) {
        const dip_scatter scatter = dip_scatter_make(dip_rng_make(seed, DIP_DRAW_WORLD), 0, N);
        double mean = 0;
        for (int64_t i = 0; i < N / 10; i++) {
            mean += (double)dip_scatter_to(&scatter, i) / N / (N / 10);
        }
        check_near(mean, 0.5, 5 * sqrt(1.0 / 12 / (N / 10)));
        for (size_t l = 0; l < sizeof LAGS / sizeof LAGS[0]; l++) {
            check_near(correlation(&scatter, N, LAGS[l]), 0, 5 / sqrt(N));
        }
    }
}

/* Chi-square over a grid of (index, place) cells: 15 x 15 free cells. */
static void places_do_not_depend_on_the_index(void **state) {
    (void)state;
    enum { N = 160000, SIDE = 16 };
    const dip_scatter scatter = dip_scatter_make(dip_rng_make(7, DIP_DRAW_WORLD), 0, N);
    double count[SIDE][SIDE] = {{0}};
    double statistic = 0;
    const double expected = (double)N / SIDE / SIDE;
    for (int64_t i = 0; i < N; i++) {
        count[i * SIDE / N][dip_scatter_to(&scatter, i) * SIDE / N]++;
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double delta = count[i / SIDE][i % SIDE] - expected;
        statistic += delta * delta / expected;
    }
    check_near(statistic, 225, 5 * sqrt(450));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_a_bijection),
        cmocka_unit_test(the_largest_sizes_go_back),
        cmocka_unit_test(neighbours_are_scattered),
        cmocka_unit_test(places_do_not_depend_on_the_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
