/* SPDX-License-Identifier: Apache-2.0
 *
 * Noise views (after Yu et al., SIGIR 2022): a view of a unit vector u is u moved by a random
 * vector of a given length within its orthant, and brought back to the unit sphere.
 *
 *   a = u + length * sign(u) o w / |w|,   y = a / |a|      o by elements, w uniform in [0, 1)^d
 *
 * Draws are Philox at counter a = step, b = example << 32 | group; element c of w takes word c mod
 * 4 of group c / 4.
 */
#ifndef DIP_MODEL_NOISE_H
#define DIP_MODEL_NOISE_H

#include "base/rng.h"
#include "math/real.h"

#include <stddef.h>

typedef struct dip_noise {
    double length;
    dip_rng rng;
    uint64_t step;
    int threads;
} dip_noise;

/* u [n x d] -> y [n x d], norm [n] = |a|. */
void dip_noise_forward(const dip_noise *noise, size_t n, size_t d, const dip_real *u, dip_real *y,
                       dip_real *norm);

/* du += the gradient by u of what has the gradient dy by y, the noise held fixed; dy is used up. */
void dip_noise_backward(const dip_noise *noise, size_t n, size_t d, const dip_real *y,
                        const dip_real *norm, dip_real *dy, dip_real *du);

#endif
