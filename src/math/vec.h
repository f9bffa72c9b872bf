/* SPDX-License-Identifier: Apache-2.0
 *
 * Vector kernels: reference versions, written so that the compiler vectorises them without changing
 * the order of any sum that decides a result (reductions use explicit accumulators in a fixed
 * tree).
 */
#ifndef DIP_MATH_VEC_H
#define DIP_MATH_VEC_H

#include "math/real.h"

#include <stdbool.h>
#include <stddef.h>

/* y += a x */
void dip_vec_axpy(size_t n, dip_real a, const dip_real *x, dip_real *y);

/* x . y */
dip_real dip_vec_dot(size_t n, const dip_real *x, const dip_real *y);

/* max of x, n >= 1; -infinity entries are allowed, NaN entries are passed over */
dip_real dip_vec_max(size_t n, const dip_real *x);

/* x = exp(x - shift); the sum of the results */
dip_real dip_vec_exp_sum(size_t n, dip_real shift, dip_real *x);

/* Adds bias [n] to each of rows [rows x n] and, when relu, clips below at 0. */
void dip_vec_bias(size_t rows, size_t n, const dip_real *bias, bool relu, dip_real *x);

/* dx = 0 where the activation y is 0: the backward pass of ReLU, y = max(x, 0). */
void dip_vec_relu_backward(size_t n, const dip_real *y, dip_real *dx);

/* u = z / max(|z|, epsilon); returns max(|z|, epsilon). The floor keeps a zero vector finite. */
dip_real dip_vec_normalise(size_t n, const dip_real *z, dip_real *u);

/* Backward of u = z / |z|: dz = (du - (u . du) u) / |z|. dz may be du. A vector at the floor has no
 * direction to learn: its gradient is 0, where du / floor would explode. */
void dip_vec_normalise_backward(size_t n, const dip_real *u, dip_real norm, const dip_real *du,
                                dip_real *dz);

/* Whether every element is finite. */
bool dip_vec_is_finite(size_t n, const dip_real *x);

/* The sum of squares, in double. */
double dip_vec_square_sum(size_t n, const dip_real *x);

#endif
