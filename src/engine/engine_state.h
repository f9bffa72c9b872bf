/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the CPU engine share: its state, and what a configuration asks of it.
 */
#ifndef DIP_ENGINE_ENGINE_STATE_H
#define DIP_ENGINE_ENGINE_STATE_H

#include "engine/arithmetic.h"
#include "engine/engine.h"
#include "engine/sparse.h"
#include "engine/visible.h"
#include "model/distinct.h"

#include <omp.h>

enum { DIP_ENGINE_PASSES = 7, DIP_ENGINE_SIDES = 2 };

/* The losses of a step, each with passes of its own. */
typedef enum dip_turn {
    DIP_TURN_ITEMS = 1,   /* second loss on items */
    DIP_TURN_QUERIES = 2, /* second loss on queries */
    DIP_TURN_MAIN = 4,
    DIP_TURNS_ALL = 7
} dip_turn;

/* The passes of the second loss on one tower. */
typedef struct dip_second {
    dip_pass *h; /* also the unaugmented rows of spread-out and noise */
    dip_pass *g; /* NULL without a second view */
    dip_rng rng_h;
    dip_rng rng_g;
} dip_second;

/* A noise view of the vectors of a pass. */
typedef struct dip_noisy {
    dip_real *y;    /* [B x D] */
    dip_real *dy;   /* [B x D] */
    dip_real *norm; /* [B] */
} dip_noisy;

struct dip_engine {
    const dip_dataset *dataset;
    dip_config config;
    int threads;
    dip_towers towers;
    dip_optimizer optimizer;
    dip_sparse sparse;
    const dip_arithmetic *arithmetic;
    dip_workspace *space;
    dip_pass *query;
    dip_pass *item;
    dip_second second[DIP_ENGINE_SIDES]; /* by dip_side */
    dip_pass *extra;                     /* unaugmented items that are further negatives */
    dip_loss_space *loss_main;
    dip_loss_space *loss_self;
    dip_softmax spread;  /* of the spread-out forms that are not a softmax */
    dip_real *log_p;     /* [items] log of the share of training pairs; NULL without correction */
    dip_real *batch_log; /* [columns] log p of the candidates of a batch, less that of the copies */
    dip_real *batch_own; /* [batch] log p of the positives, or of the refined correction */
    uint32_t *copies;    /* [columns] examples that a candidate is the item of; 1 behind those */
    dip_distinct candidates; /* the items among the candidates, */
    uint32_t *of_item;       /* [columns] and how often each is there; for the refined correction */
    dip_distinct queries;    /* of the batch: the passes have the distinct rows only */
    dip_distinct items;
    dip_real *u;        /* [B x D] vectors of all queries, */
    dip_real *du;       /* [B x D] and their gradients */
    dip_real *v;        /* [columns x D] vectors of the candidates, when there are extra ones */
    dip_real *dv;       /* [columns x D] */
    int32_t *candidate; /* [columns] the items of all candidates */
    dip_real *spare[2]; /* [B x D] further gradients by the views */
    dip_noisy noisy[2]; /* the two views of method noise */
    dip_visible visible;
    uint64_t id_features; /* of items, as a mask */
    dip_rng rng_feature;
    dip_rng rng_extra_feature;
    double seconds[DIP_PHASES];
    double lap; /* when the current phase began */
};

static inline bool dip_engine_has_views(const dip_config *config) {
    return dip_engine_has_second_loss(config) && dip_method_has_views(config->ssl.method);
}

/* Eq. 3 on views, or on the items themselves with or without noise. */
static inline bool dip_engine_has_self_softmax(const dip_config *config) {
    const bool is_whole =
        config->ssl.method == DIP_METHOD_SPREAD_OUT || config->ssl.method == DIP_METHOD_NOISE;
    return dip_engine_has_views(config) || (dip_engine_has_second_loss(config) && is_whole);
}

static inline size_t dip_engine_self_batch(const dip_config *config) {
    return (size_t)(config->ssl.batch > 0 ? config->ssl.batch : config->train.batch);
}

static inline size_t dip_engine_n_extra(const dip_config *config) {
    return config->train.extra_negatives != DIP_EXTRA_NONE ? dip_engine_self_batch(config) : 0;
}

/* Whether the second loss is done, backward pass and all, before the main loss begins: then the
 * passes of the one use the memory of the other. Views that are extra negatives wait for the
 * gradient of the main loss. */
static inline bool dip_engine_has_turns(const dip_config *config) {
    return config->train.extra_negatives != DIP_EXTRA_VIEWS;
}

/* Ends a phase: the time since the last call belongs to it. */
static inline void dip_engine_lap(dip_engine *engine, dip_phase phase) {
    const double now = omp_get_wtime();
    engine->seconds[phase] += now - engine->lap;
    engine->lap = now;
}

/* The passes of a sum of turns, in their order. */
size_t dip_engine_passes(const dip_engine *engine, unsigned turns,
                         dip_pass *passes[DIP_ENGINE_PASSES]);

#endif
