/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

/* The multipliers and Weyl constants of Philox4x32 (SC 2011, table 2). */
static const uint32_t MULTIPLIER[2] = {0xD2511F53u, 0xCD9E8D57u};
static const uint32_t WEYL[2] = {0x9E3779B9u, 0xBB67AE85u};

enum { PHILOX_ROUNDS = 10 };

/* Six rounds are plenty for large halves; in small ones, where a round function has few values, it
 * takes more of them until all permutations are about equally likely. */
enum { LEAST_BITS = 6, SMALL_HALF = 5, FEW_ROUNDS = 6, MANY_ROUNDS = 16 };

dip_draw dip_philox(const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k[2] = {key[0], key[1]};
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)MULTIPLIER[0] * c[0];
        const uint64_t p1 = (uint64_t)MULTIPLIER[1] * c[2];
        const uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1,
                                  (uint32_t)(p0 >> 32) ^ c[3] ^ k[1], (uint32_t)p0};
        for (int i = 0; i < 4; i++) {
            c[i] = next[i];
        }
        k[0] += WEYL[0];
        k[1] += WEYL[1];
    }
    return (dip_draw){{c[0], c[1], c[2], c[3]}};
}

dip_rng dip_rng_make(uint64_t seed, dip_purpose purpose) {
    const uint32_t counter[4] = {(uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)purpose, 0};
    const uint32_t key[2] = {0x44697074u, 0x79636821u}; /* "Dipt", "ych!" */
    const dip_draw draw = dip_philox(counter, key);
    return (dip_rng){{draw.word[0], draw.word[1]}};
}

dip_draw dip_rng_at(dip_rng rng, uint64_t a, uint64_t b) {
    const uint32_t counter[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b,
                                 (uint32_t)(b >> 32)};
    return dip_philox(counter, rng.key);
}

dip_permutation dip_permutation_make(dip_rng rng, uint64_t stream, uint64_t n) {
    unsigned bits = LEAST_BITS;
    while (bits < 64 && ((n - 1) >> bits) != 0) {
        bits++;
    }
    return (dip_permutation){.n = n, .rng = rng, .stream = stream, .half_bits = (bits + 1) / 2};
}

static uint64_t n_rounds(const dip_permutation *p) {
    return p->half_bits > SMALL_HALF ? FEW_ROUNDS : MANY_ROUNDS;
}

/* One pass of a balanced Feistel network over 2 * half_bits bits, a bijection whatever the round
 * function is (Luby and Rackoff, 1988). */
static uint64_t feistel(const dip_permutation *p, uint64_t value) {
    const uint64_t mask = ((uint64_t)1 << p->half_bits) - 1;
    uint64_t left = value >> p->half_bits;
    uint64_t right = value & mask;
    const uint64_t rounds = n_rounds(p);
    for (uint64_t round = 0; round < rounds; round++) {
        const dip_draw draw = dip_rng_at(p->rng, right | (round << 56), p->stream);
        const uint64_t mixed = (left ^ draw.word[0]) & mask;
        left = right;
        right = mixed;
    }
    return (left << p->half_bits) | right;
}

/* The rounds of feistel() in reverse. */
static uint64_t feistel_back(const dip_permutation *p, uint64_t value) {
    const uint64_t mask = ((uint64_t)1 << p->half_bits) - 1;
    uint64_t left = value >> p->half_bits;
    uint64_t right = value & mask;
    for (uint64_t round = n_rounds(p); round-- > 0;) {
        const dip_draw draw = dip_rng_at(p->rng, left | (round << 56), p->stream);
        const uint64_t before = (right ^ draw.word[0]) & mask;
        right = left;
        left = before;
    }
    return (left << p->half_bits) | right;
}

/* Cycle walking: the network permutes the next power of four (64 at least), and values at or above
 * n are sent through again until they fall below it. */
uint64_t dip_permute(const dip_permutation *permutation, uint64_t index) {
    uint64_t value = feistel(permutation, index);
    while (value >= permutation->n) {
        value = feistel(permutation, value);
    }
    return value;
}

uint64_t dip_permute_back(const dip_permutation *permutation, uint64_t place) {
    uint64_t value = feistel_back(permutation, place);
    while (value >= permutation->n) {
        value = feistel_back(permutation, value);
    }
    return value;
}
