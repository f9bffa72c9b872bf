/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/arithmetic.h"

struct dip_loss_space {
    dip_softmax softmax;
};

static dip_status create(dip_workspace **space, const dip_towers *towers, int threads,
                         dip_error *err) {
    (void)towers;
    (void)threads;
    (void)err;
    *space = NULL;
    return DIP_OK;
}

static void free_nothing(dip_workspace *space) {
    (void)space;
}

static void begin(dip_workspace *space, dip_params *params) {
    (void)space;
    dip_params_zero_gradients(params);
}

static dip_status pass_create(dip_pass **out, const dip_tower *tower, size_t capacity, int threads,
                              const dip_pass *lender, dip_error *err) {
    (void)lender;
    dip_pass *pass = dip_alloc(1, sizeof *pass, "a pass", err);
    if (pass == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_pass_create(pass, tower, capacity, threads, true, err);
    if (status != DIP_OK) {
        dip_free(pass);
        return status;
    }
    *out = pass;
    return DIP_OK;
}

static void pass_free(dip_pass *pass) {
    if (pass != NULL) {
        dip_pass_free(pass);
        dip_free(pass);
    }
}

static dip_status loss_create(dip_loss_space **out, size_t rows, size_t columns, size_t width,
                              int threads, dip_error *err) {
    (void)width;
    dip_loss_space *loss = dip_alloc(1, sizeof *loss, "a softmax loss", err);
    if (loss == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_softmax_create(&loss->softmax, rows, columns, threads, err);
    if (status != DIP_OK) {
        dip_free(loss);
        return status;
    }
    *out = loss;
    return DIP_OK;
}

static void loss_free(dip_loss_space *loss) {
    if (loss != NULL) {
        dip_softmax_free(&loss->softmax);
        dip_free(loss);
    }
}

static void forward(dip_workspace *space, dip_pass *const *pass, size_t n,
                    const dip_params *params) {
    (void)space;
    for (size_t p = 0; p < n; p++) {
        dip_pass_forward(pass[p], params);
    }
}

static double softmax(dip_loss_space *loss, const dip_softmax_input *input, dip_real *du,
                      dip_real *dv) {
    return dip_softmax_loss(&loss->softmax, input, du, dv);
}

static void backward(dip_workspace *space, dip_pass *const *pass, size_t n, dip_params *params) {
    (void)space;
    for (size_t p = 0; p < n; p++) {
        dip_pass_backward(pass[p], params);
    }
}

/* They began at 0. */
static void end(dip_workspace *space, dip_params *params) {
    (void)space;
    (void)params;
}

const dip_arithmetic dip_arithmetic_fp32 = {.name = "fp32",
                                            .create = create,
                                            .free = free_nothing,
                                            .pass_create = pass_create,
                                            .pass_free = pass_free,
                                            .loss_create = loss_create,
                                            .loss_free = loss_free,
                                            .begin = begin,
                                            .forward = forward,
                                            .softmax = softmax,
                                            .backward = backward,
                                            .end = end};
