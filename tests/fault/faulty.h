/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of file operations that records, and that fails when asked to. fsync is only recorded: a
 * test that runs a thousand times must not wait for a disk.
 */
#ifndef DIP_TESTS_FAULTY_H
#define DIP_TESTS_FAULTY_H

#include <stdbool.h>
#include <stddef.h>

typedef enum op {
    OP_OPEN,
    OP_READ,
    OP_WRITE,
    OP_FSYNC,
    OP_CLOSE,
    OP_FSTAT,
    OP_RENAME,
    OP_EXCHANGE,
    OP_UNLINK,
    OP_MKDIR,
    OP_RMDIR,
    OP_MAP,
    OP_RESERVE,
    OP_MAP_SHARED,
    OP_PREAD,
    OP_PWRITE,
    OP_ADVISE,
    N_OPS
} op;

extern const char *const OP_NAMES[N_OPS];

enum { EVENTS_MAX = 4096, EVENT_PATH = 400 };

typedef struct event {
    op op;
    int fd;
    bool creates; /* an open with O_CREAT */
    bool failed;
    char path[EVENT_PATH];   /* of the descriptor, where there is one */
    char target[EVENT_PATH]; /* of a rename or exchange */
} event;

typedef struct faults {
    long fail_at; /* number of the operation that fails; -1 for none */
    bool stays;   /* all later ones fail too: the process might as well be dead */
    int error;
    bool is_short;      /* read and write move few bytes at a time */
    long done;          /* operations so far */
    bool fsynced_again; /* an fsync on a descriptor whose fsync had failed */
    op failed_op;
    size_t n_events;
    event events[EVENTS_MAX];
} faults;

extern faults plan;

/* Forgets everything and puts the table in force; NULL takes it out again. */
void faults_begin(void);
void faults_end(void);

#endif
