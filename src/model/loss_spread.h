/* SPDX-License-Identifier: Apache-2.0
 *
 * The spread-out regularisers of Zhang et al. (ICCV 2017) on unit vectors z_1 ... z_n, s_ij = z_i
 * . z_j:
 *
 *   square    (1/n) sum_i sum_{j != i} s_ij^2
 *   moments   M1^2 + max(0, M2 - 1/d), with M1 and M2 the mean of s_ij and of s_ij^2 over i != j
 *
 * The contrastive form is dip_softmax_loss with both sides equal.
 */
#ifndef DIP_MODEL_LOSS_SPREAD_H
#define DIP_MODEL_LOSS_SPREAD_H

#include "model/loss_softmax.h"

/* Return the loss without the weight; dz [n x d] is overwritten with the weighted gradient. The
 * logits buffer of `work` is used for the products. */
double dip_spread_square(dip_softmax *work, const dip_real *z, size_t n, size_t d, dip_real weight,
                         dip_real *dz);
double dip_spread_moments(dip_softmax *work, const dip_real *z, size_t n, size_t d, dip_real weight,
                          dip_real *dz);

#endif
