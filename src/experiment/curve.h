/* SPDX-License-Identifier: Apache-2.0
 *
 * How a training went, epoch by epoch, from the metrics.jsonl of its model.
 */
#ifndef DIP_EXPERIMENT_CURVE_H
#define DIP_EXPERIMENT_CURVE_H

#include "base/folder.h"
#include "base/json.h"

/* content["curve"] = {"epoch": [1, ...], "validation": [...], "loss": [...]}, of which loss is the
 * mean over the steps that were noted. */
dip_status dip_curve_read(const dip_folder *model, json_t *content, dip_error *err);

#endif
