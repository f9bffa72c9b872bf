/* SPDX-License-Identifier: Apache-2.0
 *
 * Nearly all time goes into two loops: digits of numbers, which a byte that is no digit ends (the
 * NUL behind the buffer at the latest), and the search for a quote or backslash in a text, which
 * looks at eight bytes at once.
 */
#include "import/sql_row.h"

#include <string.h>

enum { FORM_PLAIN, FORM_ESCAPED, FORM_HEX };

#define REPEAT(byte) (UINT64_C(0x0101010101010101) * (unsigned char)(byte))

/* Not 0 when some byte of a word is 0 (the well-known test by borrows). */
static inline uint64_t zero_bytes(uint64_t word) {
    return (word - REPEAT(0x01)) & ~word & REPEAT(0x80);
}

static inline bool is_digit(char c) {
    return (unsigned char)(c - '0') < 10;
}

static inline int hex_digit(char c) {
    const char lower = (char)(c | 0x20);
    return is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_letter(char c) {
    return is_digit(c) || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The first quote or backslash, or end. */
static inline char *find_special(char *at, const char *end, char quote) {
    while (end - at >= 8) {
        uint64_t word = 0;
        memcpy(&word, at, sizeof word);
        if (zero_bytes(word ^ REPEAT(quote)) | zero_bytes(word ^ REPEAT('\\'))) {
            break;
        }
        at += 8;
    }
    while (at < end && *at != quote && *at != '\\') {
        at++;
    }
    return at;
}

static dip_sql_scan wrong(dip_sql_row *row, const char *problem) {
    row->problem = problem;
    return DIP_SQL_WRONG;
}

/* 'text' or "text", from the quote on. */
static dip_sql_scan scan_quoted(dip_sql_row *row, dip_sql_value *value) {
    const char quote = *row->at;
    char *const start = row->at + 1;
    char *at = find_special(start, row->end, quote);
    value->form = FORM_PLAIN;
    for (;;) {
        if (row->end - at < 2) {
            return DIP_SQL_MORE;
        }
        if (*at == quote && at[1] != quote) {
            break;
        }
        value->form = FORM_ESCAPED;
        at = find_special(at + 2, row->end, quote);
    }
    value->kind = DIP_SQL_TEXT;
    value->text = start;
    value->length = (size_t)(at - start);
    row->at = at + 1;
    return DIP_SQL_WHOLE;
}

/* Hexadecimal digits up to a byte that is none; `row->at` is the first digit. */
static dip_sql_scan scan_hex(dip_sql_row *row, dip_sql_value *value) {
    char *at = row->at;
    while (hex_digit(*at) >= 0) {
        at++;
    }
    if (at >= row->end) {
        return DIP_SQL_MORE;
    }
    value->kind = DIP_SQL_TEXT;
    value->form = FORM_HEX;
    value->text = row->at;
    value->length = (size_t)(at - row->at);
    row->at = at;
    return DIP_SQL_WHOLE;
}

/* x'AB', from the x on; the quote is there. */
static dip_sql_scan scan_quoted_hex(dip_sql_row *row, dip_sql_value *value) {
    row->at += 2;
    const dip_sql_scan found = scan_hex(row, value);
    if (found != DIP_SQL_WHOLE) {
        return found;
    }
    if (*row->at != '\'') {
        return wrong(row, "hexadecimal digits and a quote");
    }
    row->at++;
    return DIP_SQL_WHOLE;
}

static inline char *skip_digits(char *at) {
    while (is_digit(*at)) {
        at++;
    }
    return at;
}

/* Fractions, exponents and numbers beyond 64 bits, from behind the first digits on. */
static dip_sql_scan scan_decimal(dip_sql_row *row, dip_sql_value *value, char *start, char *at) {
    size_t digits = (size_t)(at - start) - (*start == '-' || *start == '+');
    if (*at == '.') {
        char *const point = at;
        at = skip_digits(at + 1);
        digits += (size_t)(at - point) - 1;
    }
    if (digits > 0 && (*at | 0x20) == 'e') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        digits = (size_t)is_digit(*at);
        at = skip_digits(at);
    }
    if (at >= row->end) {
        return DIP_SQL_MORE;
    }
    row->at = at;
    if (digits == 0) {
        return wrong(row, "a number");
    }
    value->kind = DIP_SQL_DECIMAL;
    value->form = FORM_PLAIN;
    value->text = start;
    value->length = (size_t)(at - start);
    return DIP_SQL_WHOLE;
}

static inline dip_sql_scan scan_number(dip_sql_row *row, dip_sql_value *value) {
    enum { SAFE_DIGITS = 18 }; /* of these every number fits 64 bits */
    char *const start = row->at;
    char *const first = start + (*start == '-' || *start == '+');
    char *at = first;
    int64_t number = 0;
    while (is_digit(*at) && at - first < SAFE_DIGITS) {
        number = 10 * number + (*at - '0');
        at++;
    }
    if (at >= row->end) {
        return DIP_SQL_MORE;
    }
    if (at == first || is_digit(*at) || *at == '.' || (*at | 0x20) == 'e') {
        return scan_decimal(row, value, start, skip_digits(at));
    }
    value->kind = DIP_SQL_INTEGER;
    value->form = FORM_PLAIN;
    value->integer = *start == '-' ? -number : number;
    value->text = start;
    value->length = (size_t)(at - start);
    row->at = at;
    return DIP_SQL_WHOLE;
}

static bool word_is(const char *at, size_t length, const char *word) {
    if (length != strlen(word)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        const char c = at[i] >= 'a' && at[i] <= 'z' ? (char)(at[i] - 'a' + 'A') : at[i];
        if (c != word[i]) {
            return false;
        }
    }
    return true;
}

/* A text behind the name of a character set. */
static dip_sql_scan scan_introduced(dip_sql_row *row, dip_sql_value *value) {
    if (row->end - row->at < 2) {
        return DIP_SQL_MORE;
    }
    if (*row->at == '\'' || *row->at == '"') {
        return scan_quoted(row, value);
    }
    if ((*row->at | 0x20) == 'x' && row->at[1] == '\'') {
        return scan_quoted_hex(row, value);
    }
    if (*row->at == '0' && (row->at[1] | 0x20) == 'x') {
        row->at += 2;
        return scan_hex(row, value);
    }
    return wrong(row, "a text behind a character set");
}

/* NULL, TRUE, FALSE, x'AB', or a character set and then a text. */
static dip_sql_scan scan_word(dip_sql_row *row, dip_sql_value *value) {
    char *const start = row->at;
    char *at = start;
    while (is_letter(*at)) {
        at++;
    }
    if (at >= row->end) {
        return DIP_SQL_MORE;
    }
    const size_t length = (size_t)(at - start);
    if (length == 1 && (*start | 0x20) == 'x' && *at == '\'') {
        return scan_quoted_hex(row, value);
    }
    if (*start == '_') {
        row->at = at + (*at == ' ');
        return scan_introduced(row, value);
    }
    value->form = FORM_PLAIN;
    value->text = start;
    value->length = length;
    value->integer = length == strlen("TRUE");
    row->at = at;
    if (word_is(start, length, "NULL")) {
        value->kind = DIP_SQL_NULL;
        return DIP_SQL_WHOLE;
    }
    if (word_is(start, length, "TRUE") || word_is(start, length, "FALSE")) {
        value->kind = DIP_SQL_INTEGER;
        return DIP_SQL_WHOLE;
    }
    row->at = start;
    return wrong(row, "a value");
}

static inline dip_sql_scan scan_value(dip_sql_row *row, dip_sql_value *value) {
    const char c = *row->at;
    if (is_digit(c) || c == '-' || c == '+' || c == '.') {
        if (c == '0' && (row->at[1] | 0x20) == 'x') {
            row->at += 2;
            return scan_hex(row, value);
        }
        return scan_number(row, value);
    }
    if (c == '\'' || c == '"') {
        return scan_quoted(row, value);
    }
    if (is_letter(c)) {
        return scan_word(row, value);
    }
    return row->at >= row->end ? DIP_SQL_MORE : wrong(row, "a value");
}

static inline char *skip_blanks(char *at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
        at++;
    }
    return at;
}

dip_sql_scan dip_sql_row_scan(dip_sql_row *row) {
    if (*row->at != '(') {
        return row->at >= row->end ? DIP_SQL_MORE : wrong(row, "(");
    }
    row->at++;
    for (row->column = 0; row->column < row->n_columns; row->column++) {
        const char after = row->column + 1 < row->n_columns ? ',' : ')';
        row->at = skip_blanks(row->at);
        const dip_sql_scan found = scan_value(row, row->out[row->column]);
        if (found != DIP_SQL_WHOLE) {
            return found;
        }
        row->at = skip_blanks(row->at);
        if (*row->at != after) {
            return row->at >= row->end ? DIP_SQL_MORE
                   : after == ','      ? wrong(row, "a comma and the next value")
                                       : wrong(row, ") behind the last value");
        }
        row->at++;
    }
    return DIP_SQL_WHOLE;
}

static char unescaped(char c) {
    switch (c) {
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return 26;
    default:
        return c;
    }
}

/* A text that was scanned lies in the scanner's buffer, which may be written. */
static char *writable(const char *text) {
    union {
        const char *in;
        char *out;
    } cast = {text};
    return cast.out;
}

/* The only quotes inside are doubled ones: behind a quote of the kind that encloses the text stands
 * another. That kind stands right before the text. */
static size_t undo_escapes(char *text, size_t length) {
    const char quote = text[-1];
    size_t to = 0;
    for (size_t from = 0; from < length; from++, to++) {
        char c = text[from];
        if (c == quote) {
            from++;
        } else if (c == '\\') {
            c = text[++from];
            if (c == '%' || c == '_') {
                text[to++] = '\\';
            } else {
                c = unescaped(c);
            }
        }
        text[to] = c;
    }
    return to;
}

/* An odd number of digits has a 0 before the first. */
static size_t undo_hex(char *text, size_t length) {
    size_t to = 0;
    size_t from = 0;
    int high = 0;
    if (length % 2 == 1) {
        text[to++] = (char)hex_digit(text[from++]);
    }
    for (; from < length; from += 2, to++) {
        high = hex_digit(text[from]);
        text[to] = (char)(16 * high + hex_digit(text[from + 1]));
    }
    return to;
}

void dip_sql_value_decode(dip_sql_value *value) {
    if (value->form == FORM_PLAIN) {
        return;
    }
    char *text = writable(value->text);
    value->length = value->form == FORM_ESCAPED ? undo_escapes(text, value->length)
                                                : undo_hex(text, value->length);
    value->form = FORM_PLAIN;
}
