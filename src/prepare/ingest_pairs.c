/* SPDX-License-Identifier: Apache-2.0
 *
 * The interactions: every record becomes the rows of its query and of its item. What is unknown,
 * and pairs of an item with itself, are still among them; pairs.h takes them out.
 */
#include "base/first_error.h"
#include "base/mem.h"
#include "data/values.h"
#include "prepare/ingest_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct pair_work {
    dip_block block;
    uint64_t file;
    size_t n;
    size_t capacity[4];
    uint64_t *lines;
    double *times;
    uint8_t *parts;
    int32_t *narrow; /* codes on their way to the column */
    dip_texts query;
    dip_texts item;
    dip_status status;
    dip_error error;
} pair_work;

/* An id that is not known: where, which side's, and its beginning. */
typedef struct stranger {
    uint64_t position;
    uint64_t mark;
    dip_side side;
    char text[sizeof((dip_missed *)0)->text];
} stranger;

/* The first ones of both sides, one a record; the item's goes before the query's. */
typedef struct strangers {
    size_t n;
    stranger list[2 * DIP_MISSED_MAX];
} strangers;

typedef struct pairs_job {
    dip_raw *raw;
    const dip_project *project;
    const dip_schema *schema;
    const dip_means *means;
    dip_reader *reader;
    bool has_time;
    bool keeps_time; /* it decides the split; otherwise it is only checked */
    bool has_split;
    size_t columns[4]; /* as the reader counts: query, item, time, split */
    size_t at_split;   /* among the selected */
    pair_work *work;
    size_t n_work;
    strangers strangers;
} pairs_job;

enum { AT_QUERY, AT_ITEM, AT_TIME, AT_SPLIT };

static bool queries_have_file(const pairs_job *job) {
    return job->schema->queries_are_items || job->schema->queries.source.files.n > 0;
}

static dip_intern *query_ids(const pairs_job *job) {
    return job->schema->queries_are_items ? job->raw->items.ids : job->raw->queries.ids;
}

static dip_status select_columns(pairs_job *job, dip_error *err) {
    const dip_schema *schema = job->schema;
    size_t selected[4];
    size_t n = 2;
    DIP_TRY(dip_reader_column(job->reader, schema->query_column, &job->columns[AT_QUERY], err));
    DIP_TRY(dip_reader_column(job->reader, schema->item_column, &job->columns[AT_ITEM], err));
    selected[AT_QUERY] = job->columns[AT_QUERY];
    selected[AT_ITEM] = job->columns[AT_ITEM];
    if (job->has_time) {
        DIP_TRY(dip_reader_column(job->reader, schema->time_column, &job->columns[AT_TIME], err));
        selected[n++] = job->columns[AT_TIME];
    }
    if (job->has_split) {
        DIP_TRY(dip_reader_column(job->reader, job->project->config.split.column,
                                  &job->columns[AT_SPLIT], err));
        job->at_split = n;
        selected[n++] = job->columns[AT_SPLIT];
    }
    return dip_reader_select(job->reader, selected, NULL, n, err);
}

/* ---- cutting a block ------------------------------------------------------------------------- */

static dip_status read_part(const pair_work *w, size_t at, const char *text, uint8_t *part,
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
    return dip_block_fail(&w->block, at, err, "\"%.60s\" is none of train, validation and test",
                          text);
}

static dip_status make_room(pair_work *w, dip_error *err) {
    const size_t n = w->n + 1;
    DIP_TRY(dip_grow((void **)&w->lines, &w->capacity[0], n, sizeof *w->lines, "pairs", err));
    DIP_TRY(dip_grow((void **)&w->times, &w->capacity[1], n, sizeof *w->times, "pairs", err));
    DIP_TRY(dip_grow((void **)&w->parts, &w->capacity[2], n, sizeof *w->parts, "pairs", err));
    return dip_grow((void **)&w->narrow, &w->capacity[3], n, sizeof *w->narrow, "pairs", err);
}

static dip_status cut_record(const pairs_job *job, pair_work *w, const dip_field *fields,
                             dip_error *err) {
    const dip_field *query = &fields[AT_QUERY];
    if (w->n >= w->capacity[0]) {
        DIP_TRY(make_room(w, err));
    }
    if (query->length == 0 && !queries_have_file(job)) {
        return dip_block_fail(&w->block, AT_QUERY, err, "the query id is empty");
    }
    if (job->has_time &&
        (!dip_values_number(fields[AT_TIME].text, &w->times[w->n]) || isnan(w->times[w->n]))) {
        return dip_block_fail(&w->block, AT_TIME, err, "\"%.60s\" is not a number",
                              fields[AT_TIME].text);
    }
    if (job->has_split) {
        DIP_TRY(read_part(w, job->at_split, fields[job->at_split].text, &w->parts[w->n], err));
    }
    w->lines[w->n++] = (w->file << DIP_LINE_BITS) | dip_block_line(&w->block);
    DIP_TRY(dip_texts_add(&w->query, query->text, query->length, err));
    return dip_texts_add(&w->item, fields[AT_ITEM].text, fields[AT_ITEM].length, err);
}

static dip_status cut_block(const pairs_job *job, pair_work *w, dip_error *err) {
    const dip_field *fields = NULL;
    dip_status status = DIP_OK;
    w->n = 0;
    dip_texts_clear(&w->query);
    dip_texts_clear(&w->item);
    while ((status = dip_block_next(&w->block, &fields, err)) == DIP_OK) {
        DIP_TRY(cut_record(job, w, fields, err));
    }
    if (status != DIP_END) {
        return status;
    }
    w->query.marks = w->lines;
    w->item.marks = w->lines;
    DIP_TRY(dip_texts_arrange(&w->query, err));
    return dip_texts_arrange(&w->item, err);
}

static dip_status take_blocks(pairs_job *job, size_t *n, dip_error *err) {
    dip_status status = DIP_OK;
    for (*n = 0; *n < job->n_work; (*n)++) {
        pair_work *w = &job->work[*n];
        status = dip_reader_take(job->reader, &w->block, err);
        if (status != DIP_OK) {
            break;
        }
        DIP_TRY(dip_ingest_file(job->raw, dip_block_path(&w->block), &w->file, err));
    }
    return status;
}

/* The error of the first block that has one. */
static dip_status cut_blocks(const pairs_job *job, size_t n, dip_error *err) {
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

/* ---- unknown ids ----------------------------------------------------------------------------- */

static const char *side_name(dip_side side) {
    return side == DIP_SIDE_QUERY ? "query" : "item";
}

static bool goes_before(const stranger *a, const stranger *b) {
    return a->position != b->position ? a->position < b->position : a->side < b->side;
}

/* Puts one in its place, drops the query's of a record whose item is unknown too. */
static void note_stranger(strangers *s, const stranger *new) {
    size_t at = s->n;
    while (at > 0 && goes_before(new, &s->list[at - 1])) {
        at--;
    }
    const bool is_second = at > 0 && s->list[at - 1].position == new->position;
    const bool makes_second = at < s->n && s->list[at].position == new->position;
    if (is_second || (at == 2 * DIP_MISSED_MAX)) {
        return;
    }
    if (makes_second) {
        s->list[at] = *new;
        return;
    }
    const size_t kept = s->n < 2 * DIP_MISSED_MAX ? s->n : 2 * DIP_MISSED_MAX - 1;
    memmove(&s->list[at + 1], &s->list[at], (kept - at) * sizeof *new);
    s->list[at] = *new;
    s->n = kept + 1;
}

/* How many bytes of a text to show: at most so many, and whole characters. */
static int shown_bytes(const char *text, size_t most) {
    const size_t length = strlen(text);
    return (int)dip_utf8_check(text, length < most ? length : most);
}

static void describe(const pairs_job *job, const stranger *s, char *shown, size_t size) {
    const char *file = job->raw->files[s->mark >> DIP_LINE_BITS];
    const char *name = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    snprintf(shown, size, "%.*s:%llu: %s \"%.*s\"", shown_bytes(name, 40), name,
             (unsigned long long)(s->mark & DIP_LINE_MASK), side_name(s->side),
             shown_bytes(s->text, 60), s->text);
}

static dip_status stop_at(const pairs_job *job, const stranger *s, dip_error *err) {
    const dip_schema *schema = job->schema;
    const bool is_query = s->side == DIP_SIDE_QUERY;
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: column %zu (%s): unknown %s id \"%.*s\"",
                    job->raw->files[s->mark >> DIP_LINE_BITS],
                    (unsigned long long)(s->mark & DIP_LINE_MASK),
                    job->columns[is_query ? AT_QUERY : AT_ITEM] + 1,
                    is_query ? schema->query_column : schema->item_column, side_name(s->side),
                    shown_bytes(s->text, 100), s->text);
}

static void note(pairs_job *job, uint64_t position, uint64_t mark, dip_side side, const char *text,
                 size_t length) {
    stranger s = {.position = position, .mark = mark, .side = side};
    snprintf(s.text, sizeof s.text, "%.*s", (int)(length < sizeof s.text ? length : sizeof s.text),
             text);
    note_stranger(&job->strangers, &s);
}

static void note_block(pairs_job *job, const pair_work *w, uint64_t base) {
    for (size_t i = 0; i < w->n && job->strangers.n < DIP_SHOWN_UNKNOWN; i++) {
        const bool no_item = w->item.codes[i] == DIP_CODE_UNKNOWN;
        if (!no_item && w->query.codes[i] != DIP_CODE_UNKNOWN) {
            continue;
        }
        const dip_text_ref *cell = no_item ? &w->item.list[i] : &w->query.list[i];
        note(job, base + i, w->lines[i], no_item ? DIP_SIDE_ITEM : DIP_SIDE_QUERY, cell->text,
             cell->length);
    }
}

/* Those that a spilled numbering found at the end. */
static void note_missed(pairs_job *job, const dip_intern_stream *stream, dip_side side) {
    for (size_t i = 0; i < stream->n_missed && i < DIP_MISSED_MAX; i++) {
        const dip_missed *missed = &stream->missed[i];
        note(job, missed->position, missed->mark, side, missed->text, strlen(missed->text));
    }
}

static bool must_stop(const pairs_job *job) {
    return job->project->config.prepare.unknown_ids == DIP_UNKNOWN_STOP && job->strangers.n > 0;
}

/* A spilled numbering may yet know of an earlier one. */
static bool may_find_earlier(const pairs_job *job) {
    return dip_intern_is_spilled(job->raw->items.ids) || dip_intern_is_spilled(query_ids(job));
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static dip_status number_round(const pairs_job *job, size_t n, dip_error *err) {
    dip_texts **cells = dip_alloc(n, sizeof(dip_texts *), "cells of a round", err);
    if (cells == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        cells[i] = &job->work[i].item;
    }
    dip_status status = dip_intern_round(job->raw->items.ids, &job->raw->item_rows.stream, cells, n,
                                         job->means->threads, err);
    for (size_t i = 0; i < n; i++) {
        cells[i] = &job->work[i].query;
    }
    if (status == DIP_OK) {
        status = dip_intern_round(query_ids(job), &job->raw->query_rows.stream, cells, n,
                                  job->means->threads, err);
    }
    dip_free((void *)cells);
    return status;
}

static dip_status put_codes(dip_column_data *column, pair_work *w, const dip_texts *cells,
                            dip_error *err) {
    for (size_t i = 0; i < w->n; i++) {
        w->narrow[i] = (int32_t)cells->codes[i];
    }
    return dip_spool_put(&column->codes, w->narrow, w->n * sizeof *w->narrow, err);
}

static dip_status append_block(const pairs_job *job, pair_work *w, dip_error *err) {
    dip_raw *raw = job->raw;
    DIP_TRY(put_codes(&raw->query_rows, w, &w->query, err));
    DIP_TRY(put_codes(&raw->item_rows, w, &w->item, err));
    if (job->keeps_time) {
        DIP_TRY(dip_spool_put(&raw->times, w->times, w->n * sizeof *w->times, err));
    }
    if (job->has_split) {
        DIP_TRY(dip_spool_put(&raw->parts, w->parts, w->n, err));
    }
    raw->n_records += w->n;
    return DIP_OK;
}

static dip_status run_round(pairs_job *job, size_t n, dip_error *err) {
    DIP_TRY(cut_blocks(job, n, err));
    DIP_TRY(number_round(job, n, err));
    for (size_t i = 0; i < n; i++) {
        note_block(job, &job->work[i], job->raw->n_records);
        DIP_TRY(append_block(job, &job->work[i], err));
    }
    if (must_stop(job) && !may_find_earlier(job)) {
        return stop_at(job, &job->strangers.list[0], err);
    }
    DIP_TRY(dip_raw_spill(job->raw, job->means, err));
    return dip_ingest_tell(job->reader, job->raw->n_records, job->means, err);
}

/* Ends the look-ups, and the numbering of queries that are only known from here. */
static dip_status settle(pairs_job *job, dip_error *err) {
    dip_raw *raw = job->raw;
    const int threads = job->means->threads;
    dip_intern_stream *streams[2] = {&raw->item_rows.stream, &raw->query_rows.stream};
    const bool is_same = job->schema->queries_are_items;
    DIP_TRY(dip_intern_settle_finds(raw->items.ids, streams, is_same ? 2 : 1, threads, err));
    if (!queries_have_file(job)) {
        dip_intern_stream *const adds[2] = {&raw->queries.seed, &raw->query_rows.stream};
        DIP_TRY(dip_intern_settle(raw->queries.ids, adds, 2, threads, err));
        raw->queries.n = dip_intern_count(raw->queries.ids);
    } else if (!is_same) {
        DIP_TRY(dip_intern_settle_finds(raw->queries.ids, &streams[1], 1, threads, err));
    }
    dip_intern_forget(raw->items.ids);
    if (raw->queries.ids != NULL) {
        dip_intern_forget(raw->queries.ids);
    }
    note_missed(job, streams[0], DIP_SIDE_ITEM);
    note_missed(job, streams[1], DIP_SIDE_QUERY);
    return DIP_OK;
}

static dip_status read_pairs(pairs_job *job, dip_error *err) {
    dip_status status = DIP_OK;
    const char *name = dip_reader_name(job->reader);
    job->raw->pairs_name = dip_copy_text(name, strlen(name), "a file's name", err);
    if (job->raw->pairs_name == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(select_columns(job, err));
    while (status == DIP_OK) {
        size_t n = 0;
        dip_error error = {DIP_OK};
        status = take_blocks(job, &n, &error);
        DIP_TRY(run_round(job, n, err));
        if (status != DIP_OK && status != DIP_END) {
            return dip_fail(err, status, "%s", error.message);
        }
    }
    DIP_TRY(settle(job, err));
    if (must_stop(job)) {
        return stop_at(job, &job->strangers.list[0], err);
    }
    for (size_t i = 0; i < job->strangers.n && i < DIP_SHOWN_UNKNOWN; i++) {
        describe(job, &job->strangers.list[i], job->raw->unknown.shown[i],
                 sizeof job->raw->unknown.shown[i]);
    }
    return DIP_OK;
}

static void work_free(pair_work *w) {
    dip_block_free(&w->block);
    dip_free(w->lines);
    dip_free(w->times);
    dip_free(w->parts);
    dip_free(w->narrow);
    dip_texts_free(&w->query);
    dip_texts_free(&w->item);
}

dip_status dip_ingest_pairs(dip_raw *raw, const dip_project *project, const dip_schema *schema,
                            const dip_means *means, dip_error *err) {
    pairs_job job = {.raw = raw,
                     .project = project,
                     .schema = schema,
                     .means = means,
                     .has_time = schema->time_column[0] != '\0',
                     .keeps_time = schema->time_column[0] != '\0' &&
                                   project->config.split.by == DIP_SPLIT_TIME,
                     .has_split = project->config.split.by == DIP_SPLIT_COLUMN,
                     .n_work = dip_ingest_round(means)};
    raw->item_rows.stream.adds = false;
    raw->query_rows.stream.adds = !queries_have_file(&job);
    job.work = dip_alloc(job.n_work, sizeof *job.work, "blocks of a round", err);
    dip_status status = job.work != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        status = dip_project_open(&job.reader, project, &schema->interactions, err);
    }
    if (status == DIP_OK) {
        status = read_pairs(&job, err);
    }
    for (size_t i = 0; job.work != NULL && i < job.n_work; i++) {
        work_free(&job.work[i]);
    }
    dip_free(job.work);
    dip_reader_close(job.reader);
    return status;
}
