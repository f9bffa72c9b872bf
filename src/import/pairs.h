/* SPDX-License-Identifier: Apache-2.0
 *
 * Hundreds of millions of pairs of 32-bit numbers, sorted and without repetitions, in bounded
 * memory: half of it gathers pairs, which are sorted by radix (the other half helps), stripped of
 * repetitions and written to a file that no name leads to; at the end the files are merged. Pairs
 * that fit in memory never see a file.
 */
#ifndef DIP_IMPORT_PAIRS_H
#define DIP_IMPORT_PAIRS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Less memory than this is not asked for. */
#define DIP_PAIRS_LEAST ((size_t)1 << 20)

enum { DIP_PAIRS_RUNS = 400 };

typedef struct dip_pairs dip_pairs;

/* folder: where the files go. memory: bytes. */
dip_status dip_pairs_create(dip_pairs **pairs, const char *folder, size_t memory, dip_error *err);

dip_status dip_pairs_put(dip_pairs *pairs, uint32_t first, uint32_t second, dip_error *err);

/* After the last pair. */
dip_status dip_pairs_sort(dip_pairs *pairs, dip_error *err);

/* The next pair in ascending order, by the first number, then the second; DIP_END after the
 * last. */
dip_status dip_pairs_next(dip_pairs *pairs, uint32_t *first, uint32_t *second, dip_error *err);

/* How many were put in, and how many have been given out. */
uint64_t dip_pairs_put_count(const dip_pairs *pairs);
uint64_t dip_pairs_next_count(const dip_pairs *pairs);

/* Bytes of the files. */
uint64_t dip_pairs_file_bytes(const dip_pairs *pairs);

void dip_pairs_free(dip_pairs *pairs);

#endif
