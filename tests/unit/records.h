/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables that tests read record by record, block after block.
 */
#ifndef DIP_TESTS_RECORDS_H
#define DIP_TESTS_RECORDS_H

#include "check.h"
#include "data/reader.h"

typedef struct records {
    dip_reader *reader;
    dip_block block;
    bool has_block;
} records;

/* Opens a table of one file; dialect may be NULL. */
dip_status records_open(records *r, const char *path, const dip_dialect *dialect);

/* The next record's fields; DIP_END at the end. */
dip_status records_next(records *r, const dip_field **fields);

void records_close(records *r);

/* The next record is these fields, joined by '~'. */
void check_record(records *r, const char *expected);

/* There is no further record; closes the table. */
void check_end(records *r);

#endif
