/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients of the losses and of the normalisation, in double, against central differences. Sizes
 * of 130 rows cross the panel of 128 into which the losses cut their products.
 */
#include "grad/difference.h"
#include "grad/tiny.h"
#include "math/gemm.h"
#include "math/vec.h"
#include "model/loss_softmax.h"
#include "model/loss_spread.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* More rows than a strip of the softmax, and extra candidates behind them. */
enum {
    LARGE = DIP_SOFTMAX_ROWS + 2,
    EXTRA = 5,
    WIDTH = 3,
    MANY = (LARGE + EXTRA) * WIDTH,
    STRIDE = 61
};

/* Row vectors of unit length, as the losses get them. */
static void fill_units(dip_real *rows, size_t n, size_t d, uint64_t state) {
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t c = 0; c < d; c++) {
            rows[i * d + c] = tiny_noise(&state);
            squares += rows[i * d + c] * rows[i * d + c];
        }
        for (size_t c = 0; c < d; c++) {
            rows[i * d + c] /= sqrt(squares);
        }
    }
}

static void create_softmax(dip_softmax *softmax, size_t n) {
    dip_error err = {0};
    assert_int_equal(dip_softmax_create(softmax, n, n + EXTRA, 1, &err), DIP_OK);
}

/* ---- softmax --------------------------------------------------------------------------------- */

typedef struct softmax_case {
    dip_softmax softmax;
    dip_softmax_input input;
    dip_real u[MANY];
    dip_real v[MANY];
    dip_real du[MANY];
    dip_real dv[MANY];
    dip_real spare[2][MANY]; /* gradients that a difference does not need */
    dip_real log_p[LARGE + EXTRA];
    dip_real own[LARGE];
    int32_t item[LARGE + EXTRA];
    int32_t also[LARGE + EXTRA];
    uint32_t positive[LARGE];
} softmax_case;

static double weighted_softmax(void *context) {
    softmax_case *c = context;
    return c->input.weight * dip_softmax_loss(&c->softmax, &c->input, c->spare[0], c->spare[1]);
}

/* What is combined: also needs item, positive needs own. */
enum { HAS_LOG_P = 1, HAS_ITEM = 2, HAS_OWN = 4, HAS_ALSO = 8, HAS_POSITIVE = 16, OPTIONS = 32 };

static bool is_possible(int options) {
    return ((options & HAS_ALSO) == 0 || (options & HAS_ITEM) != 0) &&
           ((options & HAS_POSITIVE) == 0 || (options & HAS_OWN) != 0);
}

/* The weight is not 1: a gradient that forgets it fails. Every third row is an item that is there
 * twice or more. */
static softmax_case *make_softmax(size_t n, size_t extra, int options) {
    softmax_case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    uint64_t state = 77;
    create_softmax(&c->softmax, LARGE);
    fill_units(c->u, n, WIDTH, 1000);
    fill_units(c->v, n + extra, WIDTH, 5000);
    for (size_t i = 0; i < n + extra; i++) {
        c->log_p[i] = log(0.02 + 0.4 * fabs(tiny_noise(&state)));
        c->item[i] = i % 3 == 0 ? 7 : (int32_t)(100 + i);
        c->also[i] = i % 4 == 1 ? 3 : (int32_t)(9000 + i);
    }
    for (size_t i = 0; i < n; i++) {
        c->own[i] = -1.5 + tiny_noise(&state);
        c->positive[i] = (uint32_t)((i * i + 1) % (n + extra)); /* some several times */
    }
    c->input = (dip_softmax_input){.n = n,
                                   .m = n + extra,
                                   .d = WIDTH,
                                   .u = c->u,
                                   .v = c->v,
                                   .temperature = 0.3,
                                   .log_p = (options & HAS_LOG_P) != 0 ? c->log_p : NULL,
                                   .positive = (options & HAS_POSITIVE) != 0 ? c->positive : NULL,
                                   .own = (options & HAS_OWN) != 0 ? c->own : NULL,
                                   .item = (options & HAS_ITEM) != 0 ? c->item : NULL,
                                   .also = (options & HAS_ALSO) != 0 ? c->also : NULL,
                                   .weight = 0.65};
    return c;
}

static void free_softmax(softmax_case *c) {
    dip_softmax_free(&c->softmax);
    free(c);
}

static void check_softmax(size_t n, size_t extra, size_t stride, const char *what) {
    difference_worst worst = {0};
    for (int options = 0; options < OPTIONS; options++) {
        if (!is_possible(options)) {
            continue;
        }
        softmax_case *c = make_softmax(n, extra, options);
        dip_softmax_loss(&c->softmax, &c->input, c->du, c->dv);
        difference_check(&worst, "u", weighted_softmax, c, c->u, c->du, n * WIDTH, stride);
        difference_check(&worst, "v", weighted_softmax, c, c->v, c->dv, (n + extra) * WIDTH,
                         stride);
        free_softmax(c);
    }
    difference_report(&worst, what);
}

static void softmax_gradients_agree_with_differences(void **state) {
    (void)state;
    check_softmax(6, 0, 1, "softmax, 6 pairs");
    check_softmax(2, 0, 1, "softmax, 2 pairs");
    check_softmax(4, EXTRA, 1, "softmax, 4 pairs and 5 extra negatives");
}

static void softmax_gradients_agree_across_strips(void **state) {
    (void)state;
    check_softmax(LARGE, EXTRA, STRIDE, "softmax, 514 pairs and 5 extra negatives");
}

static bool is_same(const int32_t *key, size_t i, size_t j) {
    return key != NULL && key[i] == key[j];
}

/* The definition of the loss, written out. */
static double softmax_by_definition(const softmax_case *c) {
    const dip_softmax_input *in = &c->input;
    double sum = 0;
    for (size_t i = 0; i < in->n; i++) {
        const size_t p = in->positive != NULL ? in->positive[i] : i;
        double total = 0;
        double right = 0;
        for (size_t j = 0; j < in->m; j++) {
            const double log_p = in->log_p != NULL ? in->log_p[j] : 0;
            double product = 0;
            for (size_t k = 0; k < WIDTH; k++) {
                product += in->u[i * WIDTH + k] * in->v[j * WIDTH + k] / in->temperature;
            }
            if (j == p) {
                right = product - (in->own != NULL ? in->own[i] : log_p);
                total += exp(in->item != NULL ? right : product - log_p);
            } else if (!is_same(in->item, p, j) && !is_same(in->also, p, j)) {
                total += exp(product - log_p);
            }
        }
        sum += log(total) - right;
    }
    return sum / (double)in->n;
}

static void softmax_loss_is_its_definition(void **state) {
    (void)state;
    for (int options = 0; options < OPTIONS; options++) {
        if (!is_possible(options)) {
            continue;
        }
        softmax_case *c = make_softmax(LARGE, EXTRA, options);
        const double loss = dip_softmax_loss(&c->softmax, &c->input, c->du, c->dv);
        const double expected = softmax_by_definition(c);
        assert_true(fabs(loss - expected) < 1e-13 * fabs(expected) * LARGE);
        free_softmax(c);
    }
}

/* A batch with items that come several times, and the same with each item once: log p less the log
 * of its copies, own without. */
static void copies_can_be_one_candidate(void **state) {
    (void)state;
    enum { ITEMS = 40 };
    for (int with_item = 0; with_item < 2; with_item++) {
        softmax_case *all = make_softmax(LARGE, EXTRA, HAS_LOG_P | (with_item ? HAS_ITEM : 0));
        softmax_case *once = make_softmax(
            LARGE, EXTRA, HAS_LOG_P | HAS_OWN | HAS_POSITIVE | (with_item ? HAS_ITEM : 0));
        size_t copies[ITEMS] = {0};
        once->input.m = ITEMS + EXTRA;
        for (size_t i = 0; i < LARGE; i++) {
            const size_t place = i < ITEMS ? i : i * i % ITEMS;
            copies[place]++;
            memmove(all->v + i * WIDTH, all->v + place * WIDTH, WIDTH * sizeof *all->v);
            all->log_p[i] = all->log_p[place];
            all->item[i] = (int32_t)place;
            once->positive[i] = (uint32_t)place;
            once->own[i] = all->log_p[place];
        }
        for (size_t j = 0; j < ITEMS + EXTRA; j++) {
            const size_t from = j < ITEMS ? j : LARGE + j - ITEMS;
            all->item[from] = j < ITEMS ? (int32_t)j : 9; /* extra ones that are an item's */
            memcpy(once->v + j * WIDTH, all->v + from * WIDTH, WIDTH * sizeof *all->v);
            once->item[j] = all->item[from];
            once->log_p[j] = all->log_p[from] - (j < ITEMS ? log((double)copies[j]) : 0);
        }
        const double expected = dip_softmax_loss(&all->softmax, &all->input, all->du, all->dv);
        const double loss = dip_softmax_loss(&once->softmax, &once->input, once->du, once->dv);
        assert_true(fabs(loss - expected) < 1e-12);
        for (size_t i = ITEMS; i < LARGE; i++) {
            dip_vec_axpy(WIDTH, 1, all->dv + i * WIDTH, all->dv + once->positive[i] * WIDTH);
        }
        memmove(all->dv + ITEMS * WIDTH, all->dv + LARGE * WIDTH, EXTRA * WIDTH * sizeof *all->dv);
        for (size_t e = 0; e < LARGE * WIDTH; e++) {
            assert_true(fabs(once->du[e] - all->du[e]) < 1e-13);
        }
        for (size_t e = 0; e < (ITEMS + EXTRA) * WIDTH; e++) {
            assert_true(fabs(once->dv[e] - all->dv[e]) < 1e-13);
        }
        free_softmax(all);
        free_softmax(once);
    }
}

/* ---- the contrastive form: both sides are z -------------------------------------------------- */

static double weighted_contrast(void *context) {
    softmax_case *c = context;
    c->input.v = c->u;
    return weighted_softmax(c);
}

static void contrastive_gradient_is_the_sum_of_both_sides(void **state) {
    (void)state;
    difference_worst worst = {0};
    const size_t sizes[2] = {6, LARGE};
    for (size_t s = 0; s < 2; s++) {
        softmax_case *c = make_softmax(sizes[s], 0, 0);
        c->input.v = c->u;
        dip_softmax_loss(&c->softmax, &c->input, c->du, c->dv);
        dip_vec_axpy(sizes[s] * WIDTH, 1, c->dv, c->du);
        difference_check(&worst, "z", weighted_contrast, c, c->u, c->du, sizes[s] * WIDTH,
                         s == 0 ? 1 : STRIDE);
        free_softmax(c);
    }
    difference_report(&worst, "contrastive spread-out");
}

/* ---- spread-out, square and moments ---------------------------------------------------------- */

typedef double (*spread_loss)(dip_softmax *work, const dip_real *z, size_t n, size_t d,
                              dip_real weight, dip_real *dz);

typedef struct spread_case {
    dip_softmax work;
    spread_loss loss;
    size_t n;
    size_t d;
    dip_real z[MANY];
    dip_real dz[MANY];
    dip_real spare[MANY];
} spread_case;

enum { ONE_DIRECTION = 1, ALL_DIRECTIONS = 0 };

#define SPREAD_WEIGHT 0.65

static double weighted_spread(void *context) {
    spread_case *c = context;
    return SPREAD_WEIGHT * c->loss(&c->work, c->z, c->n, c->d, SPREAD_WEIGHT, c->spare);
}

/* Rows that lie near one direction have a mean square cosine above 1/d; rows along the axes, nearly
 * orthogonal, have one below. */
static spread_case *make_spread(spread_loss loss, size_t n, bool is_one_direction) {
    spread_case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    uint64_t state = 4242;
    c->loss = loss;
    c->n = n;
    c->d = WIDTH;
    create_softmax(&c->work, LARGE);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < WIDTH; k++) {
            const double along = is_one_direction ? 1.0 : (k == i % WIDTH ? 1.0 : 0.0);
            c->z[i * WIDTH + k] = along + 0.2 * tiny_noise(&state);
        }
    }
    return c;
}

static void free_spread(spread_case *c) {
    dip_softmax_free(&c->work);
    free(c);
}

static double mean_square_product(const spread_case *c) {
    double sum = 0;
    for (size_t i = 0; i < c->n; i++) {
        for (size_t j = 0; j < c->n; j++) {
            double s = 0;
            for (size_t k = 0; k < c->d; k++) {
                s += c->z[i * c->d + k] * c->z[j * c->d + k];
            }
            sum += i == j ? 0 : s * s;
        }
    }
    return sum / ((double)c->n * (double)(c->n - 1));
}

static void check_spread(difference_worst *worst, spread_loss loss, size_t n, bool is_one,
                         size_t stride) {
    spread_case *c = make_spread(loss, n, is_one);
    const double excess = mean_square_product(c) - 1.0 / (double)c->d;
    /* Far from the corner of max(0, M2 - 1/d), and on the side that the case is for. */
    assert_true(is_one ? excess > 0.1 : excess < -0.1);
    loss(&c->work, c->z, n, c->d, SPREAD_WEIGHT, c->dz);
    difference_check(worst, "z", weighted_spread, c, c->z, c->dz, n * WIDTH, stride);
    free_spread(c);
}

static void square_gradient_agrees_with_differences(void **state) {
    (void)state;
    difference_worst worst = {0};
    check_spread(&worst, dip_spread_square, 6, true, 1);
    check_spread(&worst, dip_spread_square, 3, false, 1);
    check_spread(&worst, dip_spread_square, LARGE, true, STRIDE);
    difference_report(&worst, "spread-out square");
}

static void moments_gradient_agrees_above_the_corner(void **state) {
    (void)state;
    difference_worst worst = {0};
    check_spread(&worst, dip_spread_moments, 6, true, 1);
    check_spread(&worst, dip_spread_moments, LARGE, true, STRIDE);
    difference_report(&worst, "spread-out moments, M2 > 1/d");
}

/* 130 rows along three axes meet their own axis too often to stay below 1/3; three rows do not. */
static void moments_gradient_agrees_below_the_corner(void **state) {
    (void)state;
    difference_worst worst = {0};
    check_spread(&worst, dip_spread_moments, 3, false, 1);
    difference_report(&worst, "spread-out moments, M2 < 1/d");
}

static void spread_losses_are_their_definitions(void **state) {
    (void)state;
    for (int is_one = 0; is_one < 2; is_one++) {
        spread_case *c = make_spread(dip_spread_square, is_one ? LARGE : 3, is_one != 0);
        const double pairs = (double)c->n * (double)(c->n - 1);
        const double second = mean_square_product(c);
        double first = 0;
        for (size_t i = 0; i < c->n; i++) {
            for (size_t j = 0; j < c->n; j++) {
                first += i == j ? 0 : dip_vec_dot(c->d, c->z + i * c->d, c->z + j * c->d);
            }
        }
        first /= pairs;
        const double square = dip_spread_square(&c->work, c->z, c->n, c->d, 1, c->dz);
        const double moments = dip_spread_moments(&c->work, c->z, c->n, c->d, 1, c->dz);
        const double expected = first * first + fmax(0, second - 1.0 / (double)c->d);
        assert_true(fabs(square - second * (double)(c->n - 1)) < 1e-11 * square);
        assert_true(fabs(moments - expected) < 1e-11 * expected);
        free_spread(c);
    }
}

/* ---- normalisation --------------------------------------------------------------------------- */

enum { LONGEST = 40 };

typedef struct normalise_case {
    size_t n;
    dip_real z[LONGEST];
    dip_real du[LONGEST];
} normalise_case;

/* du . u(z) */
static double along_normalised(void *context) {
    normalise_case *c = context;
    dip_real u[LONGEST];
    dip_vec_normalise(c->n, c->z, u);
    double sum = 0;
    for (size_t i = 0; i < c->n; i++) {
        sum += c->du[i] * u[i];
    }
    return sum;
}

/* Lengths on both sides of the 16 lanes of the kernels. In one dimension u is a sign, and dz is 0.
 */
static void normalise_gradient_agrees_with_differences(void **state) {
    (void)state;
    const size_t lengths[] = {1, 3, 16, 17, LONGEST};
    difference_worst worst = {0};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        normalise_case c = {.n = lengths[l]};
        uint64_t noise = 31 * lengths[l];
        dip_real u[LONGEST];
        dip_real dz[LONGEST];
        for (size_t i = 0; i < c.n; i++) {
            c.z[i] = 0.3 + tiny_noise(&noise);
            c.du[i] = tiny_noise(&noise);
        }
        const dip_real norm = dip_vec_normalise(c.n, c.z, u);
        dip_vec_normalise_backward(c.n, u, norm, c.du, dz);
        difference_check(&worst, "z", along_normalised, &c, c.z, dz, c.n, 1);
        /* "dz may be du" */
        dip_vec_normalise_backward(c.n, u, norm, c.du, c.du);
        assert_memory_equal(c.du, dz, c.n * sizeof *dz);
    }
    difference_report(&worst, "normalisation");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_gradients_agree_with_differences),
        cmocka_unit_test(softmax_gradients_agree_across_strips),
        cmocka_unit_test(softmax_loss_is_its_definition),
        cmocka_unit_test(copies_can_be_one_candidate),
        cmocka_unit_test(contrastive_gradient_is_the_sum_of_both_sides),
        cmocka_unit_test(square_gradient_agrees_with_differences),
        cmocka_unit_test(moments_gradient_agrees_above_the_corner),
        cmocka_unit_test(moments_gradient_agrees_below_the_corner),
        cmocka_unit_test(spread_losses_are_their_definitions),
        cmocka_unit_test(normalise_gradient_agrees_with_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
