/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reader of a report should know before its tables.
 */
#ifndef DIP_EXPERIMENT_WARNINGS_H
#define DIP_EXPERIMENT_WARNINGS_H

#include "experiment/outcome.h"
#include "experiment/values.h"

/* Appends sentences to an array: empty slices, runs that diverged, methods whose views are alike,
 * conditions under which no method is above TopPopular. outcomes: one a condition. */
dip_status dip_study_warn(const dip_study *study, const dip_outcome *outcomes, json_t *warnings,
                          dip_error *err);

#endif
