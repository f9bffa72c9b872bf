/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole step, in double: the gradient of the total loss by every element of every tensor,
 * tables included, is what one update of SGD at rate 1 takes away, and must agree with central
 * differences of losses.total. Every method that the option table knows is tested, so a new one
 * cannot be forgotten.
 */
#include "grad/difference.h"
#include "grad/tiny.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 4000, METHODS_MAX = 64, STEP = 3 };

/* Away from z = 0, where the direction of z has no derivative, and away from the corner of
 * max(0, M2 - 1/d). */
#define SMALLEST_NORM 0.2
#define SMALLEST_EXCESS 0.02

typedef struct setting {
    tiny_kind kind;
    const char *share;
    const char *logq;
    const char *mask_hits;
    const char *method;
    const char *extra; /* extra negatives; NULL: none */
    int excess;        /* of the moments: +1 or -1 asks for that side of the corner, 0 for either */
} setting;

typedef struct engine_case {
    tiny_world world;
    dip_config config;
    dip_batch batch;
    dip_engine *engine;
    size_t n_passes;
    dip_pass pass[TINY_PASSES]; /* our own, to see the activations */
    tiny_pass list[TINY_PASSES];
    uint64_t pattern; /* of active units, at the base */
    bool is_same;     /* no unit has changed its side */
} engine_case;

static dip_params *params_of(engine_case *k) {
    return &dip_engine_towers(k->engine)->params;
}

static void configure(engine_case *k, const setting *s, int64_t seed) {
    tiny_config_make(&k->config);
    tiny_set(&k->config, "model.share", s->share);
    tiny_set(&k->config, "train.logq", s->logq);
    tiny_set(&k->config, "train.mask_hits", s->mask_hits);
    tiny_set(&k->config, "ssl.method", s->method);
    tiny_set(&k->config, "train.extra_negatives", s->extra != NULL ? s->extra : "none");
    k->config.seed = seed;
}

static engine_case *create_case(const setting *s, int64_t seed) {
    dip_error err = {0};
    engine_case *k = calloc(1, sizeof *k);
    assert_non_null(k);
    tiny_world_make(&k->world, s->kind);
    configure(k, s, seed);
    k->batch = tiny_batch_make(&k->world, &k->config, STEP);
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

static void free_case(engine_case *k) {
    for (size_t p = 0; p < k->n_passes; p++) {
        dip_pass_free(&k->pass[p]);
    }
    dip_engine_free(k->engine);
    free(k);
}

static uint64_t pattern_of(engine_case *k) {
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
    k->is_same = k->is_same && pattern_of(k) == k->pattern;
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

static bool is_smooth(engine_case *k, const setting *s) {
    k->pattern = pattern_of(k);
    for (size_t p = 0; p < k->n_passes; p++) {
        const tiny_margin margin = tiny_pass_margin(&k->pass[p], params_of(k));
        if (margin.preactivation < DIFFERENCE_KINK || margin.norm < SMALLEST_NORM) {
            return false;
        }
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
        engine_case *k = create_case(s, seed);
        if (is_smooth(k, s)) {
            return k;
        }
        free_case(k);
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
        k->n_passes > (k->config.train.extra_negatives == DIP_EXTRA_ITEMS ? 3 : 2);
    const double alpha = has_self ? k->config.ssl.alpha : 0;
    assert_true(fabs(losses->main + alpha * losses->self - losses->total) < 1e-14 * losses->total);
    assert_true((losses->self != 0) == has_self);
}

static void check_setting(difference_worst *worst, const setting *s) {
    engine_case *k = smooth_case(s);
    dip_params *params = params_of(k);
    dip_losses losses = {0};
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
    free_case(k);
}

/* The names of ssl.method, cut from the option table. */
static size_t list_methods(char text[DIP_VALUE_MAX], const char *names[METHODS_MAX]) {
    const dip_option *row = dip_options_find(&dip_config_table, "ssl.method");
    assert_non_null(row);
    assert_true(strlen(row->choices) < DIP_VALUE_MAX);
    memcpy(text, row->choices, strlen(row->choices) + 1);
    size_t n = 0;
    for (char *name = strtok(text, "|"); name != NULL; name = strtok(NULL, "|")) {
        assert_true(n < METHODS_MAX);
        names[n++] = name;
    }
    assert_true(n > DIP_METHOD_SPREAD_OUT_MOMENTS);
    return n;
}

/* All methods with one setting of the rest. */
static void check_methods(const setting *rest) {
    char text[DIP_VALUE_MAX];
    const char *names[METHODS_MAX];
    const size_t n = list_methods(text, names);
    for (size_t m = 0; m < n; m++) {
        char what[200];
        difference_worst worst = {0};
        setting s = *rest;
        s.method = names[m];
        check_setting(&worst, &s);
        snprintf(what, sizeof what, "%s, share %s, logq %s, mask_hits %s", names[m], s.share,
                 s.logq, s.mask_hits);
        difference_report(&worst, what);
    }
}

static void every_method_is_right_with_shared_tables(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", NULL, NULL, 0};
    check_methods(&s);
}

static void every_method_is_right_with_nothing_shared(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "none", "exact", "yes", NULL, NULL, 0};
    check_methods(&s);
}

static void every_method_is_right_with_everything_shared(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", NULL, NULL, 0};
    check_methods(&s);
}

static void every_method_is_right_with_queries_of_their_own(void **state) {
    (void)state;
    const setting apart = {TINY_OWN_QUERIES, "none", "exact", "yes", NULL, NULL, 0};
    const setting shared = {TINY_OWN_QUERIES, "tables", "exact", "yes", NULL, NULL, 0};
    check_methods(&apart);
    check_methods(&shared);
}

static void every_method_is_right_without_correction_or_hit_mask(void **state) {
    (void)state;
    const setting plain = {TINY_ITEMS_ARE_QUERIES, "tables", "none", "no", NULL, NULL, 0};
    const setting corrected = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "no", NULL, NULL, 0};
    const setting masked = {TINY_ITEMS_ARE_QUERIES, "tables", "none", "yes", NULL, NULL, 0};
    check_methods(&plain);
    check_methods(&corrected);
    check_methods(&masked);
}

static void moments_are_right_on_both_sides_of_the_corner(void **state) {
    (void)state;
    for (int side = -1; side <= 1; side += 2) {
        difference_worst worst = {0};
        const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes",
                           "spread-out-moments",   NULL,     side};
        check_setting(&worst, &s);
        difference_report(&worst, side > 0 ? "M2 > 1/d" : "M2 < 1/d");
    }
}

static void extra_negatives_are_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", "items", 0},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "cfm", "views", 0},
        {TINY_OWN_QUERIES, "none", "none", "no", "rfm-no-complement", "views", 0},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "none", "items", 0},
        {TINY_OWN_QUERIES, "tables", "exact", "no", "spread-out", "items", 0}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char what[200];
        difference_worst worst = {0};
        check_setting(&worst, &settings[i]);
        snprintf(what, sizeof what, "%s with extra %s", settings[i].method, settings[i].extra);
        difference_report(&worst, what);
    }
}

/* With candidates j of the batch and m uniform ones out of N items, each drawn with share
 * q_j = (n p_j + m / N) / (n + m): the loss by its definition, from vectors of our own passes. */
static void the_correction_is_that_of_the_mixture(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "none", "items", 0};
    engine_case *k = create_case(&s, 1);
    dip_losses losses = {0};
    dip_error err = {0};
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, &losses, &err), DIP_OK);
    pattern_of(k); /* runs the passes */
    const dip_pass *query = &k->pass[0];
    const size_t d = query->tower->output;
    const size_t n = k->batch.n;
    const size_t m = k->batch.n_self;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        double positive = 0;
        for (size_t j = 0; j < n + m; j++) {
            const int32_t item = j < n ? k->batch.item[j] : k->batch.self[j - n];
            const dip_real *v = j < n ? k->pass[1].u + j * d : k->pass[2].u + (j - n) * d;
            const double p = (double)k->world.item_count[item] / TINY_PAIRS;
            const double q = ((double)n * p + (double)m / TINY_ITEMS) / (double)(n + m);
            double logit = -log(q);
            for (size_t c = 0; c < d; c++) {
                logit += query->u[i * d + c] * v[c] / k->config.train.temperature;
            }
            sum += j != i && item == k->batch.item[i] ? 0 : exp(logit);
            positive = j == i ? logit : positive;
        }
        total += log(sum) - positive;
    }
    assert_true(fabs(losses.main - total / (double)n) < 1e-12);
    free_case(k);
}

/* alpha = 0 leaves the second loss out altogether. */
static void zero_alpha_is_the_main_loss_alone(void **state) {
    (void)state;
    const setting ssl = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", NULL, 0};
    const setting none = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "none", NULL, 0};
    engine_case *with = create_case(&ssl, 1);
    dip_engine_free(with->engine);
    with->config.ssl.alpha = 0;
    dip_error err = {0};
    assert_int_equal(dip_engine_create(&with->engine, &with->world.dataset, &with->config, &err),
                     DIP_OK);
    engine_case *without = create_case(&none, 1);
    dip_losses a = {0};
    dip_losses b = {0};
    assert_int_equal(dip_engine_compute(with->engine, &with->batch, &a, &err), DIP_OK);
    assert_int_equal(dip_engine_compute(without->engine, &without->batch, &b, &err), DIP_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.self == 0);
    free_case(with);
    free_case(without);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_is_right_with_shared_tables),
        cmocka_unit_test(every_method_is_right_with_nothing_shared),
        cmocka_unit_test(every_method_is_right_with_everything_shared),
        cmocka_unit_test(every_method_is_right_with_queries_of_their_own),
        cmocka_unit_test(every_method_is_right_without_correction_or_hit_mask),
        cmocka_unit_test(moments_are_right_on_both_sides_of_the_corner),
        cmocka_unit_test(extra_negatives_are_right),
        cmocka_unit_test(the_correction_is_that_of_the_mixture),
        cmocka_unit_test(zero_alpha_is_the_main_loss_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
