/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of a dataset in proportion to its rows, made row by row in parallel and written in order.
 */
#ifndef DIP_GENERATE_COLUMNS_H
#define DIP_GENERATE_COLUMNS_H

#include "base/npy.h"
#include "generate/fitted.h"

typedef struct dip_part_job {
    dip_generation *g;
    const dip_fitted *fitted;
    const dip_feature *feature; /* of the schema, where the column needs it */
    const dip_ranked *ranked;
    int which; /* the dip_item_feature or dip_query_feature */
    bool of_queries;
    const int64_t *base; /* of the state below at each chunk, or NULL for 0 */
    /* Puts what a row adds to the part; returns the end. *state goes from row to row. */
    char *(*put)(const struct dip_part_job *job, int64_t row, int64_t *state, char *out);
} dip_part_job;

/* A part of text, or an .npy of `elements` elements. */
dip_status dip_put_text_part(const dip_part_job *job, const char *name, dip_error *err);
dip_status dip_put_array_part(const dip_part_job *job, const char *name, dip_npy_type type,
                              int64_t elements, dip_error *err);

/* An .npy of rows + 1 offsets: the job puts the length of each row as an int32; *total is the last
 * offset. */
dip_status dip_put_offsets_part(const dip_part_job *job, const char *name, int64_t *total,
                                dip_error *err);

/* All feature columns, ids and titles of a side, and the vocabularies of its features. */
dip_status dip_put_side(dip_generation *g, const dip_fitted *fitted, const dip_schema *schema,
                        bool of_queries, dip_error *err);
dip_status dip_put_vocabularies(dip_generation *g, const dip_fitted *fitted,
                                const dip_schema *schema, bool of_queries, dip_error *err);

/* item-count.npy and item-trains.npy. */
dip_status dip_put_counts(dip_generation *g, dip_error *err);

#endif
