/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of a report: methods by metrics under one condition. Means and spread over seeds, the
 * change against the baseline, and two paired tests of it, adjusted over the methods of a column
 * (evaluate/compare.h).
 */
#ifndef DIP_EXPERIMENT_TABLES_H
#define DIP_EXPERIMENT_TABLES_H

#include "base/json.h"
#include "base/text.h"
#include "experiment/outcome.h"

/* Below this both adjusted p-values must lie for a difference to count. */
#define DIP_SIGNIFICANT 0.05

/* Caller json_decref()s the table. */
dip_status dip_table_make(const dip_study *study, const dip_outcome *outcome,
                          const dip_plan_table *plan, json_t **table, dip_error *err);

/* A comma, and the number under a key; nothing behind the comma where it is null. */
dip_status dip_csv_number(dip_text *text, const json_t *object, const char *key, dip_error *err);

/* The same as comma separated values, one line a method and column. */
dip_status dip_table_csv(const json_t *table, dip_text *text, dip_error *err);

#endif
