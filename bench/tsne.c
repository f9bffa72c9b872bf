/* SPDX-License-Identifier: Apache-2.0
 *
 * A map of made-up item vectors: unit vectors around the centres of clusters, whose sizes follow a
 * power law. Prints one JSON object: seconds of both phases, CPU seconds, peak memory, the last KL
 * divergence, and how many of a point's 10 nearest in the map are of its cluster.
 *
 *   bench_tsne [--items N] [--dim D] [--clusters C] [--iterations I] [--threads T] [--save FILE]
 *
 * --save writes the vectors as raw float32 and ends, so that other programs can draw the same.
 */
#include "experiment/tsne.h"
#include "base/mem.h"
#include "engine/rank.h"

#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct settings {
    size_t items;
    size_t dim;
    size_t clusters;
    size_t iterations;
    size_t threads;
    const char *save;
} settings;

typedef struct times {
    double begin;
    double neighbours;
    double kl;
} times;

/* SplitMix64 (Steele et al., OOPSLA 2014) at one place of its sequence, as a number in [0, 1). */
static double random_at(uint64_t place) {
    uint64_t z = (place + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

static double normal_at(uint64_t place) {
    const double angle = 2 * M_PI * random_at(2 * place + 1);
    return sqrt(-2 * log(1 - random_at(2 * place))) * cos(angle);
}

/* Small numbers are frequent. */
static size_t cluster_of(const settings *s, size_t i) {
    const double u = random_at(((uint64_t)1 << 40) + i);
    return (size_t)((double)s->clusters * u * u);
}

static void make_vector(const settings *s, size_t i, float *v) {
    const uint64_t centre = ((uint64_t)2 << 40) + cluster_of(s, i) * s->dim;
    const uint64_t noise = ((uint64_t)4 << 40) + i * s->dim;
    double squares = 0;
    for (size_t c = 0; c < s->dim; c++) {
        v[c] = (float)(normal_at(centre + c) + 0.8 * normal_at(noise + c));
        squares += (double)v[c] * (double)v[c];
    }
    for (size_t c = 0; c < s->dim; c++) {
        v[c] = (float)((double)v[c] / sqrt(squares));
    }
}

static int on_progress(void *context, const dip_progress *progress) {
    times *t = context;
    if (strcmp(progress->unit, "items") == 0) {
        t->neighbours = omp_get_wtime() - t->begin;
    }
    const char *number = strrchr(progress->detail, ' ');
    t->kl = number != NULL ? strtod(number, NULL) : t->kl;
    return 0;
}

/* The share of same clusters among the 10 nearest of every n / 1000th point in the map. */
static double purity(const settings *s, const float *xy) {
    enum { NEAREST = 10 };
    const size_t stride = s->items > 1000 ? s->items / 1000 : 1;
    size_t same = 0;
    size_t all = 0;
    for (size_t i = 0; i < s->items; i += stride) {
        float nearest[NEAREST];
        size_t who[NEAREST] = {0};
        for (size_t k = 0; k < NEAREST; k++) {
            nearest[k] = INFINITY;
        }
        for (size_t j = 0; j < s->items; j++) {
            const float dx = xy[2 * i] - xy[2 * j];
            const float dy = xy[2 * i + 1] - xy[2 * j + 1];
            float distance = j == i ? INFINITY : dx * dx + dy * dy;
            size_t at = j;
            for (size_t k = 0; k < NEAREST && distance < nearest[NEAREST - 1]; k++) {
                if (distance < nearest[k]) {
                    const float farther = nearest[k];
                    const size_t other = who[k];
                    nearest[k] = distance;
                    who[k] = at;
                    distance = farther;
                    at = other;
                }
            }
        }
        for (size_t k = 0; k < NEAREST; k++, all++) {
            same += cluster_of(s, who[k]) == cluster_of(s, i);
        }
    }
    return (double)same / (double)all;
}

static void print_result(const settings *s, const times *t, double seconds, double share) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    json_t *result = json_pack("{sI sI sI sI sf sf sf sf sf sf}", "items", (json_int_t)s->items,
                               "dim", (json_int_t)s->dim, "iterations", (json_int_t)s->iterations,
                               "threads", (json_int_t)s->threads, "neighbour_seconds",
                               t->neighbours, "seconds", seconds, "cpu_seconds", cpu, "peak_rss_mb",
                               (double)usage.ru_maxrss / 1024, "kl", t->kl, "purity", share);
    json_dumpf(result, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(result);
}

static int save(const settings *s, const float *vectors) {
    FILE *file = fopen(s->save, "wb");
    const size_t count = s->items * s->dim;
    const int is_written = file != NULL && fwrite(vectors, sizeof *vectors, count, file) == count;
    return file != NULL && fclose(file) == 0 && is_written ? 0 : 1;
}

static dip_status draw(const settings *s, const float *vectors, float *xy, dip_error *err) {
    times t = {.begin = omp_get_wtime()};
    const dip_watch watch = {.on_progress = on_progress, .context = &t};
    const dip_tsne_settings map = {.perplexity = 30,
                                   .iterations = (int64_t)s->iterations,
                                   .seed = 1,
                                   .threads = (int)s->threads};
    const dip_status status = dip_tsne(vectors, s->items, s->dim, &map, &watch, xy, err);
    if (status == DIP_OK) {
        print_result(s, &t, omp_get_wtime() - t.begin, purity(s, xy));
    }
    return status;
}

static int run(const settings *s) {
    dip_error error = {0};
    float *vectors = dip_alloc(s->items, s->dim * sizeof *vectors, "vectors", &error);
    float *xy = dip_alloc(s->items, 2 * sizeof *xy, "map", &error);
    int result = 1;
    if (vectors != NULL && xy != NULL) {
#pragma omp parallel for schedule(static) num_threads((int)s->threads)
        for (size_t i = 0; i < s->items; i++) {
            make_vector(s, i, vectors + i * s->dim);
        }
        result = s->save != NULL ? save(s, vectors) : (int)draw(s, vectors, xy, &error);
    }
    if (result != 0) {
        fprintf(stderr, "bench_tsne: %s\n", error.message);
    }
    dip_free(vectors);
    dip_free(xy);
    return result;
}

int main(int argc, char **argv) {
    settings s = {10000, 128, 100, 1000, (size_t)omp_get_num_procs(), NULL};
    const struct {
        const char *name;
        size_t *value;
    } options[] = {{"--items", &s.items},
                   {"--dim", &s.dim},
                   {"--clusters", &s.clusters},
                   {"--iterations", &s.iterations},
                   {"--threads", &s.threads}};
    for (int i = 1; i + 1 < argc; i += 2) {
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            if (strcmp(argv[i], options[o].name) == 0) {
                *options[o].value = strtoull(argv[i + 1], NULL, 10);
            }
        }
        s.save = strcmp(argv[i], "--save") == 0 ? argv[i + 1] : s.save;
    }
    return run(&s);
}
