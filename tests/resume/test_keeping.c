/* SPDX-License-Identifier: Apache-2.0
 *
 * Which checkpoints are kept, who may write them, and how a run begins when there are some.
 */
#include "resume/runs.h"

#include "train/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static runs r;

static const setting EVERY_3[] = {{"train.checkpoint_every", "3"}, {NULL, NULL}};

static size_t count_steps(const char *output, names *list) {
    char name[200];
    size_t n = 0;
    snprintf(name, sizeof name, "%s.checkpoints", output);
    list_names(world_path(&r.shop, name), list);
    for (size_t i = 0; i < list->n; i++) {
        n += strncmp(list->name[i], "step-", 5) == 0;
    }
    return n;
}

/* ---- keeping --------------------------------------------------------------------------------- */

/* The newest K, and that of the model at the output, which is of the end of an epoch. */
static void the_newest_and_the_best_are_kept(void **state) {
    (void)state;
    static const char *const KEEP[] = {"1", "2", "5"};
    names list;
    for (size_t i = 0; i < 3; i++) {
        const setting settings[] = {{"train.checkpoint_every", "3"},
                                    {"train.checkpoint_keep", KEEP[i]},
                                    {"train.rate", "0.0001"}, /* so that the first epoch is best */
                                    {NULL, NULL}};
        runs_expect(&r, DIP_ERR_INTERRUPTED, "m", settings, 0, 26);
        const size_t keep = (size_t)strtoul(KEEP[i], NULL, 10);
        assert_int_equal(count_steps("m", &list), keep + 1);
        assert_true(has_name(&list, "step-000000000026"));
        assert_int_equal(has_name(&list, "step-000000000024"), keep > 1);
        assert_int_equal(has_name(&list, "step-000000000015"), keep == 5);
        assert_true(has_name(&list, "metrics.jsonl"));
        runs_clear(&r, "m");
    }
}

/* metrics.jsonl in the folder is the beginning of what the model will have. */
static void metrics_can_be_watched(void **state) {
    (void)state;
    runs_expect(&r, DIP_OK, "straight", EVERY_3, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, 0, 21);
    blob all = read_blob(world_path(&r.shop, "straight/metrics.jsonl"));
    blob part = read_blob(world_path(&r.shop, "m.checkpoints/metrics.jsonl"));
    assert_true(part.bytes > 100 && part.bytes < all.bytes);
    assert_memory_equal(part.data, all.data, part.bytes);
    /* What a process that was killed had written behind the checkpoint goes. */
    write_blob(world_path(&r.shop, "m.checkpoints/metrics.jsonl"), all.data, all.bytes);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, DIP_RESUME, 1);
    blob again = read_blob(world_path(&r.shop, "m.checkpoints/metrics.jsonl"));
    assert_int_equal(again.bytes, part.bytes);
    free_blob(&all);
    free_blob(&part);
    free_blob(&again);
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

static int stop_at_once(void *context, const dip_progress *progress) {
    (void)context;
    (void)progress;
    return 1;
}

static void nothing_is_written_before_the_first_step(void **state) {
    (void)state;
    const dip_watch watch = {.on_progress = stop_at_once};
    names before;
    names after;
    list_names(r.shop.root, &before);
    dip_config *config = world_config(r.dataset);
    assert_int_equal(dip_config_set(config, "train.checkpoint_every", "1", NULL), DIP_OK);
    assert_int_equal(
        dip_train(r.dataset, config, world_path(&r.shop, "m"), DIP_RESUME, &watch, NULL, NULL),
        DIP_ERR_INTERRUPTED);
    list_names(r.shop.root, &after);
    assert_int_equal(before.n, after.n);
    dip_config_free(config);
}

/* What processes that were killed left under temporary names. */
static void leftovers_are_swept(void **state) {
    (void)state;
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, 0, 7);
    const char *const stale[] = {world_path(&r.shop, "m.checkpoints/.step-000000000009.tmp.1.0"),
                                 world_path(&r.shop, "m.checkpoints/.step-000000000003.tmp.1.old"),
                                 world_path(&r.shop, ".m.tmp.999999999.0")};
    for (size_t i = 0; i < 3; i++) {
        char file[2 * WORLD_PATH_MAX];
        assert_int_equal(mkdir(stale[i], 0777), 0);
        snprintf(file, sizeof file, "%s/manifest.json", stale[i]);
        write_blob(file, "{", 1);
    }
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, DIP_RESUME, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_not_equal(access(stale[i], F_OK), 0);
    }
    runs_clear(&r, "m");
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void refused(dip_status expected, const setting *settings, unsigned flags,
                    const char *text) {
    dip_error err = {DIP_OK, ""};
    assert_int_equal(runs_train(&r, "m", settings, flags, 0, &err), expected);
    if (strstr(err.message, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, err.message);
    }
}

static void a_stopped_run_is_not_lost_by_mistake(void **state) {
    (void)state;
    static const setting OTHER[] = {{"train.checkpoint_every", "3"}, {"seed", "9"}, {NULL, NULL}};
    runs_expect(&r, DIP_OK, "straight", OTHER, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, 0, 2); /* before a model is there */
    refused(DIP_ERR_USAGE, EVERY_3, 0, "stopped at step 2");
    refused(DIP_ERR_USAGE, OTHER, DIP_RESUME, "seed was \"1\" then, and is \"9\" now");
    runs_expect(&r, DIP_OK, "m", OTHER, DIP_REPLACE, 0);
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

static void a_finished_run_stays(void **state) {
    (void)state;
    static const setting OTHER[] = {{"train.rate", "0.01"}, {NULL, NULL}};
    static const setting FREE[] = {{"threads", "2"}, {"train.checkpoint_every", "9"}, {NULL, NULL}};
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", NULL, DIP_RESUME, 5);
    copy_folder(runs_checkpoint(&r, "m", 5), world_path(&r.shop, "kept"));
    runs_expect(&r, DIP_OK, "m", NULL, DIP_RESUME, 0);
    const uint64_t hash = folder_hash(world_path(&r.shop, "m"));
    /* Killed after the model was published and before the checkpoints were gone. */
    assert_int_equal(mkdir(world_path(&r.shop, "m.checkpoints"), 0777), 0);
    copy_folder(world_path(&r.shop, "kept"), runs_checkpoint(&r, "m", 5));
    runs_expect(&r, DIP_OK, "m", FREE, DIP_RESUME, 0);
    assert_non_null(strstr(r.report, "\"was_finished\": true"));
    assert_int_not_equal(access(world_path(&r.shop, "m.checkpoints"), F_OK), 0);
    assert_true(folder_hash(world_path(&r.shop, "m")) == hash);
    refused(DIP_ERR_USAGE, OTHER, DIP_RESUME, "train.rate was \"0.05\" then, and is \"0.01\" now");
    refused(DIP_ERR_USAGE, NULL, 0, "exists");
    remove_tree(world_path(&r.shop, "kept"));
    runs_clear(&r, "m");
}

/* A model that is not finished and has no checkpoint is made anew, and is the same. */
static void a_run_without_checkpoints_starts_again(void **state) {
    (void)state;
    runs_expect(&r, DIP_OK, "straight", NULL, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", NULL, 0, 11);
    remove_tree(world_path(&r.shop, "m.checkpoints"));
    assert_int_equal(access(world_path(&r.shop, "m"), F_OK), 0);
    runs_expect(&r, DIP_OK, "m", NULL, DIP_RESUME, 0);
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

/* With an old model in place, --force at the beginning covers the resumed run too. */
static void a_run_that_may_replace_may_do_so_when_resumed(void **state) {
    (void)state;
    static const setting OTHER[] = {{"train.rate", "0.01"}, {NULL, NULL}};
    runs_expect(&r, DIP_OK, "straight", EVERY_3, 0, 0);
    runs_expect(&r, DIP_OK, "m", OTHER, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, DIP_REPLACE, 2);
    runs_expect(&r, DIP_OK, "m", EVERY_3, DIP_RESUME, 0);
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

/* Somebody removed the model of the best epoch, which no later one beats. */
static void check_lost_model(const setting *settings) {
    runs_expect(&r, DIP_OK, "straight", settings, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", settings, 0, 26);
    remove_tree(world_path(&r.shop, "m"));
    runs_expect(&r, DIP_OK, "m", settings, DIP_RESUME, 0);
    assert_non_null(strstr(r.messages, "made again"));
    runs_check_same(&r, "m", "straight");
    runs_clear(&r, "m");
    /* Without checkpoints on the way there is none to make it from. */
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", settings + 1, 0, 26);
    remove_tree(world_path(&r.shop, "m"));
    refused(DIP_ERR_FAILED, settings + 1, DIP_RESUME, "not at");
    runs_clear(&r, "straight");
    runs_clear(&r, "m");
}

static void a_lost_model_is_made_again(void **state) {
    (void)state;
    const setting plain[] = {
        {"train.checkpoint_every", "3"}, {"train.rate", "0.0001"}, {NULL, NULL}};
    const setting averaged[] = {{"train.checkpoint_every", "3"},
                                {"train.rate", "0.0001"},
                                {"train.average", "4"},
                                {NULL, NULL}};
    check_lost_model(plain);
    check_lost_model(averaged);
}

/* ---- the lock -------------------------------------------------------------------------------- */

static void two_writers_are_refused_by_number(void **state) {
    (void)state;
    dip_rundir dir;
    char number[32];
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, 0, 7);
    assert_int_equal(dip_rundir_init(&dir, world_path(&r.shop, "m"), NULL), DIP_OK);
    assert_int_equal(dip_rundir_hold(&dir, NULL), DIP_OK);
    snprintf(number, sizeof number, "another process (%ld)", (long)getpid());
    refused(DIP_ERR_FAILED, EVERY_3, DIP_RESUME, number);
    refused(DIP_ERR_FAILED, EVERY_3, DIP_RESUME | DIP_REPLACE, number);
    refused(DIP_ERR_FAILED, EVERY_3, DIP_REPLACE, number);
    dip_rundir_close(&dir);
    runs_expect(&r, DIP_OK, "m", EVERY_3, DIP_RESUME, 0);
    runs_clear(&r, "m");
}

static void other_files_in_the_folder_stay(void **state) {
    (void)state;
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, 0, 7);
    write_blob(world_path(&r.shop, "m.checkpoints/notes.txt"), "mine", 4);
    runs_expect(&r, DIP_OK, "m", EVERY_3, DIP_RESUME, 0);
    names list;
    list_names(world_path(&r.shop, "m.checkpoints"), &list);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.name[0], "notes.txt");
    runs_clear(&r, "m");
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
        cmocka_unit_test(the_newest_and_the_best_are_kept),
        cmocka_unit_test(metrics_can_be_watched),
        cmocka_unit_test(nothing_is_written_before_the_first_step),
        cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(a_stopped_run_is_not_lost_by_mistake),
        cmocka_unit_test(a_finished_run_stays),
        cmocka_unit_test(a_run_without_checkpoints_starts_again),
        cmocka_unit_test(a_run_that_may_replace_may_do_so_when_resumed),
        cmocka_unit_test(a_lost_model_is_made_again),
        cmocka_unit_test(two_writers_are_refused_by_number),
        cmocka_unit_test(other_files_in_the_folder_stay),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
