/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids that stand twice: their lines, and finding them after a spilled numbering was settled.
 */
#include "base/mem.h"
#include "prepare/ingest_parts.h"

#include <stdio.h>

static dip_status line_of(const dip_raw_entity *side, uint64_t row, uint64_t *line,
                          dip_error *err) {
    dip_spool_cursor cursor = {.spool = &side->lines};
    dip_status status = DIP_OK;
    for (uint64_t i = 0; status == DIP_OK && i <= row; i++) {
        status = dip_spool_get(&cursor, line, sizeof *line, err);
    }
    dip_spool_cursor_free(&cursor);
    return status;
}

/* Fails because of the id at place `again` of the files, which stands at place `first` too. */
dip_status dip_ingest_repeated(const dip_id_source *ids, uint64_t first, uint64_t again,
                               const char *id, size_t length, dip_error *err) {
    uint64_t at[2] = {0};
    char where[300] = "";
    DIP_TRY(line_of(ids->side, first, &at[0], err));
    DIP_TRY(line_of(ids->side, again, &at[1], err));
    char **files = ids->raw->files;
    if (at[0] >> DIP_LINE_BITS != at[1] >> DIP_LINE_BITS) {
        snprintf(where, sizeof where, " of %s", files[at[0] >> DIP_LINE_BITS]);
    }
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:%llu: column %zu (%s): the id \"%.*s\" already stands on line %llu%s; ids "
                    "must be distinct",
                    files[at[1] >> DIP_LINE_BITS], (unsigned long long)(at[1] & DIP_LINE_MASK),
                    ids->column + 1, ids->name, (int)(length < 100 ? length : 100), id,
                    (unsigned long long)(at[0] & DIP_LINE_MASK), where);
}

static dip_status text_of(const dip_intern *intern, int32_t code, dip_text *text, dip_error *err) {
    dip_spool_cursor cursor = {.spool = dip_intern_texts(intern)};
    dip_status status = DIP_OK;
    for (int32_t i = 0; status == DIP_OK && i <= code; i++) {
        status = dip_texts_get(&cursor, text, err);
    }
    dip_spool_cursor_free(&cursor);
    return status;
}

/* Fails because of the row at place `again` of the files, whose code stood before. */
static dip_status repeated_code(const dip_id_source *ids, int32_t code, uint64_t again,
                                dip_error *err) {
    dip_column_cursor cursor;
    dip_text id = {0};
    size_t got = 0;
    int32_t other = DIP_CODE_UNKNOWN;
    uint64_t place = 0;
    dip_column_begin(&cursor, &ids->side->id_rows);
    dip_status status = dip_column_codes(&cursor, &other, 1, &got, err);
    while (status == DIP_OK && other != code) {
        place++;
        status = dip_column_codes(&cursor, &other, 1, &got, err);
    }
    dip_column_end(&cursor);
    if (status == DIP_OK) {
        status = text_of(ids->side->ids, code, &id, err);
    }
    if (status == DIP_OK) {
        status = dip_ingest_repeated(ids, place, again, id.data, id.length, err);
    }
    dip_text_free(&id);
    return status;
}

/* Looks for a code that two rows of the files have. */
dip_status dip_ingest_find_repeated(const dip_id_source *ids, dip_error *err) {
    dip_column_cursor cursor;
    dip_status status = DIP_OK;
    size_t got = 1;
    uint8_t *seen = dip_alloc((size_t)dip_intern_count(ids->side->ids), 1, "ids", err);
    if (seen == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_column_begin(&cursor, &ids->side->id_rows);
    for (uint64_t place = 0; status == DIP_OK && got > 0; place++) {
        int32_t code = 0;
        status = dip_column_codes(&cursor, &code, 1, &got, err);
        if (status == DIP_OK && got > 0 && seen[code]++ != 0) {
            status = repeated_code(ids, code, place, err);
        }
    }
    dip_column_end(&cursor);
    dip_free(seen);
    return status;
}
