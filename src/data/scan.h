/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking through text 64 bytes at a time: a comparison of 64 bytes with one byte is a mask of 64
 * bits, of which bit i stands for byte i. Inside and outside of quotes come from the same masks:
 * bit i of the prefix sum modulo 2 of the quotes' mask says whether an odd number of quotes stands
 * at or before byte i [Langdale and Lemire, Parsing gigabytes of JSON per second, 2019].
 *
 * Every function may read, but does not use, up to DIP_SCAN_PADDING bytes behind the text.
 */
#ifndef DIP_DATA_SCAN_H
#define DIP_DATA_SCAN_H

#include "math/isa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIP_SCAN_PADDING = 64 };

/* Records counted over one text that is looked through piece by piece. Starts zeroed. */
typedef struct dip_tally {
    size_t end;      /* one past the last line feed that ends a record, 0 before the first */
    uint64_t lines;  /* line feeds before `end` */
    uint64_t breaks; /* all line feeds */
    uint64_t quoted; /* all ones when what was looked through ends inside quotes, else 0 */
} dip_tally;

/* What marks inside of quotes were passed over. Starts zeroed. */
typedef struct dip_quotes {
    uint64_t quoted; /* as above */
    bool has_breaks; /* a line feed */
} dip_quotes;

enum { DIP_BYTES_NUL = 1, DIP_BYTES_HIGH = 2 };

typedef struct dip_scanner {
    /* Counts the lines of text[0, bytes), which begins at byte `base` of the whole. */
    void (*count_lines)(const char *text, size_t bytes, size_t base, dip_tally *tally);

    /* The same where a line feed inside quotes ends no record. */
    void (*count_quoted)(const char *text, size_t bytes, size_t base, dip_tally *tally);

    /* base + the place of every separator and line feed, ascending, into marks [bytes]. Returns how
     * many. */
    size_t (*find_marks)(const char *text, size_t bytes, char separator, uint32_t base,
                         uint32_t *marks);

    /* The same for quoted text: separators and line feeds outside quotes, and every quote. */
    size_t (*find_quoted)(const char *text, size_t bytes, char separator, uint32_t base,
                          dip_quotes *quotes, uint32_t *marks);

    /* DIP_BYTES_NUL and DIP_BYTES_HIGH (a byte of 128 or more) when there is one. */
    unsigned (*kinds)(const char *text, size_t bytes);
} dip_scanner;

/* The scanner for the tier in use, and that of a tier. */
const dip_scanner *dip_scanner_get(void);
const dip_scanner *dip_scanner_of(dip_isa isa);

const dip_scanner *dip_scanner_reference(void);
const dip_scanner *dip_scanner_avx2(void);
const dip_scanner *dip_scanner_avx512(void);

#endif
