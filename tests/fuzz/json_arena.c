/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/json_arena.h"

#include "fuzz/fuzz.h"

#include <jansson.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

enum { ARENA = 8 << 20, ALIGN = 16, GAP = 16 };

static _Alignas(16) unsigned char arena[ARENA];
static size_t used;
static size_t highest;
static size_t left; /* blocks handed out and not freed */
static bool is_on;

/* A block is preceded by its size, in a gap that is poisoned. */
static void *take(size_t bytes) {
    const size_t whole = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!is_on || bytes > ARENA - 2 * GAP || used > ARENA - 2 * GAP - whole) {
        return malloc(bytes);
    }
    unsigned char *block = arena + used + GAP;
    used += GAP + whole;
    highest = used > highest ? used : highest;
    ASAN_UNPOISON_MEMORY_REGION(block - sizeof bytes, sizeof bytes);
    *(size_t *)(void *)(block - sizeof bytes) = bytes;
    ASAN_POISON_MEMORY_REGION(block - sizeof bytes, sizeof bytes);
    ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    left++;
    return block;
}

static void give(void *pointer) {
    unsigned char *block = pointer;
    if (block < arena || block >= arena + ARENA) {
        free(pointer);
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION(block - sizeof(size_t), sizeof(size_t));
    const size_t bytes = *(size_t *)(void *)(block - sizeof bytes);
    ASAN_POISON_MEMORY_REGION(block - sizeof bytes, sizeof bytes);
    ASAN_POISON_MEMORY_REGION(block, bytes);
    left--;
}

void json_arena_begin(void) {
    used = 0;
    is_on = true;
    ASAN_POISON_MEMORY_REGION(arena, highest > 0 ? highest : ARENA);
    highest = 0;
    json_set_alloc_funcs(take, give);
}

void json_arena_end(void) {
    CLAIM(left == 0);
    is_on = false;
}
