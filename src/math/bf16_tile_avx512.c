/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of bf16.h with AVX-512 BF16.
 *
 * 6 rows by 64 columns of sums stay in 24 registers: for each pair it loads four vectors of B and
 * broadcasts six pairs of A, 10 loads for 24 multiplications, so that the two multipliers of a core
 * stay busy while B streams from the second-level cache.
 */
#include "math/bf16_tiles.h"

#include <immintrin.h>

enum { ROWS = 6, VECTORS = DIP_BLOCK / DIP_BF16_LANES };

static inline __m512bh load_pairs(const dip_bf16 *x) {
    return (__m512bh)_mm512_loadu_si512(x);
}

static inline __m512bh broadcast_pair(const dip_bf16 *x) {
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

/* What is asked for with one line of 64 bytes a pair, while a group of rows is computed. */
typedef struct ahead {
    const char *line; /* NULL: nothing */
    size_t lines;
    bool writes;
} ahead;

enum { LINE = 64 };

static inline void ask(ahead a, size_t p) {
    if (a.writes) {
        __builtin_prefetch(a.line + p * LINE, 1, 3);
    } else {
        __builtin_prefetch(a.line + p * LINE, 0, 2);
    }
}

/* From a row of A to the next: in L(X) these are columns of a packed pair. */
static inline size_t row_step(const dip_tile *t) {
    return t->a.stride == 0 ? 2 : t->a.stride;
}

/* m and whether something is asked for are constants where this is inlined. */
static inline __attribute__((always_inline)) void tile_rows(size_t m, bool asks, dip_tile t,
                                                            ahead a) {
    const size_t row = row_step(&t);
    const size_t pair_step = t.a.stride == 0 ? 2 * DIP_BLOCK : 2;
    __m512 sum[ROWS][VECTORS];
    for (size_t i = 0; i < m; i++) {
        for (size_t v = 0; v < VECTORS; v++) {
            const float *c = t.c + i * t.ldc + v * DIP_BF16_LANES;
            sum[i][v] = t.add ? _mm512_loadu_ps(c) : _mm512_setzero_ps();
        }
    }
    for (size_t p = 0; p < t.pairs; p++) {
        __m512bh y[VECTORS];
        for (size_t v = 0; v < VECTORS; v++) {
            y[v] = load_pairs(t.b + v * 2 * DIP_BF16_LANES);
        }
        if (asks && p < a.lines) {
            ask(a, p);
        }
        for (size_t i = 0; i < m; i++) {
            const __m512bh pair = broadcast_pair(t.a.data + i * row);
            for (size_t v = 0; v < VECTORS; v++) {
                sum[i][v] = _mm512_dpbf16_ps(sum[i][v], pair, y[v]);
            }
        }
        t.a.data += pair_step;
        t.b += 2 * DIP_BLOCK;
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t v = 0; v < VECTORS; v++) {
            _mm512_storeu_ps(t.c + i * t.ldc + v * DIP_BF16_LANES, sum[i][v]);
        }
    }
}

/* Rows of the next group: 6, except that the last 7 or 8 are cut as 4 + 3 or 4 + 4. */
static inline size_t group(size_t left) {
    return left == 7 || left == 8 ? 4 : (left < ROWS ? left : ROWS);
}

static void few_rows(const dip_tile *t) {
    const ahead nothing = {NULL, 0, false};
    switch (t->m) {
    case 5:
        tile_rows(5, false, *t, nothing);
        break;
    case 4:
        tile_rows(4, false, *t, nothing);
        break;
    case 3:
        tile_rows(3, false, *t, nothing);
        break;
    case 2:
        tile_rows(2, false, *t, nothing);
        break;
    default:
        tile_rows(1, false, *t, nothing);
        break;
    }
}

/* The block to come has four lines a pair: the first four groups of rows ask for a quarter each.
 * The target has two lines a row, which the groups after them ask for. */
static ahead ahead_of_group(const dip_tile *t, size_t g) {
    const ahead none = {NULL, 0, false};
    if (g < VECTORS) {
        return t->next == NULL
                   ? none
                   : (ahead){(const char *)t->next + g * t->pairs * LINE, t->pairs, false};
    }
    const size_t first = (g - VECTORS) * t->pairs;
    if (t->target == NULL || 2 * t->m <= first) {
        return none;
    }
    const size_t left = 2 * t->m - first;
    return (ahead){(const char *)t->target + first * LINE, left < t->pairs ? left : t->pairs, true};
}

void dip_bf16_tile_avx512(const dip_tile *whole) {
    dip_tile t = *whole;
    for (size_t done = 0, g = 0; done < whole->m; g++) {
        t.m = group(whole->m - done);
        if (t.m == ROWS) {
            const ahead a = ahead_of_group(whole, g);
            if (a.lines > 0) {
                tile_rows(ROWS, true, t, a);
            } else {
                tile_rows(ROWS, false, t, a);
            }
        } else {
            few_rows(&t);
        }
        done += t.m;
        t.a.data += t.m * row_step(whole);
        t.c += t.m * t.ldc;
    }
}
