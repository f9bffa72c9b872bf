/* SPDX-License-Identifier: Apache-2.0
 *
 * One batch through one tower, forward and backward. All memory is allocated once for the largest
 * batch; the lists of bag values grow when a longer bag than ever comes, and then stay.
 *
 *   B batch, F features (blocks), I width of x, D width of u
 *
 * The batch is cut into panels (gemm.h). A panel goes through all layers on one thread;
 * the gradients of weights are cut by blocks of the weight matrix, each summed over the whole
 * batch on one thread. Neither cut depends on the number of threads, so results have the same bits
 * for any number.
 */
#ifndef DIP_MODEL_PASS_H
#define DIP_MODEL_PASS_H

#include "base/rng.h"
#include "data/dataset.h"
#include "model/tower.h"

/* How the features of a batch are changed on the way in; NULL leaves them alone.
 *
 * Draws are Philox at counter a = step, b = example << 40 | feature << 32 | group. Value j of a
 * bag takes word j mod 4 of group j / 4; the feature itself takes word 0 of group 2^32 - 1. */
typedef struct dip_view {
    uint64_t mask;          /* bit f: feature f takes its default, in every example */
    const uint64_t *each;   /* [n] masks of single examples in the place of mask; or NULL */
    double value_dropout;   /* each value of a bag is dropped with this probability */
    double feature_dropout; /* each feature of an example is masked with this probability, */
    uint64_t droppable;     /* when it is one of these */
    dip_rng rng;
    uint64_t step;
} dip_view;

/* Values of block f of example i that are pooled: kept[start .. start + n). With n = 0 the block is
 * the number, or the default when that is NaN. */
typedef struct dip_span {
    size_t start;
    uint32_t n;
    float number;
} dip_span;

static inline bool dip_span_has_number(const dip_span *span) {
    return span->number == span->number;
}

/* The gradients of a feature by its values, in the place of its columns of dx (once_bf16.h). */
typedef struct dip_by_value {
    size_t n;                 /* values; 0: the feature has its columns of dx */
    const int32_t *value;     /* [n] row of the table, or -1 for the default */
    const dip_real *gradient; /* [n x width] */
} dip_by_value;

typedef struct dip_pass {
    const dip_tower *tower;
    size_t capacity; /* largest batch */
    size_t n;        /* examples in the current batch */
    uint64_t mask;   /* features masked in all of them */
    int threads;
    dip_real *x;                   /* [B x I] */
    dip_real *layer[DIP_LIST_MAX]; /* [B x out] outputs of the layers; the last one is z */
    dip_real *dlayer[DIP_LIST_MAX];
    dip_real *u;    /* [B x D] */
    dip_real *norm; /* [B] |z| */
    dip_real *du;   /* [B x D] gradient of the loss by u, filled by the losses */
    dip_real *dx;   /* [B x I]; NULL in a pass without backward */
    bool is_finite; /* dx has been looked at and is; false says nothing */
    dip_by_value by_value[DIP_FEATURES_MAX];
    dip_span *span; /* [B x F] */
    int32_t *kept;  /* table rows of pooled values */
    size_t kept_capacity;
} dip_pass;

dip_status dip_pass_create(dip_pass *pass, const dip_tower *tower, size_t capacity, int threads,
                           bool with_backward, dip_error *err);

/* Without x and the layers: for arithmetics that keep their own. With backward. */
dip_status dip_pass_create_ends(dip_pass *pass, const dip_tower *tower, size_t capacity,
                                int threads, dip_error *err);

/* Resolves the features of n rows of an entity into pass->span and pass->kept.
 * DIP_ERR_MEMORY is the only failure. */
dip_status dip_pass_load(dip_pass *pass, const dip_rows *rows, const int32_t *row, size_t n,
                         const dip_view *view, dip_error *err);

/* x, layers, u and norm of the loaded batch. */
void dip_pass_forward(dip_pass *pass, const dip_params *params);

/* From pass->du: dx, and gradients of layers and defaults added to params. Table gradients are left
 * in dx for the sparse update. */
void dip_pass_backward(dip_pass *pass, dip_params *params);

/* Block f of example i, [width of the block]. */
void dip_pass_pool(const dip_pass *pass, const dip_params *params, size_t i, size_t f, dip_real *x);

/* Asks for the embeddings of example i ahead of their use. */
void dip_pass_prefetch(const dip_pass *pass, const dip_params *params, size_t i);

/* The factor of each pooled value: 1/n (mean), 1 (sum) or 1/sqrt(n). */
dip_real dip_pool_factor(int pool, uint32_t n);

void dip_pass_free(dip_pass *pass);

#endif
