/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole training run: steps, a validation after each epoch, early stopping, checkpoints, and the
 * best model on disk.
 */
#ifndef DIP_TRAIN_RUN_H
#define DIP_TRAIN_RUN_H

#include "base/json.h"
#include "base/progress.h"
#include "config/config.h"
#include "data/dataset.h"

typedef struct dip_run_request {
    const char *output;
    bool replaces; /* DIP_REPLACE */
    bool resumes;  /* DIP_RESUME */
    const dip_watch *watch;
} dip_run_request;

/* *report is the public one; caller json_decref()s it. May be NULL. */
dip_status dip_train_run(const dip_dataset *dataset, const dip_config *config,
                         const dip_run_request *request, json_t **report, dip_error *err);

#endif
