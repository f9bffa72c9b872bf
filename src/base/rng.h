/* SPDX-License-Identifier: Apache-2.0
 *
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A draw is a pure function of its key and counter, so it does not depend on
 * the order of calls, on threads or on where a run was resumed.
 */
#ifndef DIP_BASE_RNG_H
#define DIP_BASE_RNG_H

#include <stdint.h>

/* What a draw is for; the second half of the key, so that purposes never share numbers. The values
 * are part of the reproducibility promise and never change. */
typedef enum dip_purpose {
    DIP_DRAW_INIT = 1,     /* parameters: counter = (tensor, element) */
    DIP_DRAW_SHUFFLE = 2,  /* order of the training pairs in an epoch */
    DIP_DRAW_ITEMS = 3,    /* uniform items of the self-supervised batch */
    DIP_DRAW_MASK = 4,     /* feature masks of a step */
    DIP_DRAW_VIEW_H = 5,   /* value dropout of view h, or its noise */
    DIP_DRAW_VIEW_G = 6,   /* value dropout of view g */
    DIP_DRAW_FEATURE = 7,  /* features of the batch's items that are dropped */
    DIP_DRAW_SPLIT = 8,    /* train, validation, test */
    DIP_DRAW_FRACTION = 9, /* train_fraction */
    DIP_DRAW_BOOTSTRAP = 10,
    DIP_DRAW_RANDOM_RANKING = 11,
    DIP_DRAW_COSINE = 12,      /* random item pairs of the collapse check */
    DIP_DRAW_WORLD = 13,       /* generate: clusters of queries, means of clusters, order of rows */
    DIP_DRAW_ACTIVITY = 14,    /* generate: how many pairs a query has */
    DIP_DRAW_LINK = 15,        /* generate: the items of a query */
    DIP_DRAW_ITEM_CELLS = 16,  /* generate: features of items */
    DIP_DRAW_QUERY_CELLS = 17, /* generate: features of queries */
    DIP_DRAW_LINK_TIME = 18,   /* generate: when a pair happened */
    DIP_DRAW_QUERIES = 20,     /* uniform queries of the self-supervised batch */
    DIP_DRAW_QUERY_MASK = 21,  /* feature masks of queries */
    DIP_DRAW_QUERY_H = 22,     /* value dropout of a query's view h, or its noise */
    DIP_DRAW_QUERY_G = 23,     /* and of view g */
    DIP_DRAW_EXTRA_FEATURE = 24, /* and of the extra negatives */
    DIP_DRAW_INFORMATION = 30,   /* rows that the mutual information is measured on */
    DIP_DRAW_SCATTER = 31,       /* places of training pairs in a large dataset */
    DIP_DRAW_MAP = 36,           /* the start of a map of items */
    DIP_DRAW_MAP_ITEMS = 37,     /* which items are on a map */
    DIP_DRAW_TRIAL = 38          /* settings that tuning tries */
} dip_purpose;

typedef struct dip_rng {
    uint32_t key[2];
} dip_rng;

typedef struct dip_draw {
    uint32_t word[4];
} dip_draw;

/* The generator of one purpose. The 64-bit seed is folded with the purpose into the 64-bit key. */
dip_rng dip_rng_make(uint64_t seed, dip_purpose purpose);

/* Four words at counter (a, b), each 64 bits wide. */
dip_draw dip_rng_at(dip_rng rng, uint64_t a, uint64_t b);

/* Philox4x32-10 itself: counter[4], key[2]. */
dip_draw dip_philox(const uint32_t counter[4], const uint32_t key[2]);

/* A word as a number in [0, 1), with 24 bits. */
static inline double dip_unit(uint32_t word) {
    return (double)(word >> 8) * (1.0 / 16777216.0);
}

/* An integer in [0, n) from 64 random bits, n >= 1; the bias is below n / 2^64. */
static inline uint64_t dip_below(uint32_t high, uint32_t low, uint64_t n) {
    __extension__ typedef unsigned __int128 wide;
    const uint64_t bits = ((uint64_t)high << 32) | low;
    return (uint64_t)(((wide)bits * n) >> 64);
}

/* A pseudo-random permutation of [0, n), evaluated at one index in constant memory. */
typedef struct dip_permutation {
    uint64_t n;
    dip_rng rng;
    uint64_t stream;
    unsigned half_bits;
} dip_permutation;

dip_permutation dip_permutation_make(dip_rng rng, uint64_t stream, uint64_t n);

/* Where index goes, index < n. */
uint64_t dip_permute(const dip_permutation *permutation, uint64_t index);

/* The index that goes to place, place < n. */
uint64_t dip_permute_back(const dip_permutation *permutation, uint64_t place);

#endif
