/* SPDX-License-Identifier: Apache-2.0
 *
 * Work on datasets with right checksums and any content: the first byte chooses between an
 * evaluation and a step of training. That is slow; fuzz_dataset.c has the quick uses.
 */
#include "data/dataset.h"
#include "fuzz/json_arena.h"
#include "fuzz/memory_files.h"
#include "fuzz/shop.h"

static void evaluate(const dip_model *model, const dip_dataset *dataset) {
    dip_config *config = NULL;
    dip_report *report = NULL;
    if (dip_model_config(model, &config, NULL) == DIP_OK &&
        dip_config_set(config, "evaluate.bootstrap", "0", NULL) == DIP_OK) {
        const dip_status status = dip_evaluate(model, dataset, config, NULL, &report, NULL);
        CLAIM(status != DIP_ERR_MEMORY);
    }
    dip_report_free(report);
    dip_config_free(config);
}

static void train(const dip_dataset *dataset) {
    static const char *const SMALL[][2] = {{"threads", "1"},   {"train.batch", "8"},
                                           {"ssl.batch", "4"}, {"train.table_folder", ""},
                                           {"model.dim", "2"}, {"model.hidden", "3,2"}};
    dip_config *config = NULL;
    dip_trainer *trainer = NULL;
    CLAIM(dip_dataset_config(dataset, &config, NULL) == DIP_OK);
    for (size_t i = 0; i < sizeof SMALL / sizeof SMALL[0]; i++) {
        CLAIM(dip_config_set(config, SMALL[i][0], SMALL[i][1], NULL) == DIP_OK);
    }
    if (dip_trainer_create(&trainer, dataset, config, NULL) == DIP_OK) {
        const dip_status status = dip_trainer_step(trainer, NULL, NULL);
        CLAIM(status == DIP_OK || status == DIP_ERR_NONFINITE);
    }
    dip_trainer_free(trainer);
    dip_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static dip_model *model;
    input in = {data, bytes};
    dip_dataset dataset;
    dip_folder folder;
    const bool is_training = take_byte(&in) % 2 != 0;
    shop_make();
    if (model == NULL) {
        CLAIM(dip_model_load(&model, SHOP_MODEL, NULL) == DIP_OK);
    }
    json_arena_begin();
    if (shop_open_changed(&folder, SHOP_IS_DATASET, in) &&
        dip_dataset_load_folder(&dataset, &folder, NULL) == DIP_OK) {
        if (is_training) {
            train(&dataset);
        } else {
            evaluate(model, &dataset);
        }
        dip_dataset_release(&dataset);
    }
    shop_restore(SHOP_IS_DATASET);
    json_arena_end();
    return 0;
}
