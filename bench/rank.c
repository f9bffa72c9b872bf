/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact top-k of random unit vectors over a catalogue of random unit vectors, as evaluation does
 * it; prints one JSON object.
 *
 *   bench_rank [--queries Q] [--items M] [--dim D] [--k K] [--threads T]
 */
#include "engine/rank.h"
#include "base/mem.h"

#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sizes {
    size_t queries;
    size_t items;
    size_t dim;
    size_t k;
    int threads;
} sizes;

/* SplitMix64 (Steele et al., OOPSLA 2014) at one place of its sequence, as a number in [-1, 1). */
static float random_at(uint64_t place) {
    uint64_t z = (place + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)((double)(z >> 40) * 0x1p-23 - 1);
}

static float *unit_vectors(size_t n, size_t d, uint64_t stream, dip_error *err) {
    float *vectors = dip_alloc(n, d * sizeof *vectors, "vectors", err);
    if (vectors == NULL) {
        return NULL;
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        float *v = vectors + i * d;
        double squares = 0;
        for (size_t j = 0; j < d; j++) {
            v[j] = random_at((stream << 48) + i * d + j);
            squares += (double)v[j] * (double)v[j];
        }
        for (size_t j = 0; j < d; j++) {
            v[j] = (float)((double)v[j] / sqrt(squares));
        }
    }
    return vectors;
}

static dip_status rank(const sizes *s, const float *queries, const float *items, double *seconds,
                       dip_error *err) {
    int64_t *rows = dip_alloc(s->queries, s->k * sizeof *rows, "ranking", err);
    float *scores = dip_alloc(s->queries, s->k * sizeof *scores, "ranking", err);
    dip_status status = rows != NULL && scores != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        const dip_rank_job job = {.queries = queries,
                                  .n = s->queries,
                                  .catalogue = items,
                                  .m = s->items,
                                  .d = s->dim,
                                  .k = s->k,
                                  .threads = s->threads};
        const double begin = omp_get_wtime();
        status = dip_rank(&job, rows, scores, err);
        *seconds = omp_get_wtime() - begin;
    }
    dip_free(rows);
    dip_free(scores);
    return status;
}

static void print_result(const sizes *s, double seconds) {
    const double operations = 2.0 * (double)s->queries * (double)s->items * (double)s->dim;
    const double million = 1e6;
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:i, s:f, s:f, s:f, s:f}", "queries", (json_int_t)s->queries, "items",
        (json_int_t)s->items, "dim", (json_int_t)s->dim, "k", (json_int_t)s->k, "threads",
        s->threads, "seconds", seconds, "queries_per_s", (double)s->queries / seconds, "gflops",
        1e-9 * operations / seconds, "minutes_for_1m_x_1m",
        seconds * (million / (double)s->queries) * (million / (double)s->items) / 60);
    char *text = json_dumps(object, JSON_REAL_PRECISION(6));
    puts(text != NULL ? text : "{}");
    free(text);
    json_decref(object);
}

static dip_status run(const sizes *s, dip_error *err) {
    double seconds = 0;
    float *queries = unit_vectors(s->queries, s->dim, 1, err);
    float *items = unit_vectors(s->items, s->dim, 2, err);
    dip_status status = queries != NULL && items != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        status = rank(s, queries, items, &seconds, err);
    }
    dip_free(queries);
    dip_free(items);
    if (status == DIP_OK) {
        print_result(s, seconds);
    }
    return status;
}

/* False when the argument is none of ours. */
static bool set_size(sizes *s, const char *key, const char *value) {
    const struct {
        const char *key;
        size_t *number;
    } all[] = {
        {"--queries", &s->queries}, {"--items", &s->items}, {"--dim", &s->dim}, {"--k", &s->k}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(key, all[i].key) == 0) {
            *all[i].number = (size_t)strtoull(value, NULL, 10);
            return *all[i].number > 0;
        }
    }
    if (strcmp(key, "--threads") == 0) {
        s->threads = atoi(value);
        return s->threads > 0;
    }
    return false;
}

int main(int argc, char **argv) {
    sizes s = {4096, 1000000, 128, 50, omp_get_num_procs()};
    dip_error err = {0};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !set_size(&s, argv[i], argv[i + 1])) {
            fprintf(stderr, "usage: bench_rank [--queries Q] [--items M] [--dim D] [--k K] "
                            "[--threads T]\n");
            return DIP_ERR_USAGE;
        }
    }
    const dip_status status = run(&s, &err);
    if (status != DIP_OK) {
        fprintf(stderr, "bench_rank: %s\n", err.message);
    }
    return (int)status;
}
