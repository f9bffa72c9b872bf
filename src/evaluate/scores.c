/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/scores.h"

#include "base/mem.h"
#include "evaluate/ranks.h"

#include <string.h>

enum { LIST_LENGTH_MAX = 1000 };

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

/* The right items of one query with their ranks. */
typedef struct answer {
    size_t i; /* the query */
    int64_t n;
    const int32_t *right;
    const uint16_t *rank;
    size_t longest; /* ranks beyond it are those of misses */
} answer;

/* Where an item stands in the list as it is scored, 0 for a miss. */
static size_t place_of(const answer *a, int64_t j) {
    return a->rank[j] <= a->longest ? a->rank[j] : 0;
}

/* All right items of the slice together. */
static void score_standard(dip_scores *scores, const dip_questions *q, const answer *a,
                           size_t slice) {
    bool hit[LIST_LENGTH_MAX] = {false};
    size_t length = 0;
    size_t right = 0;
    for (int64_t j = 0; j < a->n; j++) {
        if (!in_slice(q, a->right[j], slice)) {
            continue;
        }
        const size_t place = place_of(a, j);
        right++;
        if (place > 0) {
            hit[place - 1] = true;
            length = place > length ? place : length;
        }
    }
    if (right == 0) {
        return;
    }
    add_example(scores, scores->sum + a->i * scores->width, slice, hit, length, right);
    scores->weight[a->i * DIP_N_SLICES + slice] = 1;
}

/* Each right item of the slice alone. */
static void score_paper(dip_scores *scores, const dip_questions *q, const answer *a, size_t slice) {
    bool hit[LIST_LENGTH_MAX] = {false};
    for (int64_t j = 0; j < a->n; j++) {
        if (!in_slice(q, a->right[j], slice)) {
            continue;
        }
        const size_t place = place_of(a, j);
        if (place > 0) {
            hit[place - 1] = true;
        }
        add_example(scores, scores->sum + a->i * scores->width, slice, hit, place, 1);
        scores->weight[a->i * DIP_N_SLICES + slice] += 1;
        if (place > 0) {
            hit[place - 1] = false;
        }
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

/* The longest of the list lengths. */
static dip_status check_lengths(const dip_list *k, size_t ranked, size_t *longest, dip_error *err) {
    const size_t most = ranked < LIST_LENGTH_MAX ? ranked : LIST_LENGTH_MAX;
    *longest = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (k->value[i] < 1 || (uint64_t)k->value[i] > most) {
            return dip_fail(err, DIP_ERR_USAGE,
                            "metrics at %lld need ranks in lists that long; these allow 1 to %zu",
                            (long long)k->value[i], most);
        }
        *longest = (size_t)k->value[i] > *longest ? (size_t)k->value[i] : *longest;
    }
    return DIP_OK;
}

static dip_status alloc_scores(dip_scores *scores, size_t n, const dip_list *k, dip_error *err) {
    *scores = (dip_scores){.n = n, .k = *k, .width = DIP_N_SLICES * k->n * DIP_N_METRICS};
    scores->sum = dip_alloc(n, scores->width * sizeof *scores->sum, "metrics", err);
    scores->weight = dip_alloc(n, DIP_N_SLICES * sizeof *scores->weight, "metrics", err);
    if (scores->sum == NULL || scores->weight == NULL) {
        dip_scores_free(scores);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

dip_status dip_scores_from_ranks(dip_scores *scores, const dip_questions *questions,
                                 const uint16_t *rank, size_t longest, const dip_list *k,
                                 int protocol, dip_error *err) {
    const dip_questions *q = questions;
    size_t scored = 0;
    DIP_TRY(check_lengths(k, longest, &scored, err));
    DIP_TRY(alloc_scores(scores, q->n, k, err));
    for (size_t i = 0; i < q->n; i++) {
        const answer a = {i, q->start[i + 1] - q->start[i], q->right + q->start[i],
                          rank + q->start[i], scored};
        for (size_t slice = 0; slice < DIP_N_SLICES; slice++) {
            if (protocol == DIP_PROTOCOL_PAPER) {
                score_paper(scores, q, &a, slice);
            } else {
                score_standard(scores, q, &a, slice);
            }
        }
    }
    count_slices(scores, q);
    return DIP_OK;
}

dip_status dip_scores_create(dip_scores *scores, const dip_questions *questions,
                             const int64_t *items, size_t longest, const dip_list *k, int protocol,
                             dip_error *err) {
    uint16_t *rank = dip_alloc(dip_questions_pairs(questions), sizeof *rank, "ranks", err);
    if (rank == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_ranks_of_lists(questions, items, longest, rank);
    const dip_status status =
        dip_scores_from_ranks(scores, questions, rank, longest, k, protocol, err);
    dip_free(rank);
    return status;
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

void dip_scores_free(dip_scores *scores) {
    dip_free(scores->sum);
    dip_free(scores->weight);
    memset(scores, 0, sizeof *scores);
}
