/* SPDX-License-Identifier: Apache-2.0 */
#include "math/topk.h"

#include "math/kernels.h"

#include <math.h>
#include <stdbool.h>

void dip_topk_init(dip_topk *top, size_t k, float *score, int64_t *row) {
    *top = (dip_topk){.k = k, .score = score, .row = row};
}

/* Whether entry (score, row) ranks behind entry j. */
static bool is_worse(float score, int64_t row, const dip_topk *top, size_t j) {
    return score < top->score[j] || (score == top->score[j] && row > top->row[j]);
}

static void place(dip_topk *top, size_t at, float score, int64_t row) {
    top->score[at] = score;
    top->row[at] = row;
}

static void sift_up(dip_topk *top, float score, int64_t row) {
    size_t at = top->n++;
    while (at > 0 && is_worse(score, row, top, (at - 1) / 2)) {
        place(top, at, top->score[(at - 1) / 2], top->row[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(top, at, score, row);
}

/* Puts (score, row) at the root of a heap of n entries and restores the order. */
static void sift_down(dip_topk *top, size_t n, float score, int64_t row) {
    size_t at = 0;
    for (size_t child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && is_worse(top->score[child + 1], top->row[child + 1], top, child)) {
            child++;
        }
        if (is_worse(score, row, top, child)) {
            break;
        }
        place(top, at, top->score[child], top->row[child]);
        at = child;
    }
    place(top, at, score, row);
}

/* The score that an entry of this row or a later one must exceed: that of the worst held, or the
 * next one down as long as a tie would be won. */
static float find_bound(const dip_topk *top, int64_t row) {
    if (top->n < top->k) {
        return -INFINITY;
    }
    return row < top->row[0] ? nextafterf(top->score[0], -INFINITY) : top->score[0];
}

/* Most scores of a long stream are below the worst held, and the kernel skips those by the block.
 * NaN and -INFINITY are above no bound. */
void dip_topk_offer(dip_topk *top, int64_t first, const float *scores, size_t n) {
    const dip_kernels *kernels = dip_kernels_get();
    for (size_t i = 0; i < n; i++) {
        i += kernels->find_above(n - i, scores + i, find_bound(top, first + (int64_t)i));
        if (i == n) {
            return;
        }
        const int64_t row = first + (int64_t)i;
        if (top->n < top->k) {
            sift_up(top, scores[i], row);
        } else if (!is_worse(scores[i], row, top, 0)) {
            sift_down(top, top->k, scores[i], row);
        }
    }
}

size_t dip_topk_finish(dip_topk *top) {
    for (size_t n = top->n; n > 1; n--) {
        const float score = top->score[n - 1];
        const int64_t row = top->row[n - 1];
        place(top, n - 1, top->score[0], top->row[0]);
        sift_down(top, n - 1, score, row);
    }
    for (size_t i = top->n; i < top->k; i++) {
        place(top, i, -INFINITY, -1);
    }
    return top->n;
}
