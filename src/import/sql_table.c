/* SPDX-License-Identifier: Apache-2.0 */
#include "import/sql_table.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

size_t dip_sql_table_find(const dip_sql_table *table, const char *name) {
    size_t column = 0;
    while (column < table->n_columns && strcmp(table->columns[column], name) != 0) {
        column++;
    }
    return column;
}

static dip_status add_column(dip_sql_table *table, const char *name, dip_error *err) {
    if (table->n_columns == DIP_SQL_COLUMN_LIMIT ||
        dip_sql_table_find(table, name) < table->n_columns) {
        char buffer[DIP_SQL_SHOWN_BYTES + 1];
        return dip_sql_lexer_fail(table->lexer, table->lexer->base + table->lexer->at, NULL, err,
                                  "column \"%s\" %s", dip_sql_shown(name, strlen(name), buffer),
                                  table->n_columns == DIP_SQL_COLUMN_LIMIT ? "is one too many"
                                                                           : "is defined twice");
    }
    DIP_TRY(dip_grow((void **)&table->columns, &table->column_capacity, table->n_columns + 1,
                     sizeof *table->columns, "column names", err));
    char *copy = dip_copy_text(name, strlen(name), "a column's name", err);
    if (copy == NULL) {
        return DIP_ERR_MEMORY;
    }
    table->columns[table->n_columns++] = copy;
    return DIP_OK;
}

/* Whether a definition begins a key or condition and not a column; those names are reserved. */
static bool is_key_word(const char *name) {
    static const char WORDS[] =
        " PRIMARY UNIQUE KEY INDEX FULLTEXT SPATIAL CONSTRAINT FOREIGN CHECK PERIOD "
        "primary unique key index fulltext spatial constraint foreign check period ";
    char spaced[DIP_SQL_NAME_LIMIT + 2];
    snprintf(spaced, sizeof spaced, " %s ", name);
    return strstr(WORDS, spaced) != NULL;
}

/* The name that a definition begins with, when it is that of a column. */
static dip_status read_definition(dip_sql_table *table, dip_error *err) {
    char name[DIP_SQL_NAME_LIMIT];
    char c = '\0';
    bool is_there = false;
    DIP_TRY(dip_sql_lexer_blanks(table->lexer, err));
    DIP_TRY(dip_sql_lexer_peek(table->lexer, &c, &is_there, err));
    DIP_TRY(dip_sql_lexer_name(table->lexer, name, err));
    const bool is_quoted = c == '`' || c == '"';
    if (name[0] == '\0') {
        return dip_sql_lexer_expected(table->lexer, "a column's name", err);
    }
    return !is_quoted && is_key_word(name) ? DIP_OK : add_column(table, name, err);
}

/* The rest of a definition, up to and with the comma or parenthesis that ends it. */
static dip_status skip_definition(dip_sql_table *table, char *end, dip_error *err) {
    size_t depth = 0;
    for (;;) {
        char c = '\0';
        bool is_there = false;
        DIP_TRY(dip_sql_lexer_blanks(table->lexer, err));
        DIP_TRY(dip_sql_lexer_peek(table->lexer, &c, &is_there, err));
        if (!is_there) {
            return dip_sql_lexer_truncated(table->lexer, "inside the definition of the table", err);
        }
        if (c == '\'' || c == '"' || c == '`') {
            DIP_TRY(dip_sql_lexer_quoted(table->lexer, c, err));
            continue;
        }
        table->lexer->at++;
        if (depth == 0 && (c == ',' || c == ')')) {
            *end = c;
            return DIP_OK;
        }
        depth += c == '(';
        depth -= c == ')';
    }
}

dip_status dip_sql_table_read(dip_sql_table *table, bool *found, dip_error *err) {
    char word[DIP_SQL_WORD_BYTES];
    char name[DIP_SQL_NAME_LIMIT];
    char end = ',';
    DIP_TRY(dip_sql_lexer_words(table->lexer, " OR REPLACE TEMPORARY ", err));
    DIP_TRY(dip_sql_lexer_word(table->lexer, word, err));
    if (strcmp(word, "TABLE") != 0) {
        return dip_sql_lexer_statement(table->lexer, err);
    }
    DIP_TRY(dip_sql_lexer_words(table->lexer, " IF NOT EXISTS ", err));
    DIP_TRY(dip_sql_lexer_table(table->lexer, name, err));
    if (strcmp(name, table->lexer->table) != 0) {
        return dip_sql_lexer_statement(table->lexer, err);
    }
    if (table->n_columns > 0) {
        return dip_sql_lexer_fail(table->lexer, table->lexer->base + table->lexer->at, NULL, err,
                                  "the table is defined twice");
    }
    DIP_TRY(dip_sql_lexer_take(table->lexer, '(', "( and the columns", err));
    while (end == ',') {
        DIP_TRY(read_definition(table, err));
        DIP_TRY(skip_definition(table, &end, err));
    }
    *found = true;
    return dip_sql_lexer_statement(table->lexer, err);
}

void dip_sql_table_free(dip_sql_table *table) {
    for (size_t i = 0; i < table->n_columns; i++) {
        dip_free(table->columns[i]);
    }
    dip_free(table->columns);
}
