/* SPDX-License-Identifier: Apache-2.0 */
#include "math/vec.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

/* One version per instruction set, chosen when the library is loaded. Products and sums are never
 * contracted (ISO mode of the compiler), so all versions give the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(DIP_NO_CLONES)
#define DIP_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DIP_CLONES
#endif

/* Below this length a vector counts as zero: its direction would be rounding noise. */
#define NORM_FLOOR ((dip_real)1e-12)

DIP_CLONES void dip_vec_axpy(size_t n, dip_real a, const dip_real *restrict x,
                             dip_real *restrict y) {
    for (size_t i = 0; i < n; i++) {
        y[i] += a * x[i];
    }
}

/* Sums the lanes pairwise, always in the same tree. */
static dip_real fold_lanes(dip_real lane[LANES]) {
    for (size_t width = LANES / 2; width > 0; width /= 2) {
        for (size_t l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}

DIP_CLONES dip_real dip_vec_dot(size_t n, const dip_real *restrict x, const dip_real *restrict y) {
    dip_real lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            lane[l] += x[i + l] * y[i + l];
        }
    }
    for (size_t l = 0; i + l < n; l++) {
        lane[l] += x[i + l] * y[i + l];
    }
    return fold_lanes(lane);
}

DIP_CLONES dip_real dip_vec_max(size_t n, const dip_real *x) {
    dip_real lane[LANES];
    for (size_t l = 0; l < LANES; l++) {
        lane[l] = -(dip_real)INFINITY;
    }
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
        }
    }
    for (size_t l = 0; i + l < n; l++) {
        lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    }
    dip_real best = lane[0];
    for (size_t l = 1; l < LANES; l++) {
        best = lane[l] > best ? lane[l] : best;
    }
    return best;
}

#ifdef DIP_REAL_IS_DOUBLE

dip_real dip_vec_exp_sum(size_t n, dip_real shift, dip_real *x) {
    dip_real sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = exp(x[i] - shift);
        sum += x[i];
    }
    return sum;
}

#else

/* exp on float, relative error below 2e-7 for x in [-87, 88], 0 below.
 *
 * x = m ln 2 + r with |r| <= ln(2)/2, split as in Cody and Waite (1980) so that r keeps its low
 * bits; exp(r) by its Taylor polynomial of degree 7 (the remainder is 5e-9 at |r| = 0.35); 2^m by
 * adding m to the exponent. NaN stays NaN. */
static inline float exp_fast(float x) {
    static const float LOG2E = 1.44269504f;
    static const float LN2_HIGH = 0.693359375f;
    static const float LN2_LOW = -2.12194440e-4f;
    static const float ROUND = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    const float clipped = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
    const float m = (clipped * LOG2E + ROUND) - ROUND;
    const float r = (clipped - m * LN2_HIGH) - m * LN2_LOW;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const float shifted = m + 127.0f;
    const int32_t exponent = shifted == shifted ? (int32_t)shifted : 0;
    const uint32_t bits = (uint32_t)exponent << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return x < -87.0f ? 0.0f : p * scale;
}

DIP_CLONES dip_real dip_vec_exp_sum(size_t n, dip_real shift, dip_real *x) {
    dip_real lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            x[i + l] = exp_fast(x[i + l] - shift);
            lane[l] += x[i + l];
        }
    }
    for (size_t l = 0; i + l < n; l++) {
        x[i + l] = exp_fast(x[i + l] - shift);
        lane[l] += x[i + l];
    }
    return fold_lanes(lane);
}

#endif

DIP_CLONES void dip_vec_bias(size_t rows, size_t n, const dip_real *restrict bias, bool relu,
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

DIP_CLONES void dip_vec_relu_backward(size_t n, const dip_real *restrict y, dip_real *restrict dx) {
    for (size_t i = 0; i < n; i++) {
        dx[i] = y[i] > 0 ? dx[i] : 0;
    }
}

dip_real dip_vec_normalise(size_t n, const dip_real *z, dip_real *u) {
    const double squares = dip_vec_square_sum(n, z);
    const dip_real norm = (dip_real)sqrt(squares);
    const dip_real floored = norm < NORM_FLOOR ? NORM_FLOOR : norm;
    for (size_t i = 0; i < n; i++) {
        u[i] = z[i] / floored;
    }
    return floored;
}

void dip_vec_normalise_backward(size_t n, const dip_real *u, dip_real norm, const dip_real *du,
                                dip_real *dz) {
    if (norm <= NORM_FLOOR) {
        memset(dz, 0, n * sizeof *dz);
        return;
    }
    const dip_real along = dip_vec_dot(n, u, du);
    for (size_t i = 0; i < n; i++) {
        dz[i] = (du[i] - along * u[i]) / norm;
    }
}

DIP_CLONES bool dip_vec_is_finite(size_t n, const dip_real *x) {
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite &= x[i] - x[i] == 0;
    }
    return finite;
}

DIP_CLONES double dip_vec_square_sum(size_t n, const dip_real *x) {
    double lane[LANES] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            lane[l] += (double)x[i + l] * (double)x[i + l];
        }
    }
    for (; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    for (size_t l = 0; l < LANES; l++) {
        sum += lane[l];
    }
    return sum;
}
