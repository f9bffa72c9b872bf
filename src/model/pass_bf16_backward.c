/* SPDX-License-Identifier: Apache-2.0 */
#include "math/vec.h"
#include "model/pass_bf16_parts.h"

#include <omp.h>
#include <string.h>

/* ---- backward, by panels --------------------------------------------------------------------- */

/* Rows of a panel of the gradient of layer l's output: kept for the layer before, except those of
 * the first layer, which a thread uses up at once. */
static dip_bf16 *panel_rows(const dip_pass_bf16 *pass, const dip_scratch_bf16 *scratch, size_t l,
                            size_t panel) {
    const size_t stride = dip_row_stride(pass->ends.tower->layer[l].out);
    const size_t first = dip_panel_first(pass->ends.n, panel);
    return l > 0 ? pass->rows[l] + first * stride : scratch->rows[0];
}

/* u = z / |z|: rows of dz, rounded, packed, and summed. */
static void last_gradient(dip_pass_bf16 *pass, const dip_scratch_bf16 *scratch, size_t panel) {
    const dip_pass *ends = &pass->ends;
    const size_t last = ends->tower->n_layers - 1;
    const size_t first = dip_panel_first(ends->n, panel);
    const size_t n = dip_panel_rows(ends->n, panel);
    const size_t d = ends->tower->output;
    const size_t width = dip_wide(d);
    const size_t stride = dip_row_stride(d);
    dip_bf16 *rows = panel_rows(pass, scratch, last, panel);
    float *sums = pass->sums[last] + panel * width;
    memset(sums, 0, width * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        const size_t at = (first + i) * d;
        dip_vec_normalise_backward(d, ends->u + at, ends->norm[first + i], ends->du + at,
                                   scratch->row);
        dip_vec_axpy(d, 1, scratch->row, sums);
        dip_bf16_get()->round(d, scratch->row, rows + i * stride);
        memset(rows + i * stride + d, 0, (width - d) * sizeof *rows);
    }
    dip_pass_bf16_pack(rows, n, width, first, ends->n, scratch->rows[1], pass->out[last]);
}

/* The gradient of layer l - 1's output, din = relu'(...) dout W^T: rows, packed in the place of
 * that output, and summed. */
static void hidden_gradient(dip_pass_bf16 *pass, const dip_weights_bf16 *weights, size_t l,
                            const dip_scratch_bf16 *scratch, size_t panel) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const dip_weight_bf16 *weight = dip_weights_bf16_find(weights, layer->weight);
    const size_t width = dip_wide_in(layer);
    const size_t from = dip_wide_out(layer);
    const size_t first = dip_panel_first(pass->ends.n, panel);
    const size_t rows = dip_panel_rows(pass->ends.n, panel);
    const dip_left dout = {panel_rows(pass, scratch, l, panel), dip_row_stride(from)};
    dip_bf16 *din = panel_rows(pass, scratch, l - 1, panel);
    float *sums = pass->sums[l - 1] + panel * width;
    memset(sums, 0, width * sizeof *sums);
    for (size_t block = 0; block < width / DIP_BLOCK; block++) {
        dip_bf16 *packed = pass->in[l] + block * dip_packed_block(pass->ends.n) + first * DIP_BLOCK;
        const dip_bf16 *w = weight->backward + block * dip_packed_block(from);
        const bool is_last = block + 1 == width / DIP_BLOCK;
        kernels->tile(&(dip_tile){.m = rows,
                                  .a = dout,
                                  .b = w,
                                  .pairs = from / 2,
                                  .c = scratch->tile,
                                  .ldc = DIP_BLOCK,
                                  .next = is_last ? NULL : w + dip_packed_block(from),
                                  .target = packed});
        kernels->relu_backward(
            rows, scratch->tile, pass->alive[l - 1] + block * pass->ends.n + first,
            din + block * DIP_BLOCK, dip_row_stride(width), packed, sums + block * DIP_BLOCK);
    }
}

/* dx = dout W^T, in the blocks that are alive. It is looked at while it is in the cache. */
static void input_gradient(dip_pass_bf16 *pass, const dip_weights_bf16 *weights,
                           const dip_scratch_bf16 *scratch, size_t panel) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_layer *layer = &pass->ends.tower->layer[0];
    const dip_weight_bf16 *weight = dip_weights_bf16_find(weights, layer->weight);
    const size_t input = layer->in;
    const size_t from = dip_wide_out(layer);
    const size_t first = dip_panel_first(pass->ends.n, panel);
    const size_t rows = dip_panel_rows(pass->ends.n, panel);
    const dip_left dout = {scratch->rows[0], dip_row_stride(from)};
    for (size_t block = dip_pass_bf16_next(pass, 0, true); block < dip_blocks(input);) {
        const size_t after = dip_pass_bf16_next(pass, block + 1, true);
        const size_t column = block * DIP_BLOCK;
        const size_t width = input - column < DIP_BLOCK ? input - column : DIP_BLOCK;
        float *dx = pass->ends.dx + first * input + column;
        const bool is_whole = width == DIP_BLOCK;
        const dip_bf16 *w = weight->backward;
        const bool is_last = after >= dip_blocks(input);
        kernels->tile(&(dip_tile){.m = rows,
                                  .a = dout,
                                  .b = w + block * dip_packed_block(from),
                                  .pairs = from / 2,
                                  .c = is_whole ? dx : scratch->tile,
                                  .ldc = is_whole ? input : DIP_BLOCK,
                                  .next = is_last ? NULL : w + after * dip_packed_block(from)});
        if (!kernels->is_finite(rows, is_whole ? dx : scratch->tile,
                                is_whole ? input : DIP_BLOCK)) {
#pragma omp atomic write
            pass->ends.is_finite = false;
        }
        for (size_t i = 0; !is_whole && i < rows; i++) {
            memcpy(dx + i * input, scratch->tile + i * DIP_BLOCK, width * sizeof *dx);
        }
        block = after;
    }
}

/* The sum of the panels' sums, in their order, to the first row. */
static void add_panels(dip_pass_bf16 *pass, size_t l) {
    const size_t width = dip_wide_out(&pass->ends.tower->layer[l]);
    for (size_t panel = 1; panel < dip_panel_count(pass->ends.n); panel++) {
        dip_vec_axpy(width, 1, pass->sums[l] + panel * width, pass->sums[l]);
    }
}

/* ---- backward, by gradients ------------------------------------------------------------------ */

/* The passes of a step. */
typedef struct step {
    dip_pass_bf16 *const *pass;
    size_t n;
    dip_params *params;
    dip_weights_bf16 *weights;
} step;

/* Where a tile of a weight gradient is. */
typedef struct place {
    size_t layer;
    size_t row;
    size_t column;
    bool is_first;        /* no pass has been added yet */
    const dip_bf16 *next; /* an operand of a product that comes soon, or NULL */
} place;

/* Adds default_c db to the rows c of a tile that belong to masked features. */
static void add_masked(const dip_pass_bf16 *pass, const dip_params *params, place at, float *tile,
                       size_t stride) {
    const dip_tower *tower = pass->ends.tower;
    const float *fallback = params->list[tower->fallback].value;
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_tower_block *block = &tower->block[f];
        for (size_t c = block->offset;
             dip_pass_bf16_masks(pass, f) && c < block->offset + block->width; c++) {
            if (c >= at.row && c < at.row + DIP_BLOCK) {
                dip_vec_axpy(DIP_BLOCK, fallback[c], pass->sums[0] + at.column,
                             tile + (c - at.row) * stride);
            }
        }
    }
}

/* The same where 64 rows of the first weight belong to a feature whose values repeat. */
static void add_once_tile(const dip_once *once, place at, float *tile, size_t stride) {
    const size_t block = dip_packed_block(once->n);
    const size_t row_block = (at.row - once->block->offset) / DIP_BLOCK;
    dip_bf16_get()->tile(&(dip_tile){.m = DIP_BLOCK,
                                     .a = {once->packed + row_block * block, 0},
                                     .b = once->sum_packed + at.column / DIP_BLOCK * block,
                                     .pairs = dip_pairs(once->n),
                                     .add = !at.is_first,
                                     .c = tile,
                                     .ldc = stride});
}

/* Adds one pass's part to 64 x 64 elements of dW = in^T dout. */
static void add_tile(const dip_pass_bf16 *pass, const dip_params *params, place at, float *tile,
                     size_t stride) {
    const size_t block = dip_packed_block(pass->ends.n);
    const dip_once *once = at.layer == 0 ? dip_pass_bf16_once(pass, at.row / DIP_BLOCK) : NULL;
    if (once != NULL) {
        add_once_tile(once, at, tile, stride);
    } else if (at.layer > 0 || dip_pass_bf16_is_alive(pass, at.row / DIP_BLOCK)) {
        const dip_left in = {pass->in[at.layer] + at.row / DIP_BLOCK * block, 0};
        dip_bf16_get()->tile(&(dip_tile){.m = DIP_BLOCK,
                                         .a = in,
                                         .b = pass->out[at.layer] + at.column / DIP_BLOCK * block,
                                         .pairs = dip_pairs(pass->ends.n),
                                         .add = !at.is_first,
                                         .c = tile,
                                         .ldc = stride,
                                         .next = at.next});
    } else if (at.is_first) {
        for (size_t i = 0; i < DIP_BLOCK; i++) {
            memset(tile + i * stride, 0, DIP_BLOCK * sizeof *tile);
        }
    }
    if (at.layer == 0) {
        add_masked(pass, params, at, tile, stride);
    }
}

/* The same, on the gradient itself; through `tile` where the weight ends within the block. */
static void weight_tile(const dip_pass_bf16 *pass, dip_params *params, const dip_param *param,
                        place at, float *tile) {
    const size_t rows = param->rows - at.row < DIP_BLOCK ? param->rows - at.row : DIP_BLOCK;
    const size_t left = param->columns - at.column;
    const size_t bytes = (left < DIP_BLOCK ? left : DIP_BLOCK) * sizeof(float);
    float *gradient = param->gradient + at.row * param->columns + at.column;
    if (rows == DIP_BLOCK && left >= DIP_BLOCK) {
        add_tile(pass, params, at, gradient, param->columns);
        return;
    }
    for (size_t i = 0; !at.is_first && i < rows; i++) {
        memcpy(tile + i * DIP_BLOCK, gradient + i * param->columns, bytes);
    }
    add_tile(pass, params, at, tile, DIP_BLOCK);
    for (size_t i = 0; i < rows; i++) {
        memcpy(gradient + i * param->columns, tile + i * DIP_BLOCK, bytes);
    }
}

/* Whether a block of rows of a weight has a product with all examples. */
static bool has_product(const dip_pass_bf16 *pass, size_t l, size_t block) {
    return l > 0 || dip_pass_bf16_is_alive(pass, block);
}

/* One pass's part of a stripe of tiles across the shorter side of a weight. The operand of the
 * shorter side stays in the cache while a thread goes through its stripes; that of the longer side
 * is asked for while the stripe before is at its last tile. */
static void weight_stripe(const step *s, const dip_param *param, const dip_pass_bf16 *pass,
                          place at, size_t stripe) {
    float *tile = s->weights->scratch[omp_get_thread_num()].tile;
    const bool is_wide = param->columns > param->rows;
    const size_t end = dip_blocks(is_wide ? param->rows : param->columns);
    const size_t stripes = dip_blocks(is_wide ? param->columns : param->rows);
    const size_t size = dip_packed_block(pass->ends.n);
    const dip_bf16 *shorter = is_wide ? pass->in[at.layer] : pass->out[at.layer];
    const dip_bf16 *longer = is_wide ? pass->out[at.layer] : pass->in[at.layer];
    for (size_t along = 0; along < end; along++) {
        size_t after = along + 1;
        while (is_wide && after < end && !has_product(pass, at.layer, after)) {
            after++;
        }
        at.next = after < end            ? shorter + after * size
                  : stripe + 1 < stripes ? longer + (stripe + 1) * size
                                         : NULL;
        at.row = (is_wide ? along : stripe) * DIP_BLOCK;
        at.column = (is_wide ? stripe : along) * DIP_BLOCK;
        weight_tile(pass, s->params, param, at, tile);
    }
}

/* The gradient of a weight that belongs to layer l. Passes come one after the other; a stripe is
 * the same thread's in all of them. */
static void weight_gradient(const step *s, const dip_weight_bf16 *weight, size_t l) {
    const dip_param *param = &s->params->list[weight->param];
    const size_t stripes = dip_blocks(param->columns > param->rows ? param->columns : param->rows);
    place at = {.layer = l, .is_first = !weight->has_gradient};
    for (size_t p = 0; p < s->n; p++) {
        if (s->pass[p]->ends.tower->layer[l].weight != weight->param) {
            continue;
        }
#pragma omp for schedule(static) nowait
        for (size_t stripe = 0; stripe < stripes; stripe++) {
            weight_stripe(s, param, s->pass[p], at, stripe);
        }
        at.is_first = false;
    }
}

static void weight_gradients(const step *s, size_t l) {
    for (size_t w = 0; w < s->weights->n; w++) {
        weight_gradient(s, &s->weights->list[w], l);
    }
#pragma omp barrier
}

static void bias_gradients(const step *s) {
    for (size_t p = 0; p < s->n; p++) {
        const dip_tower *tower = s->pass[p]->ends.tower;
        for (size_t l = 0; l < tower->n_layers; l++) {
            dip_param *bias = &s->params->list[tower->layer[l].bias];
            dip_vec_axpy(bias->columns, 1, s->pass[p]->sums[l], bias->gradient);
        }
    }
}

/* ddefault_f of one pass: W_f db when the feature is masked, else the sum of dx_f over the examples
 * that took the default. */
static void default_gradient(const step *s, const dip_pass_bf16 *pass, size_t f) {
    const dip_tower *tower = pass->ends.tower;
    const dip_tower_block *block = &tower->block[f];
    const dip_layer *layer = &tower->layer[0];
    float *gradient = s->params->list[tower->fallback].gradient + block->offset;
    if (dip_pass_bf16_masks(pass, f)) {
        const float *weight = s->params->list[layer->weight].value + block->offset * layer->out;
        for (size_t c = 0; c < block->width; c++) {
            gradient[c] += dip_vec_dot(layer->out, weight + c * layer->out, pass->sums[0]);
        }
        return;
    }
    const dip_by_value *values = &pass->ends.by_value[f];
    for (size_t v = 0; v < values->n; v++) {
        if (values->value[v] < 0) {
            dip_vec_axpy(block->width, 1, values->gradient + v * block->width, gradient);
        }
    }
    for (size_t i = 0; values->n == 0 && i < pass->ends.n; i++) {
        const dip_span *span = &pass->ends.span[i * tower->n_blocks + f];
        if (span->n == 0 && !dip_span_has_number(span)) {
            dip_vec_axpy(block->width, 1, pass->ends.dx + i * tower->input + block->offset,
                         gradient);
        }
    }
}

/* Passes of one tower add to the same default, so they come one after the other. */
static void default_gradients(const step *s) {
    for (size_t p = 0; p < s->n; p++) {
        const size_t n_blocks = s->pass[p]->ends.tower->n_blocks;
#pragma omp for schedule(static)
        for (size_t f = 0; f < n_blocks; f++) {
            default_gradient(s, s->pass[p], f);
        }
    }
}

/* The inputs of layer l in the form of a left operand, as its weight's gradient takes them. */
static void make_left(const dip_pass_bf16 *pass, size_t l) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const size_t blocks = dip_blocks(pass->ends.tower->layer[l].in);
#pragma omp for schedule(static) nowait
    for (size_t block = 0; block < blocks; block++) {
        if (has_product(pass, l, block)) {
            kernels->make_left(dip_pairs(pass->ends.n),
                               pass->in[l] + block * dip_packed_block(pass->ends.n));
        }
    }
}

/* The gradients of the outputs of layer l in all passes; of the first layer, with dx. */
static void output_gradients(const step *s, size_t l) {
    for (size_t p = 0; p < s->n; p++) {
        dip_pass_bf16 *pass = s->pass[p];
        const dip_scratch_bf16 *scratch = &s->weights->scratch[omp_get_thread_num()];
#pragma omp for schedule(static, 1) nowait
        for (size_t panel = 0; panel < dip_panel_count(pass->ends.n); panel++) {
            if (l + 1 == pass->ends.tower->n_layers) {
                last_gradient(pass, scratch, panel);
            } else {
                hidden_gradient(pass, s->weights, l + 1, scratch, panel);
            }
            if (l == 0) {
                input_gradient(pass, s->weights, scratch, panel);
            }
        }
        make_left(pass, l);
    }
#pragma omp barrier
}

static void sum_panels(const step *s) {
    for (size_t p = 0; p < s->n; p++) {
#pragma omp for schedule(static) nowait
        for (size_t l = 0; l < s->pass[p]->ends.tower->n_layers; l++) {
            add_panels(s->pass[p], l);
        }
    }
#pragma omp barrier
}

/* The gradients of the first layer's outputs, summed by value. */
static void once_sums(const dip_once_jobs *jobs) {
    for (size_t j = 0; j < jobs->n; j++) {
        const dip_pass_bf16 *pass = jobs->list[j].pass;
        const dip_once *once = dip_once_of(&jobs->list[j]);
        const size_t blocks = once->n > 0 ? once->out / DIP_BLOCK : 0;
#pragma omp for schedule(static) nowait
        for (size_t block = 0; block < blocks; block++) {
            dip_once_sum(once, pass->out[0], pass->ends.n, block);
        }
    }
}

static void once_gradients(const dip_once_jobs *jobs, const dip_weights_bf16 *weights) {
    for (size_t j = 0; j < jobs->n; j++) {
        const dip_once *once = dip_once_of(&jobs->list[j]);
        const int weight = jobs->list[j].pass->ends.tower->layer[0].weight;
        const dip_bf16 *backward = dip_weights_bf16_find(weights, weight)->backward;
#pragma omp for schedule(dynamic, 1) nowait
        for (size_t piece = 0; piece < dip_once_pieces(once); piece++) {
            dip_once_backward(once, backward, piece);
        }
    }
}

static void mark_gradient(dip_weights_bf16 *weights, int param) {
    for (size_t w = 0; w < weights->n; w++) {
        if (weights->list[w].param == param) {
            weights->list[w].has_gradient = true;
        }
    }
}

/* From the last layer to the first: the gradients of its outputs, then of its weight, whose other
 * operand the next gradients overwrite. Both towers have as many layers. */
void dip_pass_bf16_backward(dip_pass_bf16 *const *pass, size_t n, dip_params *params,
                            dip_weights_bf16 *weights) {
    const step s = {pass, n, params, weights};
    dip_once_jobs jobs;
    dip_once_list(&jobs, pass, n);
    const size_t n_layers = pass[0]->ends.tower->n_layers;
    for (size_t p = 0; p < n; p++) {
        pass[p]->ends.is_finite = true;
    }
#pragma omp parallel num_threads(weights->threads)
    {
        for (size_t l = n_layers - 1; l > 0; l--) {
            output_gradients(&s, l);
            weight_gradients(&s, l);
        }
        output_gradients(&s, 0);
        once_sums(&jobs);
        sum_panels(&s);
        once_gradients(&jobs, weights);
        weight_gradients(&s, 0);
#pragma omp single nowait
        bias_gradients(&s);
        default_gradients(&s);
    }
    for (size_t p = 0; p < n; p++) {
        for (size_t l = 0; l < n_layers; l++) {
            mark_gradient(weights, pass[p]->ends.tower->layer[l].weight);
        }
    }
}
