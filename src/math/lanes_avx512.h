/* SPDX-License-Identifier: Apache-2.0
 *
 * Sixteen floats in one register of AVX-512: the operations that kernels_body.h is written in.
 * lanes_avx2.h has the same ones over two registers.
 *
 * Functions with `n` work on the first n lanes alone, n in [0, 16]; other lanes are loaded as 0 and
 * not stored. With a constant n of 16 they are plain loads and stores.
 */
#ifndef DIP_MATH_LANES_AVX512_H
#define DIP_MATH_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define DIP_INLINE static inline __attribute__((always_inline))

typedef __m512 lanes;

typedef struct lanes_double {
    __m512d low; /* lanes 0 to 7 */
    __m512d high;
} lanes_double;

/* Not for constants of 16, which need no mask. */
DIP_INLINE __mmask16 first_lanes(size_t n) {
    return (__mmask16)((1U << n) - 1);
}

DIP_INLINE lanes load(const float *x, size_t n) {
    return n == 16 ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(first_lanes(n), x);
}

DIP_INLINE void store(float *x, lanes a, size_t n) {
    if (n == 16) {
        _mm512_storeu_ps(x, a);
    } else {
        _mm512_mask_storeu_ps(x, first_lanes(n), a);
    }
}

DIP_INLINE lanes all(float a) {
    return _mm512_set1_ps(a);
}

DIP_INLINE lanes add(lanes a, lanes b) {
    return _mm512_add_ps(a, b);
}

DIP_INLINE lanes sub(lanes a, lanes b) {
    return _mm512_sub_ps(a, b);
}

DIP_INLINE lanes mul(lanes a, lanes b) {
    return _mm512_mul_ps(a, b);
}

DIP_INLINE lanes quotient(lanes a, lanes b) {
    return _mm512_div_ps(a, b);
}

DIP_INLINE lanes root(lanes a) {
    return _mm512_sqrt_ps(a);
}

/* a > b ? a : b, so that a NaN in a is passed over. */
DIP_INLINE lanes larger(lanes a, lanes b) {
    return _mm512_max_ps(a, b);
}

/* x where y > 0, else 0. */
DIP_INLINE lanes keep_where_positive(lanes y, lanes x) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, all(0), _CMP_GT_OQ), x);
}

/* Bit l: a[l] > b[l]. */
DIP_INLINE uint64_t bits_above(lanes a, lanes b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

/* Bit l: a[l] is infinite or NaN. */
DIP_INLINE uint64_t bits_not_finite(lanes a) {
    const lanes nothing = sub(a, a);
    return _mm512_cmp_ps_mask(nothing, nothing, _CMP_UNORD_Q);
}

/* a with the lanes from n on taken from b. */
DIP_INLINE lanes first_of(lanes a, lanes b, size_t n) {
    return n == 16 ? a : _mm512_mask_mov_ps(b, first_lanes(n), a);
}

/* value * 2^m, where the last bits of `rounded` hold m: an addition to the exponent. */
DIP_INLINE lanes add_to_exponent(lanes value, lanes rounded) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(rounded), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(value), exponent));
}

/* value, but infinity where x > high, 0 where x < low, and x where x is NaN. */
DIP_INLINE lanes bound_exp(lanes value, lanes x, lanes low, lanes high) {
    const __mmask16 above = _mm512_cmp_ps_mask(x, high, _CMP_GT_OQ);
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    value = _mm512_mask_mov_ps(value, above, all(__builtin_inff()));
    value = _mm512_mask_mov_ps(value, nan, x);
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, low, _CMP_NLT_UQ), value);
}

/* ---- folds: pairwise, the upper half onto the lower ------------------------------------------ */

DIP_INLINE float fold_add(lanes a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
}

DIP_INLINE float fold_larger(lanes a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

/* ---- in double ------------------------------------------------------------------------------- */

DIP_INLINE lanes_double no_squares(void) {
    return (lanes_double){_mm512_setzero_pd(), _mm512_setzero_pd()};
}

/* sum + a^2, lane by lane. */
DIP_INLINE lanes_double add_squares(lanes_double sum, lanes a) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
    sum.low = _mm512_add_pd(sum.low, _mm512_mul_pd(low, low));
    sum.high = _mm512_add_pd(sum.high, _mm512_mul_pd(high, high));
    return sum;
}

DIP_INLINE double fold_squares(lanes_double sum) {
    const __m512d eight = _mm512_add_pd(sum.low, sum.high);
    const __m256d four =
        _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
