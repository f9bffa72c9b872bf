/* SPDX-License-Identifier: Apache-2.0
 *
 * From the order of the files to the order of the rows, one column at a time.
 */
#include "base/mem.h"
#include "prepare/growth.h"

#include <math.h>
#include <string.h>

/* Where the rows stand in the files. */
typedef struct order {
    uint64_t n_file; /* rows of the files */
    uint64_t n;      /* rows of the dataset */
    int32_t *place;  /* [n] in the files, or -1 */
    bool is_same;
} order;

static dip_status read_places(order *o, const dip_raw_entity *side, dip_error *err) {
    dip_column_cursor cursor;
    dip_status status = DIP_OK;
    size_t got = 1;
    dip_column_begin(&cursor, &side->id_rows);
    o->is_same = o->n == o->n_file;
    for (uint64_t place = 0; status == DIP_OK && got > 0; place++) {
        int32_t row = 0;
        status = dip_column_codes(&cursor, &row, 1, &got, err);
        if (status == DIP_OK && got > 0) {
            o->place[row] = (int32_t)place;
            o->is_same = o->is_same && (uint64_t)row == place;
        }
    }
    dip_column_end(&cursor);
    return status;
}

/* A spool of records of one size, wholly in memory. */
static dip_status load(const dip_spool *spool, void **data, dip_error *err) {
    dip_spool_cursor cursor = {.spool = spool};
    const size_t bytes = (size_t)dip_spool_bytes(spool);
    *data = dip_alloc(bytes, 1, "a column", err);
    dip_status status = *data != NULL ? dip_spool_get(&cursor, *data, bytes, err) : DIP_ERR_MEMORY;
    dip_spool_cursor_free(&cursor);
    return status;
}

static dip_status order_numbers(const order *o, dip_spool *spool, dip_error *err) {
    const double none = NAN;
    void *data = NULL;
    dip_status status = load(spool, &data, err);
    const double *numbers = data;
    dip_spool_free(spool);
    for (uint64_t row = 0; status == DIP_OK && row < o->n; row++) {
        status = dip_spool_put(spool, o->place[row] >= 0 ? &numbers[o->place[row]] : &none,
                               sizeof none, err);
    }
    dip_free(data);
    return status;
}

/* Texts of any length; where each begins is found in one walk. */
static dip_status put_texts(const order *o, dip_spool *spool, const char *data, uint64_t *start,
                            dip_error *err) {
    static const uint32_t NONE = 0;
    for (uint64_t i = 0, at = 0; i < o->n_file; i++) {
        uint32_t length = 0;
        memcpy(&length, data + at, sizeof length);
        start[i] = at;
        at += sizeof length + length;
    }
    for (uint64_t row = 0; row < o->n; row++) {
        if (o->place[row] < 0) {
            DIP_TRY(dip_spool_put(spool, &NONE, sizeof NONE, err));
            continue;
        }
        uint32_t length = 0;
        memcpy(&length, data + start[o->place[row]], sizeof length);
        DIP_TRY(dip_spool_put(spool, data + start[o->place[row]], sizeof length + length, err));
    }
    return DIP_OK;
}

static dip_status order_texts(const order *o, dip_spool *spool, dip_error *err) {
    void *data = NULL;
    uint64_t *start = dip_alloc((size_t)o->n_file, sizeof *start, "titles", err);
    dip_status status = start != NULL ? load(spool, &data, err) : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        dip_spool_free(spool);
        status = put_texts(o, spool, data, start, err);
    }
    dip_free(start);
    dip_free(data);
    return status;
}

/* A column of codes in memory: row i of the files has codes[offsets[i] ... offsets[i + 1]). */
typedef struct code_rows {
    uint64_t *offsets;
    int32_t *codes;
    size_t n_codes;
    size_t capacity;
} code_rows;

static dip_status load_codes(const order *o, const dip_column_data *column, bool is_bag,
                             code_rows *rows, dip_error *err) {
    dip_column_cursor cursor;
    dip_column_rows piece = {0};
    dip_status status = DIP_OK;
    uint64_t row = 0;
    rows->offsets = dip_alloc((size_t)o->n_file + 1, sizeof *rows->offsets, "a column", err);
    if (rows->offsets == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_column_begin(&cursor, column);
    do {
        size_t n = 0;
        status = dip_column_next(&cursor, is_bag, &piece, err);
        for (size_t i = 0; status == DIP_OK && i < piece.n; i++, row++) {
            n += piece.counts[i];
            rows->offsets[row + 1] = rows->offsets[row] + piece.counts[i];
        }
        if (status == DIP_OK && n > 0) {
            status = dip_grow((void **)&rows->codes, &rows->capacity, rows->n_codes + n,
                              sizeof *rows->codes, "a column", err);
        }
        if (status == DIP_OK && n > 0) {
            memcpy(rows->codes + rows->n_codes, piece.codes, n * sizeof *rows->codes);
            rows->n_codes += n;
        }
    } while (status == DIP_OK && piece.n > 0);
    dip_column_rows_free(&piece);
    dip_column_end(&cursor);
    return status;
}

static dip_status put_codes(const order *o, dip_column_data *column, bool is_bag,
                            const code_rows *rows, dip_error *err) {
    static const int32_t NONE = DIP_CODE_UNKNOWN;
    for (uint64_t row = 0; row < o->n; row++) {
        const int32_t place = o->place[row];
        const uint64_t from = place >= 0 ? rows->offsets[place] : 0;
        const uint32_t n = place >= 0 ? (uint32_t)(rows->offsets[place + 1] - from) : 0;
        if (is_bag) {
            DIP_TRY(dip_spool_put(&column->counts, &n, sizeof n, err));
        }
        if (n > 0) {
            DIP_TRY(
                dip_spool_put(&column->codes, rows->codes + from, n * sizeof *rows->codes, err));
        } else if (!is_bag) {
            DIP_TRY(dip_spool_put(&column->codes, &NONE, sizeof NONE, err));
        }
    }
    return DIP_OK;
}

static dip_status order_codes(const order *o, dip_column_data *column, bool is_bag,
                              dip_error *err) {
    code_rows rows = {0};
    dip_status status = load_codes(o, column, is_bag, &rows, err);
    if (status == DIP_OK) {
        dip_column_free(column);
        status = put_codes(o, column, is_bag, &rows, err);
    }
    dip_free(rows.offsets);
    dip_free(rows.codes);
    return status;
}

static dip_status order_side(const order *o, dip_raw_entity *side, const dip_entity *entity,
                             dip_error *err) {
    for (size_t f = 0; f < entity->n_features; f++) {
        const dip_feature *feature = &entity->features[f];
        dip_column_data *column = &side->columns[f];
        DIP_TRY(feature->type == DIP_FEATURE_NUMERIC
                    ? order_numbers(o, &column->numbers, err)
                    : order_codes(o, column, dip_feature_is_bag(feature), err));
    }
    return dip_spool_bytes(&side->titles) > 0 ? order_texts(o, &side->titles, err) : DIP_OK;
}

dip_status dip_growth_order(dip_raw_entity *side, const dip_entity *entity, int64_t *n_gone,
                            dip_error *err) {
    order o = {.n_file = side->n, .n = dip_intern_count(side->ids)};
    o.place = dip_alloc((size_t)o.n, sizeof *o.place, "the order of rows", err);
    if (o.place == NULL) {
        return DIP_ERR_MEMORY;
    }
    memset(o.place, 0xFF, (size_t)o.n * sizeof *o.place);
    dip_status status = read_places(&o, side, err);
    if (status == DIP_OK && !o.is_same) {
        status = order_side(&o, side, entity, err);
        side->n = o.n;
    }
    *n_gone = (int64_t)(o.n - o.n_file);
    dip_free(o.place);
    return status;
}
