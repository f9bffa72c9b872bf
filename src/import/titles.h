/* SPDX-License-Identifier: Apache-2.0
 *
 * Tens of millions of distinct titles, numbered from 0 in the order in which they come: the bytes
 * in an arena, and a hash table from bytes to number.
 *
 *   arena   | length (2 bytes) | bytes | length | bytes ...     in chunks of 16 MB, up to 4 GB
 *   slot    | 32 bits of the hash | number + 1 |                0: empty
 *
 * The bits in the slot spare nearly every look at a title that is another one. A title takes its
 * bytes and 6 more, and 11 to 21 for the table.
 */
#ifndef DIP_IMPORT_TITLES_H
#define DIP_IMPORT_TITLES_H

#include "import/numbers.h"

#include <stdbool.h>

enum { DIP_TITLE_BYTES = 65535, DIP_TITLE_CHUNKS = 256 };

#define DIP_NO_TITLE UINT32_MAX

typedef struct dip_title_slot {
    uint32_t tag;
    uint32_t number;
} dip_title_slot;

/* Zero-initialise. */
typedef struct dip_titles {
    char *chunks[DIP_TITLE_CHUNKS];
    size_t used;       /* of the arena, with what the ends of chunks leave over */
    dip_numbers start; /* place in the arena, by number */
    dip_title_slot *slots;
    size_t n_slots; /* a power of two */
} dip_titles;

/* The number of a title, which is added when it is new.
 *
 * DIP_ERR_FAILED   a title of more than DIP_TITLE_BYTES, or more than 4 GB of titles. */
dip_status dip_titles_put(dip_titles *titles, const char *text, size_t length, uint32_t *number,
                          bool *is_new, dip_error *err);

/* The number of a title, or DIP_NO_TITLE. */
uint32_t dip_titles_find(const dip_titles *titles, const char *text, size_t length);

/* The title of a number, which exists. Borrowed. */
const char *dip_titles_get(const dip_titles *titles, uint32_t number, size_t *length);

static inline size_t dip_titles_count(const dip_titles *titles) {
    return titles->start.n;
}

/* Bytes of memory taken. */
size_t dip_titles_bytes(const dip_titles *titles);

void dip_titles_free(dip_titles *titles);

#endif
