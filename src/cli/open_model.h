/* SPDX-License-Identifier: Apache-2.0
 *
 * A model with its dataset: the one named by --data, or the one that the model remembers.
 */
#ifndef DIP_CLI_OPEN_MODEL_H
#define DIP_CLI_OPEN_MODEL_H

#include "cli/command.h"

#define CLI_DATA_FLAG                                                                              \
    { "data", 'd', "DATASET", "the dataset, when it is not where the model was trained" }

typedef struct cli_opened {
    dip_model *model;
    dip_dataset *dataset;
} cli_opened;

dip_status cli_open(cli_opened *opened, const cli_args *args, dip_error *err);
void cli_close(cli_opened *opened);

#endif
