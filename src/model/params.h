/* SPDX-License-Identifier: Apache-2.0
 *
 * The one list of tensors: initialisation, save, load, optimizer state and gradient checks all walk
 * it. Tables get sparse gradients elsewhere (train/sparse.h); dense tensors have theirs
 * here.
 */
#ifndef DIP_MODEL_PARAMS_H
#define DIP_MODEL_PARAMS_H

#include "base/region.h"
#include "base/status.h"
#include "math/real.h"

#include <stdbool.h>
#include <stdint.h>

enum { DIP_PARAM_NAME_MAX = 320, DIP_PARAMS_MAX = 512 };

typedef enum dip_param_kind { DIP_PARAM_TABLE, DIP_PARAM_DENSE } dip_param_kind;

typedef struct dip_param {
    char name[DIP_PARAM_NAME_MAX];
    dip_param_kind kind;
    size_t rows;
    size_t columns;
    double scale;    /* initial values are uniform in [-scale, scale] */
    bool decays;     /* weight decay applies */
    dip_real *value; /* [rows x columns], in region */
    dip_region region;
    dip_real *gradient; /* likewise; NULL for tables */
} dip_param;

typedef struct dip_params {
    size_t n;
    dip_param *list;          /* [DIP_PARAMS_MAX] */
    int threads;              /* that draw initial values; 0 means 1 */
    const char *table_folder; /* where tables are kept in files; "" or NULL keeps them in memory */
} dip_params;

dip_status dip_params_create(dip_params *params, dip_error *err);

/* Registers a tensor, or finds the one of that name. *index is its place in the list. */
dip_status dip_params_add(dip_params *params, const dip_param *param, int *index, dip_error *err);

/* Allocates values, and gradients of dense tensors when asked. */
dip_status dip_params_alloc(dip_params *params, bool with_gradients, dip_error *err);

/* Draws initial values: a pure function of the seed, the tensor's name and the element's place. */
void dip_params_init(dip_params *params, uint64_t seed);

void dip_params_zero_gradients(dip_params *params);

size_t dip_param_size(const dip_param *param);

void dip_params_free(dip_params *params);

#endif
