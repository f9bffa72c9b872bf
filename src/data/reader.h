/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of records, spread over one or more files of the same columns:
 *
 *   TSV          tabs, no quoting; another delimiter of one or more bytes when the dialect says so
 *   CSV          RFC 4180: commas, quotes doubled inside quotes, line breaks inside quotes
 *   JSON lines   one object a line
 *
 * each plain or compressed. Files are read in the order given, one after the other. Reading is cut
 * in two so that many threads can share it: one thread at a time takes the next block of whole
 * records, and any number of threads cut their blocks into fields.
 */
#ifndef DIP_DATA_READER_H
#define DIP_DATA_READER_H

#include "base/status.h"
#include "base/text.h"
#include "data/scan.h"

#include <stddef.h>
#include <stdint.h>

enum { DIP_RECORD_LIMIT = 16 << 20, DIP_COLUMN_LIMIT = 4096, DIP_BLOCK_BYTES = 1 << 20 };

typedef enum dip_format {
    DIP_FORMAT_BY_NAME, /* .tsv .csv .jsonl .ndjson .inter .item .user .kg .link .net */
    DIP_FORMAT_TSV,
    DIP_FORMAT_CSV,
    DIP_FORMAT_JSONL
} dip_format;

typedef enum dip_encoding { DIP_ENCODING_UTF8, DIP_ENCODING_LATIN1 } dip_encoding;

/* How the files are written, where their names do not say it. Zeroed: all by name. */
typedef struct dip_dialect {
    dip_format format;
    const char *const *columns; /* names for files without a header line; NULL: there is one */
    size_t n_columns;
    const char *delimiter; /* NULL: a tab or a comma */
    dip_encoding encoding;
    size_t block_bytes; /* 0: DIP_BLOCK_BYTES; tests make blocks small */
} dip_dialect;

typedef struct dip_field {
    const char *text; /* NUL-terminated; valid until the block is taken again */
    size_t length;
} dip_field;

typedef struct dip_reader dip_reader;

/* Opens the table: learns the size of every file, and reads the header of the first one. The
 * arguments are copied; dialect may be NULL. */
dip_status dip_reader_open(dip_reader **out, const char *const *paths, size_t n_paths,
                           const dip_dialect *dialect, dip_error *err);

/* The position of a column in the first file; DIP_ERR_FORMAT lists the columns there are and names
 * the nearest. The columns of JSON lines are the keys of the first 1000 records (and 16 MiB). */
dip_status dip_reader_column(const dip_reader *reader, const char *name, size_t *column,
                             dip_error *err);

/* Blocks deliver these columns in this order; a column may occur more than once. Without this call
 * they deliver all of the first file. To be called before the first block is taken.
 *
 * separators   [n] or NULL; separators[i], where it is not NULL, joins the elements of an array in
 *              JSON lines. Elsewhere an array is an error. */
dip_status dip_reader_select(dip_reader *reader, const size_t *columns,
                             const char *const *separators, size_t n, dip_error *err);

/* The file, or for several "FIRST and N more": for messages about the table. */
const char *dip_reader_name(const dip_reader *reader);

/* Bytes of all files consumed (compressed ones), and their size. dip_reader_position may be called
 * while another thread takes a block. */
uint64_t dip_reader_position(const dip_reader *reader);
uint64_t dip_reader_size(const dip_reader *reader);

/* Blocks of this reader must not be used any more, but freed. */
void dip_reader_close(dip_reader *reader);

/* ---- blocks ---------------------------------------------------------------------------------- */

typedef struct dip_sheet dip_sheet;

/* Whole records of one file, in a buffer of its own that is used again. Zero-initialise; free with
 * dip_block_free. The members are private. */
typedef struct dip_block {
    const dip_sheet *sheet;
    char *bytes;
    size_t capacity;
    size_t size;      /* the records; the last byte is a line feed */
    size_t at;        /* where the next record begins */
    uint64_t line;    /* of the current record */
    uint64_t at_line; /* of the next one */
    uint32_t *marks;  /* places of separators, found ahead: [n_marks], of which [mark, n_marks) */
    size_t n_marks;   /* are yet to be used */
    size_t mark;
    size_t mark_capacity;
    size_t scanned;    /* bytes looked through for marks */
    dip_quotes quotes; /* at `scanned` */
    bool is_checked;   /* for NUL and UTF-8 */
    bool is_bad;       /* some record is: each is checked by itself */
    dip_field *fields; /* [n_selected + 1]; the last is for what is not selected */
    size_t field_capacity;
    dip_field *all; /* every field of a record that is cut the slow way */
    size_t all_capacity;
    size_t n_all;
    dip_text text; /* the values of a JSON record */
    struct dip_page *pages;
} dip_block;

/* The next block of whole records of one file: about DIP_BLOCK_BYTES, more when one record is
 * longer. One thread at a time. DIP_END after the last. A block that was taken before an error is
 * good. */
dip_status dip_reader_take(dip_reader *reader, dip_block *block, dip_error *err);

/* The selected fields of the next record; the array is used again for the one after it. DIP_END at
 * the end of the block. Empty lines are passed over. Every record is valid UTF-8 without NUL bytes.
 * Different blocks may be cut by different threads at once. */
dip_status dip_block_next(dip_block *block, const dip_field **fields, dip_error *err);

/* Where the current record begins, lines counted from 1. */
uint64_t dip_block_line(const dip_block *block);
const char *dip_block_path(const dip_block *block);

/* Fails with "path:line: column NUMBER (NAME): " before the text. */
dip_status dip_block_fail(const dip_block *block, size_t selected, dip_error *err,
                          const char *format, ...) DIP_PRINTF(4, 5);

void dip_block_free(dip_block *block);

#endif
