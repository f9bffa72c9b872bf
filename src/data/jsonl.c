/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON lines: one object a line. Values become the text that a cell of a TSV would have; null and
 * a missing key are empty. Strings are decoded where they stand in the block; what has no place
 * there (numbers, whose end is a comma, and joined lists) goes into the block's pages.
 */
#include "base/mem.h"
#include "base/number.h"
#include "data/json_text.h"
#include "data/sheet.h"

#include <string.h>

enum { EXACT_DIGITS = 15 };

/* One record that is being read. */
typedef struct record {
    dip_cursor cursor;
    const char *begin;
    const dip_sheet *sheet;
    uint64_t line;
} record;

static dip_status malformed(const record *r, dip_error *err) {
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu:%zu: not valid JSON: %s", r->sheet->path,
                    (unsigned long long)r->line, (size_t)(r->cursor.at - r->begin) + 1,
                    r->cursor.problem);
}

static dip_status check(const record *r, bool is_good, dip_error *err) {
    return is_good ? DIP_OK : malformed(r, err);
}

static dip_status begin_object(record *r, dip_error *err) {
    dip_cursor_blanks(&r->cursor);
    if (*r->cursor.at == '{') {
        r->cursor.at++;
        dip_cursor_blanks(&r->cursor);
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: a record is an object, {\"key\": value, ...}",
                    r->sheet->path, (unsigned long long)r->line);
}

/* The next key, up to its value; DIP_END behind the last one, at the end of the line. */
static dip_status next_key(record *r, bool is_first, char **key, size_t *length, dip_error *err) {
    dip_cursor *c = &r->cursor;
    dip_cursor_blanks(c);
    if (*c->at == '}') {
        c->at++;
        dip_cursor_blanks(c);
        c->problem = "something follows the object";
        return *c->at == '\0' ? DIP_END : malformed(r, err);
    }
    if (!is_first) {
        DIP_TRY(check(r, dip_cursor_pass(c, ',', "',' or '}' is missing"), err));
    }
    if (*c->at != '"') {
        c->problem = "a key in quotes is missing";
        return malformed(r, err);
    }
    DIP_TRY(check(r, dip_cursor_string(c, key, length), err));
    return check(r, dip_cursor_pass(c, ':', "':' is missing"), err);
}

/* ---- keys as columns ------------------------------------------------------------------------- */

static dip_status add_keys(dip_sheet *sheet, record *r, dip_error *err) {
    dip_status status = DIP_OK;
    char *key = NULL;
    size_t length = 0;
    DIP_TRY(begin_object(r, err));
    for (bool is_first = true; (status = next_key(r, is_first, &key, &length, err)) == DIP_OK;
         is_first = false) {
        bool is_new = false;
        DIP_TRY(dip_sheet_add_name(sheet, key, length, &is_new, err));
        DIP_TRY(check(r, dip_cursor_skip(&r->cursor), err));
    }
    return status == DIP_END ? DIP_OK : status;
}

/* Reading decodes in place, and the record is yet to be cut: a copy is read. */
dip_status dip_json_keys(dip_sheet *sheet, uint64_t line, const char *text, size_t length,
                         dip_error *err) {
    DIP_TRY(dip_check_record(sheet, line, text, length, err));
    char *copy = dip_alloc(length + 1 + DIP_JSON_PADDING, 1, "a JSON record", err);
    if (copy == NULL) {
        return DIP_ERR_MEMORY;
    }
    memcpy(copy, text, length);
    record r = {{copy, NULL}, copy, sheet, line};
    const dip_status status = add_keys(sheet, &r, err);
    dip_free(copy);
    return status;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The shortest text of a number with a point or an exponent. Most are short and not tiny: then it
 * is what is written, without the zeros at its end. */
static bool shorten(const char *text, size_t length, char shown[DIP_NUMBER_MAX]) {
    double number = 0;
    const size_t digits = text[0] == '-';
    if (length <= EXACT_DIGITS && memchr(text, 'e', length) == NULL &&
        memchr(text, 'E', length) == NULL && strncmp(text + digits, "0.000", 5) != 0) {
        memcpy(shown, text, length);
        while (shown[length - 1] == '0') {
            length--;
        }
        shown[length - (shown[length - 1] == '.')] = '\0';
        return true;
    }
    char copy[400];
    if (length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (!dip_parse_number(copy, &number)) {
        return false;
    }
    dip_print_number(number, shown);
    return true;
}

/* A value that is no list and no object. *is_still: its text stands where it may stay. */
static dip_status read_scalar(record *r, dip_field *field, char shown[DIP_NUMBER_MAX],
                              bool *is_still, dip_error *err) {
    dip_cursor *c = &r->cursor;
    char *text = NULL;
    size_t length = 0;
    bool is_integer = false;
    *is_still = true;
    switch (*c->at) {
    case '"':
        DIP_TRY(check(r, dip_cursor_string(c, &text, &length), err));
        *field = (dip_field){text, length};
        return DIP_OK;
    case 't':
        *field = (dip_field){"true", 4};
        return check(r, dip_cursor_literal(c, "true"), err);
    case 'f':
        *field = (dip_field){"false", 5};
        return check(r, dip_cursor_literal(c, "false"), err);
    case 'n':
        *field = (dip_field){"", 0};
        return check(r, dip_cursor_literal(c, "null"), err);
    default:
        break;
    }
    DIP_TRY(check(r, dip_cursor_number(c, &text, &length, &is_integer), err));
    *is_still = false;
    *field = (dip_field){text, length};
    if (is_integer) {
        return DIP_OK;
    }
    if (!shorten(text, length, shown)) {
        c->at = text;
        c->problem = "the number is too large";
        return malformed(r, err);
    }
    *field = (dip_field){shown, strlen(shown)};
    return DIP_OK;
}

/* One element of a list, joined to those before it. */
static dip_status add_element(dip_block *block, record *r, size_t selected, size_t place,
                              dip_error *err) {
    char shown[DIP_NUMBER_MAX];
    dip_field element;
    bool is_still = false;
    if (*r->cursor.at == '{' || *r->cursor.at == '[') {
        return dip_block_fail(block, selected, err,
                              "element %zu is no plain value; lists in lists and objects in lists "
                              "are not read",
                              place);
    }
    const bool is_null = *r->cursor.at == 'n';
    DIP_TRY(read_scalar(r, &element, shown, &is_still, err));
    if (is_null) {
        return DIP_OK;
    }
    return dip_block_join(block, selected, element.text, element.length, err);
}

static dip_status read_list(dip_block *block, record *r, size_t selected, dip_error *err) {
    dip_cursor *c = &r->cursor;
    DIP_TRY(dip_block_begin_list(block, selected, err));
    c->at++;
    dip_cursor_blanks(c);
    for (size_t place = 1; *c->at != ']'; place++) {
        if (place > 1) {
            DIP_TRY(check(r, dip_cursor_pass(c, ',', "',' or ']' is missing"), err));
        }
        DIP_TRY(add_element(block, r, selected, place, err));
        dip_cursor_blanks(c);
    }
    c->at++;
    return dip_block_end_list(block, selected, err);
}

static dip_status read_value(dip_block *block, record *r, size_t selected, dip_error *err) {
    dip_field *field = &block->fields[selected];
    char shown[DIP_NUMBER_MAX];
    bool is_still = false;
    if (*r->cursor.at == '[') {
        return read_list(block, r, selected, err);
    }
    if (*r->cursor.at == '{') {
        return dip_block_fail(block, selected, err,
                              "an object inside the record is not read; write its members as keys "
                              "of their own");
    }
    DIP_TRY(read_scalar(r, field, shown, &is_still, err));
    return is_still ? DIP_OK : dip_block_keep(block, field->text, field->length, field, err);
}

/* ---- records --------------------------------------------------------------------------------- */

/* The first wanted column of this name from `from` on, or n_wanted. */
static size_t find_wanted(const dip_sheet *sheet, size_t from, const char *key, size_t length) {
    size_t i = from;
    while (i < sheet->n_wanted &&
           (sheet->wanted[i].length != length || memcmp(sheet->wanted[i].name, key, length) != 0)) {
        i++;
    }
    return i;
}

/* A list that is wanted more than once may be joined by different separators. Reading it decodes it
 * in place, so that each time but the last needs a copy; the list ends before the record. */
static dip_status read_again(dip_block *block, const record *r, size_t selected, dip_error *err) {
    record again = *r;
    const size_t length = strlen(r->cursor.at);
    DIP_TRY(dip_block_room(block, length + 1 + DIP_JSON_PADDING, &again.cursor.at, err));
    memcpy(again.cursor.at, r->cursor.at, length + 1);
    again.begin = again.cursor.at - (r->cursor.at - r->begin);
    return read_list(block, &again, selected, err);
}

/* The value of a key that is wanted at `selected`, and perhaps at later places again. */
static dip_status read_wanted(dip_block *block, record *r, size_t selected, dip_error *err) {
    const dip_sheet *sheet = block->sheet;
    const dip_wanted *wanted = &sheet->wanted[selected];
    const bool is_list = *r->cursor.at == '[';
    if (block->fields[selected].text != NULL) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: key \"%s\" is given twice", sheet->path,
                        (unsigned long long)r->line, wanted->name);
    }
    size_t next = selected;
    while (is_list &&
           (next = find_wanted(sheet, next + 1, wanted->name, wanted->length)) < sheet->n_wanted) {
        DIP_TRY(read_again(block, r, next, err));
    }
    DIP_TRY(read_value(block, r, selected, err));
    while (!is_list &&
           (next = find_wanted(sheet, next + 1, wanted->name, wanted->length)) < sheet->n_wanted) {
        block->fields[next] = block->fields[selected];
    }
    return DIP_OK;
}

static dip_status read_record(dip_block *block, record *r, dip_error *err) {
    const dip_sheet *sheet = block->sheet;
    dip_status status = DIP_OK;
    char *key = NULL;
    size_t length = 0;
    memset(block->fields, 0, sheet->n_wanted * sizeof *block->fields);
    DIP_TRY(begin_object(r, err));
    for (bool is_first = true; (status = next_key(r, is_first, &key, &length, err)) == DIP_OK;
         is_first = false) {
        const size_t selected = find_wanted(sheet, 0, key, length);
        if (selected == sheet->n_wanted) {
            DIP_TRY(check(r, dip_cursor_skip(&r->cursor), err));
        } else {
            DIP_TRY(read_wanted(block, r, selected, err));
        }
    }
    for (size_t i = 0; i < sheet->n_wanted; i++) {
        if (block->fields[i].text == NULL) {
            block->fields[i] = (dip_field){"", 0};
        }
    }
    return status == DIP_END ? DIP_OK : status;
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
    size_t begin = 0;
    size_t end = 0;
    if (!find_line(block, &begin, &end)) {
        return DIP_END;
    }
    if (block->field_capacity < block->sheet->n_wanted + 1) {
        DIP_TRY(dip_grow((void **)&block->fields, &block->field_capacity,
                         block->sheet->n_wanted + 1, sizeof *block->fields, "fields of a record",
                         err));
    }
    char *text = block->bytes + begin;
    block->bytes[end] = '\0';
    record r = {{text, NULL}, text, block->sheet, block->line};
    return read_record(block, &r, err);
}
