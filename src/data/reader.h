/* SPDX-License-Identifier: Apache-2.0
 *
 * Delimited records: .tsv (tabs, no quoting) and .csv (RFC 4180: commas, quotes doubled inside
 * quotes, line breaks inside quotes), plain or compressed, with a header line that names the
 * columns.
 */
#ifndef DIP_DATA_READER_H
#define DIP_DATA_READER_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { DIP_RECORD_LIMIT = 16 << 20, DIP_COLUMN_LIMIT = 4096 };

typedef struct dip_field {
    const char *text; /* NUL-terminated; valid until the next record is read */
    size_t length;
} dip_field;

typedef struct dip_reader dip_reader;

/* Opens the file and reads its header. */
dip_status dip_reader_open(dip_reader **out, const char *path, dip_error *err);

/* The position of a column; DIP_ERR_FORMAT lists the columns there are and names the nearest. */
dip_status dip_reader_column(const dip_reader *reader, const char *name, size_t *column,
                             dip_error *err);

/* The next record: as many fields as the header has. DIP_END after the last one. Empty lines are
 * passed over. Every record is valid UTF-8 without NUL bytes. */
dip_status dip_reader_next(dip_reader *reader, const dip_field **fields, dip_error *err);

/* The line on which the current record begins, 1 for the header. */
uint64_t dip_reader_line(const dip_reader *reader);
const char *dip_reader_path(const dip_reader *reader);

/* Bytes of the file consumed, and its size, for progress. */
uint64_t dip_reader_position(const dip_reader *reader);
uint64_t dip_reader_size(const dip_reader *reader);

/* Fails with "path:line: column NAME: " before the text. */
dip_status dip_reader_fail(const dip_reader *reader, size_t column, dip_error *err,
                           const char *format, ...) DIP_PRINTF(4, 5);

void dip_reader_close(dip_reader *reader);

#endif
