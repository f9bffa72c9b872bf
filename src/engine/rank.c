/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact search in two stages. Matrix products give every score approximately, in bfloat16 where
 * the processor has instructions for it. With q' and v' the rounded vectors, and g a bound for what
 * both sums of products and the numbers below are rounded by,
 *
 *   |approximate - exact| <= |q - q'| |v| + |q'| |v - v'| + g |q'| |v'|.
 *
 * Most items cannot be among the k best by that; those that can are kept in a short list, and at
 * the end their scores are computed again with dip_vec_dot. Only these numbers are compared. So the
 * result is that of exact scores, with the same bits for any processor, any number of threads, and
 * a query alone or among others.
 *
 * Queries are taken in rounds, as many as there are lists. A strip of the catalogue is rounded once
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

/* A group of items stays in the second-level cache while the parts of a tile of queries meet it. A
 * tile has up to MOST_PARTS, fewer where threads would have none. */
enum { PART = 64, MOST_PARTS = 4, GROUP = 8 * DIP_BLOCK, FINISH = 16 };
enum { STRIP = 4096, STRIP_BLOCKS = STRIP / DIP_BLOCK };

/* What bounds the error of a vector's products. */
typedef struct extent {
    float norm; /* |x| */
    float rest; /* |x - x'| */
} extent;

typedef struct query_state {
    const int32_t *next; /* the first excluded row not yet met */
    const int32_t *end;
    extent extent;
} query_state;

/* What one thread needs for a tile of queries. */
typedef struct scratch {
    float *scores;    /* [PART x GROUP] in float, [PART x 64] with bfloat16, and then: */
    dip_bf16 *rows;   /* [PART x d] queries rounded, at dip_row_stride */
    dip_bf16 *packed; /* [MOST_PARTS] blocks P(Q^T) of a tile's parts */
    float *rest;      /* [d] */
    dip_hit *hits;    /* [PART x GROUP] */
} scratch;

typedef struct ranking {
    const dip_rank_job *job;
    const dip_bf16_kernels *bf16; /* NULL: approximate scores are made in float */
    float error;                  /* g */
    dip_rank_lists lists;         /* those of a round's queries */
    query_state *state;           /* [lists.count] */
    scratch *scratch;             /* [threads] */
    dip_bf16 *rows;               /* [STRIP x d] items rounded, at dip_row_stride */
    extent extent[STRIP_BLOCKS];  /* the largest of each block of the strip */
    size_t q;                     /* first query of the round */
    size_t queries;               /* of the round */
    size_t tile;                  /* of which so many are taken together */
    size_t first;                 /* first item of the strip */
    size_t items;                 /* of the strip */
} ranking;

/* ---- memory ---------------------------------------------------------------------------------- */

/* Columns that products take: whole tiles. */
static size_t width_of(const ranking *r) {
    const size_t tile = 2 * DIP_TILE_PAIRS;
    return (r->job->d + tile - 1) / tile * tile;
}

static size_t block_of(const ranking *r) {
    return dip_packed_block(width_of(r));
}

static dip_status alloc_scratch(ranking *r, scratch *s, dip_error *err) {
    static const char PURPOSE[] = "score tiles";
    const size_t columns = r->bf16 != NULL ? DIP_BLOCK : GROUP;
    s->scores = dip_alloc(PART, columns * sizeof *s->scores, PURPOSE, err);
    if (s->scores == NULL || r->bf16 == NULL) {
        return s->scores != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    s->rows = dip_alloc(PART, dip_row_stride(r->job->d) * sizeof *s->rows, PURPOSE, err);
    s->packed = dip_alloc(MOST_PARTS, block_of(r) * sizeof *s->packed, PURPOSE, err);
    s->rest = dip_alloc(r->job->d, sizeof *s->rest, PURPOSE, err);
    s->hits = dip_alloc(PART, GROUP * sizeof *s->hits, PURPOSE, err);
    return s->rows != NULL && s->packed != NULL && s->rest != NULL && s->hits != NULL
               ? DIP_OK
               : DIP_ERR_MEMORY;
}

static dip_status alloc_all(ranking *r, dip_error *err) {
    static const char PURPOSE[] = "ranking";
    const dip_rank_job *job = r->job;
    DIP_TRY(dip_rank_lists_create(&r->lists, job, err));
    r->state = dip_alloc(r->lists.count, sizeof *r->state, PURPOSE, err);
    r->scratch = dip_alloc((size_t)job->threads, sizeof *r->scratch, PURPOSE, err);
    if (r->state == NULL || r->scratch == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (r->bf16 != NULL) {
        r->rows = dip_alloc(STRIP, dip_row_stride(job->d) * sizeof *r->rows, PURPOSE, err);
        if (r->rows == NULL) {
            return DIP_ERR_MEMORY;
        }
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
        dip_free(r->scratch[t].packed);
        dip_free(r->scratch[t].rest);
        dip_free(r->scratch[t].hits);
    }
    dip_free(r->scratch);
    dip_free(r->state);
    dip_free(r->rows);
    dip_rank_lists_free(&r->lists);
}

/* ---- vectors and their extents --------------------------------------------------------------- */

/* Rounds rows of x; beyond d a row has zeros. */
static void round_rows(const ranking *r, const float *x, size_t n, dip_bf16 *rows) {
    const size_t d = r->job->d;
    const size_t stride = dip_row_stride(d);
    for (size_t i = 0; i < n; i++) {
        r->bf16->round(d, x + i * d, rows + i * stride);
        memset(rows + i * stride + d, 0, (width_of(r) - d) * sizeof *rows);
    }
}

/* A length is infinite, and so is every bound with it, where products could overflow, and not so
 * small that what products take for 0, numbers below the smallest normal one, exceeds the bound. */
static float norm_of(size_t n, const float *x) {
    const double norm = sqrt(dip_vec_square_sum(n, x));
    if (!(norm < 0x1p60)) {
        return INFINITY;
    }
    return norm > 0x1p-40 ? (float)norm : 0x1p-40f;
}

/* What rounding takes from x; the differences are exact, and their length is rounded up. */
static float rest_of(size_t d, const float *x, const dip_bf16 *rounded, float *rest) {
    for (size_t c = 0; c < d; c++) {
        rest[c] = x[c] - dip_bf16_value(rounded[c]);
    }
    return (float)(sqrt(dip_vec_square_sum(d, rest)) * (1 + 0x1p-20));
}

/* Of x, and what it was rounded to; NULL where it was not. */
static extent extent_of(const ranking *r, const scratch *s, const float *x,
                        const dip_bf16 *rounded) {
    const size_t d = r->job->d;
    extent e = {norm_of(d, x), 0};
    if (rounded != NULL) {
        e.rest = isfinite(e.norm) ? rest_of(d, x, rounded, s->rest) : INFINITY;
    }
    return e;
}

static extent largest_extent(const ranking *r, const scratch *s, const float *x,
                             const dip_bf16 *rounded, size_t n) {
    const size_t d = r->job->d;
    extent most = {0, 0};
    for (size_t i = 0; i < n; i++) {
        const extent e =
            extent_of(r, s, x + i * d, rounded != NULL ? rounded + i * dip_row_stride(d) : NULL);
        most.norm = e.norm > most.norm ? e.norm : most.norm;
        most.rest = e.rest > most.rest ? e.rest : most.rest;
    }
    return most;
}

static void round_block(ranking *r, size_t block) {
    const dip_rank_job *job = r->job;
    const scratch *s = &r->scratch[omp_get_thread_num()];
    const size_t first = block * DIP_BLOCK;
    const size_t n = r->items - first < DIP_BLOCK ? r->items - first : DIP_BLOCK;
    const float *v = job->catalogue + (r->first + first) * job->d;
    dip_bf16 *rows = NULL;
    if (r->bf16 != NULL) {
        rows = r->rows + first * dip_row_stride(job->d);
        round_rows(r, v, n, rows);
    }
    r->extent[block] = largest_extent(r, s, v, rows, n);
}

/* ---- a tile of queries ----------------------------------------------------------------------- */

typedef struct tile {
    size_t i; /* its first query, of the round's */
    size_t rows;
    float worst[MOST_PARTS * PART]; /* of their lists */
    float size[MOST_PARTS * PART];  /* (1 + g) |q'|, or more */
    float reach[MOST_PARTS * PART]; /* |q - q'| + g |q'|, or more */
} tile;

typedef struct part {
    size_t i; /* its first row in the tile */
    size_t rows;
} part;

/* How far the approximate scores of row i of the tile may be off in a block. */
static float margin_of(const tile *t, size_t i, extent block) {
    return t->reach[i] * block.norm + t->size[i] * block.rest;
}

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
        dip_rank_lists_offer(&r->lists, list, r->q + list, row, score,
                             margin_of(t, i, r->extent[at / DIP_BLOCK]));
        t->worst[i] = r->lists.list[list].worst;
    }
}

/* Rows of a part of the tile with n items of the strip from `first` on, with bfloat16. */
static void sift_bf16(ranking *r, const scratch *s, tile *t, part p, size_t first, size_t n) {
    const size_t stride = dip_row_stride(r->job->d);
    const size_t block = first / DIP_BLOCK;
    float bound[GROUP / DIP_BLOCK * PART];
    for (size_t b = 0; b < dip_blocks(n); b++) {
        const extent e = r->extent[block + b];
        for (size_t i = 0; i < PART; i++) {
            bound[b * PART + i] = t->worst[p.i + i] - margin_of(t, p.i + i, e);
        }
    }
    const size_t hits = r->bf16->sift(&(dip_sift){.m = n,
                                                  .a = r->rows + first * stride,
                                                  .stride = stride,
                                                  .b = s->packed + p.i / PART * block_of(r),
                                                  .pairs = dip_pairs(width_of(r)),
                                                  .bound = bound,
                                                  .c = s->scores,
                                                  .hits = s->hits});
    for (size_t h = 0; h < hits; h++) {
        const dip_hit *hit = &s->hits[h];
        if (hit->column < p.rows) { /* a product with an infinite item may be one beyond them */
            offer(r, t, p.i + hit->column, first + hit->row, hit->value);
        }
    }
}

/* The scores of one block with one query. */
static void sift_row(ranking *r, tile *t, size_t i, size_t first, size_t n, const float *scores) {
    const float bound = t->worst[i] - margin_of(t, i, r->extent[first / DIP_BLOCK]);
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

/* The queries of a tile, a block for each part. */
static void pack_tile(const ranking *r, const scratch *s, const tile *t) {
    const size_t d = r->job->d;
    for (size_t i = 0; i < t->rows; i += PART) {
        const size_t n = t->rows - i < PART ? t->rows - i : PART;
        round_rows(r, r->job->queries + (r->q + t->i + i) * d, n, s->rows);
        r->bf16->pack_transposed(n, width_of(r), s->rows, dip_row_stride(d),
                                 s->packed + i / PART * block_of(r));
    }
}

static void rank_tile(ranking *r, size_t index) {
    const scratch *s = &r->scratch[omp_get_thread_num()];
    tile t = {.i = index * r->tile};
    t.rows = r->queries - t.i < r->tile ? r->queries - t.i : r->tile;
    for (size_t i = 0; i < t.rows; i++) {
        t.worst[i] = r->lists.list[t.i + i].worst;
        const extent e = r->state[t.i + i].extent;
        const float size = e.norm + e.rest;
        t.size[i] = size + r->error * size;
        t.reach[i] = e.rest + r->error * size;
    }
    for (size_t i = t.rows; i % PART != 0; i++) {
        t.worst[i] = INFINITY;
    }
    if (r->bf16 != NULL) {
        pack_tile(r, s, &t);
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
    const size_t tiles = (r->queries + r->tile - 1) / r->tile;
#pragma omp parallel num_threads(r->job->threads)
    {
#pragma omp for schedule(static)
        for (size_t block = 0; block < blocks; block++) {
            round_block(r, block);
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
    const scratch *s = &r->scratch[omp_get_thread_num()];
    const float *query = job->queries + q * job->d;
    if (r->bf16 != NULL) {
        round_rows(r, query, 1, s->rows);
    }
    r->state[i] = (query_state){.extent = extent_of(r, s, query, s->rows)};
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
#pragma omp parallel for schedule(dynamic, FINISH) num_threads(job->threads)
    for (size_t i = 0; i < r->queries; i++) {
        dip_rank_lists_finish(&r->lists, i, r->q + i);
    }
    return DIP_OK;
}

/* Whole parts, so that each thread has a tile. */
static size_t tile_of(size_t queries, int threads) {
    const size_t share = (queries + (size_t)threads - 1) / (size_t)threads;
    const size_t parts = (share + PART - 1) / PART;
    return PART * (parts < MOST_PARTS ? parts : MOST_PARTS);
}

static dip_status rank_all(ranking *r, int64_t *items, float *scores, dip_error *err) {
    const dip_rank_job *job = r->job;
    for (r->q = 0; r->q < job->n; r->q += r->queries) {
        r->queries = job->n - r->q < r->lists.count ? job->n - r->q : r->lists.count;
        r->tile = tile_of(r->queries, job->threads);
        DIP_TRY(rank_round(r, items, scores, err));
    }
    return DIP_OK;
}

dip_status dip_rank(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err) {
    if (job->n <= DIP_SCAN_QUERIES) {
        return dip_rank_scan(job, items, scores, err);
    }
    const bool is_fast = dip_isa_get() >= DIP_ISA_AVX512_BF16;
    ranking r = {.job = job,
                 .bf16 = is_fast ? dip_bf16_get() : NULL,
                 .error = (float)(job->d + 8) * 0x1p-22f};
    dip_status status = alloc_all(&r, err);
    if (status == DIP_OK) {
        status = rank_all(&r, items, scores, err);
    }
    free_all(&r);
    return status;
}
