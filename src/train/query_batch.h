/* SPDX-License-Identifier: Apache-2.0
 *
 * The queries of the second loss, with ssl.towers = both: uniform over all queries and distinct in
 * a batch, with masks of their own. A pure function of (seed, step).
 */
#ifndef DIP_TRAIN_QUERY_BATCH_H
#define DIP_TRAIN_QUERY_BATCH_H

#include "engine/engine.h"

typedef struct dip_query_batch {
    size_t n;         /* queries in a batch; 0 when there are none to train */
    size_t n_rows;    /* that they are drawn from */
    int32_t *row;     /* [n] */
    uint64_t *each_h; /* [n] masks of single queries; NULL when they are the batch's */
    uint64_t *each_g;
    dip_augmenter augmenter;
    dip_rng rng;
    int threads;
} dip_query_batch;

/* config->ssl.batch is the size of the items' batch. DIP_ERR_USAGE when a masking method meets
 * queries of fewer than two features. */
dip_status dip_query_batch_create(dip_query_batch *batch, const dip_dataset *dataset,
                                  const dip_config *config, dip_error *err);

/* The queries of a step; valid until the next call. */
dip_self_queries dip_query_batch_fill(dip_query_batch *batch, uint64_t step);

void dip_query_batch_free(dip_query_batch *batch);

#endif
