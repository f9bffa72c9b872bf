/* SPDX-License-Identifier: Apache-2.0 */
#include "math/lanes_avx2.h"

#include "math/kernels_body.h"
#include "math/kernels_rules.h"

const dip_kernels *dip_kernels_avx2(void) {
    return &TABLE;
}
