/* SPDX-License-Identifier: Apache-2.0 */
#include "math/vec.h"

#include "math/kernels.h"

void dip_vec_axpy(size_t n, dip_real a, const dip_real *x, dip_real *y) {
    dip_kernels_get()->axpy(n, a, x, y);
}

void dip_vec_scale(size_t n, dip_real a, dip_real *x) {
    dip_kernels_get()->scale(n, a, x);
}

dip_real dip_vec_dot(size_t n, const dip_real *x, const dip_real *y) {
    return dip_kernels_get()->dot(n, x, y);
}

dip_real dip_vec_max(size_t n, const dip_real *x) {
    return dip_kernels_get()->max(n, x);
}

dip_real dip_vec_exp_sum(size_t n, dip_real shift, dip_real *x) {
    return dip_kernels_get()->exp_sum(n, shift, x);
}

dip_real dip_vec_softmax(size_t n, dip_real *x) {
    const dip_kernels *kernels = dip_kernels_get();
    const dip_real largest = kernels->max(n, x);
    const dip_real sum = kernels->exp_sum(n, largest, x);
    kernels->scale(n, 1 / sum, x);
    return (dip_real)((double)largest + log((double)sum));
}

bool dip_vec_is_finite(size_t n, const dip_real *x) {
    return dip_kernels_get()->is_finite(n, x);
}

double dip_vec_square_sum(size_t n, const dip_real *x) {
    return dip_kernels_get()->square_sum(n, x);
}

void dip_vec_bias(size_t rows, size_t n, const dip_real *bias, bool relu, dip_real *x) {
    dip_kernels_get()->bias(rows, n, bias, relu, x);
}

void dip_vec_relu_backward(size_t n, const dip_real *y, dip_real *dx) {
    dip_kernels_get()->relu_backward(n, y, dx);
}

dip_real dip_vec_normalise(size_t n, const dip_real *z, dip_real *u) {
    return dip_kernels_get()->normalise(n, z, u);
}

void dip_vec_normalise_backward(size_t n, const dip_real *u, dip_real norm, const dip_real *du,
                                dip_real *dz) {
    dip_kernels_get()->normalise_backward(n, u, norm, du, dz);
}

void dip_vec_pool(size_t width, size_t n, const int32_t *row, dip_real factor,
                  const dip_real *table, dip_real *x) {
    dip_kernels_get()->pool(width, n, row, factor, table, x);
}

void dip_vec_sum_terms(size_t width, size_t n, const dip_term *term, dip_real *sum) {
    dip_kernels_get()->sum_terms(width, n, term, sum);
}

void dip_vec_sgd(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w) {
    dip_kernels_get()->sgd(n, rule, g, w);
}

void dip_vec_adagrad(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w, dip_real *s) {
    dip_kernels_get()->adagrad(n, rule, g, w, s);
}

void dip_vec_adagrad_row(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w,
                         dip_real *s) {
    dip_kernels_get()->adagrad_row(n, rule, g, w, s);
}

void dip_vec_adam(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w, dip_real *m,
                  dip_real *v) {
    dip_kernels_get()->adam(n, rule, g, w, m, v);
}
