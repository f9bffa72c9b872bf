/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/study_args.h"

#include <string.h>

static void put(cli_study_args *all, const char *name, const char *value) {
    snprintf(all->name[all->n], sizeof all->name[all->n], "%s", name);
    all->names[all->n] = all->name[all->n];
    all->values[all->n++] = value;
}

dip_status cli_study_collect(cli_study_args *all, const cli_args *args, size_t count,
                             cli_setting_fn get, dip_error *err) {
    for (size_t i = 0; i < count; i++) {
        dip_option_info info;
        char name[64];
        const dip_status status = get(i, &info, err);
        if (status != DIP_OK) {
            return status;
        }
        snprintf(name, sizeof name, "%s", info.key);
        for (char *c = strchr(name, '_'); c != NULL; c = strchr(c, '_')) {
            *c = '-';
        }
        if (cli_value(args, name) != NULL) {
            put(all, info.key, cli_value(args, name));
        }
    }
    for (size_t i = 0; i < args->n_settings; i++) {
        put(all, args->settings[i].key, args->settings[i].value);
    }
    return DIP_OK;
}
