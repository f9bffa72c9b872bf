/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels over sixteen lanes, compiled once per tier: a file includes its math/lanes_*.h and
 * then this one. kernels_reference.c is the definition; the order of every sum and the rounding of
 * every product are those of that file.
 *
 * A kernel is a step on up to sixteen elements, inlined twice: with the constant LANES for whole
 * vectors, and with the number left for the rest.
 */
#ifndef DIP_MATH_KERNELS_BODY_H
#define DIP_MATH_KERNELS_BODY_H

#include "math/kernels.h"

#include <string.h>

/* Vectors to a block of columns or scores: as many accumulators as AVX2 has registers for. */
enum { LANES = 16, BLOCK = 4 * LANES };

/* Rows that are asked for ahead of their use. From a table of 256 MB, bags of 20 rows of 64 take
 * the least time with 4 to 8, bags of 100 with 8 and more. */
enum { ROWS_AHEAD = 8 };

/* ---- sums and maps --------------------------------------------------------------------------- */

DIP_INLINE void axpy_step(lanes a, const float *x, float *y, size_t n) {
    store(y, add(load(y, n), mul(a, load(x, n))), n);
}

static void axpy(size_t n, float a, const float *x, float *y) {
    const lanes factor = all(a);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        axpy_step(factor, x + i, y + i, LANES);
    }
    if (i < n) {
        axpy_step(factor, x + i, y + i, n - i);
    }
}

static void scale(size_t n, float a, float *x) {
    const lanes factor = all(a);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        store(x + i, mul(load(x + i, LANES), factor), LANES);
    }
    if (i < n) {
        store(x + i, mul(load(x + i, n - i), factor), n - i);
    }
}

/* Lanes from n on add 0 to what is never -0, and so keep their bits. */
DIP_INLINE lanes dot_step(lanes sum, const float *x, const float *y, size_t n) {
    return add(sum, mul(load(x, n), load(y, n)));
}

static float dot(size_t n, const float *x, const float *y) {
    lanes low = all(0);
    lanes high = all(0);
    size_t i = 0;
    for (; i + DIP_LANES <= n; i += DIP_LANES) {
        low = dot_step(low, x + i, y + i, LANES);
        high = dot_step(high, x + i + LANES, y + i + LANES, LANES);
    }
    if (i + LANES <= n) {
        low = dot_step(low, x + i, y + i, LANES);
        i += LANES;
        high = dot_step(high, x + i, y + i, n - i);
    } else if (i < n) {
        low = dot_step(low, x + i, y + i, n - i);
    }
    return fold_add(add(low, high));
}

DIP_INLINE lanes max_step(lanes most, const float *x, size_t n) {
    return first_of(larger(load(x, n), most), most, n);
}

static float max(size_t n, const float *x) {
    lanes low = all(-INFINITY);
    lanes high = all(-INFINITY);
    size_t i = 0;
    for (; i + DIP_LANES <= n; i += DIP_LANES) {
        low = max_step(low, x + i, LANES);
        high = max_step(high, x + i + LANES, LANES);
    }
    if (i + LANES <= n) {
        low = max_step(low, x + i, LANES);
        i += LANES;
        high = max_step(high, x + i, n - i);
    } else if (i < n) {
        low = max_step(low, x + i, n - i);
    }
    return fold_larger(larger(low, high));
}

/* exp_one of kernels_reference.c. */
DIP_INLINE lanes exp_lanes(lanes x) {
    const lanes rounded = add(mul(x, all(1.44269504f)), all(12582912.0f));
    const lanes m = sub(rounded, all(12582912.0f));
    const lanes r = sub(sub(x, mul(m, all(0.693359375f))), mul(m, all(-2.12194440e-4f)));
    lanes q = all(1.38145406e-3f);
    q = add(mul(q, r), all(8.36874545e-3f));
    q = add(mul(q, r), all(4.16683890e-2f));
    q = add(mul(q, r), all(1.66665211e-1f));
    q = add(mul(q, r), all(4.99999940e-1f));
    const lanes power = add(add(r, mul(mul(r, r), q)), all(1.0f));
    return bound_exp(add_to_exponent(power, rounded), x, all(-87.3365402f), all(88.7228317f));
}

DIP_INLINE lanes exp_step(lanes sum, lanes shift, float *x, size_t n) {
    const lanes value = exp_lanes(sub(load(x, n), shift));
    store(x, value, n);
    return first_of(add(sum, value), sum, n);
}

static float exp_sum(size_t n, float shift, float *x) {
    const lanes shifts = all(shift);
    lanes low = all(0);
    lanes high = all(0);
    size_t i = 0;
    for (; i + DIP_LANES <= n; i += DIP_LANES) {
        low = exp_step(low, shifts, x + i, LANES);
        high = exp_step(high, shifts, x + i + LANES, LANES);
    }
    if (i + LANES <= n) {
        low = exp_step(low, shifts, x + i, LANES);
        i += LANES;
        high = exp_step(high, shifts, x + i, n - i);
    } else if (i < n) {
        low = exp_step(low, shifts, x + i, n - i);
    }
    return fold_add(add(low, high));
}

/* Blocks are looked at whole: a vector that is not finite is rare and need not be found early. */
static bool is_finite(size_t n, const float *x) {
    size_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        /* x - x is 0 or NaN, and so is a sum of such. */
        const lanes a = load(x + i, LANES);
        const lanes b = load(x + i + LANES, LANES);
        const lanes c = load(x + i + 2 * LANES, LANES);
        const lanes d = load(x + i + 3 * LANES, LANES);
        const lanes sum = add(add(sub(a, a), sub(b, b)), add(sub(c, c), sub(d, d)));
        if (bits_not_finite(sum) != 0) {
            return false;
        }
    }
    uint64_t bad = 0;
    for (; i + LANES <= n; i += LANES) {
        bad |= bits_not_finite(load(x + i, LANES));
    }
    if (i < n) {
        bad |= bits_not_finite(load(x + i, n - i));
    }
    return bad == 0;
}

static double square_sum(size_t n, const float *x) {
    lanes_double sum = no_squares();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        sum = add_squares(sum, load(x + i, LANES));
    }
    if (i < n) {
        sum = add_squares(sum, load(x + i, n - i));
    }
    return fold_squares(sum);
}

/* ---- layers ---------------------------------------------------------------------------------- */

/* The larger of 0 and x leaves a NaN and the sign of a zero alone. */
DIP_INLINE void bias_step(const float *bias, bool relu, float *x, size_t n) {
    const lanes sum = add(load(x, n), load(bias, n));
    store(x, relu ? larger(all(0), sum) : sum, n);
}

static void bias_rows(size_t rows, size_t n, const float *bias, bool relu, float *x) {
    for (size_t i = 0; i < rows; i++) {
        float *row = x + i * n;
        size_t j = 0;
        for (; j + LANES <= n; j += LANES) {
            bias_step(bias + j, relu, row + j, LANES);
        }
        if (j < n) {
            bias_step(bias + j, relu, row + j, n - j);
        }
    }
}

static void relu_backward(size_t n, const float *y, float *dx) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        store(dx + i, keep_where_positive(load(y + i, LANES), load(dx + i, LANES)), LANES);
    }
    if (i < n) {
        store(dx + i, keep_where_positive(load(y + i, n - i), load(dx + i, n - i)), n - i);
    }
}

static float normalise(size_t n, const float *z, float *u) {
    const float norm = (float)sqrt(square_sum(n, z));
    const float floored = norm < DIP_NORM_FLOOR ? DIP_NORM_FLOOR : norm;
    const lanes divisor = all(floored);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        store(u + i, quotient(load(z + i, LANES), divisor), LANES);
    }
    if (i < n) {
        store(u + i, quotient(load(z + i, n - i), divisor), n - i);
    }
    return floored;
}

DIP_INLINE void direction_step(const float *u, const float *du, lanes along, lanes norm, float *dz,
                               size_t n) {
    store(dz, quotient(sub(load(du, n), mul(along, load(u, n))), norm), n);
}

static void normalise_backward(size_t n, const float *u, float norm, const float *du, float *dz) {
    if (norm <= DIP_NORM_FLOOR) {
        memset(dz, 0, n * sizeof *dz);
        return;
    }
    const lanes along = all(dot(n, u, du));
    const lanes divisor = all(norm);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        direction_step(u + i, du + i, along, divisor, dz + i, LANES);
    }
    if (i < n) {
        direction_step(u + i, du + i, along, divisor, dz + i, n - i);
    }
}

/* ---- rows of tables -------------------------------------------------------------------------- */

/* Pools n columns from x's on, n up to a vector. */
DIP_INLINE void pool_step(size_t width, size_t n_rows, const int32_t *row, float factor,
                          const float *table, float *x, size_t n) {
    lanes sum = load(table + (size_t)row[0] * width, n);
    for (size_t j = 1; j < n_rows; j++) {
        sum = add(sum, load(table + (size_t)row[j] * width, n));
    }
    store(x, n_rows > 1 ? mul(sum, all(factor)) : sum, n);
}

/* Pools a block of columns, whose sums stay in registers. */
DIP_INLINE void pool_block(size_t width, size_t n_rows, const int32_t *row, float factor,
                           const float *table, float *x) {
    const float *first = table + (size_t)row[0] * width;
    lanes sum[4] = {load(first, LANES), load(first + LANES, LANES), load(first + 2 * LANES, LANES),
                    load(first + 3 * LANES, LANES)};
    for (size_t j = 1; j < n_rows; j++) {
        const float *from = table + (size_t)row[j] * width;
        if (j + ROWS_AHEAD < n_rows) {
            dip_vec_prefetch(BLOCK, table + (size_t)row[j + ROWS_AHEAD] * width);
        }
        for (size_t k = 0; k < 4; k++) {
            sum[k] = add(sum[k], load(from + k * LANES, LANES));
        }
    }
    for (size_t k = 0; k < 4; k++) {
        store(x + k * LANES, n_rows > 1 ? mul(sum[k], all(factor)) : sum[k], LANES);
    }
}

static void pool(size_t width, size_t n, const int32_t *row, float factor, const float *table,
                 float *x) {
    if (n == 0) {
        memset(x, 0, width * sizeof *x);
        return;
    }
    for (size_t j = 1; j < n && j <= ROWS_AHEAD; j++) {
        dip_vec_prefetch(width < BLOCK ? width : BLOCK, table + (size_t)row[j] * width);
    }
    size_t c = 0;
    for (; c + BLOCK <= width; c += BLOCK) {
        pool_block(width, n, row, factor, table + c, x + c);
    }
    for (; c + LANES <= width; c += LANES) {
        pool_step(width, n, row, factor, table + c, x + c, LANES);
    }
    if (c < width) {
        pool_step(width, n, row, factor, table + c, x + c, width - c);
    }
}

DIP_INLINE void terms_step(size_t n_terms, const dip_term *term, size_t at, float *sum, size_t n) {
    lanes total = all(0);
    for (size_t j = 0; j < n_terms; j++) {
        total = add(total, mul(all(term[j].factor), load(term[j].x + at, n)));
    }
    store(sum + at, total, n);
}

DIP_INLINE void terms_block(size_t n_terms, const dip_term *term, size_t at, float *sum) {
    lanes total[4] = {all(0), all(0), all(0), all(0)};
    for (size_t j = 0; j < n_terms; j++) {
        const lanes factor = all(term[j].factor);
        if (j + ROWS_AHEAD < n_terms) {
            dip_vec_prefetch(BLOCK, term[j + ROWS_AHEAD].x + at);
        }
        for (size_t k = 0; k < 4; k++) {
            total[k] = add(total[k], mul(factor, load(term[j].x + at + k * LANES, LANES)));
        }
    }
    for (size_t k = 0; k < 4; k++) {
        store(sum + at + k * LANES, total[k], LANES);
    }
}

static void sum_terms(size_t width, size_t n, const dip_term *term, float *sum) {
    size_t c = 0;
    for (; c + BLOCK <= width; c += BLOCK) {
        terms_block(n, term, c, sum);
    }
    for (; c + LANES <= width; c += LANES) {
        terms_step(n, term, c, sum, LANES);
    }
    if (c < width) {
        terms_step(n, term, c, sum, width - c);
    }
}

/* ---- top-k ----------------------------------------------------------------------------------- */

/* The first bit set of a block that has one. */
DIP_INLINE size_t first_above(const float *x, lanes bound) {
    uint64_t bits = 0;
    for (size_t k = 0; k < 4; k++) {
        bits |= bits_above(load(x + k * LANES, LANES), bound) << (k * LANES);
    }
    return (size_t)__builtin_ctzll(bits);
}

/* A block whose largest score is not above the bound is passed over with one comparison. */
static size_t find_above(size_t n, const float *x, float bound) {
    const lanes bounds = all(bound);
    size_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        lanes most = bounds;
        for (size_t k = 0; k < 4; k++) {
            most = larger(load(x + i + k * LANES, LANES), most);
        }
        if (bits_above(most, bounds) != 0) {
            return i + first_above(x + i, bounds);
        }
    }
    for (; i < n; i += LANES) {
        const size_t left = n - i < LANES ? n - i : LANES;
        const uint64_t bits = bits_above(load(x + i, left), bounds);
        if (bits != 0) {
            /* Lanes from `left` on hold 0, which may be above: the first of them stands for n. */
            return i + (size_t)__builtin_ctzll(bits);
        }
    }
    return n;
}

static size_t count_above(size_t n, const float *x, float bound) {
    const lanes bounds = all(bound);
    size_t count = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        count += (size_t)__builtin_popcountll(bits_above(load(x + i, LANES), bounds));
    }
    if (i < n) {
        const uint64_t held = ((uint64_t)1 << (n - i)) - 1;
        count += (size_t)__builtin_popcountll(bits_above(load(x + i, n - i), bounds) & held);
    }
    return count;
}

#endif
