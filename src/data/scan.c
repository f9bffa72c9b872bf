/* SPDX-License-Identifier: Apache-2.0
 *
 * The scanner in plain C, on eight words of eight bytes, and the choice of a tier.
 */
#include "data/scan.h"

#include <string.h>

typedef struct chunk {
    uint64_t word[8];
} chunk;

static inline chunk load(const char *text) {
    chunk c;
    memcpy(&c, text, sizeof c);
    return c;
}

static const uint64_t LOW_BITS = UINT64_C(0x7F7F7F7F7F7F7F7F);

/* The highest bits of eight bytes as eight bits. The product adds them up without a carry: each
 * lands in the upper byte at a place of its own. */
static inline uint64_t gather(uint64_t tops) {
    return ((tops >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

/* A byte is 0 when neither its highest bit is set nor adding 127 to the others sets it. */
static inline uint64_t equal(chunk c, char byte) {
    const uint64_t pattern = UINT64_C(0x0101010101010101) * (unsigned char)byte;
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        const uint64_t x = c.word[i] ^ pattern;
        mask |= gather(~(((x & LOW_BITS) + LOW_BITS) | x | LOW_BITS)) << (8 * i);
    }
    return mask;
}

static inline uint64_t high(chunk c) {
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        mask |= gather(c.word[i] & ~LOW_BITS) << (8 * i);
    }
    return mask;
}

#define SCANNER dip_scanner_reference
#include "data/scan_body.h"

/* DIP_HAS_AVX: the build has the tables for x86. */
#if defined(DIP_HAS_AVX)

const dip_scanner *dip_scanner_of(dip_isa isa) {
    if (isa >= DIP_ISA_AVX512) {
        return dip_scanner_avx512();
    }
    return isa == DIP_ISA_AVX2 ? dip_scanner_avx2() : dip_scanner_reference();
}

#else

const dip_scanner *dip_scanner_of(dip_isa isa) {
    (void)isa;
    return dip_scanner_reference();
}

#endif

const dip_scanner *dip_scanner_get(void) {
    return dip_scanner_of(dip_isa_get());
}
