/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact top-k of many queries over the whole catalogue: blocked products with a running top-k, so
 * that the full score matrix never exists.
 */
#ifndef DIP_ENGINE_RANK_H
#define DIP_ENGINE_RANK_H

#include "base/progress.h"

#include <stddef.h>
#include <stdint.h>

/* Rows that a query must not be given, ascending: row[start[q] .. start[q + 1]). */
typedef struct dip_excluded {
    const int64_t *start; /* [n + 1] */
    const int32_t *row;
} dip_excluded;

typedef struct dip_rank_job {
    const float *queries; /* [n x d] */
    size_t n;
    const float *catalogue; /* [m x d] */
    size_t m;
    size_t d;
    size_t k;
    const dip_excluded *excluded; /* may be NULL */
    int threads;
    const dip_watch *watch; /* may be NULL */
} dip_rank_job;

/* items [n x k] and scores [n x k] out, best first, ties by smaller row; -1 and -INFINITY where
 * fewer than k rows are left. */
dip_status dip_rank(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err);

#endif
