/* SPDX-License-Identifier: Apache-2.0
 *
 * A feature's column as the dataset has it: codes that were seen become rows of the kept vocabulary
 * and dropped ones vanish; numbers become buckets, or are normalised.
 */
#ifndef DIP_PREPARE_FINAL_H
#define DIP_PREPARE_FINAL_H

#include "prepare/fit.h"

typedef struct dip_final {
    const dip_feature *feature;
    const int32_t *remap; /* of the feature's vocabulary; NULL where it has none */
    const dip_column_data *column;
    dip_column_cursor codes;
    dip_spool_cursor numbers;
    dip_column_rows rows; /* of the last dip_final_next */
} dip_final;

/* Begins at the first row of feature f of a side. */
void dip_final_begin(dip_final *final, const dip_fit *fit, const dip_raw_entity *side,
                     const dip_entity *entity, size_t f);

/* The next rows of a feature that has codes; final->rows.n is 0 at the end. */
dip_status dip_final_next(dip_final *final, dip_error *err);

/* The next normalised numbers of a feature without codes: up to DIP_FINAL_NUMBERS. */
enum { DIP_FINAL_NUMBERS = 4096 };
dip_status dip_final_numbers(dip_final *final, double *numbers, size_t *got, dip_error *err);

void dip_final_end(dip_final *final);

#endif
