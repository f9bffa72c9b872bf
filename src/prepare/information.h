/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of mutual information of the items' features, over the training rows of the catalogue.
 *
 * Exact up to a limit of training rows, and one of value pairs of two features. Beyond, rows are
 * drawn: each by itself, with the probability that leaves so many.
 */
#ifndef DIP_PREPARE_INFORMATION_H
#define DIP_PREPARE_INFORMATION_H

#include "prepare/final.h"

typedef struct dip_information_limits {
    uint64_t rows;
    uint64_t values;
} dip_information_limits;

/* What prepare measures within. */
#define DIP_INFORMATION_LIMITS ((dip_information_limits){1 << 19, 1 << 22})

/* The k features of the items.
 *
 * trains   [items] the training rows
 * matrix   [k x k]
 * share    the smallest share of the training rows that an entry was measured on, 1 when all are
 *          exact */
dip_status dip_information_measure(const dip_columns *items, const uint8_t *trains, uint64_t seed,
                                   dip_information_limits limits, const dip_means *means,
                                   double *matrix, double *share, dip_error *err);

#endif
