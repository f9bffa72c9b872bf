/* SPDX-License-Identifier: Apache-2.0
 *
 * Work that is cut into chunks: threads fill some chunks at a time, and one thread takes them in
 * order. So what is made never depends on the number of threads, and memory is a few chunks.
 */
#ifndef DIP_GENERATE_CHUNKS_H
#define DIP_GENERATE_CHUNKS_H

#include "base/progress.h"

#include <stddef.h>
#include <stdint.h>

typedef struct dip_chunks {
    int64_t n;       /* chunks */
    size_t capacity; /* bytes that a chunk has at most */
    int threads;
    const dip_watch *watch;
    const char *phase;
    const char *unit;
    uint64_t total; /* units of all chunks together, for the progress */
    void *context;
    /* Makes a chunk in out and returns its bytes. Runs on several threads at once. */
    size_t (*fill)(void *context, int64_t chunk, int thread, char *out);
    /* Takes the chunks one by one in order. */
    dip_status (*take)(void *context, int64_t chunk, const char *data, size_t bytes,
                       dip_error *err);
} dip_chunks;

dip_status dip_chunks_run(const dip_chunks *chunks, dip_error *err);

#endif
