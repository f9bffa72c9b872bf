/* SPDX-License-Identifier: Apache-2.0 */
#include "data/json_text.h"

#include <stdint.h>
#include <string.h>

static bool wrong(dip_cursor *c, const char *problem) {
    c->problem = problem;
    return false;
}

bool dip_cursor_pass(dip_cursor *c, char wanted, const char *problem) {
    dip_cursor_blanks(c);
    if (*c->at != wanted) {
        return wrong(c, problem);
    }
    c->at++;
    dip_cursor_blanks(c);
    return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

static uint64_t all_bytes(unsigned char byte) {
    return UINT64_C(0x0101010101010101) * byte;
}

/* The highest bit of every byte below `limit`; of the bytes behind the first such one, some more
 * may be marked. */
static uint64_t below(uint64_t word, unsigned char limit) {
    return (word - all_bytes(limit)) & ~word & all_bytes(0x80);
}

/* The first quote, backslash or control character. */
static char *find_special(char *at) {
    for (;; at += 8) {
        uint64_t word = 0;
        memcpy(&word, at, sizeof word);
        const uint64_t marks =
            below(word ^ all_bytes('"'), 1) | below(word ^ all_bytes('\\'), 1) | below(word, 0x20);
        if (marks != 0) {
            return at + __builtin_ctzll(marks) / 8;
        }
    }
}

static bool read_hexadecimal(dip_cursor *c, unsigned *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        const char digit = *c->at;
        const int value = digit >= '0' && digit <= '9'   ? digit - '0'
                          : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                          : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                         : -1;
        if (value < 0) {
            return wrong(c, "\\u is followed by four hexadecimal digits");
        }
        *unit = *unit << 4 | (unsigned)value;
    }
    return true;
}

static char *put_point(char *out, unsigned point) {
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *out++ = (char)(0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    }
    return out;
}

/* The digits behind \u, with those of a second half where the first one asks for it. */
static bool read_point(dip_cursor *c, char **out) {
    unsigned first = 0;
    unsigned second = 0;
    if (!read_hexadecimal(c, &first)) {
        return false;
    }
    if (first == 0) {
        return wrong(c, "the character \\u0000 cannot be read");
    }
    if (first < 0xD800 || first > 0xDFFF) {
        *out = put_point(*out, first);
        return true;
    }
    if (first > 0xDBFF || c->at[0] != '\\' || c->at[1] != 'u') {
        return wrong(c, "half of a surrogate pair stands alone");
    }
    c->at += 2;
    if (!read_hexadecimal(c, &second)) {
        return false;
    }
    if (second < 0xDC00 || second > 0xDFFF) {
        return wrong(c, "half of a surrogate pair stands alone");
    }
    *out = put_point(*out, 0x10000 + ((first & 0x3FF) << 10 | (second & 0x3FF)));
    return true;
}

/* What follows a backslash. */
static bool read_escape(dip_cursor *c, char **out) {
    static const char NAMES[] = "\"\\/bfnrt";
    static const char MEANINGS[] = "\"\\/\b\f\n\r\t";
    const char name = *c->at;
    if (name == 'u') {
        c->at++;
        return read_point(c, out);
    }
    const char *found = name != '\0' ? strchr(NAMES, name) : NULL;
    if (found == NULL) {
        return wrong(c, "an unknown escape");
    }
    *(*out)++ = MEANINGS[found - NAMES];
    c->at++;
    return true;
}

/* An escape is never shorter than what it stands for, so what is written stays behind what is
 * read. */
bool dip_cursor_string(dip_cursor *c, char **text, size_t *length) {
    char *out = ++c->at;
    *text = out;
    for (;;) {
        char *stop = find_special(c->at);
        if (out != c->at) {
            memmove(out, c->at, (size_t)(stop - c->at));
        }
        out += stop - c->at;
        c->at = stop;
        if (*stop == '"') {
            break;
        }
        if (*stop != '\\') {
            return wrong(c, *stop == '\0' ? "the text ends inside a string"
                                          : "a control character inside a string");
        }
        c->at++;
        if (!read_escape(c, &out)) {
            return false;
        }
    }
    c->at++;
    *out = '\0';
    *length = (size_t)(out - *text);
    return true;
}

/* ---- numbers and words ----------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool pass_digits(dip_cursor *c) {
    if (!is_digit(*c->at)) {
        return wrong(c, "a digit is missing");
    }
    while (is_digit(*c->at)) {
        c->at++;
    }
    return true;
}

bool dip_cursor_number(dip_cursor *c, char **text, size_t *length, bool *is_integer) {
    *text = c->at;
    *is_integer = true;
    c->at += *c->at == '-';
    if (!is_digit(*c->at)) {
        return wrong(c, "a value is missing");
    }
    if (*c->at == '0' && is_digit(c->at[1])) {
        return wrong(c, "a number begins with 0");
    }
    if (!pass_digits(c)) {
        return false;
    }
    if (*c->at == '.') {
        *is_integer = false;
        c->at++;
        if (!pass_digits(c)) {
            return false;
        }
    }
    if (*c->at == 'e' || *c->at == 'E') {
        *is_integer = false;
        c->at++;
        c->at += *c->at == '+' || *c->at == '-';
        if (!pass_digits(c)) {
            return false;
        }
    }
    *length = (size_t)(c->at - *text);
    return true;
}

bool dip_cursor_literal(dip_cursor *c, const char *word) {
    const size_t length = strlen(word);
    if (strncmp(c->at, word, length) != 0) {
        return wrong(c, "a value is missing");
    }
    c->at += length;
    return true;
}

/* ---- values that are not wanted -------------------------------------------------------------- */

/* What is open around the value: one bit a level, set for an object. */
typedef struct levels {
    uint64_t is_object[DIP_JSON_DEPTH / 64];
    size_t n;
} levels;

static bool top_is_object(const levels *open) {
    const size_t top = open->n - 1;
    return (open->is_object[top / 64] >> (top % 64) & 1) != 0;
}

static bool pass_key(dip_cursor *c) {
    char *text = NULL;
    size_t length = 0;
    if (*c->at != '"') {
        return wrong(c, "a key in quotes is missing");
    }
    return dip_cursor_string(c, &text, &length) && dip_cursor_pass(c, ':', "':' is missing");
}

/* Passes an opening bracket, and the first key behind it. *is_empty: it is closed at once. */
static bool open_level(dip_cursor *c, levels *open, bool *is_empty) {
    const bool is_object = *c->at == '{';
    if (open->n == DIP_JSON_DEPTH) {
        return wrong(c, "too many brackets are open");
    }
    const uint64_t bit = UINT64_C(1) << (open->n % 64);
    uint64_t *word = &open->is_object[open->n / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    open->n++;
    c->at++;
    dip_cursor_blanks(c);
    *is_empty = *c->at == (is_object ? '}' : ']');
    return *is_empty || !is_object || pass_key(c);
}

/* A value that is no bracket. */
static bool skip_scalar(dip_cursor *c) {
    char *text = NULL;
    size_t length = 0;
    bool is_integer = false;
    switch (*c->at) {
    case '"':
        return dip_cursor_string(c, &text, &length);
    case 't':
        return dip_cursor_literal(c, "true");
    case 'f':
        return dip_cursor_literal(c, "false");
    case 'n':
        return dip_cursor_literal(c, "null");
    default:
        return dip_cursor_number(c, &text, &length, &is_integer);
    }
}

/* Behind a value: closes levels, up to a comma, behind which is the next value. */
static bool close_levels(dip_cursor *c, levels *open) {
    while (open->n > 0) {
        const bool is_object = top_is_object(open);
        dip_cursor_blanks(c);
        if (*c->at == ',') {
            c->at++;
            dip_cursor_blanks(c);
            return !is_object || pass_key(c);
        }
        if (*c->at != (is_object ? '}' : ']')) {
            return wrong(c, is_object ? "',' or '}' is missing" : "',' or ']' is missing");
        }
        c->at++;
        open->n--;
    }
    return true;
}

bool dip_cursor_skip(dip_cursor *c) {
    levels open = {{0}, 0};
    do {
        bool is_empty = false;
        if (*c->at == '{' || *c->at == '[') {
            if (!open_level(c, &open, &is_empty)) {
                return false;
            }
            if (!is_empty) {
                continue;
            }
        } else if (!skip_scalar(c)) {
            return false;
        }
        if (!close_levels(c, &open)) {
            return false;
        }
    } while (open.n > 0);
    return true;
}
