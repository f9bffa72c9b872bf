/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/fit.h"

#include "base/mem.h"
#include "data/tables.h"
#include "prepare/growth.h"
#include "prepare/quantiles.h"

#include <math.h>
#include <string.h>

/* ---- training rows --------------------------------------------------------------------------- */

static dip_status mark_pairs(dip_fit *fit, const dip_pairs *pairs, dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            if (cursor.chunk.parts[i] == DIP_PART_TRAIN) {
                fit->query_trains[cursor.chunk.rows[i][0]] = 1;
                fit->asks[cursor.chunk.rows[i][0]] = 1;
                fit->item_trains[cursor.chunk.rows[i][1]] = 1;
                fit->item_count[cursor.chunk.rows[i][1]]++;
            }
        }
    }
    dip_pairs_end(&cursor);
    return status;
}

dip_status dip_fit_mark(dip_fit *fit, int64_t n_items, int64_t n_queries, const dip_pairs *pairs,
                        bool queries_are_items, dip_error *err) {
    const size_t n = (size_t)n_items;
    fit->item_trains = dip_alloc(n, 1, "training rows", err);
    fit->item_count = dip_alloc(n, sizeof *fit->item_count, "item counts", err);
    fit->query_trains = queries_are_items ? fit->item_trains
                                          : dip_alloc((size_t)n_queries, 1, "training rows", err);
    fit->asks = queries_are_items ? dip_alloc(n, 1, "training queries", err) : fit->query_trains;
    if (fit->item_trains == NULL || fit->item_count == NULL || fit->query_trains == NULL ||
        fit->asks == NULL) {
        return DIP_ERR_MEMORY;
    }
    return mark_pairs(fit, pairs, err);
}

/* ---- vocabularies ---------------------------------------------------------------------------- */

static dip_status count_column(const dip_columns *columns, size_t f, const uint8_t *trains,
                               int64_t *count, dip_error *err) {
    dip_final final;
    dip_status status = DIP_OK;
    size_t row = 0;
    dip_final_begin(&final, columns, f);
    do {
        status = dip_final_next(&final, err);
        const int32_t *code = final.rows.codes;
        for (size_t i = 0; status == DIP_OK && i < final.rows.n; i++, row++) {
            for (uint32_t v = 0; v < final.rows.counts[i]; v++) {
                count[code[v]] += trains[row];
            }
            code += final.rows.counts[i];
        }
    } while (status == DIP_OK && final.rows.n > 0);
    dip_final_end(&final);
    return status;
}

static dip_status count_side(const dip_columns *columns, size_t table, const uint8_t *trains,
                             int64_t *count, dip_error *err) {
    for (size_t f = 0; columns->entity != NULL && f < columns->entity->n_features; f++) {
        if (columns->entity->features[f].table == (int)table) {
            DIP_TRY(count_column(columns, f, trains, count, err));
        }
    }
    return DIP_OK;
}

dip_status dip_fit_count(const dip_fit *fit, const dip_columns *sides, size_t table, int64_t *count,
                         dip_error *err) {
    DIP_TRY(count_side(&sides[DIP_SIDE_ITEM], table, fit->item_trains, count, err));
    return count_side(&sides[DIP_SIDE_QUERY], table, fit->query_trains, count, err);
}

static dip_status fit_vocabulary(dip_fit *fit, const dip_raw *raw, dip_schema *schema, size_t table,
                                 const dip_means *means, dip_scratch *scratch, dip_error *err) {
    const dip_feature *settings = dip_tables_first_feature(schema, table);
    const dip_intern *seen = raw->values[table];
    int64_t *count = dip_alloc((size_t)dip_intern_count(seen), sizeof *count, "value counts", err);
    dip_status status = count != NULL ? DIP_OK : DIP_ERR_MEMORY;
    dip_columns sides[2] = {dip_columns_of_raw(raw, schema, DIP_SIDE_ITEM, NULL)};
    if (!schema->queries_are_items) {
        sides[DIP_SIDE_QUERY] = dip_columns_of_raw(raw, schema, DIP_SIDE_QUERY, NULL);
    }
    if (status == DIP_OK) {
        status = dip_fit_count(fit, sides, table, count, err);
    }
    if (status == DIP_OK) {
        const dip_keep_rule rule = {.min_count = settings->min_count,
                                    .max_vocab = settings->max_vocab,
                                    .pinned = dip_growth_values(means->growth, table)};
        status = dip_keep_values(&fit->kept[table], seen, count, &rule, scratch, means, err);
        schema->tables[table].rows = fit->kept[table].rows;
    }
    dip_free(count);
    return status;
}

/* ---- numbers --------------------------------------------------------------------------------- */

typedef struct moments {
    uint64_t n;
    double mean;
    double squares;
} moments;

/* Welford's method: exact enough for numbers far from zero. */
static void add_moment(moments *m, double number) {
    m->n++;
    const double delta = number - m->mean;
    m->mean += delta / (double)m->n;
    m->squares += delta * (number - m->mean);
}

/* The moments of the training rows that have a number. */
static dip_status measure(const dip_spool *numbers, const uint8_t *trains, moments *m,
                          dip_error *err) {
    double chunk[4096];
    dip_spool_cursor cursor = {.spool = numbers};
    dip_status status = DIP_OK;
    size_t row = 0;
    size_t got = 0;
    *m = (moments){0};
    do {
        status = dip_spool_read(&cursor, chunk, sizeof chunk, &got, err);
        for (size_t i = 0; status == DIP_OK && i < got / sizeof *chunk; i++, row++) {
            if (trains[row] && !isnan(chunk[i])) {
                add_moment(m, chunk[i]);
            }
        }
    } while (status == DIP_OK && got == sizeof chunk);
    dip_spool_cursor_free(&cursor);
    return status;
}

static void fit_normaliser(dip_feature *feature, const moments *m) {
    const double deviation = m->n > 0 ? sqrt(m->squares / (double)m->n) : 0;
    feature->mean = isfinite(m->mean) ? m->mean : 0;
    feature->deviation = deviation > 0 && isfinite(deviation) ? deviation : 1;
}

/* Distinct quantiles at 1/buckets, 2/buckets, ...; values above the smallest number only. */
static dip_status fit_edges(dip_feature *feature, const dip_spool *numbers, const uint8_t *trains,
                            uint64_t n, dip_error *err) {
    uint64_t rank[DIP_BUCKETS_MAX];
    double value[DIP_BUCKETS_MAX];
    const size_t buckets = (size_t)feature->buckets;
    feature->edges = dip_alloc(buckets, sizeof *feature->edges, "bucket edges", err);
    if (feature->edges == NULL) {
        return DIP_ERR_MEMORY;
    }
    feature->n_edges = 0;
    if (n == 0) {
        return DIP_OK;
    }
    for (size_t b = 0; b < buckets; b++) {
        rank[b] = b * n / buckets;
    }
    DIP_TRY(dip_quantiles(numbers, trains, rank, buckets, value, err));
    for (size_t b = 1; b < buckets; b++) {
        const double last = feature->n_edges == 0 ? value[0] : feature->edges[feature->n_edges - 1];
        if (value[b] > last) {
            feature->edges[feature->n_edges++] = value[b];
        }
    }
    return DIP_OK;
}

static dip_status fit_number(dip_feature *feature, const dip_spool *numbers, const uint8_t *trains,
                             dip_error *err) {
    moments m;
    DIP_TRY(measure(numbers, trains, &m, err));
    if (feature->buckets > 0) {
        return fit_edges(feature, numbers, trains, m.n, err);
    }
    fit_normaliser(feature, &m);
    return DIP_OK;
}

/* What the numbers of a dataset that grows meant, they mean. */
static dip_status copy_fit(dip_feature *feature, const dip_feature *old, dip_error *err) {
    feature->mean = old->mean;
    feature->deviation = old->deviation;
    feature->n_edges = old->n_edges;
    feature->edges = dip_alloc(old->n_edges, sizeof *feature->edges, "bucket edges", err);
    if (feature->edges == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (old->n_edges > 0) {
        memcpy(feature->edges, old->edges, old->n_edges * sizeof *feature->edges);
    }
    return DIP_OK;
}

static dip_status fit_numbers(const dip_raw_entity *side, dip_entity *entity, const dip_entity *old,
                              const uint8_t *trains, dip_error *err) {
    for (size_t f = 0; f < side->n_columns; f++) {
        dip_feature *feature = &entity->features[f];
        if (feature->type == DIP_FEATURE_NUMERIC) {
            DIP_TRY(old != NULL ? copy_fit(feature, &old->features[f], err)
                                : fit_number(feature, &side->columns[f].numbers, trains, err));
        }
    }
    return DIP_OK;
}

dip_status dip_fit_all(dip_fit *fit, const dip_raw *raw, const dip_pairs *pairs, dip_schema *schema,
                       const dip_means *means, dip_scratch *scratch, dip_error *err) {
    memset(fit, 0, sizeof *fit);
    fit->kept = dip_alloc(schema->n_tables, sizeof *fit->kept, "vocabularies", err);
    if (fit->kept == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(dip_fit_mark(fit, (int64_t)raw->items.n, (int64_t)raw->queries.n, pairs,
                         schema->queries_are_items, err));
    for (size_t t = 0; t < schema->n_tables; t++) {
        if (schema->tables[t].is_vocabulary) {
            DIP_TRY(fit_vocabulary(fit, raw, schema, t, means, scratch, err));
        }
    }
    const dip_schema *old = means->growth != NULL ? &means->growth->old.schema : NULL;
    DIP_TRY(fit_numbers(&raw->items, &schema->items, old != NULL ? &old->items : NULL,
                        fit->item_trains, err));
    return fit_numbers(&raw->queries, &schema->queries, old != NULL ? &old->queries : NULL,
                       fit->query_trains, err);
}

void dip_fit_free(dip_fit *fit, const dip_schema *schema) {
    if (fit->query_trains != fit->item_trains) {
        dip_free(fit->query_trains);
    } else {
        dip_free(fit->asks);
    }
    dip_free(fit->item_trains);
    dip_free(fit->item_count);
    for (size_t t = 0; fit->kept != NULL && t < schema->n_tables; t++) {
        dip_kept_free(&fit->kept[t]);
    }
    dip_free(fit->kept);
    memset(fit, 0, sizeof *fit);
}
