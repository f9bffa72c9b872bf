/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of items and queries.
 */
#include "base/first_error.h"
#include "base/mem.h"
#include "base/order.h"
#include "data/values.h"
#include "prepare/ingest_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the entity's columns stand among the selected ones. */
enum { AT_ID, AT_TITLE };

/* Between the elements of a list that is a text in JSON lines: it ends words and stands in none. */
#define TEXT_JOINT "\x1F"

/* One feature of one block. */
typedef struct feature_work {
    dip_texts cells;
    uint32_t *counts; /* values a row */
    size_t count_capacity;
    int32_t *codes; /* of hash buckets; else those of the cells, once they are known */
    size_t n_codes;
    size_t code_capacity;
    double *numbers;
    size_t number_capacity;
} feature_work;

typedef struct row_work {
    dip_block block;
    dip_values values;
    size_t n_rows;
    uint64_t file;
    uint64_t *lines;
    size_t line_capacity;
    dip_texts ids;
    dip_text titles; /* as the spool has them */
    feature_work *features;
    dip_status status;
    dip_error error;
} row_work;

typedef struct rows_job {
    dip_raw *raw;
    dip_raw_entity *side;
    const dip_entity *entity;
    const dip_means *means;
    dip_reader *reader;
    dip_id_source ids;
    size_t first_feature; /* among the selected columns */
    row_work *work;       /* [n_work] */
    size_t n_work;
} rows_job;

static dip_status select_columns(rows_job *job, dip_error *err) {
    size_t columns[DIP_FEATURES_MAX + 2];
    const char *separators[DIP_FEATURES_MAX + 2] = {NULL};
    const dip_entity *entity = job->entity;
    size_t n = 0;
    DIP_TRY(dip_reader_column(job->reader, entity->id, &job->ids.column, err));
    columns[n++] = job->ids.column;
    if (entity->title[0] != '\0') {
        DIP_TRY(dip_reader_column(job->reader, entity->title, &columns[n++], err));
    }
    job->first_feature = n;
    for (size_t f = 0; f < entity->n_features; f++) {
        const dip_feature *feature = &entity->features[f];
        separators[n] = feature->type == DIP_FEATURE_BAG    ? feature->separator
                        : feature->type == DIP_FEATURE_TEXT ? TEXT_JOINT
                                                            : NULL;
        DIP_TRY(dip_reader_column(job->reader, feature->column, &columns[n++], err));
    }
    return dip_reader_select(job->reader, columns, separators, n, err);
}

/* ---- cutting a block ------------------------------------------------------------------------- */

static dip_status add_id(row_work *w, const dip_field *id, dip_error *err) {
    if (id->length == 0) {
        return dip_block_fail(&w->block, AT_ID, err, "the id is empty");
    }
    DIP_TRY(dip_grow((void **)&w->lines, &w->line_capacity, w->n_rows + 1, sizeof *w->lines,
                     "line numbers", err));
    w->lines[w->n_rows] = (w->file << DIP_LINE_BITS) | dip_block_line(&w->block);
    return dip_texts_add(&w->ids, id->text, id->length, err);
}

static dip_status add_title(row_work *w, const dip_field *title, dip_error *err) {
    const uint32_t length = (uint32_t)title->length;
    DIP_TRY(dip_text_put(&w->titles, (const char *)&length, sizeof length, err));
    return dip_text_put(&w->titles, title->text, title->length, err);
}

static dip_status add_number(row_work *w, feature_work *f, size_t at, const char *cell,
                             dip_error *err) {
    double number = 0;
    if (!dip_values_number(cell, &number)) {
        return dip_block_fail(&w->block, at, err, "\"%.60s\" is not a number", cell);
    }
    DIP_TRY(dip_grow((void **)&f->numbers, &f->number_capacity, w->n_rows + 1, sizeof *f->numbers,
                     "a numeric column", err));
    f->numbers[w->n_rows] = number;
    return DIP_OK;
}

/* Codes of a row are distinct, though two texts can share a hash bucket. */
static uint32_t drop_repeats(int32_t *codes, size_t n) {
    if (n == 0) {
        return 0;
    }
    qsort(codes, n, sizeof *codes, dip_order_i32);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++) {
        if (codes[i] != codes[kept - 1]) {
            codes[kept++] = codes[i];
        }
    }
    return (uint32_t)kept;
}

/* Replaces the row's cells by buckets. */
static dip_status hash_cells(feature_work *f, const dip_feature *feature, size_t from,
                             uint32_t *count, dip_error *err) {
    const size_t n = f->cells.n - from;
    DIP_TRY(dip_grow((void **)&f->codes, &f->code_capacity, f->n_codes + n, sizeof *f->codes,
                     "a feature column", err));
    for (size_t i = 0; i < n; i++) {
        const uint64_t hash = f->cells.list[from + i].hash;
        f->codes[f->n_codes + i] = (int32_t)(hash % (uint64_t)feature->hash_buckets);
    }
    *count = drop_repeats(f->codes + f->n_codes, n);
    f->n_codes += *count;
    return DIP_OK;
}

/* The values of a bag or a text are made anew; an id or category stands in the block. */
static dip_status cut_cell(row_work *w, feature_work *f, const dip_feature *feature,
                           const dip_field *cell, dip_error *err) {
    if (!dip_feature_is_bag(feature)) {
        size_t length = cell->length;
        const char *text = dip_values_trim(cell->text, &length);
        return length > 0 ? dip_texts_add(&f->cells, text, length, err) : DIP_OK;
    }
    DIP_TRY(dip_values_cut(&w->values, feature, cell->text, cell->length, err));
    for (size_t i = 0; i < w->values.n; i++) {
        DIP_TRY(dip_texts_copy(&f->cells, dip_values_text(&w->values, i),
                               dip_values_length(&w->values, i), err));
    }
    return DIP_OK;
}

static dip_status add_values(row_work *w, feature_work *f, const dip_feature *feature, size_t at,
                             const dip_field *cell, dip_error *err) {
    const size_t from = f->cells.n;
    const dip_status status = cut_cell(w, f, feature, cell, err);
    if (status == DIP_ERR_FORMAT) {
        return dip_block_fail(&w->block, at, err, "the text cannot be normalised");
    }
    DIP_TRY(status);
    DIP_TRY(dip_grow((void **)&f->counts, &f->count_capacity, w->n_rows + 1, sizeof *f->counts,
                     "a feature column", err));
    uint32_t count = (uint32_t)(f->cells.n - from);
    if (feature->hash_buckets > 0) {
        DIP_TRY(hash_cells(f, feature, from, &count, err));
    }
    f->counts[w->n_rows] = count;
    return DIP_OK;
}

static dip_status cut_record(const rows_job *job, row_work *w, const dip_field *fields,
                             dip_error *err) {
    DIP_TRY(add_id(w, &fields[AT_ID], err));
    if (job->entity->title[0] != '\0') {
        DIP_TRY(add_title(w, &fields[AT_TITLE], err));
    }
    for (size_t f = 0; f < job->entity->n_features; f++) {
        const dip_feature *feature = &job->entity->features[f];
        const size_t at = job->first_feature + f;
        DIP_TRY(feature->type == DIP_FEATURE_NUMERIC
                    ? add_number(w, &w->features[f], at, fields[at].text, err)
                    : add_values(w, &w->features[f], feature, at, &fields[at], err));
    }
    w->n_rows++;
    return DIP_OK;
}

static dip_status cut_block(const rows_job *job, row_work *w, dip_error *err) {
    const dip_field *fields = NULL;
    dip_status status = DIP_OK;
    w->n_rows = 0;
    dip_texts_clear(&w->ids);
    dip_text_clear(&w->titles);
    for (size_t f = 0; f < job->entity->n_features; f++) {
        dip_texts_clear(&w->features[f].cells);
        w->features[f].n_codes = 0;
    }
    while ((status = dip_block_next(&w->block, &fields, err)) == DIP_OK) {
        DIP_TRY(cut_record(job, w, fields, err));
    }
    if (status != DIP_END) {
        return status;
    }
    DIP_TRY(dip_texts_arrange(&w->ids, err));
    for (size_t f = 0; f < job->entity->n_features; f++) {
        DIP_TRY(dip_texts_arrange(&w->features[f].cells, err));
    }
    return DIP_OK;
}

/* ---- a round --------------------------------------------------------------------------------- */

static dip_status take_blocks(rows_job *job, size_t *n, dip_error *err) {
    dip_status status = DIP_OK;
    for (*n = 0; *n < job->n_work; (*n)++) {
        row_work *w = &job->work[*n];
        status = dip_reader_take(job->reader, &w->block, err);
        if (status != DIP_OK) {
            break;
        }
        DIP_TRY(dip_ingest_file(job->raw, dip_block_path(&w->block), &w->file, err));
    }
    return status;
}

/* The error of the first block that has one. */
static dip_status cut_blocks(const rows_job *job, size_t n, dip_error *err) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(job->means->threads)
    for (size_t i = 0; i < n; i++) {
        job->work[i].status = cut_block(job, &job->work[i], &job->work[i].error);
    }
    for (size_t i = 0; i < n; i++) {
        if (job->work[i].status != DIP_OK) {
            return dip_fail(err, job->work[i].status, "%s", job->work[i].error.message);
        }
    }
    return DIP_OK;
}

static dip_status number_round(const rows_job *job, size_t n, dip_error *err) {
    dip_texts **cells = dip_alloc(n, sizeof(dip_texts *), "cells of a round", err);
    if (cells == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        cells[i] = &job->work[i].ids;
    }
    dip_status status = dip_intern_round(job->side->ids, &job->side->id_rows.stream, cells, n,
                                         job->means->threads, err);
    for (size_t f = 0; status == DIP_OK && f < job->entity->n_features; f++) {
        const int table = job->entity->features[f].table;
        if (table < 0 || job->raw->values[table] == NULL) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            cells[i] = &job->work[i].features[f].cells;
        }
        status = dip_intern_round(job->raw->values[table], &job->side->columns[f].stream, cells, n,
                                  job->means->threads, err);
    }
    dip_free((void *)cells);
    return status;
}

/* ---- appending ------------------------------------------------------------------------------- */

/* The numbered cells as 32-bit codes. */
static dip_status narrow_codes(feature_work *f, dip_error *err) {
    DIP_TRY(dip_grow((void **)&f->codes, &f->code_capacity, f->cells.n, sizeof *f->codes,
                     "a feature column", err));
    for (size_t i = 0; i < f->cells.n; i++) {
        f->codes[i] = (int32_t)f->cells.codes[i];
    }
    f->n_codes = f->cells.n;
    return DIP_OK;
}

/* One code a row; DIP_CODE_UNKNOWN where the row has none. */
static dip_status put_single(dip_column_data *column, const feature_work *f, size_t n_rows,
                             dip_error *err) {
    size_t next = 0;
    for (size_t row = 0; row < n_rows; row++) {
        const int32_t code = f->counts[row] > 0 ? f->codes[next++] : DIP_CODE_UNKNOWN;
        DIP_TRY(dip_spool_put(&column->codes, &code, sizeof code, err));
    }
    return DIP_OK;
}

static dip_status put_feature(const rows_job *job, row_work *w, size_t f, dip_error *err) {
    const dip_feature *feature = &job->entity->features[f];
    dip_column_data *column = &job->side->columns[f];
    feature_work *own = &w->features[f];
    if (feature->type == DIP_FEATURE_NUMERIC) {
        return dip_spool_put(&column->numbers, own->numbers, w->n_rows * sizeof *own->numbers, err);
    }
    if (feature->hash_buckets == 0) {
        DIP_TRY(narrow_codes(own, err));
    }
    if (!dip_feature_is_bag(feature)) {
        return put_single(column, own, w->n_rows, err);
    }
    DIP_TRY(dip_spool_put(&column->codes, own->codes, own->n_codes * sizeof *own->codes, err));
    return dip_spool_put(&column->counts, own->counts, w->n_rows * sizeof *own->counts, err);
}

static dip_status put_rows(const rows_job *job, row_work *w, dip_error *err) {
    dip_raw_entity *side = job->side;
    DIP_TRY(dip_spool_put(&side->lines, w->lines, w->n_rows * sizeof *w->lines, err));
    DIP_TRY(dip_spool_put(&side->titles, w->titles.data, w->titles.length, err));
    for (size_t i = 0; i < w->n_rows; i++) {
        const int32_t code = (int32_t)w->ids.codes[i];
        DIP_TRY(dip_spool_put(&side->id_rows.codes, &code, sizeof code, err));
    }
    return DIP_OK;
}

/* Appends what the blocks of a round hold, each column by one thread. */
static dip_status append_round(const rows_job *job, size_t n, dip_error *err) {
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(job->means->threads)
    for (size_t f = 0; f <= job->entity->n_features; f++) {
        dip_error error = {DIP_OK};
        dip_status status = DIP_OK;
        for (size_t i = 0; status == DIP_OK && i < n; i++) {
            status = f == job->entity->n_features ? put_rows(job, &job->work[i], &error)
                                                  : put_feature(job, &job->work[i], f, &error);
        }
        dip_first_error_keep(&first, status, &error);
    }
    return dip_first_error_result(&first, err);
}

/* While all codes are known, the code of a new id is its row, unless the dataset grows. */
static dip_status check_round(const rows_job *job, size_t n, dip_error *err) {
    if (job->means->growth != NULL) {
        return DIP_OK;
    }
    uint64_t row = job->side->n;
    for (size_t b = 0; b < n; b++) {
        const dip_texts *ids = &job->work[b].ids;
        for (size_t i = 0; i < ids->n; i++, row++) {
            const int64_t code = ids->codes[i];
            if (!dip_code_is_hole(code) && (uint64_t)code != row) {
                return dip_ingest_repeated(&job->ids, (uint64_t)code, row, ids->list[i].text,
                                           ids->list[i].length, err);
            }
        }
    }
    return DIP_OK;
}

/* ---- all rounds ------------------------------------------------------------------------------ */

static dip_status run_round(rows_job *job, size_t n, dip_error *err) {
    DIP_TRY(cut_blocks(job, n, err));
    DIP_TRY(number_round(job, n, err));
    DIP_TRY(append_round(job, n, err));
    DIP_TRY(check_round(job, n, err));
    for (size_t i = 0; i < n; i++) {
        job->side->n += job->work[i].n_rows;
    }
    DIP_TRY(dip_raw_spill(job->raw, job->means, err));
    return dip_ingest_tell(job->reader, job->side->n, job->means, err);
}

static dip_status read_rows(rows_job *job, dip_error *err) {
    dip_status status = DIP_OK;
    DIP_TRY(select_columns(job, err));
    while (status == DIP_OK) {
        size_t n = 0;
        dip_error error = {DIP_OK};
        status = take_blocks(job, &n, &error);
        /* What was taken before an error comes first: it may hold an earlier one. */
        DIP_TRY(run_round(job, n, err));
        if (status != DIP_OK && status != DIP_END) {
            return dip_fail(err, status, "%s", error.message);
        }
    }
    if (job->side->n == 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s has a header but no rows",
                        dip_reader_name(job->reader));
    }
    dip_intern_stream *const streams[2] = {&job->side->seed, &job->side->id_rows.stream};
    DIP_TRY(dip_intern_settle(job->side->ids, streams, 2, job->means->threads, err));
    const bool is_distinct = dip_intern_count(job->side->ids) == job->side->n;
    return is_distinct ? DIP_OK : dip_ingest_find_repeated(&job->ids, err);
}

static void work_free(row_work *w, size_t n_features) {
    dip_block_free(&w->block);
    dip_values_free(&w->values);
    dip_free(w->lines);
    dip_texts_free(&w->ids);
    dip_text_free(&w->titles);
    for (size_t f = 0; w->features != NULL && f < n_features; f++) {
        dip_texts_free(&w->features[f].cells);
        dip_free(w->features[f].counts);
        dip_free(w->features[f].codes);
        dip_free(w->features[f].numbers);
    }
    dip_free(w->features);
}

static dip_status make_work(rows_job *job, dip_error *err) {
    const size_t n = dip_ingest_round(job->means);
    job->work = dip_alloc(n, sizeof *job->work, "blocks of a round", err);
    if (job->work == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (job->n_work = 0; job->n_work < n; job->n_work++) {
        row_work *w = &job->work[job->n_work];
        w->features = dip_alloc(job->entity->n_features, sizeof *w->features, "a block", err);
        if (w->features == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    return DIP_OK;
}

dip_status dip_ingest_rows(dip_raw *raw, dip_raw_entity *side, const dip_project *project,
                           const dip_entity *entity, const dip_means *means, dip_error *err) {
    rows_job job = {.raw = raw,
                    .side = side,
                    .entity = entity,
                    .means = means,
                    .ids = {.raw = raw, .side = side, .name = entity->id}};
    dip_status status = make_work(&job, err);
    if (status == DIP_OK) {
        status = dip_project_open(&job.reader, project, &entity->source, err);
    }
    if (status == DIP_OK) {
        status = read_rows(&job, err);
    }
    for (size_t i = 0; i < job.n_work; i++) {
        work_free(&job.work[i], entity->n_features);
    }
    dip_free(job.work);
    dip_reader_close(job.reader);
    return status;
}
