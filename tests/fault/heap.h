/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole heap of a test program: malloc and its family, replaced by functions that can count
 * and fail, for our library and every library below it. Sanitizers bring a heap of their own; then
 * nothing here is in force and heap_is_ours() says so.
 */
#ifndef DIP_TESTS_HEAP_H
#define DIP_TESTS_HEAP_H

#include <stdbool.h>

bool heap_is_ours(void);

/* In this thread: the allocation after n further ones fails, and so do all later ones when sticky.
 * A negative n turns this off. */
void heap_fail_after(long n, bool sticky);

/* Allocations of this thread so far; and those of them that heap_fail_after counts, which are all
 * but the OpenMP library's own. */
long heap_count(void);
long heap_failable(void);

/* Blocks of dip_alloc (the one caller of aligned_alloc) that are not yet freed. */
long heap_live(void);

#endif
