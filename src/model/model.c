/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include "base/checked.h"
#include "base/mem.h"
#include "model/rare.h"
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_PART "config.json"
#define TENSOR_PART "model.safetensors"
#define METRICS_PART "metrics.jsonl"
#define QUARANTINE_PART "quarantine.jsonl"

/* ---- writing --------------------------------------------------------------------------------- */

static dip_status put_text(dip_folder_writer *folder, const char *name, const json_t *json,
                           dip_error *err) {
    char *text = NULL;
    DIP_TRY(dip_json_dump(json, &text, err));
    const dip_status status = dip_folder_put(folder, name, text, strlen(text), err);
    dip_free(text);
    return status;
}

dip_status dip_model_describe_dataset(const dip_dataset *dataset, json_t *object, dip_error *err) {
    char *path = realpath(dataset->folder.path, NULL);
    const dip_status status =
        dip_json_set(object, "dataset",
                     json_pack("{s:s, s:s}", "path", path != NULL ? path : dataset->folder.path,
                               "identity", dip_folder_identity(&dataset->folder)),
                     err);
    free(path);
    return status;
}

static dip_status fill_description(const dip_model_source *source, json_t *object, dip_error *err) {
    json_t *config = NULL;
    json_t *schema = NULL;
    DIP_TRY(dip_config_to_json(source->config, &config, err));
    DIP_TRY(dip_json_set(object, "config", config, err));
    DIP_TRY(dip_schema_to_json(&source->dataset->schema, &schema, err));
    DIP_TRY(dip_json_set(object, "schema", schema, err));
    DIP_TRY(dip_model_describe_dataset(source->dataset, object, err));
    if (source->training != NULL) {
        return dip_json_set(object, "training", json_incref(dip_json_readable(source->training)),
                            err);
    }
    return DIP_OK;
}

static dip_status put_description(dip_folder_writer *folder, const dip_model_source *source,
                                  dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    dip_status status = fill_description(source, object, err);
    if (status == DIP_OK) {
        status = put_text(folder, CONFIG_PART, object, err);
    }
    json_decref(object);
    return status;
}

/* Vocabularies are copied byte for byte. */
static dip_status copy_vocabularies(dip_folder_writer *folder, const dip_dataset *dataset,
                                    dip_error *err) {
    for (size_t t = 0; t < dataset->schema.n_tables; t++) {
        char name[DIP_PART_NAME_MAX];
        dip_map map;
        if (!dataset->schema.tables[t].is_vocabulary) {
            continue;
        }
        dip_part_name(name, "vocab", t, dataset->schema.tables[t].name, ".tsv");
        DIP_TRY(dip_folder_map(&dataset->folder, name, &map, err));
        const dip_status status = dip_folder_put(folder, name, map.data, map.bytes, err);
        dip_map_close(&map);
        DIP_TRY(status);
    }
    return DIP_OK;
}

static dip_status put_logs(dip_folder_writer *folder, const char *metrics, const char *quarantine,
                           dip_error *err) {
    const char *text = metrics != NULL ? metrics : "";
    DIP_TRY(dip_folder_put(folder, METRICS_PART, text, strlen(text), err));
    return quarantine == NULL || quarantine[0] == '\0'
               ? DIP_OK
               : dip_folder_put(folder, QUARANTINE_PART, quarantine, strlen(quarantine), err);
}

static dip_status put_parts(dip_folder_writer *folder, const dip_model_source *source,
                            dip_error *err) {
    dip_rare_fill(source->towers);
    const dip_status status =
        dip_safetensors_put(folder, TENSOR_PART, &source->towers->params, err);
    dip_rare_clear(source->towers);
    DIP_TRY(status);
    DIP_TRY(put_description(folder, source, err));
    DIP_TRY(copy_vocabularies(folder, source->dataset, err));
    return put_logs(folder, source->metrics, source->quarantine, err);
}

dip_status dip_model_write(const dip_model_source *source, const char *path, bool replace,
                           dip_error *err) {
    dip_folder_writer folder;
    DIP_TRY(dip_folder_create(&folder, path, replace, err));
    dip_status status = put_parts(&folder, source, err);
    if (status == DIP_OK) {
        status = dip_folder_publish(&folder, DIP_MODEL_FORMAT, DIP_MODEL_VERSION, NULL, err);
    }
    dip_folder_abort(&folder);
    return status;
}

/* ---- finishing ------------------------------------------------------------------------------- */

static dip_status copy_part(dip_folder_writer *to, const dip_folder *from, const char *name,
                            dip_error *err) {
    dip_map map;
    DIP_TRY(dip_folder_map(from, name, &map, err));
    const dip_status status = dip_folder_put(to, name, map.data, map.bytes, err);
    dip_map_close(&map);
    return status;
}

/* Everything but the logs, in the order in which dip_model_write puts it. */
static dip_status copy_parts(dip_folder_writer *to, const dip_folder *from, const json_t *finished,
                             dip_error *err) {
    const char *name = NULL;
    json_t *part = NULL;
    DIP_TRY(copy_part(to, from, TENSOR_PART, err));
    DIP_TRY(put_text(to, CONFIG_PART, finished, err));
    json_object_foreach(json_object_get(from->manifest, "parts"), name, part) {
        if (strncmp(name, "vocab-", strlen("vocab-")) == 0) {
            DIP_TRY(copy_part(to, from, name, err));
        }
    }
    return DIP_OK;
}

static dip_status republish(const dip_folder *old, const char *path, const dip_model_source *logs,
                            dip_error *err) {
    dip_folder_writer folder;
    json_t *description = NULL;
    DIP_TRY(dip_model_read_description(old, &description, err));
    dip_status status = dip_folder_create(&folder, path, true, err);
    if (status == DIP_OK) {
        status =
            dip_json_set(json_object_get(description, "training"), "finished", json_true(), err);
    }
    if (status == DIP_OK) {
        status = copy_parts(&folder, old, description, err);
    }
    if (status == DIP_OK) {
        status = put_logs(&folder, logs->metrics, logs->quarantine, err);
    }
    if (status == DIP_OK) {
        status = dip_folder_publish(&folder, DIP_MODEL_FORMAT, DIP_MODEL_VERSION, NULL, err);
    }
    dip_folder_abort(&folder);
    json_decref(description);
    return status;
}

dip_status dip_model_finish(const char *path, const char *metrics, const char *quarantine,
                            dip_error *err) {
    dip_folder old;
    const dip_model_source logs = {.metrics = metrics, .quarantine = quarantine};
    DIP_TRY(dip_folder_open(&old, path, DIP_MODEL_FORMAT, DIP_MODEL_VERSION, err));
    const dip_status status = republish(&old, path, &logs, err);
    dip_folder_close(&old);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

dip_status dip_model_read_description(const dip_folder *folder, json_t **description,
                                      dip_error *err) {
    dip_map map;
    DIP_TRY(dip_folder_map(folder, CONFIG_PART, &map, err));
    const dip_status status =
        dip_json_parse(description, (const char *)map.data, map.bytes, CONFIG_PART, err);
    dip_map_close(&map);
    return status;
}

static dip_status read_description(dip_model *model, dip_error *err) {
    json_t *config = NULL;
    json_t *schema = NULL;
    DIP_TRY(dip_model_read_description(&model->folder, &model->description, err));
    DIP_TRY(dip_json_object(model->description, "config", &config, err));
    DIP_TRY(dip_json_object(model->description, "schema", &schema, err));
    dip_options_default(&dip_config_table, &model->config, sizeof model->config);
    DIP_TRY(dip_config_from_json(&model->config, config, err));
    return dip_schema_from_json(&model->schema, schema, err);
}

/* Sizes that the file cannot hold are refused before memory is asked for. */
static dip_status check_tensor_bytes(const dip_params *params, const dip_map *map, dip_error *err) {
    size_t left = map->bytes / sizeof(float);
    for (size_t i = 0; i < params->n; i++) {
        const dip_param *param = &params->list[i];
        size_t size = 0;
        if (!dip_mul_ok(param->rows, param->columns, &size) || size > left) {
            return dip_fail(err, DIP_ERR_FORMAT,
                            "%s of %zu bytes is too small for tensor \"%s\" [%zu, %zu]",
                            TENSOR_PART, map->bytes, param->name, param->rows, param->columns);
        }
        left -= size;
    }
    return DIP_OK;
}

static dip_status read_tensors(dip_model *model, dip_error *err) {
    dip_map map;
    dip_status status = dip_towers_create(&model->towers, &model->schema, &model->config, err);
    if (status == DIP_ERR_USAGE) {
        return dip_fail_context(err, DIP_ERR_FORMAT, CONFIG_PART);
    }
    DIP_TRY(status);
    DIP_TRY(dip_folder_map(&model->folder, TENSOR_PART, &map, err));
    status = check_tensor_bytes(&model->towers.params, &map, err);
    if (status == DIP_OK) {
        status = dip_params_alloc(&model->towers.params, false, err);
    }
    if (status == DIP_OK) {
        status = dip_safetensors_read(&model->towers.params, &map, TENSOR_PART, err);
    }
    dip_map_close(&map);
    return status;
}

static dip_status read_vocabularies(dip_model *model, dip_error *err) {
    model->vocabs = dip_alloc(model->schema.n_tables, sizeof *model->vocabs, "vocabularies", err);
    if (model->vocabs == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t t = 0; t < model->schema.n_tables; t++) {
        char name[DIP_PART_NAME_MAX];
        const dip_table *table = &model->schema.tables[t];
        if (table->is_vocabulary) {
            dip_part_name(name, "vocab", t, table->name, ".tsv");
            DIP_TRY(dip_vocab_read(&model->vocabs[t], &model->folder, name, table->rows, err));
        }
    }
    return DIP_OK;
}

static dip_status read_parts(dip_model *model, dip_error *err) {
    DIP_TRY(read_description(model, err));
    DIP_TRY(read_tensors(model, err));
    DIP_TRY(dip_folder_check(&model->folder, METRICS_PART, err));
    return read_vocabularies(model, err);
}

dip_status dip_model_read_folder(dip_model *model, dip_folder *folder, dip_error *err) {
    memset(model, 0, sizeof *model);
    model->folder = *folder;
    *folder = (dip_folder){0};
    dip_status status = read_parts(model, err);
    if (status != DIP_OK) {
        status = dip_fail_context(err, status, "model %s", model->folder.path);
        dip_model_release(model);
    }
    return status;
}

dip_status dip_model_read(dip_model *model, const char *path, dip_error *err) {
    dip_folder folder;
    memset(model, 0, sizeof *model);
    DIP_TRY(dip_folder_open(&folder, path, DIP_MODEL_FORMAT, DIP_MODEL_VERSION, err));
    return dip_model_read_folder(model, &folder, err);
}

void dip_model_release(dip_model *model) {
    for (size_t t = 0; model->vocabs != NULL && t < model->schema.n_tables; t++) {
        dip_vocab_free(&model->vocabs[t]);
    }
    dip_free(model->vocabs);
    dip_towers_free(&model->towers);
    dip_schema_free(&model->schema);
    json_decref(model->description);
    dip_folder_close(&model->folder);
    memset(model, 0, sizeof *model);
}

static dip_status compare_schemas(const dip_model *model, const dip_dataset *dataset,
                                  dip_error *err) {
    json_t *schema = NULL;
    DIP_TRY(dip_schema_to_json(&dataset->schema, &schema, err));
    const bool is_equal = json_equal(schema, json_object_get(model->description, "schema")) != 0;
    json_decref(schema);
    if (!is_equal) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the dataset %s has other features or tables than the model %s was trained "
                        "with; give the dataset that it was trained on",
                        dataset->folder.path, model->folder.path);
    }
    return DIP_OK;
}

static const json_t *part_of(const dip_folder *folder, const char *name) {
    return json_object_get(json_object_get(folder->manifest, "parts"), name);
}

dip_status dip_model_check_dataset(const dip_model *model, const dip_dataset *dataset,
                                   dip_error *err) {
    DIP_TRY(compare_schemas(model, dataset, err));
    for (size_t t = 0; t < model->schema.n_tables; t++) {
        char name[DIP_PART_NAME_MAX];
        if (!model->schema.tables[t].is_vocabulary) {
            continue;
        }
        dip_part_name(name, "vocab", t, model->schema.tables[t].name, ".tsv");
        if (!json_equal(part_of(&model->folder, name), part_of(&dataset->folder, name))) {
            return dip_fail(err, DIP_ERR_FAILED,
                            "vocabulary \"%s\" of the dataset %s differs from the one that the "
                            "model was trained with; its rows would mean other values",
                            model->schema.tables[t].name, dataset->folder.path);
        }
    }
    return DIP_OK;
}
