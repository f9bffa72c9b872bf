/* SPDX-License-Identifier: Apache-2.0
 *
 * Every tier of vector kernels that the processor has against the reference, to the bit: all
 * kernels at lengths around every width, with hard values. A NaN equals any other: its payload is
 * the one thing that is not promised. test_vec.c holds the kernels to their formulas; here, the
 * update rules are held to theirs in double.
 */
#include "check.h"
#include "math/kernels.h"

enum { MOST = 1003, GUARD = 32, ROWS = 40 };

static const size_t LENGTHS[] = {0,  1,  2,  7,  8,  9,   15,  16,  17,  31,  32,   33,
                                 47, 48, 63, 64, 65, 127, 128, 129, 200, 511, 1000, MOST};
enum { N_LENGTHS = sizeof LENGTHS / sizeof *LENGTHS };

/* ---- values ---------------------------------------------------------------------------------- */

typedef enum kind { PLAIN, WIDE, HARD, N_KINDS } kind;

static float draw(kind of, uint64_t *random) {
    static const float SPECIAL[] = {NAN,    INFINITY, -INFINITY, 0.0f,   -0.0f, 1e-45f, -1e-40f,
                                    1e-38f, 3e38f,    -3e38f,    -88.0f, 88.7f, 1.0f,   1e-20f};
    const float plain = (float)(4 * check_random_unit(random) - 2);
    if (of == WIDE) {
        return plain * powf(10, (float)check_random_below(random, 60) - 30);
    }
    if (of == HARD && check_random_below(random, 3) == 0) {
        return SPECIAL[check_random_below(random, sizeof SPECIAL / sizeof *SPECIAL)];
    }
    return plain;
}

static void fill(float *x, size_t n, kind of, uint64_t *random) {
    for (size_t i = 0; i < n; i++) {
        x[i] = draw(of, random);
    }
}

static bool is_same(float a, float b) {
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

/* ---- one kernel on one input ----------------------------------------------------------------- */

/* What a kernel may read and write. Behind n, nothing may change. */
typedef struct work {
    float a[MOST + GUARD];
    float b[MOST + GUARD];
    float c[MOST + GUARD];
    float d[MOST + GUARD];
    double result;
} work;

/* Rows of a table and what is drawn from it; shared, for kernels only read them. */
typedef struct rows {
    float table[ROWS * MOST];
    int32_t row[ROWS];
    dip_term term[ROWS];
    size_t n;
} rows;

static rows shared;

typedef void (*call)(const dip_kernels *k, size_t n, work *w);

static void call_axpy(const dip_kernels *k, size_t n, work *w) {
    k->axpy(n, w->c[0], w->a, w->b);
}

static void call_scale(const dip_kernels *k, size_t n, work *w) {
    k->scale(n, w->c[0], w->a);
}

static void call_dot(const dip_kernels *k, size_t n, work *w) {
    w->result = (double)k->dot(n, w->a, w->b);
}

static void call_max(const dip_kernels *k, size_t n, work *w) {
    w->result = (double)k->max(n, w->a);
}

static void call_exp_sum(const dip_kernels *k, size_t n, work *w) {
    w->result = (double)k->exp_sum(n, w->c[0], w->a);
}

static void call_bias(const dip_kernels *k, size_t n, work *w) {
    k->bias(1, n, w->a, false, w->b);
    k->bias(3, n / 3, w->a, true, w->c);
}

static void call_relu_backward(const dip_kernels *k, size_t n, work *w) {
    k->relu_backward(n, w->a, w->b);
}

static void call_normalise(const dip_kernels *k, size_t n, work *w) {
    w->result = (double)k->normalise(n, w->a, w->b);
    k->normalise(n, w->a, w->a);
}

static void call_normalise_backward(const dip_kernels *k, size_t n, work *w) {
    k->normalise_backward(n, w->a, w->d[0], w->b, w->c);
    k->normalise_backward(n, w->a, 0.7f, w->b, w->b);
}

static void call_is_finite(const dip_kernels *k, size_t n, work *w) {
    w->result = k->is_finite(n, w->a);
}

static void call_square_sum(const dip_kernels *k, size_t n, work *w) {
    w->result = k->square_sum(n, w->a);
}

static void call_pool(const dip_kernels *k, size_t n, work *w) {
    k->pool(n, shared.n, shared.row, 0.3f, shared.table, w->a);
}

static void call_sum_terms(const dip_kernels *k, size_t n, work *w) {
    k->sum_terms(n, shared.n, shared.term, w->a);
}

static void call_find_above(const dip_kernels *k, size_t n, work *w) {
    static const float BOUNDS[] = {-INFINITY, 1.9f, 2.0f, 0.0f, 3.4e38f, NAN, INFINITY};
    w->result = 0;
    for (size_t i = 0; i < sizeof BOUNDS / sizeof *BOUNDS; i++) {
        w->result = w->result * 1003 + (double)k->find_above(n, w->a, BOUNDS[i]);
    }
}

static void call_count_above(const dip_kernels *k, size_t n, work *w) {
    static const float BOUNDS[] = {-INFINITY, -1.0f, 1.9f, 0.0f, NAN, INFINITY};
    w->result = 0;
    for (size_t i = 0; i < sizeof BOUNDS / sizeof *BOUNDS; i++) {
        w->result = w->result * 1003 + (double)k->count_above(n, w->a, BOUNDS[i]);
    }
}

static dip_rule make_rule(float decay) {
    return (dip_rule){.rate = 0.05f,
                      .decay = decay,
                      .beta1 = 0.9f,
                      .beta2 = 0.999f,
                      .rest1 = 0.1f,
                      .rest2 = 0.001f,
                      .correction1 = 1.7f,
                      .correction2 = 30.0f};
}

/* Accumulators are never negative, though they may be infinite or NaN. */
static void call_rules(const dip_kernels *k, size_t n, work *w, float decay, int which) {
    const dip_rule rule = make_rule(decay);
    for (size_t i = 0; i < n; i++) {
        w->d[i] = fabsf(w->d[i]);
    }
    switch (which) {
    case 0:
        k->sgd(n, &rule, w->a, w->b);
        break;
    case 1:
        k->adagrad(n, &rule, w->a, w->b, w->d);
        break;
    case 2:
        k->adagrad_row(n, &rule, w->a, w->b, w->d);
        break;
    default:
        k->adam(n, &rule, w->a, w->b, w->c, w->d);
        break;
    }
}

static void call_sgd(const dip_kernels *k, size_t n, work *w) {
    call_rules(k, n, w, 0, 0);
    call_rules(k, n, w, 0.01f, 0);
}

static void call_adagrad(const dip_kernels *k, size_t n, work *w) {
    call_rules(k, n, w, 0, 1);
    call_rules(k, n, w, 0.01f, 1);
}

static void call_adagrad_row(const dip_kernels *k, size_t n, work *w) {
    call_rules(k, n, w, 0, 2);
    call_rules(k, n, w, 0.01f, 2);
}

static void call_adam(const dip_kernels *k, size_t n, work *w) {
    call_rules(k, n, w, 0, 3);
    call_rules(k, n, w, 0.01f, 3);
}

static const struct {
    const char *name;
    call run;
} KERNELS[] = {{"axpy", call_axpy},
               {"scale", call_scale},
               {"dot", call_dot},
               {"max", call_max},
               {"exp_sum", call_exp_sum},
               {"bias", call_bias},
               {"relu_backward", call_relu_backward},
               {"normalise", call_normalise},
               {"normalise_backward", call_normalise_backward},
               {"is_finite", call_is_finite},
               {"square_sum", call_square_sum},
               {"pool", call_pool},
               {"sum_terms", call_sum_terms},
               {"find_above", call_find_above},
               {"count_above", call_count_above},
               {"sgd", call_sgd},
               {"adagrad", call_adagrad},
               {"adagrad_row", call_adagrad_row},
               {"adam", call_adam}};
enum { N_KERNELS = sizeof KERNELS / sizeof *KERNELS };

/* ---- parity ---------------------------------------------------------------------------------- */

static void check_array(const char *what, const float *found, const float *expected) {
    for (size_t i = 0; i < MOST + GUARD; i++) {
        if (!is_same(found[i], expected[i])) {
            print_error("%s[%zu] is %a, not %a\n", what, i, (double)found[i], (double)expected[i]);
            fail();
        }
    }
}

static void check_kernel(dip_isa isa, size_t kernel, size_t n, const work *input) {
    static work expected;
    static work found;
    expected = *input;
    found = *input;
    KERNELS[kernel].run(dip_kernels_reference(), n, &expected);
    KERNELS[kernel].run(dip_kernels_of(isa), n, &found);
    char what[64];
    snprintf(what, sizeof what, "%s of %s at n = %zu:", KERNELS[kernel].name, dip_isa_name(isa), n);
    check_array(what, found.a, expected.a);
    check_array(what, found.b, expected.b);
    check_array(what, found.c, expected.c);
    check_array(what, found.d, expected.d);
    if (found.result != expected.result && !(isnan(found.result) && isnan(expected.result))) {
        print_error("%s %a, not %a\n", what, found.result, expected.result);
        fail();
    }
}

static void make_input(work *input, size_t n, kind of, uint64_t *random) {
    fill(input->a, MOST + GUARD, of, random);
    fill(input->b, MOST + GUARD, of, random);
    fill(input->c, MOST + GUARD, of, random);
    fill(input->d, MOST + GUARD, of, random);
    fill(shared.table, ROWS * MOST, of, random);
    input->result = 0;
    shared.n = check_random_below(random, ROWS);
    for (size_t j = 0; j < ROWS; j++) {
        shared.row[j] = (int32_t)check_random_below(random, ROWS);
        shared.term[j] =
            (dip_term){.factor = draw(of, random), .x = shared.table + (size_t)shared.row[j] * n};
    }
}

static void every_tier_gives_the_bits_of_the_reference(void **state) {
    (void)state;
    static work input;
    uint64_t random = 1;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        for (int of = PLAIN; of < N_KINDS; of++) {
            make_input(&input, LENGTHS[l], (kind)of, &random);
            for (size_t kernel = 0; kernel < N_KERNELS; kernel++) {
                for (int isa = DIP_ISA_AVX2; isa <= (int)dip_isa_of_processor(); isa++) {
                    check_kernel((dip_isa)isa, kernel, LENGTHS[l], &input);
                }
            }
        }
    }
}

/* Every 4093rd float, whose last bits take all values. */
static void exp_gives_the_same_bits_for_every_kind_of_float(void **state) {
    (void)state;
    enum { N = 1024 };
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32;) {
        float x[N];
        float expected[N];
        for (size_t i = 0; i < N; i++, bits += 4093) {
            const uint32_t pattern = (uint32_t)bits;
            memcpy(&x[i], &pattern, sizeof pattern);
        }
        memcpy(expected, x, sizeof x);
        dip_kernels_reference()->exp_sum(N, 0, expected);
        for (int isa = DIP_ISA_AVX2; isa <= (int)dip_isa_of_processor(); isa++) {
            float found[N];
            memcpy(found, x, sizeof x);
            dip_kernels_of((dip_isa)isa)->exp_sum(N, 0, found);
            for (size_t i = 0; i < N; i++) {
                assert_true(is_same(found[i], expected[i]));
            }
        }
    }
}

/* Each place of a single larger score, also next to NaN. */
static void what_is_above_is_found_wherever_it_stands(void **state) {
    (void)state;
    enum { N = 200 };
    for (int isa = DIP_ISA_REFERENCE; isa <= (int)dip_isa_of_processor(); isa++) {
        const dip_kernels *k = dip_kernels_of((dip_isa)isa);
        for (size_t at = 0; at < N; at++) {
            float x[N];
            for (size_t i = 0; i < N; i++) {
                x[i] = i % 3 == at % 2 ? NAN : 1;
            }
            x[at] = 2;
            assert_int_equal(k->find_above(N, x, 1), at);
            assert_int_equal(k->find_above(at, x, 1), at);
            assert_int_equal(k->find_above(N, x, 2), N);
            assert_int_equal(k->count_above(N, x, 1), 1);
            assert_int_equal(k->count_above(at, x, 1), 0);
            assert_int_equal(k->count_above(N, x, 2), 0);
            x[at] = -3;
            for (size_t i = 0; i < N; i++) {
                x[i] -= 5;
            }
            assert_int_equal(k->find_above(at, x, -4),
                             at); /* what lies behind counts for nothing */
            assert_int_equal(k->count_above(at, x, -4), 0);
        }
    }
}

/* ---- update rules against double ------------------------------------------------------------- */

/* Roundings of one step: a handful, each 2^-24 of the terms of the update. */
#define TOLERANCE 1e-6

typedef struct exact {
    double w;
    double s;
    double v;
} exact;

static exact expected_step(int which, const dip_rule *r, exact x, double g, double mean) {
    const double rate = (double)r->rate;
    x.w -= (double)r->decay * x.w;
    switch (which) {
    case 0:
        x.w -= rate * g;
        break;
    case 1:
        x.s += g * g;
        x.w -= rate * g / (sqrt(x.s) + 1e-10);
        break;
    case 2:
        x.w -= rate * g / (sqrt(x.s + mean) + 1e-10);
        break;
    default:
        x.s = (double)r->beta1 * x.s + (double)r->rest1 * g;
        x.v = (double)r->beta2 * x.v + (double)r->rest2 * g * g;
        x.w -= rate * x.s * (double)r->correction1 / (sqrt(x.v * (double)r->correction2) + 1e-8);
        break;
    }
    return x;
}

static void check_rule(const dip_kernels *k, int which, size_t n, uint64_t *random) {
    static work w;
    fill(w.a, n, PLAIN, random);
    fill(w.b, n, PLAIN, random);
    fill(w.c, n, PLAIN, random);
    fill(w.d, n + 1, PLAIN, random);
    const dip_rule rule = make_rule(n % 2 == 0 ? 0 : 0.01f);
    float *s = which == 3 ? w.c : w.d;
    static work before;
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        mean += (double)w.a[i] * (double)w.a[i] / (double)n;
        w.d[i] = fabsf(w.d[i]);
    }
    before = w;
    call_rules(k, n, &w, rule.decay, which);
    for (size_t i = 0; i < n; i++) {
        const size_t at = which == 2 ? 0 : i;
        const exact start = {(double)before.b[i],
                             which == 3 ? (double)before.c[i] : (double)before.d[at],
                             (double)before.d[i]};
        const exact end = expected_step(which, &rule, start, (double)w.a[i], mean);
        check_near((double)w.b[i], end.w, TOLERANCE * (fabs(start.w) + fabs(end.w) + 1));
        if (which == 1 || which == 3) {
            check_near((double)s[i], end.s, TOLERANCE * (1 + fabs(end.s)));
        }
    }
    if (which == 2 && n > 0) {
        check_close((double)w.d[0], (double)before.d[0] + mean, TOLERANCE);
    }
}

static void rules_follow_their_formulas(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int isa = DIP_ISA_REFERENCE; isa <= (int)dip_isa_of_processor(); isa++) {
        for (size_t l = 0; l < N_LENGTHS; l++) {
            for (int which = 0; which < 4; which++) {
                check_rule(dip_kernels_of((dip_isa)isa), which, LENGTHS[l], &random);
            }
        }
    }
}

/* An element that was never met stays: 0 / (0 + 1e-10). */
static void a_zero_gradient_moves_nothing(void **state) {
    (void)state;
    for (int isa = DIP_ISA_REFERENCE; isa <= (int)dip_isa_of_processor(); isa++) {
        for (int which = 0; which < 4; which++) {
            static work w;
            memset(&w, 0, sizeof w);
            w.b[0] = 1;
            w.b[20] = -2;
            call_rules(dip_kernels_of((dip_isa)isa), 21, &w, 0, which);
            assert_true(w.b[0] == 1 && w.b[20] == -2 && w.b[1] == 0 && w.d[0] == 0);
        }
    }
}

static void the_tier_in_use_is_that_of_the_environment(void **state) {
    (void)state;
    assert_ptr_equal(dip_kernels_get(), dip_kernels_of(dip_isa_get()));
    assert_ptr_equal(dip_kernels_of(DIP_ISA_REFERENCE), dip_kernels_reference());
    assert_ptr_equal(dip_kernels_of(DIP_ISA_AVX512_BF16), dip_kernels_of(DIP_ISA_AVX512));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tier_gives_the_bits_of_the_reference),
        cmocka_unit_test(exp_gives_the_same_bits_for_every_kind_of_float),
        cmocka_unit_test(what_is_above_is_found_wherever_it_stands),
        cmocka_unit_test(rules_follow_their_formulas),
        cmocka_unit_test(a_zero_gradient_moves_nothing),
        cmocka_unit_test(the_tier_in_use_is_that_of_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
