/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of a report: methods by metrics under one condition. Means and spread over seeds, the
 * change against the baseline, and two paired tests of it, adjusted over the methods of a column
 * (evaluate/compare.h).
 */
#ifndef DIP_EXPERIMENT_TABLES_H
#define DIP_EXPERIMENT_TABLES_H

#include "base/json.h"
#include "experiment/outcome.h"

/* Below this both adjusted p-values must lie for a difference to count. */
#define DIP_SIGNIFICANT 0.05

/* Caller json_decref()s the table. */
dip_status dip_table_make(const dip_study *study, const dip_outcome *outcome,
                          const dip_plan_table *plan, json_t **table, dip_error *err);

#endif
