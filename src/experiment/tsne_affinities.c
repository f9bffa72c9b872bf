/* SPDX-License-Identifier: Apache-2.0
 *
 * Affinities over nearest neighbours (van der Maaten, "Accelerating t-SNE using tree-based
 * algorithms", JMLR 2014), which are found exactly.
 */
#include "experiment/tsne_parts.h"

#include "base/mem.h"
#include "base/progress.h"
#include "engine/rank.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Queries of one search, between two reports of progress. */
enum { CHUNK = 4096 };

/* The nearest k of each point, ascending by point, and how far or how probable they are. */
typedef struct nearest {
    size_t n;
    size_t k;
    int threads;
    int32_t *to;     /* [n x k] */
    float *value;    /* [n x k] squared distance, then p_j|i */
    float *opposite; /* [n x k] p_i|j, 0 where i is not among the nearest of j */
} nearest;

double dip_tsne_perplexity(double wanted, size_t n) {
    const double most = ((double)n - 1) / 3;
    return fmax(1, fmin(wanted, most));
}

/* ---- neighbours ------------------------------------------------------------------------------ */

typedef struct chunk {
    int64_t *items; /* [CHUNK x k] */
    float *scores;
    int64_t *start; /* [CHUNK + 1] a query's own row is excluded */
    int32_t *row;
} chunk;

static void free_chunk(chunk *c) {
    dip_free(c->items);
    dip_free(c->scores);
    dip_free(c->start);
    dip_free(c->row);
}

static dip_status alloc_chunk(chunk *c, size_t k, dip_error *err) {
    static const char PURPOSE[] = "neighbours";
    c->items = dip_alloc(CHUNK, k * sizeof *c->items, PURPOSE, err);
    c->scores = dip_alloc(CHUNK, k * sizeof *c->scores, PURPOSE, err);
    c->start = dip_alloc(CHUNK + 1, sizeof *c->start, PURPOSE, err);
    c->row = dip_alloc(CHUNK, sizeof *c->row, PURPOSE, err);
    return c->items != NULL && c->scores != NULL && c->start != NULL && c->row != NULL
               ? DIP_OK
               : DIP_ERR_MEMORY;
}

/* Of vectors of length 1, |a - b|^2 = 2 - 2 a . b. */
static void keep_chunk(const nearest *near, const chunk *c, size_t first, size_t count) {
    for (size_t i = 0; i < count * near->k; i++) {
        const float distance = 2.0f - 2.0f * c->scores[i];
        near->to[first * near->k + i] = (int32_t)c->items[i];
        near->value[first * near->k + i] = distance > 0 ? distance : 0;
    }
}

static dip_status find_nearest(const nearest *near, const float *vectors, size_t d,
                               const dip_watch *watch, dip_error *err) {
    dip_progress progress = {
        .phase = "finding neighbours", .unit = "items", .detail = "", .total = near->n};
    chunk c = {0};
    dip_status status = alloc_chunk(&c, near->k, err);
    const dip_excluded self = {c.start, c.row};
    for (size_t first = 0; status == DIP_OK && first < near->n; first += CHUNK) {
        const size_t count = near->n - first < CHUNK ? near->n - first : CHUNK;
        for (size_t i = 0; i < count; i++) {
            c.start[i + 1] = (int64_t)i + 1;
            c.row[i] = (int32_t)(first + i);
        }
        const dip_rank_job job = {.queries = vectors + first * d,
                                  .n = count,
                                  .catalogue = vectors,
                                  .m = near->n,
                                  .d = d,
                                  .k = near->k,
                                  .excluded = &self,
                                  .threads = near->threads};
        DIP_TRY_GOTO(out, dip_rank(&job, c.items, c.scores, err));
        keep_chunk(near, &c, first, count);
        progress.done = first + count;
        DIP_TRY_GOTO(out, dip_tell(watch, &progress, err));
    }
out:
    free_chunk(&c);
    return status;
}

/* ---- perplexity ------------------------------------------------------------------------------ */

/* With s the sum of e_j = exp(-beta d_j) and m the mean of d under p = e / s, the entropy is
 * log s + beta m, and its derivative by beta is -beta times the variance of d. */
typedef struct moments {
    double sum;
    double entropy;
    double slope;
} moments;

static moments measure(const float *distances, size_t k, double nearest_distance, double beta) {
    double sum = 0;
    double mean = 0;
    double square = 0;
    for (size_t j = 0; j < k; j++) {
        const double distance = (double)distances[j] - nearest_distance;
        const double e = exp(-beta * distance);
        sum += e;
        mean += e * distance;
        square += e * distance * distance;
    }
    mean /= sum;
    return (moments){sum, log(sum) + beta * mean, -beta * (square / sum - mean * mean)};
}

/* Newton's steps, and halving where they leave the bracket. */
static double find_beta(const float *distances, size_t k, double nearest_distance, double wanted) {
    enum { STEPS = 200 };
    double low = 0;
    double high = INFINITY;
    double beta = 1;
    for (int step = 0; step < STEPS; step++) {
        const moments m = measure(distances, k, nearest_distance, beta);
        const double excess = m.entropy - wanted;
        if (fabs(excess) < 1e-9 || beta > 1e30) {
            break;
        }
        low = excess > 0 ? beta : low;
        high = excess > 0 ? high : beta;
        const double next = beta - excess / m.slope;
        const double fallback = isinf(high) ? 2 * beta : low + (high - low) / 2;
        const double most = isinf(high) ? 16 * beta : high;
        beta = next > low && next < most ? next : fallback;
    }
    return beta;
}

double dip_tsne_row(const float *distances, size_t k, double perplexity, float *p) {
    double nearest_distance = (double)distances[0];
    for (size_t j = 1; j < k; j++) {
        nearest_distance = fmin(nearest_distance, (double)distances[j]);
    }
    const double beta = find_beta(distances, k, nearest_distance, log(perplexity));
    const double sum = measure(distances, k, nearest_distance, beta).sum;
    for (size_t j = 0; j < k; j++) {
        p[j] = (float)(exp(-beta * ((double)distances[j] - nearest_distance)) / sum);
    }
    return beta;
}

/* ---- the symmetric matrix -------------------------------------------------------------------- */

typedef struct link {
    int32_t to;
    float p;
} link;

static int by_target(const void *left, const void *right) {
    const int32_t a = ((const link *)left)->to;
    const int32_t b = ((const link *)right)->to;
    return (a > b) - (a < b);
}

/* Distances become probabilities, and links are sorted by target. */
static void finish_row(const nearest *near, size_t i, double perplexity, link *links) {
    int32_t *to = near->to + i * near->k;
    float *value = near->value + i * near->k;
    float *p = near->opposite + i * near->k; /* not in use yet */
    dip_tsne_row(value, near->k, perplexity, p);
    for (size_t e = 0; e < near->k; e++) {
        links[e] = (link){to[e], p[e]};
    }
    qsort(links, near->k, sizeof *links, by_target);
    for (size_t e = 0; e < near->k; e++) {
        to[e] = links[e].to;
        value[e] = links[e].p;
    }
}

static dip_status finish_rows(const nearest *near, double perplexity, dip_error *err) {
    link *links = dip_alloc((size_t)near->threads * near->k, sizeof *links, "neighbours", err);
    if (links == NULL) {
        return DIP_ERR_MEMORY;
    }
#pragma omp parallel for schedule(static) num_threads(near->threads)
    for (size_t i = 0; i < near->n; i++) {
        finish_row(near, i, perplexity, links + (size_t)omp_get_thread_num() * near->k);
    }
    dip_free(links);
    return DIP_OK;
}

/* p_to|from, 0 when it is not kept. */
static float find_link(const nearest *near, size_t from, int32_t to) {
    const int32_t *list = near->to + from * near->k;
    size_t low = 0;
    size_t high = near->k;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (list[middle] < to) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < near->k && list[low] == to ? near->value[from * near->k + low] : -1;
}

static void find_opposites(const nearest *near) {
#pragma omp parallel for schedule(static) num_threads(near->threads)
    for (size_t i = 0; i < near->n; i++) {
        for (size_t e = i * near->k; e < (i + 1) * near->k; e++) {
            near->opposite[e] = find_link(near, (size_t)near->to[e], (int32_t)i);
        }
    }
}

/* Row i has its own neighbours, then those points that have i as a neighbour and are none of its,
 * ascending. */
static void fill_rows(const nearest *near, dip_tsne_graph *graph, int64_t *used) {
    const float half = 0.5f / (float)near->n;
    for (size_t i = 0; i < near->n; i++) {
        used[i] = graph->start[i] + (int64_t)near->k;
        for (size_t e = 0; e < near->k; e++) {
            const float opposite = near->opposite[i * near->k + e];
            const float p = near->value[i * near->k + e] + (opposite > 0 ? opposite : 0);
            graph->to[graph->start[i] + (int64_t)e] = near->to[i * near->k + e];
            graph->weight[graph->start[i] + (int64_t)e] = half * p;
        }
    }
    for (size_t e = 0; e < near->n * near->k; e++) {
        if (near->opposite[e] < 0) {
            const int64_t place = used[near->to[e]]++;
            graph->to[place] = (int32_t)(e / near->k);
            graph->weight[place] = half * near->value[e];
        }
    }
}

static dip_status make_graph(const nearest *near, dip_tsne_graph *graph, dip_error *err) {
    static const char PURPOSE[] = "affinities";
    graph->n = near->n;
    graph->start = dip_alloc(near->n + 1, sizeof *graph->start, PURPOSE, err);
    int64_t *used = dip_alloc(near->n, sizeof *used, PURPOSE, err);
    if (graph->start == NULL || used == NULL) {
        dip_free(used);
        return DIP_ERR_MEMORY;
    }
    for (size_t e = 0; e < near->n * near->k; e++) {
        graph->start[near->to[e] + 1] += near->opposite[e] < 0;
    }
    for (size_t i = 0; i < near->n; i++) {
        graph->start[i + 1] += graph->start[i] + (int64_t)near->k;
    }
    const size_t edges = (size_t)graph->start[near->n];
    graph->to = dip_alloc(edges, sizeof *graph->to, PURPOSE, err);
    graph->weight = dip_alloc(edges, sizeof *graph->weight, PURPOSE, err);
    const int is_short = graph->to == NULL || graph->weight == NULL;
    if (!is_short) {
        fill_rows(near, graph, used);
    }
    dip_free(used);
    return is_short ? DIP_ERR_MEMORY : DIP_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

dip_status dip_tsne_affinities(const float *vectors, size_t n, size_t d,
                               const dip_tsne_settings *settings, const dip_watch *watch,
                               dip_tsne_graph *graph, dip_error *err) {
    static const char PURPOSE[] = "neighbours";
    const double perplexity = dip_tsne_perplexity(settings->perplexity, n);
    const double most = fmin(3 * perplexity, (double)n - 1);
    nearest near = {.n = n, .k = (size_t)most, .threads = settings->threads};
    near.k = near.k < 1 ? 1 : near.k;
    near.to = dip_alloc(n, near.k * sizeof *near.to, PURPOSE, err);
    near.value = dip_alloc(n, near.k * sizeof *near.value, PURPOSE, err);
    near.opposite = dip_alloc(n, near.k * sizeof *near.opposite, PURPOSE, err);
    dip_status status =
        near.to != NULL && near.value != NULL && near.opposite != NULL ? DIP_OK : DIP_ERR_MEMORY;
    DIP_TRY_GOTO(out, status);
    DIP_TRY_GOTO(out, find_nearest(&near, vectors, d, watch, err));
    DIP_TRY_GOTO(out, finish_rows(&near, perplexity, err));
    find_opposites(&near);
    DIP_TRY_GOTO(out, make_graph(&near, graph, err));
out:
    dip_free(near.to);
    dip_free(near.value);
    dip_free(near.opposite);
    return status;
}

void dip_tsne_graph_free(dip_tsne_graph *graph) {
    dip_free(graph->start);
    dip_free(graph->to);
    dip_free(graph->weight);
    *graph = (dip_tsne_graph){0};
}
