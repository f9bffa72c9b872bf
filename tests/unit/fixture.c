/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/text.h"

const char fixture_yaml[] = "items:\n"
                            "  file: items.tsv\n"
                            "  id: id\n"
                            "  title: title\n"
                            "  features:\n"
                            "    id: {type: id}\n"
                            "    kind: {type: categorical}\n"
                            "    tags: {type: bag}\n"
                            "    title: {type: text}\n"
                            "    price: {type: numeric}\n"
                            "interactions: {file: pairs.tsv, query: q, item: i}\n"
                            "split: {by: column, column: part}\n";

static int no_sync(int fd) {
    (void)fd;
    return 0;
}

void fixture_fast_files(void) {
    static dip_vfs table;
    table = *dip_vfs_system();
    table.fsync = no_sync;
    dip_vfs_set(&table);
}

void fixture_write(check_folder *folder, const char *yaml, const char *items, const char *pairs) {
    check_write_text(check_path(folder, "project.yaml"), yaml);
    check_write_text(check_path(folder, "items.tsv"), items);
    check_write_text(check_path(folder, "pairs.tsv"), pairs);
}

dip_status fixture_project(dip_project *project, check_folder *folder) {
    return dip_project_read(project, check_path(folder, "project.yaml"), check_error());
}

dip_status fixture_prepare(check_folder *folder, json_t **summary) {
    dip_project project;
    fixture_fast_files();
    DIP_TRY(fixture_project(&project, folder));
    const dip_status status = dip_prepare_dataset(&project, check_path(folder, "data"), true, NULL,
                                                  summary, check_error());
    dip_project_release(&project);
    return status;
}

void fixture_small_blocks(dip_project *project, size_t block_bytes) {
    project->schema.items.source.block_bytes = block_bytes;
    project->schema.queries.source.block_bytes = block_bytes;
    project->schema.interactions.block_bytes = block_bytes;
}

dip_status fixture_prepare_by(check_folder *folder, const dip_means *means, size_t block_bytes,
                              json_t **summary) {
    dip_project project;
    fixture_fast_files();
    DIP_TRY(fixture_project(&project, folder));
    fixture_small_blocks(&project, block_bytes);
    const dip_status status =
        dip_prepare_by(&project, check_path(folder, "data"), true, means, summary, check_error());
    dip_project_release(&project);
    return status;
}

void fixture_load(dip_dataset *dataset, check_folder *folder, const char *yaml, const char *items,
                  const char *pairs) {
    fixture_write(folder, yaml, items, pairs);
    check_ok(fixture_prepare(folder, NULL));
    check_ok(dip_dataset_load(dataset, check_path(folder, "data"), check_error()));
}

static void copy_parts(dip_folder_writer *out, const dip_folder *in, const char *left_out) {
    const char *name = NULL;
    json_t *part = NULL;
    json_object_foreach(json_object_get(in->manifest, "parts"), name, part) {
        dip_map map;
        if (left_out != NULL && strcmp(name, left_out) == 0) {
            continue;
        }
        check_ok(dip_folder_map(in, name, &map, check_error()));
        check_ok(dip_folder_put(out, name, map.data, map.bytes, check_error()));
        dip_map_close(&map);
    }
}

/* What the caller of dip_folder_publish gives: the manifest without what the folder adds. */
static json_t *content_of(const dip_folder *folder) {
    static const char *const OWN[] = {"format", "version", "parts", "checksum"};
    json_t *content = json_deep_copy(folder->manifest);
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
        json_object_del(content, OWN[i]);
    }
    return content;
}

/* What is to be different in the next publication. */
typedef struct revision {
    const char *part;
    const void *bytes;
    size_t n;
    const dip_npy *array;
    void (*edit)(json_t *manifest);
} revision;

static void put_revised(dip_folder_writer *out, const revision *r) {
    if (r->bytes != NULL) {
        check_ok(dip_folder_put(out, r->part, r->bytes, r->n, check_error()));
    }
    if (r->array != NULL) {
        check_ok(dip_npy_put(out, r->part, r->array->type, r->array->data, r->array->rows,
                             r->array->columns, check_error()));
    }
}

static void republish(check_folder *folder, const revision *r) {
    const char *path = check_path(folder, "data");
    dip_folder in;
    dip_folder_writer out;
    check_ok(dip_folder_open(&in, path, DIP_DATASET_FORMAT, DIP_DATASET_VERSION, check_error()));
    check_ok(dip_folder_create(&out, path, true, check_error()));
    copy_parts(&out, &in, r->part);
    put_revised(&out, r);
    json_t *content = content_of(&in);
    if (r->edit != NULL) {
        r->edit(content);
    }
    check_ok(
        dip_folder_publish(&out, DIP_DATASET_FORMAT, DIP_DATASET_VERSION, content, check_error()));
    json_decref(content);
    dip_folder_close(&in);
}

void fixture_replace_part(check_folder *folder, const char *part, const void *bytes, size_t n) {
    republish(folder, &(revision){.part = part, .bytes = bytes, .n = n});
}

void fixture_replace_array(check_folder *folder, const char *part, const dip_npy *array) {
    republish(folder, &(revision){.part = part, .array = array});
}

void fixture_edit_manifest(check_folder *folder, void (*edit)(json_t *manifest)) {
    republish(folder, &(revision){.edit = edit});
}

/* ---- random projects ------------------------------------------------------------------------- */

static const char RANDOM_YAML[] = "items:\n"
                                  "  file: items.tsv\n"
                                  "  id: id\n"
                                  "  features:\n"
                                  "    id: {type: id}\n"
                                  "    kind: {type: categorical}\n"
                                  "    tags: {type: bag}\n"
                                  "interactions: {file: pairs.tsv, query: q, item: i}\n";

static void write_items(check_folder *folder, fixture_size size, uint64_t *random) {
    dip_text text = {0};
    check_ok(dip_text_printf(&text, check_error(), "id\tkind\ttags\n"));
    for (size_t i = 0; i < size.n_items; i++) {
        check_ok(dip_text_printf(&text, check_error(), "i%zu\tk%zu\tt%zu|t%zu\n", i,
                                 check_random_below(random, 7), check_random_below(random, 20),
                                 check_random_below(random, 20)));
    }
    check_write(check_path(folder, "items.tsv"), text.data, text.length);
    dip_text_free(&text);
}

static size_t common_factor(size_t a, size_t b) {
    while (b != 0) {
        const size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Pair number n is one of all ordered pairs of distinct items; a stride that shares no factor with
 * their number visits each once. */
static void write_pairs(check_folder *folder, fixture_size size, uint64_t *random) {
    const size_t all = size.n_items * (size.n_items - 1);
    size_t stride = 1 + check_random_below(random, all);
    while (common_factor(stride, all) != 1) {
        stride++;
    }
    dip_text text = {0};
    check_ok(dip_text_printf(&text, check_error(), "q\ti\n"));
    for (size_t n = 0; n < size.n_pairs; n++) {
        const size_t at = n * stride % all;
        const size_t query = at / (size.n_items - 1);
        const size_t other = at % (size.n_items - 1);
        check_ok(
            dip_text_printf(&text, check_error(), "i%zu\ti%zu\n", query, other + (other >= query)));
    }
    check_write(check_path(folder, "pairs.tsv"), text.data, text.length);
    dip_text_free(&text);
}

void fixture_write_random(check_folder *folder, fixture_size size, const char *options) {
    uint64_t random = size.seed;
    dip_text yaml = {0};
    assert_true(size.n_pairs <= size.n_items * (size.n_items - 1));
    check_ok(dip_text_put(&yaml, RANDOM_YAML, sizeof RANDOM_YAML - 1, check_error()));
    check_ok(dip_text_put(&yaml, options, strlen(options), check_error()));
    check_write(check_path(folder, "project.yaml"), yaml.data, yaml.length);
    dip_text_free(&yaml);
    write_items(folder, size, &random);
    write_pairs(folder, size, &random);
}
