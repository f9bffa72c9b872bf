/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of a report as comma separated values, with six digits and nothing where one is null.
 * Each is made of the finished results.json.
 *
 *   tables.csv    a line for each method and column of each table
 *   runs.csv      a line for each run, with the metrics that the tables show
 *   figures.csv   a line for each point of each figure
 */
#ifndef DIP_EXPERIMENT_CSV_H
#define DIP_EXPERIMENT_CSV_H

#include "base/json.h"
#include "base/text.h"

dip_status dip_csv_tables(const json_t *results, dip_text *text, dip_error *err);
dip_status dip_csv_runs(const json_t *results, dip_text *text, dip_error *err);
dip_status dip_csv_figures(const json_t *results, dip_text *text, dip_error *err);

#endif
