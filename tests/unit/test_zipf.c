/* SPDX-License-Identifier: Apache-2.0
 *
 * The Zipf law: its mass against plain sums and known constants, and draws of fixed seeds against
 * its probabilities.
 */
#include "check.h"
#include "generate/zipf.h"

static const double EXPONENTS[] = {0, 0.3, 0.999999999, 1, 1.2, 1.5};
enum { N_EXPONENTS = sizeof EXPONENTS / sizeof EXPONENTS[0] };

/* Small terms first, so that the plain sum is good to the last digits. */
static double plain_sum(int64_t n, double s) {
    double sum = 0;
    for (int64_t k = n; k >= 1; k--) {
        sum += pow((double)k, -s);
    }
    return sum;
}

static void mass_is_the_harmonic_number(void **state) {
    (void)state;
    static const int64_t N[] = {1, 2, 999, 1000, 1001, 5000, 1000000};
    for (size_t i = 0; i < sizeof N / sizeof N[0]; i++) {
        for (size_t e = 0; e < N_EXPONENTS; e++) {
            check_close(dip_zipf_make(N[i], EXPONENTS[e]).mass, plain_sum(N[i], EXPONENTS[e]),
                        1e-13);
        }
    }
    /* H(n, 1) = log n + gamma + 1/(2n) - 1/(12 n^2) + ... */
    check_close(dip_zipf_make(1000000000, 1).mass, log(1e9) + 0.57721566490153286061 + 0.5e-9,
                1e-14);
    /* H(n, 3/2) = zeta(3/2) - 2/sqrt(n) + n^(-3/2)/2 - ... */
    check_close(dip_zipf_make(1000000000, 1.5).mass,
                2.61237534868548834335 - 2 / sqrt(1e9) + 0.5e-9 / sqrt(1e9), 1e-14);
}

static void probabilities_sum_to_one(void **state) {
    (void)state;
    for (size_t e = 0; e < N_EXPONENTS; e++) {
        const dip_zipf zipf = dip_zipf_make(3000, EXPONENTS[e]);
        double sum = 0;
        double entropy = 0;
        for (int64_t k = 2999; k >= 0; k--) {
            const double p = pow((double)k + 1, -EXPONENTS[e]) / plain_sum(3000, EXPONENTS[e]);
            check_close(dip_zipf_probability(&zipf, k), p, 1e-12);
            sum += dip_zipf_probability(&zipf, k);
            entropy -= p * log(p);
        }
        check_close(sum, 1, 1e-12);
        check_close(dip_zipf_entropy(&zipf), entropy, 1e-11);
    }
}

static int64_t draw(const dip_zipf *zipf, dip_rng rng, uint64_t i) {
    return dip_zipf_draw(zipf, rng, i, 3, dip_rng_at(rng, i, 3));
}

/* Pearson's statistic has mean n - 1 and variance 2 (n - 1): within five deviations. */
static void draws_have_the_probabilities(void **state) {
    (void)state;
    enum { DRAWS = 400000, MOST = 60 };
    static const int64_t N[] = {1, 2, 3, 7, MOST};
    const dip_rng rng = dip_rng_make(5, DIP_DRAW_LINK);
    for (size_t i = 0; i < sizeof N / sizeof N[0]; i++) {
        for (size_t e = 0; e < N_EXPONENTS; e++) {
            const dip_zipf zipf = dip_zipf_make(N[i], EXPONENTS[e]);
            double count[MOST] = {0};
            double statistic = 0;
            for (uint64_t d = 0; d < DRAWS; d++) {
                const int64_t k = draw(&zipf, rng, d);
                assert_true(k >= 0 && k < N[i]);
                count[k]++;
            }
            for (int64_t k = 0; k < N[i]; k++) {
                const double expected =
                    DRAWS * pow((double)k + 1, -EXPONENTS[e]) / plain_sum(N[i], EXPONENTS[e]);
                statistic += (count[k] - expected) * (count[k] - expected) / expected;
            }
            check_near(statistic, (double)N[i] - 1, 5 * sqrt(2 * (double)N[i]));
        }
    }
}

/* Every decade of ranks has its share. */
static void draws_of_a_billion_ranks_have_the_probabilities(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    const dip_rng rng = dip_rng_make(6, DIP_DRAW_LINK);
    for (size_t e = 0; e < N_EXPONENTS; e++) {
        const dip_zipf zipf = dip_zipf_make(1000000000, EXPONENTS[e]);
        for (int64_t limit = 1; limit <= 1000000000; limit *= 10) {
            const double share = dip_zipf_make(limit, EXPONENTS[e]).mass / zipf.mass;
            int64_t n = 0;
            for (uint64_t d = 0; d < DRAWS; d++) {
                n += draw(&zipf, rng, d) < limit;
            }
            check_share(n, DRAWS, fmin(share, 1), 5);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mass_is_the_harmonic_number),
        cmocka_unit_test(probabilities_sum_to_one),
        cmocka_unit_test(draws_have_the_probabilities),
        cmocka_unit_test(draws_of_a_billion_ranks_have_the_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
