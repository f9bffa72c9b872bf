/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading JSON [RFC 8259] in place, without a tree: records of JSON lines are read once and most of
 * their values are not wanted. The text is valid UTF-8 without NUL bytes, ends with a NUL byte, and
 * DIP_JSON_PADDING further bytes may be read. Functions move `at` and return true, or return false
 * with `problem` set and `at` at the byte in question.
 */
#ifndef DIP_DATA_JSON_TEXT_H
#define DIP_DATA_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { DIP_JSON_PADDING = 8, DIP_JSON_DEPTH = 512 };

typedef struct dip_cursor {
    char *at;
    const char *problem;
} dip_cursor;

static inline void dip_cursor_blanks(dip_cursor *c) {
    while (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n') {
        c->at++;
    }
}

/* Passes one character, and blanks before and behind it. */
bool dip_cursor_pass(dip_cursor *c, char wanted, const char *problem);

/* A string, from its quote on: its characters are decoded in place and end with NUL. */
bool dip_cursor_string(dip_cursor *c, char **text, size_t *length);

/* A number as it is written. */
bool dip_cursor_number(dip_cursor *c, char **text, size_t *length, bool *is_integer);

/* "true", "false" or "null". */
bool dip_cursor_literal(dip_cursor *c, const char *word);

/* Any value, whatever is in it. */
bool dip_cursor_skip(dip_cursor *c);

#endif
