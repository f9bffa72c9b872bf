/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory: every allocation of the library goes through here, so that a failure has a size and a
 * purpose in its text, and so that a test can count allocations or make the n-th one fail.
 */
#ifndef DIP_BASE_MEM_H
#define DIP_BASE_MEM_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* count * size zeroed bytes, aligned to 64. NULL with err filled on failure; never NULL for 0
 * bytes. */
void *dip_alloc(size_t count, size_t size, const char *purpose, dip_error *err);

/* Makes *pointer hold at least need elements, by doubling; the new part is zeroed. */
dip_status dip_grow_to(void **pointer, size_t *capacity, size_t need, size_t size,
                       const char *purpose, dip_error *err);

/* Likewise; mostly there is room, and then it costs a comparison. */
static inline dip_status dip_grow(void **pointer, size_t *capacity, size_t need, size_t size,
                                  const char *purpose, dip_error *err) {
    return need <= *capacity ? DIP_OK : dip_grow_to(pointer, capacity, need, size, purpose, err);
}

/* `need` with a quarter more, for buffers that are to grow once and then serve batches of somewhat
 * different size. */
static inline size_t dip_roomy(size_t need) {
    return need + need / 4;
}

/* A NUL-terminated copy of length bytes. */
char *dip_copy_text(const char *text, size_t length, const char *purpose, dip_error *err);

void dip_free(void *pointer);

/* Gives freed memory back to the system, where the C library keeps it otherwise: for calls that
 * free much and then keep to a limit. */
void dip_mem_trim(void);

/* How many allocations have been made since the process began. */
uint64_t dip_mem_allocations(void);

/* How many bytes they had together. */
uint64_t dip_mem_bytes(void);

/* For tests: the allocation after n further ones fails, and so do all later ones when `sticky`.
 * A negative n turns this off. */
void dip_mem_fail_after(int64_t n, int sticky);

#endif
