/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops of t-SNE, compiled once for each tier of instructions (math/isa.h) from the same
 * plain C. Sums have a fixed number of lanes and products are not fused, so that all tiers give the
 * same bits.
 *
 *   tsne_kernels_body.h   the loops
 *   tsne_kernels.c        reference, and the choice
 *   tsne_kernels_avx2.c, tsne_kernels_avx512.c
 */
#ifndef DIP_EXPERIMENT_TSNE_KERNELS_H
#define DIP_EXPERIMENT_TSNE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { DIP_TSNE_LANES = 16 };

/* One element of as many complex sequences. */
typedef struct dip_lanes {
    float re[DIP_TSNE_LANES];
    float im[DIP_TSNE_LANES];
} dip_lanes;

/* A discrete Fourier transform of length 2^a or 3 * 2^a. */
typedef struct dip_fft {
    size_t n;
    float *cosine; /* [n] of 2 pi i / n */
    float *sine;
} dip_fft;

/* A sparse symmetric matrix by rows. */
typedef struct dip_tsne_graph {
    size_t n;
    int64_t *start; /* [n + 1] */
    int32_t *to;
    float *weight;
} dip_tsne_graph;

/* Points of the map, and the grid of nodes around them: node (row, column) of a square of `size`
 * is at (left + (column - 1) spacing, bottom + (row - 1) spacing), spacing = 1 / density. */
typedef struct dip_tsne_places {
    const float *x;
    const float *y;
    size_t size;
    float left;
    float bottom;
    float density;
} dip_tsne_places;

/* Three fields at each node, and a fourth number that fills the vector. */
enum { DIP_TSNE_FIELDS = 3, DIP_TSNE_NODE = 4 };

typedef struct dip_tsne_kernels {
    /* The forward transform of DIP_TSNE_LANES sequences at once, x [n] overwritten. Returns where
     * the result is, x or y. */
    dip_lanes *(*fft)(const dip_fft *fft, dip_lanes *x, dip_lanes *y);

    /* fx, fy of rows [first, end) = sum of weight_ij (y_i - y_j) / (1 + |y_i - y_j|^2) */
    void (*attract)(const dip_tsne_graph *graph, size_t first, size_t end, const float *x,
                    const float *y, float *fx, float *fy);

    /* fx, fy of points [first, end) = sum over all n of (y_i - y_j) / (1 + |y_i - y_j|^2)^2;
     * returns the sum of 1 / (1 + |y_i - y_j|^2), with j = i. */
    double (*repel)(size_t n, size_t first, size_t end, const float *x, const float *y, float *fx,
                    float *fy);

    /* Adds n points to rows [first, end) of the grid. */
    void (*spread)(const dip_tsne_places *places, const int32_t *order, size_t n, size_t first,
                   size_t end, float *grid);

    /* fx, fy of n points from fields [size x size x DIP_TSNE_NODE]; returns the third's sum. */
    double (*look_up)(const dip_tsne_places *places, const int32_t *order, size_t n,
                      const float *fields, float *fx, float *fy);
} dip_tsne_kernels;

/* The table of the tier in use. */
const dip_tsne_kernels *dip_tsne_kernels_get(void);

const dip_tsne_kernels *dip_tsne_kernels_reference(void);
const dip_tsne_kernels *dip_tsne_kernels_avx2(void);
const dip_tsne_kernels *dip_tsne_kernels_avx512(void);

/* The grid's row or column that holds the first of the four nodes around a coordinate. */
static inline size_t dip_tsne_node(float coordinate, float origin, float density) {
    return (size_t)((coordinate - origin) * density);
}

#endif
