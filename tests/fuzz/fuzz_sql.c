/* SPDX-License-Identifier: Apache-2.0
 *
 * Dumps of mysqldump: the first byte is for the sizes of reads and the columns, then the SQL text.
 * Whatever the size of a read is, the rows are the same, up to the same mistake.
 */
#include "fuzz/fuzz.h"
#include "import/sql_dump.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 4, MOST_BYTES = 1 << 16, MOST_VALUES = 1 << 12 };

/* Everything that was read, one value behind the other. */
typedef struct rows {
    uint8_t bytes[MOST_BYTES];
    size_t used;
    size_t n;
    dip_status status; /* how it ended */
} rows;

static rows once;
static rows again;

static void put(rows *r, const void *data, size_t bytes) {
    CLAIM(r->used + bytes <= MOST_BYTES);
    if (bytes > 0) {
        memcpy(r->bytes + r->used, data, bytes);
    }
    r->used += bytes;
}

static void keep(rows *r, const dip_sql_dump *dump, const dip_sql_value *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int64_t number = 0;
        const char *text = NULL;
        size_t length = 0;
        const dip_sql_value *v = &values[i];
        const int kind = (int)v->kind;
        put(r, &kind, sizeof kind);
        CLAIM((dip_sql_dump_text(dump, i, &text, &length, NULL) == DIP_OK) ==
              (v->kind != DIP_SQL_NULL));
        put(r, &length, sizeof length);
        put(r, text, length);
        const dip_status status = dip_sql_dump_integer(dump, i, -100, 100, &number, NULL);
        CLAIM(status != DIP_OK || (v->kind == DIP_SQL_INTEGER && number == v->integer));
        CLAIM(number >= -100 && number <= 100);
    }
    r->n++;
}

static void read_dump(rows *r, const char *sql, size_t bytes, size_t step, uint8_t way) {
    static const char *const NAMES[COLUMNS] = {"page_id", "page_title", "page_namespace", "x"};
    const char *wanted[COLUMNS];
    const dip_sql_value *values = NULL;
    dip_sql_dump *dump = NULL;
    dip_error err = {DIP_OK, ""};
    size_t n = 0;
    r->used = 0;
    r->n = 0;
    r->status = dip_sql_dump_open_bytes(&dump, sql, bytes, step, "dump.sql", "page", &err);
    if (!went_well(r->status, DIP_ERR_FORMAT, &err)) {
        return;
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        const size_t column = (i + way) % COLUMNS;
        if (dip_sql_dump_has(dump, NAMES[column])) {
            wanted[n++] = NAMES[column];
        }
    }
    CLAIM(dip_sql_dump_select(dump, wanted, n, NULL) == DIP_OK);
    while (r->n < MOST_VALUES && (r->status = dip_sql_dump_next(dump, &values, &err)) == DIP_OK) {
        keep(r, dump, values, n);
    }
    CLAIM(r->status == DIP_OK || r->status == DIP_END ||
          !went_well(r->status, DIP_ERR_FORMAT, &err));
    CLAIM(dip_sql_dump_sql_bytes(dump) <= bytes && dip_sql_dump_position(dump) <= bytes);
    dip_sql_dump_close(dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const size_t STEPS[] = {1, 2, 3, 7, 16, 60, 333, 4096};
    input in = {data, bytes < 4096 ? bytes : 4096};
    const uint8_t way = take_byte(&in);
    char *sql = malloc(in.left > 0 ? in.left : 1);
    CLAIM(sql != NULL);
    memcpy(sql, in.at, in.left);
    read_dump(&once, sql, in.left, STEPS[way % 8], way >> 4);
    read_dump(&again, sql, in.left, in.left, way >> 4);
    CLAIM(once.status == again.status && once.n == again.n && once.used == again.used);
    CLAIM(memcmp(once.bytes, again.bytes, once.used) == 0);
    free(sql);
    return 0;
}
