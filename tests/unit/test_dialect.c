/* SPDX-License-Identifier: Apache-2.0
 *
 * Layouts beyond TSV and CSV by name: other delimiters, files without a header line, other
 * characters, RecBole's atomic files.
 */
#include "compress.h"
#include "records.h"

static dip_status open_text(records *r, check_folder *folder, const char *name, const char *text,
                            const dip_dialect *dialect) {
    compress_to(check_path(folder, name), text, strlen(text), 1);
    return records_open(r, check_path(folder, name), dialect);
}

static dip_status read_on(records *r) {
    const dip_field *field = NULL;
    dip_status status = DIP_OK;
    while (status == DIP_OK) {
        status = records_next(r, &field);
    }
    return status;
}

static void atomic_files_are_tsv(void **state) {
    static const char *const NAMES[] = {"ml.inter", "ml.item.gz", "ml.user.zst",
                                        "ml.kg",    "ml.link",    "ml.net"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        records r;
        size_t column = 0;
        check_ok(open_text(&r, *state, NAMES[i], "user_id:token\titem_id:token\n1\t2 \"3\n", NULL));
        check_ok(dip_reader_column(r.reader, "item_id:token", &column, check_error()));
        assert_int_equal(column, 1);
        check_record(&r, "1~2 \"3");
        check_end(&r);
    }
}

static void the_format_can_be_said(void **state) {
    records r;
    const dip_dialect csv = {.format = DIP_FORMAT_CSV};
    const dip_dialect tsv = {.format = DIP_FORMAT_TSV};
    const dip_dialect json = {.format = DIP_FORMAT_JSONL};
    check_ok(open_text(&r, *state, "x.txt", "a,b\n\"1\",2\n", &csv));
    check_record(&r, "1~2");
    check_end(&r);
    check_ok(open_text(&r, *state, "x.csv", "a\tb\n\"1\"\t2\n", &tsv));
    check_record(&r, "\"1\"~2");
    check_end(&r);
    check_ok(open_text(&r, *state, "x.gz", "{\"a\": 1}\n", &json));
    check_record(&r, "1");
    check_end(&r);
}

/* The layout of MovieLens 1M: "::" between columns, no header. */
static void a_delimiter_may_have_several_bytes(void **state) {
    static const char *const COLUMNS[] = {"movie", "title", "genres"};
    const dip_dialect dat = {.columns = COLUMNS, .n_columns = 3, .delimiter = "::"};
    records r;
    check_ok(open_text(&r, *state, "movies.dat",
                       "1::Toy Story (1995)::Animation|Comedy\r\n2::Mission: Impossible:::A\n"
                       "3::::\n",
                       &dat));
    check_record(&r, "1~Toy Story (1995)~Animation|Comedy");
    assert_int_equal(dip_block_line(&r.block), 1);
    check_record(&r, "2~Mission: Impossible~:A");
    check_record(&r, "3~~");
    check_end(&r);
    check_ok(open_text(&r, *state, "movies.dat", "1::2::3\n4::5\n", &dat));
    check_record(&r, "1~2~3");
    check_fails(read_on(&r), DIP_ERR_FORMAT,
                "movies.dat:2: 2 fields where \"columns\" has 3; the last one is \"5\"");
    records_close(&r);
    check_ok(open_text(&r, *state, "movies.dat", "1::2\xFF::3\n", &dat));
    check_fails(read_on(&r), DIP_ERR_FORMAT, "movies.dat:1: column 2 (title): byte 5 of the line");
    records_close(&r);
}

static void a_delimiter_may_be_another_byte(void **state) {
    const dip_dialect bar = {.delimiter = "|"};
    const dip_dialect semicolon = {.format = DIP_FORMAT_CSV, .delimiter = ";"};
    records r;
    check_ok(open_text(&r, *state, "u.item", "a|b\n1|\"2\n", &bar));
    check_record(&r, "1~\"2");
    check_end(&r);
    check_ok(open_text(&r, *state, "x.csv", "a;b\n\"1;\"\"1\";2,2\n", &semicolon));
    check_record(&r, "1;\"1~2,2");
    check_end(&r);
}

static void columns_can_be_named_where_no_header_is(void **state) {
    static const char *const COLUMNS[] = {"a", "b"};
    static const char *const TWICE[] = {"a", "a"};
    const dip_dialect two = {.columns = COLUMNS, .n_columns = 2};
    const dip_dialect bad = {.columns = TWICE, .n_columns = 2};
    records r;
    size_t column = 0;
    check_ok(open_text(&r, *state, "x.csv",
                       "\xEF\xBB\xBF"
                       "1,2\n",
                       &two));
    check_ok(dip_reader_column(r.reader, "b", &column, check_error()));
    assert_int_equal(column, 1);
    check_fails(dip_reader_column(r.reader, "c", &column, check_error()), DIP_ERR_FORMAT,
                "the columns are a, b");
    check_record(&r, "1~2");
    assert_int_equal(dip_block_line(&r.block), 1);
    check_end(&r);
    check_ok(open_text(&r, *state, "x.tsv", "", &two));
    check_end(&r);
    check_fails(open_text(&r, *state, "x.tsv", "1\t2\n", &bad), DIP_ERR_USAGE,
                "\"columns\" names \"a\" twice");
}

/* Every character of ISO 8859-1, in blocks of every small size. */
static void latin1_becomes_utf8(void **state) {
    char text[300] = "a\tb\n";
    size_t used = strlen(text);
    for (int c = 1; c < 256; c++) {
        text[used++] = (char)(c == '\t' || c == '\n' || c == '\r' ? ' ' : c);
    }
    memcpy(text + used, "\tx\n", 4);
    for (size_t bytes = 2; bytes < 70; bytes++) {
        const dip_dialect latin1 = {.encoding = DIP_ENCODING_LATIN1, .block_bytes = bytes};
        records r;
        const dip_field *field = NULL;
        check_ok(open_text(&r, *state, "x.tsv", text, &latin1));
        check_ok(records_next(&r, &field));
        assert_int_equal(field[0].length, 127 + 2 * 128);
        for (int c = 128; c < 256; c++) {
            const unsigned char *at = (const unsigned char *)field[0].text + 127 + 2 * (c - 128);
            assert_int_equal((at[0] & 0x1F) << 6 | (at[1] & 0x3F), c);
            assert_true(at[0] >> 5 == 6 && at[1] >> 6 == 2);
        }
        assert_string_equal(field[1].text, "x");
        check_end(&r);
    }
}

static void what_does_not_go_together_is_refused(void **state) {
    static const char *const COLUMNS[] = {"a"};
    static const struct {
        const char *name;
        dip_dialect dialect;
        const char *part;
    } CASES[] = {
        {"x.dat", {.format = DIP_FORMAT_BY_NAME}, "say what it is with \"format\""},
        {"x.jsonl", {.delimiter = "|"}, "do not go with JSON lines"},
        {"x.jsonl", {.columns = COLUMNS, .n_columns = 1}, "do not go with JSON lines"},
        {"x.csv", {.delimiter = "::"}, "the delimiter of CSV is one byte"},
        {"x.csv", {.delimiter = "\""}, "the delimiter of CSV is one byte"},
        {"x.tsv", {.delimiter = ""}, "no empty text"},
        {"x.tsv", {.delimiter = "a\n"}, "no line end"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        records r;
        check_fails(open_text(&r, *state, CASES[i].name, "a\n1\n", &CASES[i].dialect),
                    DIP_ERR_USAGE, CASES[i].part);
        assert_null(r.reader);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(atomic_files_are_tsv),
        check_test_in_folder(the_format_can_be_said),
        check_test_in_folder(a_delimiter_may_have_several_bytes),
        check_test_in_folder(a_delimiter_may_be_another_byte),
        check_test_in_folder(columns_can_be_named_where_no_header_is),
        check_test_in_folder(latin1_becomes_utf8),
        check_test_in_folder(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
