/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole step, in double: the gradient of the total loss by every element of every tensor,
 * tables included, is what one update of SGD at rate 1 takes away, and must agree with central
 * differences of losses.total. Every method that the option table knows is tested, so a new one
 * cannot be forgotten.
 */
#include "grad/engine_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { METHODS_MAX = 64 };

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
        case_check(&worst, &s);
        snprintf(what, sizeof what, "%s, share %s, logq %s, mask_hits %s", names[m], s.share,
                 s.logq, s.mask_hits);
        difference_report(&worst, what);
    }
}

static void every_method_is_right_with_shared_tables(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", NULL, NULL, 0, NULL};
    check_methods(&s);
}

static void every_method_is_right_with_nothing_shared(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "none", "exact", "yes", NULL, NULL, 0, NULL};
    check_methods(&s);
}

static void every_method_is_right_with_everything_shared(void **state) {
    (void)state;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", NULL, NULL, 0, NULL};
    check_methods(&s);
}

static void every_method_is_right_with_queries_of_their_own(void **state) {
    (void)state;
    const setting apart = {TINY_OWN_QUERIES, "none", "exact", "yes", NULL, NULL, 0, NULL};
    const setting shared = {TINY_OWN_QUERIES, "tables", "exact", "yes", NULL, NULL, 0, NULL};
    check_methods(&apart);
    check_methods(&shared);
}

static void every_method_is_right_without_correction_or_hit_mask(void **state) {
    (void)state;
    const setting plain = {TINY_ITEMS_ARE_QUERIES, "tables", "none", "no", NULL, NULL, 0, NULL};
    const setting corrected = {
        TINY_ITEMS_ARE_QUERIES, "tables", "exact", "no", NULL, NULL, 0, NULL};
    const setting masked = {TINY_ITEMS_ARE_QUERIES, "tables", "none", "yes", NULL, NULL, 0, NULL};
    check_methods(&plain);
    check_methods(&corrected);
    check_methods(&masked);
}

static void moments_are_right_on_both_sides_of_the_corner(void **state) {
    (void)state;
    for (int side = -1; side <= 1; side += 2) {
        difference_worst worst = {0};
        const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes",
                           "spread-out-moments",   NULL,     side,    NULL};
        case_check(&worst, &s);
        difference_report(&worst, side > 0 ? "M2 > 1/d" : "M2 < 1/d");
    }
}

static void extra_negatives_are_right(void **state) {
    (void)state;
    const setting settings[] = {
        {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", "items", 0, NULL},
        {TINY_ITEMS_ARE_QUERIES, "all", "exact", "yes", "cfm", "views", 0, NULL},
        {TINY_OWN_QUERIES, "none", "none", "no", "rfm-no-complement", "views", 0, NULL},
        {TINY_OWN_QUERIES, "tables", "exact", "yes", "none", "items", 0, NULL},
        {TINY_OWN_QUERIES, "tables", "exact", "no", "spread-out", "items", 0, NULL}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char what[200];
        difference_worst worst = {0};
        case_check(&worst, &settings[i]);
        snprintf(what, sizeof what, "%s with extra %s", settings[i].method, settings[i].extra);
        difference_report(&worst, what);
    }
}

/* With candidates j of the batch and m uniform ones out of N items, each drawn with share
 * q_j = (n p_j + m / N) / (n + m): the loss by its definition, from vectors of our own passes. In
 * the refined one the positive has the logit s_ii/tau - log( (1 - q_i) / n_i ), n_i the candidates
 * of other items. */
static void check_mixture(const char *logq) {
    const bool is_refined = strcmp(logq, "refined") == 0;
    const setting s = {TINY_ITEMS_ARE_QUERIES, "tables", logq, "yes", "none", "items", 0, NULL};
    engine_case *k = case_create(&s, 1);
    dip_losses losses = {0};
    dip_error err = {0};
    assert_int_equal(dip_engine_compute(k->engine, &k->batch, &losses, &err), DIP_OK);
    case_pattern(k); /* runs the passes */
    const dip_pass *query = &k->pass[0];
    const size_t d = query->tower->output;
    const size_t n = k->batch.n;
    const size_t m = k->batch.n_self;
    size_t n_equal = 0; /* uniform items that are a pair's */
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        double positive = 0;
        double others = 0;
        double own_share = 0;
        for (size_t j = 0; j < n + m; j++) {
            const int32_t item = j < n ? k->batch.item[j] : k->batch.self[j - n];
            const dip_real *v = j < n ? k->pass[1].u + j * d : k->pass[2].u + (j - n) * d;
            const double p = (double)k->world.item_count[item] / TINY_PAIRS;
            const double q = ((double)n * p + (double)m / TINY_ITEMS) / (double)(n + m);
            double logit = -log(q);
            for (size_t c = 0; c < d; c++) {
                logit += query->u[i * d + c] * v[c] / k->config.train.temperature;
            }
            const bool is_other = item != k->batch.item[i];
            sum += is_other ? exp(logit) : 0;
            others += is_other;
            n_equal += !is_other && j >= n;
            positive = j == i ? logit : positive;
            own_share = j == i ? q : own_share;
        }
        positive += is_refined ? log(own_share) - log((1 - own_share) / others) : 0;
        total += log(sum + exp(positive)) - positive;
    }
    assert_true(n_equal > 0);
    assert_true(fabs(losses.main - total / (double)n) < 1e-12);
    case_free(k);
}

static void the_correction_is_that_of_the_mixture(void **state) {
    (void)state;
    check_mixture("exact");
    check_mixture("refined");
}

/* alpha = 0 leaves the second loss out altogether. */
static void zero_alpha_is_the_main_loss_alone(void **state) {
    (void)state;
    const setting ssl = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "cfm", NULL, 0, NULL};
    const setting none = {TINY_ITEMS_ARE_QUERIES, "tables", "exact", "yes", "none", NULL, 0, NULL};
    engine_case *with = case_create(&ssl, 1);
    dip_engine_free(with->engine);
    with->config.ssl.alpha = 0;
    dip_error err = {0};
    assert_int_equal(dip_engine_create(&with->engine, &with->world.dataset, &with->config, &err),
                     DIP_OK);
    engine_case *without = case_create(&none, 1);
    dip_losses a = {0};
    dip_losses b = {0};
    assert_int_equal(dip_engine_compute(with->engine, &with->batch, &a, &err), DIP_OK);
    assert_int_equal(dip_engine_compute(without->engine, &without->batch, &b, &err), DIP_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.self == 0);
    case_free(with);
    case_free(without);
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
