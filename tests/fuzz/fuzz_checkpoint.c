/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints with right checksums and any content: what opens and fits is restored, and training
 * goes on from there.
 */
#include "fuzz/json_arena.h"
#include "fuzz/memory_files.h"
#include "fuzz/shop.h"
#include "train/checkpoint.h"

#include <stdlib.h>

static dip_dataset dataset;
static dip_trainer trainer;
static dip_record record;

static void make_trainer(void) {
    static bool is_made;
    if (is_made) {
        return;
    }
    is_made = true;
    CLAIM(dip_dataset_load(&dataset, SHOP_DATASET, NULL) == DIP_OK);
    dip_config config = dataset.config;
    CLAIM(dip_config_set(&config, "train.optimizer", "adam", NULL) == DIP_OK);
    CLAIM(dip_trainer_init(&trainer, &dataset, &config, NULL) == DIP_OK);
    record = dip_record_new(false);
}

/* What was restored describes itself again, and makes a step. */
static void go_on(void) {
    json_t *state = json_object();
    CLAIM(trainer.step >= 0 && trainer.step <= trainer.total_steps);
    CLAIM(dip_record_to_json(&record, state, NULL) == DIP_OK);
    json_decref(state);
    const dip_status status = dip_trainer_advance(&trainer, &record.last, NULL);
    CLAIM(status == DIP_OK || status == DIP_END || status == DIP_ERR_NONFINITE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    dip_checkpoint checkpoint;
    dip_folder folder;
    dip_error err = {DIP_OK, ""};
    dip_text difference = {0};
    shop_make();
    make_trainer();
    json_arena_begin();
    if (shop_open_changed(&folder, SHOP_IS_CHECKPOINT, (input){data, bytes}) &&
        went_well(dip_checkpoint_open_folder(&checkpoint, &folder, &err), DIP_ERR_FORMAT, &err)) {
        const dip_status fits = dip_checkpoint_check(&checkpoint, &trainer, &err);
        CLAIM(fits == DIP_OK || err.message[0] != '\0');
        CLAIM(dip_checkpoint_compare_machine(&checkpoint, &difference, NULL) != DIP_ERR_MEMORY);
        if (fits == DIP_OK &&
            went_well(dip_checkpoint_restore(&checkpoint, &trainer, &record, &err), DIP_ERR_FORMAT,
                      &err)) {
            go_on();
        }
        dip_text_free(&difference);
        dip_checkpoint_close(&checkpoint);
    }
    shop_restore(SHOP_IS_CHECKPOINT);
    json_arena_end();
    return 0;
}
