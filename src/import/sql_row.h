/* SPDX-License-Identifier: Apache-2.0
 *
 * One parenthesised row of an INSERT statement, cut in a buffer that holds at least its beginning.
 */
#ifndef DIP_IMPORT_SQL_ROW_H
#define DIP_IMPORT_SQL_ROW_H

#include "import/sql_dump.h"

typedef enum dip_sql_scan {
    DIP_SQL_WHOLE, /* the row is there */
    DIP_SQL_MORE,  /* the buffer ends inside the row */
    DIP_SQL_WRONG  /* this is not a row */
} dip_sql_scan;

typedef struct dip_sql_row {
    char *at;                  /* in: the '('; out: behind the ')', or the byte that is wrong */
    char *end;                 /* of the buffer; *end is '\0' */
    dip_sql_value *const *out; /* where the value of each column goes */
    size_t n_columns;
    size_t column;       /* out, when wrong: the column, from 0 */
    const char *problem; /* out, when wrong: what should be there */
} dip_sql_row;

/* Finds the values without changing the buffer, so that a row that is not whole yet can be scanned
 * again. */
dip_sql_scan dip_sql_row_scan(dip_sql_row *row);

/* Undoes escapes and hexadecimal digits of one value, in place. */
void dip_sql_value_decode(dip_sql_value *value);

#endif
