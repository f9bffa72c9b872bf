/* SPDX-License-Identifier: Apache-2.0
 *
 * The project file: what the data is (schema) and what is to be done with it (options).
 */
#ifndef DIP_DATA_PROJECT_H
#define DIP_DATA_PROJECT_H

#include "config/config.h"
#include "data/schema.h"

struct dip_project {
    char *path;
    char *folder; /* relative file names start here */
    dip_schema schema;
    dip_config config;
};

dip_status dip_project_read(dip_project *project, const char *path, dip_error *err);

/* The same from a text in memory; `path` is used in errors and says where relative names start. */
dip_status dip_project_parse(dip_project *project, const char *text, size_t bytes, const char *path,
                             dip_error *err);

/* What no single option can say: the split must leave something to train on, and have its
 * column. */
dip_status dip_project_check(const dip_project *project, dip_error *err);
void dip_project_release(dip_project *project);

/* Opens one of the schema's tables. */
dip_status dip_project_open(dip_reader **reader, const dip_project *project,
                            const dip_source *source, dip_error *err);

#endif
