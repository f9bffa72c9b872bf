/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/information.h"

#include "base/first_error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/values.h"
#include "prepare/mutual_information.h"

#include <math.h>

/* Bins that a plain number is cut into. */
enum { NUMBER_BINS = 20 };

/* The drawn rows of one feature in memory. */
typedef struct feature_rows {
    int64_t *offsets; /* [rows + 1] */
    int32_t *codes;
    size_t n_codes;
    size_t code_capacity;
} feature_rows;

typedef struct sample {
    const dip_columns *items;
    const uint8_t *trains;
    dip_rng rng;
    dip_information_limits limits;
    double share;   /* of the training rows that are drawn */
    size_t n;       /* drawn rows */
    size_t n_rows;  /* all rows */
    uint8_t *drawn; /* [n_rows] */
    feature_rows features[DIP_FEATURES_MAX];
} sample;

static double draw(const sample *s, uint64_t row, uint64_t what) {
    return dip_unit(dip_rng_at(s->rng, row, what).word[0]);
}

static dip_status draw_rows(sample *s, dip_error *err) {
    size_t training = 0;
    for (size_t row = 0; row < s->n_rows; row++) {
        training += s->trains[row];
    }
    s->share = training > s->limits.rows ? (double)s->limits.rows / (double)training : 1;
    s->drawn = dip_alloc(s->n_rows, 1, "drawn rows", err);
    if (s->drawn == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t row = 0; row < s->n_rows; row++) {
        s->drawn[row] = s->trains[row] && (s->share >= 1 || draw(s, row, 0) < s->share);
        s->n += s->drawn[row];
    }
    return DIP_OK;
}

static dip_status add_codes(feature_rows *f, const int32_t *codes, size_t n, dip_error *err) {
    DIP_TRY(dip_grow((void **)&f->codes, &f->code_capacity, f->n_codes + n + 1, sizeof *f->codes,
                     "values of drawn rows", err));
    for (size_t i = 0; i < n; i++) {
        f->codes[f->n_codes++] = codes[i];
    }
    return DIP_OK;
}

static dip_status load_codes(const sample *s, feature_rows *f, dip_final *final, dip_error *err) {
    size_t row = 0;
    size_t kept = 0;
    do {
        DIP_TRY(dip_final_next(final, err));
        const int32_t *codes = final->rows.codes;
        for (size_t i = 0; i < final->rows.n; i++, row++) {
            if (s->drawn[row]) {
                DIP_TRY(add_codes(f, codes, final->rows.counts[i], err));
                f->offsets[++kept] = (int64_t)f->n_codes;
            }
            codes += final->rows.counts[i];
        }
    } while (final->rows.n > 0);
    return DIP_OK;
}

/* Numbers have no values of their own: the normalised column is cut into bins of equal width over
 * two deviations to either side of the mean; the outer bins take the rest. */
static dip_status load_numbers(const sample *s, feature_rows *f, dip_final *final, dip_error *err) {
    double numbers[DIP_FINAL_NUMBERS];
    double edges[NUMBER_BINS];
    dip_feature bins = {.edges = edges};
    size_t row = 0;
    size_t kept = 0;
    size_t got = 0;
    for (size_t b = 1; b < NUMBER_BINS; b++) {
        edges[bins.n_edges++] = -2.0 + 4.0 * (double)b / NUMBER_BINS;
    }
    do {
        DIP_TRY(dip_final_numbers(final, numbers, &got, err));
        for (size_t i = 0; i < got; i++, row++) {
            if (s->drawn[row]) {
                const int32_t bin = isnan(numbers[i]) ? 0 : dip_values_bucket(&bins, numbers[i]);
                DIP_TRY(add_codes(f, &bin, isnan(numbers[i]) ? 0u : 1u, err));
                f->offsets[++kept] = (int64_t)f->n_codes;
            }
        }
    } while (got > 0);
    return DIP_OK;
}

static dip_status load_feature(sample *s, size_t f, dip_error *err) {
    feature_rows *rows = &s->features[f];
    dip_final final;
    rows->offsets = dip_alloc(s->n + 1, sizeof *rows->offsets, "drawn rows", err);
    if (rows->offsets == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(add_codes(rows, NULL, 0, err));
    dip_final_begin(&final, s->items, f);
    const dip_status status = final.feature->table < 0 ? load_numbers(s, rows, &final, err)
                                                       : load_codes(s, rows, &final, err);
    dip_final_end(&final);
    return status;
}

/* Pairs of values of two features over the drawn rows; a row without a value counts as one. */
static double count_products(const feature_rows *a, const feature_rows *b, size_t n) {
    double products = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t in_a = a->offsets[i + 1] - a->offsets[i];
        const int64_t in_b = b->offsets[i + 1] - b->offsets[i];
        products += (double)(in_a > 0 ? in_a : 1) * (double)(in_b > 0 ? in_b : 1);
    }
    return products;
}

static dip_status measure_pair(const sample *s, size_t i, size_t j, double *information,
                               double *share, dip_error *err) {
    const feature_rows *a = &s->features[i];
    const feature_rows *b = &s->features[j];
    const double products = i == j ? (double)a->n_codes : count_products(a, b, s->n);
    const double most = (double)s->limits.values;
    const double part = products > most ? most / products : 1;
    uint8_t *use = dip_alloc(s->n, 1, "drawn rows", err);
    if (use == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t row = 0; row < s->n; row++) {
        use[row] = part >= 1 || draw(s, row, 1) < part;
    }
    const dip_codes codes[2] = {{a->offsets, a->codes}, {b->offsets, b->codes}};
    const dip_status status =
        dip_mutual_information(&codes[0], &codes[1], use, s->n, information, err);
    *share = s->share * part;
    dip_free(use);
    return status;
}

/* Pairs of features side by side; each result is the work of one thread. */
static dip_status measure_all(const sample *s, size_t k, const dip_means *means, double *matrix,
                              double *share, dip_error *err) {
    dip_first_error first = {DIP_OK};
    double smallest = 1;
#pragma omp parallel for schedule(dynamic, 1) num_threads(means->threads) reduction(min : smallest)
    for (size_t at = 0; at < k * k; at++) {
        const size_t i = at / k;
        const size_t j = at % k;
        dip_error error = {DIP_OK};
        double pair_share = 1;
        if (i <= j) {
            double information = 0;
            const dip_status status = measure_pair(s, i, j, &information, &pair_share, &error);
            dip_first_error_keep(&first, status, &error);
            matrix[i * k + j] = information;
            matrix[j * k + i] = information;
        }
        smallest = pair_share < smallest ? pair_share : smallest;
    }
    *share = smallest;
    return dip_first_error_result(&first, err);
}

static dip_status run(sample *s, size_t k, const dip_means *means, double *matrix, double *share,
                      dip_error *err) {
    DIP_TRY(draw_rows(s, err));
    for (size_t f = 0; f < k; f++) {
        const dip_progress progress = {.phase = "measuring mutual information",
                                       .unit = "features",
                                       .detail = "",
                                       .done = f,
                                       .total = k};
        DIP_TRY(dip_tell(means->watch, &progress, err));
        DIP_TRY(load_feature(s, f, err));
    }
    return measure_all(s, k, means, matrix, share, err);
}

dip_status dip_information_measure(const dip_columns *items, const uint8_t *trains, uint64_t seed,
                                   dip_information_limits limits, const dip_means *means,
                                   double *matrix, double *share, dip_error *err) {
    sample *s = dip_alloc(1, sizeof *s, "drawn rows", err);
    if (s == NULL) {
        return DIP_ERR_MEMORY;
    }
    s->items = items;
    s->trains = trains;
    s->limits = limits;
    s->rng = dip_rng_make(seed, DIP_DRAW_INFORMATION);
    s->n_rows = (size_t)items->n;
    const dip_status status = run(s, items->entity->n_features, means, matrix, share, err);
    for (size_t f = 0; f < DIP_FEATURES_MAX; f++) {
        dip_free(s->features[f].offsets);
        dip_free(s->features[f].codes);
    }
    dip_free(s->drawn);
    dip_free(s);
    return status;
}
