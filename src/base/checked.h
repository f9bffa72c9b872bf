/* SPDX-License-Identifier: Apache-2.0
 *
 * Checked arithmetic on sizes that come from files or options. Each returns false on overflow and
 * leaves *result alone.
 */
#ifndef DIP_BASE_CHECKED_H
#define DIP_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>

static inline bool dip_add_ok(size_t a, size_t b, size_t *result) {
    size_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *result = sum;
    return true;
}

static inline bool dip_mul_ok(size_t a, size_t b, size_t *result) {
    size_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *result = product;
    return true;
}

/* Rounds value up to a multiple of unit, a power of two. */
static inline bool dip_pad_ok(size_t value, size_t unit, size_t *result) {
    size_t sum = 0;
    if (!dip_add_ok(value, unit - 1, &sum)) {
        return false;
    }
    *result = sum & ~(unit - 1);
    return true;
}

#endif
