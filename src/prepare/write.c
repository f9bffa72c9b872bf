/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/write.h"

#include "base/npy.h"
#include "data/dataset.h"
#include "prepare/write_pairs.h"

#include <stdio.h>
#include <string.h>

dip_status dip_parts_tell(const dip_parts *parts, const char *name, dip_error *err) {
    char phase[200];
    snprintf(phase, sizeof phase, "writing %s", name);
    const dip_progress progress = {.phase = phase, .unit = "parts", .detail = ""};
    return dip_tell(parts->means->watch, &progress, err);
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* n texts as {length, bytes} in a spool; an empty spool stands for n empty texts. */
static dip_status put_offsets(dip_writer *writer, const dip_spool *texts, uint64_t n,
                              dip_error *err) {
    dip_spool_cursor cursor = {.spool = texts};
    const bool has_texts = dip_spool_bytes(texts) > 0;
    dip_status status = DIP_OK;
    int64_t offset = 0;
    for (uint64_t i = 0; status == DIP_OK && i <= n; i++) {
        uint32_t length = 0;
        status = dip_writer_put(writer, &offset, sizeof offset, err);
        if (status == DIP_OK && has_texts && i < n) {
            status = dip_spool_get(&cursor, &length, sizeof length, err);
        }
        offset += length;
        for (uint32_t left = length; status == DIP_OK && left > 0;) {
            char passed[256];
            const uint32_t part = left < sizeof passed ? left : (uint32_t)sizeof passed;
            status = dip_spool_get(&cursor, passed, part, err);
            left -= part;
        }
    }
    dip_spool_cursor_free(&cursor);
    return status;
}

static dip_status put_bytes(dip_writer *writer, const dip_spool *texts, uint64_t n,
                            dip_error *err) {
    dip_spool_cursor cursor = {.spool = texts};
    dip_status status = DIP_OK;
    for (uint64_t i = 0; status == DIP_OK && dip_spool_bytes(texts) > 0 && i < n; i++) {
        uint32_t length = 0;
        status = dip_spool_get(&cursor, &length, sizeof length, err);
        for (uint32_t left = length; status == DIP_OK && left > 0;) {
            char piece[4096];
            const uint32_t part = left < sizeof piece ? left : (uint32_t)sizeof piece;
            status = dip_spool_get(&cursor, piece, part, err);
            if (status == DIP_OK) {
                status = dip_writer_put(writer, piece, part, err);
            }
            left -= part;
        }
    }
    dip_spool_cursor_free(&cursor);
    return status;
}

static dip_status put_texts(dip_folder_writer *folder, const char *stem, const dip_spool *texts,
                            uint64_t n, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_writer *writer = NULL;
    const uint64_t bytes = dip_spool_bytes(texts);
    const int64_t total = bytes > 0 ? (int64_t)(bytes - n * sizeof(uint32_t)) : 0;
    snprintf(name, sizeof name, "%s.offsets.npy", stem);
    DIP_TRY(dip_npy_begin(folder, name, DIP_NPY_I64, (int64_t)n + 1, 0, &writer, err));
    DIP_TRY(put_offsets(writer, texts, n, err));
    DIP_TRY(dip_folder_end(folder, err));
    snprintf(name, sizeof name, "%s.bytes.npy", stem);
    DIP_TRY(dip_npy_begin(folder, name, DIP_NPY_U8, total, 0, &writer, err));
    DIP_TRY(put_bytes(writer, texts, n, err));
    return dip_folder_end(folder, err);
}

/* ---- features -------------------------------------------------------------------------------- */

/* Where a column comes from and goes to. */
typedef struct column_job {
    const dip_parts *parts;
    dip_folder_writer *folder;
    const char *prefix;
    const dip_columns *columns;
    size_t f;
} column_job;

typedef dip_status (*put_rows)(dip_final *final, dip_writer *writer, int64_t *total,
                               dip_error *err);

static dip_status put_row_offsets(dip_final *final, dip_writer *writer, int64_t *total,
                                  dip_error *err) {
    DIP_TRY(dip_writer_put(writer, total, sizeof *total, err));
    do {
        DIP_TRY(dip_final_next(final, err));
        for (size_t i = 0; i < final->rows.n; i++) {
            *total += final->rows.counts[i];
            DIP_TRY(dip_writer_put(writer, total, sizeof *total, err));
        }
    } while (final->rows.n > 0);
    return DIP_OK;
}

static dip_status put_row_codes(dip_final *final, dip_writer *writer, int64_t *total,
                                dip_error *err) {
    do {
        size_t n = 0;
        DIP_TRY(dip_final_next(final, err));
        for (size_t i = 0; i < final->rows.n; i++) {
            n += final->rows.counts[i];
        }
        DIP_TRY(dip_writer_put(writer, final->rows.codes, n * sizeof *final->rows.codes, err));
        *total += (int64_t)n;
    } while (final->rows.n > 0);
    return DIP_OK;
}

static dip_status put_singles(dip_final *final, dip_writer *writer, int64_t *total,
                              dip_error *err) {
    do {
        DIP_TRY(dip_final_next(final, err));
        const int32_t *code = final->rows.codes;
        for (size_t i = 0; i < final->rows.n; i++) {
            const int32_t value = final->rows.counts[i] > 0 ? *code++ : DIP_CODE_UNKNOWN;
            DIP_TRY(dip_writer_put(writer, &value, sizeof value, err));
        }
        *total += (int64_t) final->rows.n;
    } while (final->rows.n > 0);
    return DIP_OK;
}

static dip_status put_numbers(dip_final *final, dip_writer *writer, int64_t *total,
                              dip_error *err) {
    double numbers[DIP_FINAL_NUMBERS];
    float narrow[DIP_FINAL_NUMBERS];
    size_t got = 0;
    do {
        DIP_TRY(dip_final_numbers(final, numbers, &got, err));
        for (size_t i = 0; i < got; i++) {
            narrow[i] = (float)numbers[i];
        }
        DIP_TRY(dip_writer_put(writer, narrow, got * sizeof *narrow, err));
        *total += (int64_t)got;
    } while (got > 0);
    return DIP_OK;
}

static dip_status put_part(const column_job *job, const char *ending, dip_npy_type type,
                           int64_t rows, put_rows put, int64_t *total, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_writer *writer = NULL;
    dip_final final;
    dip_part_name(name, job->prefix, job->f, job->columns->entity->features[job->f].name, ending);
    DIP_TRY(dip_parts_tell(job->parts, name, err));
    DIP_TRY(dip_npy_begin(job->folder, name, type, rows, 0, &writer, err));
    *total = 0;
    dip_final_begin(&final, job->columns, job->f);
    const dip_status status = put(&final, writer, total, err);
    dip_final_end(&final);
    return status == DIP_OK ? dip_folder_end(job->folder, err) : status;
}

static dip_status put_column(const column_job *job, dip_error *err) {
    const dip_feature *feature = &job->columns->entity->features[job->f];
    const int64_t n = job->columns->n;
    int64_t total = 0;
    if (dip_feature_is_bag(feature)) {
        DIP_TRY(put_part(job, ".offsets.npy", DIP_NPY_I64, n + 1, put_row_offsets, &total, err));
        return put_part(job, ".values.npy", DIP_NPY_I32, total, put_row_codes, &total, err);
    }
    return feature->table < 0 ? put_part(job, ".npy", DIP_NPY_F32, n, put_numbers, &total, err)
                              : put_part(job, ".npy", DIP_NPY_I32, n, put_singles, &total, err);
}

static const char *prefix_of(dip_side side) {
    return side == DIP_SIDE_QUERY ? "query" : "item";
}

dip_status dip_parts_write_columns(const dip_parts *parts, dip_side side, dip_folder_writer *folder,
                                   dip_error *err) {
    column_job job = {parts, folder, prefix_of(side), &parts->columns[side], 0};
    for (; job.f < job.columns->entity->n_features; job.f++) {
        DIP_TRY(put_column(&job, err));
    }
    return DIP_OK;
}

static dip_status put_side(const dip_parts *parts, dip_side side, dip_folder_writer *folder,
                           dip_error *err) {
    const dip_raw_entity *raw = dip_raw_side(parts->raw, parts->schema, side);
    const char *prefix = prefix_of(side);
    char stem[DIP_PART_NAME_MAX];
    snprintf(stem, sizeof stem, "%s-ids", prefix);
    DIP_TRY(dip_parts_tell(parts, stem, err));
    DIP_TRY(put_texts(folder, stem, dip_raw_names(raw), raw->n, err));
    snprintf(stem, sizeof stem, "%s-titles", prefix);
    DIP_TRY(put_texts(folder, stem, &raw->titles, raw->n, err));
    return dip_parts_write_columns(parts, side, folder, err);
}

static dip_status put_vocabularies(const dip_parts *parts, dip_folder_writer *folder,
                                   dip_error *err) {
    for (size_t t = 0; t < parts->schema->n_tables; t++) {
        char name[DIP_PART_NAME_MAX];
        if (parts->schema->tables[t].is_vocabulary) {
            dip_part_name(name, "vocab", t, parts->schema->tables[t].name, ".tsv");
            DIP_TRY(dip_parts_tell(parts, name, err));
            DIP_TRY(dip_keep_write(&parts->fit->kept[t], folder, name, err));
        }
    }
    return DIP_OK;
}

dip_status dip_parts_write_statistics(const dip_parts *parts, dip_folder_writer *folder,
                                      dip_error *err) {
    const int64_t n = parts->columns[DIP_SIDE_ITEM].n;
    const int64_t k = (int64_t)parts->schema->items.n_features;
    DIP_TRY(dip_npy_put(folder, "item-count.npy", DIP_NPY_I64, parts->fit->item_count, n, 0, err));
    DIP_TRY(dip_npy_put(folder, "item-trains.npy", DIP_NPY_U8, parts->fit->item_trains, n, 0, err));
    return dip_npy_put(folder, "mutual-information.npy", DIP_NPY_F64, parts->information, k, k,
                       err);
}

dip_status dip_parts_write(const dip_parts *parts, dip_folder_writer *folder, dip_error *err) {
    const dip_schema *schema = parts->schema;
    DIP_TRY(put_vocabularies(parts, folder, err));
    DIP_TRY(put_side(parts, DIP_SIDE_ITEM, folder, err));
    if (!schema->queries_are_items) {
        DIP_TRY(put_side(parts, DIP_SIDE_QUERY, folder, err));
    }
    DIP_TRY(dip_write_pairs(parts, folder, err));
    return dip_parts_write_statistics(parts, folder, err);
}
