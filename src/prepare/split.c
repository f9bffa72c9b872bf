/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/split.h"

#include "base/mem.h"
#include "base/order.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

typedef struct unit {
    uint64_t a;
    uint64_t b;
} unit;

/* What is drawn for, as a 128-bit counter: everything with the same counter lands in the same
 * part. */
static unit unit_of(const dip_pairs *pairs, size_t i, int by) {
    const uint32_t query = (uint32_t)pairs->query[i];
    const uint32_t item = (uint32_t)pairs->item[i];
    if (by == DIP_SPLIT_QUERY) {
        return (unit){query, UINT64_MAX};
    }
    if (by == DIP_SPLIT_UNORDERED_PAIR && item < query) {
        return (unit){item, query};
    }
    return (unit){query, item};
}

static void split_at_random(dip_pairs *pairs, const dip_config *config) {
    const dip_rng rng = dip_rng_make((uint64_t)config->split.seed, DIP_DRAW_SPLIT);
    const double test = config->split.test;
    const double held_out = test + config->split.validation;
    for (size_t i = 0; i < pairs->n; i++) {
        const unit key = unit_of(pairs, i, config->split.by);
        const double u = dip_unit(dip_rng_at(rng, key.a, key.b).word[0]);
        pairs->part[i] = u < test       ? DIP_PART_TEST
                         : u < held_out ? DIP_PART_VALIDATION
                                        : DIP_PART_TRAIN;
    }
}

/* The time at or after which the last `share` of the pairs lies; +infinity for none. */
static double cut_time(const double *sorted, size_t n, double share) {
    const size_t held_out = (size_t)((double)n * share + 0.5);
    return held_out > 0 ? sorted[n - held_out] : INFINITY;
}

static dip_status split_by_time(dip_pairs *pairs, const dip_config *config, dip_error *err) {
    double *sorted = dip_alloc(pairs->n, sizeof *sorted, "times", err);
    if (sorted == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < pairs->n; i++) {
        sorted[i] = pairs->time[i];
    }
    qsort(sorted, pairs->n, sizeof *sorted, dip_order_double);
    const double test = cut_time(sorted, pairs->n, config->split.test);
    const double held_out =
        cut_time(sorted, pairs->n, config->split.test + config->split.validation);
    dip_free(sorted);
    for (size_t i = 0; i < pairs->n; i++) {
        const double time = pairs->time[i];
        pairs->part[i] = time >= test       ? DIP_PART_TEST
                         : time >= held_out ? DIP_PART_VALIDATION
                                            : DIP_PART_TRAIN;
    }
    return DIP_OK;
}

static void keep_fraction(dip_pairs *pairs, const dip_config *config) {
    const dip_rng rng = dip_rng_make((uint64_t)config->split.seed, DIP_DRAW_FRACTION);
    for (size_t i = 0; i < pairs->n; i++) {
        const unit key = unit_of(pairs, i, DIP_SPLIT_PAIR);
        if (pairs->part[i] == DIP_PART_TRAIN &&
            dip_unit(dip_rng_at(rng, key.a, key.b).word[0]) >= config->split.train_fraction) {
            pairs->part[i] = DIP_PART_UNUSED;
        }
    }
}

static dip_status check_parts(const dip_pairs *pairs, dip_error *err) {
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->part[i] == DIP_PART_TRAIN) {
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ERR_FAILED,
                    "the split leaves none of the %zu pairs for training; lower split.test, "
                    "split.validation, or raise split.train_fraction",
                    pairs->n);
}

dip_status dip_split(dip_pairs *pairs, const dip_config *config, dip_error *err) {
    if (config->split.by == DIP_SPLIT_TIME) {
        DIP_TRY(split_by_time(pairs, config, err));
    } else if (config->split.by != DIP_SPLIT_COLUMN) {
        split_at_random(pairs, config);
    }
    if (config->split.train_fraction < 1) {
        keep_fraction(pairs, config);
    }
    return check_parts(pairs, err);
}

static uint64_t pair_key(int32_t query, int32_t item) {
    return ((uint64_t)(uint32_t)query << 32) | (uint32_t)item;
}

static void count_parts(const dip_pairs *pairs, dip_leaks *leaks) {
    int64_t n[DIP_PART_UNUSED + 1] = {0};
    for (size_t i = 0; i < pairs->n; i++) {
        n[pairs->part[i]]++;
    }
    leaks->train_pairs = n[DIP_PART_TRAIN];
    leaks->validation_pairs = n[DIP_PART_VALIDATION];
    leaks->test_pairs = n[DIP_PART_TEST];
    leaks->unused_pairs = n[DIP_PART_UNUSED];
}

dip_status dip_split_leaks(const dip_pairs *pairs, bool queries_are_items, int64_t n_queries,
                           dip_leaks *leaks, dip_error *err) {
    *leaks = (dip_leaks){0};
    count_parts(pairs, leaks);
    uint64_t *train = dip_alloc((size_t)leaks->train_pairs, sizeof *train, "training pairs", err);
    uint8_t *is_trained = dip_alloc((size_t)n_queries, 1, "trained queries", err);
    if (train == NULL || is_trained == NULL) {
        dip_free(train);
        dip_free(is_trained);
        return DIP_ERR_MEMORY;
    }
    size_t n = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->part[i] == DIP_PART_TRAIN) {
            train[n++] = pair_key(pairs->query[i], pairs->item[i]);
            is_trained[pairs->query[i]] = 1;
        }
    }
    qsort(train, n, sizeof *train, dip_order_u64);
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->part[i] != DIP_PART_TEST) {
            continue;
        }
        const uint64_t reverse = pair_key(pairs->item[i], pairs->query[i]);
        leaks->test_pairs_of_trained_queries += is_trained[pairs->query[i]];
        leaks->reversed_test_pairs +=
            queries_are_items && bsearch(&reverse, train, n, sizeof *train, dip_order_u64) != NULL;
    }
    dip_free(train);
    dip_free(is_trained);
    return DIP_OK;
}
