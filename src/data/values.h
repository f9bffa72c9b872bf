/* SPDX-License-Identifier: Apache-2.0
 *
 * From a cell's text to the distinct values of its feature: the same code serves prepare, which
 * fits vocabularies, and serving, which looks values up in them.
 */
#ifndef DIP_DATA_VALUES_H
#define DIP_DATA_VALUES_H

#include "base/text.h"
#include "data/schema.h"

/* The values of one cell, packed; value i is at [start[i], start[i + 1] - 1), NUL-terminated.
 * Reused from cell to cell. */
typedef struct dip_values {
    dip_text bytes;
    size_t n;
    size_t *start;
    size_t start_capacity;
    int32_t *points; /* code points of a text */
    size_t point_capacity;
    size_t *words; /* where each word begins in `word_bytes` */
    size_t word_capacity;
    dip_text word_bytes;
    int32_t *slots; /* open addressing over the values of this cell, for finding repeats */
    size_t n_slots; /* a power of two; at least twice n */
    size_t slot_capacity;
} dip_values;

/* Cuts a cell into its values.
 *
 *   id, categorical   the whole cell without blanks around it
 *   bag               parts between separators
 *   text              word n-grams: letters, marks and digits of any script after NFKC and case
 *                     folding; each Han, Hiragana and Katakana character is a word of its own
 *
 * Empty values are left out, repeated ones kept once. Numbers are not cut: see
 * dip_values_number. */
dip_status dip_values_cut(dip_values *values, const dip_feature *feature, const char *cell,
                          size_t length, dip_error *err);

static inline const char *dip_values_text(const dip_values *values, size_t i) {
    return values->bytes.data + values->start[i];
}

static inline size_t dip_values_length(const dip_values *values, size_t i) {
    return values->start[i + 1] - values->start[i] - 1;
}

/* A text without the blanks around it: where it begins, and *length. The value of an id or category
 * is this, when it is not empty. */
const char *dip_values_trim(const char *text, size_t *length);

/* A numeric cell: blanks around it are ignored; NaN when it is empty. False when it is no
 * number. */
bool dip_values_number(const char *cell, double *number);

/* (number - mean) / deviation, clipped at a million deviations so that no outlier can overflow the
 * model; NaN stays NaN. */
double dip_values_normalise(const dip_feature *feature, double number);

/* Which quantile bucket a number falls into: the count of edges at or below it. */
int32_t dip_values_bucket(const dip_feature *feature, double number);

void dip_values_free(dip_values *values);

#endif
