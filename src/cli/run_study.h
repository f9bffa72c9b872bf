/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands that make many runs have in common.
 */
#ifndef DIP_CLI_RUN_STUDY_H
#define DIP_CLI_RUN_STUDY_H

#include "cli/command.h"

/* dip_experiment, dip_tune. */
typedef dip_status (*cli_study_fn)(const dip_dataset *dataset, const char *const *names,
                                   const char *const *values, size_t n, const char *output,
                                   unsigned flags, const dip_watch *watch, dip_report **report,
                                   dip_error *err);

/* Opens the dataset that the command line names and runs the study on it, with the command's own
 * settings and the options of the runs that are given, into --output. */
dip_status cli_run_study(const cli_args *args, cli_study_fn study, dip_report **report,
                         dip_error *err);

#endif
