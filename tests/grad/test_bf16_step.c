/* SPDX-License-Identifier: Apache-2.0
 *
 * One step with products in bfloat16 against the same step in float: losses, and the gradient of
 * every tensor, tables included. With plain SGD at rate 1 the change of a parameter is its
 * gradient.
 *
 * A product rounds its operands to 8 bits of mantissa, which moves a gradient by about a percent of
 * its norm where there is no hidden layer. A hidden unit whose input is within the rounding of 0
 * changes its side, and about one in 500 does: this adds noise of sqrt(1/500) = 4.5% a layer, but
 * it has no direction. So two things are checked: the error, and the length of the gradient along
 * the exact one, where a wrong or missing term would show.
 */
#include "check.h"
#include "engine/engine_state.h"
#include "grad/plenty.h"
#include "grad/tiny.h"

enum { PAIRS = 600, SELF = 205, MAX_TENSORS = 64, FEW = 7 };

#define LINEAR_TOLERANCE 0.02 /* measured: 0.009 without a hidden layer */
#define HIDDEN_TOLERANCE 0.15 /* measured: 0.076 with one, 0.093 with two */
#define LENGTH_TOLERANCE 0.03 /* measured: 0.016 */

typedef struct setting {
    const char *name;
    const char *keys[6][2];
    dip_masks masks;
    bool is_each; /* single items take masks.h and masks.g by turns */
} setting;

#define REFINED                                                                                    \
    {"train.logq", "refined"}, {                                                                   \
        "train.mask_hits", "yes"                                                                   \
    }

static void configure(dip_config *config, const setting *s, const char *precision) {
    tiny_config_make(config);
    tiny_set(config, "train.batch", "600");
    tiny_set(config, "ssl.batch", "205");
    tiny_set(config, "threads", "2");
    tiny_set(config, "train.optimizer", "sgd");
    tiny_set(config, "model.dim", "24");
    tiny_set(config, "model.hidden", "70,40");
    tiny_set(config, "train.precision", precision);
    for (size_t k = 0; k < 6 && s->keys[k][0] != NULL; k++) {
        tiny_set(config, s->keys[k][0], s->keys[k][1]);
    }
}

static dip_batch make_batch(const setting *s) {
    static int32_t query[PAIRS];
    static int32_t item[PAIRS];
    static int32_t self[SELF];
    static uint64_t each[2][SELF];
    uint64_t random = 11;
    for (size_t i = 0; i < PAIRS; i++) {
        query[i] = plenty_below(&random, PLENTY_ITEMS);
        item[i] = plenty_below(&random, 600);
    }
    for (size_t i = 0; i < SELF; i++) {
        self[i] = (int32_t)i * 7;
        each[0][i] = i % 3 == 0 ? s->masks.g : s->masks.h;
        each[1][i] = i % 3 == 0 ? s->masks.h : s->masks.g;
    }
    return (dip_batch){.n = PAIRS,
                       .query = query,
                       .item = item,
                       .n_self = SELF,
                       .self = self,
                       .self_items = PLENTY_ITEMS,
                       .masks = s->masks,
                       .each_h = s->is_each ? each[0] : NULL,
                       .each_g = s->is_each ? each[1] : NULL,
                       .queries = {.n = SELF - 60, .row = self + 60, .masks = {0x3, 0x4}},
                       .step = 3};
}

/* The step's gradients, tensor by tensor; the caller frees them. Values of the first feature that
 * pass the first layer once: 0 when it goes as any other. */
static dip_losses step_of(const plenty *world, const setting *s, const char *precision,
                          size_t values, float *gradient[MAX_TENSORS], size_t size[MAX_TENSORS],
                          size_t *n) {
    dip_config config;
    dip_engine *engine = NULL;
    dip_losses losses;
    configure(&config, s, precision);
    check_ok(dip_engine_create(&engine, &world->dataset, &config, check_error()));
    const dip_params *params = &dip_engine_towers(engine)->params;
    const dip_batch batch = make_batch(s);
    *n = params->n;
    for (size_t t = 0; t < params->n; t++) {
        size[t] = dip_param_size(&params->list[t]);
        gradient[t] = malloc(size[t] * sizeof(float));
        assert_non_null(gradient[t]);
        memcpy(gradient[t], params->list[t].value, size[t] * sizeof(float));
    }
    check_ok(dip_engine_compute(engine, &batch, &losses, check_error()));
    assert_int_equal(engine->query->by_value[0].n, values);
    assert_int_equal(engine->item->by_value[0].n, values);
    dip_engine_update(engine, 1);
    for (size_t t = 0; t < params->n; t++) {
        for (size_t e = 0; e < size[t]; e++) {
            gradient[t][e] -= params->list[t].value[e];
        }
    }
    dip_engine_free(engine);
    return losses;
}

/* With few ids, each passes the first layer once. */
static void compare(const setting *s, bool has_few) {
    plenty *world = plenty_make();
    for (int32_t i = 0; has_few && i < PLENTY_ITEMS; i++) {
        world->id[i] = world->id[i] < 0 ? -1 : i % FEW;
    }
    world->tables[0].rows = has_few ? FEW : PLENTY_ITEMS;
    float *exact[MAX_TENSORS];
    float *fast[MAX_TENSORS];
    size_t size[MAX_TENSORS];
    size_t n = 0;
    double worst = 0;
    double worst_length = 0;
    const bool is_linear = strcmp(s->name, "one layer") == 0;
    const dip_losses a = step_of(world, s, "fp32", 0, exact, size, &n);
    const dip_losses b = step_of(world, s, "bf16", has_few ? FEW + 1 : 0, fast, size, &n);
    check_close(b.main, a.main, 2e-3);
    check_close(b.self, a.self, 2e-3);
    for (size_t t = 0; t < n; t++) {
        double difference = 0;
        double norm = 0;
        double along = 0;
        for (size_t e = 0; e < size[t]; e++) {
            difference += pow((double)fast[t][e] - (double)exact[t][e], 2);
            norm += pow((double)exact[t][e], 2);
            along += (double)exact[t][e] * (double)fast[t][e];
        }
        const double error = norm > 0 ? sqrt(difference / norm) : sqrt(difference);
        const double length = norm > 0 ? fabs(along / norm - 1) : 0;
        if (!(error <= (is_linear ? LINEAR_TOLERANCE : HIDDEN_TOLERANCE)) ||
            !(length <= LENGTH_TOLERANCE)) {
            fail_msg("%s: tensor %zu of %zu elements is off by %.3g of its norm %.3g, and its "
                     "length by %.3g",
                     s->name, t, size[t], error, sqrt(norm), length);
        }
        worst_length = length > worst_length ? length : worst_length;
        worst = error > worst ? error : worst;
        free(exact[t]);
        free(fast[t]);
    }
    free(world);
    print_message("%-30s losses %.5f %.5f, gradients within %.4f, length %.4f\n", s->name, b.main,
                  b.self, worst, worst_length);
}

static void every_setting_agrees_with_float(void **state) {
    (void)state;
    const setting settings[] = {
        {"supervised",
         {{"ssl.method", "none"}, {"train.logq", "exact"}, {"train.mask_hits", "yes"}},
         {0, 0},
         false},
        {"items as queries, all shared",
         {{"ssl.method", "none"}, {"model.share", "all"}},
         {0, 0},
         false},
        {"complementary masks", {{"ssl.method", "cfm"}}, {0x5, 0x2}, false},
        {"overlapping masks", {{"ssl.method", "rfm-no-complement"}}, {0x3, 0x6}, false},
        {"one feature left", {{"ssl.method", "rfm"}}, {0x6, 0x1}, false},
        {"features of 64 columns", {{"ssl.method", "cfm"}, {"model.dim", "64"}}, {0x5, 0x2}, false},
        {"one layer", {{"ssl.method", "cfm"}, {"model.hidden", "33"}}, {0x5, 0x2}, false},
        {"three layers, wide output",
         {{"ssl.method", "cfm"}, {"model.hidden", "70,65,130"}},
         {0x5, 0x2},
         false},
        {"values dropped", {{"ssl.method", "dropout"}}, {0, 0}, false},
        {"features dropped", {{"ssl.method", "feature-dropout"}}, {0, 0}, false},
        {"ids dropped", {{"ssl.method", "cfm"}, {"train.id_dropout", "0.5"}}, {0x5, 0x2}, false},
        {"spread-out", {{"ssl.method", "spread-out"}}, {0, 0}, false},
        {"spread-out, squares", {{"ssl.method", "spread-out-square"}}, {0, 0}, false},
        {"hits and logQ off", {{"ssl.method", "none"}}, {0, 0}, false},
        {"extra items",
         {{"ssl.method", "cfm"}, {"train.extra_negatives", "items"}},
         {0x5, 0x2},
         false},
        {"extra views",
         {{"ssl.method", "cfm"}, {"train.extra_negatives", "views"}},
         {0x5, 0x2},
         false},
        {"refined correction", {{"ssl.method", "none"}, REFINED}, {0, 0}, false},
        {"refined, low temperature",
         {{"ssl.method", "none"}, {"train.temperature", "0.02"}, REFINED},
         {0, 0},
         false},
        {"refined, extra items",
         {{"ssl.method", "cfm"}, {"train.extra_negatives", "items"}, REFINED},
         {0x5, 0x2},
         false},
        {"extra items, hits left out",
         {{"ssl.method", "none"},
          {"train.extra_negatives", "items"},
          {"train.logq", "exact"},
          {"train.mask_hits", "yes"}},
         {0, 0},
         false},
        {"ids dropped, refined, extra items",
         {{"ssl.method", "cfm"},
          {"train.extra_negatives", "items"},
          {"train.id_dropout", "0.5"},
          REFINED},
         {0x5, 0x2},
         false},
        {"refined, wide output",
         {{"ssl.method", "none"}, {"model.hidden", "70,130"}, REFINED},
         {0, 0},
         false},
        {"same in a view left out",
         {{"ssl.method", "cfm"}, {"ssl.mask_same", "yes"}},
         {0x5, 0x2},
         false},
        {"same items left out",
         {{"ssl.method", "spread-out"}, {"ssl.mask_same", "yes"}},
         {0, 0},
         false},
        {"masks by example", {{"ssl.method", "cfm"}}, {0x5, 0x2}, true},
        {"masks by example, one layer, same left out",
         {{"ssl.method", "rfm"}, {"model.hidden", "33"}, {"ssl.mask_same", "yes"}},
         {0x6, 0x1},
         true},
        {"both towers", {{"ssl.method", "cfm"}, {"ssl.towers", "both"}}, {0x5, 0x2}, false},
        {"both towers of one, with noise",
         {{"ssl.method", "noise"}, {"ssl.towers", "both"}, {"model.share", "all"}},
         {0, 0},
         false},
        {"both towers, views as extra negatives",
         {{"ssl.method", "cfm"}, {"ssl.towers", "both"}, {"train.extra_negatives", "views"}},
         {0x5, 0x2},
         false},
        {"noise", {{"ssl.method", "noise"}, {"ssl.noise", "0.3"}}, {0, 0}, false},
        {"symmetric", {{"ssl.method", "rfm"}, {"ssl.symmetric", "yes"}}, {0x6, 0x1}, false},
        {"low temperature", {{"ssl.method", "none"}, {"train.temperature", "0.02"}}, {0, 0}, false},
    };
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        compare(&settings[s], false);
    }
}

/* Values that repeat pass the first layer once: among them the default, which every fiftieth item
 * has, and in every position of masks. */
static void repeated_values_agree_with_float(void **state) {
    (void)state;
    const setting settings[] = {
        {"few ids", {{"ssl.method", "none"}, {"model.dim", "64"}}, {0, 0}, false},
        {"few ids, all shared",
         {{"ssl.method", "none"}, {"model.dim", "64"}, {"model.share", "all"}},
         {0, 0},
         false},
        {"few ids, masks", {{"ssl.method", "cfm"}, {"model.dim", "64"}}, {0x5, 0x2}, false},
        {"few ids, other masks", {{"ssl.method", "rfm"}, {"model.dim", "64"}}, {0x6, 0x1}, false},
        {"few ids, 128 wide, one layer",
         {{"ssl.method", "cfm"}, {"model.dim", "128"}, {"model.hidden", "33"}},
         {0x4, 0x3},
         false},
        {"few ids, three layers",
         {{"ssl.method", "cfm"}, {"model.dim", "64"}, {"model.hidden", "70,65,130"}},
         {0x5, 0x2},
         false},
        {"few ids, masks by example",
         {{"ssl.method", "cfm"}, {"model.dim", "64"}},
         {0x5, 0x2},
         true},
        {"few ids, both towers, extra items",
         {{"ssl.method", "cfm"},
          {"model.dim", "64"},
          {"ssl.towers", "both"},
          {"train.extra_negatives", "items"}},
         {0x5, 0x2},
         false},
    };
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        compare(&settings[s], true);
    }
}

/* The layers of the query tower have no pass in a step without the main loss: what the step before
 * left in their gradients must go. */
static void a_loss_that_is_left_out_leaves_no_gradient(void **state) {
    (void)state;
    static const setting s = {
        "alone", {{"ssl.method", "cfm"}, {"model.share", "none"}}, {0x5, 0x2}, false};
    static const char *const PRECISIONS[] = {"fp32", "bf16"};
    plenty *world = plenty_make();
    for (size_t p = 0; p < 2; p++) {
        dip_config config;
        dip_engine *engine = NULL;
        dip_losses losses;
        size_t n_query = 0;
        configure(&config, &s, PRECISIONS[p]);
        check_ok(dip_engine_create(&engine, &world->dataset, &config, check_error()));
        dip_batch batch = make_batch(&s);
        check_ok(dip_engine_compute(engine, &batch, &losses, check_error()));
        batch.skips_main = true;
        check_ok(dip_engine_compute(engine, &batch, &losses, check_error()));
        const dip_params *params = &dip_engine_towers(engine)->params;
        for (size_t t = 0; t < params->n; t++) {
            const dip_param *param = &params->list[t];
            const bool is_query = strncmp(param->name, "query.", 6) == 0;
            double squares = 0;
            for (size_t e = 0; param->gradient != NULL && e < dip_param_size(param); e++) {
                squares += pow((double)param->gradient[e], 2);
            }
            assert_true(param->gradient == NULL || (squares == 0) == is_query);
            n_query += is_query && param->gradient != NULL;
        }
        assert_int_equal(n_query, 5); /* two weights, two biases, and the defaults */
        dip_engine_free(engine);
    }
    free(world);
}

/* A first layer of one weight a row and column, and the feature's part of it as large as a number
 * can be: where its embeddings and default are zeros nothing shows in the forward pass, and only
 * the gradients of the embeddings overflow. The others are small, so that gradients of z are large.
 */
static void poison(dip_params *params, const dip_tower *tower, size_t feature) {
    const dip_tower_block *block = &tower->block[feature];
    dip_param *weight = &params->list[tower->layer[0].weight];
    dip_param *bias = &params->list[tower->layer[0].bias];
    dip_param *table = &params->list[block->table];
    dip_param *fallback = &params->list[tower->fallback];
    for (size_t e = 0; e < dip_param_size(weight); e++) {
        const size_t row = e / weight->columns;
        const bool is_of_feature = row >= block->offset && row < block->offset + block->width;
        weight->value[e] = is_of_feature ? 3e38f : 1e-3f * weight->value[e];
    }
    for (size_t e = 0; e < bias->columns; e++) {
        bias->value[e] *= 1e-3f;
    }
    memset(table->value, 0, dip_param_size(table) * sizeof(float));
    memset(fallback->value + block->offset, 0, block->width * sizeof(float));
}

/* Of an id, by example and by value, and of a bag; nothing is changed, and the tensor is named. */
static void embeddings_whose_gradients_overflow_are_named(void **state) {
    (void)state;
    static const struct {
        const char *precision;
        size_t feature;
        bool has_few;
    } cases[] = {{"fp32", 0, false},
                 {"fp32", 1, false},
                 {"bf16", 0, false},
                 {"bf16", 1, false},
                 {"bf16", 0, true}};
    static const setting s = {"overflow",
                              {{"ssl.method", "none"}, {"model.hidden", "64"}, {"model.dim", "64"}},
                              {0, 0},
                              false};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        plenty *world = plenty_make();
        for (int32_t i = 0; cases[c].has_few && i < PLENTY_ITEMS; i++) {
            world->id[i] = i % FEW;
        }
        world->tables[0].rows = cases[c].has_few ? FEW : PLENTY_ITEMS;
        dip_config config;
        dip_engine *engine = NULL;
        dip_losses losses;
        dip_error err = {DIP_OK, ""};
        configure(&config, &s, cases[c].precision);
        check_ok(dip_engine_create(&engine, &world->dataset, &config, check_error()));
        const dip_batch batch = make_batch(&s);
        check_ok(dip_engine_compute(engine, &batch, &losses, check_error()));
        const dip_towers *towers = dip_engine_towers(engine);
        dip_params *params = &engine->towers.params;
        poison(params, &towers->item, cases[c].feature);
        assert_int_equal(dip_engine_compute(engine, &batch, &losses, &err), DIP_ERR_NONFINITE);
        const bool is_by_value = engine->item->by_value[cases[c].feature].n > 0;
        assert_int_equal(is_by_value, cases[c].has_few && strcmp(cases[c].precision, "bf16") == 0);
        const int table = towers->item.block[cases[c].feature].table;
        assert_non_null(strstr(err.message, params->list[table].name));
        dip_engine_free(engine);
        free(world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_agrees_with_float),
        cmocka_unit_test(repeated_values_agree_with_float),
        cmocka_unit_test(a_loss_that_is_left_out_leaves_no_gradient),
        cmocka_unit_test(embeddings_whose_gradients_overflow_are_named),
    };
    return cmocka_run_group_tests_name("bf16 step", tests, NULL, NULL);
}
