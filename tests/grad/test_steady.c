/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps after the first allocate nothing. Our own allocations are counted in all threads; in the
 * bfloat16 arithmetic every call of malloc and its family is, in the calling thread. (oneDNN, which
 * multiplies in float, keeps scratch memory of its own.)
 */
#include "base/mem.h"
#include "check.h"
#include "engine/engine.h"
#include "fault/heap.h"
#include "grad/plenty.h"
#include "grad/tiny.h"

enum { PAIRS = 300, SELF = 200, STEPS = 60 };

static void make_step(dip_engine *engine, size_t step) {
    static int32_t query[PAIRS];
    static int32_t item[PAIRS];
    static int32_t self[SELF];
    uint64_t random = 77 * (step + 1);
    dip_losses losses;
    for (size_t i = 0; i < PAIRS; i++) {
        query[i] = plenty_below(&random, PLENTY_ITEMS);
        item[i] = plenty_below(&random, PLENTY_ITEMS);
    }
    for (size_t i = 0; i < SELF; i++) {
        self[i] = (int32_t)((i * 7 + step) % PLENTY_ITEMS);
    }
    const dip_batch batch = {.n = PAIRS,
                             .query = query,
                             .item = item,
                             .n_self = SELF,
                             .self = self,
                             .self_items = PLENTY_ITEMS,
                             .masks = {step % 2 == 0 ? 1 : 6, step % 2 == 0 ? 6 : 1},
                             .queries = {.n = SELF, .row = self, .masks = {5, 2}},
                             .skips_main = step == 3,
                             .step = step};
    check_ok(dip_engine_compute(engine, &batch, &losses, check_error()));
    dip_engine_update(engine, 0.05);
}

/* `more`: further options by key, up to a NULL. */
static void check_steady(const char *precision, const char *method, const char *extra,
                         const char *const (*more)[2]) {
    plenty *world = plenty_make();
    dip_config config;
    dip_engine *engine = NULL;
    tiny_config_make(&config);
    tiny_set(&config, "train.precision", precision);
    tiny_set(&config, "train.batch", "300");
    tiny_set(&config, "ssl.batch", "200");
    tiny_set(&config, "ssl.method", method);
    tiny_set(&config, "train.extra_negatives", extra);
    tiny_set(&config, "train.logq", "exact");
    tiny_set(&config, "threads", "2");
    for (size_t i = 0; more[i][0] != NULL; i++) {
        tiny_set(&config, more[i][0], more[i][1]);
    }
    check_ok(dip_engine_create(&engine, &world->dataset, &config, check_error()));
    make_step(engine, 0);
    const uint64_t ours = dip_mem_allocations();
    const long all = heap_count();
    for (size_t step = 1; step < STEPS; step++) {
        make_step(engine, step);
    }
    assert_int_equal(dip_mem_allocations() - ours, 0);
    if (heap_is_ours() && strcmp(precision, "bf16") == 0) {
        assert_int_equal(heap_count() - all, 0);
    }
    dip_engine_free(engine);
    free(world);
}

static void steps_after_the_first_allocate_nothing(void **state) {
    (void)state;
    static const char *const none[][2] = {{NULL, NULL}};
    static const char *const refined[][2] = {
        {"train.logq", "refined"}, {"train.mask_hits", "yes"}, {NULL, NULL}};
    check_steady("bf16", "cfm", "none", none);
    check_steady("bf16", "dropout", "items", none);
    check_steady("bf16", "spread-out", "none", none);
    check_steady("fp32", "cfm", "views", none);
    check_steady("fp32", "spread-out-moments", "none", none);
    static const char *const both[][2] = {
        {"ssl.mask_same", "yes"}, {"ssl.symmetric", "yes"}, {NULL, NULL}};
    check_steady("bf16", "cfm", "views", refined);
    check_steady("bf16", "cfm", "none", both);
    static const char *const towers[][2] = {
        {"ssl.mask_same", "yes"}, {"ssl.towers", "both"}, {NULL, NULL}};
    check_steady("bf16", "noise", "none", both);
    check_steady("bf16", "cfm", "items", towers);
    check_steady("fp32", "noise", "none", towers);
}

static void the_counter_counts(void **state) {
    (void)state;
    const uint64_t ours = dip_mem_allocations();
    const long all = heap_count();
    dip_free(dip_alloc(1, 1, "a test", check_error()));
    assert_int_equal(dip_mem_allocations() - ours, 1);
    assert_int_equal(heap_count() - all, heap_is_ours() ? 1 : 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(steps_after_the_first_allocate_nothing),
    };
    return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
