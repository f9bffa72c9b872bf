/* SPDX-License-Identifier: Apache-2.0
 *
 * Public functions of generated catalogues.
 */
#include "api/report.h"
#include "base/mem.h"
#include "generate/generation.h"

#include <stdio.h>

static dip_status need(const void *argument, const char *name, dip_error *err) {
    return argument != NULL ? DIP_OK : dip_fail(err, DIP_ERR_USAGE, "argument %s is NULL", name);
}

size_t dip_recipe_setting_count(void) {
    return dip_recipe_table.n;
}

dip_status dip_recipe_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    char range[DIP_VALUE_MAX];
    DIP_TRY(need(info, "info", err));
    if (index >= dip_recipe_table.n) {
        return dip_fail(err, DIP_ERR_USAGE, "there is no setting %zu", index);
    }
    const dip_option *row = &dip_recipe_table.row[index];
    dip_options_range(row, range);
    *info = (dip_option_info){.key = row->key,
                              .type = dip_options_type_name(row->type),
                              .default_value = row->fallback,
                              .help = row->help};
    snprintf(info->range, sizeof info->range, "%.255s", range);
    return DIP_OK;
}

dip_status dip_recipe_create(dip_recipe **recipe, dip_error *err) {
    DIP_TRY(need(recipe, "recipe", err));
    dip_recipe *made = dip_alloc(1, sizeof *made, "a recipe", err);
    if (made == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_options_default(&dip_recipe_table, made, sizeof *made);
    *recipe = made;
    return DIP_OK;
}

void dip_recipe_free(dip_recipe *recipe) {
    dip_free(recipe);
}

dip_status dip_recipe_set(dip_recipe *recipe, const char *key, const char *value, dip_error *err) {
    DIP_TRY(need(recipe, "recipe", err));
    DIP_TRY(need(key, "key", err));
    DIP_TRY(need(value, "value", err));
    return dip_options_set(&dip_recipe_table, recipe, key, value, err);
}

dip_status dip_generate(const dip_recipe *recipe, const char *output, unsigned flags,
                        const dip_watch *watch, dip_report **report, dip_error *err) {
    json_t *summary = NULL;
    DIP_TRY(need(recipe, "recipe", err));
    DIP_TRY(need(output, "output", err));
    if ((flags & ~DIP_REPLACE) != 0) {
        return dip_fail(err, DIP_ERR_USAGE, "unknown flags 0x%x", flags & ~DIP_REPLACE);
    }
    DIP_TRY(dip_generate_world(recipe, output, (flags & DIP_REPLACE) != 0, watch,
                               report != NULL ? &summary : NULL, err));
    return report != NULL ? dip_report_wrap(report, summary, err) : DIP_OK;
}
