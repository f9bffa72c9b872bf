/* SPDX-License-Identifier: Apache-2.0
 *
 * The characters of an SQL dump: a buffer over a file or over memory, comments, quotes, words and
 * names.
 *
 *   buffer  | used | at: not used yet ... filled | '\0'
 */
#ifndef DIP_IMPORT_SQL_LEXER_H
#define DIP_IMPORT_SQL_LEXER_H

#include "import/sql_dump.h"

#include "data/stream.h"

enum { DIP_SQL_WORD_BYTES = 32, DIP_SQL_SHOWN_BYTES = 40 };

typedef struct dip_sql_lexer {
    dip_stream *stream; /* NULL when the SQL is in memory */
    const char *memory;
    size_t memory_bytes;
    size_t memory_at;
    size_t step;
    char *path;
    char *table; /* for errors */
    char *buffer;
    size_t capacity;
    size_t at;
    size_t filled;
    uint64_t base; /* place of buffer[0] in the SQL text */
    bool ended;
    bool has_head; /* the comment that mysqldump begins with, */
    bool has_tail; /* and the one that it ends with */
} dip_sql_lexer;

/* The lexer is zeroed, but for the memory to read from; without it the file is opened. Free it
 * whatever the outcome. */
dip_status dip_sql_lexer_init(dip_sql_lexer *lexer, const char *path, const char *table,
                              dip_error *err);
void dip_sql_lexer_free(dip_sql_lexer *lexer);

/* Moves what is not used yet to the front and reads more behind it. */
dip_status dip_sql_lexer_fill(dip_sql_lexer *lexer, dip_error *err);

/* The next byte, without taking it; '\0' and false at the end. */
dip_status dip_sql_lexer_peek(dip_sql_lexer *lexer, char *c, bool *is_there, dip_error *err);

/* Passes over blanks and comments. */
dip_status dip_sql_lexer_blanks(dip_sql_lexer *lexer, dip_error *err);

/* Passes over a text, from its opening quote to behind the closing one. */
dip_status dip_sql_lexer_quoted(dip_sql_lexer *lexer, char quote, dip_error *err);

/* Passes over everything up to and with the semicolon. */
dip_status dip_sql_lexer_statement(dip_sql_lexer *lexer, dip_error *err);

/* Takes a byte that must be there; `what` it is, for the error. */
dip_status dip_sql_lexer_take(dip_sql_lexer *lexer, char wanted, const char *what, dip_error *err);

/* A name, in backticks, double quotes or bare; "" when there is none. */
dip_status dip_sql_lexer_name(dip_sql_lexer *lexer, char name[DIP_SQL_NAME_LIMIT], dip_error *err);

/* A table's name, without that of its database. */
dip_status dip_sql_lexer_table(dip_sql_lexer *lexer, char name[DIP_SQL_NAME_LIMIT], dip_error *err);

/* The next bare word in upper case; "" when the next byte begins none, which stays. */
dip_status dip_sql_lexer_word(dip_sql_lexer *lexer, char word[DIP_SQL_WORD_BYTES], dip_error *err);

/* Passes over words as long as they are in a list " A B C ". */
dip_status dip_sql_lexer_words(dip_sql_lexer *lexer, const char *list, dip_error *err);

/* Fails with path, place, table and perhaps column before the text. */
dip_status dip_sql_lexer_fail(const dip_sql_lexer *lexer, uint64_t byte, const char *column,
                              dip_error *err, const char *format, ...) DIP_PRINTF(5, 6);

/* Fails because the dump ends "inside a statement", or where it is. */
dip_status dip_sql_lexer_truncated(const dip_sql_lexer *lexer, const char *where, dip_error *err);

/* Fails at the next byte: "WHAT is expected, not ...". */
dip_status dip_sql_lexer_expected(const dip_sql_lexer *lexer, const char *what, dip_error *err);

/* Bytes for people: what cannot be printed becomes a question mark. */
const char *dip_sql_shown(const char *text, size_t length, char buffer[DIP_SQL_SHOWN_BYTES + 1]);

#endif
