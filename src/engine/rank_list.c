/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rank_list.h"

#include "base/mem.h"
#include "math/bf16.h"
#include "math/kernels.h"
#include "math/topk.h"
#include "math/vec.h"

/* A list has room for k rows and as many more, within limits, or for the whole catalogue. All lists
 * together take BYTES, or what LISTS for each thread take. */
enum { LEAST_SPARE = 64, MOST_SPARE = 1 << 16, BYTES = 64 << 20, LISTS = 64 };

/* Steps of the bisection; entries whose vectors are asked for ahead. */
enum { STEPS = 8, AHEAD = 4 };

/* A list that has been looked through is so again when it has grown by one row for each SHARE that
 * it held, and LEAST_MORE. */
enum { SHARE = 2, LEAST_MORE = 16 };

static size_t room_of(const dip_rank_job *job) {
    const size_t some = job->k > LEAST_SPARE ? job->k : LEAST_SPARE;
    const size_t room = job->k + (some < MOST_SPARE ? some : MOST_SPARE);
    return room < job->m ? room : job->m;
}

static size_t count_of(const dip_rank_job *job, size_t room) {
    const size_t rounded = job->d * sizeof(dip_bf16); /* which is held of a query beside its list */
    const size_t fit = BYTES / ((room + 1) * (2 * sizeof(float) + sizeof(int32_t)) + rounded);
    const size_t least = LISTS * (size_t)job->threads;
    const size_t count = fit > least ? fit : least;
    return count < job->n ? count : job->n;
}

dip_status dip_rank_lists_create(dip_rank_lists *lists, const dip_rank_job *job, dip_error *err) {
    static const char PURPOSE[] = "ranking";
    const size_t room = room_of(job);
    const size_t count = count_of(job, room);
    *lists = (dip_rank_lists){.job = job, .room = room, .count = count, .wanted = job->k};
    lists->list = dip_alloc(count, sizeof *lists->list, PURPOSE, err);
    lists->lower = dip_alloc(count, room * sizeof *lists->lower, PURPOSE, err);
    lists->upper = dip_alloc(count, room * sizeof *lists->upper, PURPOSE, err);
    lists->row = dip_alloc(count, room * sizeof *lists->row, PURPOSE, err);
    const bool is_whole =
        lists->list != NULL && lists->lower != NULL && lists->upper != NULL && lists->row != NULL;
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

void dip_rank_lists_free(dip_rank_lists *lists) {
    dip_free(lists->list);
    dip_free(lists->lower);
    dip_free(lists->upper);
    dip_free(lists->row);
}

void dip_rank_lists_start(dip_rank_lists *lists, size_t i, int64_t *items, float *scores) {
    lists->list[i] = (dip_rank_list){.lower = lists->lower + i * lists->room,
                                     .upper = lists->upper + i * lists->room,
                                     .row = lists->row + i * lists->room,
                                     .full = lists->room,
                                     .worst = -INFINITY,
                                     .best_score = scores,
                                     .best_row = items};
}

/* The least and the largest lower bound, the latter among those that are finite. */
static void find_ends(const dip_rank_list *list, float *least, float *most) {
    *least = INFINITY;
    *most = -INFINITY;
    for (size_t e = 0; e < list->n; e++) {
        const float lower = list->lower[e];
        *most = lower > *most && lower < INFINITY ? lower : *most;
        *least = lower < *least ? lower : *least;
    }
}

/* A number that at least k lower bounds reach, close to the largest one: what was one before, or
 * the least of k and more, is improved by bisection. */
static float find_worst(const dip_rank_list *list, size_t k) {
    const dip_kernels *kernels = dip_kernels_get();
    if (list->n < k) {
        return list->worst;
    }
    float low = list->worst;
    float high = kernels->max(list->n, list->lower);
    if (!isfinite(low) || !isfinite(high)) {
        float least = 0;
        find_ends(list, &least, &high);
        low = low > least ? low : least;
    }
    if (!isfinite(low)) {
        return list->worst;
    }
    for (int step = 0; step < STEPS; step++) {
        const float middle = low / 2 + high / 2;
        if (kernels->count_above(list->n, list->lower, middle) >= k) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* What is left keeps its order, exact scores first. */
static void drop_impossible(dip_rank_list *list, size_t k) {
    const float worst = find_worst(list, k);
    const size_t n = list->n;
    size_t kept = 0;
    size_t exact = 0;
    for (size_t e = 0; e < n; e++) {
        const float upper = list->upper[e];
        const bool stays = upper >= worst;
        list->lower[kept] = list->lower[e];
        list->upper[kept] = upper;
        list->row[kept] = list->row[e];
        kept += stays;
        exact += stays && e < list->exact;
    }
    list->worst = worst;
    list->n = kept;
    list->exact = exact;
}

/* Rows of the catalogue lie anywhere: those of a few entries ahead are asked for. */
static void ask_ahead(const dip_rank_job *job, const dip_rank_list *list, size_t e) {
    if (e < list->n) {
        dip_vec_prefetch(job->d, job->catalogue + (size_t)list->row[e] * job->d);
    }
}

/* The k best of the list by exact scores. */
static dip_topk rank_exactly(const dip_rank_job *job, const dip_rank_list *list, size_t q) {
    const float *query = job->queries + q * job->d;
    dip_topk top;
    dip_topk_init(&top, job->k, list->best_score, list->best_row);
    for (size_t e = 0; e < list->exact; e++) {
        dip_topk_offer(&top, list->row[e], &list->lower[e], 1);
    }
    for (size_t e = list->exact; e < list->exact + AHEAD; e++) {
        ask_ahead(job, list, e);
    }
    for (size_t e = list->exact; e < list->n; e++) {
        ask_ahead(job, list, e + AHEAD);
        const float *v = job->catalogue + (size_t)list->row[e] * job->d;
        const float score = dip_vec_dot(job->d, query, v);
        dip_topk_offer(&top, list->row[e], &score, 1);
    }
    return top;
}

static void keep_exactly(const dip_rank_lists *lists, dip_rank_list *list, size_t q) {
    const dip_topk top = rank_exactly(lists->job, list, q);
    for (size_t e = 0; e < top.n; e++) {
        list->lower[e] = list->upper[e] = top.score[e];
        list->row[e] = (int32_t)top.row[e];
    }
    list->n = top.n;
    list->full = lists->room;
    list->exact = top.n;
    if (top.n == top.k && top.score[0] > list->worst) {
        list->worst = top.score[0];
    }
}

/* Rows taken by a bound that is no longer the best are work for nothing, and so is looking through
 * a list that has hardly changed. */
static void tighten(const dip_rank_lists *lists, dip_rank_list *list) {
    drop_impossible(list, lists->wanted);
    const size_t full = list->n + list->n / SHARE + LEAST_MORE;
    list->full = full < lists->room ? full : lists->room;
}

void dip_rank_lists_tighten(dip_rank_lists *lists, size_t i) {
    tighten(lists, &lists->list[i]);
}

/* That is at least a quarter of what lies beyond the k best. */
void dip_rank_lists_make_room(dip_rank_lists *lists, size_t i, size_t q) {
    dip_rank_list *list = &lists->list[i];
    const size_t k = lists->job->k;
    tighten(lists, list);
    if (list->n > k && list->n - k > (lists->room - k) / 4 * 3) {
        keep_exactly(lists, list, q);
    }
}

bool dip_rank_lists_finish(dip_rank_lists *lists, size_t i, size_t q) {
    dip_rank_list *list = &lists->list[i];
    const float dropped = list->worst; /* what was dropped has a score below it */
    drop_impossible(list, lists->job->k);
    dip_topk top = rank_exactly(lists->job, list, q);
    const float last = top.n == top.k ? top.score[0] : -INFINITY;
    dip_topk_finish(&top);
    return last >= dropped;
}
