/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact search for many queries: matrix products with the whole catalogue.
 */
#ifndef DIP_ENGINE_RANK_PASS_H
#define DIP_ENGINE_RANK_PASS_H

#include "engine/rank.h"

#include <stdbool.h>

/* As dip_rank. With `unproven` [n], all false, the lists may be guesses by samples of the
 * catalogue, and it becomes true for each query whose result may be wrong. Without it, NULL, all
 * are right. */
dip_status dip_rank_pass(const dip_rank_job *job, int64_t *items, float *scores, bool *unproven,
                         dip_error *err);

#endif
