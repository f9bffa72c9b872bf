/* SPDX-License-Identifier: Apache-2.0
 *
 * The second loss of a step: what it allocates, which rows it looks up, and its value with the
 * gradients by the outputs of its passes.
 */
#ifndef DIP_ENGINE_SECOND_H
#define DIP_ENGINE_SECOND_H

#include "engine/engine_state.h"

/* After the passes of the main loss, whose memory is lent. */
dip_status dip_second_create(dip_engine *engine, dip_error *err);

/* Looks the features up, on one tower. */
dip_status dip_second_load(dip_engine *engine, const dip_batch *batch, dip_side side,
                           dip_error *err);

/* Without its weight; du of the passes is overwritten with the weighted gradients. */
double dip_second_loss(dip_engine *engine, const dip_batch *batch, dip_side side);

void dip_second_free(dip_engine *engine);

#endif
