/* SPDX-License-Identifier: Apache-2.0
 *
 * Algebra that the losses and the update rules must obey exactly, in double: what a joint
 * permutation, a shift of log p or a swap of the views does, unit outputs, and the limits of the
 * adaptive optimizers.
 */
#include "engine/optimizer.h"
#include "grad/tiny.h"
#include "math/gemm.h"
#include "model/loss_softmax.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Sums of a hundred terms of size 1 in another order differ by some hundred eps = 2e-14 at most. */
#define SAME 1e-12

enum { PAIRS = DIP_PANEL + 5, WIDTH = 4, MANY = PAIRS * WIDTH };

static void assert_near(double a, double b) {
    if (!(fabs(a - b) <= SAME * fmax(1, fmax(fabs(a), fabs(b))))) {
        fail_msg("%.17g and %.17g differ by %.3g", a, b, fabs(a - b));
    }
}

/* ---- softmax --------------------------------------------------------------------------------- */

typedef struct softmax_case {
    dip_softmax softmax;
    dip_softmax_input input;
    dip_real u[MANY];
    dip_real v[MANY];
    dip_real du[MANY];
    dip_real dv[MANY];
    dip_real log_p[PAIRS];
    int32_t item[PAIRS];
} softmax_case;

static softmax_case *make_case(void) {
    softmax_case *c = calloc(1, sizeof *c);
    dip_error err = {0};
    uint64_t state = 12;
    assert_non_null(c);
    assert_int_equal(dip_softmax_create(&c->softmax, PAIRS, PAIRS, 1, &err), DIP_OK);
    for (size_t i = 0; i < MANY; i++) {
        c->u[i] = tiny_noise(&state);
        c->v[i] = tiny_noise(&state);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        c->log_p[i] = log(0.01 + fabs(tiny_noise(&state)));
        c->item[i] = i % 5 == 0 ? 1 : (int32_t)(10 + i);
    }
    c->input = (dip_softmax_input){.n = PAIRS,
                                   .d = WIDTH,
                                   .u = c->u,
                                   .v = c->v,
                                   .temperature = 0.5,
                                   .log_p = c->log_p,
                                   .item = c->item,
                                   .weight = 0.8};
    return c;
}

static void free_softmax(softmax_case *c) {
    dip_softmax_free(&c->softmax);
    free(c);
}

static double run_softmax(softmax_case *c) {
    return dip_softmax_loss(&c->softmax, &c->input, c->du, c->dv);
}

/* Pair i goes to place (29 i + 3) mod 133, a permutation because 133 = 7 * 19. */
static size_t place(size_t i) {
    return (29 * i + 3) % PAIRS;
}

static void softmax_loss_is_unchanged_when_the_pairs_change_places(void **state) {
    (void)state;
    softmax_case *a = make_case();
    softmax_case *b = make_case();
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(b->u + place(i) * WIDTH, a->u + i * WIDTH, WIDTH * sizeof *a->u);
        memcpy(b->v + place(i) * WIDTH, a->v + i * WIDTH, WIDTH * sizeof *a->v);
        b->log_p[place(i)] = a->log_p[i];
        b->item[place(i)] = a->item[i];
    }
    assert_near(run_softmax(a), run_softmax(b));
    for (size_t i = 0; i < PAIRS; i++) {
        for (size_t k = 0; k < WIDTH; k++) {
            assert_near(a->du[i * WIDTH + k], b->du[place(i) * WIDTH + k]);
            assert_near(a->dv[i * WIDTH + k], b->dv[place(i) * WIDTH + k]);
        }
    }
    free_softmax(a);
    free_softmax(b);
}

/* So only ratios of frequencies matter, and the total that counts are divided by does not. */
static void softmax_loss_is_unchanged_when_log_p_is_shifted(void **state) {
    (void)state;
    softmax_case *a = make_case();
    softmax_case *b = make_case();
    for (size_t i = 0; i < PAIRS; i++) {
        b->log_p[i] += 2.5;
    }
    assert_near(run_softmax(a), run_softmax(b));
    for (size_t i = 0; i < MANY; i++) {
        assert_near(a->du[i], b->du[i]);
        assert_near(a->dv[i], b->dv[i]);
    }
    free_softmax(a);
    free_softmax(b);
}

/* Yi et al. (RecSys 2019): the logit is s / tau - log p, so a rare negative weighs more. Raising
 * log p of an item must lower the loss of the other pairs; the wrong sign would raise it. */
static void a_frequent_negative_weighs_less(void **state) {
    (void)state;
    softmax_case *c = make_case();
    c->input.item = NULL;
    run_softmax(c);
    const double before = c->softmax.row_loss[0];
    c->log_p[1] += 1;
    run_softmax(c);
    assert_true(c->softmax.row_loss[0] < before - 1e-4);
    free_softmax(c);
}

/* ---- two views ------------------------------------------------------------------------------- */

/* Mean over i of -log softmax of row i of the products u v^T / tau at i; or of column i. */
static double by_definition(const dip_real *u, const dip_real *v, size_t n, size_t d, double tau,
                            bool is_swapped) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double total = 0;
        double positive = 0;
        for (size_t j = 0; j < n; j++) {
            const dip_real *left = u + (is_swapped ? j : i) * d;
            const dip_real *right = v + (is_swapped ? i : j) * d;
            double s = 0;
            for (size_t k = 0; k < d; k++) {
                s += left[k] * right[k];
            }
            total += exp(s / tau);
            positive = i == j ? s / tau : positive;
        }
        sum += log(total) - positive;
    }
    return sum / (double)n;
}

static softmax_case *make_views(void) {
    softmax_case *c = make_case();
    c->input.log_p = NULL;
    c->input.item = NULL;
    return c;
}

/* Eq. 3 normalises over the second view only, so in general a swap changes the loss: from the
 * rows to the columns of the same products. */
static void swapped_views_give_the_loss_of_the_columns(void **state) {
    (void)state;
    softmax_case *c = make_views();
    const double rows = by_definition(c->u, c->v, PAIRS, WIDTH, 0.5, false);
    const double columns = by_definition(c->u, c->v, PAIRS, WIDTH, 0.5, true);
    assert_near(run_softmax(c), rows);
    c->input.u = c->v;
    c->input.v = c->u;
    assert_near(run_softmax(c), columns);
    assert_true(fabs(rows - columns) > 1e-3);
    free_softmax(c);
}

/* v = u A with a symmetric A makes the products symmetric: there a swap leaves the loss alone. */
static void swapped_views_give_the_same_loss_when_products_are_symmetric(void **state) {
    (void)state;
    static const double A[WIDTH][WIDTH] = {
        {1.0, 0.3, -0.2, 0.1}, {0.3, 0.8, 0.4, 0.0}, {-0.2, 0.4, 0.9, 0.5}, {0.1, 0.0, 0.5, 1.1}};
    softmax_case *a = make_views();
    for (size_t i = 0; i < PAIRS; i++) {
        for (size_t k = 0; k < WIDTH; k++) {
            a->v[i * WIDTH + k] = 0;
            for (size_t l = 0; l < WIDTH; l++) {
                a->v[i * WIDTH + k] += a->u[i * WIDTH + l] * A[l][k];
            }
        }
    }
    softmax_case *b = make_views();
    memcpy(b->u, a->v, sizeof a->v);
    memcpy(b->v, a->u, sizeof a->u);
    assert_near(run_softmax(a), run_softmax(b));
    free_softmax(a);
    free_softmax(b);
}

/* ---- the engine ------------------------------------------------------------------------------ */

static dip_engine *create_engine(const tiny_world *world, const char *method) {
    static dip_config config;
    dip_engine *engine = NULL;
    dip_error err = {0};
    tiny_config_make(&config);
    tiny_set(&config, "train.logq", "exact");
    tiny_set(&config, "train.mask_hits", "yes");
    tiny_set(&config, "ssl.method", method);
    assert_int_equal(dip_engine_create(&engine, &world->dataset, &config, &err), DIP_OK);
    return engine;
}

static dip_losses step_of(dip_engine *engine, const dip_batch *batch) {
    dip_losses losses = {0};
    dip_error err = {0};
    assert_int_equal(dip_engine_compute(engine, batch, &losses, &err), DIP_OK);
    dip_engine_update(engine, 0.5);
    return losses;
}

static void assert_same_values(dip_engine *a, dip_engine *b) {
    const dip_params *left = &dip_engine_towers(a)->params;
    const dip_params *right = &dip_engine_towers(b)->params;
    for (size_t t = 0; t < left->n; t++) {
        for (size_t i = 0; i < dip_param_size(&left->list[t]); i++) {
            assert_near(left->list[t].value[i], right->list[t].value[i]);
        }
    }
}

static const int32_t QUERY[TINY_BATCH] = {0, 3, 5, 7, 2, 8};
static const int32_t ITEM[TINY_BATCH] = {3, 0, 4, 0, 6, 2};
static const int32_t SELF[TINY_BATCH] = {2, 3, 4, 6, 7, 8};
static const size_t ORDER[TINY_BATCH] = {4, 2, 0, 5, 1, 3};

/* Without dropout, whose draws belong to places in the batch. */
static void a_step_does_not_depend_on_the_order_of_the_batch(void **state) {
    (void)state;
    const char *const methods[] = {"none", "cfm-no-dropout", "spread-out", "spread-out-square",
                                   "spread-out-moments"};
    int32_t query[TINY_BATCH];
    int32_t item[TINY_BATCH];
    int32_t self[TINY_BATCH];
    tiny_world world;
    tiny_world_make(&world, TINY_ITEMS_ARE_QUERIES);
    for (size_t i = 0; i < TINY_BATCH; i++) {
        query[i] = QUERY[ORDER[i]];
        item[i] = ITEM[ORDER[i]];
        self[i] = SELF[TINY_BATCH - 1 - ORDER[i]];
    }
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        dip_engine *a = create_engine(&world, methods[m]);
        dip_engine *b = create_engine(&world, methods[m]);
        dip_batch batch = {.n = TINY_BATCH,
                           .query = QUERY,
                           .item = ITEM,
                           .n_self = TINY_BATCH,
                           .self = SELF,
                           .self_items = TINY_ITEMS,
                           .masks = {.h = 0x25, .g = 0x1a},
                           .step = 4};
        const dip_losses first = step_of(a, &batch);
        batch.query = query;
        batch.item = item;
        batch.self = self;
        const dip_losses second = step_of(b, &batch);
        assert_near(first.total, second.total);
        assert_near(first.self, second.self);
        assert_same_values(a, b);
        dip_engine_free(a);
        dip_engine_free(b);
    }
}

/* The item tower's outputs under a mask, by a pass of our own. */
static void outputs_under(dip_engine *engine, const tiny_world *world, uint64_t mask,
                          dip_real u[TINY_BATCH * WIDTH]) {
    dip_pass pass;
    dip_error err = {0};
    const dip_towers *towers = dip_engine_towers(engine);
    const dip_view view = {.mask = mask};
    assert_int_equal(dip_pass_create(&pass, &towers->item, TINY_BATCH, 1, false, &err), DIP_OK);
    assert_int_equal(dip_pass_load(&pass, &world->dataset.items, SELF, TINY_BATCH, &view, &err),
                     DIP_OK);
    dip_pass_forward(&pass, &towers->params);
    memcpy(u, pass.u, TINY_BATCH * WIDTH * sizeof *u);
    dip_pass_free(&pass);
}

static double self_loss(dip_engine *engine, uint64_t h, uint64_t g) {
    dip_losses losses = {0};
    dip_error err = {0};
    const dip_batch batch = {.n = TINY_BATCH,
                             .query = QUERY,
                             .item = ITEM,
                             .n_self = TINY_BATCH,
                             .self = SELF,
                             .self_items = TINY_ITEMS,
                             .masks = {.h = h, .g = g},
                             .step = 4};
    assert_int_equal(dip_engine_compute(engine, &batch, &losses, &err), DIP_OK);
    return losses.self;
}

/* The masks h and g go to the rows and the columns of Eq. 3 and not the other way round; equal
 * masks make the products symmetric, and the loss is then that of unaugmented contrast. */
static void masks_h_and_g_are_the_rows_and_columns_of_the_second_loss(void **state) {
    (void)state;
    dip_real u[TINY_BATCH * WIDTH];
    dip_real v[TINY_BATCH * WIDTH];
    tiny_world world;
    tiny_world_make(&world, TINY_ITEMS_ARE_QUERIES);
    dip_engine *engine = create_engine(&world, "cfm-no-dropout");
    dip_engine *spread = create_engine(&world, "spread-out");
    outputs_under(engine, &world, 0x25, u);
    outputs_under(engine, &world, 0x1a, v);
    const double tau = 0.3;
    assert_near(self_loss(engine, 0x25, 0x1a), by_definition(u, v, TINY_BATCH, WIDTH, tau, false));
    assert_near(self_loss(engine, 0x1a, 0x25), by_definition(u, v, TINY_BATCH, WIDTH, tau, true));
    assert_near(self_loss(engine, 0x25, 0x25), by_definition(u, u, TINY_BATCH, WIDTH, tau, true));
    assert_true(self_loss(engine, 0, 0) == self_loss(spread, 0, 0));
    dip_engine_free(engine);
    dip_engine_free(spread);
}

static void tower_outputs_have_length_one(void **state) {
    (void)state;
    dip_real u[TINY_BATCH * WIDTH];
    tiny_world world;
    tiny_world_make(&world, TINY_ITEMS_ARE_QUERIES);
    dip_engine *engine = create_engine(&world, "none");
    outputs_under(engine, &world, 0, u);
    for (size_t i = 0; i < TINY_BATCH; i++) {
        double squares = 0;
        for (size_t k = 0; k < WIDTH; k++) {
            squares += u[i * WIDTH + k] * u[i * WIDTH + k];
        }
        assert_true(fabs(squares - 1) < 1e-15 * 4);
    }
    dip_engine_free(engine);
}

/* ---- optimizers ------------------------------------------------------------------------------ */

enum { ELEMENTS = 6 };

static const dip_real GRADIENT[ELEMENTS] = {0.5, -2.0, 0.125, -0.25, 3.0, 0.0};

/* Values after one update at rate 0.5 of a tensor that starts at 1, 2, 3 ... */
static void update_once(dip_config *config, dip_real value[ELEMENTS]) {
    dip_param param = {.rows = 1, .columns = ELEMENTS, .decays = true, .value = value};
    const dip_params params = {.n = 1, .list = &param};
    dip_optimizer optimizer;
    dip_error err = {0};
    for (size_t i = 0; i < ELEMENTS; i++) {
        value[i] = (double)(i + 1);
    }
    assert_int_equal(dip_optimizer_create(&optimizer, &params, config, &err), DIP_OK);
    const dip_update update = dip_optimizer_begin(&optimizer, 0.5);
    dip_optimizer_apply(&optimizer, &update, &param, 0, 0, ELEMENTS, GRADIENT);
    dip_optimizer_free(&optimizer);
}

static double sign_of(double x) {
    return (x > 0) - (x < 0);
}

/* Their floors of 1e-8 and 1e-10 shorten a step by 1e-8 / 0.125 at most. */
static void adam_without_memory_and_the_first_adagrad_step_are_sign_descent(void **state) {
    (void)state;
    const char *const rules[] = {"adam", "adagrad"};
    for (size_t r = 0; r < 2; r++) {
        dip_config config;
        dip_real value[ELEMENTS];
        tiny_config_make(&config);
        tiny_set(&config, "train.optimizer", rules[r]);
        tiny_set(&config, "train.beta1", "0");
        tiny_set(&config, "train.beta2", "0");
        update_once(&config, value);
        for (size_t i = 0; i < ELEMENTS; i++) {
            const double expected = (double)(i + 1) - 0.5 * sign_of(GRADIENT[i]);
            assert_true(fabs(value[i] - expected) < 0.5 * 1e-8 / 0.125 + 1e-15);
        }
    }
}

/* w -= r decay w comes before the rule and does not enter it. */
static void weight_decay_is_decoupled(void **state) {
    (void)state;
    const char *const rules[] = {"sgd", "adam", "adagrad"};
    for (size_t r = 0; r < 3; r++) {
        dip_config config;
        dip_real plain[ELEMENTS];
        dip_real decayed[ELEMENTS];
        tiny_config_make(&config);
        tiny_set(&config, "train.optimizer", rules[r]);
        update_once(&config, plain);
        tiny_set(&config, "train.decay", "0.1");
        update_once(&config, decayed);
        for (size_t i = 0; i < ELEMENTS; i++) {
            assert_near(decayed[i], plain[i] - 0.5 * 0.1 * (double)(i + 1));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_loss_is_unchanged_when_the_pairs_change_places),
        cmocka_unit_test(softmax_loss_is_unchanged_when_log_p_is_shifted),
        cmocka_unit_test(a_frequent_negative_weighs_less),
        cmocka_unit_test(swapped_views_give_the_loss_of_the_columns),
        cmocka_unit_test(swapped_views_give_the_same_loss_when_products_are_symmetric),
        cmocka_unit_test(a_step_does_not_depend_on_the_order_of_the_batch),
        cmocka_unit_test(masks_h_and_g_are_the_rows_and_columns_of_the_second_loss),
        cmocka_unit_test(tower_outputs_have_length_one),
        cmocka_unit_test(adam_without_memory_and_the_first_adagrad_step_are_sign_descent),
        cmocka_unit_test(weight_decay_is_decoupled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
