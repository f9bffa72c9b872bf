/* SPDX-License-Identifier: Apache-2.0
 *
 * One part of a numbering in memory: a hash table of texts, none of them empty, whose records never
 * move.
 *
 *   slot     32 bits of the hash | place of the record + 1, or 0 when free; linear probing
 *   record   int32 code, uint32 length, the text; records lie in chunks at multiples of 4 bytes
 */
#ifndef DIP_PREPARE_INTERN_TABLE_H
#define DIP_PREPARE_INTERN_TABLE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct dip_intern_record {
    int32_t code;
    uint32_t length;
    char text[];
} dip_intern_record;

typedef struct dip_intern_table {
    uint64_t *slots;
    size_t n_slots; /* a power of two */
    size_t n;
    unsigned char **chunks;
    size_t n_chunks;
    size_t chunk_capacity;
    size_t chunk_used;
    size_t bytes; /* of all this */
} dip_intern_table;

/* The record of a text, or NULL. The table must not be empty of slots. */
dip_intern_record *dip_intern_table_find(const dip_intern_table *table, uint64_t hash,
                                         const char *text, size_t length);

/* The record of a text; a new one has the code given. */
dip_status dip_intern_table_add(dip_intern_table *table, uint64_t hash, const char *text,
                                size_t length, int32_t code, dip_intern_record **record,
                                bool *is_new, dip_error *err);

/* Asks for the memory that a find of this hash will look at: first the slot, then the record. */
static inline void dip_intern_table_prefetch_slot(const dip_intern_table *table, uint64_t hash) {
    __builtin_prefetch(&table->slots[hash & (table->n_slots - 1)]);
}
void dip_intern_table_prefetch_record(const dip_intern_table *table, uint64_t hash);

/* The records in the order in which they were added: begin with *chunk = *at = 0; NULL at the
 * end. */
dip_intern_record *dip_intern_table_next(const dip_intern_table *table, size_t *chunk, size_t *at);

void dip_intern_table_free(dip_intern_table *table);

#endif
