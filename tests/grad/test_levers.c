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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_refined_correction_is_right),
        cmocka_unit_test(the_refined_correction_needs_masked_hits),
        cmocka_unit_test(without_negatives_the_refined_loss_is_zero),
    };
    return cmocka_run_group_tests_name("levers", tests, NULL, NULL);
}
