/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/ingest.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/order.h"
#include "data/reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TELL_EVERY = 4096 };

/* A table that is read record by record. */
typedef struct table {
    dip_reader *reader;
    dip_block block;
    bool has_block;
} table;

static void close_table(table *t) {
    dip_block_free(&t->block);
    dip_reader_close(t->reader);
}

static dip_status next_record(table *t, const dip_field **fields, dip_error *err) {
    for (;;) {
        const dip_status status = t->has_block ? dip_block_next(&t->block, fields, err) : DIP_END;
        if (status != DIP_END) {
            return status;
        }
        DIP_TRY(dip_reader_take(t->reader, &t->block, err));
        t->has_block = true;
    }
}

static dip_status tell(const table *t, const dip_watch *watch, dip_error *err) {
    if (dip_block_line(&t->block) % TELL_EVERY != 0) {
        return DIP_OK;
    }
    char phase[400];
    snprintf(phase, sizeof phase, "reading %s", dip_block_path(&t->block));
    const dip_progress progress = {.phase = phase,
                                   .unit = "bytes",
                                   .detail = "",
                                   .done = dip_reader_position(t->reader),
                                   .total = dip_reader_size(t->reader)};
    return dip_tell(watch, &progress, err);
}

/* ---- entities -------------------------------------------------------------------------------- */

/* The fields of a record: the id, the features in the schema's order, and the title. */
enum { ID_FIELD = 0, FEATURE_FIELD = 1 };

static size_t title_field(const dip_entity *entity) {
    return FEATURE_FIELD + entity->n_features;
}

static dip_status select_columns(const dip_entity *entity, dip_reader *reader, dip_error *err) {
    size_t columns[DIP_FEATURES_MAX + 2];
    const char *separators[DIP_FEATURES_MAX + 2] = {NULL};
    size_t n = FEATURE_FIELD;
    DIP_TRY(dip_reader_column(reader, entity->id, &columns[ID_FIELD], err));
    for (size_t f = 0; f < entity->n_features; f++, n++) {
        const dip_feature *feature = &entity->features[f];
        DIP_TRY(dip_reader_column(reader, feature->column, &columns[n], err));
        separators[n] = feature->type == DIP_FEATURE_BAG    ? feature->separator
                        : feature->type == DIP_FEATURE_TEXT ? " "
                                                            : NULL;
    }
    if (entity->title[0] != '\0') {
        DIP_TRY(dip_reader_column(reader, entity->title, &columns[n], err));
        separators[n++] = " ";
    }
    return dip_reader_select(reader, columns, separators, n, err);
}

static dip_status add_id(dip_raw_entity *raw, const dip_block *block, const dip_field *id,
                         dip_error *err) {
    int32_t row = 0;
    bool is_new = false;
    if (id->length == 0) {
        return dip_block_fail(block, ID_FIELD, err, "the id is empty");
    }
    DIP_TRY(dip_vocab_add(&raw->ids, id->text, id->length, &row, &is_new, err));
    if (!is_new) {
        return dip_block_fail(block, ID_FIELD, err,
                              "the id \"%.100s\" already stands on line %lld; ids must be distinct",
                              id->text, (long long)raw->ids.count[row]);
    }
    raw->ids.count[row] = (int64_t)dip_block_line(block);
    return DIP_OK;
}

static dip_status add_title(dip_raw_entity *raw, const char *text, size_t length, dip_error *err) {
    const size_t n = raw->ids.n;
    DIP_TRY(dip_grow((void **)&raw->title_start, &raw->title_capacity, n + 1,
                     sizeof *raw->title_start, "titles", err));
    DIP_TRY(dip_text_put(&raw->titles, text, length, err));
    raw->title_start[n] = raw->titles.length;
    return DIP_OK;
}

static dip_status add_number(dip_raw_column *column, size_t row, const dip_block *block,
                             size_t position, const char *cell, dip_error *err) {
    double number = 0;
    if (!dip_values_number(cell, &number)) {
        return dip_block_fail(block, position, err, "\"%.60s\" is not a number", cell);
    }
    DIP_TRY(dip_grow((void **)&column->numbers, &column->number_capacity, row + 1,
                     sizeof *column->numbers, "a numeric column", err));
    column->numbers[row] = number;
    return DIP_OK;
}

static dip_status push_code(dip_raw_column *column, int32_t code, dip_error *err) {
    DIP_TRY(dip_grow((void **)&column->codes, &column->code_capacity, column->n_codes + 1,
                     sizeof *column->codes, "a feature column", err));
    column->codes[column->n_codes++] = code;
    return DIP_OK;
}

/* Codes of a row are distinct, though two texts can share a hash bucket. */
static void drop_repeats(dip_raw_column *column, size_t from) {
    int32_t *codes = column->codes;
    if (column->n_codes == from) {
        return;
    }
    qsort(codes + from, column->n_codes - from, sizeof *codes, dip_order_i32);
    size_t kept = from + 1;
    for (size_t i = from + 1; i < column->n_codes; i++) {
        if (codes[i] != codes[kept - 1]) {
            codes[kept++] = codes[i];
        }
    }
    column->n_codes = kept;
}

static dip_status add_values(dip_raw_column *column, size_t row, const dip_feature *feature,
                             const dip_values *values, dip_vocab *seen, dip_error *err) {
    const size_t from = column->n_codes;
    const uint64_t buckets = (uint64_t)feature->hash_buckets;
    for (size_t i = 0; i < values->n; i++) {
        const char *text = dip_values_text(values, i);
        const size_t length = dip_values_length(values, i);
        int32_t code = 0;
        if (buckets > 0) {
            code = (int32_t)(dip_hash(text, length) % buckets);
        } else {
            DIP_TRY(dip_vocab_add(seen, text, length, &code, NULL, err));
        }
        DIP_TRY(push_code(column, code, err));
    }
    if (buckets > 0) {
        drop_repeats(column, from);
    }
    DIP_TRY(dip_grow((void **)&column->offsets, &column->offset_capacity, row + 2,
                     sizeof *column->offsets, "a feature column", err));
    column->offsets[row + 1] = (int64_t)column->n_codes;
    return DIP_OK;
}

static dip_status add_features(dip_raw *raw, dip_raw_entity *side, const dip_entity *entity,
                               const dip_block *block, const dip_field *fields, dip_values *values,
                               dip_error *err) {
    const size_t row = side->ids.n - 1;
    for (size_t f = 0; f < entity->n_features; f++) {
        const dip_feature *feature = &entity->features[f];
        const size_t position = FEATURE_FIELD + f;
        const dip_field *cell = &fields[position];
        if (feature->type == DIP_FEATURE_NUMERIC) {
            DIP_TRY(add_number(&side->columns[f], row, block, position, cell->text, err));
            continue;
        }
        const dip_status status = dip_values_cut(values, feature, cell->text, cell->length, err);
        if (status == DIP_ERR_FORMAT) {
            return dip_block_fail(block, position, err, "the text cannot be normalised");
        }
        DIP_TRY(status);
        DIP_TRY(
            add_values(&side->columns[f], row, feature, values, &raw->values[feature->table], err));
    }
    return DIP_OK;
}

static dip_status read_rows(dip_raw *raw, dip_raw_entity *side, const dip_entity *entity, table *t,
                            dip_values *values, const dip_watch *watch, dip_error *err) {
    const dip_field *fields = NULL;
    const bool has_title = entity->title[0] != '\0';
    dip_status status = DIP_OK;
    DIP_TRY(select_columns(entity, t->reader, err));
    while ((status = next_record(t, &fields, err)) == DIP_OK) {
        const dip_field title = has_title ? fields[title_field(entity)] : (dip_field){"", 0};
        DIP_TRY(add_id(side, &t->block, &fields[ID_FIELD], err));
        DIP_TRY(add_title(side, title.text, title.length, err));
        DIP_TRY(add_features(raw, side, entity, &t->block, fields, values, err));
        DIP_TRY(tell(t, watch, err));
    }
    if (status != DIP_END) {
        return status;
    }
    if (side->ids.n == 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s has a header but no rows",
                        dip_reader_name(t->reader));
    }
    return DIP_OK;
}

static dip_status alloc_columns(dip_raw_entity *side, const dip_entity *entity, dip_error *err) {
    side->columns = dip_alloc(entity->n_features, sizeof *side->columns, "feature columns", err);
    return side->columns != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status read_entity(dip_raw *raw, dip_raw_entity *side, const dip_project *project,
                              const dip_entity *entity, const dip_watch *watch, dip_error *err) {
    table t = {0};
    dip_values values = {0};
    DIP_TRY(alloc_columns(side, entity, err));
    DIP_TRY(dip_project_open(&t.reader, project, &entity->source, err));
    const dip_status status = read_rows(raw, side, entity, &t, &values, watch, err);
    dip_values_free(&values);
    close_table(&t);
    return status;
}

/* ---- interactions ---------------------------------------------------------------------------- */

/* The fields of a pair: query, item, then the time and the part where there are any. */
enum { QUERY_FIELD = 0, ITEM_FIELD = 1 };

typedef struct pair_layout {
    size_t time;
    size_t split;
    bool has_time;
    bool has_split;
} pair_layout;

static dip_status select_pair_columns(pair_layout *fields, dip_reader *reader,
                                      const dip_project *project, dip_error *err) {
    const dip_schema *schema = &project->schema;
    size_t columns[4];
    size_t n = 2;
    DIP_TRY(dip_reader_column(reader, schema->query_column, &columns[QUERY_FIELD], err));
    DIP_TRY(dip_reader_column(reader, schema->item_column, &columns[ITEM_FIELD], err));
    fields->has_time = schema->time_column[0] != '\0';
    fields->has_split = project->config.split.by == DIP_SPLIT_COLUMN;
    if (fields->has_time) {
        fields->time = n;
        DIP_TRY(dip_reader_column(reader, schema->time_column, &columns[n++], err));
    }
    if (fields->has_split) {
        fields->split = n;
        DIP_TRY(dip_reader_column(reader, project->config.split.column, &columns[n++], err));
    }
    return dip_reader_select(reader, columns, NULL, n, err);
}

static dip_status note_unknown(dip_raw *raw, const dip_project *project, const dip_block *block,
                               size_t column, const char *kind, const char *id, dip_error *err) {
    if (project->config.prepare.unknown_ids == DIP_UNKNOWN_STOP) {
        return dip_block_fail(block, column, err, "unknown %s id \"%.100s\"", kind, id);
    }
    if (raw->unknown.n < DIP_SHOWN_UNKNOWN) {
        snprintf(raw->unknown.shown[raw->unknown.n], sizeof raw->unknown.shown[0],
                 "line %llu: %s \"%.100s\"", (unsigned long long)dip_block_line(block), kind, id);
    }
    raw->unknown.n++;
    return DIP_OK;
}

/* The query's row; without a query file a new id makes a new row. */
static dip_status query_row(dip_raw *raw, const dip_schema *schema, const dip_block *block,
                            size_t column, const dip_field *id, int32_t *row, dip_error *err) {
    if (schema->queries_are_items) {
        *row = dip_vocab_find(&raw->items.ids, id->text, id->length);
        return DIP_OK;
    }
    if (schema->queries.source.files.n > 0) {
        *row = dip_vocab_find(&raw->queries.ids, id->text, id->length);
        return DIP_OK;
    }
    if (id->length == 0) {
        return dip_block_fail(block, column, err, "the query id is empty");
    }
    return dip_vocab_add(&raw->queries.ids, id->text, id->length, row, NULL, err);
}

static dip_status push_pair(dip_pairs *pairs, int32_t query, int32_t item, double time,
                            uint8_t part, bool has_time, dip_error *err) {
    const size_t n = pairs->n + 1;
    DIP_TRY(dip_grow((void **)&pairs->query, &pairs->capacity[0], n, sizeof *pairs->query, "pairs",
                     err));
    DIP_TRY(
        dip_grow((void **)&pairs->item, &pairs->capacity[1], n, sizeof *pairs->item, "pairs", err));
    DIP_TRY(
        dip_grow((void **)&pairs->part, &pairs->capacity[2], n, sizeof *pairs->part, "pairs", err));
    if (has_time) {
        DIP_TRY(dip_grow((void **)&pairs->time, &pairs->capacity[3], n, sizeof *pairs->time,
                         "pairs", err));
        pairs->time[pairs->n] = time;
    }
    pairs->query[pairs->n] = query;
    pairs->item[pairs->n] = item;
    pairs->part[pairs->n] = part;
    pairs->n = n;
    return DIP_OK;
}

static dip_status read_part(const dip_block *block, size_t column, const char *text, uint8_t *part,
                            dip_error *err) {
    static const struct {
        const char *name;
        dip_part part;
    } NAMES[] = {{"train", DIP_PART_TRAIN},
                 {"training", DIP_PART_TRAIN},
                 {"valid", DIP_PART_VALIDATION},
                 {"validation", DIP_PART_VALIDATION},
                 {"test", DIP_PART_TEST}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(text, NAMES[i].name) == 0) {
            *part = (uint8_t)NAMES[i].part;
            return DIP_OK;
        }
    }
    return dip_block_fail(block, column, err, "\"%.60s\" is none of train, validation and test",
                          text);
}

static dip_status add_pair(dip_raw *raw, const dip_project *project, const dip_block *block,
                           const pair_layout *columns, const dip_field *fields, dip_vocab *seen,
                           dip_error *err) {
    const dip_schema *schema = &project->schema;
    const dip_field *query_id = &fields[QUERY_FIELD];
    const dip_field *item_id = &fields[ITEM_FIELD];
    const int32_t item = dip_vocab_find(&raw->items.ids, item_id->text, item_id->length);
    int32_t query = -1;
    double time = 0;
    uint8_t part = DIP_PART_TRAIN;
    if (item < 0) {
        return note_unknown(raw, project, block, ITEM_FIELD, "item", item_id->text, err);
    }
    DIP_TRY(query_row(raw, schema, block, QUERY_FIELD, query_id, &query, err));
    if (query < 0) {
        return note_unknown(raw, project, block, QUERY_FIELD, "query", query_id->text, err);
    }
    if (columns->has_time &&
        (!dip_values_number(fields[columns->time].text, &time) || isnan(time))) {
        return dip_block_fail(block, columns->time, err, "\"%.60s\" is not a number",
                              fields[columns->time].text);
    }
    if (columns->has_split) {
        DIP_TRY(read_part(block, columns->split, fields[columns->split].text, &part, err));
    }
    if (schema->queries_are_items && query == item) {
        raw->n_self++;
        return DIP_OK;
    }
    const int32_t key[2] = {query, item};
    int32_t row = 0;
    bool is_new = false;
    DIP_TRY(dip_vocab_add(seen, (const char *)key, sizeof key, &row, &is_new, err));
    if (!is_new) {
        raw->n_duplicates++;
        return DIP_OK;
    }
    return push_pair(&raw->pairs, query, item, time, part, columns->has_time, err);
}

static dip_status read_pairs(dip_raw *raw, const dip_project *project, table *t, dip_vocab *seen,
                             const dip_watch *watch, dip_error *err) {
    pair_layout columns = {0};
    const dip_field *fields = NULL;
    dip_status status = DIP_OK;
    DIP_TRY(select_pair_columns(&columns, t->reader, project, err));
    while ((status = next_record(t, &fields, err)) == DIP_OK) {
        DIP_TRY(add_pair(raw, project, &t->block, &columns, fields, seen, err));
        DIP_TRY(tell(t, watch, err));
    }
    if (status != DIP_END) {
        return status;
    }
    if (raw->pairs.n == 0) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s has no usable pair (%lld with unknown ids); do its ids match the "
                        "\"id\" columns?",
                        dip_reader_name(t->reader), (long long)raw->unknown.n);
    }
    return DIP_OK;
}

static dip_status read_interactions(dip_raw *raw, const dip_project *project,
                                    const dip_watch *watch, dip_error *err) {
    table t = {0};
    dip_vocab seen = {0};
    DIP_TRY(dip_project_open(&t.reader, project, &project->schema.interactions, err));
    const dip_status status = read_pairs(raw, project, &t, &seen, watch, err);
    dip_vocab_free(&seen);
    close_table(&t);
    return status;
}

/* Queries without a file: the id is the one feature. */
static dip_status features_from_ids(dip_raw *raw, const dip_schema *schema, dip_error *err) {
    dip_raw_entity *side = &raw->queries;
    const dip_feature *feature = &schema->queries.features[0];
    dip_values values = {0};
    dip_status status = alloc_columns(side, &schema->queries, err);
    for (size_t row = 0; status == DIP_OK && row < side->ids.n; row++) {
        size_t length = 0;
        const char *text = dip_vocab_text(&side->ids, row, &length);
        status = dip_values_cut(&values, feature, text, length, err);
        if (status == DIP_OK) {
            status = add_values(&side->columns[0], row, feature, &values,
                                &raw->values[feature->table], err);
        }
    }
    dip_values_free(&values);
    return status;
}

dip_status dip_ingest(dip_raw *raw, const dip_project *project, const dip_schema *schema,
                      const dip_watch *watch, dip_error *err) {
    memset(raw, 0, sizeof *raw);
    raw->values = dip_alloc(schema->n_tables, sizeof *raw->values, "vocabularies", err);
    if (raw->values == NULL) {
        return DIP_ERR_MEMORY;
    }
    const bool has_query_file = !schema->queries_are_items && schema->queries.source.files.n > 0;
    DIP_TRY(read_entity(raw, &raw->items, project, &schema->items, watch, err));
    if (has_query_file) {
        DIP_TRY(read_entity(raw, &raw->queries, project, &schema->queries, watch, err));
    }
    DIP_TRY(read_interactions(raw, project, watch, err));
    if (!schema->queries_are_items && !has_query_file) {
        DIP_TRY(features_from_ids(raw, schema, err));
    }
    return DIP_OK;
}

static void raw_entity_free(dip_raw_entity *side, size_t n_features) {
    dip_vocab_free(&side->ids);
    dip_text_free(&side->titles);
    dip_free(side->title_start);
    for (size_t f = 0; side->columns != NULL && f < n_features; f++) {
        dip_free(side->columns[f].offsets);
        dip_free(side->columns[f].codes);
        dip_free(side->columns[f].numbers);
    }
    dip_free(side->columns);
}

void dip_raw_free(dip_raw *raw, const dip_schema *schema) {
    raw_entity_free(&raw->items, schema->items.n_features);
    raw_entity_free(&raw->queries, schema->queries.n_features);
    for (size_t t = 0; raw->values != NULL && t < schema->n_tables; t++) {
        dip_vocab_free(&raw->values[t]);
    }
    dip_free(raw->values);
    dip_free(raw->pairs.query);
    dip_free(raw->pairs.item);
    dip_free(raw->pairs.time);
    dip_free(raw->pairs.part);
    memset(raw, 0, sizeof *raw);
}
