/* SPDX-License-Identifier: Apache-2.0
 *
 * exp on float, in the one sequence of operations that the vector versions repeat.
 *
 *   x log2(e) = m + r, m an integer and |r| <= 1/2, with log2(e) in two parts so that r keeps its
 *   low bits; 2^r by a polynomial of degree 6 fitted at Chebyshev points of
 *   [-1/2, 1/2] (relative error 9e-9); and a
 *   scaling by 2^m.
 */
#ifndef DIP_MATH_EXP_H
#define DIP_MATH_EXP_H

#include <math.h>

#define DIP_EXP_FLOOR (-200.0f) /* exp is 0 well before */
#define DIP_LOG2E_HIGH 1.44269502f
#define DIP_LOG2E_LOW 1.92596303e-8f
#define DIP_EXP_6 0.000154614478f
#define DIP_EXP_5 0.00133908668f
#define DIP_EXP_4 0.00961805694f
#define DIP_EXP_3 0.0555035695f
#define DIP_EXP_2 0.240226507f
#define DIP_EXP_1 0.693147182f

static inline float dip_exp(float x) {
    const float clipped = x < DIP_EXP_FLOOR ? DIP_EXP_FLOOR : x;
    const float m = rintf(clipped * DIP_LOG2E_HIGH);
    const float r = fmaf(clipped, DIP_LOG2E_LOW, fmaf(clipped, DIP_LOG2E_HIGH, -m));
    float p = DIP_EXP_6;
    p = fmaf(p, r, DIP_EXP_5);
    p = fmaf(p, r, DIP_EXP_4);
    p = fmaf(p, r, DIP_EXP_3);
    p = fmaf(p, r, DIP_EXP_2);
    p = fmaf(p, r, DIP_EXP_1);
    p = fmaf(p, r, 1.0f);
    return isfinite(m) ? ldexpf(p, (int)m) : m;
}

#endif
