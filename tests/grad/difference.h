/* SPDX-License-Identifier: Apache-2.0
 *
 * Central differences in double, against which gradients are checked:
 *
 *   f'(w) = ( 8 (f(w + h) - f(w - h)) - (f(w + 2h) - f(w - 2h)) ) / 12 h + O(h^4)
 *
 * With h = 5e-4 the error of truncation is h^4 f''''' / 30 = 2e-15 f''''' and that of rounding
 * about 1.5 eps |f| / h = 1e-12 for the losses here, |f| < 3.
 */
#ifndef DIP_TESTS_GRAD_DIFFERENCE_H
#define DIP_TESTS_GRAD_DIFFERENCE_H

#include "math/real.h"

#include <stddef.h>

#define DIFFERENCE_STEP 5e-4

/* The bar that README.md states: 1e-6, relative to the larger of the two values. Values
 * below the floor are compared to 1e-6 * 1e-5 = 1e-11 absolutely, ten times the rounding error
 * above: so an element that should be 0 must be 0 to eleven places. */
#define DIFFERENCE_TOLERANCE 1e-6
#define DIFFERENCE_FLOOR 1e-5

/* Initial values are chosen so that no preactivation of a ReLU lies nearer to 0 than this. The
 * step moves a parameter by 2h = 1e-3 and a preactivation by at most 2h times the largest factor
 * between them, which is well below 15 for the inputs, weights and poolings of the tiny worlds;
 * the tests then also see that no unit changes its side. */
#define DIFFERENCE_KINK (2 * DIFFERENCE_STEP * 15)

typedef double (*difference_function)(void *context);

/* The largest relative difference seen so far, and where. */
typedef struct difference_worst {
    double error;
    size_t n; /* elements compared */
    char where[400];
} difference_worst;

/* df / d(*at) */
double difference_at(difference_function f, void *context, dip_real *at);

void difference_note(difference_worst *worst, const char *name, size_t index, double analytic,
                     double numeric);

/* Compares a whole gradient, or each stride-th element of it, by differences of the values. */
void difference_check(difference_worst *worst, const char *name, difference_function f,
                      void *context, dip_real *value, const dip_real *gradient, size_t n,
                      size_t stride);

/* Prints the worst element and fails above the tolerance, or when nothing was compared. */
void difference_report(const difference_worst *worst, const char *what);

#endif
