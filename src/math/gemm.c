/* SPDX-License-Identifier: Apache-2.0 */
#include "math/gemm.h"

#include <dnnl.h>
#include <stdio.h>

#ifdef DIP_REAL_IS_DOUBLE

static dip_real element(dip_operand x, size_t i, size_t j) {
    return x.transposed ? x.data[j * x.stride + i] : x.data[i * x.stride + j];
}

void dip_gemm_obey_isa(void) {
}

/* The definition itself, for the gradient tests. */
void dip_gemm(size_t m, size_t n, size_t k, dip_real alpha, dip_operand a, dip_operand b,
              dip_real beta, dip_real *c, size_t ldc) {
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            dip_real sum = 0;
            for (size_t l = 0; l < k; l++) {
                sum += element(a, i, l) * element(b, l, j);
            }
            c[i * ldc + j] = alpha * sum + (beta != 0 ? beta * c[i * ldc + j] : 0);
        }
    }
}

#else

#include "math/isa.h"

#include <assert.h>
#include <omp.h>
#include <pthread.h>

/* oneDNN has its own choice of instructions; a lower tier that was asked for holds for it too. It
 * refuses where it was used before, by the host program, and then keeps its choice. */
static void limit_isa(void) {
    static const dnnl_cpu_isa_t LIMIT[DIP_ISA_COUNT] = {
        dnnl_cpu_isa_sse41, dnnl_cpu_isa_avx2, dnnl_cpu_isa_avx512_core_vnni,
        dnnl_cpu_isa_avx512_core_bf16, dnnl_cpu_isa_all};
    if (dip_isa_get() < dip_isa_of_processor()) {
        (void)dnnl_set_max_cpu_isa(LIMIT[dip_isa_get()]);
    }
}

void dip_gemm_obey_isa(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, limit_isa);
}

/* dnnl_sgemm takes row-major operands. It runs on one thread inside a parallel region of several
 * threads; elsewhere, a region of one thread included, it would start its own, so it is told not
 * to. Its arguments are ours, so it cannot fail on them. */
void dip_gemm(size_t m, size_t n, size_t k, dip_real alpha, dip_operand a, dip_operand b,
              dip_real beta, dip_real *c, size_t ldc) {
    dip_gemm_obey_isa();
    const bool is_alone = !omp_in_parallel();
    const int threads = omp_get_max_threads();
    if (is_alone) {
        omp_set_num_threads(1);
    }
    const dnnl_status_t status =
        dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
                   (dnnl_dim_t)k, alpha, a.data, (dnnl_dim_t)a.stride, b.data, (dnnl_dim_t)b.stride,
                   beta, c, (dnnl_dim_t)ldc);
    if (is_alone) {
        omp_set_num_threads(threads);
    }
    assert(status == dnnl_success);
    (void)status;
}

#endif

void dip_gemm_version(char text[DIP_GEMM_VERSION_MAX]) {
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, DIP_GEMM_VERSION_MAX, "%d.%d.%d", version->major, version->minor,
             version->patch);
}
