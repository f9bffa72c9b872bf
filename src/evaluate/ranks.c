/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/ranks.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "evaluate/vectors.h"

#include <assert.h>
#include <string.h>

/* Places of lists that are held at a time, 12 bytes each: 50 MB, or 4194 queries with lists of
 * 1000. */
enum { PLACES_AT_A_TIME = 1 << 22 };

/* The first place of ascending rows that is not below the item. */
static int64_t first_not_below(const int32_t *right, int64_t n, int64_t item) {
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
    return low;
}

/* Ranks of the queries first ... first + n - 1, whose lists are given. */
static void find_ranks(const dip_questions *q, size_t first, size_t n, const int64_t *items,
                       size_t longest, uint16_t *rank) {
    for (size_t i = 0; i < n; i++) {
        const int64_t *list = items + i * longest;
        const int64_t start = q->start[first + i];
        const int64_t n_right = q->start[first + i + 1] - start;
        const int32_t *right = q->right + start;
        memset(rank + start, 0, (size_t)n_right * sizeof *rank);
        for (size_t place = 0; place < longest && list[place] >= 0; place++) {
            int64_t j = first_not_below(right, n_right, list[place]);
            for (; j < n_right && right[j] == list[place]; j++) {
                rank[start + j] = (uint16_t)(place + 1);
            }
        }
    }
}

void dip_ranks_of_lists(const dip_questions *questions, const int64_t *items, size_t longest,
                        uint16_t *rank) {
    assert(longest <= DIP_RANK_MAX);
    find_ranks(questions, 0, questions->n, items, longest, rank);
}

/* ---- by a model ------------------------------------------------------------------------------ */

/* Progress of a part of the queries, told as that of all. */
typedef struct part_of_all {
    const dip_watch *watch;
    uint64_t before;
    uint64_t total;
} part_of_all;

static int tell_of_all(void *context, const dip_progress *progress) {
    const part_of_all *part = context;
    dip_progress all = *progress;
    all.done += part->before;
    all.total = part->total;
    return part->watch->on_progress(part->watch->context, &all);
}

/* all->n queries at a time, whose lists `items` holds. */
static dip_status rank_parts(const dip_vectors_job *all, uint16_t *rank, int64_t *items,
                             dip_error *err) {
    const dip_questions *q = all->questions;
    part_of_all part = {.watch = all->watch, .total = q->n};
    const dip_watch watch = {.on_progress = tell_of_all, .context = &part};
    const bool is_watched = all->watch != NULL && all->watch->on_progress != NULL;
    dip_vectors_job job = *all;
    job.watch = is_watched ? &watch : NULL;
    for (; job.first < q->n; job.first += job.n) {
        const size_t left = q->n - job.first;
        job.n = left < all->n ? left : all->n;
        part.before = job.first;
        DIP_TRY(dip_vectors_rank(&job, items, err));
        find_ranks(q, job.first, job.n, items, job.k, rank);
    }
    return DIP_OK;
}

dip_status dip_rank_pairs(const dip_towers *towers, const dip_dataset *dataset,
                          const dip_config *config, const dip_questions *questions, size_t longest,
                          const dip_watch *watch, uint16_t *rank, dip_error *err) {
    const int threads = dip_engine_threads(config);
    dip_vectors vectors;
    if (longest < 1 || longest > DIP_RANK_MAX) {
        return dip_fail(err, DIP_ERR_USAGE, "ranks in lists of %zu items; lists have 1 to %d",
                        longest, DIP_RANK_MAX);
    }
    const size_t most = PLACES_AT_A_TIME / longest;
    const size_t n = questions->n < most ? questions->n : most;
    DIP_TRY(dip_vectors_create(&vectors, towers, dataset, questions, threads, watch, err));
    const dip_vectors_job job = {.vectors = &vectors,
                                 .questions = questions,
                                 .n = n,
                                 .k = longest,
                                 .threads = threads,
                                 .watch = watch};
    int64_t *items = dip_alloc(n, longest * sizeof *items, "ranked items", err);
    const dip_status status = items != NULL ? rank_parts(&job, rank, items, err) : DIP_ERR_MEMORY;
    dip_free(items);
    dip_vectors_free(&vectors);
    return status;
}

/* ---- by popularity --------------------------------------------------------------------------- */

void dip_hits_by_decile(const dip_questions *questions, const uint8_t *group, const uint16_t *rank,
                        size_t k, int64_t pairs[DIP_N_POPULARITY_GROUPS],
                        int64_t hits[DIP_N_POPULARITY_GROUPS]) {
    const size_t n = dip_questions_pairs(questions);
    memset(pairs, 0, DIP_N_POPULARITY_GROUPS * sizeof *pairs);
    memset(hits, 0, DIP_N_POPULARITY_GROUPS * sizeof *hits);
    for (size_t p = 0; p < n; p++) {
        const uint8_t g = group[questions->right[p]];
        pairs[g]++;
        hits[g] += rank[p] > 0 && rank[p] <= k;
    }
}
