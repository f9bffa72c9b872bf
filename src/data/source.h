/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a table's rows come from, as the project file says it: names of files or patterns, and how
 * they are written.
 */
#ifndef DIP_DATA_SOURCE_H
#define DIP_DATA_SOURCE_H

#include "base/json.h"
#include "base/names.h"
#include "base/options.h"
#include "base/yaml.h"
#include "data/reader.h"

typedef struct dip_source {
    dip_names files; /* names and patterns, as written; none: the table has no file */
    size_t line;     /* where the project file names them */
    size_t position;
    dip_names columns;            /* of files without a header line; none: there is one */
    char delimiter[DIP_TEXT_MAX]; /* "": the format's */
    int format;                   /* dip_format */
    int encoding;                 /* dip_encoding */
    size_t block_bytes;           /* 0: the reader's; tests make blocks small */
} dip_source;

/* The settings beside "file" and "columns". */
extern const dip_option_table dip_source_table;

/* Whether a key of the project file belongs to a source. */
bool dip_source_has_key(const char *key);

/* Sets one key from the project file. */
dip_status dip_source_set(dip_source *source, dip_yaml *yaml, const dip_yaml_node *key,
                          const dip_yaml_node *value, dip_error *err);

/* The files behind the names, in the order in which they are read: patterns are replaced by what
 * matches, sorted by bytes. Names that are not absolute begin in `folder`; errors name
 * `project`:line:column.
 *
 * DIP_ERR_USAGE   a pattern without a match, or a file that is named twice */
dip_status dip_source_paths(const dip_source *source, const char *folder, const char *project,
                            dip_names *paths, dip_error *err);

/* Opens the table. */
dip_status dip_source_open(dip_reader **reader, const dip_source *source, const char *folder,
                           const char *project, dip_error *err);

/* "file" (a text, or a list of several), and the other keys where they are set, into the object. */
dip_status dip_source_to_json(const dip_source *source, json_t *object, dip_error *err);
dip_status dip_source_from_json(dip_source *source, const json_t *object, dip_error *err);

dip_status dip_source_copy(dip_source *copy, const dip_source *source, dip_error *err);
void dip_source_free(dip_source *source);

#endif
