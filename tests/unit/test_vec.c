/* SPDX-License-Identifier: Apache-2.0
 *
 * Vector kernels against plain loops in double, at every length around the widths that compilers
 * use.
 *
 *   EPS   one rounding of a float, 2^-24; a sum of n terms may be off by n of them
 */
#include "check.h"
#include "math/vec.h"

enum { N = 150 };

#define EPS 0x1p-24

static void fill(float *x, size_t n, uint64_t *random) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(4 * check_random_unit(random) - 2);
    }
}

static void axpy_adds_a_multiple(void **state) {
    (void)state;
    uint64_t random = 1;
    for (size_t n = 0; n < N; n++) {
        float x[N];
        float y[N];
        float before[N];
        fill(x, N, &random);
        fill(y, N, &random);
        memcpy(before, y, sizeof y);
        dip_vec_axpy(n, 0.7f, x, y);
        for (size_t i = 0; i < N; i++) {
            const float product = 0.7f * x[i]; /* rounded on its own: never contracted */
            assert_true(y[i] == (i < n ? before[i] + product : before[i]));
        }
    }
}

static void dot_sums_the_products(void **state) {
    (void)state;
    uint64_t random = 2;
    for (size_t n = 0; n < N; n++) {
        float x[N];
        float y[N];
        double sum = 0;
        double size = 0;
        fill(x, N, &random);
        fill(y, N, &random);
        for (size_t i = 0; i < n; i++) {
            sum += (double)x[i] * (double)y[i];
            size += fabs((double)x[i] * (double)y[i]);
        }
        check_near((double)dip_vec_dot(n, x, y), sum, ((double)n + 1) * EPS * size);
        assert_true(dip_vec_dot(n, x, y) == dip_vec_dot(n, y, x));
    }
}

static void max_finds_the_largest(void **state) {
    (void)state;
    uint64_t random = 3;
    for (size_t n = 1; n < N; n++) {
        float x[N];
        fill(x, N, &random);
        for (size_t at = 0; at < n; at++) {
            const float kept = x[at];
            x[at] = 3;
            assert_true(dip_vec_max(n, x) == 3);
            x[at] = kept;
        }
        x[n - 1] = -INFINITY;
        assert_true(dip_vec_max(n, x) == -INFINITY || n > 1);
        for (size_t i = 0; i < n; i++) {
            x[i] = -INFINITY;
        }
        assert_true(dip_vec_max(n, x) == -INFINITY);
    }
}

/* Wherever it stands: vec.h says that NaN entries are passed over. */
static void max_passes_over_nan(void **state) {
    (void)state;
    for (size_t n = 2; n < N; n++) {
        for (size_t at = n - 1; at < n; at--) {
            float x[N];
            for (size_t i = 0; i < n; i++) {
                x[i] = (float)i;
            }
            x[at] = NAN;
            const float expected = at == n - 1 ? (float)(n - 2) : (float)(n - 1);
            const float found = dip_vec_max(n, x);
            if (found != expected) {
                print_error("with NaN at %zu of %zu the maximum is %g\n", at, n, (double)found);
                fail();
            }
        }
    }
}

/* ---- exp ------------------------------------------------------------------------------------- */

/* The length takes both whole vectors and a rest. */
enum { EXPS = 37 };

/* vec.h promises 1 unit in the last place (0.982 is the worst of all floats), 0 for what is below
 * the smallest normal float and infinity for what rounds above the largest. */
static double exp_error(float x, float value) {
    const double expected = exp((double)x);
    if (expected < 0x1p-126 || isinf((float)expected)) {
        return (double)value == (expected < 1 ? 0 : (double)INFINITY) ? 0 : (double)INFINITY;
    }
    int exponent;
    frexp(expected, &exponent);
    return fabs((double)value - expected) / ldexp(1, exponent - 24);
}

static void check_exps(size_t n, const float *x, float *value) {
    memcpy(value, x, n * sizeof *x);
    dip_vec_exp_sum(n, 0, value);
    for (size_t i = 0; i < n; i++) {
        if (!isnan(x[i]) && !(exp_error(x[i], value[i]) <= 1)) {
            print_error("exp(%.9g) is %.9g, off by %.3g units\n", (double)x[i], (double)value[i],
                        exp_error(x[i], value[i]));
            fail();
        }
        assert_int_equal(isnan(x[i]), isnan(value[i]));
    }
}

/* Every 997th pattern of bits: both signs, denormals, infinities and NaN among them. */
static void exp_is_accurate_over_the_whole_range(void **state) {
    (void)state;
    float x[1024];
    float value[1024];
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32;) {
        for (size_t i = 0; i < 1024; i++, bits += 997) {
            const uint32_t pattern = (uint32_t)bits;
            memcpy(&x[i], &pattern, sizeof pattern);
        }
        check_exps(1024, x, value);
    }
}

/* Where the reduction changes its multiple of ln 2, some floats to either side, and the ends. */
static void exp_is_accurate_where_its_parts_meet(void **state) {
    (void)state;
    float x[EXPS];
    float value[EXPS];
    for (int m = -301; m <= 301; m++) {
        float low = (float)(m * 0.5 * log(2));
        float high = low;
        for (size_t j = 0; j < EXPS; j += 2) {
            x[j] = low;
            x[j + 1 < EXPS ? j + 1 : j] = high;
            low = nextafterf(low, -INFINITY);
            high = nextafterf(high, INFINITY);
        }
        check_exps(EXPS, x, value);
    }
    float ends[EXPS] = {-87.3365402f, -87.3365479f, 88.7228317f, 88.7228394f, 0,
                        -0.0f,        1e-45f,       -1e-45f};
    check_exps(EXPS, ends, value);
}

static void exp_is_zero_below_the_range_and_infinite_above(void **state) {
    (void)state;
    static const float LOW[] = {-87.3365479f, -88, -104, -1000, -3e38f, -INFINITY};
    static const float HIGH[] = {88.7228394f, 89, 1000, 3e38f, INFINITY, 129};
    for (size_t i = 0; i < 6; i++) {
        float x = LOW[i];
        assert_true(dip_vec_exp_sum(1, 0, &x) == 0);
        assert_true(x == 0);
        x = HIGH[i];
        assert_true(dip_vec_exp_sum(1, 0, &x) == INFINITY);
        assert_true(x == INFINITY);
    }
}

static void exp_of_nan_is_nan(void **state) {
    (void)state;
    for (size_t at = 0; at < 20; at++) {
        float x[20] = {0};
        x[at] = NAN;
        assert_true(isnan(dip_vec_exp_sum(20, 0, x)));
        for (size_t i = 0; i < 20; i++) {
            assert_true(i == at ? isnan(x[i]) : x[i] == 1);
        }
    }
}

static void exp_sum_shifts_and_sums(void **state) {
    (void)state;
    uint64_t random = 5;
    for (size_t n = 0; n < N; n++) {
        float x[N];
        float before[N];
        double sum = 0;
        fill(x, N, &random);
        memcpy(before, x, sizeof x);
        const float found = dip_vec_exp_sum(n, 1.5f, x);
        for (size_t i = 0; i < N; i++) {
            if (i < n) {
                check_close((double)x[i], exp((double)(before[i] - 1.5f)), 2e-7);
                sum += (double)x[i];
            } else {
                assert_true(x[i] == before[i]);
            }
        }
        check_near((double)found, sum, ((double)n + 1) * EPS * sum);
    }
}

static void softmax_sums_to_one(void **state) {
    (void)state;
    uint64_t random = 11;
    for (size_t n = 1; n < N; n++) {
        float x[N];
        float before[N];
        double sum = 0;
        fill(x, N, &random);
        x[n / 2] = n > 1 && n % 3 == 0 ? -INFINITY : 100 * x[n / 2];
        memcpy(before, x, sizeof x);
        const double log_sum = (double)dip_vec_softmax(n, x);
        for (size_t i = 0; i < n; i++) {
            check_near((double)x[i], exp((double)before[i] - log_sum),
                       1e-5 * (double)x[i] + 0x1p-126);
            sum += (double)x[i];
        }
        check_near(sum, 1, 1e-6);
    }
}

/* ---- layers ---------------------------------------------------------------------------------- */

static void bias_is_added_and_clipped(void **state) {
    (void)state;
    uint64_t random = 6;
    for (size_t n = 1; n < 40; n++) {
        for (int relu = 0; relu < 2; relu++) {
            float x[4 * 40];
            float before[4 * 40];
            float bias[40];
            fill(x, 160, &random);
            fill(bias, 40, &random);
            memcpy(before, x, sizeof x);
            dip_vec_bias(3, n, bias, relu != 0, x);
            for (size_t i = 0; i < 160; i++) {
                const float sum = before[i] + bias[i % n];
                const float expected = i >= 3 * n ? before[i] : relu && sum < 0 ? 0 : sum;
                assert_true(x[i] == expected);
            }
        }
    }
}

static void relu_backward_keeps_active_gradients(void **state) {
    (void)state;
    uint64_t random = 7;
    for (size_t n = 0; n < N; n++) {
        float y[N];
        float dx[N];
        float before[N];
        fill(y, N, &random);
        fill(dx, N, &random);
        for (size_t i = 0; i < N; i++) {
            y[i] = y[i] < 0 ? 0 : y[i];
        }
        memcpy(before, dx, sizeof dx);
        dip_vec_relu_backward(n, y, dx);
        for (size_t i = 0; i < N; i++) {
            assert_true(dx[i] == (i < n && y[i] == 0 ? 0 : before[i]));
        }
    }
}

static void normalise_gives_unit_vectors(void **state) {
    (void)state;
    static const float SCALES[] = {1, 1e-6f, 1e-18f, 1e18f, 1e-11f};
    uint64_t random = 8;
    for (size_t n = 1; n < N; n++) {
        float z[N];
        float u[N];
        double squares = 0;
        fill(z, n, &random);
        const float scale = SCALES[n % 5];
        for (size_t i = 0; i < n; i++) {
            z[i] *= scale;
            squares += (double)z[i] * (double)z[i];
        }
        const double norm = fmax(sqrt(squares), 1e-12);
        check_close((double)dip_vec_normalise(n, z, u), norm, 2 * EPS);
        for (size_t i = 0; i < n; i++) {
            check_close((double)u[i], (double)z[i] / norm, 4 * EPS);
        }
    }
}

static void a_zero_vector_stays_zero_and_finite(void **state) {
    (void)state;
    float z[5] = {0};
    float u[5] = {1, 1, 1, 1, 1};
    const float norm = dip_vec_normalise(5, z, u);
    assert_true(norm > 0);
    for (size_t i = 0; i < 5; i++) {
        assert_true(u[i] == 0);
    }
}

/* dz = (du - (u . du) u) / |z|, also in place. */
static void normalise_backward_is_its_formula(void **state) {
    (void)state;
    uint64_t random = 9;
    for (size_t n = 1; n < N; n++) {
        float z[N];
        float u[N];
        float du[N];
        float dz[N];
        double along = 0;
        fill(z, n, &random);
        fill(du, n, &random);
        const float norm = dip_vec_normalise(n, z, u);
        for (size_t i = 0; i < n; i++) {
            along += (double)u[i] * (double)du[i];
        }
        dip_vec_normalise_backward(n, u, norm, du, dz);
        for (size_t i = 0; i < n; i++) {
            const double expected = ((double)du[i] - along * (double)u[i]) / (double)norm;
            check_near((double)dz[i], expected, 1e-5 / (double)norm);
        }
        dip_vec_normalise_backward(n, u, norm, du, du);
        assert_memory_equal(du, dz, n * sizeof *dz);
    }
}

static void what_is_not_finite_is_noticed_everywhere(void **state) {
    (void)state;
    static const float BAD[] = {NAN, INFINITY, -INFINITY};
    for (size_t n = 0; n < N; n++) {
        float x[N] = {0};
        x[0] = 3e38f;
        assert_true(dip_vec_is_finite(n, x));
        for (size_t at = 0; at < N; at++) {
            const float kept = x[at];
            x[at] = BAD[at % 3];
            assert_int_equal(dip_vec_is_finite(n, x), at >= n);
            x[at] = kept;
        }
    }
}

static void squares_are_summed_in_double(void **state) {
    (void)state;
    uint64_t random = 10;
    for (size_t n = 0; n < N; n++) {
        float x[N];
        double sum = 0;
        fill(x, N, &random);
        for (size_t i = 0; i < n; i++) {
            x[i] *= i % 7 == 0 ? 1e30f : 1;
            sum += (double)x[i] * (double)x[i];
        }
        check_close(dip_vec_square_sum(n, x), sum, 1e-14);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axpy_adds_a_multiple),
        cmocka_unit_test(dot_sums_the_products),
        cmocka_unit_test(max_finds_the_largest),
        cmocka_unit_test(max_passes_over_nan),
        cmocka_unit_test(exp_is_accurate_over_the_whole_range),
        cmocka_unit_test(exp_is_accurate_where_its_parts_meet),
        cmocka_unit_test(exp_is_zero_below_the_range_and_infinite_above),
        cmocka_unit_test(exp_of_nan_is_nan),
        cmocka_unit_test(exp_sum_shifts_and_sums),
        cmocka_unit_test(softmax_sums_to_one),
        cmocka_unit_test(bias_is_added_and_clipped),
        cmocka_unit_test(relu_backward_keeps_active_gradients),
        cmocka_unit_test(normalise_gives_unit_vectors),
        cmocka_unit_test(a_zero_vector_stays_zero_and_finite),
        cmocka_unit_test(normalise_backward_is_its_formula),
        cmocka_unit_test(what_is_not_finite_is_noticed_everywhere),
        cmocka_unit_test(squares_are_summed_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
