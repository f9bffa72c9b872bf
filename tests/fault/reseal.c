/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/reseal.h"

#include "base/hash.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

json_t *load_json(const char *folder, const char *name) {
    char path[2 * WORLD_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

static void hash_digits(const void *data, size_t bytes, char digits[17]) {
    snprintf(digits, 17, "%016llx", (unsigned long long)dip_hash(data, bytes));
}

void seal_manifest(const char *folder, json_t *manifest) {
    char digits[17];
    char path[2 * WORLD_PATH_MAX];
    char *text = NULL;
    json_object_del(manifest, "checksum");
    assert_int_equal(dip_json_dump(manifest, &text, NULL), DIP_OK);
    hash_digits(text, strlen(text), digits);
    dip_free(text);
    json_object_set_new(manifest, "checksum", json_string(digits));
    assert_int_equal(dip_json_dump(manifest, &text, NULL), DIP_OK);
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    write_blob(path, text, strlen(text));
    dip_free(text);
}

void seal_part(const char *folder, const char *name, const void *data, size_t bytes) {
    char digits[17];
    char path[2 * WORLD_PATH_MAX];
    json_t *manifest = load_json(folder, "manifest.json");
    json_t *part = json_object_get(json_object_get(manifest, "parts"), name);
    assert_non_null(part);
    hash_digits(data, bytes, digits);
    json_object_set_new(part, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(part, "xxh3", json_string(digits));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    write_blob(path, data, bytes);
    seal_manifest(folder, manifest);
    json_decref(manifest);
}

void seal_json(const char *folder, const char *name, const json_t *json) {
    char *text = NULL;
    assert_int_equal(dip_json_dump(json, &text, NULL), DIP_OK);
    seal_part(folder, name, text, strlen(text));
    dip_free(text);
}

static json_t *child(json_t *json, const char *step) {
    return json_is_array(json) ? json_array_get(json, strtoul(step, NULL, 10))
                               : json_object_get(json, step);
}

/* Cuts off the last step of a path; returns the value above it. */
static json_t *parent_of(json_t *json, const char *path, const char **last) {
    char step[256];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(path, '/')) {
        snprintf(step, sizeof step, "%.*s", (int)(slash - path), path);
        json = child(json, step);
        path = slash + 1;
    }
    *last = path;
    return json;
}

json_t *json_at(json_t *json, const char *path) {
    const char *last = NULL;
    json_t *parent = parent_of(json, path, &last);
    return child(parent, last);
}

void json_put(json_t *json, const char *path, json_t *value) {
    const char *last = NULL;
    json_t *parent = parent_of(json, path, &last);
    assert_non_null(parent);
    if (json_is_array(parent) && value != NULL) {
        assert_int_equal(json_array_set_new(parent, strtoul(last, NULL, 10), value), 0);
    } else if (json_is_array(parent)) {
        assert_int_equal(json_array_remove(parent, strtoul(last, NULL, 10)), 0);
    } else if (value != NULL) {
        assert_int_equal(json_object_set_new(parent, last, value), 0);
    } else {
        assert_int_equal(json_object_del(parent, last), 0);
    }
}

size_t npy_data(const blob *npy) {
    assert_true(npy->bytes >= 10);
    return 10u + npy->data[8] + 256u * npy->data[9];
}
