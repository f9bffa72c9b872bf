/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "base/number.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void *field(const dip_option *row, void *object) {
    return (char *)object + row->offset;
}

static const void *const_field(const dip_option *row, const void *object) {
    return (const char *)object + row->offset;
}

/* The position of text in "a|b|c", or -1. */
static int choice_position(const char *choices, const char *text) {
    const size_t length = strlen(text);
    int position = 0;
    for (const char *at = choices; at != NULL; position++) {
        const char *bar = strchr(at, '|');
        const size_t size = bar != NULL ? (size_t)(bar - at) : strlen(at);
        if (size == length && memcmp(at, text, size) == 0) {
            return position;
        }
        at = bar != NULL ? bar + 1 : NULL;
    }
    return -1;
}

static void choice_name(const char *choices, int position, char text[DIP_VALUE_MAX]) {
    const char *at = choices;
    for (int i = 0; i < position && at != NULL; i++) {
        at = strchr(at, '|');
        at = at != NULL ? at + 1 : NULL;
    }
    const size_t size = at != NULL ? strcspn(at, "|") : 0;
    snprintf(text, DIP_VALUE_MAX, "%.*s", (int)size, at != NULL ? at : "");
}

static dip_status bad_value(const dip_option *row, const char *text, dip_error *err) {
    char range[DIP_VALUE_MAX];
    dip_options_range(row, range);
    return dip_fail(err, DIP_ERR_USAGE, "%s: \"%s\" is not allowed; %s%s%s", row->key, text,
                    dip_options_type_name(row->type), range[0] != '\0' ? ", " : "", range);
}

static bool set_integer(const dip_option *row, int64_t *target, const char *text) {
    int64_t value = 0;
    if (!dip_parse_integer(text, &value) || value < (int64_t)row->low ||
        value > (int64_t)row->high) {
        return false;
    }
    *target = value;
    return true;
}

static bool set_number(const dip_option *row, double *target, const char *text) {
    double value = 0;
    if (!dip_parse_number(text, &value) || value < row->low || value > row->high) {
        return false;
    }
    *target = value;
    return true;
}

static bool set_switch(bool *target, const char *text) {
    static const char YES[] = "yes|true|on|1";
    static const char NO[] = "no|false|off|0";
    const bool is_yes = choice_position(YES, text) >= 0;
    if (!is_yes && choice_position(NO, text) < 0) {
        return false;
    }
    *target = is_yes;
    return true;
}

/* Reads the numbers up to the end or the closing bracket; returns what is left, or NULL. */
static const char *read_list(const dip_option *row, dip_list *list, const char *at) {
    while (*at != '\0' && *at != ']') {
        char part[24];
        const size_t size = strcspn(at, ", ]");
        if (size == 0 || size >= sizeof part || list->n == DIP_LIST_MAX) {
            return NULL;
        }
        memcpy(part, at, size);
        part[size] = '\0';
        if (!set_integer(row, &list->value[list->n++], part)) {
            return NULL;
        }
        at += size;
        at += strspn(at, ", ");
    }
    return at;
}

/* "1024,128", also with blanks and brackets as YAML and shells leave them. */
static bool set_list(const dip_option *row, dip_list *target, const char *text) {
    dip_list list = {0};
    const char *at = text + strspn(text, " ");
    const bool has_bracket = *at == '[';
    at = read_list(row, &list, has_bracket ? at + 1 + strspn(at + 1, " ") : at);
    if (at == NULL || list.n == 0 || (*at == ']') != has_bracket) {
        return false;
    }
    at += has_bracket;
    if (at[strspn(at, " ")] != '\0') {
        return false;
    }
    *target = list;
    return true;
}

static const struct {
    char letter;
    unsigned shift;
} UNITS[] = {{'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}};

enum { N_UNITS = sizeof UNITS / sizeof UNITS[0] };

/* "2G", "512M", "1.5g", "65536"; units are powers of 1024. */
static bool set_size(const dip_option *row, int64_t *target, const char *text) {
    char digits[40];
    const size_t length = strlen(text);
    if (length == 0 || length >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, length + 1);
    double scale = 1;
    for (size_t i = 0; i < N_UNITS; i++) {
        if (digits[length - 1] == UNITS[i].letter || digits[length - 1] == UNITS[i].letter + 32) {
            scale = (double)(UINT64_C(1) << UNITS[i].shift);
            digits[length - 1] = '\0';
            break;
        }
    }
    double number = 0;
    if (!dip_parse_number(digits, &number) || number * scale < row->low ||
        number * scale > row->high) {
        return false;
    }
    *target = (int64_t)(number * scale);
    return true;
}

static bool set_choice(const dip_option *row, int *target, const char *text) {
    const int position = choice_position(row->choices, text);
    if (position < 0) {
        return false;
    }
    *target = position;
    return true;
}

static bool set_text(char *target, const char *text) {
    const size_t length = strlen(text);
    if (length >= DIP_TEXT_MAX) {
        return false;
    }
    memcpy(target, text, length + 1);
    return true;
}

static bool set_field(const dip_option *row, void *object, const char *text) {
    void *target = field(row, object);
    switch (row->type) {
    case DIP_OPTION_INTEGER:
        return set_integer(row, target, text);
    case DIP_OPTION_NUMBER:
        return set_number(row, target, text);
    case DIP_OPTION_SWITCH:
        return set_switch(target, text);
    case DIP_OPTION_CHOICE:
        return set_choice(row, target, text);
    case DIP_OPTION_TEXT:
        return set_text(target, text);
    case DIP_OPTION_LIST:
        return set_list(row, target, text);
    case DIP_OPTION_SIZE:
        return set_size(row, target, text);
    }
    return false;
}

void dip_options_default(const dip_option_table *table, void *object, size_t object_size) {
    memset(object, 0, object_size);
    for (size_t i = 0; i < table->n; i++) {
        const bool is_set = set_field(&table->row[i], object, table->row[i].fallback);
        assert(is_set);
        (void)is_set;
    }
}

const dip_option *dip_options_find(const dip_option_table *table, const char *key) {
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->row[i].key, key) == 0) {
            return &table->row[i];
        }
    }
    return NULL;
}

static dip_status unknown_key(const dip_option_table *table, const char *key, dip_error *err) {
    const char *nearest = NULL;
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i < table->n; i++) {
        unsigned distance = 0;
        if (dip_spelling_is_near(key, table->row[i].key, &distance) && distance < best) {
            best = distance;
            nearest = table->row[i].key;
        }
    }
    if (nearest == NULL) {
        return dip_fail(err, DIP_ERR_USAGE, "unknown %s \"%s\"", table->what, key);
    }
    return dip_fail(err, DIP_ERR_USAGE, "unknown %s \"%s\"; did you mean \"%s\"?", table->what, key,
                    nearest);
}

dip_status dip_options_set(const dip_option_table *table, void *object, const char *key,
                           const char *text, dip_error *err) {
    const dip_option *row = dip_options_find(table, key);
    if (row == NULL) {
        return unknown_key(table, key, err);
    }
    return set_field(row, object, text) ? DIP_OK : bad_value(row, text, err);
}

static void print_list(const dip_list *list, char text[DIP_VALUE_MAX]) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->n; i++) {
        used += (size_t)snprintf(text + used, DIP_VALUE_MAX - used, "%s%lld", i > 0 ? "," : "",
                                 (long long)list->value[i]);
    }
}

/* In the largest unit that divides it. */
static void print_size(int64_t bytes, char text[DIP_VALUE_MAX]) {
    for (size_t i = 0; i < N_UNITS; i++) {
        if (bytes != 0 && bytes % (INT64_C(1) << UNITS[i].shift) == 0) {
            snprintf(text, DIP_VALUE_MAX, "%lld%c", (long long)(bytes >> UNITS[i].shift),
                     UNITS[i].letter);
            return;
        }
    }
    snprintf(text, DIP_VALUE_MAX, "%lld", (long long)bytes);
}

void dip_options_get(const dip_option *row, const void *object, char text[DIP_VALUE_MAX]) {
    const void *source = const_field(row, object);
    switch (row->type) {
    case DIP_OPTION_INTEGER:
        snprintf(text, DIP_VALUE_MAX, "%lld", (long long)*(const int64_t *)source);
        break;
    case DIP_OPTION_NUMBER:
        dip_print_number(*(const double *)source, text);
        break;
    case DIP_OPTION_SWITCH:
        snprintf(text, DIP_VALUE_MAX, "%s", *(const bool *)source ? "yes" : "no");
        break;
    case DIP_OPTION_CHOICE:
        choice_name(row->choices, *(const int *)source, text);
        break;
    case DIP_OPTION_TEXT:
        snprintf(text, DIP_VALUE_MAX, "%s", (const char *)source);
        break;
    case DIP_OPTION_LIST:
        print_list(source, text);
        break;
    case DIP_OPTION_SIZE:
        print_size(*(const int64_t *)source, text);
        break;
    }
}

/* "a | b | c" from "a|b|c". */
static void print_choices(const char *choices, char text[DIP_VALUE_MAX]) {
    size_t used = 0;
    for (const char *at = choices; *at != '\0' && used + 4 < DIP_VALUE_MAX; at++) {
        if (*at == '|') {
            memcpy(text + used, " | ", 3);
            used += 3;
        } else {
            text[used++] = *at;
        }
    }
    text[used] = '\0';
}

void dip_options_range(const dip_option *row, char text[DIP_VALUE_MAX]) {
    text[0] = '\0';
    if (row->type == DIP_OPTION_CHOICE) {
        print_choices(row->choices, text);
    } else if (row->type == DIP_OPTION_SWITCH) {
        snprintf(text, DIP_VALUE_MAX, "yes | no");
    } else if (row->type == DIP_OPTION_NUMBER) {
        snprintf(text, DIP_VALUE_MAX, "%g to %g", row->low, row->high);
    } else if (row->type == DIP_OPTION_SIZE) {
        char low[DIP_VALUE_MAX];
        char high[DIP_VALUE_MAX];
        print_size((int64_t)row->low, low);
        print_size((int64_t)row->high, high);
        snprintf(text, DIP_VALUE_MAX, "%.40s to %.40s", low, high);
    } else if (row->type != DIP_OPTION_TEXT) {
        snprintf(text, DIP_VALUE_MAX, "%.0f to %.0f", row->low, row->high);
    }
}

const char *dip_options_type_name(dip_option_type type) {
    static const char *const NAMES[] = {
        [DIP_OPTION_INTEGER] = "integer", [DIP_OPTION_NUMBER] = "number",
        [DIP_OPTION_SWITCH] = "switch",   [DIP_OPTION_CHOICE] = "choice",
        [DIP_OPTION_TEXT] = "text",       [DIP_OPTION_LIST] = "integers",
        [DIP_OPTION_SIZE] = "size"};
    return NAMES[type];
}
