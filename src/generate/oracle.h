/* SPDX-License-Identifier: Apache-2.0
 *
 * The ranking of all items by P(item | query), the best there is. Within the query's cluster, in
 * the rest of its group, and elsewhere, P falls along the order of popularity, so the ranking is a
 * merge of three sequences: its first k items cost about k steps, whatever the size of the world.
 */
#ifndef DIP_GENERATE_ORACLE_H
#define DIP_GENERATE_ORACLE_H

#include "generate/world.h"

/* The first k places for a query of a cluster, best first (ties by place), without those in
 * `skip`, which is ascending. Returns how many there are, fewer than k only at the end. */
int64_t dip_oracle(const dip_world *world, int64_t cluster, const int32_t *skip, size_t n_skip,
                   int64_t k, int32_t *place);

#endif
