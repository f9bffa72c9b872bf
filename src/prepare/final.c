/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/final.h"

#include "base/mem.h"
#include "data/values.h"

#include <math.h>
#include <string.h>

void dip_final_begin(dip_final *final, const dip_fit *fit, const dip_raw_entity *side,
                     const dip_entity *entity, size_t f) {
    memset(final, 0, sizeof *final);
    final->feature = &entity->features[f];
    final->column = &side->columns[f];
    final->remap = final->feature->table >= 0 ? fit->kept[final->feature->table].remap : NULL;
    final->numbers.spool = &final->column->numbers;
    dip_column_begin(&final->codes, final->column);
}

/* Maps codes to kept rows and closes the gaps of dropped ones. */
static void remap_rows(dip_column_rows *rows, const int32_t *remap) {
    const int32_t *from = rows->codes;
    int32_t *to = rows->codes;
    for (size_t i = 0; i < rows->n; i++) {
        const uint32_t n = rows->counts[i];
        for (uint32_t v = 0; v < n; v++) {
            const int32_t code = remap[from[v]];
            if (code >= 0) {
                *to++ = code;
            } else {
                rows->counts[i]--;
            }
        }
        from += n;
    }
}

static dip_status bucket_rows(dip_final *final, dip_error *err) {
    double numbers[DIP_FINAL_NUMBERS];
    dip_column_rows *rows = &final->rows;
    size_t bytes = 0;
    DIP_TRY(dip_grow((void **)&rows->counts, &rows->count_capacity, DIP_FINAL_NUMBERS,
                     sizeof *rows->counts, "rows of a column", err));
    DIP_TRY(dip_grow((void **)&rows->codes, &rows->code_capacity, DIP_FINAL_NUMBERS,
                     sizeof *rows->codes, "rows of a column", err));
    DIP_TRY(dip_spool_read(&final->numbers, numbers, sizeof numbers, &bytes, err));
    rows->n = bytes / sizeof *numbers;
    size_t used = 0;
    for (size_t i = 0; i < rows->n; i++) {
        rows->counts[i] = isnan(numbers[i]) ? 0u : 1u;
        if (rows->counts[i] > 0) {
            rows->codes[used++] = dip_values_bucket(final->feature, numbers[i]);
        }
    }
    return DIP_OK;
}

dip_status dip_final_next(dip_final *final, dip_error *err) {
    if (final->feature->type == DIP_FEATURE_NUMERIC) {
        return bucket_rows(final, err);
    }
    DIP_TRY(dip_column_next(&final->codes, dip_feature_is_bag(final->feature), &final->rows, err));
    if (final->remap != NULL) {
        remap_rows(&final->rows, final->remap);
    }
    return DIP_OK;
}

dip_status dip_final_numbers(dip_final *final, double *numbers, size_t *got, dip_error *err) {
    size_t bytes = 0;
    DIP_TRY(
        dip_spool_read(&final->numbers, numbers, DIP_FINAL_NUMBERS * sizeof *numbers, &bytes, err));
    *got = bytes / sizeof *numbers;
    for (size_t i = 0; i < *got; i++) {
        numbers[i] = dip_values_normalise(final->feature, numbers[i]);
    }
    return DIP_OK;
}

void dip_final_end(dip_final *final) {
    dip_column_end(&final->codes);
    dip_spool_cursor_free(&final->numbers);
    dip_column_rows_free(&final->rows);
}
