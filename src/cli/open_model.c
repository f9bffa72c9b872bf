/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/open_model.h"

#include <stdio.h>
#include <string.h>

dip_status cli_open(cli_opened *opened, const cli_args *args, dip_error *err) {
    *opened = (cli_opened){NULL, NULL};
    dip_status status = dip_model_load(&opened->model, args->positional[0], err);
    if (status != DIP_OK) {
        return status;
    }
    const char *data = cli_value(args, "data");
    const char *path = data != NULL ? data : dip_model_dataset_path(opened->model);
    status = dip_dataset_open(&opened->dataset, path, err);
    if (status != DIP_OK && data == NULL) {
        const size_t used = strlen(err->message);
        snprintf(err->message + used, sizeof err->message - used,
                 " (the dataset that the model was trained on; --data names another place)");
    }
    if (status != DIP_OK) {
        cli_close(opened);
    }
    return status;
}

void cli_close(cli_opened *opened) {
    dip_dataset_close(opened->dataset);
    dip_model_free(opened->model);
    *opened = (cli_opened){NULL, NULL};
}
