/* SPDX-License-Identifier: Apache-2.0 */
#include "model/params.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

#include <string.h>

dip_status dip_params_create(dip_params *params, dip_error *err) {
    params->n = 0;
    params->list = dip_alloc(DIP_PARAMS_MAX, sizeof *params->list, "the list of tensors", err);
    return params->list != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

dip_status dip_params_add(dip_params *params, const dip_param *param, int *index, dip_error *err) {
    for (size_t i = 0; i < params->n; i++) {
        if (strcmp(params->list[i].name, param->name) == 0) {
            *index = (int)i;
            return DIP_OK;
        }
    }
    if (params->n == DIP_PARAMS_MAX) {
        return dip_fail(err, DIP_ERR_FAILED, "the model has more than %d tensors", DIP_PARAMS_MAX);
    }
    params->list[params->n] = *param;
    *index = (int)params->n++;
    return DIP_OK;
}

size_t dip_param_size(const dip_param *param) {
    return param->rows * param->columns;
}

dip_status dip_params_alloc(dip_params *params, bool with_gradients, dip_error *err) {
    for (size_t i = 0; i < params->n; i++) {
        dip_param *param = &params->list[i];
        const char *folder = param->kind == DIP_PARAM_TABLE ? params->table_folder : NULL;
        DIP_TRY(dip_region_create(&param->region, param->rows,
                                  param->columns * sizeof *param->value, folder, param->name, err));
        param->value = param->region.data;
        if (with_gradients && param->kind == DIP_PARAM_DENSE) {
            param->gradient =
                dip_alloc(dip_param_size(param), sizeof *param->gradient, "gradients", err);
            if (param->gradient == NULL) {
                return DIP_ERR_MEMORY;
            }
        }
    }
    return DIP_OK;
}

/* Tensors smaller than this are drawn by one thread. */
enum { PARALLEL_SIZE = 1 << 18 };

static void init_param(dip_param *param, dip_rng rng, int threads) {
    const uint64_t stream = dip_hash(param->name, strlen(param->name));
    const size_t size = dip_param_size(param);
#pragma omp parallel for schedule(static) num_threads(size >= PARALLEL_SIZE ? threads : 1)
    for (size_t i = 0; i < size; i += 4) {
        const dip_draw draw = dip_rng_at(rng, i / 4, stream);
        for (size_t j = i; j < size && j < i + 4; j++) {
            param->value[j] = (dip_real)(param->scale * (2 * dip_unit(draw.word[j - i]) - 1));
        }
    }
}

void dip_params_init(dip_params *params, uint64_t seed) {
    const dip_rng rng = dip_rng_make(seed, DIP_DRAW_INIT);
    for (size_t i = 0; i < params->n; i++) {
        init_param(&params->list[i], rng, params->threads > 0 ? params->threads : 1);
    }
}

void dip_params_zero_gradients(dip_params *params) {
    for (size_t i = 0; i < params->n; i++) {
        dip_param *param = &params->list[i];
        if (param->gradient != NULL) {
            memset(param->gradient, 0, dip_param_size(param) * sizeof *param->gradient);
        }
    }
}

void dip_params_free(dip_params *params) {
    for (size_t i = 0; params->list != NULL && i < params->n; i++) {
        dip_region_free(&params->list[i].region);
        dip_free(params->list[i].gradient);
    }
    dip_free(params->list);
    memset(params, 0, sizeof *params);
}
