/* SPDX-License-Identifier: Apache-2.0 */
#include "train/query_batch.h"

#include "base/mem.h"
#include "prepare/query_information.h"

#include <string.h>

/* Queries that are items have their features, and so their information. */
static dip_status make_augmenter(dip_query_batch *batch, const dip_dataset *dataset,
                                 const dip_config *config, dip_error *err) {
    const dip_schema *schema = &dataset->schema;
    const uint64_t seed = (uint64_t)config->seed;
    const int method = config->ssl.method;
    if (schema->queries_are_items) {
        return dip_augmenter_make_queries(&batch->augmenter, method, schema->items.n_features,
                                          dataset->mutual_information, seed, err);
    }
    const size_t k = schema->queries.n_features;
    double *matrix = NULL;
    if (k >= 2 && dip_method_needs_information(method)) {
        matrix = dip_alloc(k * k, sizeof *matrix, "mutual information of queries", err);
        if (matrix == NULL) {
            return DIP_ERR_MEMORY;
        }
        const dip_status status = dip_query_information(dataset, seed, matrix, err);
        if (status != DIP_OK) {
            dip_free(matrix);
            return status;
        }
    }
    const dip_status status =
        dip_augmenter_make_queries(&batch->augmenter, method, k, matrix, seed, err);
    dip_free(matrix);
    return status;
}

static dip_status alloc_rows(dip_query_batch *batch, const dip_config *config, dip_error *err) {
    static const char PURPOSE[] = "queries of the second loss";
    batch->row = dip_alloc(batch->n, sizeof *batch->row, PURPOSE, err);
    if (batch->row == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (config->ssl.masks == DIP_MASKS_BATCH) {
        return DIP_OK;
    }
    batch->each_h = dip_alloc(batch->n, sizeof *batch->each_h, PURPOSE, err);
    batch->each_g = dip_alloc(batch->n, sizeof *batch->each_g, PURPOSE, err);
    return batch->each_h != NULL && batch->each_g != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

dip_status dip_query_batch_create(dip_query_batch *batch, const dip_dataset *dataset,
                                  const dip_config *config, dip_error *err) {
    memset(batch, 0, sizeof *batch);
    if (!dip_engine_has_queries(config)) {
        return DIP_OK;
    }
    batch->n_rows = (size_t)dip_dataset_rows(dataset, DIP_SIDE_QUERY)->n;
    batch->n =
        (size_t)config->ssl.batch < batch->n_rows ? (size_t)config->ssl.batch : batch->n_rows;
    batch->rng = dip_rng_make((uint64_t)config->seed, DIP_DRAW_QUERIES);
    batch->threads = dip_engine_threads(config);
    if (batch->n < 2) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "ssl.towers: both: there are %zu queries for the second loss; it needs two",
                        batch->n_rows);
    }
    DIP_TRY(make_augmenter(batch, dataset, config, err));
    return alloc_rows(batch, config, err);
}

dip_self_queries dip_query_batch_fill(dip_query_batch *batch, uint64_t step) {
    if (batch->n == 0) {
        return (dip_self_queries){0};
    }
    const dip_permutation order = dip_permutation_make(batch->rng, step, batch->n_rows);
#pragma omp parallel for schedule(static) num_threads(batch->threads)
    for (size_t i = 0; i < batch->n; i++) {
        batch->row[i] = (int32_t)dip_permute(&order, i);
        if (batch->each_h != NULL) {
            const dip_masks masks = dip_augmenter_draw_example(&batch->augmenter, step, i);
            batch->each_h[i] = masks.h;
            batch->each_g[i] = masks.g;
        }
    }
    return (dip_self_queries){.n = batch->n,
                              .row = batch->row,
                              .masks = dip_augmenter_draw(&batch->augmenter, step),
                              .each_h = batch->each_h,
                              .each_g = batch->each_g};
}

void dip_query_batch_free(dip_query_batch *batch) {
    dip_free(batch->row);
    dip_free(batch->each_h);
    dip_free(batch->each_g);
    memset(batch, 0, sizeof *batch);
}
