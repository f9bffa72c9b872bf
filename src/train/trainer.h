/* SPDX-License-Identifier: Apache-2.0
 *
 * Which examples a step sees. Everything is a pure function of (seed, epoch, step): the order of
 * the training pairs in an epoch, the uniform items of the second loss (distinct within a batch),
 * the masks.
 */
#ifndef DIP_TRAIN_TRAINER_H
#define DIP_TRAIN_TRAINER_H

#include "base/progress.h"
#include "base/text.h"
#include "engine/engine.h"
#include "model/model.h"
#include "train/average.h"
#include "train/order.h"
#include "train/query_batch.h"

struct dip_trainer {
    const dip_dataset *dataset;
    dip_config config; /* with batch sizes cut to what the dataset has */
    dip_engine *engine;
    dip_average average;
    dip_augmenter augmenter;
    dip_rng rng_shuffle;
    dip_rng rng_items;
    dip_ahead ahead; /* of the training pairs; it has no part in what is computed */
    int64_t step;    /* steps made */
    int64_t steps_per_epoch;
    int64_t total_steps;
    int32_t *query;   /* [batch] */
    int32_t *item;    /* [batch] */
    int32_t *self;    /* [ssl batch] */
    uint64_t *each_h; /* [ssl batch] masks of single items; NULL when they are the batch's */
    uint64_t *each_g;
    size_t n_self;
    dip_query_batch queries; /* of the second loss */
    int32_t *pool;           /* items of the second loss; NULL means the whole catalogue */
    size_t n_pool;
};

/* Whether a configuration can be trained on a dataset at all, before anything is made.
 * DIP_ERR_USAGE   options that contradict each other or the dataset */
dip_status dip_trainer_check(const dip_dataset *dataset, const dip_config *config, dip_error *err);

dip_status dip_trainer_init(dip_trainer *trainer, const dip_dataset *dataset,
                            const dip_config *config, dip_error *err);

/* The batch of the next step, without making it. */
void dip_trainer_fill(dip_trainer *trainer, dip_batch *batch);

/* DIP_END after the last epoch. */
dip_status dip_trainer_advance(dip_trainer *trainer, dip_step *step, dip_error *err);

/* Passes over the next batch: parameters and optimizer stay as they are. */
void dip_trainer_pass_over(dip_trainer *trainer);

/* The parameters as they are saved, and, by a second call, as they are trained: exchanges them with
 * their running mean, where one is kept (train.average). */
void dip_trainer_swap_average(dip_trainer *trainer);

/* One line of JSON on the next batch: step, epoch, the places of its pairs in the epoch's order,
 * the reason, and, where with_pairs, the rows of the training pairs. */
dip_status dip_trainer_describe_batch(const dip_trainer *trainer, const char *reason,
                                      bool with_pairs, dip_text *text, dip_error *err);

void dip_trainer_release(dip_trainer *trainer);

#endif
