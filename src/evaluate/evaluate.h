/* SPDX-License-Identifier: Apache-2.0
 *
 * From towers and a dataset to exact metrics over the whole catalogue.
 */
#ifndef DIP_EVALUATE_EVALUATE_H
#define DIP_EVALUATE_EVALUATE_H

#include "base/json.h"
#include "base/progress.h"
#include "evaluate/questions.h"
#include "model/tower.h"

/* The public report: metrics, slices, baselines, intervals, warnings. Caller json_decref()s it.
 * DIP_ERR_FAILED when the split has no pairs. */
dip_status dip_evaluate_report(const dip_towers *towers, const dip_dataset *dataset,
                               const dip_config *config, const dip_watch *watch, json_t **report,
                               dip_error *err);

/* The one validation metric that training watches (train.metric, train.metric_k), by the standard
 * protocol. Questions are made once by the caller and reused each epoch. */
dip_status dip_evaluate_metric(const dip_towers *towers, const dip_dataset *dataset,
                               const dip_config *config, const dip_questions *questions,
                               const dip_watch *watch, double *value, dip_error *err);

#endif
