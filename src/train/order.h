/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of the training pairs in an epoch: a permutation of [0, n) that is a pure function of
 * (seed, epoch, place), evaluated at one place in constant time and memory, so that a run can go on
 * from any place.
 *
 *   one window    a pseudo-random permutation of all pairs
 *   several       the stored pairs are cut into ranges of `window` pairs, the last one shorter. The
 *                 epoch takes the ranges in a pseudo-random order of their own, and the pairs of
 *                 each range in a pseudo-random order: only one range is looked up at a time, so
 *                 the pairs may be larger than the memory
 *
 * With several windows, batches are random samples of all pairs when each range is, which is how
 * prepare stores them (docs/formats.md).
 */
#ifndef DIP_TRAIN_ORDER_H
#define DIP_TRAIN_ORDER_H

#include "base/file.h"
#include "base/rng.h"

typedef struct dip_order {
    dip_rng rng;
    uint64_t epoch;
    uint64_t n;
    uint64_t window; /* pairs in a window, the last one aside */
    uint64_t n_windows;
    uint64_t short_turn;     /* when the last window has its turn */
    dip_permutation windows; /* from turns to windows */
} dip_order;

/* A range of stored pairs and its places in the order. */
typedef struct dip_window {
    uint64_t number;
    uint64_t row;   /* the first stored pair */
    uint64_t place; /* the first place in the order */
    uint64_t n;
} dip_window;

/* n >= 1; window 0 takes one for all pairs. */
dip_order dip_order_make(dip_rng rng, uint64_t epoch, uint64_t n, uint64_t window);

/* The window that has its turn at a place, place < n. */
dip_window dip_order_window(const dip_order *order, uint64_t place);

/* The order within a window: at a place of it stands the stored pair
 * window->row + dip_permute(within, place - window->place). */
dip_permutation dip_order_within(const dip_order *order, const dip_window *window);

/* The stored pair at a place, place < n. For many places, a permutation made once a window costs
 * less. */
uint64_t dip_order_row(const dip_order *order, uint64_t place);

/* What the system has been told about the pairs' map: the next window is read ahead while the
 * current one is used, and one that is over is let go. */
typedef struct dip_ahead {
    dip_window current; /* n 0: none yet */
    dip_window next;
    uint64_t asked; /* pairs of the next one that have been asked for */
} dip_ahead;

/* Before the pairs at places [begin, end) of an epoch are looked up. map holds the pairs, 8 bytes
 * each, from byte `start` on. Does nothing with one window. */
void dip_ahead_move(dip_ahead *ahead, const dip_order *order, const dip_map *map, size_t start,
                    uint64_t begin, uint64_t end);

#endif
