/* SPDX-License-Identifier: Apache-2.0
 *
 * R12: folders with right checksums in which something was changed at random: a value of the JSON,
 * or bytes of a part. What opens must stand being used; what does not must be refused as a bad
 * file.
 */
#include "fault/hostile.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 400, SHOWN = 8 };

static world shop;
static int complaints;

static const char *const VALUES[] = {
    "-1",
    "0",
    "1",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "1e300",
    "-0.0",
    "\"\"",
    "\"0\"",
    "\"-1\"",
    "\"1\"",
    "\"1000000\"",
    "\"bag\"",
    "\"text\"",
    "\"numeric\"",
    "\"id\"",
    "\"nan\"",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[1, 2, 3]",
    "\"id\"",
    "\"title\"",
    "\"names\"",
    "\"|\"",
    "\"1,2,3,4,5\"",
    "\"all\"",
};

static size_t count_leaves(const json_t *json) {
    size_t n = 0;
    size_t i = 0;
    const char *key = NULL;
    json_t *value = NULL;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, key, value) {
            n += count_leaves(value);
        }
        return n + 1;
    }
    if (json_is_array(json)) {
        json_array_foreach(json, i, value) {
            n += count_leaves(value);
        }
        return n + 1;
    }
    return 1;
}

/* Replaces or removes the n-th value, in the order of count_leaves; its key goes to `where`. */
static bool change_value(json_t *json, size_t *n, json_t *put, char where[64]) {
    size_t i = 0;
    const char *key = NULL;
    json_t *value = NULL;
    if (json_is_object(json)) {
        json_object_foreach(json, key, value) {
            if (*n < count_leaves(value)) {
                snprintf(where, 64, "%.60s", key);
                return *n == 0 ? (put != NULL ? json_object_set(json, key, put)
                                              : json_object_del(json, key)) == 0
                               : (--*n, change_value(value, n, put, where));
            }
            *n -= count_leaves(value);
        }
    }
    if (json_is_array(json)) {
        json_array_foreach(json, i, value) {
            if (*n < count_leaves(value)) {
                return *n == 0 ? (put != NULL ? json_array_set(json, i, put)
                                              : json_array_remove(json, i)) == 0
                               : (--*n, change_value(value, n, put, where));
            }
            *n -= count_leaves(value);
        }
    }
    return false;
}

static void judge(const attempt *a, const char *where, const char *what) {
    const bool is_fine = a->signal == 0 && (a->status == DIP_OK || a->status == DIP_ERR_FORMAT);
    if (!is_fine && complaints++ < SHOWN) {
        print_error("%s = %s: %s%s %s\n", where, what, a->signal ? strsignal(a->signal) : "",
                    a->signal ? "" : dip_status_name(a->status), a->message);
    }
}

typedef struct subject {
    const char *folder;
    const char *file;
    use_fn use;
} subject;

static void change_json(const subject *s) {
    uint64_t state = 20071286500001u;
    char path[2 * WORLD_PATH_MAX];
    char manifest_path[2 * WORLD_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", s->folder, s->file);
    snprintf(manifest_path, sizeof manifest_path, "%s/manifest.json", s->folder);
    blob good = read_blob(path);
    blob manifest = read_blob(manifest_path);
    complaints = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char where[64] = "";
        const size_t pick = draw_below(&state, sizeof VALUES / sizeof VALUES[0] + 1);
        const char *text = pick > 0 ? VALUES[pick - 1] : NULL;
        json_t *put = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
        json_t *json = load_json(s->folder, s->file);
        size_t n = draw_below(&state, count_leaves(json) - 1);
        const bool is_changed = change_value(json, &n, put, where);
        assert_true(is_changed);
        if (strcmp(s->file, "manifest.json") == 0) {
            seal_manifest(s->folder, json);
        } else {
            seal_json(s->folder, s->file, json);
        }
        const attempt a = try_use(&shop, s->use);
        judge(&a, where, text != NULL ? text : "(removed)");
        write_blob(path, good.data, good.bytes);
        write_blob(manifest_path, manifest.data, manifest.bytes);
        json_decref(put);
        json_decref(json);
    }
    free_blob(&good);
    free_blob(&manifest);
    assert_int_equal(complaints, 0);
}

static void values_of_a_dataset_manifest(void **state) {
    (void)state;
    change_json(&(subject){shop.dataset, "manifest.json", use_dataset});
}

static void values_of_a_model_description(void **state) {
    (void)state;
    change_json(&(subject){shop.model, "config.json", use_model});
}

static void change_bytes(const subject *s, uint64_t seed) {
    names list;
    char manifest_path[2 * WORLD_PATH_MAX];
    snprintf(manifest_path, sizeof manifest_path, "%s/manifest.json", s->folder);
    blob manifest = read_blob(manifest_path);
    list_names(s->folder, &list);
    complaints = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char path[2 * WORLD_PATH_MAX];
        const char *name = list.name[draw_below(&seed, list.n)];
        snprintf(path, sizeof path, "%s/%s", s->folder, name);
        blob b = read_blob(path);
        if (strcmp(name, "manifest.json") == 0 || b.bytes == 0) {
            free_blob(&b);
            continue;
        }
        blob good = read_blob(path);
        const size_t changes = 1 + draw_below(&seed, 3);
        for (size_t i = 0; i < changes; i++) {
            const size_t span = draw_below(&seed, 2) && b.bytes > 200 ? 200 : b.bytes;
            b.data[draw_below(&seed, span)] ^= (unsigned char)(1u << draw_below(&seed, 8));
        }
        const size_t bytes = draw_below(&seed, 8) == 0 ? draw_below(&seed, b.bytes) : b.bytes;
        seal_part(s->folder, name, b.data, bytes);
        const attempt a = try_use(&shop, s->use);
        judge(&a, name, "(bytes changed)");
        write_blob(path, good.data, good.bytes);
        write_blob(manifest_path, manifest.data, manifest.bytes);
        free_blob(&b);
        free_blob(&good);
    }
    free_blob(&manifest);
    assert_int_equal(complaints, 0);
}

static void bytes_of_a_dataset(void **state) {
    (void)state;
    change_bytes(&(subject){shop.dataset, NULL, use_dataset}, 5550123);
}

static void bytes_of_a_model(void **state) {
    (void)state;
    change_bytes(&(subject){shop.model, NULL, use_model}, 5550199);
}

static int make(void **state) {
    (void)state;
    world_fill(&shop);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    world_remove(&shop);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_a_dataset_manifest),
        cmocka_unit_test(values_of_a_model_description),
        cmocka_unit_test(bytes_of_a_dataset),
        cmocka_unit_test(bytes_of_a_model),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
