/* SPDX-License-Identifier: Apache-2.0
 *
 * The float engine against an independent implementation in NumPy and float64
 * (tools/gen_vectors.py), whose answers are in tests/vectors: random numbers, initial values,
 * outputs of the towers, losses, every gradient by the tensor's name, and the values after three or
 * ten steps; and Philox against the known answers of its authors.
 */
#include "base/rng.h"
#include "grad/vectors.h"
#include "train/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Tolerances, in units of eps = 2^-24 = 6e-8, the rounding of one float operation.
 *
 * Outputs and losses: sums of at most 16 products, two layers, one normalisation and an
 * exponential, some 50 roundings: 3e-6; the bar is 1e-5 of the larger value, and of 0.1 for
 * elements of unit vectors near 0, whose terms are larger than they are. Measured: 1.2e-6 and
 * 1.2e-7. */
#define FORWARD_TOLERANCE 1e-5
#define FORWARD_FLOOR 0.1

/* Gradients: the logits carry the outputs' error times 1 / tau = 4, so 3e-5 of the element, of a
 * tenth of the tensor's largest one, or of 0.01, whichever is largest: an element is a sum of
 * terms of about that scale, and where they cancel only their rounding is left, for which the bar
 * is twice that. Measured: 8.5e-6, but for one element that cancels (3.5e-5, 2.1e-5 and 7.2e-6
 * with the sums of the reference, AVX2 and AVX-512 tiers). */
#define GRADIENT_TOLERANCE 6e-5
#define GRADIENT_FLOOR 0.01

/* Values after ten steps, absolute below 1 and relative above: ten steps at rate 0.05 move a
 * value by 0.5 at most, each with the gradient's relative error of 3e-5, which Adagrad does not
 * enlarge as long as no gradient is itself a rounding error (the generator's cases have none of
 * those). Measured: 9.5e-7. */
#define VALUE_TOLERANCE 2e-5

/* ---- comparing ------------------------------------------------------------------------------- */

typedef struct worst {
    double error;
    char where[2 * VECTOR_NAME_MAX];
} worst;

static void note(worst *w, const char *name, size_t index, double got, double expected,
                 double floor) {
    const double error = fabs(got - expected) / fmax(fmax(fabs(got), fabs(expected)), floor);
    if (!(error <= w->error)) {
        w->error = error;
        snprintf(w->where, sizeof w->where, "%.90s[%zu]: %.9g, not %.9g", name, index, got,
                 expected);
    }
}

static void report(const vector_file *file, const char *what, const worst *w, double tolerance) {
    print_message("%s: %s within %.1e, at %s\n", file->name, what, w->error, w->where);
    if (!(w->error <= tolerance)) {
        fail_msg("%s: %s: %s (%.2e, more than %.0e)", file->name, what, w->where, w->error,
                 tolerance);
    }
}

static double largest(const double *x, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(x[i]));
    }
    return most;
}

/* ---- one case -------------------------------------------------------------------------------- */

typedef struct vector_case {
    vector_file *file;
    tiny_world world;
    dip_engine *engine;
    size_t steps;
    int32_t query[TINY_BATCH];
    int32_t item[TINY_BATCH];
    int32_t self[TINY_BATCH];
    int32_t queries[TINY_BATCH];
    uint64_t each_h[TINY_BATCH];
    uint64_t each_g[TINY_BATCH];
} vector_case;

static dip_engine *create_engine(const vector_case *c, const dip_config *config) {
    dip_engine *engine = NULL;
    dip_error err = {0};
    if (dip_engine_create(&engine, &c->world.dataset, config, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    return engine;
}

static vector_case *open_case(const char *name) {
    vector_case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->file = vector_read(name);
    tiny_world_make(&c->world, c->file->kind);
    c->engine = create_engine(c, &c->file->config);
    const vector_array *steps = vector_find(c->file, "step");
    assert_non_null(steps);
    c->steps = steps->rows;
    return c;
}

static void close_case(vector_case *c) {
    dip_engine_free(c->engine);
    vector_free(c->file);
    free(c);
}

/* The rows of one step, up to the first -1. */
static size_t copy_rows(const vector_case *c, const char *name, size_t step,
                        int32_t rows[TINY_BATCH]) {
    const double *all = vector_get(c->file, "", name, c->steps * TINY_BATCH);
    size_t n = 0;
    while (n < TINY_BATCH && all[step * TINY_BATCH + n] >= 0) {
        rows[n] = (int32_t)all[step * TINY_BATCH + n];
        n++;
    }
    return n;
}

/* The masks of single items, in files that have them. */
static const uint64_t *copy_masks(const vector_case *c, const char *name, size_t step,
                                  uint64_t masks[TINY_BATCH]) {
    const vector_array *all = vector_find(c->file, name);
    for (size_t i = 0; all != NULL && i < TINY_BATCH; i++) {
        masks[i] = (uint64_t)all->data[step * TINY_BATCH + i];
    }
    return all != NULL ? masks : NULL;
}

static dip_batch batch_at(vector_case *c, size_t step) {
    const double *masks = vector_get(c->file, "", "masks", 2 * c->steps);
    dip_batch batch = {.query = c->query, .item = c->item, .self = c->self};
    batch.n = copy_rows(c, "query", step, c->query);
    assert_int_equal(copy_rows(c, "item", step, c->item), batch.n);
    batch.n_self = copy_rows(c, "self", step, c->self);
    batch.masks = (dip_masks){(uint64_t)masks[2 * step], (uint64_t)masks[2 * step + 1]};
    if (vector_find(c->file, "queries") != NULL) {
        const double *q = vector_get(c->file, "", "query_masks", 2 * c->steps);
        batch.queries =
            (dip_self_queries){.n = copy_rows(c, "queries", step, c->queries),
                               .row = c->queries,
                               .masks = {(uint64_t)q[2 * step], (uint64_t)q[2 * step + 1]}};
    }
    if (vector_find(c->file, "skips") != NULL) {
        const double *skips = vector_get(c->file, "", "skips", 2 * c->steps);
        batch.skips_main = skips[2 * step] != 0;
        batch.skips_self = skips[2 * step + 1] != 0;
    }
    batch.each_h = copy_masks(c, "each_h", step, c->each_h);
    batch.each_g = copy_masks(c, "each_g", step, c->each_g);
    batch.step = (uint64_t)vector_get(c->file, "", "step", c->steps)[step];
    return batch;
}

static dip_losses compute(dip_engine *engine, const dip_batch *batch) {
    dip_losses losses = {0};
    dip_error err = {0};
    if (dip_engine_compute(engine, batch, &losses, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    return losses;
}

/* ---- the parts of a case --------------------------------------------------------------------- */

/* Bit for bit: both round the same double to float. */
static void check_initial(const vector_case *c) {
    const dip_params *params = &dip_engine_towers(c->engine)->params;
    for (size_t t = 0; t < params->n; t++) {
        const size_t n = dip_param_size(&params->list[t]);
        const double *expected = vector_get(c->file, "initial.", params->list[t].name, n);
        for (size_t i = 0; i < n; i++) {
            if (params->list[t].value[i] != (float)expected[i]) {
                fail_msg("%s: initial %s[%zu] is %.9g, not %.9g", c->file->name,
                         params->list[t].name, i, (double)params->list[t].value[i], expected[i]);
            }
        }
    }
}

static void check_forward(vector_case *c) {
    static const char *const NAMES[TINY_PASSES] = {"query", "item", "h", "g", "qh", "qg"};
    const dip_batch batch = batch_at(c, 0);
    const dip_towers *towers = dip_engine_towers(c->engine);
    tiny_pass list[TINY_PASSES];
    worst w = {0};
    const size_t n = tiny_passes(&c->world, &c->file->config, towers, &batch, list);
    for (size_t p = 0; p < n; p++) {
        dip_pass pass;
        dip_error err = {0};
        const size_t size = list[p].n * list[p].tower->output;
        assert_int_equal(dip_pass_create(&pass, list[p].tower, list[p].n, 1, false, &err), DIP_OK);
        assert_int_equal(
            dip_pass_load(&pass, list[p].rows, list[p].row, list[p].n, &list[p].view, &err),
            DIP_OK);
        dip_pass_forward(&pass, &towers->params);
        const double *expected = vector_get(c->file, "forward.", NAMES[p], size);
        for (size_t i = 0; i < size; i++) {
            note(&w, NAMES[p], i, (double)pass.u[i], expected[i], FORWARD_FLOOR);
        }
        dip_pass_free(&pass);
    }
    report(c->file, "outputs", &w, FORWARD_TOLERANCE);
}

/* A rate of 2^10 makes an SGD step 1024 g, exactly, so that the difference of values holds the
 * digits of small gradients. */
#define PROBE_RATE 1024.0

/* Dense tensors give their gradients away; tables only by a step. Both ways are compared. */
static void check_gradients(vector_case *c) {
    dip_config config = c->file->config;
    worst w = {0};
    tiny_set(&config, "train.optimizer", "sgd");
    tiny_set(&config, "train.decay", "0");
    dip_engine *engine = create_engine(c, &config);
    const dip_params *start = &dip_engine_towers(c->engine)->params;
    const dip_params *moved = &dip_engine_towers(engine)->params;
    const dip_batch batch = batch_at(c, 0);
    compute(engine, &batch);
    dip_engine_update(engine, PROBE_RATE);
    for (size_t t = 0; t < moved->n; t++) {
        const dip_param *param = &moved->list[t];
        const size_t n = dip_param_size(param);
        const double *expected = vector_get(c->file, "gradient.", param->name, n);
        const double floor = fmax(GRADIENT_FLOOR, 0.1 * largest(expected, n));
        for (size_t i = 0; i < n; i++) {
            const double step = (double)start->list[t].value[i] - (double)param->value[i];
            note(&w, param->name, i, step / PROBE_RATE, expected[i], floor);
            if (param->gradient != NULL) {
                note(&w, param->name, i, (double)param->gradient[i], expected[i], floor);
            }
        }
    }
    dip_engine_free(engine);
    report(c->file, "gradients", &w, GRADIENT_TOLERANCE);
}

/* All steps; the losses of later steps carry the error of the values. */
static void check_training(vector_case *c) {
    static const char *const PARTS[] = {"total", "main", "self"};
    const double *expected = vector_get(c->file, "", "losses", 3 * c->steps);
    const double *rates = vector_get(c->file, "", "rates", c->steps);
    worst first = {0};
    worst later = {0};
    for (size_t step = 0; step < c->steps; step++) {
        const dip_batch batch = batch_at(c, step);
        const dip_losses losses = compute(c->engine, &batch);
        const double parts[] = {losses.total, losses.main, losses.self};
        for (size_t k = 0; k < 3; k++) {
            note(step == 0 ? &first : &later, PARTS[k], step, parts[k], expected[3 * step + k],
                 0.01);
        }
        const double rate =
            dip_schedule_rate(&c->file->config, (int64_t)step + 1, (int64_t)c->steps);
        assert_true(fabs(rate - rates[step]) <= 1e-7 * rates[step]); /* eight digits in the file */
        dip_engine_update(c->engine, rate);
    }
    report(c->file, "first losses", &first, FORWARD_TOLERANCE);
    report(c->file, "later losses", &later, VALUE_TOLERANCE);
}

static void check_values(const vector_case *c) {
    const dip_params *params = &dip_engine_towers(c->engine)->params;
    worst w = {0};
    for (size_t t = 0; t < params->n; t++) {
        const size_t n = dip_param_size(&params->list[t]);
        const double *expected = vector_get(c->file, "value.", params->list[t].name, n);
        for (size_t i = 0; i < n; i++) {
            note(&w, params->list[t].name, i, (double)params->list[t].value[i], expected[i], 1);
        }
    }
    report(c->file, "values after training", &w, VALUE_TOLERANCE);
}

static size_t count_arrays(const vector_file *file, const char *prefix) {
    size_t n = 0;
    for (size_t i = 0; i < file->n; i++) {
        n += strncmp(file->list[i].name, prefix, strlen(prefix)) == 0;
    }
    return n;
}

static void check_case(const char *name) {
    vector_case *c = open_case(name);
    assert_int_equal(count_arrays(c->file, "gradient."), dip_engine_towers(c->engine)->params.n);
    if (count_arrays(c->file, "initial.") > 0) {
        check_initial(c);
    }
    check_forward(c);
    check_gradients(c);
    check_training(c);
    check_values(c);
    close_case(c);
}

/* ---- tests ----------------------------------------------------------------------------------- */

typedef struct known_answer {
    uint32_t counter[4];
    uint32_t key[2];
    uint32_t word[4];
} known_answer;

/* kat_vectors of Random123 (Salmon et al., SC 2011), philox4x32 with 10 rounds. */
static void philox_gives_the_known_answers_of_random123(void **state) {
    (void)state;
    static const known_answer ANSWERS[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++) {
        const dip_draw draw = dip_philox(ANSWERS[i].counter, ANSWERS[i].key);
        assert_memory_equal(draw.word, ANSWERS[i].word, sizeof draw.word);
    }
}

static void draws_of_every_purpose_agree(void **state) {
    (void)state;
    vector_file *file = vector_read("draws");
    const vector_array *draws = vector_find(file, "draws");
    assert_non_null(draws);
    assert_int_equal(draws->rows, DIP_DRAW_COSINE);
    for (size_t i = 0; i < draws->rows; i++) {
        const double *row = draws->data + i * draws->columns;
        const dip_rng rng = dip_rng_make((uint64_t)row[0], (dip_purpose)row[1]);
        const uint64_t a = ((uint64_t)row[2] << 32) | (uint64_t)row[3];
        const uint64_t b = ((uint64_t)row[4] << 32) | (uint64_t)row[5];
        const dip_draw draw = dip_rng_at(rng, a, b);
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(draw.word[k], (uint32_t)row[6 + k]);
        }
    }
    vector_free(file);
}

static void check_column(const vector_file *file, const char *side, const dip_feature *feature,
                         const dip_column *column, size_t rows) {
    char name[VECTOR_NAME_MAX];
    size_t n = rows;
    if (column->offsets != NULL) {
        snprintf(name, sizeof name, "%s.%.40s.offsets", side, feature->name);
        const double *offsets = vector_get(file, "", name, rows + 1);
        for (size_t i = 0; i <= rows; i++) {
            assert_int_equal(column->offsets[i], offsets[i]);
        }
        n = (size_t)column->offsets[rows];
    }
    snprintf(name, sizeof name, "%s.%.40s", side, feature->name);
    const double *expected = vector_get(file, "", name, n);
    for (size_t i = 0; i < n; i++) {
        const double value =
            column->numbers != NULL ? (double)column->numbers[i] : (double)column->codes[i];
        assert_true(value == expected[i] || (isnan(value) && isnan(expected[i])));
    }
}

static void both_sides_have_the_same_worlds(void **state) {
    (void)state;
    tiny_world world;
    tiny_world_make(&world, TINY_OWN_QUERIES);
    vector_file *file = vector_read("world");
    for (size_t f = 0; f < TINY_ITEM_FEATURES; f++) {
        check_column(file, "item", &world.item_features[f], &world.item_columns[f], TINY_ITEMS);
    }
    for (size_t f = 0; f < TINY_QUERY_FEATURES; f++) {
        check_column(file, "query", &world.query_features[f], &world.query_columns[f],
                     TINY_QUERIES);
    }
    const double *counts = vector_get(file, "", "counts", TINY_ITEMS);
    for (size_t i = 0; i < TINY_ITEMS; i++) {
        assert_int_equal(world.item_count[i], counts[i]);
    }
    vector_free(file);
}

static void supervised_training_with_correction_and_hit_mask_agrees(void **state) {
    (void)state;
    check_case("supervised");
}

static void the_refined_correction_agrees(void **state) {
    (void)state;
    check_case("refined");
}

static void masked_views_with_value_dropout_agree(void **state) {
    (void)state;
    check_case("cfm");
}

static void items_that_look_the_same_are_left_out_likewise(void **state) {
    (void)state;
    check_case("mask-same");
}

static void the_symmetric_loss_agrees(void **state) {
    (void)state;
    check_case("symmetric");
}

static void masks_of_single_items_agree(void **state) {
    (void)state;
    check_case("masks-example");
}

static void noise_views_agree(void **state) {
    (void)state;
    check_case("noise");
}

static void the_second_loss_on_both_towers_agrees(void **state) {
    (void)state;
    check_case("towers");
}

static void steps_of_one_loss_alone_agree(void **state) {
    (void)state;
    check_case("alone");
}

static void spread_out_agrees_in_all_three_forms(void **state) {
    (void)state;
    check_case("spread-out");
    check_case("spread-out-square");
    check_case("spread-out-moments");
}

static void feature_dropout_agrees(void **state) {
    (void)state;
    check_case("feature-dropout");
}

static void id_dropout_agrees(void **state) {
    (void)state;
    check_case("id-dropout");
}

static void rare_ids_agree(void **state) {
    (void)state;
    check_case("rare-ids");
    check_case("rare-ids-own");
    check_case("rare-query-ids");
}

static void sgd_with_decay_agrees(void **state) {
    (void)state;
    check_case("sgd");
}

static void adam_with_decay_and_a_schedule_agrees(void **state) {
    (void)state;
    check_case("adam");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers_of_random123),
        cmocka_unit_test(draws_of_every_purpose_agree),
        cmocka_unit_test(both_sides_have_the_same_worlds),
        cmocka_unit_test(supervised_training_with_correction_and_hit_mask_agrees),
        cmocka_unit_test(the_refined_correction_agrees),
        cmocka_unit_test(masked_views_with_value_dropout_agree),
        cmocka_unit_test(items_that_look_the_same_are_left_out_likewise),
        cmocka_unit_test(the_symmetric_loss_agrees),
        cmocka_unit_test(masks_of_single_items_agree),
        cmocka_unit_test(noise_views_agree),
        cmocka_unit_test(the_second_loss_on_both_towers_agrees),
        cmocka_unit_test(steps_of_one_loss_alone_agree),
        cmocka_unit_test(spread_out_agrees_in_all_three_forms),
        cmocka_unit_test(feature_dropout_agrees),
        cmocka_unit_test(id_dropout_agrees),
        cmocka_unit_test(rare_ids_agree),
        cmocka_unit_test(sgd_with_decay_agrees),
        cmocka_unit_test(adam_with_decay_and_a_schedule_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
