/* SPDX-License-Identifier: Apache-2.0
 *
 * The arguments of commands that make many runs: settings of the command's own, which are flags
 * with '-' for '_', and options of the runs.
 */
#ifndef DIP_CLI_STUDY_ARGS_H
#define DIP_CLI_STUDY_ARGS_H

#include "cli/command.h"

enum { CLI_STUDY_ARGS_MAX = CLI_SETTINGS_MAX + CLI_FLAGS_MAX };

typedef struct cli_study_args {
    size_t n;
    char name[CLI_STUDY_ARGS_MAX][64];
    const char *names[CLI_STUDY_ARGS_MAX];
    const char *values[CLI_STUDY_ARGS_MAX];
} cli_study_args;

typedef dip_status (*cli_setting_fn)(size_t index, dip_option_info *info, dip_error *err);

/* all is empty; get tells of settings 0 ... count - 1. */
dip_status cli_study_collect(cli_study_args *all, const cli_args *args, size_t count,
                             cli_setting_fn get, dip_error *err);

#endif
