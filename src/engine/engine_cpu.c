/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine for CPUs: what it allocates, and the update. engine_step.c computes the gradients.
 */
#include "base/mem.h"
#include "engine/second.h"
#include "math/isa.h"
#include "model/rare.h"

#include <math.h>
#include <string.h>

const char *dip_phase_name(dip_phase phase) {
    static const char *const NAMES[DIP_PHASES] = {"load",     "forward", "loss",
                                                  "backward", "collect", "update"};
    return NAMES[phase];
}

/* ---- what a configuration asks for ----------------------------------------------------------- */

int dip_engine_threads(const dip_config *config) {
    return config->threads > 0 ? (int)config->threads : omp_get_max_threads();
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

const char *dip_engine_idle_id_dropout(const dip_schema *schema, const dip_config *config) {
    if (config->train.id_dropout <= 0 || dip_schema_spare_ids(schema) != 0) {
        return NULL;
    }
    return dip_entity_ids(&schema->items) == 0 ? "none" : "each";
}

dip_status dip_engine_check(const dip_config *config, dip_error *err) {
    if (config->train.logq == DIP_LOGQ_REFINED && !config->train.mask_hits) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "train.logq: refined counts on negatives that are not the positive's own "
                        "item; set train.mask_hits: yes, or train.logq: exact");
    }
    if (config->train.extra_negatives == DIP_EXTRA_VIEWS && !dip_engine_has_views(config)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "train.extra_negatives: views needs an ssl.method with views, such as cfm, "
                        "and ssl.alpha above 0; use items or none");
    }
    if (config->train.extra_negatives == DIP_EXTRA_VIEWS && config->ssl.pretrain > 0 &&
        config->ssl.after_pretrain == DIP_AFTER_STOP) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "train.extra_negatives: views are not made any more with "
                        "ssl.after_pretrain: stop; use items or none");
    }
    if (config->train.id_dropout > 0 && config->ssl.method == DIP_METHOD_FEATURE_DROPOUT) {
        return dip_fail(
            err, DIP_ERR_USAGE,
            "train.id_dropout and ssl.method: feature-dropout both drop features of the "
            "main loss; set one of them");
    }
    return DIP_OK;
}

/* ---- creation -------------------------------------------------------------------------------- */

static dip_status create_refined(dip_engine *engine, size_t columns, dip_error *err) {
    static const char PURPOSE[] = "the refined correction";
    DIP_TRY(dip_distinct_create(&engine->candidates, columns, engine->threads, err));
    engine->of_item = dip_alloc(columns, sizeof *engine->of_item, PURPOSE, err);
    return engine->of_item != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status fill_log_p(dip_engine *engine, size_t columns, dip_error *err) {
    if (engine->config.train.logq == DIP_LOGQ_NONE) {
        return DIP_OK;
    }
    const dip_dataset *dataset = engine->dataset;
    const size_t n = (size_t)dataset->items.n;
    engine->log_p = dip_alloc(n, sizeof *engine->log_p, "item frequencies", err);
    if (engine->log_p == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (engine->config.train.logq == DIP_LOGQ_REFINED) {
        DIP_TRY(create_refined(engine, columns, err));
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

static dip_status create_batch(dip_engine *engine, size_t batch, size_t columns, dip_error *err) {
    static const char PURPOSE[] = "vectors of a batch";
    const size_t bytes = engine->towers.item.output * sizeof(dip_real);
    DIP_TRY(dip_distinct_create(&engine->queries, batch, engine->threads, err));
    DIP_TRY(dip_distinct_create(&engine->items, batch, engine->threads, err));
    engine->u = dip_alloc(batch, bytes, PURPOSE, err);
    engine->du = dip_alloc(batch, bytes, PURPOSE, err);
    engine->candidate = dip_alloc(columns, sizeof *engine->candidate, PURPOSE, err);
    engine->batch_log = dip_alloc(columns, sizeof *engine->batch_log, PURPOSE, err);
    engine->batch_own = dip_alloc(batch, sizeof *engine->batch_own, PURPOSE, err);
    engine->copies = dip_alloc(columns, sizeof *engine->copies, PURPOSE, err);
    bool is_whole = engine->u != NULL && engine->du != NULL && engine->candidate != NULL &&
                    engine->batch_log != NULL && engine->batch_own != NULL &&
                    engine->copies != NULL;
    if (is_whole && columns > batch) {
        engine->v = dip_alloc(columns, bytes, PURPOSE, err);
        engine->dv = dip_alloc(columns, bytes, PURPOSE, err);
        is_whole = engine->v != NULL && engine->dv != NULL;
    }
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status create_extra(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    if (config->train.extra_negatives == DIP_EXTRA_ITEMS) {
        DIP_TRY(create_pass(engine, &engine->extra, &engine->towers.item,
                            dip_engine_self_batch(config), NULL, err));
    }
    return DIP_OK;
}

static dip_status create_losses(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t batch = (size_t)config->train.batch;
    const size_t columns = batch + dip_engine_n_extra(config);
    const size_t room =
        batch > dip_engine_self_batch(config) ? batch : dip_engine_self_batch(config);
    const bool lends = dip_engine_has_queries(config) ||
                       (dip_engine_has_second_loss(config) && dip_engine_has_turns(config));
    const size_t lent = lends ? room : batch;
    DIP_TRY(create_pass(engine, &engine->query, &engine->towers.query, lent, NULL, err));
    DIP_TRY(create_pass(engine, &engine->item, &engine->towers.item, lent, NULL, err));
    DIP_TRY(engine->arithmetic->loss_create(&engine->loss_main, batch, columns,
                                            engine->towers.item.output, engine->threads, err));
    DIP_TRY(fill_log_p(engine, columns, err));
    DIP_TRY(create_extra(engine, err));
    DIP_TRY(create_batch(engine, batch, columns, err));
    return dip_second_create(engine, err);
}

static dip_status create_parts(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const uint64_t seed = (uint64_t)config->seed;
    DIP_TRY(dip_towers_create(&engine->towers, &engine->dataset->schema, config, err));
    dip_params *params = &engine->towers.params;
    params->table_folder = config->train.table_folder;
    params->threads = engine->threads;
    DIP_TRY(dip_params_alloc(params, true, err));
    dip_params_init(params, seed);
    DIP_TRY(dip_rare_mark(&engine->towers, engine->dataset, config, err));
    DIP_TRY(dip_optimizer_create(&engine->optimizer, params, config, err));
    DIP_TRY(dip_sparse_create(&engine->sparse, params, engine->threads, err));
    DIP_TRY(engine->arithmetic->create(&engine->space, &engine->towers, engine->threads, err));
    engine->rng_feature = dip_rng_make(seed, DIP_DRAW_FEATURE);
    engine->rng_extra_feature = dip_rng_make(seed, DIP_DRAW_EXTRA_FEATURE);
    return create_losses(engine, err);
}

dip_status dip_engine_create(dip_engine **out, const dip_dataset *dataset, const dip_config *config,
                             dip_error *err) {
    DIP_TRY(dip_engine_check(config, err));
    dip_engine *engine = dip_alloc(1, sizeof *engine, "the training engine", err);
    if (engine == NULL) {
        return DIP_ERR_MEMORY;
    }
    engine->dataset = dataset;
    engine->config = *config;
    engine->threads = dip_engine_threads(config);
    engine->arithmetic = choose_arithmetic(config->train.precision);
    engine->id_features = dip_schema_spare_ids(&dataset->schema);
    const dip_status status = create_parts(engine, err);
    if (status != DIP_OK) {
        dip_engine_free(engine);
        return status;
    }
    *out = engine;
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
    dip_engine_lap(engine, DIP_PHASE_UPDATE);
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
    dip_pass *passes[DIP_ENGINE_PASSES];
    const size_t n = dip_engine_passes(engine, DIP_TURNS_ALL, passes);
    for (size_t p = 0; p < n; p++) {
        engine->arithmetic->pass_free(passes[p]);
    }
    engine->arithmetic->loss_free(engine->loss_main);
    engine->arithmetic->free(engine->space);
    dip_second_free(engine);
    dip_sparse_free(&engine->sparse);
    dip_optimizer_free(&engine->optimizer);
    dip_towers_free(&engine->towers);
    dip_free(engine->log_p);
    dip_free(engine->batch_log);
    dip_free(engine->batch_own);
    dip_free(engine->copies);
    dip_free(engine->of_item);
    dip_distinct_free(&engine->candidates);
    dip_free(engine->candidate);
    dip_distinct_free(&engine->queries);
    dip_distinct_free(&engine->items);
    dip_free(engine->u);
    dip_free(engine->du);
    dip_free(engine->v);
    dip_free(engine->dv);
    dip_free(engine);
}
