/* SPDX-License-Identifier: Apache-2.0
 *
 * One training step on a CPU:
 *
 *   second loss         the views h and g of the self-supervised items: features looked up, through
 *                       the tower, the loss, which fills du, and backward: gradients of layers and
 *                       defaults; dx stays in the passes
 *   main loss           the same with queries and items
 *   check               a loss or gradient that is not finite stops here, before anything is
 *                       changed
 *   update              dense tensors; then the touched rows of the tables
 */
#include "base/mem.h"
#include "engine/arithmetic.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "engine/sparse.h"
#include "math/isa.h"
#include "math/vec.h"
#include "model/loss_spread.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { N_PASSES = 5 };

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
    dip_pass *view_h; /* also the unaugmented items of the spread-out baselines */
    dip_pass *view_g;
    dip_pass *extra; /* unaugmented items that are further negatives */
    dip_loss_space *loss_main;
    dip_loss_space *loss_self;
    dip_softmax spread;  /* of the spread-out forms that are not a softmax */
    dip_real *log_p;     /* [items] log of the share of training pairs; NULL without correction */
    dip_real *batch_log; /* [columns] log p of the candidates of a batch */
    int32_t *candidate;  /* [columns] their items, with extra negatives */
    dip_real *v;         /* [columns x D] their vectors, with extra negatives */
    dip_real *dv;        /* [columns x D] */
    dip_real *spare;     /* [B x D] second gradient of a loss whose sides are one */
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

/* ---- what a configuration asks for ----------------------------------------------------------- */

int dip_engine_threads(const dip_config *config) {
    return config->threads > 0 ? (int)config->threads : omp_get_max_threads();
}

static bool has_second_loss(const dip_config *config) {
    const int method = config->ssl.method;
    return config->ssl.alpha > 0 && method != DIP_METHOD_NONE &&
           method != DIP_METHOD_FEATURE_DROPOUT;
}

static bool has_views(const dip_config *config) {
    return has_second_loss(config) && dip_method_has_views(config->ssl.method);
}

/* Eq. 3 on views, or its spread-out form on the items themselves. */
static bool has_self_softmax(const dip_config *config) {
    return has_views(config) ||
           (has_second_loss(config) && config->ssl.method == DIP_METHOD_SPREAD_OUT);
}

static size_t self_batch(const dip_config *config) {
    return (size_t)(config->ssl.batch > 0 ? config->ssl.batch : config->train.batch);
}

static size_t n_extra(const dip_config *config) {
    return config->train.extra_negatives != DIP_EXTRA_NONE ? self_batch(config) : 0;
}

static const dip_arithmetic *choose_arithmetic(int precision) {
#ifdef DIP_REAL_IS_DOUBLE
    (void)precision;
    return &dip_arithmetic_fp32;
#else
    const bool is_fast = dip_isa_get() >= DIP_ISA_AVX512_BF16;
    const bool wants_bf16 =
        precision == DIP_PRECISION_BF16 || (precision == DIP_PRECISION_AUTO && is_fast);
    return wants_bf16 ? &dip_arithmetic_bf16 : &dip_arithmetic_fp32;
#endif
}

const char *dip_engine_precision(const dip_config *config) {
    return choose_arithmetic(config->train.precision)->name;
}

/* ---- creation -------------------------------------------------------------------------------- */

static dip_status fill_log_p(dip_engine *engine, size_t columns, dip_error *err) {
    if (engine->config.train.logq == DIP_LOGQ_NONE) {
        return DIP_OK;
    }
    const dip_dataset *dataset = engine->dataset;
    const size_t n = (size_t)dataset->items.n;
    engine->log_p = dip_alloc(n, sizeof *engine->log_p, "item frequencies", err);
    engine->batch_log = dip_alloc(columns, sizeof *engine->batch_log, "item frequencies", err);
    if (engine->log_p == NULL || engine->batch_log == NULL) {
        return DIP_ERR_MEMORY;
    }
    const double total = (double)dataset->n_pairs[0];
    for (size_t i = 0; i < n; i++) {
        const int64_t count = dataset->item_count[i];
        engine->log_p[i] = count > 0 ? (dip_real)log((double)count / total) : -(dip_real)INFINITY;
    }
    return DIP_OK;
}

static dip_status create_pass(dip_engine *engine, dip_pass **pass, const dip_tower *tower,
                              size_t batch, const dip_pass *lender, dip_error *err) {
    return engine->arithmetic->pass_create(pass, tower, batch, engine->threads, lender, err);
}

/* Whether the second loss is done, backward pass and all, before the main loss begins: then the
 * passes of the one use the memory of the other. Views that are extra negatives wait for the
 * gradient of the main loss. */
static bool has_turns(const dip_config *config) {
    return config->train.extra_negatives != DIP_EXTRA_VIEWS;
}

static dip_status create_self(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t batch = self_batch(config);
    const dip_tower *tower = &engine->towers.item;
    if (!has_second_loss(config)) {
        return DIP_OK;
    }
    const bool has_lenders = has_turns(config);
    DIP_TRY(
        create_pass(engine, &engine->view_h, tower, batch, has_lenders ? engine->item : NULL, err));
    if (has_views(config)) {
        DIP_TRY(create_pass(engine, &engine->view_g, tower, batch,
                            has_lenders ? engine->query : NULL, err));
    }
    if (!has_self_softmax(config)) {
        return dip_softmax_create(&engine->spread, batch, batch, engine->threads, err);
    }
    engine->spare = dip_alloc(batch, tower->output * sizeof *engine->spare, "gradients", err);
    return engine->spare != NULL
               ? engine->arithmetic->loss_create(&engine->loss_self, batch, batch, tower->output,
                                                 engine->threads, err)
               : DIP_ERR_MEMORY;
}

static dip_status create_extra(dip_engine *engine, size_t columns, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t d = engine->towers.item.output;
    if (config->train.extra_negatives == DIP_EXTRA_NONE) {
        return DIP_OK;
    }
    if (config->train.extra_negatives == DIP_EXTRA_VIEWS && !has_views(config)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "train.extra_negatives: views needs an ssl.method with views, such as cfm, "
                        "and ssl.alpha above 0; use items or none");
    }
    if (config->train.extra_negatives == DIP_EXTRA_ITEMS) {
        DIP_TRY(create_pass(engine, &engine->extra, &engine->towers.item, self_batch(config), NULL,
                            err));
    }
    engine->candidate = dip_alloc(columns, sizeof *engine->candidate, "extra negatives", err);
    engine->v = dip_alloc(columns, d * sizeof *engine->v, "extra negatives", err);
    engine->dv = dip_alloc(columns, d * sizeof *engine->dv, "extra negatives", err);
    const bool is_whole = engine->candidate != NULL && engine->v != NULL && engine->dv != NULL;
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status create_losses(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t batch = (size_t)config->train.batch;
    const size_t columns = batch + n_extra(config);
    const size_t room = batch > self_batch(config) ? batch : self_batch(config);
    const size_t lent = has_second_loss(config) && has_turns(config) ? room : batch;
    DIP_TRY(create_pass(engine, &engine->query, &engine->towers.query, lent, NULL, err));
    DIP_TRY(create_pass(engine, &engine->item, &engine->towers.item, lent, NULL, err));
    DIP_TRY(engine->arithmetic->loss_create(&engine->loss_main, batch, columns,
                                            engine->towers.item.output, engine->threads, err));
    DIP_TRY(fill_log_p(engine, columns, err));
    DIP_TRY(create_extra(engine, columns, err));
    return create_self(engine, err);
}

static dip_status create_parts(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const uint64_t seed = (uint64_t)config->seed;
    DIP_TRY(dip_towers_create(&engine->towers, &engine->dataset->schema, config, err));
    dip_params *params = &engine->towers.params;
    params->table_folder = config->train.table_folder;
    DIP_TRY(dip_params_alloc(params, true, err));
    dip_params_init(params, seed);
    DIP_TRY(dip_optimizer_create(&engine->optimizer, params, config, err));
    DIP_TRY(dip_sparse_create(&engine->sparse, params, engine->threads, err));
    DIP_TRY(engine->arithmetic->create(&engine->space, &engine->towers, engine->threads, err));
    engine->rng_h = dip_rng_make(seed, DIP_DRAW_VIEW_H);
    engine->rng_g = dip_rng_make(seed, DIP_DRAW_VIEW_G);
    engine->rng_feature = dip_rng_make(seed, DIP_DRAW_FEATURE);
    return create_losses(engine, err);
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
    engine->arithmetic = choose_arithmetic(config->train.precision);
    const dip_status status = create_parts(engine, err);
    if (status != DIP_OK) {
        dip_engine_free(engine);
        return status;
    }
    *out = engine;
    return DIP_OK;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static dip_view view_of(const dip_engine *engine, const dip_batch *batch, bool is_h) {
    const dip_config *config = &engine->config;
    const bool drops = dip_method_drops_values(config->ssl.method);
    return (dip_view){.mask = is_h ? batch->masks.h : batch->masks.g,
                      .value_dropout = drops ? config->ssl.dropout : 0,
                      .rng = is_h ? engine->rng_h : engine->rng_g,
                      .step = batch->step};
}

static dip_status load_main(dip_engine *engine, const dip_batch *batch, dip_error *err) {
    const dip_dataset *dataset = engine->dataset;
    const dip_rows *items = &dataset->items;
    const dip_view feature_dropout = {.feature_dropout = engine->config.ssl.dropout,
                                      .rng = engine->rng_feature,
                                      .step = batch->step};
    const bool drops_features = engine->config.ssl.method == DIP_METHOD_FEATURE_DROPOUT;
    DIP_TRY(dip_pass_load(engine->query, dip_dataset_rows(dataset, DIP_SIDE_QUERY), batch->query,
                          batch->n, NULL, err));
    DIP_TRY(dip_pass_load(engine->item, items, batch->item, batch->n,
                          drops_features ? &feature_dropout : NULL, err));
    return engine->extra == NULL
               ? DIP_OK
               : dip_pass_load(engine->extra, items, batch->self, batch->n_self, NULL, err);
}

static dip_status load_self(dip_engine *engine, const dip_batch *batch, dip_error *err) {
    const dip_rows *items = &engine->dataset->items;
    const dip_view h = view_of(engine, batch, true);
    const dip_view g = view_of(engine, batch, false);
    if (engine->view_g == NULL) {
        return dip_pass_load(engine->view_h, items, batch->self, batch->n_self, NULL, err);
    }
    DIP_TRY(dip_pass_load(engine->view_h, items, batch->self, batch->n_self, &h, err));
    return dip_pass_load(engine->view_g, items, batch->self, batch->n_self, &g, err);
}

static size_t add_pass(dip_pass *passes[N_PASSES], size_t n, dip_pass *pass) {
    passes[n] = pass;
    return n + (pass != NULL);
}

/* The passes of the second loss, of the main loss, or of both, in this order. */
static size_t active_passes(const dip_engine *engine, bool self, bool main,
                            dip_pass *passes[N_PASSES]) {
    size_t n = 0;
    n = add_pass(passes, n, self ? engine->view_h : NULL);
    n = add_pass(passes, n, self ? engine->view_g : NULL);
    n = add_pass(passes, n, main ? engine->query : NULL);
    n = add_pass(passes, n, main ? engine->item : NULL);
    return n < N_PASSES ? add_pass(passes, n, main ? engine->extra : NULL) : n;
}

/* ---- main loss ------------------------------------------------------------------------------- */

/* The share of a candidate's item among those that were drawn: n of them by frequency, and with
 * extra negatives m uniformly out of N:  q = (n p + m / N) / (n + m). */
static void fill_logs(dip_engine *engine, const dip_batch *batch, size_t m, const int32_t *item) {
    const double extra = (double)(m - batch->n);
    const double uniform = extra / (double)batch->self_items;
    for (size_t j = 0; j < m; j++) {
        const dip_real log_p = engine->log_p[item[j]];
        engine->batch_log[j] =
            m == batch->n ? log_p
                          : (dip_real)log(((double)batch->n * exp((double)log_p) + uniform) /
                                          ((double)batch->n + extra));
    }
}

/* The vectors of the batch's items, and behind them those of the uniform items. */
static void gather_candidates(dip_engine *engine, const dip_batch *batch) {
    const dip_pass *extra = engine->extra != NULL ? engine->extra : engine->view_h;
    const size_t d = engine->item->tower->output;
    memcpy(engine->v, engine->item->u, batch->n * d * sizeof *engine->v);
    memcpy(engine->v + batch->n * d, extra->u, batch->n_self * d * sizeof *engine->v);
    memcpy(engine->candidate, batch->item, batch->n * sizeof *engine->candidate);
    memcpy(engine->candidate + batch->n, batch->self, batch->n_self * sizeof *engine->candidate);
}

static void scatter_gradients(dip_engine *engine, const dip_batch *batch) {
    const size_t d = engine->item->tower->output;
    dip_real *rest = engine->dv + batch->n * d;
    memcpy(engine->item->du, engine->dv, batch->n * d * sizeof *engine->dv);
    if (engine->extra != NULL) {
        memcpy(engine->extra->du, rest, batch->n_self * d * sizeof *rest);
    } else {
        dip_vec_axpy(batch->n_self * d, 1, rest, engine->view_h->du);
    }
}

static double run_main(dip_engine *engine, const dip_batch *batch) {
    const dip_config *config = &engine->config;
    const bool has_extra = engine->candidate != NULL;
    const size_t m = batch->n + (has_extra ? batch->n_self : 0);
    if (has_extra) {
        gather_candidates(engine, batch);
    }
    const int32_t *item = has_extra ? engine->candidate : batch->item;
    if (engine->log_p != NULL) {
        fill_logs(engine, batch, m, item);
    }
    const dip_softmax_input input = {.n = batch->n,
                                     .m = m,
                                     .d = engine->item->tower->output,
                                     .u = engine->query->u,
                                     .v = has_extra ? engine->v : engine->item->u,
                                     .temperature = (dip_real)config->train.temperature,
                                     .log_p = engine->batch_log,
                                     .item = config->train.mask_hits ? item : NULL,
                                     .weight = 1};
    const double loss = engine->arithmetic->softmax(engine->loss_main, &input, engine->query->du,
                                                    has_extra ? engine->dv : engine->item->du);
    if (has_extra) {
        scatter_gradients(engine, batch);
    }
    return loss;
}

/* ---- second loss ----------------------------------------------------------------------------- */

/* Eq. 3. In the spread-out form both sides of the softmax are z, so its two gradients are added. */
static double run_contrast(dip_engine *engine, size_t n) {
    const dip_config *config = &engine->config;
    dip_pass *h = engine->view_h;
    const bool is_one = engine->view_g == NULL;
    const double temperature =
        config->ssl.temperature > 0 ? config->ssl.temperature : config->train.temperature;
    const dip_softmax_input input = {.n = n,
                                     .d = h->tower->output,
                                     .u = h->u,
                                     .v = is_one ? h->u : engine->view_g->u,
                                     .temperature = (dip_real)temperature,
                                     .weight = (dip_real)config->ssl.alpha};
    const double loss = engine->arithmetic->softmax(engine->loss_self, &input, h->du,
                                                    is_one ? engine->spare : engine->view_g->du);
    if (is_one) {
        dip_vec_axpy(n * h->tower->output, 1, engine->spare, h->du);
    }
    return loss;
}

static double run_self(dip_engine *engine, size_t n) {
    dip_pass *h = engine->view_h;
    const size_t d = h->tower->output;
    const dip_real alpha = (dip_real)engine->config.ssl.alpha;
    switch (engine->config.ssl.method) {
    case DIP_METHOD_SPREAD_OUT_SQUARE:
        return dip_spread_square(&engine->spread, h->u, n, d, alpha, h->du);
    case DIP_METHOD_SPREAD_OUT_MOMENTS:
        return dip_spread_moments(&engine->spread, h->u, n, d, alpha, h->du);
    default:
        return run_contrast(engine, n);
    }
}

/* ---- the step -------------------------------------------------------------------------------- */

static void forward(dip_engine *engine, bool self, bool main) {
    dip_pass *passes[N_PASSES];
    const size_t n = active_passes(engine, self, main, passes);
    for (size_t p = 0; p < n; p++) {
        engine->arithmetic->forward(engine->space, passes[p], &engine->towers.params);
    }
    lap(engine, DIP_PHASE_FORWARD);
}

static void backward(dip_engine *engine, bool self, bool main) {
    dip_pass *passes[N_PASSES];
    const size_t n = active_passes(engine, self, main, passes);
    engine->arithmetic->backward(engine->space, passes, n, &engine->towers.params);
    lap(engine, DIP_PHASE_BACKWARD);
}

/* The second loss, up to its backward pass when it has its own turn. */
static dip_status turn_of_self(dip_engine *engine, const dip_batch *batch, double *loss,
                               dip_error *err) {
    DIP_TRY(load_self(engine, batch, err));
    lap(engine, DIP_PHASE_LOAD);
    forward(engine, true, false);
    *loss = run_self(engine, batch->n_self);
    lap(engine, DIP_PHASE_LOSS);
    DIP_TRY(dip_check_loss("self-supervised", *loss, err));
    if (has_turns(&engine->config)) {
        backward(engine, true, false);
    }
    return DIP_OK;
}

static dip_status turn_of_main(dip_engine *engine, const dip_batch *batch, double *loss,
                               dip_error *err) {
    const bool waited = engine->view_h != NULL && !has_turns(&engine->config);
    DIP_TRY(load_main(engine, batch, err));
    lap(engine, DIP_PHASE_LOAD);
    forward(engine, false, true);
    *loss = run_main(engine, batch);
    lap(engine, DIP_PHASE_LOSS);
    DIP_TRY(dip_check_loss("main", *loss, err));
    backward(engine, waited, true);
    return DIP_OK;
}

dip_status dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                              dip_error *err) {
    dip_losses losses = {0};
    dip_pass *passes[N_PASSES];
    dip_params *params = &engine->towers.params;
    const bool has_self = has_second_loss(&engine->config);
    const size_t n = active_passes(engine, true, true, passes);
    engine->lap = omp_get_wtime();
    engine->arithmetic->begin(engine->space, params);
    lap(engine, DIP_PHASE_FORWARD);
    if (has_self) {
        DIP_TRY(turn_of_self(engine, batch, &losses.self, err));
    }
    DIP_TRY(turn_of_main(engine, batch, &losses.main, err));
    losses.total = losses.main + (has_self ? engine->config.ssl.alpha * losses.self : 0);
    for (size_t p = 0; p < n; p++) {
        DIP_TRY(dip_check_pass(passes[p], params, err));
    }
    DIP_TRY(dip_check_dense(params, engine->threads, &losses.gradient_norm, err));
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
    dip_pass *passes[N_PASSES];
    const size_t n = active_passes(engine, true, true, passes);
    for (size_t p = 0; p < n; p++) {
        engine->arithmetic->pass_free(passes[p]);
    }
    engine->arithmetic->loss_free(engine->loss_main);
    engine->arithmetic->loss_free(engine->loss_self);
    engine->arithmetic->free(engine->space);
    dip_softmax_free(&engine->spread);
    dip_sparse_free(&engine->sparse);
    dip_optimizer_free(&engine->optimizer);
    dip_towers_free(&engine->towers);
    dip_free(engine->log_p);
    dip_free(engine->batch_log);
    dip_free(engine->candidate);
    dip_free(engine->v);
    dip_free(engine->dv);
    dip_free(engine->spare);
    dip_free(engine);
}
