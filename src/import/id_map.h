/* SPDX-License-Identifier: Apache-2.0
 *
 * A map from 32-bit ids, of which tens of millions among hundreds of millions occur, to 32-bit
 * values. All ids are put in first; then the map is sealed: a bit for each id of the range, with
 * the number of ids before its word, leads to the id's place in the list of values. That takes 4
 * bytes for an id and 2 bits for each number of the range; a look-up touches two cache lines.
 *
 *   blocks[id >> 24] -> words[(id >> 6) & 0x3FFFF] = {64 bits, ids before}
 */
#ifndef DIP_IMPORT_ID_MAP_H
#define DIP_IMPORT_ID_MAP_H

#include "import/numbers.h"

#include <stdbool.h>

enum { DIP_ID_BLOCKS = 256, DIP_ID_BLOCK_SHIFT = 24, DIP_ID_BLOCK_WORDS = 1 << 18 };

typedef struct dip_id_word {
    uint64_t bits;
    uint32_t before;
} dip_id_word;

/* Zero-initialise. */
typedef struct dip_id_map {
    dip_id_word *blocks[DIP_ID_BLOCKS];
    dip_numbers ids; /* until the map is sealed */
    dip_numbers values;
    bool is_unsorted;
} dip_id_map;

/* Adds an id; those that come in ascending order, as in a dump, need no sorting later. */
dip_status dip_id_map_put(dip_id_map *map, uint32_t id, uint32_t value, dip_error *err);

/* After the last id. DIP_ERR_FAILED: an id occurs twice; *twice is the id. */
dip_status dip_id_map_seal(dip_id_map *map, uint32_t *twice, dip_error *err);

/* The word of an id, or NULL when nothing near it occurs. */
static inline const dip_id_word *dip_id_map_word(const dip_id_map *map, uint32_t id) {
    const dip_id_word *block = map->blocks[id >> DIP_ID_BLOCK_SHIFT];
    return block != NULL ? &block[(id >> 6) & (DIP_ID_BLOCK_WORDS - 1)] : NULL;
}

/* Whether an id was put in, and its value. */
static inline bool dip_id_map_get(const dip_id_map *map, uint32_t id, uint32_t *value) {
    const dip_id_word *word = dip_id_map_word(map, id);
    const uint64_t bit = UINT64_C(1) << (id & 63);
    if (word == NULL || (word->bits & bit) == 0) {
        return false;
    }
    const size_t place = word->before + (size_t)__builtin_popcountll(word->bits & (bit - 1));
    *value = dip_numbers_get(&map->values, place);
    return true;
}

/* The smallest id that is not below *id, with its value; false behind the last one. */
bool dip_id_map_from(const dip_id_map *map, uint32_t *id, uint32_t *value);

size_t dip_id_map_bytes(const dip_id_map *map);

void dip_id_map_free(dip_id_map *map);

/* A set of 32-bit ids: a bit for each number of the range. Zero-initialise. */
typedef struct dip_id_set {
    uint64_t *blocks[DIP_ID_BLOCKS];
} dip_id_set;

dip_status dip_id_set_put(dip_id_set *set, uint32_t id, dip_error *err);

static inline bool dip_id_set_has(const dip_id_set *set, uint32_t id) {
    const uint64_t *block = set->blocks[id >> DIP_ID_BLOCK_SHIFT];
    return block != NULL && (block[(id >> 6) & (DIP_ID_BLOCK_WORDS - 1)] >> (id & 63) & 1) != 0;
}

size_t dip_id_set_bytes(const dip_id_set *set);

void dip_id_set_free(dip_id_set *set);

#endif
