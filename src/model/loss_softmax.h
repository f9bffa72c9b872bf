/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax losses over a batch, whose other rows are the negatives.
 *
 *   logit_ij = u_i . v_j / tau - log p_j        (log p absent: no correction)
 *   logit_ii = u_i . v_i / tau - own_i          (own absent: log p_i)
 *   L        = mean over i of -log( exp(logit_ii) / sum_j exp(logit_ij) )
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

/* Row i of u is a query and row i of v its positive; all rows of v are candidates. */
typedef struct dip_softmax_input {
    size_t n;          /* rows of u */
    size_t m;          /* rows of v: n, or more when there are extra negatives; 0 means n */
    size_t d;          /* width */
    const dip_real *u; /* [n x d] */
    const dip_real *v; /* [m x d] */
    dip_real temperature;
    const dip_real *log_p; /* [m], or NULL */
    const dip_real *own;   /* [n], or NULL: in the place of log_p_i in logit_ii; with item only */
    const int32_t *item;   /* [m], or NULL: j is no negative of i when item[j] == item[i], j != i */
    const int32_t *also;   /* [m], or NULL: a second such list; with item only */
    dip_real weight;       /* of this loss in the total */
} dip_softmax_input;

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
