/* SPDX-License-Identifier: Apache-2.0
 *
 * A map of vectors in two dimensions by t-SNE (van der Maaten and Hinton, JMLR 2008): points that
 * are near each other in the map belong to vectors that are near each other.
 *
 *   p_ij = (p_j|i + p_i|j) / 2n,   p_j|i proportional to exp(-beta_i |v_i - v_j|^2) over the
 *          nearest neighbours of i, beta_i such that the entropy of p_.|i is log(perplexity)
 *   q_ij proportional to 1 / (1 + |y_i - y_j|^2)
 *   KL(P || Q) = sum of p_ij log(p_ij / q_ij) is made small by descent on y.
 */
#ifndef DIP_EXPERIMENT_TSNE_H
#define DIP_EXPERIMENT_TSNE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct dip_tsne_settings {
    double perplexity;  /* about how many neighbours a point has, >= 1; 30 is usual. With fewer than
                           3 perplexity + 1 vectors it is (n - 1) / 3. */
    int64_t iterations; /* >= 1; 750 to 1000 are usual, 250 of them with early exaggeration */
    uint64_t seed;
    int threads; /* >= 1; the map has the same bits for any number */
} dip_tsne_settings;

/* vectors [n x d] of length 1; xy [n x 2] out, with its mean at the origin.
 *
 * A vector of length 0 is equally far from all others. Tells the watch, which may be NULL, about
 * neighbours ("finding neighbours", items) and iterations ("drawing the map").
 * DIP_ERR_NONFINITE   a vector is; the text names its row. */
dip_status dip_tsne(const float *vectors, size_t n, size_t d, const dip_tsne_settings *settings,
                    const dip_watch *watch, float *xy, dip_error *err);

#endif
