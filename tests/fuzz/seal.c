/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/seal.h"

#include "base/hash.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 160 };

static void hash_digits(const void *data, size_t bytes, char digits[17]) {
    snprintf(digits, 17, "%016llx", (unsigned long long)dip_hash(data, bytes));
}

void seal_part_in_memory(json_t *manifest, const char *folder, const char *part) {
    char name[NAME_BYTES];
    char digits[17];
    size_t bytes = 0;
    json_t *entry = json_object_get(json_object_get(manifest, "parts"), part);
    snprintf(name, sizeof name, "%s/%s", folder, part);
    const unsigned char *content = memory_file(name, &bytes);
    if (!json_is_object(entry) || content == NULL) {
        return;
    }
    hash_digits(content, bytes, digits);
    json_object_set_new(entry, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(entry, "xxh3", json_string(digits));
}

/* As dip_json_dump, which reads its text once more to be sure. */
static char *dump(const json_t *json) {
    json_malloc_t acquire = NULL;
    json_free_t release = NULL;
    char *dumped = json_dumps(json, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    CLAIM(dumped != NULL);
    const size_t length = strlen(dumped);
    char *text = copy_of(dumped, length + 1);
    text[length] = '\n';
    json_get_alloc_funcs(&acquire, &release);
    release(dumped);
    return text;
}

void seal_manifest_in_memory(json_t *manifest, const char *folder) {
    char name[NAME_BYTES];
    char digits[17];
    char *text = NULL;
    json_object_del(manifest, "checksum");
    text = dump(manifest);
    hash_digits(text, strlen(text), digits);
    free(text);
    json_object_set_new(manifest, "checksum", json_string(digits));
    text = dump(manifest);
    snprintf(name, sizeof name, "%s/manifest.json", folder);
    memory_file_put(name, text, strlen(text));
    free(text);
}
