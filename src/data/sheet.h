/* SPDX-License-Identifier: Apache-2.0
 *
 * One file of a table: its format, the names of its columns, and which of them are wanted. A sheet
 * does not change once blocks of it are about, so that threads share it without locks.
 */
#ifndef DIP_DATA_SHEET_H
#define DIP_DATA_SHEET_H

#include "data/reader.h"

#include <stdbool.h>

/* One column that is wanted. */
typedef struct dip_wanted {
    char *name;
    size_t length;   /* of the name */
    char *separator; /* NULL: lists are refused */
} dip_wanted;

struct dip_sheet {
    char *path;
    dip_format format;
    char separator; /* the first byte of the delimiter */
    char *delimiter;
    size_t delimiter_length;
    bool has_header;
    char **names;
    size_t n_columns;
    size_t name_capacity;
    const dip_wanted *wanted; /* [n_wanted], the reader's */
    size_t n_wanted;
    size_t *column;   /* [n_wanted] its place in the file */
    uint32_t *target; /* [n_columns] the first wanted one that it is, or n_wanted for none */
    size_t *repeat;   /* wanted ones that are also another one before them: pairs (this, other) */
    size_t n_repeats;
    struct dip_arrow_columns *arrow; /* how to read the wanted columns of an Arrow file */
};

/* A sheet for a path: format and delimiter, no columns yet. */
dip_status dip_sheet_create(dip_sheet **out, const char *path, const dip_dialect *dialect,
                            dip_error *err);
void dip_sheet_free(dip_sheet *sheet);

/* Adds a column, unless it is there already: then *is_new is false. */
dip_status dip_sheet_add_name(dip_sheet *sheet, const char *name, size_t length, bool *is_new,
                              dip_error *err);

/* As dip_reader_column. */
dip_status dip_sheet_find(const dip_sheet *sheet, const char *name, size_t *column, dip_error *err);

/* Finds the wanted columns in the file. */
dip_status dip_sheet_select(dip_sheet *sheet, const dip_wanted *wanted, size_t n_wanted,
                            dip_error *err);

static inline bool dip_sheet_has_quotes(const dip_sheet *sheet) {
    return sheet->format == DIP_FORMAT_CSV;
}

static inline bool dip_sheet_is_json(const dip_sheet *sheet) {
    return sheet->format == DIP_FORMAT_JSONL;
}

static inline bool dip_sheet_is_arrow(const dip_sheet *sheet) {
    return sheet->format == DIP_FORMAT_PARQUET || sheet->format == DIP_FORMAT_ARROW;
}

/* How many bytes of a text may be shown without cutting a character. */
int dip_shown_length(const char *text, size_t length);

/* ---- records of a block, format by format ---------------------------------------------------- */

/* Text of decoded records, which must not move while its block is in use: a list of pages. */
typedef struct dip_page {
    struct dip_page *next;
    size_t used;
    size_t capacity;
    char text[];
} dip_page;

/* Makes the block one of [0, size) bytes of a file; the first record begins on `line`. */
void dip_block_reset(dip_block *block, const dip_sheet *sheet, size_t size, uint64_t line);

/* Room for n bytes of a block that do not move until it is taken again, and a text in such room. */
dip_status dip_block_room(dip_block *block, size_t n, char **room, dip_error *err);
dip_status dip_block_keep(dip_block *block, const char *text, size_t length, dip_field *field,
                          dip_error *err);

/* A list as one field: its elements are joined one after the other by the column's separator, at
 * which alone the text can be cut again. */
dip_status dip_block_begin_list(dip_block *block, size_t selected, dip_error *err);
dip_status dip_block_join(dip_block *block, size_t selected, const char *text, size_t length,
                          dip_error *err);
dip_status dip_block_end_list(dip_block *block, size_t selected, dip_error *err);

/* NUL bytes and UTF-8 of one record, which begins on `line`. */
dip_status dip_check_record(const dip_sheet *sheet, uint64_t line, const char *record,
                            size_t length, dip_error *err);

/* Cuts bytes [begin, end), a record without its line end, into block->all, in place. Serves
 * headers, delimiters of several bytes, fields with doubled quotes, and everything that is
 * wrong. */
dip_status dip_cut_all(dip_block *block, size_t begin, size_t end, dip_error *err);

/* The next record of a block that has one, into block->fields. */
dip_status dip_cut_plain(dip_block *block, dip_error *err);
dip_status dip_cut_quoted(dip_block *block, dip_error *err);
dip_status dip_cut_delimited(dip_block *block, dip_error *err);
dip_status dip_cut_json(dip_block *block, dip_error *err);

/* The keys of one JSON record are added to the sheet's columns. */
dip_status dip_json_keys(dip_sheet *sheet, uint64_t line, const char *record, size_t length,
                         dip_error *err);

#endif
