/* SPDX-License-Identifier: Apache-2.0
 *
 * What the choice of held-out pairs lets the training see.
 */
#ifndef DIP_PREPARE_LEAKS_H
#define DIP_PREPARE_LEAKS_H

#include "prepare/fit.h"

typedef struct dip_leaks {
    int64_t reversed_test_pairs; /* whose reverse trains; 0 when queries are no items */
    int64_t test_pairs_of_trained_queries;
    int64_t cold_test_pairs; /* whose item has no training pair */
} dip_leaks;

dip_status dip_leaks_count(const dip_pairs *pairs, const dip_fit *fit, bool queries_are_items,
                           int64_t n_test, const dip_means *means, dip_leaks *leaks,
                           dip_error *err);

#endif
