/* SPDX-License-Identifier: Apache-2.0
 *
 * The mutual information of the queries' features, which a dataset does not hold: the
 * self-supervised task on the query tower asks for it when training begins.
 *
 * It is measured on queries with training pairs, at most DIP_QUERY_INFORMATION_ROWS of them, drawn
 * each by itself, and for two features at most DIP_QUERY_INFORMATION_VALUES value pairs. Plain
 * numbers are cut into bins as those of items are (information.h).
 */
#ifndef DIP_PREPARE_QUERY_INFORMATION_H
#define DIP_PREPARE_QUERY_INFORMATION_H

#include "data/dataset.h"

enum { DIP_QUERY_INFORMATION_ROWS = 1 << 17, DIP_QUERY_INFORMATION_VALUES = 1 << 22 };

/* matrix: [k x k], the k features of the queries, which must not be the items. */
dip_status dip_query_information(const dip_dataset *dataset, uint64_t seed, double *matrix,
                                 dip_error *err);

#endif
