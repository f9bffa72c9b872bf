/* SPDX-License-Identifier: Apache-2.0
 *
 * Sixteen floats in two registers of AVX2: the operations of lanes_avx512.h, whose comments hold
 * here too.
 */
#ifndef DIP_MATH_LANES_AVX2_H
#define DIP_MATH_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define DIP_INLINE static inline __attribute__((always_inline))

typedef struct lanes {
    __m256 low; /* lanes 0 to 7 */
    __m256 high;
} lanes;

typedef struct lanes_double {
    __m256d part[4]; /* lanes 0 to 3, ... */
} lanes_double;

/* All bits set in lanes [0, n) of eight, n may be more. */
DIP_INLINE __m256i first_lanes(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

DIP_INLINE lanes load(const float *x, size_t n) {
    if (n == 16) {
        return (lanes){_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)};
    }
    if (n <= 8) {
        return (lanes){_mm256_maskload_ps(x, first_lanes(n)), _mm256_setzero_ps()};
    }
    return (lanes){_mm256_loadu_ps(x), _mm256_maskload_ps(x + 8, first_lanes(n - 8))};
}

DIP_INLINE void store(float *x, lanes a, size_t n) {
    if (n == 16) {
        _mm256_storeu_ps(x, a.low);
        _mm256_storeu_ps(x + 8, a.high);
    } else if (n <= 8) {
        _mm256_maskstore_ps(x, first_lanes(n), a.low);
    } else {
        _mm256_storeu_ps(x, a.low);
        _mm256_maskstore_ps(x + 8, first_lanes(n - 8), a.high);
    }
}

DIP_INLINE lanes all(float a) {
    return (lanes){_mm256_set1_ps(a), _mm256_set1_ps(a)};
}

DIP_INLINE lanes add(lanes a, lanes b) {
    return (lanes){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}

DIP_INLINE lanes sub(lanes a, lanes b) {
    return (lanes){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}

DIP_INLINE lanes mul(lanes a, lanes b) {
    return (lanes){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}

DIP_INLINE lanes quotient(lanes a, lanes b) {
    return (lanes){_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}

DIP_INLINE lanes root(lanes a) {
    return (lanes){_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)};
}

DIP_INLINE lanes larger(lanes a, lanes b) {
    return (lanes){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}

DIP_INLINE lanes keep_where_positive(lanes y, lanes x) {
    const __m256 zero = _mm256_setzero_ps();
    return (lanes){_mm256_and_ps(_mm256_cmp_ps(y.low, zero, _CMP_GT_OQ), x.low),
                   _mm256_and_ps(_mm256_cmp_ps(y.high, zero, _CMP_GT_OQ), x.high)};
}

DIP_INLINE uint64_t join_masks(__m256 low, __m256 high) {
    return (uint64_t)_mm256_movemask_ps(low) | (uint64_t)_mm256_movemask_ps(high) << 8;
}

DIP_INLINE uint64_t bits_above(lanes a, lanes b) {
    return join_masks(_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ),
                      _mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ));
}

DIP_INLINE uint64_t bits_not_finite(lanes a) {
    const lanes nothing = sub(a, a);
    return join_masks(_mm256_cmp_ps(nothing.low, nothing.low, _CMP_UNORD_Q),
                      _mm256_cmp_ps(nothing.high, nothing.high, _CMP_UNORD_Q));
}

DIP_INLINE lanes first_of(lanes a, lanes b, size_t n) {
    if (n == 16) {
        return a;
    }
    const __m256 low = _mm256_castsi256_ps(first_lanes(n));
    const __m256 high = _mm256_castsi256_ps(first_lanes(n > 8 ? n - 8 : 0));
    return (lanes){_mm256_blendv_ps(b.low, a.low, low), _mm256_blendv_ps(b.high, a.high, high)};
}

DIP_INLINE __m256 add_exponent_8(__m256 value, __m256 rounded) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(rounded), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), exponent));
}

DIP_INLINE lanes add_to_exponent(lanes value, lanes rounded) {
    return (lanes){add_exponent_8(value.low, rounded.low),
                   add_exponent_8(value.high, rounded.high)};
}

DIP_INLINE __m256 bound_exp_8(__m256 value, __m256 x, __m256 low, __m256 high) {
    const __m256 infinity = _mm256_set1_ps(__builtin_inff());
    value = _mm256_blendv_ps(value, infinity, _mm256_cmp_ps(x, high, _CMP_GT_OQ));
    value = _mm256_blendv_ps(value, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_and_ps(_mm256_cmp_ps(x, low, _CMP_NLT_UQ), value);
}

DIP_INLINE lanes bound_exp(lanes value, lanes x, lanes low, lanes high) {
    return (lanes){bound_exp_8(value.low, x.low, low.low, high.low),
                   bound_exp_8(value.high, x.high, low.high, high.high)};
}

/* ---- folds: pairwise, the upper half onto the lower ------------------------------------------ */

DIP_INLINE float fold_add(lanes a) {
    const __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
}

DIP_INLINE float fold_larger(lanes a) {
    const __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

/* ---- in double ------------------------------------------------------------------------------- */

DIP_INLINE lanes_double no_squares(void) {
    const __m256d zero = _mm256_setzero_pd();
    return (lanes_double){{zero, zero, zero, zero}};
}

DIP_INLINE __m256d add_squares_4(__m256d sum, __m128 a) {
    const __m256d wide = _mm256_cvtps_pd(a);
    return _mm256_add_pd(sum, _mm256_mul_pd(wide, wide));
}

DIP_INLINE lanes_double add_squares(lanes_double sum, lanes a) {
    return (lanes_double){{add_squares_4(sum.part[0], _mm256_castps256_ps128(a.low)),
                           add_squares_4(sum.part[1], _mm256_extractf128_ps(a.low, 1)),
                           add_squares_4(sum.part[2], _mm256_castps256_ps128(a.high)),
                           add_squares_4(sum.part[3], _mm256_extractf128_ps(a.high, 1))}};
}

DIP_INLINE double fold_squares(lanes_double sum) {
    const __m256d four = _mm256_add_pd(_mm256_add_pd(sum.part[0], sum.part[2]),
                                       _mm256_add_pd(sum.part[1], sum.part[3]));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
