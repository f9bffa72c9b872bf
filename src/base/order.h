/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparisons for qsort and bsearch, ascending.
 */
#ifndef DIP_BASE_ORDER_H
#define DIP_BASE_ORDER_H

#include <stdint.h>

#define DIP_DEFINE_ORDER(name, type)                                                               \
    static inline int name(const void *left, const void *right) {                                  \
        const type a = *(const type *)left;                                                        \
        const type b = *(const type *)right;                                                       \
        return (a > b) - (a < b);                                                                  \
    }

DIP_DEFINE_ORDER(dip_order_double, double)
DIP_DEFINE_ORDER(dip_order_u64, uint64_t)
DIP_DEFINE_ORDER(dip_order_i32, int32_t)
DIP_DEFINE_ORDER(dip_order_i64, int64_t)

#undef DIP_DEFINE_ORDER

#endif
