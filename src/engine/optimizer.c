/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/optimizer.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Whether the tensor has one sum of squares a row. */
static bool is_rowwise(const dip_optimizer *optimizer, const dip_param *param) {
    return optimizer->kind == DIP_OPTIMIZER_ROWWISE_ADAGRAD && param->kind == DIP_PARAM_TABLE;
}

static size_t state_size(const dip_optimizer *optimizer, const dip_param *param) {
    return is_rowwise(optimizer, param) ? param->rows : dip_param_size(param);
}

/* One state of all tensors, in regions[0 .. n). */
static dip_status alloc_states(const dip_optimizer *optimizer, dip_real ***states,
                               dip_region *regions, const dip_params *params, double start,
                               dip_error *err) {
    *states = dip_alloc(params->n, sizeof **states, "optimizer state", err);
    if (*states == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < params->n; i++) {
        const dip_param *param = &params->list[i];
        const char *folder = param->kind == DIP_PARAM_TABLE ? params->table_folder : NULL;
        const size_t size = state_size(optimizer, param);
        DIP_TRY(
            dip_region_create(&regions[i], size, sizeof ***states, folder, "optimizer state", err));
        (*states)[i] = regions[i].data;
        for (size_t j = 0; start > 0 && j < size; j++) {
            (*states)[i][j] = (dip_real)start;
        }
    }
    return DIP_OK;
}

static dip_status alloc_all(dip_optimizer *optimizer, const dip_params *params,
                            const dip_config *config, dip_error *err) {
    if (optimizer->kind == DIP_OPTIMIZER_SGD) {
        return DIP_OK;
    }
    const bool is_adam = optimizer->kind == DIP_OPTIMIZER_ADAM;
    optimizer->region = dip_alloc(2 * params->n, sizeof *optimizer->region, "optimizer state", err);
    if (optimizer->region == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(alloc_states(optimizer, &optimizer->first, optimizer->region, params,
                         is_adam ? 0 : config->train.accumulator, err));
    return is_adam ? alloc_states(optimizer, &optimizer->second, optimizer->region + params->n,
                                  params, 0, err)
                   : DIP_OK;
}

dip_status dip_optimizer_create(dip_optimizer *optimizer, const dip_params *params,
                                const dip_config *config, dip_error *err) {
    memset(optimizer, 0, sizeof *optimizer);
    optimizer->kind = config->train.optimizer;
    optimizer->decay = config->train.decay;
    optimizer->beta1 = config->train.beta1;
    optimizer->beta2 = config->train.beta2;
    optimizer->n = params->n;
    const dip_status status = alloc_all(optimizer, params, config, err);
    if (status != DIP_OK) {
        dip_optimizer_free(optimizer);
    }
    return status;
}

size_t dip_optimizer_first_size(const dip_optimizer *optimizer, const dip_param *param) {
    return optimizer->first != NULL ? state_size(optimizer, param) : 0;
}

size_t dip_optimizer_second_size(const dip_optimizer *optimizer, const dip_param *param) {
    return optimizer->second != NULL ? dip_param_size(param) : 0;
}

dip_update dip_optimizer_begin(dip_optimizer *optimizer, double rate) {
    const double t = (double)++optimizer->t;
    const dip_rule rule = {.rate = (dip_real)rate,
                           .decay = (dip_real)(rate * optimizer->decay),
                           .beta1 = (dip_real)optimizer->beta1,
                           .beta2 = (dip_real)optimizer->beta2,
                           .rest1 = (dip_real)(1 - optimizer->beta1),
                           .rest2 = (dip_real)(1 - optimizer->beta2),
                           .correction1 = (dip_real)(1 / (1 - pow(optimizer->beta1, t))),
                           .correction2 = (dip_real)(1 / (1 - pow(optimizer->beta2, t)))};
    return (dip_update){.kind = optimizer->kind, .rule = rule};
}

void dip_optimizer_apply(const dip_optimizer *optimizer, const dip_update *update, dip_param *param,
                         size_t index, size_t at, size_t n, const dip_real *gradient) {
    dip_real *w = param->value + at;
    dip_rule rule = update->rule;
    rule.decay = param->decays ? rule.decay : 0;
    switch (update->kind) {
    case DIP_OPTIMIZER_SGD:
        dip_vec_sgd(n, &rule, gradient, w);
        break;
    case DIP_OPTIMIZER_ADAM:
        dip_vec_adam(n, &rule, gradient, w, optimizer->first[index] + at,
                     optimizer->second[index] + at);
        break;
    default:
        if (is_rowwise(optimizer, param)) {
            dip_vec_adagrad_row(n, &rule, gradient, w, optimizer->first[index] + at / n);
        } else {
            dip_vec_adagrad(n, &rule, gradient, w, optimizer->first[index] + at);
        }
        break;
    }
}

void dip_optimizer_prefetch(const dip_optimizer *optimizer, const dip_param *param, size_t index,
                            size_t row) {
    const size_t n = param->columns;
    dip_vec_prefetch(n, param->value + row * n);
    if (is_rowwise(optimizer, param)) {
        dip_vec_prefetch(1, optimizer->first[index] + row);
    } else if (optimizer->first != NULL) {
        dip_vec_prefetch(n, optimizer->first[index] + row * n);
    }
    if (optimizer->second != NULL) {
        dip_vec_prefetch(n, optimizer->second[index] + row * n);
    }
}

void dip_optimizer_free(dip_optimizer *optimizer) {
    for (size_t i = 0; optimizer->region != NULL && i < 2 * optimizer->n; i++) {
        dip_region_free(&optimizer->region[i]);
    }
    dip_free(optimizer->region);
    dip_free(optimizer->first);
    dip_free(optimizer->second);
    memset(optimizer, 0, sizeof *optimizer);
}
