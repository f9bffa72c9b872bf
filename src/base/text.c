/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SPELLING_MAX = 63 };

dip_status dip_text_put(dip_text *text, const char *data, size_t length, dip_error *err) {
    DIP_TRY(dip_grow((void **)&text->data, &text->capacity, text->length + length + 1, 1,
                     "a text buffer", err));
    if (length > 0) {
        memcpy(text->data + text->length, data, length);
    }
    text->length += length;
    text->data[text->length] = '\0';
    return DIP_OK;
}

dip_status dip_text_printf(dip_text *text, dip_error *err, const char *format, ...) {
    char small[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return dip_fail(err, DIP_ERR_FAILED, "a text cannot be formatted");
    }
    const size_t kept = (size_t)length < sizeof small ? (size_t)length : sizeof small - 1;
    return dip_text_put(text, small, kept, err);
}

void dip_text_clear(dip_text *text) {
    text->length = 0;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

void dip_text_free(dip_text *text) {
    dip_free(text->data);
    memset(text, 0, sizeof *text);
}

/* The length of the sequence that starts here, or 0 when it is not valid: overlong forms,
 * surrogates and values over U+10FFFF are refused through the range of the second byte. */
static size_t utf8_sequence(const unsigned char *s, size_t left) {
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t length = 0;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        length = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        length = 3;
        low = s[0] == 0xE0 ? 0xA0 : 0x80;
        high = s[0] == 0xED ? 0x9F : 0xBF;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        length = 4;
        low = s[0] == 0xF0 ? 0x90 : 0x80;
        high = s[0] == 0xF4 ? 0x8F : 0xBF;
    }
    if (length == 0 || length > left || s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t dip_utf8_check(const char *data, size_t length) {
    const unsigned char *s = (const unsigned char *)data;
    size_t at = 0;
    while (at < length) {
        uint64_t word = 0;
        if (length - at >= sizeof word) {
            memcpy(&word, s + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        if (s[at] < 0x80) {
            at++;
            continue;
        }
        const size_t step = utf8_sequence(s + at, length - at);
        if (step == 0) {
            return at;
        }
        at += step;
    }
    return length;
}

static unsigned smaller(unsigned a, unsigned b) {
    return a < b ? a : b;
}

static char folded(const char *text, size_t i) {
    return (char)tolower((unsigned char)text[i]);
}

/* Optimal string alignment: three rows of the Damerau-Levenshtein table. */
unsigned dip_spelling_distance(const char *a, const char *b, unsigned limit) {
    const size_t n = strnlen(a, SPELLING_MAX);
    const size_t m = strnlen(b, SPELLING_MAX);
    if ((n > m ? n - m : m - n) > limit) {
        return limit + 1;
    }
    unsigned rows[3][SPELLING_MAX + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *before = rows[(i + 2) % 3];
        const unsigned *older = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            const char x = folded(a, i - 1);
            const char y = folded(b, j - 1);
            now[j] = smaller(smaller(before[j], now[j - 1]) + 1, before[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == folded(b, j - 2) && folded(a, i - 2) == y) {
                now[j] = smaller(now[j], older[j - 2] + 1);
            }
        }
    }
    return smaller(rows[n % 3][m], limit + 1);
}

bool dip_spelling_is_near(const char *wanted, const char *name, unsigned *distance) {
    const unsigned limit = 1 + (unsigned)(strnlen(wanted, SPELLING_MAX) / 4);
    *distance = dip_spelling_distance(wanted, name, limit);
    return *distance <= limit;
}
