/* SPDX-License-Identifier: Apache-2.0
 *
 * Options that change a loss or its views, each in the whole step (engine_case.h) and against its
 * definition.
 */
#include "grad/engine_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check_all(const setting *settings, size_t n, const char *what) {
    for (size_t i = 0; i < n; i++) {
        char text[200];
        difference_worst worst = {0};
        case_check(&worst, &settings[i]);
        snprintf(text, sizeof text, "%s, %s", what, settings[i].method);
        difference_report(&worst, text);
    }
}

static void the_refined_correction_is_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "refined", "yes", "none", NULL, 0, NULL},
        {TINY_OWN_QUERIES, "tables", "refined", "yes", "feature-dropout", NULL, 0, NULL},
        {TINY_ITEMS_ARE_QUERIES, "all", "refined", "yes", "cfm", "views", 0, NULL},
        {TINY_OWN_QUERIES, "none", "refined", "yes", "cfm", "items", 0, NULL}};
    check_all(settings, sizeof settings / sizeof settings[0], "refined");
}

/* It counts on negatives that are not the positive's own item. */
static void the_refined_correction_needs_masked_hits(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "refined", "no", "none", NULL, 0, NULL};
    tiny_world world;
    dip_config config;
    dip_engine *engine = NULL;
    dip_error err = {0};
    tiny_world_make(&world, s.kind);
    case_configure(&config, &s, 1);
    assert_int_equal(dip_engine_create(&engine, &world.dataset, &config, &err), DIP_ERR_USAGE);
    assert_non_null(strstr(err.message, "train.mask_hits"));
}

/* With one item in the whole batch there is nothing to tell it from. */
static void without_negatives_the_refined_loss_is_zero(void **state) {
    (void)state;
    static const int32_t SAME[TINY_BATCH] = {3, 3, 3, 3, 3, 3};
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "refined", "yes", "none", NULL, 0, NULL};
    engine_case *k = case_create(&s, 1);
    dip_losses losses = {0};
    dip_error err = {0};
    k->batch.item = SAME;
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, &losses, &err), DIP_OK);
    assert_true(fabs(losses.main) < 1e-12 && losses.gradient_norm < 1e-12);
    case_free(k);
}

/* ---- dropped ids ----------------------------------------------------------------------------- */

static void dropped_ids_are_right(void **state) {
    (void)state;
    static const char *const HALF[][2] = {{"train.id_dropout", "0.5"}, {NULL, NULL}};
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "none", NULL, 0, HALF},
        {TINY_OWN_QUERIES, "none", "refined", "yes", "cfm", "items", 0, HALF},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "cfm", "views", 0, HALF},
        {TINY_ITEMS_ARE_QUERIES, "tables", "refined", "yes", "noise", "items", 0, HALF}};
    check_all(settings, sizeof settings / sizeof settings[0], "half of the ids dropped");
}

static void feature_dropout_drops_ids_already(void **state) {
    (void)state;
    static const char *const HALF[][2] = {{"train.id_dropout", "0.5"}, {NULL, NULL}};
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes",
                       "feature-dropout",      NULL,     0,       HALF};
    tiny_world world;
    dip_config config;
    dip_engine *engine = NULL;
    dip_error err = {0};
    tiny_world_make(&world, s.kind);
    case_configure(&config, &s, 1);
    assert_int_equal(dip_engine_create(&engine, &world.dataset, &config, &err), DIP_ERR_USAGE);
    assert_non_null(strstr(err.message, "ssl.method: feature-dropout"));
}

/* What is left of an item without its ids must be something. */
static void ids_are_dropped_beside_other_features(void **state) {
    (void)state;
    const struct {
        int type; /* of every feature; -1: one is an id, as the world has it */
        const char *idle;
    } worlds[] = {{DIP_FEATURE_BAG, "none"}, {DIP_FEATURE_ID, "each"}, {-1, NULL}};
    for (size_t w = 0; w < sizeof worlds / sizeof worlds[0]; w++) {
        tiny_world world;
        dip_config config;
        tiny_world_make(&world, TINY_ITEMS_ARE_QUERIES);
        tiny_config_make(&config);
        for (size_t f = 0; worlds[w].type >= 0 && f < TINY_ITEM_FEATURES; f++) {
            world.item_features[f].type = worlds[w].type;
        }
        assert_null(dip_engine_idle_id_dropout(&world.dataset.schema, &config));
        tiny_set(&config, "train.id_dropout", "0.5");
        const char *idle = dip_engine_idle_id_dropout(&world.dataset.schema, &config);
        assert_true((idle == NULL) == (worlds[w].idle == NULL));
        assert_true(idle == NULL || strcmp(idle, worlds[w].idle) == 0);
    }
}

/* ---- what a view shows ----------------------------------------------------------------------- */

/* Masks under which items 2 and 7 look the same: without id, words and marks. */
static const dip_masks TWINS = {0x19, 0x26};

/* Whether the inputs of two rows agree in a pass without dropped values. Sums of a bag's values in
 * another order differ by their rounding. */
static bool look_same(const dip_pass *pass, size_t i, size_t j) {
    const size_t width = pass->tower->input;
    double distance = 0;
    for (size_t c = 0; c < width; c++) {
        distance = fmax(distance, fabs(pass->x[i * width + c] - pass->x[j * width + c]));
    }
    return distance < 1e-12;
}

/* -log softmax_ii of u_i with the rows of v, those left out that look the same. */
static double row_loss(const engine_case *k, const dip_pass *u, const dip_pass *v, size_t i,
                       size_t *left_out) {
    const size_t d = u->tower->output;
    const bool masks_same = k->config.ssl.mask_same;
    double sum = 0;
    double own = 0;
    for (size_t j = 0; j < u->n; j++) {
        double logit = 0;
        for (size_t c = 0; c < d; c++) {
            logit += u->u[i * d + c] * v->u[j * d + c] / k->config.ssl.temperature;
        }
        const bool is_out = masks_same && i != j && (look_same(u, i, j) || look_same(v, i, j));
        sum += is_out ? 0 : exp(logit);
        *left_out += is_out;
        own = i == j ? logit : own;
    }
    return log(sum) - own;
}

/* The second loss by its definition, from our own passes of views without dropped values. */
static void second_loss_is_its_definition(const setting *s, bool is_symmetric) {
    engine_case *k = case_create(s, 1);
    dip_losses losses = {0};
    dip_error err = {0};
    size_t left_out = 0;
    double total = 0;
    k->batch.masks = TWINS;
    for (size_t i = 0; i < k->batch.n_self; i++) { /* in one view items 2 and 7 have TWINS.h */
        k->each_h[i] = i % 2 == 0 ? TWINS.h : TWINS.g;
        k->each_g[i] = i % 2 == 0 ? TWINS.g : TWINS.h;
    }
    for (size_t view = 0; view < 2; view++) {
        tiny_pass *in = &k->list[2 + view];
        in->view.mask = view == 0 ? TWINS.h : TWINS.g;
        assert_int_equal(
            dip_pass_load(&k->pass[2 + view], in->rows, in->row, in->n, &in->view, &err), DIP_OK);
    }
    case_pattern(k);
    const dip_pass *h = &k->pass[2];
    const dip_pass *g = &k->pass[3];
    for (size_t i = 0; i < h->n; i++) {
        total += row_loss(k, h, g, i, &left_out);
        total += is_symmetric ? row_loss(k, g, h, i, &left_out) : 0;
    }
    total /= (double)h->n * (is_symmetric ? 2 : 1);
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, &losses, &err), DIP_OK);
    assert_true(fabs(losses.self - total) < 1e-12);
    assert_int_equal(left_out > 0, k->config.ssl.mask_same);
    case_free(k);
}

static const char *const SAME[][2] = {
    {"ssl.mask_same", "yes"}, {"ssl.dropout", "0.3"}, {NULL, NULL}};
static const char *const SAME_WHOLE[][2] = {{"ssl.mask_same", "yes"}, {NULL, NULL}};
static const char *const SYMMETRIC[][2] = {{"ssl.symmetric", "yes"}, {NULL, NULL}};
static const char *const BOTH[][2] = {
    {"ssl.symmetric", "yes"}, {"ssl.mask_same", "yes"}, {NULL, NULL}};

static void rows_that_look_the_same_are_no_negatives(void **state) {
    (void)state;
    const setting s = {TINY_OWN_QUERIES, "none", "none", "no", "cfm-no-dropout", NULL, 0, SAME};
    second_loss_is_its_definition(&s, false);
}

static void the_symmetric_loss_goes_both_ways(void **state) {
    (void)state;
    const setting one = {TINY_OWN_QUERIES, "none", "none", "no",
                         "cfm-no-dropout", NULL,   0,      SYMMETRIC};
    const setting both = {TINY_OWN_QUERIES, "none", "none", "no", "cfm-no-dropout", NULL, 0, BOTH};
    second_loss_is_its_definition(&one, true);
    second_loss_is_its_definition(&both, true);
}

static void masking_and_symmetry_are_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", NULL, 0, SAME},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "dropout", NULL, 0, SAME},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "spread-out", NULL, 0, SAME_WHOLE},
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", "views", 0, SYMMETRIC},
        {TINY_OWN_QUERIES, "none", "exact", "yes", "rfm-no-complement", NULL, 0, BOTH},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "spread-out", NULL, 0, BOTH}};
    check_all(settings, sizeof settings / sizeof settings[0], "same or symmetric");
}

/* ---- masks of single items ------------------------------------------------------------------- */

static const char *const EACH[][2] = {{"ssl.masks", "example"}, {NULL, NULL}};
static const char *const EACH_SAME[][2] = {
    {"ssl.masks", "example"}, {"ssl.mask_same", "yes"}, {NULL, NULL}};

static void masks_of_single_items_are_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", NULL, 0, EACH},
        {TINY_OWN_QUERIES, "none", "exact", "yes", "rfm", NULL, 0, EACH_SAME},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "cfm-no-complement", "views", 0, EACH},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "dropout", NULL, 0, EACH}};
    check_all(settings, sizeof settings / sizeof settings[0], "masks by example");
    const setting same = {TINY_OWN_QUERIES, "none", "none", "no",
                          "cfm-no-dropout", NULL,   0,      EACH_SAME};
    second_loss_is_its_definition(&same, false);
}

/* The same masks for all give the bits of one mask for all. */
static void equal_masks_of_single_items_are_those_of_the_batch(void **state) {
    (void)state;
    const setting s = {TINY_OWN_QUERIES, "tables", "exact", "yes", "cfm", NULL, 0, NULL};
    dip_losses losses[2];
    memset(losses, 0, sizeof losses);
    for (int is_each = 0; is_each < 2; is_each++) {
        dip_error err = {0};
        engine_case *k = case_create(&s, 1);
        for (size_t i = 0; i < k->batch.n_self; i++) {
            k->each_h[i] = k->batch.masks.h;
            k->each_g[i] = k->batch.masks.g;
        }
        k->batch.each_h = is_each ? k->each_h : NULL;
        k->batch.each_g = is_each ? k->each_g : NULL;
        assert_int_equal(dip_engine_compute(k->engine, &k->batch, &losses[is_each], &err), DIP_OK);
        case_free(k);
    }
    assert_memory_equal(&losses[0], &losses[1], sizeof losses[0]);
}

/* ---- noise ----------------------------------------------------------------------------------- */

static const char *const LOUD[][2] = {{"ssl.noise", "0.8"}, {NULL, NULL}};
static const char *const LOUD_BOTH[][2] = {
    {"ssl.noise", "0.4"}, {"ssl.symmetric", "yes"}, {"ssl.mask_same", "yes"}, {NULL, NULL}};
static const char *const SILENT[][2] = {{"ssl.noise", "0"}, {NULL, NULL}};

static void noise_views_are_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "noise", NULL, 0, LOUD},
        {TINY_OWN_QUERIES, "none", "exact", "yes", "noise", NULL, 0, LOUD_BOTH},
        {TINY_ITEMS_ARE_QUERIES, "all", "refined", "yes", "noise", "items", 0, LOUD}};
    check_all(settings, sizeof settings / sizeof settings[0], "noise");
}

/* Without noise both views are the items, as in spread-out. */
static void noise_of_no_length_is_spread_out(void **state) {
    (void)state;
    const setting noise = {TINY_OWN_QUERIES, "none", "exact", "yes", "noise", NULL, 0, SILENT};
    const setting spread = {TINY_OWN_QUERIES, "none", "exact", "yes", "spread-out", NULL, 0, NULL};
    dip_losses a = {0};
    dip_losses b = {0};
    dip_error err = {0};
    engine_case *k = case_create(&noise, 1);
    engine_case *l = case_create(&spread, 1);
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, &a, &err), DIP_OK);
    assert_int_equal(dip_engine_compute(l->engine, &l->batch, &b, &err), DIP_OK);
    assert_true(fabs(a.self - b.self) < 1e-14);
    assert_true(fabs(a.gradient_norm - b.gradient_norm) < 1e-12);
    case_free(k);
    case_free(l);
}

/* ---- both towers ----------------------------------------------------------------------------- */

static const char *const TOWERS[][2] = {{"ssl.towers", "both"}, {NULL, NULL}};
static const char *const TOWERS_ALL[][2] = {
    {"ssl.towers", "both"}, {"ssl.mask_same", "yes"}, {"ssl.symmetric", "yes"}, {NULL, NULL}};

static void the_second_loss_on_both_towers_is_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_OWN_QUERIES, "none", "exact", "yes", "cfm", NULL, 0, TOWERS},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "dropout", NULL, 0, TOWERS_ALL},
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "rfm", NULL, 0, TOWERS_ALL},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "cfm-no-complement", "views", 0, TOWERS},
        {TINY_ITEMS_ARE_QUERIES, "all", "refined", "yes", "spread-out", "items", 0, TOWERS_ALL},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "spread-out-square", NULL, 0, TOWERS},
        {TINY_OWN_QUERIES, "none", "exact", "yes", "noise", NULL, 0, TOWERS_ALL}};
    check_all(settings, sizeof settings / sizeof settings[0], "both towers");
}

/* With everything shared, the same rows and the same masks, the loss on queries is that on items.
 */
static void equal_towers_have_equal_losses(void **state) {
    (void)state;
    const setting both = {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes",
                          "cfm-no-dropout",       NULL,  0,       TOWERS};
    const setting one = {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes",
                         "cfm-no-dropout",       NULL,  0,       NULL};
    dip_losses two_towers = {0};
    dip_losses one_tower = {0};
    dip_error err = {0};
    engine_case *k = case_create(&both, 1);
    engine_case *l = case_create(&one, 1);
    k->batch.queries =
        (dip_self_queries){.n = k->batch.n_self, .row = k->batch.self, .masks = k->batch.masks};
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, &two_towers, &err), DIP_OK);
    assert_int_equal(dip_engine_compute(l->engine, &l->batch, &one_tower, &err), DIP_OK);
    assert_true(fabs(two_towers.self - 2 * one_tower.self) < 1e-13);
    assert_true(two_towers.main == one_tower.main);
    case_free(k);
    case_free(l);
}

/* ---- one loss alone -------------------------------------------------------------------------- */

static void one_loss_alone_is_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_OWN_QUERIES, "none", "exact", "yes", "cfm", NULL, 0, NULL},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "rfm", "views", 0, TOWERS},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "noise", "items", 0, NULL}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        difference_worst self = {0};
        difference_worst main = {0};
        case_check_skipping(&self, &settings[i], true, false);
        difference_report(&self, "second loss alone");
        if (settings[i].extra == NULL || strcmp(settings[i].extra, "views") != 0) {
            case_check_skipping(&main, &settings[i], false, true);
            difference_report(&main, "main loss alone");
        }
    }
}

/* Alone or together, a loss has the same value. */
static void losses_alone_have_the_values_of_both_together(void **state) {
    (void)state;
    const setting s = {TINY_OWN_QUERIES, "none", "exact", "yes", "cfm", NULL, 0, TOWERS};
    dip_losses losses[3];
    for (int part = 0; part < 3; part++) {
        dip_error err = {0};
        engine_case *k = case_create(&s, 1);
        k->batch.skips_main = part == 1;
        k->batch.skips_self = part == 2;
        assert_int_equal(dip_engine_compute(k->engine, &k->batch, &losses[part], &err), DIP_OK);
        case_free(k);
    }
    assert_true(losses[1].self == losses[0].self && losses[1].main == 0);
    assert_true(losses[2].main == losses[0].main && losses[2].self == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_refined_correction_is_right),
        cmocka_unit_test(the_refined_correction_needs_masked_hits),
        cmocka_unit_test(without_negatives_the_refined_loss_is_zero),
        cmocka_unit_test(dropped_ids_are_right),
        cmocka_unit_test(ids_are_dropped_beside_other_features),
        cmocka_unit_test(feature_dropout_drops_ids_already),
        cmocka_unit_test(rows_that_look_the_same_are_no_negatives),
        cmocka_unit_test(the_symmetric_loss_goes_both_ways),
        cmocka_unit_test(masking_and_symmetry_are_right),
        cmocka_unit_test(masks_of_single_items_are_right),
        cmocka_unit_test(equal_masks_of_single_items_are_those_of_the_batch),
        cmocka_unit_test(noise_views_are_right),
        cmocka_unit_test(noise_of_no_length_is_spread_out),
        cmocka_unit_test(the_second_loss_on_both_towers_is_right),
        cmocka_unit_test(equal_towers_have_equal_losses),
        cmocka_unit_test(one_loss_alone_is_right),
        cmocka_unit_test(losses_alone_have_the_values_of_both_together),
    };
    return cmocka_run_group_tests_name("levers", tests, NULL, NULL);
}
