/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of bf16.h with AMX.
 *
 * A tile register holds 16 rows of 64 bytes. Four hold 32 rows by 32 columns of sums, two the rows
 * of A, two the columns of B: for each 16 pairs four tiles are loaded for four products. A product
 * keeps the multiplier busy for 16 cycles and a tile takes 8 to load from the first-level cache, so
 * pairs are taken in parts small enough that much of them is still there when it is used again;
 * meanwhile sums wait in c.
 *
 * A tile is stored in about the time of a product, but not before its own products are there, and
 * nothing is multiplied into it before it has been stored. So the sums of a square stay in their
 * tiles until the next one begins, and are stored one by one between its first products.
 *
 * Tiles are set up and given back in each call, since nobody else may find them changed.
 */
#include "math/bf16_tiles.h"

#include "math/amx.h"
#include "math/transpose_avx512.h"

enum { PART = 8 }; /* steps of a part */

/* Where a group of rows of A and of c is, for some steps. */
typedef struct group {
    const char *a; /* bytes from here on: */
    size_t row;    /* from a row to the next */
    size_t step;   /* from a step to the next */
    const char *b; /* pairs of P(B) */
    size_t steps;
    bool add;
    char *c;
    size_t c_row;
} group;

/* Tiles 0 and 1 are the sums at g->c and those beside them, 2 and 3 at `other` and beside it. */
static inline void begin_sums(const group *g, const char *other) {
    if (g->add) {
        _tile_loadd(0, g->c, g->c_row);
        _tile_loadd(1, g->c + DIP_AMX_LINE, g->c_row);
        _tile_loadd(2, other, g->c_row);
        _tile_loadd(3, other + DIP_AMX_LINE, g->c_row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
}

static inline void end_sums(const group *g, char *other) {
    _tile_stored(0, g->c, g->c_row);
    _tile_stored(1, g->c + DIP_AMX_LINE, g->c_row);
    _tile_stored(2, other, g->c_row);
    _tile_stored(3, other + DIP_AMX_LINE, g->c_row);
}

/* Sums of a square that are in the tiles and not yet in memory. */
typedef struct held {
    char *c; /* NULL: none */
    size_t row;
} held;

static void store_held(held *h) {
    if (h->c != NULL) {
        const group g = {.c = h->c, .c_row = h->row};
        end_sums(&g, h->c + DIP_AMX_SIDE * h->row);
        h->c = NULL;
    }
}

/* Stores the sums of a tile and begins others in it, at the same place of their square. */
#define TAKE_OVER(TILE, stored, added)                                                             \
    do {                                                                                           \
        if (stores) {                                                                              \
            _tile_stored(TILE, stored, h->row);                                                    \
        }                                                                                          \
        if (adds) {                                                                                \
            _tile_loadd(TILE, added, g->c_row);                                                    \
        } else {                                                                                   \
            _tile_zero(TILE);                                                                      \
        }                                                                                          \
    } while (0)

/* The first step of a square, between whose products the sums that are held go to memory. What is
 * to be done is constant where this is inlined. */
static inline __attribute__((always_inline)) void first_step(const group *g, const held *h,
                                                             bool stores, bool adds) {
    char *const stored = stores ? h->c + DIP_AMX_SIDE * h->row : NULL;
    const char *const added = g->c + DIP_AMX_SIDE * g->c_row;
    _tile_loadd(4, g->a, g->row);
    _tile_loadd(6, g->b, DIP_AMX_PAIR_BYTES);
    TAKE_OVER(0, h->c, g->c);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, g->b + DIP_AMX_LINE, DIP_AMX_PAIR_BYTES);
    TAKE_OVER(1, h->c + DIP_AMX_LINE, g->c + DIP_AMX_LINE);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, g->a + DIP_AMX_SIDE * g->row, g->row);
    TAKE_OVER(2, stored, added);
    _tile_dpbf16ps(2, 5, 6);
    TAKE_OVER(3, stored + DIP_AMX_LINE, added + DIP_AMX_LINE);
    _tile_dpbf16ps(3, 5, 7);
}

/* 32 rows by 32 columns, of one step or more. Its sums are held then. */
static void square(const group *g, held *h) {
    if (h->c == NULL) {
        g->add ? first_step(g, h, false, true) : first_step(g, h, false, false);
    } else {
        g->add ? first_step(g, h, true, true) : first_step(g, h, true, false);
    }
    const char *a = g->a;
    const char *b = g->b;
    for (size_t s = 1; s < g->steps; s++) {
        a += g->step;
        b += DIP_AMX_STEP_BYTES;
        dip_amx_multiply_pair(a, g->row, b);
        _tile_loadd(5, a + DIP_AMX_SIDE * g->row, g->row);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    *h = (held){g->c, g->c_row};
}

/* At most 16 rows by 64 columns. */
static void strip(const group *g, size_t rows) {
    const char *a = g->a;
    const char *b = g->b;
    if (rows < DIP_AMX_SIDE) {
        dip_amx_begin((uint8_t)rows);
    }
    begin_sums(g, g->c + 2 * DIP_AMX_LINE);
    for (size_t s = 0; s < g->steps; s++) {
        dip_amx_multiply_pair(a, g->row, b);
        _tile_loadd(6, b + 2 * DIP_AMX_LINE, DIP_AMX_PAIR_BYTES);
        _tile_dpbf16ps(2, 4, 6);
        _tile_loadd(7, b + 3 * DIP_AMX_LINE, DIP_AMX_PAIR_BYTES);
        _tile_dpbf16ps(3, 4, 7);
        a += g->step;
        b += DIP_AMX_STEP_BYTES;
    }
    end_sums(g, g->c + 2 * DIP_AMX_LINE);
    if (rows < DIP_AMX_SIDE) {
        dip_amx_begin(DIP_AMX_SIDE);
    }
}

/* m rows of some steps: by squares, and what is left by strips. */
static void rows_of_part(const group *from, size_t m, held *h) {
    const size_t whole = from->steps > 0 ? m - m % (2 * DIP_AMX_SIDE) : 0;
    for (size_t i = 0; i < whole; i += 2 * DIP_AMX_SIDE) {
        for (size_t half = 0; half < 2; half++) {
            group g = *from;
            g.a += i * g.row;
            g.b += half * 2 * DIP_AMX_LINE;
            g.c += i * g.c_row + half * 2 * DIP_AMX_LINE;
            square(&g, h);
        }
    }
    if (whole < m) {
        store_held(h);
    }
    for (size_t i = whole; i < m; i += DIP_AMX_SIDE) {
        group g = *from;
        g.a += i * g.row;
        g.c += i * g.c_row;
        strip(&g, m - i < DIP_AMX_SIDE ? m - i : DIP_AMX_SIDE);
    }
}

/* The last pairs, fewer than 16, of A and B, with zeros beyond them, as one step. */
typedef struct tail {
    _Alignas(DIP_AMX_LINE) char a[DIP_AMX_SIDE * DIP_AMX_LINE];
    _Alignas(DIP_AMX_LINE) char b[DIP_AMX_STEP_BYTES];
} tail;

static void add_tail(const group *from, size_t pairs, size_t m) {
    tail t;
    const __mmask16 some = (__mmask16)((1u << pairs) - 1);
    memcpy(t.b, from->b, pairs * DIP_AMX_PAIR_BYTES);
    memset(t.b + pairs * DIP_AMX_PAIR_BYTES, 0, sizeof t.b - pairs * DIP_AMX_PAIR_BYTES);
    for (size_t i = 0; i < m; i += DIP_AMX_SIDE) {
        const size_t rows = m - i < DIP_AMX_SIDE ? m - i : DIP_AMX_SIDE;
        for (size_t r = 0; r < rows; r++) {
            const __m512i row = _mm512_maskz_loadu_epi32(some, from->a + (i + r) * from->row);
            _mm512_store_si512(t.a + r * DIP_AMX_LINE, row);
        }
        group g = {t.a, DIP_AMX_LINE, 0, t.b, 1, from->add, from->c + i * from->c_row, from->c_row};
        /* The intrinsics of gcc do not say that a tile load reads memory. */
        __asm__ volatile("" : : : "memory");
        strip(&g, rows);
    }
}

/* A product of no pairs is a part of no steps. */
void dip_bf16_tile_amx(const dip_tile *t) {
    const bool is_left = t->a.stride == 0;
    const size_t steps = t->pairs / DIP_AMX_SIDE;
    const size_t rest = t->pairs % DIP_AMX_SIDE;
    group g = {.a = (const char *)t->a.data,
               .row = is_left ? DIP_AMX_LINE : t->a.stride * sizeof(dip_bf16),
               .step = is_left ? DIP_AMX_STEP_BYTES : DIP_AMX_LINE,
               .b = (const char *)t->b,
               .add = t->add,
               .c = (char *)t->c,
               .c_row = t->ldc * sizeof(float)};
    held h = {.c = NULL};
    dip_amx_begin(DIP_AMX_SIDE);
    for (size_t done = 0; done < steps || (done == 0 && rest == 0); done += PART) {
        g.steps = steps - done < PART ? steps - done : PART;
        rows_of_part(&g, t->m, &h);
        g.a += g.steps * g.step;
        g.b += g.steps * DIP_AMX_STEP_BYTES;
        g.add = true;
    }
    store_held(&h);
    if (rest > 0) {
        add_tail(&g, rest, t->m);
    }
    dip_amx_end();
}

/* Four times 16 columns of 16 pairs, each 32 bits. */
void dip_bf16_make_left_amx(size_t pairs, dip_bf16 *block) {
    for (size_t first = 0; first < pairs; first += DIP_AMX_SIDE) {
        char *const tiles = (char *)block + first * DIP_AMX_PAIR_BYTES;
        const size_t left = pairs - first < DIP_AMX_SIDE ? pairs - first : DIP_AMX_SIDE;
        __m512i x[DIP_BLOCK / DIP_AMX_SIDE][DIP_AMX_SIDE];
        for (size_t t = 0; t < DIP_BLOCK / DIP_AMX_SIDE; t++) {
            for (size_t p = 0; p < DIP_AMX_SIDE; p++) {
                const __mmask16 some = p < left ? 0xffff : 0;
                x[t][p] = _mm512_maskz_loadu_epi32(some, tiles + p * DIP_AMX_PAIR_BYTES +
                                                             t * DIP_AMX_LINE);
            }
        }
        for (size_t t = 0; t < DIP_BLOCK / DIP_AMX_SIDE; t++) {
            dip_transpose16(x[t]);
            for (size_t j = 0; j < DIP_AMX_SIDE; j++) {
                _mm512_storeu_si512(tiles + (t * DIP_AMX_SIDE + j) * DIP_AMX_LINE, x[t][j]);
            }
        }
    }
}
