/* SPDX-License-Identifier: Apache-2.0
 *
 * One training step on a CPU:
 *
 *   load and forward    query, item, and the views h and g of the self-supervised items
 *   losses              batch softmax; contrast or spread-out: these fill du of the passes
 *   backward            each pass adds to the gradients of layers and defaults; dx stays in the
 *                       pass
 *   check               a loss or gradient that is not finite stops here, before anything is
 *                       changed
 *   update              dense tensors; then the touched rows of the tables
 */
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/sparse.h"
#include "math/vec.h"
#include "model/loss_softmax.h"
#include "model/loss_spread.h"
#include "model/pass.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { N_PASSES = 4 };

struct dip_engine {
    const dip_dataset *dataset;
    dip_config config;
    int threads;
    dip_towers towers;
    dip_optimizer optimizer;
    dip_sparse sparse;
    dip_pass query;
    dip_pass item;
    dip_pass view_h; /* also the unaugmented items of the spread-out baselines */
    dip_pass view_g;
    dip_softmax softmax_main;
    dip_softmax softmax_self;
    dip_real *item_log_p; /* [items] log of the share of training pairs; NULL without correction */
    dip_real *batch_log_p;
    dip_real *spare; /* [B x D] second gradient of a loss whose sides are one */
    dip_rng rng_h;
    dip_rng rng_g;
    dip_rng rng_feature;
    double seconds[DIP_PHASES];
    double lap; /* when the current phase began */
};

const char *dip_phase_name(dip_phase phase) {
    static const char *const NAMES[DIP_PHASES] = {"load",     "forward", "loss",
                                                  "backward", "collect", "update"};
    return NAMES[phase];
}

/* Ends a phase: the time since the last call belongs to it. */
static void lap(dip_engine *engine, dip_phase phase) {
    const double now = omp_get_wtime();
    engine->seconds[phase] += now - engine->lap;
    engine->lap = now;
}

int dip_engine_threads(const dip_config *config) {
    return config->threads > 0 ? (int)config->threads : omp_get_max_threads();
}

static bool has_second_loss(const dip_config *config) {
    const int method = config->ssl.method;
    return config->ssl.alpha > 0 && method != DIP_METHOD_NONE &&
           method != DIP_METHOD_FEATURE_DROPOUT;
}

static dip_status fill_log_p(dip_engine *engine, dip_error *err) {
    if (engine->config.train.logq == DIP_LOGQ_NONE) {
        return DIP_OK;
    }
    const dip_dataset *dataset = engine->dataset;
    const size_t n = (size_t)dataset->items.n;
    engine->item_log_p = dip_alloc(n, sizeof *engine->item_log_p, "item frequencies", err);
    engine->batch_log_p = dip_alloc((size_t)engine->config.train.batch, sizeof *engine->batch_log_p,
                                    "item frequencies", err);
    if (engine->item_log_p == NULL || engine->batch_log_p == NULL) {
        return DIP_ERR_MEMORY;
    }
    const double total = (double)dataset->n_pairs[0];
    for (size_t i = 0; i < n; i++) {
        const int64_t count = dataset->item_count[i];
        engine->item_log_p[i] = count > 0 ? (dip_real)log((double)count / total) : 0;
    }
    return DIP_OK;
}

static dip_status create_self(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t batch = (size_t)(config->ssl.batch > 0 ? config->ssl.batch : config->train.batch);
    const dip_tower *tower = &engine->towers.item;
    if (!has_second_loss(config)) {
        return DIP_OK;
    }
    DIP_TRY(dip_pass_create(&engine->view_h, tower, batch, engine->threads, true, err));
    DIP_TRY(dip_softmax_create(&engine->softmax_self, batch, engine->threads, err));
    if (dip_method_has_views(config->ssl.method)) {
        return dip_pass_create(&engine->view_g, tower, batch, engine->threads, true, err);
    }
    engine->spare = dip_alloc(batch, tower->output * sizeof *engine->spare, "gradients", err);
    return engine->spare != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status create_parts(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t batch = (size_t)config->train.batch;
    const uint64_t seed = (uint64_t)config->seed;
    DIP_TRY(dip_towers_create(&engine->towers, &engine->dataset->schema, config, err));
    dip_params *params = &engine->towers.params;
    DIP_TRY(dip_params_alloc(params, true, err));
    dip_params_init(params, seed);
    DIP_TRY(dip_optimizer_create(&engine->optimizer, params, config, err));
    DIP_TRY(dip_sparse_create(&engine->sparse, params, engine->threads, err));
    DIP_TRY(
        dip_pass_create(&engine->query, &engine->towers.query, batch, engine->threads, true, err));
    DIP_TRY(
        dip_pass_create(&engine->item, &engine->towers.item, batch, engine->threads, true, err));
    DIP_TRY(dip_softmax_create(&engine->softmax_main, batch, engine->threads, err));
    DIP_TRY(fill_log_p(engine, err));
    engine->rng_h = dip_rng_make(seed, DIP_DRAW_VIEW_H);
    engine->rng_g = dip_rng_make(seed, DIP_DRAW_VIEW_G);
    engine->rng_feature = dip_rng_make(seed, DIP_DRAW_FEATURE);
    return create_self(engine, err);
}

dip_status dip_engine_create(dip_engine **out, const dip_dataset *dataset, const dip_config *config,
                             dip_error *err) {
    dip_engine *engine = dip_alloc(1, sizeof *engine, "the training engine", err);
    if (engine == NULL) {
        return DIP_ERR_MEMORY;
    }
    engine->dataset = dataset;
    engine->config = *config;
    engine->threads = dip_engine_threads(config);
    const dip_status status = create_parts(engine, err);
    if (status != DIP_OK) {
        dip_engine_free(engine);
        return status;
    }
    *out = engine;
    return DIP_OK;
}

/* ---- main loss ------------------------------------------------------------------------------- */

static dip_status run_main(dip_engine *engine, const dip_batch *batch, double *loss,
                           dip_error *err) {
    const dip_config *config = &engine->config;
    const dip_dataset *dataset = engine->dataset;
    const dip_params *params = &engine->towers.params;
    const dip_view feature_dropout = {
        .feature_dropout = config->ssl.dropout, .rng = engine->rng_feature, .step = batch->step};
    const bool drops_features = config->ssl.method == DIP_METHOD_FEATURE_DROPOUT;
    DIP_TRY(dip_pass_load(&engine->query, dip_dataset_rows(dataset, DIP_SIDE_QUERY), batch->query,
                          batch->n, NULL, err));
    DIP_TRY(dip_pass_load(&engine->item, &dataset->items, batch->item, batch->n,
                          drops_features ? &feature_dropout : NULL, err));
    lap(engine, DIP_PHASE_LOAD);
    dip_pass_forward(&engine->query, params);
    dip_pass_forward(&engine->item, params);
    lap(engine, DIP_PHASE_FORWARD);
    for (size_t i = 0; engine->item_log_p != NULL && i < batch->n; i++) {
        engine->batch_log_p[i] = engine->item_log_p[batch->item[i]];
    }
    const dip_softmax_input input = {.n = batch->n,
                                     .d = engine->item.tower->output,
                                     .u = engine->query.u,
                                     .v = engine->item.u,
                                     .temperature = (dip_real)config->train.temperature,
                                     .log_p = engine->batch_log_p,
                                     .item = config->train.mask_hits ? batch->item : NULL,
                                     .weight = 1};
    *loss = dip_softmax_loss(&engine->softmax_main, &input, engine->query.du, engine->item.du);
    lap(engine, DIP_PHASE_LOSS);
    return DIP_OK;
}

/* ---- second loss ----------------------------------------------------------------------------- */

static dip_real self_temperature(const dip_config *config) {
    return (dip_real)(config->ssl.temperature > 0 ? config->ssl.temperature
                                                  : config->train.temperature);
}

static dip_view view_of(const dip_engine *engine, const dip_batch *batch, bool is_h) {
    const dip_config *config = &engine->config;
    const bool drops = dip_method_drops_values(config->ssl.method);
    return (dip_view){.mask = is_h ? batch->masks.h : batch->masks.g,
                      .value_dropout = drops ? config->ssl.dropout : 0,
                      .rng = is_h ? engine->rng_h : engine->rng_g,
                      .step = batch->step};
}

/* Eq. 3 on two augmented views. */
static dip_status run_views(dip_engine *engine, const dip_batch *batch, double *loss,
                            dip_error *err) {
    const dip_view h = view_of(engine, batch, true);
    const dip_view g = view_of(engine, batch, false);
    const dip_rows *items = &engine->dataset->items;
    DIP_TRY(dip_pass_load(&engine->view_h, items, batch->self, batch->n_self, &h, err));
    DIP_TRY(dip_pass_load(&engine->view_g, items, batch->self, batch->n_self, &g, err));
    lap(engine, DIP_PHASE_LOAD);
    dip_pass_forward(&engine->view_h, &engine->towers.params);
    dip_pass_forward(&engine->view_g, &engine->towers.params);
    lap(engine, DIP_PHASE_FORWARD);
    const dip_softmax_input input = {.n = batch->n_self,
                                     .d = engine->view_h.tower->output,
                                     .u = engine->view_h.u,
                                     .v = engine->view_g.u,
                                     .temperature = self_temperature(&engine->config),
                                     .weight = (dip_real)engine->config.ssl.alpha};
    *loss = dip_softmax_loss(&engine->softmax_self, &input, engine->view_h.du, engine->view_g.du);
    return DIP_OK;
}

/* Both sides of the softmax are z, so its two gradients are added. */
static double contrast_spread(dip_engine *engine, size_t n, size_t d, dip_real alpha) {
    dip_pass *pass = &engine->view_h;
    const dip_softmax_input input = {.n = n,
                                     .d = d,
                                     .u = pass->u,
                                     .v = pass->u,
                                     .temperature = self_temperature(&engine->config),
                                     .weight = alpha};
    const double loss = dip_softmax_loss(&engine->softmax_self, &input, pass->du, engine->spare);
    dip_vec_axpy(n * d, 1, engine->spare, pass->du);
    return loss;
}

static dip_status run_spread(dip_engine *engine, const dip_batch *batch, double *loss,
                             dip_error *err) {
    dip_pass *pass = &engine->view_h;
    const size_t n = batch->n_self;
    const size_t d = pass->tower->output;
    const dip_real alpha = (dip_real)engine->config.ssl.alpha;
    DIP_TRY(dip_pass_load(pass, &engine->dataset->items, batch->self, n, NULL, err));
    lap(engine, DIP_PHASE_LOAD);
    dip_pass_forward(pass, &engine->towers.params);
    lap(engine, DIP_PHASE_FORWARD);
    switch (engine->config.ssl.method) {
    case DIP_METHOD_SPREAD_OUT_SQUARE:
        *loss = dip_spread_square(&engine->softmax_self, pass->u, n, d, alpha, pass->du);
        break;
    case DIP_METHOD_SPREAD_OUT_MOMENTS:
        *loss = dip_spread_moments(&engine->softmax_self, pass->u, n, d, alpha, pass->du);
        break;
    default:
        *loss = contrast_spread(engine, n, d, alpha);
        break;
    }
    return DIP_OK;
}

static size_t active_passes(dip_engine *engine, dip_pass *passes[N_PASSES]) {
    size_t n = 0;
    passes[n++] = &engine->query;
    passes[n++] = &engine->item;
    if (has_second_loss(&engine->config)) {
        passes[n++] = &engine->view_h;
    }
    if (engine->view_g.x != NULL) {
        passes[n++] = &engine->view_g;
    }
    return n;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static dip_status check_loss(const char *part, double loss, dip_error *err) {
    if (isfinite(loss)) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_NONFINITE,
                    "the %s loss is %s; a lower train.rate or a higher temperature may help", part,
                    isnan(loss) ? "not a number" : "infinite");
}

static dip_status bad_gradient(const char *tensor, dip_error *err) {
    return dip_fail(err, DIP_ERR_NONFINITE,
                    "the gradient of tensor \"%s\" is not finite; a lower train.rate may help",
                    tensor);
}

/* Table gradients are sums of blocks of dx: these are checked in their place. */
static dip_status check_pass(const dip_engine *engine, const dip_pass *pass, dip_error *err) {
    const dip_tower *tower = pass->tower;
    if (dip_vec_is_finite(pass->n * tower->input, pass->dx)) {
        return DIP_OK;
    }
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_block *block = &tower->block[f];
        const int tensor = block->table >= 0 ? block->table : tower->fallback;
        for (size_t i = 0; i < pass->n; i++) {
            if (!dip_vec_is_finite(block->width, pass->dx + i * tower->input + block->offset)) {
                return bad_gradient(engine->towers.params.list[tensor].name, err);
            }
        }
    }
    return DIP_OK;
}

static dip_status check_dense(const dip_engine *engine, double *norm, dip_error *err) {
    double squares = 0;
    for (size_t i = 0; i < engine->towers.params.n; i++) {
        const dip_param *param = &engine->towers.params.list[i];
        if (param->gradient == NULL) {
            continue;
        }
        const double sum = dip_vec_square_sum(dip_param_size(param), param->gradient);
        if (!isfinite(sum)) {
            return bad_gradient(param->name, err);
        }
        squares += sum;
    }
    *norm = sqrt(squares);
    return DIP_OK;
}

/* ---- the step -------------------------------------------------------------------------------- */

static dip_status run_losses(dip_engine *engine, const dip_batch *batch, dip_losses *losses,
                             dip_error *err) {
    const bool has_self = has_second_loss(&engine->config);
    DIP_TRY(run_main(engine, batch, &losses->main, err));
    DIP_TRY(check_loss("main", losses->main, err));
    if (has_self) {
        DIP_TRY(dip_method_has_views(engine->config.ssl.method)
                    ? run_views(engine, batch, &losses->self, err)
                    : run_spread(engine, batch, &losses->self, err));
        DIP_TRY(check_loss("self-supervised", losses->self, err));
    }
    losses->total = losses->main + (has_self ? engine->config.ssl.alpha * losses->self : 0);
    return DIP_OK;
}

dip_status dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                              dip_error *err) {
    dip_losses losses = {0};
    dip_pass *passes[N_PASSES];
    engine->lap = omp_get_wtime();
    DIP_TRY(run_losses(engine, batch, &losses, err));
    lap(engine, DIP_PHASE_LOSS);
    const size_t n = active_passes(engine, passes);
    dip_params_zero_gradients(&engine->towers.params);
    for (size_t p = 0; p < n; p++) {
        dip_pass_backward(passes[p], &engine->towers.params);
    }
    lap(engine, DIP_PHASE_BACKWARD);
    for (size_t p = 0; p < n; p++) {
        DIP_TRY(check_pass(engine, passes[p], err));
    }
    DIP_TRY(check_dense(engine, &losses.gradient_norm, err));
    DIP_TRY(dip_sparse_collect(&engine->sparse, (const dip_pass *const *)passes, n, err));
    lap(engine, DIP_PHASE_COLLECT);
    *out = losses;
    return DIP_OK;
}

/* Elements of a dense tensor that one thread updates at a time. */
enum { UPDATE_ELEMENTS = 4096 };

static void update_dense(dip_engine *engine, const dip_update *update, size_t index) {
    dip_param *param = &engine->towers.params.list[index];
    const size_t size = dip_param_size(param);
#pragma omp parallel for schedule(static) num_threads(engine->threads)
    for (size_t at = 0; at < size; at += UPDATE_ELEMENTS) {
        const size_t n = size - at < UPDATE_ELEMENTS ? size - at : UPDATE_ELEMENTS;
        dip_optimizer_apply(&engine->optimizer, update, param, index, at, n, param->gradient + at);
    }
}

void dip_engine_update(dip_engine *engine, double rate) {
    engine->lap = omp_get_wtime();
    const dip_update update = dip_optimizer_begin(&engine->optimizer, rate);
    for (size_t i = 0; i < engine->towers.params.n; i++) {
        if (engine->towers.params.list[i].gradient != NULL) {
            update_dense(engine, &update, i);
        }
    }
    dip_sparse_update(&engine->sparse, &engine->towers.params, &engine->optimizer, &update);
    lap(engine, DIP_PHASE_UPDATE);
}

dip_towers *dip_engine_towers(dip_engine *engine) {
    return &engine->towers;
}

dip_optimizer *dip_engine_optimizer(dip_engine *engine) {
    return &engine->optimizer;
}

const double *dip_engine_seconds(const dip_engine *engine) {
    return engine->seconds;
}

void dip_engine_free(dip_engine *engine) {
    if (engine == NULL) {
        return;
    }
    dip_pass_free(&engine->query);
    dip_pass_free(&engine->item);
    dip_pass_free(&engine->view_h);
    dip_pass_free(&engine->view_g);
    dip_softmax_free(&engine->softmax_main);
    dip_softmax_free(&engine->softmax_self);
    dip_sparse_free(&engine->sparse);
    dip_optimizer_free(&engine->optimizer);
    dip_towers_free(&engine->towers);
    dip_free(engine->item_log_p);
    dip_free(engine->batch_log_p);
    dip_free(engine->spare);
    dip_free(engine);
}
