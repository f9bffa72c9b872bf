/* SPDX-License-Identifier: Apache-2.0
 *
 * A running top-k: the k best (score, row) pairs of a stream, best first; among equal scores the
 * smaller row wins, whatever the order of arrival.
 */
#ifndef DIP_MATH_TOPK_H
#define DIP_MATH_TOPK_H

#include <stddef.h>
#include <stdint.h>

typedef struct dip_topk {
    size_t k;
    size_t n;     /* entries held; a binary heap with the worst on top while streaming */
    float *score; /* [k] caller's memory */
    int64_t *row; /* [k] caller's memory */
} dip_topk;

void dip_topk_init(dip_topk *top, size_t k, float *score, int64_t *row);

/* Offers the scores of rows first, first + 1, ..., n of them. -INFINITY and NaN are never taken. */
void dip_topk_offer(dip_topk *top, int64_t first, const float *scores, size_t n);

/* Sorts best first and fills the free places with row -1, score -INFINITY. Returns the number
 * held. */
size_t dip_topk_finish(dip_topk *top);

#endif
