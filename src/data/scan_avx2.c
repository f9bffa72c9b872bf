/* SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <stdint.h>

typedef struct chunk {
    __m256i half[2];
} chunk;

static inline chunk load(const char *text) {
    const __m256i *at = (const __m256i *)(const void *)text;
    return (chunk){{_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)}};
}

static inline uint64_t join(__m256i low, __m256i up) {
    const uint32_t first = (uint32_t)_mm256_movemask_epi8(low);
    const uint32_t second = (uint32_t)_mm256_movemask_epi8(up);
    return first | (uint64_t)second << 32;
}

static inline uint64_t equal(chunk c, char byte) {
    const __m256i wanted = _mm256_set1_epi8(byte);
    return join(_mm256_cmpeq_epi8(c.half[0], wanted), _mm256_cmpeq_epi8(c.half[1], wanted));
}

static inline uint64_t high(chunk c) {
    return join(c.half[0], c.half[1]);
}

#define SCANNER dip_scanner_avx2
#include "data/scan_body.h"
