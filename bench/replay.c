/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes down the first steps of a training run, so that another implementation can make them too:
 * the initial model as a model folder, and one JSON line a step with the rows of its batch, its
 * masks and its losses. Values are not dropped: those draws are not written.
 *
 *   bench_replay DATASET MODEL STEPS [--KEY VALUE ...]
 */
#include "base/json.h"
#include "diptych.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *rows_of(const int32_t *rows, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, json_integer(rows[i]));
    }
    return list;
}

static dip_status write_step(dip_trainer *trainer, dip_error *err) {
    dip_batch batch;
    dip_step step;
    char *text = NULL;
    dip_trainer_fill(trainer, &batch);
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:I, s:I}", "query", rows_of(batch.query, batch.n), "item",
                  rows_of(batch.item, batch.n), "self", rows_of(batch.self, batch.n_self), "mask_h",
                  (json_int_t)batch.masks.h, "mask_g", (json_int_t)batch.masks.g);
    dip_status status = dip_trainer_step(trainer, &step, err);
    if (status == DIP_OK) {
        json_object_set_new(object, "main", json_real(step.loss_main));
        json_object_set_new(object, "own", json_real(step.loss_self));
        status = dip_json_dump_compact(object, &text, err);
    }
    if (status == DIP_OK) {
        fputs(text, stdout);
        putchar('\n');
    }
    dip_free(text);
    json_decref(object);
    return status;
}

static dip_status run(dip_dataset **dataset, dip_config **config, dip_trainer **trainer, int argc,
                      char **argv, dip_error *err) {
    DIP_TRY(dip_dataset_open(dataset, argv[1], err));
    DIP_TRY(dip_dataset_config(*dataset, config, err));
    DIP_TRY(dip_config_set(*config, "ssl.method", "cfm-no-dropout", err));
    for (int i = 4; i + 1 < argc; i += 2) {
        DIP_TRY(dip_config_set(*config, argv[i] + 2, argv[i + 1], err));
    }
    DIP_TRY(dip_trainer_create(trainer, *dataset, *config, err));
    DIP_TRY(dip_trainer_save(*trainer, argv[2], DIP_REPLACE, err));
    for (long i = 0; i < strtol(argv[3], NULL, 10); i++) {
        DIP_TRY(write_step(*trainer, err));
    }
    return DIP_OK;
}

int main(int argc, char **argv) {
    dip_dataset *dataset = NULL;
    dip_config *config = NULL;
    dip_trainer *trainer = NULL;
    dip_error err = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: bench_replay DATASET MODEL STEPS [--KEY VALUE ...]\n");
        return DIP_ERR_USAGE;
    }
    const dip_status status = run(&dataset, &config, &trainer, argc, argv, &err);
    if (status != DIP_OK) {
        fprintf(stderr, "bench_replay: %s\n", err.message);
    }
    dip_trainer_free(trainer);
    dip_config_free(config);
    dip_dataset_close(dataset);
    return (int)status;
}
