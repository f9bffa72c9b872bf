/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include "base/mem.h"
#include "base/npy.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const dip_split_names[DIP_N_SPLITS] = {"train", "validation", "test"};

enum { NEAREST_SHOWN = 5, SHORT_NAME = 60 };

/* Bytes behind a walk that are let go: more than lie between two calls. */
enum { PASSED_BYTES = 2 * DIP_MAP_PIECE };

void dip_part_name(char name[DIP_PART_NAME_MAX], const char *prefix, size_t index,
                   const char *feature, const char *ending) {
    char clean[SHORT_NAME + 1];
    size_t n = 0;
    for (; n < SHORT_NAME && feature[n] != '\0'; n++) {
        const char c = feature[n];
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '_';
        clean[n] = c;
        if (!is_plain) {
            clean[n] = '_';
        }
    }
    clean[n] = '\0';
    snprintf(name, DIP_PART_NAME_MAX, "%s-%02zu-%s%s", prefix, index, clean, ending);
}

/* Maps a part and checks its type and shape; rows < 0 accepts any number of them. */
static dip_status map_array(dip_dataset *dataset, const char *name, dip_npy_type type, int64_t rows,
                            int64_t columns, dip_npy *npy, dip_error *err) {
    DIP_TRY(dip_grow((void **)&dataset->maps, &dataset->map_capacity, dataset->n_maps + 1,
                     sizeof *dataset->maps, "the maps of a dataset", err));
    dip_map *map = &dataset->maps[dataset->n_maps];
    DIP_TRY(dip_folder_map(&dataset->folder, name, map, err));
    dataset->n_maps++;
    DIP_TRY(dip_npy_parse(npy, map->data, map->bytes, name, err));
    if (!dip_npy_is_plain(npy, map->data)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: the .npy header is not the one that was written",
                        name);
    }
    if (npy->type != type || npy->columns != columns || (rows >= 0 && npy->rows != rows)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s holds %s [%lld, %lld], not %s [%lld, %lld]", name,
                        dip_npy_descr(npy->type), (long long)npy->rows, (long long)npy->columns,
                        dip_npy_descr(type), (long long)rows, (long long)columns);
    }
    return DIP_OK;
}

const dip_map *dip_dataset_map(const dip_dataset *dataset, const void *data) {
    const unsigned char *byte = data;
    for (size_t i = 0; i < dataset->n_maps; i++) {
        const dip_map *map = &dataset->maps[i];
        if (byte >= map->data && byte < map->data + map->bytes) {
            return map;
        }
    }
    return NULL;
}

void dip_dataset_pass(const dip_dataset *dataset, const void *at) {
    const dip_map *map = dip_dataset_map(dataset, at);
    if (map != NULL && map->bytes > DIP_MAP_LARGE) {
        const size_t end = (size_t)((const unsigned char *)at - map->data);
        const size_t begin = end > PASSED_BYTES ? end - PASSED_BYTES : 0;
        dip_map_advise(map, begin, end - begin, DIP_ADVICE_DONE);
    }
}

static dip_status check_offsets(const dip_dataset *dataset, const int64_t *offsets, int64_t n,
                                int64_t total, const char *name, dip_error *err) {
    int64_t previous = 0;
    for (int64_t i = 0; i <= n; i++) {
        if (offsets[i] < previous || offsets[i] > total || (i == 0 && offsets[i] != 0)) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s: offset %lld at row %lld is out of order",
                            name, (long long)offsets[i], (long long)i);
        }
        previous = offsets[i];
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, offsets + i);
        }
    }
    if (previous != total) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: the offsets end at %lld, the values at %lld",
                        name, (long long)previous, (long long)total);
    }
    return DIP_OK;
}

static dip_status check_codes(const dip_dataset *dataset, const int32_t *codes, int64_t n,
                              int64_t low, int64_t rows, const char *name, dip_error *err) {
    for (int64_t i = 0; i < n; i++) {
        if (codes[i] < low || codes[i] >= rows) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s: value %d at %lld is not in %lld to %lld",
                            name, codes[i], (long long)i, (long long)low, (long long)rows - 1);
        }
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, codes + i);
        }
    }
    return DIP_OK;
}

static dip_status load_strings(dip_dataset *dataset, const char *stem, int64_t rows,
                               dip_strings *strings, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_npy bytes;
    dip_npy offsets;
    snprintf(name, sizeof name, "%s.bytes.npy", stem);
    DIP_TRY(map_array(dataset, name, DIP_NPY_U8, -1, 0, &bytes, err));
    snprintf(name, sizeof name, "%s.offsets.npy", stem);
    DIP_TRY(map_array(dataset, name, DIP_NPY_I64, rows + 1, 0, &offsets, err));
    DIP_TRY(check_offsets(dataset, offsets.data, rows, bytes.rows, name, err));
    *strings = (dip_strings){offsets.data, bytes.data};
    return DIP_OK;
}

static dip_status load_bag(dip_dataset *dataset, const char *prefix, size_t index,
                           const dip_feature *feature, int64_t rows, dip_column *column,
                           dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_npy offsets;
    dip_npy values;
    dip_part_name(name, prefix, index, feature->name, ".values.npy");
    DIP_TRY(map_array(dataset, name, DIP_NPY_I32, -1, 0, &values, err));
    DIP_TRY(check_codes(dataset, values.data, values.rows, 0,
                        dataset->schema.tables[feature->table].rows, name, err));
    dip_part_name(name, prefix, index, feature->name, ".offsets.npy");
    DIP_TRY(map_array(dataset, name, DIP_NPY_I64, rows + 1, 0, &offsets, err));
    DIP_TRY(check_offsets(dataset, offsets.data, rows, values.rows, name, err));
    *column = (dip_column){.offsets = offsets.data, .codes = values.data};
    return DIP_OK;
}

static dip_status check_numbers(const dip_dataset *dataset, const float *numbers, int64_t n,
                                const char *name, dip_error *err) {
    for (int64_t i = 0; i < n; i++) {
        if (isinf(numbers[i])) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s: the number at row %lld is infinite", name,
                            (long long)i);
        }
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, numbers + i);
        }
    }
    return DIP_OK;
}

static dip_status load_column(dip_dataset *dataset, const char *prefix, size_t index,
                              const dip_feature *feature, int64_t rows, dip_column *column,
                              dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_npy npy;
    if (dip_feature_is_bag(feature)) {
        return load_bag(dataset, prefix, index, feature, rows, column, err);
    }
    dip_part_name(name, prefix, index, feature->name, ".npy");
    if (feature->table < 0) {
        DIP_TRY(map_array(dataset, name, DIP_NPY_F32, rows, 0, &npy, err));
        column->numbers = npy.data;
        return check_numbers(dataset, column->numbers, rows, name, err);
    }
    DIP_TRY(map_array(dataset, name, DIP_NPY_I32, rows, 0, &npy, err));
    column->codes = npy.data;
    return check_codes(dataset, column->codes, rows, -1,
                       dataset->schema.tables[feature->table].rows, name, err);
}

static dip_status load_rows(dip_dataset *dataset, const char *prefix, const dip_entity *entity,
                            dip_rows *rows, dip_error *err) {
    char stem[DIP_PART_NAME_MAX];
    char key[32];
    json_t *counts = NULL;
    DIP_TRY(dip_json_object(dataset->folder.manifest, "counts", &counts, err));
    snprintf(key, sizeof key, "%s_rows", prefix);
    DIP_TRY(dip_json_integer(counts, key, 1, INT32_MAX, &rows->n, err));
    snprintf(stem, sizeof stem, "%s-ids", prefix);
    DIP_TRY(load_strings(dataset, stem, rows->n, &rows->ids, err));
    snprintf(stem, sizeof stem, "%s-titles", prefix);
    DIP_TRY(load_strings(dataset, stem, rows->n, &rows->titles, err));
    rows->columns = dip_alloc(entity->n_features, sizeof *rows->columns, "columns", err);
    if (rows->columns == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t f = 0; f < entity->n_features; f++) {
        DIP_TRY(
            load_column(dataset, prefix, f, &entity->features[f], rows->n, &rows->columns[f], err));
    }
    return DIP_OK;
}

static dip_status load_pairs(dip_dataset *dataset, dip_error *err) {
    const int64_t n_items = dataset->items.n;
    const int64_t n_queries = dip_dataset_rows(dataset, DIP_SIDE_QUERY)->n;
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        char name[DIP_PART_NAME_MAX];
        dip_npy npy;
        snprintf(name, sizeof name, "pairs-%s.npy", dip_split_names[s]);
        DIP_TRY(map_array(dataset, name, DIP_NPY_I32, -1, 2, &npy, err));
        const int32_t *pair = npy.data;
        for (int64_t i = 0; i < npy.rows; i++) {
            DIP_TRY(check_codes(dataset, pair + 2 * i, 1, 0, n_queries, name, err));
            DIP_TRY(check_codes(dataset, pair + 2 * i + 1, 1, 0, n_items, name, err));
            if (dip_walk_ends(i)) {
                dip_dataset_pass(dataset, pair + 2 * i);
            }
        }
        dataset->pairs[s] = pair;
        dataset->n_pairs[s] = npy.rows;
    }
    return DIP_OK;
}

static dip_status load_statistics(dip_dataset *dataset, dip_error *err) {
    const int64_t k = (int64_t)dataset->schema.items.n_features;
    dip_npy npy;
    DIP_TRY(map_array(dataset, "item-count.npy", DIP_NPY_I64, dataset->items.n, 0, &npy, err));
    dataset->item_count = npy.data;
    for (int64_t i = 0; i < dataset->items.n; i++) {
        if (dataset->item_count[i] < 0) {
            return dip_fail(err, DIP_ERR_FORMAT, "item-count.npy: a negative count at row %lld",
                            (long long)i);
        }
    }
    DIP_TRY(map_array(dataset, "item-trains.npy", DIP_NPY_U8, dataset->items.n, 0, &npy, err));
    dataset->item_trains = npy.data;
    DIP_TRY(map_array(dataset, "mutual-information.npy", DIP_NPY_F64, k, k, &npy, err));
    dataset->mutual_information = npy.data;
    for (int64_t i = 0; i < k * k; i++) {
        if (!isfinite(dataset->mutual_information[i]) || dataset->mutual_information[i] < 0) {
            return dip_fail(err, DIP_ERR_FORMAT,
                            "mutual-information.npy: %g at %lld is not allowed",
                            dataset->mutual_information[i], (long long)i);
        }
    }
    return DIP_OK;
}

static dip_status load_manifest(dip_dataset *dataset, dip_error *err) {
    json_t *schema = NULL;
    json_t *config = NULL;
    DIP_TRY(dip_json_object(dataset->folder.manifest, "schema", &schema, err));
    DIP_TRY(dip_json_object(dataset->folder.manifest, "config", &config, err));
    DIP_TRY(dip_schema_from_json(&dataset->schema, schema, err));
    dip_options_default(&dip_config_table, &dataset->config, sizeof dataset->config);
    return dip_config_from_json(&dataset->config, config, err);
}

/* One line a row. */
static dip_status check_vocabulary(const dip_dataset *dataset, const dip_table *table,
                                   const char *name, dip_error *err) {
    dip_map map;
    int64_t lines = 0;
    DIP_TRY(dip_folder_map(&dataset->folder, name, &map, err));
    for (size_t i = 0; i < map.bytes; i++) {
        lines += map.data[i] == '\n';
        if (map.bytes > DIP_MAP_LARGE && (i + 1) % DIP_MAP_PIECE == 0) {
            dip_map_advise(&map, i + 1 - DIP_MAP_PIECE, DIP_MAP_PIECE, DIP_ADVICE_DONE);
        }
    }
    dip_map_close(&map);
    return lines == table->rows
               ? DIP_OK
               : dip_fail(err, DIP_ERR_FORMAT, "%s has %lld lines, the schema says %lld", name,
                          (long long)lines, (long long)table->rows);
}

/* Vocabularies are not needed here, but a dataset is whole or it is not opened. */
static dip_status check_vocabularies(const dip_dataset *dataset, dip_error *err) {
    for (size_t t = 0; t < dataset->schema.n_tables; t++) {
        char name[DIP_PART_NAME_MAX];
        const dip_table *table = &dataset->schema.tables[t];
        if (table->is_vocabulary) {
            dip_part_name(name, "vocab", t, table->name, ".tsv");
            DIP_TRY(check_vocabulary(dataset, table, name, err));
        }
    }
    return DIP_OK;
}

static dip_status load_parts(dip_dataset *dataset, dip_error *err) {
    DIP_TRY(load_manifest(dataset, err));
    DIP_TRY(check_vocabularies(dataset, err));
    DIP_TRY(load_rows(dataset, "item", &dataset->schema.items, &dataset->items, err));
    if (!dataset->schema.queries_are_items) {
        DIP_TRY(load_rows(dataset, "query", &dataset->schema.queries, &dataset->queries, err));
    }
    DIP_TRY(load_pairs(dataset, err));
    return load_statistics(dataset, err);
}

dip_status dip_dataset_load_folder(dip_dataset *dataset, dip_folder *folder, dip_error *err) {
    memset(dataset, 0, sizeof *dataset);
    dataset->folder = *folder;
    *folder = (dip_folder){0};
    dip_status status = load_parts(dataset, err);
    if (status != DIP_OK) {
        status = dip_fail_context(err, status, "dataset %s", dataset->folder.path);
        dip_dataset_release(dataset);
    }
    return status;
}

dip_status dip_dataset_load(dip_dataset *dataset, const char *path, dip_error *err) {
    dip_folder folder;
    memset(dataset, 0, sizeof *dataset);
    DIP_TRY(dip_folder_open(&folder, path, DIP_DATASET_FORMAT, DIP_DATASET_VERSION, err));
    return dip_dataset_load_folder(dataset, &folder, err);
}

void dip_dataset_release(dip_dataset *dataset) {
    for (size_t i = 0; i < dataset->n_maps; i++) {
        dip_map_close(&dataset->maps[i]);
    }
    dip_free(dataset->maps);
    dip_free(dataset->items.columns);
    dip_free(dataset->queries.columns);
    dip_schema_free(&dataset->schema);
    dip_folder_close(&dataset->folder);
    memset(dataset, 0, sizeof *dataset);
}

int64_t dip_rows_find(const dip_rows *rows, const char *id) {
    const size_t length = strlen(id);
    for (int64_t row = 0; row < rows->n; row++) {
        size_t size = 0;
        const char *found = dip_strings_at(&rows->ids, row, &size);
        if (size == length && memcmp(found, id, length) == 0) {
            return row;
        }
    }
    return -1;
}

typedef struct neighbour {
    unsigned distance;
    char id[64];
} neighbour;

/* Insertion into a list ordered by distance; equal ones keep their order. */
static size_t insert(neighbour *list, size_t n, unsigned distance, const char *id) {
    size_t at = n;
    while (at > 0 && list[at - 1].distance > distance) {
        at--;
    }
    if (at == NEAREST_SHOWN) {
        return n;
    }
    const size_t last = n < NEAREST_SHOWN ? n : NEAREST_SHOWN - 1;
    memmove(list + at + 1, list + at, (last - at) * sizeof *list);
    list[at].distance = distance;
    memcpy(list[at].id, id, sizeof list[at].id);
    return last + 1;
}

void dip_rows_nearest(const dip_rows *rows, const char *id, char *text, size_t capacity) {
    neighbour list[NEAREST_SHOWN];
    size_t n = 0;
    for (int64_t row = 0; row < rows->n; row++) {
        size_t size = 0;
        const char *found = dip_strings_at(&rows->ids, row, &size);
        char candidate[sizeof list[0].id] = "";
        unsigned distance = 0;
        if (size >= sizeof candidate) {
            continue;
        }
        memcpy(candidate, found, size);
        if (dip_spelling_is_near(id, candidate, &distance)) {
            n = insert(list, n, distance, candidate);
        }
    }
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && used < capacity; i++) {
        used += (size_t)snprintf(text + used, capacity - used, "%s\"%s\"", i > 0 ? ", " : "",
                                 list[i].id);
    }
}
