/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows that may be among the k best of a query, by scores that are known but for an error.
 *
 * Row r has a score between lower(r) and upper(r). A row whose upper bound is below the lower
 * bounds of k others cannot be among the k best. A list takes all rows but those, and drops what
 * has become impossible when it is full. Only what is left at the end has its exact score computed.
 * If the bounds hold, the result is that of exact scores.
 *
 * Where too many rows stay possible, as among equal scores, those held are computed exactly, which
 * leaves k of them.
 *
 * While `wanted` is less than k, a list drops what is worse than so many others. Whether that was
 * right shows at the end: it was if none of the k best is worse than what was dropped may be.
 */
#ifndef DIP_ENGINE_RANK_LIST_H
#define DIP_ENGINE_RANK_LIST_H

#include "engine/rank.h"

#include <math.h>
#include <stdbool.h>

typedef struct dip_rank_list {
    size_t n;
    size_t full;  /* so many rows are looked through before more are taken, at most the room */
    size_t exact; /* of them, the first, have their exact score as both bounds */
    float *lower; /* [room] */
    float *upper; /* [room] */
    int32_t *row; /* [room] */
    float worst;  /* at least `wanted` rows have a lower bound so large; at first -infinity */
    /* [k] memory of the result, in which lists of exact scores are made. */
    float *best_score;
    int64_t *best_row;
} dip_rank_list;

/* Lists of some of a job's queries. */
typedef struct dip_rank_lists {
    const dip_rank_job *job;
    size_t room; /* rows of a list */
    size_t count;
    size_t wanted;       /* k, or fewer as long as the k best are taken to be among so many */
    dip_rank_list *list; /* [count] */
    float *lower;        /* [count x room] each: */
    float *upper;
    int32_t *row;
} dip_rank_lists;

/* As many lists as are good to hold at a time, at most one a query: they take 64 MiB, or what 64
 * lists of 2 k rows for each thread take. Free them whatever it returns. */
dip_status dip_rank_lists_create(dip_rank_lists *lists, const dip_rank_job *job, dip_error *err);
void dip_rank_lists_free(dip_rank_lists *lists);

/* List i is now empty and for query q, whose result goes to items and scores [k]. */
void dip_rank_lists_start(dip_rank_lists *lists, size_t i, int64_t *items, float *scores);

/* Makes room in a list that is full. */
void dip_rank_lists_make_room(dip_rank_lists *lists, size_t i, size_t q);

/* Offers a row whose score is `score`, give or take `margin`; a margin or score that is not finite
 * means that nothing is known. Each row is offered at most once. */
static inline void dip_rank_lists_offer(dip_rank_lists *lists, size_t i, size_t q, int32_t row,
                                        float score, float margin) {
    dip_rank_list *list = &lists->list[i];
    const bool is_known = isfinite(score) && isfinite(margin);
    const float upper = is_known ? score + margin : INFINITY;
    if (upper < list->worst) {
        return;
    }
    if (list->n == list->full) {
        dip_rank_lists_make_room(lists, i, q);
    }
    list->lower[list->n] = is_known ? score - margin : -INFINITY;
    list->upper[list->n] = upper;
    list->row[list->n++] = row;
}

/* Drops from list i what has become impossible. */
void dip_rank_lists_tighten(dip_rank_lists *lists, size_t i);

/* Writes the k best, best first, ties by smaller row; -1 and -INFINITY where there are fewer. False
 * if one that was dropped may be among them. */
bool dip_rank_lists_finish(dip_rank_lists *lists, size_t i, size_t q);

#endif
