/* SPDX-License-Identifier: Apache-2.0 */
#include "import/sql_lexer.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BUFFER = 1 << 18, MEMORY_BUFFER = 1 << 12 };

dip_status dip_sql_lexer_fail(const dip_sql_lexer *lexer, uint64_t byte, const char *column,
                              dip_error *err, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_fail(err, DIP_ERR_FORMAT, "%s: byte %llu of the SQL text: table %s%s%s: %s",
                    lexer->path, (unsigned long long)byte, lexer->table,
                    column != NULL ? ", column " : "", column != NULL ? column : "", text);
}

dip_status dip_sql_lexer_truncated(const dip_sql_lexer *lexer, const char *where, dip_error *err) {
    return dip_sql_lexer_fail(lexer, lexer->base + lexer->filled, NULL, err,
                              "the dump ends %s; it is truncated: fetch it again", where);
}

const char *dip_sql_shown(const char *text, size_t length, char buffer[DIP_SQL_SHOWN_BYTES + 1]) {
    const size_t n = length < DIP_SQL_SHOWN_BYTES ? length : DIP_SQL_SHOWN_BYTES;
    for (size_t i = 0; i < n; i++) {
        buffer[i] = '?';
        if (text[i] >= ' ' && text[i] <= '~') {
            buffer[i] = text[i];
        }
    }
    buffer[n] = '\0';
    return buffer;
}

dip_status dip_sql_lexer_expected(const dip_sql_lexer *lexer, const char *what, dip_error *err) {
    char buffer[DIP_SQL_SHOWN_BYTES + 1];
    if (lexer->at == lexer->filled && lexer->ended) {
        return dip_sql_lexer_truncated(lexer, "inside a statement", err);
    }
    return dip_sql_lexer_fail(
        lexer, lexer->base + lexer->at, NULL, err, "%s is expected, not \"%s\"", what,
        dip_sql_shown(lexer->buffer + lexer->at, lexer->filled - lexer->at, buffer));
}

dip_status dip_sql_lexer_init(dip_sql_lexer *lexer, const char *path, const char *table,
                              dip_error *err) {
    lexer->capacity = lexer->memory != NULL ? MEMORY_BUFFER : FILE_BUFFER;
    lexer->path = dip_copy_text(path, strlen(path), "a path", err);
    lexer->table = dip_copy_text(table, strlen(table), "a table's name", err);
    lexer->buffer = dip_alloc(lexer->capacity, 1, "an SQL statement", err);
    if (lexer->path == NULL || lexer->table == NULL || lexer->buffer == NULL) {
        return DIP_ERR_MEMORY;
    }
    return lexer->memory == NULL ? dip_stream_open(&lexer->stream, path, err) : DIP_OK;
}

void dip_sql_lexer_free(dip_sql_lexer *lexer) {
    dip_stream_close(lexer->stream);
    dip_free(lexer->path);
    dip_free(lexer->table);
    dip_free(lexer->buffer);
    memset(lexer, 0, sizeof *lexer);
}

static dip_status read_some(dip_sql_lexer *lexer, void *data, size_t capacity, size_t *got,
                            dip_error *err) {
    if (lexer->stream != NULL) {
        return dip_stream_read(lexer->stream, data, capacity, got, err);
    }
    const size_t left = lexer->memory_bytes - lexer->memory_at;
    *got = left < lexer->step ? left : lexer->step;
    *got = *got < capacity ? *got : capacity;
    if (*got > 0) {
        memcpy(data, lexer->memory + lexer->memory_at, *got);
    }
    lexer->memory_at += *got;
    return DIP_OK;
}

/* The buffer is never more than half full before a read, so that a long row takes few reads. */
dip_status dip_sql_lexer_fill(dip_sql_lexer *lexer, dip_error *err) {
    size_t got = 0;
    memmove(lexer->buffer, lexer->buffer + lexer->at, lexer->filled - lexer->at);
    lexer->base += lexer->at;
    lexer->filled -= lexer->at;
    lexer->at = 0;
    if (lexer->filled > DIP_SQL_ROW_LIMIT) {
        return dip_sql_lexer_fail(lexer, lexer->base, NULL, err,
                                  "a row is longer than %d MiB; is a quote missing?",
                                  DIP_SQL_ROW_LIMIT >> 20);
    }
    if (2 * lexer->filled >= lexer->capacity) {
        DIP_TRY(dip_grow((void **)&lexer->buffer, &lexer->capacity, 2 * lexer->capacity, 1,
                         "an SQL statement", err));
    }
    DIP_TRY(read_some(lexer, lexer->buffer + lexer->filled, lexer->capacity - lexer->filled - 1,
                      &got, err));
    lexer->filled += got;
    lexer->buffer[lexer->filled] = '\0';
    lexer->ended = got == 0;
    return DIP_OK;
}

/* Makes n bytes stand in the buffer, fewer only at the end of the dump. n is small. */
static dip_status need(dip_sql_lexer *lexer, size_t n, dip_error *err) {
    while (lexer->filled - lexer->at < n && !lexer->ended) {
        DIP_TRY(dip_sql_lexer_fill(lexer, err));
    }
    return DIP_OK;
}

dip_status dip_sql_lexer_peek(dip_sql_lexer *lexer, char *c, bool *is_there, dip_error *err) {
    DIP_TRY(need(lexer, 1, err));
    *is_there = lexer->at < lexer->filled;
    *c = *is_there ? lexer->buffer[lexer->at] : '\0';
    return DIP_OK;
}

/* Whether the text goes on with a word. */
static dip_status follows(dip_sql_lexer *lexer, const char *text, bool *does, dip_error *err) {
    const size_t length = strlen(text);
    DIP_TRY(need(lexer, length, err));
    *does =
        lexer->filled - lexer->at >= length && memcmp(lexer->buffer + lexer->at, text, length) == 0;
    return DIP_OK;
}

/* Takes everything up to and with a mark of one or two characters. */
static dip_status skip_past(dip_sql_lexer *lexer, const char *mark, const char *where,
                            dip_error *err) {
    const size_t length = strlen(mark);
    for (;;) {
        DIP_TRY(need(lexer, length, err));
        if (lexer->filled - lexer->at < length) {
            lexer->at = lexer->filled;
            return where != NULL ? dip_sql_lexer_truncated(lexer, where, err) : DIP_OK;
        }
        char *from = lexer->buffer + lexer->at;
        char *found = memchr(from, mark[0], lexer->filled - lexer->at - (length - 1));
        if (found == NULL) {
            lexer->at = lexer->filled - (length - 1);
        } else if (length == 2 && found[1] != mark[1]) {
            lexer->at = (size_t)(found + 1 - lexer->buffer);
        } else {
            lexer->at = (size_t)(found - lexer->buffer) + length;
            return DIP_OK;
        }
    }
}

/* A comment to the end of its line. mysqldump's first and last ones are remembered. */
static dip_status skip_line_comment(dip_sql_lexer *lexer, dip_error *err) {
    bool is_head[2] = {false, false};
    bool is_tail = false;
    DIP_TRY(follows(lexer, "-- MySQL dump", &is_head[0], err));
    DIP_TRY(follows(lexer, "-- MariaDB dump", &is_head[1], err));
    DIP_TRY(follows(lexer, "-- Dump completed", &is_tail, err));
    lexer->has_head |= is_head[0] || is_head[1];
    lexer->has_tail |= is_tail;
    return skip_past(lexer, "\n", NULL, err);
}

/* Blanks and comments. Of the kinds of comment, those that begin with / * ! hold statements for
 * some servers: settings, which do not matter here. */
dip_status dip_sql_lexer_blanks(dip_sql_lexer *lexer, dip_error *err) {
    for (;;) {
        char c = '\0';
        bool is_there = false;
        bool is_dashes = false;
        bool is_block = false;
        DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            lexer->at++;
            continue;
        }
        if (c == '-') {
            DIP_TRY(follows(lexer, "--", &is_dashes, err));
        } else if (c == '/') {
            DIP_TRY(follows(lexer, "/*", &is_block, err));
        }
        if (is_dashes || c == '#') {
            DIP_TRY(skip_line_comment(lexer, err));
        } else if (is_block) {
            lexer->at += 2;
            DIP_TRY(skip_past(lexer, "*/", "inside a comment", err));
        } else {
            return DIP_OK;
        }
    }
}

/* In backticks a backslash is a backslash. A doubled quote is an end and another beginning. */
dip_status dip_sql_lexer_quoted(dip_sql_lexer *lexer, char quote, dip_error *err) {
    lexer->at++;
    for (;;) {
        char c = '\0';
        bool is_there = false;
        DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
        if (!is_there) {
            return dip_sql_lexer_truncated(lexer, "inside quotes", err);
        }
        lexer->at++;
        if (c == quote) {
            return DIP_OK;
        }
        if (c == '\\' && quote != '`') {
            DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
            lexer->at += is_there;
        }
    }
}

dip_status dip_sql_lexer_statement(dip_sql_lexer *lexer, dip_error *err) {
    for (;;) {
        char c = '\0';
        bool is_there = false;
        DIP_TRY(dip_sql_lexer_blanks(lexer, err));
        DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
        if (!is_there) {
            return dip_sql_lexer_truncated(lexer, "inside a statement", err);
        }
        if (c == '\'' || c == '"' || c == '`') {
            DIP_TRY(dip_sql_lexer_quoted(lexer, c, err));
            continue;
        }
        lexer->at++;
        if (c == ';') {
            return DIP_OK;
        }
    }
}

static bool is_word_byte(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80) != 0;
}

/* What exceeds the space makes it no name that anyone asks for, and is dropped. */
dip_status dip_sql_lexer_name(dip_sql_lexer *lexer, char name[DIP_SQL_NAME_LIMIT], dip_error *err) {
    char quote = '\0';
    char c = '\0';
    bool is_there = false;
    size_t length = 0;
    DIP_TRY(dip_sql_lexer_blanks(lexer, err));
    DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
    if (c == '`' || c == '"') {
        quote = c;
        lexer->at++;
    }
    for (;;) {
        DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
        if (!is_there && quote != '\0') {
            return dip_sql_lexer_truncated(lexer, "inside a name", err);
        }
        if (quote == '\0' && (!is_there || !is_word_byte(c))) {
            break;
        }
        lexer->at++;
        if (quote != '\0' && c == quote) {
            DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
            if (c != quote) {
                break;
            }
            lexer->at++;
        }
        if (length + 1 < DIP_SQL_NAME_LIMIT) {
            name[length++] = c;
        }
    }
    name[length] = '\0';
    return DIP_OK;
}

dip_status dip_sql_lexer_word(dip_sql_lexer *lexer, char word[DIP_SQL_WORD_BYTES], dip_error *err) {
    char c = '\0';
    bool is_there = false;
    size_t length = 0;
    DIP_TRY(dip_sql_lexer_blanks(lexer, err));
    DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
    while (is_there && is_word_byte(c)) {
        if (length + 1 < DIP_SQL_WORD_BYTES) {
            word[length++] = (char)toupper((unsigned char)c);
        }
        lexer->at++;
        DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
    }
    word[length] = '\0';
    return DIP_OK;
}

dip_status dip_sql_lexer_words(dip_sql_lexer *lexer, const char *list, dip_error *err) {
    for (;;) {
        char word[DIP_SQL_WORD_BYTES];
        char spaced[DIP_SQL_WORD_BYTES + 2];
        DIP_TRY(dip_sql_lexer_blanks(lexer, err));
        DIP_TRY(need(lexer, DIP_SQL_WORD_BYTES, err));
        const size_t at = lexer->at;
        const char *text = lexer->buffer + at;
        size_t length = 0;
        while (length + 1 < DIP_SQL_WORD_BYTES && is_word_byte(text[length])) {
            word[length] = (char)toupper((unsigned char)text[length]);
            length++;
        }
        word[length] = '\0';
        snprintf(spaced, sizeof spaced, " %s ", word);
        if (length == 0 || strstr(list, spaced) == NULL) {
            return DIP_OK;
        }
        lexer->at += length;
    }
}

dip_status dip_sql_lexer_table(dip_sql_lexer *lexer, char name[DIP_SQL_NAME_LIMIT],
                               dip_error *err) {
    char c = '\0';
    bool is_there = false;
    DIP_TRY(dip_sql_lexer_name(lexer, name, err));
    DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
    if (c == '.') {
        lexer->at++;
        DIP_TRY(dip_sql_lexer_name(lexer, name, err));
    }
    return DIP_OK;
}

dip_status dip_sql_lexer_take(dip_sql_lexer *lexer, char wanted, const char *what, dip_error *err) {
    char c = '\0';
    bool is_there = false;
    DIP_TRY(dip_sql_lexer_blanks(lexer, err));
    DIP_TRY(dip_sql_lexer_peek(lexer, &c, &is_there, err));
    if (c != wanted) {
        return dip_sql_lexer_expected(lexer, what, err);
    }
    lexer->at++;
    return DIP_OK;
}
