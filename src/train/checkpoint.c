/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include "base/mem.h"
#include "model/safetensors.h"
#include "train/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define TENSOR_PART "checkpoint.safetensors"
#define METRICS_PART "metrics.jsonl"
#define QUARANTINE_PART "quarantine.jsonl"

enum { STATES = 4 }; /* tensors of a checkpoint for one of the model: itself, two of Adam, a mean */

/* ---- tensors --------------------------------------------------------------------------------- */

/* Appends a tensor that borrows its values. */
static dip_status add_view(dip_params *views, const char *prefix, const dip_param *param,
                           size_t size, dip_real *value, dip_error *err) {
    dip_param *view = &views->list[views->n];
    const int length = snprintf(view->name, sizeof view->name, "%s/%s", prefix, param->name);
    if (length < 0 || (size_t)length >= sizeof view->name) {
        return dip_fail(err, DIP_ERR_FAILED, "the name of tensor \"%s\" is too long", param->name);
    }
    const bool is_like_param = size == dip_param_size(param);
    view->rows = is_like_param ? param->rows : size;
    view->columns = is_like_param ? param->columns : 1;
    view->value = value;
    views->n++;
    return DIP_OK;
}

static dip_status add_views(dip_params *views, const dip_trainer *trainer, dip_error *err) {
    const dip_optimizer *optimizer = dip_engine_optimizer(trainer->engine);
    const dip_params *params = &dip_engine_towers(trainer->engine)->params;
    for (size_t i = 0; i < params->n; i++) {
        const dip_param *param = &params->list[i];
        const size_t first = dip_optimizer_first_size(optimizer, param);
        const size_t second = dip_optimizer_second_size(optimizer, param);
        DIP_TRY(add_view(views, "value", param, dip_param_size(param), param->value, err));
        if (first > 0) {
            DIP_TRY(add_view(views, "first", param, first, optimizer->first[i], err));
        }
        if (second > 0) {
            DIP_TRY(add_view(views, "second", param, second, optimizer->second[i], err));
        }
        if (trainer->average.memory > 0) {
            DIP_TRY(add_view(views, "mean", param, dip_param_size(param), trainer->average.mean[i],
                             err));
        }
    }
    return DIP_OK;
}

/* Parameters and optimizer state as one list of tensors over the trainer's own memory. The caller
 * dip_free()s views->list only. */
static dip_status make_views(dip_params *views, const dip_trainer *trainer, dip_error *err) {
    const size_t n = dip_engine_towers(trainer->engine)->params.n;
    views->n = 0;
    views->list = dip_alloc(STATES * n, sizeof *views->list, "a list of tensors", err);
    if (views->list == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = add_views(views, trainer, err);
    if (status != DIP_OK) {
        dip_free(views->list);
    }
    return status;
}

static uint64_t bytes_of(const dip_params *views, const dip_record *record) {
    uint64_t bytes = record->metrics.length + record->quarantine.length;
    for (size_t i = 0; i < views->n; i++) {
        bytes += dip_param_size(&views->list[i]) * sizeof(float);
    }
    return bytes;
}

/* ---- writing --------------------------------------------------------------------------------- */

static dip_status describe_average(const dip_average *average, json_t *content, dip_error *err) {
    if (average->memory == 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_json_set(content, "averaged", json_integer(average->count), err));
    return dip_json_set(content, "averaged_step", json_integer(average->step), err);
}

static dip_status describe(const dip_trainer *trainer, const dip_record *record, json_t *content,
                           dip_error *err) {
    json_t *config = NULL;
    json_t *state = NULL;
    const int64_t t = dip_engine_optimizer(trainer->engine)->t;
    DIP_TRY(dip_json_set(content, "created_by", json_string(dip_version()), err));
    DIP_TRY(dip_json_set(content, "step", json_integer(trainer->step), err));
    DIP_TRY(dip_json_set(content, "optimizer_step", json_integer(t), err));
    DIP_TRY(describe_average(&trainer->average, content, err));
    DIP_TRY(dip_json_new_object(&state, err));
    DIP_TRY(dip_json_set(content, "state", state, err));
    DIP_TRY(dip_record_to_json(record, state, err));
    DIP_TRY(dip_config_to_json(&trainer->config, &config, err));
    DIP_TRY(dip_json_set(content, "config", config, err));
    DIP_TRY(dip_model_describe_dataset(trainer->dataset, content, err));
    return dip_machine_describe(&trainer->config, content, err);
}

static dip_status put_text(dip_folder_writer *folder, const char *name, const dip_text *text,
                           dip_error *err) {
    return dip_folder_put(folder, name, text->data != NULL ? text->data : "", text->length, err);
}

static dip_status put_parts(dip_folder_writer *folder, const dip_params *views,
                            const dip_record *record, dip_error *err) {
    DIP_TRY(dip_safetensors_put(folder, TENSOR_PART, views, err));
    DIP_TRY(put_text(folder, METRICS_PART, &record->metrics, err));
    return record->quarantine.length > 0
               ? put_text(folder, QUARANTINE_PART, &record->quarantine, err)
               : DIP_OK;
}

static dip_status write_folder(const dip_params *views, const dip_record *record,
                               const json_t *content, const char *path, dip_error *err) {
    dip_folder_writer folder;
    DIP_TRY(dip_folder_create(&folder, path, true, err));
    dip_status status = put_parts(&folder, views, record, err);
    if (status == DIP_OK) {
        status = dip_folder_publish(&folder, DIP_CHECKPOINT_FORMAT, DIP_CHECKPOINT_VERSION, content,
                                    err);
    }
    dip_folder_abort(&folder);
    return status;
}

/* Says how much room was needed and how much there is, once the temporary folder is gone. */
static dip_status explain(dip_status status, uint64_t needed, const char *path, dip_error *err) {
    struct statvfs disk;
    char *folder = dip_path_folder(path, NULL);
    if (status == DIP_ERR_IO && folder != NULL && statvfs(folder, &disk) == 0) {
        const unsigned long long room = (unsigned long long)disk.f_bavail * disk.f_frsize;
        dip_fail_context(err, status, "checkpoint %s (%llu bytes needed, %llu free)", path,
                         (unsigned long long)needed, room);
    } else {
        dip_fail_context(err, status, "checkpoint %s", path);
    }
    dip_free(folder);
    return status;
}

static dip_status write(const dip_trainer *trainer, const dip_record *record, json_t *content,
                        const char *path, dip_error *err) {
    dip_params views;
    DIP_TRY(describe(trainer, record, content, err));
    DIP_TRY(make_views(&views, trainer, err));
    const dip_status status = write_folder(&views, record, content, path, err);
    const uint64_t needed = bytes_of(&views, record);
    dip_free(views.list);
    return status == DIP_OK ? DIP_OK : explain(status, needed, path, err);
}

dip_status dip_checkpoint_write(const dip_trainer *trainer, const dip_record *record,
                                const char *path, dip_error *err) {
    json_t *content = NULL;
    DIP_TRY(dip_json_new_object(&content, err));
    const dip_status status = write(trainer, record, content, path, err);
    json_decref(content);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

static dip_status verify(dip_checkpoint *checkpoint, dip_error *err) {
    const json_t *manifest = checkpoint->folder.manifest;
    const char *name = NULL;
    json_t *part = NULL;
    json_object_foreach(json_object_get(manifest, "parts"), name, part) {
        DIP_TRY(dip_folder_check(&checkpoint->folder, name, err));
    }
    const dip_status status =
        dip_json_integer(manifest, "step", 0, INT64_MAX, &checkpoint->step, err);
    return status == DIP_OK ? DIP_OK : dip_fail_context(err, status, "%s", checkpoint->folder.path);
}

dip_status dip_checkpoint_open(dip_checkpoint *checkpoint, const char *path, dip_error *err) {
    memset(checkpoint, 0, sizeof *checkpoint);
    char *manifest = dip_path_join(path, "manifest.json", err);
    if (manifest == NULL) {
        return DIP_ERR_MEMORY;
    }
    const bool has_manifest = dip_path_exists(manifest);
    dip_free(manifest);
    if (!has_manifest) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s has no manifest.json", path);
    }
    /* A newer version is not damage: dip_checkpoint_check tells. */
    dip_folder folder;
    DIP_TRY(dip_folder_open(&folder, path, DIP_CHECKPOINT_FORMAT, INT32_MAX, err));
    return dip_checkpoint_open_folder(checkpoint, &folder, err);
}

dip_status dip_checkpoint_open_folder(dip_checkpoint *checkpoint, dip_folder *folder,
                                      dip_error *err) {
    memset(checkpoint, 0, sizeof *checkpoint);
    checkpoint->folder = *folder;
    *folder = (dip_folder){0};
    const dip_status status = verify(checkpoint, err);
    if (status != DIP_OK) {
        dip_checkpoint_close(checkpoint);
    }
    return status;
}

void dip_checkpoint_close(dip_checkpoint *checkpoint) {
    dip_folder_close(&checkpoint->folder);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

/* Options that have no part in what is computed. */
static bool is_free(const char *key) {
    static const char *const FREE[] = {"threads", "train.checkpoint_every", "train.checkpoint_keep",
                                       "train.nonfinite_limit", "train.table_folder"};
    for (size_t i = 0; i < sizeof FREE / sizeof FREE[0]; i++) {
        if (strcmp(key, FREE[i]) == 0) {
            return true;
        }
    }
    return strncmp(key, "evaluate.", strlen("evaluate.")) == 0;
}

/* An option that is not stored was unknown when the file was written: it had its default. */
static dip_status check_option(const json_t *stored, const dip_option *row,
                               const dip_config *config, const char *path, dip_error *err) {
    char now[DIP_VALUE_MAX];
    const json_t *value = json_object_get(stored, row->key);
    const char *then = value == NULL ? row->fallback : json_string_value(value);
    dip_options_get(row, config, now);
    if (then == NULL || (!is_free(row->key) && strcmp(then, now) != 0)) {
        return dip_fail(err, DIP_ERR_USAGE, "%s: %s was \"%s\" then, and is \"%s\" now", path,
                        row->key, then != NULL ? then : "?", now);
    }
    return DIP_OK;
}

static dip_status check_options(const json_t *stored, const dip_config *config, const char *path,
                                dip_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(dip_json_readable(stored), key, value) {
        if (dip_options_find(&dip_config_table, key) == NULL) {
            return dip_fail(err, DIP_ERR_USAGE, "%s: option %s is unknown to this diptych (%s)",
                            path, key, dip_version());
        }
    }
    for (size_t i = 0; i < dip_config_table.n; i++) {
        DIP_TRY(check_option(stored, &dip_config_table.row[i], config, path, err));
    }
    return DIP_OK;
}

dip_status dip_checkpoint_check_origin(const json_t *description, const dip_trainer *trainer,
                                       const char *what, const char *path, dip_error *err) {
    json_t *dataset = NULL;
    json_t *config = NULL;
    const char *identity = NULL;
    const char *source = NULL;
    DIP_TRY(dip_json_object(description, "dataset", &dataset, err));
    DIP_TRY(dip_json_object(description, "config", &config, err));
    DIP_TRY(dip_json_text(dataset, "identity", &identity, err));
    DIP_TRY(dip_json_text(dataset, "path", &source, err));
    const char *wanted = dip_folder_identity(&trainer->dataset->folder);
    if (strcmp(identity, wanted) != 0) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "%s %s was made from another dataset: %s with checksum %s; this is %s with "
                        "checksum %s",
                        what, path, source, identity, trainer->dataset->folder.path, wanted);
    }
    const dip_status status = check_options(config, &trainer->config, path, err);
    return status == DIP_OK ? DIP_OK
                            : dip_fail_context(err, status, "the %s has other options", what);
}

static dip_status check_version(const dip_checkpoint *checkpoint, dip_error *err) {
    int64_t version = 0;
    DIP_TRY(dip_json_integer(checkpoint->folder.manifest, "version", 1, INT32_MAX, &version, err));
    return version <= DIP_CHECKPOINT_VERSION
               ? DIP_OK
               : dip_fail(err, DIP_ERR_FORMAT,
                          "checkpoint %s has format version %lld; this diptych (%s) reads up to "
                          "%d: update it",
                          checkpoint->folder.path, (long long)version, dip_version(),
                          DIP_CHECKPOINT_VERSION);
}

dip_status dip_checkpoint_check(const dip_checkpoint *checkpoint, const dip_trainer *trainer,
                                dip_error *err) {
    const json_t *manifest = checkpoint->folder.manifest;
    const char *path = checkpoint->folder.path;
    DIP_TRY(check_version(checkpoint, err));
    DIP_TRY(dip_checkpoint_check_origin(manifest, trainer, "checkpoint", path, err));
    return dip_machine_check_precision(manifest, &trainer->config, path, err);
}

dip_status dip_checkpoint_compare_machine(const dip_checkpoint *checkpoint, dip_text *text,
                                          dip_error *err) {
    return dip_machine_compare(checkpoint->folder.manifest, text, err);
}

/* ---- restoring ------------------------------------------------------------------------------- */

static dip_status read_text(const dip_folder *folder, const char *name, dip_text *text,
                            dip_error *err) {
    dip_map map;
    dip_text_clear(text);
    DIP_TRY(dip_folder_map(folder, name, &map, err));
    const dip_status status = dip_text_put(text, (const char *)map.data, map.bytes, err);
    dip_map_close(&map);
    return status;
}

static dip_status read_tensors(const dip_folder *folder, dip_trainer *trainer, dip_error *err) {
    dip_params views;
    dip_map map;
    DIP_TRY(make_views(&views, trainer, err));
    dip_status status = dip_folder_map(folder, TENSOR_PART, &map, err);
    if (status == DIP_OK) {
        status = dip_safetensors_read(&views, &map, TENSOR_PART, err);
        dip_map_close(&map);
    }
    dip_free(views.list);
    return status;
}

/* Numbers that a damaged or forged manifest cannot have right by chance. */
static dip_status check_record(const dip_record *record, const dip_trainer *trainer, int64_t step,
                               dip_error *err) {
    const int64_t per_epoch = trainer->steps_per_epoch;
    const int64_t epoch_start =
        record->epochs <= trainer->config.train.epochs ? record->epochs * per_epoch : INT64_MAX;
    if (step > trainer->total_steps || step < epoch_start || step - epoch_start > per_epoch ||
        record->last.step > step || record->saved_step > step ||
        record->best_epoch >= trainer->config.train.epochs || record->skipped > step) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "its numbers contradict each other: step %lld of %lld, %lld epochs",
                        (long long)step, (long long)trainer->total_steps,
                        (long long)record->epochs);
    }
    return DIP_OK;
}

static dip_status restore_average(const json_t *manifest, const dip_trainer *trainer, int64_t step,
                                  dip_average *average, dip_error *err) {
    if (average->memory == 0) {
        return DIP_OK;
    }
    const int64_t ends = step / trainer->steps_per_epoch;
    DIP_TRY(dip_json_integer(manifest, "averaged", 0, ends, &average->count, err));
    return dip_json_integer(manifest, "averaged_step", 0, step, &average->step, err);
}

static dip_status restore(const dip_checkpoint *checkpoint, dip_trainer *trainer,
                          dip_record *record, dip_error *err) {
    const dip_folder *folder = &checkpoint->folder;
    json_t *state = NULL;
    int64_t t = 0;
    DIP_TRY(dip_json_object(folder->manifest, "state", &state, err));
    DIP_TRY(dip_json_integer(folder->manifest, "optimizer_step", 0, checkpoint->step, &t, err));
    DIP_TRY(dip_record_from_json(record, state, err));
    DIP_TRY(check_record(record, trainer, checkpoint->step, err));
    DIP_TRY(read_text(folder, METRICS_PART, &record->metrics, err));
    dip_text_clear(&record->quarantine);
    if (record->skipped > 0) {
        DIP_TRY(read_text(folder, QUARANTINE_PART, &record->quarantine, err));
    }
    DIP_TRY(restore_average(folder->manifest, trainer, checkpoint->step, &trainer->average, err));
    DIP_TRY(read_tensors(folder, trainer, err));
    trainer->step = checkpoint->step;
    dip_engine_optimizer(trainer->engine)->t = t;
    return DIP_OK;
}

dip_status dip_checkpoint_restore(const dip_checkpoint *checkpoint, dip_trainer *trainer,
                                  dip_record *record, dip_error *err) {
    const dip_status status = restore(checkpoint, trainer, record, err);
    return status == DIP_OK
               ? DIP_OK
               : dip_fail_context(err, status, "checkpoint %s", checkpoint->folder.path);
}
