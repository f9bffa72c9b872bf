/* SPDX-License-Identifier: Apache-2.0
 *
 * Tab-separated tables, and others without quotes, beside a naive splitter. See tables.h.
 */
#include "fuzz/memory_files.h"
#include "fuzz/tables.h"

#include <stdlib.h>
#include <string.h>

static reference r;

static void split(const char *record, size_t length, const char *delimiter) {
    const size_t width = strlen(delimiter);
    size_t begin = 0;
    size_t at = 0;
    while (at + width <= length) {
        if (memcmp(record + at, delimiter, width) == 0) {
            reference_field(&r, record + begin, at - begin);
            at += width;
            begin = at;
        } else {
            at++;
        }
    }
    reference_field(&r, record + begin, length - begin);
}

static void split_all(const char *text, size_t bytes, const char *delimiter) {
    uint64_t line = 1;
    for (size_t begin = 0; begin < bytes; line++) {
        size_t end = begin;
        while (end < bytes && text[end] != '\n') {
            end++;
        }
        const size_t length = end - begin - (end > begin && text[end - 1] == '\r');
        if (length > 0) {
            reference_record(&r, line);
            split(text + begin, length, delimiter);
            if (!reference_accepts(&r, text + begin, length)) {
                return;
            }
        }
        begin = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const char *const DELIMITERS[] = {";", "::", "aab"};
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
    memory_file_put("input.tsv", in.at, in.left);
    reference_begin(&r, &dialect);
    split_all(text, length, dialect.delimiter != NULL ? dialect.delimiter : "\t");
    check_table("input.tsv", &dialect, &r, pick);
    free(text);
    return 0;
}
