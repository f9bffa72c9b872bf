/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector kernels as tables of functions, one table per tier of instructions. math/vec.h says
 * what each kernel computes and is how the rest of the library calls them.
 *
 *   kernels_reference.c   plain C, the definition
 *   kernels_avx2.c        kernels_body.h over math/lanes_avx2.h
 *   kernels_avx512.c      kernels_body.h over math/lanes_avx512.h
 *
 * All tables give the same bits: products and sums are rounded one by one, never fused, and element
 * i of a sum goes to accumulator i % DIP_LANES, all of which are folded pairwise at the end. (Only
 * the payload of a NaN may differ.) The build in double has the reference alone.
 */
#ifndef DIP_MATH_KERNELS_H
#define DIP_MATH_KERNELS_H

#include "math/isa.h"
#include "math/vec.h"

/* Accumulators of a sum, and those of a sum in double. */
enum { DIP_LANES = 32, DIP_LANES_DOUBLE = 16 };

/* Below this length a vector counts as zero: its direction would be rounding noise. */
#define DIP_NORM_FLOOR ((dip_real)1e-12)

#define DIP_ADAGRAD_FLOOR ((dip_real)1e-10)
#define DIP_ADAM_FLOOR ((dip_real)1e-8)

typedef struct dip_kernels {
    void (*axpy)(size_t n, dip_real a, const dip_real *x, dip_real *y);
    void (*scale)(size_t n, dip_real a, dip_real *x);
    dip_real (*dot)(size_t n, const dip_real *x, const dip_real *y);
    dip_real (*max)(size_t n, const dip_real *x);
    dip_real (*exp_sum)(size_t n, dip_real shift, dip_real *x);
    void (*bias)(size_t rows, size_t n, const dip_real *bias, bool relu, dip_real *x);
    void (*relu_backward)(size_t n, const dip_real *y, dip_real *dx);
    dip_real (*normalise)(size_t n, const dip_real *z, dip_real *u);
    void (*normalise_backward)(size_t n, const dip_real *u, dip_real norm, const dip_real *du,
                               dip_real *dz);
    bool (*is_finite)(size_t n, const dip_real *x);
    double (*square_sum)(size_t n, const dip_real *x);
    void (*pool)(size_t width, size_t n, const int32_t *row, dip_real factor, const dip_real *table,
                 dip_real *x);
    void (*sum_terms)(size_t width, size_t n, const dip_term *term, dip_real *sum);
    void (*sgd)(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w);
    void (*adagrad)(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w, dip_real *s);
    void (*adagrad_row)(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w,
                        dip_real *s);
    void (*adam)(size_t n, const dip_rule *rule, const dip_real *g, dip_real *w, dip_real *m,
                 dip_real *v);
    /* The first i with x[i] > bound, n when there is none: the filter of the running top-k. */
    size_t (*find_above)(size_t n, const float *x, float bound);
    /* How many x[i] > bound. */
    size_t (*count_above)(size_t n, const float *x, float bound);
} dip_kernels;

/* The table of the tier in use (dip_isa_get). */
const dip_kernels *dip_kernels_get(void);

/* The table of a tier, or of the best tier below it for which there is one. Calling its functions
 * takes a processor that has the instructions. */
const dip_kernels *dip_kernels_of(dip_isa isa);

const dip_kernels *dip_kernels_reference(void);
const dip_kernels *dip_kernels_avx2(void);
const dip_kernels *dip_kernels_avx512(void);

#endif
