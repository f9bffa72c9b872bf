/* SPDX-License-Identifier: Apache-2.0 */
#include "model/loss_spread.h"

#include "math/gemm.h"
#include "math/vec.h"

#include <string.h>

typedef struct spread {
    dip_softmax *work;
    const dip_real *z; /* [n x d] */
    size_t n;
    size_t d;
    dip_real *dz; /* [n x d] */
} spread;

/* Products of a unit of rows with all rows, the diagonal set to 0: their sums and sums of squares
 * by row, and dz_i = sum_j s_ij z_j. */
static void product_unit(const spread *s, size_t first, size_t rows, dip_real *products) {
    const size_t n = s->n;
    const size_t d = s->d;
    dip_gemm(rows, n, d, 1, (dip_operand){s->z + first * d, d, false}, (dip_operand){s->z, d, true},
             0, products, n);
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        double squares = 0;
        products[i * n + first + i] = 0;
        for (size_t j = 0; j < n; j++) {
            const double product = (double)products[i * n + j];
            sum += product;
            squares += product * product;
        }
        s->work->row_sum[first + i] = sum;
        s->work->row_loss[first + i] = squares;
    }
    dip_gemm(rows, d, n, 1, (dip_operand){products, n, false}, (dip_operand){s->z, d, false}, 0,
             s->dz + first * d, d);
}

static void all_products(const spread *s) {
    for (size_t first = 0; first < s->n; first += DIP_SOFTMAX_ROWS) {
        const size_t rows = s->n - first < DIP_SOFTMAX_ROWS ? s->n - first : DIP_SOFTMAX_ROWS;
#pragma omp parallel for schedule(static, 1) num_threads(s->work->threads)
        for (size_t at = 0; at < rows; at += DIP_SOFTMAX_UNIT) {
            const size_t unit = rows - at < DIP_SOFTMAX_UNIT ? rows - at : DIP_SOFTMAX_UNIT;
            product_unit(s, first + at, unit, s->work->logits + at * s->n);
        }
    }
}

static double sum_rows(const double *row, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += row[i];
    }
    return sum;
}

/* Each s_ij^2 stands twice in the double sum, so its derivative by z_i is 4 s_ij z_j. */
double dip_spread_square(dip_softmax *work, const dip_real *z, size_t n, size_t d, dip_real weight,
                         dip_real *dz) {
    const spread s = {work, z, n, d, dz};
    const dip_real factor = 4 * weight / (dip_real)n;
    all_products(&s);
    for (size_t e = 0; e < n * d; e++) {
        dz[e] *= factor;
    }
    return sum_rows(work->row_loss, n) / (double)n;
}

/* d M2 / dz_i = 4 sum_j s_ij z_j / pairs, and d M1^2 / dz_i = 4 M1 sum_{j != i} z_j / pairs. */
static void moments_backward(const spread *s, dip_real first, dip_real slope, dip_real factor) {
    for (size_t c = 0; c < s->d; c++) {
        double total = 0;
        for (size_t i = 0; i < s->n; i++) {
            total += (double)s->z[i * s->d + c];
        }
        for (size_t i = 0; i < s->n; i++) {
            dip_real *at = &s->dz[i * s->d + c];
            const dip_real others = (dip_real)(total - (double)s->z[i * s->d + c]);
            *at = factor * (slope * *at + first * others);
        }
    }
}

/* The sum over i != j of s_ij is |sum_i z_i|^2 - sum_i |z_i|^2, but it is summed directly: the
 * difference of two large numbers would lose the small mean. */
double dip_spread_moments(dip_softmax *work, const dip_real *z, size_t n, size_t d, dip_real weight,
                          dip_real *dz) {
    const spread s = {work, z, n, d, dz};
    const double pairs = (double)n * (double)(n - 1);
    all_products(&s);
    const double second = sum_rows(work->row_loss, n) / pairs;
    const double first = sum_rows(work->row_sum, n) / pairs;
    const double excess = second - 1.0 / (double)d;
    const dip_real slope = excess > 0 ? 1 : 0;
    moments_backward(&s, (dip_real)first, slope, (dip_real)(4.0 * (double)weight / pairs));
    return first * first + (excess > 0 ? excess : 0);
}
