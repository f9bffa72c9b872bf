/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact search for few queries: all threads go through the catalogue side by side.
 */
#ifndef DIP_ENGINE_RANK_SCAN_H
#define DIP_ENGINE_RANK_SCAN_H

#include "engine/rank.h"

/* Up to so many queries, reading the catalogue costs more than multiplying with it. */
enum { DIP_SCAN_QUERIES = 16 };

/* As dip_rank. */
dip_status dip_rank_scan(const dip_rank_job *job, int64_t *items, float *scores, dip_error *err);

#endif
