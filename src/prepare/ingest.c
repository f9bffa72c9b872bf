/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/ingest.h"

#include "base/mem.h"
#include "data/values.h"
#include "prepare/growth.h"
#include "prepare/ingest_parts.h"

#include <stdio.h>
#include <string.h>

enum { BLOCKS_A_THREAD = 4, IDS_AT_ONCE = 1 << 16 };

size_t dip_ingest_round(const dip_means *means) {
    return means->round_blocks > 0 ? means->round_blocks : (size_t)means->threads * BLOCKS_A_THREAD;
}

dip_status dip_ingest_tell(const dip_reader *reader, uint64_t records, const dip_means *means,
                           dip_error *err) {
    char phase[400];
    char detail[64];
    snprintf(phase, sizeof phase, "reading %s", dip_reader_name(reader));
    snprintf(detail, sizeof detail, "%llu rows", (unsigned long long)records);
    const dip_progress progress = {.phase = phase,
                                   .unit = "bytes",
                                   .detail = detail,
                                   .done = dip_reader_position(reader),
                                   .total = dip_reader_size(reader)};
    return dip_tell(means->watch, &progress, err);
}

dip_status dip_ingest_file(dip_raw *raw, const char *path, uint64_t *number, dip_error *err) {
    if (raw->n_files == 0 || strcmp(raw->files[raw->n_files - 1], path) != 0) {
        DIP_TRY(dip_grow((void **)&raw->files, &raw->file_capacity, raw->n_files + 1,
                         sizeof *raw->files, "file names", err));
        raw->files[raw->n_files] = dip_copy_text(path, strlen(path), "a path", err);
        if (raw->files[raw->n_files] == NULL) {
            return DIP_ERR_MEMORY;
        }
        raw->n_files++;
    }
    *number = raw->n_files - 1;
    return DIP_OK;
}

/* The numbering at a position of the list of all: ids of items, of queries, then the tables. */
static dip_intern *numbering(const dip_raw *raw, size_t i) {
    return i == 0 ? raw->items.ids : i == 1 ? raw->queries.ids : raw->values[i - 2];
}

dip_status dip_raw_spill(dip_raw *raw, const dip_means *means, dip_error *err) {
    for (;;) {
        size_t total = 0;
        size_t largest = 0;
        dip_intern *candidate = NULL;
        for (size_t i = 0; i < raw->n_tables + 2; i++) {
            dip_intern *intern = numbering(raw, i);
            const size_t bytes = intern != NULL ? dip_intern_bytes(intern) : 0;
            total += bytes;
            if (bytes > largest) {
                largest = bytes;
                candidate = intern;
            }
        }
        if (total <= means->memory || candidate == NULL) {
            return DIP_OK;
        }
        DIP_TRY(dip_intern_spill(candidate, err));
    }
}

/* Ends the numbering of every table: the columns of both sides that use it, in their order. */
static dip_status settle_values(dip_raw *raw, const dip_schema *schema, const dip_means *means,
                                dip_error *err) {
    const dip_entity *const entities[2] = {&schema->items, &schema->queries};
    const dip_raw_entity *const sides[2] = {&raw->items, &raw->queries};
    for (size_t t = 0; t < raw->n_tables; t++) {
        dip_intern_stream *streams[2 * DIP_FEATURES_MAX + 1];
        size_t n = 0;
        streams[n++] = &raw->seeds[t];
        for (size_t e = 0; e < 2; e++) {
            for (size_t f = 0; sides[e]->columns != NULL && f < entities[e]->n_features; f++) {
                if (entities[e]->features[f].table == (int)t) {
                    streams[n++] = &sides[e]->columns[f].stream;
                }
            }
        }
        if (raw->values[t] != NULL) {
            DIP_TRY(dip_intern_settle(raw->values[t], streams, n, means->threads, err));
            dip_intern_forget(raw->values[t]);
        }
    }
    return DIP_OK;
}

/* ---- queries without a file ------------------------------------------------------------------ */

/* The feature's values of a batch of ids, as cells with a count each. */
static dip_status cut_ids(dip_spool_cursor *cursor, const dip_feature *feature, dip_values *values,
                          dip_text *id, dip_texts *cells, uint32_t *counts, size_t *n,
                          dip_error *err) {
    for (*n = 0; *n < IDS_AT_ONCE; (*n)++) {
        uint32_t length = 0;
        size_t got = 0;
        DIP_TRY(dip_spool_read(cursor, &length, sizeof length, &got, err));
        if (got == 0) {
            break;
        }
        DIP_TRY(dip_grow((void **)&id->data, &id->capacity, (size_t)length + 1, 1, "an id", err));
        DIP_TRY(dip_spool_get(cursor, id->data, length, err));
        DIP_TRY(dip_values_cut(values, feature, id->data, length, err));
        counts[*n] = (uint32_t)values->n;
        if (values->n > 0) {
            DIP_TRY(dip_texts_copy(cells, dip_values_text(values, 0), dip_values_length(values, 0),
                                   err));
        }
    }
    return dip_texts_arrange(cells, err);
}

static dip_status put_ids(dip_column_data *column, const dip_feature *feature,
                          const dip_texts *cells, const uint32_t *counts, size_t n,
                          dip_error *err) {
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t code = DIP_CODE_UNKNOWN;
        if (counts[i] > 0) {
            code = feature->hash_buckets > 0
                       ? (int32_t)(cells->list[next].hash % (uint64_t)feature->hash_buckets)
                       : (int32_t)cells->codes[next];
            next++;
        }
        DIP_TRY(dip_spool_put(&column->codes, &code, sizeof code, err));
    }
    return DIP_OK;
}

static dip_status number_ids(dip_raw *raw, const dip_feature *feature, dip_values *values,
                             dip_text *id, dip_texts *cells, uint32_t *counts,
                             dip_spool_cursor *cursor, const dip_means *means, dip_error *err) {
    dip_column_data *column = &raw->queries.columns[0];
    size_t n = 0;
    do {
        dip_texts *const one[1] = {cells};
        dip_texts_clear(cells);
        DIP_TRY(cut_ids(cursor, feature, values, id, cells, counts, &n, err));
        if (feature->hash_buckets == 0) {
            DIP_TRY(dip_intern_round(raw->values[feature->table], &column->stream, one, 1,
                                     means->threads, err));
        }
        DIP_TRY(put_ids(column, feature, cells, counts, n, err));
        DIP_TRY(dip_raw_spill(raw, means, err));
    } while (n == IDS_AT_ONCE);
    return DIP_OK;
}

/* The id is the one feature of queries without a file. */
static dip_status features_from_ids(dip_raw *raw, const dip_schema *schema, const dip_means *means,
                                    dip_error *err) {
    dip_values values = {0};
    dip_text id = {0};
    dip_texts cells = {0};
    dip_spool_cursor cursor = {.spool = dip_raw_names(&raw->queries)};
    uint32_t *counts = dip_alloc(IDS_AT_ONCE, sizeof *counts, "values of ids", err);
    dip_status status = DIP_ERR_MEMORY;
    if (counts != NULL) {
        status = number_ids(raw, &schema->queries.features[0], &values, &id, &cells, counts,
                            &cursor, means, err);
    }
    dip_free(counts);
    dip_spool_cursor_free(&cursor);
    dip_texts_free(&cells);
    dip_text_free(&id);
    dip_values_free(&values);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static dip_status make_side(dip_raw *raw, dip_raw_entity *side, const dip_entity *entity,
                            dip_error *err) {
    side->lines.scratch = &raw->scratch;
    side->titles.scratch = &raw->scratch;
    side->names.scratch = &raw->scratch;
    dip_column_init(&side->id_rows, &raw->scratch);
    dip_intern_stream_init(&side->seed, &raw->scratch, true);
    DIP_TRY(dip_intern_create(&side->ids, &raw->scratch, err));
    side->columns = dip_alloc(entity->n_features, sizeof *side->columns, "feature columns", err);
    if (side->columns == NULL) {
        return DIP_ERR_MEMORY;
    }
    side->n_columns = entity->n_features;
    for (size_t f = 0; f < side->n_columns; f++) {
        dip_column_init(&side->columns[f], &raw->scratch);
    }
    return DIP_OK;
}

static dip_status make_raw(dip_raw *raw, const dip_schema *schema, const char *scratch_folder,
                           const dip_means *means, dip_error *err) {
    memset(raw, 0, sizeof *raw);
    dip_scratch_init(&raw->scratch, scratch_folder, means->kept);
    dip_column_init(&raw->query_rows, &raw->scratch);
    dip_column_init(&raw->item_rows, &raw->scratch);
    raw->times.scratch = &raw->scratch;
    raw->parts.scratch = &raw->scratch;
    raw->values = dip_alloc(schema->n_tables, sizeof(dip_intern *), "vocabularies", err);
    raw->seeds = dip_alloc(schema->n_tables, sizeof *raw->seeds, "vocabularies", err);
    if (raw->values == NULL || raw->seeds == NULL) {
        return DIP_ERR_MEMORY;
    }
    raw->n_tables = schema->n_tables;
    for (size_t t = 0; t < schema->n_tables; t++) {
        dip_intern_stream_init(&raw->seeds[t], &raw->scratch, true);
        if (schema->tables[t].is_vocabulary) {
            DIP_TRY(dip_intern_create(&raw->values[t], &raw->scratch, err));
        }
    }
    DIP_TRY(make_side(raw, &raw->items, &schema->items, err));
    return schema->queries_are_items ? DIP_OK
                                     : make_side(raw, &raw->queries, &schema->queries, err);
}

dip_status dip_ingest(dip_raw *raw, const dip_project *project, const dip_schema *schema,
                      const char *scratch_folder, const dip_means *means, dip_error *err) {
    const bool has_query_file = !schema->queries_are_items && schema->queries.source.files.n > 0;
    DIP_TRY(make_raw(raw, schema, scratch_folder, means, err));
    if (means->growth != NULL) {
        DIP_TRY(dip_growth_seed(means->growth, raw, schema, means, err));
    }
    DIP_TRY(dip_ingest_rows(raw, &raw->items, project, &schema->items, means, err));
    if (has_query_file) {
        DIP_TRY(dip_ingest_rows(raw, &raw->queries, project, &schema->queries, means, err));
    }
    return dip_ingest_pairs(raw, project, schema, means, err);
}

static dip_status put_name(dip_raw_entity *side, const dip_text *id, dip_error *err) {
    const uint32_t length = (uint32_t)id->length;
    DIP_TRY(dip_spool_put(&side->names, &length, sizeof length, err));
    side->n++;
    return dip_spool_put(&side->names, id->data, length, err);
}

/* Copies the ids of the used queries. */
static dip_status keep_names(dip_raw_entity *side, const uint8_t *used, dip_text *id,
                             dip_error *err) {
    dip_spool_cursor cursor = {.spool = dip_intern_texts(side->ids)};
    dip_status status = DIP_OK;
    const uint64_t n = side->n;
    side->n = 0;
    for (uint64_t row = 0; status == DIP_OK && row < n; row++) {
        status = dip_texts_get(&cursor, id, err);
        if (status == DIP_OK && used[row]) {
            status = put_name(side, id, err);
        }
    }
    dip_spool_cursor_free(&cursor);
    return status;
}

dip_status dip_ingest_finish(dip_raw *raw, const dip_schema *schema, const uint8_t *used,
                             const dip_means *means, dip_error *err) {
    if (used != NULL) {
        dip_text id = {0};
        const dip_status status = keep_names(&raw->queries, used, &id, err);
        dip_text_free(&id);
        DIP_TRY(status);
    }
    if (!schema->queries_are_items && schema->queries.source.files.n == 0) {
        DIP_TRY(features_from_ids(raw, schema, means, err));
    }
    return settle_values(raw, schema, means, err);
}

static void raw_entity_free(dip_raw_entity *side) {
    dip_intern_free(side->ids);
    dip_column_free(&side->id_rows);
    dip_intern_stream_free(&side->seed);
    dip_spool_free(&side->lines);
    dip_spool_free(&side->titles);
    dip_spool_free(&side->names);
    for (size_t f = 0; f < side->n_columns; f++) {
        dip_column_free(&side->columns[f]);
    }
    dip_free(side->columns);
}

void dip_raw_free(dip_raw *raw) {
    raw_entity_free(&raw->items);
    raw_entity_free(&raw->queries);
    for (size_t t = 0; t < raw->n_tables; t++) {
        dip_intern_free(raw->values[t]);
        dip_intern_stream_free(&raw->seeds[t]);
    }
    dip_free(raw->seeds);
    dip_free((void *)raw->values);
    dip_column_free(&raw->query_rows);
    dip_column_free(&raw->item_rows);
    dip_spool_free(&raw->times);
    dip_spool_free(&raw->parts);
    for (size_t i = 0; i < raw->n_files; i++) {
        dip_free(raw->files[i]);
    }
    dip_free((void *)raw->files);
    dip_free(raw->pairs_name);
    dip_scratch_free(&raw->scratch);
    memset(raw, 0, sizeof *raw);
}
