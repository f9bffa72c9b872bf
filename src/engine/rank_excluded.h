/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking up rows that a query must not be given.
 */
#ifndef DIP_ENGINE_RANK_EXCLUDED_H
#define DIP_ENGINE_RANK_EXCLUDED_H

#include "engine/rank.h"

#include <stdbool.h>

/* The first place of excluded->row that has a row of query q which is not before `row`; the end of
 * the query's rows if there is none. */
static inline int64_t dip_excluded_from(const dip_excluded *excluded, size_t q, size_t row) {
    int64_t low = excluded->start[q];
    int64_t high = excluded->start[q + 1];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if ((size_t)excluded->row[middle] < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static inline bool dip_is_excluded(const dip_excluded *excluded, size_t q, size_t row) {
    const int64_t at = dip_excluded_from(excluded, q, row);
    return at < excluded->start[q + 1] && (size_t)excluded->row[at] == row;
}

#endif
