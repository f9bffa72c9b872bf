/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML by libyaml, as a tree whose nodes know their file, line and column.
 */
#ifndef DIP_BASE_YAML_H
#define DIP_BASE_YAML_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

typedef struct dip_yaml {
    char *path;
    yaml_document_t document;
    bool is_loaded;
} dip_yaml;

typedef yaml_node_t dip_yaml_node;

/* Reads a file whose root is a mapping. */
dip_status dip_yaml_load(dip_yaml *yaml, const char *path, dip_error *err);

/* The same from memory; `path` is used in errors. */
dip_status dip_yaml_parse(dip_yaml *yaml, const char *text, size_t bytes, const char *path,
                          dip_error *err);
void dip_yaml_free(dip_yaml *yaml);

dip_yaml_node *dip_yaml_root(dip_yaml *yaml);

bool dip_yaml_is_map(const dip_yaml_node *node);
bool dip_yaml_is_list(const dip_yaml_node *node);

/* The text of a scalar, or NULL. */
const char *dip_yaml_text(const dip_yaml_node *node);

/* Entries of a mapping, or values of a list (key stays NULL). */
size_t dip_yaml_count(const dip_yaml_node *node);
void dip_yaml_at(dip_yaml *yaml, const dip_yaml_node *node, size_t index, dip_yaml_node **key,
                 dip_yaml_node **value);

/* The value under a key of a mapping, or NULL. */
dip_yaml_node *dip_yaml_get(dip_yaml *yaml, const dip_yaml_node *map, const char *key);

/* A scalar's text, or a list of scalars joined by commas, into text[capacity]. */
dip_status dip_yaml_scalar(dip_yaml *yaml, const dip_yaml_node *node, char *text, size_t capacity,
                           dip_error *err);

/* Fails with "file:line:column: " before the text. */
dip_status dip_yaml_fail(const dip_yaml *yaml, const dip_yaml_node *node, dip_error *err,
                         const char *format, ...) DIP_PRINTF(4, 5);

/* Puts "file:line:column: " before the text of an error that is already there. */
dip_status dip_yaml_locate(const dip_yaml *yaml, const dip_yaml_node *node, dip_status status,
                           dip_error *err);

#endif
