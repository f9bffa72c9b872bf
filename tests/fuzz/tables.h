/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables read by the reader and, byte by byte, by a naive reference.
 *
 *   input   way (1 byte)   pick (1 byte)   the file
 *
 * `way` chooses the size of blocks, the delimiter, the encoding, and whether there is a header;
 * `pick` chooses the columns that are wanted.
 */
#ifndef DIP_TESTS_FUZZ_TABLES_H
#define DIP_TESTS_FUZZ_TABLES_H

#include "data/reader.h"
#include "fuzz/fuzz.h"

enum { REFERENCE_BYTES = 1 << 14, REFERENCE_FIELDS = 1 << 13, WANTED = 8 };

typedef struct span {
    size_t begin;
    size_t length;
} span;

/* Records up to the first that is wrong. */
typedef struct reference {
    char text[REFERENCE_BYTES]; /* the fields, decoded */
    size_t used;
    span field[REFERENCE_FIELDS];
    size_t n_fields;
    size_t first[REFERENCE_FIELDS]; /* of each record */
    uint64_t line[REFERENCE_FIELDS];
    size_t n_records;
    size_t n_columns;
    bool has_header; /* record 0 is it */
    bool is_whole;   /* nothing is wrong */
} reference;

/* Reads the file both ways and compares: the same records, on the same lines, up to the same
 * mistake. */
void check_table(const char *name, const dip_dialect *dialect, const reference *r, uint8_t pick);

/* The bytes as the reader sees them: from latin1 to UTF-8, without a byte order mark. The caller
 * free()s them. */
char *decoded(const input *in, bool is_latin1, size_t *bytes);

/* The dialect that `way` chooses. */
dip_dialect choose_dialect(uint8_t way, const char *const *delimiters, size_t n);

/* Empties a reference; its first record becomes the header, or the given names are the columns. */
void reference_begin(reference *r, const dip_dialect *dialect);

/* Adds a field to the last record; a record is begun on a line. */
void reference_record(reference *r, uint64_t line);
void reference_field(reference *r, const char *text, size_t length);

/* Whether the last record, of these bytes, can be taken. If not, it is removed. */
bool reference_accepts(reference *r, const char *record, size_t length);

#endif
