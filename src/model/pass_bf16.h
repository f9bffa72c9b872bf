/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of a pass with products in bfloat16 and sums, parameters and gradients in float.
 *
 * A panel of rows goes through all layers on one thread, its activations in the cache. What the
 * weight gradients need of it later, the inputs and the output gradients of each layer, is kept
 * packed by pairs of examples.
 *
 * A feature that is masked in the whole batch costs no product. Its block of x is the default in
 * every row, so it adds the same vector default W_f to every row: that goes into the bias. With db
 * the sum over the batch of the gradients of the first layer's outputs,
 *
 *   ddefault_f += W_f db,   dW_f += default_f^T db.
 *
 * Two views with complementary masks therefore cost one first layer, not two. A feature whose
 * values repeat in the batch costs products of its values only (once_bf16.h).
 */
#ifndef DIP_MODEL_PASS_BF16_H
#define DIP_MODEL_PASS_BF16_H

#include "model/once_bf16.h"
#include "model/pass.h"
#include "model/weights_bf16.h"

/* Passes of a step at most: query, item, two views of each, extra negatives. */
enum { DIP_PASSES_BF16_MAX = 7 };

typedef struct dip_pass_bf16 {
    dip_pass ends;                 /* features, u, du, dx: what losses and sparse updates see */
    dip_bf16 *in[DIP_LIST_MAX];    /* P(input of layer l), then L for its weight's gradient */
    dip_bf16 *out[DIP_LIST_MAX];   /* P(gradient of its output) */
    dip_bf16 *rows[DIP_LIST_MAX];  /* [B x out] the same as rows, except of the first layer */
    uint64_t *alive[DIP_LIST_MAX]; /* [out / 64][B] outputs above 0, except of the last layer */
    float *bias[DIP_LIST_MAX];     /* [out] its bias, the masked defaults added in the first */
    dip_once *once;                /* [F] */
    bool borrows;                  /* in, out, rows, alive, bias and sums are the lender's */
    float *sums[DIP_LIST_MAX];     /* [panels x out] gradients by panel, then in row 0 of all */
} dip_pass_bf16;

/* Takes the memory of the lender's layers when it is large enough; lender may be NULL. */
dip_status dip_pass_bf16_create(dip_pass_bf16 *pass, const dip_tower *tower, size_t capacity,
                                int threads, const dip_pass_bf16 *lender, dip_error *err);

/* u and norm of the loaded batches. */
void dip_pass_bf16_forward(dip_pass_bf16 *const *pass, size_t n, const dip_params *params,
                           const dip_weights_bf16 *weights);

/* From du of the passes: their dx, except in columns of masked features and of those whose
 * gradients are by value, and their gradients of layers and defaults, which are added to those of
 * this step so far. */
void dip_pass_bf16_backward(dip_pass_bf16 *const *pass, size_t n, dip_params *params,
                            dip_weights_bf16 *weights);

void dip_pass_bf16_free(dip_pass_bf16 *pass);

#endif
