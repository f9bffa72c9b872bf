/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rank_sample.h"

#include <math.h>

/* Each step, an exclusive or with the upper half of the bits and a product with an odd number, can
 * be undone, so all of them together permute the numbers of so many bits. */
static uint32_t scatter(uint32_t x, unsigned bits) {
    static const uint32_t FACTOR[] = {0x9e3779b1, 0x85ebca77, 0xc2b2ae3d};
    const uint32_t mask = (uint32_t)(((uint64_t)1 << bits) - 1);
    for (size_t i = 0; i < sizeof FACTOR / sizeof *FACTOR; i++) {
        x = (x * FACTOR[i] + FACTOR[i] / 2) & mask;
        x ^= x >> (bits + 1) / 2;
    }
    return x;
}

/* A number beyond the catalogue is permuted again until it is within. */
int32_t dip_rank_row_at(size_t m, size_t place) {
    const unsigned bits = m > 1 ? 32 - (unsigned)__builtin_clz((uint32_t)(m - 1)) : 1;
    uint32_t x = scatter((uint32_t)place, bits);
    while (x >= m) {
        x = scatter(x, bits);
    }
    return (int32_t)x;
}

size_t dip_rank_wanted(size_t k, size_t seen, size_t m) {
    enum { DEVIATIONS = 5, MORE = 6 };
    const double share = (double)seen / (double)m;
    const double mean = (double)k * share;
    const double most = mean + DEVIATIONS * sqrt(mean * (1 - share)) + MORE;
    return most < (double)k ? (size_t)ceil(most) : k;
}
