/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/intern.h"

#include "base/mem.h"
#include "prepare/intern_state.h"

#include <string.h>

/* How far ahead of the text being looked up its slot and its record are asked for. */
enum { SLOT_AHEAD = 32, RECORD_AHEAD = 16, UNASSIGNED = -1 };

/* In a round, the code of a text without one yet is its record's address below this. */
#define FRESH INT64_MIN

dip_status dip_intern_create(dip_intern **out, dip_scratch *scratch, dip_error *err) {
    dip_intern *intern = dip_alloc(1, sizeof *intern, "a numbering", err);
    if (intern == NULL) {
        return DIP_ERR_MEMORY;
    }
    intern->scratch = scratch;
    intern->texts.scratch = scratch;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        intern->known[p].scratch = scratch;
    }
    *out = intern;
    return DIP_OK;
}

static int64_t fresh_code(const dip_intern_record *record) {
    return FRESH | (int64_t)(intptr_t)record;
}

static dip_intern_record *fresh_record(int64_t code) {
    return (dip_intern_record *)(intptr_t)(code & ~FRESH); /* NOLINT(performance-no-int-to-ptr) */
}

/* Looks the cells of one part up, or adds them. */
static dip_status take_part(dip_intern_table *table, dip_texts *cells, size_t part, bool adds,
                            dip_error *err) {
    const dip_text_ref *list = cells->by_part;
    const size_t end = cells->part_start[part + 1];
    for (size_t i = cells->part_start[part]; i < end; i++) {
        const dip_text_ref *cell = &list[i];
        if (table->n_slots == 0 && !adds) {
            cells->codes[cell->place] = DIP_CODE_UNKNOWN;
            continue;
        }
        if (table->n_slots > 0 && i + SLOT_AHEAD < end) {
            dip_intern_table_prefetch_slot(table, list[i + SLOT_AHEAD].hash);
            dip_intern_table_prefetch_record(table, list[i + RECORD_AHEAD].hash);
        }
        dip_intern_record *record = NULL;
        if (adds) {
            bool is_new = false;
            DIP_TRY(dip_intern_table_add(table, cell->hash, cell->text, cell->length, UNASSIGNED,
                                         &record, &is_new, err));
        } else {
            record = dip_intern_table_find(table, cell->hash, cell->text, cell->length);
        }
        cells->codes[cell->place] = record == NULL      ? DIP_CODE_UNKNOWN
                                    : record->code >= 0 ? record->code
                                                        : fresh_code(record);
    }
    return DIP_OK;
}

dip_status dip_intern_assign(dip_intern *intern, const char *text, uint32_t length, int32_t *code,
                             dip_error *err) {
    if (intern->n >= INT32_MAX - 1) {
        return dip_fail(err, DIP_ERR_FAILED, "more than %d distinct values in one table",
                        INT32_MAX - 1);
    }
    DIP_TRY(dip_spool_put(&intern->texts, &length, sizeof length, err));
    DIP_TRY(dip_spool_put(&intern->texts, text, length, err));
    *code = (int32_t)intern->n++;
    return DIP_OK;
}

/* Gives the new texts their codes, in the order in which they stand. */
static dip_status assign_fresh(dip_intern *intern, dip_texts *cells, dip_error *err) {
    for (size_t i = 0; i < cells->n; i++) {
        if (cells->codes[i] >= DIP_CODE_UNKNOWN) {
            continue;
        }
        dip_intern_record *record = fresh_record(cells->codes[i]);
        if (record->code == UNASSIGNED) {
            DIP_TRY(dip_intern_assign(intern, record->text, record->length, &record->code, err));
        }
        cells->codes[i] = record->code;
    }
    return DIP_OK;
}

static dip_status round_in_memory(dip_intern *intern, const dip_intern_stream *stream,
                                  dip_texts *const *cells, size_t n, int threads, dip_error *err) {
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_error error = {DIP_OK};
        dip_status status = DIP_OK;
        for (size_t i = 0; status == DIP_OK && i < n; i++) {
            status = take_part(&intern->table[p], cells[i], p, stream->adds, &error);
        }
        dip_first_error_keep(&first, status, &error);
    }
    DIP_TRY(dip_first_error_result(&first, err));
    for (size_t i = 0; stream->adds && i < n; i++) {
        DIP_TRY(assign_fresh(intern, cells[i], err));
    }
    return DIP_OK;
}

/* Puts the cells of one part behind what the stream has of it. */
static dip_status put_part(dip_intern_stream *stream, dip_texts *cells, uint64_t base, size_t part,
                           dip_error *err) {
    dip_spool *seen = &stream->seen[part];
    for (size_t i = cells->part_start[part]; i < cells->part_start[part + 1]; i++) {
        const dip_text_ref *cell = &cells->by_part[i];
        const uint64_t head[2] = {base + cell->place,
                                  cells->marks != NULL ? cells->marks[cell->place] : 0};
        DIP_TRY(dip_spool_put(seen, head, sizeof head, err));
        DIP_TRY(dip_spool_put(seen, &cell->length, sizeof cell->length, err));
        DIP_TRY(dip_spool_put(seen, cell->text, cell->length, err));
        cells->codes[cell->place] = -2 - (int64_t)part;
    }
    return DIP_OK;
}

static dip_status round_on_disk(dip_intern_stream *stream, dip_texts *const *cells, size_t n,
                                int threads, dip_error *err) {
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_error error = {DIP_OK};
        dip_status status = DIP_OK;
        uint64_t base = stream->position;
        for (size_t i = 0; status == DIP_OK && i < n; i++) {
            status = put_part(stream, cells[i], base, p, &error);
            base += cells[i]->n;
        }
        dip_first_error_keep(&first, status, &error);
    }
    return dip_first_error_result(&first, err);
}

dip_status dip_intern_round(dip_intern *intern, dip_intern_stream *stream, dip_texts *const *cells,
                            size_t n, int threads, dip_error *err) {
    DIP_TRY(intern->is_spilled ? round_on_disk(stream, cells, n, threads, err)
                               : round_in_memory(intern, stream, cells, n, threads, err));
    for (size_t i = 0; i < n; i++) {
        stream->position += cells[i]->n;
    }
    return DIP_OK;
}

size_t dip_intern_bytes(const dip_intern *intern) {
    size_t bytes = 0;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        bytes += intern->table[p].bytes;
    }
    return bytes;
}

bool dip_intern_is_spilled(const dip_intern *intern) {
    return intern->is_spilled;
}

uint64_t dip_intern_count(const dip_intern *intern) {
    return intern->n;
}

const dip_spool *dip_intern_texts(const dip_intern *intern) {
    return &intern->texts;
}

void dip_intern_forget(dip_intern *intern) {
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_intern_table_free(&intern->table[p]);
        dip_spool_free(&intern->known[p]);
    }
}

void dip_intern_free(dip_intern *intern) {
    if (intern == NULL) {
        return;
    }
    dip_intern_forget(intern);
    dip_spool_free(&intern->texts);
    dip_free(intern);
}

void dip_intern_stream_init(dip_intern_stream *stream, dip_scratch *scratch, bool adds) {
    memset(stream, 0, sizeof *stream);
    stream->adds = adds;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        stream->seen[p].scratch = scratch;
        stream->answers[p].scratch = scratch;
    }
}

void dip_intern_stream_free(dip_intern_stream *stream) {
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_spool_free(&stream->seen[p]);
        dip_spool_free(&stream->answers[p]);
    }
}
