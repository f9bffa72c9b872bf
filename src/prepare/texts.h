/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of one column in one block of records, in order, on their way to be numbered.
 */
#ifndef DIP_PREPARE_TEXTS_H
#define DIP_PREPARE_TEXTS_H

#include "base/spool.h"
#include "base/text.h"

#include <stdint.h>

/* Parts that texts are divided into by their hash; a power of two. */
enum { DIP_TEXT_PARTS = 64, DIP_TEXT_PART_SHIFT = 58 };

typedef struct dip_text_ref {
    const char *text;
    uint64_t hash;
    uint32_t length;
    uint32_t place; /* in codes */
} dip_text_ref;

typedef struct dip_texts {
    dip_text_ref *list; /* [n] in order */
    dip_text_ref *by_part;
    size_t n;
    size_t list_capacity;
    size_t part_capacity;
    size_t code_capacity;
    int64_t *codes;                        /* [n] */
    const uint64_t *marks;                 /* [n] or NULL: what is to be known of an unknown text */
    size_t part_start[DIP_TEXT_PARTS + 1]; /* where each part begins in by_part */
    dip_text bytes;                        /* texts that stand in no block */
} dip_texts;

/* Adds a text that outlives the cells. */
dip_status dip_texts_add(dip_texts *cells, const char *text, size_t length, dip_error *err);

/* Adds a text that is copied. One list takes either kind. */
dip_status dip_texts_copy(dip_texts *cells, const char *text, size_t length, dip_error *err);

/* Divides the cells by part, keeping their order in each; makes room for the codes. */
dip_status dip_texts_arrange(dip_texts *cells, dip_error *err);

/* Reads a text that scratch space holds as a uint32 length and its bytes. */
dip_status dip_texts_get(dip_spool_cursor *cursor, dip_text *text, dip_error *err);

/* Forgets the cells and keeps the memory. */
void dip_texts_clear(dip_texts *cells);
void dip_texts_free(dip_texts *cells);

#endif
