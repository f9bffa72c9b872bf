/* SPDX-License-Identifier: Apache-2.0
 *
 * The start of a map: principal components, which keep the large distances right (Kobak and
 * Berens, "The art of using t-SNE for single-cell transcriptomics", Nature Communications 2019), by
 * orthogonal iteration. The covariance matrix is never made: a step is two walks over the vectors.
 */
#include "experiment/tsne_parts.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

/* A map needs a direction, not its last digits. */
enum { STEPS = 50 };
#define CLOSE_ENOUGH 1e-6
#define START_DEVIATION 1e-4
#define OFFSET 1e-6

typedef struct problem {
    const float *vectors;
    size_t n;
    size_t d;
    int threads;
    float *x; /* [n] projections on the first axis, less their means */
    float *y;
    double *mean;   /* [d] */
    float *axes;    /* [2 x d] orthonormal, or 0 */
    double *next;   /* [2 x d] */
    float *partial; /* [slices x 2 x d] */
} problem;

static dip_status alloc_problem(problem *p, dip_error *err) {
    static const char PURPOSE[] = "principal components";
    p->mean = dip_alloc(p->d, sizeof *p->mean, PURPOSE, err);
    p->axes = dip_alloc(2 * p->d, sizeof *p->axes, PURPOSE, err);
    p->next = dip_alloc(2 * p->d, sizeof *p->next, PURPOSE, err);
    p->partial = dip_alloc(dip_tsne_slices(p->n), 2 * p->d * sizeof *p->partial, PURPOSE, err);
    return p->mean != NULL && p->axes != NULL && p->next != NULL && p->partial != NULL
               ? DIP_OK
               : DIP_ERR_MEMORY;
}

static void free_problem(problem *p) {
    dip_free(p->mean);
    dip_free(p->axes);
    dip_free(p->next);
    dip_free(p->partial);
}

/* next = the sum of x_i v_i and of y_i v_i, slice by slice. */
static void sum_weighted(const problem *p) {
    const size_t slices = dip_tsne_slices(p->n);
    const size_t d = p->d;
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (size_t s = 0; s < slices; s++) {
        float *sum = p->partial + s * 2 * d;
        memset(sum, 0, 2 * d * sizeof *sum);
        for (size_t i = s * DIP_TSNE_SLICE; i < dip_tsne_slice_end(p->n, s); i++) {
            dip_vec_axpy(d, p->x[i], p->vectors + i * d, sum);
            dip_vec_axpy(d, p->y[i], p->vectors + i * d, sum + d);
        }
    }
    memset(p->next, 0, 2 * d * sizeof *p->next);
    for (size_t s = 0; s < slices; s++) {
        for (size_t c = 0; c < 2 * d; c++) {
            p->next[c] += (double)p->partial[s * 2 * d + c];
        }
    }
}

static void measure_mean(problem *p) {
    for (size_t i = 0; i < p->n; i++) {
        p->x[i] = 1;
        p->y[i] = 0;
    }
    sum_weighted(p);
    for (size_t c = 0; c < p->d; c++) {
        p->mean[c] = p->next[c] / (double)p->n;
    }
}

static double dot(size_t n, const double *a, const double *b) {
    double sum = 0;
    for (size_t c = 0; c < n; c++) {
        sum += a[c] * b[c];
    }
    return sum;
}

/* Length 1; 0 when nothing but rounding is left. */
static void normalise(size_t n, double scale, double *v) {
    const double length = sqrt(dot(n, v, v));
    for (size_t c = 0; c < n; c++) {
        v[c] = length > 1e-6 * scale ? v[c] / length : 0;
    }
}

/* Orthonormal axes from next; returns how far they are from those before, by their angles. */
static double take_axes(problem *p) {
    const size_t d = p->d;
    double *first = p->next;
    double *second = p->next + d;
    const double scale = sqrt(dot(d, first, first) + dot(d, second, second));
    normalise(d, scale, first);
    const double overlap = dot(d, first, second);
    for (size_t c = 0; c < d; c++) {
        second[c] -= overlap * first[c];
    }
    normalise(d, scale, second);
    double change = 0;
    for (size_t axis = 0; axis < 2; axis++) {
        double cosine = 0;
        for (size_t c = axis * d; c < (axis + 1) * d; c++) {
            cosine += p->next[c] * (double)p->axes[c];
        }
        change = fmax(change, 1 - fabs(cosine));
    }
    for (size_t c = 0; c < 2 * d; c++) {
        p->axes[c] = (float)p->next[c];
    }
    return change;
}

static void project(const problem *p) {
    double shift[2] = {0, 0};
    for (size_t c = 0; c < 2 * p->d; c++) {
        shift[c / p->d] += (double)p->axes[c] * p->mean[c % p->d];
    }
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (size_t i = 0; i < p->n; i++) {
        const float *v = p->vectors + i * p->d;
        p->x[i] = dip_vec_dot(p->d, v, p->axes) - (float)shift[0];
        p->y[i] = dip_vec_dot(p->d, v, p->axes + p->d) - (float)shift[1];
    }
}

/* Any start that is no eigenvector's complement will do. */
static void draw_axes(problem *p, dip_rng rng) {
    for (size_t c = 0; c < 2 * p->d; c++) {
        p->next[c] = dip_unit(dip_rng_at(rng, c, 1).word[0]) - 0.5;
    }
}

static void find_axes(problem *p, dip_rng rng) {
    measure_mean(p);
    draw_axes(p, rng);
    take_axes(p);
    project(p);
    for (int step = 0; step < STEPS; step++) {
        sum_weighted(p);
        const double change = take_axes(p);
        project(p);
        if (change < CLOSE_ENOUGH) {
            return;
        }
    }
}

/* With one of them for both, the components keep their proportion. */
static void scale_points(const problem *p, dip_rng rng) {
    double squares = 0;
    for (size_t i = 0; i < p->n; i++) {
        squares += (double)p->x[i] * (double)p->x[i];
    }
    const double deviation = sqrt(squares / (double)p->n);
    const double factor = deviation > 1e-6 ? START_DEVIATION / deviation : 0;
    for (size_t i = 0; i < p->n; i++) {
        const dip_draw draw = dip_rng_at(rng, i, 0);
        const double dx = OFFSET * (dip_unit(draw.word[0]) - 0.5);
        const double dy = OFFSET * (dip_unit(draw.word[1]) - 0.5);
        p->x[i] = (float)(factor * (double)p->x[i] + dx);
        p->y[i] = (float)(factor * (double)p->y[i] + dy);
    }
}

dip_status dip_tsne_start(const float *vectors, size_t n, size_t d,
                          const dip_tsne_settings *settings, float *x, float *y, dip_error *err) {
    const dip_rng rng = dip_rng_make(settings->seed, DIP_DRAW_MAP);
    problem p = {.vectors = vectors, .n = n, .d = d, .threads = settings->threads, .x = x, .y = y};
    dip_status status = alloc_problem(&p, err);
    if (status == DIP_OK) {
        find_axes(&p, rng);
        scale_points(&p, rng);
    }
    free_problem(&p);
    return status;
}
