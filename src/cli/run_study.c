/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_study.h"

#include "cli/progress_bar.h"

enum { ARGUMENTS_MAX = CLI_SETTINGS_MAX + CLI_FLAGS_MAX };

typedef struct arguments {
    size_t n;
    const char *names[ARGUMENTS_MAX];
    const char *values[ARGUMENTS_MAX];
} arguments;

static void add(arguments *all, const cli_setting *settings, size_t n) {
    for (size_t i = 0; i < n; i++) {
        all->names[all->n] = settings[i].key;
        all->values[all->n++] = settings[i].value;
    }
}

dip_status cli_run_study(const cli_args *args, cli_study_fn study, dip_report **report,
                         dip_error *err) {
    arguments all = {0};
    cli_bar bar;
    dip_dataset *dataset = NULL;
    const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
    add(&all, args->own, args->n_own);
    add(&all, args->settings, args->n_settings);
    dip_status status = dip_dataset_open(&dataset, args->positional[0], err);
    if (status == DIP_OK) {
        status = study(dataset, all.names, all.values, all.n, cli_value(args, "output"),
                       cli_has(args, "force") ? DIP_REPLACE : 0, &watch, report, err);
    }
    cli_bar_stop(&bar);
    dip_dataset_close(dataset);
    return status;
}
