/* SPDX-License-Identifier: Apache-2.0
 *
 * What prepare would fit on the training rows of a world: vocabularies (most frequent value first,
 * ties by bytes), normaliser and bucket edges. Memory is in proportion to the clusters.
 */
#ifndef DIP_GENERATE_FITTED_H
#define DIP_GENERATE_FITTED_H

#include "data/schema.h"
#include "generate/generation.h"

/* The vocabulary of a space. */
typedef struct dip_ranked {
    dip_space space;
    int64_t n;
    int64_t *count; /* [n] training rows that have the value */
    int32_t *row;   /* [n] the value's row, or -1 when no training row has it */
    int32_t *value; /* [kept] the value of a row */
    int64_t kept;
} dip_ranked;

typedef struct dip_fitted {
    dip_ranked item[DIP_ITEM_FEATURES];   /* of category ... title */
    dip_ranked query[DIP_QUERY_FEATURES]; /* of country and interests */
    int64_t *cents;                       /* [DIP_CENTS_MAX + 1] training items of each price */
    int64_t *ages;                        /* [DIP_AGE_LOW + DIP_AGES] training queries */
    int64_t *item_base;                   /* [chunks] training items before a chunk of rows */
    int64_t *query_base;
    int64_t training_items;
    int64_t training_queries;
} dip_fitted;

/* Counts and ranks; fills normaliser and edges of the schema, and the rows of its tables. */
dip_status dip_fitted_create(dip_fitted *fitted, dip_generation *g, dip_schema *schema,
                             dip_error *err);
void dip_fitted_free(dip_fitted *fitted);

#endif
