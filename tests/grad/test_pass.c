/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients of one pass through a tower, in double, against central differences of
 *
 *   f = sum_ij c_ij u_ij        with fixed c, so that df/du = c
 *
 * for every tensor: layer weights and biases, ReLU, normalisation, embedding bags with all three
 * poolings, numbers, missing values, and defaults under masks, value dropout and feature dropout.
 * Tables have no gradient buffer: theirs is what one SGD step at rate 1 takes away.
 */
#include "engine/sparse.h"
#include "grad/difference.h"
#include "grad/tiny.h"
#include "math/gemm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 500 };

/* A tower's output is smooth enough for the step only away from z = 0. */
#define SMALLEST_NORM 0.2

/* What a test asks for. */
typedef struct pass_setting {
    tiny_kind kind;
    dip_side side;
    const char *hidden;
    const char *dim;
    const int32_t *row;
    size_t n;
    dip_view view;
} pass_setting;

typedef struct pass_case {
    tiny_world world;
    dip_config config;
    dip_towers towers;
    dip_pass pass;
    const pass_setting *setting;
    dip_real *c; /* [n x output] */
} pass_case;

static double sum_of_outputs(void *context) {
    pass_case *k = context;
    dip_pass_forward(&k->pass, &k->towers.params);
    double sum = 0;
    for (size_t i = 0; i < k->pass.n * k->pass.tower->output; i++) {
        sum += k->c[i] * k->pass.u[i];
    }
    return sum;
}

static pass_case *create_case(const pass_setting *setting, uint64_t seed) {
    pass_case *k = calloc(1, sizeof *k);
    dip_error err = {0};
    assert_non_null(k);
    k->setting = setting;
    tiny_world_make(&k->world, setting->kind);
    tiny_config_make(&k->config);
    tiny_set(&k->config, "model.hidden", setting->hidden);
    tiny_set(&k->config, "model.dim", setting->dim);
    assert_int_equal(dip_towers_create(&k->towers, &k->world.dataset.schema, &k->config, &err),
                     DIP_OK);
    assert_int_equal(dip_params_alloc(&k->towers.params, true, &err), DIP_OK);
    dip_params_init(&k->towers.params, seed);
    const dip_tower *tower = dip_towers_side(&k->towers, setting->side);
    assert_int_equal(dip_pass_create(&k->pass, tower, setting->n + 1, 1, true, &err), DIP_OK);
    const dip_rows *rows = dip_dataset_rows(&k->world.dataset, setting->side);
    assert_int_equal(dip_pass_load(&k->pass, rows, setting->row, setting->n, &setting->view, &err),
                     DIP_OK);
    k->c = calloc(setting->n * tower->output, sizeof *k->c);
    assert_non_null(k->c);
    uint64_t noise = 900;
    for (size_t i = 0; i < setting->n * tower->output; i++) {
        k->c[i] = tiny_noise(&noise) / (double)setting->n;
    }
    return k;
}

static void free_case(pass_case *k) {
    dip_pass_free(&k->pass);
    dip_towers_free(&k->towers);
    free(k->c);
    free(k);
}

static bool is_smooth(pass_case *k, double kink) {
    dip_pass_forward(&k->pass, &k->towers.params);
    const tiny_margin margin = tiny_pass_margin(&k->pass, &k->towers.params);
    return margin.preactivation > kink && margin.norm > SMALLEST_NORM;
}

/* The first seed whose initial values keep all preactivations away from the corner of the ReLU. */
static pass_case *smooth_case(const pass_setting *setting, double kink) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        pass_case *k = create_case(setting, seed);
        if (is_smooth(k, kink)) {
            return k;
        }
        free_case(k);
    }
    fail_msg("no seed up to %d keeps clear of ReLU corners", SEEDS);
    return NULL;
}

/* Gradients of all tensors, one array each. */
static dip_real **gradients_of(pass_case *k) {
    dip_params *params = &k->towers.params;
    dip_sparse sparse;
    dip_optimizer optimizer;
    dip_error err = {0};
    dip_real **gradient = calloc(params->n, sizeof *gradient);
    assert_non_null(gradient);
    dip_params_zero_gradients(params);
    dip_pass_forward(&k->pass, params);
    memcpy(k->pass.du, k->c, k->pass.n * k->pass.tower->output * sizeof *k->c);
    dip_pass_backward(&k->pass, params);
    assert_int_equal(dip_optimizer_create(&optimizer, params, &k->config, &err), DIP_OK);
    assert_int_equal(dip_sparse_create(&sparse, params, 1, &err), DIP_OK);
    const dip_pass *passes[1] = {&k->pass};
    assert_int_equal(dip_sparse_collect(&sparse, passes, 1, &err), DIP_OK);
    for (size_t t = 0; t < params->n; t++) {
        const dip_param *param = &params->list[t];
        const size_t bytes = dip_param_size(param) * sizeof(dip_real);
        gradient[t] = malloc(bytes);
        assert_non_null(gradient[t]);
        memcpy(gradient[t], param->gradient != NULL ? param->gradient : param->value, bytes);
    }
    const dip_update update = dip_optimizer_begin(&optimizer, 1);
    dip_sparse_update(&sparse, params, &optimizer, &update);
    for (size_t t = 0; t < params->n; t++) {
        const dip_param *param = &params->list[t];
        for (size_t i = 0; param->gradient == NULL && i < dip_param_size(param); i++) {
            const dip_real before = gradient[t][i];
            gradient[t][i] = before - param->value[i];
            param->value[i] = before;
        }
    }
    dip_sparse_free(&sparse);
    dip_optimizer_free(&optimizer);
    return gradient;
}

/* The sum, with an eye on which units are active. */
typedef struct watched_case {
    pass_case *k;
    uint64_t pattern; /* of the base */
    bool is_same;     /* no unit has changed its side since this was set */
} watched_case;

static double watched_sum(void *context) {
    watched_case *w = context;
    const double sum = sum_of_outputs(w->k);
    w->is_same = w->is_same && tiny_pass_pattern(&w->k->pass, 0) == w->pattern;
    return sum;
}

/* Tensors up to this size are compared whole, whatever the stride. */
enum { SMALL = 600 };

/* Compares each stride-th element of every larger tensor. Elements whose step crosses the corner
 * of a ReLU are left out; returns how many. */
static size_t check_case(difference_worst *worst, pass_case *k, size_t stride) {
    dip_params *params = &k->towers.params;
    dip_real **gradient = gradients_of(k);
    watched_case watched = {.k = k};
    size_t crossed = 0;
    sum_of_outputs(k);
    watched.pattern = tiny_pass_pattern(&k->pass, 0);
    for (size_t t = 0; t < params->n; t++) {
        const size_t size = dip_param_size(&params->list[t]);
        for (size_t i = 0; i<size; i += size> SMALL ? stride : 1) {
            watched.is_same = true;
            const double numeric = difference_at(watched_sum, &watched, params->list[t].value + i);
            if (watched.is_same) {
                difference_note(worst, params->list[t].name, i, gradient[t][i], numeric);
            }
            crossed += !watched.is_same;
        }
        free(gradient[t]);
    }
    free(gradient);
    return crossed;
}

static void check_setting(difference_worst *worst, const pass_setting *setting) {
    pass_case *k = smooth_case(setting, DIFFERENCE_KINK);
    assert_int_equal(check_case(worst, k, 1), 0);
    free_case(k);
}

/* All items: missing, unknown, empty and long features are among them; item 4 twice. */
static const int32_t ALL_ITEMS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 4};
static const int32_t ALL_QUERIES[] = {0, 1, 2, 3, 4};

static pass_setting items_setting(void) {
    return (pass_setting){.side = DIP_SIDE_ITEM,
                          .hidden = "5,4",
                          .dim = "3",
                          .row = ALL_ITEMS,
                          .n = sizeof ALL_ITEMS / sizeof ALL_ITEMS[0]};
}

static void item_tower_gradients_agree_with_differences(void **state) {
    (void)state;
    const char *const hidden[] = {"4", "5,4", "5,4,4"};
    difference_worst worst = {0};
    for (size_t h = 0; h < 3; h++) {
        pass_setting setting = items_setting();
        setting.hidden = hidden[h];
        check_setting(&worst, &setting);
    }
    difference_report(&worst, "item tower, 1 to 3 layers");
}

static void query_tower_gradients_agree_with_differences(void **state) {
    (void)state;
    difference_worst worst = {0};
    const pass_setting setting = {.kind = TINY_OWN_QUERIES,
                                  .side = DIP_SIDE_QUERY,
                                  .hidden = "5,4",
                                  .dim = "3",
                                  .row = ALL_QUERIES,
                                  .n = TINY_QUERIES};
    check_setting(&worst, &setting);
    difference_report(&worst, "query tower of its own entity");
}

/* Each feature alone, a few together, all but each, and all. */
static void masked_gradients_agree_with_differences(void **state) {
    (void)state;
    const uint64_t all = ((uint64_t)1 << TINY_ITEM_FEATURES) - 1;
    difference_worst worst = {0};
    for (size_t f = 0; f < TINY_ITEM_FEATURES; f++) {
        const uint64_t masks[2] = {(uint64_t)1 << f, all & ~((uint64_t)1 << f)};
        for (size_t m = 0; m < 2; m++) {
            pass_setting setting = items_setting();
            setting.view.mask = masks[m];
            check_setting(&worst, &setting);
        }
    }
    pass_setting setting = items_setting();
    setting.view.mask = all;
    check_setting(&worst, &setting);
    difference_report(&worst, "item tower under masks");
}

/* Number of pooled values and of examples that take a default, to see that a rate did something. */
static void count_spans(const pass_case *k, size_t *values, size_t *defaults) {
    *values = 0;
    *defaults = 0;
    for (size_t s = 0; s < k->pass.n * k->pass.tower->n_blocks; s++) {
        *values += k->pass.span[s].n;
        *defaults += k->pass.span[s].n == 0 && !dip_span_has_number(&k->pass.span[s]);
    }
}

static void check_dropout(difference_worst *worst, const pass_setting *plain,
                          const pass_setting *dropped) {
    size_t values[2];
    size_t defaults[2];
    pass_case *k = create_case(plain, 1);
    count_spans(k, &values[0], &defaults[0]);
    free_case(k);
    k = smooth_case(dropped, DIFFERENCE_KINK);
    count_spans(k, &values[1], &defaults[1]);
    assert_true(values[1] < values[0]);
    assert_true(defaults[1] > defaults[0]);
    assert_int_equal(check_case(worst, k, 1), 0);
    free_case(k);
}

static void value_dropout_gradients_agree_with_differences(void **state) {
    (void)state;
    const double rates[] = {0.3, 0.6, 0.9};
    difference_worst worst = {0};
    for (uint64_t step = 0; step < 6; step++) {
        const pass_setting plain = items_setting();
        pass_setting dropped = plain;
        dropped.view = (dip_view){.mask = step % 2 == 1 ? 1 : 0,
                                  .value_dropout = rates[step % 3],
                                  .rng = dip_rng_make(5, DIP_DRAW_VIEW_H),
                                  .step = step};
        check_dropout(&worst, &plain, &dropped);
    }
    difference_report(&worst, "item tower under value dropout");
}

static void feature_dropout_gradients_agree_with_differences(void **state) {
    (void)state;
    const double rates[] = {0.3, 0.6, 0.99};
    difference_worst worst = {0};
    for (uint64_t step = 0; step < 6; step++) {
        const pass_setting plain = items_setting();
        pass_setting dropped = plain;
        dropped.view = (dip_view){.feature_dropout = rates[step % 3],
                                  .droppable = UINT64_MAX,
                                  .rng = dip_rng_make(5, DIP_DRAW_FEATURE),
                                  .step = step};
        check_dropout(&worst, &plain, &dropped);
    }
    difference_report(&worst, "item tower under feature dropout");
}

/* A mask stays whatever else is dropped, and dropout never takes the last feature of an example. */
static void feature_dropout_keeps_masks_and_one_feature(void **state) {
    (void)state;
    pass_setting setting = items_setting();
    static const int32_t WHOLE[] = {0, 4, 6}; /* items without a missing feature */
    setting.row = WHOLE;
    setting.n = 3;
    setting.view = (dip_view){.mask = 2,
                              .feature_dropout = 0.99,
                              .droppable = UINT64_MAX,
                              .rng = dip_rng_make(5, DIP_DRAW_FEATURE),
                              .step = 1};
    for (; setting.view.step < 200; setting.view.step++) {
        setting.view.mask = setting.view.step % 2 == 1 ? 2 : 0;
        pass_case *k = create_case(&setting, 1);
        for (size_t i = 0; i < setting.n; i++) {
            const dip_span *span = &k->pass.span[i * TINY_ITEM_FEATURES];
            size_t alive = 0;
            for (size_t f = 0; f < TINY_ITEM_FEATURES; f++) {
                alive += span[f].n > 0 || dip_span_has_number(&span[f]);
            }
            assert_true(setting.view.mask == 0 ? alive > 0 : span[1].n == 0);
        }
        free_case(k);
    }
}

/* ---- shapes that cross the cuts -------------------------------------------------------------- */

enum { LARGE = DIP_PANEL + 7 };

/* 135 examples times 70 units cannot all be kept clear of the corners. */
static void check_sampled(const char *hidden, const char *dim, size_t n, size_t stride) {
    static int32_t row[LARGE];
    difference_worst worst = {0};
    for (size_t i = 0; i < n; i++) {
        row[i] = (int32_t)((5 * i + 2) % TINY_ITEMS);
    }
    pass_setting setting = items_setting();
    setting.hidden = hidden;
    setting.dim = dim;
    setting.row = row;
    setting.n = n;
    /* Dropped values differ from example to example, though the rows repeat. */
    setting.view = (dip_view){
        .mask = 2, .value_dropout = 0.3, .rng = dip_rng_make(3, DIP_DRAW_VIEW_G), .step = 11};
    pass_case *k = smooth_case(&setting, 0);
    const size_t crossed = check_case(&worst, k, stride);
    free_case(k);
    print_message("%zu elements left out at a corner\n", crossed);
    assert_true(worst.n > 3 * crossed);
    difference_report(&worst, hidden);
}

/* 135 rows are two panels; 70 units two blocks of bias columns and of weight rows. */
static void gradients_agree_across_panels_and_weight_rows(void **state) {
    (void)state;
    check_sampled("70,4", "3", LARGE, 3);
}

/* An input of 5 * 14 + 1 columns and 515 outputs: two blocks of weight columns as well. There is
 * no ReLU, so that every column has a gradient, and the stride has no factor in common with 515,
 * so that every column is met. */
static void gradients_agree_across_weight_columns(void **state) {
    (void)state;
    check_sampled("515", "14", 3, 53);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_tower_gradients_agree_with_differences),
        cmocka_unit_test(query_tower_gradients_agree_with_differences),
        cmocka_unit_test(masked_gradients_agree_with_differences),
        cmocka_unit_test(value_dropout_gradients_agree_with_differences),
        cmocka_unit_test(feature_dropout_gradients_agree_with_differences),
        cmocka_unit_test(feature_dropout_keeps_masks_and_one_feature),
        cmocka_unit_test(gradients_agree_across_panels_and_weight_rows),
        cmocka_unit_test(gradients_agree_across_weight_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
