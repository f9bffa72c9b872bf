/* SPDX-License-Identifier: Apache-2.0
 *
 * The same seed gives the same bits: all tensors after a number of steps are compared byte by byte
 * between runs with 1, 2 and 3 threads. Batches are larger than a panel of 128 rows, a table has
 * more rows than one digit of the radix sort counts, and layers cross the blocks of the weight
 * gradients, so that all cuts of the work are in play.
 */
#include "check.h"
#include "engine/engine.h"
#include "grad/plenty.h"
#include "grad/tiny.h"
#include "math/isa.h"

#include <omp.h>

enum { ITEMS = PLENTY_ITEMS, PAIRS = 300, SELF = 200, STEPS = 20, BIG_PAIRS = 1024, BIG_STEPS = 3 };

/* ---- one run --------------------------------------------------------------------------------- */

typedef struct run {
    const char *method;
    const char *optimizer;
    const char *hidden;
    const char *dim;
    const char *precision;
    const char *table_folder; /* NULL: tables in memory */
    size_t pairs;
    size_t steps;
    const char *threads;
    bool is_each;           /* masks for single items */
    bool skips;             /* one loss alone in two steps of three */
    const char *more[4][2]; /* further options by key */
} run;

static void configure(dip_config *config, const run *r) {
    char batch[20];
    snprintf(batch, sizeof batch, "%zu", r->pairs);
    tiny_config_make(config);
    tiny_set(config, "threads", r->threads);
    tiny_set(config, "train.batch", batch);
    tiny_set(config, "ssl.batch", "0");
    tiny_set(config, "model.hidden", r->hidden);
    tiny_set(config, "model.dim", r->dim);
    tiny_set(config, "train.precision", r->precision);
    tiny_set(config, "train.table_folder", r->table_folder != NULL ? r->table_folder : "");
    tiny_set(config, "train.optimizer", r->optimizer);
    tiny_set(config, "train.logq", "exact");
    tiny_set(config, "train.mask_hits", "yes");
    tiny_set(config, "train.decay", "0.01");
    tiny_set(config, "ssl.method", r->method);
    for (size_t i = 0; i < 4 && r->more[i][0] != NULL; i++) {
        tiny_set(config, r->more[i][0], r->more[i][1]);
    }
}

static void make_step(dip_engine *engine, const run *r, size_t step) {
    static int32_t query[BIG_PAIRS];
    static int32_t item[BIG_PAIRS];
    static int32_t self[SELF];
    static int32_t query_self[SELF];
    static uint64_t each[2][SELF];
    uint64_t state = 5000 * (step + 1);
    dip_losses losses;
    dip_error err = {0};
    for (size_t i = 0; i < r->pairs; i++) {
        query[i] = plenty_below(&state, ITEMS);
        item[i] = plenty_below(&state, ITEMS / 4);
    }
    for (size_t i = 0; i < SELF; i++) {
        self[i] = (int32_t)((i * 7 + step) % ITEMS);
        query_self[i] = (int32_t)((i * 11 + 3 * step) % ITEMS);
        each[0][i] = 1 + (i + step) % 6;
        each[1][i] = 7 & ~each[0][i];
    }
    const dip_batch batch = {.n = r->pairs,
                             .query = query,
                             .item = item,
                             .n_self = SELF,
                             .self = self,
                             .self_items = ITEMS,
                             .masks = {step % 2 == 0 ? 1 : 6, step % 2 == 0 ? 6 : 1},
                             .each_h = r->is_each ? each[0] : NULL,
                             .each_g = r->is_each ? each[1] : NULL,
                             .queries = {.n = SELF - 9,
                                         .row = query_self,
                                         .masks = {5, 2},
                                         .each_h = r->is_each ? each[1] : NULL,
                                         .each_g = r->is_each ? each[0] : NULL},
                             .skips_main = r->skips && step % 3 == 0,
                             .skips_self = r->skips && step % 3 == 1,
                             .step = step};
    if (dip_engine_compute(engine, &batch, &losses, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    dip_engine_update(engine, 0.05);
}

static dip_engine *train(const plenty *w, const run *r) {
    dip_config config;
    dip_engine *engine = NULL;
    dip_error err = {0};
    configure(&config, r);
    if (dip_engine_create(&engine, &w->dataset, &config, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    for (size_t step = 0; step < r->steps; step++) {
        make_step(engine, r, step);
    }
    return engine;
}

static void assert_same_bits(dip_engine *a, dip_engine *b, const run *r) {
    const dip_params *left = &dip_engine_towers(a)->params;
    const dip_params *right = &dip_engine_towers(b)->params;
    assert_int_equal(left->n, right->n);
    for (size_t t = 0; t < left->n; t++) {
        const size_t bytes = dip_param_size(&left->list[t]) * sizeof(dip_real);
        if (memcmp(left->list[t].value, right->list[t].value, bytes) != 0) {
            fail_msg("%s, %s, %s: tensor %s differs between 1 and %s threads", r->method,
                     r->optimizer, r->precision, left->list[t].name, r->threads);
        }
    }
}

static void assert_moved(dip_engine *trained, const plenty *w, const run *r) {
    run start = *r;
    start.steps = 0;
    dip_engine *engine = train(w, &start);
    const dip_params *before = &dip_engine_towers(engine)->params;
    const dip_params *after = &dip_engine_towers(trained)->params;
    for (size_t t = 0; t < before->n; t++) {
        const size_t bytes = dip_param_size(&before->list[t]) * sizeof(dip_real);
        if (memcmp(before->list[t].value, after->list[t].value, bytes) == 0) {
            fail_msg("%s, %s, %s: tensor %s has not moved", r->method, r->optimizer, r->precision,
                     before->list[t].name);
        }
    }
    dip_engine_free(engine);
}

/* Threads 1 (twice), 2 and 3 against the first run. */
static void compare_threads(const plenty *w, run r) {
    const char *const threads[] = {"1", "2", "3"};
    r.threads = "1";
    dip_engine *first = train(w, &r);
    assert_moved(first, w, &r);
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        r.threads = threads[t];
        dip_engine *other = train(w, &r);
        assert_same_bits(first, other, &r);
        dip_engine_free(other);
    }
    dip_engine_free(first);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void twenty_steps_have_the_same_bits_for_1_2_and_3_threads(void **state) {
    (void)state;
    const char *const methods[][3] = {{"cfm", "adagrad", "fp32"},
                                      {"dropout", "adam", "fp32"},
                                      {"feature-dropout", "sgd", "fp32"},
                                      {"spread-out", "rowwise-adagrad", "fp32"},
                                      {"spread-out-square", "adagrad", "fp32"},
                                      {"spread-out-moments", "adam", "fp32"},
                                      {"cfm", "adagrad", "bf16"},
                                      {"dropout", "rowwise-adagrad", "bf16"},
                                      {"feature-dropout", "sgd", "bf16"},
                                      {"spread-out", "adam", "bf16"},
                                      {"spread-out-square", "adagrad", "bf16"},
                                      {"noise", "adagrad", "fp32"},
                                      {"noise", "adagrad", "bf16"}};
    plenty *w = plenty_make();
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        const run r = {.method = methods[m][0],
                       .optimizer = methods[m][1],
                       .precision = methods[m][2],
                       .hidden = "70,20",
                       .dim = "8",
                       .pairs = PAIRS,
                       .steps = STEPS};
        compare_threads(w, r);
    }
    free(w);
}

/* Each in both arithmetics. */
static void options_have_the_same_bits_for_1_2_and_3_threads(void **state) {
    (void)state;
    static const char *const OPTIONS[][4][2] = {
        {{"train.logq", "refined"},
         {"train.id_dropout", "0.4"},
         {"train.extra_negatives", "items"}},
        {{"ssl.mask_same", "yes"}, {"ssl.symmetric", "yes"}, {"train.id_min_pairs", "3"}},
        {{"ssl.towers", "both"}, {"ssl.mask_same", "yes"}, {"model.share", "none"}}};
    plenty *w = plenty_make();
    for (size_t o = 0; o < 2 * sizeof OPTIONS / sizeof OPTIONS[0]; o++) {
        run r = {.method = "cfm",
                 .optimizer = "adagrad",
                 .precision = o % 2 == 0 ? "fp32" : "bf16",
                 .is_each = o % 4 >= 2,
                 .skips = o >= 4,
                 .hidden = "70,20",
                 .dim = "8",
                 .pairs = PAIRS,
                 .steps = STEPS};
        memcpy(r.more, OPTIONS[o / 2], sizeof r.more);
        compare_threads(w, r);
    }
    free(w);
}

/* Products large enough that a matrix library may want to share them out over its own threads. */
static void large_products_have_the_same_bits_for_1_2_and_3_threads(void **state) {
    (void)state;
    run r = {.method = "cfm",
             .optimizer = "adagrad",
             .precision = "fp32",
             .hidden = "600,128",
             .dim = "64",
             .pairs = BIG_PAIRS,
             .steps = BIG_STEPS};
    plenty *w = plenty_make();
    compare_threads(w, r);
    if (dip_isa_get() >= DIP_ISA_AVX512_BF16) { /* the reference kernels take minutes */
        r.precision = "bf16";
        compare_threads(w, r);
    }
    free(w);
}

/* Ids so few that each passes the first layer once. */
static void repeated_values_have_the_same_bits_for_1_2_and_3_threads(void **state) {
    (void)state;
    enum { FEW = 40, FEW_STEPS = 5 };
    run r = {.method = "cfm",
             .optimizer = "adagrad",
             .precision = "bf16",
             .hidden = "130,20",
             .dim = "64",
             .pairs = PAIRS,
             .steps = FEW_STEPS};
    plenty *w = plenty_make();
    for (int32_t i = 0; i < ITEMS; i++) {
        w->id[i] = w->id[i] < 0 ? -1 : i % FEW;
    }
    /* Rows that no item has would not move. */
    w->tables[0].rows = FEW;
    compare_threads(w, r);
    free(w);
}

static void tables_in_files_have_the_bits_of_tables_in_memory(void **state) {
    const char *const optimizers[] = {"adagrad", "rowwise-adagrad", "adam", "sgd"};
    const check_folder *folder = *state;
    plenty *w = plenty_make();
    for (size_t o = 0; o < sizeof optimizers / sizeof optimizers[0]; o++) {
        run r = {.method = "cfm",
                 .optimizer = optimizers[o],
                 .precision = "fp32",
                 .hidden = "70,20",
                 .dim = "8",
                 .pairs = PAIRS,
                 .steps = STEPS,
                 .threads = "2"};
        dip_engine *memory = train(w, &r);
        r.table_folder = folder->path;
        dip_engine *file = train(w, &r);
        assert_same_bits(memory, file, &r);
        dip_engine_free(memory);
        dip_engine_free(file);
    }
    free(w);
}

/* What OpenMP would use by itself must not matter either. */
static void the_openmp_default_does_not_change_the_bits(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    run r = {.method = "cfm",
             .optimizer = "adagrad",
             .precision = "fp32",
             .hidden = "600,128",
             .dim = "64",
             .pairs = BIG_PAIRS,
             .steps = BIG_STEPS};
    plenty *w = plenty_make();
    r.threads = "1";
    omp_set_num_threads(1);
    dip_engine *one = train(w, &r);
    omp_set_num_threads(4);
    dip_engine *four = train(w, &r);
    omp_set_num_threads(before);
    assert_same_bits(one, four, &r);
    dip_engine_free(one);
    dip_engine_free(four);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_steps_have_the_same_bits_for_1_2_and_3_threads),
        cmocka_unit_test(options_have_the_same_bits_for_1_2_and_3_threads),
        cmocka_unit_test(repeated_values_have_the_same_bits_for_1_2_and_3_threads),
        cmocka_unit_test(large_products_have_the_same_bits_for_1_2_and_3_threads),
        check_test_in_folder(tables_in_files_have_the_bits_of_tables_in_memory),
        cmocka_unit_test(the_openmp_default_does_not_change_the_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
