/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of a study: what its key depends on, what is kept of it, what counts as whole, and what
 * is swept.
 */
#include "fixture.h"

#include "experiment/runs.h"
#include "train/run.h"

#include <dirent.h>

typedef struct world {
    dip_dataset dataset;
    dip_study_data data;
    const char *runs;
} world;

static void open_world(world *w, check_folder *folder) {
    fixture_write_random(folder, (fixture_size){30, 200, 3},
                         "split: {test: 0.2, validation: 0.2}\n"
                         "model: {dim: 4, hidden: [4]}\n"
                         "train: {batch: 32, epochs: 2, metric_k: 3}\n"
                         "evaluate: {k: [3, 7]}\n");
    check_ok(fixture_prepare(folder, NULL));
    check_ok(dip_dataset_load(&w->dataset, check_path(folder, "data"), check_error()));
    w->data = (dip_study_data){.dataset = &w->dataset};
    for (size_t split = 0; split < 2; split++) {
        check_ok(dip_questions_create(&w->data.questions[split], &w->dataset, split + 1, true, true,
                                      check_error()));
    }
    w->runs = check_path(folder, "runs");
    assert_int_equal(mkdir(w->runs, 0777), 0);
}

static void close_world(world *w) {
    dip_questions_free(&w->data.questions[0]);
    dip_questions_free(&w->data.questions[1]);
    dip_dataset_release(&w->dataset);
}

static dip_run run_of(const world *w) {
    dip_run run = {.data = &w->data, .config = w->dataset.config};
    check_ok(dip_run_name(&run, check_error()));
    return run;
}

/* The key of the run with one option changed. */
static void key_with(const world *w, const char *key, const char *value,
                     char found[DIP_RUN_KEY_BYTES]) {
    dip_run run = run_of(w);
    check_ok(dip_options_set(&dip_config_table, &run.config, key, value, check_error()));
    check_ok(dip_run_name(&run, check_error()));
    memcpy(found, run.key, DIP_RUN_KEY_BYTES);
}

static bool changes_key(const world *w, const char *key, const char *value) {
    char found[DIP_RUN_KEY_BYTES];
    const dip_run run = run_of(w);
    key_with(w, key, value, found);
    return strcmp(found, run.key) != 0;
}

static void a_key_is_of_what_changes_numbers(void **state) {
    static const char *const OTHER[][2] = {{"seed", "2"},
                                           {"train.epochs", "3"},
                                           {"ssl.method", "rfm"},
                                           {"ssl.alpha", "0.7"},
                                           {"train.metric", "map"},
                                           {"evaluate.k", "3"},
                                           {"model.hidden", "5"},
                                           {"evaluate.protocol", "paper"},
                                           {"train.rate", "0.2"},
                                           {"train.batch", "16"},
                                           {"evaluate.exclude_query", "no"},
                                           {"train.id_min_pairs", "2"}};
    static const char *const SAME[][2] = {{"threads", "3"},
                                          {"train.table_folder", "/tmp"},
                                          {"train.checkpoint_every", "5"},
                                          {"evaluate.split", "validation"},
                                          {"evaluate.bootstrap", "7"},
                                          {"split.test", "0.3"},
                                          {"prepare.memory", "1G"}};
    world w;
    open_world(&w, *state);
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        assert_true(changes_key(&w, OTHER[i][0], OTHER[i][1]));
    }
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++) {
        assert_false(changes_key(&w, SAME[i][0], SAME[i][1]));
    }
    dip_run run = run_of(&w);
    char before[DIP_RUN_KEY_BYTES];
    memcpy(before, run.key, sizeof before);
    run.tests = true;
    check_ok(dip_run_name(&run, check_error()));
    assert_string_not_equal(run.key, before);
    memcpy(before, run.key, sizeof before);
    run.keeps_vectors = true;
    check_ok(dip_run_name(&run, check_error()));
    assert_string_not_equal(run.key, before);
    close_world(&w);
}

/* Without a second loss its options change nothing. */
static void idle_options_are_no_part_of_a_key(void **state) {
    char one[DIP_RUN_KEY_BYTES];
    char two[DIP_RUN_KEY_BYTES];
    world w;
    open_world(&w, *state);
    w.dataset.config.ssl.method = DIP_METHOD_NONE;
    key_with(&w, "ssl.alpha", "0.9", one);
    key_with(&w, "ssl.dropout", "0.5", two);
    assert_string_equal(one, two);
    /* But ssl.batch is the number of the uniform items that are further negatives. */
    w.dataset.config.train.extra_negatives = DIP_EXTRA_ITEMS;
    key_with(&w, "ssl.batch", "8", one);
    key_with(&w, "ssl.batch", "16", two);
    assert_string_not_equal(one, two);
    /* Queries that are items have no ids of their own. */
    for (int are_items = 0; are_items < 2; are_items++) {
        w.dataset.schema.queries_are_items = are_items == 1;
        key_with(&w, "train.query_min_pairs", "0", one);
        key_with(&w, "train.query_min_pairs", "2", two);
        assert_int_equal(strcmp(one, two) == 0, are_items);
    }
    close_world(&w);
}

/* The same but for the time it took. */
static void check_same_run(const char *a, const char *b, const char *key) {
    dip_run_result result[2];
    check_ok(dip_run_open(&result[0], a, key, check_error()));
    check_ok(dip_run_open(&result[1], b, key, check_error()));
    for (size_t i = 0; i < 2; i++) {
        json_object_del(result[i].folder.manifest, "seconds");
        json_object_del(result[i].folder.manifest, "checksum");
    }
    assert_true(json_equal(result[0].folder.manifest, result[1].folder.manifest));
    dip_run_close(&result[0]);
    dip_run_close(&result[1]);
}

/* A process that was stopped between the training and the ranking left a finished model. */
static void a_finished_model_is_taken_up(void **state) {
    world w;
    json_t *report = NULL;
    char name[64];
    open_world(&w, *state);
    dip_run run = run_of(&w);
    run.config.train.epochs = 12;
    run.config.train.patience = 0;
    run.config.train.rate = 0.5;
    check_ok(dip_run_name(&run, check_error()));
    check_ok(dip_run_make(w.runs, &run, 1, NULL, check_error()));
    const char *other = check_path(*state, "other");
    assert_int_equal(mkdir(other, 0777), 0);
    snprintf(name, sizeof name, "other/training-%s", run.key);
    const dip_run_request request = {.output = check_path(*state, name)};
    check_ok(dip_train_run(&w.dataset, &run.config, &request, &report, check_error()));
    assert_true(json_integer_value(json_object_get(report, "best_epoch")) < 12);
    json_decref(report);
    check_ok(dip_run_make(other, &run, 1, NULL, check_error()));
    check_same_run(w.runs, other, run.key);
    close_world(&w);
}

static size_t count_entries(const char *path) {
    size_t n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        n += entry->d_name[0] != '.';
    }
    closedir(folder);
    return n;
}

static void a_run_is_kept_without_its_model(void **state) {
    world w;
    open_world(&w, *state);
    for (int i = 0; i < 4; i++) {
        dip_run_result result;
        dip_run run = run_of(&w);
        run.tests = (i & 1) != 0;
        run.keeps_vectors = (i & 2) != 0;
        check_ok(dip_run_name(&run, check_error()));
        assert_false(dip_run_is_made(w.runs, &run));
        check_ok(dip_run_make(w.runs, &run, 1, NULL, check_error()));
        assert_true(dip_run_is_made(w.runs, &run));
        assert_int_equal(count_entries(w.runs), i + 1);
        check_ok(dip_run_open(&result, w.runs, run.key, check_error()));
        assert_false(result.failed);
        assert_non_null(result.scores[0]);
        assert_true((result.scores[1] != NULL) == run.tests);
        check_near(json_number_value(json_object_get(result.scores[0], "all/recall@3")),
                   result.validation, 1e-6);
        dip_run_close(&result);
    }
    close_world(&w);
}

static void ranks_and_vectors_are_read_back(void **state) {
    world w;
    dip_map map;
    dip_run_result result;
    const float *vectors = NULL;
    int64_t items = 0;
    int64_t width = 0;
    uint16_t rank[200] = {0};
    open_world(&w, *state);
    dip_run run = run_of(&w);
    run.tests = true;
    run.keeps_vectors = true;
    check_ok(dip_run_name(&run, check_error()));
    check_ok(dip_run_make(w.runs, &run, 2, NULL, check_error()));
    check_ok(dip_run_open(&result, w.runs, run.key, check_error()));
    const size_t pairs = (size_t)w.dataset.n_pairs[2];
    check_ok(dip_run_ranks(&result, 1, pairs, rank, check_error()));
    double hits = 0;
    for (size_t i = 0; i < pairs; i++) {
        assert_true(rank[i] <= 7);
        hits += rank[i] > 0 && rank[i] <= 7;
    }
    assert_true(hits > 0);
    check_fails(dip_run_ranks(&result, 1, pairs + 1, rank, check_error()), DIP_ERR_FORMAT,
                "does not fit the dataset");
    check_ok(dip_run_vectors(&result, &map, &vectors, &items, &width, check_error()));
    assert_int_equal(items, w.dataset.items.n);
    for (int64_t i = 0; i < items; i++) {
        double square = 0;
        for (int64_t d = 0; d < width; d++) {
            square += (double)vectors[i * width + d] * (double)vectors[i * width + d];
        }
        check_near(square, 1, 1e-5);
    }
    dip_map_close(&map);
    dip_run_close(&result);
    close_world(&w);
}

static void a_diverging_run_is_a_result(void **state) {
    world w;
    dip_run_result result;
    open_world(&w, *state);
    dip_run run = run_of(&w);
    run.config.train.rate = 1e30;
    run.config.train.nonfinite_limit = 1;
    run.tests = true;
    check_ok(dip_run_name(&run, check_error()));
    check_ok(dip_run_make(w.runs, &run, 1, NULL, check_error()));
    assert_true(dip_run_is_made(w.runs, &run));
    check_ok(dip_run_open(&result, w.runs, run.key, check_error()));
    assert_true(result.failed);
    assert_true(result.validation < 0);
    assert_null(result.scores[0]);
    dip_run_close(&result);
    assert_int_equal(count_entries(w.runs), 1);
    close_world(&w);
}

/* A file of the run's folder. */
static const char *part_of(check_folder *folder, const dip_run *run, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "runs/%s/%s", run->key, name);
    return check_path(folder, path);
}

static void damaged_runs_are_made_again(void **state) {
    static const char *const PARTS[] = {"ranks-validation.npy", "ranks-test.npy", "vectors.npy",
                                        "manifest.json"};
    world w;
    open_world(&w, *state);
    dip_run run = run_of(&w);
    run.tests = true;
    run.keeps_vectors = true;
    check_ok(dip_run_name(&run, check_error()));
    check_ok(dip_run_make(w.runs, &run, 1, NULL, check_error()));
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        for (int cut = 0; cut < 2; cut++) {
            size_t bytes = 0;
            const char *path = part_of(*state, &run, PARTS[i]);
            char *whole = check_read(path, &bytes);
            char *data = check_read(path, &bytes);
            data[bytes - 1] ^= 1;
            check_write(path, data, cut ? bytes / 2 : bytes);
            assert_false(dip_run_is_made(w.runs, &run));
            check_ok(dip_run_make(w.runs, &run, 1, NULL, check_error()));
            assert_true(dip_run_is_made(w.runs, &run));
            free(data);
            data = check_read(path, &bytes);
            assert_true(i == 3 || memcmp(data, whole, bytes) == 0);
            free(data);
            free(whole);
        }
    }
    assert_int_equal(count_entries(w.runs), 1);
    close_world(&w);
}

/* What a process that was killed left of a finished run goes; of one that is not, it stays. */
static void leftovers_are_swept(void **state) {
    world w;
    char path[128];
    open_world(&w, *state);
    const dip_run run = run_of(&w);
    check_ok(dip_run_make(w.runs, &run, 1, NULL, check_error()));
    const char *const keys[] = {run.key, "0123456789abcdef"};
    for (size_t i = 0; i < 2; i++) {
        static const char *const ENDS[] = {"", ".checkpoints"};
        for (size_t e = 0; e < 2; e++) {
            snprintf(path, sizeof path, "runs/training-%s%s", keys[i], ENDS[e]);
            assert_int_equal(mkdir(check_path(*state, path), 0777), 0);
        }
    }
    dip_runs_sweep(w.runs);
    assert_int_equal(count_entries(w.runs), 3);
    assert_true(dip_run_is_made(w.runs, &run));
    dip_runs_sweep("/nowhere");
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(a_key_is_of_what_changes_numbers),
        check_test_in_folder(idle_options_are_no_part_of_a_key),
        check_test_in_folder(a_run_is_kept_without_its_model),
        check_test_in_folder(ranks_and_vectors_are_read_back),
        check_test_in_folder(a_finished_model_is_taken_up),
        check_test_in_folder(a_diverging_run_is_a_result),
        check_test_in_folder(damaged_runs_are_made_again),
        check_test_in_folder(leftovers_are_swept),
    };
    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
