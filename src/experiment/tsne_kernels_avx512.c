/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/tsne_kernels_body.h"

const dip_tsne_kernels *dip_tsne_kernels_avx512(void) {
    return &TABLE;
}
