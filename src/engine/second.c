/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/second.h"

#include "base/mem.h"
#include "math/vec.h"
#include "model/loss_spread.h"
#include "model/noise.h"

#include <string.h>

/* ---- memory ---------------------------------------------------------------------------------- */

/* What is done before the main loss begins borrows the memory of its passes. */
static dip_status create_passes(dip_engine *engine, dip_side side, size_t batch, dip_error *err) {
    const dip_arithmetic *arithmetic = engine->arithmetic;
    const dip_tower *tower = dip_towers_side(&engine->towers, side);
    const bool is_item = side == DIP_SIDE_ITEM;
    const bool has_lenders = !is_item || dip_engine_has_turns(&engine->config);
    const dip_pass *first = is_item ? engine->item : engine->query;
    const dip_pass *second = is_item ? engine->query : engine->item;
    const uint64_t seed = (uint64_t)engine->config.seed;
    dip_second *views = &engine->second[side];
    views->rng_h = dip_rng_make(seed, is_item ? DIP_DRAW_VIEW_H : DIP_DRAW_QUERY_H);
    views->rng_g = dip_rng_make(seed, is_item ? DIP_DRAW_VIEW_G : DIP_DRAW_QUERY_G);
    DIP_TRY(arithmetic->pass_create(&views->h, tower, batch, engine->threads,
                                    has_lenders ? first : NULL, err));
    return dip_engine_has_views(&engine->config)
               ? arithmetic->pass_create(&views->g, tower, batch, engine->threads,
                                         has_lenders ? second : NULL, err)
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
    DIP_TRY(create_passes(engine, DIP_SIDE_ITEM, batch, err));
    if (dip_engine_has_queries(config)) {
        DIP_TRY(create_passes(engine, DIP_SIDE_QUERY, batch, err));
    }
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

/* The rows of one tower. */
typedef struct self_rows {
    const dip_rows *rows;
    const int32_t *row;
    size_t n;
    dip_masks masks;
    const uint64_t *each_h;
    const uint64_t *each_g;
} self_rows;

static self_rows rows_of(const dip_engine *engine, const dip_batch *batch, dip_side side) {
    const dip_rows *rows = dip_dataset_rows(engine->dataset, side);
    const dip_self_queries *q = &batch->queries;
    return side == DIP_SIDE_QUERY ? (self_rows){rows, q->row, q->n, q->masks, q->each_h, q->each_g}
                                  : (self_rows){rows,         batch->self,   batch->n_self,
                                                batch->masks, batch->each_h, batch->each_g};
}

dip_status dip_second_load(dip_engine *engine, const dip_batch *batch, dip_side side,
                           dip_error *err) {
    const dip_config *config = &engine->config;
    const dip_second *views = &engine->second[side];
    const self_rows r = rows_of(engine, batch, side);
    if (views->g == NULL) {
        return dip_pass_load(views->h, r.rows, r.row, r.n, NULL, err);
    }
    dip_view view = {.mask = r.masks.h,
                     .each = r.each_h,
                     .value_dropout =
                         dip_method_drops_values(config->ssl.method) ? config->ssl.dropout : 0,
                     .rng = views->rng_h,
                     .step = batch->step};
    DIP_TRY(dip_pass_load(views->h, r.rows, r.row, r.n, &view, err));
    view.mask = r.masks.g;
    view.each = r.each_g;
    view.rng = views->rng_g;
    return dip_pass_load(views->g, r.rows, r.row, r.n, &view, err);
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
static void find_same(dip_engine *engine, const dip_second *views, const self_rows *r, sides *s) {
    const bool has_masks = views->g != NULL;
    dip_sight sight = {.rows = r->rows,
                       .tower = views->h->tower,
                       .row = r->row,
                       .n = r->n,
                       .mask = has_masks ? r->masks.h : 0,
                       .each = has_masks ? r->each_h : NULL};
    dip_visible_find(&engine->visible, &sight, engine->visible.h);
    s->same_h = engine->visible.h;
    if (has_masks) {
        sight.mask = r->masks.g;
        sight.each = r->each_g;
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
static double contrast_whole(dip_engine *engine, dip_pass *pass, sides *s) {
    s->u = s->v = pass->u;
    s->du = pass->du;
    s->dv = engine->spare[0];
    const double loss = contrast(engine, s, engine->config.ssl.alpha);
    dip_vec_axpy(s->n * s->d, 1, s->dv, s->du);
    return loss;
}

/* Eq. 3 between two noise views of the same vectors. */
static double contrast_noisy(dip_engine *engine, const dip_second *views, uint64_t step, sides *s) {
    dip_pass *pass = views->h;
    dip_noise noise = {engine->config.ssl.noise, views->rng_h, step, engine->threads};
    dip_noisy *h = &engine->noisy[0];
    dip_noisy *g = &engine->noisy[1];
    dip_noise_forward(&noise, s->n, s->d, pass->u, h->y, h->norm);
    noise.rng = views->rng_g;
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

static double run_contrast(dip_engine *engine, const dip_batch *batch, dip_side side) {
    const dip_second *views = &engine->second[side];
    const self_rows r = rows_of(engine, batch, side);
    sides s = {.n = r.n, .d = views->h->tower->output};
    if (engine->config.ssl.mask_same) {
        find_same(engine, views, &r, &s);
    }
    if (engine->config.ssl.method == DIP_METHOD_NOISE) {
        return contrast_noisy(engine, views, batch->step, &s);
    }
    if (views->g == NULL) {
        return contrast_whole(engine, views->h, &s);
    }
    s.u = views->h->u;
    s.v = views->g->u;
    s.du = views->h->du;
    s.dv = views->g->du;
    return contrast_views(engine, &s);
}

double dip_second_loss(dip_engine *engine, const dip_batch *batch, dip_side side) {
    const dip_pass *h = engine->second[side].h;
    const size_t d = h->tower->output;
    const dip_real alpha = (dip_real)engine->config.ssl.alpha;
    switch (engine->config.ssl.method) {
    case DIP_METHOD_SPREAD_OUT_SQUARE:
        return dip_spread_square(&engine->spread, h->u, h->n, d, alpha, h->du);
    case DIP_METHOD_SPREAD_OUT_MOMENTS:
        return dip_spread_moments(&engine->spread, h->u, h->n, d, alpha, h->du);
    default:
        return run_contrast(engine, batch, side);
    }
}
