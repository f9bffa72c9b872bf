/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of t-SNE: affinities of the vectors, a start, and the forces between points of the map.
 * Loops are cut into slices of DIP_TSNE_SLICE points, and sums are folded in the order of slices.
 */
#ifndef DIP_EXPERIMENT_TSNE_PARTS_H
#define DIP_EXPERIMENT_TSNE_PARTS_H

#include "experiment/tsne.h"
#include "experiment/tsne_kernels.h"

enum { DIP_TSNE_SLICE = 512 };

static inline size_t dip_tsne_slices(size_t n) {
    return (n + DIP_TSNE_SLICE - 1) / DIP_TSNE_SLICE;
}

static inline size_t dip_tsne_slice_end(size_t n, size_t slice) {
    const size_t end = (slice + 1) * DIP_TSNE_SLICE;
    return end < n ? end : n;
}

/* ---- affinities ------------------------------------------------------------------------------ */

/* The perplexity that n points allow: at most (n - 1) / 3, at least 1. */
double dip_tsne_perplexity(double wanted, size_t n);

/* p [k] = exp(-beta d) / sum for squared distances d [k], k >= 1, with the entropy of p equal to
 * log(perplexity) where a beta gives that; otherwise as near to it as can be, which is the uniform
 * distribution over the nearest when too many are equally near. Returns beta. */
double dip_tsne_row(const float *distances, size_t k, double perplexity, float *p);

/* P, n >= 2. graph is zeroed; release it with dip_tsne_graph_free, also after a failure. */
dip_status dip_tsne_affinities(const float *vectors, size_t n, size_t d,
                               const dip_tsne_settings *settings, const dip_watch *watch,
                               dip_tsne_graph *graph, dip_error *err);

void dip_tsne_graph_free(dip_tsne_graph *graph);

/* ---- start ----------------------------------------------------------------------------------- */

/* x and y [n] out: the two leading principal components, scaled so that the first has a standard
 * deviation of 1e-4, and random offsets of 1e-6, which tell equal vectors apart. */
dip_status dip_tsne_start(const float *vectors, size_t n, size_t d,
                          const dip_tsne_settings *settings, float *x, float *y, dip_error *err);

/* ---- repulsion ------------------------------------------------------------------------------- */

/* Up to so many points the sums over all pairs are cheaper than their approximation. */
enum { DIP_TSNE_EXACT = 512 };

typedef struct dip_tsne_field dip_tsne_field;

dip_tsne_field *dip_tsne_field_create(size_t n, int threads, dip_error *err);
void dip_tsne_field_free(dip_tsne_field *field);

/* fx and fy [n] out: sum over j of (y_i - y_j) / (1 + |y_i - y_j|^2)^2. *z out: the sum of
 * 1 / (1 + |y_i - y_j|^2) over all i and j that differ. */
dip_status dip_tsne_repel(dip_tsne_field *field, const float *x, const float *y, float *fx,
                          float *fy, double *z, dip_error *err);

/* The same by the sums themselves. */
void dip_tsne_repel_exactly(size_t n, int threads, const float *x, const float *y, float *fx,
                            float *fy, double *z);

/* KL(P || Q), from the z of the same points. */
double dip_tsne_divergence(const dip_tsne_graph *graph, int threads, const float *x, const float *y,
                           double z);

#endif
