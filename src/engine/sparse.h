/* SPDX-License-Identifier: Apache-2.0
 *
 * Sparse updates of embedding tables. Every pooled value of every pass of a step is one
 * occurrence: a table row, and a gradient dx_f of its block times the pooling factor. Occurrences
 * are sorted by row (stable, so each row's sum always runs in the same order), summed per row, and
 * each touched row is updated once. The cost depends on the batch, never on the table.
 */
#ifndef DIP_ENGINE_SPARSE_H
#define DIP_ENGINE_SPARSE_H

#include "engine/optimizer.h"
#include "model/pass.h"

typedef struct dip_touched {
    int param;       /* the table */
    dip_term *list;  /* [capacity] its occurrences, with gradients of the table's width */
    dip_term *spare; /* [capacity] the other half of the radix sort */
    size_t *first;   /* [capacity] where each touched row's occurrences begin, and their end */
    size_t n;
    size_t capacity;
    size_t n_rows;
    dip_status status; /* of the last collection, which ran on some thread */
    dip_error problem;
} dip_touched;

typedef struct dip_sparse {
    size_t n_tables;
    dip_touched *table;
    size_t *order; /* [n_tables] tables, those with most occurrences in the last step first */
    int threads;
    size_t width;   /* widest table */
    size_t stride;  /* of the rows of sums */
    dip_real *sums; /* [threads x width] */
} dip_sparse;

dip_status dip_sparse_create(dip_sparse *sparse, const dip_params *params, int threads,
                             dip_error *err);

/* Collects and sorts the occurrences of the passes of a step. Gradients stay in the passes' dx. */
dip_status dip_sparse_collect(dip_sparse *sparse, const dip_pass *const *pass, size_t n_passes,
                              dip_error *err);

/* Updates the touched rows. */
void dip_sparse_update(dip_sparse *sparse, dip_params *params, const dip_optimizer *optimizer,
                       const dip_update *update);

void dip_sparse_free(dip_sparse *sparse);

#endif
