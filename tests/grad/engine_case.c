/* SPDX-License-Identifier: Apache-2.0 */
#include "grad/engine_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 4000 };

/* Away from z = 0, where the direction of z has no derivative, and away from the corner of
 * max(0, M2 - 1/d). */
#define SMALLEST_NORM 0.2
#define SMALLEST_EXCESS 0.02

static dip_params *params_of(engine_case *k) {
    return &dip_engine_towers(k->engine)->params;
}

void case_configure(dip_config *config, const setting *s, int64_t seed) {
    tiny_config_make(config);
    tiny_set(config, "model.share", s->share);
    tiny_set(config, "train.logq", s->logq);
    tiny_set(config, "train.mask_hits", s->mask_hits);
    tiny_set(config, "ssl.method", s->method);
    tiny_set(config, "train.extra_negatives", s->extra != NULL ? s->extra : "none");
    for (size_t i = 0; s->more != NULL && s->more[i][0] != NULL; i++) {
        tiny_set(config, s->more[i][0], s->more[i][1]);
    }
    config->seed = seed;
}

engine_case *case_create(const setting *s, int64_t seed) {
    dip_error err = {0};
    engine_case *k = calloc(1, sizeof *k);
    assert_non_null(k);
    tiny_world_make(&k->world, s->kind);
    case_configure(&k->config, s, seed);
    k->batch = tiny_batch_make(&k->world, &k->config, CASE_STEP);
    tiny_batch_mask_each(&k->world, &k->config, &k->batch, k->each_h, k->each_g);
    if (dip_engine_create(&k->engine, &k->world.dataset, &k->config, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    k->n_passes =
        tiny_passes(&k->world, &k->config, dip_engine_towers(k->engine), &k->batch, k->list);
    for (size_t p = 0; p < k->n_passes; p++) {
        const tiny_pass *in = &k->list[p];
        assert_int_equal(dip_pass_create(&k->pass[p], in->tower, in->n, 1, false, &err), DIP_OK);
        assert_int_equal(dip_pass_load(&k->pass[p], in->rows, in->row, in->n, &in->view, &err),
                         DIP_OK);
    }
    return k;
}

void case_free(engine_case *k) {
    for (size_t p = 0; p < k->n_passes; p++) {
        dip_pass_free(&k->pass[p]);
    }
    dip_engine_free(k->engine);
    free(k);
}

uint64_t case_pattern(engine_case *k) {
    uint64_t hash = 0;
    for (size_t p = 0; p < k->n_passes; p++) {
        dip_pass_forward(&k->pass[p], params_of(k));
        hash = tiny_pass_pattern(&k->pass[p], hash);
    }
    return hash;
}

static double total_loss(void *context) {
    engine_case *k = context;
    dip_losses losses;
    dip_error err = {0};
    if (dip_engine_compute(k->engine, &k->batch, &losses, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    k->is_same = k->is_same && case_pattern(k) == k->pattern;
    return losses.total;
}

/* ---- smooth places --------------------------------------------------------------------------- */

/* M2 - 1/d of the items of the second loss. */
static double excess_of(const dip_pass *pass) {
    const size_t d = pass->tower->output;
    double sum = 0;
    for (size_t i = 0; i < pass->n; i++) {
        for (size_t j = 0; j < pass->n; j++) {
            double s = 0;
            for (size_t c = 0; c < d; c++) {
                s += pass->u[i * d + c] * pass->u[j * d + c];
            }
            sum += i == j ? 0 : s * s;
        }
    }
    return sum / ((double)pass->n * (double)(pass->n - 1)) - 1.0 / (double)d;
}

/* Noise turns round with the sign of an element. */
static bool keeps_its_orthants(const engine_case *k) {
    double least = INFINITY;
    for (size_t p = 2; p < k->n_passes; p++) {
        const dip_pass *pass = &k->pass[p];
        for (size_t i = 0; i < pass->n * pass->tower->output; i++) {
            least = fmin(least, fabs(pass->u[i]));
        }
    }
    return least > DIFFERENCE_KINK;
}

static bool is_smooth(engine_case *k, const setting *s) {
    k->pattern = case_pattern(k);
    for (size_t p = 0; p < k->n_passes; p++) {
        const tiny_margin margin = tiny_pass_margin(&k->pass[p], params_of(k));
        if (margin.preactivation < DIFFERENCE_KINK || margin.norm < SMALLEST_NORM) {
            return false;
        }
    }
    if (k->config.ssl.method == DIP_METHOD_NOISE) {
        return keeps_its_orthants(k);
    }
    if (k->config.ssl.method != DIP_METHOD_SPREAD_OUT_MOMENTS) {
        return true;
    }
    const double excess = excess_of(&k->pass[2]);
    return s->excess == 0 ? fabs(excess) > SMALLEST_EXCESS : excess * s->excess > SMALLEST_EXCESS;
}

/* The first seed whose initial values keep clear of all corners. */
static engine_case *smooth_case(const setting *s) {
    for (int64_t seed = 1; seed <= SEEDS; seed++) {
        engine_case *k = case_create(s, seed);
        if (is_smooth(k, s)) {
            return k;
        }
        case_free(k);
    }
    fail_msg("method %s: no seed up to %d keeps clear of corners", s->method, SEEDS);
    return NULL;
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* Gradients of all tensors, one array each; the values are put back. */
static dip_real **gradients_of(engine_case *k, dip_losses *losses) {
    dip_params *params = params_of(k);
    dip_error err = {0};
    dip_real **gradient = calloc(params->n, sizeof *gradient);
    assert_non_null(gradient);
    for (size_t t = 0; t < params->n; t++) {
        const size_t bytes = dip_param_size(&params->list[t]) * sizeof(dip_real);
        gradient[t] = malloc(bytes);
        assert_non_null(gradient[t]);
        memcpy(gradient[t], params->list[t].value, bytes);
    }
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, losses, &err), DIP_OK);
    for (size_t t = 0; t < params->n; t++) {
        assert_memory_equal(gradient[t], params->list[t].value,
                            dip_param_size(&params->list[t]) * sizeof(dip_real));
    }
    dip_engine_update(k->engine, 1);
    for (size_t t = 0; t < params->n; t++) {
        for (size_t i = 0; i < dip_param_size(&params->list[t]); i++) {
            const dip_real before = gradient[t][i];
            gradient[t][i] = before - params->list[t].value[i];
            params->list[t].value[i] = before;
        }
    }
    return gradient;
}

/* The reported norm is over dense tensors, and the total is Eq. 5. */
static void check_losses(engine_case *k, dip_real **gradient, const dip_losses *losses) {
    const dip_params *params = params_of(k);
    double squares = 0;
    for (size_t t = 0; t < params->n; t++) {
        for (size_t i = 0; i < dip_param_size(&params->list[t]); i++) {
            squares +=
                params->list[t].kind == DIP_PARAM_DENSE ? gradient[t][i] * gradient[t][i] : 0;
        }
    }
    /* value - (value - gradient) rounds to the spacing of doubles near the value. */
    assert_true(fabs(sqrt(squares) - losses->gradient_norm) < 1e-12 * losses->gradient_norm);
    const bool has_self =
        !k->batch.skips_self &&
        k->n_passes > (k->config.train.extra_negatives == DIP_EXTRA_ITEMS ? 3 : 2);
    const double alpha = has_self ? k->config.ssl.alpha : 0;
    assert_true(fabs(losses->main + alpha * losses->self - losses->total) < 1e-14 * losses->total);
    assert_true((losses->self != 0) == has_self);
}

void case_check(difference_worst *worst, const setting *s) {
    case_check_skipping(worst, s, false, false);
}

void case_check_skipping(difference_worst *worst, const setting *s, bool skips_main,
                         bool skips_self) {
    engine_case *k = smooth_case(s);
    dip_params *params = params_of(k);
    dip_losses losses = {0};
    k->batch.skips_main = skips_main;
    k->batch.skips_self = skips_self;
    dip_real **gradient = gradients_of(k, &losses);
    check_losses(k, gradient, &losses);
    k->is_same = true;
    for (size_t t = 0; t < params->n; t++) {
        difference_check(worst, params->list[t].name, total_loss, k, params->list[t].value,
                         gradient[t], dip_param_size(&params->list[t]), 1);
        free(gradient[t]);
    }
    assert_true(k->is_same);
    free(gradient);
    case_free(k);
}
