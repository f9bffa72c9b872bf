/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/column.h"

#include "base/mem.h"

#include <string.h>

void dip_column_init(dip_column_data *column, dip_scratch *scratch) {
    memset(column, 0, sizeof *column);
    column->codes.scratch = scratch;
    column->counts.scratch = scratch;
    column->numbers.scratch = scratch;
    dip_intern_stream_init(&column->stream, scratch, true);
}

void dip_column_free(dip_column_data *column) {
    dip_spool_free(&column->codes);
    dip_spool_free(&column->counts);
    dip_spool_free(&column->numbers);
    dip_intern_stream_free(&column->stream);
}

void dip_column_begin(dip_column_cursor *cursor, const dip_column_data *column) {
    memset(cursor, 0, sizeof *cursor);
    cursor->column = column;
    cursor->codes.spool = &column->codes;
    cursor->counts.spool = &column->counts;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        cursor->answers[p].spool = &column->stream.answers[p];
    }
}

dip_status dip_column_codes(dip_column_cursor *cursor, int32_t *codes, size_t n, size_t *got,
                            dip_error *err) {
    size_t bytes = 0;
    DIP_TRY(dip_spool_read(&cursor->codes, codes, n * sizeof *codes, &bytes, err));
    *got = bytes / sizeof *codes;
    for (size_t i = 0; i < *got; i++) {
        if (dip_code_is_hole(codes[i])) {
            DIP_TRY(dip_spool_get(&cursor->answers[dip_code_part(codes[i])], &codes[i],
                                  sizeof codes[i], err));
        }
    }
    return DIP_OK;
}

dip_status dip_column_counts(dip_column_cursor *cursor, uint32_t *counts, size_t n, size_t *got,
                             dip_error *err) {
    size_t bytes = 0;
    DIP_TRY(dip_spool_read(&cursor->counts, counts, n * sizeof *counts, &bytes, err));
    *got = bytes / sizeof *counts;
    return DIP_OK;
}

enum { ROWS_AT_ONCE = 1 << 13 };

static dip_status next_bags(dip_column_cursor *cursor, dip_column_rows *rows, dip_error *err) {
    DIP_TRY(dip_column_counts(cursor, rows->counts, ROWS_AT_ONCE, &rows->n, err));
    size_t total = 0;
    for (size_t i = 0; i < rows->n; i++) {
        total += rows->counts[i];
    }
    size_t got = 0;
    DIP_TRY(dip_grow((void **)&rows->codes, &rows->code_capacity, total, sizeof *rows->codes,
                     "rows of a column", err));
    return dip_column_codes(cursor, rows->codes, total, &got, err);
}

static dip_status next_singles(dip_column_cursor *cursor, dip_column_rows *rows, dip_error *err) {
    DIP_TRY(dip_grow((void **)&rows->codes, &rows->code_capacity, ROWS_AT_ONCE, sizeof *rows->codes,
                     "rows of a column", err));
    DIP_TRY(dip_column_codes(cursor, rows->codes, ROWS_AT_ONCE, &rows->n, err));
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        rows->counts[i] = rows->codes[i] >= 0;
        rows->codes[kept] = rows->codes[i];
        kept += rows->counts[i];
    }
    return DIP_OK;
}

dip_status dip_column_next(dip_column_cursor *cursor, bool is_bag, dip_column_rows *rows,
                           dip_error *err) {
    DIP_TRY(dip_grow((void **)&rows->counts, &rows->count_capacity, ROWS_AT_ONCE,
                     sizeof *rows->counts, "rows of a column", err));
    return is_bag ? next_bags(cursor, rows, err) : next_singles(cursor, rows, err);
}

void dip_column_rows_free(dip_column_rows *rows) {
    dip_free(rows->counts);
    dip_free(rows->codes);
    memset(rows, 0, sizeof *rows);
}

void dip_column_end(dip_column_cursor *cursor) {
    dip_spool_cursor_free(&cursor->codes);
    dip_spool_cursor_free(&cursor->counts);
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        dip_spool_cursor_free(&cursor->answers[p]);
    }
}
