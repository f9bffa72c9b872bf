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
 * and then meets all queries of a round, a tile of them at a time. Where guesses are wanted strips
 * are samples of it (rank_sample.h).
 */
#include "engine/rank_pass.h"

#include "base/mem.h"
#include "engine/rank_excluded.h"
#include "engine/rank_list.h"
#include "engine/rank_sample.h"
#include "math/bf16.h"
#include "math/gemm.h"
#include "math/isa.h"
#include "math/kernels.h"
#include "math/vec.h"

#include <math.h>
#include <omp.h>

/* A group of items stays in the second-level cache while the parts of a tile of queries meet it; a
 * part, PART_BYTES at most or one block, stays in the first-level cache. */
enum { GROUP = 8 * DIP_BLOCK, TILE_BLOCKS = 4, TILE = TILE_BLOCKS * DIP_BLOCK };
enum { PART_BYTES = 32 << 10, FINISH = 16 };
enum { STRIP = 4096, STRIP_BLOCKS = STRIP / DIP_BLOCK };

/* Rows of the catalogue that are asked for ahead; the share of a round's results, one of so many,
 * that may be unproven before guessing ends. */
enum { AHEAD = 4, FEW = 16 };

/* What bounds the error of a vector's products. */
typedef struct extent {
    float norm; /* |x| */
    float rest; /* |x - x'| */
} extent;

/* What one thread needs. */
typedef struct scratch {
    float *scores;  /* [TILE x GROUP] in float, [64 x 64] with bfloat16, and then: */
    dip_bf16 *rows; /* [64 x d] queries rounded, at dip_row_stride */
    float *rest;    /* [d] */
    dip_hit *hits;  /* [TILE x GROUP] */
} scratch;

typedef struct ranking {
    const dip_rank_job *job;
    const dip_bf16_kernels *bf16; /* NULL: approximate scores are made in float */
    float error;                  /* g */
    dip_rank_lists lists;         /* those of a round's queries */
    extent *query;                /* [lists.count] */
    scratch *scratch;             /* [threads] */
    bool *unproven;               /* [n], or NULL: the order is that of the catalogue */
    bool is_sure;                 /* nothing is guessed */
    int32_t *row;                 /* [STRIP] of the catalogue */
    dip_bf16 *rounded;            /* [STRIP x d] these rows, at dip_row_stride */
    dip_bf16 *packed;             /* P(Q^T) of a round's queries */
    extent extent[STRIP_BLOCKS];  /* the largest of each block of the strip */
    size_t q;                     /* first query of the round */
    size_t queries;               /* of the round */
    size_t tile;                  /* of which so many are taken together, */
    size_t part;                  /* and so many of them meet a group at a time */
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

static dip_status alloc_scratch(const ranking *r, scratch *s, dip_error *err) {
    static const char PURPOSE[] = "score tiles";
    const size_t scores = r->bf16 != NULL ? DIP_BLOCK * DIP_BLOCK : TILE * GROUP;
    s->scores = dip_alloc(scores, sizeof *s->scores, PURPOSE, err);
    if (s->scores == NULL || r->bf16 == NULL) {
        return s->scores != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    s->rows = dip_alloc(DIP_BLOCK, dip_row_stride(r->job->d) * sizeof *s->rows, PURPOSE, err);
    s->rest = dip_alloc(r->job->d, sizeof *s->rest, PURPOSE, err);
    s->hits = dip_alloc(TILE, GROUP * sizeof *s->hits, PURPOSE, err);
    return s->rows != NULL && s->rest != NULL && s->hits != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_rounded(ranking *r, dip_error *err) {
    static const char PURPOSE[] = "rounded vectors";
    const size_t blocks = dip_blocks(r->lists.count);
    r->rounded = dip_alloc(STRIP, dip_row_stride(r->job->d) * sizeof *r->rounded, PURPOSE, err);
    r->packed = dip_alloc(blocks, block_of(r) * sizeof *r->packed, PURPOSE, err);
    return r->rounded != NULL && r->packed != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_all(ranking *r, dip_error *err) {
    static const char PURPOSE[] = "ranking";
    const dip_rank_job *job = r->job;
    DIP_TRY(dip_rank_lists_create(&r->lists, job, err));
    r->query = dip_alloc(r->lists.count, sizeof *r->query, PURPOSE, err);
    r->scratch = dip_alloc((size_t)job->threads, sizeof *r->scratch, PURPOSE, err);
    r->row = dip_alloc(STRIP, sizeof *r->row, PURPOSE, err);
    if (r->query == NULL || r->scratch == NULL || r->row == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (r->bf16 != NULL) {
        DIP_TRY(alloc_rounded(r, err));
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
        dip_free(r->scratch[t].rest);
        dip_free(r->scratch[t].hits);
    }
    dip_free(r->scratch);
    dip_free(r->query);
    dip_free(r->row);
    dip_free(r->rounded);
    dip_free(r->packed);
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

static extent larger(extent a, extent b) {
    return (extent){a.norm > b.norm ? a.norm : b.norm, a.rest > b.rest ? a.rest : b.rest};
}

static const float *vector_of(const ranking *r, size_t at) {
    return r->job->catalogue + (size_t)r->row[at] * r->job->d;
}

/* Guesses need samples; without them rows are read in the order in which they lie. */
static void choose_rows(ranking *r, size_t first, size_t n) {
    for (size_t at = first; at < first + n; at++) {
        const size_t place = r->first + at;
        r->row[at] = r->unproven != NULL ? dip_rank_row_at(r->job->m, place) : (int32_t)place;
    }
}

/* What a strip before left beyond the last row may be no number, which hides others beside it. */
static void clear_rounded(const ranking *r, size_t from, size_t to) {
    const size_t stride = dip_row_stride(r->job->d);
    if (r->rounded != NULL && from < to) {
        memset(r->rounded + from * stride, 0, (to - from) * stride * sizeof *r->rounded);
    }
}

static void round_block(ranking *r, size_t block) {
    const size_t d = r->job->d;
    const scratch *s = &r->scratch[omp_get_thread_num()];
    const size_t first = block * DIP_BLOCK;
    const size_t n = r->items - first < DIP_BLOCK ? r->items - first : DIP_BLOCK;
    choose_rows(r, first, n);
    extent most = {0, 0};
    for (size_t at = first; at < first + n; at++) {
        if (at + AHEAD < first + n) {
            dip_vec_prefetch(d, vector_of(r, at + AHEAD));
        }
        dip_bf16 *rounded = r->bf16 != NULL ? r->rounded + at * dip_row_stride(d) : NULL;
        if (rounded != NULL) {
            round_rows(r, vector_of(r, at), 1, rounded);
        }
        most = larger(most, extent_of(r, s, vector_of(r, at), rounded));
    }
    r->extent[block] = most;
    clear_rounded(r, first + n, first + DIP_BLOCK);
}

/* ---- a tile of queries ----------------------------------------------------------------------- */

typedef struct tile {
    size_t i; /* its first query, of the round's */
    size_t rows;
    float worst[TILE]; /* of their lists */
    float size[TILE];  /* (1 + g) |q'|, or more */
    float reach[TILE]; /* |q - q'| + g |q'|, or more */
} tile;

typedef struct part {
    size_t i; /* its first row in the tile */
    size_t rows;
} part;

/* Items of the strip that are taken together. */
typedef struct group {
    size_t first;
    size_t n;
    extent extent;
} group;

/* How far the approximate scores of row i of the tile may be off in a group. */
static float margin_of(const tile *t, size_t i, const group *g) {
    return t->reach[i] * g->extent.norm + t->size[i] * g->extent.rest;
}

/* Item `at` of the strip for row i of the tile. */
static void offer(ranking *r, tile *t, size_t i, size_t at, float score, float margin) {
    const size_t list = t->i + i;
    const size_t q = r->q + list;
    const dip_excluded *excluded = r->job->excluded;
    if (excluded == NULL || !dip_is_excluded(excluded, q, (size_t)r->row[at])) {
        dip_rank_lists_offer(&r->lists, list, q, r->row[at], score, margin);
        t->worst[i] = r->lists.list[list].worst;
    }
}

/* Rows of a part of the tile with a group, with bfloat16. */
static void sift_bf16(ranking *r, const scratch *s, tile *t, part p, const group *g) {
    const size_t stride = dip_row_stride(r->job->d);
    const size_t blocks = dip_blocks(p.rows);
    float margin[TILE];
    float bound[TILE];
    for (size_t i = 0; i < blocks * DIP_BLOCK; i++) {
        margin[i] = margin_of(t, p.i + i, g);
        bound[i] = t->worst[p.i + i] - margin[i];
    }
    const size_t hits =
        r->bf16->sift(&(dip_sift){.m = g->n,
                                  .a = r->rounded + g->first * stride,
                                  .stride = stride,
                                  .b = r->packed + (t->i + p.i) / DIP_BLOCK * block_of(r),
                                  .blocks = blocks,
                                  .pairs = dip_pairs(width_of(r)),
                                  .bound = bound,
                                  .c = s->scores,
                                  .hits = s->hits});
    for (size_t h = 0; h < hits; h++) {
        const dip_hit *hit = &s->hits[h];
        if (hit->column < p.rows) { /* a product with an infinite item may be one beyond them */
            offer(r, t, p.i + hit->column, g->first + hit->row, hit->value, margin[hit->column]);
        }
    }
}

/* The scores of a group with one query. */
static void sift_row(ranking *r, tile *t, size_t i, const group *g, const float *scores) {
    const float margin = margin_of(t, i, g);
    const float bound = t->worst[i] - margin;
    const bool has_bound = isfinite(bound);
    const float below = nextafterf(bound, -INFINITY);
    for (size_t j = 0; j < g->n; j++) {
        j += has_bound ? dip_kernels_get()->find_above(g->n - j, scores + j, below) : 0;
        if (j < g->n) {
            offer(r, t, i, g->first + j, scores[j], margin);
        }
    }
}

/* The same in float. */
static void sift_float(ranking *r, const scratch *s, tile *t, part p, const group *g) {
    const size_t d = r->job->d;
    const dip_operand queries = {r->job->queries + (r->q + t->i + p.i) * d, d, false};
    const dip_operand items = {vector_of(r, g->first), d, true};
    dip_gemm(p.rows, g->n, d, 1, queries, items, 0, s->scores, GROUP);
    for (size_t i = 0; i < p.rows; i++) {
        sift_row(r, t, p.i + i, g, s->scores + i * GROUP);
    }
}

/* What a list cannot rule out among the items of a group is what it could not before them, so the
 * first groups are no larger than what was seen before. */
static group group_at(const ranking *r, size_t first) {
    const size_t seen = r->first + first;
    const size_t most = seen < GROUP ? seen : GROUP;
    group g = {first, most > DIP_BLOCK ? most : DIP_BLOCK, {0, 0}};
    g.n = r->items - first < g.n ? r->items - first : g.n;
    for (size_t at = first; at < first + g.n; at += DIP_BLOCK) {
        g.extent = larger(g.extent, r->extent[at / DIP_BLOCK]);
    }
    return g;
}

/* Bounds from what the lists of a part hold, before they are full. */
static void tighten(ranking *r, tile *t, part p) {
    for (size_t i = p.i; i < p.i + p.rows; i++) {
        dip_rank_lists_tighten(&r->lists, t->i + i);
        t->worst[i] = r->lists.list[t->i + i].worst;
    }
}

/* A group and a tile, a part of it at a time. */
static void meet(ranking *r, const scratch *s, tile *t, const group *g) {
    for (size_t i = 0; i < t->rows; i += r->part) {
        const part p = {i, t->rows - i < r->part ? t->rows - i : r->part};
        if (r->bf16 != NULL) {
            sift_bf16(r, s, t, p, g);
        } else {
            sift_float(r, s, t, p, g);
        }
        if (r->first + g->first < GROUP) {
            tighten(r, t, p);
        }
    }
}

static void rank_tile(ranking *r, size_t index) {
    const scratch *s = &r->scratch[omp_get_thread_num()];
    tile t = {.i = index * r->tile};
    t.rows = r->queries - t.i < r->tile ? r->queries - t.i : r->tile;
    for (size_t i = 0; i < t.rows; i++) {
        t.worst[i] = r->lists.list[t.i + i].worst;
        const extent e = r->query[t.i + i];
        const float size = e.norm + e.rest;
        t.size[i] = size + r->error * size;
        t.reach[i] = e.rest + r->error * size;
    }
    for (size_t i = t.rows; i % DIP_BLOCK != 0; i++) {
        t.worst[i] = INFINITY;
    }
    for (size_t first = 0; first < r->items;) {
        const group g = group_at(r, first);
        meet(r, s, &t, &g);
        first += g.n;
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

static void start_block(ranking *r, size_t block, int64_t *items, float *scores) {
    const dip_rank_job *job = r->job;
    const scratch *s = &r->scratch[omp_get_thread_num()];
    const size_t first = block * DIP_BLOCK;
    const size_t n = r->queries - first < DIP_BLOCK ? r->queries - first : DIP_BLOCK;
    const size_t stride = dip_row_stride(job->d);
    const float *query = job->queries + (r->q + first) * job->d;
    if (r->bf16 != NULL) {
        round_rows(r, query, n, s->rows);
        r->bf16->pack_transposed(n, width_of(r), s->rows, stride, r->packed + block * block_of(r));
    }
    for (size_t i = 0; i < n; i++) {
        const dip_bf16 *rounded = r->bf16 != NULL ? s->rows + i * stride : NULL;
        const size_t q = r->q + first + i;
        r->query[first + i] = extent_of(r, s, query + i * job->d, rounded);
        dip_rank_lists_start(&r->lists, first + i, items + q * job->k, scores + q * job->k);
    }
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
    for (size_t block = 0; block < dip_blocks(r->queries); block++) {
        start_block(r, block, items, scores);
    }
    for (r->first = 0; r->first < job->m; r->first += STRIP) {
        r->items = job->m - r->first < STRIP ? job->m - r->first : STRIP;
        if (!r->is_sure) {
            r->lists.wanted = dip_rank_wanted(job->k, r->first + r->items, job->m);
        }
        rank_strip(r);
        progress.done = done_of(r);
        DIP_TRY(dip_tell(job->watch, &progress, err));
    }
#pragma omp parallel for schedule(dynamic, FINISH) num_threads(job->threads)
    for (size_t i = 0; i < r->queries; i++) {
        const bool is_proven = dip_rank_lists_finish(&r->lists, i, r->q + i);
        if (r->unproven != NULL) {
            r->unproven[r->q + i] = !is_proven;
        }
    }
    return DIP_OK;
}

/* Guesses that often fail cost more than they save. */
static void judge_guesses(ranking *r) {
    size_t unproven = 0;
    for (size_t i = 0; r->unproven != NULL && i < r->queries; i++) {
        unproven += r->unproven[r->q + i];
    }
    if (unproven > r->queries / FEW) {
        r->is_sure = true;
        r->lists.wanted = r->job->k;
    }
}

/* Whole blocks, so that each thread has a tile. */
static size_t tile_of(size_t queries, int threads) {
    const size_t share = (queries + (size_t)threads - 1) / (size_t)threads;
    const size_t blocks = dip_blocks(share);
    return DIP_BLOCK * (blocks < TILE_BLOCKS ? blocks : TILE_BLOCKS);
}

static size_t part_of(const ranking *r) {
    const size_t fit = PART_BYTES / (block_of(r) * sizeof(dip_bf16));
    return DIP_BLOCK * (fit > 1 ? fit : 1);
}

static dip_status rank_all(ranking *r, int64_t *items, float *scores, dip_error *err) {
    const dip_rank_job *job = r->job;
    r->part = part_of(r);
    for (r->q = 0; r->q < job->n; r->q += r->queries) {
        r->queries = job->n - r->q < r->lists.count ? job->n - r->q : r->lists.count;
        r->tile = tile_of(r->queries, job->threads);
        DIP_TRY(rank_round(r, items, scores, err));
        judge_guesses(r);
    }
    return DIP_OK;
}

dip_status dip_rank_pass(const dip_rank_job *job, int64_t *items, float *scores, bool *unproven,
                         dip_error *err) {
    const bool is_fast = dip_isa_get() >= DIP_ISA_AVX512_BF16;
    ranking r = {.job = job,
                 .bf16 = is_fast ? dip_bf16_get() : NULL,
                 .error = (float)(job->d + 8) * 0x1p-22f,
                 .unproven = is_fast ? unproven : NULL,
                 .is_sure = !is_fast || unproven == NULL};
    dip_status status = alloc_all(&r, err);
    if (status == DIP_OK) {
        status = rank_all(&r, items, scores, err);
    }
    free_all(&r);
    return status;
}
