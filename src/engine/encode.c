/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/encode.h"

#include "base/mem.h"
#include "model/pass.h"

#include <string.h>

/* Rows encoded at a time: sixteen panels keep all threads busy and the activations in cache. */
enum { ENCODE_BLOCK = 2048 };

static dip_status encode_blocks(const dip_encode_job *job, dip_pass *pass, int32_t *row,
                                dip_real *vectors, dip_error *err) {
    const size_t d = pass->tower->output;
    dip_progress progress = {.phase = "encoding", .unit = "rows", .detail = "", .total = job->n};
    for (size_t at = 0; at < job->n; at += pass->capacity) {
        const size_t n = job->n - at < pass->capacity ? job->n - at : pass->capacity;
        for (size_t i = 0; i < n; i++) {
            row[i] = job->row != NULL ? job->row[at + i] : (int32_t)(at + i);
        }
        DIP_TRY(dip_pass_load(pass, job->rows, row, n, NULL, err));
        dip_pass_forward(pass, &job->towers->params);
        memcpy(vectors + at * d, pass->u, n * d * sizeof *vectors);
        progress.done = at + n;
        DIP_TRY(dip_tell(job->watch, &progress, err));
    }
    return DIP_OK;
}

dip_status dip_encode(const dip_encode_job *job, dip_real *vectors, dip_error *err) {
    const size_t block = job->n < ENCODE_BLOCK ? job->n : ENCODE_BLOCK;
    dip_pass pass;
    int32_t *row = dip_alloc(block, sizeof *row, "rows to encode", err);
    if (row == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = dip_pass_create(&pass, dip_towers_side(job->towers, job->side),
                                        block > 0 ? block : 1, job->threads, false, err);
    if (status == DIP_OK) {
        status = encode_blocks(job, &pass, row, vectors, err);
        dip_pass_free(&pass);
    }
    dip_free(row);
    return status;
}
