/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a run that is not finished, MODEL.checkpoints beside the output MODEL:
 *
 *   lock                 held by the one process that trains into MODEL; its number as text
 *   metrics.jsonl        as it grows, for people to watch; the checkpoints have copies of their own
 *   quarantine.jsonl     likewise: batches that were left out for not being finite
 *   step-000000000123/   a checkpoint: a published folder, see checkpoint.h
 *
 * It appears with the first thing that is written into it and goes when the run is finished.
 */
#ifndef DIP_TRAIN_RUNDIR_H
#define DIP_TRAIN_RUNDIR_H

#include "base/file.h"
#include "base/text.h"

#define DIP_METRICS_FILE "metrics.jsonl"
#define DIP_QUARANTINE_FILE "quarantine.jsonl"

typedef struct dip_rundir {
    char *path; /* NULL in a zeroed object */
    int lock;   /* descriptor; -1 while the folder is not held */
    int metrics;
    size_t written; /* bytes of the metrics that are in the file */
} dip_rundir;

/* Where the folder of an output would be. Touches nothing. */
dip_status dip_rundir_init(dip_rundir *dir, const char *output, dip_error *err);

static inline bool dip_rundir_is_held(const dip_rundir *dir) {
    return dir->path != NULL && dir->lock >= 0;
}

/* Makes the folder if it is not there, locks it, and removes temporary folders.
 * DIP_ERR_FAILED when another process holds it, with that one's number. */
dip_status dip_rundir_hold(dip_rundir *dir, dip_error *err);

/* The steps of its checkpoints, newest first; 0 of them when there is no folder. Caller dip_free()s
 * the list. */
dip_status dip_rundir_list(const dip_rundir *dir, int64_t **steps, size_t *n, dip_error *err);

/* The path of the checkpoint of a step. Caller dip_free()s it. */
char *dip_rundir_checkpoint(const dip_rundir *dir, int64_t step, dip_error *err);

void dip_rundir_discard(const dip_rundir *dir, int64_t step);

/* Brings metrics.jsonl up to date: the first call in a process writes all of it. */
dip_status dip_rundir_put_metrics(dip_rundir *dir, const dip_text *metrics, dip_error *err);

/* Writes quarantine.jsonl anew; an empty text removes it. */
dip_status dip_rundir_put_quarantine(const dip_rundir *dir, const dip_text *quarantine,
                                     dip_error *err);

/* Removes what this library wrote into the folder, and the folder unless other files are in it. */
void dip_rundir_remove(dip_rundir *dir);

/* Lets go of it. A folder without a checkpoint and without a quarantine is removed. */
void dip_rundir_close(dip_rundir *dir);

#endif
