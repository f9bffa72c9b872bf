/* SPDX-License-Identifier: Apache-2.0
 *
 * A checkpoint: everything from which a run goes on to the same bits. As a published folder:
 *
 *   manifest.json            where the run stands (dip_record), its options and dataset, what it
 *                            was computed with; sizes and checksums
 *   checkpoint.safetensors   value/NAME of every tensor, first/NAME, second/NAME of the optimizer
 *                            and, with train.average, mean/NAME
 *   metrics.jsonl            the metrics up to here
 *   quarantine.jsonl         the batches left out up to here; absent without any
 *
 * It is logical: threads, panels and packed copies are not in it. There is no state of random
 * numbers either, because every draw is a function of the seed and the step.
 */
#ifndef DIP_TRAIN_CHECKPOINT_H
#define DIP_TRAIN_CHECKPOINT_H

#include "base/folder.h"
#include "train/record.h"
#include "train/trainer.h"

#define DIP_CHECKPOINT_FORMAT "diptych-checkpoint"
enum { DIP_CHECKPOINT_VERSION = 1 };

/* Publishes a checkpoint at path, or replaces the one that is there.
 *
 * DIP_ERR_NONFINITE   a value is not finite; nothing is written
 * DIP_ERR_IO          with the bytes that are needed and that are free. */
dip_status dip_checkpoint_write(const dip_trainer *trainer, const dip_record *record,
                                const char *path, dip_error *err);

typedef struct dip_checkpoint {
    dip_folder folder;
    int64_t step;
} dip_checkpoint;

/* Opens a checkpoint and verifies every byte of it. DIP_ERR_FORMAT when it is damaged. */
dip_status dip_checkpoint_open(dip_checkpoint *checkpoint, const char *path, dip_error *err);

/* The same from a folder that is open. The checkpoint takes it over, also when it fails. */
dip_status dip_checkpoint_open_folder(dip_checkpoint *checkpoint, dip_folder *folder,
                                      dip_error *err);

/* Whether it is of the trainer's dataset, options and precision, and of a version that can be read;
 * if not, the error names what differs. */
dip_status dip_checkpoint_check(const dip_checkpoint *checkpoint, const dip_trainer *trainer,
                                dip_error *err);

/* What differs in the machine or the programs, so that the bits may: "" or a sentence. */
dip_status dip_checkpoint_compare_machine(const dip_checkpoint *checkpoint, dip_text *text,
                                          dip_error *err);

/* Sets trainer and record to where the checkpoint stands. When it fails the trainer must not be
 * used further. */
dip_status dip_checkpoint_restore(const dip_checkpoint *checkpoint, dip_trainer *trainer,
                                  dip_record *record, dip_error *err);

void dip_checkpoint_close(dip_checkpoint *checkpoint);

/* Whether a model or checkpoint that stores `config` and `dataset` comes from this dataset and
 * these options, as far as they decide the result. `what` and `path` name it in the error. */
dip_status dip_checkpoint_check_origin(const json_t *description, const dip_trainer *trainer,
                                       const char *what, const char *path, dip_error *err);

#endif
