/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions: they check arguments, own the handles, and delegate.
 */
#include "api/arguments.h"
#include "api/report.h"
#include "base/mem.h"
#include "check/check.h"
#include "config/config.h"
#include "config/config_yaml.h"
#include "engine/encode.h"
#include "engine/engine.h"
#include "engine/rank.h"
#include "evaluate/evaluate.h"
#include "prepare/prepare.h"
#include "retrieve/index.h"
#include "train/run.h"
#include "train/trainer.h"

#include <string.h>

/* Allocates a handle. */
static dip_status make_handle(void *slot, size_t size, const char *what, dip_error *err) {
    void *handle = dip_alloc(1, size, what, err);
    if (handle == NULL) {
        return DIP_ERR_MEMORY;
    }
    memcpy(slot, &handle, sizeof handle);
    return DIP_OK;
}

/* ---- options --------------------------------------------------------------------------------- */

size_t dip_option_count(void) {
    return dip_config_table.n;
}

dip_status dip_option_get(size_t index, dip_option_info *info, dip_error *err) {
    return dip_describe_option(&dip_config_table, index, info, err);
}

size_t dip_feature_setting_count(void) {
    return dip_feature_table.n;
}

dip_status dip_feature_setting_get(size_t index, dip_option_info *info, dip_error *err) {
    return dip_describe_option(&dip_feature_table, index, info, err);
}

dip_status dip_config_create(dip_config **config, dip_error *err) {
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(make_handle(config, sizeof **config, "a configuration", err));
    dip_options_default(&dip_config_table, *config, sizeof **config);
    return DIP_OK;
}

void dip_config_free(dip_config *config) {
    dip_free(config);
}

dip_status dip_config_set(dip_config *config, const char *key, const char *value, dip_error *err) {
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(key, "key", err));
    DIP_TRY(dip_need(value, "value", err));
    return dip_options_set(&dip_config_table, config, key, value, err);
}

dip_status dip_config_get(const dip_config *config, const char *key, char *value, size_t capacity,
                          dip_error *err) {
    char text[DIP_VALUE_MAX];
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(key, "key", err));
    DIP_TRY(dip_need(value, "value", err));
    const dip_option *row = dip_options_find(&dip_config_table, key);
    if (row == NULL) {
        return dip_fail(err, DIP_ERR_USAGE, "unknown option \"%s\"", key);
    }
    dip_options_get(row, config, text);
    if (strlen(text) >= capacity) {
        return dip_fail(err, DIP_ERR_USAGE, "the value of %s needs %zu bytes", key,
                        strlen(text) + 1);
    }
    memcpy(value, text, strlen(text) + 1);
    return DIP_OK;
}

dip_status dip_config_load(dip_config *config, const char *path, dip_error *err) {
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(path, "path", err));
    return dip_config_read(config, path, err);
}

dip_status dip_config_preset(dip_config *config, const char *name, dip_error *err) {
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(name, "name", err));
    return dip_config_apply_preset(config, name, err);
}

static dip_status copy_config(dip_config **copy, const dip_config *config, dip_error *err) {
    DIP_TRY(make_handle(copy, sizeof **copy, "a configuration", err));
    **copy = *config;
    return DIP_OK;
}

/* ---- projects and datasets ------------------------------------------------------------------- */

dip_status dip_project_load(dip_project **project, const char *path, dip_error *err) {
    dip_project *loaded = NULL;
    DIP_TRY(dip_need(project, "project", err));
    DIP_TRY(dip_need(path, "path", err));
    DIP_TRY(make_handle(&loaded, sizeof *loaded, "a project", err));
    const dip_status status = dip_project_read(loaded, path, err);
    if (status != DIP_OK) {
        dip_free(loaded);
        return status;
    }
    *project = loaded;
    return DIP_OK;
}

void dip_project_free(dip_project *project) {
    if (project != NULL) {
        dip_project_release(project);
    }
    dip_free(project);
}

dip_status dip_project_set(dip_project *project, const char *key, const char *value,
                           dip_error *err) {
    DIP_TRY(dip_need(project, "project", err));
    return dip_config_set(&project->config, key, value, err);
}

dip_status dip_prepare(const dip_project *project, const char *output, unsigned flags,
                       const dip_watch *watch, dip_report **report, dip_error *err) {
    json_t *summary = NULL;
    DIP_TRY(dip_need(project, "project", err));
    DIP_TRY(dip_need(output, "output", err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE, err));
    DIP_TRY(dip_project_check(project, err));
    DIP_TRY(dip_prepare_dataset(project, output, (flags & DIP_REPLACE) != 0, watch,
                                report != NULL ? &summary : NULL, err));
    return report != NULL ? dip_report_wrap(report, summary, err) : DIP_OK;
}

dip_status dip_dataset_open(dip_dataset **dataset, const char *path, dip_error *err) {
    dip_dataset *opened = NULL;
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(path, "path", err));
    DIP_TRY(make_handle(&opened, sizeof *opened, "a dataset", err));
    const dip_status status = dip_dataset_load(opened, path, err);
    if (status != DIP_OK) {
        dip_free(opened);
        return status;
    }
    *dataset = opened;
    return DIP_OK;
}

void dip_dataset_close(dip_dataset *dataset) {
    if (dataset != NULL) {
        dip_dataset_release(dataset);
    }
    dip_free(dataset);
}

dip_status dip_dataset_config(const dip_dataset *dataset, dip_config **config, dip_error *err) {
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(config, "config", err));
    return copy_config(config, &dataset->config, err);
}

int64_t dip_dataset_item_count(const dip_dataset *dataset) {
    return dataset->items.n;
}

int64_t dip_dataset_query_count(const dip_dataset *dataset) {
    return dip_dataset_rows(dataset, DIP_SIDE_QUERY)->n;
}

int64_t dip_dataset_pair_count(const dip_dataset *dataset, const char *split) {
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        if (strcmp(split, dip_split_names[s]) == 0) {
            return dataset->n_pairs[s];
        }
    }
    return -1;
}

static const char *string_of(const dip_dataset *dataset, const dip_strings *strings, int64_t row,
                             size_t *length) {
    if (row < 0 || row >= dataset->items.n) {
        *length = 0;
        return NULL;
    }
    return dip_strings_at(strings, row, length);
}

const char *dip_dataset_item_id(const dip_dataset *dataset, int64_t item, size_t *length) {
    return string_of(dataset, &dataset->items.ids, item, length);
}

const char *dip_dataset_item_title(const dip_dataset *dataset, int64_t item, size_t *length) {
    return string_of(dataset, &dataset->items.titles, item, length);
}

dip_status dip_check(const dip_dataset *dataset, const dip_config *config, unsigned flags,
                     const dip_watch *watch, dip_report **report, dip_error *err) {
    json_t *json = NULL;
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(report, "report", err));
    DIP_TRY(dip_need_flags(flags, DIP_QUICK, err));
    DIP_TRY(dip_check_dataset(dataset, config, (flags & DIP_QUICK) == 0, watch, &json, err));
    return dip_report_wrap(report, json, err);
}

/* ---- training -------------------------------------------------------------------------------- */

dip_status dip_trainer_create(dip_trainer **trainer, const dip_dataset *dataset,
                              const dip_config *config, dip_error *err) {
    dip_trainer *created = NULL;
    DIP_TRY(dip_need(trainer, "trainer", err));
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(make_handle(&created, sizeof *created, "a trainer", err));
    const dip_status status = dip_trainer_init(created, dataset, config, err);
    if (status != DIP_OK) {
        dip_free(created);
        return status;
    }
    *trainer = created;
    return DIP_OK;
}

void dip_trainer_free(dip_trainer *trainer) {
    if (trainer != NULL) {
        dip_trainer_release(trainer);
    }
    dip_free(trainer);
}

dip_status dip_trainer_step(dip_trainer *trainer, dip_step *step, dip_error *err) {
    DIP_TRY(dip_need(trainer, "trainer", err));
    return dip_trainer_advance(trainer, step, err);
}

void dip_trainer_skip(dip_trainer *trainer) {
    dip_trainer_pass_over(trainer);
}

dip_status dip_trainer_save(const dip_trainer *trainer, const char *path, unsigned flags,
                            dip_error *err) {
    DIP_TRY(dip_need(trainer, "trainer", err));
    DIP_TRY(dip_need(path, "path", err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE, err));
    const dip_model_source source = {.towers = dip_engine_towers(trainer->engine),
                                     .config = &trainer->config,
                                     .dataset = trainer->dataset};
    return dip_model_write(&source, path, (flags & DIP_REPLACE) != 0, err);
}

dip_status dip_train(const dip_dataset *dataset, const dip_config *config, const char *output,
                     unsigned flags, const dip_watch *watch, dip_report **report, dip_error *err) {
    json_t *state = NULL;
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(output, "output", err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE | DIP_RESUME, err));
    const dip_run_request request = {.output = output,
                                     .replaces = (flags & DIP_REPLACE) != 0,
                                     .resumes = (flags & DIP_RESUME) != 0,
                                     .watch = watch};
    DIP_TRY(dip_train_run(dataset, config, &request, report != NULL ? &state : NULL, err));
    return report != NULL ? dip_report_wrap(report, state, err) : DIP_OK;
}

/* ---- models ---------------------------------------------------------------------------------- */

dip_status dip_model_load(dip_model **model, const char *path, dip_error *err) {
    dip_model *loaded = NULL;
    DIP_TRY(dip_need(model, "model", err));
    DIP_TRY(dip_need(path, "path", err));
    DIP_TRY(make_handle(&loaded, sizeof *loaded, "a model", err));
    const dip_status status = dip_model_read(loaded, path, err);
    if (status != DIP_OK) {
        dip_free(loaded);
        return status;
    }
    *model = loaded;
    return DIP_OK;
}

void dip_model_free(dip_model *model) {
    if (model != NULL) {
        dip_model_release(model);
    }
    dip_free(model);
}

size_t dip_model_dim(const dip_model *model) {
    return model->towers.item.output;
}

const char *dip_model_dataset_path(const dip_model *model) {
    const char *path =
        json_string_value(json_object_get(json_object_get(model->description, "dataset"), "path"));
    return path != NULL ? path : "";
}

dip_status dip_model_config(const dip_model *model, dip_config **config, dip_error *err) {
    DIP_TRY(dip_need(model, "model", err));
    DIP_TRY(dip_need(config, "config", err));
    return copy_config(config, &model->config, err);
}

static dip_status narrow_rows(const int64_t *rows, size_t n, int64_t limit, int32_t *narrow,
                              dip_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= limit) {
            return dip_fail(err, DIP_ERR_USAGE, "row %lld is not in 0 to %lld", (long long)rows[i],
                            (long long)limit - 1);
        }
        narrow[i] = (int32_t)rows[i];
    }
    return DIP_OK;
}

static dip_status encode_rows(const dip_model *model, const dip_dataset *dataset, dip_side side,
                              const int64_t *rows, size_t n, float *vectors, dip_error *err) {
    DIP_TRY(dip_need(model, "model", err));
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(rows, "rows", err));
    DIP_TRY(dip_need(vectors, "vectors", err));
    DIP_TRY(dip_model_check_dataset(model, dataset, err));
    int32_t *narrow = dip_alloc(n, sizeof *narrow, "rows to encode", err);
    if (narrow == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_rows *source = dip_dataset_rows(dataset, side);
    dip_status status = narrow_rows(rows, n, source->n, narrow, err);
    if (status == DIP_OK) {
        const dip_encode_job job = {.towers = &model->towers,
                                    .side = side,
                                    .rows = source,
                                    .row = narrow,
                                    .n = n,
                                    .threads = dip_engine_threads(&model->config)};
        status = dip_encode(&job, vectors, err);
    }
    dip_free(narrow);
    return status;
}

dip_status dip_model_encode_items(const dip_model *model, const dip_dataset *dataset,
                                  const int64_t *rows, size_t n, float *vectors, dip_error *err) {
    return encode_rows(model, dataset, DIP_SIDE_ITEM, rows, n, vectors, err);
}

dip_status dip_model_encode_queries(const dip_model *model, const dip_dataset *dataset,
                                    const int64_t *rows, size_t n, float *vectors, dip_error *err) {
    return encode_rows(model, dataset, DIP_SIDE_QUERY, rows, n, vectors, err);
}

dip_status dip_model_encode_features(const dip_model *model, const char *side,
                                     const char *const *names, const char *const *values, size_t n,
                                     float *vector, dip_error *err) {
    dip_cells cells;
    DIP_TRY(dip_need(model, "model", err));
    DIP_TRY(dip_need(side, "side", err));
    DIP_TRY(dip_need(vector, "vector", err));
    const bool is_query = strcmp(side, "query") == 0;
    if (!is_query && strcmp(side, "item") != 0) {
        return dip_fail(err, DIP_ERR_USAGE, "side \"%s\" is neither item nor query", side);
    }
    const dip_side which = is_query ? DIP_SIDE_QUERY : DIP_SIDE_ITEM;
    DIP_TRY(dip_cells_create(&cells, model, which, names, values, n, err));
    const dip_encode_job job = {
        .towers = &model->towers, .side = which, .rows = &cells.rows, .n = 1, .threads = 1};
    const dip_status status = dip_encode(&job, vector, err);
    dip_cells_free(&cells);
    return status;
}

dip_status dip_evaluate(const dip_model *model, const dip_dataset *dataset,
                        const dip_config *config, const dip_watch *watch, dip_report **report,
                        dip_error *err) {
    json_t *json = NULL;
    DIP_TRY(dip_need(model, "model", err));
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(dip_need(config, "config", err));
    DIP_TRY(dip_need(report, "report", err));
    DIP_TRY(dip_model_check_dataset(model, dataset, err));
    DIP_TRY(dip_evaluate_report(&model->towers, dataset, config, watch, &json, err));
    return dip_report_wrap(report, json, err);
}

/* ---- retrieval ------------------------------------------------------------------------------- */

dip_status dip_index_build(dip_index **index, const dip_model *model, const dip_dataset *dataset,
                           const dip_watch *watch, dip_error *err) {
    dip_index *built = NULL;
    DIP_TRY(dip_need(index, "index", err));
    DIP_TRY(dip_need(model, "model", err));
    DIP_TRY(dip_need(dataset, "dataset", err));
    DIP_TRY(make_handle(&built, sizeof *built, "an index", err));
    const dip_status status = dip_index_make(built, model, dataset, watch, err);
    if (status != DIP_OK) {
        dip_free(built);
        return status;
    }
    *index = built;
    return DIP_OK;
}

void dip_index_free(dip_index *index) {
    if (index != NULL) {
        dip_index_release(index);
    }
    dip_free(index);
}

static dip_status check_k(size_t k, dip_error *err) {
    return k >= 1 && k <= INT32_MAX ? DIP_OK
                                    : dip_fail(err, DIP_ERR_USAGE, "k is %zu, not 1 or more", k);
}

dip_status dip_index_search(const dip_index *index, const float *queries, size_t n, size_t k,
                            int64_t *items, float *scores, dip_error *err) {
    DIP_TRY(dip_need(index, "index", err));
    DIP_TRY(dip_need(queries, "queries", err));
    DIP_TRY(dip_need(items, "items", err));
    DIP_TRY(dip_need(scores, "scores", err));
    DIP_TRY(check_k(k, err));
    const dip_rank_job job = {.queries = queries,
                              .n = n,
                              .catalogue = index->items,
                              .m = (size_t)index->dataset->items.n,
                              .d = index->model->towers.item.output,
                              .k = k,
                              .threads = index->threads};
    return dip_rank(&job, items, scores, err);
}

dip_status dip_index_recommend(const dip_index *index, const char *query_id, size_t k,
                               int64_t *items, float *scores, size_t *found, dip_error *err) {
    DIP_TRY(dip_need(index, "index", err));
    DIP_TRY(dip_need(query_id, "query_id", err));
    DIP_TRY(dip_need(items, "items", err));
    DIP_TRY(dip_need(scores, "scores", err));
    DIP_TRY(dip_need(found, "found", err));
    DIP_TRY(check_k(k, err));
    return dip_index_for_query(index, query_id, k, items, scores, found, err);
}
