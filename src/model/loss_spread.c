/* SPDX-License-Identifier: Apache-2.0 */
#include "model/loss_spread.h"

#include "math/gemm.h"

/* Products of one panel's rows with all rows, the diagonal set to 0. The sum of squares of each row
 * goes to row_loss. */
static void product_panel(dip_softmax *work, const dip_real *z, size_t n, size_t d, size_t panel) {
    const size_t first = panel * DIP_PANEL;
    const size_t rows = dip_panel_rows(n, panel);
    dip_real *s = work->logits + first * n;
    dip_gemm(rows, n, d, 1, (dip_operand){z + first * d, d, false}, (dip_operand){z, d, true}, 0, s,
             n);
    for (size_t i = 0; i < rows; i++) {
        double squares = 0;
        s[i * n + first + i] = 0;
        for (size_t j = 0; j < n; j++) {
            squares += (double)s[i * n + j] * (double)s[i * n + j];
        }
        work->row_loss[first + i] = squares;
    }
}

/* sum over i != j of s_ij^2; fills the logits buffer with the s_ij. */
static double all_products(dip_softmax *work, const dip_real *z, size_t n, size_t d) {
    const size_t panels = dip_panel_count(n);
#pragma omp parallel for schedule(static, 1) num_threads(work->threads)
    for (size_t panel = 0; panel < panels; panel++) {
        product_panel(work, z, n, d, panel);
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += work->row_loss[i];
    }
    return sum;
}

/* dz_i = factor * sum_{j != i} s_ij z_j */
static void products_backward(dip_softmax *work, const dip_real *z, size_t n, size_t d,
                              dip_real factor, dip_real *dz) {
    const size_t panels = dip_panel_count(n);
#pragma omp parallel for schedule(static, 1) num_threads(work->threads)
    for (size_t panel = 0; panel < panels; panel++) {
        const size_t first = panel * DIP_PANEL;
        dip_gemm(dip_panel_rows(n, panel), d, n, factor,
                 (dip_operand){work->logits + first * n, n, false}, (dip_operand){z, d, false}, 0,
                 dz + first * d, d);
    }
}

/* Each s_ij^2 stands twice in the double sum, so its derivative by z_i is 4 s_ij z_j. */
double dip_spread_square(dip_softmax *work, const dip_real *z, size_t n, size_t d, dip_real weight,
                         dip_real *dz) {
    const double squares = all_products(work, z, n, d);
    products_backward(work, z, n, d, 4 * weight / (dip_real)n, dz);
    return squares / (double)n;
}

/* sum over i != j of s_ij = |sum_i z_i|^2 - sum_i |z_i|^2, but summed directly: the difference of
 * two large numbers would lose the small mean. */
static double sum_products(const dip_softmax *work, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double row = 0;
        for (size_t j = 0; j < n; j++) {
            row += (double)work->logits[i * n + j];
        }
        sum += row;
    }
    return sum;
}

/* d M1^2 / dz_i = 2 M1 * 2 sum_{j != i} z_j / pairs: a constant is added to every off-diagonal s_ij
 * before the one product with z. */
double dip_spread_moments(dip_softmax *work, const dip_real *z, size_t n, size_t d, dip_real weight,
                          dip_real *dz) {
    const double pairs = (double)n * (double)(n - 1);
    const double second = all_products(work, z, n, d) / pairs;
    const double first = sum_products(work, n) / pairs;
    const double excess = second - 1.0 / (double)d;
    const dip_real slope = excess > 0 ? 1 : 0;
#pragma omp parallel for schedule(static) num_threads(work->threads)
    for (size_t i = 0; i < n; i++) {
        dip_real *row = work->logits + i * n;
        for (size_t j = 0; j < n; j++) {
            row[j] = j == i ? 0 : slope * row[j] + (dip_real)first;
        }
    }
    products_backward(work, z, n, d, (dip_real)(4.0 * (double)weight / pairs), dz);
    return first * first + (excess > 0 ? excess : 0);
}
