/* SPDX-License-Identifier: Apache-2.0 */
#include "import/titles.h"

#include "base/hash.h"

enum { CHUNK_SHIFT = 24, HEAD_BYTES = 2, FIRST_SLOTS = 1 << 12 };

#define CHUNK_BYTES ((size_t)1 << CHUNK_SHIFT)

static char *at(const dip_titles *titles, size_t place) {
    return titles->chunks[place >> CHUNK_SHIFT] + (place & (CHUNK_BYTES - 1));
}

const char *dip_titles_get(const dip_titles *titles, uint32_t number, size_t *length) {
    const char *head = at(titles, dip_numbers_get(&titles->start, number));
    *length = (size_t)(unsigned char)head[0] + 256 * (size_t)(unsigned char)head[1];
    return head + HEAD_BYTES;
}

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

/* The slot of a title, or the empty one where it would go. The table is never full. */
static size_t find_slot(const dip_titles *titles, uint64_t hash, const char *text, size_t length) {
    const size_t mask = titles->n_slots - 1;
    size_t slot = hash & mask;
    for (; titles->slots[slot].number != 0; slot = (slot + 1) & mask) {
        if (titles->slots[slot].tag != tag_of(hash)) {
            continue;
        }
        size_t size = 0;
        const char *title = dip_titles_get(titles, titles->slots[slot].number - 1, &size);
        if (size == length && memcmp(title, text, length) == 0) {
            break;
        }
    }
    return slot;
}

uint32_t dip_titles_find(const dip_titles *titles, const char *text, size_t length) {
    if (titles->n_slots == 0) {
        return DIP_NO_TITLE;
    }
    const size_t slot = find_slot(titles, dip_hash(text, length), text, length);
    return titles->slots[slot].number - 1; /* 0 becomes DIP_NO_TITLE */
}

/* Doubles the table. All titles differ, so that each goes to the first empty slot. */
static dip_status grow_slots(dip_titles *titles, dip_error *err) {
    const size_t n_slots = titles->n_slots > 0 ? 2 * titles->n_slots : FIRST_SLOTS;
    dip_title_slot *slots = dip_alloc(n_slots, sizeof *slots, "a table of titles", err);
    if (slots == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < titles->n_slots; i++) {
        size_t length = 0;
        if (titles->slots[i].number == 0) {
            continue;
        }
        const char *text = dip_titles_get(titles, titles->slots[i].number - 1, &length);
        size_t slot = dip_hash(text, length) & (n_slots - 1);
        while (slots[slot].number != 0) {
            slot = (slot + 1) & (n_slots - 1);
        }
        slots[slot] = titles->slots[i];
    }
    dip_free(titles->slots);
    titles->slots = slots;
    titles->n_slots = n_slots;
    return DIP_OK;
}

/* Room for a title in the arena; titles do not cross from one chunk to the next. */
static dip_status make_room(dip_titles *titles, size_t length, dip_error *err) {
    const size_t left = CHUNK_BYTES - (titles->used & (CHUNK_BYTES - 1));
    if (left < HEAD_BYTES + length) {
        titles->used += left;
    }
    const size_t chunk = titles->used >> CHUNK_SHIFT;
    if (length > DIP_TITLE_BYTES || chunk >= DIP_TITLE_CHUNKS) {
        return dip_fail(err, DIP_ERR_FAILED,
                        length > DIP_TITLE_BYTES ? "a title of %zu bytes is too long"
                                                 : "more than 4 GB of titles, at one of %zu bytes",
                        length);
    }
    if (titles->chunks[chunk] == NULL) {
        titles->chunks[chunk] = dip_alloc(CHUNK_BYTES, 1, "titles", err);
    }
    return titles->chunks[chunk] != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status add(dip_titles *titles, const char *text, size_t length, dip_error *err) {
    DIP_TRY(make_room(titles, length, err));
    char *head = at(titles, titles->used);
    head[0] = (char)(length & 255);
    head[1] = (char)(length >> 8);
    memcpy(head + HEAD_BYTES, text, length);
    DIP_TRY(dip_numbers_put(&titles->start, (uint32_t)titles->used, err));
    titles->used += HEAD_BYTES + length;
    return DIP_OK;
}

dip_status dip_titles_put(dip_titles *titles, const char *text, size_t length, uint32_t *number,
                          bool *is_new, dip_error *err) {
    const size_t n = dip_titles_count(titles);
    const uint64_t hash = dip_hash(text, length);
    if (4 * (n + 1) > 3 * titles->n_slots) {
        DIP_TRY(grow_slots(titles, err));
    }
    const size_t slot = find_slot(titles, hash, text, length);
    *is_new = titles->slots[slot].number == 0;
    if (*is_new) {
        DIP_TRY(add(titles, text, length, err));
        titles->slots[slot] = (dip_title_slot){tag_of(hash), (uint32_t)n + 1};
    }
    *number = titles->slots[slot].number - 1;
    return DIP_OK;
}

size_t dip_titles_bytes(const dip_titles *titles) {
    size_t bytes = titles->n_slots * sizeof *titles->slots + dip_numbers_bytes(&titles->start);
    for (size_t i = 0; i < DIP_TITLE_CHUNKS; i++) {
        bytes += titles->chunks[i] != NULL ? CHUNK_BYTES : 0;
    }
    return bytes;
}

void dip_titles_free(dip_titles *titles) {
    for (size_t i = 0; i < DIP_TITLE_CHUNKS; i++) {
        dip_free(titles->chunks[i]);
    }
    dip_numbers_free(&titles->start);
    dip_free(titles->slots);
    memset(titles, 0, sizeof *titles);
}
