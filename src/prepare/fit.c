/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/fit.h"

#include "base/mem.h"
#include "base/order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---------------------------------------------------------------------------------- */

static int find_table(const dip_schema *schema, const char *name) {
    for (size_t t = 0; t < schema->n_tables; t++) {
        if (strcmp(schema->tables[t].name, name) == 0) {
            return (int)t;
        }
    }
    return -1;
}

static bool is_plain_number(const dip_feature *feature) {
    return feature->type == DIP_FEATURE_NUMERIC && feature->buckets == 0;
}

static int64_t fixed_rows(const dip_feature *feature) {
    return feature->type == DIP_FEATURE_NUMERIC ? feature->buckets : feature->hash_buckets;
}

/* The settings of a table are those of the first feature that uses it. */
static const dip_feature *first_feature(const dip_schema *schema, size_t table) {
    const dip_entity *const entities[2] = {&schema->items, &schema->queries};
    for (size_t e = 0; e < 2; e++) {
        for (size_t f = 0; f < entities[e]->n_features; f++) {
            if (entities[e]->features[f].table == (int)table) {
                return &entities[e]->features[f];
            }
        }
    }
    return NULL;
}

static dip_status check_shared(const dip_schema *schema, const dip_feature *feature,
                               dip_error *err) {
    const dip_table *table = &schema->tables[feature->table];
    const bool has_number =
        feature->type == DIP_FEATURE_NUMERIC ||
        first_feature(schema, (size_t)feature->table)->type == DIP_FEATURE_NUMERIC;
    if (has_number || table->rows != fixed_rows(feature)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "feature \"%s\" cannot share table \"%s\": numbers share none, and "
                        "hash_buckets must be equal",
                        feature->name, table->name);
    }
    return DIP_OK;
}

static dip_status place_feature(dip_schema *schema, dip_feature *feature, const char *prefix,
                                dip_error *err) {
    char name[2 * DIP_TEXT_MAX];
    if (is_plain_number(feature)) {
        feature->table = -1;
        return DIP_OK;
    }
    const bool is_named = feature->table_name[0] != '\0';
    snprintf(name, sizeof name, "%s%s", is_named ? "" : prefix,
             is_named ? feature->table_name : feature->name);
    if (strlen(name) >= DIP_TEXT_MAX) {
        return dip_fail(err, DIP_ERR_USAGE, "the name of table \"%.60s...\" is too long", name);
    }
    feature->table = find_table(schema, name);
    if (feature->table >= 0) {
        return check_shared(schema, feature, err);
    }
    dip_table *table = &schema->tables[schema->n_tables];
    memcpy(table->name, name, strlen(name) + 1);
    table->rows = fixed_rows(feature);
    table->is_vocabulary = table->rows == 0;
    feature->table = (int)schema->n_tables++;
    return DIP_OK;
}

dip_status dip_fit_tables(dip_schema *schema, dip_error *err) {
    const size_t most = schema->items.n_features + schema->queries.n_features;
    schema->tables = dip_alloc(most, sizeof *schema->tables, "tables", err);
    if (schema->tables == NULL) {
        return DIP_ERR_MEMORY;
    }
    schema->n_tables = 0;
    for (size_t f = 0; f < schema->items.n_features; f++) {
        DIP_TRY(place_feature(schema, &schema->items.features[f], "", err));
    }
    for (size_t f = 0; f < schema->queries.n_features; f++) {
        DIP_TRY(place_feature(schema, &schema->queries.features[f], "query.", err));
    }
    return DIP_OK;
}

/* ---- training rows --------------------------------------------------------------------------- */

static dip_status mark_training_rows(dip_fit *fit, const dip_raw *raw, const dip_schema *schema,
                                     dip_error *err) {
    const bool is_same = schema->queries_are_items;
    fit->item_trains = dip_alloc(raw->items.ids.n, 1, "training rows", err);
    fit->item_count = dip_alloc(raw->items.ids.n, sizeof *fit->item_count, "item counts", err);
    fit->query_trains =
        is_same ? fit->item_trains : dip_alloc(raw->queries.ids.n, 1, "training rows", err);
    if (fit->item_trains == NULL || fit->item_count == NULL || fit->query_trains == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < raw->pairs.n; i++) {
        if (raw->pairs.part[i] == DIP_PART_TRAIN) {
            fit->item_trains[raw->pairs.item[i]] = 1;
            fit->query_trains[raw->pairs.query[i]] = 1;
            fit->item_count[raw->pairs.item[i]]++;
        }
    }
    return DIP_OK;
}

/* ---- vocabularies ---------------------------------------------------------------------------- */

static void count_values(const dip_raw_entity *side, const dip_entity *entity,
                         const uint8_t *trains, dip_vocab *values) {
    for (size_t f = 0; f < entity->n_features; f++) {
        const dip_raw_column *column = &side->columns[f];
        const int table = entity->features[f].table;
        if (table < 0 || column->offsets == NULL || entity->features[f].hash_buckets > 0) {
            continue;
        }
        for (size_t row = 0; row < side->ids.n; row++) {
            for (int64_t i = column->offsets[row]; trains[row] && i < column->offsets[row + 1];
                 i++) {
                values[table].count[column->codes[i]]++;
            }
        }
    }
}

/* Maps codes to kept rows and closes the gaps of dropped values. */
static void remap_column(dip_raw_column *column, size_t n_rows, const int32_t *remap) {
    size_t kept = 0;
    int64_t begin = 0;
    for (size_t row = 0; row < n_rows; row++) {
        const int64_t end = column->offsets[row + 1];
        for (int64_t i = begin; i < end; i++) {
            const int32_t code = remap[column->codes[i]];
            if (code >= 0) {
                column->codes[kept++] = code;
            }
        }
        begin = end;
        column->offsets[row + 1] = (int64_t)kept;
    }
    column->n_codes = kept;
}

static void remap_side(dip_raw_entity *side, const dip_entity *entity, int table,
                       const int32_t *remap) {
    for (size_t f = 0; f < entity->n_features; f++) {
        if (entity->features[f].table == table) {
            remap_column(&side->columns[f], side->ids.n, remap);
        }
    }
}

static dip_status fit_vocabulary(dip_fit *fit, dip_raw *raw, dip_schema *schema, size_t table,
                                 dip_error *err) {
    const dip_feature *settings = first_feature(schema, table);
    const dip_vocab *seen = &raw->values[table];
    int32_t *remap = dip_alloc(seen->n, sizeof *remap, "a vocabulary's renumbering", err);
    if (remap == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_vocab_rank(seen, settings->min_count, settings->max_vocab,
                                             &fit->vocabs[table], remap, err);
    if (status == DIP_OK) {
        remap_side(&raw->items, &schema->items, (int)table, remap);
        remap_side(&raw->queries, &schema->queries, (int)table, remap);
        schema->tables[table].rows = (int64_t)fit->vocabs[table].n;
    }
    dip_free(remap);
    return status;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* The numbers of the training rows that have one, ascending. */
static dip_status training_numbers(const dip_raw_column *column, size_t n_rows,
                                   const uint8_t *trains, double **sorted, size_t *n,
                                   dip_error *err) {
    double *list = dip_alloc(n_rows, sizeof *list, "numbers", err);
    if (list == NULL) {
        return DIP_ERR_MEMORY;
    }
    *n = 0;
    for (size_t row = 0; row < n_rows; row++) {
        if (trains[row] && !isnan(column->numbers[row])) {
            list[(*n)++] = column->numbers[row];
        }
    }
    qsort(list, *n, sizeof *list, dip_order_double);
    *sorted = list;
    return DIP_OK;
}

/* Welford's method: exact enough for numbers far from zero. */
static void fit_normaliser(dip_feature *feature, const double *list, size_t n) {
    double mean = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double delta = list[i] - mean;
        mean += delta / (double)(i + 1);
        squares += delta * (list[i] - mean);
    }
    const double deviation = n > 0 ? sqrt(squares / (double)n) : 0;
    feature->mean = isfinite(mean) ? mean : 0;
    feature->deviation = deviation > 0 && isfinite(deviation) ? deviation : 1;
}

/* Distinct quantiles at 1/buckets, 2/buckets, ... */
static dip_status fit_edges(dip_feature *feature, const double *sorted, size_t n, int64_t buckets,
                            dip_error *err) {
    feature->edges = dip_alloc((size_t)buckets, sizeof *feature->edges, "bucket edges", err);
    if (feature->edges == NULL) {
        return DIP_ERR_MEMORY;
    }
    feature->n_edges = 0;
    for (int64_t b = 1; b < buckets && n > 0; b++) {
        const double edge = sorted[(size_t)b * n / (size_t)buckets];
        const bool is_new =
            feature->n_edges == 0 ? edge > sorted[0] : edge > feature->edges[feature->n_edges - 1];
        if (is_new) {
            feature->edges[feature->n_edges++] = edge;
        }
    }
    return DIP_OK;
}

/* A bucketed number becomes a column of codes. */
static dip_status bucket_column(const dip_feature *feature, dip_raw_column *column, size_t n_rows,
                                dip_error *err) {
    DIP_TRY(dip_grow((void **)&column->offsets, &column->offset_capacity, n_rows + 1,
                     sizeof *column->offsets, "a feature column", err));
    DIP_TRY(dip_grow((void **)&column->codes, &column->code_capacity, n_rows, sizeof *column->codes,
                     "a feature column", err));
    for (size_t row = 0; row < n_rows; row++) {
        if (!isnan(column->numbers[row])) {
            column->codes[column->n_codes++] = dip_values_bucket(feature, column->numbers[row]);
        }
        column->offsets[row + 1] = (int64_t)column->n_codes;
    }
    return DIP_OK;
}

static void normalise_column(const dip_feature *feature, dip_raw_column *column, size_t n_rows) {
    for (size_t row = 0; row < n_rows; row++) {
        column->numbers[row] = dip_values_normalise(feature, column->numbers[row]);
    }
}

static dip_status fit_number(dip_feature *feature, dip_raw_column *column, size_t n_rows,
                             const uint8_t *trains, dip_error *err) {
    double *sorted = NULL;
    size_t n = 0;
    DIP_TRY(training_numbers(column, n_rows, trains, &sorted, &n, err));
    dip_status status = DIP_OK;
    if (feature->buckets > 0) {
        status = fit_edges(feature, sorted, n, feature->buckets, err);
        if (status == DIP_OK) {
            status = bucket_column(feature, column, n_rows, err);
        }
    } else {
        fit_normaliser(feature, sorted, n);
        normalise_column(feature, column, n_rows);
    }
    dip_free(sorted);
    return status;
}

static dip_status fit_numbers(dip_raw_entity *side, dip_entity *entity, const uint8_t *trains,
                              dip_error *err) {
    for (size_t f = 0; f < entity->n_features; f++) {
        if (entity->features[f].type == DIP_FEATURE_NUMERIC) {
            DIP_TRY(fit_number(&entity->features[f], &side->columns[f], side->ids.n, trains, err));
        }
    }
    return DIP_OK;
}

dip_status dip_fit_all(dip_fit *fit, dip_raw *raw, dip_schema *schema, dip_error *err) {
    memset(fit, 0, sizeof *fit);
    fit->vocabs = dip_alloc(schema->n_tables, sizeof *fit->vocabs, "vocabularies", err);
    if (fit->vocabs == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(mark_training_rows(fit, raw, schema, err));
    count_values(&raw->items, &schema->items, fit->item_trains, raw->values);
    if (!schema->queries_are_items) {
        count_values(&raw->queries, &schema->queries, fit->query_trains, raw->values);
    }
    for (size_t t = 0; t < schema->n_tables; t++) {
        if (schema->tables[t].is_vocabulary) {
            DIP_TRY(fit_vocabulary(fit, raw, schema, t, err));
        }
    }
    DIP_TRY(fit_numbers(&raw->items, &schema->items, fit->item_trains, err));
    return fit_numbers(&raw->queries, &schema->queries, fit->query_trains, err);
}

void dip_fit_free(dip_fit *fit, const dip_schema *schema) {
    if (fit->query_trains != fit->item_trains) {
        dip_free(fit->query_trains);
    }
    dip_free(fit->item_trains);
    dip_free(fit->item_count);
    for (size_t t = 0; fit->vocabs != NULL && t < schema->n_tables; t++) {
        dip_vocab_free(&fit->vocabs[t]);
    }
    dip_free(fit->vocabs);
    memset(fit, 0, sizeof *fit);
}
