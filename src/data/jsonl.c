/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON lines: one object a line. Values become the text that a cell of a TSV would have; null and
 * a missing key are empty.
 */
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "data/sheet.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 1 << 16 };

static dip_status parse(json_t **json, const dip_sheet *sheet, uint64_t line, const char *record,
                        size_t length, dip_error *err) {
    DIP_TRY(dip_json_parse_line(json, record, length, sheet->path, line, err));
    if (!json_is_object(*json)) {
        json_decref(*json);
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:%llu: a record is an object, {\"key\": value, ...}", sheet->path,
                        (unsigned long long)line);
    }
    return DIP_OK;
}

static dip_status add_keys(dip_sheet *sheet, json_t *object, dip_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value) {
        bool is_new = false;
        DIP_TRY(dip_sheet_add_name(sheet, key, strlen(key), &is_new, err));
    }
    return DIP_OK;
}

dip_status dip_json_keys(dip_sheet *sheet, uint64_t line, const char *record, size_t length,
                         dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_check_record(sheet, line, record, length, err));
    DIP_TRY(parse(&object, sheet, line, record, length, err));
    const dip_status status = add_keys(sheet, object, err);
    json_decref(object);
    return status;
}

/* A string, number or truth value behind the text; *is_scalar is false for anything else. */
static dip_status put_scalar(dip_text *text, const json_t *value, bool *is_scalar, dip_error *err) {
    char number[DIP_NUMBER_MAX];
    *is_scalar = true;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return dip_text_put(text, json_string_value(value), json_string_length(value), err);
    case JSON_INTEGER:
        return dip_text_printf(text, err, "%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        dip_print_number(json_real_value(value), number);
        return dip_text_put(text, number, strlen(number), err);
    case JSON_TRUE:
        return dip_text_put(text, "true", 4, err);
    case JSON_FALSE:
        return dip_text_put(text, "false", 5, err);
    default:
        *is_scalar = false;
        return DIP_OK;
    }
}

static dip_status put_elements(dip_block *block, size_t selected, const json_t *array,
                               dip_error *err) {
    const char *separator = block->sheet->wanted[selected].separator;
    bool is_first = true;
    if (separator == NULL) {
        return dip_block_fail(block, selected, err,
                              "a list is only read where there may be several values; make the "
                              "feature a bag, or the value plain");
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *element = json_array_get(array, i);
        bool is_scalar = false;
        if (json_is_null(element)) {
            continue;
        }
        if (!is_first) {
            DIP_TRY(dip_text_put(&block->text, separator, strlen(separator), err));
        }
        const size_t begin = block->text.length;
        DIP_TRY(put_scalar(&block->text, element, &is_scalar, err));
        if (!is_scalar) {
            return dip_block_fail(block, selected, err,
                                  "element %zu is no plain value; lists in lists and objects in "
                                  "lists are not read",
                                  i + 1);
        }
        if (block->text.length > begin && strstr(block->text.data + begin, separator) != NULL) {
            return dip_block_fail(block, selected, err,
                                  "the element \"%.60s\" contains the separator \"%s\"; give the "
                                  "feature another \"separator\"",
                                  block->text.data + begin, separator);
        }
        is_first = false;
    }
    return DIP_OK;
}

static dip_status put_value(dip_block *block, size_t selected, const json_t *value,
                            dip_error *err) {
    bool is_scalar = false;
    if (value == NULL || json_is_null(value)) {
        return DIP_OK;
    }
    if (json_is_array(value)) {
        return put_elements(block, selected, value, err);
    }
    DIP_TRY(put_scalar(&block->text, value, &is_scalar, err));
    return is_scalar ? DIP_OK
                     : dip_block_fail(block, selected, err,
                                      "an object inside the record is not read; write its members "
                                      "as keys of their own");
}

/* The values side by side in block->text, each ended by NUL; fields hold their places as offsets
 * from its beginning until the text has its final address. */
static dip_status put_values(dip_block *block, const json_t *object, dip_error *err) {
    const dip_sheet *sheet = block->sheet;
    dip_text_clear(&block->text);
    for (size_t i = 0; i < sheet->n_wanted; i++) {
        const size_t begin = block->text.length;
        DIP_TRY(put_value(block, i, json_object_get(object, sheet->wanted[i].name), err));
        block->fields[i] = (dip_field){NULL, block->text.length - begin};
        DIP_TRY(dip_text_put(&block->text, "", 1, err));
    }
    return DIP_OK;
}

/* Room for n bytes that do not move until the block is taken again. */
static dip_status find_room(dip_block *block, size_t n, char **room, dip_error *err) {
    dip_page *page = block->pages;
    if (page == NULL || page->capacity - page->used < n) {
        const size_t capacity = n > PAGE_BYTES ? n : PAGE_BYTES;
        page = dip_alloc(1, sizeof *page + capacity, "the text of records", err);
        if (page == NULL) {
            return DIP_ERR_MEMORY;
        }
        *page = (dip_page){block->pages, 0, capacity};
        block->pages = page;
    }
    *room = page->text + page->used;
    page->used += n;
    return DIP_OK;
}

static dip_status keep_values(dip_block *block, dip_error *err) {
    char *room = NULL;
    DIP_TRY(find_room(block, block->text.length, &room, err));
    memcpy(room, block->text.data, block->text.length);
    for (size_t i = 0; i < block->sheet->n_wanted; i++) {
        block->fields[i].text = room;
        room += block->fields[i].length + 1;
    }
    return DIP_OK;
}

/* The next line that is not empty, in [*begin, *end). */
static bool find_line(dip_block *block, size_t *begin, size_t *end) {
    while (block->at < block->size) {
        const char *text = block->bytes + block->at;
        const char *feed = memchr(text, '\n', block->size - block->at);
        const size_t length = (size_t)(feed - text);
        *begin = block->at;
        *end = block->at + length - (length > 0 && text[length - 1] == '\r');
        block->at += length + 1;
        block->line = block->at_line++;
        if (*end > *begin) {
            return true;
        }
    }
    return false;
}

dip_status dip_cut_json(dip_block *block, dip_error *err) {
    const dip_sheet *sheet = block->sheet;
    size_t begin = 0;
    size_t end = 0;
    json_t *object = NULL;
    if (!find_line(block, &begin, &end)) {
        return DIP_END;
    }
    DIP_TRY(dip_grow((void **)&block->fields, &block->field_capacity, sheet->n_wanted + 1,
                     sizeof *block->fields, "fields of a record", err));
    DIP_TRY(parse(&object, sheet, block->line, block->bytes + begin, end - begin, err));
    const dip_status status = put_values(block, object, err);
    json_decref(object);
    return status != DIP_OK ? status : keep_values(block, err);
}
