/* SPDX-License-Identifier: Apache-2.0
 *
 * Public functions of generated catalogues.
 */
#include "api/arguments.h"
#include "api/report.h"
#include "base/mem.h"
#include "generate/generation.h"

size_t dip_recipe_setting_count(void) {
    return dip_recipe_table.n;
}

dip_status dip_recipe_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    return dip_describe_option(&dip_recipe_table, index, info, err);
}

dip_status dip_recipe_create(dip_recipe **recipe, dip_error *err) {
    DIP_TRY(dip_need(recipe, "recipe", err));
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
    DIP_TRY(dip_need(recipe, "recipe", err));
    DIP_TRY(dip_need(key, "key", err));
    DIP_TRY(dip_need(value, "value", err));
    return dip_options_set(&dip_recipe_table, recipe, key, value, err);
}

dip_status dip_generate(const dip_recipe *recipe, const char *output, unsigned flags,
                        const dip_watch *watch, dip_report **report, dip_error *err) {
    json_t *summary = NULL;
    DIP_TRY(dip_need(recipe, "recipe", err));
    DIP_TRY(dip_need(output, "output", err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE, err));
    DIP_TRY(dip_generate_world(recipe, output, (flags & DIP_REPLACE) != 0, watch,
                               report != NULL ? &summary : NULL, err));
    return report != NULL ? dip_report_wrap(report, summary, err) : DIP_OK;
}
