/* SPDX-License-Identifier: Apache-2.0
 *
 * Features whose values repeat in a batch: each value passes the first layer once.
 *
 * A feature with one value an example adds e_v W_f to the first layer's output of every example
 * that has the value v, where e_v is the value's embedding and W_f the feature's rows of the
 * weight. With V values among B examples (the default counts as one), that is a product of V rows
 * in the place of B. Backward, with s_v the sum of the gradients of that output over the examples
 * that have v,
 *
 *   dW_f = E^T S,   de_v = s_v W_f^T,
 *
 * which are products of V rows too. It is done where V is at most a quarter of B and the feature
 * takes whole blocks of 64 columns of x. An example's output then depends, in its last bits, on
 * the batch that it is in, so this is for training only.
 */
#ifndef DIP_MODEL_ONCE_BF16_H
#define DIP_MODEL_ONCE_BF16_H

#include "math/bf16.h"
#include "model/distinct.h"
#include "model/pass.h"

/* One feature of the current batch. */
typedef struct dip_once {
    const dip_tower_block *block;
    size_t most;          /* values; 0: no feature of this kind */
    size_t n;             /* values of this batch; 0: the feature goes through as any other */
    size_t out;           /* width of the first layer's output, in whole blocks */
    dip_distinct values;  /* rows of the table, -1 for the default; and each example's */
    int32_t *code;        /* [B] the row of each example */
    uint32_t *first;      /* [n + 1] */
    uint32_t *member;     /* [B] the examples of value v are member[first[v]] ... */
    dip_bf16 *rows;       /* [n x width] embeddings, rounded, at dip_row_stride */
    dip_bf16 *packed;     /* L(rows) */
    float *product;       /* [out / 64][n][64] e_v W_f */
    dip_bf16 *sum;        /* [n x out] s_v, rounded, at dip_row_stride */
    dip_bf16 *sum_packed; /* P(sum) */
    bool borrows;         /* product and sums are the lender's */
    dip_real *gradient;   /* [n x width] de_v */
} dip_once;

/* An entry for each feature of the tower, for batches of at most `capacity` examples. Products and
 * sums are in the memory of the lender's, entries of a tower with as many features, where they fit;
 * it may be NULL. */
dip_status dip_once_create(dip_once **out, const dip_tower *tower, size_t capacity,
                           const dip_once *lender, dip_error *err);
void dip_once_free(dip_once *once, const dip_tower *tower);

/* Finds the values of feature f in the loaded batch and rounds their embeddings; with too many
 * values, or in masked features, n = 0. */
void dip_once_find(dip_once *once, const dip_pass *pass, const dip_params *params, size_t f);

/* Columns 64 column_block ... of the products, given P(W). */
void dip_once_multiply(const dip_once *once, const dip_bf16 *weight, size_t in,
                       size_t column_block);

/* The same columns of the sums, from P(gradients of the outputs), which are of B examples. */
void dip_once_sum(const dip_once *once, const dip_bf16 *gradients, size_t examples,
                  size_t column_block);

/* The gradients of the embeddings, 64 values a piece, given P(W^T). */
size_t dip_once_pieces(const dip_once *once);
void dip_once_backward(const dip_once *once, const dip_bf16 *weight, size_t piece);

#endif
