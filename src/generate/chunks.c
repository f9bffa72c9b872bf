/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/chunks.h"

#include "base/mem.h"

#include <omp.h>

/* Chunks a thread in one round; several, so that threads end a round at about the same time. */
enum { CHUNKS_A_THREAD = 4 };

static dip_status run_rounds(const dip_chunks *c, int64_t width, char *memory, size_t *bytes,
                             dip_error *err) {
    dip_progress progress = {.phase = c->phase, .unit = c->unit, .detail = "", .total = c->total};
    for (int64_t first = 0; first < c->n; first += width) {
        const int64_t end = first + width < c->n ? first + width : c->n;
#pragma omp parallel for num_threads(c->threads) schedule(dynamic, 1)
        for (int64_t i = first; i < end; i++) {
            const size_t at = (size_t)(i - first);
            bytes[at] = c->fill(c->context, i, omp_get_thread_num(), memory + at * c->capacity);
        }
        for (int64_t i = first; i < end; i++) {
            const size_t at = (size_t)(i - first);
            DIP_TRY(c->take(c->context, i, memory + at * c->capacity, bytes[at], err));
        }
        progress.done = (uint64_t)((double)c->total * (double)end / (double)c->n);
        DIP_TRY(dip_tell(c->watch, &progress, err));
    }
    return DIP_OK;
}

dip_status dip_chunks_run(const dip_chunks *chunks, dip_error *err) {
    const int64_t most = (int64_t)chunks->threads * CHUNKS_A_THREAD;
    const int64_t width = chunks->n < most ? chunks->n : most;
    char *memory = dip_alloc((size_t)width, chunks->capacity, "chunks of the output", err);
    size_t *bytes = dip_alloc((size_t)width, sizeof *bytes, "chunks of the output", err);
    const dip_status status = memory != NULL && bytes != NULL
                                  ? run_rounds(chunks, width, memory, bytes, err)
                                  : DIP_ERR_MEMORY;
    dip_free(memory);
    dip_free(bytes);
    return status;
}
