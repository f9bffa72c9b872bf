/* SPDX-License-Identifier: Apache-2.0 */
#include "model/loss_softmax.h"

#include "base/mem.h"
#include "math/gemm.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

dip_status dip_softmax_create(dip_softmax *softmax, size_t capacity, int threads, dip_error *err) {
    memset(softmax, 0, sizeof *softmax);
    softmax->capacity = capacity;
    softmax->threads = threads;
    softmax->logits =
        dip_alloc(capacity, capacity * sizeof *softmax->logits, "the logits of a batch", err);
    softmax->row_loss = dip_alloc(capacity, sizeof *softmax->row_loss, "losses of a batch", err);
    if (softmax->logits == NULL || softmax->row_loss == NULL) {
        dip_softmax_free(softmax);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

static void adjust_row(dip_real *row, size_t i, const dip_softmax_input *in) {
    for (size_t j = 0; in->log_p != NULL && j < in->n; j++) {
        row[j] -= in->log_p[j];
    }
    for (size_t j = 0; in->item != NULL && j < in->n; j++) {
        row[j] = in->item[j] == in->item[i] && j != i ? -(dip_real)INFINITY : row[j];
    }
}

/* Turns a row of logits into the gradient by its products: weight / (n tau) (softmax_ij - [i = j]).
 * Returns -log softmax_ii. */
static double softmax_row(dip_real *row, size_t i, const dip_softmax_input *in) {
    adjust_row(row, i, in);
    const dip_real positive = row[i];
    const dip_real largest = dip_vec_max(in->n, row);
    const dip_real sum = dip_vec_exp_sum(in->n, largest, row);
    const dip_real scale = in->weight / ((dip_real)in->n * in->temperature);
    const dip_real factor = scale / sum;
    for (size_t j = 0; j < in->n; j++) {
        row[j] *= factor;
    }
    row[i] -= scale;
    return log((double)sum) - ((double)positive - (double)largest);
}

static void row_panel(dip_softmax *softmax, const dip_softmax_input *in, dip_real *du,
                      size_t panel) {
    const size_t first = panel * DIP_PANEL;
    const size_t rows = dip_panel_rows(in->n, panel);
    dip_real *logits = softmax->logits + first * in->n;
    dip_gemm(rows, in->n, in->d, 1 / in->temperature,
             (dip_operand){in->u + first * in->d, in->d, false}, (dip_operand){in->v, in->d, true},
             0, logits, in->n);
    for (size_t i = 0; i < rows; i++) {
        softmax->row_loss[first + i] = softmax_row(logits + i * in->n, first + i, in);
    }
    /* s = u v^T, so du = ds v */
    dip_gemm(rows, in->d, in->n, 1, (dip_operand){logits, in->n, false},
             (dip_operand){in->v, in->d, false}, 0, du + first * in->d, in->d);
}

/* dv = ds^T u, for the items of one panel. */
static void column_panel(const dip_softmax *softmax, const dip_softmax_input *in, dip_real *dv,
                         size_t panel) {
    const size_t first = panel * DIP_PANEL;
    dip_gemm(dip_panel_rows(in->n, panel), in->d, in->n, 1,
             (dip_operand){softmax->logits + first, in->n, true},
             (dip_operand){in->u, in->d, false}, 0, dv + first * in->d, in->d);
}

double dip_softmax_loss(dip_softmax *softmax, const dip_softmax_input *in, dip_real *du,
                        dip_real *dv) {
    const size_t panels = dip_panel_count(in->n);
#pragma omp parallel num_threads(softmax->threads)
    {
#pragma omp for schedule(static, 1)
        for (size_t panel = 0; panel < panels; panel++) {
            row_panel(softmax, in, du, panel);
        }
#pragma omp for schedule(static, 1)
        for (size_t panel = 0; panel < panels; panel++) {
            column_panel(softmax, in, dv, panel);
        }
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
    memset(softmax, 0, sizeof *softmax);
}
