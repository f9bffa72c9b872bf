/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of typed options over the fields of a struct. One table feeds the parser, the project
 * file, the help text, the stored configuration and the documentation.
 */
#ifndef DIP_BASE_OPTIONS_H
#define DIP_BASE_OPTIONS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIP_TEXT_MAX = 256, DIP_LIST_MAX = 8, DIP_VALUE_MAX = 512 };

typedef enum dip_option_type {
    DIP_OPTION_INTEGER, /* int64_t */
    DIP_OPTION_NUMBER,  /* double */
    DIP_OPTION_SWITCH,  /* bool */
    DIP_OPTION_CHOICE,  /* int, the position in `choices` */
    DIP_OPTION_TEXT,    /* char[DIP_TEXT_MAX] */
    DIP_OPTION_LIST,    /* dip_list of integers */
    DIP_OPTION_SIZE     /* int64_t of bytes, written 512M or 2G */
} dip_option_type;

typedef struct dip_list {
    size_t n;
    int64_t value[DIP_LIST_MAX];
} dip_list;

typedef struct dip_option {
    const char *key;
    dip_option_type type;
    size_t offset;
    const char *fallback; /* the default, as text */
    double low;           /* range of integers, numbers and list members */
    double high;
    const char *choices; /* "a|b|c" */
    const char *help;
} dip_option;

typedef struct dip_option_table {
    const dip_option *row;
    size_t n;
    const char *what; /* "option" or "feature setting", for errors */
} dip_option_table;

/* Every field to its default; the object is zeroed first. */
void dip_options_default(const dip_option_table *table, void *object, size_t object_size);

/* Sets one field from text; DIP_ERR_USAGE names the nearest key, or the range. */
dip_status dip_options_set(const dip_option_table *table, void *object, const char *key,
                           const char *text, dip_error *err);

/* The row of a key, or NULL. */
const dip_option *dip_options_find(const dip_option_table *table, const char *key);

/* One field as text, in the form that dip_options_set reads. */
void dip_options_get(const dip_option *row, const void *object, char text[DIP_VALUE_MAX]);

/* The range or the choices, for people. */
void dip_options_range(const dip_option *row, char text[DIP_VALUE_MAX]);

/* "integer", "number", ... */
const char *dip_options_type_name(dip_option_type type);

#endif
