/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV beside a naive reader of RFC 4180. See tables.h.
 */
#include "fuzz/memory_files.h"
#include "fuzz/tables.h"

#include <stdlib.h>
#include <string.h>

static reference r;

/* A field in quotes; *at moves from its opening quote to what stands behind the closing one. */
static void unquote(const char *record, size_t length, size_t *at) {
    char *text = malloc(length);
    size_t n = 0;
    CLAIM(text != NULL);
    for (++*at; *at < length; ++*at) {
        if (record[*at] == '"' && (*at + 1 == length || record[*at + 1] != '"')) {
            ++*at;
            break;
        }
        *at += record[*at] == '"';
        text[n++] = record[*at];
    }
    reference_field(&r, text, n);
    free(text);
}

/* False when a quote stands where none may. */
static bool split(const char *record, size_t length, char separator) {
    size_t at = 0;
    for (;;) {
        if (at < length && record[at] == '"') {
            unquote(record, length, &at);
        } else {
            const size_t begin = at;
            while (at < length && record[at] != separator && record[at] != '"') {
                at++;
            }
            reference_field(&r, record + begin, at - begin);
        }
        if (at == length) {
            return true;
        }
        if (record[at++] != separator) {
            return false;
        }
    }
}

static void give_up(void) {
    r.n_fields = r.first[--r.n_records];
    r.is_whole = false;
}

static void split_all(const char *text, size_t bytes, char separator) {
    uint64_t line = 1;
    for (size_t begin = 0; begin < bytes;) {
        size_t end = begin;
        uint64_t breaks = 0;
        bool in_quotes = false;
        for (; end < bytes && (text[end] != '\n' || in_quotes); end++) {
            in_quotes ^= text[end] == '"';
            breaks += text[end] == '\n';
        }
        const size_t length = end - begin - (end > begin && text[end - 1] == '\r');
        if (length > 0 || in_quotes) {
            reference_record(&r, line);
            if (in_quotes || memchr(text + begin, '\0', length) != NULL ||
                !split(text + begin, length, separator)) {
                give_up();
                return;
            }
            if (!reference_accepts(&r, text + begin, length)) {
                return;
            }
        }
        line += breaks + 1;
        begin = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const char *const DELIMITERS[] = {";", "\t", "|"};
    static bool is_ready;
    input in = {data, bytes < 2048 ? bytes : 2048};
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    const dip_dialect dialect = choose_dialect(take_byte(&in), DELIMITERS, 3);
    const uint8_t pick = take_byte(&in);
    size_t length = 0;
    char *text = decoded(&in, dialect.encoding == DIP_ENCODING_LATIN1, &length);
    memory_file_put("input.csv", in.at, in.left);
    reference_begin(&r, &dialect);
    split_all(text, length, dialect.delimiter != NULL ? dialect.delimiter[0] : ',');
    check_table("input.csv", &dialect, &r, pick);
    free(text);
    return 0;
}
