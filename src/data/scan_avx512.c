/* SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <stdint.h>

typedef __m512i chunk;

static inline chunk load(const char *text) {
    return _mm512_loadu_si512(text);
}

static inline uint64_t equal(chunk c, char byte) {
    return _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8(byte));
}

static inline uint64_t high(chunk c) {
    return _mm512_movepi8_mask(c);
}

#define SCANNER dip_scanner_avx512
#include "data/scan_body.h"
