/* SPDX-License-Identifier: Apache-2.0
 *
 * Many runs side by side: all are made, a failure stops the others and keeps what is finished, an
 * interruption likewise, callbacks come from the calling thread, and results have the same bits.
 */
#include "fixture.h"

#include "experiment/workers.h"

#include <errno.h>
#include <pthread.h>

enum { RUNS = 6 };

typedef struct world {
    dip_dataset dataset;
    dip_study_data data;
    dip_run run[RUNS];
    const char *label[RUNS];
    char text[RUNS][16];
} world;

static void open_world(world *w, check_folder *folder, int64_t epochs) {
    fixture_write_random(folder, (fixture_size){30, 200, 3},
                         "split: {test: 0.2, validation: 0.2}\n"
                         "model: {dim: 4, hidden: [4]}\n"
                         "train: {batch: 32, epochs: 2, patience: 0}\n"
                         "evaluate: {k: [3, 7]}\n");
    check_ok(fixture_prepare(folder, NULL));
    check_ok(dip_dataset_load(&w->dataset, check_path(folder, "data"), check_error()));
    w->data = (dip_study_data){.dataset = &w->dataset};
    check_ok(
        dip_questions_create(&w->data.questions[0], &w->dataset, 1, true, true, check_error()));
    for (int i = 0; i < RUNS; i++) {
        w->run[i] = (dip_run){.data = &w->data, .config = w->dataset.config};
        w->run[i].config.seed = i + 1;
        w->run[i].config.train.epochs = epochs;
        check_ok(dip_run_name(&w->run[i], check_error()));
        snprintf(w->text[i], sizeof w->text[i], "run %d", i);
        w->label[i] = w->text[i];
    }
}

static void close_world(world *w) {
    dip_questions_free(&w->data.questions[0]);
    dip_dataset_release(&w->dataset);
}

static dip_workers workers_in(check_folder *folder, const char *name, int jobs,
                              const dip_watch *watch) {
    const char *path = check_path(folder, name);
    assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
    return (dip_workers){.folder = path, .jobs = jobs, .threads = 2, .watch = watch};
}

static void count_all(const world *w, dip_workers *workers) {
    workers->runs_total = RUNS;
    for (int i = 0; i < RUNS; i++) {
        workers->total += dip_workers_work(&w->run[i]);
    }
}

static int count_made(const world *w, const char *folder) {
    int made = 0;
    for (int i = 0; i < RUNS; i++) {
        made += dip_run_is_made(folder, &w->run[i]);
    }
    return made;
}

/* ---- progress -------------------------------------------------------------------------------- */

typedef struct listener {
    pthread_t caller;
    int calls;
    int stop_at; /* the call that asks to stop; 0 for none */
    uint64_t last;
    bool is_wrong;
    bool has_label;
} listener;

static int listen(void *context, const dip_progress *progress) {
    listener *l = context;
    l->calls++;
    if (l->stop_at > 0 && l->calls > l->stop_at) { /* runs that end early give their work back */
        return 1;
    }
    l->is_wrong = l->is_wrong || pthread_equal(pthread_self(), l->caller) == 0 ||
                  progress->done > progress->total || progress->done < l->last ||
                  strcmp(progress->phase, "running the study") != 0;
    l->has_label = l->has_label || strstr(progress->detail, "at a time  run ") != NULL;
    l->last = progress->done;
    return l->stop_at > 0 && l->calls >= l->stop_at;
}

static void all_runs_are_made(void **state) {
    world w;
    open_world(&w, *state, 4);
    for (int jobs = 1; jobs <= 8; jobs += 3) {
        char name[16];
        listener l = {.caller = pthread_self()};
        const dip_watch watch = {.on_progress = listen, .context = &l};
        snprintf(name, sizeof name, "runs%d", jobs);
        dip_workers workers = workers_in(*state, name, jobs, &watch);
        count_all(&w, &workers);
        check_ok(dip_workers_make(&workers, w.run, w.label, RUNS, check_error()));
        assert_int_equal(count_made(&w, workers.folder), RUNS);
        assert_int_equal(workers.runs_done, RUNS);
        assert_int_equal(workers.done, workers.total);
        assert_int_equal(workers.done, (uint64_t)(RUNS * 4 * w.dataset.n_pairs[0]));
        assert_true(l.calls > 0 && l.has_label && !l.is_wrong);
    }
    close_world(&w);
}

static void nothing_to_make_is_nothing(void **state) {
    dip_workers workers = workers_in(*state, "runs", 2, NULL);
    check_ok(dip_workers_make(&workers, NULL, NULL, 0, check_error()));
    assert_int_equal(workers.runs_done, 0);
}

static void side_by_side_has_the_same_bits(void **state) {
    world w;
    open_world(&w, *state, 3);
    dip_workers one = workers_in(*state, "one", 1, NULL);
    dip_workers many = workers_in(*state, "many", 4, NULL);
    check_ok(dip_workers_make(&one, w.run, w.label, RUNS, check_error()));
    check_ok(dip_workers_make(&many, w.run, w.label, RUNS, check_error()));
    for (int i = 0; i < RUNS; i++) {
        dip_run_result result[2];
        check_ok(dip_run_open(&result[0], one.folder, w.run[i].key, check_error()));
        check_ok(dip_run_open(&result[1], many.folder, w.run[i].key, check_error()));
        assert_true(json_equal(result[0].scores[0], result[1].scores[0]));
        assert_true(json_equal(json_object_get(result[0].folder.manifest, "curve"),
                               json_object_get(result[1].folder.manifest, "curve")));
        assert_true(json_equal(json_object_get(result[0].folder.manifest, "parts"),
                               json_object_get(result[1].folder.manifest, "parts")));
        dip_run_close(&result[0]);
        dip_run_close(&result[1]);
    }
    close_world(&w);
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* One after the other, the runs before the failing one are there and none behind it. */
static void a_failure_stops_the_others(void **state) {
    world w;
    open_world(&w, *state, 2);
    w.run[3].config.ssl.method = DIP_METHOD_NONE;
    w.run[3].config.train.extra_negatives = DIP_EXTRA_VIEWS;
    check_ok(dip_run_name(&w.run[3], check_error()));
    dip_workers workers = workers_in(*state, "runs", 1, NULL);
    check_fails(dip_workers_make(&workers, w.run, w.label, RUNS, check_error()), DIP_ERR_USAGE,
                "run 3: train.extra_negatives: views");
    assert_int_equal(workers.runs_done, 3);
    for (int i = 0; i < RUNS; i++) {
        assert_true(dip_run_is_made(workers.folder, &w.run[i]) == (i < 3));
    }
    close_world(&w);
}

/* The failing run is the first; the long ones beside it end early, with checkpoints. */
static void a_failure_stops_those_under_way(void **state) {
    world w;
    open_world(&w, *state, 100000);
    w.run[0].config.ssl.method = DIP_METHOD_NONE;
    w.run[0].config.train.extra_negatives = DIP_EXTRA_VIEWS;
    check_ok(dip_run_name(&w.run[0], check_error()));
    dip_workers workers = workers_in(*state, "runs", 3, NULL);
    check_fails(dip_workers_make(&workers, w.run, w.label, RUNS, check_error()), DIP_ERR_USAGE,
                "run 0: train.extra_negatives: views");
    assert_int_equal(workers.runs_done, 0);
    assert_int_equal(count_made(&w, workers.folder), 0);
    close_world(&w);
}

static void an_interruption_keeps_what_is_finished(void **state) {
    world w;
    open_world(&w, *state, 2);
    for (int i = 2; i < RUNS; i++) {
        w.run[i].config.train.epochs = 100000;
        check_ok(dip_run_name(&w.run[i], check_error()));
    }
    listener l = {.caller = pthread_self(), .stop_at = 12};
    const dip_watch watch = {.on_progress = listen, .context = &l};
    dip_workers workers = workers_in(*state, "runs", 2, &watch);
    count_all(&w, &workers);
    check_fails(dip_workers_make(&workers, w.run, w.label, RUNS, check_error()),
                DIP_ERR_INTERRUPTED, "interrupted; ");
    assert_int_equal(workers.runs_done, count_made(&w, workers.folder));
    assert_true(workers.runs_done <= 2);
    assert_false(l.is_wrong);
    close_world(&w);
}

/* ---- how many at a time ---------------------------------------------------------------------- */

static void jobs_fit_cores_and_memory(void **state) {
    (void)state;
    assert_int_equal(dip_workers_jobs(5, 2, 1e18, 1e9), 5);
    assert_int_equal(dip_workers_jobs(10000, 2, 0, 1e9), 256);
    assert_int_equal(dip_workers_jobs(0, 4, 1, 1e9), 4);
    assert_int_equal(dip_workers_jobs(0, 4, 0, 1e9), 4);
    assert_int_equal(dip_workers_jobs(0, 4, 1e18, 1e9), 1);
    assert_int_equal(dip_workers_jobs(0, 1, 1, 1e9), 1);
    assert_int_equal(dip_workers_jobs(0, 8, 1e9, 6e9), 3);
    assert_int_equal(dip_workers_jobs(0, 8, 1e9, 0), 8); /* a system that does not say */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(all_runs_are_made),
        check_test_in_folder(nothing_to_make_is_nothing),
        check_test_in_folder(side_by_side_has_the_same_bits),
        check_test_in_folder(a_failure_stops_the_others),
        check_test_in_folder(a_failure_stops_those_under_way),
        check_test_in_folder(an_interruption_keeps_what_is_finished),
        cmocka_unit_test(jobs_fit_cores_and_memory),
    };
    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
