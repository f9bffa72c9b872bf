/* SPDX-License-Identifier: Apache-2.0 */
#include "train/average.h"

#include "base/mem.h"

#include <string.h>

/* Tensors smaller than this are added by one thread. */
enum { PARALLEL_SIZE = 1 << 18 };

static dip_status alloc_means(dip_average *average, const dip_params *params, dip_error *err) {
    average->mean = dip_alloc(params->n, sizeof *average->mean, "averages", err);
    average->region = dip_alloc(params->n, sizeof *average->region, "averages", err);
    if (average->mean == NULL || average->region == NULL) {
        return DIP_ERR_MEMORY;
    }
    average->n = params->n;
    for (size_t i = 0; i < params->n; i++) {
        const dip_param *param = &params->list[i];
        const char *folder = param->kind == DIP_PARAM_TABLE ? params->table_folder : NULL;
        DIP_TRY(dip_region_create(&average->region[i], param->rows,
                                  param->columns * sizeof **average->mean, folder, "averages",
                                  err));
        average->mean[i] = average->region[i].data;
    }
    return DIP_OK;
}

dip_status dip_average_create(dip_average *average, const dip_params *params, int64_t memory,
                              dip_error *err) {
    memset(average, 0, sizeof *average);
    average->memory = memory;
    if (memory == 0) {
        return DIP_OK;
    }
    const dip_status status = alloc_means(average, params, err);
    if (status != DIP_OK) {
        dip_average_free(average);
    }
    return status;
}

static void add_tensor(size_t n, const dip_real *value, dip_real weight, dip_real *mean,
                       int threads) {
#pragma omp parallel for simd schedule(static) num_threads(n >= PARALLEL_SIZE ? threads : 1)
    for (size_t i = 0; i < n; i++) {
        mean[i] += (value[i] - mean[i]) * weight;
    }
}

void dip_average_add(dip_average *average, const dip_params *params, int64_t step) {
    if (average->memory == 0 || (average->count > 0 && average->step == step)) {
        return;
    }
    average->step = step;
    average->count++;
    const int64_t n = average->count < average->memory ? average->count : average->memory;
    for (size_t i = 0; i < params->n; i++) {
        add_tensor(dip_param_size(&params->list[i]), params->list[i].value,
                   (dip_real)(1 / (double)n), average->mean[i],
                   params->threads > 0 ? params->threads : 1);
    }
}

void dip_average_swap(dip_average *average, dip_params *params) {
    for (size_t i = 0; average->count > 0 && i < params->n; i++) {
        dip_real *const value = params->list[i].value;
        params->list[i].value = average->mean[i];
        average->mean[i] = value;
    }
}

void dip_average_free(dip_average *average) {
    for (size_t i = 0; i < average->n; i++) {
        dip_region_free(&average->region[i]);
    }
    dip_free(average->region);
    dip_free(average->mean);
    memset(average, 0, sizeof *average);
}
