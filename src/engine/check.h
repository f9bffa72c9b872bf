/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks that losses and gradients are finite, before anything is changed. DIP_ERR_NONFINITE names
 * the part that is not.
 */
#ifndef DIP_ENGINE_CHECK_H
#define DIP_ENGINE_CHECK_H

#include "model/pass.h"

/* `part` is "main" or the like. */
dip_status dip_check_loss(const char *part, double loss, dip_error *err);

/* Gradients of tables are sums of blocks of dx: these are checked in their place. */
dip_status dip_check_pass(const dip_pass *pass, const dip_params *params, dip_error *err);

/* *norm is the Euclidean norm of the gradients of dense tensors. The sums run over fixed pieces in
 * a fixed order, whatever the number of threads. */
dip_status dip_check_dense(const dip_params *params, int threads, double *norm, dip_error *err);

#endif
