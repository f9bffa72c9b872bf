/* SPDX-License-Identifier: Apache-2.0
 *
 * Delimited records: what TSV and CSV mean, and where a bad record is.
 */
#include "compress.h"
#include "records.h"

static dip_status open_bytes(records *reader, check_folder *folder, const char *name,
                             const char *text, size_t bytes) {
    const char *path = check_path(folder, name);
    compress_to(path, text, bytes, 1);
    return records_open(reader, path, NULL);
}

static dip_status open_text(records *reader, check_folder *folder, const char *name,
                            const char *text) {
    return open_bytes(reader, folder, name, text, strlen(text));
}

/* The records of a file are these, and nothing else. */
static void check_file(check_folder *folder, const char *name, const char *text,
                       const char *const *expected, size_t n) {
    records reader = {0};
    check_ok(open_text(&reader, folder, name, text));
    for (size_t i = 0; i < n; i++) {
        check_record(&reader, expected[i]);
    }
    check_end(&reader);
}

#define CHECK_FILE(folder, name, text, ...)                                                        \
    do {                                                                                           \
        const char *const expected[] = {__VA_ARGS__};                                              \
        check_file((folder), (name), (text), expected, sizeof expected / sizeof expected[0]);      \
    } while (0)

/* Reading the file fails, at its opening or at some record. */
static void check_bad(check_folder *folder, const char *name, const char *text, size_t bytes,
                      const char *part) {
    records reader = {0};
    const dip_field *field = NULL;
    memset(check_error(), 0, sizeof *check_error());
    dip_status status = open_bytes(&reader, folder, name, text, bytes);
    while (status == DIP_OK) {
        status = records_next(&reader, &field);
    }
    if (status != DIP_ERR_FORMAT || strstr(check_error()->message, part) == NULL) {
        print_error("status \"%s\", text \"%s\"; expected a text with \"%s\"\n",
                    dip_status_name(status), check_error()->message, part);
        fail();
    }
    records_close(&reader);
}

#define CHECK_BAD(folder, name, text, part) check_bad(folder, name, text, sizeof(text) - 1, part)

/* ---- what the formats mean ------------------------------------------------------------------- */

static void tsv_is_cut_at_tabs(void **state) {
    CHECK_FILE(*state, "x.tsv", "a\tb\tc\n1\t2\t3\n\t\t\nx y\t,\t \n", "1~2~3", "~~", "x y~,~ ");
    CHECK_FILE(*state, "x.tsv", "a\n1\n2\n", "1", "2");
}

static void tsv_knows_no_quotes(void **state) {
    CHECK_FILE(*state, "x.tsv", "a\tb\n\"1\t2\"\n\"\"\t\"\n", "\"1~2\"", "\"\"~\"");
}

static void csv_is_cut_at_commas(void **state) {
    CHECK_FILE(*state, "x.csv", "a,b,c\n1,2,3\n,,\nx y,\t, \n", "1~2~3", "~~", "x y~\t~ ");
}

static void csv_quotes_hide_commas_quotes_and_line_breaks(void **state) {
    CHECK_FILE(*state, "x.csv", "a,b\n\"1,5\",2\n", "1,5~2");
    CHECK_FILE(*state, "x.csv", "a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", "say \"hi\"~\"");
    CHECK_FILE(*state, "x.csv", "a,b\n\"one\ntwo\r\nthree\",2\n3,\"\n\"\n", "one\ntwo\r\nthree~2",
               "3~\n");
    CHECK_FILE(*state, "x.csv", "a,b\n\"\",\"\"\n\"\",x\n", "~", "~x");
    CHECK_FILE(*state, "x.csv", "a\n\"\"\n\"\"\"\"\"\"\n", "", "\"\"");
}

static void a_quoted_header_names_its_columns(void **state) {
    records reader = {0};
    size_t column = 0;
    check_ok(open_text(&reader, *state, "x.csv", "\"a,b\",\"c\"\"d\",\"e\nf\"\n1,2,3\n"));
    check_ok(dip_reader_column(reader.reader, "a,b", &column, check_error()));
    assert_int_equal(column, 0);
    check_ok(dip_reader_column(reader.reader, "c\"d", &column, check_error()));
    assert_int_equal(column, 1);
    check_ok(dip_reader_column(reader.reader, "e\nf", &column, check_error()));
    assert_int_equal(column, 2);
    check_record(&reader, "1~2~3");
    assert_int_equal(dip_block_line(&reader.block), 3);
    check_end(&reader);
}

static void lines_may_end_with_carriage_return(void **state) {
    CHECK_FILE(*state, "x.tsv", "a\tb\r\n1\t2\r\n3\t\r\n", "1~2", "3~");
    CHECK_FILE(*state, "x.csv", "a,b\r\n1,2\r\n\"3\",\"4\"\r\n5,\r\n", "1~2", "3~4", "5~");
    CHECK_FILE(*state, "x.csv", "a,b\r\n1,\"2\r\"\r\n", "1~2\r");
    CHECK_FILE(*state, "x.tsv", "a\tb\r\n1\r2\t3", "1\r2~3");
}

static void the_last_line_may_lack_its_end(void **state) {
    CHECK_FILE(*state, "x.tsv", "a\tb\n1\t2", "1~2");
    CHECK_FILE(*state, "x.tsv", "a\tb\n1\t", "1~");
    CHECK_FILE(*state, "x.csv", "a,b\n1,\"2\"", "1~2");
    CHECK_FILE(*state, "x.csv", "a,b\n1,", "1~");
    CHECK_FILE(*state, "x.csv", "a,b\n1,2\r", "1~2");
    records reader = {0};
    check_ok(open_text(&reader, *state, "x.tsv", "a\tb"));
    check_end(&reader);
}

static void empty_lines_are_passed_over_and_counted(void **state) {
    records reader = {0};
    check_ok(open_text(&reader, *state, "x.tsv", "\n\na\tb\n\n1\t2\n\r\n\n3\t4\n\n"));
    check_record(&reader, "1~2");
    assert_int_equal(dip_block_line(&reader.block), 5);
    check_record(&reader, "3~4");
    assert_int_equal(dip_block_line(&reader.block), 8);
    check_end(&reader);
}

static void a_record_is_where_it_begins(void **state) {
    records reader = {0};
    check_ok(open_text(&reader, *state, "x.csv", "a,b\n\"1\n\n1\",2\n3,\"4\n4\"\n5,6\n"));
    check_record(&reader, "1\n\n1~2");
    assert_int_equal(dip_block_line(&reader.block), 2);
    check_record(&reader, "3~4\n4");
    assert_int_equal(dip_block_line(&reader.block), 5);
    check_record(&reader, "5~6");
    assert_int_equal(dip_block_line(&reader.block), 7);
    check_end(&reader);
}

static void a_byte_order_mark_is_no_part_of_the_first_name(void **state) {
    static const char *const NAMES[] = {"x.tsv", "x.tsv.gz", "x.tsv.zst"};
    for (size_t i = 0; i < 3; i++) {
        records reader = {0};
        size_t column = 7;
        check_ok(open_text(&reader, *state, NAMES[i],
                           "\xEF\xBB\xBF"
                           "a\tb\n1\t2\n"));
        check_ok(dip_reader_column(reader.reader, "a", &column, check_error()));
        assert_int_equal(column, 0);
        check_record(&reader, "1~2");
        check_end(&reader);
    }
    CHECK_FILE(*state, "x.csv", "\xEF\xBB\xBF\"a\",b\n1,2\n", "1~2");
}

/* The mark may arrive in pieces when members of a compressed file are short. */
static void a_byte_order_mark_may_be_cut_by_members(void **state) {
    static const char TEXT[] = "\xEF\xBB\xBF"
                               "a\tb\n1\t2\n";
    static const char *const NAMES[] = {"x.tsv.gz", "x.tsv.zst"};
    for (size_t i = 0; i < 2; i++) {
        records reader = {0};
        size_t column = 7;
        const char *path = check_path(*state, NAMES[i]);
        compress_to(path, TEXT, sizeof TEXT - 1, 7);
        check_ok(records_open(&reader, path, NULL));
        check_ok(dip_reader_column(reader.reader, "a", &column, check_error()));
        assert_int_equal(column, 0);
        records_close(&reader);
    }
}

static void a_mark_in_the_middle_is_text(void **state) {
    CHECK_FILE(*state, "x.tsv", "a\n\xEF\xBB\xBFx\n", "\xEF\xBB\xBFx");
}

/* ---- bad files ------------------------------------------------------------------------------- */

static void ragged_records_are_refused(void **state) {
    CHECK_BAD(*state, "x.tsv", "a\tb\n1\t2\n3\n", "x.tsv:3: 1 fields where the header has 2");
    CHECK_BAD(*state, "x.tsv", "a\tb\n1\t2\t3\n", "x.tsv:2: 3 fields where the header has 2");
    CHECK_BAD(*state, "x.csv", "a,b\n\"1\n\",2\n\n3,4,5\n", "x.csv:5: 3 fields");
    CHECK_BAD(*state, "x.csv", "a,b\n1,2,\n", "3 fields");
    CHECK_BAD(*state, "x.tsv", "a\tb\n \n", "x.tsv:2: 1 fields");
}

static void a_column_named_twice_is_refused(void **state) {
    CHECK_BAD(*state, "x.tsv", "a\tb\ta\n", "x.tsv:1: column \"a\" is named twice");
    CHECK_BAD(*state, "x.csv", "a,\"a\"\n", "named twice");
    CHECK_BAD(*state, "x.tsv", "a\t\t\n", "named twice");
}

static void nul_bytes_are_refused(void **state) {
    CHECK_BAD(*state, "x.tsv", "a\tb\n1\t2\n3\tx\0y\n", "x.tsv:3: a NUL byte at byte 4");
    CHECK_BAD(*state, "x.csv", "a,b\n\"x\0y\",2\n", "x.csv:2: a NUL byte at byte 3");
    CHECK_BAD(*state, "x.tsv", "a\0\tb\n", "x.tsv:1: a NUL byte");
    CHECK_BAD(*state, "x.tsv", "a\n\0", "x.tsv:2: a NUL byte at byte 1");
}

static void invalid_utf8_is_refused_with_its_column(void **state) {
    CHECK_BAD(*state, "x.tsv", "a\tb\n1\tf\xFCr\n",
              "x.tsv:2: column 2 (b): byte 4 of the line, 0xFC, is not valid UTF-8");
    CHECK_BAD(*state, "x.csv", "a,b\n\xC3,2\n", "x.csv:2: column 1 (a): byte 1 of the line, 0xC3");
    CHECK_BAD(*state, "x.tsv", "\xFF\tb\n", "x.tsv:1: column 1 ");
    CHECK_BAD(*state, "x.tsv", "a\tb\n1\t2\t\xFF\n", "x.tsv:2: column 3 ");
    CHECK_BAD(*state, "x.tsv", "a\n\xED\xA0\x80\n", "0xED");
}

/* Commas inside quotes divide nothing. */
static void the_column_of_invalid_utf8_is_counted_with_quotes(void **state) {
    CHECK_BAD(*state, "x.csv", "a,b,c\n\"1,2\",\xFF,3\n", "column 2 (b): byte 7 of the line");
}

static void an_unclosed_quote_is_refused_where_it_opens(void **state) {
    CHECK_BAD(*state, "x.csv", "a,b\n1,2\n3,\"4\n5,6\n7,8\n",
              "x.csv:3: a quote opened here is never closed");
    CHECK_BAD(*state, "x.csv", "a,\"b\n", "x.csv:1: a quote opened here is never closed");
    CHECK_BAD(*state, "x.csv", "a,b\n\"1\n1\",\"2\n", "x.csv:3: a quote opened here");
    CHECK_BAD(*state, "x.csv", "a,b\n\"1\"\",2\n3,4\n", "never closed");
}

static void a_stray_quote_is_refused(void **state) {
    CHECK_BAD(*state, "x.csv", "a,b\n1,2\"3\"\n", "x.csv:2: column 2: a quote stands inside");
    CHECK_BAD(*state, "x.csv", "a,b\n\"1\"2,3\n", "x.csv:2: column 1: a quote stands inside");
    CHECK_BAD(*state, "x.csv", "a,b\n1, \"2\"\n", "x.csv:2: column 2: a quote stands inside");
    CHECK_BAD(*state, "x.csv", "a,b\n\"1\" ,2\n", "x.csv:2: column 1: a quote stands inside");
}

static void a_file_without_a_header_is_refused(void **state) {
    CHECK_BAD(*state, "x.tsv", "", "x.tsv is empty");
    CHECK_BAD(*state, "x.csv", "", "x.csv is empty");
    CHECK_BAD(*state, "x.tsv", "\n\r\n\n", "x.tsv is empty");
    CHECK_BAD(*state, "x.tsv", "\xEF\xBB\xBF", "x.tsv is empty");
    CHECK_BAD(*state, "x.tsv.gz", "", "x.tsv.gz is empty");
    CHECK_BAD(*state, "x.tsv.zst", "", "x.tsv.zst is empty");
}

static void too_many_columns_are_refused(void **state) {
    char *text = malloc(10 * (DIP_COLUMN_LIMIT + 2));
    records reader = {0};
    size_t used = 0;
    for (int i = 0; i < DIP_COLUMN_LIMIT; i++) {
        used += (size_t)sprintf(text + used, "%sc%d", i > 0 ? "\t" : "", i);
    }
    check_ok(open_bytes(&reader, *state, "x.tsv", text, used));
    check_end(&reader);
    used += (size_t)sprintf(text + used, "\tone-more");
    check_bad(*state, "x.tsv", text, used, "4097 columns, more than 4096");
    free(text);
}

static void names_say_the_format(void **state) {
    records reader = {0};
    check_fails(open_text(&reader, *state, "x.txt", "a\n"), DIP_ERR_USAGE, "x.txt");
    check_fails(open_text(&reader, *state, "x.tsv.bz2", "a\n"), DIP_ERR_USAGE, ".tsv or .csv");
    check_fails(open_text(&reader, *state, "x.gz", "a\n"), DIP_ERR_USAGE, "x.gz");
    check_fails(records_open(&reader, check_path(*state, "none.tsv"), NULL), DIP_ERR_IO,
                "none.tsv");
    assert_int_equal(mkdir(check_path(*state, "d.tsv"), 0777), 0);
    check_fails(records_open(&reader, check_path(*state, "d.tsv"), NULL), DIP_ERR_IO, "d.tsv");
    assert_null(reader.reader);
}

static void compressed_files_are_read_and_their_damage_is_reported(void **state) {
    static const char *const NAMES[] = {"x.csv.gz", "x.csv.zst"};
    static const char TEXT[] = "a,b\n\"1\n1\",2\n3,4\n";
    for (size_t i = 0; i < 2; i++) {
        size_t bytes = 0;
        CHECK_FILE(*state, NAMES[i], TEXT, "1\n1~2", "3~4");
        const char *path = check_path(*state, NAMES[i]);
        for (size_t members = 2; members < 12; members++) {
            records reader = {0};
            compress_to(path, TEXT, sizeof TEXT - 1, members);
            check_ok(records_open(&reader, path, NULL));
            check_record(&reader, "1\n1~2");
            check_record(&reader, "3~4");
            check_end(&reader);
        }
        compress_to(path, TEXT, sizeof TEXT - 1, 1);
        char *whole = check_read(path, &bytes);
        for (size_t n = 1; n < bytes; n++) {
            records reader = {0};
            const dip_field *field = NULL;
            check_write(path, whole, n);
            dip_status status = records_open(&reader, path, NULL);
            while (status == DIP_OK) {
                status = records_next(&reader, &field);
            }
            assert_int_equal(status, DIP_ERR_FORMAT);
            assert_non_null(strstr(check_error()->message, "truncated"));
            records_close(&reader);
        }
        free(whole);
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

static void columns_are_found_by_name(void **state) {
    records reader = {0};
    size_t column = 7;
    check_ok(open_text(&reader, *state, "x.tsv", "item_id\ttitle\tprice\n1\t2\t3\n"));
    check_ok(dip_reader_column(reader.reader, "title", &column, check_error()));
    assert_int_equal(column, 1);
    check_fails(dip_reader_column(reader.reader, "titel", &column, check_error()), DIP_ERR_FORMAT,
                "x.tsv:1: there is no column \"titel\"; did you mean \"title\"?; the columns are "
                "item_id, title, price");
    check_fails(dip_reader_column(reader.reader, "zzzzzz", &column, check_error()), DIP_ERR_FORMAT,
                "the columns are item_id, title, price");
    assert_int_equal(column, 1);
    records_close(&reader);
}

static void an_error_of_the_caller_gets_its_place(void **state) {
    records reader = {0};
    check_ok(open_text(&reader, *state, "x.tsv", "id\tprice\n1\t2\n"));
    check_record(&reader, "1~2");
    check_fails(dip_block_fail(&reader.block, 1, check_error(), "\"%s\" is bad", "2"),
                DIP_ERR_FORMAT, "x.tsv:2: column 2 (price): \"2\" is bad");
    assert_non_null(strstr(dip_block_path(&reader.block), "x.tsv"));
    records_close(&reader);
    dip_reader_close(NULL);
    dip_block_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(tsv_is_cut_at_tabs),
        check_test_in_folder(tsv_knows_no_quotes),
        check_test_in_folder(csv_is_cut_at_commas),
        check_test_in_folder(csv_quotes_hide_commas_quotes_and_line_breaks),
        check_test_in_folder(a_quoted_header_names_its_columns),
        check_test_in_folder(lines_may_end_with_carriage_return),
        check_test_in_folder(the_last_line_may_lack_its_end),
        check_test_in_folder(empty_lines_are_passed_over_and_counted),
        check_test_in_folder(a_record_is_where_it_begins),
        check_test_in_folder(a_byte_order_mark_is_no_part_of_the_first_name),
        check_test_in_folder(a_byte_order_mark_may_be_cut_by_members),
        check_test_in_folder(a_mark_in_the_middle_is_text),
        check_test_in_folder(ragged_records_are_refused),
        check_test_in_folder(a_column_named_twice_is_refused),
        check_test_in_folder(nul_bytes_are_refused),
        check_test_in_folder(invalid_utf8_is_refused_with_its_column),
        check_test_in_folder(the_column_of_invalid_utf8_is_counted_with_quotes),
        check_test_in_folder(an_unclosed_quote_is_refused_where_it_opens),
        check_test_in_folder(a_stray_quote_is_refused),
        check_test_in_folder(a_file_without_a_header_is_refused),
        check_test_in_folder(too_many_columns_are_refused),
        check_test_in_folder(names_say_the_format),
        check_test_in_folder(compressed_files_are_read_and_their_damage_is_reported),
        check_test_in_folder(columns_are_found_by_name),
        check_test_in_folder(an_error_of_the_caller_gets_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
