/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/shop.h"

#include "base/mem.h"
#include "base/npy.h"
#include "data/dataset.h"
#include "fault/world.h"
#include "fuzz/memory_files.h"
#include "fuzz/seal.h"
#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>

enum { CHANGES = 8, PLACES = 4096, NAME_BYTES = 300, GROWTH = 64 };

typedef struct folder_copy {
    const char *name;
    names list; /* without the manifest */
    blob content[WORLD_NAMES_MAX];
    bool is_changed[WORLD_NAMES_MAX];
    json_t *manifest;
    json_t *edited; /* the manifest while changes are made */
} folder_copy;

static folder_copy folders[3] = {{.name = "dataset"}, {.name = "model"}, {.name = "checkpoint"}};

/* What is put where an input gives no JSON of its own. */
static const char *const VALUES[] = {"-1",         "0",          "1",
                                     "2147483647", "2147483648", "9223372036854775807",
                                     "1e300",      "-0.0",       "\"\"",
                                     "\"0\"",      "\"-1\"",     "\"1000000\"",
                                     "\"bag\"",    "\"text\"",   "\"numeric\"",
                                     "\"id\"",     "\"nan\"",    "null",
                                     "true",       "false",      "[]",
                                     "{}",         "[1, 2, 3]",  "\"title\"",
                                     "\"names\"",  "\"|\"",      "\"1,2,3,4,5\"",
                                     "\"all\""};

/* ---- making ---------------------------------------------------------------------------------- */

static void file_name(char name[NAME_BYTES], const folder_copy *f, const char *part) {
    snprintf(name, NAME_BYTES, "%s/%s", f->name, part);
}

static void put(const folder_copy *f, const char *part, const void *data, size_t bytes) {
    char name[NAME_BYTES];
    file_name(name, f, part);
    memory_file_put(name, data, bytes);
}

static const unsigned char *get(const folder_copy *f, const char *part, size_t *bytes) {
    char name[NAME_BYTES];
    file_name(name, f, part);
    return memory_file(name, bytes);
}

/* Copies a folder of the disk to the memory. */
static void take(folder_copy *f, const char *path) {
    names all;
    list_names(path, &all);
    for (size_t i = 0; i < all.n; i++) {
        char file[2 * WORLD_PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", path, all.name[i]);
        const blob content = read_blob(file);
        put(f, all.name[i], content.data, content.bytes);
        if (strcmp(all.name[i], "manifest.json") == 0) {
            f->manifest = json_loadb((const char *)content.data, content.bytes, 0, NULL);
            free(content.data);
            continue;
        }
        f->content[f->list.n] = content;
        memcpy(f->list.name[f->list.n++], all.name[i], sizeof all.name[i]);
    }
    CLAIM(f->list.n > 0 && f->manifest != NULL);
}

/* A checkpoint after two steps, with every kind of optimizer state. */
static void make_checkpoint(const world *w, const char *path) {
    dip_dataset dataset;
    dip_trainer trainer;
    dip_record record = dip_record_new(false);
    CLAIM(dip_dataset_load(&dataset, w->dataset, NULL) == DIP_OK);
    dip_config config = dataset.config;
    CLAIM(dip_config_set(&config, "train.optimizer", "adam", NULL) == DIP_OK);
    CLAIM(dip_trainer_init(&trainer, &dataset, &config, NULL) == DIP_OK);
    for (int i = 0; i < 2; i++) {
        CLAIM(dip_trainer_advance(&trainer, &record.last, NULL) == DIP_OK);
        CLAIM(dip_record_note_step(&record, NULL) == DIP_OK);
    }
    CLAIM(dip_checkpoint_write(&trainer, &record, path, NULL) == DIP_OK);
    dip_record_free(&record);
    dip_trainer_release(&trainer);
    dip_dataset_release(&dataset);
}

void shop_make(void) {
    static bool is_made;
    world w;
    if (is_made) {
        return;
    }
    is_made = true;
    world_fill(&w);
    make_checkpoint(&w, world_path(&w, "checkpoint"));
    memory_files_begin();
    take(&folders[SHOP_IS_DATASET], w.dataset);
    take(&folders[SHOP_IS_MODEL], w.model);
    take(&folders[SHOP_IS_CHECKPOINT], world_path(&w, "checkpoint"));
    world_remove(&w);
}

/* ---- changes to JSON ------------------------------------------------------------------------- */

/* A place in a document: a member of an object or a list. */
typedef struct place {
    json_t *parent;
    const char *key; /* NULL in a list */
    size_t index;
} place;

static void list_places(json_t *json, place *places, size_t *n) {
    const char *key = NULL;
    json_t *value = NULL;
    for (size_t i = 0; i < json_array_size(json) && *n < PLACES; i++) {
        places[(*n)++] = (place){json, NULL, i};
        list_places(json_array_get(json, i), places, n);
    }
    if (json_is_object(json)) {
        json_object_foreach(json, key, value) {
            if (*n < PLACES) {
                places[(*n)++] = (place){json, key, 0};
                list_places(value, places, n);
            }
        }
    }
}

/* Puts a value at one of the document's places; NULL removes what is there. */
static void change_json(json_t *json, size_t pick, json_t *value) {
    static place places[PLACES];
    size_t n = 0;
    list_places(json, places, &n);
    if (n == 0) {
        json_decref(value);
        return;
    }
    const place *at = &places[pick % n];
    if (at->key != NULL && value != NULL) {
        json_object_set_new(at->parent, at->key, value);
    } else if (at->key != NULL) {
        json_object_del(at->parent, at->key);
    } else if (value != NULL) {
        json_array_set_new(at->parent, at->index, value);
    } else {
        json_array_remove(at->parent, at->index);
    }
}

/* ---- changes to parts ------------------------------------------------------------------------ */

typedef struct change {
    size_t kind;
    size_t part;
    size_t place;
    size_t length;
    const uint8_t *content;
} change;

static void overwrite(const folder_copy *f, const char *part, const change *c) {
    size_t bytes = 0;
    const unsigned char *old = get(f, part, &bytes);
    char *copy = copy_of(old, bytes);
    for (size_t i = 0; i < c->length && bytes > 0; i++) {
        copy[(c->place + i) % bytes] = (char)c->content[i];
    }
    put(f, part, copy, bytes);
    free(copy);
}

static void resize(const folder_copy *f, const char *part, const change *c) {
    size_t bytes = 0;
    const unsigned char *old = get(f, part, &bytes);
    const size_t kept = c->place % (bytes + 1);
    char *copy = calloc(1, kept + c->length + 1);
    CLAIM(copy != NULL);
    memcpy(copy, old, kept);
    if (c->length > 0) {
        memcpy(copy + kept, c->content, c->length);
    }
    put(f, part, copy, kept + c->length);
    free(copy);
}

/* An array of another length whose header is right. */
static void replace_array(const folder_copy *f, const char *part, const change *c) {
    static char work[] = MEMORY_ROOT "work";
    dip_npy npy;
    size_t bytes = 0;
    const unsigned char *old = get(f, part, &bytes);
    if (old == NULL || dip_npy_parse(&npy, old, bytes, part, NULL) != DIP_OK) {
        return;
    }
    const size_t columns = npy.columns > 0 ? (size_t)npy.columns : 1;
    const size_t row = columns * dip_npy_size(npy.type);
    const size_t rows = (size_t)npy.rows + c->place % GROWTH;
    const size_t kept = rows > c->length ? rows - c->length : rows;
    char *data = calloc(kept + 1, row);
    CLAIM(data != NULL);
    const size_t least = kept < (size_t)npy.rows ? kept : (size_t)npy.rows;
    memcpy(data, npy.data, least * row);
    for (size_t i = 0; i < c->length && i < kept * row; i++) {
        data[i] = (char)c->content[i];
    }
    dip_folder_writer folder = {.work = work, .writer = {.fd = -1}, .parts = json_object()};
    memory_file_remove("work/array.npy");
    CLAIM(dip_npy_put(&folder, "array.npy", npy.type, data, (int64_t)kept, npy.columns, NULL) ==
          DIP_OK);
    json_decref(folder.parts);
    free(data);
    old = memory_file("work/array.npy", &bytes);
    char *copy = copy_of(old, bytes);
    put(f, part, copy, bytes);
    free(copy);
}

static json_t *value_of(const change *c) {
    json_t *value = c->length > 0
                        ? json_loadb((const char *)c->content, c->length, JSON_DECODE_ANY, NULL)
                        : NULL;
    const char *fallback = VALUES[c->part % (sizeof VALUES / sizeof VALUES[0])];
    return value != NULL ? value : json_loads(fallback, JSON_DECODE_ANY, NULL);
}

/* The description of a model is a part of its own. */
static void change_description(const folder_copy *f, const change *c, json_t *value) {
    size_t bytes = 0;
    char *text = NULL;
    const char *old = (const char *)get(f, "config.json", &bytes);
    json_t *json = old != NULL ? json_loadb(old, bytes, 0, NULL) : NULL;
    change_json(json, c->place, value);
    if (json != NULL && dip_json_dump(json, &text, NULL) == DIP_OK) {
        put(f, "config.json", text, strlen(text));
    }
    dip_free(text);
    json_decref(json);
}

static void apply(folder_copy *f, const change *c) {
    const size_t i = c->part % f->list.n;
    const bool has_description = f == &folders[SHOP_IS_MODEL];
    switch (c->kind % 6) {
    case 0:
        overwrite(f, f->list.name[i], c);
        break;
    case 1:
        resize(f, f->list.name[i], c);
        break;
    case 2:
        replace_array(f, f->list.name[i], c);
        break;
    case 3:
        change_json(f->edited, c->place, value_of(c));
        return;
    case 4:
        change_json(f->edited, c->place, NULL);
        return;
    default:
        if (has_description) {
            change_description(f, c, c->length % 2 ? NULL : value_of(c));
        }
        for (size_t p = 0; p < f->list.n; p++) {
            f->is_changed[p] = f->is_changed[p] || strcmp(f->list.name[p], "config.json") == 0;
        }
        return;
    }
    f->is_changed[i] = true;
}

static void apply_all(folder_copy *f, input in) {
    for (size_t n = 0; n < CHANGES && in.left > 0; n++) {
        change c = {.kind = take_byte(&in)};
        c.part = take_byte(&in);
        c.place = take_size(&in);
        c.length = take_byte(&in);
        c.content = take_bytes(&in, c.length, &c.length);
        apply(f, &c);
    }
    for (size_t i = 0; i < f->list.n; i++) {
        if (f->is_changed[i]) {
            seal_part_in_memory(f->edited, f->name, f->list.name[i]);
        }
    }
}

/* What dip_folder_open promises of every manifest. */
static bool is_sound(const json_t *manifest, const json_t *original) {
    const char *checksum = json_string_value(json_object_get(manifest, "checksum"));
    return checksum != NULL && strlen(checksum) == 16 &&
           json_is_object(json_object_get(manifest, "parts")) &&
           json_equal(json_object_get(manifest, "format"), json_object_get(original, "format")) &&
           json_integer_value(json_object_get(manifest, "version")) == 1;
}

bool shop_open_changed(dip_folder *folder, shop_folder which, input in) {
    char path[NAME_BYTES];
    folder_copy *f = &folders[which];
    f->edited = json_deep_copy(f->manifest);
    CLAIM(f->edited != NULL);
    apply_all(f, in);
    if (!is_sound(f->edited, f->manifest)) {
        json_decref(f->edited);
        return false;
    }
    snprintf(path, sizeof path, "%s%s", MEMORY_ROOT, f->name);
    folder->path = dip_copy_text(path, strlen(path), "a path", NULL);
    folder->manifest = f->edited;
    CLAIM(folder->path != NULL);
    return true;
}

void shop_restore(shop_folder which) {
    folder_copy *f = &folders[which];
    for (size_t i = 0; i < f->list.n; i++) {
        if (f->is_changed[i]) {
            put(f, f->list.name[i], f->content[i].data, f->content[i].bytes);
            f->is_changed[i] = false;
        }
    }
}
