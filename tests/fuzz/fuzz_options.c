/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of options: the first byte picks a row of one of the tables, the rest is the text. A first
 * byte beyond them takes "key=value".
 */
#include "config/config.h"
#include "data/schema.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static union {
    dip_config config;
    dip_feature feature;
    dip_entity entity;
} object;

static void check_range(const dip_option *row) {
    const char *field = (const char *)&object + row->offset;
    if (row->type == DIP_OPTION_INTEGER) {
        const int64_t *number = (const void *)field;
        CLAIM((double)*number >= row->low && (double)*number <= row->high);
    } else if (row->type == DIP_OPTION_NUMBER) {
        const double *number = (const void *)field;
        CLAIM(*number >= row->low && *number <= row->high);
    } else if (row->type == DIP_OPTION_LIST) {
        const dip_list *list = (const void *)field;
        CLAIM(list->n > 0 && list->n <= DIP_LIST_MAX);
    }
}

/* The text of a value that was set gives that value again. */
static void check_text(const dip_option_table *table, const dip_option *row) {
    char text[DIP_VALUE_MAX];
    char again[DIP_VALUE_MAX];
    dip_options_get(row, &object, text);
    CLAIM(dip_options_set(table, &object, row->key, text, NULL) == DIP_OK);
    dip_options_get(row, &object, again);
    CLAIM(strcmp(text, again) == 0);
}

static void set(const dip_option_table *table, const char *key, const char *text) {
    dip_error err = {DIP_OK, ""};
    dip_options_default(table, &object, sizeof object);
    if (went_well(dip_options_set(table, &object, key, text, &err), DIP_ERR_USAGE, &err)) {
        const dip_option *row = dip_options_find(table, key);
        CLAIM(row != NULL);
        check_range(row);
        check_text(table, row);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const dip_option_table *const TABLES[] = {&dip_config_table, &dip_feature_table,
                                                     &dip_entity_table};
    input in = {data, bytes};
    size_t pick = take_byte(&in);
    char *text = copy_of(in.at, in.left);
    for (size_t t = 0; t < sizeof TABLES / sizeof TABLES[0]; t++) {
        if (pick < TABLES[t]->n) {
            set(TABLES[t], TABLES[t]->row[pick].key, text);
            free(text);
            return 0;
        }
        pick -= TABLES[t]->n;
    }
    char *equals = strchr(text, '=');
    if (equals != NULL) {
        *equals = '\0';
        set(TABLES[pick % 3], text, equals + 1);
    }
    free(text);
    return 0;
}
