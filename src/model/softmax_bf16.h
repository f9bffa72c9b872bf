/* SPDX-License-Identifier: Apache-2.0
 *
 * The loss of loss_softmax.h with products in bfloat16 and everything else in float.
 *
 * With a shift c_i >= every logit of row i, e_ij = exp(logit_ij - c_i) and Z_i = sum_j e_ij:
 *
 *   L_i = log Z_i + c_i - right_i
 *   du_i = w/(n tau) ( sum_j e_ij v_j / Z_i - v_p(i) )
 *   dv_j = w/(n tau) ( sum_i e_ij u_i / Z_i - sum over the i with p(i) = j of u_i )
 *
 * With `own` and `item`, the positive is left out of e; e_i = exp(right_i - c_i) is added to Z_i,
 * and to the pull w/(n tau) (1 - e_i / Z_i) of v_p(i) and u_i in float.
 *
 * e is rounded before Z_i is known, because the division by Z_i can wait: it scales the finished
 * du_i, and the rows u_i of the product for dv. So each logit is made once and passed over once.
 */
#ifndef DIP_MODEL_SOFTMAX_BF16_H
#define DIP_MODEL_SOFTMAX_BF16_H

#include "math/bf16.h"
#include "model/loss_softmax.h"

typedef struct dip_softmax_bf16_unit dip_softmax_bf16_unit;

typedef struct dip_softmax_bf16 {
    int threads;
    size_t d;           /* width, a multiple of 64 with zeros beyond the vectors' own */
    dip_bf16 *u;        /* [rows x d] */
    dip_bf16 *v;        /* P(V), V [columns x d] */
    dip_bf16 *v_across; /* P(V^T) */
    dip_bf16 *e;        /* P(e) of a strip, e [DIP_SOFTMAX_ROWS x columns]; then L */
    dip_bf16 *u_scaled; /* P(w/(n tau) u / Z) of a strip */
    float *offset;      /* [columns] */
    int32_t *item;      /* [columns] */
    int32_t *also;      /* [columns] */
    int32_t *row_item;  /* [rows] that of the positive */
    int32_t *row_also;  /* [rows] */
    uint32_t *positive; /* [rows] columns */
    uint32_t *member;   /* [rows] the rows by their positive, */
    uint32_t *first;    /* [columns + 1] those of a column from here on */
    float *shift;       /* [rows] */
    float *pull;        /* [rows] what v_p(i) weighs in -du_i beside e, and u_i in -dv_p(i) */
    double *row_loss;   /* [rows] */
    dip_softmax_bf16_unit **scratch; /* [threads] */
} dip_softmax_bf16;

/* For at most `rows` queries and `columns` candidates of `width` numbers. */
dip_status dip_softmax_bf16_create(dip_softmax_bf16 *softmax, size_t rows, size_t columns,
                                   size_t width, int threads, dip_error *err);

/* As dip_softmax_loss. */
double dip_softmax_bf16_loss(dip_softmax_bf16 *softmax, const dip_softmax_input *input, float *du,
                             float *dv);

void dip_softmax_bf16_free(dip_softmax_bf16 *softmax);

#endif
