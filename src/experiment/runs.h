/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of a study: a model is trained, ranks the held-out pairs, and goes; what it came to is
 * kept as a published folder runs/KEY:
 *
 *   manifest.json          options, epochs, seconds, metrics, training curve, or why it failed
 *   ranks-validation.npy   int32 [validation pairs] place of each pair's item, 0 beyond the list
 *   ranks-test.npy         int32 [test pairs]; only of a run that is to be tested
 *   vectors.npy            float32 [items x D]; only of a run that is to be mapped
 *
 * KEY is a hash of the dataset and of every option that changes numbers, so equal runs of any
 * studies are made once.
 */
#ifndef DIP_EXPERIMENT_RUNS_H
#define DIP_EXPERIMENT_RUNS_H

#include "base/folder.h"
#include "base/progress.h"
#include "config/config.h"
#include "data/dataset.h"
#include "evaluate/questions.h"

enum { DIP_RUN_KEY_BYTES = 17 };

#define DIP_RUN_FORMAT "diptych-run"

/* A dataset with what is asked of its held-out pairs. */
typedef struct dip_study_data {
    dip_dataset *dataset;
    dip_questions questions[2]; /* of validation and test, by the protocol of the study */
} dip_study_data;

typedef struct dip_run {
    const dip_study_data *data;
    dip_config config; /* resolved, with the seed; threads is not a part of the key */
    bool tests;        /* the test pairs are ranked too */
    bool keeps_vectors;
    char key[DIP_RUN_KEY_BYTES];
} dip_run;

/* Whether an option changes no number of a run: such as threads, those of a second loss without
 * one, or those of queries that are no items where they are. */
bool dip_run_ignores(const dip_dataset *dataset, const dip_config *config, const char *key);

/* Fills run->key. */
dip_status dip_run_name(dip_run *run, dip_error *err);

/* The longest list that a configuration asks for: ranks beyond it are 0. */
size_t dip_run_longest(const dip_config *config);

/* Whether folder holds the run, whole. A damaged one is made anew. */
bool dip_run_is_made(const char *folder, const dip_run *run);

/* Makes it. A training that diverges is a result too. A run that was interrupted left a checkpoint,
 * from which it goes on. Several threads may make different runs in one folder.
 *
 * DIP_ERR_INTERRUPTED, DIP_ERR_IO, DIP_ERR_MEMORY; DIP_ERR_USAGE for options that do not fit the
 * dataset. */
dip_status dip_run_make(const char *folder, const dip_run *run, int threads, const dip_watch *watch,
                        dip_error *err);

/* Removes what processes that were killed left of runs that are finished. */
void dip_runs_sweep(const char *folder);

typedef struct dip_run_result {
    dip_folder folder;
    bool failed;
    double validation;       /* the metric that picks the best epoch; -1 for a failed run */
    const json_t *scores[2]; /* "all/recall@10" -> mean, of validation and test; borrowed */
} dip_run_result;

dip_status dip_run_open(dip_run_result *result, const char *folder, const char *key,
                        dip_error *err);

/* Ranks of a split: 0 validation, 1 test; rank [pairs] out. */
dip_status dip_run_ranks(const dip_run_result *result, size_t split, size_t pairs, uint16_t *rank,
                         dip_error *err);

/* Item vectors, [items x *width]; the caller closes the map. */
dip_status dip_run_vectors(const dip_run_result *result, dip_map *map, const float **vectors,
                           int64_t *items, int64_t *width, dip_error *err);

void dip_run_close(dip_run_result *result);

#endif
