/* SPDX-License-Identifier: Apache-2.0 */
#include "retrieve/index.h"

#include "base/mem.h"
#include "engine/encode.h"
#include "engine/engine.h"
#include "engine/rank.h"

#include <string.h>

dip_status dip_index_make(dip_index *index, const dip_model *model, const dip_dataset *dataset,
                          const dip_watch *watch, dip_error *err) {
    DIP_TRY(dip_model_check_dataset(model, dataset, err));
    const size_t n = (size_t)dataset->items.n;
    *index = (dip_index){
        .model = model, .dataset = dataset, .threads = dip_engine_threads(&model->config)};
    index->items =
        dip_alloc(n, model->towers.item.output * sizeof *index->items, "item vectors", err);
    if (index->items == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_encode_job job = {.towers = &model->towers,
                                .side = DIP_SIDE_ITEM,
                                .rows = &dataset->items,
                                .n = n,
                                .threads = index->threads,
                                .watch = watch};
    const dip_status status = dip_encode(&job, index->items, err);
    if (status != DIP_OK) {
        dip_index_release(index);
    }
    return status;
}

static dip_status find_query(const dip_index *index, const char *id, int32_t *row, dip_error *err) {
    const dip_rows *rows = dip_dataset_rows(index->dataset, DIP_SIDE_QUERY);
    const int64_t found = dip_rows_find(rows, id);
    if (found < 0) {
        char nearest[500];
        dip_rows_nearest(rows, id, nearest, sizeof nearest);
        return dip_fail(err, DIP_ERR_USAGE, "there is no query \"%.200s\"%s%s", id,
                        nearest[0] != '\0' ? "; nearest in spelling: " : "", nearest);
    }
    *row = (int32_t)found;
    return DIP_OK;
}

dip_status dip_index_for_query(const dip_index *index, const char *query_id, size_t k,
                               int64_t *items, float *scores, size_t *found, dip_error *err) {
    const size_t d = index->model->towers.query.output;
    int32_t row = 0;
    DIP_TRY(find_query(index, query_id, &row, err));
    float *vector = dip_alloc(d, sizeof *vector, "a query vector", err);
    if (vector == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_encode_job encode = {.towers = &index->model->towers,
                                   .side = DIP_SIDE_QUERY,
                                   .rows = dip_dataset_rows(index->dataset, DIP_SIDE_QUERY),
                                   .row = &row,
                                   .n = 1,
                                   .threads = 1};
    const int64_t starts[2] = {0, index->dataset->schema.queries_are_items};
    const dip_excluded excluded = {starts, &row};
    const dip_rank_job rank = {.queries = vector,
                               .n = 1,
                               .catalogue = index->items,
                               .m = (size_t)index->dataset->items.n,
                               .d = d,
                               .k = k,
                               .excluded = &excluded,
                               .threads = index->threads};
    dip_status status = dip_encode(&encode, vector, err);
    if (status == DIP_OK) {
        status = dip_rank(&rank, items, scores, err);
    }
    dip_free(vector);
    *found = 0;
    while (status == DIP_OK && *found < k && items[*found] >= 0) {
        ++*found;
    }
    return status;
}

void dip_index_release(dip_index *index) {
    dip_free(index->items);
    memset(index, 0, sizeof *index);
}
