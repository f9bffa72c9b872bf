/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pass_bf16.h"

#include "base/mem.h"
#include "math/gemm.h"
#include "math/vec.h"

#include <omp.h>
#include <string.h>

static size_t wide_in(const dip_layer *layer) {
    return dip_wide(layer->in);
}

static size_t wide_out(const dip_layer *layer) {
    return dip_wide(layer->out);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static dip_status alloc_layer(dip_pass_bf16 *pass, size_t l, dip_error *err) {
    static const char PURPOSE[] = "activations of a batch";
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const size_t rows = pass->ends.capacity;
    pass->in[l] = dip_alloc(dip_packed_size(rows, layer->in), sizeof(dip_bf16), PURPOSE, err);
    pass->out[l] = dip_alloc(dip_packed_size(rows, layer->out), sizeof(dip_bf16), PURPOSE, err);
    pass->bias[l] = dip_alloc(wide_out(layer), sizeof(float), PURPOSE, err);
    pass->sums[l] = dip_alloc(dip_panel_count(rows), wide_out(layer) * sizeof(float), PURPOSE, err);
    const bool is_whole = pass->in[l] != NULL && pass->out[l] != NULL && pass->bias[l] != NULL &&
                          pass->sums[l] != NULL;
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_layers(dip_pass_bf16 *pass, dip_error *err) {
    const dip_tower *tower = pass->ends.tower;
    for (size_t l = 0; l < tower->n_layers; l++) {
        DIP_TRY(alloc_layer(pass, l, err));
    }
    pass->z = dip_alloc(pass->ends.capacity, tower->output * sizeof *pass->z,
                        "activations of a batch", err);
    return pass->z != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

dip_status dip_pass_bf16_create(dip_pass_bf16 *pass, const dip_tower *tower, size_t capacity,
                                int threads, dip_error *err) {
    memset(pass, 0, sizeof *pass);
    DIP_TRY(dip_pass_create_ends(&pass->ends, tower, capacity, threads, err));
    const dip_status status = alloc_layers(pass, err);
    if (status != DIP_OK) {
        dip_pass_bf16_free(pass);
    }
    return status;
}

void dip_pass_bf16_free(dip_pass_bf16 *pass) {
    dip_pass_free(&pass->ends);
    for (size_t l = 0; l < DIP_LIST_MAX; l++) {
        dip_free(pass->in[l]);
        dip_free(pass->out[l]);
        dip_free(pass->bias[l]);
        dip_free(pass->sums[l]);
    }
    dip_free(pass->z);
    memset(pass, 0, sizeof *pass);
}

/* ---- masks ----------------------------------------------------------------------------------- */

static bool is_masked(const dip_pass_bf16 *pass, size_t f) {
    return (pass->ends.mask >> f) & 1;
}

/* Whether 64 columns of x hold anything but masked features. */
static bool is_alive(const dip_pass_bf16 *pass, size_t block) {
    const dip_tower *tower = pass->ends.tower;
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_block *feature = &tower->block[f];
        if (!is_masked(pass, f) && feature->offset < (block + 1) * DIP_BLOCK &&
            feature->offset + feature->width > block * DIP_BLOCK) {
            return true;
        }
    }
    return false;
}

/* The first column block of x at or after `block` that is alive, or not. */
static size_t next_block(const dip_pass_bf16 *pass, size_t block, bool alive) {
    const size_t n = dip_blocks(pass->ends.tower->input);
    while (block < n && is_alive(pass, block) != alive) {
        block++;
    }
    return block;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* bias + sum over masked features of default_f W_f, for columns first ... first + n. */
static void fill_bias(dip_pass_bf16 *pass, const dip_params *params, size_t l, size_t first,
                      size_t n) {
    const dip_tower *tower = pass->ends.tower;
    const dip_layer *layer = &tower->layer[l];
    const float *fallback = params->list[tower->fallback].value;
    const float *weight = params->list[layer->weight].value;
    float *bias = pass->bias[l] + first;
    memcpy(bias, params->list[layer->bias].value + first, n * sizeof *bias);
    for (size_t f = 0; l == 0 && f < tower->n_blocks; f++) {
        const dip_block *block = &tower->block[f];
        for (size_t c = block->offset; is_masked(pass, f) && c < block->offset + block->width;
             c++) {
            dip_vec_axpy(n, fallback[c], weight + c * layer->out + first, bias);
        }
    }
}

/* Rows of x, rounded; masked features are zeros. */
static void pool_panel(const dip_pass_bf16 *pass, const dip_params *params,
                       const dip_scratch_bf16 *scratch, size_t first, size_t rows) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_tower *tower = pass->ends.tower;
    const size_t width = dip_wide(tower->input);
    for (size_t i = 0; i < rows; i++) {
        dip_bf16 *x = scratch->rows[0] + i * width;
        memset(x + tower->input, 0, (width - tower->input) * sizeof *x);
        for (size_t f = 0; f < tower->n_blocks; f++) {
            const dip_block *block = &tower->block[f];
            if (is_masked(pass, f)) {
                memset(x + block->offset, 0, block->width * sizeof *x);
            } else {
                dip_pass_pool(&pass->ends, params, first + i, f, scratch->row);
                kernels->round(block->width, scratch->row, x + block->offset);
            }
        }
    }
}

/* Packs rows [rows x columns] as rows first ... of P, an operand over all n rows of the batch. */
static void pack_panel(dip_bf16 *rows, size_t n_rows, size_t columns, size_t first, size_t n,
                       dip_bf16 *packed) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    if (n_rows % 2 != 0) {
        memset(rows + n_rows * columns, 0, columns * sizeof *rows);
    }
    for (size_t i = 0; i < n_rows; i += 2) {
        kernels->interleave(columns / DIP_BLOCK, rows + i * columns, rows + (i + 1) * columns,
                            dip_packed_block(n), packed + (first + i) * DIP_BLOCK);
    }
}

/* c [rows x 64] = in W, for one block of columns of W; dead blocks of x are passed over. */
static void forward_tile(const dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                         const dip_bf16 *in, size_t rows, size_t block, float *c) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const size_t width = wide_in(&pass->ends.tower->layer[l]);
    const dip_bf16 *w = weight->forward + block * dip_packed_block(width);
    if (l > 0) {
        kernels->tile(rows, (dip_left){in, width, 2}, w, width / 2, false, c, DIP_BLOCK);
        return;
    }
    bool add = false;
    for (size_t b = next_block(pass, 0, true); b < width / DIP_BLOCK;
         b = next_block(pass, b, true)) {
        const size_t end = next_block(pass, b, false);
        const size_t at = b * DIP_BLOCK;
        kernels->tile(rows, (dip_left){in + at, width, 2}, w + at * DIP_BLOCK,
                      (end - b) * DIP_BLOCK / 2, add, c, DIP_BLOCK);
        add = true;
        b = end;
    }
    if (!add) {
        memset(c, 0, rows * DIP_BLOCK * sizeof *c);
    }
}

/* h = relu(in W + b), to rows for the next layer and packed for its weight gradient. */
static void hidden_layer(dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                         const dip_bf16 *in, dip_bf16 *out, size_t first, size_t rows,
                         float *tile) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const size_t width = wide_out(&pass->ends.tower->layer[l]);
    for (size_t block = 0; block < width / DIP_BLOCK; block++) {
        dip_bf16 *packed = pass->in[l + 1] + block * dip_packed_block(pass->ends.n);
        forward_tile(pass, weight, l, in, rows, block, tile);
        kernels->relu(rows, tile, pass->bias[l] + block * DIP_BLOCK, out + block * DIP_BLOCK, width,
                      packed + first * DIP_BLOCK);
    }
}

/* z = in W + b */
static void last_layer(dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                       const dip_bf16 *in, size_t first, size_t rows, float *tile) {
    const size_t d = pass->ends.tower->output;
    for (size_t column = 0; column < d; column += DIP_BLOCK) {
        const size_t width = d - column < DIP_BLOCK ? d - column : DIP_BLOCK;
        forward_tile(pass, weight, l, in, rows, column / DIP_BLOCK, tile);
        for (size_t i = 0; i < rows; i++) {
            float *z = pass->z + (first + i) * d + column;
            for (size_t c = 0; c < width; c++) {
                z[c] = tile[i * DIP_BLOCK + c] + pass->bias[l][column + c];
            }
        }
    }
}

static void forward_panel(dip_pass_bf16 *pass, const dip_params *params,
                          const dip_weights_bf16 *weights, size_t panel) {
    const dip_tower *tower = pass->ends.tower;
    const dip_scratch_bf16 *scratch = &weights->scratch[omp_get_thread_num()];
    const size_t first = panel * DIP_PANEL;
    const size_t rows = dip_panel_rows(pass->ends.n, panel);
    const size_t last = tower->n_layers - 1;
    const size_t d = tower->output;
    pool_panel(pass, params, scratch, first, rows);
    pack_panel(scratch->rows[0], rows, dip_wide(tower->input), first, pass->ends.n, pass->in[0]);
    for (size_t l = 0; l < tower->n_layers; l++) {
        const dip_weight_bf16 *weight = dip_weights_bf16_find(weights, tower->layer[l].weight);
        const dip_bf16 *in = scratch->rows[l % 2];
        if (l < last) {
            hidden_layer(pass, weight, l, in, scratch->rows[(l + 1) % 2], first, rows,
                         scratch->tile);
        } else {
            last_layer(pass, weight, l, in, first, rows, scratch->tile);
        }
    }
    for (size_t i = first; i < first + rows; i++) {
        pass->ends.norm[i] = dip_vec_normalise(d, pass->z + i * d, pass->ends.u + i * d);
    }
}

void dip_pass_bf16_forward(dip_pass_bf16 *pass, const dip_params *params,
                           const dip_weights_bf16 *weights) {
    const dip_tower *tower = pass->ends.tower;
#pragma omp parallel num_threads(pass->ends.threads)
    {
        for (size_t l = 0; l < tower->n_layers; l++) {
            const size_t out = tower->layer[l].out;
#pragma omp for schedule(static)
            for (size_t column = 0; column < out; column += DIP_BLOCK) {
                fill_bias(pass, params, l, column,
                          out - column < DIP_BLOCK ? out - column : DIP_BLOCK);
            }
        }
#pragma omp for schedule(static, 1)
        for (size_t panel = 0; panel < dip_panel_count(pass->ends.n); panel++) {
            forward_panel(pass, params, weights, panel);
        }
    }
}

/* ---- backward, by panels --------------------------------------------------------------------- */

/* u = z / |z|: rows of dz, rounded, and their sums. */
static void last_gradient(dip_pass_bf16 *pass, const dip_scratch_bf16 *scratch, dip_bf16 *rows,
                          size_t first, size_t n, float *sums) {
    const dip_pass *ends = &pass->ends;
    const size_t d = ends->tower->output;
    const size_t width = dip_wide(d);
    memset(sums, 0, width * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        const size_t at = (first + i) * d;
        dip_vec_normalise_backward(d, ends->u + at, ends->norm[first + i], ends->du + at,
                                   scratch->row);
        dip_vec_axpy(d, 1, scratch->row, sums);
        dip_bf16_get()->round(d, scratch->row, rows + i * width);
        memset(rows + i * width + d, 0, (width - d) * sizeof *rows);
    }
}

/* out = relu'(...) of din = dout W^T: rows for the layer before, packed, and summed. */
static void hidden_gradient(dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                            const dip_bf16 *dout, dip_bf16 *din, size_t first, size_t rows,
                            float *tile) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const size_t width = wide_in(layer);
    const size_t from = wide_out(layer);
    float *sums = pass->sums[l - 1] + first / DIP_PANEL * width;
    memset(sums, 0, width * sizeof *sums);
    for (size_t block = 0; block < width / DIP_BLOCK; block++) {
        const size_t at = block * dip_packed_block(pass->ends.n) + first * DIP_BLOCK;
        kernels->tile(rows, (dip_left){dout, from, 2},
                      weight->backward + block * dip_packed_block(from), from / 2, false, tile,
                      DIP_BLOCK);
        kernels->relu_backward(rows, tile, pass->in[l] + at, din + block * DIP_BLOCK, width,
                               pass->out[l - 1] + at, sums + block * DIP_BLOCK);
    }
}

/* dx = dout W^T, in the blocks that are alive. */
static void input_gradient(dip_pass_bf16 *pass, const dip_weight_bf16 *weight, const dip_bf16 *dout,
                           size_t first, size_t rows, float *tile) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const size_t input = pass->ends.tower->input;
    const size_t from = wide_out(&pass->ends.tower->layer[0]);
    for (size_t block = next_block(pass, 0, true); block < dip_blocks(input);
         block = next_block(pass, block + 1, true)) {
        const size_t column = block * DIP_BLOCK;
        const size_t width = input - column < DIP_BLOCK ? input - column : DIP_BLOCK;
        float *dx = pass->ends.dx + first * input + column;
        const bool is_whole = width == DIP_BLOCK;
        kernels->tile(rows, (dip_left){dout, from, 2},
                      weight->backward + block * dip_packed_block(from), from / 2, false,
                      is_whole ? dx : tile, is_whole ? input : DIP_BLOCK);
        for (size_t i = 0; !is_whole && i < rows; i++) {
            memcpy(dx + i * input, tile + i * DIP_BLOCK, width * sizeof *dx);
        }
    }
}

static void backward_panel(dip_pass_bf16 *pass, const dip_weights_bf16 *weights, size_t panel) {
    const dip_tower *tower = pass->ends.tower;
    const dip_scratch_bf16 *scratch = &weights->scratch[omp_get_thread_num()];
    const size_t first = panel * DIP_PANEL;
    const size_t rows = dip_panel_rows(pass->ends.n, panel);
    const size_t last = tower->n_layers - 1;
    const size_t width = dip_wide(tower->output);
    last_gradient(pass, scratch, scratch->rows[last % 2], first, rows,
                  pass->sums[last] + panel * width);
    pack_panel(scratch->rows[last % 2], rows, width, first, pass->ends.n, pass->out[last]);
    for (size_t l = last; l > 0; l--) {
        hidden_gradient(pass, dip_weights_bf16_find(weights, tower->layer[l].weight), l,
                        scratch->rows[l % 2], scratch->rows[(l - 1) % 2], first, rows,
                        scratch->tile);
    }
    input_gradient(pass, dip_weights_bf16_find(weights, tower->layer[0].weight), scratch->rows[0],
                   first, rows, scratch->tile);
}

/* The sum of the panels' sums, in their order, to the first row. */
static void add_panels(dip_pass_bf16 *pass, size_t l) {
    const size_t width = wide_out(&pass->ends.tower->layer[l]);
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
    const dip_weights_bf16 *weights;
} step;

/* Adds default_c db to the rows c of a tile, 64 rows of the first layer's weight, that belong to
 * masked features. */
static void add_masked(const dip_pass_bf16 *pass, const dip_params *params, size_t row,
                       size_t column, float *tile) {
    const dip_tower *tower = pass->ends.tower;
    const float *fallback = params->list[tower->fallback].value;
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_block *block = &tower->block[f];
        for (size_t c = block->offset; is_masked(pass, f) && c < block->offset + block->width;
             c++) {
            if (c >= row && c < row + DIP_BLOCK) {
                dip_vec_axpy(DIP_BLOCK, fallback[c], pass->sums[0] + column,
                             tile + (c - row) * DIP_BLOCK);
            }
        }
    }
}

/* Adds one pass's part of 64 x 64 elements of dW = in^T dout. */
static bool add_pass(const dip_pass_bf16 *pass, const dip_params *params, size_t l, size_t row,
                     size_t column, bool add, float *tile) {
    const size_t block = dip_packed_block(pass->ends.n);
    if (l > 0 || is_alive(pass, row / DIP_BLOCK)) {
        const dip_left in = {pass->in[l] + row / DIP_BLOCK * block, 2, 2 * DIP_BLOCK};
        dip_bf16_get()->tile(DIP_BLOCK, in, pass->out[l] + column / DIP_BLOCK * block,
                             dip_pairs(pass->ends.n), add, tile, DIP_BLOCK);
    } else if (!add) {
        memset(tile, 0, DIP_BLOCK * DIP_BLOCK * sizeof *tile);
    }
    if (l == 0) {
        add_masked(pass, params, row, column, tile);
    }
    return true;
}

static void weight_tile(const step *s, const dip_weight_bf16 *weight, size_t row, size_t column) {
    const dip_param *param = &s->params->list[weight->param];
    float *tile = s->weights->scratch[omp_get_thread_num()].tile;
    const size_t rows = param->rows - row < DIP_BLOCK ? param->rows - row : DIP_BLOCK;
    const size_t columns =
        param->columns - column < DIP_BLOCK ? param->columns - column : DIP_BLOCK;
    bool add = false;
    for (size_t p = 0; p < s->n; p++) {
        const dip_tower *tower = s->pass[p]->ends.tower;
        for (size_t l = 0; l < tower->n_layers; l++) {
            if (tower->layer[l].weight == weight->param) {
                add = add_pass(s->pass[p], s->params, l, row, column, add, tile);
            }
        }
    }
    for (size_t i = 0; i < rows; i++) {
        memcpy(param->gradient + (row + i) * param->columns + column, tile + i * DIP_BLOCK,
               columns * sizeof(float));
    }
}

static void weight_gradients(const step *s) {
    for (size_t w = 0; w < s->weights->n; w++) {
        const dip_weight_bf16 *weight = &s->weights->list[w];
        const dip_param *param = &s->params->list[weight->param];
        const size_t across = dip_blocks(param->columns);
        const size_t tiles = dip_blocks(param->rows) * across;
#pragma omp for schedule(dynamic, 2) nowait
        for (size_t t = 0; t < tiles; t++) {
            weight_tile(s, weight, t / across * DIP_BLOCK, t % across * DIP_BLOCK);
        }
    }
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
    const dip_block *block = &tower->block[f];
    const dip_layer *layer = &tower->layer[0];
    float *gradient = s->params->list[tower->fallback].gradient + block->offset;
    if (is_masked(pass, f)) {
        const float *weight = s->params->list[layer->weight].value + block->offset * layer->out;
        for (size_t c = 0; c < block->width; c++) {
            gradient[c] += dip_vec_dot(layer->out, weight + c * layer->out, pass->sums[0]);
        }
        return;
    }
    for (size_t i = 0; i < pass->ends.n; i++) {
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

static void zero_small_gradients(dip_params *params, const dip_weights_bf16 *weights) {
    for (size_t i = 0; i < params->n; i++) {
        dip_param *param = &params->list[i];
        if (param->gradient != NULL && dip_weights_bf16_find(weights, (int)i) == NULL) {
            memset(param->gradient, 0, dip_param_size(param) * sizeof *param->gradient);
        }
    }
}

void dip_pass_bf16_backward(dip_pass_bf16 *const *pass, size_t n, dip_params *params,
                            const dip_weights_bf16 *weights) {
    const step s = {pass, n, params, weights};
    zero_small_gradients(params, weights);
#pragma omp parallel num_threads(weights->threads)
    {
        for (size_t p = 0; p < n; p++) {
#pragma omp for schedule(static, 1) nowait
            for (size_t panel = 0; panel < dip_panel_count(pass[p]->ends.n); panel++) {
                backward_panel(pass[p], weights, panel);
            }
        }
#pragma omp barrier
        for (size_t p = 0; p < n; p++) {
#pragma omp for schedule(static) nowait
            for (size_t l = 0; l < pass[p]->ends.tower->n_layers; l++) {
                add_panels(pass[p], l);
            }
        }
#pragma omp barrier
#pragma omp single nowait
        bias_gradients(&s);
        weight_gradients(&s);
        default_gradients(&s);
    }
}
