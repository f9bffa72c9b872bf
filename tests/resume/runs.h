/* SPDX-License-Identifier: Apache-2.0
 *
 * Training runs that stop where a test wants them to, in the small shop of tests/fault/world.h.
 */
#ifndef DIP_TESTS_RUNS_H
#define DIP_TESTS_RUNS_H

#include "fault/world.h"

/* One option and its value. */
typedef struct setting {
    const char *key;
    const char *value;
} setting;

typedef struct runs {
    world shop;
    dip_dataset *dataset;
    const char *phase;   /* in which a run is stopped; NULL stops it in "training" */
    char messages[4096]; /* warnings of the last run, one after the other */
    char report[8192];   /* of the last run that ended, as JSON */
} runs;

void runs_make(runs *r);
void runs_remove(runs *r);

/* Trains into shop.root/output with the settings (ended by a NULL key) on top of eight epochs (32
 * steps) that are not stopped early. The run is interrupted after stop_at steps of its own, or at
 * the call behind that number in another phase; 0 lets it end. */
dip_status runs_train(runs *r, const char *output, const setting *settings, unsigned flags,
                      long stop_at, dip_error *err);

/* The same, and the status must be this one. */
void runs_expect(runs *r, dip_status expected, const char *output, const setting *settings,
                 unsigned flags, long stop_at);

/* root/output.checkpoints/step-N */
const char *runs_checkpoint(const runs *r, const char *output, long step);

/* Whether two files, named from the shop's root, have the same bytes; both must exist. */
bool runs_same_file(const runs *r, const char *a, const char *b);

/* Model and metrics of two outputs are the same, and nothing is left beside the first. */
void runs_check_same(const runs *r, const char *output, const char *straight);

/* Removes an output and its checkpoints. */
void runs_clear(const runs *r, const char *output);

#endif
