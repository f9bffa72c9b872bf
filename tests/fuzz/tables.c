/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/tables.h"

#include "base/text.h"
#include "fuzz/memory_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {"a", "b", "c"};

dip_dialect choose_dialect(uint8_t way, const char *const *delimiters, size_t n) {
    static const size_t BLOCKS[] = {2, 16, 64, 333, 4096, 31, 65, 128};
    const size_t delimiter = (size_t)(way >> 3) % 4;
    dip_dialect dialect = {.block_bytes = BLOCKS[way % 8],
                           .delimiter = delimiter < n ? delimiters[delimiter] : NULL,
                           .encoding = (way & 32) != 0 ? DIP_ENCODING_LATIN1 : DIP_ENCODING_UTF8};
    if ((way & 64) != 0) {
        dialect.columns = NAMES;
        dialect.n_columns = (way & 128) != 0 ? 1 : 3;
    }
    return dialect;
}

char *decoded(const input *in, bool is_latin1, size_t *bytes) {
    char *text = malloc(2 * in->left + 1);
    CLAIM(text != NULL);
    *bytes = 0;
    for (size_t i = 0; i < in->left; i++) {
        const uint8_t c = in->at[i];
        if (is_latin1 && c >= 0x80) {
            text[(*bytes)++] = (char)(0xC0 | c >> 6);
            text[(*bytes)++] = (char)(0x80 | (c & 0x3F));
        } else {
            text[(*bytes)++] = (char)c;
        }
    }
    if (*bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        *bytes -= 3;
        memmove(text, text + 3, *bytes);
    }
    return text;
}

void reference_begin(reference *r, const dip_dialect *dialect) {
    r->used = 0;
    r->n_fields = 0;
    r->n_records = 0;
    r->n_columns = dialect->n_columns;
    r->has_header = dialect->n_columns == 0;
    r->is_whole = true;
}

void reference_record(reference *r, uint64_t line) {
    CLAIM(r->n_records + 1 < REFERENCE_FIELDS);
    r->first[r->n_records] = r->n_fields;
    r->line[r->n_records++] = line;
}

void reference_field(reference *r, const char *text, size_t length) {
    CLAIM(r->n_fields < REFERENCE_FIELDS && r->used + length < REFERENCE_BYTES);
    memcpy(r->text + r->used, text, length);
    r->field[r->n_fields++] = (span){r->used, length};
    r->used += length;
}

static bool is_same(const reference *r, size_t field, const char *text, size_t length) {
    return r->field[field].length == length &&
           memcmp(r->text + r->field[field].begin, text, length) == 0;
}

static bool has_twins(const reference *r, size_t first) {
    for (size_t i = first; i < r->n_fields; i++) {
        for (size_t j = first; j < i; j++) {
            if (is_same(r, i, r->text + r->field[j].begin, r->field[j].length)) {
                return true;
            }
        }
    }
    return false;
}

bool reference_accepts(reference *r, const char *record, size_t length) {
    const size_t first = r->first[r->n_records - 1];
    const size_t n = r->n_fields - first;
    const bool is_header = r->has_header && r->n_records == 1;
    bool is_good = memchr(record, '\0', length) == NULL &&
                   dip_utf8_check(record, length) == length &&
                   (is_header ? !has_twins(r, first) : n == r->n_columns);
    if (!is_good) {
        r->n_records--;
        r->n_fields = first;
        r->is_whole = false;
    } else if (is_header) {
        r->n_columns = n;
    }
    return is_good;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static size_t choose_columns(const reference *r, uint8_t pick, size_t columns[WANTED]) {
    const size_t n = pick % WANTED;
    uint32_t state = pick;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        columns[i] = (state >> 16) % r->n_columns;
    }
    return n;
}

/* The columns wanted, by their names; all when none is. */
static size_t select_columns(dip_reader *reader, const reference *r, uint8_t pick,
                             size_t columns[WANTED]) {
    const size_t n = choose_columns(r, pick, columns);
    for (size_t i = 0; i < n && r->has_header; i++) {
        const span *name = &r->field[columns[i]];
        char *text = copy_of(r->text + name->begin, name->length);
        size_t place = 0;
        CLAIM(dip_reader_column(reader, text, &place, NULL) == DIP_OK && place == columns[i]);
        free(text);
    }
    size_t found = 0;
    dip_error err = {DIP_OK, ""};
    CLAIM(!went_well(dip_reader_column(reader, "never a column\xFF", &found, &err), DIP_ERR_FORMAT,
                     &err));
    CLAIM(n == 0 || dip_reader_select(reader, columns, NULL, n, NULL) == DIP_OK);
    return n;
}

static void check_fields(const reference *r, size_t record, const dip_field *fields,
                         const size_t *columns, size_t n_wanted) {
    const size_t n = n_wanted > 0 ? n_wanted : r->n_columns;
    for (size_t i = 0; i < n; i++) {
        const size_t column = n_wanted > 0 ? columns[i] : i;
        CLAIM(fields[i].text[fields[i].length] == '\0');
        CLAIM(is_same(r, r->first[record] + column, fields[i].text, fields[i].length));
    }
}

/* Cuts blocks until the end or the first mistake. */
static dip_status cut_all(dip_reader *reader, const reference *r, size_t *record,
                          const size_t *columns, size_t n_wanted, dip_error *err) {
    dip_block block = {0};
    dip_status status = DIP_OK;
    while (status == DIP_OK && (status = dip_reader_take(reader, &block, err)) == DIP_OK) {
        const dip_field *fields = NULL;
        while ((status = dip_block_next(&block, &fields, err)) == DIP_OK) {
            CLAIM(*record < r->n_records);
            CLAIM(dip_block_line(&block) == r->line[*record]);
            check_fields(r, *record, fields, columns, n_wanted);
            ++*record;
        }
        status = status == DIP_END ? DIP_OK : status;
    }
    dip_block_free(&block);
    return status;
}

void check_table(const char *name, const dip_dialect *dialect, const reference *r, uint8_t pick) {
    char path[64];
    const char *const paths[] = {path};
    dip_reader *reader = NULL;
    dip_error err = {DIP_OK, ""};
    size_t columns[WANTED];
    size_t record = r->has_header ? 1 : 0;
    snprintf(path, sizeof path, "%s%s", MEMORY_ROOT, name);
    const dip_status opened = dip_reader_open(&reader, paths, 1, dialect, &err);
    CLAIM((opened == DIP_OK) == (!r->has_header || r->n_records > 0));
    if (!went_well(opened, DIP_ERR_FORMAT, &err)) {
        return;
    }
    const size_t n_wanted = select_columns(reader, r, pick, columns);
    const dip_status status = cut_all(reader, r, &record, columns, n_wanted, &err);
    CLAIM(status == DIP_END || !went_well(status, DIP_ERR_FORMAT, &err));
    CLAIM((status == DIP_END) == r->is_whole);
    CLAIM(record == r->n_records);
    CLAIM(dip_reader_position(reader) <= dip_reader_size(reader));
    dip_reader_close(reader);
}
