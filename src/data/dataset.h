/* SPDX-License-Identifier: Apache-2.0
 *
 * A prepared dataset: a published folder (base/folder.h) whose columns are .npy files.
 *
 *   manifest.json                    schema, configuration, counts, and size and XXH3 of every part
 *   vocab-TT-NAME.tsv                the vocabulary of table TT
 *   item-FF-NAME.npy                 int32 row of a single-valued feature, -1 when missing; or the
 *                                    float32 normalised number, NaN when missing
 *   item-FF-NAME.offsets.npy         int64 [items + 1], and ...
 *   item-FF-NAME.values.npy          ... int32 rows of a bag
 *   query-FF-...                     likewise, when queries are not items
 *   item-ids.{offsets,bytes}.npy     the ids; likewise item-titles, query-ids
 *   item-count.npy                   int64 training pairs of each item; item-trains.npy uint8
 *   pairs-{train,validation,test}.npy int32 [n x 2] query row, item row
 *   mutual-information.npy           float64 [k x k]
 */
#ifndef DIP_DATA_DATASET_H
#define DIP_DATA_DATASET_H

#include "base/folder.h"
#include "config/config.h"
#include "data/schema.h"

#define DIP_DATASET_FORMAT "diptych-dataset"
enum { DIP_DATASET_VERSION = 1, DIP_PART_NAME_MAX = 128, DIP_N_SPLITS = 3 };

typedef struct dip_column {
    const int64_t *offsets; /* NULL for a single-valued feature */
    const int32_t *codes;
    const float *numbers;
} dip_column;

typedef struct dip_strings {
    const int64_t *offsets;
    const char *bytes;
} dip_strings;

typedef struct dip_rows {
    int64_t n;
    dip_strings ids;
    dip_strings titles;
    dip_column *columns; /* [n_features] */
} dip_rows;

struct dip_dataset {
    dip_folder folder;
    dip_schema schema;
    dip_config config;
    dip_rows items;
    dip_rows queries; /* unused when queries are items */
    int64_t n_pairs[DIP_N_SPLITS];
    const int32_t *pairs[DIP_N_SPLITS];
    const int64_t *item_count;
    const uint8_t *item_trains;
    const double *mutual_information;
    size_t n_maps;
    size_t map_capacity;
    dip_map *maps;
};

/* "train", "validation", "test", in the order of dip_part. */
extern const char *const dip_split_names[DIP_N_SPLITS];

dip_status dip_dataset_load(dip_dataset *dataset, const char *path, dip_error *err);

/* The same from a folder that is open. The dataset takes it over, also when it fails. */
dip_status dip_dataset_load_folder(dip_dataset *dataset, dip_folder *folder, dip_error *err);
void dip_dataset_release(dip_dataset *dataset);

static inline const dip_rows *dip_dataset_rows(const dip_dataset *dataset, dip_side side) {
    return side == DIP_SIDE_QUERY && !dataset->schema.queries_are_items ? &dataset->queries
                                                                        : &dataset->items;
}

/* The map that holds a part of the dataset, or NULL when no map has this address. */
const dip_map *dip_dataset_map(const dip_dataset *dataset, const void *data);

/* A walk over a column larger than DIP_MAP_LARGE has come to an address: what lies shortly before
 * it leaves the memory of this process. To be called where dip_walk_ends() says so. */
void dip_dataset_pass(const dip_dataset *dataset, const void *at);

/* After every 2^20th element of a walk. */
static inline bool dip_walk_ends(int64_t at) {
    return (at & 0xFFFFF) == 0xFFFFF;
}

/* The bytes of one string. */
static inline const char *dip_strings_at(const dip_strings *strings, int64_t row, size_t *length) {
    *length = (size_t)(strings->offsets[row + 1] - strings->offsets[row]);
    return strings->bytes + strings->offsets[row];
}

/* The name of a feature's part, such as "item-02-section.npy". Bytes of the feature's name that
 * are not letters, digits, '_' or '-' become '_'. */
void dip_part_name(char name[DIP_PART_NAME_MAX], const char *prefix, size_t index,
                   const char *feature, const char *ending);

/* A query's or item's row by id through a scan, or -1. */
int64_t dip_rows_find(const dip_rows *rows, const char *id);

/* The ids nearest in spelling, as `"a", "b", "c"`; "" when none is near. */
void dip_rows_nearest(const dip_rows *rows, const char *id, char *text, size_t capacity);

#endif
