/* SPDX-License-Identifier: Apache-2.0
 *
 * The option table: every row reads, writes and keeps its range; every enum follows the order of
 * its row's choices; presets and the stored form.
 */
#include "check.h"
#include "config/config.h"

#include "evaluate/metrics.h"

typedef struct place {
    const char *key;
    int position;
    const char *name;
} place;

/* All enums of config.h, in their own order. */
static const place PLACES[] = {
    {"prepare.unknown_ids", DIP_UNKNOWN_SKIP, "skip"},
    {"prepare.unknown_ids", DIP_UNKNOWN_STOP, "stop"},
    {"split.by", DIP_SPLIT_PAIR, "pair"},
    {"split.by", DIP_SPLIT_UNORDERED_PAIR, "unordered_pair"},
    {"split.by", DIP_SPLIT_QUERY, "query"},
    {"split.by", DIP_SPLIT_TIME, "time"},
    {"split.by", DIP_SPLIT_COLUMN, "column"},
    {"model.share", DIP_SHARE_NONE, "none"},
    {"model.share", DIP_SHARE_TABLES, "tables"},
    {"model.share", DIP_SHARE_ALL, "all"},
    {"train.logq", DIP_LOGQ_NONE, "none"},
    {"train.logq", DIP_LOGQ_EXACT, "exact"},
    {"train.logq", DIP_LOGQ_REFINED, "refined"},
    {"train.optimizer", DIP_OPTIMIZER_ADAGRAD, "adagrad"},
    {"train.optimizer", DIP_OPTIMIZER_SGD, "sgd"},
    {"train.optimizer", DIP_OPTIMIZER_ADAM, "adam"},
    {"train.optimizer", DIP_OPTIMIZER_ROWWISE_ADAGRAD, "rowwise-adagrad"},
    {"train.extra_negatives", DIP_EXTRA_NONE, "none"},
    {"train.extra_negatives", DIP_EXTRA_ITEMS, "items"},
    {"train.extra_negatives", DIP_EXTRA_VIEWS, "views"},
    {"train.schedule", DIP_SCHEDULE_CONSTANT, "constant"},
    {"train.schedule", DIP_SCHEDULE_LINEAR, "linear"},
    {"train.schedule", DIP_SCHEDULE_COSINE, "cosine"},
    {"train.precision", DIP_PRECISION_AUTO, "auto"},
    {"train.precision", DIP_PRECISION_FP32, "fp32"},
    {"train.precision", DIP_PRECISION_BF16, "bf16"},
    {"train.metric", DIP_METRIC_RECALL, "recall"},
    {"train.metric", DIP_METRIC_MAP, "map"},
    {"train.metric", DIP_METRIC_NDCG, "ndcg"},
    {"train.metric", DIP_METRIC_MRR, "mrr"},
    {"train.metric", DIP_METRIC_HIT_RATE, "hit_rate"},
    {"ssl.method", DIP_METHOD_NONE, "none"},
    {"ssl.method", DIP_METHOD_CFM, "cfm"},
    {"ssl.method", DIP_METHOD_CFM_NO_COMPLEMENT, "cfm-no-complement"},
    {"ssl.method", DIP_METHOD_CFM_NO_DROPOUT, "cfm-no-dropout"},
    {"ssl.method", DIP_METHOD_RFM, "rfm"},
    {"ssl.method", DIP_METHOD_RFM_NO_COMPLEMENT, "rfm-no-complement"},
    {"ssl.method", DIP_METHOD_DROPOUT, "dropout"},
    {"ssl.method", DIP_METHOD_FEATURE_DROPOUT, "feature-dropout"},
    {"ssl.method", DIP_METHOD_SPREAD_OUT, "spread-out"},
    {"ssl.method", DIP_METHOD_SPREAD_OUT_SQUARE, "spread-out-square"},
    {"ssl.method", DIP_METHOD_SPREAD_OUT_MOMENTS, "spread-out-moments"},
    {"ssl.method", DIP_METHOD_NOISE, "noise"},
    {"ssl.towers", DIP_TOWERS_ITEM, "item"},
    {"ssl.towers", DIP_TOWERS_BOTH, "both"},
    {"ssl.after_pretrain", DIP_AFTER_KEEP, "keep"},
    {"ssl.after_pretrain", DIP_AFTER_STOP, "stop"},
    {"ssl.masks", DIP_MASKS_BATCH, "batch"},
    {"ssl.masks", DIP_MASKS_EXAMPLE, "example"},
    {"ssl.items", DIP_SSL_CATALOGUE, "catalogue"},
    {"ssl.items", DIP_SSL_TRAINING, "training"},
    {"evaluate.protocol", DIP_PROTOCOL_STANDARD, "standard"},
    {"evaluate.protocol", DIP_PROTOCOL_PAPER, "paper"},
    {"evaluate.split", DIP_EVALUATE_TEST, "test"},
    {"evaluate.split", DIP_EVALUATE_VALIDATION, "validation"},
};

enum { N_PLACES = sizeof PLACES / sizeof PLACES[0] };

static dip_config defaults(void) {
    dip_config config;
    dip_options_default(&dip_config_table, &config, sizeof config);
    return config;
}

static dip_status set(dip_config *config, const char *key, const char *text) {
    return dip_options_set(&dip_config_table, config, key, text, check_error());
}

/* Equal in every option; bytes between the fields do not matter. */
static void check_same(const dip_config *a, const dip_config *b) {
    for (size_t i = 0; i < dip_config_table.n; i++) {
        char left[DIP_VALUE_MAX];
        char right[DIP_VALUE_MAX];
        dip_options_get(&dip_config_table.row[i], a, left);
        dip_options_get(&dip_config_table.row[i], b, right);
        assert_string_equal(left, right);
    }
}

static int stored_choice(const dip_config *config, const dip_option *row) {
    int position = -1;
    memcpy(&position, (const char *)config + row->offset, sizeof position);
    return position;
}

static void every_enum_follows_the_order_of_its_choices(void **state) {
    (void)state;
    for (size_t i = 0; i < N_PLACES; i++) {
        dip_config config = defaults();
        const dip_option *row = dip_options_find(&dip_config_table, PLACES[i].key);
        char text[DIP_VALUE_MAX];
        assert_non_null(row);
        assert_int_equal(row->type, DIP_OPTION_CHOICE);
        check_ok(set(&config, PLACES[i].key, PLACES[i].name));
        assert_int_equal(stored_choice(&config, row), PLACES[i].position);
        dip_options_get(row, &config, text);
        assert_string_equal(text, PLACES[i].name);
    }
}

static size_t count_choices(const dip_option *row) {
    size_t n = 1;
    for (const char *at = row->choices; *at != '\0'; at++) {
        n += *at == '|';
    }
    return n;
}

/* So a choice that is added without its enum is noticed here. */
static void no_choice_is_without_its_enum(void **state) {
    (void)state;
    for (size_t r = 0; r < dip_config_table.n; r++) {
        const dip_option *row = &dip_config_table.row[r];
        size_t known = 0;
        for (size_t i = 0; i < N_PLACES; i++) {
            known += strcmp(PLACES[i].key, row->key) == 0;
        }
        assert_int_equal(known, row->type == DIP_OPTION_CHOICE ? count_choices(row) : 0);
    }
}

static void metrics_are_named_like_the_choices(void **state) {
    (void)state;
    const dip_option *row = dip_options_find(&dip_config_table, "train.metric");
    assert_int_equal(count_choices(row), DIP_N_METRICS);
    for (int m = 0; m < DIP_N_METRICS; m++) {
        dip_config config = defaults();
        check_ok(set(&config, "train.metric", dip_metric_names[m]));
        assert_int_equal(config.train.metric, m);
    }
}

static void methods_have_their_names(void **state) {
    (void)state;
    for (size_t i = 0; i < N_PLACES; i++) {
        char text[DIP_VALUE_MAX];
        if (strcmp(PLACES[i].key, "ssl.method") == 0) {
            dip_method_name(PLACES[i].position, text);
            assert_string_equal(text, PLACES[i].name);
        }
    }
}

static void keys_are_distinct_and_described(void **state) {
    (void)state;
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const dip_option *row = &dip_config_table.row[i];
        assert_true(strlen(row->help) > 0);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(row->key, dip_config_table.row[j].key);
            assert_true(row->offset != dip_config_table.row[j].offset);
        }
    }
}

static void every_default_reads_back_as_it_is_written(void **state) {
    (void)state;
    const dip_config config = defaults();
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const dip_option *row = &dip_config_table.row[i];
        dip_config again = defaults();
        char text[DIP_VALUE_MAX];
        dip_options_get(row, &config, text);
        assert_string_equal(text, row->fallback);
        check_ok(set(&again, row->key, text));
        check_same(&again, &config);
    }
}

/* Sets a row to a text, and another object to what the first one then says. */
static void check_round_trip(const dip_option *row, const char *text) {
    dip_config first = defaults();
    dip_config second = defaults();
    char written[DIP_VALUE_MAX];
    check_ok(set(&first, row->key, text));
    dip_options_get(row, &first, written);
    check_ok(set(&second, row->key, written));
    check_same(&second, &first);
}

static void check_numeric_row(const dip_option *row) {
    const bool is_integer = row->type != DIP_OPTION_NUMBER;
    const double beyond = is_integer ? 1 : fmax(1e-6, fabs(row->high) * 1e-6);
    char text[64];
    dip_config config = defaults();
    snprintf(text, sizeof text, "%.17g", row->low);
    check_round_trip(row, text);
    snprintf(text, sizeof text, is_integer ? "%.0f" : "%.17g", row->high);
    check_round_trip(row, text);
    snprintf(text, sizeof text, is_integer ? "%.0f" : "%.17g", row->low - beyond);
    check_fails(set(&config, row->key, text), DIP_ERR_USAGE, row->key);
    snprintf(text, sizeof text, is_integer ? "%.0f" : "%.17g", row->high + 2 * beyond);
    check_fails(set(&config, row->key, text), DIP_ERR_USAGE, row->key);
    check_fails(set(&config, row->key, "nan"), DIP_ERR_USAGE, row->key);
    check_fails(set(&config, row->key, ""), DIP_ERR_USAGE, row->key);
}

static void every_row_reads_back_at_the_ends_of_its_range(void **state) {
    (void)state;
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const dip_option *row = &dip_config_table.row[i];
        switch (row->type) {
        case DIP_OPTION_SWITCH:
            check_round_trip(row, "no");
            check_round_trip(row, "yes");
            break;
        case DIP_OPTION_TEXT:
            check_round_trip(row, "");
            check_round_trip(row, "a name, with blanks: \xC3\xA9");
            break;
        case DIP_OPTION_CHOICE:
            break; /* every choice is in PLACES */
        default:
            check_numeric_row(row);
        }
    }
}

static void integers_beyond_the_range_are_refused_exactly(void **state) {
    (void)state;
    dip_config config = defaults();
    check_ok(set(&config, "seed", "9007199254740992"));
    check_fails(set(&config, "seed", "9007199254740993"), DIP_ERR_USAGE, "seed");
    check_fails(set(&config, "split.seed", "9007199254740993"), DIP_ERR_USAGE, "split.seed");
}

static void a_misspelled_option_is_suggested(void **state) {
    (void)state;
    dip_config config = defaults();
    check_fails(set(&config, "train.bacth", "8"), DIP_ERR_USAGE,
                "unknown option \"train.bacth\"; did you mean \"train.batch\"?");
    check_fails(set(&config, "ssl.metod", "cfm"), DIP_ERR_USAGE, "did you mean \"ssl.method\"?");
}

static void the_paper_preset_sets_the_papers_values(void **state) {
    (void)state;
    dip_config config = defaults();
    check_ok(dip_config_apply_preset(&config, "paper", check_error()));
    assert_true(config.train.rate == 0.01);
    assert_true(config.train.temperature == 0.07);
    assert_int_equal(config.train.optimizer, DIP_OPTIMIZER_ADAGRAD);
    assert_int_equal(config.train.logq, DIP_LOGQ_NONE);
    assert_false(config.train.mask_hits);
    assert_int_equal(config.ssl.method, DIP_METHOD_CFM);
    assert_int_equal(config.evaluate.protocol, DIP_PROTOCOL_PAPER);
    assert_int_equal(config.model.hidden.n, 2);
    assert_int_equal(config.model.hidden.value[0], 1024);
    assert_int_equal(config.model.hidden.value[1], 128);
    check_fails(dip_config_apply_preset(&config, "papr", check_error()), DIP_ERR_USAGE,
                "unknown preset \"papr\"; there are \"paper\", \"best\", \"light\"");
}

static void the_best_preset_sets_what_did_best(void **state) {
    (void)state;
    dip_config config = defaults();
    check_ok(dip_config_apply_preset(&config, "best", check_error()));
    assert_int_equal(config.train.optimizer, DIP_OPTIMIZER_ADAM);
    assert_int_equal(config.train.logq, DIP_LOGQ_REFINED);
    assert_int_equal(config.train.extra_negatives, DIP_EXTRA_ITEMS);
    assert_int_equal(config.train.batch, 1024);
    assert_int_equal(config.ssl.method, DIP_METHOD_DROPOUT);
    assert_true(config.ssl.alpha == 1 && config.ssl.dropout == 0.3);
    assert_int_equal(config.ssl.items, DIP_SSL_CATALOGUE);
    assert_int_equal(config.ssl.batch, 1024);
    assert_int_equal(config.train.average, 5);
    assert_int_equal(config.train.rate_width, config.model.hidden.value[0]);
    assert_true(config.train.rate == 0.001);
    assert_true(config.train.id_dropout == 0.1);
    assert_int_equal(config.train.id_min_pairs, 5);
    assert_true(config.train.temperature == 0.07);
}

/* In-batch negatives alone, and all ids of items that have pairs enough. */
static void the_light_preset_is_cheap(void **state) {
    (void)state;
    dip_config config = defaults();
    check_ok(dip_config_apply_preset(&config, "light", check_error()));
    assert_int_equal(config.train.optimizer, DIP_OPTIMIZER_ADAM);
    assert_int_equal(config.train.logq, DIP_LOGQ_EXACT);
    assert_int_equal(config.train.extra_negatives, DIP_EXTRA_NONE);
    assert_int_equal(config.train.epochs, 8);
    assert_int_equal(config.train.average, 2);
    assert_int_equal(config.train.rate_width, config.model.hidden.value[0]);
    assert_true(config.train.rate == 0.001 && config.train.temperature == 0.07);
    assert_true(config.train.id_dropout == 0);
    assert_int_equal(config.train.id_min_pairs, 5);
    assert_int_equal(config.ssl.method, DIP_METHOD_DROPOUT);
    assert_true(config.ssl.alpha == 0.3 && config.ssl.dropout == 0.3);
    assert_int_equal(config.ssl.items, DIP_SSL_CATALOGUE);
    assert_int_equal(config.ssl.batch, 256);
}

static dip_config unusual(void) {
    dip_config config = defaults();
    check_ok(set(&config, "seed", "12345678901"));
    check_ok(set(&config, "train.rate", "0.012345678901234567"));
    check_ok(set(&config, "ssl.method", "spread-out-moments"));
    check_ok(set(&config, "train.mask_hits", "no"));
    check_ok(set(&config, "model.hidden", "7,6,5"));
    check_ok(set(&config, "split.column", "part \"of\" it"));
    return config;
}

static void the_stored_form_reads_back(void **state) {
    (void)state;
    const dip_config config = unusual();
    dip_config again = defaults();
    json_t *json = NULL;
    check_ok(dip_config_to_json(&config, &json, check_error()));
    assert_int_equal(json_object_size(json), dip_config_table.n);
    check_ok(dip_config_from_json(&again, json, check_error()));
    check_same(&again, &config);
    json_decref(json);
}

static void keys_left_out_of_the_stored_form_keep_their_value(void **state) {
    (void)state;
    dip_config config = unusual();
    const dip_config before = config;
    json_t *json = json_pack("{s:s}", "train.batch", "77");
    check_ok(dip_config_from_json(&config, json, check_error()));
    assert_int_equal(config.train.batch, 77);
    config.train.batch = before.train.batch;
    check_same(&config, &before);
    json_decref(json);
}

static void a_bad_stored_form_is_a_bad_file(void **state) {
    (void)state;
    static const char *const CASES[] = {"{\"train.batch\": 7}", "{\"train.batch\": \"1\"}",
                                        "{\"train.bucket\": \"7\"}", "{\"ssl.method\": null}"};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_config config = defaults();
        json_t *json = json_loads(CASES[i], 0, NULL);
        assert_non_null(json);
        check_fails(dip_config_from_json(&config, json, check_error()), DIP_ERR_FORMAT, "\"");
        json_decref(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_enum_follows_the_order_of_its_choices),
        cmocka_unit_test(no_choice_is_without_its_enum),
        cmocka_unit_test(metrics_are_named_like_the_choices),
        cmocka_unit_test(methods_have_their_names),
        cmocka_unit_test(keys_are_distinct_and_described),
        cmocka_unit_test(every_default_reads_back_as_it_is_written),
        cmocka_unit_test(every_row_reads_back_at_the_ends_of_its_range),
        cmocka_unit_test(integers_beyond_the_range_are_refused_exactly),
        cmocka_unit_test(a_misspelled_option_is_suggested),
        cmocka_unit_test(the_paper_preset_sets_the_papers_values),
        cmocka_unit_test(the_best_preset_sets_what_did_best),
        cmocka_unit_test(the_light_preset_is_cheap),
        cmocka_unit_test(the_stored_form_reads_back),
        cmocka_unit_test(keys_left_out_of_the_stored_form_keep_their_value),
        cmocka_unit_test(a_bad_stored_form_is_a_bad_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
