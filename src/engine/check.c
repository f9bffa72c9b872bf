/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check.h"

#include "math/vec.h"

#include <math.h>

/* Elements of a gradient that are summed at a time, and pieces at a time. */
enum { PIECE = 8192, PIECES = 256 };

dip_status dip_check_loss(const char *part, double loss, dip_error *err) {
    if (isfinite(loss)) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_NONFINITE,
                    "the %s loss is %s; a lower train.rate or a higher temperature may help", part,
                    isnan(loss) ? "not a number" : "infinite");
}

static dip_status bad_gradient(const dip_param *param, dip_error *err) {
    return dip_fail(err, DIP_ERR_NONFINITE,
                    "the gradient of tensor \"%s\" is not finite; a lower train.rate may help",
                    param->name);
}

/* The gradient of a feature that is masked in all examples goes to its default, a dense tensor. Of
 * gradients by value there are no more than examples: the i-th is looked at with example i. */
static bool is_block_finite(const dip_pass *pass, size_t i, size_t f) {
    const dip_tower_block *block = &pass->tower->block[f];
    const dip_by_value *values = &pass->by_value[f];
    const dip_real *dx = pass->dx + i * pass->tower->input + block->offset;
    if (((pass->mask >> f) & 1) || (values->n > 0 && i >= values->n)) {
        return true;
    }
    return dip_vec_is_finite(block->width,
                             values->n > 0 ? values->gradient + i * block->width : dx);
}

static bool is_row_finite(const dip_pass *pass, size_t i) {
    bool is_finite = true;
    for (size_t f = 0; f < pass->tower->n_blocks; f++) {
        is_finite = is_finite && is_block_finite(pass, i, f);
    }
    return is_finite;
}

static bool are_rows_finite(const dip_pass *pass) {
    bool is_finite = true;
#pragma omp parallel for schedule(static) num_threads(pass->threads) reduction(&& : is_finite)
    for (size_t i = 0; i < pass->n; i++) {
        is_finite = is_finite && is_row_finite(pass, i);
    }
    return is_finite;
}

/* Gradients by value are a quarter of the examples at most: one thread looks at them. */
static bool are_values_finite(const dip_pass *pass) {
    bool is_finite = true;
    for (size_t f = 0; f < pass->tower->n_blocks; f++) {
        for (size_t v = 0; v < pass->by_value[f].n; v++) {
            is_finite = is_finite && is_block_finite(pass, v, f);
        }
    }
    return is_finite;
}

dip_status dip_check_pass(const dip_pass *pass, const dip_params *params, dip_error *err) {
    const dip_tower *tower = pass->tower;
    const bool is_finite = pass->is_finite ? are_values_finite(pass) : are_rows_finite(pass);
    for (size_t f = 0; !is_finite && f < tower->n_blocks; f++) {
        const int tensor = tower->block[f].table >= 0 ? tower->block[f].table : tower->fallback;
        for (size_t i = 0; i < pass->n; i++) {
            if (!is_block_finite(pass, i, f)) {
                return bad_gradient(&params->list[tensor], err);
            }
        }
    }
    return DIP_OK;
}

static double square_sum(const dip_param *param, int threads) {
    const size_t size = dip_param_size(param);
    double sum = 0;
    for (size_t first = 0; first < size; first += (size_t)PIECE * PIECES) {
        double part[PIECES];
        const size_t left = (size - first + PIECE - 1) / PIECE;
        const size_t n = left < PIECES ? left : PIECES;
#pragma omp parallel for schedule(static) num_threads(threads)
        for (size_t p = 0; p < n; p++) {
            const size_t at = first + p * PIECE;
            part[p] =
                dip_vec_square_sum(size - at < PIECE ? size - at : PIECE, param->gradient + at);
        }
        for (size_t p = 0; p < n; p++) {
            sum += part[p];
        }
    }
    return sum;
}

dip_status dip_check_dense(const dip_params *params, int threads, double *norm, dip_error *err) {
    double squares = 0;
    for (size_t i = 0; i < params->n; i++) {
        if (params->list[i].gradient == NULL) {
            continue;
        }
        const double sum = square_sum(&params->list[i], threads);
        if (!isfinite(sum)) {
            return bad_gradient(&params->list[i], err);
        }
        squares += sum;
    }
    *norm = sqrt(squares);
    return DIP_OK;
}
