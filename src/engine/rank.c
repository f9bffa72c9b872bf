/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact search in two stages. Matrix products give every score approximately, in bfloat16 where the
 * processor has instructions for it; those that could belong to the list are computed again with
 * dip_vec_dot, and only these numbers are compared. With e the bound of an approximation's error,
 *
 *   |approximate - exact| <= e |q| |v|,
 *
 * an item whose approximate score lies below the worst of a full list by more than e |q| |v| cannot
 * enter it. So the result is that of exact scores, with the same bits for any processor, any number
 * of threads, and a query alone or among others; the more exact products are few.
 *
 * A strip of the catalogue is packed once and then meets all queries, a tile of them at a time.
 */
#include "engine/rank.h"

#include "base/mem.h"
#include "engine/rank_scan.h"
#include "math/bf16.h"
#include "math/gemm.h"
#include "math/isa.h"
#include "math/topk.h"
#include "math/vec.h"

#include <math.h>
#include <omp.h>

/* Blocks of 64 items whose scores are made at a time: in float, more make a better product. */
enum { QUERY_TILE = 128, STRIP = 2048, STRIP_BLOCKS = STRIP / DIP_BLOCK, FLOAT_GROUP = 8 };

typedef struct query_state {
    dip_topk top;
    const int32_t *next; /* the first excluded row not yet met */
    const int32_t *end;
    float norm;
} query_state;

/* What one thread needs for a tile of queries. */
typedef struct scratch {
    float *scores;  /* [QUERY_TILE] at stride ldc */
    dip_bf16 *rows; /* [QUERY_TILE x d] rounded, at dip_row_stride */
} scratch;

typedef struct ranking {
    const dip_rank_job *job;
    const dip_bf16_kernels *bf16; /* NULL: approximate scores are made in float */
    float error;                  /* e */
    size_t group;                 /* blocks whose scores are made at a time */
    size_t ldc;                   /* stride of their scores */
    query_state *state;           /* [n] */
    scratch *scratch;             /* [threads] */
    dip_bf16 *packed;             /* P(V^T) of a strip */
    float norm[STRIP_BLOCKS];     /* largest |v| of each block of the strip */
    size_t first;                 /* of the strip */
    size_t items;
} ranking;

static float norm_of(size_t n, const float *x) {
    return (float)sqrt(dip_vec_square_sum(n, x));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static dip_status alloc_scratch(ranking *r, dip_error *err) {
    static const char PURPOSE[] = "score tiles";
    const dip_rank_job *job = r->job;
    for (int t = 0; t < job->threads; t++) {
        scratch *s = &r->scratch[t];
        s->scores = dip_alloc(QUERY_TILE, r->ldc * sizeof *s->scores, PURPOSE, err);
        s->rows = dip_alloc(QUERY_TILE, dip_row_stride(job->d) * sizeof *s->rows, PURPOSE, err);
        if (s->scores == NULL || s->rows == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    return DIP_OK;
}

static dip_status alloc_all(ranking *r, dip_error *err) {
    static const char PURPOSE[] = "ranking";
    const dip_rank_job *job = r->job;
    r->state = dip_alloc(job->n, sizeof *r->state, PURPOSE, err);
    r->scratch = dip_alloc((size_t)job->threads, sizeof *r->scratch, PURPOSE, err);
    r->packed = dip_alloc(STRIP_BLOCKS * dip_packed_block(dip_wide(job->d)), sizeof *r->packed,
                          PURPOSE, err);
    if (r->state == NULL || r->scratch == NULL || r->packed == NULL) {
        return DIP_ERR_MEMORY;
    }
    return alloc_scratch(r, err);
}

static void free_all(ranking *r) {
    for (int t = 0; r->scratch != NULL && t < r->job->threads; t++) {
        dip_free(r->scratch[t].scores);
        dip_free(r->scratch[t].rows);
    }
    dip_free(r->scratch);
    dip_free(r->state);
    dip_free(r->packed);
}

/* ---- approximate scores ---------------------------------------------------------------------- */

static void start_queries(ranking *r, int64_t *items, float *scores) {
    const dip_rank_job *job = r->job;
#pragma omp parallel for schedule(static) num_threads(job->threads)
    for (size_t q = 0; q < job->n; q++) {
        query_state *state = &r->state[q];
        dip_topk_init(&state->top, job->k, scores + q * job->k, items + q * job->k);
        state->norm = norm_of(job->d, job->queries + q * job->d);
        if (job->excluded != NULL) {
            state->next = job->excluded->row + job->excluded->start[q];
            state->end = job->excluded->row + job->excluded->start[q + 1];
        }
    }
}

/* Rounds rows of x to the padded width. */
static void round_rows(const ranking *r, const float *x, size_t n, dip_bf16 *rows) {
    const size_t d = r->job->d;
    const size_t stride = dip_row_stride(d);
    for (size_t i = 0; i < n; i++) {
        r->bf16->round(d, x + i * d, rows + i * stride);
        memset(rows + i * stride + d, 0, (dip_wide(d) - d) * sizeof *rows);
    }
}

static void pack_block(ranking *r, size_t block) {
    const dip_rank_job *job = r->job;
    const size_t first = block * DIP_BLOCK;
    const size_t n = r->items - first < DIP_BLOCK ? r->items - first : DIP_BLOCK;
    const float *v = job->catalogue + (r->first + first) * job->d;
    r->norm[block] = 0;
    for (size_t i = 0; i < n; i++) {
        const float norm = norm_of(job->d, v + i * job->d);
        r->norm[block] = norm <= r->norm[block] ? r->norm[block] : norm;
    }
    if (r->bf16 != NULL) {
        dip_bf16 *rows = r->scratch[omp_get_thread_num()].rows;
        const size_t wide = dip_wide(job->d);
        round_rows(r, v, n, rows);
        r->bf16->pack_transposed(n, wide, rows, dip_row_stride(job->d),
                                 r->packed + block * dip_packed_block(wide));
    }
}

/* Scores of a tile of queries with n items from a block of the strip on. */
static void score_block(const ranking *r, const scratch *s, size_t q, size_t rows, size_t block,
                        size_t n) {
    const dip_rank_job *job = r->job;
    const size_t wide = dip_wide(job->d);
    if (r->bf16 != NULL) {
        const dip_bf16 *b = r->packed + block * dip_packed_block(wide);
        const bool is_last = (block + 1) * DIP_BLOCK >= r->items;
        r->bf16->tile(&(dip_tile){.m = rows,
                                  .a = {s->rows, dip_row_stride(job->d)},
                                  .b = b,
                                  .pairs = dip_pairs(wide),
                                  .c = s->scores,
                                  .ldc = r->ldc,
                                  .next = is_last ? NULL : b + dip_packed_block(wide)});
        return;
    }
    const float *v = job->catalogue + (r->first + block * DIP_BLOCK) * job->d;
    dip_gemm(rows, n, job->d, 1, (dip_operand){job->queries + q * job->d, job->d, false},
             (dip_operand){v, job->d, true}, 0, s->scores, r->ldc);
}

/* ---- exact scores ---------------------------------------------------------------------------- */

static bool is_excluded(query_state *state, int32_t row) {
    while (state->next < state->end && *state->next < row) {
        state->next++;
    }
    return state->next < state->end && *state->next == row;
}

static void offer_exactly(const ranking *r, size_t q, size_t row) {
    const dip_rank_job *job = r->job;
    query_state *state = &r->state[q];
    if (!is_excluded(state, (int32_t)row)) {
        const float score =
            dip_vec_dot(job->d, job->queries + q * job->d, job->catalogue + row * job->d);
        dip_topk_offer(&state->top, (int64_t)row, &score, 1);
    }
}

/* A score at least this may belong to an exact one that enters the list. Without a bound of the
 * error, for numbers too large for it, every score may; so may any where the list is not full. */
static float bound_of(const query_state *state, float margin) {
    const bool has_bound = state->top.n == state->top.k && isfinite(margin);
    return has_bound ? state->top.score[0] - margin : -INFINITY;
}

static void offer_block(const ranking *r, size_t q, size_t block, uint64_t candidates,
                        const float *scores) {
    const query_state *state = &r->state[q];
    const float margin = r->error * state->norm * r->norm[block];
    for (; candidates != 0; candidates &= candidates - 1) {
        const size_t i = (size_t)__builtin_ctzll(candidates);
        /* The bound has risen since the block was compared. */
        if (!(scores[i] < bound_of(state, margin))) {
            offer_exactly(r, q, r->first + block * DIP_BLOCK + i);
        }
    }
}

/* The queries of a tile. */
typedef struct tile {
    size_t q;
    size_t rows;
    float worst[QUERY_TILE]; /* of a full list; -infinity while there is room */
    float reach[QUERY_TILE]; /* e |q| */
} tile;

static float worst_of(const query_state *state) {
    return state->top.n == state->top.k ? state->top.score[0] : -INFINITY;
}

/* Offers the items of one block of the strip that may enter the lists. */
static void offer_candidates(const ranking *r, tile *t, size_t block, size_t n,
                             const float *scores) {
    const uint64_t all = n == DIP_BLOCK ? UINT64_MAX : ((uint64_t)1 << n) - 1;
    const float norm = r->norm[block];
    float bound[QUERY_TILE];
    uint64_t candidates[QUERY_TILE];
    for (size_t i = 0; i < t->rows; i++) {
        bound[i] = t->worst[i] - t->reach[i] * norm;
    }
    dip_bf16_get()->compare(t->rows, scores, r->ldc, bound, candidates);
    for (size_t i = 0; i < t->rows; i++) {
        const uint64_t some = isfinite(bound[i]) ? candidates[i] & all : all;
        if (some != 0) {
            offer_block(r, t->q + i, block, some, scores + i * r->ldc);
            t->worst[i] = worst_of(&r->state[t->q + i]);
        }
    }
}

static void rank_tile(const ranking *r, size_t index) {
    const dip_rank_job *job = r->job;
    const scratch *s = &r->scratch[omp_get_thread_num()];
    tile t = {.q = index * QUERY_TILE};
    t.rows = job->n - t.q < QUERY_TILE ? job->n - t.q : QUERY_TILE;
    for (size_t i = 0; i < t.rows; i++) {
        t.worst[i] = worst_of(&r->state[t.q + i]);
        t.reach[i] = r->error * r->state[t.q + i].norm;
    }
    if (r->bf16 != NULL) {
        round_rows(r, job->queries + t.q * job->d, t.rows, s->rows);
    }
    const size_t step = r->group * DIP_BLOCK;
    for (size_t first = 0; first < r->items; first += step) {
        const size_t left = r->items - first;
        score_block(r, s, t.q, t.rows, first / DIP_BLOCK, left < step ? left : step);
        for (size_t at = first; at < r->items && at < first + step; at += DIP_BLOCK) {
            const size_t n = r->items - at < DIP_BLOCK ? r->items - at : DIP_BLOCK;
            offer_candidates(r, &t, at / DIP_BLOCK, n, s->scores + (at - first));
        }
    }
}

/* ---- the whole catalogue --------------------------------------------------------------------- */

static void rank_strip(ranking *r) {
    const size_t blocks = dip_blocks(r->items);
    const size_t tiles = (r->job->n + QUERY_TILE - 1) / QUERY_TILE;
#pragma omp parallel num_threads(r->job->threads)
    {
#pragma omp for schedule(static)
        for (size_t block = 0; block < blocks; block++) {
            pack_block(r, block);
        }
#pragma omp for schedule(dynamic)
        for (size_t index = 0; index < tiles; index++) {
            rank_tile(r, index);
        }
    }
}

static dip_status rank_all(ranking *r, int64_t *items, float *scores, dip_error *err) {
    const dip_rank_job *job = r->job;
    dip_progress progress = {.phase = "ranking", .unit = "queries", .detail = "", .total = job->n};
    start_queries(r, items, scores);
    for (r->first = 0; r->first < job->m; r->first += STRIP) {
        r->items = job->m - r->first < STRIP ? job->m - r->first : STRIP;
        rank_strip(r);
        progress.done = (uint64_t)((double)job->n * (double)(r->first + r->items) / (double)job->m);
        DIP_TRY(dip_tell(job->watch, &progress, err));
    }
    for (size_t q = 0; q < job->n; q++) {
        dip_topk_finish(&r->state[q].top);
    }
    return DIP_OK;
}

dip_status dip_rank(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err) {
    if (job->n <= DIP_SCAN_QUERIES) {
        return dip_rank_scan(job, items, scores, err);
    }
    const bool is_fast = dip_isa_get() >= DIP_ISA_AVX512_BF16;
    const float sums = (float)job->d * 0x1p-22f; /* of the products' sums, here and there */
    ranking r = {.job = job,
                 .bf16 = is_fast ? dip_bf16_get() : NULL,
                 .error = is_fast ? 0x1p-8f + 0x1p-17f + sums : sums,
                 .group = is_fast ? 1 : FLOAT_GROUP,
                 .ldc = is_fast ? DIP_BLOCK : FLOAT_GROUP * DIP_BLOCK};
    dip_status status = alloc_all(&r, err);
    if (status == DIP_OK) {
        status = rank_all(&r, items, scores, err);
    }
    free_all(&r);
    return status;
}
