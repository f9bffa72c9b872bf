/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rows of a batch look the same in a view: for every feature both show the same values, or
 * both its default (because it is masked, missing, unknown or rare). Values are compared before any
 * of them is dropped, those of a bag in any order, by a hash of 64 bits a row.
 */
#ifndef DIP_ENGINE_VISIBLE_H
#define DIP_ENGINE_VISIBLE_H

#include "data/dataset.h"
#include "model/tower.h"

typedef struct dip_visible {
    uint64_t *hash; /* [capacity] */
    int32_t *h;     /* [capacity] rows with equal numbers look the same in view h, */
    int32_t *g;     /* [capacity] and in view g */
    uint32_t *slot; /* [slots] a hash table: place + 1, or 0 */
    size_t slots;   /* a power of two */
    int threads;
} dip_visible;

dip_status dip_visible_create(dip_visible *visible, size_t capacity, int threads, dip_error *err);

/* What an observer may see of n rows. */
typedef struct dip_sight {
    const dip_rows *rows;
    const dip_tower *tower; /* its features, and which of their values are rare */
    const int32_t *row;     /* [n] */
    size_t n;
    uint64_t mask;        /* bit f: feature f is masked in every row */
    const uint64_t *each; /* [n] masks of single rows in the place of mask; or NULL */
} dip_sight;

/* number: visible->h or visible->g. */
void dip_visible_find(dip_visible *visible, const dip_sight *sight, int32_t *number);

void dip_visible_free(dip_visible *visible);

#endif
