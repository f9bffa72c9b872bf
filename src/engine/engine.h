/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between training and the device that computes: one step on a batch that is given as rows
 * and masks. engine_cpu.c is the engine for CPUs. The choice of batches, the schedule and the
 * files are the trainer's (train/).
 */
#ifndef DIP_ENGINE_ENGINE_H
#define DIP_ENGINE_ENGINE_H

#include "config/config.h"
#include "data/dataset.h"
#include "engine/optimizer.h"
#include "model/augment.h"
#include "model/tower.h"

/* Queries of the second loss, with ssl.towers = both; fields as those of items in dip_batch. */
typedef struct dip_self_queries {
    size_t n;
    const int32_t *row;
    dip_masks masks;
    const uint64_t *each_h;
    const uint64_t *each_g;
} dip_self_queries;

typedef struct dip_batch {
    size_t n;
    const int32_t *query; /* [n] query rows */
    const int32_t *item;  /* [n] item rows */
    size_t n_self;
    const int32_t *self; /* [n_self] distinct item rows of the second loss and extra negatives */
    size_t self_items;   /* how many these are drawn from, uniformly */
    dip_masks masks;
    const uint64_t *each_h; /* [n_self] masks of single items in the place of masks; or NULL */
    const uint64_t *each_g;
    dip_self_queries queries; /* of the second loss on the query tower */
    bool skips_main;          /* the second loss alone */
    bool skips_self;          /* the main loss alone */
    uint64_t step;            /* counter of the value draws */
} dip_batch;

typedef struct dip_losses {
    double total; /* main + alpha * self (Eq. 5) */
    double main;
    double self;          /* with two towers, the sum of theirs */
    double gradient_norm; /* of the dense tensors */
} dip_losses;

/* What the time of a step is spent on. */
typedef enum dip_phase {
    DIP_PHASE_LOAD,     /* features looked up, values dropped, embeddings pooled */
    DIP_PHASE_FORWARD,  /* the towers' layers */
    DIP_PHASE_LOSS,     /* the softmax losses with their gradients by the vectors */
    DIP_PHASE_BACKWARD, /* gradients of layers and inputs */
    DIP_PHASE_COLLECT,  /* occurrences of table rows found and sorted; finite checks */
    DIP_PHASE_UPDATE,   /* the optimizer, on layers and on touched rows */
    DIP_PHASES
} dip_phase;

/* "load", "forward", ... */
const char *dip_phase_name(dip_phase phase);

typedef struct dip_engine dip_engine;

/* DIP_ERR_USAGE   options that contradict each other. */
dip_status dip_engine_check(const dip_config *config, dip_error *err);

/* "none" or "each" of the items' features is an id, so that train.id_dropout drops nothing, since
 * what is left of an item must be something; NULL when it drops ids, or is 0. */
const char *dip_engine_idle_id_dropout(const dip_schema *schema, const dip_config *config);

/* Allocates the model, its initial values, the optimizer and all buffers. Keeps dataset and
 * config. */
dip_status dip_engine_create(dip_engine **out, const dip_dataset *dataset, const dip_config *config,
                             dip_error *err);

/* Losses and gradients of a batch; parameters stay as they are.
 * DIP_ERR_NONFINITE names the loss part, or the tensor whose gradient is not finite. */
dip_status dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                              dip_error *err);

/* Applies the gradients of the last dip_engine_compute, which must have succeeded. */
void dip_engine_update(dip_engine *engine, double rate);

/* The model being trained. */
dip_towers *dip_engine_towers(dip_engine *engine);

/* The optimizer's state. A checkpoint holds it beside the model. */
dip_optimizer *dip_engine_optimizer(dip_engine *engine);

/* Seconds spent in each phase since the engine was made, [DIP_PHASES]. */
const double *dip_engine_seconds(const dip_engine *engine);

void dip_engine_free(dip_engine *engine);

/* Whether a configuration has a second loss, and whether that trains the query tower, too. */
static inline bool dip_engine_has_second_loss(const dip_config *config) {
    const int method = config->ssl.method;
    return config->ssl.alpha > 0 && method != DIP_METHOD_NONE &&
           method != DIP_METHOD_FEATURE_DROPOUT;
}

static inline bool dip_engine_has_queries(const dip_config *config) {
    return dip_engine_has_second_loss(config) && config->ssl.towers == DIP_TOWERS_BOTH;
}

/* "fp32" or "bf16": what train.precision comes to on this processor. */
const char *dip_engine_precision(const dip_config *config);

/* Threads that a configuration asks for: 0 means all that OpenMP would use. */
int dip_engine_threads(const dip_config *config);

#endif
