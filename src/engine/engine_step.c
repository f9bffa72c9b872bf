/* SPDX-License-Identifier: Apache-2.0
 *
 * One training step on a CPU:
 *
 *   second loss   the views h and g of the self-supervised items: features looked up, through the
 *                 tower, the loss, which fills du, and backward: gradients of layers and defaults;
 *                 dx stays in the passes; then perhaps the same with queries
 *   main loss     the same with queries and items
 *   check         a loss or gradient that is not finite stops here, before anything is changed
 *
 * The update is in engine_cpu.c: dense tensors, then the touched rows of the tables.
 */
#include "engine/check.h"
#include "engine/second.h"
#include "math/vec.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- passes ---------------------------------------------------------------------------------- */

/* What the items of the main loss lose: any feature with the method feature-dropout, and with
 * train.id_dropout that of their id. */
static dip_view item_view(const dip_engine *engine, const dip_batch *batch, dip_rng rng) {
    const bool drops_any = engine->config.ssl.method == DIP_METHOD_FEATURE_DROPOUT;
    const uint64_t droppable = drops_any ? UINT64_MAX : engine->id_features;
    const double rate = drops_any ? engine->config.ssl.dropout : engine->config.train.id_dropout;
    return (dip_view){.feature_dropout = droppable != 0 ? rate : 0,
                      .droppable = droppable,
                      .rng = rng,
                      .step = batch->step};
}

/* With dropout two examples of one item differ. Uniform items as extra negatives lose features as
 * positives do, so that what is missing tells nothing. */
static dip_status load_main(dip_engine *engine, const dip_batch *batch, dip_error *err) {
    const dip_dataset *dataset = engine->dataset;
    const dip_rows *items = &dataset->items;
    const dip_view view = item_view(engine, batch, engine->rng_feature);
    const dip_view extra_view = item_view(engine, batch, engine->rng_extra_feature);
    const bool drops_features = view.feature_dropout > 0;
    dip_distinct_find(&engine->queries, batch->query, batch->n);
    if (drops_features) {
        dip_distinct_keep_all(&engine->items, batch->item, batch->n);
    } else {
        dip_distinct_find(&engine->items, batch->item, batch->n);
    }
    DIP_TRY(dip_pass_load(engine->query, dip_dataset_rows(dataset, DIP_SIDE_QUERY),
                          engine->queries.row, engine->queries.n, NULL, err));
    DIP_TRY(dip_pass_load(engine->item, items, engine->items.row, engine->items.n,
                          drops_features ? &view : NULL, err));
    return engine->extra == NULL ? DIP_OK
                                 : dip_pass_load(engine->extra, items, batch->self, batch->n_self,
                                                 drops_features ? &extra_view : NULL, err);
}

static size_t add_pass(dip_pass *passes[DIP_ENGINE_PASSES], size_t n, dip_pass *pass) {
    passes[n] = pass;
    return n + (pass != NULL);
}

size_t dip_engine_passes(const dip_engine *engine, unsigned turns,
                         dip_pass *passes[DIP_ENGINE_PASSES]) {
    size_t n = 0;
    for (size_t side = 0; side < DIP_ENGINE_SIDES; side++) {
        const dip_turn turn = side == DIP_SIDE_ITEM ? DIP_TURN_ITEMS : DIP_TURN_QUERIES;
        n = add_pass(passes, n, (turns & turn) != 0 ? engine->second[side].h : NULL);
        n = add_pass(passes, n, (turns & turn) != 0 ? engine->second[side].g : NULL);
    }
    const bool has_main = (turns & DIP_TURN_MAIN) != 0;
    n = add_pass(passes, n, has_main ? engine->query : NULL);
    n = add_pass(passes, n, has_main ? engine->item : NULL);
    return n < DIP_ENGINE_PASSES ? add_pass(passes, n, has_main ? engine->extra : NULL) : n;
}

/* ---- main loss ------------------------------------------------------------------------------- */

/* The candidates: each item of the batch once, however many examples it has, and behind them the
 * uniform items. */
static void list_candidates(dip_engine *engine, const dip_batch *batch, size_t n_extra) {
    const dip_distinct *items = &engine->items;
    memcpy(engine->candidate, items->row, items->n * sizeof *engine->candidate);
    memset(engine->copies, 0, items->n * sizeof *engine->copies);
    for (size_t i = 0; i < batch->n; i++) {
        engine->copies[items->place[i]]++;
    }
    if (n_extra > 0) {
        memcpy(engine->candidate + items->n, batch->self, n_extra * sizeof *engine->candidate);
    }
    for (size_t j = items->n; j < items->n + n_extra; j++) {
        engine->copies[j] = 1;
    }
}

/* log of the share of a candidate's item among those that were drawn: n of them by frequency, and
 * with extra negatives m uniformly out of N:  q = (n p + m / N) / (n + m). 0 without a correction.
 */
static void fill_logs(dip_engine *engine, const dip_batch *batch, size_t columns, size_t n_extra) {
    const double extra = (double)n_extra;
    if (engine->log_p == NULL) {
        memset(engine->batch_log, 0, columns * sizeof *engine->batch_log);
        return;
    }
    for (size_t j = 0; j < columns; j++) {
        const dip_real log_p = engine->log_p[engine->candidate[j]];
        engine->batch_log[j] = n_extra == 0 ? log_p
                                            : (dip_real)log(((double)batch->n * exp((double)log_p) +
                                                             extra / (double)batch->self_items) /
                                                            ((double)batch->n + extra));
    }
}

/* own_i = log( (1 - q_i) / n_i ), with n_i candidates, copies counted, that are not the item i.
 * They are drawn with shares q_j / (1 - q_i), so the negatives' part of the softmax is an estimate
 * of its sum over all other items. Without any negative the loss is 0 whatever own is. */
static void refine_own(dip_engine *engine, size_t n, size_t columns, size_t n_extra) {
    dip_distinct *candidates = &engine->candidates;
    dip_distinct_find(candidates, engine->candidate, columns);
    memset(engine->of_item, 0, candidates->n * sizeof *engine->of_item);
    for (size_t j = 0; j < columns; j++) {
        engine->of_item[candidates->place[j]] += engine->copies[j];
    }
    for (size_t i = 0; i < n; i++) {
        const size_t own = engine->items.place[i];
        const size_t negatives = n + n_extra - engine->of_item[candidates->place[own]];
        const double others = fmax(-expm1((double)engine->batch_log[own]), DBL_MIN);
        engine->batch_own[i] = negatives > 0 ? (dip_real)(log(others) - log((double)negatives)) : 0;
    }
}

/* What is taken from the logits: log q of the positives or what the refined correction has in its
 * place, and log q of the candidates less the log of their copies, of which each is one. */
static void fill_corrections(dip_engine *engine, const dip_batch *batch, size_t columns,
                             size_t n_extra) {
    fill_logs(engine, batch, columns, n_extra);
    if (engine->config.train.logq == DIP_LOGQ_REFINED) {
        refine_own(engine, batch->n, columns, n_extra);
    } else {
        for (size_t i = 0; i < batch->n; i++) {
            engine->batch_own[i] = engine->batch_log[engine->items.place[i]];
        }
    }
    for (size_t j = 0; j < columns; j++) {
        if (engine->copies[j] > 1) {
            engine->batch_log[j] -= (dip_real)log((double)engine->copies[j]);
        }
    }
}

/* The uniform items' pass: their own, or that of a view. */
static dip_pass *extra_pass(const dip_engine *engine) {
    return engine->extra != NULL ? engine->extra : engine->second[DIP_SIDE_ITEM].h;
}

/* The vectors of the candidates. Those of the batch's items alone stay where they are. */
static const dip_real *gather_vectors(dip_engine *engine, size_t n_extra) {
    const size_t d = engine->item->tower->output;
    const size_t n = engine->items.n;
    if (n_extra == 0) {
        return engine->item->u;
    }
    memcpy(engine->v, engine->item->u, n * d * sizeof *engine->v);
    memcpy(engine->v + n * d, extra_pass(engine)->u, n_extra * d * sizeof *engine->v);
    return engine->v;
}

static void scatter_gradients(dip_engine *engine, const dip_batch *batch, size_t n_extra) {
    const size_t d = engine->item->tower->output;
    const size_t n = engine->items.n;
    dip_distinct_sum(&engine->queries, batch->n, d, engine->du, engine->query->du);
    if (n_extra == 0) {
        return;
    }
    const dip_real *rest = engine->dv + n * d;
    memcpy(engine->item->du, engine->dv, n * d * sizeof *rest);
    if (engine->extra != NULL) {
        memcpy(engine->extra->du, rest, n_extra * d * sizeof *rest);
    } else {
        dip_vec_axpy(n_extra * d, 1, rest, extra_pass(engine)->du);
    }
}

static double run_main(dip_engine *engine, const dip_batch *batch) {
    const dip_config *config = &engine->config;
    const size_t n_extra = config->train.extra_negatives != DIP_EXTRA_NONE ? batch->n_self : 0;
    const size_t columns = engine->items.n + n_extra;
    const size_t d = engine->item->tower->output;
    dip_distinct_spread(&engine->queries, batch->n, d, engine->query->u, engine->u);
    list_candidates(engine, batch, n_extra);
    fill_corrections(engine, batch, columns, n_extra);
    const dip_softmax_input input = {.n = batch->n,
                                     .m = columns,
                                     .d = d,
                                     .u = engine->u,
                                     .v = gather_vectors(engine, n_extra),
                                     .temperature = (dip_real)config->train.temperature,
                                     .log_p = engine->batch_log,
                                     .positive = engine->items.place,
                                     .own = engine->batch_own,
                                     .item = config->train.mask_hits ? engine->candidate : NULL,
                                     .weight = 1};
    dip_real *dv = n_extra > 0 ? engine->dv : engine->item->du;
    const double loss = engine->arithmetic->softmax(engine->loss_main, &input, engine->du, dv);
    scatter_gradients(engine, batch, n_extra);
    return loss;
}

/* ---- the step -------------------------------------------------------------------------------- */

static void forward(dip_engine *engine, unsigned turns) {
    dip_pass *passes[DIP_ENGINE_PASSES];
    const size_t n = dip_engine_passes(engine, turns, passes);
    engine->arithmetic->forward(engine->space, passes, n, &engine->towers.params);
    dip_engine_lap(engine, DIP_PHASE_FORWARD);
}

static void backward(dip_engine *engine, unsigned turns) {
    dip_pass *passes[DIP_ENGINE_PASSES];
    const size_t n = dip_engine_passes(engine, turns, passes);
    engine->arithmetic->backward(engine->space, passes, n, &engine->towers.params);
    dip_engine_lap(engine, DIP_PHASE_BACKWARD);
}

/* The second loss on one tower, with its backward pass unless that waits for the main loss. */
static dip_status turn_of_self(dip_engine *engine, const dip_batch *batch, dip_side side,
                               bool waits, double *sum, dip_error *err) {
    const dip_turn turn = side == DIP_SIDE_ITEM ? DIP_TURN_ITEMS : DIP_TURN_QUERIES;
    DIP_TRY(dip_second_load(engine, batch, side, err));
    dip_engine_lap(engine, DIP_PHASE_LOAD);
    forward(engine, turn);
    const double loss = dip_second_loss(engine, batch, side);
    dip_engine_lap(engine, DIP_PHASE_LOSS);
    DIP_TRY(dip_check_loss("self-supervised", loss, err));
    *sum += loss;
    if (!waits) {
        backward(engine, turn);
    }
    return DIP_OK;
}

static dip_status turn_of_main(dip_engine *engine, const dip_batch *batch, bool views_wait,
                               double *loss, dip_error *err) {
    DIP_TRY(load_main(engine, batch, err));
    dip_engine_lap(engine, DIP_PHASE_LOAD);
    forward(engine, DIP_TURN_MAIN);
    *loss = run_main(engine, batch);
    dip_engine_lap(engine, DIP_PHASE_LOSS);
    DIP_TRY(dip_check_loss("main", *loss, err));
    backward(engine, DIP_TURN_MAIN | (views_wait ? DIP_TURN_ITEMS : 0u));
    return DIP_OK;
}

static unsigned turns_of(const dip_engine *engine, const dip_batch *batch) {
    const dip_config *config = &engine->config;
    const bool has_self = dip_engine_has_second_loss(config) && !batch->skips_self;
    unsigned turns = batch->skips_main ? 0 : DIP_TURN_MAIN;
    turns |= has_self ? DIP_TURN_ITEMS : 0u;
    return turns | (has_self && dip_engine_has_queries(config) ? DIP_TURN_QUERIES : 0u);
}

static dip_status take_turns(dip_engine *engine, const dip_batch *batch, unsigned turns,
                             dip_losses *losses, dip_error *err) {
    const bool has_main = (turns & DIP_TURN_MAIN) != 0;
    const bool views_wait =
        (turns & DIP_TURN_ITEMS) != 0 && has_main && !dip_engine_has_turns(&engine->config);
    if ((turns & DIP_TURN_ITEMS) != 0) {
        DIP_TRY(turn_of_self(engine, batch, DIP_SIDE_ITEM, views_wait, &losses->self, err));
    }
    if ((turns & DIP_TURN_QUERIES) != 0) {
        DIP_TRY(turn_of_self(engine, batch, DIP_SIDE_QUERY, false, &losses->self, err));
    }
    return has_main ? turn_of_main(engine, batch, views_wait, &losses->main, err) : DIP_OK;
}

dip_status dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                              dip_error *err) {
    dip_losses losses = {0};
    dip_pass *passes[DIP_ENGINE_PASSES];
    dip_params *params = &engine->towers.params;
    const unsigned turns = turns_of(engine, batch);
    const size_t n = dip_engine_passes(engine, turns, passes);
    engine->lap = omp_get_wtime();
    engine->arithmetic->begin(engine->space, params);
    dip_engine_lap(engine, DIP_PHASE_FORWARD);
    DIP_TRY(take_turns(engine, batch, turns, &losses, err));
    engine->arithmetic->end(engine->space, params);
    const bool has_self = (turns & DIP_TURN_ITEMS) != 0;
    losses.total = losses.main + (has_self ? engine->config.ssl.alpha * losses.self : 0);
    for (size_t p = 0; p < n; p++) {
        DIP_TRY(dip_check_pass(passes[p], params, err));
    }
    DIP_TRY(dip_check_dense(params, engine->threads, &losses.gradient_norm, err));
    DIP_TRY(dip_sparse_collect(&engine->sparse, (const dip_pass *const *)passes, n, err));
    dip_engine_lap(engine, DIP_PHASE_COLLECT);
    *out = losses;
    return DIP_OK;
}
