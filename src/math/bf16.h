/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products of bfloat16 numbers with sums in float, and the packed layout they read.
 *
 * P(X), the packed form of X [rows x columns], interleaves pairs of rows within blocks of 64
 * columns, [columns / 64][rows / 2][64][2]:
 *
 *   block 0   x(0,0) x(1,0)  x(0,1) x(1,1)  ...  x(0,63) x(1,63)
 *             x(2,0) x(3,0)  x(2,1) x(3,1)  ...
 *   block 1   x(0,64) x(1,64) ...
 *
 * It serves as the right operand of a product over its rows: a pair is what one lane of VDPBF16PS
 * takes. The partner of a last odd row holds zeros. L(X), which make_left makes of a block of P(X)
 * in its place, serves as the left operand of a product X^T B. With AVX-512 BF16 and in the
 * reference it is the same numbers in the same order. For AMX, whose tiles are 16 rows of 16 pairs,
 * each 16 pairs of rows of P(X), of 64 columns, are transposed: [pairs / 16][64][16][2], with zeros
 * beyond the last pair. Blocks of P(X) have room for whole tiles.
 *
 * Every element of a product is one chain of sums, so its bits do not depend on which rows or
 * columns are computed together, or by how many threads. There are two such chains. VDPBF16PS takes
 * pair after pair. A tile product of AMX takes 16 pairs at a time, or those that are left: it sums
 * the products of their even members and those of their odd ones apart, adds the two sums, and adds
 * that to the element. So a model trained with AMX has other bits than one trained without.
 */
#ifndef DIP_MATH_BF16_H
#define DIP_MATH_BF16_H

#include "math/isa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t dip_bf16;

enum { DIP_BLOCK = 64, DIP_BF16_LANES = 16, DIP_TILE_PAIRS = 16 };

static inline size_t dip_blocks(size_t columns) {
    return (columns + DIP_BLOCK - 1) / DIP_BLOCK;
}

static inline size_t dip_pairs(size_t rows) {
    return (rows + 1) / 2;
}

/* Elements of one block of P(X), with room for whole tiles, and of all. */
static inline size_t dip_packed_block(size_t rows) {
    const size_t tiles = (dip_pairs(rows) + DIP_TILE_PAIRS - 1) / DIP_TILE_PAIRS;
    return tiles * DIP_TILE_PAIRS * 2 * DIP_BLOCK;
}

static inline size_t dip_packed_size(size_t rows, size_t columns) {
    return dip_blocks(columns) * dip_packed_block(rows);
}

/* Columns rounded up to whole blocks. */
static inline size_t dip_wide(size_t columns) {
    return dip_blocks(columns) * DIP_BLOCK;
}

/* The stride of rows of so many columns: whole blocks and one cache line more, because rows at a
 * multiple of 2 KiB from each other would share a few sets of the first-level cache. */
static inline size_t dip_row_stride(size_t columns) {
    return dip_wide(columns) + DIP_BLOCK / 2;
}

/* Rounds to nearest, ties to even. As the processor's instruction does, denormal numbers become
 * zeros and a NaN stays one. */
static inline dip_bf16 dip_bf16_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t exponent = bits & 0x7f800000u;
    if (exponent == 0) {
        return (dip_bf16)((bits >> 16) & 0x8000u);
    }
    if (exponent == 0x7f800000u && (bits & 0x007fffffu) != 0) {
        return (dip_bf16)((bits >> 16) | 0x0040u);
    }
    return (dip_bf16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float dip_bf16_value(dip_bf16 x) {
    const uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The left operand A [m x k] of a product: rows at a stride, or X^T for one block L(X), m <= 64. */
typedef struct dip_left {
    const dip_bf16 *data;
    size_t stride; /* 0: L(X) */
} dip_left;

/* One product: c [m x 64] at stride ldc = A B, or += A B. While it is computed, memory that comes
 * next may be asked for. */
typedef struct dip_tile {
    size_t m;
    dip_left a;
    const dip_bf16 *b; /* one block of P(B) */
    size_t pairs;      /* its length */
    bool add;
    float *c;
    size_t ldc;
    const dip_bf16 *next; /* the block used next, of the same length; or NULL */
    dip_bf16 *target;     /* [m] rows of a packed block that will be written next; or NULL */
} dip_tile;

/* One tile of logits of a softmax: logit(i, j) = scale c(i, j) - offset(j) - shift(i). */
typedef struct dip_exp_tile {
    size_t m;                /* rows */
    const float *c;          /* [m x 64] products */
    float scale;             /* 1 / tau */
    const float *offset;     /* [64] log p, +infinity in columns beyond the last */
    const float *shift;      /* [m] */
    const int32_t *row_item; /* [m] with column_item: a column of the row's own item is left out, */
    const int32_t *column_item; /* [64] unless it is the positive; both NULL: none is left out */
    const int32_t *row_also;    /* likewise, a second pair of lists; only beside the first */
    const int32_t *column_also;
    ptrdiff_t positive; /* with row_item: row i's positive is column positive + i of the tile */
    dip_bf16 *e;        /* [m] rows of 64 out, exp(logit), at stride lde */
    size_t lde;
    dip_bf16 *packed; /* the same packed by pairs of rows */
    float *sum;       /* [m x 16] lanes to which the exponentials are added */
} dip_exp_tile;

/* y(i) = a[i] c(i) - b[i] x(place[i]), for m rows of at most 64 columns. */
typedef struct dip_combine {
    size_t m;
    size_t columns;
    const float *a; /* [m], or NULL for 1 */
    const float *c;
    size_t ldc;
    const float *b; /* [m], or NULL for -1 */
    const float *x;
    size_t ldx;            /* 0: the same row for all */
    const uint32_t *place; /* [m], or NULL for i */
    float *y;              /* may be c */
    size_t ldy;
} dip_combine;

/* A value of a product that reaches its column's bound. */
typedef struct dip_hit {
    uint32_t row;
    uint32_t column;
    float value;
} dip_hit;

/* The values of A B that are not less than the bound of their column: all values are where it is
 * NaN. B has `blocks` blocks of 64 columns. That a value is NaN is only sure to be seen where the
 * bound is that, or minus infinity, and it may hide others of its column. */
typedef struct dip_sift {
    size_t m;          /* rows; of A and hits there is memory for whole blocks of 64 */
    const dip_bf16 *a; /* row-major */
    size_t stride;
    const dip_bf16 *b; /* P(B) */
    size_t blocks;
    size_t pairs;       /* of a column, a multiple of 16, not 0 */
    const float *bound; /* [blocks x 64] */
    float *c;           /* [64 x 64] what it works in */
    dip_hit *hits;      /* [m x blocks x 64] out: of each column, by ascending rows */
} dip_sift;

typedef struct dip_bf16_kernels {
    void (*tile)(const dip_tile *tile);
    /* L(X) in the place of a block of P(X) of so many pairs. */
    void (*make_left)(size_t pairs, dip_bf16 *block);
    void (*combine)(const dip_combine *combine);
    /* Whether m rows of 64 at stride ldc are finite. */
    bool (*is_finite)(size_t m, const float *c, size_t ldc);
    /* y = a x rounded */
    void (*scale)(size_t n, float a, const float *x, dip_bf16 *y);
    /* y = x rounded */
    void (*round)(size_t n, const float *x, dip_bf16 *y);
    /* Packs one pair of rows: `blocks` blocks of 64 columns, block j to out + j * step. */
    void (*interleave)(size_t blocks, const dip_bf16 *even, const dip_bf16 *odd, size_t step,
                       dip_bf16 *out);
    /* h = max(c + bias, 0) rounded, for m rows of 64 at stride ldh, and the same packed by pairs of
     * rows to `packed`. Bit j of alive[i] says whether h(i, j) > 0. c [m x 64] */
    void (*relu)(size_t m, const float *c, const float *bias, dip_bf16 *h, size_t ldh,
                 dip_bf16 *packed, uint64_t *alive);
    /* d = c where alive, else 0: rounded to rows and packed likewise; the unrounded columns are
     * added to sum [64]. */
    void (*relu_backward)(size_t m, const float *c, const uint64_t *alive, dip_bf16 *d, size_t ldd,
                          dip_bf16 *packed, float *sum);
    /* c(i) += table(place[i]), for m rows of 64 */
    void (*add_rows)(size_t m, float *c, const float *table, const uint32_t *place);
    /* Sums of rows of a packed block by groups: row g of the result is the sum over the rows
     * member[first[g]] ... of group g, in that order, rounded: to rows of 64 at stride ldy, and
     * packed by pairs of groups. */
    void (*sum_groups)(size_t groups, const uint32_t *first, const uint32_t *member,
                       const dip_bf16 *x, dip_bf16 *y, size_t ldy, dip_bf16 *packed);
    void (*exp)(const dip_exp_tile *tile);
    /* The number of hits. */
    size_t (*sift)(const dip_sift *sift);
    /* P(X^T) from rows of X, for the block of 64 rows of X that begins at x: X [m x columns], m <=
     * 64, row-major at stride ldx; out is block [ceil(columns / 2)][64][2]. Rows beyond m become
     * zeros. */
    void (*pack_transposed)(size_t m, size_t columns, const dip_bf16 *x, size_t ldx, dip_bf16 *out);
} dip_bf16_kernels;

/* The kernels for the tier in use: with instructions for bfloat16, or the reference in plain C. */
const dip_bf16_kernels *dip_bf16_get(void);

/* The kernels of a tier, DIP_ISA_AVX512_BF16 or DIP_ISA_AMX_BF16; NULL where they were not built.
 * Calling them takes a processor that has the instructions. */
const dip_bf16_kernels *dip_bf16_of(dip_isa isa);

/* In plain C, the same bits slowly as each of the two. */
extern const dip_bf16_kernels dip_bf16_reference;
extern const dip_bf16_kernels dip_bf16_reference_amx;

#endif
