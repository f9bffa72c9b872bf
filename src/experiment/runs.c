/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/runs.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/npy.h"
#include "base/sweep.h"
#include "base/text.h"
#include "engine/encode.h"
#include "engine/engine.h"
#include "evaluate/ranks.h"
#include "evaluate/scores.h"
#include "experiment/curve.h"
#include "model/model.h"
#include "train/run.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1 };

static const char *const RANK_PARTS[2] = {"ranks-validation.npy", "ranks-test.npy"};
static const char *const SCORE_KEYS[2] = {"validation", "test"};
#define VECTORS_PART "vectors.npy"
#define TRAINING "training-"

/* ---- the key --------------------------------------------------------------------------------- */

/* Options that change no number of a run: how and where it is computed, what the dataset has
 * settled, and how results are looked at. */
static bool is_free(const char *key) {
    static const char *const FREE[] = {
        "threads",        "train.table_folder", "train.checkpoint_every", "train.checkpoint_keep",
        "evaluate.split", "evaluate.bootstrap"};
    for (size_t i = 0; i < sizeof FREE / sizeof FREE[0]; i++) {
        if (strcmp(key, FREE[i]) == 0) {
            return true;
        }
    }
    return strncmp(key, "prepare.", 8) == 0 || strncmp(key, "split.", 6) == 0;
}

/* Options that came after the first keys, at the value that does nothing: runs that were made
 * before them keep their key. */
static bool is_off(const char *key, const char *value) {
    static const char *const LATER[][2] = {{"train.id_min_pairs", "0"},
                                           {"train.query_min_pairs", "0"}};
    for (size_t i = 0; i < sizeof LATER / sizeof LATER[0]; i++) {
        if (strcmp(key, LATER[i][0]) == 0) {
            return strcmp(value, LATER[i][1]) == 0;
        }
    }
    return false;
}

bool dip_run_ignores(const dip_dataset *dataset, const dip_config *config, const char *key) {
    if (is_free(key)) {
        return true;
    }
    if (strcmp(key, "train.query_min_pairs") == 0) {
        return dataset->schema.queries_are_items;
    }
    return config->ssl.method == DIP_METHOD_NONE &&
           config->train.extra_negatives == DIP_EXTRA_NONE && strncmp(key, "ssl.", 4) == 0 &&
           strcmp(key, "ssl.method") != 0;
}

static dip_status describe(const dip_run *run, dip_text *text, dip_error *err) {
    DIP_TRY(dip_text_printf(text, err, "run %d\ndataset %s\nprecision %s\ntests %d\nvectors %d\n",
                            VERSION, dip_folder_identity(&run->data->dataset->folder),
                            dip_engine_precision(&run->config), run->tests, run->keeps_vectors));
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const dip_option *row = &dip_config_table.row[i];
        char value[DIP_VALUE_MAX];
        dip_options_get(row, &run->config, value);
        const bool is_ignored = dip_run_ignores(run->data->dataset, &run->config, row->key);
        if (!is_ignored && !is_off(row->key, value)) {
            DIP_TRY(dip_text_printf(text, err, "%s %s\n", row->key, value));
        }
    }
    return DIP_OK;
}

dip_status dip_run_name(dip_run *run, dip_error *err) {
    dip_text text = {0};
    const dip_status status = describe(run, &text, err);
    if (status == DIP_OK) {
        snprintf(run->key, sizeof run->key, "%016llx",
                 (unsigned long long)XXH3_64bits(text.data, text.length));
    }
    dip_text_free(&text);
    return status;
}

size_t dip_run_longest(const dip_config *config) {
    int64_t longest = 0;
    for (size_t i = 0; i < config->evaluate.k.n; i++) {
        longest = config->evaluate.k.value[i] > longest ? config->evaluate.k.value[i] : longest;
    }
    return (size_t)longest;
}

/* ---- making a run ---------------------------------------------------------------------------- */

typedef struct work {
    const dip_run *run;
    dip_config config; /* with the threads */
    const dip_watch *watch;
    char *path;  /* runs/KEY */
    char *model; /* runs/training-KEY */
    json_t *content;
    dip_model trained;
    bool is_trained;
    uint16_t *rank[2];
    float *vectors;
} work;

static dip_status put_scores(work *w, size_t split, dip_error *err) {
    const dip_questions *questions = &w->run->data->questions[split];
    const dip_config *config = &w->config;
    double *mean = NULL;
    json_t *scores = NULL;
    dip_scores table;
    DIP_TRY(dip_json_new_object(&scores, err));
    DIP_TRY(dip_json_set(w->content, SCORE_KEYS[split], scores, err));
    DIP_TRY(dip_scores_from_ranks(&table, questions, w->rank[split], dip_run_longest(config),
                                  &config->evaluate.k, config->evaluate.protocol, err));
    mean = dip_alloc(table.width, sizeof *mean, "metrics", err);
    dip_status status = mean != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        dip_scores_mean(&table, mean);
    }
    for (size_t at = 0; at < table.width && status == DIP_OK; at++) {
        const size_t slice = at / (table.k.n * DIP_N_METRICS);
        char key[64];
        snprintf(key, sizeof key, "%s/%s@%lld", dip_slice_names[slice],
                 dip_metric_names[at % DIP_N_METRICS],
                 (long long)table.k.value[at / DIP_N_METRICS % table.k.n]);
        status = dip_json_set(scores, key,
                              table.pairs[slice] > 0 ? json_real(mean[at]) : json_null(), err);
    }
    dip_free(mean);
    dip_scores_free(&table);
    return status;
}

static dip_status rank_split(work *w, size_t split, dip_error *err) {
    const dip_study_data *data = w->run->data;
    const dip_questions *questions = &data->questions[split];
    const size_t pairs = (size_t)(questions->n > 0 ? questions->start[questions->n] : 0);
    w->rank[split] = dip_alloc(pairs, sizeof *w->rank[split], "ranks", err);
    if (w->rank[split] == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(dip_rank_pairs(&w->trained.towers, data->dataset, &w->config, questions,
                           dip_run_longest(&w->config), w->watch, w->rank[split], err));
    return put_scores(w, split, err);
}

static dip_status encode_items(work *w, dip_error *err) {
    const dip_dataset *dataset = w->run->data->dataset;
    const dip_towers *towers = &w->trained.towers;
    const size_t n = (size_t)dataset->items.n;
    w->vectors = dip_alloc(n, towers->item.output * sizeof *w->vectors, "item vectors", err);
    if (w->vectors == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_encode_job job = {.towers = towers,
                                .side = DIP_SIDE_ITEM,
                                .rows = &dataset->items,
                                .n = n,
                                .threads = dip_engine_threads(&w->config),
                                .watch = w->watch};
    return dip_encode(&job, w->vectors, err);
}

/* What a training that ended in an earlier process says is of the epoch that it kept; the curve is
 * whole, so that the number of epochs comes from there. */
static dip_status put_training(work *w, json_t *report, double seconds, dip_error *err) {
    static const char *const KEYS[] = {"best_epoch", "best_validation", "precision"};
    DIP_TRY(dip_curve_read(&w->trained.folder, w->content, err));
    const json_t *epochs = json_object_get(json_object_get(w->content, "curve"), "epoch");
    const json_t *last = json_array_get(epochs, json_array_size(epochs) - 1);
    DIP_TRY(dip_json_set(w->content, "epochs", json_integer(json_integer_value(last)), err));
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        json_t *value = json_object_get(report, KEYS[i]);
        if (value != NULL) {
            DIP_TRY(dip_json_set(w->content, KEYS[i], json_incref(value), err));
        }
    }
    return dip_json_set(w->content, "seconds", json_real(seconds), err);
}

/* A training that diverged has no model worth ranking by. */
static dip_status put_failure(work *w, const dip_error *why, double seconds, dip_error *err) {
    DIP_TRY(dip_json_set(w->content, "failed", json_string(why->message), err));
    return dip_json_set(w->content, "seconds", json_real(seconds), err);
}

static dip_status train(work *w, dip_error *err) {
    json_t *report = NULL;
    const double start = dip_seconds();
    const dip_run_request request = {
        .output = w->model, .replaces = true, .resumes = true, .watch = w->watch};
    dip_status status = dip_train_run(w->run->data->dataset, &w->config, &request, &report, err);
    const double seconds = dip_seconds() - start;
    if (status == DIP_ERR_NONFINITE) {
        const dip_error why = *err;
        return put_failure(w, &why, seconds, err);
    }
    if (status == DIP_OK) {
        status = dip_model_read(&w->trained, w->model, err);
    }
    if (status == DIP_OK) {
        w->is_trained = true;
        status = put_training(w, report, seconds, err);
    }
    json_decref(report);
    return status;
}

static dip_status put_parts(const work *w, dip_folder_writer *writer, dip_error *err) {
    const dip_study_data *data = w->run->data;
    for (size_t split = 0; split < 2 && w->is_trained; split++) {
        const dip_questions *questions = &data->questions[split];
        const int64_t pairs = questions->n > 0 ? questions->start[questions->n] : 0;
        if (w->rank[split] == NULL) {
            continue;
        }
        int32_t *wide = dip_alloc((size_t)pairs, sizeof *wide, "ranks", err);
        if (wide == NULL) {
            return DIP_ERR_MEMORY;
        }
        for (int64_t i = 0; i < pairs; i++) {
            wide[i] = w->rank[split][i];
        }
        const dip_status status =
            dip_npy_put(writer, RANK_PARTS[split], DIP_NPY_I32, wide, pairs, 0, err);
        dip_free(wide);
        DIP_TRY(status);
    }
    if (w->vectors == NULL) {
        return DIP_OK;
    }
    return dip_npy_put(writer, VECTORS_PART, DIP_NPY_F32, w->vectors, data->dataset->items.n,
                       (int64_t)w->trained.towers.item.output, err);
}

static dip_status publish(const work *w, dip_error *err) {
    dip_folder_writer writer = {0};
    dip_status status = dip_folder_create(&writer, w->path, true, err);
    if (status == DIP_OK) {
        status = put_parts(w, &writer, err);
    }
    if (status == DIP_OK) {
        status = dip_folder_publish(&writer, DIP_RUN_FORMAT, VERSION, w->content, err);
    }
    dip_folder_abort(&writer);
    return status;
}

/* What a run leaves beside its folder while it is made. */
static void remove_training(const char *folder, const char *key) {
    static const char *const ENDS[] = {"", ".checkpoints"};
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, TRAINING "%.32s%s", key, ENDS[i]);
        dip_discard_folder(folder, name);
    }
}

static dip_status make(work *w, dip_error *err) {
    json_t *options = NULL;
    DIP_TRY(dip_json_new_object(&w->content, err));
    DIP_TRY(dip_config_to_json(&w->run->config, &options, err));
    DIP_TRY(dip_json_set(w->content, "options", options, err));
    DIP_TRY(train(w, err));
    if (w->is_trained) {
        DIP_TRY(rank_split(w, 0, err));
    }
    if (w->is_trained && w->run->tests) {
        DIP_TRY(rank_split(w, 1, err));
    }
    if (w->is_trained && w->run->keeps_vectors) {
        DIP_TRY(encode_items(w, err));
    }
    return publish(w, err);
}

static char *path_of(const char *folder, const char *prefix, const char *key, dip_error *err) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    return dip_path_join(folder, name, err);
}

dip_status dip_run_make(const char *folder, const dip_run *run, int threads, const dip_watch *watch,
                        dip_error *err) {
    work w = {.run = run, .config = run->config, .watch = watch};
    w.config.threads = threads;
    w.path = path_of(folder, "", run->key, err);
    w.model = w.path != NULL ? path_of(folder, TRAINING, run->key, err) : NULL;
    if (w.model != NULL && dip_path_exists(w.path)) { /* it would be made already, were it whole */
        dip_discard_folder(folder, run->key);
    }
    const dip_status status = w.model != NULL ? make(&w, err) : DIP_ERR_MEMORY;
    if (w.is_trained) {
        dip_model_release(&w.trained);
    }
    if (status == DIP_OK) {
        remove_training(folder, run->key);
    }
    json_decref(w.content);
    dip_free(w.rank[0]);
    dip_free(w.rank[1]);
    dip_free(w.vectors);
    dip_free(w.path);
    dip_free(w.model);
    return status;
}

void dip_runs_sweep(const char *folder) {
    DIR *runs = opendir(folder);
    for (struct dirent *entry = runs != NULL ? readdir(runs) : NULL; entry != NULL;
         entry = readdir(runs)) {
        const size_t length = sizeof TRAINING - 1;
        const char *key = entry->d_name + length;
        char path[4096];
        if (strncmp(entry->d_name, TRAINING, length) != 0 || strlen(key) != DIP_RUN_KEY_BYTES - 1) {
            continue;
        }
        const int n = snprintf(path, sizeof path, "%s/%s", folder, key);
        if (n > 0 && (size_t)n < sizeof path && dip_path_exists(path)) {
            remove_training(folder, key);
        }
    }
    if (runs != NULL) {
        closedir(runs);
    }
}

/* ---- results --------------------------------------------------------------------------------- */

static dip_status read_content(dip_run_result *result, dip_error *err) {
    const json_t *content = result->folder.manifest;
    result->failed = json_object_get(content, "failed") != NULL;
    result->validation = -1;
    if (result->failed) {
        return DIP_OK;
    }
    for (size_t split = 0; split < 2; split++) {
        result->scores[split] = json_object_get(content, SCORE_KEYS[split]);
    }
    return dip_json_number(content, "best_validation", &result->validation, err);
}

dip_status dip_run_open(dip_run_result *result, const char *folder, const char *key,
                        dip_error *err) {
    char *path = dip_path_join(folder, key, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    memset(result, 0, sizeof *result);
    dip_status status = dip_folder_open(&result->folder, path, DIP_RUN_FORMAT, VERSION, err);
    dip_free(path);
    DIP_TRY(status);
    status = read_content(result, err);
    if (status != DIP_OK) {
        dip_run_close(result);
    }
    return status;
}

bool dip_run_is_made(const char *folder, const dip_run *run) {
    dip_run_result result;
    dip_error err;
    if (dip_run_open(&result, folder, run->key, &err) != DIP_OK) {
        return false;
    }
    bool is_whole = true;
    for (size_t split = 0; split < 2; split++) {
        is_whole =
            is_whole && (result.scores[split] == NULL ||
                         dip_folder_check(&result.folder, RANK_PARTS[split], &err) == DIP_OK);
    }
    is_whole = is_whole && (result.failed || result.scores[0] != NULL) &&
               (result.failed || !run->tests || result.scores[1] != NULL) &&
               (result.failed || !run->keeps_vectors ||
                dip_folder_check(&result.folder, VECTORS_PART, &err) == DIP_OK);
    dip_run_close(&result);
    return is_whole;
}

dip_status dip_run_ranks(const dip_run_result *result, size_t split, size_t pairs, uint16_t *rank,
                         dip_error *err) {
    dip_map map;
    dip_npy npy;
    DIP_TRY(dip_folder_map(&result->folder, RANK_PARTS[split], &map, err));
    dip_status status = dip_npy_parse(&npy, map.data, map.bytes, RANK_PARTS[split], err);
    if (status == DIP_OK && (npy.type != DIP_NPY_I32 || npy.rows != (int64_t)pairs)) {
        status = dip_fail(err, DIP_ERR_FORMAT, "%s/%s does not fit the dataset",
                          result->folder.path, RANK_PARTS[split]);
    }
    for (size_t i = 0; i < pairs && status == DIP_OK; i++) {
        rank[i] = (uint16_t)((const int32_t *)npy.data)[i];
    }
    dip_map_close(&map);
    return status;
}

dip_status dip_run_vectors(const dip_run_result *result, dip_map *map, const float **vectors,
                           int64_t *items, int64_t *width, dip_error *err) {
    dip_npy npy;
    DIP_TRY(dip_folder_map(&result->folder, VECTORS_PART, map, err));
    dip_status status = dip_npy_parse(&npy, map->data, map->bytes, VECTORS_PART, err);
    if (status == DIP_OK && (npy.type != DIP_NPY_F32 || npy.columns < 1)) {
        status = dip_fail(err, DIP_ERR_FORMAT, "%s/%s holds no vectors", result->folder.path,
                          VECTORS_PART);
    }
    if (status != DIP_OK) {
        dip_map_close(map);
        return status;
    }
    *vectors = npy.data;
    *items = npy.rows;
    *width = npy.columns;
    return DIP_OK;
}

void dip_run_close(dip_run_result *result) {
    dip_folder_close(&result->folder);
    memset(result, 0, sizeof *result);
}
