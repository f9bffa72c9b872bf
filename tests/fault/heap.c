/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "fault/heap.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DIP_FOREIGN_HEAP
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define DIP_FOREIGN_HEAP
#endif

#ifdef DIP_FOREIGN_HEAP

bool heap_is_ours(void) {
    return false;
}

void heap_fail_after(long n, bool sticky) {
    (void)n;
    (void)sticky;
}

long heap_count(void) {
    return 0;
}

long heap_failable(void) {
    return 0;
}

long heap_live(void) {
    return 0;
}

#else

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *pointer);

enum { SLOTS = 1 << 16 };

/* Open addressing over the live blocks of aligned_alloc; a freed slot keeps TOMB. */
#define TOMB ((uintptr_t)1)
static _Atomic uintptr_t slot[SLOTS];
static atomic_long live;

static _Thread_local long countdown = -1;
static _Thread_local bool stays;
static _Thread_local long count;
static _Thread_local long failable;

/* Where the code of the OpenMP library lies. */
static uintptr_t openmp_begin;
static uintptr_t openmp_end;

static int look_for_openmp(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    (void)data;
    for (size_t i = 0; strstr(info->dlpi_name, "libgomp") != NULL && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            openmp_begin = info->dlpi_addr + part->p_vaddr;
            openmp_end = openmp_begin + part->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void find_openmp(void) {
    dl_iterate_phdr(look_for_openmp, NULL);
}

bool heap_is_ours(void) {
    return true;
}

void heap_fail_after(long n, bool sticky) {
    stays = sticky;
    countdown = n;
}

long heap_count(void) {
    return count;
}

long heap_failable(void) {
    return failable;
}

/* Without live blocks the table is swept clean of tombs, so that looking for strangers stays
 * short. */
long heap_live(void) {
    const long n = atomic_load(&live);
    if (n == 0) {
        memset((void *)slot, 0, sizeof slot);
    }
    return n;
}

/* libgomp ends the process when it gets no memory for its threads, so it always does. */
static bool must_fail(const void *caller) {
    count++;
    if ((uintptr_t)caller >= openmp_begin && (uintptr_t)caller < openmp_end) {
        return false;
    }
    failable++;
    if (countdown < 0) {
        return false;
    }
    if (countdown == 0) {
        countdown = stays ? 0 : -1;
        errno = ENOMEM;
        return true;
    }
    countdown--;
    return false;
}

static size_t home(uintptr_t key) {
    return (size_t)((key >> 6) * 0x9E3779B97F4A7C15u >> 48) & (SLOTS - 1);
}

static void remember(void *pointer) {
    size_t at = home((uintptr_t)pointer);
    for (;; at = (at + 1) & (SLOTS - 1)) {
        uintptr_t found = atomic_load(&slot[at]);
        if (found <= TOMB &&
            atomic_compare_exchange_strong(&slot[at], &found, (uintptr_t)pointer)) {
            atomic_fetch_add(&live, 1);
            return;
        }
    }
}

static void forget(void *pointer) {
    size_t at = home((uintptr_t)pointer);
    for (size_t i = 0; i < SLOTS; i++, at = (at + 1) & (SLOTS - 1)) {
        const uintptr_t found = atomic_load(&slot[at]);
        if (found == 0) {
            return;
        }
        if (found == (uintptr_t)pointer) {
            atomic_store(&slot[at], TOMB);
            atomic_fetch_sub(&live, 1);
            return;
        }
    }
}

void *malloc(size_t bytes) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t size) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *pointer, size_t bytes) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(pointer, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **pointer, size_t alignment, size_t bytes) {
    void *found = must_fail(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, bytes);
    if (found == NULL) {
        return ENOMEM;
    }
    *pointer = found;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    void *pointer =
        must_fail(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, bytes);
    if (pointer != NULL) {
        remember(pointer);
    }
    return pointer;
}

void free(void *pointer) {
    if (pointer != NULL && ((uintptr_t)pointer & 63) == 0) {
        forget(pointer);
    }
    __libc_free(pointer);
}

#endif
