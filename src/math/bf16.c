/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference kernels: what the others compute, element by element in the same order of sums.
 */
#include "math/bf16_tiles.h"

#include "math/exp.h"

#include <math.h>

/* sum[j] += the odd, then the even products of one pair. A product of two bfloat16 numbers is exact
 * in float, so adding it rounds once, as a fused multiply-add does. */
static void add_pair(const dip_bf16 *a, const dip_bf16 *b, float sum[DIP_BLOCK]) {
    const float even = dip_bf16_value(a[0]);
    const float odd = dip_bf16_value(a[1]);
    for (size_t j = 0; j < DIP_BLOCK; j++) {
        sum[j] += odd * dip_bf16_value(b[2 * j + 1]);
        sum[j] += even * dip_bf16_value(b[2 * j]);
    }
}

static void tile(const dip_tile *t) {
    const size_t row = t->a.stride == 0 ? 2 : t->a.stride;
    const size_t pair = t->a.stride == 0 ? 2 * DIP_BLOCK : 2;
    for (size_t i = 0; i < t->m; i++) {
        float sum[DIP_BLOCK] = {0};
        if (t->add) {
            memcpy(sum, t->c + i * t->ldc, sizeof sum);
        }
        for (size_t p = 0; p < t->pairs; p++) {
            add_pair(t->a.data + i * row + p * pair, t->b + p * 2 * DIP_BLOCK, sum);
        }
        memcpy(t->c + i * t->ldc, sum, sizeof sum);
    }
}

static void keep_block(size_t pairs, dip_bf16 *block) {
    (void)pairs;
    (void)block;
}

/* What a tile product of AMX adds to sum[j]: the products of the even members of n pairs and those
 * of the odd ones, summed apart. A pair of A is at a + p * 2. */
static void add_tile_amx(size_t n, const dip_bf16 *a, const dip_bf16 *b, float sum[DIP_BLOCK]) {
    float even[DIP_BLOCK] = {0};
    float odd[DIP_BLOCK] = {0};
    for (size_t p = 0; p < n; p++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            const dip_bf16 *y = b + p * 2 * DIP_BLOCK + 2 * j;
            even[j] += dip_bf16_value(a[2 * p]) * dip_bf16_value(y[0]);
            odd[j] += dip_bf16_value(a[2 * p + 1]) * dip_bf16_value(y[1]);
        }
    }
    for (size_t j = 0; j < DIP_BLOCK; j++) {
        sum[j] += even[j] + odd[j];
    }
}

static void tile_amx(const dip_tile *t) {
    const bool is_left = t->a.stride == 0;
    const size_t row = is_left ? 2 * DIP_TILE_PAIRS : t->a.stride;
    const size_t step = is_left ? 2 * DIP_TILE_PAIRS * DIP_BLOCK : 2 * DIP_TILE_PAIRS;
    for (size_t i = 0; i < t->m; i++) {
        float sum[DIP_BLOCK] = {0};
        if (t->add) {
            memcpy(sum, t->c + i * t->ldc, sizeof sum);
        }
        for (size_t p = 0; p < t->pairs; p += DIP_TILE_PAIRS) {
            const size_t left = t->pairs - p;
            add_tile_amx(left < DIP_TILE_PAIRS ? left : DIP_TILE_PAIRS,
                         t->a.data + i * row + p / DIP_TILE_PAIRS * step, t->b + p * 2 * DIP_BLOCK,
                         sum);
        }
        memcpy(t->c + i * t->ldc, sum, sizeof sum);
    }
}

static void make_left_amx(size_t pairs, dip_bf16 *block) {
    for (size_t first = 0; first < pairs; first += DIP_TILE_PAIRS) {
        dip_bf16 *tiles = block + first * 2 * DIP_BLOCK;
        dip_bf16 from[DIP_TILE_PAIRS * 2 * DIP_BLOCK];
        memcpy(from, tiles, sizeof from);
        for (size_t p = 0; p < DIP_TILE_PAIRS; p++) {
            for (size_t j = 0; j < DIP_BLOCK; j++) {
                dip_bf16 *to = tiles + (j * DIP_TILE_PAIRS + p) * 2;
                to[0] = first + p < pairs ? from[(p * DIP_BLOCK + j) * 2] : 0;
                to[1] = first + p < pairs ? from[(p * DIP_BLOCK + j) * 2 + 1] : 0;
            }
        }
    }
}

static void combine(const dip_combine *t) {
    for (size_t i = 0; i < t->m; i++) {
        const float a = t->a != NULL ? t->a[i] : 1;
        const float b = t->b != NULL ? t->b[i] : -1;
        const float *x = t->x + (t->place != NULL ? t->place[i] : i) * t->ldx;
        for (size_t j = 0; j < t->columns; j++) {
            t->y[i * t->ldy + j] = a * t->c[i * t->ldc + j] - b * x[j];
        }
    }
}

static bool is_finite(size_t m, const float *c, size_t ldc) {
    bool is_finite = true;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            is_finite = is_finite && isfinite(c[i * ldc + j]);
        }
    }
    return is_finite;
}

static void scale(size_t n, float a, const float *x, dip_bf16 *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = dip_bf16_round(a * x[i]);
    }
}

static void round_row(size_t n, const float *x, dip_bf16 *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = dip_bf16_round(x[i]);
    }
}

static void interleave(size_t blocks, const dip_bf16 *even, const dip_bf16 *odd, size_t step,
                       dip_bf16 *out) {
    for (size_t j = 0; j < blocks * DIP_BLOCK; j++) {
        dip_bf16 *at = out + j / DIP_BLOCK * step + j % DIP_BLOCK * 2;
        at[0] = even[j];
        at[1] = odd[j];
    }
}

/* Packs 64 columns of m rows at stride ldx; the partner of a last odd row is 0. */
static void pack_rows(size_t m, const dip_bf16 *x, size_t ldx, dip_bf16 *packed) {
    for (size_t i = 0; i < m + m % 2; i++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            packed[i / 2 * 2 * DIP_BLOCK + 2 * j + i % 2] = i < m ? x[i * ldx + j] : 0;
        }
    }
}

/* As integers, the positive bfloat16 numbers are the positive ones. */
static void relu(size_t m, const float *c, const float *bias, dip_bf16 *h, size_t ldh,
                 dip_bf16 *packed, uint64_t *alive) {
    for (size_t i = 0; i < m; i++) {
        alive[i] = 0;
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            const float x = c[i * DIP_BLOCK + j] + bias[j];
            h[i * ldh + j] = dip_bf16_round(x < 0 ? 0 : x);
            alive[i] |= (uint64_t)((int16_t)h[i * ldh + j] > 0) << j;
        }
    }
    pack_rows(m, h, ldh, packed);
}

static void relu_backward(size_t m, const float *c, const uint64_t *alive, dip_bf16 *d, size_t ldd,
                          dip_bf16 *packed, float *sum) {
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            const float x = (alive[i] >> j) & 1 ? c[i * DIP_BLOCK + j] : 0;
            d[i * ldd + j] = dip_bf16_round(x);
            sum[j] += x;
        }
    }
    pack_rows(m, d, ldd, packed);
}

static void add_rows(size_t m, float *c, const float *table, const uint32_t *place) {
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            c[i * DIP_BLOCK + j] += table[(size_t)place[i] * DIP_BLOCK + j];
        }
    }
}

static void sum_groups(size_t groups, const uint32_t *first, const uint32_t *member,
                       const dip_bf16 *x, dip_bf16 *y, size_t ldy, dip_bf16 *packed) {
    for (size_t g = 0; g < groups; g++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            float sum = 0;
            for (uint32_t e = first[g]; e < first[g + 1]; e++) {
                sum += dip_bf16_value(x[member[e] / 2 * 2 * DIP_BLOCK + 2 * j + member[e] % 2]);
            }
            y[g * ldy + j] = dip_bf16_round(sum);
        }
    }
    pack_rows(groups, y, ldy, packed);
}

static bool is_left_out(const dip_exp_tile *t, size_t i, size_t j) {
    const bool is_same = (t->row_item != NULL && t->row_item[i] == t->column_item[j]) ||
                         (t->row_also != NULL && t->row_also[i] == t->column_also[j]);
    return is_same && (ptrdiff_t)j != t->positive + (ptrdiff_t)i;
}

static void exp_tile(const dip_exp_tile *t) {
    for (size_t i = 0; i < t->m; i++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            const float x = fmaf(t->c[i * DIP_BLOCK + j], t->scale, -t->offset[j]) - t->shift[i];
            const float e = is_left_out(t, i, j) ? 0 : dip_exp(x);
            t->e[i * t->lde + j] = dip_bf16_round(e);
            t->sum[i * DIP_BF16_LANES + j % DIP_BF16_LANES] += e;
        }
    }
    pack_rows(t->m, t->e, t->lde, t->packed);
}

static void pack_transposed(size_t m, size_t columns, const dip_bf16 *x, size_t ldx,
                            dip_bf16 *out) {
    if (m < DIP_BLOCK || columns % 2 != 0) {
        memset(out, 0, dip_packed_block(columns) * sizeof *out);
    }
    for (size_t i = 0; i < m; i++) {
        const dip_bf16 *row = x + i * ldx;
        dip_bf16 *to = out + 2 * i;
        for (size_t p = 0; p < columns / 2; p++) {
            memcpy(to + p * 2 * DIP_BLOCK, row + 2 * p, 2 * sizeof *to);
        }
        if (columns % 2 != 0) {
            to[columns / 2 * 2 * DIP_BLOCK] = row[columns - 1];
        }
    }
}

/* The values of `rows` rows from `first` on in a block for dip_sift; n hits are there already. */
static size_t sift_rows(const dip_sift *s, size_t block, size_t first, size_t rows, size_t n) {
    for (size_t e = 0; e < rows * DIP_BLOCK; e++) {
        const size_t column = block * DIP_BLOCK + e % DIP_BLOCK;
        if (!(s->c[e] < s->bound[column])) {
            s->hits[n++] = (dip_hit){(uint32_t)(first + e / DIP_BLOCK), (uint32_t)column, s->c[e]};
        }
    }
    return n;
}

static size_t sift_block(void (*product)(const dip_tile *), const dip_sift *s, size_t block,
                         size_t n) {
    for (size_t first = 0; first < s->m; first += DIP_BLOCK) {
        const size_t rows = s->m - first < DIP_BLOCK ? s->m - first : DIP_BLOCK;
        product(&(dip_tile){.m = rows,
                            .a = {s->a + first * s->stride, s->stride},
                            .b = s->b + block * dip_packed_block(2 * s->pairs),
                            .pairs = s->pairs,
                            .c = s->c,
                            .ldc = DIP_BLOCK});
        n = sift_rows(s, block, first, rows, n);
    }
    return n;
}

static size_t sift_by(void (*product)(const dip_tile *), const dip_sift *s) {
    size_t n = 0;
    for (size_t block = 0; block < s->blocks; block++) {
        n = sift_block(product, s, block, n);
    }
    return n;
}

static size_t sift(const dip_sift *s) {
    return sift_by(tile, s);
}

static size_t sift_amx(const dip_sift *s) {
    return sift_by(tile_amx, s);
}

#define OTHER_KERNELS                                                                              \
    .combine = combine, .is_finite = is_finite, .scale = scale, .round = round_row,                \
    .interleave = interleave, .relu = relu, .relu_backward = relu_backward, .add_rows = add_rows,  \
    .sum_groups = sum_groups, .exp = exp_tile, .pack_transposed = pack_transposed

const dip_bf16_kernels dip_bf16_reference = {
    .tile = tile, .make_left = keep_block, .sift = sift, OTHER_KERNELS};

const dip_bf16_kernels dip_bf16_reference_amx = {
    .tile = tile_amx, .make_left = make_left_amx, .sift = sift_amx, OTHER_KERNELS};

#ifdef DIP_HAS_AVX
const dip_bf16_kernels *dip_bf16_of(dip_isa isa) {
    return isa >= DIP_ISA_AMX_BF16 ? &dip_bf16_amx : &dip_bf16_avx512;
}
#else
const dip_bf16_kernels *dip_bf16_of(dip_isa isa) {
    (void)isa;
    return NULL;
}
#endif

const dip_bf16_kernels *dip_bf16_get(void) {
    const dip_bf16_kernels *fast =
        dip_isa_get() >= DIP_ISA_AVX512_BF16 ? dip_bf16_of(dip_isa_get()) : NULL;
    return fast != NULL ? fast : &dip_bf16_reference;
}
