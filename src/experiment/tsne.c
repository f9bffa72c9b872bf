/* SPDX-License-Identifier: Apache-2.0
 *
 * The descent, with the settings that large maps were found to need (Belkina et al., "Automated
 * optimized parameters for t-distributed stochastic neighbor embedding improve visualization and
 * analysis of large datasets", Nature Communications 2019; Kobak and Berens, same journal, 2019):
 * a rate of n / 12 and attraction 12 times as strong for the first 250 iterations. The gradient's
 * factor 4 is in the rate, as in the programs of these papers:
 *
 *   g_i = sum over j of (exaggeration p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)
 */
#include "experiment/tsne.h"

#include "base/mem.h"
#include "base/progress.h"
#include "experiment/tsne_parts.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum { EARLY = 250, REPORT = 50 };
#define EXAGGERATION 12.0f
#define EARLY_MOMENTUM 0.5f
#define MOMENTUM 0.8f
#define LEAST_RATE 200.0
#define LEAST_GAIN 0.01f
#define LONGEST_STEP 5.0f /* of a point in an iteration: a rate too high for it blows no map up */

/* One coordinate of all points. */
typedef struct axis {
    float *place;
    float *attraction;
    float *repulsion;
    float *velocity;
    float *gain;
    double *sums; /* [slices] of places */
} axis;

typedef struct descent {
    size_t n;
    int threads;
    const dip_tsne_graph *graph;
    const dip_tsne_kernels *kernels;
    dip_tsne_field *field; /* NULL: sums over all pairs */
    axis x;
    axis y;
    double z;
} descent;

/* ---- memory ---------------------------------------------------------------------------------- */

static dip_status alloc_axis(axis *a, size_t n, dip_error *err) {
    static const char PURPOSE[] = "points of a map";
    float **const parts[] = {&a->place, &a->attraction, &a->repulsion, &a->velocity, &a->gain};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i] = dip_alloc(n, sizeof **parts[i], PURPOSE, err);
        if (*parts[i] == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    a->sums = dip_alloc(dip_tsne_slices(n), sizeof *a->sums, PURPOSE, err);
    return a->sums == NULL ? DIP_ERR_MEMORY : DIP_OK;
}

static void free_axis(axis *a) {
    dip_free(a->place);
    dip_free(a->attraction);
    dip_free(a->repulsion);
    dip_free(a->velocity);
    dip_free(a->gain);
    dip_free(a->sums);
}

static dip_status alloc_descent(descent *t, dip_error *err) {
    DIP_TRY(alloc_axis(&t->x, t->n, err));
    DIP_TRY(alloc_axis(&t->y, t->n, err));
    if (t->n > DIP_TSNE_EXACT) {
        t->field = dip_tsne_field_create(t->n, t->threads, err);
        return t->field == NULL ? DIP_ERR_MEMORY : DIP_OK;
    }
    return DIP_OK;
}

static void free_descent(descent *t) {
    free_axis(&t->x);
    free_axis(&t->y);
    dip_tsne_field_free(t->field);
}

/* ---- forces ---------------------------------------------------------------------------------- */

void dip_tsne_repel_exactly(size_t n, int threads, const float *x, const float *y, float *fx,
                            float *fy, double *z) {
    enum { ROWS = 32 };
    const dip_tsne_kernels *kernels = dip_tsne_kernels_get();
    double sums[DIP_TSNE_EXACT / ROWS] = {0};
    assert(n <= DIP_TSNE_EXACT);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t first = 0; first < n; first += ROWS) {
        const size_t end = first + ROWS < n ? first + ROWS : n;
        sums[first / ROWS] = kernels->repel(n, first, end, x, y, fx, fy);
    }
    *z = -(double)n;
    for (size_t s = 0; s < DIP_TSNE_EXACT / ROWS; s++) {
        *z += sums[s];
    }
}

static void attract(const descent *t) {
    const size_t slices = dip_tsne_slices(t->n);
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
    for (size_t s = 0; s < slices; s++) {
        t->kernels->attract(t->graph, s * DIP_TSNE_SLICE, dip_tsne_slice_end(t->n, s), t->x.place,
                            t->y.place, t->x.attraction, t->y.attraction);
    }
}

static dip_status find_forces(descent *t, dip_error *err) {
    attract(t);
    if (t->field == NULL) {
        dip_tsne_repel_exactly(t->n, t->threads, t->x.place, t->y.place, t->x.repulsion,
                               t->y.repulsion, &t->z);
        return DIP_OK;
    }
    return dip_tsne_repel(t->field, t->x.place, t->y.place, t->x.repulsion, t->y.repulsion, &t->z,
                          err);
}

double dip_tsne_divergence(const dip_tsne_graph *graph, int threads, const float *x, const float *y,
                           double z) {
    enum { PARTS = 64 };
    double sums[PARTS] = {0};
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t part = 0; part < PARTS; part++) {
        for (size_t i = graph->n * part / PARTS; i < graph->n * (part + 1) / PARTS; i++) {
            for (int64_t e = graph->start[i]; e < graph->start[i + 1]; e++) {
                const double p = (double)graph->weight[e];
                const double dx = (double)x[i] - (double)x[graph->to[e]];
                const double dy = (double)y[i] - (double)y[graph->to[e]];
                sums[part] += p > 0 ? p * log(p * z * (1 + dx * dx + dy * dy)) : 0;
            }
        }
    }
    double sum = 0;
    for (size_t part = 0; part < PARTS; part++) {
        sum += sums[part];
    }
    return sum;
}

/* ---- steps ----------------------------------------------------------------------------------- */

typedef struct step {
    float exaggeration;
    float momentum;
    float rate;
    float weight; /* of repulsion: 1 / z */
} step;

/* A coordinate's gain grows while it goes downhill, and shrinks when it has gone too far (Jacobs,
 * "Increased rates of convergence through learning rate adaptation", Neural Networks 1988). */
static float velocity_of(const axis *a, size_t i, const step *s) {
    const float gradient = s->exaggeration * a->attraction[i] - s->weight * a->repulsion[i];
    const bool is_uphill = (gradient > 0) == (a->velocity[i] > 0);
    const float gain = is_uphill ? 0.8f * a->gain[i] : a->gain[i] + 0.2f;
    a->gain[i] = gain < LEAST_GAIN ? LEAST_GAIN : gain;
    return s->momentum * a->velocity[i] - s->rate * a->gain[i] * gradient;
}

static void move_slice(const descent *t, size_t slice, const step *s) {
    double x = 0;
    double y = 0;
    for (size_t i = slice * DIP_TSNE_SLICE; i < dip_tsne_slice_end(t->n, slice); i++) {
        const float dx = velocity_of(&t->x, i, s);
        const float dy = velocity_of(&t->y, i, s);
        const float length = sqrtf(dx * dx + dy * dy);
        const float factor = length > LONGEST_STEP ? LONGEST_STEP / length : 1;
        t->x.velocity[i] = factor * dx;
        t->y.velocity[i] = factor * dy;
        t->x.place[i] += factor * dx;
        t->y.place[i] += factor * dy;
        x += (double)t->x.place[i];
        y += (double)t->y.place[i];
    }
    t->x.sums[slice] = x;
    t->y.sums[slice] = y;
}

static void centre(const axis *a, size_t n) {
    double sum = 0;
    for (size_t s = 0; s < dip_tsne_slices(n); s++) {
        sum += a->sums[s];
    }
    const float mean = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++) {
        a->place[i] -= mean;
    }
}

static void move(const descent *t, int64_t iteration) {
    const double rate = fmax((double)t->n / (double)EXAGGERATION, LEAST_RATE);
    const bool is_early = iteration < EARLY;
    const step s = {.exaggeration = is_early ? EXAGGERATION : 1,
                    .momentum = is_early ? EARLY_MOMENTUM : MOMENTUM,
                    .rate = (float)rate,
                    .weight = (float)(1 / t->z)};
    const size_t slices = dip_tsne_slices(t->n);
#pragma omp parallel for schedule(static) num_threads(t->threads)
    for (size_t slice = 0; slice < slices; slice++) {
        move_slice(t, slice, &s);
    }
    centre(&t->x, t->n);
    centre(&t->y, t->n);
}

static dip_status descend(descent *t, int64_t iterations, const dip_watch *watch, dip_error *err) {
    char detail[32] = "";
    dip_progress progress = {.phase = "drawing the map",
                             .unit = "iterations",
                             .detail = detail,
                             .total = (uint64_t)iterations};
    for (int64_t i = 0; i < iterations; i++) {
        DIP_TRY(find_forces(t, err));
        if (i % REPORT == 0 || i + 1 == iterations) {
            const double kl =
                dip_tsne_divergence(t->graph, t->threads, t->x.place, t->y.place, t->z);
            snprintf(detail, sizeof detail, "KL divergence %.4f", kl);
        }
        move(t, i);
        progress.done = (uint64_t)i + 1;
        DIP_TRY(dip_tell(watch, &progress, err));
    }
    return DIP_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

static dip_status check_arguments(const float *vectors, size_t n, size_t d,
                                  const dip_tsne_settings *settings, dip_error *err) {
    if (!(settings->perplexity >= 1) || isinf(settings->perplexity)) {
        return dip_fail(err, DIP_ERR_USAGE, "the perplexity of a map is %g; it must be 1 or more",
                        settings->perplexity);
    }
    if (settings->iterations < 1 || settings->threads < 1) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "a map with %lld iterations on %d threads; both must be 1 or more",
                        (long long)settings->iterations, settings->threads);
    }
    if (n > INT32_MAX) {
        return dip_fail(err, DIP_ERR_USAGE, "a map of %zu vectors; it can hold %d", n, INT32_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if (!dip_vec_is_finite(d, vectors + i * d)) {
            return dip_fail(err, DIP_ERR_NONFINITE,
                            "vector %zu of %zu is not finite, so it has no place on a map", i, n);
        }
    }
    return DIP_OK;
}

static dip_status draw(const float *vectors, size_t d, const dip_tsne_settings *settings,
                       const dip_watch *watch, descent *t, dip_error *err) {
    dip_tsne_graph graph = {0};
    dip_status status = dip_tsne_affinities(vectors, t->n, d, settings, watch, &graph, err);
    t->graph = &graph;
    DIP_TRY_GOTO(out, status);
    DIP_TRY_GOTO(out, alloc_descent(t, err));
    for (size_t i = 0; i < t->n; i++) {
        t->x.gain[i] = t->y.gain[i] = 1;
    }
    DIP_TRY_GOTO(out, dip_tsne_start(vectors, t->n, d, settings, t->x.place, t->y.place, err));
    DIP_TRY_GOTO(out, descend(t, settings->iterations, watch, err));
out:
    dip_tsne_graph_free(&graph);
    return status;
}

dip_status dip_tsne(const float *vectors, size_t n, size_t d, const dip_tsne_settings *settings,
                    const dip_watch *watch, float *xy, dip_error *err) {
    DIP_TRY(check_arguments(vectors, n, d, settings, err));
    if (n < 2) {
        for (size_t i = 0; i < 2 * n; i++) {
            xy[i] = 0;
        }
        return DIP_OK;
    }
    /* Few points are drawn sooner than threads wait for each other. */
    const int threads = n <= DIP_TSNE_EXACT ? 1 : settings->threads;
    descent t = {.n = n, .threads = threads, .kernels = dip_tsne_kernels_get()};
    const dip_status status = draw(vectors, d, settings, watch, &t, err);
    for (size_t i = 0; status == DIP_OK && i < n; i++) {
        xy[2 * i] = t.x.place[i];
        xy[2 * i + 1] = t.y.place[i];
    }
    free_descent(&t);
    return status;
}
