/* SPDX-License-Identifier: Apache-2.0 */
#include "registers.h"

#include "math/isa.h"

#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)

/* Twenty independent sums, so that the latency of an instruction does not limit. */
#define SUMS(op)                                                                                   \
    op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) \
        op(15) op(16) op(17) op(18) op(19)
#define ZERO(i) "vpxorq %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n\t"
#define FP32(i) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define BF16(i) "vdpbf16ps %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define CLOBBERED                                                                                  \
    "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10",       \
        "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm30",  \
        "zmm31"

enum { N_SUMS = 20, LANES = 16 };

#define LOOP(op)                                                                                   \
    __asm__ volatile(SUMS(ZERO) ZERO(30) ZERO(31) "1:\n\t" SUMS(op) SUMS(op) "dec %0\n\t"          \
                                                                             "jnz 1b\n\t"          \
                     : "+r"(rounds)                                                                \
                     :                                                                             \
                     : "cc", CLOBBERED)

bool registers_have_fp32(void) {
    return dip_isa_of_processor() >= DIP_ISA_AVX512;
}

bool registers_have_bf16(void) {
    return dip_isa_of_processor() >= DIP_ISA_AVX512_BF16;
}

__attribute__((target("avx512f"))) double registers_fp32(size_t rounds) {
    const double operations = 2.0 * 2 * N_SUMS * LANES * (double)rounds;
    LOOP(FP32);
    return operations;
}

/* Six tiles of sums take their turns. Each product is 16 x 16 sums over 16 pairs. */
static double tile_products(size_t rounds) {
    enum { PRODUCTS = 6, SIDE = 16 };
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[SIDE];
        uint8_t rows[SIDE];
    } SHAPES = {.palette = 1,
                .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %1\n\t"
                     "1:\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm0\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm1\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm2\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm3\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm4\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm5\n\t"
                     "dec %0\n\t"
                     "jnz 1b\n\t"
                     "tilerelease"
                     : "+r"(rounds)
                     : "m"(SHAPES)
                     : "cc");
    return 2.0 * PRODUCTS * SIDE * SIDE * 2 * SIDE;
}

__attribute__((target("avx512f"))) double registers_bf16(size_t rounds) {
    if (dip_isa_of_processor() >= DIP_ISA_AMX_BF16) {
        return tile_products(rounds) * (double)rounds;
    }
    const double operations = 2.0 * 2 * N_SUMS * 2 * LANES * (double)rounds;
    LOOP(BF16);
    return operations;
}

#else

bool registers_have_fp32(void) {
    return false;
}

bool registers_have_bf16(void) {
    return false;
}

double registers_fp32(size_t rounds) {
    (void)rounds;
    return 0;
}

double registers_bf16(size_t rounds) {
    (void)rounds;
    return 0;
}

#endif
