/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/arithmetic.h"
#include "model/pass_bf16.h"
#include "model/softmax_bf16.h"

#include <string.h>

struct dip_workspace {
    dip_weights_bf16 weights;
};

struct dip_loss_space {
    dip_softmax_bf16 softmax;
};

static dip_status create(dip_workspace **out, const dip_towers *towers, int threads,
                         dip_error *err) {
    dip_workspace *space = dip_alloc(1, sizeof *space, "weights in bfloat16", err);
    if (space == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_weights_bf16_create(&space->weights, towers, threads, err);
    if (status != DIP_OK) {
        dip_free(space);
        return status;
    }
    *out = space;
    return DIP_OK;
}

static void free_space(dip_workspace *space) {
    if (space != NULL) {
        dip_weights_bf16_free(&space->weights);
        dip_free(space);
    }
}

/* What the engine sees of a pass is its first member. */
static dip_pass_bf16 *whole(dip_pass *ends) {
    return (dip_pass_bf16 *)ends;
}

static dip_status pass_create(dip_pass **out, const dip_tower *tower, size_t capacity, int threads,
                              const dip_pass *lender, dip_error *err) {
    dip_pass_bf16 *pass = dip_alloc(1, sizeof *pass, "a pass", err);
    if (pass == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_pass_bf16_create(
        pass, tower, capacity, threads, (const dip_pass_bf16 *)(const void *)lender, err);
    if (status != DIP_OK) {
        dip_free(pass);
        return status;
    }
    *out = &pass->ends;
    return DIP_OK;
}

static void pass_free(dip_pass *pass) {
    if (pass != NULL) {
        dip_pass_bf16_free(whole(pass));
        dip_free(whole(pass));
    }
}

static dip_status loss_create(dip_loss_space **out, size_t rows, size_t columns, size_t width,
                              int threads, dip_error *err) {
    dip_loss_space *loss = dip_alloc(1, sizeof *loss, "a softmax loss", err);
    if (loss == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status =
        dip_softmax_bf16_create(&loss->softmax, rows, columns, width, threads, err);
    if (status != DIP_OK) {
        dip_free(loss);
        return status;
    }
    *out = loss;
    return DIP_OK;
}

static void loss_free(dip_loss_space *loss) {
    if (loss != NULL) {
        dip_softmax_bf16_free(&loss->softmax);
        dip_free(loss);
    }
}

/* Gradients of weights need no zeros: the first pass overwrites them. */
static void begin(dip_workspace *space, dip_params *params) {
    dip_weights_bf16_pack(&space->weights, params);
    for (size_t i = 0; i < params->n; i++) {
        dip_param *param = &params->list[i];
        if (param->gradient != NULL && dip_weights_bf16_find(&space->weights, (int)i) == NULL) {
            memset(param->gradient, 0, dip_param_size(param) * sizeof *param->gradient);
        }
    }
}

static void forward(dip_workspace *space, dip_pass *const *pass, size_t n,
                    const dip_params *params) {
    dip_pass_bf16 *wholes[DIP_PASSES_BF16_MAX];
    for (size_t p = 0; p < n; p++) {
        wholes[p] = whole(pass[p]);
    }
    dip_pass_bf16_forward(wholes, n, params, &space->weights);
}

static double softmax(dip_loss_space *loss, const dip_softmax_input *input, dip_real *du,
                      dip_real *dv) {
    return dip_softmax_bf16_loss(&loss->softmax, input, du, dv);
}

static void backward(dip_workspace *space, dip_pass *const *pass, size_t n, dip_params *params) {
    dip_pass_bf16 *wholes[DIP_PASSES_BF16_MAX];
    for (size_t p = 0; p < n; p++) {
        wholes[p] = whole(pass[p]);
    }
    dip_pass_bf16_backward(wholes, n, params, &space->weights);
}

static void end(dip_workspace *space, dip_params *params) {
    for (size_t w = 0; w < space->weights.n; w++) {
        const dip_weight_bf16 *weight = &space->weights.list[w];
        dip_param *param = &params->list[weight->param];
        if (!weight->has_gradient) {
            memset(param->gradient, 0, dip_param_size(param) * sizeof *param->gradient);
        }
    }
}

const dip_arithmetic dip_arithmetic_bf16 = {.name = "bf16",
                                            .create = create,
                                            .free = free_space,
                                            .pass_create = pass_create,
                                            .pass_free = pass_free,
                                            .loss_create = loss_create,
                                            .loss_free = loss_free,
                                            .begin = begin,
                                            .forward = forward,
                                            .softmax = softmax,
                                            .backward = backward,
                                            .end = end};
