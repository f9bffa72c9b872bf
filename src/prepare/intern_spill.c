/* SPDX-License-Identifier: Apache-2.0
 *
 * Numberings larger than the memory. Settling takes three passes:
 *
 *   1. every part by itself, in memory: its known texts, then its occurrences in order. An
 *      occurrence's answer is a code, or the place of a new text among the part's new ones;
 *   2. the parts' new texts, each list ordered by first sight, are merged and get their codes;
 *   3. every part by itself: places become codes.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "prepare/intern_state.h"

#include <stdio.h>
#include <string.h>

/* A text as scratch space holds it. */
typedef struct entry {
    uint64_t stream; /* of a new text: which stream saw it first, and where */
    uint64_t position;
    uint64_t mark;
    int32_t code;
    dip_text text;
} entry;

/* The part of a numbering while it is settled. */
typedef struct part {
    dip_spool fresh; /* {stream, position, length, text} in the order of first sight */
    dip_spool codes; /* int32 of each of them */
    uint64_t n_fresh;
} part;

static dip_status put_text(dip_spool *spool, const char *text, uint32_t length, dip_error *err) {
    DIP_TRY(dip_spool_put(spool, &length, sizeof length, err));
    return dip_spool_put(spool, text, length, err);
}

static dip_status put_known(dip_spool *known, int32_t code, const char *text, uint32_t length,
                            dip_error *err) {
    DIP_TRY(dip_spool_put(known, &code, sizeof code, err));
    return put_text(known, text, length, err);
}

/* DIP_END behind the last one. */
static dip_status get_known(dip_spool_cursor *cursor, entry *e, dip_error *err) {
    size_t got = 0;
    DIP_TRY(dip_spool_read(cursor, &e->code, sizeof e->code, &got, err));
    return got == 0 ? DIP_END : dip_texts_get(cursor, &e->text, err);
}

static dip_status get_seen(dip_spool_cursor *cursor, entry *e, dip_error *err) {
    uint64_t head[2];
    size_t got = 0;
    DIP_TRY(dip_spool_read(cursor, head, sizeof head, &got, err));
    e->position = head[0];
    e->mark = head[1];
    return got == 0 ? DIP_END : dip_texts_get(cursor, &e->text, err);
}

static dip_status get_fresh(dip_spool_cursor *cursor, entry *e, dip_error *err) {
    uint64_t head[2];
    size_t got = 0;
    DIP_TRY(dip_spool_read(cursor, head, sizeof head, &got, err));
    e->stream = head[0];
    e->position = head[1];
    return got == 0 ? DIP_END : dip_texts_get(cursor, &e->text, err);
}

dip_status dip_intern_spill(dip_intern *intern, dip_error *err) {
    if (intern->is_spilled) {
        return DIP_OK;
    }
    intern->is_spilled = true;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        size_t chunk = 0;
        size_t at = 0;
        const dip_intern_record *record = NULL;
        while ((record = dip_intern_table_next(&intern->table[p], &chunk, &at)) != NULL) {
            DIP_TRY(put_known(&intern->known[p], record->code, record->text, record->length, err));
        }
        dip_intern_table_free(&intern->table[p]);
    }
    return DIP_OK;
}

/* ---- pass 1 ---------------------------------------------------------------------------------- */

static dip_status load_known(dip_intern_table *table, const dip_spool *known, entry *e,
                             dip_error *err) {
    dip_spool_cursor cursor = {.spool = known};
    dip_status status = DIP_OK;
    while ((status = get_known(&cursor, e, err)) == DIP_OK) {
        dip_intern_record *record = NULL;
        bool is_new = false;
        const uint64_t hash = dip_hash(e->text.data, e->text.length);
        status = dip_intern_table_add(table, hash, e->text.data, e->text.length, e->code, &record,
                                      &is_new, err);
        if (status != DIP_OK) {
            break;
        }
    }
    dip_spool_cursor_free(&cursor);
    return status == DIP_END ? DIP_OK : status;
}

/* Answers one occurrence, and notes its text when it is new. */
static dip_status answer_addition(dip_intern_table *table, part *own, uint64_t stream,
                                  const entry *e, dip_spool *answers, dip_error *err) {
    dip_intern_record *record = NULL;
    bool is_new = false;
    const uint64_t hash = dip_hash(e->text.data, e->text.length);
    const int32_t place = (int32_t)(-2 - (int64_t)own->n_fresh);
    DIP_TRY(dip_intern_table_add(table, hash, e->text.data, e->text.length, place, &record, &is_new,
                                 err));
    if (is_new) {
        const uint64_t head[2] = {stream, e->position};
        DIP_TRY(dip_spool_put(&own->fresh, head, sizeof head, err));
        DIP_TRY(put_text(&own->fresh, e->text.data, (uint32_t)e->text.length, err));
        own->n_fresh++;
    }
    return dip_spool_put(answers, &record->code, sizeof record->code, err);
}

static dip_status answer_stream(dip_intern_table *table, part *own, uint64_t number,
                                dip_intern_stream *stream, size_t p, entry *e, dip_error *err) {
    dip_spool_cursor cursor = {.spool = &stream->seen[p]};
    dip_status status = DIP_OK;
    while ((status = get_seen(&cursor, e, err)) == DIP_OK) {
        status = answer_addition(table, own, number, e, &stream->answers[p], err);
        if (status != DIP_OK) {
            break;
        }
    }
    dip_spool_cursor_free(&cursor);
    dip_spool_free(&stream->seen[p]);
    return status == DIP_END ? DIP_OK : status;
}

static dip_status number_part(const dip_intern *intern, part *own, size_t p,
                              dip_intern_stream *const *streams, size_t n, dip_error *err) {
    dip_intern_table table = {0};
    entry e = {0};
    dip_status status = load_known(&table, &intern->known[p], &e, err);
    for (size_t s = 0; status == DIP_OK && s < n; s++) {
        status = answer_stream(&table, own, s, streams[s], p, &e, err);
    }
    dip_text_free(&e.text);
    dip_intern_table_free(&table);
    return status;
}

static dip_status number_parts(const dip_intern *intern, part *parts,
                               dip_intern_stream *const *streams, size_t n, int threads,
                               dip_error *err) {
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_error error = {DIP_OK};
        const dip_status status = number_part(intern, &parts[p], p, streams, n, &error);
        dip_first_error_keep(&first, status, &error);
    }
    return dip_first_error_result(&first, err);
}

/* ---- pass 2 ---------------------------------------------------------------------------------- */

typedef struct merge {
    dip_spool_cursor cursor[DIP_TEXT_PARTS];
    entry head[DIP_TEXT_PARTS];
    bool is_over[DIP_TEXT_PARTS];
} merge;

static dip_status advance(merge *m, size_t p, dip_error *err) {
    const dip_status status = get_fresh(&m->cursor[p], &m->head[p], err);
    m->is_over[p] = status == DIP_END;
    return status == DIP_END ? DIP_OK : status;
}

/* The part whose next new text was seen first, or DIP_TEXT_PARTS. */
static size_t earliest(const merge *m) {
    size_t best = DIP_TEXT_PARTS;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        if (m->is_over[p]) {
            continue;
        }
        const entry *a = &m->head[p];
        const entry *b = best < DIP_TEXT_PARTS ? &m->head[best] : NULL;
        if (b == NULL || a->stream < b->stream ||
            (a->stream == b->stream && a->position < b->position)) {
            best = p;
        }
    }
    return best;
}

static dip_status assign_codes(dip_intern *intern, part *parts, merge *m, dip_error *err) {
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        m->cursor[p].spool = &parts[p].fresh;
        DIP_TRY(advance(m, p, err));
    }
    for (size_t p = earliest(m); p < DIP_TEXT_PARTS; p = earliest(m)) {
        const dip_text *text = &m->head[p].text;
        int32_t code = 0;
        DIP_TRY(dip_intern_assign(intern, text->data, (uint32_t)text->length, &code, err));
        DIP_TRY(put_known(&intern->known[p], code, text->data, (uint32_t)text->length, err));
        DIP_TRY(dip_spool_put(&parts[p].codes, &code, sizeof code, err));
        DIP_TRY(advance(m, p, err));
    }
    return DIP_OK;
}

static dip_status merge_parts(dip_intern *intern, part *parts, dip_error *err) {
    merge *m = dip_alloc(1, sizeof *m, "a merge of texts", err);
    if (m == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = assign_codes(intern, parts, m, err);
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_spool_cursor_free(&m->cursor[p]);
        dip_text_free(&m->head[p].text);
    }
    dip_free(m);
    return status;
}

/* ---- pass 3 ---------------------------------------------------------------------------------- */

static dip_status rewrite_answers(dip_spool *answers, const int32_t *codes, dip_error *err) {
    dip_spool before = *answers;
    dip_spool_cursor cursor = {.spool = &before};
    dip_status status = DIP_OK;
    int32_t chunk[4096];
    size_t got = 0;
    *answers = (dip_spool){.scratch = before.scratch};
    do {
        status = dip_spool_read(&cursor, chunk, sizeof chunk, &got, err);
        for (size_t i = 0; status == DIP_OK && i < got / sizeof *chunk; i++) {
            chunk[i] = chunk[i] < DIP_CODE_UNKNOWN ? codes[-2 - (int64_t)chunk[i]] : chunk[i];
        }
        if (status == DIP_OK) {
            status = dip_spool_put(answers, chunk, got, err);
        }
    } while (status == DIP_OK && got == sizeof chunk);
    dip_spool_cursor_free(&cursor);
    dip_spool_free(&before);
    return status;
}

static dip_status finish_part(const part *own, size_t p, dip_intern_stream *const *streams,
                              size_t n, dip_error *err) {
    int32_t *codes = dip_alloc(own->n_fresh, sizeof *codes, "codes of new texts", err);
    if (codes == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_spool_cursor cursor = {.spool = &own->codes};
    dip_status status = dip_spool_get(&cursor, codes, own->n_fresh * sizeof *codes, err);
    dip_spool_cursor_free(&cursor);
    for (size_t s = 0; status == DIP_OK && s < n; s++) {
        status = rewrite_answers(&streams[s]->answers[p], codes, err);
    }
    dip_free(codes);
    return status;
}

static dip_status finish_parts(const part *parts, dip_intern_stream *const *streams, size_t n,
                               int threads, dip_error *err) {
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_error error = {DIP_OK};
        const dip_status status = finish_part(&parts[p], p, streams, n, &error);
        dip_first_error_keep(&first, status, &error);
    }
    return dip_first_error_result(&first, err);
}

dip_status dip_intern_settle(dip_intern *intern, dip_intern_stream *const *streams, size_t n,
                             int threads, dip_error *err) {
    if (!intern->is_spilled) {
        return DIP_OK;
    }
    part *parts = dip_alloc(DIP_TEXT_PARTS, sizeof *parts, "parts of a numbering", err);
    if (parts == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        parts[p].fresh.scratch = intern->scratch;
        parts[p].codes.scratch = intern->scratch;
    }
    dip_status status = number_parts(intern, parts, streams, n, threads, err);
    if (status == DIP_OK) {
        status = merge_parts(intern, parts, err);
    }
    if (status == DIP_OK) {
        status = finish_parts(parts, streams, n, threads, err);
    }
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_spool_free(&parts[p].fresh);
        dip_spool_free(&parts[p].codes);
    }
    dip_free(parts);
    return status;
}

/* ---- look-ups -------------------------------------------------------------------------------- */

/* Puts one among the first ones, by position. */
static void insert_missed(dip_intern_stream *stream, const entry *e) {
    size_t at = stream->n_missed < DIP_MISSED_MAX ? (size_t)stream->n_missed : DIP_MISSED_MAX;
    stream->n_missed++;
    while (at > 0 && stream->missed[at - 1].position > e->position) {
        if (at < DIP_MISSED_MAX) {
            stream->missed[at] = stream->missed[at - 1];
        }
        at--;
    }
    if (at < DIP_MISSED_MAX) {
        dip_missed *missed = &stream->missed[at];
        missed->position = e->position;
        missed->mark = e->mark;
        snprintf(missed->text, sizeof missed->text, "%.*s", (int)e->text.length, e->text.data);
    }
}

static void keep_missed(dip_intern_stream *stream, const entry *e) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    insert_missed(stream, e);
    pthread_mutex_unlock(&lock);
}

static dip_status find_stream(const dip_intern_table *table, dip_intern_stream *stream, size_t p,
                              entry *e, dip_error *err) {
    dip_spool_cursor cursor = {.spool = &stream->seen[p]};
    dip_status status = DIP_OK;
    while ((status = get_seen(&cursor, e, err)) == DIP_OK) {
        const dip_intern_record *record =
            table->n_slots > 0
                ? dip_intern_table_find(table, dip_hash(e->text.data, e->text.length), e->text.data,
                                        e->text.length)
                : NULL;
        const int32_t code = record != NULL ? record->code : DIP_CODE_UNKNOWN;
        if (record == NULL) {
            keep_missed(stream, e);
        }
        status = dip_spool_put(&stream->answers[p], &code, sizeof code, err);
        if (status != DIP_OK) {
            break;
        }
    }
    dip_spool_cursor_free(&cursor);
    dip_spool_free(&stream->seen[p]);
    return status == DIP_END ? DIP_OK : status;
}

static dip_status find_part(const dip_intern *intern, size_t p, dip_intern_stream *const *streams,
                            size_t n, dip_error *err) {
    dip_intern_table table = {0};
    entry e = {0};
    dip_status status = load_known(&table, &intern->known[p], &e, err);
    for (size_t s = 0; status == DIP_OK && s < n; s++) {
        status = find_stream(&table, streams[s], p, &e, err);
    }
    dip_text_free(&e.text);
    dip_intern_table_free(&table);
    return status;
}

dip_status dip_intern_settle_finds(dip_intern *intern, dip_intern_stream *const *streams, size_t n,
                                   int threads, dip_error *err) {
    if (!intern->is_spilled) {
        return DIP_OK;
    }
    dip_first_error first = {DIP_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_error error = {DIP_OK};
        const dip_status status = find_part(intern, p, streams, n, &error);
        dip_first_error_keep(&first, status, &error);
    }
    return dip_first_error_result(&first, err);
}
