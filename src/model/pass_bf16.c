/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pass_bf16_parts.h"

#include "base/mem.h"
#include "math/vec.h"

#include <omp.h>
#include <string.h>

/* ---- memory ---------------------------------------------------------------------------------- */

/* The gradient of a hidden layer's output takes the place of that output, which is the input of
 * the layer behind: by then its weight's gradient is done. */
static dip_status alloc_layer(dip_pass_bf16 *pass, size_t l, dip_error *err) {
    static const char PURPOSE[] = "activations of a batch";
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const bool is_last = l + 1 == pass->ends.tower->n_layers;
    const size_t n = pass->ends.capacity;
    pass->in[l] = dip_alloc(dip_packed_size(n, layer->in), sizeof(dip_bf16), PURPOSE, err);
    pass->bias[l] = dip_alloc(dip_wide_out(layer), sizeof(float), PURPOSE, err);
    pass->sums[l] = dip_alloc(dip_panel_most(n), dip_wide_out(layer) * sizeof(float), PURPOSE, err);
    bool is_whole = pass->in[l] != NULL && pass->bias[l] != NULL && pass->sums[l] != NULL;
    if (is_whole && l > 0) {
        pass->rows[l] = dip_alloc(n, dip_row_stride(layer->out) * sizeof(dip_bf16), PURPOSE, err);
        pass->out[l - 1] = pass->in[l];
        is_whole = pass->rows[l] != NULL;
    }
    if (is_whole && !is_last) {
        pass->alive[l] = dip_alloc(n, dip_blocks(layer->out) * sizeof(uint64_t), PURPOSE, err);
        is_whole = pass->alive[l] != NULL;
    }
    if (is_whole && is_last) {
        pass->out[l] = dip_alloc(dip_packed_size(n, layer->out), sizeof(dip_bf16), PURPOSE, err);
        is_whole = pass->out[l] != NULL;
    }
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_layers(dip_pass_bf16 *pass, dip_error *err) {
    for (size_t l = 0; l < pass->ends.tower->n_layers; l++) {
        DIP_TRY(alloc_layer(pass, l, err));
    }
    return DIP_OK;
}

static bool can_lend(const dip_pass_bf16 *lender, const dip_tower *tower, size_t capacity) {
    const dip_tower *other = lender->ends.tower;
    bool fits = lender->ends.capacity >= capacity && other->n_layers == tower->n_layers;
    for (size_t l = 0; fits && l < tower->n_layers; l++) {
        fits =
            other->layer[l].in >= tower->layer[l].in && other->layer[l].out == tower->layer[l].out;
    }
    return fits;
}

static void borrow(dip_pass_bf16 *pass, const dip_pass_bf16 *lender) {
    for (size_t l = 0; l < pass->ends.tower->n_layers; l++) {
        pass->in[l] = lender->in[l];
        pass->out[l] = lender->out[l];
        pass->rows[l] = lender->rows[l];
        pass->alive[l] = lender->alive[l];
        pass->bias[l] = lender->bias[l];
        pass->sums[l] = lender->sums[l];
    }
    pass->borrows = true;
}

dip_status dip_pass_bf16_create(dip_pass_bf16 *pass, const dip_tower *tower, size_t capacity,
                                int threads, const dip_pass_bf16 *lender, dip_error *err) {
    memset(pass, 0, sizeof *pass);
    DIP_TRY(dip_pass_create_ends(&pass->ends, tower, capacity, threads, err));
    const bool has_lender = lender != NULL && can_lend(lender, tower, capacity);
    const bool lends_sums = has_lender && lender->ends.tower->n_blocks == tower->n_blocks;
    dip_status status =
        dip_once_create(&pass->once, tower, capacity, lends_sums ? lender->once : NULL, err);
    if (status == DIP_OK && has_lender) {
        borrow(pass, lender);
        return DIP_OK;
    }
    status = status == DIP_OK ? alloc_layers(pass, err) : status;
    if (status != DIP_OK) {
        dip_pass_bf16_free(pass);
    }
    return status;
}

void dip_pass_bf16_free(dip_pass_bf16 *pass) {
    const bool is_owner = pass->ends.tower != NULL && !pass->borrows;
    const size_t n_layers = is_owner ? pass->ends.tower->n_layers : 0;
    if (n_layers > 0) {
        dip_free(pass->out[n_layers - 1]);
    }
    for (size_t l = 0; l < n_layers; l++) {
        dip_free(pass->in[l]);
        dip_free(pass->rows[l]);
        dip_free(pass->alive[l]);
        dip_free(pass->bias[l]);
        dip_free(pass->sums[l]);
    }
    if (pass->once != NULL) {
        dip_once_free(pass->once, pass->ends.tower);
    }
    dip_pass_free(&pass->ends);
    memset(pass, 0, sizeof *pass);
}

/* ---- features that take no part in the products of x ----------------------------------------- */

const dip_once *dip_pass_bf16_once(const dip_pass_bf16 *pass, size_t block) {
    for (size_t f = 0; f < pass->ends.tower->n_blocks; f++) {
        const dip_tower_block *feature = &pass->ends.tower->block[f];
        if (pass->once[f].n > 0 && feature->offset <= block * DIP_BLOCK &&
            feature->offset + feature->width > block * DIP_BLOCK) {
            return &pass->once[f];
        }
    }
    return NULL;
}

bool dip_pass_bf16_is_alive(const dip_pass_bf16 *pass, size_t block) {
    const dip_tower *tower = pass->ends.tower;
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_tower_block *feature = &tower->block[f];
        if (!dip_pass_bf16_masks(pass, f) && pass->once[f].n == 0 &&
            feature->offset < (block + 1) * DIP_BLOCK &&
            feature->offset + feature->width > block * DIP_BLOCK) {
            return true;
        }
    }
    return false;
}

size_t dip_pass_bf16_next(const dip_pass_bf16 *pass, size_t block, bool alive) {
    const size_t n = dip_blocks(pass->ends.tower->input);
    while (block < n && dip_pass_bf16_is_alive(pass, block) != alive) {
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
        const dip_tower_block *block = &tower->block[f];
        for (size_t c = block->offset;
             dip_pass_bf16_masks(pass, f) && c < block->offset + block->width; c++) {
            dip_vec_axpy(n, fallback[c], weight + c * layer->out + first, bias);
        }
    }
}

/* Examples of which the embeddings are asked for ahead. */
enum { AHEAD = 4 };

/* Rows of x, rounded; masked features are zeros. */
static void pool_panel(const dip_pass_bf16 *pass, const dip_params *params,
                       const dip_scratch_bf16 *scratch, size_t first, size_t rows) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_tower *tower = pass->ends.tower;
    const size_t width = dip_wide(tower->input);
    for (size_t i = 0; i < rows; i++) {
        dip_bf16 *x = scratch->rows[0] + i * dip_row_stride(tower->input);
        if (i + AHEAD < rows) {
            dip_pass_prefetch(&pass->ends, params, first + i + AHEAD);
        }
        memset(x + tower->input, 0, (width - tower->input) * sizeof *x);
        for (size_t f = 0; f < tower->n_blocks; f++) {
            const dip_tower_block *block = &tower->block[f];
            if (dip_pass_bf16_masks(pass, f) || pass->once[f].n > 0) {
                memset(x + block->offset, 0, block->width * sizeof *x);
            } else {
                dip_pass_pool(&pass->ends, params, first + i, f, scratch->row);
                kernels->round(block->width, scratch->row, x + block->offset);
            }
        }
    }
}

void dip_pass_bf16_pack(const dip_bf16 *rows, size_t n_rows, size_t columns, size_t first, size_t n,
                        dip_bf16 *zeros, dip_bf16 *packed) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const size_t stride = dip_row_stride(columns);
    if (n_rows % 2 != 0) {
        memset(zeros, 0, columns * sizeof *zeros);
    }
    for (size_t i = 0; i < n_rows; i += 2) {
        const dip_bf16 *odd = i + 1 < n_rows ? rows + (i + 1) * stride : zeros;
        kernels->interleave(columns / DIP_BLOCK, rows + i * stride, odd, dip_packed_block(n),
                            packed + (first + i) * DIP_BLOCK);
    }
}

/* c = in W, for one block of columns of W; dead blocks of x are passed over. Given rows, their
 * operand with c, and the target of the result. */
static void forward_tile(const dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                         size_t block, dip_tile t) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const size_t blocks = dip_blocks(layer->in);
    const bool is_last = (block + 1) * DIP_BLOCK >= layer->out;
    const dip_bf16 *w = weight->forward + block * dip_packed_block(blocks * DIP_BLOCK);
    const dip_bf16 *in = t.a.data;
    for (size_t b = 0; b<blocks; t.add = t.pairs> 0) {
        const size_t begin = l > 0 ? 0 : dip_pass_bf16_next(pass, b, true);
        b = l > 0 ? blocks : dip_pass_bf16_next(pass, begin, false);
        t.a.data = in + begin * DIP_BLOCK;
        t.b = w + begin * DIP_BLOCK * DIP_BLOCK;
        t.pairs = (b - begin) * DIP_BLOCK / 2;
        t.next = is_last ? NULL : t.b + dip_packed_block(blocks * DIP_BLOCK);
        if (t.pairs > 0 || !t.add) {
            kernels->tile(&t);
        }
    }
}

/* In the first layer, to c the products of the features whose values repeat. */
static void add_once(const dip_pass_bf16 *pass, size_t l, size_t block, size_t first, size_t rows,
                     float *c) {
    for (size_t f = 0; l == 0 && f < pass->ends.tower->n_blocks; f++) {
        const dip_once *once = &pass->once[f];
        if (once->n > 0) {
            dip_bf16_get()->add_rows(rows, c, once->product + block * once->n * DIP_BLOCK,
                                     once->values.place + first);
        }
    }
}

/* h = relu(in W + b), to rows for the next layer and packed for its weight gradient. */
static void hidden_layer(dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                         const dip_scratch_bf16 *scratch, size_t first, size_t rows) {
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const size_t stride = dip_row_stride(layer->out);
    dip_bf16 *out = scratch->rows[(l + 1) % 2];
    for (size_t block = 0; block < dip_blocks(layer->out); block++) {
        dip_bf16 *packed = pass->in[l + 1] + block * dip_packed_block(pass->ends.n);
        const dip_tile tile = {.m = rows,
                               .a = {scratch->rows[l % 2], dip_row_stride(layer->in)},
                               .c = scratch->tile,
                               .ldc = DIP_BLOCK,
                               .target = packed + first * DIP_BLOCK};
        forward_tile(pass, weight, l, block, tile);
        add_once(pass, l, block, first, rows, scratch->tile);
        dip_bf16_get()->relu(rows, scratch->tile, pass->bias[l] + block * DIP_BLOCK,
                             out + block * DIP_BLOCK, stride, packed + first * DIP_BLOCK,
                             pass->alive[l] + block * pass->ends.n + first);
    }
}

/* z = in W + b, in the place of u for now. */
static void last_layer(dip_pass_bf16 *pass, const dip_weight_bf16 *weight, size_t l,
                       const dip_scratch_bf16 *scratch, size_t first, size_t rows) {
    const dip_layer *layer = &pass->ends.tower->layer[l];
    const size_t d = layer->out;
    const dip_tile tile = {.m = rows,
                           .a = {scratch->rows[l % 2], dip_row_stride(layer->in)},
                           .c = scratch->tile,
                           .ldc = DIP_BLOCK};
    for (size_t column = 0; column < d; column += DIP_BLOCK) {
        const size_t width = d - column < DIP_BLOCK ? d - column : DIP_BLOCK;
        forward_tile(pass, weight, l, column / DIP_BLOCK, tile);
        add_once(pass, l, column / DIP_BLOCK, first, rows, scratch->tile);
        dip_bf16_get()->combine(&(dip_combine){.m = rows,
                                               .columns = width,
                                               .c = scratch->tile,
                                               .ldc = DIP_BLOCK,
                                               .x = pass->bias[l] + column,
                                               .y = pass->ends.u + first * d + column,
                                               .ldy = d});
    }
}

static void forward_panel(dip_pass_bf16 *pass, const dip_params *params,
                          const dip_weights_bf16 *weights, size_t panel) {
    const dip_tower *tower = pass->ends.tower;
    const dip_scratch_bf16 *scratch = &weights->scratch[omp_get_thread_num()];
    const size_t first = dip_panel_first(pass->ends.n, panel);
    const size_t rows = dip_panel_rows(pass->ends.n, panel);
    const size_t last = tower->n_layers - 1;
    const size_t d = tower->output;
    pool_panel(pass, params, scratch, first, rows);
    dip_pass_bf16_pack(scratch->rows[0], rows, dip_wide(tower->input), first, pass->ends.n,
                       scratch->rows[1], pass->in[0]);
    for (size_t l = 0; l < tower->n_layers; l++) {
        const dip_weight_bf16 *weight = dip_weights_bf16_find(weights, tower->layer[l].weight);
        if (l < last) {
            hidden_layer(pass, weight, l, scratch, first, rows);
        } else {
            last_layer(pass, weight, l, scratch, first, rows);
        }
    }
    for (size_t i = first; i < first + rows; i++) {
        pass->ends.norm[i] = dip_vec_normalise(d, pass->ends.u + i * d, pass->ends.u + i * d);
    }
}

static void fill_biases(dip_pass_bf16 *pass, const dip_params *params, size_t l) {
    const size_t out = pass->ends.tower->layer[l].out;
#pragma omp for schedule(static) nowait
    for (size_t column = 0; column < out; column += DIP_BLOCK) {
        fill_bias(pass, params, l, column, out - column < DIP_BLOCK ? out - column : DIP_BLOCK);
    }
}

void dip_once_list(dip_once_jobs *jobs, dip_pass_bf16 *const *pass, size_t n) {
    jobs->n = 0;
    for (size_t p = 0; p < n; p++) {
        for (size_t f = 0; f < pass[p]->ends.tower->n_blocks; f++) {
            if (pass[p]->once[f].most > 0) {
                jobs->list[jobs->n++] = (dip_once_job){pass[p], f};
            }
        }
    }
}

static void find_once(const dip_once_job *job, const dip_params *params) {
    dip_once *once = dip_once_of(job);
    dip_once_find(once, &job->pass->ends, params, job->feature);
    job->pass->ends.by_value[job->feature] =
        (dip_by_value){once->n, once->values.row, once->gradient};
}

/* Values that repeat, and their products. */
static void prepare_once(const dip_once_jobs *jobs, const dip_params *params,
                         const dip_weights_bf16 *weights) {
#pragma omp for schedule(dynamic, 1)
    for (size_t j = 0; j < jobs->n; j++) {
        find_once(&jobs->list[j], params);
    }
    for (size_t j = 0; j < jobs->n; j++) {
        const dip_once *once = dip_once_of(&jobs->list[j]);
        const dip_layer *layer = &jobs->list[j].pass->ends.tower->layer[0];
        const dip_bf16 *weight = dip_weights_bf16_find(weights, layer->weight)->forward;
        const size_t blocks = once->n > 0 ? once->out / DIP_BLOCK : 0;
#pragma omp for schedule(static) nowait
        for (size_t block = 0; block < blocks; block++) {
            dip_once_multiply(once, weight, layer->in, block);
        }
    }
}

/* Threads go on to the panels of the next pass without waiting. */
void dip_pass_bf16_forward(dip_pass_bf16 *const *pass, size_t n, const dip_params *params,
                           const dip_weights_bf16 *weights) {
    dip_once_jobs jobs;
    dip_once_list(&jobs, pass, n);
#pragma omp parallel num_threads(weights->threads)
    {
        prepare_once(&jobs, params, weights);
        for (size_t p = 0; p < n; p++) {
            for (size_t l = 0; l < pass[p]->ends.tower->n_layers; l++) {
                fill_biases(pass[p], params, l);
            }
        }
#pragma omp barrier
        for (size_t p = 0; p < n; p++) {
            const size_t panels = dip_panel_count(pass[p]->ends.n);
#pragma omp for schedule(static, 1) nowait
            for (size_t panel = 0; panel < panels; panel++) {
                forward_panel(pass[p], params, weights, panel);
            }
        }
    }
}
