/* SPDX-License-Identifier: Apache-2.0
 *
 * A run and its files: how it begins (anew, from a checkpoint, or not at all because the model is
 * finished), its checkpoints, and the model at the output.
 */
#ifndef DIP_TRAIN_SESSION_H
#define DIP_TRAIN_SESSION_H

#include "train/record.h"
#include "train/rundir.h"
#include "train/trainer.h"

/* Where a run stood when its newest checkpoint was written. */
typedef struct dip_position {
    int64_t step;
    int64_t epochs;
    int64_t skipped;
} dip_position;

typedef struct dip_session {
    const char *output;
    bool replaces; /* the caller allows an existing output to be replaced */
    bool resumes;
    const dip_watch *watch;
    dip_trainer trainer;
    dip_record record;
    dip_rundir dir;
    json_t *warnings;     /* array of sentences */
    int64_t resumed_from; /* step; -1 for a run that began anew */
    json_t *finished;     /* "training" of the model when it was finished before; else NULL */
    dip_position written; /* of the newest checkpoint; step -1 for none */
} dip_session;

/* Refuses an output that could not be written in the end, and checkpoints that would be lost. To be
 * called before anything that takes time. session has output, replaces, resumes and watch. */
dip_status dip_session_check(dip_session *session, dip_error *err);

/* With the trainer made: puts it where the run goes on, or finds the model finished. */
dip_status dip_session_begin(dip_session *session, dip_error *err);

/* Writes a checkpoint, reads it back, and removes those that are no longer kept: none of them while
 * batches are being left out, so that a healthy one stays. Nothing when the newest is of this very
 * place. */
dip_status dip_session_checkpoint(dip_session *session, dip_error *err);

/* Saves the model at the output; `is_last` says that training ends with it. */
dip_status dip_session_save(dip_session *session, bool is_last, dip_error *err);

/* Brings metrics.jsonl up to date where there is one. */
dip_status dip_session_log(dip_session *session, dip_error *err);

/* Passes over the next batch and lists it in the quarantine. */
dip_status dip_session_skip(dip_session *session, const char *reason, dip_error *err);

/* The folder of checkpoints goes. */
void dip_session_finish(dip_session *session);

void dip_session_free(dip_session *session);

#endif
