/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements are read a word at a time, rows by sql_row.c. A row that is not whole yet is moved to
 * the front of the buffer, more is read behind it, and it is scanned again; the buffer doubles when
 * a row fills it, so that a row of any length is scanned a few times at most.
 */
#include "import/sql_dump.h"

#include "base/mem.h"
#include "base/text.h"
#include "import/sql_row.h"
#include "import/sql_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct dip_sql_dump {
    dip_sql_lexer lexer;
    dip_sql_table table;
    const char **wanted;
    dip_sql_value *values; /* of the wanted columns, and one more for all others */
    size_t n_wanted;
    size_t *order; /* the column of each value of the statement's rows */
    size_t n_order;
    size_t order_capacity;
    dip_sql_value **out; /* where each value of a row goes */
    bool in_rows;
    uint64_t row_byte;
};

dip_status dip_sql_dump_fail(const dip_sql_dump *dump, size_t wanted, dip_error *err,
                             const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_sql_lexer_fail(&dump->lexer, dump->row_byte,
                              wanted < dump->n_wanted ? dump->wanted[wanted] : NULL, err, "%s",
                              text);
}

/* ---- INSERT ---------------------------------------------------------------------------------- */

/* Puts the values of the statement's rows where they go. */
static dip_status set_order(dip_sql_dump *dump, dip_error *err) {
    dip_free(dump->out);
    dump->out = dip_alloc(dump->n_order, sizeof *dump->out, "places of columns", err);
    if (dump->out == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < dump->n_order; i++) {
        dump->out[i] = &dump->values[dump->n_wanted];
        for (size_t w = 0; w < dump->n_wanted; w++) {
            if (strcmp(dump->table.columns[dump->order[i]], dump->wanted[w]) == 0) {
                dump->out[i] = &dump->values[w];
            }
        }
    }
    return DIP_OK;
}

static dip_status add_to_order(dip_sql_dump *dump, size_t column, dip_error *err) {
    DIP_TRY(dip_grow((void **)&dump->order, &dump->order_capacity, dump->n_order + 1,
                     sizeof *dump->order, "places of columns", err));
    dump->order[dump->n_order++] = column;
    return DIP_OK;
}

/* The columns that a statement names between the table and VALUES. */
static dip_status read_column_list(dip_sql_dump *dump, dip_error *err) {
    char c = ',';
    bool is_there = false;
    dump->lexer.at++;
    while (c == ',') {
        char name[DIP_SQL_NAME_LIMIT];
        DIP_TRY(dip_sql_lexer_name(&dump->lexer, name, err));
        const size_t column = dip_sql_table_find(&dump->table, name);
        if (column == dump->table.n_columns || dump->n_order == dump->table.n_columns) {
            return dip_sql_lexer_expected(&dump->lexer, "a list of the table's columns", err);
        }
        DIP_TRY(add_to_order(dump, column, err));
        DIP_TRY(dip_sql_lexer_blanks(&dump->lexer, err));
        DIP_TRY(dip_sql_lexer_peek(&dump->lexer, &c, &is_there, err));
        dump->lexer.at += c == ',';
    }
    return dip_sql_lexer_take(&dump->lexer, ')', ") behind the columns", err);
}

/* From behind the table's name to the first row. */
static dip_status read_insert_head(dip_sql_dump *dump, dip_error *err) {
    char word[DIP_SQL_WORD_BYTES];
    char c = '\0';
    bool is_there = false;
    dump->n_order = 0;
    DIP_TRY(dip_sql_lexer_blanks(&dump->lexer, err));
    DIP_TRY(dip_sql_lexer_peek(&dump->lexer, &c, &is_there, err));
    if (c == '(') {
        DIP_TRY(read_column_list(dump, err));
    }
    for (size_t i = 0; c != '(' && i < dump->table.n_columns; i++) {
        DIP_TRY(add_to_order(dump, i, err));
    }
    DIP_TRY(dip_sql_lexer_word(&dump->lexer, word, err));
    if (strcmp(word, "VALUES") != 0 && strcmp(word, "VALUE") != 0) {
        return dip_sql_lexer_expected(&dump->lexer, "VALUES", err);
    }
    for (size_t w = 0; w < dump->n_wanted; w++) {
        dump->values[w] = (dip_sql_value){.kind = DIP_SQL_NULL};
    }
    dump->in_rows = true;
    DIP_TRY(set_order(dump, err));
    return dip_sql_lexer_blanks(&dump->lexer, err);
}

static dip_status read_insert(dip_sql_dump *dump, dip_error *err) {
    char name[DIP_SQL_NAME_LIMIT];
    DIP_TRY(
        dip_sql_lexer_words(&dump->lexer, " LOW_PRIORITY DELAYED HIGH_PRIORITY IGNORE INTO ", err));
    DIP_TRY(dip_sql_lexer_table(&dump->lexer, name, err));
    if (strcmp(name, dump->lexer.table) != 0) {
        return dip_sql_lexer_statement(&dump->lexer, err);
    }
    if (dump->table.n_columns == 0) {
        return dip_sql_lexer_expected(&dump->lexer,
                                      "CREATE TABLE, which names the columns, before INSERT", err);
    }
    return read_insert_head(dump, err);
}

/* Reads statements until the table is defined, or until its rows begin. */
static dip_status read_statements(dip_sql_dump *dump, bool until_table, dip_error *err) {
    bool found = false;
    while (!(until_table ? found : dump->in_rows)) {
        char word[DIP_SQL_WORD_BYTES];
        DIP_TRY(dip_sql_lexer_blanks(&dump->lexer, err));
        if (dump->lexer.at == dump->lexer.filled && dump->lexer.ended) {
            return DIP_END;
        }
        DIP_TRY(dip_sql_lexer_word(&dump->lexer, word, err));
        if (strcmp(word, "CREATE") == 0) {
            DIP_TRY(dip_sql_table_read(&dump->table, &found, err));
        } else if (strcmp(word, "INSERT") == 0 || strcmp(word, "REPLACE") == 0) {
            DIP_TRY(read_insert(dump, err));
        } else {
            DIP_TRY(dip_sql_lexer_statement(&dump->lexer, err));
        }
    }
    return DIP_OK;
}

/* The end of the file is the end of the dump only behind mysqldump's last line, if it wrote its
 * first one. */
static dip_status check_end(const dip_sql_dump *dump, dip_error *err) {
    const dip_sql_lexer *lexer = &dump->lexer;
    return lexer->has_head && !lexer->has_tail
               ? dip_sql_lexer_truncated(lexer, "without the line \"-- Dump completed\"", err)
               : DIP_END;
}

/* ---- opening --------------------------------------------------------------------------------- */

static dip_status find_table(dip_sql_dump *dump, dip_error *err) {
    const dip_status status = read_statements(dump, true, err);
    if (status != DIP_END) {
        return status;
    }
    DIP_TRY(check_end(dump, err) == DIP_END ? DIP_OK : DIP_ERR_FORMAT);
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s has no CREATE TABLE for the table %s; is this the right file?",
                    dump->lexer.path, dump->lexer.table);
}

static dip_status open_dump(dip_sql_dump **out, dip_sql_lexer memory, const char *path,
                            const char *table, dip_error *err) {
    dip_sql_dump *dump = dip_alloc(1, sizeof *dump, "an SQL dump", err);
    if (dump == NULL) {
        return DIP_ERR_MEMORY;
    }
    dump->lexer = memory;
    dump->table.lexer = &dump->lexer;
    dip_status status = dip_sql_lexer_init(&dump->lexer, path, table, err);
    if (status == DIP_OK) {
        status = find_table(dump, err);
    }
    if (status != DIP_OK) {
        dip_sql_dump_close(dump);
        return status;
    }
    *out = dump;
    return DIP_OK;
}

dip_status dip_sql_dump_open(dip_sql_dump **dump, const char *path, const char *table,
                             dip_error *err) {
    return open_dump(dump, (dip_sql_lexer){.memory = NULL}, path, table, err);
}

dip_status dip_sql_dump_open_bytes(dip_sql_dump **dump, const void *data, size_t bytes, size_t step,
                                   const char *name, const char *table, dip_error *err) {
    const dip_sql_lexer memory = {
        .memory = data != NULL ? data : "", .memory_bytes = bytes, .step = step > 0 ? step : 1};
    return open_dump(dump, memory, name, table, err);
}

bool dip_sql_dump_has(const dip_sql_dump *dump, const char *column) {
    return dip_sql_table_find(&dump->table, column) < dump->table.n_columns;
}

static dip_status no_such_column(const dip_sql_dump *dump, const char *column, dip_error *err) {
    dip_text list = {0};
    dip_status status = DIP_OK;
    for (size_t i = 0; i < dump->table.n_columns && status == DIP_OK; i++) {
        status = dip_text_printf(&list, err, "%s%.40s", i > 0 ? ", " : "", dump->table.columns[i]);
    }
    if (status == DIP_OK) {
        status = dip_fail(err, DIP_ERR_FORMAT, "%s: the table %s has no column %s; it has %.600s",
                          dump->lexer.path, dump->lexer.table, column, list.data);
    }
    dip_text_free(&list);
    return status;
}

dip_status dip_sql_dump_select(dip_sql_dump *dump, const char *const *columns, size_t n,
                               dip_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (!dip_sql_dump_has(dump, columns[i])) {
            return no_such_column(dump, columns[i], err);
        }
    }
    dip_free(dump->wanted);
    dip_free(dump->values);
    dump->wanted = dip_alloc(n, sizeof *dump->wanted, "wanted columns", err);
    dump->values = dip_alloc(n + 1, sizeof *dump->values, "wanted values", err);
    if (dump->wanted == NULL || dump->values == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        dump->wanted[i] = columns[i];
    }
    dump->n_wanted = n;
    return DIP_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static dip_status wrong_row(dip_sql_dump *dump, const dip_sql_row *row, dip_error *err) {
    char buffer[DIP_SQL_SHOWN_BYTES + 1];
    const uint64_t byte = dump->lexer.base + (uint64_t)(row->at - dump->lexer.buffer);
    const char *column =
        row->column < dump->n_order ? dump->table.columns[dump->order[row->column]] : NULL;
    return dip_sql_lexer_fail(
        &dump->lexer, byte, column, err, "%s is expected, not \"%s\"; the row begins at byte %llu",
        row->problem, dip_sql_shown(row->at, (size_t)(row->end - row->at), buffer),
        (unsigned long long)dump->row_byte);
}

/* One row, from its parenthesis on. */
static dip_status read_row(dip_sql_dump *dump, dip_error *err) {
    dip_sql_lexer *lexer = &dump->lexer;
    for (;;) {
        dump->row_byte = lexer->base + lexer->at;
        dip_sql_row row = {.at = lexer->buffer + lexer->at,
                           .end = lexer->buffer + lexer->filled,
                           .out = dump->out,
                           .n_columns = dump->n_order};
        const dip_sql_scan found = dip_sql_row_scan(&row);
        if (found == DIP_SQL_WHOLE) {
            lexer->at = (size_t)(row.at - lexer->buffer);
            break;
        }
        if (found == DIP_SQL_WRONG) {
            return wrong_row(dump, &row, err);
        }
        if (lexer->ended) {
            return dip_sql_lexer_truncated(lexer, "inside a row", err);
        }
        DIP_TRY(dip_sql_lexer_fill(lexer, err));
    }
    for (size_t w = 0; w < dump->n_wanted; w++) {
        dip_sql_value_decode(&dump->values[w]);
    }
    return DIP_OK;
}

/* Behind a row: a comma and a row, or the end of the statement. */
static dip_status pass_to_row(dip_sql_dump *dump, dip_error *err) {
    dip_sql_lexer *lexer = &dump->lexer;
    char c = '\0';
    bool is_there = false;
    if (lexer->buffer[lexer->at] == ',' && lexer->buffer[lexer->at + 1] == '(') {
        lexer->at++;
        return DIP_OK;
    }
    DIP_TRY(dip_sql_lexer_blanks(lexer, err));
    DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
    if (c == ';') {
        dump->in_rows = false;
    } else if (c != ',') {
        return dip_sql_lexer_expected(&dump->lexer, "a comma and a row, or ; behind the last one",
                                      err);
    }
    lexer->at++;
    return dip_sql_lexer_blanks(lexer, err);
}

dip_status dip_sql_dump_next(dip_sql_dump *dump, const dip_sql_value **values, dip_error *err) {
    if (dump->in_rows) {
        DIP_TRY(pass_to_row(dump, err));
    }
    if (!dump->in_rows) {
        const dip_status status = read_statements(dump, false, err);
        if (status != DIP_OK) {
            return status == DIP_END ? check_end(dump, err) : status;
        }
    }
    DIP_TRY(read_row(dump, err));
    *values = dump->values;
    return DIP_OK;
}

dip_status dip_sql_dump_integer(const dip_sql_dump *dump, size_t wanted, int64_t low, int64_t high,
                                int64_t *number, dip_error *err) {
    const dip_sql_value *value = &dump->values[wanted];
    if (value->kind == DIP_SQL_INTEGER && value->integer >= low && value->integer <= high) {
        *number = value->integer;
        return DIP_OK;
    }
    char buffer[DIP_SQL_SHOWN_BYTES + 1];
    return dip_sql_dump_fail(
        dump, wanted, err, "%s is not a whole number from %lld to %lld",
        value->kind == DIP_SQL_NULL ? "NULL" : dip_sql_shown(value->text, value->length, buffer),
        (long long)low, (long long)high);
}

dip_status dip_sql_dump_text(const dip_sql_dump *dump, size_t wanted, const char **text,
                             size_t *length, dip_error *err) {
    const dip_sql_value *value = &dump->values[wanted];
    if (value->kind == DIP_SQL_NULL) {
        return dip_sql_dump_fail(dump, wanted, err, "NULL where a text must be");
    }
    *text = value->text;
    *length = value->length;
    return DIP_OK;
}

uint64_t dip_sql_dump_position(const dip_sql_dump *dump) {
    return dump->lexer.stream != NULL ? dip_stream_position(dump->lexer.stream)
                                      : dump->lexer.memory_at;
}

uint64_t dip_sql_dump_size(const dip_sql_dump *dump) {
    return dump->lexer.stream != NULL ? dip_stream_size(dump->lexer.stream)
                                      : dump->lexer.memory_bytes;
}

uint64_t dip_sql_dump_sql_bytes(const dip_sql_dump *dump) {
    return dump->lexer.base + dump->lexer.at;
}

void dip_sql_dump_close(dip_sql_dump *dump) {
    if (dump == NULL) {
        return;
    }
    dip_sql_table_free(&dump->table);
    dip_free(dump->wanted);
    dip_free(dump->values);
    dip_free(dump->order);
    dip_free(dump->out);
    dip_sql_lexer_free(&dump->lexer);
    dip_free(dump);
}
