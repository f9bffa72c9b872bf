/* SPDX-License-Identifier: Apache-2.0 */
#include "api/arguments.h"

#include <stdio.h>

dip_status dip_need(const void *argument, const char *name, dip_error *err) {
    return argument != NULL ? DIP_OK : dip_fail(err, DIP_ERR_USAGE, "argument %s is NULL", name);
}

dip_status dip_need_flags(unsigned flags, unsigned known, dip_error *err) {
    return (flags & ~known) == 0
               ? DIP_OK
               : dip_fail(err, DIP_ERR_USAGE, "unknown flags 0x%x", flags & ~known);
}

dip_status dip_need_settings(const char *const *names, const char *const *values, size_t n,
                             dip_error *err) {
    if (n > 0 && (names == NULL || values == NULL)) {
        return dip_fail(err, DIP_ERR_USAGE, "argument names or values is NULL");
    }
    for (size_t i = 0; i < n; i++) {
        if (names[i] == NULL || values[i] == NULL) {
            return dip_fail(err, DIP_ERR_USAGE, "setting %zu is NULL", i);
        }
    }
    return DIP_OK;
}

dip_status dip_describe_option(const dip_option_table *table, size_t index, dip_option_info *info,
                               dip_error *err) {
    char range[DIP_VALUE_MAX];
    DIP_TRY(dip_need(info, "info", err));
    if (index >= table->n) {
        return dip_fail(err, DIP_ERR_USAGE, "there is no %s %zu", table->what, index);
    }
    const dip_option *row = &table->row[index];
    dip_options_range(row, range);
    *info = (dip_option_info){.key = row->key,
                              .type = dip_options_type_name(row->type),
                              .default_value = row->fallback,
                              .help = row->help};
    snprintf(info->range, sizeof info->range, "%.255s", range);
    return DIP_OK;
}
