/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/scores.h"

#include "base/mem.h"
#include "base/order.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 4096, LIST_LENGTH_MAX = 1000, RESAMPLES_PER_TELL = 64 };

/* Binary search in ascending rows. */
static bool is_right(const int32_t *right, int64_t n, int64_t item) {
    int64_t low = 0;
    int64_t high = n;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (right[middle] < item) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < n && right[low] == item;
}

static bool in_slice(const dip_questions *q, int64_t item, size_t slice) {
    return (q->slices[item] >> slice) & 1;
}

/* Adds the metrics of one example at every list length. */
static void add_example(const dip_scores *scores, float *sum, size_t slice, const bool *hit,
                        size_t length, size_t right) {
    for (size_t k = 0; k < scores->k.n; k++) {
        double metric[DIP_N_METRICS];
        dip_metrics(hit, length, right, (size_t)scores->k.value[k], metric);
        for (size_t m = 0; m < DIP_N_METRICS; m++) {
            sum[dip_scores_place(scores, slice, k, m)] += (float)metric[m];
        }
    }
}

typedef struct ranking {
    const int64_t *items;
    size_t length;
    const int32_t *right;
    int64_t n_right;
} ranking;

static ranking ranking_of(const dip_questions *q, size_t i, const int64_t *items, size_t longest) {
    ranking r = {items + i * longest, 0, q->right + q->start[i], q->start[i + 1] - q->start[i]};
    while (r.length < longest && r.items[r.length] >= 0) {
        r.length++;
    }
    return r;
}

/* All right items of the slice together. */
static void score_standard(dip_scores *scores, const dip_questions *q, size_t i, const ranking *r,
                           size_t slice) {
    bool hit[LIST_LENGTH_MAX];
    size_t right = 0;
    for (int64_t j = 0; j < r->n_right; j++) {
        right += in_slice(q, r->right[j], slice);
    }
    if (right == 0) {
        return;
    }
    for (size_t j = 0; j < r->length; j++) {
        hit[j] = is_right(r->right, r->n_right, r->items[j]) && in_slice(q, r->items[j], slice);
    }
    add_example(scores, scores->sum + i * scores->width, slice, hit, r->length, right);
    scores->weight[i * DIP_N_SLICES + slice] = 1;
}

/* Each right item of the slice alone. */
static void score_paper(dip_scores *scores, const dip_questions *q, size_t i, const ranking *r,
                        size_t slice) {
    bool hit[LIST_LENGTH_MAX];
    for (int64_t j = 0; j < r->n_right; j++) {
        if (!in_slice(q, r->right[j], slice)) {
            continue;
        }
        for (size_t l = 0; l < r->length; l++) {
            hit[l] = r->items[l] == r->right[j];
        }
        add_example(scores, scores->sum + i * scores->width, slice, hit, r->length, 1);
        scores->weight[i * DIP_N_SLICES + slice] += 1;
    }
}

static void count_slices(dip_scores *scores, const dip_questions *q) {
    for (size_t i = 0; i < scores->n; i++) {
        for (size_t slice = 0; slice < DIP_N_SLICES; slice++) {
            scores->queries[slice] += scores->weight[i * DIP_N_SLICES + slice] > 0;
        }
    }
    for (int64_t j = 0; j < (scores->n > 0 ? q->start[q->n] : 0); j++) {
        for (size_t slice = 0; slice < DIP_N_SLICES; slice++) {
            scores->pairs[slice] += in_slice(q, q->right[j], slice);
        }
    }
}

dip_status dip_scores_create(dip_scores *scores, const dip_questions *questions,
                             const int64_t *items, size_t longest, const dip_list *k, int protocol,
                             dip_error *err) {
    memset(scores, 0, sizeof *scores);
    scores->n = questions->n;
    scores->k = *k;
    scores->width = DIP_N_SLICES * k->n * DIP_N_METRICS;
    scores->sum = dip_alloc(scores->n, scores->width * sizeof *scores->sum, "metrics", err);
    scores->weight = dip_alloc(scores->n, DIP_N_SLICES * sizeof *scores->weight, "metrics", err);
    if (scores->sum == NULL || scores->weight == NULL) {
        dip_scores_free(scores);
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < scores->n; i++) {
        const ranking r = ranking_of(questions, i, items, longest);
        for (size_t slice = 0; slice < DIP_N_SLICES; slice++) {
            if (protocol == DIP_PROTOCOL_PAPER) {
                score_paper(scores, questions, i, &r, slice);
            } else {
                score_standard(scores, questions, i, &r, slice);
            }
        }
    }
    count_slices(scores, questions);
    return DIP_OK;
}

void dip_scores_mean(const dip_scores *scores, double *mean) {
    double weight[DIP_N_SLICES] = {0};
    memset(mean, 0, scores->width * sizeof *mean);
    for (size_t i = 0; i < scores->n; i++) {
        for (size_t c = 0; c < scores->width; c++) {
            mean[c] += (double)scores->sum[i * scores->width + c];
        }
        for (size_t s = 0; s < DIP_N_SLICES; s++) {
            weight[s] += (double)scores->weight[i * DIP_N_SLICES + s];
        }
    }
    const size_t per_slice = scores->width / DIP_N_SLICES;
    for (size_t c = 0; c < scores->width; c++) {
        const double w = weight[c / per_slice];
        mean[c] = w > 0 ? mean[c] / w : 0;
    }
}

/* Groups of queries with their sums; width sums, then the slices' weights. */
typedef struct groups {
    size_t n;
    size_t columns;
    double *total; /* [n x columns] */
} groups;

static dip_status make_groups(groups *g, const dip_scores *scores, dip_rng rng, dip_error *err) {
    g->n = scores->n < GROUPS_MAX ? scores->n : GROUPS_MAX;
    g->columns = scores->width + DIP_N_SLICES;
    g->total = dip_alloc(g->n, g->columns * sizeof *g->total, "bootstrap groups", err);
    if (g->total == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_permutation deal = dip_permutation_make(rng, UINT64_MAX, scores->n);
    for (size_t i = 0; i < scores->n; i++) {
        double *total = g->total + dip_permute(&deal, i) % g->n * g->columns;
        for (size_t c = 0; c < scores->width; c++) {
            total[c] += (double)scores->sum[i * scores->width + c];
        }
        for (size_t s = 0; s < DIP_N_SLICES; s++) {
            total[scores->width + s] += (double)scores->weight[i * DIP_N_SLICES + s];
        }
    }
    return DIP_OK;
}

/* The means of one resample of the groups, drawn with replacement. */
static void resample(const groups *g, const dip_scores *scores, dip_rng rng, uint64_t index,
                     double *work, double *mean) {
    memset(work, 0, g->columns * sizeof *work);
    for (size_t i = 0; i < g->n; i++) {
        const dip_draw draw = dip_rng_at(rng, i, index);
        const double *total = g->total + dip_below(draw.word[0], draw.word[1], g->n) * g->columns;
        for (size_t c = 0; c < g->columns; c++) {
            work[c] += total[c];
        }
    }
    const size_t per_slice = scores->width / DIP_N_SLICES;
    for (size_t c = 0; c < scores->width; c++) {
        const double w = work[scores->width + c / per_slice];
        mean[c] = w > 0 ? work[c] / w : 0;
    }
}

static void percentiles(const double *means, size_t width, size_t n, size_t column, double *list,
                        double *low, double *high) {
    for (size_t r = 0; r < n; r++) {
        list[r] = means[r * width + column];
    }
    qsort(list, n, sizeof *list, dip_order_double);
    *low = list[(size_t)(0.025 * (double)(n - 1) + 0.5)];
    *high = list[(size_t)(0.975 * (double)(n - 1) + 0.5)];
}

static dip_status run_bootstrap(const groups *g, const dip_scores *scores, size_t n, dip_rng rng,
                                int threads, const dip_watch *watch, double *low, double *high,
                                dip_error *err) {
    double *means = dip_alloc(n, scores->width * sizeof *means, "bootstrap means", err);
    double *work = dip_alloc(n, g->columns * sizeof *work, "bootstrap sums", err);
    if (means == NULL || work == NULL) {
        dip_free(means);
        dip_free(work);
        return DIP_ERR_MEMORY;
    }
    dip_status status = DIP_OK;
    for (size_t begin = 0; begin < n && status == DIP_OK; begin += RESAMPLES_PER_TELL) {
        const size_t end = begin + RESAMPLES_PER_TELL < n ? begin + RESAMPLES_PER_TELL : n;
#pragma omp parallel for schedule(static) num_threads(threads)
        for (size_t r = begin; r < end; r++) {
            resample(g, scores, rng, r, work + r * g->columns, means + r * scores->width);
        }
        const dip_progress progress = {
            .phase = "resampling", .unit = "resamples", .detail = "", .done = end, .total = n};
        status = dip_tell(watch, &progress, err);
    }
    for (size_t c = 0; c < scores->width && status == DIP_OK; c++) {
        percentiles(means, scores->width, n, c, work, &low[c], &high[c]);
    }
    dip_free(means);
    dip_free(work);
    return status;
}

dip_status dip_scores_bootstrap(const dip_scores *scores, int64_t resamples, uint64_t seed,
                                int threads, const dip_watch *watch, double *low, double *high,
                                dip_error *err) {
    const dip_rng rng = dip_rng_make(seed, DIP_DRAW_BOOTSTRAP);
    groups g = {0};
    if (scores->n == 0 || resamples < 1) {
        memset(low, 0, scores->width * sizeof *low);
        memset(high, 0, scores->width * sizeof *high);
        return DIP_OK;
    }
    dip_status status = make_groups(&g, scores, rng, err);
    if (status == DIP_OK) {
        status = run_bootstrap(&g, scores, (size_t)resamples, rng, threads, watch, low, high, err);
    }
    dip_free(g.total);
    return status;
}

void dip_scores_free(dip_scores *scores) {
    dip_free(scores->sum);
    dip_free(scores->weight);
    memset(scores, 0, sizeof *scores);
}
