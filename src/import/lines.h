/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of a text file, plain, .gz or .zst, one after the other in bounded memory.
 */
#ifndef DIP_IMPORT_LINES_H
#define DIP_IMPORT_LINES_H

#include "data/stream.h"

enum { DIP_LINE_LIMIT = 16 << 20 };

typedef struct dip_lines {
    dip_stream *stream;
    const char *path; /* borrowed */
    char *buffer;
    size_t capacity;
    size_t at;
    size_t filled;
    uint64_t number; /* of the line given out last, from 1 */
} dip_lines;

/* Keeps the pointer to the path. Close it whatever the outcome. */
dip_status dip_lines_open(dip_lines *lines, const char *path, dip_error *err);

/* The next line without its end (\n or \r\n), borrowed until the next call; DIP_END after the
 * last. */
dip_status dip_lines_next(dip_lines *lines, const char **line, size_t *length, dip_error *err);

void dip_lines_close(dip_lines *lines);

#endif
