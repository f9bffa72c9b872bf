/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and using a folder whose checksums are right but whose content was forged: in a process
 * of its own, which may crash or hang without ending the test.
 */
#ifndef DIP_TESTS_HOSTILE_H
#define DIP_TESTS_HOSTILE_H

#include "fault/reseal.h"

/* How an attempt ended. */
typedef struct attempt {
    int signal;         /* that killed the process; SIGALRM when it hung */
    dip_status status;  /* of opening */
    char message[1020]; /* of opening */
} attempt;

typedef dip_status (*use_fn)(const world *w, dip_error *err);

/* Opens the dataset and, when that goes, trains a step, saves and evaluates. */
dip_status use_dataset(const world *w, dip_error *err);

/* Loads the model and, when that goes, encodes features of both sides and searches the dataset. */
dip_status use_model(const world *w, dip_error *err);

/* Runs a use in a child process of a few seconds. */
attempt try_use(const world *w, use_fn use);

/* What is forged at one place: JSON text put at a path of a JSON file (NULL removes what is
 * there). */
typedef struct forgery {
    const char *path;
    const char *json;
    bool may_open; /* contradicts nothing that opening could see, or does no harm */
} forgery;

/* Applies each forgery to a fresh copy of a JSON file of a folder ("manifest.json" or a part), and
 * complains unless it is refused with DIP_ERR_FORMAT and a text that has `named` in it. Returns the
 * number of complaints. */
int try_forgeries(const world *w, const char *folder, const char *file, const char *named,
                  use_fn use, const forgery *list, size_t n);

/* 1, and a printed complaint, unless the attempt was a clean refusal. */
int complain_unless_refused(const attempt *a, const char *what, const char *detail,
                            const char *named, bool may_open);

#endif
