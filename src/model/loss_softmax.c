/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows are taken in strips of DIP_SOFTMAX_ROWS. In a strip each thread makes the logits of a
 * unit of rows, turns them into the gradient by the products, and multiplies them with v; then the
 * threads share the candidates and add the strip's part of dv. So three products a strip, and the
 * n x m matrix never exists.
 */
#include "model/loss_softmax.h"

#include "base/mem.h"
#include "math/gemm.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

dip_status dip_softmax_create(dip_softmax *softmax, size_t rows, size_t columns, int threads,
                              dip_error *err) {
    const size_t strip = rows < DIP_SOFTMAX_ROWS ? rows : DIP_SOFTMAX_ROWS;
    memset(softmax, 0, sizeof *softmax);
    softmax->threads = threads;
    softmax->logits =
        dip_alloc(strip, columns * sizeof *softmax->logits, "the logits of a batch", err);
    softmax->row_loss = dip_alloc(rows, sizeof *softmax->row_loss, "losses of a batch", err);
    softmax->row_sum = dip_alloc(rows, sizeof *softmax->row_sum, "losses of a batch", err);
    if (softmax->logits == NULL || softmax->row_loss == NULL || softmax->row_sum == NULL) {
        dip_softmax_free(softmax);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

/* The columns with the key of column p, but for that one. */
static void leave_out(dip_real *row, size_t p, size_t m, const int32_t *key) {
    for (size_t j = 0; key != NULL && j < m; j++) {
        row[j] = key[j] == key[p] && j != p ? -(dip_real)INFINITY : row[j];
    }
}

/* From products to logits; returns that of the positive. */
static dip_real adjust_row(dip_real *row, size_t i, size_t m, const dip_softmax_input *in) {
    const size_t p = dip_softmax_positive(in, i);
    const dip_real product = row[p];
    for (size_t j = 0; in->log_p != NULL && j < m; j++) {
        row[j] -= in->log_p[j];
    }
    leave_out(row, p, m, in->item);
    leave_out(row, p, m, in->also);
    const dip_real right = in->own != NULL ? product - in->own[i] : row[p];
    row[p] = in->item != NULL ? right : row[p];
    return right;
}

/* Turns a row of products into the gradient by them: weight / (n tau) (exp(logit_ij) / Z_i - [j =
 * p(i)]). Returns the loss of the row. */
static double softmax_row(dip_real *row, size_t i, size_t m, const dip_softmax_input *in) {
    const dip_real right = adjust_row(row, i, m, in);
    const dip_real largest = dip_vec_max(m, row);
    const dip_real sum = dip_vec_exp_sum(m, largest, row);
    const dip_real scale = in->weight / ((dip_real)in->n * in->temperature);
    const dip_real factor = scale / sum;
    for (size_t j = 0; j < m; j++) {
        row[j] *= factor;
    }
    row[dip_softmax_positive(in, i)] -= scale;
    return log((double)sum) - ((double)right - (double)largest);
}

/* A unit of `rows` rows from row `first` of the batch; logits is their place in the strip. */
static void row_unit(dip_softmax *softmax, const dip_softmax_input *in, dip_real *du, size_t first,
                     size_t rows, dip_real *logits) {
    const size_t m = dip_softmax_columns(in);
    dip_gemm(rows, m, in->d, 1 / in->temperature,
             (dip_operand){in->u + first * in->d, in->d, false}, (dip_operand){in->v, in->d, true},
             0, logits, m);
    for (size_t i = 0; i < rows; i++) {
        softmax->row_loss[first + i] = softmax_row(logits + i * m, first + i, m, in);
    }
    /* s = u v^T, so du = ds v */
    dip_gemm(rows, in->d, m, 1, (dip_operand){logits, m, false}, (dip_operand){in->v, in->d, false},
             0, du + first * in->d, in->d);
}

/* dv += ds^T u over the strip of `rows` rows from row `first`, for the candidates of one panel. */
static void column_panel(const dip_softmax *softmax, const dip_softmax_input *in, dip_real *dv,
                         size_t first, size_t rows, size_t panel) {
    const size_t m = dip_softmax_columns(in);
    const size_t column = dip_panel_first(m, panel);
    dip_gemm(dip_panel_rows(m, panel), in->d, rows, 1,
             (dip_operand){softmax->logits + column, m, true},
             (dip_operand){in->u + first * in->d, in->d, false}, first > 0 ? 1 : 0,
             dv + column * in->d, in->d);
}

static void strip(dip_softmax *softmax, const dip_softmax_input *in, dip_real *du, dip_real *dv,
                  size_t first) {
    const size_t m = dip_softmax_columns(in);
    const size_t rows = in->n - first < DIP_SOFTMAX_ROWS ? in->n - first : DIP_SOFTMAX_ROWS;
#pragma omp for schedule(static, 1)
    for (size_t at = 0; at < rows; at += DIP_SOFTMAX_UNIT) {
        const size_t unit = rows - at < DIP_SOFTMAX_UNIT ? rows - at : DIP_SOFTMAX_UNIT;
        row_unit(softmax, in, du, first + at, unit, softmax->logits + at * m);
    }
#pragma omp for schedule(static, 1)
    for (size_t panel = 0; panel < dip_panel_count(m); panel++) {
        column_panel(softmax, in, dv, first, rows, panel);
    }
}

double dip_softmax_loss(dip_softmax *softmax, const dip_softmax_input *in, dip_real *du,
                        dip_real *dv) {
#pragma omp parallel num_threads(softmax->threads)
    for (size_t first = 0; first < in->n; first += DIP_SOFTMAX_ROWS) {
        strip(softmax, in, du, dv, first);
    }
    double sum = 0;
    for (size_t i = 0; i < in->n; i++) {
        sum += softmax->row_loss[i];
    }
    return sum / (double)in->n;
}

void dip_softmax_free(dip_softmax *softmax) {
    dip_free(softmax->logits);
    dip_free(softmax->row_loss);
    dip_free(softmax->row_sum);
    memset(softmax, 0, sizeof *softmax);
}
