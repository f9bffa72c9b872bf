/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of one table in a dump that mysqldump wrote: INSERT statements as a stream of typed
 * values, from a .sql file, plain, .gz or .zst, or from memory.
 *
 *     CREATE TABLE `page` (             columns are found by their names, so that old and new
 *       `page_id` int NOT NULL,         layouts of a table are read alike
 *       `page_title` varbinary(255),
 *       PRIMARY KEY (`page_id`));
 *     INSERT INTO `page` VALUES (1,'It\'s'),(2,NULL);
 *
 * Understood are quoted texts with the server's escapes (\0 \b \n \r \t \Z \\ \' \" and doubled
 * quotes; \% and \_ keep their backslash, any other backslash is dropped), NULL, TRUE and FALSE,
 * numbers, hexadecimal texts (0xAB, x'AB'), and character sets named before a text (_binary 'x').
 * Texts are bytes: nothing is said about their encoding. Comments, statements of other kinds and
 * other tables are passed over. A dump that ends inside a statement, or without the last line that
 * mysqldump writes, is an error.
 *
 * Memory does not depend on the length of a statement: a row has to fit, and may have 16 MiB.
 */
#ifndef DIP_IMPORT_SQL_DUMP_H
#define DIP_IMPORT_SQL_DUMP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIP_SQL_ROW_LIMIT = 16 << 20, DIP_SQL_COLUMN_LIMIT = 1024, DIP_SQL_NAME_LIMIT = 256 };

typedef enum dip_sql_kind {
    DIP_SQL_NULL,
    DIP_SQL_INTEGER, /* fits int64_t */
    DIP_SQL_DECIMAL, /* any other number, as it was written */
    DIP_SQL_TEXT
} dip_sql_kind;

typedef struct dip_sql_value {
    dip_sql_kind kind;
    unsigned char form; /* how the text was written; the scanner's own */
    int64_t integer;    /* of DIP_SQL_INTEGER */
    const char *text;   /* of all but NULL; not NUL-terminated, borrowed until the next row */
    size_t length;
} dip_sql_value;

typedef struct dip_sql_dump dip_sql_dump;

/* Opens a dump and reads up to the definition of the table.
 *
 * DIP_ERR_FORMAT   it defines no such table. */
dip_status dip_sql_dump_open(dip_sql_dump **dump, const char *path, const char *table,
                             dip_error *err);

/* The same over bytes in memory, which stay the caller's; `name` stands for the path in errors, and
 * a read gives up to `step` bytes. */
dip_status dip_sql_dump_open_bytes(dip_sql_dump **dump, const void *data, size_t bytes, size_t step,
                                   const char *name, const char *table, dip_error *err);

/* Whether the table has a column. */
bool dip_sql_dump_has(const dip_sql_dump *dump, const char *column);

/* Says which columns are wanted, before the first row; the names are the caller's and stay.
 *
 * DIP_ERR_FORMAT   the table lacks one; the text lists those that it has. */
dip_status dip_sql_dump_select(dip_sql_dump *dump, const char *const *columns, size_t n,
                               dip_error *err);

/* The wanted values of the next row, in the order in which they were selected; DIP_END after the
 * last one. */
dip_status dip_sql_dump_next(dip_sql_dump *dump, const dip_sql_value **values, dip_error *err);

/* Fails with path, byte of the SQL text, table and the wanted column's name before the text. */
dip_status dip_sql_dump_fail(const dip_sql_dump *dump, size_t wanted, dip_error *err,
                             const char *format, ...) DIP_PRINTF(4, 5);

/* A wanted value as an integer from low to high; anything else fails with its place. */
dip_status dip_sql_dump_integer(const dip_sql_dump *dump, size_t wanted, int64_t low, int64_t high,
                                int64_t *number, dip_error *err);

/* A wanted value as a text; NULL fails with its place. */
dip_status dip_sql_dump_text(const dip_sql_dump *dump, size_t wanted, const char **text,
                             size_t *length, dip_error *err);

/* Bytes of the file read so far (compressed ones), its size, and bytes of SQL text so far. */
uint64_t dip_sql_dump_position(const dip_sql_dump *dump);
uint64_t dip_sql_dump_size(const dip_sql_dump *dump);
uint64_t dip_sql_dump_sql_bytes(const dip_sql_dump *dump);

void dip_sql_dump_close(dip_sql_dump *dump);

#endif
