/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact order statistics of numbers in scratch space, in constant memory: radix selection. A
 * number's bits, suitably turned, order like an unsigned integer; each pass over the numbers
 * settles the next 16 bits of every wanted one.
 */
#ifndef DIP_PREPARE_QUANTILES_H
#define DIP_PREPARE_QUANTILES_H

#include "base/spool.h"

/* value[k] is the number at place rank[k], from 0, among the sorted numbers that are used.
 *
 * numbers   doubles; NaN is never used
 * use       [number] bytes, 0 for those to be passed over; NULL uses all
 * rank      [n_ranks] ascending, each below the count of used numbers */
dip_status dip_quantiles(const dip_spool *numbers, const uint8_t *use, const uint64_t *rank,
                         size_t n_ranks, double *value, dip_error *err);

#endif
