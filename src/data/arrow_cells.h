/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells of Arrow arrays as text.
 */
#ifndef DIP_DATA_ARROW_CELLS_H
#define DIP_DATA_ARROW_CELLS_H

#include "base/number.h"
#include "data/arrow_abi.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum dip_cell_kind {
    DIP_CELL_OTHER, /* not read */
    DIP_CELL_NULL,
    DIP_CELL_BOOL,
    DIP_CELL_INTEGER,
    DIP_CELL_REAL,
    DIP_CELL_TEXT, /* offsets of 4 bytes */
    DIP_CELL_LARGE_TEXT,
    DIP_CELL_TEXT_VIEW,
    DIP_CELL_TIME, /* becomes whole seconds since 1970 */
    DIP_CELL_LIST,
    DIP_CELL_LARGE_LIST,
    DIP_CELL_FIXED_LIST
} dip_cell_kind;

/* What the schema says of one column. */
typedef struct dip_cell_type {
    dip_cell_kind kind;
    char letter;   /* which integer or real */
    int64_t unit;  /* TIME: of these a second, or less than 0: seconds of one of these */
    int64_t width; /* FIXED_LIST */
} dip_cell_type;

/* How to read a column. */
typedef struct dip_cell_plan {
    dip_cell_type list; /* DIP_CELL_OTHER: plain cells */
    dip_cell_type cell; /* of the elements of a list; DIP_CELL_OTHER: not read */
    dip_cell_type word; /* what the dictionary holds */
    bool has_words;
} dip_cell_plan;

dip_cell_plan dip_cell_plan_of(const struct ArrowSchema *schema);

/* One plain cell. */
typedef struct dip_cell {
    bool is_null;
    const char *text; /* not NUL-terminated; in the array, or in `shown` */
    size_t length;
    char shown[DIP_NUMBER_MAX];
} dip_cell;

/* For errors: "a struct", or Arrow's letters. */
const char *dip_cell_name(const struct ArrowSchema *schema);

/* The cell at a place of the array: of a column without lists, or of a list column's child. */
void dip_cell_read(const dip_cell_plan *plan, const struct ArrowArray *array, int64_t place,
                   dip_cell *cell);

/* Elements [*begin, *end) of the list at a place, in the array's child. False when it is null. */
bool dip_cell_list(const dip_cell_type *type, const struct ArrowArray *array, int64_t place,
                   int64_t *begin, int64_t *end);

#endif
