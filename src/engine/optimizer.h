/* SPDX-License-Identifier: Apache-2.0
 *
 * Update rules, element by element. g gradient, r learning rate, w parameter:
 *
 *   SGD       w -= r g
 *   Adagrad   s += g^2;  w -= r g / (sqrt(s) + 1e-10)                    [Duchi et al., 2011]
 *   row-wise  s_row += mean(g_row^2);  w -= r g / (sqrt(s_row) + 1e-10)     for tables; TorchRec's
 *             EXACT_ROWWISE_ADAGRAD; layers take Adagrad
 *   Adam      m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *             w -= r (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8)    [Kingma and Ba, 2015]
 *
 * Rows of tables are updated only in steps that touch them ("lazy" Adam; t counts all steps).
 * Weight
 * decay is decoupled, w -= r decay w, on the same elements and before the rule.
 */
#ifndef DIP_ENGINE_OPTIMIZER_H
#define DIP_ENGINE_OPTIMIZER_H

#include "config/config.h"
#include "math/vec.h"
#include "model/params.h"

typedef struct dip_optimizer {
    int kind; /* dip_optimizer_kind */
    double decay;
    double beta1;
    double beta2;
    int64_t t; /* steps made */
    size_t n;
    dip_real **first;  /* [n] s of Adagrad or m of Adam, shaped like the tensor, or [rows]; NULL for
                          SGD */
    dip_real **second; /* [n] v of Adam */
    dip_region *region; /* [2 n] their memory */
} dip_optimizer;

dip_status dip_optimizer_create(dip_optimizer *optimizer, const dip_params *params,
                                const dip_config *config, dip_error *err);

/* Elements in first[i] and in second[i] of the tensor `param`; 0 when there is no such state. */
size_t dip_optimizer_first_size(const dip_optimizer *optimizer, const dip_param *param);
size_t dip_optimizer_second_size(const dip_optimizer *optimizer, const dip_param *param);

/* Asks for the memory that an update of a table's row will touch. */
void dip_optimizer_prefetch(const dip_optimizer *optimizer, const dip_param *param, size_t index,
                            size_t row);

/* What is common to all elements of one step. */
typedef struct dip_update {
    int kind;
    dip_rule rule;
} dip_update;

/* Counts a step and returns its constants. */
dip_update dip_optimizer_begin(dip_optimizer *optimizer, double rate);

/* Updates n elements of tensor `param` from element `at` on with gradient [n]; of a table, one
 * row. */
void dip_optimizer_apply(const dip_optimizer *optimizer, const dip_update *update, dip_param *param,
                         size_t index, size_t at, size_t n, const dip_real *gradient);

void dip_optimizer_free(dip_optimizer *optimizer);

#endif
