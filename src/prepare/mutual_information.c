/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/mutual_information.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Weights summed by key, in an open-addressing table. Entries keep the order in which their keys
 * came, so that sums over them always run in the same order. */
typedef struct weights {
    uint64_t *key;
    double *weight;
    size_t n;
    size_t key_capacity;
    size_t weight_capacity;
    uint32_t *slots; /* entry + 1, or 0 */
    size_t n_slots;
} weights;

enum { FIRST_SLOTS = 1024 };

static size_t slot_of(const weights *w, uint64_t key) {
    const size_t mask = w->n_slots - 1;
    size_t slot = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & mask;
    while (w->slots[slot] != 0 && w->key[w->slots[slot] - 1] != key) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static dip_status grow_slots(weights *w, dip_error *err) {
    if (2 * (w->n + 1) <= w->n_slots) {
        return DIP_OK;
    }
    const size_t n_slots = w->n_slots > 0 ? 4 * w->n_slots : FIRST_SLOTS;
    uint32_t *slots = dip_alloc(n_slots, sizeof *slots, "the mutual information of a pair", err);
    if (slots == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_free(w->slots);
    w->slots = slots;
    w->n_slots = n_slots;
    for (size_t i = 0; i < w->n; i++) {
        slots[slot_of(w, w->key[i])] = (uint32_t)i + 1;
    }
    return DIP_OK;
}

static dip_status add_weight(weights *w, uint64_t key, double weight, dip_error *err) {
    DIP_TRY(grow_slots(w, err));
    const size_t slot = slot_of(w, key);
    if (w->slots[slot] != 0) {
        w->weight[w->slots[slot] - 1] += weight;
        return DIP_OK;
    }
    if (w->n >= UINT32_MAX - 1) {
        return dip_fail(err, DIP_ERR_FAILED, "more than 4 billion value pairs of two features");
    }
    DIP_TRY(dip_grow((void **)&w->key, &w->key_capacity, w->n + 1, sizeof *w->key,
                     "the mutual information of a pair", err));
    DIP_TRY(dip_grow((void **)&w->weight, &w->weight_capacity, w->n + 1, sizeof *w->weight,
                     "the mutual information of a pair", err));
    w->key[w->n] = key;
    w->weight[w->n] = weight;
    w->slots[slot] = (uint32_t)++w->n;
    return DIP_OK;
}

static void weights_free(weights *w) {
    dip_free(w->key);
    dip_free(w->weight);
    dip_free(w->slots);
    memset(w, 0, sizeof *w);
}

typedef struct row_values {
    const int32_t *code;
    size_t n;
} row_values;

/* A row's codes; "missing" is code -1. */
static row_values values_of(const dip_codes *feature, size_t row) {
    static const int32_t MISSING = -1;
    const size_t n = (size_t)(feature->offsets[row + 1] - feature->offsets[row]);
    return n > 0 ? (row_values){feature->codes + feature->offsets[row], n}
                 : (row_values){&MISSING, 1};
}

/* The joint of a feature with itself pairs each value with itself only, so that I(F, F) = H(F). */
static dip_status add_row(weights *joint, const dip_codes *f, const dip_codes *g, size_t row,
                          dip_error *err) {
    const row_values a = values_of(f, row);
    const row_values b = values_of(g, row);
    const bool is_same = f->codes == g->codes;
    const double weight = 1.0 / ((double)a.n * (is_same ? 1.0 : (double)b.n));
    for (size_t i = 0; i < a.n; i++) {
        for (size_t j = is_same ? i : 0; j < (is_same ? i + 1 : b.n); j++) {
            const uint64_t key = ((uint64_t)(uint32_t)a.code[i] << 32) | (uint32_t)b.code[j];
            DIP_TRY(add_weight(joint, key, weight, err));
        }
    }
    return DIP_OK;
}

static dip_status fill_joint(weights *joint, const dip_codes *f, const dip_codes *g,
                             const uint8_t *use, size_t n_rows, double *total, dip_error *err) {
    *total = 0;
    for (size_t row = 0; row < n_rows; row++) {
        if (use[row]) {
            DIP_TRY(add_row(joint, f, g, row, err));
            *total += 1;
        }
    }
    return DIP_OK;
}

static dip_status fill_marginals(const weights *joint, weights *left, weights *right,
                                 dip_error *err) {
    for (size_t i = 0; i < joint->n; i++) {
        DIP_TRY(add_weight(left, joint->key[i] >> 32, joint->weight[i], err));
        DIP_TRY(add_weight(right, joint->key[i] & UINT32_MAX, joint->weight[i], err));
    }
    return DIP_OK;
}

static double sum_information(const weights *joint, const weights *left, const weights *right,
                              double total) {
    double sum = 0;
    for (size_t i = 0; i < joint->n; i++) {
        const double p = joint->weight[i] / total;
        const double pa = left->weight[left->slots[slot_of(left, joint->key[i] >> 32)] - 1] / total;
        const double pb =
            right->weight[right->slots[slot_of(right, joint->key[i] & UINT32_MAX)] - 1] / total;
        sum += p * log(p / (pa * pb));
    }
    return sum > 0 ? sum : 0;
}

dip_status dip_mutual_information(const dip_codes *f, const dip_codes *g, const uint8_t *use,
                                  size_t n_rows, double *information, dip_error *err) {
    weights joint = {0};
    weights left = {0};
    weights right = {0};
    double total = 0;
    dip_status status = fill_joint(&joint, f, g, use, n_rows, &total, err);
    if (status == DIP_OK) {
        status = fill_marginals(&joint, &left, &right, err);
    }
    if (status == DIP_OK) {
        *information = sum_information(&joint, &left, &right, total);
    }
    weights_free(&joint);
    weights_free(&left);
    weights_free(&right);
    return status;
}

dip_status dip_mutual_information_matrix(const dip_codes *features, size_t k, const uint8_t *use,
                                         size_t n_rows, double *matrix, const dip_watch *watch,
                                         dip_error *err) {
    dip_progress progress = {.phase = "measuring mutual information",
                             .unit = "feature pairs",
                             .detail = "",
                             .total = k * (k + 1) / 2};
    for (size_t i = 0; i < k; i++) {
        for (size_t j = i; j < k; j++) {
            DIP_TRY(dip_tell(watch, &progress, err));
            double information = 0;
            DIP_TRY(
                dip_mutual_information(&features[i], &features[j], use, n_rows, &information, err));
            matrix[i * k + j] = information;
            matrix[j * k + i] = information;
            progress.done++;
        }
    }
    return DIP_OK;
}
