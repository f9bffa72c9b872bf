/* SPDX-License-Identifier: Apache-2.0
 *
 * Models with right checksums and any content: what loads encodes cells and searches the shop.
 */
#include "fuzz/json_arena.h"
#include "fuzz/memory_files.h"
#include "fuzz/shop.h"
#include "model/model.h"

#include <stdlib.h>

/* Parameters may be huge, and vectors then not finite: the claim is only that it ends well. */
static void encode(const dip_model *model) {
    static const char *const NAMES[] = {"id",   "title", "tags",  "brand", "price",
                                        "year", "user",  "likes", "age"};
    static const char *const CELLS[] = {"i1",
                                        "chair table lamp",
                                        "red|t0|t1|t2|t3|t4",
                                        "brand1",
                                        "9e9",
                                        "2999",
                                        "u1",
                                        "brand0|brand1|brand2",
                                        "99"};
    float *vector = calloc(dip_model_dim(model), sizeof *vector);
    CLAIM(vector != NULL);
    for (size_t f = 0; f < sizeof NAMES / sizeof NAMES[0]; f++) {
        const char *side = f < 6 ? "item" : "query";
        const dip_status status =
            dip_model_encode_features(model, side, NAMES + f, CELLS + f, 1, vector, NULL);
        CLAIM(status == DIP_OK || status == DIP_ERR_USAGE);
    }
    free(vector);
}

static void search(const dip_model *model, const dip_dataset *dataset) {
    dip_index *index = NULL;
    int64_t items[5];
    float scores[5];
    size_t found = 0;
    if (dip_index_build(&index, model, dataset, NULL, NULL) == DIP_OK) {
        const dip_status status = dip_index_recommend(index, "u1", 5, items, scores, &found, NULL);
        CLAIM(status != DIP_OK || found <= 5);
    }
    dip_index_free(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static dip_dataset *dataset;
    dip_model model;
    dip_folder folder;
    dip_error err = {DIP_OK, ""};
    shop_make();
    if (dataset == NULL) {
        CLAIM(dip_dataset_open(&dataset, SHOP_DATASET, NULL) == DIP_OK);
    }
    json_arena_begin();
    if (shop_open_changed(&folder, SHOP_IS_MODEL, (input){data, bytes})) {
        const dip_status status = dip_model_read_folder(&model, &folder, &err);
        if (went_well(status, status == DIP_ERR_MEMORY ? DIP_ERR_MEMORY : DIP_ERR_FORMAT, &err)) {
            encode(&model);
            search(&model, dataset);
            dip_model_release(&model);
        }
    }
    shop_restore(SHOP_IS_MODEL);
    json_arena_end();
    return 0;
}
