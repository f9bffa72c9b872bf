/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/texts.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

static dip_status add(dip_texts *cells, const char *text, const char *bytes, size_t length,
                      dip_error *err) {
    if (cells->n == cells->list_capacity) {
        DIP_TRY(dip_grow((void **)&cells->list, &cells->list_capacity, cells->n + 1,
                         sizeof *cells->list, "cells of a block", err));
    }
    cells->list[cells->n] = (dip_text_ref){.text = text,
                                           .hash = dip_hash(bytes, length),
                                           .length = (uint32_t)length,
                                           .place = (uint32_t)cells->n};
    cells->n++;
    return DIP_OK;
}

dip_status dip_texts_add(dip_texts *cells, const char *text, size_t length, dip_error *err) {
    return add(cells, text, text, length, err);
}

dip_status dip_texts_copy(dip_texts *cells, const char *text, size_t length, dip_error *err) {
    DIP_TRY(dip_text_put(&cells->bytes, text, length, err));
    /* The bytes may move while more are added: their place is found by dip_texts_arrange. */
    return add(cells, NULL, text, length, err);
}

static void find_copies(dip_texts *cells) {
    const char *at = cells->bytes.data;
    for (size_t i = 0; i < cells->n; i++) {
        cells->list[i].text = at;
        at += cells->list[i].length;
    }
}

dip_status dip_texts_arrange(dip_texts *cells, dip_error *err) {
    DIP_TRY(dip_grow((void **)&cells->by_part, &cells->part_capacity, cells->n,
                     sizeof *cells->by_part, "cells of a block", err));
    DIP_TRY(dip_grow((void **)&cells->codes, &cells->code_capacity, cells->n, sizeof *cells->codes,
                     "codes of a block", err));
    if (cells->bytes.length > 0) {
        find_copies(cells);
    }
    size_t next[DIP_TEXT_PARTS] = {0};
    for (size_t i = 0; i < cells->n; i++) {
        next[cells->list[i].hash >> DIP_TEXT_PART_SHIFT]++;
    }
    size_t start = 0;
    for (size_t p = 0; p < DIP_TEXT_PARTS; p++) {
        cells->part_start[p] = start;
        start += next[p];
        next[p] = cells->part_start[p];
    }
    cells->part_start[DIP_TEXT_PARTS] = start;
    for (size_t i = 0; i < cells->n; i++) {
        cells->by_part[next[cells->list[i].hash >> DIP_TEXT_PART_SHIFT]++] = cells->list[i];
    }
    return DIP_OK;
}

dip_status dip_texts_get(dip_spool_cursor *cursor, dip_text *text, dip_error *err) {
    uint32_t length = 0;
    DIP_TRY(dip_spool_get(cursor, &length, sizeof length, err));
    DIP_TRY(dip_grow((void **)&text->data, &text->capacity, (size_t)length + 1, 1, "a text", err));
    text->length = length;
    return dip_spool_get(cursor, text->data, length, err);
}

void dip_texts_clear(dip_texts *cells) {
    cells->n = 0;
    cells->marks = NULL;
    dip_text_clear(&cells->bytes);
}

void dip_texts_free(dip_texts *cells) {
    dip_free(cells->list);
    dip_free(cells->by_part);
    dip_free(cells->codes);
    dip_text_free(&cells->bytes);
    memset(cells, 0, sizeof *cells);
}
