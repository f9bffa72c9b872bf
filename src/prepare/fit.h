/* SPDX-License-Identifier: Apache-2.0
 *
 * What is learned from the data before training: vocabularies with counts, normalisers and bucket
 * edges. Only training rows count: items and queries that occur in at least one training pair. So
 * the id of an item that was held out is unknown to the model and takes the default embedding,
 * which is what serving meets.
 */
#ifndef DIP_PREPARE_FIT_H
#define DIP_PREPARE_FIT_H

#include "prepare/final.h"
#include "prepare/pairs.h"

typedef struct dip_fit {
    uint8_t *item_trains;  /* [items] */
    uint8_t *query_trains; /* [queries]; the same array when queries are items */
    uint8_t *asks;         /* [queries] that are the query of a training pair */
    int64_t *item_count;   /* [items] training pairs that have the item as their item */
    dip_kept *kept;        /* [n_tables]; empty where a table is no vocabulary */
} dip_fit;

/* Fits vocabularies, and the normalisers and edges of the schema's features; sets
 * schema->tables[].rows. The columns of raw stay as they are: fit->kept[].remap turns their codes
 * into rows of the tables. */
dip_status dip_fit_all(dip_fit *fit, const dip_raw *raw, const dip_pairs *pairs, dip_schema *schema,
                       const dip_means *means, dip_scratch *scratch, dip_error *err);

/* Some of its steps. */

/* Marks the training rows and counts the training pairs of each item, into a fit that was zeroed.
 * n_queries does not matter when queries are items. */
dip_status dip_fit_mark(dip_fit *fit, int64_t n_items, int64_t n_queries, const dip_pairs *pairs,
                        bool queries_are_items, dip_error *err);

/* Adds to count[code] how often the training rows have a value of a table.
 *
 * sides   [2] items and queries, with codes as they are; the latter without an entity when queries
 *         are items */
dip_status dip_fit_count(const dip_fit *fit, const dip_columns *sides, size_t table, int64_t *count,
                         dip_error *err);

void dip_fit_free(dip_fit *fit, const dip_schema *schema);

#endif
