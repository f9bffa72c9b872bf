/* SPDX-License-Identifier: Apache-2.0
 *
 * A vocabulary: distinct texts, numbered in the order in which they were added, with a count each.
 * It serves feature values and ids alike.
 *
 *   stored form   one line a row: value TAB count LF; the line's number (from 0) is the row; in
 *                 values, tab, line feed, carriage return and backslash are written \t \n \r \\
 */
#ifndef DIP_DATA_VOCAB_H
#define DIP_DATA_VOCAB_H

#include "base/folder.h"
#include "base/text.h"

typedef struct dip_vocab {
    dip_text bytes;
    size_t n;
    size_t *start; /* [n + 1], value i is bytes [start[i], start[i + 1]) */
    size_t start_capacity;
    int64_t *count; /* [n] */
    size_t count_capacity;
    int32_t *slots; /* open addressing; row + 1, or 0 when free */
    size_t n_slots;
} dip_vocab;

/* The row of a text, added with count 0 when it is new. *is_new may be NULL. */
dip_status dip_vocab_add(dip_vocab *vocab, const char *text, size_t length, int32_t *row,
                         bool *is_new, dip_error *err);

/* The row of a text, or -1. */
int32_t dip_vocab_find(const dip_vocab *vocab, const char *text, size_t length);

static inline const char *dip_vocab_text(const dip_vocab *vocab, size_t row, size_t *length) {
    *length = vocab->start[row + 1] - vocab->start[row];
    return vocab->bytes.data + vocab->start[row];
}

/* Writes one line of the stored form. */
dip_status dip_vocab_put(dip_writer *writer, const char *text, size_t length, int64_t count,
                         dip_error *err);

/* A line of the stored form without its LF: where its value ends, still escaped, and its count.
 * False when it is not "value TAB count". */
bool dip_vocab_split(const char *line, size_t length, size_t *value_length, int64_t *count);

/* Writes one line of the stored form, of a value that is escaped already. */
dip_status dip_vocab_put_escaped(dip_writer *writer, const char *value, size_t length,
                                 int64_t count, dip_error *err);

dip_status dip_vocab_write(const dip_vocab *vocab, dip_folder_writer *folder, const char *name,
                           dip_error *err);

/* Reads the stored form from memory; `rows` must agree. `name` is used in errors. */
dip_status dip_vocab_parse(dip_vocab *vocab, const char *text, size_t bytes, int64_t rows,
                           const char *name, dip_error *err);

/* The same from a part of a folder. */
dip_status dip_vocab_read(dip_vocab *vocab, const dip_folder *folder, const char *name,
                          int64_t rows, dip_error *err);

void dip_vocab_free(dip_vocab *vocab);

#endif
