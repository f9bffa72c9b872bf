/* SPDX-License-Identifier: Apache-2.0
 *
 * The floating-point type of the model. It is float; the gradient tests compile the same sources
 * with DIP_REAL_IS_DOUBLE, so that central differences can be taken at full precision.
 */
#ifndef DIP_MATH_REAL_H
#define DIP_MATH_REAL_H

#include <math.h>

#ifdef DIP_REAL_IS_DOUBLE
typedef double dip_real;
static inline dip_real dip_sqrt(dip_real x) {
    return sqrt(x);
}
#else
typedef float dip_real;
static inline dip_real dip_sqrt(dip_real x) {
    return sqrtf(x);
}
#endif

#endif
