/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids that are too rare for an embedding of their own. With
 *
 *   n(v) = number of training pairs whose item has the id v,       N = train.id_min_pairs
 *   n(v) = number of training pairs whose query has the id v,      N = train.query_min_pairs
 *
 * an id with n(v) < N is to its tower what a missing one is: the feature takes the default of the
 * tower. The first is for the ids of items, in both towers where queries are items; the second for
 * the ids of other queries. Such an embedding would be little more than the random numbers that it
 * began with.
 *
 * While a model is trained, passes look a mark of each row up. In a model's file the rows of such
 * ids hold the default itself, so that whoever reads it needs neither marks nor counts, whatever
 * has become of the dataset since.
 */
#ifndef DIP_MODEL_RARE_H
#define DIP_MODEL_RARE_H

#include "data/dataset.h"
#include "model/tower.h"

/* Why a configuration marks no ids of a side: "no feature of the items is of type id", and the
 * like. NULL when it marks, or does not want to; for queries that are items always. */
const char *dip_rare_idle(const dip_towers *towers, const dip_schema *schema,
                          const dip_config *config, dip_side side);

/* Marks the rare ids, and sets their rows to 0; the values of params are allocated. Each feature of
 * type id takes part, but for these: when every feature of the items is an id, none of theirs does,
 * since what is left of an item must be something (what is left of a query may be the default
 * alone, a query of anybody); and a table that another feature reads, or one with another default,
 * is left alone. The marks are freed with the towers. DIP_ERR_MEMORY is the only failure. */
dip_status dip_rare_mark(dip_towers *towers, const dip_dataset *dataset, const dip_config *config,
                         dip_error *err);

/* Copies the default to the rows of the marked ids, for a model's file; and sets them back to 0.
 * Not while a pass reads the parameters. */
void dip_rare_fill(const dip_towers *towers);
void dip_rare_clear(const dip_towers *towers);

#endif
