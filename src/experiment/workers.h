/* SPDX-License-Identifier: Apache-2.0
 *
 * Many runs, several at a time. Training has the same bits on any number of threads, so runs beside
 * each other with few threads each give what one after the other would, sooner: a run of its own
 * thread waits for no other.
 */
#ifndef DIP_EXPERIMENT_WORKERS_H
#define DIP_EXPERIMENT_WORKERS_H

#include "experiment/runs.h"

typedef struct dip_workers {
    const char *folder; /* of the runs */
    int jobs;           /* runs at a time, at most */
    int threads;        /* of all together */
    const dip_watch *watch;
    uint64_t done;  /* work of finished runs, in training pairs times epochs */
    uint64_t total; /* of all runs to be made */
    size_t runs_done;
    size_t runs_total;
} dip_workers;

/* The work of a run that is not stopped early. */
uint64_t dip_workers_work(const dip_run *run);

/* How many runs fit beside each other: no more than cores, or than half of the memory that is
 * available holds (0: not known, and then it does not count). wanted = 0 leaves it to the machine.
 */
int dip_workers_jobs(int64_t wanted, int threads, double bytes_of_a_run, double available);

/* Runs that are to be made, each once, and what the progress view calls them. */
enum { DIP_RUN_LABEL_BYTES = 160 };
typedef struct dip_run_list {
    size_t n;
    dip_run *runs;
    char (*texts)[DIP_RUN_LABEL_BYTES];
    const char **labels;
} dip_run_list;

/* Room for at most so many. */
dip_status dip_run_list_create(dip_run_list *list, size_t most, dip_error *err);

/* Adds a run that has its name, unless it is in the list or made in the folder: runs of two
 * settings that come to the same are one. */
void dip_run_list_add(dip_run_list *list, const char *folder, const dip_run *run,
                      const char *label);

void dip_run_list_free(dip_run_list *list);

/* Makes the runs. labels [n] are what the progress view calls them.
 *
 * The first failure stops the others and is returned; runs that are finished stay. Callbacks of the
 * watch come from the calling thread. */
dip_status dip_workers_make(dip_workers *workers, const dip_run *runs, const char *const *labels,
                            size_t n, dip_error *err);

#endif
