/* SPDX-License-Identifier: Apache-2.0
 *
 * A column of raw data in scratch space: codes with holes where a spilled numbering owes the code,
 * and, for a bag, how many a row has.
 */
#ifndef DIP_PREPARE_COLUMN_H
#define DIP_PREPARE_COLUMN_H

#include "prepare/intern.h"

typedef struct dip_column_data {
    dip_spool codes;   /* int32; DIP_CODE_UNKNOWN: the row has none */
    dip_spool counts;  /* uint32 a row, of a bag */
    dip_spool numbers; /* double a row, of a number */
    dip_intern_stream stream;
} dip_column_data;

typedef struct dip_column_cursor {
    const dip_column_data *column;
    dip_spool_cursor codes;
    dip_spool_cursor counts;
    dip_spool_cursor answers[DIP_TEXT_PARTS];
} dip_column_cursor;

void dip_column_init(dip_column_data *column, dip_scratch *scratch);
void dip_column_free(dip_column_data *column);

/* Begins at the first row. */
void dip_column_begin(dip_column_cursor *cursor, const dip_column_data *column);

/* The next codes, holes filled; *got is less than n only at the end. */
dip_status dip_column_codes(dip_column_cursor *cursor, int32_t *codes, size_t n, size_t *got,
                            dip_error *err);

/* The next counts of a bag. */
dip_status dip_column_counts(dip_column_cursor *cursor, uint32_t *counts, size_t n, size_t *got,
                             dip_error *err);

/* Rows of a column of codes, a piece at a time. A row of a column that is no bag has one code or
 * none. */
typedef struct dip_column_rows {
    size_t n;
    uint32_t *counts; /* [n] codes of each row */
    int32_t *codes;   /* of all rows, side by side */
    size_t count_capacity;
    size_t code_capacity;
} dip_column_rows;

/* The next rows; n is 0 at the end. */
dip_status dip_column_next(dip_column_cursor *cursor, bool is_bag, dip_column_rows *rows,
                           dip_error *err);
void dip_column_rows_free(dip_column_rows *rows);

void dip_column_end(dip_column_cursor *cursor);

#endif
