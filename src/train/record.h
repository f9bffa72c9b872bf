/* SPDX-License-Identifier: Apache-2.0
 *
 * What a training run has come to, apart from the parameters and the optimizer: with those, all
 * that a checkpoint needs, since batches, masks and draws are functions of seed and step.
 */
#ifndef DIP_TRAIN_RECORD_H
#define DIP_TRAIN_RECORD_H

#include "base/json.h"
#include "base/text.h"
#include "config/config.h"

#include <stdbool.h>

typedef struct dip_record {
    dip_step last;      /* the last step that was made */
    int64_t epochs;     /* finished, with their validation and save */
    double best;        /* validation metric */
    int64_t best_epoch; /* from 0; -1 before the first validation */
    int64_t saved_step; /* steps after which the model at the output was saved; 0 for none */
    int64_t skipped;    /* batches left out for a loss or gradient that is not finite */
    int64_t skipped_in_a_row;
    bool is_saved;       /* the output holds a model of this run */
    bool replaces;       /* it was allowed to replace an older one */
    dip_text metrics;    /* metrics.jsonl so far */
    dip_text quarantine; /* quarantine.jsonl so far */
} dip_record;

/* A run that has not begun. */
dip_record dip_record_new(bool replaces);

/* All fields but the two texts, and back. DIP_ERR_FORMAT names a key that is missing or makes no
 * sense. */
dip_status dip_record_to_json(const dip_record *record, json_t *object, dip_error *err);
dip_status dip_record_from_json(dip_record *record, const json_t *object, dip_error *err);

/* Lines of metrics.jsonl. Of steps, every tenth and the first are noted. */
dip_status dip_record_note_step(dip_record *record, dip_error *err);
dip_status dip_record_note_epoch(dip_record *record, const dip_config *config, double value,
                                 dip_error *err);

/* "recall@50" */
void dip_record_metric_name(const dip_config *config, char text[DIP_VALUE_MAX]);

/* How far training went, for the model and the report. Caller json_decref()s it. */
dip_status dip_record_summary(const dip_record *record, const dip_config *config, json_t **out,
                              dip_error *err);

void dip_record_free(dip_record *record);

#endif
