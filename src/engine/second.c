/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/second.h"

#include "base/mem.h"
#include "math/vec.h"
#include "model/loss_spread.h"
#include "model/noise.h"

#include <string.h>

/* ---- memory ---------------------------------------------------------------------------------- */

static dip_status create_passes(dip_engine *engine, size_t batch, dip_error *err) {
    const dip_arithmetic *arithmetic = engine->arithmetic;
    const dip_tower *tower = &engine->towers.item;
    const bool has_lenders = dip_engine_has_turns(&engine->config);
    DIP_TRY(arithmetic->pass_create(&engine->view_h, tower, batch, engine->threads,
                                    has_lenders ? engine->item : NULL, err));
    return dip_engine_has_views(&engine->config)
               ? arithmetic->pass_create(&engine->view_g, tower, batch, engine->threads,
                                         has_lenders ? engine->query : NULL, err)
               : DIP_OK;
}

static dip_status create_noisy(dip_engine *engine, size_t batch, dip_error *err) {
    static const char PURPOSE[] = "noise views";
    const size_t bytes = engine->towers.item.output * sizeof(dip_real);
    for (size_t view = 0; view < 2; view++) {
        dip_noisy *noisy = &engine->noisy[view];
        noisy->y = dip_alloc(batch, bytes, PURPOSE, err);
        noisy->dy = dip_alloc(batch, bytes, PURPOSE, err);
        noisy->norm = dip_alloc(batch, sizeof *noisy->norm, PURPOSE, err);
        if (noisy->y == NULL || noisy->dy == NULL || noisy->norm == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    return DIP_OK;
}

static dip_status create_softmax(dip_engine *engine, size_t batch, dip_error *err) {
    const size_t d = engine->towers.item.output;
    const size_t n_spare = engine->config.ssl.symmetric ? 2 : 1;
    for (size_t s = 0; s < n_spare; s++) {
        engine->spare[s] = dip_alloc(batch, d * sizeof *engine->spare[s], "gradients", err);
        if (engine->spare[s] == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    if (engine->config.ssl.method == DIP_METHOD_NOISE) {
        DIP_TRY(create_noisy(engine, batch, err));
    }
    if (engine->config.ssl.mask_same) {
        DIP_TRY(dip_visible_create(&engine->visible, batch, engine->threads, err));
    }
    return engine->arithmetic->loss_create(&engine->loss_self, batch, batch, d, engine->threads,
                                           err);
}

dip_status dip_second_create(dip_engine *engine, dip_error *err) {
    const dip_config *config = &engine->config;
    const size_t batch = dip_engine_self_batch(config);
    if (!dip_engine_has_second_loss(config)) {
        return DIP_OK;
    }
    DIP_TRY(create_passes(engine, batch, err));
    return dip_engine_has_self_softmax(config)
               ? create_softmax(engine, batch, err)
               : dip_softmax_create(&engine->spread, batch, batch, engine->threads, err);
}

void dip_second_free(dip_engine *engine) {
    engine->arithmetic->loss_free(engine->loss_self);
    dip_softmax_free(&engine->spread);
    dip_visible_free(&engine->visible);
    for (size_t s = 0; s < sizeof engine->spare / sizeof engine->spare[0]; s++) {
        dip_free(engine->spare[s]);
    }
    for (size_t view = 0; view < 2; view++) {
        dip_free(engine->noisy[view].y);
        dip_free(engine->noisy[view].dy);
        dip_free(engine->noisy[view].norm);
    }
}

/* ---- views ----------------------------------------------------------------------------------- */

static dip_view view_of(const dip_engine *engine, const dip_batch *batch, bool is_h) {
    const dip_config *config = &engine->config;
    const bool drops = dip_method_drops_values(config->ssl.method);
    return (dip_view){.mask = is_h ? batch->masks.h : batch->masks.g,
                      .each = is_h ? batch->each_h : batch->each_g,
                      .value_dropout = drops ? config->ssl.dropout : 0,
                      .rng = is_h ? engine->rng_h : engine->rng_g,
                      .step = batch->step};
}

dip_status dip_second_load(dip_engine *engine, const dip_batch *batch, dip_error *err) {
    const dip_rows *items = &engine->dataset->items;
    const dip_view h = view_of(engine, batch, true);
    const dip_view g = view_of(engine, batch, false);
    if (engine->view_g == NULL) {
        return dip_pass_load(engine->view_h, items, batch->self, batch->n_self, NULL, err);
    }
    DIP_TRY(dip_pass_load(engine->view_h, items, batch->self, batch->n_self, &h, err));
    return dip_pass_load(engine->view_g, items, batch->self, batch->n_self, &g, err);
}

/* ---- contrast -------------------------------------------------------------------------------- */

/* Vectors of two views with their gradients. */
typedef struct sides {
    size_t n;
    size_t d;
    const dip_real *u;
    const dip_real *v;
    dip_real *du;
    dip_real *dv;
    const int32_t *same_h; /* or NULL: by what rows are left out */
    const int32_t *same_g;
} sides;

/* Which rows look the same in a view. */
static void find_same(dip_engine *engine, const dip_batch *batch, sides *s) {
    const bool has_masks = engine->view_g != NULL;
    dip_sight sight = {.rows = &engine->dataset->items,
                       .n_features = engine->view_h->tower->n_blocks,
                       .row = batch->self,
                       .n = batch->n_self,
                       .mask = has_masks ? batch->masks.h : 0,
                       .each = has_masks ? batch->each_h : NULL};
    dip_visible_find(&engine->visible, &sight, engine->visible.h);
    s->same_h = engine->visible.h;
    if (has_masks) {
        sight.mask = batch->masks.g;
        sight.each = batch->each_g;
        dip_visible_find(&engine->visible, &sight, engine->visible.g);
        s->same_g = engine->visible.g;
    }
}

/* Eq. 3 from u to v. */
static double contrast(dip_engine *engine, const sides *s, double weight) {
    const dip_config *config = &engine->config;
    const double temperature =
        config->ssl.temperature > 0 ? config->ssl.temperature : config->train.temperature;
    const dip_softmax_input input = {.n = s->n,
                                     .d = s->d,
                                     .u = s->u,
                                     .v = s->v,
                                     .temperature = (dip_real)temperature,
                                     .item = s->same_h,
                                     .also = s->same_g,
                                     .weight = (dip_real)weight};
    return engine->arithmetic->softmax(engine->loss_self, &input, s->du, s->dv);
}

/* The mean of Eq. 3 from u to v and from v to u. */
static double contrast_both_ways(dip_engine *engine, const sides *s, double weight) {
    sides back = *s;
    back.u = s->v;
    back.v = s->u;
    back.du = engine->spare[0];
    back.dv = engine->spare[1];
    const double there = contrast(engine, s, weight / 2);
    const double home = contrast(engine, &back, weight / 2);
    dip_vec_axpy(s->n * s->d, 1, back.dv, s->du);
    dip_vec_axpy(s->n * s->d, 1, back.du, s->dv);
    return (there + home) / 2;
}

static double contrast_views(dip_engine *engine, const sides *s) {
    const double alpha = engine->config.ssl.alpha;
    return engine->config.ssl.symmetric ? contrast_both_ways(engine, s, alpha)
                                        : contrast(engine, s, alpha);
}

/* Both sides of the softmax are the same vectors, so its two gradients are added, and both ways are
 * the same. */
static double contrast_whole(dip_engine *engine, sides *s) {
    s->u = s->v = engine->view_h->u;
    s->du = engine->view_h->du;
    s->dv = engine->spare[0];
    const double loss = contrast(engine, s, engine->config.ssl.alpha);
    dip_vec_axpy(s->n * s->d, 1, s->dv, s->du);
    return loss;
}

/* Eq. 3 between two noise views of the same vectors. */
static double contrast_noisy(dip_engine *engine, const dip_batch *batch, sides *s) {
    dip_pass *pass = engine->view_h;
    dip_noise noise = {engine->config.ssl.noise, engine->rng_h, batch->step, engine->threads};
    dip_noisy *h = &engine->noisy[0];
    dip_noisy *g = &engine->noisy[1];
    dip_noise_forward(&noise, s->n, s->d, pass->u, h->y, h->norm);
    noise.rng = engine->rng_g;
    dip_noise_forward(&noise, s->n, s->d, pass->u, g->y, g->norm);
    s->u = h->y;
    s->v = g->y;
    s->du = h->dy;
    s->dv = g->dy;
    const double loss = contrast_views(engine, s);
    memset(pass->du, 0, s->n * s->d * sizeof *pass->du);
    dip_noise_backward(&noise, s->n, s->d, h->y, h->norm, h->dy, pass->du);
    dip_noise_backward(&noise, s->n, s->d, g->y, g->norm, g->dy, pass->du);
    return loss;
}

static double run_contrast(dip_engine *engine, const dip_batch *batch) {
    dip_pass *h = engine->view_h;
    dip_pass *g = engine->view_g;
    sides s = {.n = batch->n_self, .d = h->tower->output};
    if (engine->config.ssl.mask_same) {
        find_same(engine, batch, &s);
    }
    if (engine->config.ssl.method == DIP_METHOD_NOISE) {
        return contrast_noisy(engine, batch, &s);
    }
    if (g == NULL) {
        return contrast_whole(engine, &s);
    }
    s.u = h->u;
    s.v = g->u;
    s.du = h->du;
    s.dv = g->du;
    return contrast_views(engine, &s);
}

double dip_second_loss(dip_engine *engine, const dip_batch *batch) {
    const dip_pass *h = engine->view_h;
    const size_t n = batch->n_self;
    const size_t d = h->tower->output;
    const dip_real alpha = (dip_real)engine->config.ssl.alpha;
    switch (engine->config.ssl.method) {
    case DIP_METHOD_SPREAD_OUT_SQUARE:
        return dip_spread_square(&engine->spread, h->u, n, d, alpha, h->du);
    case DIP_METHOD_SPREAD_OUT_MOMENTS:
        return dip_spread_moments(&engine->spread, h->u, n, d, alpha, h->du);
    default:
        return run_contrast(engine, batch);
    }
}
