/* SPDX-License-Identifier: Apache-2.0
 *
 * From a project's raw files to a published dataset:
 *
 *   lay out tables -> ingest -> split -> fit on training rows -> mutual information -> write
 */
#ifndef DIP_PREPARE_PREPARE_H
#define DIP_PREPARE_PREPARE_H

#include "base/json.h"
#include "base/progress.h"
#include "data/project.h"
#include "prepare/ingest.h"

/* *summary is what the public report shows; the caller json_decref()s it. */
dip_status dip_prepare_dataset(const dip_project *project, const char *output, bool replace,
                               const dip_watch *watch, json_t **summary, dip_error *err);

/* The means that the options prepare.memory and threads name. Keeps the watch.
 *
 * DIP_ERR_USAGE   the memory is less than what prepare can work in */
dip_status dip_prepare_means(dip_means *means, const dip_config *config, const dip_watch *watch,
                             dip_error *err);

/* Likewise with the means given, instead of those that the options prepare.memory and threads
 * name. */
dip_status dip_prepare_by(const dip_project *project, const char *output, bool replace,
                          const dip_means *means, json_t **summary, dip_error *err);

#endif
