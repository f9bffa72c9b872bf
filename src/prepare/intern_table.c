/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/intern_table.h"

#include "base/hash.h"
#include "base/mem.h"

/* A place is a chunk's number and a count of 4-byte units in it. */
enum {
    CHUNK_BYTES = 1 << 15,
    UNIT_BITS = 13,
    UNIT = 4,
    FIRST_SLOTS = 64,
    TAG_SHIFT = 26,
    PLACE_LIMIT = 1 << 19
};

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> TAG_SHIFT);
}

static dip_intern_record *record_at(const dip_intern_table *table, uint64_t slot) {
    const uint32_t place = (uint32_t)slot - 1;
    return (void *)(table->chunks[place >> UNIT_BITS] +
                    (size_t)(place & ((1u << UNIT_BITS) - 1)) * UNIT);
}

/* Whether two texts of one length are the same; most are a few bytes long. */
static bool is_same(const char *a, const char *b, size_t length) {
    uint64_t left = 0;
    uint64_t right = 0;
    size_t at = 0;
    for (; at + sizeof left <= length; at += sizeof left) {
        memcpy(&left, a + at, sizeof left);
        memcpy(&right, b + at, sizeof right);
        if (left != right) {
            return false;
        }
    }
    for (; at < length; at++) {
        if (a[at] != b[at]) {
            return false;
        }
    }
    return true;
}

/* Position of the text's slot, or of the free one where it belongs. */
static size_t slot_of(const dip_intern_table *table, uint64_t hash, const char *text,
                      size_t length) {
    const size_t mask = table->n_slots - 1;
    size_t position = (size_t)hash & mask;
    for (;; position = (position + 1) & mask) {
        const uint64_t slot = table->slots[position];
        if (slot == 0) {
            return position;
        }
        if ((uint32_t)(slot >> 32) == tag_of(hash)) {
            const dip_intern_record *record = record_at(table, slot);
            if (record->length == length && is_same(record->text, text, length)) {
                return position;
            }
        }
    }
}

dip_intern_record *dip_intern_table_find(const dip_intern_table *table, uint64_t hash,
                                         const char *text, size_t length) {
    const uint64_t slot = table->slots[slot_of(table, hash, text, length)];
    return slot != 0 ? record_at(table, slot) : NULL;
}

void dip_intern_table_prefetch_record(const dip_intern_table *table, uint64_t hash) {
    const uint64_t slot = table->slots[hash & (table->n_slots - 1)];
    if (slot != 0) {
        __builtin_prefetch(record_at(table, slot));
    }
}

/* The low bits of the hash place a text, so doubling needs it again: it is made from the text. */
static dip_status grow(dip_intern_table *table, dip_error *err) {
    if (2 * (table->n + 1) <= table->n_slots) {
        return DIP_OK;
    }
    const size_t n_slots = table->n_slots > 0 ? 2 * table->n_slots : FIRST_SLOTS;
    uint64_t *slots = dip_alloc(n_slots, sizeof *slots, "an index of texts", err);
    if (slots == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < table->n_slots; i++) {
        const uint64_t slot = table->slots[i];
        if (slot == 0) {
            continue;
        }
        const dip_intern_record *record = record_at(table, slot);
        size_t position = (size_t)dip_hash(record->text, record->length) & (n_slots - 1);
        while (slots[position] != 0) {
            position = (position + 1) & (n_slots - 1);
        }
        slots[position] = slot;
    }
    dip_free(table->slots);
    table->bytes += (n_slots - table->n_slots) * sizeof *slots;
    table->slots = slots;
    table->n_slots = n_slots;
    return DIP_OK;
}

/* A record longer than a chunk has a chunk of its own. */
static dip_status add_chunk(dip_intern_table *table, size_t bytes, dip_error *err) {
    if (table->n_chunks == PLACE_LIMIT - 1) {
        return dip_fail(err, DIP_ERR_FAILED, "more than %d MiB of distinct texts in one part",
                        PLACE_LIMIT / 32);
    }
    DIP_TRY(dip_grow((void **)&table->chunks, &table->chunk_capacity, table->n_chunks + 1,
                     sizeof *table->chunks, "texts", err));
    unsigned char *chunk = dip_alloc(bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES, 1, "texts", err);
    if (chunk == NULL) {
        return DIP_ERR_MEMORY;
    }
    table->chunks[table->n_chunks++] = chunk;
    table->chunk_used = 0;
    table->bytes += bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    return DIP_OK;
}

static size_t record_bytes(size_t length) {
    return (sizeof(dip_intern_record) + length + UNIT - 1) / UNIT * UNIT;
}

static dip_status add_record(dip_intern_table *table, const char *text, size_t length, int32_t code,
                             uint32_t *place, dip_error *err) {
    const size_t bytes = record_bytes(length);
    if (table->n_chunks == 0 || table->chunk_used + bytes > CHUNK_BYTES) {
        DIP_TRY(add_chunk(table, bytes, err));
    }
    const size_t chunk = table->n_chunks - 1;
    dip_intern_record *record = (void *)(table->chunks[chunk] + table->chunk_used);
    *place = (uint32_t)(chunk << UNIT_BITS) | (uint32_t)(table->chunk_used / UNIT);
    record->code = code;
    record->length = (uint32_t)length;
    memcpy(record->text, text, length);
    table->chunk_used += bytes;
    return DIP_OK;
}

dip_status dip_intern_table_add(dip_intern_table *table, uint64_t hash, const char *text,
                                size_t length, int32_t code, dip_intern_record **record,
                                bool *is_new, dip_error *err) {
    DIP_TRY(grow(table, err));
    const size_t position = slot_of(table, hash, text, length);
    *is_new = table->slots[position] == 0;
    if (*is_new) {
        uint32_t place = 0;
        DIP_TRY(add_record(table, text, length, code, &place, err));
        table->slots[position] = ((uint64_t)tag_of(hash) << 32) | (place + 1);
        table->n++;
    }
    *record = record_at(table, table->slots[position]);
    return DIP_OK;
}

dip_intern_record *dip_intern_table_next(const dip_intern_table *table, size_t *chunk, size_t *at) {
    while (*chunk < table->n_chunks) {
        const bool is_last = *chunk + 1 == table->n_chunks;
        dip_intern_record *record = (void *)(table->chunks[*chunk] + *at);
        const bool is_over =
            is_last ? *at >= table->chunk_used
                    : *at > 0 && (*at + sizeof *record > CHUNK_BYTES || record->length == 0);
        if (!is_over) {
            *at += record_bytes(record->length);
            return record;
        }
        (*chunk)++;
        *at = 0;
    }
    return NULL;
}

void dip_intern_table_free(dip_intern_table *table) {
    for (size_t i = 0; i < table->n_chunks; i++) {
        dip_free(table->chunks[i]);
    }
    dip_free(table->chunks);
    dip_free(table->slots);
    memset(table, 0, sizeof *table);
}
