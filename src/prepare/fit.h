/* SPDX-License-Identifier: Apache-2.0
 *
 * What is learned from the data before training: vocabularies with counts, normalisers and bucket
 * edges. Only training rows count: items and queries that occur in at least one training pair. So
 * the id of an item that was held out is unknown to the model and takes the default embedding,
 * which is what serving meets.
 */
#ifndef DIP_PREPARE_FIT_H
#define DIP_PREPARE_FIT_H

#include "prepare/ingest.h"

/* Lays out schema->tables: one table a feature, unless features name a common one. */
dip_status dip_fit_tables(dip_schema *schema, dip_error *err);

typedef struct dip_fit {
    uint8_t *item_trains;  /* [items] */
    uint8_t *query_trains; /* [queries]; the same array when queries are items */
    int64_t *item_count;   /* [items] training pairs that have the item as their item */
    dip_vocab *vocabs;     /* [n_tables]; empty where a table is no vocabulary */
} dip_fit;

/* Fits, and replaces the codes in raw by rows of the kept vocabularies; dropped values vanish.
 * Numbers become buckets (codes) or are normalised to mean 0 and deviation 1. Sets
 * schema->tables[].rows. */
dip_status dip_fit_all(dip_fit *fit, dip_raw *raw, dip_schema *schema, dip_error *err);

void dip_fit_free(dip_fit *fit, const dip_schema *schema);

#endif
