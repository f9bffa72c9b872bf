/* SPDX-License-Identifier: Apache-2.0
 *
 * A Feistel network over a grid of rows x columns with sums in place of exclusive ors (J. Black and
 * P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, method 3), so that the grid has
 * hardly more cells than n; the few values at or above n are sent through again.
 */
#include "generate/scatter.h"

dip_scatter dip_scatter_make(dip_rng rng, uint64_t stream, int64_t n) {
    dip_scatter scatter = {.n = (uint32_t)n, .rows = 1};
    while ((uint64_t)scatter.rows * scatter.rows < scatter.n) {
        scatter.rows++;
    }
    scatter.columns = (scatter.n + scatter.rows - 1) / scatter.rows;
    for (uint64_t i = 0; i < DIP_SCATTER_ROUNDS; i++) {
        scatter.key[i] = dip_rng_at(rng, i, stream).word[0];
    }
    return scatter;
}

/* A number in [0, range) from a half and the key of a round: two multiplications, as in the
 * finishing step of 64-bit hashes, then the high bits scaled. */
static uint32_t mix(uint32_t half, uint32_t key, uint32_t range) {
    uint64_t z = (((uint64_t)key << 32) ^ half) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(((z >> 32) * range) >> 32);
}

static uint32_t forwards(const dip_scatter *s, uint32_t value) {
    uint32_t row = value / s->columns;
    uint32_t column = value % s->columns;
    for (int i = 0; i < DIP_SCATTER_ROUNDS; i += 2) {
        row += mix(column, s->key[i], s->rows);
        row -= row >= s->rows ? s->rows : 0;
        column += mix(row, s->key[i + 1], s->columns);
        column -= column >= s->columns ? s->columns : 0;
    }
    return row * s->columns + column;
}

static uint32_t backwards(const dip_scatter *s, uint32_t value) {
    uint32_t row = value / s->columns;
    uint32_t column = value % s->columns;
    for (int i = DIP_SCATTER_ROUNDS - 2; i >= 0; i -= 2) {
        const uint32_t from_row = mix(row, s->key[i + 1], s->columns);
        column += column < from_row ? s->columns - from_row : 0 - from_row;
        const uint32_t from_column = mix(column, s->key[i], s->rows);
        row += row < from_column ? s->rows - from_column : 0 - from_column;
    }
    return row * s->columns + column;
}

int64_t dip_scatter_to(const dip_scatter *scatter, int64_t index) {
    uint32_t value = forwards(scatter, (uint32_t)index);
    while (value >= scatter->n) {
        value = forwards(scatter, value);
    }
    return value;
}

int64_t dip_scatter_from(const dip_scatter *scatter, int64_t place) {
    uint32_t value = backwards(scatter, (uint32_t)place);
    while (value >= scatter->n) {
        value = backwards(scatter, value);
    }
    return value;
}
