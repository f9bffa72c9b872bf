/* SPDX-License-Identifier: Apache-2.0
 *
 * How the layers and softmax losses of a step are computed: in dip_real throughout, or with
 * products in bfloat16. The engine (engine_cpu.c) sees the same passes and losses in both.
 */
#ifndef DIP_ENGINE_ARITHMETIC_H
#define DIP_ENGINE_ARITHMETIC_H

#include "model/loss_softmax.h"
#include "model/pass.h"

/* What an arithmetic keeps beside the passes, such as packed weights. */
typedef struct dip_workspace dip_workspace;

/* Memory of a softmax loss. */
typedef struct dip_loss_space dip_loss_space;

typedef struct dip_arithmetic {
    const char *name; /* as in train.precision */
    dip_status (*create)(dip_workspace **space, const dip_towers *towers, int threads,
                         dip_error *err);
    void (*free)(dip_workspace *space);

    /* `lender`, or NULL, is a pass whose layers' memory may be used, because the two are never
     * between forward and backward at once; it must live longer. */
    dip_status (*pass_create)(dip_pass **pass, const dip_tower *tower, size_t capacity, int threads,
                              const dip_pass *lender, dip_error *err);
    void (*pass_free)(dip_pass *pass);

    dip_status (*loss_create)(dip_loss_space **loss, size_t rows, size_t columns, size_t width,
                              int threads, dip_error *err);
    void (*loss_free)(dip_loss_space *loss);

    /* Called first in a step: the parameters have changed, and all gradients of dense tensors
     * begin at 0. */
    void (*begin)(dip_workspace *space, dip_params *params);
    void (*forward)(dip_workspace *space, dip_pass *const *pass, size_t n,
                    const dip_params *params);
    double (*softmax)(dip_loss_space *loss, const dip_softmax_input *input, dip_real *du,
                      dip_real *dv);

    /* From du of n passes: their dx, and their gradients of dense tensors, which are added. In
     * columns of features that are masked in the whole batch dx is left as it was. */
    void (*backward)(dip_workspace *space, dip_pass *const *pass, size_t n, dip_params *params);

    /* Called after the last backward of a step: gradients of tensors that no pass had are 0. */
    void (*end)(dip_workspace *space, dip_params *params);
} dip_arithmetic;

extern const dip_arithmetic dip_arithmetic_fp32;
extern const dip_arithmetic dip_arithmetic_bf16; /* not built for double */

#endif
