/* SPDX-License-Identifier: Apache-2.0
 *
 * What is in a prepared dataset, what is wrong with it, and what training on it will cost. Columns
 * and pairs are walked from beginning to end; memory is 25 bytes an item, 1 a query, 8 a row of the
 * largest table, and 80 MB, beside what a measurement of the training needs.
 *
 * The report, one JSON object:
 *   rows, features, tables, popularity, splits, information (MI matrix and masks), forecast,
 *   findings
 */
#ifndef DIP_CHECK_CHECK_H
#define DIP_CHECK_CHECK_H

#include "base/json.h"
#include "base/progress.h"
#include "data/dataset.h"

/* measures: steps are made to say how long training takes. The caller json_decref()s the report. */
dip_status dip_check_dataset(const dip_dataset *dataset, const dip_config *config, bool measures,
                             const dip_watch *watch, json_t **report, dip_error *err);

#endif
