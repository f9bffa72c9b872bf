/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax losses over a batch, whose other rows are the negatives.
 *
 *   logit_ij = u_i . v_j / tau - log p_j         (log p absent: no correction)
 *   right_i  = u_i . v_p(i) / tau - own_i        (own absent: log p_p(i))
 *   L        = mean over i of -log( exp(right_i) / Z_i )
 *   Z_i      = sum_j exp(logit_ij); with `item`, exp(right_i) + the sum over the j of other items
 *
 * v_p(i) is the positive of u_i. A vector that is there k times can be one candidate, with log p_j
 * less log k.
 *
 * With u the queries and v the items this is the batch softmax (Eq. 6) with the sampling-bias
 * correction of Yi et al. (RecSys 2019), or with `own` that of Khrylchenko et al. (RecSys 2025,
 * docs/math.md); with u, v two views of the same items it is Eq. 3; with u = v it is the
 * contrastive spread-out loss.
 */
#ifndef DIP_MODEL_LOSS_SOFTMAX_H
#define DIP_MODEL_LOSS_SOFTMAX_H

#include "base/status.h"
#include "math/real.h"

#include <stddef.h>
#include <stdint.h>

/* Rows of logits that exist at a time, and rows that one thread takes of them. Fixed, so that
 * results have the same bits for any number of threads. */
enum { DIP_SOFTMAX_ROWS = 512, DIP_SOFTMAX_UNIT = 64 };

typedef struct dip_softmax {
    int threads;
    dip_real *logits; /* [DIP_SOFTMAX_ROWS x columns], never the whole [n x m] */
    double *row_loss; /* [rows] */
    double *row_sum;  /* [rows] for the spread-out losses */
} dip_softmax;

/* Row i of u is a query, one row of v its positive, and all rows of v are candidates. */
typedef struct dip_softmax_input {
    size_t n;          /* rows of u */
    size_t m;          /* rows of v; 0 means n */
    size_t d;          /* width */
    const dip_real *u; /* [n x d] */
    const dip_real *v; /* [m x d] */
    dip_real temperature;
    const dip_real *log_p;    /* [m], or NULL */
    const uint32_t *positive; /* [n] p(i), or NULL for i; with own only */
    const dip_real *own;      /* [n], or NULL */
    const int32_t *item;      /* [m], or NULL: j is no negative of i when item[j] is item[p(i)] */
    const int32_t *also;      /* [m], or NULL: a second such list; with item only */
    dip_real weight;          /* of this loss in the total */
} dip_softmax_input;

static inline size_t dip_softmax_positive(const dip_softmax_input *input, size_t i) {
    return input->positive != NULL ? input->positive[i] : i;
}

static inline size_t dip_softmax_columns(const dip_softmax_input *input) {
    return input->m > 0 ? input->m : input->n;
}

/* For at most `rows` queries and `columns` candidates. */
dip_status dip_softmax_create(dip_softmax *softmax, size_t rows, size_t columns, int threads,
                              dip_error *err);

/* Returns L without the weight; du [n x d] and dv [m x d] are overwritten with the weighted
 * gradients. They must not overlap each other, u or v. */
double dip_softmax_loss(dip_softmax *softmax, const dip_softmax_input *input, dip_real *du,
                        dip_real *dv);

void dip_softmax_free(dip_softmax *softmax);

#endif
