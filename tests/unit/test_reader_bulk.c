/* SPDX-License-Identifier: Apache-2.0
 *
 * Delimited records in bulk: random tables that are written and read back, and lines as long as the
 * limit allows.
 */
#include "compress.h"
#include "records.h"

static dip_status open_bytes(records *reader, check_folder *folder, const char *name,
                             const char *text, size_t bytes) {
    const char *path = check_path(folder, name);
    compress_to(path, text, bytes, 1);
    return records_open(reader, path, NULL);
}

/* ---- long lines ------------------------------------------------------------------------------ */

/* "a TAB b LF", then a line with one field of n bytes. */
static char *long_line(size_t n, bool quoted, size_t *bytes) {
    char *text = malloc(n + 64);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, quoted ? "a,b\n1,2\n3,\"" : "a\tb\n1\t2\n3\t");
    memset(text + used, 'x', n);
    if (quoted) {
        for (size_t i = 0; i < n; i += 1000) {
            text[used + i] = '\n';
        }
    }
    used += n;
    used += (size_t)sprintf(text + used, quoted ? "\"\n4,5\n" : "\n4\t5\n");
    *bytes = used;
    return text;
}

static void check_long_line(check_folder *folder, size_t n, bool quoted) {
    records reader = {0};
    const dip_field *field = NULL;
    size_t bytes = 0;
    char *text = long_line(n, quoted, &bytes);
    check_ok(open_bytes(&reader, folder, quoted ? "x.csv" : "x.tsv", text, bytes));
    check_record(&reader, "1~2");
    check_ok(records_next(&reader, &field));
    assert_int_equal(field[1].length, n);
    assert_int_equal(field[1].text[0], quoted ? '\n' : 'x');
    assert_int_equal(field[1].text[n - 1], n % 1000 == 1 && quoted ? '\n' : 'x');
    check_record(&reader, "4~5");
    assert_true(dip_reader_position(reader.reader) == dip_reader_size(reader.reader));
    check_end(&reader);
    free(text);
}

static void records_longer_than_a_read_are_read(void **state) {
    static const size_t LENGTHS[] = {(1 << 20) - 20, (1 << 20) - 10, 1 << 20, (3 << 20) + 7};
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        check_long_line(*state, LENGTHS[i], false);
        check_long_line(*state, LENGTHS[i], true);
    }
    check_long_line(*state, DIP_RECORD_LIMIT - 100, false);
    check_long_line(*state, DIP_RECORD_LIMIT - 100, true);
}

/* The first record is read, the second is refused. */
static void check_too_long(check_folder *folder, const char *name, const char *text, size_t bytes,
                           const char *part) {
    records reader = {0};
    const dip_field *field = NULL;
    check_ok(open_bytes(&reader, folder, name, text, bytes));
    check_record(&reader, "1~2");
    check_fails(records_next(&reader, &field), DIP_ERR_FORMAT, part);
    records_close(&reader);
}

/* The limit is looked at when more is read, a MiB at a time: a line may pass it by less than
 * that. */
static void a_line_over_the_limit_is_refused(void **state) {
    size_t bytes = 0;
    char *text = long_line(DIP_RECORD_LIMIT + (2 << 20), false, &bytes);
    check_too_long(*state, "x.tsv", text, bytes, "x.tsv:3: the line is longer than 16 MiB");
    free(text);
    text = long_line(DIP_RECORD_LIMIT + (2 << 20), true, &bytes);
    check_too_long(*state, "x.csv", text, bytes,
                   "x.csv:3: a quote opened here is not closed within");
    free(text);
}

/* ---- random tables --------------------------------------------------------------------------- */

enum { MAX_COLUMNS = 6, MAX_ROWS = 40, MAX_CELL = 24 };

typedef struct table {
    size_t columns;
    size_t rows; /* with the header */
    char cell[MAX_ROWS][MAX_COLUMNS][4 * MAX_CELL];
} table;

static void random_cell(char *cell, bool is_csv, uint64_t *random) {
    static const char *const PIECES[] = {"a",
                                         "b c",
                                         "x",
                                         " ",
                                         ".",
                                         "\xC3\xA9",
                                         "\xE6\xBC\xA2",
                                         "'",
                                         "\\",
                                         "-",
                                         "1",
                                         "\xF0\x9F\x98\x80",
                                         ",",
                                         "\"",
                                         "\n",
                                         "\r\n",
                                         "\r",
                                         "\t"};
    const size_t n_pieces = is_csv ? 18 : 14;
    const size_t length = check_random_below(random, 4) == 0 ? 0 : check_random_below(random, 12);
    cell[0] = '\0';
    for (size_t i = 0; i < length; i++) {
        strcat(cell, PIECES[check_random_below(random, n_pieces)]);
    }
}

static void make_table(table *t, bool is_csv, uint64_t *random) {
    t->columns = 1 + check_random_below(random, MAX_COLUMNS);
    t->rows = 1 + check_random_below(random, MAX_ROWS);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            random_cell(t->cell[r][c], is_csv, random);
            if (r == 0) {
                sprintf(t->cell[r][c] + strlen(t->cell[r][c]), "%zu", c);
            }
        }
        if (!is_csv && t->columns == 1 && t->cell[r][0][0] == '\0') {
            strcpy(t->cell[r][0], "an empty line would be passed over");
        }
    }
}

static bool needs_quotes(const table *t, const char *cell) {
    return strpbrk(cell, ",\"\n\r") != NULL || (t->columns == 1 && cell[0] == '\0');
}

static size_t put_cell(char *out, const char *cell, bool quoted) {
    size_t used = 0;
    if (!quoted) {
        return (size_t)sprintf(out, "%s", cell);
    }
    out[used++] = '"';
    for (; *cell != '\0'; cell++) {
        if (*cell == '"') {
            out[used++] = '"';
        }
        out[used++] = *cell;
    }
    out[used++] = '"';
    return used;
}

/* Any writing that the format allows: quotes where they are not needed, either line end, empty
 * lines. */
static size_t write_table(const table *t, bool is_csv, char *out, uint64_t *random) {
    size_t used = 0;
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            const char *cell = t->cell[r][c];
            const bool quoted =
                is_csv && (needs_quotes(t, cell) || check_random_below(random, 3) == 0);
            if (c > 0) {
                out[used++] = is_csv ? ',' : '\t';
            }
            used += put_cell(out + used, cell, quoted);
        }
        if (r + 1 < t->rows || check_random_below(random, 2) == 0) {
            static const char *const ENDS[] = {"\n", "\r\n", "\n\n", "\r\n\n"};
            used += (size_t)sprintf(out + used, "%s", ENDS[check_random_below(random, 4)]);
        }
    }
    return used;
}

static void check_table(const table *t, records *reader) {
    for (size_t c = 0; c < t->columns; c++) {
        size_t column = 0;
        check_ok(dip_reader_column(reader->reader, t->cell[0][c], &column, check_error()));
        assert_int_equal(column, c);
    }
    for (size_t r = 1; r < t->rows; r++) {
        const dip_field *field = NULL;
        check_ok(records_next(reader, &field));
        for (size_t c = 0; c < t->columns; c++) {
            assert_int_equal(field[c].length, strlen(t->cell[r][c]));
            assert_string_equal(field[c].text, t->cell[r][c]);
        }
    }
    check_end(reader);
}

static void random_tables_read_back(void **state) {
    static const char *const ENDINGS[] = {"", ".gz", ".zst"};
    static table t;
    static char out[MAX_ROWS * MAX_COLUMNS * 8 * MAX_CELL + 1000];
    uint64_t random = 17;
    for (int round = 0; round < 1000; round++) {
        records reader = {0};
        char name[32];
        const bool is_csv = round % 2 == 0;
        make_table(&t, is_csv, &random);
        const size_t bytes = write_table(&t, is_csv, out, &random);
        snprintf(name, sizeof name, "x.%s%s", is_csv ? "csv" : "tsv", ENDINGS[round % 3]);
        const char *path = check_path(*state, name);
        compress_to(path, out, bytes, 1 + check_random_below(&random, 3));
        check_ok(records_open(&reader, path, NULL));
        check_table(&t, &reader);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(records_longer_than_a_read_are_read),
        check_test_in_folder(a_line_over_the_limit_is_refused),
        check_test_in_folder(random_tables_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
