/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/mem.h"
#include "base/order.h"
#include "base/text.h"
#include "data/values.h"
#include "model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dip_status find_feature(const dip_entity *entity, const char *name, size_t *index,
                               dip_error *err) {
    const char *nearest = NULL;
    unsigned best = UINT32_MAX;
    for (size_t f = 0; f < entity->n_features; f++) {
        unsigned distance = 0;
        if (strcmp(entity->features[f].name, name) == 0) {
            *index = f;
            return DIP_OK;
        }
        if (dip_spelling_is_near(name, entity->features[f].name, &distance) && distance < best) {
            best = distance;
            nearest = entity->features[f].name;
        }
    }
    return dip_fail(err, DIP_ERR_USAGE, "unknown feature \"%s\"; %s \"%s\"%s", name,
                    nearest != NULL ? "did you mean" : "the first one is",
                    nearest != NULL ? nearest : entity->features[0].name,
                    nearest != NULL ? "?" : "");
}

/* Rows of the known values of a cell, hashed ones ascending as prepare stores them. */
static int64_t look_up(const dip_values *values, const dip_feature *feature, const dip_vocab *vocab,
                       int32_t *codes) {
    int64_t n = 0;
    for (size_t i = 0; i < values->n; i++) {
        const char *text = dip_values_text(values, i);
        const size_t length = dip_values_length(values, i);
        const int32_t code =
            feature->hash_buckets > 0
                ? (int32_t)(dip_hash(text, length) % (uint64_t)feature->hash_buckets)
                : dip_vocab_find(vocab, text, length);
        bool is_known = code >= 0;
        for (int64_t j = 0; j < n && is_known; j++) {
            is_known = codes[j] != code;
        }
        if (is_known) {
            codes[n++] = code;
        }
    }
    if (feature->hash_buckets > 0) {
        qsort(codes, (size_t)n, sizeof *codes, dip_order_i32);
    }
    return n;
}

static dip_status set_number(dip_cells *cells, const dip_feature *feature, size_t f,
                             const char *text, dip_error *err) {
    double number = 0;
    if (!dip_values_number(text, &number)) {
        return dip_fail(err, DIP_ERR_USAGE, "feature \"%s\": \"%.60s\" is not a number",
                        feature->name, text);
    }
    if (feature->table < 0) {
        cells->numbers[f] = (float)dip_values_normalise(feature, number);
        return DIP_OK;
    }
    cells->codes[f][0] = isnan(number) ? -1 : dip_values_bucket(feature, number);
    return DIP_OK;
}

static dip_status set_values(dip_cells *cells, const dip_model *model, const dip_feature *feature,
                             size_t f, const char *text, dip_values *values, dip_error *err) {
    DIP_TRY(dip_values_cut(values, feature, text, strlen(text), err));
    int32_t *codes = dip_alloc(values->n + 1, sizeof *codes, "values of a feature", err);
    if (codes == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_free(cells->codes[f]);
    cells->codes[f] = codes;
    cells->columns[f].codes = codes;
    codes[0] = -1;
    cells->offsets[f][1] = look_up(values, feature, &model->vocabs[feature->table], codes);
    return DIP_OK;
}

/* Every feature missing: number NaN, single value -1, bag without values. */
static dip_status make_empty(dip_cells *cells, const dip_entity *entity, dip_error *err) {
    const size_t n = entity->n_features;
    cells->columns = dip_alloc(n, sizeof *cells->columns, "cells", err);
    cells->offsets = dip_alloc(n, sizeof *cells->offsets, "cells", err);
    cells->codes = dip_alloc(n, sizeof *cells->codes, "cells", err);
    cells->numbers = dip_alloc(n, sizeof *cells->numbers, "cells", err);
    if (cells->columns == NULL || cells->offsets == NULL || cells->codes == NULL ||
        cells->numbers == NULL) {
        return DIP_ERR_MEMORY;
    }
    cells->n = n;
    cells->rows = (dip_rows){.n = 1, .columns = cells->columns};
    for (size_t f = 0; f < n; f++) {
        const dip_feature *feature = &entity->features[f];
        cells->numbers[f] = NAN;
        cells->codes[f] = dip_alloc(1, sizeof *cells->codes[f], "cells", err);
        if (cells->codes[f] == NULL) {
            return DIP_ERR_MEMORY;
        }
        cells->codes[f][0] = -1;
        cells->columns[f] =
            (dip_column){.offsets = dip_feature_is_bag(feature) ? cells->offsets[f] : NULL,
                         .codes = feature->table >= 0 ? cells->codes[f] : NULL,
                         .numbers = feature->table < 0 ? &cells->numbers[f] : NULL};
    }
    return DIP_OK;
}

static dip_status fill(dip_cells *cells, const dip_model *model, const dip_entity *entity,
                       const char *const *names, const char *const *values, size_t n,
                       dip_error *err) {
    dip_values cut = {0};
    dip_status status = make_empty(cells, entity, err);
    for (size_t i = 0; i < n && status == DIP_OK; i++) {
        size_t f = 0;
        status = find_feature(entity, names[i], &f, err);
        if (status != DIP_OK) {
            break;
        }
        const dip_feature *feature = &entity->features[f];
        if (dip_utf8_check(values[i], strlen(values[i])) != strlen(values[i])) {
            status = dip_fail(err, DIP_ERR_USAGE, "feature \"%s\": the value is not valid UTF-8",
                              names[i]);
        } else if (feature->type == DIP_FEATURE_NUMERIC) {
            status = set_number(cells, feature, f, values[i], err);
        } else {
            status = set_values(cells, model, feature, f, values[i], &cut, err);
        }
    }
    dip_values_free(&cut);
    return status;
}

dip_status dip_cells_create(dip_cells *cells, const dip_model *model, dip_side side,
                            const char *const *names, const char *const *values, size_t n,
                            dip_error *err) {
    memset(cells, 0, sizeof *cells);
    const dip_status status =
        fill(cells, model, dip_schema_entity(&model->schema, side), names, values, n, err);
    if (status != DIP_OK) {
        dip_cells_free(cells);
    }
    return status;
}

void dip_cells_free(dip_cells *cells) {
    for (size_t f = 0; f < cells->n; f++) {
        dip_free(cells->codes[f]);
    }
    dip_free(cells->columns);
    dip_free(cells->offsets);
    dip_free(cells->codes);
    dip_free(cells->numbers);
    memset(cells, 0, sizeof *cells);
}
