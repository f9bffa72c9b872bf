/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 validation beside utf8proc's decoder, and the spelling distance beside its textbook table.
 */
#include "base/text.h"
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MOST = 63 };

static size_t reference_check(const uint8_t *data, size_t bytes) {
    size_t at = 0;
    while (at < bytes) {
        utf8proc_int32_t point = 0;
        const utf8proc_ssize_t n =
            utf8proc_iterate(data + at, (utf8proc_ssize_t)(bytes - at), &point);
        if (n <= 0) {
            return at;
        }
        at += (size_t)n;
    }
    return bytes;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    const unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

static unsigned reference_distance(const char *a, const char *b) {
    static unsigned table[MOST + 1][MOST + 1];
    const size_t n = strnlen(a, MOST);
    const size_t m = strnlen(b, MOST);
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = (unsigned)(i + j);
                continue;
            }
            const int x = tolower((unsigned char)a[i - 1]);
            const int y = tolower((unsigned char)b[j - 1]);
            table[i][j] =
                smallest(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2])) {
                table[i][j] = smallest(table[i][j], table[i][j], table[i - 2][j - 2] + 1);
            }
        }
    }
    return table[n][m];
}

/* Two texts with a NUL byte between them. */
static void check_distance(const char *text, size_t bytes) {
    const size_t first = strlen(text);
    const char *second = first < bytes ? text + first + 1 : text;
    const unsigned distance = reference_distance(text, second);
    for (unsigned limit = 0; limit < 8; limit++) {
        const unsigned found = dip_spelling_distance(text, second, limit);
        CLAIM(found == (distance <= limit ? distance : limit + 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    char *text = copy_of(data, bytes);
    char *exact = malloc(bytes > 0 ? bytes : 1);
    CLAIM(exact != NULL);
    memcpy(exact, text, bytes);
    CLAIM(dip_utf8_check(exact, bytes) == reference_check(data, bytes));
    check_distance(text, bytes);
    free(exact);
    free(text);
    return 0;
}
