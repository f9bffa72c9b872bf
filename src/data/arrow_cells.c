/* SPDX-License-Identifier: Apache-2.0
 *
 * The layouts are those of the Arrow columnar format. Everything is read through memcpy, for
 * buffers of a file need not be aligned; nothing is checked, for the module has validated the
 * batch.
 */
#include "data/arrow_cells.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *format;
    dip_cell_type type;
} TYPES[] = {
    {"n", {DIP_CELL_NULL, 'n', 0, 0}},        {"b", {DIP_CELL_BOOL, 'b', 0, 0}},
    {"c", {DIP_CELL_INTEGER, 'c', 0, 0}},     {"C", {DIP_CELL_INTEGER, 'C', 0, 0}},
    {"s", {DIP_CELL_INTEGER, 's', 0, 0}},     {"S", {DIP_CELL_INTEGER, 'S', 0, 0}},
    {"i", {DIP_CELL_INTEGER, 'i', 0, 0}},     {"I", {DIP_CELL_INTEGER, 'I', 0, 0}},
    {"l", {DIP_CELL_INTEGER, 'l', 0, 0}},     {"L", {DIP_CELL_INTEGER, 'L', 0, 0}},
    {"f", {DIP_CELL_REAL, 'f', 0, 0}},        {"g", {DIP_CELL_REAL, 'g', 0, 0}},
    {"u", {DIP_CELL_TEXT, 'u', 0, 0}},        {"z", {DIP_CELL_TEXT, 'z', 0, 0}},
    {"U", {DIP_CELL_LARGE_TEXT, 'U', 0, 0}},  {"Z", {DIP_CELL_LARGE_TEXT, 'Z', 0, 0}},
    {"vu", {DIP_CELL_TEXT_VIEW, 'u', 0, 0}},  {"vz", {DIP_CELL_TEXT_VIEW, 'z', 0, 0}},
    {"tdD", {DIP_CELL_TIME, 'i', -86400, 0}}, {"tdm", {DIP_CELL_TIME, 'l', 1000, 0}},
    {"+l", {DIP_CELL_LIST, 0, 0, 0}},         {"+L", {DIP_CELL_LARGE_LIST, 0, 0, 0}},
};

/* "tss:", "tsm:UTC", ... */
static dip_cell_type timestamp_type(char unit) {
    const int64_t a_second = unit == 's'   ? 1
                             : unit == 'm' ? 1000
                             : unit == 'u' ? 1000000
                                           : 1000000000;
    return (dip_cell_type){DIP_CELL_TIME, 'l', a_second, 0};
}

static dip_cell_type type_of(const struct ArrowSchema *schema) {
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcmp(schema->format, TYPES[i].format) == 0) {
            return TYPES[i].type;
        }
    }
    if (strncmp(schema->format, "ts", 2) == 0) {
        return timestamp_type(schema->format[2]);
    }
    if (strncmp(schema->format, "+w:", 3) == 0) {
        return (dip_cell_type){DIP_CELL_FIXED_LIST, 0, 0, strtoll(schema->format + 3, NULL, 10)};
    }
    return (dip_cell_type){DIP_CELL_OTHER, 0, 0, 0};
}

/* Plain cells, perhaps through a dictionary; of the kind OTHER when they are not read. */
static dip_cell_plan plain_plan(const struct ArrowSchema *schema) {
    dip_cell_plan plan = {.cell = type_of(schema), .has_words = schema->dictionary != NULL};
    bool is_read = plan.cell.kind <= DIP_CELL_TIME;
    if (plan.has_words) {
        plan.word = type_of(schema->dictionary);
        is_read = plan.cell.kind == DIP_CELL_INTEGER && plan.word.kind != DIP_CELL_OTHER &&
                  plan.word.kind <= DIP_CELL_TIME && schema->dictionary->dictionary == NULL;
    }
    plan.cell.kind = is_read ? plan.cell.kind : DIP_CELL_OTHER;
    return plan;
}

dip_cell_plan dip_cell_plan_of(const struct ArrowSchema *schema) {
    const dip_cell_type type = type_of(schema);
    if (type.kind < DIP_CELL_LIST || schema->n_children != 1) {
        return plain_plan(schema);
    }
    dip_cell_plan plan = plain_plan(schema->children[0]);
    plan.list = type;
    return plan;
}

const char *dip_cell_name(const struct ArrowSchema *schema) {
    static const char *const NAMES[][2] = {{"+s", "a struct"},         {"+m", "a map"},
                                           {"+u", "a union"},          {"+r", "run-end encoded"},
                                           {"+v", "a view of a list"}, {"d:", "a decimal"},
                                           {"tt", "a time of day"},    {"tD", "a duration"},
                                           {"ti", "an interval"},      {"w:", "bytes of one width"},
                                           {"e", "a half float"},      {"+", "a list of lists"}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strncmp(schema->format, NAMES[i][0], strlen(NAMES[i][0])) == 0) {
            return NAMES[i][1];
        }
    }
    return schema->format;
}

static bool is_null(const struct ArrowArray *array, int64_t place) {
    const unsigned char *bits = array->n_buffers > 0 ? array->buffers[0] : NULL;
    return array->null_count != 0 && bits != NULL && (bits[place / 8] >> (place % 8) & 1) == 0;
}

/* An integer of any width; unsigned ones of 64 bits keep their bits. */
static int64_t load_integer(char letter, const void *buffer, int64_t place) {
    static const char LETTERS[] = "cCsSiIlL";
    const size_t width = (size_t)1 << ((size_t)(strchr(LETTERS, letter) - LETTERS) / 2);
    uint64_t bits = 0;
    memcpy(&bits, (const char *)buffer + (size_t)place * width, width);
    switch (letter) {
    case 'c':
        return (int8_t)bits;
    case 's':
        return (int16_t)bits;
    case 'i':
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

static void show_integer(dip_cell *cell, int64_t number, bool is_unsigned) {
    char *at = cell->shown + sizeof cell->shown;
    const bool is_negative = !is_unsigned && number < 0;
    uint64_t left = is_negative ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (is_negative) {
        *--at = '-';
    }
    cell->text = at;
    cell->length = (size_t)(cell->shown + sizeof cell->shown - at);
}

/* The shortest text; a float's is that of its own precision. NaN is what other tools write for a
 * missing number. */
static void show_real(dip_cell *cell, char letter, const void *buffer, int64_t place) {
    double number = 0;
    float narrow = 0;
    if (letter == 'g') {
        memcpy(&number, (const char *)buffer + (size_t)place * sizeof number, sizeof number);
    } else {
        memcpy(&narrow, (const char *)buffer + (size_t)place * sizeof narrow, sizeof narrow);
        number = (double)narrow;
    }
    cell->is_null = isnan(number);
    cell->text = cell->shown;
    if (isinf(number)) {
        snprintf(cell->shown, sizeof cell->shown, "%s", number > 0 ? "inf" : "-inf");
    } else if (letter == 'g') {
        dip_print_number(number, cell->shown);
    } else {
        dip_print_float(narrow, cell->shown);
    }
    cell->length = strlen(cell->shown);
}

static void show_time(dip_cell *cell, const dip_cell_type *type, const void *buffer,
                      int64_t place) {
    const int64_t number = load_integer(type->letter, buffer, place);
    const int64_t seconds =
        type->unit < 0 ? number * -type->unit : number / type->unit - (number % type->unit < 0);
    show_integer(cell, seconds, false);
}

static void show_text(dip_cell *cell, const struct ArrowArray *array, int64_t place) {
    int32_t offsets[2];
    memcpy(offsets, (const char *)array->buffers[1] + (size_t)place * sizeof *offsets,
           sizeof offsets);
    cell->length = (size_t)(offsets[1] - offsets[0]);
    cell->text = cell->length > 0 ? (const char *)array->buffers[2] + offsets[0] : "";
}

static void show_large_text(dip_cell *cell, const struct ArrowArray *array, int64_t place) {
    int64_t offsets[2];
    memcpy(offsets, (const char *)array->buffers[1] + (size_t)place * sizeof *offsets,
           sizeof offsets);
    cell->length = (size_t)(offsets[1] - offsets[0]);
    cell->text = cell->length > 0 ? (const char *)array->buffers[2] + offsets[0] : "";
}

/* Length, then up to 12 bytes in place, or the first 4, a buffer and an offset. */
static void show_view(dip_cell *cell, const struct ArrowArray *array, int64_t place) {
    enum { WIDTH = 16, IN_PLACE = 12 };
    const char *view = (const char *)array->buffers[1] + (size_t)place * WIDTH;
    int32_t number[4];
    memcpy(number, view, sizeof number);
    cell->length = (size_t)number[0];
    cell->text =
        number[0] <= IN_PLACE ? view + 4 : (const char *)array->buffers[2 + number[2]] + number[3];
}

static void show(const dip_cell_type *type, const struct ArrowArray *array, int64_t place,
                 dip_cell *cell) {
    switch (type->kind) {
    case DIP_CELL_BOOL: {
        const unsigned char *bits = array->buffers[1];
        cell->text = (bits[place / 8] >> (place % 8) & 1) != 0 ? "true" : "false";
        cell->length = strlen(cell->text);
        break;
    }
    case DIP_CELL_INTEGER:
        show_integer(cell, load_integer(type->letter, array->buffers[1], place),
                     type->letter == 'L');
        break;
    case DIP_CELL_REAL:
        show_real(cell, type->letter, array->buffers[1], place);
        break;
    case DIP_CELL_TIME:
        show_time(cell, type, array->buffers[1], place);
        break;
    case DIP_CELL_TEXT:
        show_text(cell, array, place);
        break;
    case DIP_CELL_LARGE_TEXT:
        show_large_text(cell, array, place);
        break;
    case DIP_CELL_TEXT_VIEW:
        show_view(cell, array, place);
        break;
    default:
        cell->is_null = true;
        break;
    }
}

void dip_cell_read(const dip_cell_plan *plan, const struct ArrowArray *array, int64_t place,
                   dip_cell *cell) {
    const dip_cell_type *type = &plan->cell;
    place += array->offset;
    cell->is_null = is_null(array, place);
    if (!cell->is_null && plan->has_words) {
        place = load_integer(type->letter, array->buffers[1], place);
        array = array->dictionary;
        type = &plan->word;
        place += array->offset;
        cell->is_null = is_null(array, place);
    }
    if (!cell->is_null) {
        show(type, array, place, cell);
    }
    if (cell->is_null) {
        cell->text = "";
        cell->length = 0;
    }
}

bool dip_cell_list(const dip_cell_type *type, const struct ArrowArray *array, int64_t place,
                   int64_t *begin, int64_t *end) {
    place += array->offset;
    if (is_null(array, place)) {
        return false;
    }
    if (type->kind == DIP_CELL_LIST) {
        int32_t offsets[2];
        memcpy(offsets, (const char *)array->buffers[1] + (size_t)place * sizeof *offsets,
               sizeof offsets);
        *begin = offsets[0];
        *end = offsets[1];
    } else if (type->kind == DIP_CELL_LARGE_LIST) {
        int64_t offsets[2];
        memcpy(offsets, (const char *)array->buffers[1] + (size_t)place * sizeof *offsets,
               sizeof offsets);
        *begin = offsets[0];
        *end = offsets[1];
    } else {
        *begin = place * type->width;
        *end = *begin + type->width;
    }
    return true;
}
