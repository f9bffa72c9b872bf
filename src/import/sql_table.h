/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a table, from its CREATE TABLE statement.
 */
#ifndef DIP_IMPORT_SQL_TABLE_H
#define DIP_IMPORT_SQL_TABLE_H

#include "import/sql_lexer.h"

typedef struct dip_sql_table {
    dip_sql_lexer *lexer;
    char **columns;
    size_t n_columns;
    size_t column_capacity;
} dip_sql_table;

/* Reads a statement from behind the word CREATE on. *found: it defined the lexer's table. */
dip_status dip_sql_table_read(dip_sql_table *table, bool *found, dip_error *err);

/* The position of a column, or the number of columns when there is none of this name. */
size_t dip_sql_table_find(const dip_sql_table *table, const char *name);

void dip_sql_table_free(dip_sql_table *table);

#endif
