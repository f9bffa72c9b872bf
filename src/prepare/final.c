/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/final.h"

#include "base/mem.h"
#include "data/values.h"

#include <math.h>
#include <string.h>

dip_columns dip_columns_of_raw(const dip_raw *raw, const dip_schema *schema, dip_side side,
                               const dip_kept *kept) {
    const dip_raw_entity *entity = dip_raw_side(raw, schema, side);
    return (dip_columns){.entity = dip_schema_entity(schema, side),
                         .n = (int64_t)entity->n,
                         .raw = entity,
                         .kept = kept};
}

dip_columns dip_columns_of_dataset(const dip_dataset *dataset, dip_side side,
                                   const dip_kept *kept) {
    const dip_rows *rows = dip_dataset_rows(dataset, side);
    return (dip_columns){.entity = dip_schema_entity(&dataset->schema, side),
                         .n = rows->n,
                         .dataset = dataset,
                         .stored = rows,
                         .kept = kept};
}

void dip_final_begin(dip_final *final, const dip_columns *columns, size_t f) {
    memset(final, 0, sizeof *final);
    final->columns = columns;
    final->feature = &columns->entity->features[f];
    if (columns->kept != NULL && final->feature->table >= 0) {
        final->remap = columns->kept[final->feature->table].remap;
    }
    if (columns->dataset != NULL) {
        final->stored = &columns->stored->columns[f];
        return;
    }
    final->numbers.spool = &columns->raw->columns[f].numbers;
    dip_column_begin(&final->codes, &columns->raw->columns[f]);
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

/* ---- stored columns -------------------------------------------------------------------------- */

enum { ROWS_AT_ONCE = 1 << 13 };

/* What has been walked leaves the memory now and then. */
static void pass(const dip_final *final, const void *array, size_t size, int64_t from, int64_t to) {
    if (from >> 20 != to >> 20) {
        dip_dataset_pass(final->columns->dataset, (const char *)array + size * (size_t)(to - 1));
    }
}

static dip_status copy_bags(dip_final *final, const int64_t *offsets, dip_error *err) {
    dip_column_rows *rows = &final->rows;
    const int64_t begin = offsets[0];
    const int64_t end = offsets[rows->n];
    DIP_TRY(dip_grow((void **)&rows->codes, &rows->code_capacity, (size_t)(end - begin),
                     sizeof *rows->codes, "rows of a column", err));
    for (size_t i = 0; i < rows->n; i++) {
        const int64_t n = offsets[i + 1] - offsets[i];
        if (n > UINT32_MAX) {
            return dip_fail(err, DIP_ERR_FORMAT, "feature \"%s\": row %lld has too many values",
                            final->feature->name, (long long) final->row + (long long)i);
        }
        rows->counts[i] = (uint32_t)n;
    }
    if (end > begin) {
        memcpy(rows->codes, final->stored->codes + begin,
               (size_t)(end - begin) * sizeof *rows->codes);
    }
    pass(final, final->stored->codes, sizeof *final->stored->codes, begin, end);
    return DIP_OK;
}

static dip_status copy_singles(dip_final *final, const int32_t *codes, dip_error *err) {
    dip_column_rows *rows = &final->rows;
    size_t used = 0;
    DIP_TRY(dip_grow((void **)&rows->codes, &rows->code_capacity, rows->n, sizeof *rows->codes,
                     "rows of a column", err));
    for (size_t i = 0; i < rows->n; i++) {
        rows->counts[i] = codes[i] >= 0;
        rows->codes[used] = codes[i];
        used += rows->counts[i];
    }
    return DIP_OK;
}

static dip_status copy_stored(dip_final *final, dip_error *err) {
    const dip_column *stored = final->stored;
    dip_column_rows *rows = &final->rows;
    const int64_t from = final->row;
    const int64_t left = final->columns->n - from;
    const bool is_bag = stored->offsets != NULL;
    rows->n = left < ROWS_AT_ONCE ? (size_t)left : ROWS_AT_ONCE;
    if (rows->n == 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_grow((void **)&rows->counts, &rows->count_capacity, ROWS_AT_ONCE,
                     sizeof *rows->counts, "rows of a column", err));
    DIP_TRY(is_bag ? copy_bags(final, stored->offsets + from, err)
                   : copy_singles(final, stored->codes + from, err));
    final->row += (int64_t)rows->n;
    if (is_bag) {
        pass(final, stored->offsets, sizeof *stored->offsets, from, final->row);
    } else {
        pass(final, stored->codes, sizeof *stored->codes, from, final->row);
    }
    return DIP_OK;
}

static void copy_numbers(dip_final *final, double *numbers, size_t *got) {
    const float *stored = final->stored->numbers;
    const int64_t from = final->row;
    const int64_t left = final->columns->n - from;
    *got = left < DIP_FINAL_NUMBERS ? (size_t)left : DIP_FINAL_NUMBERS;
    for (size_t i = 0; i < *got; i++) {
        numbers[i] = (double)stored[from + (int64_t)i];
    }
    final->row += (int64_t)*got;
    pass(final, stored, sizeof *stored, from, final->row);
}

/* ---- either ---------------------------------------------------------------------------------- */

static dip_status next_raw(dip_final *final, dip_error *err) {
    if (final->feature->type == DIP_FEATURE_NUMERIC) {
        return bucket_rows(final, err);
    }
    return dip_column_next(&final->codes, dip_feature_is_bag(final->feature), &final->rows, err);
}

dip_status dip_final_next(dip_final *final, dip_error *err) {
    DIP_TRY(final->stored != NULL ? copy_stored(final, err) : next_raw(final, err));
    if (final->remap != NULL) {
        remap_rows(&final->rows, final->remap);
    }
    return DIP_OK;
}

dip_status dip_final_numbers(dip_final *final, double *numbers, size_t *got, dip_error *err) {
    size_t bytes = 0;
    if (final->stored != NULL) {
        copy_numbers(final, numbers, got);
        return DIP_OK;
    }
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
