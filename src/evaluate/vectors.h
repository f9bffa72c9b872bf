/* SPDX-License-Identifier: Apache-2.0
 *
 * The vectors of a model that a ranking needs: the whole catalogue and the queries that are asked.
 */
#ifndef DIP_EVALUATE_VECTORS_H
#define DIP_EVALUATE_VECTORS_H

#include "base/progress.h"
#include "evaluate/questions.h"
#include "model/tower.h"

typedef struct dip_vectors {
    size_t m;       /* items */
    size_t n;       /* queries, those of the questions */
    size_t d;       /* width */
    float *items;   /* [m x d] */
    float *queries; /* [n x d] */
} dip_vectors;

dip_status dip_vectors_create(dip_vectors *vectors, const dip_towers *towers,
                              const dip_dataset *dataset, const dip_questions *questions,
                              int threads, const dip_watch *watch, dip_error *err);

/* The first k items of queries first ... first + n - 1, without the rows that the questions
 * exclude. items [n x k] out, best first, -1 behind the end. */
typedef struct dip_vectors_job {
    const dip_vectors *vectors;
    const dip_questions *questions;
    size_t first;
    size_t n;
    size_t k;
    int threads;
    const dip_watch *watch; /* may be NULL */
} dip_vectors_job;

dip_status dip_vectors_rank(const dip_vectors_job *job, int64_t *items, dip_error *err);

void dip_vectors_free(dip_vectors *vectors);

#endif
