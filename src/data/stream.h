/* SPDX-License-Identifier: Apache-2.0
 *
 * A byte stream from a plain, .gz or .zst file, chosen by the name's ending. Concatenated gzip
 * members and zstd frames are read through; data that ends inside one is an error.
 */
#ifndef DIP_DATA_STREAM_H
#define DIP_DATA_STREAM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dip_stream dip_stream;

dip_status dip_stream_open(dip_stream **out, const char *path, dip_error *err);

/* The same over bytes in memory, which must outlive the stream. `name` chooses the codec and is
 * used in errors. */
dip_status dip_stream_open_bytes(dip_stream **out, const void *data, size_t bytes, const char *name,
                                 dip_error *err);

/* Reads up to capacity bytes; *got = 0 only at the end. */
dip_status dip_stream_read(dip_stream *stream, void *data, size_t capacity, size_t *got,
                           dip_error *err);

/* Bytes of the file read so far (compressed ones), and its size. */
uint64_t dip_stream_position(const dip_stream *stream);
uint64_t dip_stream_size(const dip_stream *stream);

void dip_stream_close(dip_stream *stream);

/* Whether a name ends with an ending, such as ".gz". */
bool dip_name_ends_with(const char *name, const char *ending);

#endif
