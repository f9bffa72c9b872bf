/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers for tests of bfloat16 kernels.
 */
#ifndef TESTS_UNIT_BF16_NUMBERS_H
#define TESTS_UNIT_BF16_NUMBERS_H

#include "check.h"
#include "math/bf16.h"

/* Numbers of very different size, now and then a zero, a denormal, an infinity or a NaN. */
static inline float hard_number(uint64_t *random, bool with_specials) {
    const uint64_t kind = check_random_below(random, 40);
    if (kind == 0) {
        return check_random_below(random, 2) == 0 ? 0.0f : -0.0f;
    }
    if (with_specials && kind < 4) {
        static const float SPECIALS[] = {1e-40f, -1e-42f, INFINITY, -INFINITY, NAN, 3.4e38f};
        return SPECIALS[check_random_below(random, 6)];
    }
    const double size = exp(20 * check_random_unit(random) - 10);
    return (float)(size * (check_random_below(random, 2) == 0 ? 1 : -1));
}

static inline void fill(dip_bf16 *x, size_t n, uint64_t *random, bool with_specials) {
    for (size_t i = 0; i < n; i++) {
        x[i] = dip_bf16_round(hard_number(random, with_specials));
    }
}

/* Equal bits, or both NaN. */
static inline void check_same(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!(isnan(a[i]) && isnan(b[i])) && memcmp(&a[i], &b[i], sizeof a[i]) != 0) {
            print_error("element %zu: %a against %a\n", i, (double)a[i], (double)b[i]);
            fail();
        }
    }
}

#endif
