/* SPDX-License-Identifier: Apache-2.0
 *
 * Text helpers: a growing buffer, UTF-8 validation, and the spelling distance behind "did you
 * mean".
 */
#ifndef DIP_BASE_TEXT_H
#define DIP_BASE_TEXT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Always NUL-terminated once something was put in. Zero-initialise; free with dip_text_free. */
typedef struct dip_text {
    char *data;
    size_t length;
    size_t capacity;
} dip_text;

dip_status dip_text_put(dip_text *text, const char *data, size_t length, dip_error *err);
dip_status dip_text_printf(dip_text *text, dip_error *err, const char *format, ...)
    DIP_PRINTF(3, 4);
void dip_text_clear(dip_text *text);
void dip_text_free(dip_text *text);

/* The offset of the first byte that is not valid UTF-8 (RFC 3629), or length when all is well. */
size_t dip_utf8_check(const char *data, size_t length);

/* Edits (insert, delete, replace, swap neighbours) between two texts, letter case ignored; counts
 * up to limit + 1 and compares at most the first 63 bytes. */
unsigned dip_spelling_distance(const char *a, const char *b, unsigned limit);

/* Whether `name` is close enough to `wanted` to be what was meant. */
bool dip_spelling_is_near(const char *wanted, const char *name, unsigned *distance);

#endif
