/* SPDX-License-Identifier: Apache-2.0
 *
 * A forger's tools: changes the content of a dataset or model and makes every size and checksum
 * right again, so that only the checks behind the checksums are left.
 */
#ifndef DIP_TESTS_RESEAL_H
#define DIP_TESTS_RESEAL_H

#include "fault/world.h"

#include <jansson.h>

/* The manifest, or another JSON file of a folder. The caller json_decref()s. */
json_t *load_json(const char *folder, const char *name);

/* Writes a manifest with its right checksum. */
void seal_manifest(const char *folder, json_t *manifest);

/* Replaces a part's content and what the manifest says about it. */
void seal_part(const char *folder, const char *name, const void *data, size_t bytes);

/* Replaces a part's content by JSON. */
void seal_json(const char *folder, const char *name, const json_t *json);

/* Follows a path of keys and positions, "schema/items/features/0/name". NULL when nothing stands
 * there. */
json_t *json_at(json_t *json, const char *path);

/* Replaces, or with value NULL removes, what stands at a path. */
void json_put(json_t *json, const char *path, json_t *value);

/* Where the data of a .npy begins in its bytes. */
size_t npy_data(const blob *npy);

#endif
