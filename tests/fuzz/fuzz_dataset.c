/* SPDX-License-Identifier: Apache-2.0
 *
 * Datasets with right checksums and any content: what opens is read, encoded and searched.
 */
#include "data/dataset.h"
#include "engine/encode.h"
#include "fuzz/json_arena.h"
#include "fuzz/memory_files.h"
#include "fuzz/shop.h"
#include "model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, TABLE_ROWS = 4096 };

static void read_string(const char *text, size_t length) {
    CLAIM(text != NULL);
    free(copy_of(text, length));
}

static void read_strings(const dip_dataset *dataset) {
    size_t length = 0;
    const int64_t n = dip_dataset_item_count(dataset);
    CLAIM(dip_dataset_item_id(dataset, -1, &length) == NULL);
    CLAIM(dip_dataset_item_title(dataset, n, &length) == NULL);
    for (int64_t row = 0; row < n; row++) {
        const char *id = dip_dataset_item_id(dataset, row, &length);
        read_string(id, length);
        const char *title = dip_dataset_item_title(dataset, row, &length);
        read_string(title, length);
    }
}

static void encode_side(const dip_dataset *dataset, const dip_towers *towers, dip_side side) {
    const dip_rows *rows = dip_dataset_rows(dataset, side);
    const size_t d = dip_towers_side(towers, side)->output;
    const size_t n = rows->n < ROWS ? (size_t)rows->n : ROWS;
    float *vectors = malloc(n * d * sizeof *vectors);
    CLAIM(vectors != NULL);
    const dip_encode_job job = {.towers = towers, .side = side, .rows = rows, .n = n, .threads = 1};
    if (dip_encode(&job, vectors, NULL) == DIP_OK) {
        for (size_t i = 0; i < n * d; i++) {
            CLAIM(isfinite(vectors[i]));
        }
    }
    free(vectors);
}

/* With towers of the dataset's own features, and small layers. */
static void encode(const dip_dataset *dataset) {
    dip_towers towers;
    dip_config config = dataset->config;
    int64_t rows = 0;
    for (size_t t = 0; t < dataset->schema.n_tables; t++) {
        rows += dataset->schema.tables[t].rows;
    }
    config.model.dim = 3;
    config.model.hidden = (dip_list){2, {4, 2}};
    if (rows > TABLE_ROWS ||
        dip_towers_create(&towers, &dataset->schema, &config, NULL) != DIP_OK) {
        return;
    }
    if (dip_params_alloc(&towers.params, false, NULL) == DIP_OK) {
        dip_params_init(&towers.params, 1);
        encode_side(dataset, &towers, DIP_SIDE_ITEM);
        encode_side(dataset, &towers, DIP_SIDE_QUERY);
    }
    dip_towers_free(&towers);
}

static void search(const dip_model *model, const dip_dataset *dataset) {
    dip_index *index = NULL;
    int64_t items[5];
    float scores[5];
    size_t found = 0;
    if (dip_index_build(&index, model, dataset, NULL, NULL) != DIP_OK) {
        return;
    }
    if (dip_index_recommend(index, "u1", 5, items, scores, &found, NULL) == DIP_OK) {
        for (size_t i = 0; i < found; i++) {
            CLAIM(items[i] >= 0 && items[i] < dip_dataset_item_count(dataset));
            CLAIM(i == 0 || scores[i] <= scores[i - 1]);
        }
    }
    dip_index_free(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static dip_model *model;
    dip_dataset dataset;
    dip_folder folder;
    dip_error err = {DIP_OK, ""};
    shop_make();
    if (model == NULL) {
        CLAIM(dip_model_load(&model, SHOP_MODEL, NULL) == DIP_OK);
    }
    json_arena_begin();
    if (shop_open_changed(&folder, SHOP_IS_DATASET, (input){data, bytes}) &&
        went_well(dip_dataset_load_folder(&dataset, &folder, &err), DIP_ERR_FORMAT, &err)) {
        read_strings(&dataset);
        encode(&dataset);
        search(model, &dataset);
        dip_dataset_release(&dataset);
    }
    shop_restore(SHOP_IS_DATASET);
    json_arena_end();
    return 0;
}
