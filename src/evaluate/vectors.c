/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/vectors.h"

#include "base/mem.h"
#include "engine/encode.h"

#include <string.h>

static dip_status encode_both(dip_vectors *v, const dip_towers *towers, const dip_dataset *dataset,
                              const dip_questions *q, int threads, const dip_watch *watch,
                              dip_error *err) {
    v->items = dip_alloc(v->m, v->d * sizeof *v->items, "item vectors", err);
    v->queries = dip_alloc(v->n, v->d * sizeof *v->queries, "query vectors", err);
    if (v->items == NULL || v->queries == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_encode_job items = {.towers = towers,
                                  .side = DIP_SIDE_ITEM,
                                  .rows = &dataset->items,
                                  .n = v->m,
                                  .threads = threads,
                                  .watch = watch};
    const dip_encode_job queries = {.towers = towers,
                                    .side = DIP_SIDE_QUERY,
                                    .rows = dip_dataset_rows(dataset, DIP_SIDE_QUERY),
                                    .row = q->query,
                                    .n = v->n,
                                    .threads = threads,
                                    .watch = watch};
    DIP_TRY(dip_encode(&items, v->items, err));
    return dip_encode(&queries, v->queries, err);
}

dip_status dip_vectors_create(dip_vectors *vectors, const dip_towers *towers,
                              const dip_dataset *dataset, const dip_questions *questions,
                              int threads, const dip_watch *watch, dip_error *err) {
    *vectors =
        (dip_vectors){.m = (size_t)dataset->items.n, .n = questions->n, .d = towers->item.output};
    const dip_status status = encode_both(vectors, towers, dataset, questions, threads, watch, err);
    if (status != DIP_OK) {
        dip_vectors_free(vectors);
    }
    return status;
}

dip_status dip_vectors_rank(const dip_vectors_job *job, int64_t *items, dip_error *err) {
    const dip_vectors *v = job->vectors;
    const dip_excluded excluded = {job->questions->excluded.start + job->first,
                                   job->questions->excluded.row};
    float *scores = dip_alloc(job->n, job->k * sizeof *scores, "ranked scores", err);
    if (scores == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_rank_job rank = {.queries = v->queries + job->first * v->d,
                               .n = job->n,
                               .catalogue = v->items,
                               .m = v->m,
                               .d = v->d,
                               .k = job->k,
                               .excluded = &excluded,
                               .threads = job->threads,
                               .watch = job->watch};
    const dip_status status = dip_rank(&rank, items, scores, err);
    dip_free(scores);
    return status;
}

void dip_vectors_free(dip_vectors *vectors) {
    dip_free(vectors->items);
    dip_free(vectors->queries);
    memset(vectors, 0, sizeof *vectors);
}
