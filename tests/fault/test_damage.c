/* SPDX-License-Identifier: Apache-2.0
 *
 * R10: damaged files. Truncations, flipped bits, zeroed and swapped blocks and extra bytes in
 * every file of a dataset and of a model: opening must refuse them with DIP_ERR_FORMAT and name
 * the file. Every bit of the first KiB, or of the header, is flipped in turn in one file of each
 * kind; elsewhere a sample, the same each time.
 */
#include "fault/world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NPY_HEADER = 128, FIRST_BYTES = 1024, FEW = 16, BLOCK = 16, SHOWN = 8 };

static world shop;
static int complaints;

typedef dip_status (*open_fn)(const char *path, dip_error *err);

static dip_status open_dataset(const char *path, dip_error *err) {
    dip_dataset *dataset = NULL;
    const dip_status status = dip_dataset_open(&dataset, path, err);
    dip_dataset_close(dataset);
    return status;
}

static dip_status open_model(const char *path, dip_error *err) {
    dip_model *model = NULL;
    const dip_status status = dip_model_load(&model, path, err);
    dip_model_free(model);
    return status;
}

/* One file of a folder under test, with its good content. */
typedef struct target {
    const char *folder;
    open_fn open;
    char name[256];
    char path[2 * WORLD_PATH_MAX];
    blob good;
} target;

static target take(const char *folder, open_fn open, const char *name) {
    target t = {.folder = folder, .open = open};
    snprintf(t.name, sizeof t.name, "%s", name);
    snprintf(t.path, sizeof t.path, "%s/%s", folder, name);
    t.good = read_blob(t.path);
    return t;
}

static void put_back(target *t) {
    write_blob(t->path, t->good.data, t->good.bytes);
    free_blob(&t->good);
}

static void expect_refusal(const target *t, const char *damage, size_t at) {
    dip_error err = {DIP_OK, ""};
    const dip_status status = t->open(t->folder, &err);
    if (status == DIP_ERR_FORMAT && strstr(err.message, t->name) != NULL) {
        return;
    }
    if (complaints++ < SHOWN) {
        print_error("%s, %s at %zu: %s: %s\n", t->name, damage, at, dip_status_name(status),
                    err.message);
    }
}

/* Overwrites bytes in place; opening a file anew for each would take longer. */
static void poke(int fd, const void *data, size_t bytes, size_t at) {
    assert_int_equal(pwrite(fd, data, bytes, (off_t)at), (ssize_t)bytes);
}

static void flip_bit(const target *t, int fd, size_t bit) {
    const unsigned char flipped = t->good.data[bit / 8] ^ (unsigned char)(1u << bit % 8);
    poke(fd, &flipped, 1, bit / 8);
    expect_refusal(t, "a flipped bit", bit);
    poke(fd, &t->good.data[bit / 8], 1, bit / 8);
}

static void flip_bits(const target *t, int fd, size_t thorough) {
    uint64_t state = 521288629546311u + t->good.bytes;
    const size_t first = t->good.bytes < thorough ? t->good.bytes : thorough;
    /* Coprime to 8: under a sanitizer every byte is touched, if not every bit. */
    for (size_t bit = 0; bit < 8 * first; bit += is_sanitized() ? 5 : 1) {
        flip_bit(t, fd, bit);
    }
    for (size_t i = 0; t->good.bytes > 0 && i < FEW; i++) {
        flip_bit(t, fd, draw_below(&state, 8 * t->good.bytes));
    }
}

static void replace_block(const target *t, int fd, const unsigned char *block, size_t at,
                          const char *damage) {
    if (memcmp(block, t->good.data + at, BLOCK) != 0) {
        poke(fd, block, BLOCK, at);
        expect_refusal(t, damage, at);
        poke(fd, t->good.data + at, BLOCK, at);
    }
}

static void spoil_blocks(const target *t, int fd) {
    static const unsigned char ZEROS[BLOCK];
    unsigned char noise[BLOCK];
    uint64_t state = 1234567u + t->good.bytes;
    for (size_t i = 0; t->good.bytes >= 2 * BLOCK && i < FEW; i++) {
        const size_t at = draw_below(&state, t->good.bytes - BLOCK);
        const size_t from = draw_below(&state, t->good.bytes - BLOCK);
        for (size_t j = 0; j < BLOCK; j++) {
            noise[j] = (unsigned char)draw_below(&state, 256);
        }
        replace_block(t, fd, ZEROS, at, "a zeroed block");
        replace_block(t, fd, noise, at, "a block of noise");
        replace_block(t, fd, t->good.data + from, at, "a block from elsewhere");
    }
}

static void swap_blocks(const target *t, int fd) {
    uint64_t state = 7654321u + t->good.bytes;
    for (size_t i = 0; t->good.bytes >= 2 * BLOCK && i < FEW; i++) {
        const size_t blocks = t->good.bytes / BLOCK;
        const size_t a = BLOCK * draw_below(&state, blocks);
        const size_t b = BLOCK * draw_below(&state, blocks);
        if (memcmp(t->good.data + a, t->good.data + b, BLOCK) == 0) {
            continue;
        }
        poke(fd, t->good.data + a, BLOCK, b);
        poke(fd, t->good.data + b, BLOCK, a);
        expect_refusal(t, "two blocks swapped", a);
        poke(fd, t->good.data + a, BLOCK, a);
        poke(fd, t->good.data + b, BLOCK, b);
    }
}

static void truncate_and_extend(const target *t, int fd, size_t thorough) {
    static const unsigned char MORE[4096] = {'\n'};
    static const size_t EXTRA[] = {1, 2, 64, sizeof MORE};
    uint64_t state = 987654321u + t->good.bytes;
    for (size_t n = 0; n < t->good.bytes && n < thorough; n += is_sanitized() ? 5 : 1) {
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        expect_refusal(t, "a truncation", n);
        poke(fd, t->good.data, t->good.bytes, 0);
    }
    for (size_t i = 0; t->good.bytes > 0 && i < FEW; i++) {
        const size_t n = i == 0 ? t->good.bytes - 1 : draw_below(&state, t->good.bytes);
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        expect_refusal(t, "a truncation", n);
        poke(fd, t->good.data, t->good.bytes, 0);
    }
    for (size_t i = 0; i < sizeof EXTRA / sizeof EXTRA[0]; i++) {
        poke(fd, MORE, EXTRA[i], t->good.bytes);
        expect_refusal(t, "bytes behind the end", EXTRA[i]);
        assert_int_equal(ftruncate(fd, (off_t)t->good.bytes), 0);
    }
}

/* thorough: how many first bytes have every bit flipped and every truncation made. */
static void spoil(const char *folder, open_fn open, const char *name, size_t thorough) {
    target t = take(folder, open, name);
    dip_error err = {DIP_OK, ""};
    FILE *file = fopen(t.path, "r+b");
    assert_non_null(file);
    const int fd = fileno(file);
    flip_bits(&t, fd, thorough);
    spoil_blocks(&t, fd);
    swap_blocks(&t, fd);
    truncate_and_extend(&t, fd, thorough);
    fclose(file);
    put_back(&t);
    if (open(folder, &err) != DIP_OK) {
        fail_msg("the good content is not accepted again: %s", err.message);
    }
}

static void spoil_thoroughly(const char *folder, open_fn open, const char *name) {
    const bool is_npy = strstr(name, ".npy") != NULL;
    complaints = 0;
    spoil(folder, open, name, is_npy ? NPY_HEADER : FIRST_BYTES);
    assert_int_equal(complaints, 0);
}

#define DATASET_TEST(test, name)                                                                   \
    static void test(void **state) {                                                               \
        (void)state;                                                                               \
        spoil_thoroughly(shop.dataset, open_dataset, name);                                        \
    }
#define MODEL_TEST(test, name)                                                                     \
    static void test(void **state) {                                                               \
        (void)state;                                                                               \
        spoil_thoroughly(shop.model, open_model, name);                                            \
    }

DATASET_TEST(dataset_manifest, "manifest.json")
DATASET_TEST(dataset_vocabulary, "vocab-00-id.tsv")
DATASET_TEST(dataset_bytes, "item-ids.bytes.npy")
DATASET_TEST(dataset_offsets, "item-titles.offsets.npy")
DATASET_TEST(dataset_codes, "item-03-brand.npy")
DATASET_TEST(dataset_bag, "item-02-tags.values.npy")
DATASET_TEST(dataset_numbers, "item-04-price.npy")
DATASET_TEST(dataset_pairs, "pairs-train.npy")
DATASET_TEST(dataset_counts, "item-count.npy")
DATASET_TEST(dataset_information, "mutual-information.npy")
MODEL_TEST(model_manifest, "manifest.json")
MODEL_TEST(model_description, "config.json")
MODEL_TEST(model_tensors, "model.safetensors")
MODEL_TEST(model_vocabulary, "vocab-00-id.tsv")
MODEL_TEST(model_metrics, "metrics.jsonl")

static void spoil_the_rest(const char *folder, open_fn open) {
    names list;
    complaints = 0;
    list_names(folder, &list);
    assert_true(list.n > 5);
    for (size_t i = 0; i < list.n; i++) {
        const bool has_own_test =
            strncmp(list.name[i], "vocab", 5) == 0 || strcmp(list.name[i], "metrics.jsonl") == 0;
        if (!has_own_test) {
            spoil(folder, open, list.name[i], 0);
        }
    }
    assert_int_equal(complaints, 0);
}

static void every_file_of_a_dataset(void **state) {
    (void)state;
    spoil_the_rest(shop.dataset, open_dataset);
}

static void every_file_of_a_model(void **state) {
    (void)state;
    spoil_the_rest(shop.model, open_model);
}

/* What has the same size may stand in for another file of the folder. */
static void files_swapped(void **state) {
    (void)state;
    names list;
    complaints = 0;
    list_names(shop.dataset, &list);
    for (size_t i = 0; i < list.n; i++) {
        target a = take(shop.dataset, open_dataset, list.name[i]);
        for (size_t j = 0; j < list.n; j++) {
            target b = take(shop.dataset, open_dataset, list.name[j]);
            const bool is_same =
                a.good.bytes == b.good.bytes && memcmp(a.good.data, b.good.data, a.good.bytes) == 0;
            const bool is_checked = strncmp(list.name[i], "vocab", 5) != 0;
            if (i != j && !is_same && is_checked) {
                write_blob(a.path, b.good.data, b.good.bytes);
                expect_refusal(&a, "the content of another file", j);
            }
            free_blob(&b.good);
        }
        put_back(&a);
    }
    assert_int_equal(complaints, 0);
}

/* inspect reads headers alone: it must survive every one of them. */
static void inspect_survives(void **state) {
    (void)state;
    static const char *const NAMES[] = {"x.npy", "x.safetensors", "x.yaml"};
    static const char *const SOURCES[] = {"shop.dip/pairs-train.npy", "model/model.safetensors",
                                          "shop.yaml"};
    for (size_t i = 0; i < 3; i++) {
        uint64_t seed = 42 + i;
        blob b = read_blob(world_path(&shop, SOURCES[i]));
        const char *path = world_path(&shop, NAMES[i]);
        for (int round = 0; round < 2000; round++) {
            const size_t bit = draw_below(&seed, 8 * (b.bytes < 400 ? b.bytes : 400));
            const size_t bytes = round % 4 == 0 ? bit / 8 : b.bytes;
            dip_report *report = NULL;
            dip_error err = {DIP_OK, ""};
            b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            write_blob(path, b.data, bytes);
            const dip_status status = dip_inspect(path, &report, &err);
            assert_true(status == DIP_OK || status == DIP_ERR_FORMAT || status == DIP_ERR_USAGE);
            dip_report_free(report);
            b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        free_blob(&b);
    }
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
        cmocka_unit_test(dataset_manifest),      cmocka_unit_test(dataset_vocabulary),
        cmocka_unit_test(dataset_bytes),         cmocka_unit_test(dataset_offsets),
        cmocka_unit_test(dataset_codes),         cmocka_unit_test(dataset_bag),
        cmocka_unit_test(dataset_numbers),       cmocka_unit_test(dataset_pairs),
        cmocka_unit_test(dataset_counts),        cmocka_unit_test(dataset_information),
        cmocka_unit_test(model_manifest),        cmocka_unit_test(model_description),
        cmocka_unit_test(model_tensors),         cmocka_unit_test(model_vocabulary),
        cmocka_unit_test(model_metrics),         cmocka_unit_test(every_file_of_a_dataset),
        cmocka_unit_test(every_file_of_a_model), cmocka_unit_test(files_swapped),
        cmocka_unit_test(inspect_survives),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
