/* SPDX-License-Identifier: Apache-2.0
 *
 * For files that are compiled for AMX: tile registers, and how operands of bf16.h lie in them.
 *
 * A register holds 16 rows of 64 bytes. In what follows 0 to 3 hold sums, 4 and 5 rows of A, 6 and
 * 7 columns of B.
 */
#ifndef DIP_MATH_AMX_H
#define DIP_MATH_AMX_H

#include "math/bf16.h"

#include <immintrin.h>

enum {
    DIP_AMX_SIDE = DIP_TILE_PAIRS,      /* rows of a tile, pairs in a row of one, sums in a row */
    DIP_AMX_LINE = 64,                  /* bytes of a row */
    DIP_AMX_PAIR_BYTES = 4 * DIP_BLOCK, /* of a packed pair of rows */
    DIP_AMX_STEP_BYTES = DIP_AMX_SIDE * DIP_AMX_PAIR_BYTES /* of those that a step takes */
};

/* What LDTILECFG reads. */
typedef struct dip_amx_shapes {
    uint8_t palette;
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} dip_amx_shapes;

/* All eight tiles of whole rows, but those of A and of sums with only so many. */
static inline void dip_amx_begin(uint8_t rows) {
    dip_amx_shapes s = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        const bool is_of_b = t >= 6;
        s.row_bytes[t] = DIP_AMX_LINE;
        s.rows[t] = is_of_b ? DIP_AMX_SIDE : rows;
    }
    /* In the place of _tile_loadconfig, which does not tell gcc 12 that all of s is read. */
    __asm__ volatile("ldtilecfg %0" : : "m"(s));
}

static inline void dip_amx_end(void) {
    _tile_release();
}

/* The first row tile of A with two column tiles of B, which stay loaded in 6 and 7. */
static inline void dip_amx_multiply_pair(const char *a, size_t row, const char *b) {
    _tile_loadd(4, a, row);
    _tile_loadd(6, b, DIP_AMX_PAIR_BYTES);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + DIP_AMX_LINE, DIP_AMX_PAIR_BYTES);
    _tile_dpbf16ps(1, 4, 7);
}

#endif
