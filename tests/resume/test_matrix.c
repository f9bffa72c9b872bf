/* SPDX-License-Identifier: Apache-2.0
 *
 * R4: k steps and the rest after a resume give the bits of a straight run, for every optimizer with
 * several second losses, with and without the sampling-bias correction; parameters, optimizer state
 * and metrics.
 */
#include "base/file.h"
#include "resume/runs.h"

#include <string.h>

static runs r;

static const char *const OPTIMIZERS[] = {"adagrad", "sgd", "adam"};
static const char *const METHODS[] = {"none",
                                      "cfm",
                                      "rfm-no-complement",
                                      "dropout",
                                      "feature-dropout",
                                      "spread-out",
                                      "spread-out-moments"};
static const char *const LOGQ[] = {"none", "exact"};

enum { N_OPTIMIZERS = 3, N_METHODS = 7, N_LOGQ = 2, PLACES = 27 };

/* Steps k at which a run is stopped: each case has another one, and another second stop behind. */
static long place(size_t number) {
    return 1 + (long)(number * 8 % PLACES);
}

/* Stopped at k and at a later step, where the whole checkpoint is that of a run stopped only
 * there. */
static void check_case(const setting *settings, size_t number) {
    const long k = place(number);
    const long later = k + 1 + (long)(number % 3);
    char checkpoint[WORLD_PATH_MAX];
    runs_expect(&r, DIP_OK, "straight", settings, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "once", settings, 0, later);
    snprintf(checkpoint, sizeof checkpoint, "%s", runs_checkpoint(&r, "once", later));
    const uint64_t state = folder_hash(checkpoint);
    assert_true(state != 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "twice", settings, DIP_RESUME, k);
    assert_true(folder_hash(runs_checkpoint(&r, "twice", k)) != 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "twice", settings, DIP_RESUME, later - k);
    assert_true(folder_hash(runs_checkpoint(&r, "twice", later)) == state);
    runs_expect(&r, DIP_OK, "twice", settings, DIP_RESUME, 0);
    runs_expect(&r, DIP_OK, "once", settings, DIP_RESUME, 0);
    runs_check_same(&r, "twice", "straight");
    runs_check_same(&r, "once", "straight");
    assert_true(folder_hash(world_path(&r.shop, "twice")) ==
                folder_hash(world_path(&r.shop, "straight")));
    runs_clear(&r, "straight");
    runs_clear(&r, "once");
    runs_clear(&r, "twice");
}

static void every_optimizer_and_loss(void **state) {
    (void)state;
    size_t number = 0;
    for (size_t o = 0; o < N_OPTIMIZERS; o++) {
        for (size_t m = 0; m < N_METHODS; m++) {
            for (size_t q = 0; q < N_LOGQ; q++, number++) {
                const setting settings[] = {{"train.optimizer", OPTIMIZERS[o]},
                                            {"ssl.method", METHODS[m]},
                                            {"train.logq", LOGQ[q]},
                                            {"train.schedule", q ? "cosine" : "constant"},
                                            {"train.warmup", m % 2 ? "4" : "0"},
                                            {"train.decay", o == 1 ? "0.01" : "0"},
                                            {NULL, NULL}};
                check_case(settings, number);
            }
        }
    }
    assert_true(number >= 20);
}

static void the_places_differ(void **state) {
    (void)state;
    for (size_t i = 0; i < PLACES; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(place(i), place(j));
        }
    }
}

/* The checkpoint is logical: threads are not in it. */
static void another_number_of_threads(void **state) {
    (void)state;
    const setting one[] = {{"threads", "1"}, {"model.hidden", "40,8"}, {NULL, NULL}};
    const setting three[] = {{"threads", "3"}, {"model.hidden", "40,8"}, {NULL, NULL}};
    runs_expect(&r, DIP_OK, "straight", one, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", one, 0, 7);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", three, DIP_RESUME, 7);
    runs_expect(&r, DIP_OK, "m", one, DIP_RESUME, 0);
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

/* Windows of 13 of the pairs: steps begin within them, and batches lie across their borders. */
static void windows_of_the_pairs(void **state) {
    (void)state;
    const setting settings[] = {
        {"train.shuffle_window", "13"}, {"train.epochs", "3"}, {NULL, NULL}};
    const setting whole[] = {{"train.shuffle_window", "0"}, {"train.epochs", "3"}, {NULL, NULL}};
    runs_expect(&r, DIP_OK, "straight", settings, 0, 0);
    runs_expect(&r, DIP_OK, "whole", whole, 0, 0);
    assert_false(runs_same_file(&r, "straight/model.safetensors", "whole/model.safetensors"));
    for (long k = 1; k < 12; k++) {
        runs_expect(&r, DIP_ERR_INTERRUPTED, "m", settings, 0, k);
        runs_expect(&r, DIP_ERR_USAGE, "m", whole, DIP_RESUME, 0);
        runs_expect(&r, DIP_OK, "m", settings, DIP_RESUME, 0);
        runs_check_same(&r, "m", "straight");
        runs_clear(&r, "m");
    }
    runs_clear(&r, "straight");
    runs_clear(&r, "whole");
}

/* Masks, noise and uniform queries are functions of the step, and so is whether a loss trains
 * alone. The running mean is in the checkpoint. */
static void views_and_pretraining(void **state) {
    (void)state;
    static const setting CASES[][5] = {
        {{"ssl.masks", "example"}, {"ssl.mask_same", "yes"}, {NULL, NULL}},
        {{"ssl.method", "noise"}, {"train.logq", "refined"}, {NULL, NULL}},
        {{"ssl.towers", "both"}, {"ssl.symmetric", "yes"}, {NULL, NULL}},
        {{"ssl.pretrain", "2"}, {"train.optimizer", "adam"}, {NULL, NULL}},
        {{"ssl.pretrain", "1"}, {"ssl.after_pretrain", "stop"}, {NULL, NULL}},
        {{"train.average", "3"}, {"train.optimizer", "adam"}, {NULL, NULL}},
        {{"train.average", "2"},
         {"train.id_min_pairs", "3"},
         {"train.query_min_pairs", "3"},
         {"train.id_dropout", "0.2"},
         {NULL, NULL}},
        {{"train.average", "2"}, {"ssl.pretrain", "2"}, {NULL, NULL}}};
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++) {
        check_case(CASES[c], c);
    }
}

/* Patience counts the epochs behind pre-training, none of which is saved. */
static void patience_begins_after_pretraining(void **state) {
    (void)state;
    const setting settings[] = {{"ssl.pretrain", "4"},
                                {"train.patience", "2"},
                                {"train.epochs", "30"},
                                {"train.rate", "0"},
                                {NULL, NULL}};
    runs_expect(&r, DIP_OK, "m", settings, 0, 0);
    assert_non_null(strstr(r.report, "\"best_epoch\": 5"));
    assert_non_null(strstr(r.report, "\"epochs\": 7"));
    runs_clear(&r, "m");
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", settings, 0, 9);
    assert_false(dip_path_exists(world_path(&r.shop, "m")));
    runs_clear(&r, "m");
}

/* Stopped after every single step, and with the patience running out. */
static void check_every_step(const char *average) {
    const setting settings[] = {
        {"train.patience", "2"}, {"train.epochs", "30"}, {"train.average", average}, {NULL, NULL}};
    runs_expect(&r, DIP_OK, "straight", settings, 0, 0);
    dip_error err = {DIP_OK, ""};
    dip_status status = DIP_ERR_INTERRUPTED;
    long stops = 0;
    for (; status == DIP_ERR_INTERRUPTED && stops < 1000; stops++) {
        status = runs_train(&r, "m", settings, DIP_RESUME, 1, &err);
    }
    assert_int_equal(status, DIP_OK);
    assert_true(stops > 10);
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

static void every_step_by_itself(void **state) {
    (void)state;
    check_every_step("0");
    check_every_step("3");
}

/* The end of the epoch is in the running mean already, and is not taken in again. */
static void stopped_while_validating(void **state) {
    (void)state;
    const setting settings[] = {
        {"train.average", "3"}, {"train.epochs", "4"}, {"train.metric_k", "3"}, {NULL, NULL}};
    dip_error err = {DIP_OK, ""};
    dip_status status = DIP_ERR_INTERRUPTED;
    long stops = 0;
    runs_expect(&r, DIP_OK, "straight", settings, 0, 0);
    while (status == DIP_ERR_INTERRUPTED) {
        r.phase = "encoding";
        status = runs_train(&r, "m", settings, 0, stops + 1, &err);
        r.phase = NULL;
        if (status == DIP_ERR_INTERRUPTED) {
            stops++;
            runs_expect(&r, DIP_OK, "m", settings, DIP_RESUME, 0);
        }
        runs_check_same(&r, "m", "straight");
        runs_clear(&r, "m");
    }
    assert_int_equal(status, DIP_OK);
    assert_true(stops >= 7);
    runs_clear(&r, "straight");
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
        cmocka_unit_test(the_places_differ),
        cmocka_unit_test(every_optimizer_and_loss),
        cmocka_unit_test(another_number_of_threads),
        cmocka_unit_test(windows_of_the_pairs),
        cmocka_unit_test(every_step_by_itself),
        cmocka_unit_test(stopped_while_validating),
        cmocka_unit_test(views_and_pretraining),
        cmocka_unit_test(patience_begins_after_pretraining),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
