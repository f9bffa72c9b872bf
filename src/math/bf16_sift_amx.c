/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of bf16.h with AMX of which only the values that reach a bound are wanted.
 *
 * Two squares of 32 rows by 32 columns take turns: while the tiles multiply for one, the vectors
 * look through the other, whose sums are still in the first-level cache. So are 64 rows of A and
 * the 32 columns of B that they meet, up to 128 numbers long. Asking ahead for the next columns
 * gains 3% there and costs 10 to 20% where rows are longer.
 */
#include "math/bf16_tiles.h"

#include "math/amx.h"

enum { SQUARE = 2 * DIP_AMX_SIDE };

/* Sums that nobody has looked through yet. */
typedef struct pending {
    const float *c; /* [32 x 32] */
    const float *bound;
    size_t rows; /* that count; 0: there is nothing */
    size_t row;
    size_t column;
} pending;

typedef struct found {
    dip_hit *hits;
    size_t n;
} found;

static __attribute__((noinline)) void take(const pending *p, size_t i, uint32_t bits, found *out) {
    for (; bits != 0; bits &= bits - 1) {
        const uint32_t j = (uint32_t)__builtin_ctz(bits);
        const dip_hit hit = {(uint32_t)(p->row + i), (uint32_t)p->column + j, p->c[i * SQUARE + j]};
        out->hits[out->n++] = hit;
    }
}

/* Rows from `first` on, before `end`. */
static inline void look_through(const pending *p, size_t first, size_t end, found *out) {
    for (size_t i = first; i < end && i < p->rows; i++) {
        const __m512 bound = _mm512_set1_ps(p->bound[i]);
        const __m512 left = _mm512_loadu_ps(p->c + i * SQUARE);
        const __m512 right = _mm512_loadu_ps(p->c + i * SQUARE + DIP_AMX_SIDE);
        const __mmask16 low = _mm512_cmp_ps_mask(left, bound, _CMP_NLT_UQ);
        const __mmask16 high = _mm512_cmp_ps_mask(right, bound, _CMP_NLT_UQ);
        if (__builtin_expect(!_kortestz_mask16_u8(low, high), 0)) {
            take(p, i, (uint32_t)low | (uint32_t)high << DIP_AMX_SIDE, out);
        }
    }
}

/* One product of 32 rows by 32 columns. */
typedef struct square {
    const char *a;
    size_t row; /* bytes from a row to the next */
    const char *b;
    size_t steps;
    float *c;
} square;

static void multiply(const square *s, const pending *p, found *out) {
    const char *a = s->a;
    const char *b = s->b;
    char *const c = (char *)s->c;
    size_t seen = 0;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t step = 1; step <= s->steps; step++) {
        dip_amx_multiply_pair(a, s->row, b);
        _tile_loadd(5, a + DIP_AMX_SIDE * s->row, s->row);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        look_through(p, seen, step * SQUARE / s->steps, out);
        seen = step * SQUARE / s->steps;
        a += DIP_AMX_LINE;
        b += DIP_AMX_STEP_BYTES;
    }
    const size_t row = SQUARE * sizeof(float);
    _tile_stored(0, c, row);
    _tile_stored(1, c + DIP_AMX_LINE, row);
    _tile_stored(2, c + DIP_AMX_SIDE * row, row);
    _tile_stored(3, c + DIP_AMX_SIDE * row + DIP_AMX_LINE, row);
}

/* The columns of half a block. */
static const char *columns_of(const dip_sift *s, size_t half) {
    const dip_bf16 *block = s->b + half / 2 * dip_packed_block(2 * s->pairs);
    return (const char *)block + half % 2 * 2 * DIP_AMX_LINE;
}

size_t dip_bf16_sift_amx(const dip_sift *s) {
    const size_t halves = 2 * s->blocks;
    found out = {s->hits, 0};
    pending last = {.rows = 0};
    size_t turn = 0;
    dip_amx_begin(DIP_AMX_SIDE);
    for (size_t half = 0; half < halves; half++) {
        const float *bound = s->bound + half / 2 * DIP_BLOCK;
        for (size_t i = 0; i < s->m; i += SQUARE) {
            float *const c = s->c + turn * SQUARE * SQUARE;
            const square q = {.a = (const char *)(s->a + i * s->stride),
                              .row = s->stride * sizeof *s->a,
                              .b = columns_of(s, half),
                              .steps = s->pairs / DIP_AMX_SIDE,
                              .c = c};
            multiply(&q, &last, &out);
            const size_t left = s->m - i;
            last = (pending){c, bound + i, left < SQUARE ? left : SQUARE, i, half * SQUARE};
            turn = 1 - turn;
        }
    }
    look_through(&last, 0, SQUARE, &out);
    dip_amx_end();
    return out.n;
}
