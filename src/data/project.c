/* SPDX-License-Identifier: Apache-2.0 */
#include "data/project.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char *const SCHEMA_SECTIONS[] = {"items", "queries", "interactions"};
#define PRESET "preset"

static bool is_schema_section(const char *name) {
    for (size_t i = 0; i < sizeof SCHEMA_SECTIONS / sizeof SCHEMA_SECTIONS[0]; i++) {
        if (strcmp(name, SCHEMA_SECTIONS[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether some option's key begins with "name.". */
static bool is_option_section(const char *name) {
    const size_t length = strlen(name);
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const char *key = dip_config_table.row[i].key;
        if (strncmp(key, name, length) == 0 && key[length] == '.') {
            return true;
        }
    }
    return false;
}

static dip_status set_option(dip_project *project, dip_yaml *yaml, const dip_yaml_node *key_node,
                             const char *key, const dip_yaml_node *value, dip_error *err) {
    char text[DIP_VALUE_MAX];
    DIP_TRY(dip_yaml_scalar(yaml, value, text, sizeof text, err));
    const dip_status status = dip_options_set(&dip_config_table, &project->config, key, text, err);
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(yaml, key_node, status, err);
}

static dip_status set_section(dip_project *project, dip_yaml *yaml, const char *section,
                              const dip_yaml_node *map, dip_error *err) {
    for (size_t i = 0; i < dip_yaml_count(map); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        char full[DIP_TEXT_MAX];
        dip_yaml_at(yaml, map, i, &key, &value);
        const int n = snprintf(full, sizeof full, "%s.%s", section, dip_yaml_text(key));
        if (n < 0 || (size_t)n >= sizeof full) {
            return dip_yaml_fail(yaml, key, err, "the key is too long");
        }
        DIP_TRY(set_option(project, yaml, key, full, value, err));
    }
    return DIP_OK;
}

typedef struct nearest {
    char name[DIP_TEXT_MAX];
    unsigned distance;
} nearest;

/* Keeps a name when it is nearer to what was written than all before it. */
static void offer(nearest *best, const char *written, const char *name) {
    unsigned distance = 0;
    if (dip_spelling_is_near(written, name, &distance) && distance < best->distance) {
        best->distance = distance;
        snprintf(best->name, sizeof best->name, "%s", name);
    }
}

/* The nearest section, or option that stands at the top; "" when none is near. */
static nearest nearest_section(const char *written) {
    nearest best = {"", UINT32_MAX};
    for (size_t i = 0; i < sizeof SCHEMA_SECTIONS / sizeof SCHEMA_SECTIONS[0]; i++) {
        offer(&best, written, SCHEMA_SECTIONS[i]);
    }
    offer(&best, written, PRESET);
    for (size_t i = 0; i < dip_config_table.n; i++) {
        char name[DIP_TEXT_MAX];
        const char *key = dip_config_table.row[i].key;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(key, "."), key);
        offer(&best, written, name);
    }
    return best;
}

static dip_status unknown_section(dip_yaml *yaml, const dip_yaml_node *key, dip_error *err) {
    const char *name = dip_yaml_text(key);
    const nearest best = nearest_section(name);
    if (best.name[0] == '\0') {
        return dip_yaml_fail(yaml, key, err, "unknown section \"%s\"", name);
    }
    return dip_yaml_fail(yaml, key, err, "unknown section \"%s\"; did you mean \"%s\"?", name,
                         best.name);
}

static dip_status read_options(dip_project *project, dip_yaml *yaml, dip_error *err) {
    const dip_yaml_node *root = dip_yaml_root(yaml);
    const dip_yaml_node *preset = dip_yaml_get(yaml, root, PRESET);
    dip_options_default(&dip_config_table, &project->config, sizeof project->config);
    if (preset != NULL) {
        char name[DIP_VALUE_MAX];
        DIP_TRY(dip_yaml_scalar(yaml, preset, name, sizeof name, err));
        const dip_status status = dip_config_apply_preset(&project->config, name, err);
        if (status != DIP_OK) {
            return dip_yaml_locate(yaml, preset, status, err);
        }
    }
    for (size_t i = 0; i < dip_yaml_count(root); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(yaml, root, i, &key, &value);
        const char *name = dip_yaml_text(key);
        if (is_schema_section(name) || strcmp(name, PRESET) == 0) {
            continue;
        }
        if (is_option_section(name) && !dip_yaml_is_map(value)) {
            return dip_yaml_fail(yaml, key, err, "%s: a mapping of options is expected", name);
        }
        if (is_option_section(name)) {
            DIP_TRY(set_section(project, yaml, name, value, err));
        } else if (dip_options_find(&dip_config_table, name) != NULL) {
            DIP_TRY(set_option(project, yaml, key, name, value, err));
        } else {
            return unknown_section(yaml, key, err);
        }
    }
    return DIP_OK;
}

dip_status dip_project_check(const dip_project *project, dip_error *err) {
    const dip_config *config = &project->config;
    if (config->split.test + config->split.validation >= 1) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: split.test + split.validation is %g; nothing is left to train on",
                        project->path, config->split.test + config->split.validation);
    }
    if (config->split.by == DIP_SPLIT_TIME && project->schema.time_column[0] == '\0') {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: split.by is time, but interactions names no \"time\" column",
                        project->path);
    }
    return DIP_OK;
}

static dip_status fill_project(dip_project *project, dip_yaml *yaml, const char *path,
                               dip_error *err) {
    project->path = dip_copy_text(path, strlen(path), "a path", err);
    project->folder = dip_path_folder(path, err);
    if (project->path == NULL || project->folder == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(read_options(project, yaml, err));
    DIP_TRY(dip_schema_read(&project->schema, yaml, err));
    return dip_project_check(project, err);
}

static dip_status make_project(dip_project *project, dip_yaml *yaml, const char *path,
                               dip_error *err) {
    const dip_status status = fill_project(project, yaml, path, err);
    dip_yaml_free(yaml);
    if (status != DIP_OK) {
        dip_project_release(project);
    }
    return status;
}

dip_status dip_project_parse(dip_project *project, const char *text, size_t bytes, const char *path,
                             dip_error *err) {
    dip_yaml yaml;
    memset(project, 0, sizeof *project);
    DIP_TRY(dip_yaml_parse(&yaml, text, bytes, path, err));
    return make_project(project, &yaml, path, err);
}

dip_status dip_project_read(dip_project *project, const char *path, dip_error *err) {
    dip_yaml yaml;
    memset(project, 0, sizeof *project);
    DIP_TRY(dip_yaml_load(&yaml, path, err));
    return make_project(project, &yaml, path, err);
}

void dip_project_release(dip_project *project) {
    dip_free(project->path);
    dip_free(project->folder);
    dip_schema_free(&project->schema);
    memset(project, 0, sizeof *project);
}

dip_status dip_project_open(dip_reader **reader, const dip_project *project,
                            const dip_source *source, dip_error *err) {
    return dip_source_open(reader, source, project->folder, project->path, err);
}
