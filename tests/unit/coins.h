/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores without rankings: queries whose metric is what the test says.
 */
#ifndef DIP_TESTS_UNIT_COINS_H
#define DIP_TESTS_UNIT_COINS_H

#include "check.h"
#include "evaluate/scores.h"

enum { COINS_WIDTH = DIP_N_SLICES * DIP_N_METRICS };

/* n queries of weight 1 in the slice of all items, 0 in the others; every sum is 0. */
void coins_zero(dip_scores *s, size_t n);

/* Likewise with one right item each, hit with this chance or not: recall@1, the first column, is a
 * share. */
void coins_make(dip_scores *s, size_t n, double share, uint64_t *random);

void coins_free(dip_scores *s);

#endif
