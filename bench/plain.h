/* SPDX-License-Identifier: Apache-2.0
 *
 * What a step costs in the plain algorithm, whatever the engine saves of it: the operations of its
 * matrix products, and the bytes that it touches. Computed from shapes and from the values that
 * batches of this dataset pool.
 */
#ifndef DIP_BENCH_PLAIN_H
#define DIP_BENCH_PLAIN_H

#include "config/config.h"
#include "data/dataset.h"

typedef struct plain_cost {
    double operations;  /* of matrix products, per example */
    double values;      /* pooled from tables, per example: all passes together */
    double rows;        /* distinct table rows of a step, divided by the batch */
    double bytes_rows;  /* per example, as are the next ones */
    double bytes_codes; /* what the dataset gives: rows in tables, and where bags begin */
    double bytes_activations;
    double bytes_weights;
    double bytes_logits; /* of a loss that keeps its B x B matrix; not in the sum */
    double bytes;        /* the sum of the other four */
} plain_cost;

/* Fills cost; batches are drawn as the trainer draws them, with a seed of this file's own. */
dip_status plain_cost_of(const dip_dataset *dataset, const dip_config *config, plain_cost *cost,
                         dip_error *err);

#endif
