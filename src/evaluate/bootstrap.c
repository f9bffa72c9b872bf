/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/bootstrap.h"

#include "base/mem.h"
#include "base/order.h"
#include "base/rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 4096, RESAMPLES_PER_TELL = 64 };

/* ---- groups ---------------------------------------------------------------------------------- */

dip_status dip_groups_create(dip_groups *groups, const dip_scores *shape, uint64_t seed,
                             dip_error *err) {
    *groups = (dip_groups){.n = shape->n < GROUPS_MAX ? shape->n : GROUPS_MAX,
                           .n_queries = shape->n,
                           .width = shape->width,
                           .columns = shape->width + DIP_N_SLICES,
                           .seed = seed};
    groups->total =
        dip_alloc(groups->n, groups->columns * sizeof *groups->total, "bootstrap groups", err);
    return groups->total != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

void dip_groups_add(dip_groups *groups, const dip_scores *scores) {
    const dip_rng rng = dip_rng_make(groups->seed, DIP_DRAW_BOOTSTRAP);
    const dip_permutation deal = dip_permutation_make(rng, UINT64_MAX, scores->n);
    assert(scores->n == groups->n_queries && scores->width == groups->width);
    for (size_t i = 0; i < scores->n; i++) {
        double *total = groups->total + dip_permute(&deal, i) % groups->n * groups->columns;
        for (size_t c = 0; c < scores->width; c++) {
            total[c] += (double)scores->sum[i * scores->width + c];
        }
        for (size_t s = 0; s < DIP_N_SLICES; s++) {
            total[scores->width + s] += (double)scores->weight[i * DIP_N_SLICES + s];
        }
    }
    groups->runs++;
}

static double column_sum(const dip_groups *g, size_t column) {
    double sum = 0;
    for (size_t i = 0; i < g->n; i++) {
        sum += g->total[i * g->columns + column];
    }
    return sum;
}

void dip_groups_mean(const dip_groups *groups, double *mean) {
    const size_t per_slice = groups->width / DIP_N_SLICES;
    for (size_t c = 0; c < groups->width; c++) {
        const double w = column_sum(groups, groups->width + c / per_slice);
        mean[c] = w > 0 ? column_sum(groups, c) / w : 0;
    }
}

void dip_groups_free(dip_groups *groups) {
    dip_free(groups->total);
    memset(groups, 0, sizeof *groups);
}

/* ---- resamples ------------------------------------------------------------------------------- */

/* The means of sums [columns]. */
static void divide(const dip_groups *g, const double *sum, double *mean) {
    const size_t per_slice = g->width / DIP_N_SLICES;
    for (size_t c = 0; c < g->width; c++) {
        const double w = sum[g->width + c / per_slice];
        mean[c] = w > 0 ? sum[c] / w : 0;
    }
}

/* The means of one resample of the groups, drawn with replacement. */
static void resample(const dip_groups *g, dip_rng rng, uint64_t index, double *sum, double *mean) {
    memset(sum, 0, g->columns * sizeof *sum);
    for (size_t i = 0; i < g->n; i++) {
        const dip_draw draw = dip_rng_at(rng, i, index);
        const double *total = g->total + dip_below(draw.word[0], draw.word[1], g->n) * g->columns;
        for (size_t c = 0; c < g->columns; c++) {
            sum[c] += total[c];
        }
    }
    divide(g, sum, mean);
}

dip_status dip_groups_resample(const dip_groups *groups, size_t resamples, int threads,
                               const dip_watch *watch, double *means, dip_error *err) {
    const dip_rng rng = dip_rng_make(groups->seed, DIP_DRAW_BOOTSTRAP);
    double *sums =
        dip_alloc(RESAMPLES_PER_TELL, groups->columns * sizeof *sums, "bootstrap sums", err);
    dip_status status = sums != NULL ? DIP_OK : DIP_ERR_MEMORY;
    for (size_t begin = 0; begin < resamples && status == DIP_OK; begin += RESAMPLES_PER_TELL) {
        const size_t left = resamples - begin;
        const size_t n = left < RESAMPLES_PER_TELL ? left : RESAMPLES_PER_TELL;
#pragma omp parallel for schedule(static) num_threads(threads)
        for (size_t r = 0; r < n; r++) {
            resample(groups, rng, begin + r, sums + r * groups->columns,
                     means + (begin + r) * groups->width);
        }
        const dip_progress progress = {.phase = "resampling",
                                       .unit = "resamples",
                                       .detail = "",
                                       .done = begin + n,
                                       .total = resamples};
        status = dip_tell(watch, &progress, err);
    }
    dip_free(sums);
    return status;
}

void dip_percentiles(const double *means, size_t width, size_t resamples, size_t column,
                     double *list, double *low, double *high) {
    for (size_t r = 0; r < resamples; r++) {
        list[r] = means[r * width + column];
    }
    qsort(list, resamples, sizeof *list, dip_order_double);
    *low = list[(size_t)(0.025 * (double)(resamples - 1) + 0.5)];
    *high = list[(size_t)(0.975 * (double)(resamples - 1) + 0.5)];
}

/* ---- intervals of one run -------------------------------------------------------------------- */

static dip_status find_intervals(const dip_groups *g, size_t resamples, int threads,
                                 const dip_watch *watch, double *low, double *high,
                                 dip_error *err) {
    double *means = dip_alloc(resamples, g->width * sizeof *means, "bootstrap means", err);
    double *list = dip_alloc(resamples, sizeof *list, "bootstrap means", err);
    dip_status status = means != NULL && list != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        status = dip_groups_resample(g, resamples, threads, watch, means, err);
    }
    for (size_t c = 0; c < g->width && status == DIP_OK; c++) {
        dip_percentiles(means, g->width, resamples, c, list, &low[c], &high[c]);
    }
    dip_free(means);
    dip_free(list);
    return status;
}

dip_status dip_scores_bootstrap(const dip_scores *scores, int64_t resamples, uint64_t seed,
                                int threads, const dip_watch *watch, double *low, double *high,
                                dip_error *err) {
    dip_groups groups;
    if (scores->n == 0 || resamples < 1) {
        memset(low, 0, scores->width * sizeof *low);
        memset(high, 0, scores->width * sizeof *high);
        return DIP_OK;
    }
    DIP_TRY(dip_groups_create(&groups, scores, seed, err));
    dip_groups_add(&groups, scores);
    const dip_status status =
        find_intervals(&groups, (size_t)resamples, threads, watch, low, high, err);
    dip_groups_free(&groups);
    return status;
}
