/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/world.h"

#include "base/hash.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { N_ITEMS = 12, N_USERS = 8, TABLE_MAX = 8192 };

static const char PROJECT[] = "items:\n"
                              "  file: items.tsv.gz\n"
                              "  id: id\n"
                              "  features:\n"
                              "    id:    {type: id}\n"
                              "    title: {type: text, ngrams: [1, 2]}\n"
                              "    tags:  {type: bag, hash_buckets: 7}\n"
                              "    brand: {type: categorical, table: names}\n"
                              "    price: {type: numeric}\n"
                              "    year:  {type: numeric, buckets: 4}\n"
                              "queries:\n"
                              "  file: users.csv\n"
                              "  id: user\n"
                              "  features:\n"
                              "    user:  {type: id}\n"
                              "    likes: {type: bag, table: names}\n"
                              "    age:   {type: numeric, buckets: 3}\n"
                              "interactions: {file: pairs.tsv.zst, query: user, item: item}\n"
                              "split: {test: 0.2, validation: 0.2}\n"
                              "model: {dim: 4, hidden: [6, 4]}\n"
                              "train: {batch: 8, epochs: 2}\n"
                              "evaluate: {bootstrap: 20}\n"
                              "threads: 1\n";

/* Values longer than a piece of scratch space, and more pairs than one: where the memory is little,
 * all of them go through the disk. */
static const char LONG_PROJECT[] =
    "items:\n"
    "  file: long-items.tsv\n"
    "  id: id\n"
    "  title: title\n"
    "  features:\n"
    "    id:    {type: id}\n"
    "    title: {type: text}\n"
    "    tags:  {type: bag, table: names}\n"
    "    brand: {type: categorical, table: names}\n"
    "queries:\n"
    "  file: long-users.tsv\n"
    "  id: user\n"
    "  features: {user: {type: id}}\n"
    "interactions: {file: long-pairs.tsv, query: user, item: item, time: t}\n"
    "split: {by: time, test: 0.1, validation: 0.1}\n"
    "threads: 1\n";

enum { LONG_ROWS = 95, LONG_BYTES = 70000 };

const char *world_path(const world *w, const char *name) {
    static char path[8][2 * WORLD_PATH_MAX];
    static size_t turn;
    char *mine = path[turn++ % 8];
    snprintf(mine, sizeof path[0], "%s/%s", w->root, name);
    return mine;
}

void write_blob(const char *path, const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

blob read_blob(const char *path) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct stat status;
    assert_int_equal(fstat(fileno(file), &status), 0);
    blob b = {malloc((size_t)status.st_size + 1), (size_t)status.st_size};
    assert_non_null(b.data);
    assert_int_equal(fread(b.data, 1, b.bytes, file), b.bytes);
    fclose(file);
    return b;
}

void free_blob(blob *b) {
    free(b->data);
    b->data = NULL;
}

static size_t write_items(char *text) {
    static const char *const NOUN[] = {"chair", "table", "lamp", "rug"};
    size_t used = (size_t)sprintf(text, "id\ttitle\ttags\tbrand\tprice\tyear\n");
    for (int i = 0; i < N_ITEMS; i++) {
        used += (size_t)sprintf(text + used, "i%d\t%s %s\tred|t%d\tbrand%d\t%d.5\t%d\n", i,
                                NOUN[i % 4], NOUN[(i + 1) % 4], i % 5, i % 3, 3 * i, 2000 + i);
    }
    return used;
}

static size_t write_users(char *text) {
    size_t used = (size_t)sprintf(text, "user,likes,age\n");
    for (int u = 0; u < N_USERS; u++) {
        used += (size_t)sprintf(text + used, "u%d,\"brand%d|brand%d\",%d\n", u, u % 3, (u + 1) % 3,
                                20 + u);
    }
    return used;
}

static size_t write_pairs(char *text) {
    size_t used = (size_t)sprintf(text, "user\titem\n");
    for (int i = 0; i < N_USERS * N_ITEMS; i++) {
        if (i % 2 == 0 || i % 7 == 0) {
            used += (size_t)sprintf(text + used, "u%d\ti%d\n", i / N_ITEMS, i % N_ITEMS);
        }
    }
    return used;
}

static void write_gzip(const char *path, const char *text, size_t bytes) {
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)bytes), (int)bytes);
    assert_int_equal(gzclose(file), Z_OK);
}

static void write_zstd(const char *path, const char *text, size_t bytes) {
    char packed[2 * TABLE_MAX];
    const size_t size = ZSTD_compress(packed, sizeof packed, text, bytes, 3);
    assert_false(ZSTD_isError(size));
    write_blob(path, packed, size);
}

static void put_long(FILE *file, char letter, const char *behind) {
    for (int i = 0; i < LONG_BYTES; i++) {
        fputc(letter, file);
    }
    fputs(behind, file);
}

static FILE *begin_table(const world *w, const char *name, const char *header) {
    FILE *file = fopen(world_path(w, name), "wb");
    assert_non_null(file);
    fputs(header, file);
    return file;
}

/* The first item and the first user have the long values. */
static void write_long(const world *w) {
    write_blob(world_path(w, "long.yaml"), LONG_PROJECT, strlen(LONG_PROJECT));
    FILE *items = begin_table(w, "long-items.tsv", "id\ttitle\ttags\tbrand\n");
    FILE *users = begin_table(w, "long-users.tsv", "user\n");
    FILE *pairs = begin_table(w, "long-pairs.tsv", "user\titem\tt\n");
    put_long(items, 'i', "\t");
    put_long(items, 'T', "\t");
    put_long(items, 'g', "|red\t");
    put_long(items, 'b', "\n");
    put_long(users, 'u', "\n");
    put_long(pairs, 'u', "\t");
    put_long(pairs, 'i', "\t0\n");
    for (int i = 0; i < LONG_ROWS; i++) {
        fprintf(items, "i%d\tno %d\tred|t%d\tb%d\n", i, i, i % 9, i % 4);
        fprintf(users, "u%d\n", i);
        for (int u = 0; u < LONG_ROWS; u++) {
            fprintf(pairs, "u%d\ti%d\t%d\n", u, i, u * i);
        }
    }
    assert_int_equal(fclose(items), 0);
    assert_int_equal(fclose(users), 0);
    assert_int_equal(fclose(pairs), 0);
}

void world_make(world *w) {
    char text[TABLE_MAX];
    /* Memory where there is some: thousands of small files are made. */
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(w->root, sizeof w->root, "%s/diptych-fault-XXXXXX", folder);
    assert_non_null(mkdtemp(w->root));
    snprintf(w->project, sizeof w->project, "%s", world_path(w, "shop.yaml"));
    snprintf(w->dataset, sizeof w->dataset, "%s", world_path(w, "shop.dip"));
    snprintf(w->model, sizeof w->model, "%s", world_path(w, "model"));
    write_blob(w->project, PROJECT, strlen(PROJECT));
    write_gzip(world_path(w, "items.tsv.gz"), text, write_items(text));
    write_blob(world_path(w, "users.csv"), text, write_users(text));
    write_zstd(world_path(w, "pairs.tsv.zst"), text, write_pairs(text));
    write_long(w);
}

dip_config *world_config(const dip_dataset *dataset) {
    dip_config *config = NULL;
    assert_int_equal(dip_dataset_config(dataset, &config, NULL), DIP_OK);
    return config;
}

void world_fill(world *w) {
    dip_project *project = NULL;
    dip_dataset *dataset = NULL;
    dip_error err = {DIP_OK, ""};
    world_make(w);
    assert_int_equal(dip_project_load(&project, w->project, &err), DIP_OK);
    if (dip_prepare(project, w->dataset, 0, NULL, NULL, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    dip_project_free(project);
    assert_int_equal(dip_dataset_open(&dataset, w->dataset, &err), DIP_OK);
    dip_config *config = world_config(dataset);
    if (dip_train(dataset, config, w->model, 0, NULL, NULL, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    dip_config_free(config);
    dip_dataset_close(dataset);
}

void world_remove(world *w) {
    remove_tree(w->root);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void remove_tree(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int by_name(const void *left, const void *right) {
    return strcmp(left, right);
}

void list_names(const char *folder, names *list) {
    list->n = 0;
    DIR *open = opendir(folder);
    if (open == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            assert_true(list->n < WORLD_NAMES_MAX);
            snprintf(list->name[list->n++], sizeof list->name[0], "%s", entry->d_name);
        }
    }
    closedir(open);
    qsort(list->name, list->n, sizeof list->name[0], by_name);
}

bool has_name(const names *list, const char *name) {
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->name[i], name) == 0) {
            return true;
        }
    }
    return false;
}

size_t count_hidden(const char *folder) {
    names list;
    size_t n = 0;
    list_names(folder, &list);
    for (size_t i = 0; i < list.n; i++) {
        n += list.name[i][0] == '.';
    }
    return n;
}

uint64_t folder_hash(const char *folder) {
    names list;
    uint64_t hash = 0;
    list_names(folder, &list);
    for (size_t i = 0; i < list.n; i++) {
        char path[2 * WORLD_PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, list.name[i]);
        blob b = read_blob(path);
        const uint64_t parts[3] = {hash, dip_hash(list.name[i], strlen(list.name[i])),
                                   dip_hash(b.data, b.bytes)};
        hash = dip_hash(parts, sizeof parts);
        free_blob(&b);
    }
    return hash;
}

void copy_folder(const char *from, const char *to) {
    names list;
    list_names(from, &list);
    assert_int_equal(mkdir(to, 0777), 0);
    for (size_t i = 0; i < list.n; i++) {
        char source[2 * WORLD_PATH_MAX];
        char target[2 * WORLD_PATH_MAX];
        snprintf(source, sizeof source, "%s/%s", from, list.name[i]);
        snprintf(target, sizeof target, "%s/%s", to, list.name[i]);
        blob b = read_blob(source);
        write_blob(target, b.data, b.bytes);
        free_blob(&b);
    }
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DIP_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DIP_SANITIZED
#endif

bool is_sanitized(void) {
#ifdef DIP_SANITIZED
    return true;
#else
    return false;
#endif
}

uint64_t draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

size_t draw_below(uint64_t *state, size_t n) {
    return (size_t)((draw(state) >> 16) % n);
}
