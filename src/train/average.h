/* SPDX-License-Identifier: Apache-2.0
 *
 * The running mean of the parameters at the ends of epochs (train.average = N):
 *
 *   a_1 = w_1,   a_e = a_{e-1} + (w_e - a_{e-1}) / min(e, N)
 *
 * the plain mean of the first N ends (Polyak and Juditsky, 1992; Izmailov et al., UAI 2018), then
 * an exponential one that remembers about N. It has no part in the steps: it is what is validated
 * and saved in the place of the parameters.
 */
#ifndef DIP_TRAIN_AVERAGE_H
#define DIP_TRAIN_AVERAGE_H

#include "model/params.h"

typedef struct dip_average {
    int64_t memory;  /* N; 0 keeps no mean, and every function below does nothing */
    int64_t count;   /* e: ends that are in the mean */
    int64_t step;    /* steps before the newest of them */
    size_t n;        /* tensors */
    dip_real **mean; /* [n], each shaped like its tensor */
    dip_region *region;
} dip_average;

/* Tables have their means where they are themselves, in memory or in params->table_folder. */
dip_status dip_average_create(dip_average *average, const dip_params *params, int64_t memory,
                              dip_error *err);

/* Takes in the parameters after `step` steps; once only, however often it is asked to. */
void dip_average_add(dip_average *average, const dip_params *params, int64_t step);

/* Exchanges the parameters and their mean, by pointer; a second call puts them back. Nothing
 * while the mean is empty. */
void dip_average_swap(dip_average *average, dip_params *params);

void dip_average_free(dip_average *average);

#endif
