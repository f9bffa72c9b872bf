/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/visible.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

dip_status dip_visible_create(dip_visible *visible, size_t capacity, int threads, dip_error *err) {
    static const char PURPOSE[] = "what views show";
    memset(visible, 0, sizeof *visible);
    visible->threads = threads;
    visible->slots = 16;
    while (visible->slots < 2 * capacity) {
        visible->slots *= 2;
    }
    visible->hash = dip_alloc(capacity, sizeof *visible->hash, PURPOSE, err);
    visible->h = dip_alloc(capacity, sizeof *visible->h, PURPOSE, err);
    visible->g = dip_alloc(capacity, sizeof *visible->g, PURPOSE, err);
    visible->slot = dip_alloc(visible->slots, sizeof *visible->slot, PURPOSE, err);
    if (visible->hash == NULL || visible->h == NULL || visible->g == NULL ||
        visible->slot == NULL) {
        dip_visible_free(visible);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* 0 is a number, too: only what shows the default is 0. */
static uint64_t hash_number(float number) {
    const float plain = number + 0.0f; /* -0 is 0 */
    uint32_t bits = 0;
    memcpy(&bits, &plain, sizeof bits);
    return isnan(number) ? 0 : mix((UINT64_C(1) << 32) | bits);
}

static uint64_t hash_code(int32_t code) {
    return code < 0 ? 0 : mix((uint64_t)code + 1);
}

/* A sum does not depend on the order. */
static uint64_t hash_cell(const dip_sight *sight, size_t f, int32_t row) {
    const dip_column *column = &sight->rows->columns[f];
    if (column->numbers != NULL) {
        return hash_number(column->numbers[row]);
    }
    if (column->offsets == NULL) {
        const int32_t code = column->codes[row];
        return hash_code(dip_block_knows(&sight->tower->block[f], code) ? code : -1);
    }
    uint64_t sum = 0;
    for (int64_t at = column->offsets[row]; at < column->offsets[row + 1]; at++) {
        sum += hash_code(column->codes[at]);
    }
    return sum;
}

static uint64_t hash_row(const dip_sight *sight, size_t i) {
    const uint64_t mask = sight->each != NULL ? sight->each[i] : sight->mask;
    uint64_t hash = 0;
    for (size_t f = 0; f < sight->tower->n_blocks; f++) {
        const bool is_masked = (mask >> f) & 1;
        const uint64_t cell = is_masked ? 0 : hash_cell(sight, f, sight->row[i]);
        hash = mix(hash + cell + UINT64_C(0x9E3779B97F4A7C15));
    }
    return hash;
}

/* The first row of the same hash, by linear probing. */
static int32_t number_of(dip_visible *visible, size_t i) {
    size_t at = (size_t)visible->hash[i] & (visible->slots - 1);
    while (visible->slot[at] != 0 && visible->hash[visible->slot[at] - 1] != visible->hash[i]) {
        at = (at + 1) & (visible->slots - 1);
    }
    if (visible->slot[at] == 0) {
        visible->slot[at] = (uint32_t)i + 1;
    }
    return (int32_t)(visible->slot[at] - 1);
}

void dip_visible_find(dip_visible *visible, const dip_sight *sight, int32_t *number) {
#pragma omp parallel for schedule(static) num_threads(visible->threads)
    for (size_t i = 0; i < sight->n; i++) {
        visible->hash[i] = hash_row(sight, i);
    }
    memset(visible->slot, 0, visible->slots * sizeof *visible->slot);
    for (size_t i = 0; i < sight->n; i++) {
        number[i] = number_of(visible, i);
    }
}

void dip_visible_free(dip_visible *visible) {
    dip_free(visible->hash);
    dip_free(visible->h);
    dip_free(visible->g);
    dip_free(visible->slot);
    memset(visible, 0, sizeof *visible);
}
