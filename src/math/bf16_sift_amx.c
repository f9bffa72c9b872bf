/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of bf16.h with AMX of which only the values that reach a bound are wanted.
 *
 * A unit is 32 rows by 16 columns, two tiles of sums. Storing sums takes a tile about as long as
 * multiplying it by 64 numbers, and goes on beside products if they are not its own: so while one
 * unit is multiplied the sums of the unit before are stored, and vectors look through those of the
 * one before that, which are in the first-level cache. They find the largest value of each column
 * of eight rows; only where one reaches the bound are the rows looked at one by one.
 */
#include "math/bf16_tiles.h"

#include "math/amx.h"

#include <math.h>

enum { UNIT_ROWS = 2 * DIP_AMX_SIDE, UNIT = UNIT_ROWS * DIP_AMX_SIDE };
enum { UNITS = DIP_BLOCK / DIP_AMX_SIDE, EIGHT = 8 * DIP_AMX_SIDE };

/* The sums of a unit and the bounds of its columns. */
typedef struct sums {
    const float *c;     /* [32 x 16] */
    const float *bound; /* [16] */
    uint32_t row;       /* of the first value */
    uint32_t column;
} sums;

typedef struct found {
    uint32_t rows; /* those from here on do not count */
    dip_hit *hits;
    size_t n;
} found;

/* ---- looking through ------------------------------------------------------------------------- */

/* Of four rows, 16 bits each: the values that are not less than the bounds. */
static inline uint64_t reached(const float *c, __m512 bound) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        const __m512 x = _mm512_loadu_ps(c + i * DIP_AMX_SIDE);
        bits |= (uint64_t)_mm512_cmp_ps_mask(x, bound, _CMP_NLT_UQ) << (i * DIP_AMX_SIDE);
    }
    return bits;
}

/* At least one of eight rows has a value that reaches its bound. Which one it is cannot be
 * foretold, so no branch asks for it. */
static inline void take_eight(const sums *u, uint32_t first, __m512 bound, found *out) {
    const float *c = u->c + first * DIP_AMX_SIDE;
    uint64_t low = reached(c, bound);
    uint64_t high = reached(c + EIGHT / 2, bound);
    do {
        const uint64_t in_high = low == 0 ? UINT64_MAX : 0;
        const uint64_t bits = low | (high & in_high);
        const uint32_t e = (uint32_t)__builtin_ctzll(bits) + (uint32_t)(in_high & (EIGHT / 2));
        const uint32_t row = u->row + first + e / DIP_AMX_SIDE;
        out->hits[out->n] = (dip_hit){row, u->column + e % DIP_AMX_SIDE, c[e]};
        out->n += row < out->rows;
        low &= low - 1;
        high &= ~in_high | (high - 1);
    } while ((low | high) != 0);
}

static inline uint32_t is_reached(__m512 most, __m512 bound) {
    return _mm512_cmp_ps_mask(most, bound, _CMP_NLT_UQ) != 0;
}

/* The largest values of four times eight rows, each in a register: passing them by their address
 * would store them for every unit. At least one reaches its bound. */
static __attribute__((noinline)) void take(const sums *u, __m512 most0, __m512 most1, __m512 most2,
                                           __m512 most3, found *out) {
    const __m512 bound = _mm512_loadu_ps(u->bound);
    uint32_t eights = is_reached(most0, bound) | is_reached(most1, bound) << 1 |
                      is_reached(most2, bound) << 2 | is_reached(most3, bound) << 3;
    for (; eights != 0; eights &= eights - 1) {
        take_eight(u, 8 * (uint32_t)__builtin_ctz(eights), bound, out);
    }
}

/* The largest values of eight rows. */
static inline __m512 most_of(const float *c) {
    __m512 most = _mm512_loadu_ps(c);
    for (size_t i = 1; i < 8; i++) {
        most = _mm512_max_ps(most, _mm512_loadu_ps(c + i * DIP_AMX_SIDE));
    }
    return most;
}

static inline void take_if_any(const sums *u, __m512 most0, __m512 most1, __m512 most2,
                               __m512 most3, found *out) {
    const __m512 most = _mm512_max_ps(_mm512_max_ps(most0, most1), _mm512_max_ps(most2, most3));
    const __mmask16 reach = _mm512_cmp_ps_mask(most, _mm512_loadu_ps(u->bound), _CMP_NLT_UQ);
    if (__builtin_expect(reach != 0, 0)) {
        take(u, most0, most1, most2, most3, out);
    }
}

static void look_through(const sums *u, found *out) {
    take_if_any(u, most_of(u->c), most_of(u->c + EIGHT), most_of(u->c + 2 * EIGHT),
                most_of(u->c + 3 * EIGHT), out);
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct factors {
    const char *a;
    size_t row; /* bytes from a row to the next */
    const char *b;
    size_t steps;
} factors;

/* One step of the sums in the tiles X and Y. */
#define STEP(X, Y)                                                                                 \
    do {                                                                                           \
        _tile_loadd(6, b, DIP_AMX_PAIR_BYTES);                                                     \
        _tile_loadd(4, a, f.row);                                                                  \
        _tile_dpbf16ps(X, 4, 6);                                                                   \
        _tile_loadd(5, a + DIP_AMX_SIDE * f.row, f.row);                                           \
        _tile_dpbf16ps(Y, 5, 6);                                                                   \
    } while (0)

/* Multiplies a unit into the tiles X and Y, stores the sums of the unit before, which are in P and
 * Q, to c, and looks through those of the one before that. */
#define MULTIPLY(NAME, X, Y, P, Q)                                                                 \
    static inline __attribute__((always_inline)) void NAME(factors f, float *c,                    \
                                                           const sums *stored, found *out) {       \
        const char *a = f.a;                                                                       \
        const char *b = f.b;                                                                       \
        _tile_zero(X);                                                                             \
        _tile_zero(Y);                                                                             \
        for (size_t step = 1; step < f.steps; step++) {                                            \
            STEP(X, Y);                                                                            \
            a += DIP_AMX_LINE;                                                                     \
            b += DIP_AMX_STEP_BYTES;                                                               \
        }                                                                                          \
        const __m512 most0 = most_of(stored->c);                                                   \
        const __m512 most1 = most_of(stored->c + EIGHT);                                           \
        STEP(X, Y);                                                                                \
        _tile_stored(P, c, DIP_AMX_LINE);                                                          \
        _tile_stored(Q, c + UNIT / 2, DIP_AMX_LINE);                                               \
        const __m512 most2 = most_of(stored->c + 2 * EIGHT);                                       \
        const __m512 most3 = most_of(stored->c + 3 * EIGHT);                                       \
        take_if_any(stored, most0, most1, most2, most3, out);                                      \
    }

MULTIPLY(multiply_even, 0, 1, 2, 3)
MULTIPLY(multiply_odd, 2, 3, 0, 1)

size_t dip_bf16_sift_amx(const dip_sift *s) {
    static const float never[DIP_AMX_SIDE] = {
        INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY,
        INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    const uint32_t no_row = UINT32_MAX / 2;
    found out = {(uint32_t)s->m, s->hits, 0};
    const size_t block = dip_packed_block(2 * s->pairs);
    float *const c[2] = {s->c, s->c + UNIT};
    /* The first two units of a call are none: whatever their memory holds is in no row. */
    sums multiplied = {c[0], never, no_row, 0};
    sums stored = {c[1], never, no_row, 0};
    dip_amx_begin(DIP_AMX_SIDE);
    for (size_t i = 0; i < s->m; i += UNIT_ROWS) {
        factors f = {.a = (const char *)(s->a + i * s->stride),
                     .row = s->stride * sizeof *s->a,
                     .steps = s->pairs / DIP_AMX_SIDE};
        for (size_t j = 0; j < s->blocks * UNITS; j++) {
            f.b = (const char *)(s->b + j / UNITS * block) + j % UNITS * DIP_AMX_LINE;
            if (j % 2 == 0) {
                multiply_even(f, c[0], &stored, &out);
            } else {
                multiply_odd(f, c[1], &stored, &out);
            }
            stored = multiplied;
            multiplied = (sums){c[1 - j % 2], s->bound + j * DIP_AMX_SIDE, (uint32_t)i,
                                (uint32_t)(j * DIP_AMX_SIDE)};
        }
    }
    look_through(&stored, &out);
    /* UNITS is even, so the last sums are in the tiles 2 and 3. */
    _tile_stored(2, c[0], DIP_AMX_LINE);
    _tile_stored(3, c[0] + UNIT / 2, DIP_AMX_LINE);
    look_through(&multiplied, &out);
    dip_amx_end();
    return out.n;
}
