/* SPDX-License-Identifier: Apache-2.0
 *
 * Each thread keeps a list a query over its part of the catalogue; then the lists are merged. As
 * the order of (score, row) is total, the cut into parts does not show in the result.
 */
#include "engine/rank_scan.h"

#include "base/mem.h"
#include "engine/rank_excluded.h"
#include "math/topk.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64 };

/* The lists of one part, [n x k]. */
typedef struct part {
    dip_topk *top;
    int64_t *items;
    float *scores;
} part;

static dip_status alloc_part(part *p, const dip_rank_job *job, dip_error *err) {
    static const char PURPOSE[] = "ranking";
    p->top = dip_alloc(job->n, sizeof *p->top, PURPOSE, err);
    p->items = dip_alloc(job->n, job->k * sizeof *p->items, PURPOSE, err);
    p->scores = dip_alloc(job->n, job->k * sizeof *p->scores, PURPOSE, err);
    if (p->top == NULL || p->items == NULL || p->scores == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t q = 0; q < job->n; q++) {
        dip_topk_init(&p->top[q], job->k, p->scores + q * job->k, p->items + q * job->k);
    }
    return DIP_OK;
}

/* Scores of excluded rows among n from `first` on become -infinity, which no list takes. */
static void exclude(const dip_rank_job *job, size_t q, size_t first, size_t n, float *scores) {
    const int32_t *row = job->excluded->row;
    const int64_t end = job->excluded->start[q + 1];
    int64_t at = dip_excluded_from(job->excluded, q, first);
    for (; at < end && (size_t)row[at] < first + n; at++) {
        scores[(size_t)row[at] - first] = -INFINITY;
    }
}

static void scan_block(const dip_rank_job *job, part *p, size_t first, size_t n) {
    for (size_t q = 0; q < job->n; q++) {
        float scores[BLOCK];
        for (size_t i = 0; i < n; i++) {
            scores[i] = dip_vec_dot(job->d, job->queries + q * job->d,
                                    job->catalogue + (first + i) * job->d);
        }
        if (job->excluded != NULL) {
            exclude(job, q, first, n, scores);
        }
        dip_topk_offer(&p->top[q], (int64_t)first, scores, n);
    }
}

static void scan_part(const dip_rank_job *job, part *p, size_t begin, size_t end) {
    for (size_t first = begin; first < end; first += BLOCK) {
        scan_block(job, p, first, end - first < BLOCK ? end - first : BLOCK);
    }
}

static void merge(const dip_rank_job *job, const part *parts, int64_t *items, float *scores) {
    for (size_t q = 0; q < job->n; q++) {
        dip_topk top;
        dip_topk_init(&top, job->k, scores + q * job->k, items + q * job->k);
        for (int t = 0; t < job->threads; t++) {
            const dip_topk *from = &parts[t].top[q];
            for (size_t i = 0; i < from->n; i++) {
                dip_topk_offer(&top, from->row[i], &from->score[i], 1);
            }
        }
        dip_topk_finish(&top);
    }
}

static dip_status scan(const dip_rank_job *job, part *parts, int64_t *items, float *scores,
                       dip_error *err) {
    const size_t threads = (size_t)job->threads;
    for (size_t t = 0; t < threads; t++) {
        DIP_TRY(alloc_part(&parts[t], job, err));
    }
#pragma omp parallel for schedule(static, 1) num_threads(job->threads)
    for (size_t t = 0; t < threads; t++) {
        scan_part(job, &parts[t], job->m * t / threads, job->m * (t + 1) / threads);
    }
    merge(job, parts, items, scores);
    const dip_progress progress = {
        .phase = "ranking", .unit = "queries", .detail = "", .done = job->n, .total = job->n};
    return dip_tell(job->watch, &progress, err);
}

dip_status dip_rank_scan(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err) {
    part *parts = dip_alloc((size_t)job->threads, sizeof *parts, "ranking", err);
    if (parts == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = scan(job, parts, items, scores, err);
    for (int t = 0; t < job->threads; t++) {
        dip_free(parts[t].top);
        dip_free(parts[t].items);
        dip_free(parts[t].scores);
    }
    dip_free(parts);
    return status;
}
