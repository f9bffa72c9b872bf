/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels in plain C: the definition that the other tiers must meet to the bit, and what runs
 * where there is no other.
 */
#include "math/kernels.h"

#include <string.h>

/* ---- sums and maps --------------------------------------------------------------------------- */

static void axpy(size_t n, dip_real a, const dip_real *restrict x, dip_real *restrict y) {
    for (size_t i = 0; i < n; i++) {
        y[i] += a * x[i];
    }
}

static void scale(size_t n, dip_real a, dip_real *x) {
    for (size_t i = 0; i < n; i++) {
        x[i] *= a;
    }
}

/* Sums the lanes pairwise, always in the same tree. */
static dip_real fold_lanes(dip_real lane[DIP_LANES]) {
    for (size_t width = DIP_LANES / 2; width > 0; width /= 2) {
        for (size_t l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

static dip_real dot(size_t n, const dip_real *restrict x, const dip_real *restrict y) {
    dip_real lane[DIP_LANES] = {0};
    for (size_t i = 0; i < n; i += DIP_LANES) {
        const size_t m = n - i < DIP_LANES ? n - i : DIP_LANES;
        for (size_t l = 0; l < m; l++) {
            lane[l] += x[i + l] * y[i + l];
        }
    }
    return fold_lanes(lane);
}

static dip_real larger(dip_real a, dip_real b) {
    return a > b ? a : b;
}

/* NaN compares false and so is passed over. */
static dip_real max(size_t n, const dip_real *x) {
    dip_real lane[DIP_LANES];
    for (size_t l = 0; l < DIP_LANES; l++) {
        lane[l] = -(dip_real)INFINITY;
    }
    for (size_t i = 0; i < n; i += DIP_LANES) {
        const size_t m = n - i < DIP_LANES ? n - i : DIP_LANES;
        for (size_t l = 0; l < m; l++) {
            lane[l] = larger(x[i + l], lane[l]);
        }
    }
    for (size_t width = DIP_LANES / 2; width > 0; width /= 2) {
        for (size_t l = 0; l < width; l++) {
            lane[l] = larger(lane[l], lane[l + width]);
        }
    }
    return lane[0];
}

#ifdef DIP_REAL_IS_DOUBLE

static dip_real exp_one(dip_real x) {
    return exp(x);
}

#else

/* exp on float: x = m ln 2 + r with |r| <= ln(2)/2, split as in Cody and Waite (1980) so that r
 * keeps its low bits; exp(r) = 1 + (r + r^2 q(r)), q of degree 4 with the smallest largest relative
 * error, 3.1e-9; 2^m by adding m to the exponent, which the last bits of x / ln 2 + ROUND hold.
 *
 * LOW and HIGH are the outermost floats whose exp is a normal finite float. */
static float exp_one(float x) {
    static const float LOG2E = 1.44269504f;
    static const float LN2_HIGH = 0.693359375f;
    static const float LN2_LOW = -2.12194440e-4f;
    static const float ROUND = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    static const float LOW = -87.3365402f;
    static const float HIGH = 88.7228317f;
    const float rounded = x * LOG2E + ROUND;
    const float m = rounded - ROUND;
    const float r = (x - m * LN2_HIGH) - m * LN2_LOW;
    float q = 1.38145406e-3f;
    q = q * r + 8.36874545e-3f;
    q = q * r + 4.16683890e-2f;
    q = q * r + 1.66665211e-1f;
    q = q * r + 4.99999940e-1f;
    const float power = (r + r * r * q) + 1.0f;
    uint32_t bits;
    uint32_t exponent;
    memcpy(&bits, &power, sizeof bits);
    memcpy(&exponent, &rounded, sizeof exponent);
    bits += exponent << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    value = x > HIGH ? INFINITY : value;
    value = x < LOW ? 0 : value;
    return x == x ? value : x;
}

#endif

static dip_real exp_sum(size_t n, dip_real shift, dip_real *x) {
    dip_real lane[DIP_LANES] = {0};
    for (size_t i = 0; i < n; i += DIP_LANES) {
        const size_t m = n - i < DIP_LANES ? n - i : DIP_LANES;
        for (size_t l = 0; l < m; l++) {
            x[i + l] = exp_one(x[i + l] - shift);
            lane[l] += x[i + l];
        }
    }
    return fold_lanes(lane);
}

static bool is_finite(size_t n, const dip_real *x) {
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite &= x[i] - x[i] == 0;
    }
    return finite;
}

static double square_sum(size_t n, const dip_real *x) {
    double lane[DIP_LANES_DOUBLE] = {0};
    for (size_t i = 0; i < n; i += DIP_LANES_DOUBLE) {
        const size_t m = n - i < DIP_LANES_DOUBLE ? n - i : DIP_LANES_DOUBLE;
        for (size_t l = 0; l < m; l++) {
            lane[l] += (double)x[i + l] * (double)x[i + l];
        }
    }
    for (size_t width = DIP_LANES_DOUBLE / 2; width > 0; width /= 2) {
        for (size_t l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

/* ---- layers ---------------------------------------------------------------------------------- */

static void bias_rows(size_t rows, size_t n, const dip_real *restrict bias, bool relu,
                      dip_real *restrict x) {
    for (size_t i = 0; i < rows; i++) {
        dip_real *row = x + i * n;
        for (size_t j = 0; j < n; j++) {
            row[j] += bias[j];
        }
        for (size_t j = 0; relu && j < n; j++) {
            row[j] = row[j] < 0 ? 0 : row[j];
        }
    }
}

static void relu_backward(size_t n, const dip_real *restrict y, dip_real *restrict dx) {
    for (size_t i = 0; i < n; i++) {
        dx[i] = y[i] > 0 ? dx[i] : 0;
    }
}

static dip_real normalise(size_t n, const dip_real *z, dip_real *u) {
    const dip_real norm = (dip_real)sqrt(square_sum(n, z));
    const dip_real floored = norm < DIP_NORM_FLOOR ? DIP_NORM_FLOOR : norm;
    for (size_t i = 0; i < n; i++) {
        u[i] = z[i] / floored;
    }
    return floored;
}

static void normalise_backward(size_t n, const dip_real *u, dip_real norm, const dip_real *du,
                               dip_real *dz) {
    if (norm <= DIP_NORM_FLOOR) {
        memset(dz, 0, n * sizeof *dz);
        return;
    }
    const dip_real along = dot(n, u, du);
    for (size_t i = 0; i < n; i++) {
        dz[i] = (du[i] - along * u[i]) / norm;
    }
}

/* ---- rows of tables -------------------------------------------------------------------------- */

static void pool(size_t width, size_t n, const int32_t *row, dip_real factor,
                 const dip_real *restrict table, dip_real *restrict x) {
    if (n == 0) {
        memset(x, 0, width * sizeof *x);
        return;
    }
    memcpy(x, table + (size_t)row[0] * width, width * sizeof *x);
    for (size_t j = 1; j < n; j++) {
        axpy(width, 1, table + (size_t)row[j] * width, x);
    }
    if (n > 1) {
        scale(width, factor, x);
    }
}

static void sum_terms(size_t width, size_t n, const dip_term *term, dip_real *sum) {
    memset(sum, 0, width * sizeof *sum);
    for (size_t j = 0; j < n; j++) {
        axpy(width, term[j].factor, term[j].x, sum);
    }
}

/* ---- update rules ---------------------------------------------------------------------------- */

static void decay(size_t n, const dip_rule *rule, dip_real *w) {
    for (size_t i = 0; rule->decay > 0 && i < n; i++) {
        w[i] -= rule->decay * w[i];
    }
}

static void sgd(size_t n, const dip_rule *rule, const dip_real *restrict g, dip_real *restrict w) {
    decay(n, rule, w);
    for (size_t i = 0; i < n; i++) {
        w[i] -= rule->rate * g[i];
    }
}

static void adagrad(size_t n, const dip_rule *rule, const dip_real *restrict g,
                    dip_real *restrict w, dip_real *restrict s) {
    decay(n, rule, w);
    for (size_t i = 0; i < n; i++) {
        s[i] += g[i] * g[i];
        w[i] -= rule->rate * g[i] / (dip_sqrt(s[i]) + DIP_ADAGRAD_FLOOR);
    }
}

static void adagrad_row(size_t n, const dip_rule *rule, const dip_real *restrict g,
                        dip_real *restrict w, dip_real *restrict s) {
    if (n == 0) {
        return;
    }
    decay(n, rule, w);
    *s += dot(n, g, g) / (dip_real)n;
    const dip_real rate = rule->rate / (dip_sqrt(*s) + DIP_ADAGRAD_FLOOR);
    for (size_t i = 0; i < n; i++) {
        w[i] -= rate * g[i];
    }
}

static void adam(size_t n, const dip_rule *rule, const dip_real *restrict g, dip_real *restrict w,
                 dip_real *restrict m, dip_real *restrict v) {
    decay(n, rule, w);
    for (size_t i = 0; i < n; i++) {
        m[i] = rule->beta1 * m[i] + rule->rest1 * g[i];
        v[i] = rule->beta2 * v[i] + rule->rest2 * g[i] * g[i];
        w[i] -= rule->rate * (m[i] * rule->correction1) /
                (dip_sqrt(v[i] * rule->correction2) + DIP_ADAM_FLOOR);
    }
}

/* ---- top-k ----------------------------------------------------------------------------------- */

static size_t find_above(size_t n, const float *x, float bound) {
    for (size_t i = 0; i < n; i++) {
        if (x[i] > bound) {
            return i;
        }
    }
    return n;
}

static size_t count_above(size_t n, const float *x, float bound) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += x[i] > bound;
    }
    return count;
}

const dip_kernels *dip_kernels_reference(void) {
    static const dip_kernels TABLE = {.axpy = axpy,
                                      .scale = scale,
                                      .dot = dot,
                                      .max = max,
                                      .exp_sum = exp_sum,
                                      .bias = bias_rows,
                                      .relu_backward = relu_backward,
                                      .normalise = normalise,
                                      .normalise_backward = normalise_backward,
                                      .is_finite = is_finite,
                                      .square_sum = square_sum,
                                      .pool = pool,
                                      .sum_terms = sum_terms,
                                      .sgd = sgd,
                                      .adagrad = adagrad,
                                      .adagrad_row = adagrad_row,
                                      .adam = adam,
                                      .find_above = find_above,
                                      .count_above = count_above};
    return &TABLE;
}
