/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact search in two stages. Matrix products give every score approximately, in bfloat16 where the
 * processor has instructions for it. With e the bound of an approximation's error,
 *
 *   |approximate - exact| <= e |q| |v|,
 *
 * most items cannot be among the k best; those that can are kept in a short list, and at the end
 * their scores are computed again with dip_vec_dot. Only these numbers are compared. So the result
 * is that of exact scores, with the same bits for any processor, any number of threads, and a query
 * alone or among others.
 *
 * Queries are taken in rounds, as many as there are lists. A strip of the catalogue is packed once
 * and then meets all queries of a round, a tile of them at a time.
 */
#include "engine/rank.h"

#include "base/mem.h"
#include "engine/rank_list.h"
#include "engine/rank_scan.h"
#include "math/bf16.h"
#include "math/gemm.h"
#include "math/isa.h"
#include "math/kernels.h"
#include "math/vec.h"

#include <math.h>
#include <omp.h>

/* A group of items stays in the second-level cache while the parts of a tile of queries meet it. */
enum { PART = 64, QUERY_TILE = 4 * PART, GROUP = 8 * DIP_BLOCK };
enum { STRIP = 4096, STRIP_BLOCKS = STRIP / DIP_BLOCK };

typedef struct query_state {
    const int32_t *next; /* the first excluded row not yet met */
    const int32_t *end;
    float norm;
} query_state;

/* What one thread needs for a tile of queries. */
typedef struct scratch {
    float *scores;  /* [PART x GROUP] in float, [PART x 64] with bfloat16, and then: */
    dip_bf16 *rows; /* [QUERY_TILE x d] rounded, at dip_row_stride */
    dip_hit *hits;  /* [PART x GROUP] */
} scratch;

typedef struct ranking {
    const dip_rank_job *job;
    const dip_bf16_kernels *bf16; /* NULL: approximate scores are made in float */
    float error;                  /* e */
    dip_rank_lists lists;         /* those of a round's queries */
    query_state *state;           /* [lists.count] */
    scratch *scratch;             /* [threads] */
    dip_bf16 *packed;             /* P(V^T) of a strip */
    float norm[STRIP_BLOCKS];     /* largest |v| of each block of the strip */
    size_t q;                     /* first query of the round */
    size_t queries;               /* of the round */
    size_t first;                 /* first item of the strip */
    size_t items;                 /* of the strip */
} ranking;

/* |x| for the bound of an error. It is infinite, and so is the bound, where products could
 * overflow, and not so small that numbers below the smallest normal one, which products take for 0,
 * exceed the bound. */
static float norm_of(size_t n, const float *x) {
    const double norm = sqrt(dip_vec_square_sum(n, x));
    if (!(norm < 0x1p60)) {
        return INFINITY;
    }
    return norm > 0x1p-40 ? (float)norm : 0x1p-40f;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static dip_status alloc_scratch(ranking *r, scratch *s, dip_error *err) {
    static const char PURPOSE[] = "score tiles";
    const size_t columns = r->bf16 != NULL ? DIP_BLOCK : GROUP;
    s->scores = dip_alloc(PART, columns * sizeof *s->scores, PURPOSE, err);
    if (s->scores == NULL || r->bf16 == NULL) {
        return s->scores != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    s->rows = dip_alloc(QUERY_TILE, dip_row_stride(r->job->d) * sizeof *s->rows, PURPOSE, err);
    s->hits = dip_alloc(PART, GROUP * sizeof *s->hits, PURPOSE, err);
    return s->rows != NULL && s->hits != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_all(ranking *r, dip_error *err) {
    static const char PURPOSE[] = "ranking";
    const dip_rank_job *job = r->job;
    DIP_TRY(dip_rank_lists_create(&r->lists, job, err));
    r->state = dip_alloc(r->lists.count, sizeof *r->state, PURPOSE, err);
    r->scratch = dip_alloc((size_t)job->threads, sizeof *r->scratch, PURPOSE, err);
    r->packed = dip_alloc(STRIP_BLOCKS * dip_packed_block(dip_wide(job->d)), sizeof *r->packed,
                          PURPOSE, err);
    if (r->state == NULL || r->scratch == NULL || r->packed == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (int t = 0; t < job->threads; t++) {
        DIP_TRY(alloc_scratch(r, &r->scratch[t], err));
    }
    return DIP_OK;
}

static void free_all(ranking *r) {
    for (int t = 0; r->scratch != NULL && t < r->job->threads; t++) {
        dip_free(r->scratch[t].scores);
        dip_free(r->scratch[t].rows);
        dip_free(r->scratch[t].hits);
    }
    dip_free(r->scratch);
    dip_free(r->state);
    dip_free(r->packed);
    dip_rank_lists_free(&r->lists);
}

/* ---- a strip of the catalogue ---------------------------------------------------------------- */

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

/* ---- a tile of queries ----------------------------------------------------------------------- */

typedef struct tile {
    size_t i; /* its first query, of the round's */
    size_t rows;
    float worst[QUERY_TILE]; /* of their lists */
    float reach[QUERY_TILE]; /* e |q| */
} tile;

typedef struct part {
    size_t i; /* its first row in the tile */
    size_t rows;
} part;

static bool is_excluded(query_state *state, int32_t row) {
    while (state->next < state->end && *state->next < row) {
        state->next++;
    }
    return state->next < state->end && *state->next == row;
}

/* Item `at` of the strip for row i of the tile. */
static void offer(ranking *r, tile *t, size_t i, size_t at, float score) {
    const size_t list = t->i + i;
    const int32_t row = (int32_t)(r->first + at);
    if (!is_excluded(&r->state[list], row)) {
        const float margin = t->reach[i] * r->norm[at / DIP_BLOCK];
        dip_rank_lists_offer(&r->lists, list, r->q + list, row, score, margin);
        t->worst[i] = r->lists.list[list].worst;
    }
}

/* Rows of a part of the tile with n items of the strip from `first` on, with bfloat16. */
static void sift_bf16(ranking *r, const scratch *s, tile *t, part p, size_t first, size_t n) {
    const size_t wide = dip_wide(r->job->d);
    const size_t block = first / DIP_BLOCK;
    const size_t hits = r->bf16->sift(&(dip_sift){.m = p.rows,
                                                  .a = s->rows + p.i * dip_row_stride(r->job->d),
                                                  .stride = dip_row_stride(r->job->d),
                                                  .b = r->packed + block * dip_packed_block(wide),
                                                  .blocks = dip_blocks(n),
                                                  .pairs = dip_pairs(wide),
                                                  .worst = t->worst + p.i,
                                                  .reach = t->reach + p.i,
                                                  .norm = r->norm + block,
                                                  .c = s->scores,
                                                  .hits = s->hits});
    for (size_t h = 0; h < hits; h++) {
        const dip_hit *hit = &s->hits[h];
        if (hit->column < n) { /* the last block has columns beyond the last item */
            offer(r, t, p.i + hit->row, first + hit->column, hit->value);
        }
    }
}

/* The scores of one block with one query. */
static void sift_row(ranking *r, tile *t, size_t i, size_t first, size_t n, const float *scores) {
    const float bound = t->worst[i] - t->reach[i] * r->norm[first / DIP_BLOCK];
    const bool has_bound = isfinite(bound);
    const float below = nextafterf(bound, -INFINITY);
    for (size_t j = 0; j < n; j++) {
        j += has_bound ? dip_kernels_get()->find_above(n - j, scores + j, below) : 0;
        if (j < n) {
            offer(r, t, i, first + j, scores[j]);
        }
    }
}

/* The same in float. */
static void sift_float(ranking *r, const scratch *s, tile *t, part p, size_t first, size_t n) {
    const size_t d = r->job->d;
    const dip_operand queries = {r->job->queries + (r->q + t->i + p.i) * d, d, false};
    const dip_operand items = {r->job->catalogue + (r->first + first) * d, d, true};
    dip_gemm(p.rows, n, d, 1, queries, items, 0, s->scores, GROUP);
    for (size_t at = 0; at < n; at += DIP_BLOCK) {
        const size_t columns = n - at < DIP_BLOCK ? n - at : DIP_BLOCK;
        for (size_t i = 0; i < p.rows; i++) {
            sift_row(r, t, p.i + i, first + at, columns, s->scores + i * GROUP + at);
        }
    }
}

static void rank_tile(ranking *r, size_t index) {
    const scratch *s = &r->scratch[omp_get_thread_num()];
    tile t = {.i = index * QUERY_TILE};
    t.rows = r->queries - t.i < QUERY_TILE ? r->queries - t.i : QUERY_TILE;
    for (size_t i = 0; i < t.rows; i++) {
        t.worst[i] = r->lists.list[t.i + i].worst;
        t.reach[i] = r->error * r->state[t.i + i].norm;
    }
    if (r->bf16 != NULL) {
        round_rows(r, r->job->queries + (r->q + t.i) * r->job->d, t.rows, s->rows);
    }
    for (size_t first = 0; first < r->items; first += GROUP) {
        const size_t n = r->items - first < GROUP ? r->items - first : GROUP;
        for (size_t i = 0; i < t.rows; i += PART) {
            const part p = {i, t.rows - i < PART ? t.rows - i : PART};
            if (r->bf16 != NULL) {
                sift_bf16(r, s, &t, p, first, n);
            } else {
                sift_float(r, s, &t, p, first, n);
            }
        }
    }
}

/* ---- the whole catalogue --------------------------------------------------------------------- */

static void rank_strip(ranking *r) {
    const size_t blocks = dip_blocks(r->items);
    const size_t tiles = (r->queries + QUERY_TILE - 1) / QUERY_TILE;
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

static void start_query(ranking *r, size_t i, int64_t *items, float *scores) {
    const dip_rank_job *job = r->job;
    const size_t q = r->q + i;
    r->state[i] = (query_state){.norm = norm_of(job->d, job->queries + q * job->d)};
    if (job->excluded != NULL) {
        r->state[i].next = job->excluded->row + job->excluded->start[q];
        r->state[i].end = job->excluded->row + job->excluded->start[q + 1];
    }
    dip_rank_lists_start(&r->lists, i, items + q * job->k, scores + q * job->k);
}

/* Queries done, if all took the same time to pass a strip. */
static uint64_t done_of(const ranking *r) {
    const double share = (double)(r->first + r->items) / (double)r->job->m;
    return r->q + (uint64_t)((double)r->queries * share);
}

static dip_status rank_round(ranking *r, int64_t *items, float *scores, dip_error *err) {
    const dip_rank_job *job = r->job;
    dip_progress progress = {.phase = "ranking", .unit = "queries", .detail = "", .total = job->n};
#pragma omp parallel for schedule(static) num_threads(job->threads)
    for (size_t i = 0; i < r->queries; i++) {
        start_query(r, i, items, scores);
    }
    for (r->first = 0; r->first < job->m; r->first += STRIP) {
        r->items = job->m - r->first < STRIP ? job->m - r->first : STRIP;
        rank_strip(r);
        progress.done = done_of(r);
        DIP_TRY(dip_tell(job->watch, &progress, err));
    }
#pragma omp parallel for schedule(dynamic, QUERY_TILE) num_threads(job->threads)
    for (size_t i = 0; i < r->queries; i++) {
        dip_rank_lists_finish(&r->lists, i, r->q + i);
    }
    return DIP_OK;
}

static dip_status rank_all(ranking *r, int64_t *items, float *scores, dip_error *err) {
    const dip_rank_job *job = r->job;
    for (r->q = 0; r->q < job->n; r->q += r->queries) {
        r->queries = job->n - r->q < r->lists.count ? job->n - r->q : r->lists.count;
        DIP_TRY(rank_round(r, items, scores, err));
    }
    return DIP_OK;
}

dip_status dip_rank(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err) {
    if (job->n <= DIP_SCAN_QUERIES) {
        return dip_rank_scan(job, items, scores, err);
    }
    const bool is_fast = dip_isa_get() >= DIP_ISA_AVX512_BF16;
    /* Of the sums of both products, and of bounds. */
    const float sums = (float)(job->d + 8) * 0x1p-22f;
    ranking r = {.job = job,
                 .bf16 = is_fast ? dip_bf16_get() : NULL,
                 .error = is_fast ? 0x1p-8f + 0x1p-17f + sums : sums};
    dip_status status = alloc_all(&r, err);
    if (status == DIP_OK) {
        status = rank_all(&r, items, scores, err);
    }
    free_all(&r);
    return status;
}
