/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers in dip_real: the reference mode, and the one that encodes for evaluation and serving.
 */
#include "math/gemm.h"
#include "math/vec.h"
#include "model/pass.h"

/* Blocks of a weight gradient: rows x columns small enough to balance two threads and more, large
 * enough for the matrix product. */
enum { WEIGHT_ROWS = 64, WEIGHT_COLUMNS = 512, BIAS_COLUMNS = 64 };

/* ---- forward --------------------------------------------------------------------------------- */

static void forward_panel(dip_pass *pass, const dip_params *params, size_t panel) {
    const dip_tower *tower = pass->tower;
    const size_t first = dip_panel_first(pass->n, panel);
    const size_t rows = dip_panel_rows(pass->n, panel);
    for (size_t i = first; i < first + rows; i++) {
        for (size_t f = 0; f < tower->n_blocks; f++) {
            dip_pass_pool(pass, params, i, f, pass->x + i * tower->input + tower->block[f].offset);
        }
    }
    const dip_real *in = pass->x;
    for (size_t l = 0; l < tower->n_layers; l++) {
        const dip_layer *layer = &tower->layer[l];
        dip_real *out = pass->layer[l] + first * layer->out;
        dip_gemm(rows, layer->out, layer->in, 1,
                 (dip_operand){in + first * layer->in, layer->in, false},
                 (dip_operand){params->list[layer->weight].value, layer->out, false}, 0, out,
                 layer->out);
        dip_vec_bias(rows, layer->out, params->list[layer->bias].value, l + 1 < tower->n_layers,
                     out);
        in = pass->layer[l];
    }
    for (size_t i = first; i < first + rows; i++) {
        pass->norm[i] =
            dip_vec_normalise(tower->output, in + i * tower->output, pass->u + i * tower->output);
    }
}

void dip_pass_forward(dip_pass *pass, const dip_params *params) {
    const size_t panels = dip_panel_count(pass->n);
#pragma omp parallel for schedule(static, 1) num_threads(pass->threads)
    for (size_t panel = 0; panel < panels; panel++) {
        forward_panel(pass, params, panel);
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

static void backward_panel(dip_pass *pass, const dip_params *params, size_t panel) {
    const dip_tower *tower = pass->tower;
    const size_t first = dip_panel_first(pass->n, panel);
    const size_t rows = dip_panel_rows(pass->n, panel);
    const size_t last = tower->n_layers - 1;
    const size_t d = tower->output;
    for (size_t i = first; i < first + rows; i++) {
        /* u = z / |z| */
        dip_vec_normalise_backward(d, pass->u + i * d, pass->norm[i], pass->du + i * d,
                                   pass->dlayer[last] + i * d);
    }
    for (size_t l = last + 1; l-- > 0;) {
        const dip_layer *layer = &tower->layer[l];
        dip_real *dout = pass->dlayer[l] + first * layer->out;
        dip_real *din = (l > 0 ? pass->dlayer[l - 1] : pass->dx) + first * layer->in;
        /* out = in W + b, so din = dout W^T */
        dip_gemm(rows, layer->in, layer->out, 1, (dip_operand){dout, layer->out, false},
                 (dip_operand){params->list[layer->weight].value, layer->out, true}, 0, din,
                 layer->in);
        if (l > 0) {
            dip_vec_relu_backward(rows * layer->in, pass->layer[l - 1] + first * layer->in, din);
        }
    }
}

/* dW += in^T dout, one block of W at a time. */
static void weight_gradient(const dip_pass *pass, dip_params *params, size_t l) {
    const dip_layer *layer = &pass->tower->layer[l];
    const dip_real *in = l > 0 ? pass->layer[l - 1] : pass->x;
    dip_real *dw = params->list[layer->weight].gradient;
    const size_t across = (layer->out + WEIGHT_COLUMNS - 1) / WEIGHT_COLUMNS;
    const size_t down = (layer->in + WEIGHT_ROWS - 1) / WEIGHT_ROWS;
#pragma omp parallel for schedule(static, 1) num_threads(pass->threads)
    for (size_t b = 0; b < down * across; b++) {
        const size_t row = b / across * WEIGHT_ROWS;
        const size_t column = b % across * WEIGHT_COLUMNS;
        const size_t rows = layer->in - row < WEIGHT_ROWS ? layer->in - row : WEIGHT_ROWS;
        const size_t columns =
            layer->out - column < WEIGHT_COLUMNS ? layer->out - column : WEIGHT_COLUMNS;
        dip_gemm(rows, columns, pass->n, 1, (dip_operand){in + row, layer->in, true},
                 (dip_operand){pass->dlayer[l] + column, layer->out, false}, 1,
                 dw + row * layer->out + column, layer->out);
    }
}

/* db += sum over the batch of dout, columns on different threads, rows always in order. */
static void bias_gradient(const dip_pass *pass, dip_params *params, size_t l) {
    const dip_layer *layer = &pass->tower->layer[l];
    dip_real *db = params->list[layer->bias].gradient;
    const size_t blocks = (layer->out + BIAS_COLUMNS - 1) / BIAS_COLUMNS;
#pragma omp parallel for schedule(static) num_threads(pass->threads)
    for (size_t b = 0; b < blocks; b++) {
        const size_t column = b * BIAS_COLUMNS;
        const size_t width =
            layer->out - column < BIAS_COLUMNS ? layer->out - column : BIAS_COLUMNS;
        for (size_t i = 0; i < pass->n; i++) {
            dip_vec_axpy(width, 1, pass->dlayer[l] + i * layer->out + column, db + column);
        }
    }
}

/* ddefault_f += sum of dx_f over the examples that took the default. */
static void default_gradient(const dip_pass *pass, dip_params *params) {
    const dip_tower *tower = pass->tower;
    dip_real *gradient = params->list[tower->fallback].gradient;
#pragma omp parallel for schedule(static) num_threads(pass->threads)
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_tower_block *block = &tower->block[f];
        for (size_t i = 0; i < pass->n; i++) {
            const dip_span *span = &pass->span[i * tower->n_blocks + f];
            if (span->n == 0 && !dip_span_has_number(span)) {
                dip_vec_axpy(block->width, 1, pass->dx + i * tower->input + block->offset,
                             gradient + block->offset);
            }
        }
    }
}

void dip_pass_backward(dip_pass *pass, dip_params *params) {
    const size_t panels = dip_panel_count(pass->n);
#pragma omp parallel for schedule(static, 1) num_threads(pass->threads)
    for (size_t panel = 0; panel < panels; panel++) {
        backward_panel(pass, params, panel);
    }
    for (size_t l = 0; l < pass->tower->n_layers; l++) {
        weight_gradient(pass, params, l);
        bias_gradient(pass, params, l);
    }
    default_gradient(pass, params);
}
