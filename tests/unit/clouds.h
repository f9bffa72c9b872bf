/* SPDX-License-Identifier: Apache-2.0
 *
 * Clouds of unit vectors around centres, for maps.
 */
#ifndef DIP_TESTS_UNIT_CLOUDS_H
#define DIP_TESTS_UNIT_CLOUDS_H

#include "check.h"

/* n zeroed numbers; the caller free()s them, as all below. */
float *clouds_floats(size_t n);

/* A number of the normal law, by Box and Muller. */
double clouds_normal(uint64_t *random);

/* Scales every row of v [n x d] to length 1. */
void clouds_make_unit(size_t n, size_t d, float *v);

/* Unit vectors around `clusters` centres; point i is of cluster i % clusters. */
float *clouds_make(size_t n, size_t d, size_t clusters, double noise, uint64_t seed);

/* |v_i - v_j|^2 of rows of v [n x d]. */
double clouds_squared(const float *v, size_t d, size_t i, size_t j);

#endif
