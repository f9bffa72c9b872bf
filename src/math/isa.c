/* SPDX-License-Identifier: Apache-2.0 */
#include "math/isa.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[DIP_ISA_COUNT] = {"reference", "avx2", "avx512", "avx512_bf16"};

const char *dip_isa_name(dip_isa isa) {
    return NAMES[isa];
}

dip_isa dip_isa_of_processor(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) {
        return DIP_ISA_REFERENCE;
    }
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
        return DIP_ISA_AVX2;
    }
    return __builtin_cpu_supports("avx512bf16") ? DIP_ISA_AVX512_BF16 : DIP_ISA_AVX512;
#else
    return DIP_ISA_REFERENCE;
#endif
}

static dip_isa choose(void) {
    const dip_isa best = dip_isa_of_processor();
    const char *asked = getenv("DIP_ISA");
    for (int isa = 0; asked != NULL && isa < (int)best; isa++) {
        if (strcmp(asked, NAMES[isa]) == 0) {
            return (dip_isa)isa;
        }
    }
    return best;
}

/* Two threads that come first at once choose the same. */
dip_isa dip_isa_get(void) {
    static atomic_int chosen = -1;
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) {
        isa = (int)choose();
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (dip_isa)isa;
}
