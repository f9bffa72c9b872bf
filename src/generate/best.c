/* SPDX-License-Identifier: Apache-2.0
 *
 * The metrics of the best possible ranking on the test pairs as drawn, by both protocols of
 * evaluate. Links of a query are drawn one after another without those it has, so among the items
 * that do not train the likeliest to be held out is the one with the largest P: no ranking has a
 * higher expectation.
 *
 * A metric is a ratio, sum of y over sum of m: y is what a query scores and m how often it counts.
 * On a sample of n of N queries its standard error is
 *
 *   sqrt( n / (n - 1) * sum of (y - R m)^2 * (1 - n / N) ) / sum of m          [ratio estimator]
 */
#include "generate/generation.h"

#include "base/mem.h"
#include "base/order.h"
#include "generate/oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES_A_CHUNK = 256, LONGEST = 50 };

static const int CUT[] = {10, 50};
enum { N_CUTS = 2, N_KINDS = 3, N_METRICS = N_KINDS * N_CUTS };
static const char *const KIND[N_KINDS] = {"recall", "map", "mrr"};

enum { STANDARD, PAPER, N_PROTOCOLS };
enum { ALL, TAIL, N_SLICES };
static const char *const PROTOCOL[N_PROTOCOLS] = {"standard", "paper"};
static const char *const SLICE[N_SLICES] = {"all", "tail"};

typedef struct sums {
    double pairs;
    double m;
    double mm;
    double y[N_METRICS];
    double yy[N_METRICS];
    double ym[N_METRICS];
} sums;

typedef struct scores {
    sums of[N_PROTOCOLS][N_SLICES];
} scores;

typedef struct judging {
    const dip_generation *g;
    int64_t n;      /* queries that are judged */
    int32_t **skip; /* [threads] */
    scores total;
} judging;

/* What one query asks, and what the best ranking answers. */
typedef struct question {
    size_t n_right;
    int32_t *right; /* places of the test items */
    bool *is_tail;
    int64_t n_listed;
    int32_t listed[LONGEST];
} question;

/* hit[i]: the i-th of the list is right, within a slice. */
static void score_list(const bool *hit, int64_t length, int64_t n_right, double metric[N_METRICS]) {
    for (int c = 0; c < N_CUTS; c++) {
        double hits = 0;
        double precision = 0;
        double reciprocal = 0;
        for (int64_t i = 0; i < length && i < CUT[c]; i++) {
            hits += hit[i];
            precision += hit[i] ? hits / (double)(i + 1) : 0;
            reciprocal = hit[i] && reciprocal == 0 ? 1 / (double)(i + 1) : reciprocal;
        }
        metric[c] = hits / (double)n_right;
        metric[N_CUTS + c] = precision / (double)(n_right < CUT[c] ? n_right : CUT[c]);
        metric[2 * N_CUTS + c] = reciprocal;
    }
}

static void add(sums *s, const double y[N_METRICS], double m, double pairs) {
    s->pairs += pairs;
    s->m += m;
    s->mm += m * m;
    for (int i = 0; i < N_METRICS; i++) {
        s->y[i] += y[i];
        s->yy[i] += y[i] * y[i];
        s->ym[i] += y[i] * m;
    }
}

static size_t mark_hits(const question *q, bool tail_only, bool hit[LONGEST]) {
    size_t n_right = 0;
    memset(hit, 0, LONGEST * sizeof *hit);
    for (size_t r = 0; r < q->n_right; r++) {
        if (tail_only && !q->is_tail[r]) {
            continue;
        }
        n_right++;
        for (int64_t i = 0; i < q->n_listed; i++) {
            hit[i] = hit[i] || q->listed[i] == q->right[r];
        }
    }
    return n_right;
}

/* All right items of a query together. */
static void score_standard(scores *to, const question *q) {
    for (int slice = 0; slice < N_SLICES; slice++) {
        bool hit[LONGEST];
        double metric[N_METRICS];
        const size_t n_right = mark_hits(q, slice == TAIL, hit);
        if (n_right > 0) {
            score_list(hit, q->n_listed, (int64_t)n_right, metric);
            add(&to->of[STANDARD][slice], metric, 1, (double)n_right);
        }
    }
}

/* Each right item by itself. */
static void score_paper(scores *to, const question *q) {
    for (int slice = 0; slice < N_SLICES; slice++) {
        double sum[N_METRICS] = {0};
        double n = 0;
        for (size_t r = 0; r < q->n_right; r++) {
            question one = {.n_right = 1, .right = q->right + r, .n_listed = q->n_listed};
            bool hit[LONGEST];
            double metric[N_METRICS];
            if (slice == TAIL && !q->is_tail[r]) {
                continue;
            }
            memcpy(one.listed, q->listed, sizeof one.listed);
            mark_hits(&one, false, hit);
            score_list(hit, q->n_listed, 1, metric);
            for (int i = 0; i < N_METRICS; i++) {
                sum[i] += metric[i];
            }
            n++;
        }
        if (n > 0) {
            add(&to->of[PAPER][slice], sum, n, n);
        }
    }
}

/* The degree of one query. */
static int64_t degree_of(const dip_world *world, int64_t query) {
    int64_t degree[DIP_WORLD_BLOCK];
    dip_world_degrees(world, query / DIP_WORLD_BLOCK, degree);
    return degree[query % DIP_WORLD_BLOCK];
}

/* Sorts a query's places into those that train (ascending, with the query's own) and the right
 * ones, which take the front of links->place. */
static size_t divide(const dip_generation *g, int64_t query, int64_t degree, dip_links *links,
                     int32_t *skip, size_t *n_right) {
    const dip_world *world = &g->world;
    size_t n_skip = 0;
    *n_right = 0;
    for (int64_t k = 0; k < degree; k++) {
        const int32_t place = links->place[k];
        const unsigned part = dip_world_part(world, query, dip_scatter_to(&world->order, place));
        if (part == 0) {
            skip[n_skip++] = place;
        } else if (part == 2) {
            links->place[(*n_right)++] = place;
        }
    }
    if (world->queries_are_items) {
        skip[n_skip++] = (int32_t)dip_scatter_from(&world->order, query);
    }
    qsort(skip, n_skip, sizeof *skip, dip_order_i32);
    return n_skip;
}

static void judge(const judging *j, int64_t query, int thread, scores *to) {
    const dip_generation *g = j->g;
    const dip_world *world = &g->world;
    const int64_t degree = degree_of(world, query);
    const int64_t cluster = dip_world_query_cluster(world, query);
    dip_links *links = &g->links[thread];
    int32_t *skip = j->skip[thread];
    dip_world_links(world, query, degree, links);
    question q = {.right = links->place};
    const size_t n_skip = divide(g, query, degree, links, skip, &q.n_right);
    if (q.n_right == 0) {
        return;
    }
    /* The slots of the links are done with, and have room for twice as many numbers. */
    q.is_tail = (bool *)links->slot;
    for (size_t r = 0; r < q.n_right; r++) {
        q.is_tail[r] = !dip_generation_is_head(g, dip_scatter_to(&world->order, q.right[r]));
    }
    q.n_listed = dip_oracle(world, cluster, skip, n_skip, LONGEST, q.listed);
    score_standard(to, &q);
    const int32_t self =
        world->queries_are_items ? (int32_t)dip_scatter_from(&world->order, query) : 0;
    q.n_listed = dip_oracle(world, cluster, &self, world->queries_are_items, LONGEST, q.listed);
    score_paper(to, &q);
}

static int64_t sampled(const judging *j, int64_t i) {
    __extension__ typedef __int128 wide;
    return (int64_t)((wide)i * j->g->world.queries / j->n);
}

static size_t fill(void *context, int64_t chunk, int thread, char *out) {
    const judging *j = context;
    scores mine;
    memset(&mine, 0, sizeof mine);
    const int64_t end = (chunk + 1) * QUERIES_A_CHUNK;
    for (int64_t i = chunk * QUERIES_A_CHUNK; i < end && i < j->n; i++) {
        judge(j, sampled(j, i), thread, &mine);
    }
    memcpy(out, &mine, sizeof mine);
    return sizeof mine;
}

/* All fields of the scores are doubles, added one by one. */
static dip_status take(void *context, int64_t chunk, const char *data, size_t bytes,
                       dip_error *err) {
    judging *j = context;
    double more[sizeof(scores) / sizeof(double)];
    double total[sizeof(scores) / sizeof(double)];
    (void)chunk;
    (void)err;
    memcpy(more, data, bytes);
    memcpy(total, &j->total, bytes);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        total[i] += more[i];
    }
    memcpy(&j->total, total, bytes);
    return DIP_OK;
}

static double standard_error(const sums *s, int metric, const judging *j) {
    const double n = (double)j->n;
    const double ratio = s->y[metric] / s->m;
    const double squares = s->yy[metric] - 2 * ratio * s->ym[metric] + ratio * ratio * s->mm;
    const double rest = 1 - n / (double)j->g->world.queries;
    return rest > 0 && n > 1 ? sqrt(fmax(squares, 0) * n / (n - 1) * rest) / s->m : 0;
}

static dip_status add_slice(json_t *object, const sums *s, const judging *j, dip_error *err) {
    DIP_TRY(dip_json_set(object, "pairs", json_integer((json_int_t)s->pairs), err));
    for (int i = 0; i < N_METRICS && s->m > 0; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s@%d", KIND[i / N_CUTS], CUT[i % N_CUTS]);
        DIP_TRY(dip_json_set(object, key, json_real(s->y[i] / s->m), err));
        snprintf(key, sizeof key, "%s@%d_error", KIND[i / N_CUTS], CUT[i % N_CUTS]);
        DIP_TRY(dip_json_set(object, key, json_real(standard_error(s, i, j)), err));
    }
    return DIP_OK;
}

static dip_status describe(json_t *best, const judging *j, dip_error *err) {
    DIP_TRY(dip_json_set(best, "judged_queries", json_integer(j->n), err));
    for (int p = 0; p < N_PROTOCOLS; p++) {
        json_t *protocol = NULL;
        DIP_TRY(dip_json_new_object(&protocol, err));
        DIP_TRY(dip_json_set(best, PROTOCOL[p], protocol, err));
        for (int s = 0; s < N_SLICES; s++) {
            json_t *slice = NULL;
            DIP_TRY(dip_json_new_object(&slice, err));
            DIP_TRY(dip_json_set(protocol, SLICE[s], slice, err));
            DIP_TRY(add_slice(slice, &j->total.of[p][s], j, err));
        }
    }
    return DIP_OK;
}

static dip_status make_skips(judging *j, dip_error *err) {
    const int threads = j->g->threads;
    j->skip = dip_alloc((size_t)threads, sizeof *j->skip, "training items", err);
    for (int i = 0; j->skip != NULL && i < threads; i++) {
        j->skip[i] = dip_alloc(j->g->links[i].n_slots + 1, sizeof **j->skip, "training items", err);
        if (j->skip[i] == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    return j->skip != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status run(judging *j, dip_error *err) {
    const dip_chunks chunks = {.n = (j->n + QUERIES_A_CHUNK - 1) / QUERIES_A_CHUNK,
                               .capacity = sizeof(scores),
                               .threads = j->g->threads,
                               .watch = j->g->watch,
                               .phase = "ranking as well as possible",
                               .unit = "queries",
                               .total = (uint64_t)j->n,
                               .context = j,
                               .fill = fill,
                               .take = take};
    DIP_TRY(make_skips(j, err));
    return dip_chunks_run(&chunks, err);
}

dip_status dip_generation_best(dip_generation *g, json_t **best, dip_error *err) {
    judging j = {.g = g};
    json_t *object = NULL;
    j.n = g->recipe->judge < g->world.queries ? g->recipe->judge : g->world.queries;
    dip_status status = run(&j, err);
    for (int i = 0; j.skip != NULL && i < g->threads; i++) {
        dip_free(j.skip[i]);
    }
    dip_free(j.skip);
    if (status == DIP_OK) {
        status = dip_json_new_object(&object, err);
    }
    if (status == DIP_OK) {
        status = describe(object, &j, err);
    }
    if (status != DIP_OK) {
        json_decref(object);
        return status;
    }
    *best = object;
    return DIP_OK;
}
