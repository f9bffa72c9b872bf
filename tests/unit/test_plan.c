/* SPDX-License-Identifier: Apache-2.0
 *
 * Studies from YAML: what every key says, what is taken where a key is left out, limits, the
 * built-in studies whole and cut off anywhere, and mistakes, each with its place.
 */
#include "check.h"
#include "evaluate/questions.h"
#include "experiment/plan.h"
#include "experiment/plan_files.h"

#include "base/mem.h"

#include <glob.h>

static const char *const PRESETS[] = {"quick", "paper", "ablation", "sparsity", "sweep"};
enum { N_PRESETS = sizeof PRESETS / sizeof PRESETS[0] };

static const char SMALL[] = "conditions: {c: {}}\n"
                            "methods:\n"
                            "  a: {}\n"
                            "  b: {choose: {ssl.alpha: [0.1, 1]}}\n";

static dip_plan *parse(const char *text) {
    dip_plan *plan = NULL;
    check_ok(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()));
    return plan;
}

/* ---- what is read ---------------------------------------------------------------------------- */

static const char WHOLE[] =
    "options: {preset: paper, train: {rate: 0.5, batch: 64}, model.hidden: [8, 4], threads: 2}\n"
    "seeds: 4\n"
    "choice_seeds: 3\n"
    "baseline: plain\n"
    "conditions:\n"
    "  all: {label: everything}\n"
    "  few: {options: {split: {train_fraction: 0.1}, train.logq: none}}\n"
    "methods:\n"
    "  rfm: {label: R, options: {ssl.method: rfm}, like: cfm}\n"
    "  plain: {options: {ssl: {method: none}}}\n"
    "  cfm: {choose: {ssl.alpha: [0.1, 1, 3], train.logq: [none, exact]}}\n"
    "tables:\n"
    "  - {number: 7, title: T, conditions: [few], methods: [cfm, plain], columns: [map@10]}\n"
    "  - {columns: [tail/recall@5, cold/hit_rate@1000, all/mrr@1, head/ndcg@2]}\n"
    "figures:\n"
    "  - {kind: choice, option: ssl.alpha, methods: [cfm], columns: [recall@3], title: F}\n"
    "  - {kind: curves, conditions: [few, all]}\n";

static void check_setting(const dip_settings *settings, size_t i, const char *key,
                          const char *value) {
    assert_true(i < settings->n);
    assert_string_equal(settings->at[i].key, key);
    assert_string_equal(settings->at[i].value, value);
}

static void every_key_is_read(void **state) {
    (void)state;
    dip_plan *plan = parse(WHOLE);
    assert_string_equal(plan->name, "s.yaml");
    assert_string_equal(plan->options.preset, "paper");
    assert_int_equal(plan->options.n, 4);
    check_setting(&plan->options, 0, "train.rate", "0.5");
    check_setting(&plan->options, 1, "train.batch", "64");
    check_setting(&plan->options, 2, "model.hidden", "8,4");
    check_setting(&plan->options, 3, "threads", "2");
    assert_int_equal(plan->seeds, 4);
    assert_int_equal(plan->choice_seeds, 3);
    assert_int_equal(plan->baseline, 1);
    assert_int_equal(plan->n_conditions, 2);
    assert_string_equal(plan->condition[0].label, "everything");
    assert_string_equal(plan->condition[1].name, "few");
    check_setting(&plan->condition[1].options, 0, "split.train_fraction", "0.1");
    assert_int_equal(plan->n_methods, 3);
    assert_string_equal(plan->method[0].label, "R");
    assert_int_equal(plan->method[0].like, 2);
    assert_int_equal(plan->method[1].like, -1);
    check_setting(&plan->method[1].options, 0, "ssl.method", "none");
    const dip_plan_method *cfm = &plan->method[2];
    assert_int_equal(cfm->n_choices, 2);
    assert_string_equal(cfm->choice[0].key, "ssl.alpha");
    assert_int_equal(cfm->choice[0].n, 3);
    assert_string_equal(cfm->choice[0].value[2], "3");
    assert_string_equal(cfm->choice[1].value[1], "exact");
    dip_free(plan);
}

static void check_subset(const dip_subset *subset, size_t n, const size_t *at) {
    assert_int_equal(subset->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(subset->at[i], at[i]);
    }
}

static void check_column(const dip_plan_column *column, const char *text) {
    char found[DIP_PLAN_NAME_MAX];
    dip_plan_column_text(column, found);
    assert_string_equal(found, text);
}

static void tables_and_figures_are_read(void **state) {
    static const size_t ALL[] = {0, 1, 2};
    (void)state;
    dip_plan *plan = parse(WHOLE);
    assert_int_equal(plan->n_tables, 2);
    assert_int_equal(plan->table[0].number, 7);
    check_subset(&plan->table[0].conditions, 1, (size_t[]){1});
    check_subset(&plan->table[0].methods, 2, (size_t[]){2, 1});
    check_column(&plan->table[0].columns.at[0], "all/map@10");
    assert_int_equal(plan->table[1].number, 2);
    assert_string_equal(plan->table[1].title, "Metrics");
    check_subset(&plan->table[1].conditions, 2, ALL);
    check_subset(&plan->table[1].methods, 3, ALL);
    assert_int_equal(plan->table[1].columns.n, 4);
    check_column(&plan->table[1].columns.at[0], "tail/recall@5");
    check_column(&plan->table[1].columns.at[1], "cold/hit_rate@1000");
    check_column(&plan->table[1].columns.at[2], "all/mrr@1");
    check_column(&plan->table[1].columns.at[3], "head/ndcg@2");
    assert_int_equal(plan->n_figures, 2);
    assert_int_equal(plan->figure[0].kind, DIP_FIGURE_CHOICE);
    assert_string_equal(plan->figure[0].title, "F");
    assert_string_equal(plan->figure[0].option, "ssl.alpha");
    assert_int_equal(plan->figure[1].kind, DIP_FIGURE_CURVES);
    assert_string_equal(plan->figure[1].title, "Training curves");
    check_subset(&plan->figure[1].conditions, 2, (size_t[]){1, 0});
    dip_free(plan);
}

static void a_method_may_begin_with_a_preset(void **state) {
    (void)state;
    dip_plan *plan = parse("conditions: {c: {}}\n"
                           "methods: {m: {options: {train.rate: 0.25, preset: best}}}\n");
    dip_config config;
    dip_config best;
    dip_options_default(&dip_config_table, &config, sizeof config);
    best = config;
    check_ok(dip_settings_apply(&plan->method[0].options, &config, check_error()));
    check_ok(dip_config_apply_preset(&best, "best", check_error()));
    best.train.rate = 0.25;
    for (size_t i = 0; i < dip_config_table.n; i++) {
        char found[DIP_VALUE_MAX];
        char wanted[DIP_VALUE_MAX];
        dip_options_get(&dip_config_table.row[i], &config, found);
        dip_options_get(&dip_config_table.row[i], &best, wanted);
        assert_string_equal(found, wanted);
    }
    assert_true(config.train.id_dropout == 0.1);
    dip_free(plan);
}

static void what_is_left_out_has_a_value(void **state) {
    (void)state;
    dip_plan *plan = parse(SMALL);
    assert_int_equal(plan->seeds, 5);
    assert_int_equal(plan->choice_seeds, 1);
    assert_int_equal(plan->baseline, 0);
    assert_string_equal(plan->options.preset, "");
    assert_string_equal(plan->method[1].label, "b");
    assert_string_equal(plan->condition[0].label, "c");
    assert_int_equal(plan->n_tables + plan->n_figures, 0);
    dip_free(plan);
}

/* ---- the built-in studies -------------------------------------------------------------------- */

static void every_preset_is_a_study(void **state) {
    char names[200] = "";
    (void)state;
    for (size_t i = 0; i < N_PRESETS; i++) {
        dip_plan *plan = NULL;
        const char *text = NULL;
        size_t bytes = 0;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i > 0 ? ", " : "",
                 PRESETS[i]);
        check_ok(dip_plan_preset_text(PRESETS[i], &text, &bytes, check_error()));
        assert_non_null(text);
        check_ok(dip_plan_preset(&plan, PRESETS[i], check_error()));
        assert_string_equal(plan->name, PRESETS[i]);
        assert_string_equal(plan->method[plan->baseline].name, "supervised");
        assert_true(plan->n_tables > 0 && plan->n_figures > 0 && plan->n_methods > 2);
        dip_free(plan);
    }
    assert_string_equal(DIP_STUDY_NAMES, names);
}

/* Those of examples/studies. */
static void the_examples_are_whole(void **state) {
    glob_t found;
    (void)state;
    assert_int_equal(glob(DIP_SOURCE_DIR "/examples/studies/*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 2);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        dip_plan *plan = NULL;
        check_ok(dip_plan_read(&plan, found.gl_pathv[i], check_error()));
        assert_true(plan->n_tables > 0 && plan->n_conditions >= 2 && plan->n_methods > 2);
        dip_free(plan);
    }
    globfree(&found);
}

static void the_paper_is_all_there(void **state) {
    dip_plan *plan = NULL;
    (void)state;
    check_ok(dip_plan_preset(&plan, "paper", check_error()));
    assert_int_equal(plan->seeds, 5);
    assert_int_equal(plan->n_conditions, 4);
    assert_int_equal(plan->n_tables, 4);
    for (size_t m = 0; m < plan->n_methods; m++) {
        if (strcmp(plan->method[m].name, "cfm") == 0) {
            assert_int_equal(plan->method[m].choice[0].n, 4);
            assert_int_equal(plan->method[m].choice[1].n, 9);
        }
    }
    dip_free(plan);
}

/* A file that was cut anywhere is a study or an error, and never leaves anything behind. */
static void presets_can_be_cut_anywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < N_PRESETS; i++) {
        size_t bytes = 0;
        const char *text = NULL;
        check_ok(dip_plan_preset_text(PRESETS[i], &text, &bytes, check_error()));
        for (size_t n = 0; n < bytes; n += 3) {
            dip_plan *plan = NULL;
            dip_error err = {DIP_OK, ""};
            const dip_status status = dip_plan_parse(&plan, text, n, "cut", &err);
            assert_true((status == DIP_OK) == (plan != NULL));
            assert_true(status == DIP_OK || strncmp(err.message, "cut", 3) == 0);
            assert_true(status == DIP_OK || status == DIP_ERR_USAGE || status == DIP_ERR_FORMAT);
            dip_free(plan);
        }
    }
}

static void other_names_are_refused(void **state) {
    dip_plan *plan = NULL;
    (void)state;
    check_fails(dip_plan_preset(&plan, "tune", check_error()), DIP_ERR_USAGE,
                "there is no study \"tune\"; there are quick, paper");
    check_fails(dip_plan_preset(&plan, "", check_error()), DIP_ERR_USAGE, "no study \"\"");
    check_fails(dip_plan_read(&plan, "/nowhere/s.yaml", check_error()), DIP_ERR_IO,
                "/nowhere/s.yaml");
    assert_null(plan);
}

/* ---- mistakes -------------------------------------------------------------------------------- */

/* Behind SMALL, whose lines are four. */
static void mistakes_name_their_place(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } CASES[] = {
        {"extra: 1\n", "s.yaml:5:1: unknown key \"extra\"; there are options"},
        {"seeds: 1001\n", "s.yaml:5:8: a number from 1 to 1000"},
        {"seeds: 1.5\n", "s.yaml:5:8: a number"},
        {"baseline: x\n", "s.yaml:5:11: \"x\" is no method"},
        {"  'm m': {}\n", "s.yaml:5:3: the name of a method is made of letters"},
        {"  '': {}\n", "s.yaml:5:3: the name of a method"},
        {"  m: {like: m}\n", "s.yaml:5:13: like: \"m\" is no method"},
        {"  m: {like: m, choose: {ssl.alpha: [1]}}\n", "s.yaml:3:3: the methods are like each"},
        {"  m: {label: [x]}\n", "s.yaml:5:14: a text is wanted"},
        {"  m: {choose: {ssl.alpha: [[1]]}}\n", "s.yaml:5:28: a text is wanted"},
        {"  m: {options: [x]}\n", "s.yaml:5:16: a mapping is wanted"},
        {"  m: {options: {prepare.memory: 1G}}\n", "s.yaml:5:17: prepare.memory cannot be set"},
        {"options: {split.train_fraction: 0.5}\n", "s.yaml:5:11: split.train_fraction cannot"},
        {"options: {train: {x: 1}}\n", "s.yaml:5:19: unknown option \"train.x\""},
        {"options: {preset: [paper]}\n", "s.yaml:5:19: a text is wanted"},
        {"  m: {options: {preset: nope}}\n", "s.yaml:5:25: unknown preset \"nope\""},
        {"  m: {options: {preset: paper}}\n", "s.yaml:5:25: evaluate.protocol cannot be set"},
        {"tables:\n  - 1\n", "s.yaml:6:5: a mapping is wanted"},
        {"tables:\n  - {number: 0, columns: [map@1]}\n", "s.yaml:6:14: a number from 1"},
        {"tables:\n  - {columns: [[map@1]]}\n", "s.yaml:6:16: \"\" is no column"},
        {"tables:\n  - {columns: map@1}\n", "s.yaml:6:15: a list of columns"},
        {"tables:\n  - {columns: [map@1001]}\n", "s.yaml:6:16: \"map@1001\" is no column"},
        {"tables:\n  - {columns: [map]}\n", "s.yaml:6:16: \"map\" is no column"},
        {"tables:\n  - {columns: [tail/@3]}\n", "s.yaml:6:16: \"tail/@3\" has no known metric"},
        {"figures: 1\n", "s.yaml:5:10: a list of at most 32"},
        {"figures:\n  - {kind: [map]}\n", "s.yaml:6:12: \"\" is no kind"},
        {"figures:\n  - {kind: deciles, columns: [tail/recall@1]}\n", "s.yaml:6:5: deciles are"},
        {"figures:\n  - {kind: choice, option: ssl.alpha, columns: [map@1]}\n",
         "s.yaml:6:5: the method \"a\" does not choose \"ssl.alpha\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[600];
        dip_plan *plan = NULL;
        snprintf(text, sizeof text, "%s%s", SMALL, CASES[i].text);
        check_fails(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()),
                    DIP_ERR_USAGE, CASES[i].part);
        assert_null(plan);
    }
}

/* "KEY: {m0: {}, m1: {}, ...}" */
static void put_many(char *text, size_t size, const char *head, const char *entry, size_t n,
                     const char *tail) {
    size_t used = (size_t)snprintf(text, size, "%s", head);
    for (size_t i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s", i > 0 ? ", " : "");
        used += (size_t)snprintf(text + used, size - used, entry, (int)i);
    }
    snprintf(text + used, size - used, "%s", tail);
    assert_true(strlen(text) + 1 < size);
}

static void limits_are_errors(void **state) {
    static const struct {
        const char *head;
        const char *entry;
        size_t most;
        const char *tail;
        const char *part;
    } CASES[] = {
        {"conditions: {c: {}}\nmethods: {", "m%d: {}", DIP_PLAN_LIST, "}\n", "more than 32 method"},
        {"methods: {m: {}}\nconditions: {", "c%d: {}", DIP_PLAN_LIST, "}\n",
         "more than 32 conditions"},
        {"conditions: {c: {}}\nmethods: {m: {choose: {ssl.alpha: [", "%d", DIP_PLAN_VALUES,
         "]}}}\n", "a list of 1 to 16 values"},
        {"conditions: {c: {}}\nmethods: {m: {}}\ntables: [{columns: [", "map@1%d", DIP_PLAN_LIST,
         "]}]\n", "a list of columns"},
        {"conditions: {c: {}}\nmethods: {m: {}}\nfigures: [", "{kind: map, title: t%d}",
         DIP_PLAN_LIST, "]\n", "a list of at most 32"},
    };
    char text[8000];
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_plan *plan = NULL;
        put_many(text, sizeof text, CASES[i].head, CASES[i].entry, CASES[i].most, CASES[i].tail);
        check_ok(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()));
        dip_free(plan);
        plan = NULL;
        put_many(text, sizeof text, CASES[i].head, CASES[i].entry, CASES[i].most + 1,
                 CASES[i].tail);
        check_fails(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()),
                    DIP_ERR_USAGE, CASES[i].part);
    }
}

static void long_texts_are_errors(void **state) {
    char text[2000];
    char name[700];
    dip_plan *plan = NULL;
    (void)state;
    memset(name, 'x', sizeof name);
    for (int over = 0; over < 2; over++) {
        snprintf(text, sizeof text, "conditions: {c: {}}\nmethods: {m: {label: %.*s}}\n",
                 DIP_PLAN_TEXT_MAX - 1 + over, name);
        if (over == 0) {
            check_ok(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()));
            assert_int_equal(strlen(plan->method[0].label), DIP_PLAN_TEXT_MAX - 1);
            dip_free(plan);
            continue;
        }
        check_fails(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()),
                    DIP_ERR_USAGE, "s.yaml:2:22: the text is longer than 599 bytes");
    }
    snprintf(text, sizeof text, "conditions: {c: {}}\nmethods: {%.64s: {}}\n", name);
    check_fails(dip_plan_parse(&plan, text, strlen(text), "s.yaml", check_error()), DIP_ERR_USAGE,
                "s.yaml:2:11: the text is longer than 63 bytes");
}

/* ---- columns --------------------------------------------------------------------------------- */

static void columns_have_labels(void **state) {
    static const char *const LABELS[][2] = {{"recall@50", "Recall@50"},
                                            {"tail/map@10", "MAP@10"},
                                            {"ndcg@1", "NDCG@1"},
                                            {"mrr@7", "MRR@7"},
                                            {"cold/hit_rate@3", "Hit rate@3"}};
    (void)state;
    for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
        dip_plan_column column;
        char label[DIP_PLAN_NAME_MAX];
        check_ok(dip_plan_column_parse(&column, LABELS[i][0], check_error()));
        dip_plan_column_label(&column, label);
        assert_string_equal(label, LABELS[i][1]);
    }
}

static void other_columns_are_refused(void **state) {
    static const char *const TEXTS[] = {"",         "recall",     "recall@",    "recall@-1",
                                        "recall@x", "recall@1 ",  "/recall@1",  "Tail/recall@1",
                                        "recall@0", "recal@1",    "recalls@1",  "tail/head/map@1",
                                        "@1",       "recall@1.0", "recall@1@2", "tail@1/recall"};
    (void)state;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        dip_plan_column column = {.k = 42};
        check_fails(dip_plan_column_parse(&column, TEXTS[i], check_error()), DIP_ERR_USAGE,
                    TEXTS[i]);
        assert_int_equal(column.k, 42);
    }
}

/* ---- settings -------------------------------------------------------------------------------- */

static void settings_are_replaced_and_bounded(void **state) {
    dip_settings settings = {0};
    dip_config config;
    (void)state;
    for (int i = 0; i < DIP_PLAN_SETTINGS; i++) {
        char key[32];
        snprintf(key, sizeof key, "key%d", i);
        check_ok(dip_settings_put(&settings, key, "x", check_error()));
    }
    check_ok(dip_settings_put(&settings, "key3", "y", check_error()));
    assert_int_equal(settings.n, DIP_PLAN_SETTINGS);
    check_setting(&settings, 3, "key3", "y");
    check_fails(dip_settings_put(&settings, "one", "x", check_error()), DIP_ERR_USAGE,
                "more than 32 options at \"one\"");
    dip_options_default(&dip_config_table, &config, sizeof config);
    settings = (dip_settings){.n = 2, .at = {{"train.rate", "0.5"}, {"model.dim", "7"}}};
    check_ok(dip_settings_apply(&settings, &config, check_error()));
    assert_true(config.train.rate == 0.5 && config.model.dim == 7);
    check_fails(dip_settings_apply(&(dip_settings){.n = 1, .at = {{"train.rate", "x"}}}, &config,
                                   check_error()),
                DIP_ERR_USAGE, "train.rate");
}

/* Every option of the table belongs to one owner. */
static void options_are_set_where_they_belong(void **state) {
    (void)state;
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const char *key = dip_config_table.row[i].key;
        const bool runs = strncmp(key, "model.", 6) == 0 || strncmp(key, "train.", 6) == 0 ||
                          strncmp(key, "ssl.", 4) == 0;
        const bool evaluates =
            strncmp(key, "evaluate.", 9) == 0 && strcmp(key, "evaluate.split") != 0;
        const bool decides = strcmp(key, "train.metric") == 0 || strcmp(key, "train.metric_k") == 0;
        const bool may[] = {runs || evaluates || strcmp(key, "threads") == 0,
                            runs || strcmp(key, "split.train_fraction") == 0, runs,
                            runs && !decides};
        for (size_t scope = 0; scope < 4; scope++) {
            if (may[scope]) {
                check_ok(dip_scope_check((dip_scope)scope, key, check_error()));
            } else {
                check_fails(dip_scope_check((dip_scope)scope, key, check_error()), DIP_ERR_USAGE,
                            key);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(tables_and_figures_are_read),
        cmocka_unit_test(a_method_may_begin_with_a_preset),
        cmocka_unit_test(what_is_left_out_has_a_value),
        cmocka_unit_test(every_preset_is_a_study),
        cmocka_unit_test(the_examples_are_whole),
        cmocka_unit_test(the_paper_is_all_there),
        cmocka_unit_test(presets_can_be_cut_anywhere),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(mistakes_name_their_place),
        cmocka_unit_test(limits_are_errors),
        cmocka_unit_test(long_texts_are_errors),
        cmocka_unit_test(columns_have_labels),
        cmocka_unit_test(other_columns_are_refused),
        cmocka_unit_test(settings_are_replaced_and_bounded),
        cmocka_unit_test(options_are_set_where_they_belong),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
