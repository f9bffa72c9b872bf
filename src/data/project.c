/* SPDX-License-Identifier: Apache-2.0 */
#include "data/project.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/config_yaml.h"

#include <stdio.h>
#include <string.h>

static const char *const SCHEMA_SECTIONS[] = {"items", "queries", "interactions"};

enum { N_SCHEMA_SECTIONS = sizeof SCHEMA_SECTIONS / sizeof SCHEMA_SECTIONS[0] };

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
    dip_options_default(&dip_config_table, &project->config, sizeof project->config);
    DIP_TRY(dip_config_read_yaml(&project->config, yaml, SCHEMA_SECTIONS, N_SCHEMA_SECTIONS, err));
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
