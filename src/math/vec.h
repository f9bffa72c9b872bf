/* SPDX-License-Identifier: Apache-2.0
 *
 * Vector kernels. They run on the tier of instructions that math/isa.h chose; every tier gives the
 * same bits (math/kernels.h says how). Vectors need no alignment. Arguments named differently do
 * not overlap unless the comment allows it.
 */
#ifndef DIP_MATH_VEC_H
#define DIP_MATH_VEC_H

#include "math/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- sums and maps --------------------------------------------------------------------------- */

/* y += a x */
void dip_vec_axpy(size_t n, dip_real a, const dip_real *x, dip_real *y);

/* x *= a */
void dip_vec_scale(size_t n, dip_real a, dip_real *x);

/* x . y */
dip_real dip_vec_dot(size_t n, const dip_real *x, const dip_real *y);

/* max of x, -infinity when n = 0; -infinity entries are allowed, NaN entries are passed over */
dip_real dip_vec_max(size_t n, const dip_real *x);

/* x = exp(x - shift); the sum of the results. exp is within 1 unit in the last place; what would
 * be below the smallest normal float is 0, what would be above the largest is infinity, and NaN
 * stays NaN. */
dip_real dip_vec_exp_sum(size_t n, dip_real shift, dip_real *x);

/* x = softmax(x), returns log sum exp(x), n >= 1. A row whose maximum is infinite becomes NaN. */
dip_real dip_vec_softmax(size_t n, dip_real *x);

/* Whether every element is finite. */
bool dip_vec_is_finite(size_t n, const dip_real *x);

/* The sum of squares, in double. */
double dip_vec_square_sum(size_t n, const dip_real *x);

/* ---- layers ---------------------------------------------------------------------------------- */

/* Adds bias [n] to each of rows [rows x n] and, when relu, clips below at 0. */
void dip_vec_bias(size_t rows, size_t n, const dip_real *bias, bool relu, dip_real *x);

/* dx = 0 where the activation y is 0: the backward pass of ReLU, y = max(x, 0). */
void dip_vec_relu_backward(size_t n, const dip_real *y, dip_real *dx);

/* u = z / max(|z|, epsilon); returns max(|z|, epsilon). The floor keeps a zero vector finite. u may
 * be z. */
dip_real dip_vec_normalise(size_t n, const dip_real *z, dip_real *u);

/* Backward of u = z / |z|: dz = (du - (u . du) u) / |z|. dz may be du. A vector at the floor has no
 * direction to learn: its gradient is 0, where du / floor would explode. */
void dip_vec_normalise_backward(size_t n, const dip_real *u, dip_real norm, const dip_real *du,
                                dip_real *dz);

/* ---- rows of tables -------------------------------------------------------------------------- */

/* Asks for the cache lines of x [n] ahead of their use; reads nothing. */
static inline void dip_vec_prefetch(size_t n, const dip_real *x) {
    const char *const end = (const char *)(x + n);
    for (const char *line = (const char *)x; line < end; line += 64) {
        __builtin_prefetch(line);
    }
}

/* x [width] = the sum of n rows of table [. x width], times factor when n > 1; 0 when n = 0. Rows
 * to come are prefetched. */
void dip_vec_pool(size_t width, size_t n, const int32_t *row, dip_real factor,
                  const dip_real *table, dip_real *x);

/* One summand of the gradient of a table's row. */
typedef struct dip_term {
    uint32_t row; /* for the caller to sort by */
    dip_real factor;
    const dip_real *x; /* [width] */
} dip_term;

/* sum [width] = the sum of factor x over the terms in their order. Terms to come are prefetched. */
void dip_vec_sum_terms(size_t width, size_t n, const dip_term *term, dip_real *sum);

/* ---- update rules ---------------------------------------------------------------------------- */

/* What is common to all elements of one step. */
typedef struct dip_rule {
    dip_real rate;
    dip_real decay; /* rate times weight decay: w -= decay w comes before the rule; 0 for none */
    dip_real beta1;
    dip_real beta2;
    dip_real rest1; /* 1 - beta1, from double: in float, 1 - 0.9999999 would be far off */
    dip_real rest2;
    dip_real correction1; /* 1 / (1 - beta1^t) */
    dip_real correction2;
} dip_rule;

/* w -= rate g */
void dip_vec_sgd(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w);

/* s += g^2; w -= rate g / (sqrt(s) + 1e-10) */
void dip_vec_adagrad(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w, dip_real *s);

/* Adagrad with one accumulator s [1] for the whole row: s += mean(g^2);
 * w -= (rate / (sqrt(s) + 1e-10)) g */
void dip_vec_adagrad_row(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w,
                         dip_real *s);

/* m = beta1 m + rest1 g; v = beta2 v + rest2 g^2;
 * w -= rate (m correction1) / (sqrt(v correction2) + 1e-8) */
void dip_vec_adam(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w, dip_real *m,
                  dip_real *v);

#endif
