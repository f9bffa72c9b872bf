/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/query_information.h"

#include "base/mem.h"
#include "base/rng.h"
#include "prepare/mutual_information.h"

#include <math.h>

enum { NUMBER_BINS = 20 };

/* Second halves of the counters of draws, beside those of items. */
enum { DRAW_ROW = 2, DRAW_PAIR = 3 };

/* The drawn rows of one feature. */
typedef struct feature_rows {
    int64_t *offsets; /* [n + 1] */
    int32_t *codes;
} feature_rows;

typedef struct sample {
    const dip_dataset *dataset;
    dip_rng rng;
    uint8_t *use; /* [queries] drawn; later [n] those that two features are compared on */
    int32_t *row; /* [n] */
    size_t n;
    feature_rows features[DIP_FEATURES_MAX];
} sample;

static double draw(const sample *s, size_t row, uint64_t what) {
    return dip_unit(dip_rng_at(s->rng, row, what).word[0]);
}

/* Queries with training pairs. */
static size_t mark_trained(sample *s) {
    const dip_dataset *dataset = s->dataset;
    size_t n = 0;
    for (int64_t i = 0; i < dataset->n_pairs[0]; i++) {
        const int32_t *pair = dataset->pairs[0] + 2 * i;
        n += s->use[pair[0]] == 0;
        s->use[pair[0]] = 1;
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
    }
    return n;
}

static dip_status draw_rows(sample *s, dip_error *err) {
    const size_t n_rows = (size_t)s->dataset->queries.n;
    s->use = dip_alloc(n_rows, 1, "drawn queries", err);
    if (s->use == NULL) {
        return DIP_ERR_MEMORY;
    }
    const double share = (double)DIP_QUERY_INFORMATION_ROWS / (double)mark_trained(s);
    for (size_t row = 0; row < n_rows; row++) {
        s->use[row] = s->use[row] && draw(s, row, DRAW_ROW) < share;
        s->n += s->use[row];
    }
    s->row = dip_alloc(s->n + 1, sizeof *s->row, "drawn queries", err);
    size_t kept = 0;
    for (size_t row = 0; s->row != NULL && row < n_rows; row++) {
        if (s->use[row]) {
            s->row[kept++] = (int32_t)row;
        }
    }
    return s->row != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static int64_t n_values(const dip_column *column, int32_t row) {
    if (column->numbers != NULL) {
        return !isnan(column->numbers[row]);
    }
    return column->offsets != NULL ? column->offsets[row + 1] - column->offsets[row]
                                   : column->codes[row] >= 0;
}

/* Bins of equal width over two deviations to either side of the mean; the outer ones take the
 * rest. */
static int32_t bin_of(float number) {
    const double bin = floor(((double)number + 2) * NUMBER_BINS / 4);
    return (int32_t)fmin(fmax(bin, 0), NUMBER_BINS - 1);
}

static int32_t value_at(const dip_column *column, int32_t row, int64_t k) {
    if (column->numbers != NULL) {
        return bin_of(column->numbers[row]);
    }
    return column->codes[column->offsets != NULL ? column->offsets[row] + k : row];
}

static dip_status load_feature(const sample *s, size_t f, feature_rows *rows, dip_error *err) {
    const dip_column *column = &s->dataset->queries.columns[f];
    rows->offsets = dip_alloc(s->n + 1, sizeof *rows->offsets, "drawn queries", err);
    if (rows->offsets == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < s->n; i++) {
        rows->offsets[i + 1] = rows->offsets[i] + n_values(column, s->row[i]);
    }
    rows->codes =
        dip_alloc((size_t)rows->offsets[s->n] + 1, sizeof *rows->codes, "drawn queries", err);
    if (rows->codes == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < s->n; i++) {
        for (int64_t at = rows->offsets[i]; at < rows->offsets[i + 1]; at++) {
            rows->codes[at] = value_at(column, s->row[i], at - rows->offsets[i]);
        }
    }
    return DIP_OK;
}

/* Value pairs of two features; a row without a value counts as one. */
static double count_products(const feature_rows *a, const feature_rows *b, size_t n) {
    double products = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t in_a = a->offsets[i + 1] - a->offsets[i];
        const int64_t in_b = b->offsets[i + 1] - b->offsets[i];
        products += (double)(in_a > 0 ? in_a : 1) * (double)(in_b > 0 ? in_b : 1);
    }
    return products;
}

static dip_status measure_pair(sample *s, size_t i, size_t j, double *information, dip_error *err) {
    const feature_rows *a = &s->features[i];
    const feature_rows *b = &s->features[j];
    const double share = DIP_QUERY_INFORMATION_VALUES / fmax(count_products(a, b, s->n), 1);
    const dip_codes codes[2] = {{a->offsets, a->codes}, {b->offsets, b->codes}};
    for (size_t row = 0; row < s->n; row++) {
        s->use[row] = draw(s, row, DRAW_PAIR) < share;
    }
    return dip_mutual_information(&codes[0], &codes[1], s->use, s->n, information, err);
}

static dip_status measure(sample *s, double *matrix, dip_error *err) {
    const size_t k = s->dataset->schema.queries.n_features;
    DIP_TRY(draw_rows(s, err));
    for (size_t f = 0; f < k; f++) {
        DIP_TRY(load_feature(s, f, &s->features[f], err));
    }
    for (size_t i = 0; i < k; i++) {
        for (size_t j = i; j < k; j++) {
            DIP_TRY(measure_pair(s, i, j, &matrix[i * k + j], err));
            matrix[j * k + i] = matrix[i * k + j];
        }
    }
    return DIP_OK;
}

dip_status dip_query_information(const dip_dataset *dataset, uint64_t seed, double *matrix,
                                 dip_error *err) {
    sample s = {.dataset = dataset, .rng = dip_rng_make(seed, DIP_DRAW_INFORMATION)};
    const dip_status status = measure(&s, matrix, err);
    for (size_t f = 0; f < dataset->schema.queries.n_features; f++) {
        dip_free(s.features[f].offsets);
        dip_free(s.features[f].codes);
    }
    dip_free(s.row);
    dip_free(s.use);
    return status;
}
