/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of pass_bf16.h share.
 */
#ifndef DIP_MODEL_PASS_BF16_PARTS_H
#define DIP_MODEL_PASS_BF16_PARTS_H

#include "math/gemm.h"
#include "model/pass_bf16.h"

static inline size_t dip_wide_in(const dip_layer *layer) {
    return dip_wide(layer->in);
}

static inline size_t dip_wide_out(const dip_layer *layer) {
    return dip_wide(layer->out);
}

static inline bool dip_pass_bf16_masks(const dip_pass_bf16 *pass, size_t f) {
    return (pass->ends.mask >> f) & 1;
}

/* The entry of the feature that 64 columns of x belong to, when its values repeat; or NULL. */
const dip_once *dip_pass_bf16_once(const dip_pass_bf16 *pass, size_t block);

/* The features of some passes whose values can repeat. */
typedef struct dip_once_job {
    dip_pass_bf16 *pass;
    size_t feature;
} dip_once_job;

typedef struct dip_once_jobs {
    size_t n;
    dip_once_job list[DIP_PASSES_BF16_MAX * DIP_FEATURES_MAX];
} dip_once_jobs;

void dip_once_list(dip_once_jobs *jobs, dip_pass_bf16 *const *pass, size_t n);

static inline dip_once *dip_once_of(const dip_once_job *job) {
    return &job->pass->once[job->feature];
}

/* Whether 64 columns of x hold anything but masked features and those whose values repeat. */
bool dip_pass_bf16_is_alive(const dip_pass_bf16 *pass, size_t block);

/* The first column block of x at or after `block` that is alive, or not; past the last when there
 * is none. */
size_t dip_pass_bf16_next(const dip_pass_bf16 *pass, size_t block, bool alive);

/* Packs rows [n_rows x columns], at dip_row_stride, as rows first ... of P, an operand over all n
 * rows of the batch. The partner of a last odd row is `zeros` [columns], which is made so. */
void dip_pass_bf16_pack(const dip_bf16 *rows, size_t n_rows, size_t columns, size_t first, size_t n,
                        dip_bf16 *zeros, dip_bf16 *packed);

#endif
