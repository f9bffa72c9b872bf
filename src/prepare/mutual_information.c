/* SPDX-License-Identifier: Apache-2.0
 *
 * The marginals are arrays over the codes. The joint distribution is divided by hash into parts
 * whose tables fit into the second-level cache; the sum over a part's value pairs needs nothing of
 * the others. Parts and pairs keep an order that follows from the rows alone, so sums always run in
 * the same order.
 */
#include "prepare/mutual_information.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { PART_PRODUCTS = 1 << 14, MOST_PARTS = 1 << 12, FREE = 0 };

/* A value pair and the weight that a row gives it. */
typedef struct product {
    uint64_t key; /* code of f + 1, code of g + 1 */
    double weight;
} product;

typedef struct joint {
    product *products; /* by part */
    size_t n_parts;    /* a power of two */
    size_t *start;     /* [n_parts + 1] */
    product *table;    /* [n_slots] summed by key; key + 1, FREE where there is none */
    size_t *order;     /* [n_slots] slots in the order of first use */
    size_t n_slots;
} joint;

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

static uint64_t mix(uint64_t key) {
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return key ^ (key >> 29);
}

/* ---- marginals ------------------------------------------------------------------------------- */

/* weight[code + 1] is the total weight of a value; an item's weight 1 is spread over its values. */
static dip_status sum_marginal(const dip_codes *f, const uint8_t *use, size_t n_rows,
                               double **weight, size_t *n_weights, dip_error *err) {
    int32_t most = -1;
    for (int64_t i = 0; i < f->offsets[n_rows]; i++) {
        most = f->codes[i] > most ? f->codes[i] : most;
    }
    *n_weights = (size_t)((int64_t)most + 2);
    *weight = dip_alloc(*n_weights, sizeof **weight, "the mutual information of a pair", err);
    if (*weight == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t row = 0; row < n_rows; row++) {
        const row_values v = values_of(f, row);
        for (size_t i = 0; use[row] && i < v.n; i++) {
            (*weight)[v.code[i] + 1] += 1.0 / (double)v.n;
        }
    }
    return DIP_OK;
}

static double count_rows(const uint8_t *use, size_t n_rows) {
    size_t n = 0;
    for (size_t row = 0; row < n_rows; row++) {
        n += use[row] != 0;
    }
    return (double)n;
}

static double entropy(const double *weight, size_t n, double total) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (weight[i] > 0) {
            sum -= weight[i] / total * log(weight[i] / total);
        }
    }
    return sum > 0 ? sum : 0;
}

/* ---- the joint distribution ------------------------------------------------------------------ */

static size_t part_of(const joint *j, uint64_t hash) {
    return (size_t)(hash >> 50) & (j->n_parts - 1);
}

/* Walks over the value pairs of all rows: counts them by part, or puts them in their places. */
static void walk(joint *j, const dip_codes *f, const dip_codes *g, const uint8_t *use,
                 size_t n_rows, size_t *at, bool puts) {
    for (size_t row = 0; row < n_rows; row++) {
        if (!use[row]) {
            continue;
        }
        const row_values a = values_of(f, row);
        const row_values b = values_of(g, row);
        const double weight = 1.0 / ((double)a.n * (double)b.n);
        for (size_t i = 0; i < a.n; i++) {
            for (size_t k = 0; k < b.n; k++) {
                const uint64_t key =
                    ((uint64_t)((int64_t)a.code[i] + 1) << 32) | (uint64_t)((int64_t)b.code[k] + 1);
                const size_t place = at[part_of(j, mix(key))]++;
                if (puts) {
                    j->products[place] = (product){key, weight};
                }
            }
        }
    }
}

static dip_status divide(joint *j, const dip_codes *f, const dip_codes *g, const uint8_t *use,
                         size_t n_rows, dip_error *err) {
    size_t n = 0;
    for (size_t row = 0; row < n_rows; row++) {
        n += use[row] ? values_of(f, row).n * values_of(g, row).n : 0;
    }
    j->n_parts = 1;
    while (j->n_parts < MOST_PARTS && n / j->n_parts > PART_PRODUCTS) {
        j->n_parts *= 2;
    }
    j->start = dip_alloc(j->n_parts + 1, sizeof *j->start, "the mutual information of a pair", err);
    size_t *at = dip_alloc(j->n_parts, sizeof *at, "the mutual information of a pair", err);
    j->products = dip_alloc(n, sizeof *j->products, "the mutual information of a pair", err);
    if (j->start == NULL || at == NULL || j->products == NULL) {
        dip_free(at);
        return DIP_ERR_MEMORY;
    }
    walk(j, f, g, use, n_rows, at, false);
    size_t largest = 0;
    for (size_t p = 0; p < j->n_parts; p++) {
        largest = at[p] > largest ? at[p] : largest;
        j->start[p + 1] = j->start[p] + at[p];
        at[p] = j->start[p];
    }
    walk(j, f, g, use, n_rows, at, true);
    dip_free(at);
    j->n_slots = 64;
    while (j->n_slots < 2 * largest) {
        j->n_slots *= 2;
    }
    j->table = dip_alloc(j->n_slots, sizeof *j->table, "the mutual information of a pair", err);
    j->order = dip_alloc(j->n_slots, sizeof *j->order, "the mutual information of a pair", err);
    return j->table != NULL && j->order != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

/* Sums a part's weights by value pair; returns how many pairs there are. */
static size_t sum_part(joint *j, size_t part) {
    const size_t mask = j->n_slots - 1;
    size_t n = 0;
    for (size_t i = j->start[part]; i < j->start[part + 1]; i++) {
        const product *p = &j->products[i];
        size_t slot = (size_t)mix(p->key) & mask;
        while (j->table[slot].key != FREE && j->table[slot].key != p->key + 1) {
            slot = (slot + 1) & mask;
        }
        if (j->table[slot].key == FREE) {
            j->table[slot].key = p->key + 1;
            j->order[n++] = slot;
        }
        j->table[slot].weight += p->weight;
    }
    return n;
}

static double sum_information(joint *j, const double *left, const double *right, double total) {
    double sum = 0;
    for (size_t part = 0; part < j->n_parts; part++) {
        const size_t n = sum_part(j, part);
        for (size_t i = 0; i < n; i++) {
            product *entry = &j->table[j->order[i]];
            const uint64_t key = entry->key - 1;
            const double p = entry->weight / total;
            sum += p * log(entry->weight * total / (left[key >> 32] * right[key & UINT32_MAX]));
            *entry = (product){FREE, 0};
        }
    }
    return sum > 0 ? sum : 0;
}

static void joint_free(joint *j) {
    dip_free(j->products);
    dip_free(j->start);
    dip_free(j->table);
    dip_free(j->order);
}

dip_status dip_mutual_information(const dip_codes *f, const dip_codes *g, const uint8_t *use,
                                  size_t n_rows, double *information, dip_error *err) {
    const bool is_same = f->codes == g->codes;
    const double total = count_rows(use, n_rows);
    double *left = NULL;
    double *right = NULL;
    size_t n_left = 0;
    size_t n_right = 0;
    joint j = {0};
    dip_status status = sum_marginal(f, use, n_rows, &left, &n_left, err);
    if (status == DIP_OK && !is_same) {
        status = sum_marginal(g, use, n_rows, &right, &n_right, err);
    }
    if (status == DIP_OK && !is_same) {
        status = divide(&j, f, g, use, n_rows, err);
    }
    if (status == DIP_OK) {
        *information =
            is_same ? entropy(left, n_left, total) : sum_information(&j, left, right, total);
    }
    joint_free(&j);
    dip_free(left);
    dip_free(right);
    return status;
}
