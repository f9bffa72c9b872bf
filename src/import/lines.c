/* SPDX-License-Identifier: Apache-2.0 */
#include "import/lines.h"

#include "base/mem.h"

#include <string.h>

enum { READ_BYTES = 1 << 18 };

dip_status dip_lines_open(dip_lines *lines, const char *path, dip_error *err) {
    *lines = (dip_lines){.path = path};
    return dip_stream_open(&lines->stream, path, err);
}

/* How much to read at once: little of a small file. */
static size_t step_for(const dip_lines *lines) {
    const uint64_t size = dip_stream_size(lines->stream);
    return size > 0 && size < READ_BYTES ? (size_t)size : READ_BYTES;
}

/* Moves what is left to the front and reads more behind it. */
static dip_status fill(dip_lines *lines, size_t *got, dip_error *err) {
    if (lines->at > 0) {
        memmove(lines->buffer, lines->buffer + lines->at, lines->filled - lines->at);
    }
    lines->filled -= lines->at;
    lines->at = 0;
    if (lines->filled > DIP_LINE_LIMIT) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: the line is longer than %d MiB", lines->path,
                        (unsigned long long)lines->number + 1, DIP_LINE_LIMIT >> 20);
    }
    DIP_TRY(dip_grow((void **)&lines->buffer, &lines->capacity, lines->filled + step_for(lines), 1,
                     "lines", err));
    DIP_TRY(dip_stream_read(lines->stream, lines->buffer + lines->filled,
                            lines->capacity - lines->filled, got, err));
    lines->filled += *got;
    return DIP_OK;
}

dip_status dip_lines_next(dip_lines *lines, const char **line, size_t *length, dip_error *err) {
    size_t scanned = 0;
    size_t got = 1;
    char *end = NULL;
    while (end == NULL && got > 0) {
        const size_t left = lines->filled - lines->at;
        end = left > scanned ? memchr(lines->buffer + lines->at + scanned, '\n', left - scanned)
                             : NULL;
        scanned = left;
        if (end == NULL) {
            DIP_TRY(fill(lines, &got, err));
        }
    }
    if (end == NULL && lines->at == lines->filled) {
        return DIP_END;
    }
    const char *start = lines->buffer + lines->at;
    *length = end != NULL ? (size_t)(end - start) : lines->filled - lines->at;
    lines->at += *length + (end != NULL);
    *length -= *length > 0 && start[*length - 1] == '\r';
    *line = start;
    lines->number++;
    return DIP_OK;
}

void dip_lines_close(dip_lines *lines) {
    dip_stream_close(lines->stream);
    dip_free(lines->buffer);
    *lines = (dip_lines){0};
}
