/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): syscall */

#include "math/isa.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const char *const NAMES[DIP_ISA_COUNT] = {"reference", "avx2", "avx512", "avx512_bf16",
                                                 "amx_bf16"};

const char *dip_isa_name(dip_isa isa) {
    return NAMES[isa];
}

#if defined(__x86_64__) && defined(__linux__) && defined(SYS_arch_prctl)

/* By the processor's own words, since compilers differ in the names that they know for AMX. */
static bool has_tiles(void) {
    enum { BF16 = 1 << 22, TILE = 1 << 24 };
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & BF16) != 0 && (d & TILE) != 0;
}

/* Linux lends the registers of AMX to processes that ask: 8 KiB more of state for each thread that
 * touches them. */
static bool may_use_tiles(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return has_tiles() && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

#else

static bool may_use_tiles(void) {
    return false;
}

#endif

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
    if (!__builtin_cpu_supports("avx512bf16")) {
        return DIP_ISA_AVX512;
    }
    return may_use_tiles() ? DIP_ISA_AMX_BF16 : DIP_ISA_AVX512_BF16;
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
