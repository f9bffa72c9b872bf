/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rank.h"

#include "base/mem.h"
#include "math/gemm.h"
#include "math/topk.h"

#include <math.h>
#include <omp.h>

/* A tile of scores, 64 queries by 1024 items, is 256 KiB: it stays in the second-level cache
 * between the product that writes it and the scan that reads it. */
enum { QUERY_TILE = 64, ITEM_TILE = 1024, GROUPS_PER_TELL = 8 };

typedef struct query_state {
    dip_topk top;
    const int32_t *next; /* the first excluded row not yet met */
    const int32_t *end;
} query_state;

static void start_query(query_state *state, const dip_rank_job *job, size_t q, int64_t *items,
                        float *scores) {
    dip_topk_init(&state->top, job->k, scores + q * job->k, items + q * job->k);
    state->next = NULL;
    state->end = NULL;
    if (job->excluded != NULL) {
        state->next = job->excluded->row + job->excluded->start[q];
        state->end = job->excluded->row + job->excluded->start[q + 1];
    }
}

static void offer_tile(query_state *state, float *row, size_t first, size_t n) {
    for (; state->next < state->end && (size_t)*state->next < first + n; state->next++) {
        row[(size_t)*state->next - first] = -INFINITY;
    }
    dip_topk_offer(&state->top, (int64_t)first, row, n);
}

static void rank_tile(const dip_rank_job *job, size_t tile, float *buffer, int64_t *items,
                      float *scores) {
    query_state state[QUERY_TILE];
    const size_t q = tile * QUERY_TILE;
    const size_t rows = job->n - q < QUERY_TILE ? job->n - q : QUERY_TILE;
    for (size_t i = 0; i < rows; i++) {
        start_query(&state[i], job, q + i, items, scores);
    }
    for (size_t first = 0; first < job->m; first += ITEM_TILE) {
        const size_t n = job->m - first < ITEM_TILE ? job->m - first : ITEM_TILE;
        dip_gemm(rows, n, job->d, 1, (dip_operand){job->queries + q * job->d, job->d, false},
                 (dip_operand){job->catalogue + first * job->d, job->d, true}, 0, buffer,
                 ITEM_TILE);
        for (size_t i = 0; i < rows; i++) {
            offer_tile(&state[i], buffer + i * ITEM_TILE, first, n);
        }
    }
    for (size_t i = 0; i < rows; i++) {
        dip_topk_finish(&state[i].top);
    }
}

static dip_status rank_all(const dip_rank_job *job, float *buffers, int64_t *items, float *scores,
                           dip_error *err) {
    const size_t tiles = (job->n + QUERY_TILE - 1) / QUERY_TILE;
    const size_t group = (size_t)job->threads * GROUPS_PER_TELL;
    dip_progress progress = {.phase = "ranking", .unit = "queries", .detail = "", .total = job->n};
    for (size_t begin = 0; begin < tiles; begin += group) {
        const size_t end = begin + group < tiles ? begin + group : tiles;
#pragma omp parallel for schedule(static, 1) num_threads(job->threads)
        for (size_t tile = begin; tile < end; tile++) {
            float *buffer = buffers + (size_t)omp_get_thread_num() * QUERY_TILE * ITEM_TILE;
            rank_tile(job, tile, buffer, items, scores);
        }
        progress.done = end * QUERY_TILE < job->n ? end * QUERY_TILE : job->n;
        DIP_TRY(dip_tell(job->watch, &progress, err));
    }
    return DIP_OK;
}

dip_status dip_rank(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err) {
    float *buffers = dip_alloc((size_t)job->threads, QUERY_TILE * ITEM_TILE * sizeof *buffers,
                               "score tiles", err);
    if (buffers == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = rank_all(job, buffers, items, scores, err);
    dip_free(buffers);
    return status;
}
