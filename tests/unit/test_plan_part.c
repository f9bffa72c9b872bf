/* SPDX-License-Identifier: Apache-2.0
 *
 * Some conditions or some methods of a study: what stays, under which numbers, and what cannot.
 */
#include "check.h"
#include "experiment/plan.h"

#include "base/mem.h"

static const char WHOLE[] =
    "baseline: plain\n"
    "conditions:\n"
    "  all: {label: everything}\n"
    "  few: {options: {split: {train_fraction: 0.1}}}\n"
    "methods:\n"
    "  rfm: {options: {ssl.method: rfm}, like: cfm}\n"
    "  plain: {options: {ssl: {method: none}}}\n"
    "  cfm: {choose: {ssl.alpha: [0.1, 1, 3]}}\n"
    "tables:\n"
    "  - {title: T, conditions: [few], methods: [cfm, plain], columns: [map@10]}\n"
    "  - {columns: [tail/recall@5, cold/hit_rate@1000, all/mrr@1, head/ndcg@2]}\n"
    "figures:\n"
    "  - {kind: choice, option: ssl.alpha, methods: [cfm], columns: [recall@3]}\n"
    "  - {kind: curves, conditions: [few, all]}\n"
    "  - {kind: information, conditions: [few]}\n";

static dip_plan *parse(const char *text) {
    dip_plan *plan = NULL;
    check_ok(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()));
    return plan;
}

static void check_subset(const dip_subset *subset, size_t n, const size_t *at) {
    assert_int_equal(subset->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(subset->at[i], at[i]);
    }
}

static void some_conditions_of_a_plan_are_a_plan(void **state) {
    (void)state;
    dip_plan *plan = parse(WHOLE);
    check_fails(dip_plan_keep_conditions(plan, "few,nope", check_error()), DIP_ERR_USAGE,
                "\"nope\" is no condition of the study; the first is \"all\"");
    check_fails(dip_plan_keep_conditions(plan, "fe", check_error()), DIP_ERR_USAGE,
                "\"fe\" is no condition");
    check_fails(dip_plan_keep_conditions(plan, "", check_error()), DIP_ERR_USAGE, "no condition");
    assert_int_equal(plan->n_conditions, 2);
    check_ok(dip_plan_keep_conditions(plan, "few", check_error()));
    assert_int_equal(plan->n_conditions, 1);
    assert_string_equal(plan->condition[0].name, "few");
    assert_int_equal(plan->n_tables, 2);
    for (size_t t = 0; t < 2; t++) {
        assert_int_equal(plan->table[t].conditions.n, 1);
        assert_int_equal(plan->table[t].conditions.at[0], 0);
    }
    assert_int_equal(plan->n_figures, 3);
    dip_free(plan);
    plan = parse(WHOLE);
    check_ok(dip_plan_keep_conditions(plan, "all", check_error()));
    assert_string_equal(plan->condition[0].label, "everything");
    assert_int_equal(plan->n_tables, 1); /* the other one was of few alone */
    assert_int_equal(plan->table[0].columns.n, 4);
    assert_int_equal(plan->n_figures, 3); /* that of few alone is drawn of what stays */
    check_subset(&plan->figure[2].conditions, 1, (size_t[]){0});
    dip_free(plan);
}

static const char CURVES[] = "baseline: plain\n"
                             "conditions: {a: {}, b: {}, c: {}}\n"
                             "methods: {plain: {}}\n"
                             "figures:\n"
                             "  - {kind: curves, title: Curves of a, conditions: [a]}\n"
                             "  - {kind: curves, title: Curves of b, conditions: [b]}\n"
                             "  - {kind: curves, title: Curves of c, conditions: [c]}\n"
                             "  - {kind: map, title: Map of a, conditions: [a]}\n"
                             "  - {kind: map, title: Map of b, conditions: [b]}\n";

static void a_figure_of_conditions_that_go_is_drawn_once_and_says_no_more(void **state) {
    (void)state;
    dip_plan *plan = parse(CURVES);
    check_ok(dip_plan_keep_conditions(plan, "c", check_error()));
    assert_int_equal(plan->n_figures, 2);
    assert_string_equal(plan->figure[0].title, "Curves of c");
    assert_string_equal(plan->figure[1].title, "Map of the items");
    check_subset(&plan->figure[1].conditions, 1, (size_t[]){0});
    dip_free(plan);
}

static void some_methods_of_a_plan_are_a_plan(void **state) {
    (void)state;
    dip_plan *plan = parse(WHOLE);
    check_fails(dip_plan_keep_methods(plan, "plain,none", check_error()), DIP_ERR_USAGE,
                "\"none\" is no method of the study; the first is \"rfm\"");
    check_fails(dip_plan_keep_methods(plan, "rfm,cfm", check_error()), DIP_ERR_USAGE,
                "compared with \"plain\"");
    check_fails(dip_plan_keep_methods(plan, "rfm,plain", check_error()), DIP_ERR_USAGE,
                "\"rfm\" begins with what \"cfm\" chose");
    assert_int_equal(plan->n_methods, 3);
    assert_int_equal(plan->baseline, 1);
    check_ok(dip_plan_keep_methods(plan, "cfm,plain", check_error()));
    assert_int_equal(plan->n_methods, 2);
    assert_string_equal(plan->method[0].name, "plain");
    assert_string_equal(plan->method[1].name, "cfm");
    assert_int_equal(plan->baseline, 0);
    check_subset(&plan->table[0].methods, 2, (size_t[]){1, 0});
    check_subset(&plan->table[1].methods, 2, (size_t[]){0, 1});
    check_subset(&plan->figure[0].methods, 1, (size_t[]){1});
    check_ok(dip_plan_keep_methods(plan, "plain", check_error()));
    assert_int_equal(plan->n_tables, 2);
    check_subset(&plan->table[0].methods, 1, (size_t[]){0});
    assert_int_equal(plan->n_figures, 2); /* one was of cfm alone */
    assert_int_equal(plan->figure[0].kind, DIP_FIGURE_CURVES);
    dip_free(plan);
    plan = parse(WHOLE);
    check_ok(dip_plan_keep_methods(plan, "plain,cfm,rfm", check_error()));
    assert_int_equal(plan->n_methods, 3);
    assert_int_equal(plan->method[0].like, 2);
    dip_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_conditions_of_a_plan_are_a_plan),
        cmocka_unit_test(a_figure_of_conditions_that_go_is_drawn_once_and_says_no_more),
        cmocka_unit_test(some_methods_of_a_plan_are_a_plan),
    };
    return cmocka_run_group_tests_name("a part of a study", tests, NULL, NULL);
}
