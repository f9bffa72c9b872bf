/* SPDX-License-Identifier: Apache-2.0 */
#include "math/kernels.h"

#include <stddef.h>

/* DIP_HAS_AVX: the build has the tables for x86. */
#if defined(DIP_HAS_AVX) && !defined(DIP_REAL_IS_DOUBLE)

const dip_kernels *dip_kernels_of(dip_isa isa) {
    if (isa >= DIP_ISA_AVX512) {
        return dip_kernels_avx512();
    }
    return isa == DIP_ISA_AVX2 ? dip_kernels_avx2() : dip_kernels_reference();
}

#else

const dip_kernels *dip_kernels_of(dip_isa isa) {
    (void)isa;
    return dip_kernels_reference();
}

#endif

const dip_kernels *dip_kernels_get(void) {
    return dip_kernels_of(dip_isa_get());
}
