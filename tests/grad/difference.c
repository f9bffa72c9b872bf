/* SPDX-License-Identifier: Apache-2.0 */
#include "grad/difference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static double value_at(difference_function f, void *context, dip_real *at, double value) {
    *at = (dip_real)value;
    return f(context);
}

double difference_at(difference_function f, void *context, dip_real *at) {
    const double h = DIFFERENCE_STEP;
    const double start = (double)*at;
    const double near = value_at(f, context, at, start + h) - value_at(f, context, at, start - h);
    const double far =
        value_at(f, context, at, start + 2 * h) - value_at(f, context, at, start - 2 * h);
    *at = (dip_real)start;
    return (8 * near - far) / (12 * h);
}

void difference_note(difference_worst *worst, const char *name, size_t index, double analytic,
                     double numeric) {
    const double size = fmax(fmax(fabs(analytic), fabs(numeric)), DIFFERENCE_FLOOR);
    const double error = fabs(analytic - numeric) / size;
    worst->n++;
    if (!(error <= worst->error)) {
        worst->error = error;
        snprintf(worst->where, sizeof worst->where, "%s[%zu]: gradient %.15g, difference %.15g",
                 name, index, analytic, numeric);
    }
}

void difference_check(difference_worst *worst, const char *name, difference_function f,
                      void *context, dip_real *value, const dip_real *gradient, size_t n,
                      size_t stride) {
    for (size_t i = 0; i < n; i += stride) {
        difference_note(worst, name, i, (double)gradient[i], difference_at(f, context, value + i));
    }
}

void difference_report(const difference_worst *worst, const char *what) {
    print_message("%s: %zu elements, worst relative difference %.2e at %s\n", what, worst->n,
                  worst->error, worst->where);
    assert_true(worst->n > 0);
    if (!(worst->error <= DIFFERENCE_TOLERANCE)) {
        fail_msg("%s: relative difference %.2e above %.0e", what, worst->error,
                 DIFFERENCE_TOLERANCE);
    }
}
