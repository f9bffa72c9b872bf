/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers' weights as right operands of products in bfloat16, made anew from the float weights
 * in each step: packed as they are for the forward pass, transposed for the backward pass. Rows and
 * columns are padded with zeros to multiples of 64.
 */
#ifndef DIP_MODEL_WEIGHTS_BF16_H
#define DIP_MODEL_WEIGHTS_BF16_H

#include "math/bf16.h"
#include "model/tower.h"

typedef struct dip_weight_bf16 {
    int param;          /* the weight [in x out] */
    dip_bf16 *forward;  /* P(W) */
    dip_bf16 *backward; /* P(W^T) */
    bool has_gradient;  /* a pass of this step has put its gradient there */
} dip_weight_bf16;

/* What one thread needs for a panel of rows, or a tile of a gradient. */
typedef struct dip_scratch_bf16 {
    float *tile;       /* [DIP_PANEL x 64] */
    float *row;        /* [widest layer or feature] */
    dip_bf16 *rows[2]; /* [DIP_PANEL x widest layer], at dip_row_stride */
} dip_scratch_bf16;

typedef struct dip_weights_bf16 {
    size_t n;
    dip_weight_bf16 *list; /* each weight tensor once */
    int threads;
    dip_scratch_bf16 *scratch; /* [threads] */
} dip_weights_bf16;

dip_status dip_weights_bf16_create(dip_weights_bf16 *weights, const dip_towers *towers, int threads,
                                   dip_error *err);

/* Packs the current values; no weight has a gradient then. */
void dip_weights_bf16_pack(dip_weights_bf16 *weights, const dip_params *params);

/* The entry of a weight tensor. */
const dip_weight_bf16 *dip_weights_bf16_find(const dip_weights_bf16 *weights, int param);

void dip_weights_bf16_free(dip_weights_bf16 *weights);

#endif
