/* SPDX-License-Identifier: Apache-2.0 */
#include "model/weights_bf16.h"

#include "base/mem.h"
#include "math/gemm.h"

#include <omp.h>
#include <string.h>

static const char PURPOSE[] = "weights in bfloat16";

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t widest(const dip_tower *tower) {
    size_t width = tower->input;
    for (size_t l = 0; l < tower->n_layers; l++) {
        width = larger(width, tower->layer[l].out);
    }
    return dip_wide(width);
}

static dip_status add_weight(dip_weights_bf16 *weights, const dip_layer *layer, dip_error *err) {
    if (dip_weights_bf16_find(weights, layer->weight) != NULL) {
        return DIP_OK;
    }
    dip_weight_bf16 *weight = &weights->list[weights->n++];
    weight->param = layer->weight;
    weight->forward =
        dip_alloc(dip_packed_size(dip_wide(layer->in), layer->out), sizeof(dip_bf16), PURPOSE, err);
    weight->backward =
        dip_alloc(dip_packed_size(dip_wide(layer->out), layer->in), sizeof(dip_bf16), PURPOSE, err);
    return weight->forward != NULL && weight->backward != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status add_weights(dip_weights_bf16 *weights, const dip_tower *tower, dip_error *err) {
    for (size_t l = 0; l < tower->n_layers; l++) {
        DIP_TRY(add_weight(weights, &tower->layer[l], err));
    }
    return DIP_OK;
}

static dip_status add_scratch(dip_scratch_bf16 *scratch, size_t width, dip_error *err) {
    scratch->tile = dip_alloc(DIP_PANEL, DIP_BLOCK * sizeof(float), PURPOSE, err);
    scratch->row = dip_alloc(width, sizeof(float), PURPOSE, err);
    scratch->rows[0] = dip_alloc(DIP_PANEL, dip_row_stride(width) * sizeof(dip_bf16), PURPOSE, err);
    scratch->rows[1] = dip_alloc(DIP_PANEL, dip_row_stride(width) * sizeof(dip_bf16), PURPOSE, err);
    const bool is_whole = scratch->tile != NULL && scratch->row != NULL &&
                          scratch->rows[0] != NULL && scratch->rows[1] != NULL;
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status create(dip_weights_bf16 *weights, const dip_towers *towers, dip_error *err) {
    const size_t layers = towers->item.n_layers + towers->query.n_layers;
    weights->list = dip_alloc(layers, sizeof *weights->list, PURPOSE, err);
    weights->scratch = dip_alloc((size_t)weights->threads, sizeof *weights->scratch, PURPOSE, err);
    if (weights->list == NULL || weights->scratch == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(add_weights(weights, &towers->item, err));
    DIP_TRY(add_weights(weights, &towers->query, err));
    const size_t width = larger(widest(&towers->item), widest(&towers->query));
    for (int t = 0; t < weights->threads; t++) {
        DIP_TRY(add_scratch(&weights->scratch[t], width, err));
    }
    return DIP_OK;
}

dip_status dip_weights_bf16_create(dip_weights_bf16 *weights, const dip_towers *towers, int threads,
                                   dip_error *err) {
    memset(weights, 0, sizeof *weights);
    weights->threads = threads;
    const dip_status status = create(weights, towers, err);
    if (status != DIP_OK) {
        dip_weights_bf16_free(weights);
    }
    return status;
}

/* Rows 64 b ... of W, rounded one after the other; both packed forms are made from the rounded
 * rows while these are in the cache. Columns beyond the last were zeroed when memory was made. */
static void pack_block(const dip_weights_bf16 *weights, const dip_weight_bf16 *weight,
                       const dip_param *param, size_t block) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const size_t wide_out = dip_wide(param->columns);
    const size_t step = dip_packed_block(dip_wide(param->rows));
    const size_t first = block * DIP_BLOCK;
    const size_t n = param->rows - first < DIP_BLOCK ? param->rows - first : DIP_BLOCK;
    dip_bf16 *rows = weights->scratch[omp_get_thread_num()].rows[0];
    memset(rows + n * wide_out, 0, (DIP_BLOCK - n) * wide_out * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        kernels->round(param->columns, param->value + (first + i) * param->columns,
                       rows + i * wide_out);
        memset(rows + i * wide_out + param->columns, 0, (wide_out - param->columns) * sizeof *rows);
    }
    for (size_t i = 0; i < DIP_BLOCK; i += 2) {
        kernels->interleave(wide_out / DIP_BLOCK, rows + i * wide_out, rows + (i + 1) * wide_out,
                            step, weight->forward + (first + i) * DIP_BLOCK);
    }
    kernels->pack_transposed(n, wide_out, rows, wide_out,
                             weight->backward + block * dip_packed_block(wide_out));
}

void dip_weights_bf16_pack(dip_weights_bf16 *weights, const dip_params *params) {
    for (size_t w = 0; w < weights->n; w++) {
        weights->list[w].has_gradient = false;
    }
    size_t blocks = 0;
    for (size_t w = 0; w < weights->n; w++) {
        blocks += dip_blocks(params->list[weights->list[w].param].rows);
    }
#pragma omp parallel for schedule(dynamic) num_threads(weights->threads)
    for (size_t b = 0; b < blocks; b++) {
        size_t block = b;
        size_t w = 0;
        for (; block >= dip_blocks(params->list[weights->list[w].param].rows); w++) {
            block -= dip_blocks(params->list[weights->list[w].param].rows);
        }
        pack_block(weights, &weights->list[w], &params->list[weights->list[w].param], block);
    }
}

const dip_weight_bf16 *dip_weights_bf16_find(const dip_weights_bf16 *weights, int param) {
    for (size_t w = 0; w < weights->n; w++) {
        if (weights->list[w].param == param) {
            return &weights->list[w];
        }
    }
    return NULL;
}

void dip_weights_bf16_free(dip_weights_bf16 *weights) {
    for (size_t w = 0; w < weights->n; w++) {
        dip_free(weights->list[w].forward);
        dip_free(weights->list[w].backward);
    }
    for (int t = 0; weights->scratch != NULL && t < weights->threads; t++) {
        dip_free(weights->scratch[t].tile);
        dip_free(weights->scratch[t].row);
        dip_free(weights->scratch[t].rows[0]);
        dip_free(weights->scratch[t].rows[1]);
    }
    dip_free(weights->list);
    dip_free(weights->scratch);
    memset(weights, 0, sizeof *weights);
}
