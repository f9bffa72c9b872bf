/* SPDX-License-Identifier: Apache-2.0
 *
 * A pseudo-random order of [0, n) that can be asked both ways in constant time and memory. It is
 * cheaper than dip_permute (base/rng.h), which mixes with Philox and cannot go back: a generator
 * asks it for every pair.
 */
#ifndef DIP_GENERATE_SCATTER_H
#define DIP_GENERATE_SCATTER_H

#include "base/rng.h"

enum { DIP_SCATTER_ROUNDS = 8 };

typedef struct dip_scatter {
    uint32_t n;
    uint32_t rows; /* values are row * columns + column, rows * columns >= n */
    uint32_t columns;
    uint32_t key[DIP_SCATTER_ROUNDS];
} dip_scatter;

/* 1 <= n <= 2^31 - 1. */
dip_scatter dip_scatter_make(dip_rng rng, uint64_t stream, int64_t n);

/* Where index goes, and which index went to a place; 0 <= index, place < n. */
int64_t dip_scatter_to(const dip_scatter *scatter, int64_t index);
int64_t dip_scatter_from(const dip_scatter *scatter, int64_t place);

#endif
