/* SPDX-License-Identifier: Apache-2.0
 *
 * How training pairs are spread over the items. head is that of evaluation: the tenth of the items
 * with training pairs that have the most of them, ties by row.
 *
 *   Gini   sum over items in ascending order of (2 i - n - 1) x_i, divided by n sum x_i; 0 when all
 *          items have as many pairs, near 1 when one has all
 */
#include "base/mem.h"
#include "base/order.h"
#include "check/parts.h"

#include <stdlib.h>

enum { CURVE_POINTS = 40 };

/* Counts with the commonest items first; the items of the head are marked. */
static dip_status sort_counts(dip_checkup *check, int64_t **sorted, int64_t *n_head,
                              dip_error *err) {
    const int64_t n = check->dataset->items.n;
    int64_t *count = dip_alloc((size_t)n, sizeof *count, "sorted item counts", err);
    int64_t seen = 0;
    if (count == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        count[i] = -check->item_count[i];
        seen += check->item_count[i] > 0;
    }
    qsort(count, (size_t)n, sizeof *count, dip_order_i64);
    for (int64_t i = 0; i < n; i++) {
        count[i] = -count[i];
    }
    *n_head = (seen + 9) / 10;
    *sorted = count;
    return DIP_OK;
}

/* The items above the least count of the head, and the first of those that have it. */
static void mark_head(dip_checkup *check, const int64_t *sorted, int64_t n_head) {
    if (n_head == 0) {
        return;
    }
    const int64_t least = sorted[n_head - 1];
    int64_t at_least = 0;
    for (int64_t i = 0; i < n_head; i++) {
        at_least += sorted[i] == least;
    }
    for (int64_t i = 0; i < check->dataset->items.n; i++) {
        const int64_t count = check->item_count[i];
        const bool is_head = count > least || (count == least && at_least > 0);
        at_least -= count == least && is_head;
        check->item_facts[i] |= is_head ? DIP_FACT_HEAD : 0;
    }
}

static double gini(const int64_t *sorted, int64_t n, int64_t total) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        /* sorted is descending: place n - i of the ascending order */
        sum += (2.0 * (double)(n - i) - (double)n - 1) * (double)sorted[i];
    }
    return total > 0 ? sum / ((double)n * (double)total) : 0;
}

/* The share of the pairs that the commonest items have, at even shares of the items. */
static dip_status put_curve(json_t *popularity, const int64_t *sorted, int64_t n, int64_t total,
                            dip_error *err) {
    json_t *curve = NULL;
    int64_t pairs = 0;
    int64_t at = 0;
    DIP_TRY(dip_json_put_array(popularity, "curve", &curve, err));
    for (int64_t p = 0; p <= CURVE_POINTS; p++) {
        for (; at < n * p / CURVE_POINTS; at++) {
            pairs += sorted[at];
        }
        DIP_TRY(dip_json_append(
            curve, json_pack("[f,f]", (double)p / CURVE_POINTS, dip_share_of(pairs, total)), err));
    }
    return DIP_OK;
}

static int64_t test_pairs_of_tail(const dip_checkup *check) {
    const dip_dataset *dataset = check->dataset;
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->n_pairs[2]; i++) {
        count += (check->item_facts[dataset->pairs[2][2 * i + 1]] & DIP_FACT_HEAD) == 0;
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, dataset->pairs[2] + 2 * i);
        }
    }
    return count;
}

static dip_status put_shares(const dip_checkup *check, json_t *popularity, const int64_t *sorted,
                             int64_t n_head, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    const int64_t n = dataset->items.n;
    const int64_t total = dataset->n_pairs[0];
    int64_t head_pairs = 0;
    int64_t cold = 0;
    for (int64_t i = 0; i < n; i++) {
        head_pairs += i < n_head ? sorted[i] : 0;
        cold += sorted[i] == 0;
    }
    DIP_TRY(dip_put_integer(popularity, "head_items", n_head, err));
    DIP_TRY(dip_put_integer(popularity, "tail_items", n - n_head, err));
    DIP_TRY(dip_put_real(popularity, "tail_item_share", dip_share_of(n - n_head, n), err));
    DIP_TRY(
        dip_put_real(popularity, "tail_pair_share", dip_share_of(total - head_pairs, total), err));
    DIP_TRY(dip_put_real(popularity, "tail_test_pair_share",
                         dip_share_of(test_pairs_of_tail(check), dataset->n_pairs[2]), err));
    DIP_TRY(dip_put_integer(popularity, "cold_items", cold, err));
    DIP_TRY(dip_put_real(popularity, "cold_item_share", dip_share_of(cold, n), err));
    DIP_TRY(dip_put_integer(popularity, "most_pairs", sorted[0], err));
    DIP_TRY(dip_put_integer(popularity, "median_pairs", sorted[n / 2], err));
    DIP_TRY(dip_put_real(popularity, "gini", gini(sorted, n, total), err));
    if (2 * cold > n) {
        return dip_find(check, DIP_NOTE, "popularity",
                        "Their features must carry them: give items more than an id, and look at "
                        "the slice \"cold\" of evaluate.",
                        err, "%.0f%% of the items have no training pair.",
                        100 * dip_share_of(cold, n));
    }
    return DIP_OK;
}

dip_status dip_check_popularity(dip_checkup *check, dip_error *err) {
    int64_t *sorted = NULL;
    int64_t n_head = 0;
    json_t *popularity = NULL;
    DIP_TRY(dip_json_put_object(check->report, "popularity", &popularity, err));
    DIP_TRY(sort_counts(check, &sorted, &n_head, err));
    mark_head(check, sorted, n_head);
    dip_status status = put_shares(check, popularity, sorted, n_head, err);
    if (status == DIP_OK) {
        status =
            put_curve(popularity, sorted, check->dataset->items.n, check->dataset->n_pairs[0], err);
    }
    dip_free(sorted);
    return status;
}
