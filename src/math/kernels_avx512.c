/* SPDX-License-Identifier: Apache-2.0 */
#include "math/lanes_avx512.h"

#include "math/kernels_body.h"
#include "math/kernels_rules.h"

const dip_kernels *dip_kernels_avx512(void) {
    return &TABLE;
}
