/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rank.h"

#include "base/mem.h"
#include "engine/rank_pass.h"
#include "engine/rank_scan.h"

#include <stdbool.h>
#include <string.h>

/* Queries whose search is done again, and their results. */
typedef struct again {
    size_t n;
    size_t *query; /* [n] of the job */
    float *queries;
    int64_t *start;
    int32_t *excluded;
    int64_t *items;
    float *scores;
} again;

static void free_again(again *a) {
    dip_free(a->query);
    dip_free(a->queries);
    dip_free(a->start);
    dip_free(a->excluded);
    dip_free(a->items);
    dip_free(a->scores);
}

static size_t rows_excluded(const dip_rank_job *job, size_t q) {
    return job->excluded != NULL ? (size_t)(job->excluded->start[q + 1] - job->excluded->start[q])
                                 : 0;
}

static dip_status alloc_again(again *a, const dip_rank_job *job, const bool *unproven,
                              dip_error *err) {
    static const char PURPOSE[] = "ranking again";
    size_t excluded = 0;
    for (size_t q = 0; q < job->n; q++) {
        excluded += unproven[q] ? rows_excluded(job, q) : 0;
    }
    a->query = dip_alloc(a->n, sizeof *a->query, PURPOSE, err);
    a->queries = dip_alloc(a->n, job->d * sizeof *a->queries, PURPOSE, err);
    a->start = dip_alloc(a->n + 1, sizeof *a->start, PURPOSE, err);
    a->excluded = dip_alloc(excluded, sizeof *a->excluded, PURPOSE, err);
    a->items = dip_alloc(a->n, job->k * sizeof *a->items, PURPOSE, err);
    a->scores = dip_alloc(a->n, job->k * sizeof *a->scores, PURPOSE, err);
    const bool is_whole = a->query != NULL && a->queries != NULL && a->start != NULL &&
                          a->excluded != NULL && a->items != NULL && a->scores != NULL;
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static void gather(again *a, const dip_rank_job *job, const bool *unproven) {
    size_t i = 0;
    for (size_t q = 0; q < job->n; q++) {
        if (!unproven[q]) {
            continue;
        }
        const size_t rows = rows_excluded(job, q);
        a->query[i] = q;
        memcpy(a->queries + i * job->d, job->queries + q * job->d, job->d * sizeof *a->queries);
        if (rows > 0) {
            memcpy(a->excluded + a->start[i], job->excluded->row + job->excluded->start[q],
                   rows * sizeof *a->excluded);
        }
        a->start[i + 1] = a->start[i] + (int64_t)rows;
        i++;
    }
}

static void scatter(const again *a, size_t k, int64_t *items, float *scores) {
    for (size_t i = 0; i < a->n; i++) {
        memcpy(items + a->query[i] * k, a->items + i * k, k * sizeof *items);
        memcpy(scores + a->query[i] * k, a->scores + i * k, k * sizeof *scores);
    }
}

static dip_status rank_surely(const dip_rank_job *job, int64_t *items, float *scores,
                              dip_error *err) {
    return job->n <= DIP_SCAN_QUERIES ? dip_rank_scan(job, items, scores, err)
                                      : dip_rank_pass(job, items, scores, NULL, err);
}

static dip_status rank_gathered(const dip_rank_job *job, const again *a, dip_error *err) {
    const dip_excluded excluded = {a->start, a->excluded};
    dip_rank_job part = *job;
    part.queries = a->queries;
    part.n = a->n;
    part.excluded = &excluded;
    return rank_surely(&part, a->items, a->scores, err);
}

static dip_status rank_again(const dip_rank_job *job, const bool *unproven, int64_t *items,
                             float *scores, dip_error *err) {
    again a = {0};
    for (size_t q = 0; q < job->n; q++) {
        a.n += unproven[q];
    }
    if (a.n == 0) {
        return DIP_OK;
    }
    dip_status status = alloc_again(&a, job, unproven, err);
    if (status == DIP_OK) {
        gather(&a, job, unproven);
        status = rank_gathered(job, &a, err);
    }
    if (status == DIP_OK) {
        scatter(&a, job->k, items, scores);
    }
    free_again(&a);
    return status;
}

/* Few short lists of a large catalogue: guesses would save less than reading it in another order
 * costs. */
static bool is_small(const dip_rank_job *job) {
    return job->n <= DIP_SCAN_QUERIES || job->n * job->k < job->m / 2;
}

dip_status dip_rank(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err) {
    if (is_small(job)) {
        return rank_surely(job, items, scores, err);
    }
    bool *unproven = dip_alloc(job->n, sizeof *unproven, "ranking", err);
    dip_status status = unproven != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        status = dip_rank_pass(job, items, scores, unproven, err);
    }
    if (status == DIP_OK) {
        status = rank_again(job, unproven, items, scores, err);
    }
    dip_free(unproven);
    return status;
}
