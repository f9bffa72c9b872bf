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

/* A number that the k best of m rows among the first `seen` of them are below, but with a
 * probability of less than one in a million for k up to 100, and one in ten thousand for 1,000; at
 * most k. 0 < seen <= m. */
size_t dip_rank_wanted(size_t k, size_t seen, size_t m);

#endif
