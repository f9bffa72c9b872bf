/* SPDX-License-Identifier: Apache-2.0 */
#include "import/id_map.h"

#include "base/order.h"

#include <stdlib.h>

dip_status dip_id_map_put(dip_id_map *map, uint32_t id, uint32_t value, dip_error *err) {
    const size_t n = map->ids.n;
    map->is_unsorted |= n > 0 && id < dip_numbers_get(&map->ids, n - 1);
    DIP_TRY(dip_numbers_put(&map->ids, id, err));
    return dip_numbers_put(&map->values, value, err);
}

static dip_status sort(dip_id_map *map, dip_error *err) {
    const size_t n = map->ids.n;
    uint64_t *both = dip_alloc(n, sizeof *both, "ids to sort", err);
    if (both == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        both[i] = (uint64_t)dip_numbers_get(&map->ids, i) << 32 | dip_numbers_get(&map->values, i);
    }
    qsort(both, n, sizeof *both, dip_order_u64);
    for (size_t i = 0; i < n; i++) {
        dip_numbers_set(&map->ids, i, (uint32_t)(both[i] >> 32));
        dip_numbers_set(&map->values, i, (uint32_t)both[i]);
    }
    dip_free(both);
    return DIP_OK;
}

/* Fills the numbers of ids before each word. */
static void count_before(dip_id_map *map) {
    uint32_t before = 0;
    for (size_t b = 0; b < DIP_ID_BLOCKS; b++) {
        for (size_t w = 0; map->blocks[b] != NULL && w < DIP_ID_BLOCK_WORDS; w++) {
            map->blocks[b][w].before = before;
            before += (uint32_t)__builtin_popcountll(map->blocks[b][w].bits);
        }
    }
}

dip_status dip_id_map_seal(dip_id_map *map, uint32_t *twice, dip_error *err) {
    if (map->is_unsorted) {
        DIP_TRY(sort(map, err));
    }
    for (size_t i = 0; i < map->ids.n; i++) {
        const uint32_t id = dip_numbers_get(&map->ids, i);
        dip_id_word **block = &map->blocks[id >> DIP_ID_BLOCK_SHIFT];
        if (*block == NULL) {
            *block = dip_alloc(DIP_ID_BLOCK_WORDS, sizeof **block, "a map of ids", err);
        }
        if (*block == NULL) {
            return DIP_ERR_MEMORY;
        }
        dip_id_word *word = &(*block)[(id >> 6) & (DIP_ID_BLOCK_WORDS - 1)];
        if (word->bits >> (id & 63) & 1) {
            *twice = id;
            return dip_fail(err, DIP_ERR_FAILED, "the id %lu occurs twice", (unsigned long)id);
        }
        word->bits |= UINT64_C(1) << (id & 63);
    }
    count_before(map);
    dip_numbers_free(&map->ids);
    return DIP_OK;
}

bool dip_id_map_from(const dip_id_map *map, uint32_t *id, uint32_t *value) {
    uint64_t at = *id;
    while (at <= UINT32_MAX) {
        const dip_id_word *word = dip_id_map_word(map, (uint32_t)at);
        const uint64_t bits = word != NULL ? word->bits >> (at & 63) : 0;
        if (bits != 0) {
            *id = (uint32_t)at + (uint32_t)__builtin_ctzll(bits);
            return dip_id_map_get(map, *id, value);
        }
        const unsigned shift = word != NULL ? 6 : DIP_ID_BLOCK_SHIFT;
        at = ((at >> shift) + 1) << shift;
    }
    return false;
}

size_t dip_id_map_bytes(const dip_id_map *map) {
    size_t bytes = dip_numbers_bytes(&map->ids) + dip_numbers_bytes(&map->values);
    for (size_t b = 0; b < DIP_ID_BLOCKS; b++) {
        bytes += map->blocks[b] != NULL ? DIP_ID_BLOCK_WORDS * sizeof **map->blocks : 0;
    }
    return bytes;
}

void dip_id_map_free(dip_id_map *map) {
    for (size_t b = 0; b < DIP_ID_BLOCKS; b++) {
        dip_free(map->blocks[b]);
    }
    dip_numbers_free(&map->ids);
    dip_numbers_free(&map->values);
    memset(map, 0, sizeof *map);
}

dip_status dip_id_set_put(dip_id_set *set, uint32_t id, dip_error *err) {
    uint64_t **block = &set->blocks[id >> DIP_ID_BLOCK_SHIFT];
    if (*block == NULL) {
        *block = dip_alloc(DIP_ID_BLOCK_WORDS, sizeof **block, "a set of ids", err);
    }
    if (*block == NULL) {
        return DIP_ERR_MEMORY;
    }
    (*block)[(id >> 6) & (DIP_ID_BLOCK_WORDS - 1)] |= UINT64_C(1) << (id & 63);
    return DIP_OK;
}

size_t dip_id_set_bytes(const dip_id_set *set) {
    size_t bytes = 0;
    for (size_t b = 0; b < DIP_ID_BLOCKS; b++) {
        bytes += set->blocks[b] != NULL ? DIP_ID_BLOCK_WORDS * sizeof **set->blocks : 0;
    }
    return bytes;
}

void dip_id_set_free(dip_id_set *set) {
    for (size_t b = 0; b < DIP_ID_BLOCKS; b++) {
        dip_free(set->blocks[b]);
    }
    memset(set, 0, sizeof *set);
}
