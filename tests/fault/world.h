/* SPDX-License-Identifier: Apache-2.0
 *
 * A small shop in a folder of its own: tables and a project file with every kind of feature, and,
 * when asked for, the dataset and a model. Helpers to look at folders and files.
 */
#ifndef DIP_TESTS_WORLD_H
#define DIP_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "diptych.h"

enum { WORLD_PATH_MAX = 512, WORLD_NAMES_MAX = 64 };

typedef struct world {
    char root[WORLD_PATH_MAX];
    char project[WORLD_PATH_MAX];
    char dataset[WORLD_PATH_MAX];
    char model[WORLD_PATH_MAX];
} world;

/* Tables and project file. Compressed ones cover more code. */
void world_make(world *w);

/* Also dataset and model. */
void world_fill(world *w);
void world_remove(world *w);

/* root + "/" + name, in one of a few buffers that take turns. */
const char *world_path(const world *w, const char *name);

/* Options that make training tiny; the dataset's own otherwise. */
dip_config *world_config(const dip_dataset *dataset);

/* The names in a folder, sorted, without "." and "..". */
typedef struct names {
    size_t n;
    char name[WORLD_NAMES_MAX][256];
} names;

void list_names(const char *folder, names *list);
bool has_name(const names *list, const char *name);

/* How many entries of a folder begin with a dot: temporary ones. */
size_t count_hidden(const char *folder);

typedef struct blob {
    unsigned char *data;
    size_t bytes;
} blob;

blob read_blob(const char *path);
void write_blob(const char *path, const void *data, size_t bytes);
void free_blob(blob *b);

/* XXH3 over names and contents of a folder of files; 0 when there is none. */
uint64_t folder_hash(const char *folder);

void copy_folder(const char *from, const char *to);
void remove_tree(const char *path);

/* Whether a sanitizer is built in, under which everything takes several times as long. */
bool is_sanitized(void);

/* A generator of our own, so that samples repeat: xorshift64*. */
uint64_t draw(uint64_t *state);
size_t draw_below(uint64_t *state, size_t n);

#endif
