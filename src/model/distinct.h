/* SPDX-License-Identifier: Apache-2.0
 *
 * The distinct rows of a batch. A popular item comes several times in a batch; its vector is the
 * same each time, so the tower computes it once. The gradients of a query's copies are added before
 * the backward pass, which is linear in them; an item's copies are one candidate of the loss.
 */
#ifndef DIP_MODEL_DISTINCT_H
#define DIP_MODEL_DISTINCT_H

#include "base/status.h"
#include "math/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dip_distinct {
    size_t n;        /* distinct rows */
    int32_t *row;    /* [n] in the order of their first places */
    uint32_t *place; /* [batch] row[place[i]] is the row of example i */
    uint32_t *slot;  /* [slots] a hash table: place + 1, or 0 */
    size_t slots;    /* a power of two */
    int threads;
} dip_distinct;

dip_status dip_distinct_create(dip_distinct *distinct, size_t capacity, int threads,
                               dip_error *err);

/* Of n rows; or of n examples that differ although their rows may agree. */
void dip_distinct_find(dip_distinct *distinct, const int32_t *row, size_t n);
/* The same unless there are more than `most`: false then, and what was found is not all. */
bool dip_distinct_find_few(dip_distinct *distinct, const int32_t *row, size_t n, size_t most);
void dip_distinct_keep_all(dip_distinct *distinct, const int32_t *row, size_t n);

/* all [n x d]: the vector of each example from those of the distinct rows. */
void dip_distinct_spread(const dip_distinct *distinct, size_t n, size_t d, const dip_real *vectors,
                         dip_real *all);

/* sums [distinct x d]: the gradients of each distinct row, added in the order of the examples. */
void dip_distinct_sum(const dip_distinct *distinct, size_t n, size_t d, const dip_real *all,
                      dip_real *sums);

void dip_distinct_free(dip_distinct *distinct);

#endif
