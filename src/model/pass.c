/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pass.h"

#include "base/mem.h"
#include "math/gemm.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

/* Blocks of a weight gradient: rows x columns small enough to balance two threads and more, large
 * enough for the matrix product. */
enum { WEIGHT_ROWS = 64, WEIGHT_COLUMNS = 512, BIAS_COLUMNS = 64 };

static dip_real *alloc_matrix(size_t rows, size_t columns, dip_error *err) {
    return dip_alloc(rows, columns * sizeof(dip_real), "activations of a batch", err);
}

static dip_status alloc_backward(dip_pass *pass, dip_error *err) {
    const dip_tower *tower = pass->tower;
    pass->du = alloc_matrix(pass->capacity, tower->output, err);
    pass->dx = alloc_matrix(pass->capacity, tower->input, err);
    bool is_whole = pass->du != NULL && pass->dx != NULL;
    for (size_t l = 0; l < tower->n_layers && is_whole; l++) {
        pass->dlayer[l] = alloc_matrix(pass->capacity, tower->layer[l].out, err);
        is_whole = pass->dlayer[l] != NULL;
    }
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_forward(dip_pass *pass, dip_error *err) {
    const dip_tower *tower = pass->tower;
    pass->x = alloc_matrix(pass->capacity, tower->input, err);
    pass->u = alloc_matrix(pass->capacity, tower->output, err);
    pass->norm = alloc_matrix(pass->capacity, 1, err);
    pass->span =
        dip_alloc(pass->capacity, tower->n_blocks * sizeof *pass->span, "features of a batch", err);
    bool is_whole = pass->x != NULL && pass->u != NULL && pass->norm != NULL && pass->span != NULL;
    for (size_t l = 0; l < tower->n_layers && is_whole; l++) {
        pass->layer[l] = alloc_matrix(pass->capacity, tower->layer[l].out, err);
        is_whole = pass->layer[l] != NULL;
    }
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

dip_status dip_pass_create(dip_pass *pass, const dip_tower *tower, size_t capacity, int threads,
                           bool with_backward, dip_error *err) {
    memset(pass, 0, sizeof *pass);
    pass->tower = tower;
    pass->capacity = capacity;
    pass->threads = threads;
    dip_status status = alloc_forward(pass, err);
    if (status == DIP_OK && with_backward) {
        status = alloc_backward(pass, err);
    }
    if (status != DIP_OK) {
        dip_pass_free(pass);
    }
    return status;
}

/* ---- loading --------------------------------------------------------------------------------- */

static size_t bag_length(const dip_column *column, int32_t row) {
    return column->offsets != NULL ? (size_t)(column->offsets[row + 1] - column->offsets[row]) : 1;
}

/* Where the values of each span may begin: room for all of them, dropped or not. */
static size_t place_spans(dip_pass *pass, const dip_rows *rows, const int32_t *row) {
    const size_t n_blocks = pass->tower->n_blocks;
    size_t total = 0;
    for (size_t i = 0; i < pass->n; i++) {
        for (size_t f = 0; f < n_blocks; f++) {
            pass->span[i * n_blocks + f].start = total;
            total += bag_length(&rows->columns[f], row[i]);
        }
    }
    return total;
}

/* The counter of the draws of one feature of one example. */
static uint64_t draw_place(size_t example, size_t feature, size_t group) {
    return ((uint64_t)example << 40) | ((uint64_t)feature << 32) | group;
}

static uint32_t copy_bag(int32_t *kept, const int32_t *codes, size_t length, size_t example,
                         size_t feature, const dip_view *view) {
    if (view == NULL || view->value_dropout <= 0) {
        memcpy(kept, codes, length * sizeof *kept);
        return (uint32_t)length;
    }
    uint32_t n = 0;
    for (size_t j = 0; j < length; j += 4) {
        const dip_draw draw =
            dip_rng_at(view->rng, view->step, draw_place(example, feature, j / 4));
        for (size_t l = j; l < length && l < j + 4; l++) {
            kept[n] = codes[l];
            n += dip_unit(draw.word[l - j]) >= view->value_dropout;
        }
    }
    return n;
}

static void load_span(dip_pass *pass, const dip_column *column, int32_t row, size_t i, size_t f,
                      const dip_view *view) {
    dip_span *span = &pass->span[i * pass->tower->n_blocks + f];
    int32_t *kept = pass->kept + span->start;
    span->n = 0;
    span->has_number = column->numbers != NULL && !isnan(column->numbers[row]);
    if (column->numbers != NULL) {
        return;
    }
    if (column->offsets == NULL) {
        kept[0] = column->codes[row];
        span->n = column->codes[row] >= 0;
        return;
    }
    span->n =
        copy_bag(kept, column->codes + column->offsets[row], bag_length(column, row), i, f, view);
}

/* Group number of the feature-dropout draws: past any bag's groups of four values. */
#define FEATURE_GROUP UINT32_MAX

/* Which features of an example are masked. When feature dropout hits all of them, the one with the
 * largest draw stays, so that an example never loses everything. */
static uint64_t example_mask(const dip_view *view, size_t example, size_t n_blocks) {
    if (view == NULL || view->feature_dropout <= 0) {
        return view != NULL ? view->mask : 0;
    }
    uint64_t mask = 0;
    size_t survivor = 0;
    double largest = -1;
    for (size_t f = 0; f < n_blocks; f++) {
        const double u = dip_unit(
            dip_rng_at(view->rng, view->step, draw_place(example, f, FEATURE_GROUP)).word[0]);
        mask |= (uint64_t)(u < view->feature_dropout) << f;
        if (u > largest) {
            largest = u;
            survivor = f;
        }
    }
    return view->mask | (mask & ~((uint64_t)1 << survivor));
}

static void load_example(dip_pass *pass, const dip_rows *rows, int32_t row, size_t i,
                         const dip_view *view) {
    const size_t n_blocks = pass->tower->n_blocks;
    const uint64_t mask = example_mask(view, i, n_blocks);
    for (size_t f = 0; f < n_blocks; f++) {
        if ((mask >> f) & 1) {
            pass->span[i * n_blocks + f].n = 0;
            pass->span[i * n_blocks + f].has_number = false;
        } else {
            load_span(pass, &rows->columns[f], row, i, f, view);
        }
    }
}

/* Numbers are put into x at once: their blocks have no table to pool from. */
static void load_numbers(dip_pass *pass, const dip_rows *rows, int32_t row, size_t i) {
    const dip_tower *tower = pass->tower;
    for (size_t f = 0; f < tower->n_blocks; f++) {
        if (pass->span[i * tower->n_blocks + f].has_number) {
            pass->x[i * tower->input + tower->block[f].offset] = rows->columns[f].numbers[row];
        }
    }
}

dip_status dip_pass_load(dip_pass *pass, const dip_rows *rows, const int32_t *row, size_t n,
                         const dip_view *view, dip_error *err) {
    pass->n = n;
    DIP_TRY(dip_grow((void **)&pass->kept, &pass->kept_capacity, place_spans(pass, rows, row),
                     sizeof *pass->kept, "bag values of a batch", err));
#pragma omp parallel for schedule(static) num_threads(pass->threads)
    for (size_t i = 0; i < n; i++) {
        load_example(pass, rows, row[i], i, view);
        load_numbers(pass, rows, row[i], i);
    }
    return DIP_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

dip_real dip_pool_factor(int pool, uint32_t n) {
    switch (pool) {
    case DIP_POOL_SUM:
        return 1;
    case DIP_POOL_SQRTN:
        return (dip_real)(1 / sqrt((double)n));
    default:
        return (dip_real)1 / (dip_real)n;
    }
}

/* x_f = factor * sum of the kept embeddings, or the default. */
static void pool_block(const dip_pass *pass, const dip_params *params, size_t i, size_t f) {
    const dip_tower *tower = pass->tower;
    const dip_block *block = &tower->block[f];
    const dip_span *span = &pass->span[i * tower->n_blocks + f];
    dip_real *x = pass->x + i * tower->input + block->offset;
    if (span->has_number) {
        return;
    }
    if (span->n == 0) {
        const dip_real *fallback = params->list[tower->fallback].value + block->offset;
        memcpy(x, fallback, block->width * sizeof *x);
        return;
    }
    const dip_real *table = params->list[block->table].value;
    const int32_t *kept = pass->kept + span->start;
    memcpy(x, table + (size_t)kept[0] * block->width, block->width * sizeof *x);
    if (span->n == 1) {
        return;
    }
    for (uint32_t j = 1; j < span->n; j++) {
        dip_vec_axpy(block->width, 1, table + (size_t)kept[j] * block->width, x);
    }
    const dip_real factor = dip_pool_factor(block->pool, span->n);
    for (size_t c = 0; c < block->width; c++) {
        x[c] *= factor;
    }
}

static void forward_panel(dip_pass *pass, const dip_params *params, size_t panel) {
    const dip_tower *tower = pass->tower;
    const size_t first = panel * DIP_PANEL;
    const size_t rows = dip_panel_rows(pass->n, panel);
    for (size_t i = first; i < first + rows; i++) {
        for (size_t f = 0; f < tower->n_blocks; f++) {
            pool_block(pass, params, i, f);
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
    const size_t first = panel * DIP_PANEL;
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
        const dip_block *block = &tower->block[f];
        for (size_t i = 0; i < pass->n; i++) {
            const dip_span *span = &pass->span[i * tower->n_blocks + f];
            if (span->n == 0 && !span->has_number) {
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

void dip_pass_free(dip_pass *pass) {
    dip_free(pass->x);
    dip_free(pass->u);
    dip_free(pass->norm);
    dip_free(pass->du);
    dip_free(pass->dx);
    dip_free(pass->span);
    dip_free(pass->kept);
    for (size_t l = 0; l < DIP_LIST_MAX; l++) {
        dip_free(pass->layer[l]);
        dip_free(pass->dlayer[l]);
    }
    memset(pass, 0, sizeof *pass);
}
