/* SPDX-License-Identifier: Apache-2.0
 *
 * R15: NaN, infinities and 1e38 in parameters while a step is computed, which give losses and
 * gradients that are not finite. The linker puts a function of this file in front of
 * dip_engine_compute (--wrap), so that nothing in the library knows of it. Whatever is injected,
 * parameters and files stay finite, the batch is left out and listed, and training gives up after
 * so many in a row with the healthy checkpoint kept.
 */
#include "resume/runs.h"

#include "engine/engine.h"
#include "math/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static runs r;

dip_status __real_dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                                     dip_error *err);
dip_status __wrap_dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                                     dip_error *err);

/* What to do to which steps. */
static struct {
    long first; /* steps first to last, from 1, are poisoned; 0 for none */
    long last;
    size_t tensor;
    float value;
    long hits; /* steps that were refused */
    bool saw_nonfinite;
} plan;

/* Poisons one tensor for the time of a computation. The parameters themselves are never updated
 * with it: a step that is refused leaves them, and one that is not has the old values back. */
dip_status __wrap_dip_engine_compute(dip_engine *engine, const dip_batch *batch, dip_losses *out,
                                     dip_error *err) {
    dip_params *params = &dip_engine_towers(engine)->params;
    const long step = (long)batch->step + 1;
    for (size_t i = 0; i < params->n; i++) {
        plan.saw_nonfinite =
            plan.saw_nonfinite ||
            !dip_vec_is_finite(dip_param_size(&params->list[i]), params->list[i].value);
    }
    if (step < plan.first || step > plan.last) {
        return __real_dip_engine_compute(engine, batch, out, err);
    }
    dip_param *param = &params->list[plan.tensor % params->n];
    const size_t size = dip_param_size(param);
    float *kept = malloc(size * sizeof *kept);
    assert_non_null(kept);
    memcpy(kept, param->value, size * sizeof *kept);
    for (size_t i = 0; i < size; i++) {
        param->value[i] = plan.value;
    }
    const dip_status status = __real_dip_engine_compute(engine, batch, out, err);
    memcpy(param->value, kept, size * sizeof *kept);
    free(kept);
    plan.hits += status == DIP_ERR_NONFINITE;
    return status;
}

static const float VALUES[] = {NAN, INFINITY, -INFINITY, 1e38f};

enum { N_VALUES = 4, INJECTIONS = 1000 };

static size_t count_lines(const char *name) {
    blob b = read_blob(world_path(&r.shop, name));
    size_t lines = 0;
    for (size_t i = 0; i < b.bytes; i++) {
        lines += b.data[i] == '\n';
    }
    free_blob(&b);
    return lines;
}

static bool is_finite_file(const char *name) {
    dip_model *model = NULL;
    const dip_status status = dip_model_load(&model, world_path(&r.shop, name), NULL);
    dip_model_free(model);
    return status == DIP_OK; /* which refuses values that are not finite */
}

/* A few steps in the middle: left out, listed, and the rest goes on. */
static void inject(size_t number) {
    static const setting EVERY[] = {
        {"train.checkpoint_every", "2"}, {"train.epochs", "3"}, {NULL, NULL}};
    dip_error err = {DIP_OK, ""};
    memset(&plan, 0, sizeof plan);
    plan.first = 1 + (long)(number % 7);
    plan.last = plan.first + (long)(number % 3);
    plan.tensor = number / N_VALUES;
    plan.value = VALUES[number % N_VALUES];
    const dip_status status = runs_train(&r, "m", EVERY, 0, 0, &err);
    assert_false(plan.saw_nonfinite);
    if (status != DIP_OK && status != DIP_ERR_NONFINITE) {
        fail_msg("injection %zu: %s", number, err.message);
    }
    if (status == DIP_OK) {
        assert_true(is_finite_file("m"));
    }
    if (status == DIP_OK && plan.hits > 0) {
        char text[60];
        snprintf(text, sizeof text, "\"skipped_batches\": %ld", plan.hits);
        assert_non_null(strstr(r.report, text));
        assert_int_equal(count_lines("m/quarantine.jsonl"), plan.hits);
    }
    if (status == DIP_ERR_NONFINITE) { /* an optimizer state or a table that overflowed */
        assert_non_null(strstr(err.message, "tensor"));
    }
    runs_clear(&r, "m");
}

static void a_thousand_injections(void **state) {
    (void)state;
    const size_t n = is_sanitized() ? INJECTIONS / 10 : INJECTIONS;
    long hits = 0;
    for (size_t i = 0; i < n; i++) {
        inject(i);
        hits += plan.hits;
    }
    print_message("%zu injections, %ld batches left out\n", n, hits);
    assert_true(hits > (long)n / 2);
}

/* From step 5 on for ever: ten are listed, the checkpoint before them and the model of the first
 * epoch stay, and the rest can be made when the cause is gone. */
static void it_gives_up_after_ten_in_a_row(void **state) {
    (void)state;
    static const setting EVERY[] = {{"train.checkpoint_every", "3"}, {NULL, NULL}};
    dip_error err = {DIP_OK, ""};
    memset(&plan, 0, sizeof plan);
    runs_expect(&r, DIP_OK, "straight", EVERY, 0, 0);
    plan.first = 8;
    plan.last = 1000;
    plan.value = NAN;
    assert_int_equal(runs_train(&r, "m", EVERY, 0, 0, &err), DIP_ERR_NONFINITE);
    assert_int_equal(plan.hits, 10);
    assert_non_null(strstr(err.message, "last whole checkpoint is of step 6"));
    assert_non_null(strstr(err.message, "step 17: "));
    assert_non_null(strstr(err.message, "m.checkpoints/quarantine.jsonl"));
    assert_non_null(strstr(err.message, "last good model (epoch 1)"));
    assert_int_equal(count_lines("m.checkpoints/quarantine.jsonl"), 10);
    assert_int_equal(access(runs_checkpoint(&r, "m", 6), F_OK), 0);
    assert_true(is_finite_file("m"));
    plan.first = plan.last = 0;
    runs_expect(&r, DIP_OK, "m", EVERY, DIP_RESUME, 0);
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

/* Stopped within a row of bad batches and resumed: counted on, the same bits, the same list. */
static void the_count_survives_a_resume(void **state) {
    (void)state;
    static const setting EVERY[] = {{"train.checkpoint_every", "3"},
                                    {"train.checkpoint_keep", "1"},
                                    {"train.nonfinite_limit", "6"},
                                    {NULL, NULL}};
    memset(&plan, 0, sizeof plan);
    plan.first = 8;
    plan.last = 12;
    plan.value = INFINITY;
    runs_expect(&r, DIP_OK, "straight", EVERY, 0, 0);
    assert_int_equal(plan.hits, 5);
    for (long stop = 7; stop <= 14; stop++) {
        runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY, 0, stop);
        assert_int_equal(access(runs_checkpoint(&r, "m", stop), F_OK), 0);
        if (stop >= 8 && stop <= 12) { /* the healthy one is not rotated out */
            assert_int_equal(access(runs_checkpoint(&r, "m", 6), F_OK), 0);
        }
        runs_expect(&r, DIP_OK, "m", EVERY, DIP_RESUME, 0);
        runs_check_same(&r, "m", "straight");
        assert_true(runs_same_file(&r, "m/quarantine.jsonl", "straight/quarantine.jsonl"));
        runs_clear(&r, "m");
    }
    plan.last = 13;
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY, 0, 10);
    dip_error err = {DIP_OK, ""};
    assert_int_equal(runs_train(&r, "m", EVERY, DIP_RESUME, 0, &err), DIP_ERR_NONFINITE);
    assert_non_null(strstr(err.message, "step 13: "));
    runs_clear(&r, "m");
    runs_clear(&r, "straight");
}

/* The lines say which pairs were in the batch. */
static void the_quarantine_can_be_read(void **state) {
    (void)state;
    memset(&plan, 0, sizeof plan);
    plan.first = plan.last = 6;
    plan.value = NAN;
    runs_expect(&r, DIP_OK, "m", NULL, 0, 0);
    blob b = read_blob(world_path(&r.shop, "m/quarantine.jsonl"));
    b.data[b.bytes - 1] = '\0';
    const char *line = (const char *)b.data;
    assert_non_null(strstr(line, "\"step\":6,\"epoch\":1,\"first\":"));
    assert_non_null(strstr(line, "\"reason\":\"step 6: "));
    assert_non_null(strstr(line, "\"pairs\":["));
    assert_non_null(strstr(r.report, "\"quarantine\": "));
    free_blob(&b);
    runs_clear(&r, "m");
}

/* The public step: it fails as often as it is asked, and can be passed over. */
static void a_step_can_be_skipped(void **state) {
    (void)state;
    dip_trainer *trainer = NULL;
    dip_step step = {0};
    dip_error err = {DIP_OK, ""};
    dip_config *config = world_config(r.dataset);
    memset(&plan, 0, sizeof plan);
    plan.first = plan.last = 3;
    plan.value = NAN;
    assert_int_equal(dip_trainer_create(&trainer, r.dataset, config, &err), DIP_OK);
    assert_int_equal(dip_trainer_step(trainer, &step, &err), DIP_OK);
    assert_int_equal(dip_trainer_step(trainer, &step, &err), DIP_OK);
    assert_int_equal(dip_trainer_step(trainer, &step, &err), DIP_ERR_NONFINITE);
    assert_int_equal(dip_trainer_step(trainer, &step, &err), DIP_ERR_NONFINITE);
    assert_int_equal(step.step, 2);
    dip_trainer_skip(trainer);
    assert_int_equal(dip_trainer_step(trainer, &step, &err), DIP_OK);
    assert_int_equal(step.step, 4);
    dip_status status = DIP_OK;
    while (status == DIP_OK) {
        status = dip_trainer_step(trainer, &step, &err);
    }
    assert_int_equal(status, DIP_END);
    dip_trainer_skip(trainer);
    assert_int_equal(dip_trainer_step(trainer, &step, &err), DIP_END);
    dip_trainer_free(trainer);
    dip_config_free(config);
}

static int make(void **state) {
    (void)state;
    runs_make(&r);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    runs_remove(&r);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_injections),
        cmocka_unit_test(it_gives_up_after_ten_in_a_row),
        cmocka_unit_test(the_count_survives_a_resume),
        cmocka_unit_test(the_quarantine_can_be_read),
        cmocka_unit_test(a_step_can_be_skipped),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
