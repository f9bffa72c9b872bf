/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/tsne_kernels.h"

#include "experiment/tsne_kernels_body.h"
#include "math/isa.h"

const dip_tsne_kernels *dip_tsne_kernels_reference(void) {
    return &TABLE;
}

const dip_tsne_kernels *dip_tsne_kernels_get(void) {
#ifdef DIP_HAS_AVX
    if (dip_isa_get() >= DIP_ISA_AVX512) {
        return dip_tsne_kernels_avx512();
    }
    if (dip_isa_get() >= DIP_ISA_AVX2) {
        return dip_tsne_kernels_avx2();
    }
#endif
    return dip_tsne_kernels_reference();
}
