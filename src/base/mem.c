/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): madvise */
#include "base/mem.h"

#include "base/checked.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { ALIGNMENT = 64 };

static atomic_ullong allocations;
static atomic_ullong allocated_bytes;
static atomic_llong fail_countdown = -1;
static atomic_int fail_sticky;

static bool must_fail(void) {
    if (atomic_load(&fail_countdown) < 0) {
        return false;
    }
    if (atomic_load(&fail_countdown) == 0) {
        atomic_store(&fail_countdown, atomic_load(&fail_sticky) ? 0 : -1);
        return true;
    }
    atomic_fetch_sub(&fail_countdown, 1);
    return false;
}

/* Blocks of this size and more are asked for in huge pages: fewer address translations to miss. */
#define HUGE_PAGE ((size_t)1 << 21)

/* aligned_alloc wants whole multiples of the alignment; what is beyond `bytes` is never touched. */
static void *take(size_t bytes) {
    size_t whole = bytes;
    if (bytes < 2 * HUGE_PAGE || !dip_pad_ok(bytes, HUGE_PAGE, &whole)) {
        return aligned_alloc(ALIGNMENT, bytes);
    }
    void *pointer = aligned_alloc(HUGE_PAGE, whole);
#ifdef MADV_HUGEPAGE
    if (pointer != NULL) {
        madvise(pointer, bytes, MADV_HUGEPAGE);
    }
#endif
    return pointer;
}

void *dip_alloc(size_t count, size_t size, const char *purpose, dip_error *err) {
    size_t bytes = 0;
    if (!dip_mul_ok(count, size, &bytes) || !dip_pad_ok(bytes > 0 ? bytes : 1, ALIGNMENT, &bytes)) {
        dip_fail(err, DIP_ERR_MEMORY, "%s needs %zu x %zu bytes, more than can be addressed",
                 purpose, count, size);
        return NULL;
    }
    atomic_fetch_add(&allocations, 1);
    void *pointer = must_fail() ? NULL : take(bytes);
    if (pointer == NULL) {
        dip_fail(err, DIP_ERR_MEMORY, "out of memory: %zu bytes for %s", bytes, purpose);
        return NULL;
    }
    atomic_fetch_add(&allocated_bytes, bytes);
    memset(pointer, 0, bytes);
    return pointer;
}

dip_status dip_grow_to(void **pointer, size_t *capacity, size_t need, size_t size,
                       const char *purpose, dip_error *err) {
    if (need <= *capacity) {
        return DIP_OK;
    }
    size_t wanted = *capacity < 16 ? 16 : *capacity;
    while (wanted < need && dip_mul_ok(wanted, 2, &wanted)) {
    }
    if (wanted < need) {
        wanted = need;
    }
    void *grown = dip_alloc(wanted, size, purpose, err);
    if (grown == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (*pointer != NULL) {
        memcpy(grown, *pointer, *capacity * size);
        dip_free(*pointer);
    }
    *pointer = grown;
    *capacity = wanted;
    return DIP_OK;
}

char *dip_copy_text(const char *text, size_t length, const char *purpose, dip_error *err) {
    char *copy = dip_alloc(length + 1, 1, purpose, err);
    if (copy != NULL && length > 0) {
        memcpy(copy, text, length);
    }
    return copy;
}

void dip_free(void *pointer) {
    free(pointer);
}

void dip_mem_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

uint64_t dip_mem_allocations(void) {
    return atomic_load(&allocations);
}

uint64_t dip_mem_bytes(void) {
    return atomic_load(&allocated_bytes);
}

void dip_mem_fail_after(int64_t n, int sticky) {
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_countdown, n);
}
