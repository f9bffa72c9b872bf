/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON lines beside jansson: a byte for the size of blocks and the ways, then the file. The keys of
 * the first record are wanted, some of them twice, with a separator for lists or without.
 */
#include "base/number.h"
#include "base/text.h"
#include "data/reader.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WANTED = 8 };

typedef struct wish {
    char *name[WANTED];
    size_t column[WANTED];
    const char *separator[WANTED];
    size_t n;
} wish;

/* What jansson has to say about a line. */
typedef enum verdict { REFUSES, IS_UNSURE, ACCEPTS } verdict;

/* jansson knows integers up to 64 bits only, and depths that we do not. */
static verdict judge(const char *line, size_t length, json_t **json) {
    json_error_t problem = {0};
    *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &problem);
    if (*json != NULL) {
        return json_is_object(*json) ? ACCEPTS : REFUSES;
    }
    const enum json_error_code code = json_error_code(&problem);
    return code == json_error_numeric_overflow || code == json_error_duplicate_key ||
                   code == json_error_stack_overflow
               ? IS_UNSURE
               : REFUSES;
}

/* The text of a plain value; false when it is none, or shows it in more than one way. */
static bool plain_text(const json_t *value, char *text, size_t capacity) {
    text[0] = '\0';
    if (json_is_string(value)) {
        return json_string_length(value) < capacity &&
               snprintf(text, capacity, "%s", json_string_value(value)) >= 0;
    }
    if (json_is_real(value)) {
        dip_print_number(json_real_value(value), text);
        return json_real_value(value) != 0;
    }
    if (json_is_integer(value)) {
        snprintf(text, capacity, "%lld", (long long)json_integer_value(value));
        return json_integer_value(value) != 0;
    }
    if (json_is_boolean(value)) {
        snprintf(text, capacity, "%s", json_is_true(value) ? "true" : "false");
    }
    return !json_is_array(value) && !json_is_object(value);
}

static bool list_text(const json_t *list, const char *separator, dip_text *text) {
    bool is_first = true;
    dip_text_clear(text);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char element[2048];
        const json_t *value = json_array_get(list, i);
        if (!plain_text(value, element, sizeof element)) {
            return false;
        }
        if (json_is_null(value)) {
            continue;
        }
        CLAIM(is_first || dip_text_put(text, separator, strlen(separator), NULL) == DIP_OK);
        CLAIM(dip_text_put(text, element, strlen(element), NULL) == DIP_OK);
        is_first = false;
    }
    return true;
}

/* Every field whose text jansson can tell is that text. */
static void check_fields(const json_t *json, const wish *w, const dip_field *fields) {
    dip_text list = {0};
    for (size_t i = 0; i < w->n; i++) {
        char text[2048];
        const json_t *value = json_object_get(json, w->name[i]);
        const char *expected = text;
        CLAIM(strlen(fields[i].text) == fields[i].length);
        CLAIM(dip_utf8_check(fields[i].text, fields[i].length) == fields[i].length);
        if (json_is_array(value)) {
            CLAIM(w->separator[i] != NULL);
            if (!list_text(value, w->separator[i], &list)) {
                continue;
            }
            expected = list.length > 0 ? list.data : "";
        } else if (!plain_text(value, text, sizeof text)) {
            continue;
        }
        CLAIM(strcmp(fields[i].text, expected) == 0);
    }
    dip_text_free(&list);
}

/* Whether nothing but a broken promise could make the reader refuse the record. */
static bool is_harmless(const json_t *json, const char *line, size_t length) {
    char *copy = copy_of(line, length);
    bool is_plain = strstr(copy, "\\u0000") == NULL && strlen(copy) == length;
    size_t depth = 0;
    for (size_t i = 0; i < length; i++) {
        depth += copy[i] == '[' || copy[i] == '{';
    }
    free(copy);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) {
        is_plain = is_plain && !json_is_object(value) && !json_is_array(value);
    }
    return is_plain && depth < 500;
}

static void free_wish(wish *w) {
    for (size_t i = 0; i < w->n; i++) {
        free(w->name[i]);
    }
}

/* Keys of the first record that has some, each column once, and those of odd places twice. */
static void make_wish(wish *w, const dip_reader *reader, const json_t *first, uint8_t way) {
    const char *key = NULL;
    json_t *value = NULL;
    w->n = 0;
    json_object_foreach((json_t *)(uintptr_t)first, key, value) {
        for (size_t copies = 1 + w->n % 2; copies > 0 && w->n < WANTED; copies--) {
            const size_t i = w->n;
            if (dip_reader_column(reader, key, &w->column[i], NULL) != DIP_OK) {
                continue;
            }
            w->name[i] = copy_of(key, strlen(key));
            w->separator[i] = (way >> 4) % 4 == 0 ? NULL : i % 3 == 2 ? ", " : "|";
            w->n++;
        }
    }
}

/* The line of a number, counted from 1, without its line end. */
static const char *find_line(const char *text, size_t bytes, uint64_t number, size_t *length) {
    const char *end = text + bytes;
    for (; number > 1; number--) {
        text = memchr(text, '\n', (size_t)(end - text));
        CLAIM(text != NULL);
        text++;
    }
    const char *feed = memchr(text, '\n', (size_t)(end - text));
    *length = (size_t)((feed != NULL ? feed : end) - text);
    *length -= *length > 0 && text[*length - 1] == '\r';
    return text;
}

/* Lines that are not empty, of which the reader saw `seen` and then stopped with an error. */
static void check_refused(const char *text, size_t bytes, uint64_t last) {
    size_t length = 0;
    uint64_t number = last;
    const char *line = NULL;
    do {
        line = find_line(text, bytes, ++number, &length);
    } while (length == 0);
    json_t *json = NULL;
    const verdict v = judge(line, length, &json);
    CLAIM(v != ACCEPTS || !is_harmless(json, line, length));
    json_decref(json);
}

static void read_records(dip_reader *reader, const wish *w, const char *text, size_t bytes) {
    dip_block block = {0};
    dip_error err = {DIP_OK, ""};
    dip_status status = DIP_OK;
    uint64_t last = 0;
    while (status == DIP_OK && (status = dip_reader_take(reader, &block, &err)) == DIP_OK) {
        const dip_field *fields = NULL;
        while ((status = dip_block_next(&block, &fields, &err)) == DIP_OK) {
            size_t length = 0;
            json_t *json = NULL;
            CLAIM(dip_block_line(&block) > last);
            last = dip_block_line(&block);
            const char *line = find_line(text, bytes, last, &length);
            CLAIM(judge(line, length, &json) != REFUSES);
            if (json != NULL) {
                check_fields(json, w, fields);
            }
            json_decref(json);
        }
        status = status == DIP_END ? DIP_OK : status;
    }
    dip_block_free(&block);
    if (status != DIP_END) {
        CLAIM(!went_well(status, DIP_ERR_FORMAT, &err));
        check_refused(text, bytes, last);
    }
}

static void read_table(const char *text, size_t bytes, uint8_t way) {
    static const size_t BLOCKS[] = {2, 16, 64, 333, 4096, 31, 65, 128};
    static const char *const PATHS[] = {MEMORY_ROOT "input.jsonl"};
    const dip_dialect dialect = {.block_bytes = BLOCKS[way % 8]};
    dip_reader *reader = NULL;
    dip_error err = {DIP_OK, ""};
    wish w = {.n = 0};
    size_t length = 0;
    json_t *first = NULL;
    if (!went_well(dip_reader_open(&reader, PATHS, 1, &dialect, &err), DIP_ERR_FORMAT, &err)) {
        return;
    }
    const char *line = find_line(text, bytes, 1, &length);
    if (judge(line, length, &first) == ACCEPTS) {
        make_wish(&w, reader, first, way);
    }
    if (w.n > 0) {
        CLAIM(dip_reader_select(reader, w.column, w.separator, w.n, NULL) == DIP_OK);
    }
    json_decref(first);
    if (w.n > 0 || (way & 128) != 0) {
        read_records(reader, &w, text, bytes);
    }
    free_wish(&w);
    dip_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static bool is_ready;
    input in = {data, bytes};
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    const uint8_t way = take_byte(&in);
    const bool has_mark = in.left >= 3 && memcmp(in.at, "\xEF\xBB\xBF", 3) == 0;
    memory_file_put("input.jsonl", in.at, in.left);
    read_table((const char *)in.at + 3 * has_mark, in.left - 3 * (size_t)has_mark, way);
    return 0;
}
