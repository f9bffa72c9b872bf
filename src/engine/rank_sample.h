/* SPDX-License-Identifier: Apache-2.0
 *
 * An order of the catalogue in which any number of its first rows is a sample of all, and what such
 * a sample says about the k best.
 *
 * Among the first s of m rows in a random order, the number of the k best is hypergeometric, with
 * the mean k s / m and a variance of at most k (s / m) (1 - s / m). So a row that is worse than a
 * few more rows of the sample than that is hardly ever one of the k best of all, and needs not be
 * remembered: lists then take about k rows in the place of k ln(m / k).
 */
#ifndef DIP_ENGINE_RANK_SAMPLE_H
#define DIP_ENGINE_RANK_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* The row at a place of the order, place < m: a permutation of [0, m), m < 2^31. */
int32_t dip_rank_row_at(size_t m, size_t place);

/* At most k, and more than there are of the k best of m rows among the first `seen` of them, but
 * with a small probability: that it fails for any strip of 4,096 rows of a million is less than
 * 3e-8 for k = 50, 3e-7 for 100 and 1e-5 for 1,000. 0 < seen <= m. */
size_t dip_rank_wanted(size_t k, size_t seen, size_t m);

#endif
