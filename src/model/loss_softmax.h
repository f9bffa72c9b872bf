/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax losses over a batch, whose other rows are the negatives.
 *
 *   logit_ij = u_i . v_j / tau - log p_j        (log p absent: no correction)
 *   L        = mean over i of -log( exp(logit_ii) / sum_j exp(logit_ij) )
 *
 * With u the queries and v the items this is the batch softmax (Eq. 6) with the sampling-bias
 * correction of Yi et al. (RecSys 2019); with u, v two views of the same items it is Eq. 3; with u
 * = v it is the contrastive spread-out loss.
 */
#ifndef DIP_MODEL_LOSS_SOFTMAX_H
#define DIP_MODEL_LOSS_SOFTMAX_H

#include "base/status.h"
#include "math/real.h"

#include <stddef.h>
#include <stdint.h>

typedef struct dip_softmax {
    size_t capacity;
    int threads;
    dip_real *logits; /* [B x B] */
    double *row_loss; /* [B] */
} dip_softmax;

typedef struct dip_softmax_input {
    size_t n;
    size_t d;
    const dip_real *u; /* [n x d] */
    const dip_real *v; /* [n x d] */
    dip_real temperature;
    const dip_real *log_p; /* [n], or NULL */
    const int32_t *item;   /* [n], or NULL: j is no negative of i when item[j] == item[i], j != i */
    dip_real weight;       /* of this loss in the total */
} dip_softmax_input;

dip_status dip_softmax_create(dip_softmax *softmax, size_t capacity, int threads, dip_error *err);

/* Returns L without the weight; du and dv [n x d] are overwritten with the weighted gradients. They
 * must not overlap each other, u or v. */
double dip_softmax_loss(dip_softmax *softmax, const dip_softmax_input *input, dip_real *du,
                        dip_real *dv);

void dip_softmax_free(dip_softmax *softmax);

#endif
