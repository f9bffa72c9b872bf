/* SPDX-License-Identifier: Apache-2.0
 *
 * A long list of 32-bit numbers that grows without being copied: chunks of 4 MB.
 */
#ifndef DIP_IMPORT_NUMBERS_H
#define DIP_IMPORT_NUMBERS_H

#include "base/mem.h"

#include <string.h>

enum { DIP_NUMBERS_SHIFT = 20, DIP_NUMBERS_CHUNK = 1 << DIP_NUMBERS_SHIFT };

/* Zero-initialise. */
typedef struct dip_numbers {
    uint32_t **chunks;
    size_t n_chunks;
    size_t capacity; /* of `chunks` */
    size_t n;
} dip_numbers;

static inline uint32_t dip_numbers_get(const dip_numbers *numbers, size_t i) {
    return numbers->chunks[i >> DIP_NUMBERS_SHIFT][i & (DIP_NUMBERS_CHUNK - 1)];
}

static inline void dip_numbers_set(dip_numbers *numbers, size_t i, uint32_t value) {
    numbers->chunks[i >> DIP_NUMBERS_SHIFT][i & (DIP_NUMBERS_CHUNK - 1)] = value;
}

static inline dip_status dip_numbers_put(dip_numbers *numbers, uint32_t value, dip_error *err) {
    if (numbers->n == numbers->n_chunks << DIP_NUMBERS_SHIFT) {
        DIP_TRY(dip_grow((void **)&numbers->chunks, &numbers->capacity, numbers->n_chunks + 1,
                         sizeof *numbers->chunks, "a list of numbers", err));
        uint32_t *chunk = dip_alloc(DIP_NUMBERS_CHUNK, sizeof *chunk, "a list of numbers", err);
        if (chunk == NULL) {
            return DIP_ERR_MEMORY;
        }
        numbers->chunks[numbers->n_chunks++] = chunk;
    }
    dip_numbers_set(numbers, numbers->n++, value);
    return DIP_OK;
}

static inline size_t dip_numbers_bytes(const dip_numbers *numbers) {
    return numbers->n_chunks * DIP_NUMBERS_CHUNK * sizeof(uint32_t);
}

static inline void dip_numbers_free(dip_numbers *numbers) {
    for (size_t i = 0; i < numbers->n_chunks; i++) {
        dip_free(numbers->chunks[i]);
    }
    dip_free(numbers->chunks);
    memset(numbers, 0, sizeof *numbers);
}

#endif
