/* SPDX-License-Identifier: Apache-2.0
 *
 * Which vector instructions the kernels use. Chosen once, when first asked for: the best that the
 * processor has, or less when the environment variable DIP_ISA names a lower tier (reference, avx2,
 * avx512, avx512_bf16, amx_bf16), which tests and comparisons do.
 */
#ifndef DIP_MATH_ISA_H
#define DIP_MATH_ISA_H

/* Ascending: each tier includes those before it. */
typedef enum dip_isa {
    DIP_ISA_REFERENCE, /* plain C */
    DIP_ISA_AVX2,
    DIP_ISA_AVX512,      /* F, BW, DQ and VL */
    DIP_ISA_AVX512_BF16, /* with products of bfloat16 pairs */
    DIP_ISA_AMX_BF16,    /* with products of bfloat16 tiles */
    DIP_ISA_COUNT
} dip_isa;

/* The tier in use. Thread-safe. */
dip_isa dip_isa_get(void);

/* The best tier of this processor, whatever DIP_ISA says. */
dip_isa dip_isa_of_processor(void);

/* "reference", "avx2", ... */
const char *dip_isa_name(dip_isa isa);

#endif
