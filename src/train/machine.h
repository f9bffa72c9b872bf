/* SPDX-License-Identifier: Apache-2.0
 *
 * What a result was computed with. The same run gives the same bits only with the same vector
 * instructions, libraries and compiler, so a checkpoint says which they were.
 */
#ifndef DIP_TRAIN_MACHINE_H
#define DIP_TRAIN_MACHINE_H

#include "base/json.h"
#include "base/text.h"
#include "config/config.h"

/* content["machine"] = {"precision": "fp32", "instructions": "avx512", ...} */
dip_status dip_machine_describe(const dip_config *config, json_t *content, dip_error *err);

/* DIP_ERR_FAILED when the description has another precision than this process would use. */
dip_status dip_machine_check_precision(const json_t *content, const dip_config *config,
                                       const char *path, dip_error *err);

/* Puts a sentence into text for what else differs; none when nothing does. */
dip_status dip_machine_compare(const json_t *content, dip_text *text, dip_error *err);

#endif
