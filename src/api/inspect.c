/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file holds, read from headers and manifests only.
 */
#include "api/report.h"
#include "base/npy.h"
#include "base/yaml.h"
#include "data/project.h"
#include "data/stream.h"
#include "model/model.h"
#include "model/safetensors.h"

#include <string.h>

/* Of the formats of our folders; what follows is the kind. */
#define PREFIX "diptych-"

static dip_status set_kind(json_t *report, const char *kind, const char *path, dip_error *err) {
    DIP_TRY(dip_json_set(report, "kind", json_string(kind), err));
    return dip_json_set(report, "path", json_string(path), err);
}

/* The keys of a manifest, the parts as name: bytes. */
static dip_status copy_manifest(json_t *report, const json_t *manifest, dip_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(dip_json_readable(manifest), key, value) {
        if (strcmp(key, "parts") != 0) {
            DIP_TRY(dip_json_set(report, key, json_incref(value), err));
        }
    }
    json_t *sizes = NULL;
    DIP_TRY(dip_json_new_object(&sizes, err));
    DIP_TRY(dip_json_set(report, "parts", sizes, err));
    json_object_foreach(json_object_get(manifest, "parts"), key, value) {
        DIP_TRY(dip_json_set(sizes, key, json_incref(json_object_get(value, "bytes")), err));
    }
    return DIP_OK;
}

static dip_status read_json_part(const dip_folder *folder, const char *part, json_t **json,
                                 dip_error *err) {
    dip_map map;
    DIP_TRY(dip_folder_map(folder, part, &map, err));
    const dip_status status = dip_json_parse(json, (const char *)map.data, map.bytes, part, err);
    dip_map_close(&map);
    return status;
}

static dip_status describe_folder(const dip_folder *folder, const char *path, json_t *report,
                                  dip_error *err) {
    const char *format = json_string_value(json_object_get(folder->manifest, "format"));
    const bool is_model = strcmp(format, DIP_MODEL_FORMAT) == 0;
    const char *kind =
        strncmp(format, PREFIX, strlen(PREFIX)) == 0 ? format + strlen(PREFIX) : format;
    DIP_TRY(set_kind(report, kind, path, err));
    if (is_model) {
        json_t *description = NULL;
        DIP_TRY(read_json_part(folder, "config.json", &description, err));
        const int failed = json_object_update(report, description);
        json_decref(description);
        if (failed) {
            return dip_fail(err, DIP_ERR_MEMORY, "out of memory for a report");
        }
    }
    return copy_manifest(report, folder->manifest, err);
}

static dip_status inspect_folder(const char *path, json_t *report, dip_error *err) {
    dip_folder folder;
    DIP_TRY(dip_folder_open(&folder, path, NULL, DIP_DATASET_VERSION, err));
    const dip_status status = describe_folder(&folder, path, report, err);
    dip_folder_close(&folder);
    return status;
}

static dip_status describe_npy(const dip_map *map, const char *path, json_t *report,
                               dip_error *err) {
    dip_npy npy;
    DIP_TRY(dip_npy_parse(&npy, map->data, map->bytes, path, err));
    DIP_TRY(dip_json_set(report, "dtype", json_string(dip_npy_descr(npy.type)), err));
    json_t *shape = npy.columns > 0
                        ? json_pack("[I,I]", (json_int_t)npy.rows, (json_int_t)npy.columns)
                        : json_pack("[I]", (json_int_t)npy.rows);
    return dip_json_set(report, "shape", shape, err);
}

static dip_status describe_tensors(const dip_map *map, const char *path, json_t *report,
                                   dip_error *err) {
    json_t *header = NULL;
    size_t offset = 0;
    DIP_TRY(dip_safetensors_header(map, path, &header, &offset, err));
    return dip_json_set(report, "tensors", header, err);
}

static dip_status inspect_file(const char *path, json_t *report, dip_error *err) {
    dip_map map;
    const bool is_npy = dip_name_ends_with(path, ".npy");
    DIP_TRY(set_kind(report, is_npy ? "npy" : "safetensors", path, err));
    DIP_TRY(dip_map_open(&map, path, err));
    const dip_status status =
        is_npy ? describe_npy(&map, path, report, err) : describe_tensors(&map, path, report, err);
    dip_map_close(&map);
    return status;
}

static dip_status describe_entity(json_t *report, const char *key, const dip_entity *entity,
                                  dip_error *err) {
    json_t *features = NULL;
    DIP_TRY(dip_json_new_object(&features, err));
    json_t *object = json_pack("{s:s, s:o}", "id", entity->id, "features", features);
    DIP_TRY(dip_json_set(report, key, object, err));
    DIP_TRY(dip_source_to_json(&entity->source, object, err));
    for (size_t f = 0; f < entity->n_features; f++) {
        char type[DIP_VALUE_MAX];
        dip_options_get(dip_options_find(&dip_feature_table, "type"), &entity->features[f], type);
        DIP_TRY(dip_json_set(features, entity->features[f].name, json_string(type), err));
    }
    return DIP_OK;
}

static dip_status describe_project(const dip_project *project, json_t *report, dip_error *err) {
    json_t *config = NULL;
    DIP_TRY(describe_entity(report, "items", &project->schema.items, err));
    if (!project->schema.queries_are_items) {
        DIP_TRY(describe_entity(report, "queries", &project->schema.queries, err));
    }
    DIP_TRY(dip_config_to_json(&project->config, &config, err));
    return dip_json_set(report, "config", config, err);
}

static dip_status inspect_project(const char *path, json_t *report, dip_error *err) {
    dip_project project;
    DIP_TRY(set_kind(report, "project", path, err));
    DIP_TRY(dip_project_read(&project, path, err));
    const dip_status status = describe_project(&project, report, err);
    dip_project_release(&project);
    return status;
}

static dip_status inspect(const char *path, json_t *report, dip_error *err) {
    if (dip_path_is_folder(path)) {
        return inspect_folder(path, report, err);
    }
    if (dip_name_ends_with(path, ".npy") || dip_name_ends_with(path, ".safetensors")) {
        return inspect_file(path, report, err);
    }
    if (dip_name_ends_with(path, ".yaml") || dip_name_ends_with(path, ".yml")) {
        return inspect_project(path, report, err);
    }
    if (!dip_path_exists(path)) {
        return dip_fail(err, DIP_ERR_IO, "%s does not exist", path);
    }
    return dip_fail(err, DIP_ERR_USAGE,
                    "%s: inspect reads datasets, models, .npy, .safetensors and .yaml files", path);
}

dip_status dip_inspect(const char *path, dip_report **report, dip_error *err) {
    json_t *json = NULL;
    if (path == NULL || report == NULL) {
        return dip_fail(err, DIP_ERR_USAGE, "an argument is NULL");
    }
    DIP_TRY(dip_json_new_object(&json, err));
    const dip_status status = inspect(path, json, err);
    if (status != DIP_OK) {
        json_decref(json);
        return status;
    }
    return dip_report_wrap(report, json, err);
}
