/* SPDX-License-Identifier: Apache-2.0
 *
 * A feature's column as the dataset has it: codes that were seen become rows of the kept vocabulary
 * and dropped ones vanish; numbers become buckets, or are normalised. Columns come from scratch
 * space, or from a dataset, whose numbers are buckets or normalised already.
 */
#ifndef DIP_PREPARE_FINAL_H
#define DIP_PREPARE_FINAL_H

#include "data/dataset.h"
#include "prepare/keep.h"

/* The columns of a side and what their codes become. */
typedef struct dip_columns {
    const dip_entity *entity;
    int64_t n;                  /* rows */
    const dip_raw_entity *raw;  /* where they are, unless in a dataset: */
    const dip_dataset *dataset; /* NULL: in scratch space */
    const dip_rows *stored;
    const dip_kept *kept; /* [n_tables]; NULL: codes stay */
} dip_columns;

dip_columns dip_columns_of_raw(const dip_raw *raw, const dip_schema *schema, dip_side side,
                               const dip_kept *kept);
dip_columns dip_columns_of_dataset(const dip_dataset *dataset, dip_side side, const dip_kept *kept);

typedef struct dip_final {
    const dip_columns *columns;
    const dip_feature *feature;
    const int32_t *remap;     /* of the feature's vocabulary; NULL where it has none */
    const dip_column *stored; /* NULL: in scratch space */
    int64_t row;              /* of a stored column: the next one */
    dip_column_cursor codes;
    dip_spool_cursor numbers;
    dip_column_rows rows; /* of the last dip_final_next */
} dip_final;

/* Begins at the first row of feature f. Keeps the columns. */
void dip_final_begin(dip_final *final, const dip_columns *columns, size_t f);

/* The next rows of a feature that has codes; final->rows.n is 0 at the end. */
dip_status dip_final_next(dip_final *final, dip_error *err);

/* The next normalised numbers of a feature without codes: up to DIP_FINAL_NUMBERS. */
enum { DIP_FINAL_NUMBERS = 4096 };
dip_status dip_final_numbers(dip_final *final, double *numbers, size_t *got, dip_error *err);

void dip_final_end(dip_final *final);

#endif
