/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of bf16.h with AVX-512 BF16, all but the products.
 */
#include "math/bf16_tiles.h"

#include "math/exp.h"
#include "math/transpose_avx512.h"

#include <immintrin.h>

enum { VECTORS = DIP_BLOCK / DIP_BF16_LANES };

static inline __m256i rounded(__m512 x) {
    return (__m256i)_mm512_cvtneps_pbh(x);
}

static inline void store_rounded(dip_bf16 *y, __m512 x) {
    _mm256_storeu_si256((__m256i *)y, rounded(x));
}

/* The first n of sixteen lanes, n <= 16. */
static inline __mmask16 first_lanes(size_t n) {
    return (__mmask16)((1u << n) - 1);
}

static void combine(const dip_combine *t) {
    for (size_t i = 0; i < t->m; i++) {
        const __m512 a = _mm512_set1_ps(t->a != NULL ? t->a[i] : 1);
        const __m512 b = _mm512_set1_ps(t->b != NULL ? t->b[i] : -1);
        const float *row = t->x + (t->place != NULL ? t->place[i] : i) * t->ldx;
        for (size_t j = 0; j < t->columns; j += DIP_BF16_LANES) {
            const size_t left = t->columns - j;
            const __mmask16 lanes = first_lanes(left < DIP_BF16_LANES ? left : DIP_BF16_LANES);
            const __m512 c = _mm512_maskz_loadu_ps(lanes, t->c + i * t->ldc + j);
            const __m512 x = _mm512_maskz_loadu_ps(lanes, row + j);
            _mm512_mask_storeu_ps(t->y + i * t->ldy + j, lanes,
                                  _mm512_sub_ps(_mm512_mul_ps(a, c), _mm512_mul_ps(b, x)));
        }
    }
}

/* x - x is 0 or NaN, and so is a sum of such. */
static bool is_finite(size_t m, const float *c, size_t ldc) {
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < DIP_BLOCK; j += DIP_BF16_LANES) {
            const __m512 x = _mm512_loadu_ps(c + i * ldc + j);
            sum = _mm512_add_ps(sum, _mm512_sub_ps(x, x));
        }
    }
    return _mm512_cmp_ps_mask(sum, sum, _CMP_UNORD_Q) == 0;
}

static void scale(size_t n, float a, const float *x, dip_bf16 *y) {
    const __m512 factor = _mm512_set1_ps(a);
    size_t i = 0;
    for (; i + DIP_BF16_LANES <= n; i += DIP_BF16_LANES) {
        store_rounded(y + i, _mm512_mul_ps(factor, _mm512_loadu_ps(x + i)));
    }
    if (i < n) {
        const __mmask16 rest = first_lanes(n - i);
        const __m512 product = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(rest, x + i));
        _mm256_mask_storeu_epi16(y + i, rest, rounded(product));
    }
}

static void round_row(size_t n, const float *x, dip_bf16 *y) {
    size_t i = 0;
    for (; i + DIP_BF16_LANES <= n; i += DIP_BF16_LANES) {
        store_rounded(y + i, _mm512_loadu_ps(x + i));
    }
    if (i < n) {
        const __mmask16 rest = first_lanes(n - i);
        _mm256_mask_storeu_epi16(y + i, rest, rounded(_mm512_maskz_loadu_ps(rest, x + i)));
    }
}

/* Element 2j of the result is even(j) and element 2j + 1 is odd(j), for j = 0 ... 15 or 16 ... 31:
 * in the two-source permutation, index 32 + j means element j of the second source. */
static inline __m512i pair_indices(int first) {
    int16_t index[2 * DIP_BF16_LANES];
    for (int j = 0; j < DIP_BF16_LANES; j++) {
        index[2 * j] = (int16_t)(first + j);
        index[2 * j + 1] = (int16_t)(2 * DIP_BF16_LANES + first + j);
    }
    return _mm512_loadu_si512(index);
}

static void interleave(size_t blocks, const dip_bf16 *even, const dip_bf16 *odd, size_t step,
                       dip_bf16 *out) {
    const __m512i low = pair_indices(0);
    const __m512i high = pair_indices(DIP_BF16_LANES);
    for (size_t j = 0; j < blocks; j++) {
        for (size_t half = 0; half < 2; half++) {
            const size_t column = j * DIP_BLOCK + half * 2 * DIP_BF16_LANES;
            const __m512i x = _mm512_loadu_si512(even + column);
            const __m512i y = _mm512_loadu_si512(odd + column);
            dip_bf16 *to = out + j * step + half * 4 * DIP_BF16_LANES;
            _mm512_storeu_si512(to, _mm512_permutex2var_epi16(x, low, y));
            _mm512_storeu_si512(to + 2 * DIP_BF16_LANES, _mm512_permutex2var_epi16(x, high, y));
        }
    }
}

/* Sixteen columns of a pair of rows, in their packed order. */
static inline __m512i packed_pair(__m256i even, __m256i odd) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(even),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

/* max takes its second operand when one is NaN, so a NaN stays. */
static inline __m256i relu16(const float *c, __m512 bias) {
    return rounded(_mm512_max_ps(_mm512_setzero_ps(), _mm512_add_ps(_mm512_loadu_ps(c), bias)));
}

/* As integers, the positive bfloat16 numbers are the positive ones. */
static inline uint64_t alive_bits(__m256i h, size_t column) {
    const __mmask16 bits = _mm256_cmpgt_epi16_mask(h, _mm256_setzero_si256());
    return (uint64_t)bits << column;
}

static void relu(size_t m, const float *c, const float *bias, dip_bf16 *h, size_t ldh,
                 dip_bf16 *packed, uint64_t *alive) {
    for (size_t i = 0; i < m; i += 2) {
        uint64_t even_alive = 0;
        uint64_t odd_alive = 0;
        for (size_t j = 0; j < DIP_BLOCK; j += DIP_BF16_LANES) {
            const __m512 b = _mm512_loadu_ps(bias + j);
            const __m256i even = relu16(c + i * DIP_BLOCK + j, b);
            __m256i odd = _mm256_setzero_si256();
            _mm256_storeu_si256((__m256i *)(h + i * ldh + j), even);
            even_alive |= alive_bits(even, j);
            if (i + 1 < m) {
                odd = relu16(c + (i + 1) * DIP_BLOCK + j, b);
                _mm256_storeu_si256((__m256i *)(h + (i + 1) * ldh + j), odd);
                odd_alive |= alive_bits(odd, j);
            }
            _mm512_storeu_si512(packed + i * DIP_BLOCK + 2 * j, packed_pair(even, odd));
        }
        alive[i] = even_alive;
        if (i + 1 < m) {
            alive[i + 1] = odd_alive;
        }
    }
}

static void relu_backward(size_t m, const float *c, const uint64_t *alive, dip_bf16 *d, size_t ldd,
                          dip_bf16 *packed, float *sum) {
    __m512 total[VECTORS];
    for (size_t v = 0; v < VECTORS; v++) {
        total[v] = _mm512_loadu_ps(sum + v * DIP_BF16_LANES);
    }
    for (size_t i = 0; i < m; i += 2) {
        for (size_t v = 0; v < VECTORS; v++) {
            const size_t j = v * DIP_BF16_LANES;
            const __mmask16 even_alive = (__mmask16)(alive[i] >> j);
            const __m512 x = _mm512_maskz_loadu_ps(even_alive, c + i * DIP_BLOCK + j);
            const __m256i even = rounded(x);
            __m256i odd = _mm256_setzero_si256();
            _mm256_storeu_si256((__m256i *)(d + i * ldd + j), even);
            total[v] = _mm512_add_ps(total[v], x);
            if (i + 1 < m) {
                const __mmask16 odd_alive = (__mmask16)(alive[i + 1] >> j);
                const __m512 z = _mm512_maskz_loadu_ps(odd_alive, c + (i + 1) * DIP_BLOCK + j);
                odd = rounded(z);
                _mm256_storeu_si256((__m256i *)(d + (i + 1) * ldd + j), odd);
                total[v] = _mm512_add_ps(total[v], z);
            }
            _mm512_storeu_si512(packed + i * DIP_BLOCK + 2 * j, packed_pair(even, odd));
        }
    }
    for (size_t v = 0; v < VECTORS; v++) {
        _mm512_storeu_ps(sum + v * DIP_BF16_LANES, total[v]);
    }
}

static void add_rows(size_t m, float *c, const float *table, const uint32_t *place) {
    for (size_t i = 0; i < m; i++) {
        const float *row = table + (size_t)place[i] * DIP_BLOCK;
        for (size_t j = 0; j < DIP_BLOCK; j += DIP_BF16_LANES) {
            float *const at = c + i * DIP_BLOCK + j;
            _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), _mm512_loadu_ps(row + j)));
        }
    }
}

/* Sixteen columns of one row of a packed pair: the bits of a bfloat16 number are the upper half of
 * a float's. */
static inline __m512 unpacked(const dip_bf16 *pair, bool is_odd) {
    const __m512i both = _mm512_loadu_si512(pair);
    const __m512i upper = _mm512_set1_epi32((int32_t)0xffff0000u);
    return _mm512_castsi512_ps(is_odd ? _mm512_and_si512(both, upper)
                                      : _mm512_slli_epi32(both, 16));
}

static inline void sum_group(const uint32_t *member, size_t n, const dip_bf16 *x,
                             __m512 sum[VECTORS]) {
    for (size_t v = 0; v < VECTORS; v++) {
        sum[v] = _mm512_setzero_ps();
    }
    for (size_t e = 0; e < n; e++) {
        const dip_bf16 *pair = x + member[e] / 2 * 2 * DIP_BLOCK;
        const bool is_odd = member[e] % 2 != 0;
        for (size_t v = 0; v < VECTORS; v++) {
            sum[v] = _mm512_add_ps(sum[v], unpacked(pair + v * 2 * DIP_BF16_LANES, is_odd));
        }
    }
}

static void sum_groups(size_t groups, const uint32_t *first, const uint32_t *member,
                       const dip_bf16 *x, dip_bf16 *y, size_t ldy, dip_bf16 *packed) {
    for (size_t g = 0; g < groups; g += 2) {
        const bool has_odd = g + 1 < groups;
        __m512 even[VECTORS];
        __m512 odd[VECTORS];
        sum_group(member + first[g], first[g + 1] - first[g], x, even);
        sum_group(member + first[g + 1], has_odd ? first[g + 2] - first[g + 1] : 0, x, odd);
        for (size_t v = 0; v < VECTORS; v++) {
            const size_t j = v * DIP_BF16_LANES;
            store_rounded(y + g * ldy + j, even[v]);
            if (has_odd) {
                store_rounded(y + (g + 1) * ldy + j, odd[v]);
            }
            _mm512_storeu_si512(packed + g * DIP_BLOCK + 2 * j,
                                packed_pair(rounded(even[v]), rounded(odd[v])));
        }
    }
}

/* dip_exp of exp.h, sixteen at a time. max takes its second operand when one is NaN. */
static inline __m512 exp16(__m512 x) {
    x = _mm512_max_ps(_mm512_set1_ps(DIP_EXP_FLOOR), x);
    const __m512 high = _mm512_set1_ps(DIP_LOG2E_HIGH);
    const __m512 m =
        _mm512_roundscale_ps(_mm512_mul_ps(x, high), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 r = _mm512_fmadd_ps(x, _mm512_set1_ps(DIP_LOG2E_LOW), _mm512_fmsub_ps(x, high, m));
    __m512 p = _mm512_set1_ps(DIP_EXP_6);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(DIP_EXP_5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(DIP_EXP_4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(DIP_EXP_3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(DIP_EXP_2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(DIP_EXP_1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, m);
}

/* Columns of the 16 from `first` on that count: not the row's own item by either list, unless the
 * positive. */
static inline __mmask16 kept_columns(const dip_exp_tile *t, size_t i, size_t first) {
    if (t->row_item == NULL) {
        return 0xffff;
    }
    const __m512i items = _mm512_loadu_si512(t->column_item + first);
    unsigned out = _mm512_cmpeq_epi32_mask(items, _mm512_set1_epi32(t->row_item[i]));
    if (t->row_also != NULL) {
        const __m512i also = _mm512_loadu_si512(t->column_also + first);
        out |= _mm512_cmpeq_epi32_mask(also, _mm512_set1_epi32(t->row_also[i]));
    }
    const ptrdiff_t own = t->positive + (ptrdiff_t)i - (ptrdiff_t)first;
    if (own >= 0 && own < DIP_BF16_LANES) {
        out &= ~(1u << own);
    }
    return (__mmask16)~out;
}

/* Sixteen exponentials of row i from column j on, rounded; added to the row's sums. */
static inline __m256i exp_columns(const dip_exp_tile *t, size_t i, size_t j, __m512 offset,
                                  __m512 *sum) {
    const __m512 c = _mm512_loadu_ps(t->c + i * DIP_BLOCK + j);
    const __m512 logit = _mm512_fmsub_ps(c, _mm512_set1_ps(t->scale), offset);
    const __m512 e = _mm512_maskz_mov_ps(kept_columns(t, i, j),
                                         exp16(_mm512_sub_ps(logit, _mm512_set1_ps(t->shift[i]))));
    const __m256i y = rounded(e);
    _mm256_storeu_si256((__m256i *)(t->e + i * t->lde + j), y);
    *sum = _mm512_add_ps(*sum, e);
    return y;
}

static void exp_tile(const dip_exp_tile *t) {
    for (size_t i = 0; i < t->m; i += 2) {
        const bool has_odd = i + 1 < t->m;
        float *const sums = t->sum + i * DIP_BF16_LANES;
        __m512 even_sum = _mm512_loadu_ps(sums);
        __m512 odd_sum = has_odd ? _mm512_loadu_ps(sums + DIP_BF16_LANES) : even_sum;
        for (size_t j = 0; j < DIP_BLOCK; j += DIP_BF16_LANES) {
            const __m512 offset = _mm512_loadu_ps(t->offset + j);
            const __m256i even = exp_columns(t, i, j, offset, &even_sum);
            const __m256i odd =
                has_odd ? exp_columns(t, i + 1, j, offset, &odd_sum) : _mm256_setzero_si256();
            _mm512_storeu_si512(t->packed + i * DIP_BLOCK + 2 * j, packed_pair(even, odd));
        }
        _mm512_storeu_ps(sums, even_sum);
        if (has_odd) {
            _mm512_storeu_ps(sums + DIP_BF16_LANES, odd_sum);
        }
    }
}

/* A pair of columns of one row is one integer of 32 bits. */
static void pack_transposed(size_t m, size_t columns, const dip_bf16 *x, size_t ldx,
                            dip_bf16 *out) {
    if (m < DIP_BLOCK || columns % (2 * DIP_BF16_LANES) != 0) {
        dip_bf16_reference.pack_transposed(m, columns, x, ldx, out);
        return;
    }
    for (size_t p = 0; p < columns / 2; p += DIP_BF16_LANES) {
        for (size_t row = 0; row < DIP_BLOCK; row += DIP_BF16_LANES) {
            __m512i square[16];
            for (size_t i = 0; i < DIP_BF16_LANES; i++) {
                square[i] = _mm512_loadu_si512(x + (row + i) * ldx + 2 * p);
            }
            dip_transpose16(square);
            for (size_t i = 0; i < DIP_BF16_LANES; i++) {
                _mm512_storeu_si512(out + (p + i) * 2 * DIP_BLOCK + 2 * row, square[i]);
            }
        }
    }
}

/* Bit j: c[j] is not less than bound[j]. */
static inline uint64_t reached(const float *c, const __m512 bound[VECTORS]) {
    uint64_t bits = 0;
    for (size_t v = 0; v < VECTORS; v++) {
        const __m512 x = _mm512_loadu_ps(c + v * DIP_BF16_LANES);
        bits |= (uint64_t)_mm512_cmp_ps_mask(x, bound[v], _CMP_NLT_UQ) << (v * DIP_BF16_LANES);
    }
    return bits;
}

/* The values of `rows` rows from `first` on in a block; n hits are there already. */
static size_t sift_rows(const dip_sift *s, size_t block, size_t first, size_t rows, size_t n) {
    const size_t column = block * DIP_BLOCK;
    __m512 bound[VECTORS];
    for (size_t v = 0; v < VECTORS; v++) {
        bound[v] = _mm512_loadu_ps(s->bound + column + v * DIP_BF16_LANES);
    }
    for (size_t i = 0; i < rows; i++) {
        const float *c = s->c + i * DIP_BLOCK;
        for (uint64_t bits = reached(c, bound); bits != 0; bits &= bits - 1) {
            const size_t j = (size_t)__builtin_ctzll(bits);
            s->hits[n++] = (dip_hit){(uint32_t)(first + i), (uint32_t)(column + j), c[j]};
        }
    }
    return n;
}

static size_t sift_block(const dip_sift *s, size_t block, size_t n) {
    for (size_t first = 0; first < s->m; first += DIP_BLOCK) {
        const size_t rows = s->m - first < DIP_BLOCK ? s->m - first : DIP_BLOCK;
        dip_bf16_tile_avx512(&(dip_tile){.m = rows,
                                         .a = {s->a + first * s->stride, s->stride},
                                         .b = s->b + block * dip_packed_block(2 * s->pairs),
                                         .pairs = s->pairs,
                                         .c = s->c,
                                         .ldc = DIP_BLOCK});
        n = sift_rows(s, block, first, rows, n);
    }
    return n;
}

static size_t sift(const dip_sift *s) {
    size_t n = 0;
    for (size_t block = 0; block < s->blocks; block++) {
        n = sift_block(s, block, n);
    }
    return n;
}

/* P(X) as it is. */
static void keep_block(size_t pairs, dip_bf16 *block) {
    (void)pairs;
    (void)block;
}

/* All but the products, which AMX has others for. */
#define VECTOR_KERNELS                                                                             \
    .combine = combine, .is_finite = is_finite, .scale = scale, .round = round_row,                \
    .interleave = interleave, .relu = relu, .relu_backward = relu_backward, .add_rows = add_rows,  \
    .sum_groups = sum_groups, .exp = exp_tile, .pack_transposed = pack_transposed

const dip_bf16_kernels dip_bf16_avx512 = {
    .tile = dip_bf16_tile_avx512, .make_left = keep_block, .sift = sift, VECTOR_KERNELS};

const dip_bf16_kernels dip_bf16_amx = {.tile = dip_bf16_tile_amx,
                                       .make_left = dip_bf16_make_left_amx,
                                       .sift = dip_bf16_sift_amx,
                                       VECTOR_KERNELS};
