/* SPDX-License-Identifier: Apache-2.0
 *
 * Preparing again with more data. The rows of an older dataset stay what they are: its items,
 * queries and values are numbered before anything is read, so that they get the numbers that they
 * had, and what is new is appended. Normalisers and bucket edges stay too.
 *
 * An old item or query that the files no longer have keeps its row, without features and pairs.
 */
#ifndef DIP_PREPARE_GROWTH_H
#define DIP_PREPARE_GROWTH_H

#include "data/dataset.h"
#include "prepare/ingest.h"

typedef struct dip_growth {
    char *path;
    dip_dataset old;
} dip_growth;

/* Opens the older dataset.
 *
 * DIP_ERR_FAILED   its schema is another; the text names the first difference */
dip_status dip_growth_open(dip_growth **growth, const char *path, const dip_schema *schema,
                           dip_error *err);

/* Numbers what the older dataset has: ids of both sides and the values of every vocabulary. */
dip_status dip_growth_seed(const dip_growth *growth, dip_raw *raw, const dip_schema *schema,
                           const dip_means *means, dip_error *err);

/* Brings the rows of a side, which stand in the order of the files, into that of their numbers.
 * Needs the memory of one column at a time. *n_gone: old rows that the files no longer have. */
dip_status dip_growth_order(dip_raw_entity *side, const dip_entity *entity, int64_t *n_gone,
                            dip_error *err);

/* The lineage of the dataset that grows: that of the older one, and itself; oldest first. */
dip_status dip_growth_lineage(const dip_growth *growth, json_t **lineage, dip_error *err);

/* Rows of a vocabulary that stay. */
int64_t dip_growth_values(const dip_growth *growth, size_t table);

/* Rows of a side that stay. */
int64_t dip_growth_rows(const dip_growth *growth, dip_side side);

void dip_growth_close(dip_growth *growth);

#endif
