/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON lines: how values become text, which keys are columns, and where a mistake is.
 */
#include "compress.h"
#include "records.h"

static dip_status open_lines(records *r, check_folder *folder, const char *name, const char *text,
                             const dip_dialect *dialect) {
    compress_to(check_path(folder, name), text, strlen(text), 1);
    return records_open(r, check_path(folder, name), dialect);
}

/* Chooses columns by name; separators may be NULL. */
static void choose(records *r, const char *const *names, const char *const *separators, size_t n) {
    size_t columns[8];
    for (size_t i = 0; i < n; i++) {
        check_ok(dip_reader_column(r->reader, names[i], &columns[i], check_error()));
    }
    check_ok(dip_reader_select(r->reader, columns, separators, n, check_error()));
}

static dip_status read_on(records *r) {
    const dip_field *field = NULL;
    dip_status status = DIP_OK;
    while (status == DIP_OK) {
        status = records_next(r, &field);
    }
    return status;
}

/* The value of key "a" as text. */
static void check_value(check_folder *folder, const char *json, const char *text) {
    records r;
    char line[1000];
    snprintf(line, sizeof line, "{\"a\": %s, \"b\": 1}\n", json);
    check_ok(open_lines(&r, folder, "x.jsonl", line, NULL));
    static const char *const NAMES[] = {"a"};
    choose(&r, NAMES, NULL, 1);
    check_record(&r, text);
    check_end(&r);
}

static void values_become_text(void **state) {
    static const char *const CASES[][2] = {
        {"\"text\"", "text"},
        {"\"\"", ""},
        {"null", ""},
        {"true", "true"},
        {"false", "false"},
        {"0", "0"},
        {"-17", "-17"},
        {"9223372036854775807", "9223372036854775807"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"0.00001", "1e-05"},
        {"100000.0", "100000"},
        {"-0.0", "-0"},
        {"1234567890.12345678", "1234567890.1234567"},
        {"0.5", "0.5"},
        {"4.50", "4.5"},
        {"5.0", "5"},
        {"0.1", "0.1"},
        {"1e2", "100"},
        {"-2.5E-3", "-0.0025"},
        {"1e300", "1e+300"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"3.141592653589793", "3.141592653589793"},
        {"\"tab\\tline\\n\\\"quote\\\" back\\\\slash \\/ \\b\\f\\r\"",
         "tab\tline\n\"quote\" back\\slash / \b\f\r"},
        {"\"\\u0041\\u00e9\\u6F22\\ud83d\\uDE00\"", "A\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80"},
        {"\"\xC3\xA9 \xF0\x9F\x98\x80\"", "\xC3\xA9 \xF0\x9F\x98\x80"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_value(*state, CASES[i][0], CASES[i][1]);
    }
}

static void lists_are_joined_where_a_separator_is_given(void **state) {
    static const char *const NAMES[] = {"tags", "more", "tags"};
    static const char *const SEPARATORS[] = {"|", " and ", ";"};
    records r;
    check_ok(open_lines(&r, *state, "x.jsonl",
                        "{\"tags\": [\"red\", 2, 2.50, true, null, \"\", \"x y\"], \"more\": []}\n"
                        "{\"tags\": [\"one\"], \"more\": [\"a\", \"b\"]}\n"
                        "{\"tags\": \"as|it|is\", \"more\": null}\n",
                        NULL));
    choose(&r, NAMES, SEPARATORS, 3);
    check_record(&r, "red|2|2.5|true||x y~~red;2;2.5;true;;x y");
    check_record(&r, "one~a and b~one");
    check_record(&r, "as|it|is~~as|it|is");
    check_end(&r);
}

/* With a separator of several bytes, the end of an element and the separator can make another. */
static void lists_can_be_cut_again(void **state) {
    static const struct {
        const char *list;
        const char *joined; /* or NULL */
    } CASES[] = {{"[\"a\", \"b\"]", "a::b"}, {"[\"a\", \":b\"]", "a:::b"},
                 {"[\"a:\", \"b\"]", NULL},  {"[\"a\", \"\", \"b\"]", "a::::b"},
                 {"[\":\", \"b\"]", NULL},   {"[\"a::\"]", NULL},
                 {"[\"a:\"]", "a:"},         {"[\"\", \"\", \":\"]", ":::::"}};
    static const char *const NAMES[] = {"a"};
    static const char *const SEPARATORS[] = {"::"};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[200];
        records r;
        snprintf(text, sizeof text, "{\"a\": %s}\n", CASES[i].list);
        check_ok(open_lines(&r, *state, "x.jsonl", text, NULL));
        choose(&r, NAMES, SEPARATORS, 1);
        if (CASES[i].joined != NULL) {
            check_record(&r, CASES[i].joined);
            check_end(&r);
        } else {
            check_fails(read_on(&r), DIP_ERR_FORMAT, "makes one with its neighbour");
            records_close(&r);
        }
    }
}

static void missing_keys_are_empty(void **state) {
    records r;
    check_ok(open_lines(&r, *state, "x.ndjson",
                        "{\"a\": 1, \"b\": 2}\n\n{\"b\": 3}\r\n{}\n{\"c\": 5, \"a\": 4}", NULL));
    check_record(&r, "1~2~");
    check_record(&r, "~3~");
    assert_int_equal(dip_block_line(&r.block), 3);
    check_record(&r, "~~");
    check_record(&r, "4~~5");
    assert_int_equal(dip_block_line(&r.block), 5);
    check_end(&r);
}

/* Keys of the first 1000 records are columns, later ones are not. */
static void keys_are_looked_for_in_the_first_records(void **state) {
    char *text = malloc(100000);
    for (int late = 0; late < 2; late++) {
        records r;
        size_t column = 0;
        size_t used = 0;
        for (int i = 0; i < 1001; i++) {
            const char *form = i == 999 + late ? "{\"a\": %d, \"rare\": 1}\n" : "{\"a\": %d}\n";
            used += (size_t)sprintf(text + used, form, i);
        }
        check_ok(open_lines(&r, *state, "x.jsonl", text, NULL));
        if (late == 0) {
            check_ok(dip_reader_column(r.reader, "rare", &column, check_error()));
            assert_int_equal(column, 1);
        } else {
            check_fails(dip_reader_column(r.reader, "rare", &column, check_error()), DIP_ERR_FORMAT,
                        "x.jsonl:1: there is no column \"rare\"; the columns are a");
        }
        records_close(&r);
    }
    free(text);
}

static void blocks_of_every_size_give_the_same_records(void **state) {
    for (size_t bytes = 2; bytes < 60; bytes++) {
        const dip_dialect dialect = {.block_bytes = bytes};
        records r;
        check_ok(open_lines(&r, *state, "x.jsonl.gz",
                            "\xEF\xBB\xBF{\"a\": \"one\", \"b\": \"x\\ny\"}\n\n{\"b\": 2.5}\r\n"
                            "{\"a\": \"a longer text than the others\"}",
                            &dialect));
        check_record(&r, "one~x\ny");
        check_record(&r, "~2.5");
        assert_int_equal(dip_block_line(&r.block), 3);
        check_record(&r, "a longer text than the others~");
        check_end(&r);
    }
}

/* Mistakes in the second record, after a good one. */
static void mistakes_are_named_at_their_line(void **state) {
    static const char *const CASES[][2] = {
        {"{\"a\": 1,}", "x.jsonl:2:9: not valid JSON"},
        {"{\"a\": 1} x", "x.jsonl:2:10: not valid JSON"},
        {"{\"a\": 1", "x.jsonl:2:8: not valid JSON: ',' or '}' is missing"},
        {"{\"a\": 01}", "x.jsonl:2:7: not valid JSON: a number begins with 0"},
        {"{\"a\": 1.}", "x.jsonl:2:9: not valid JSON: a digit is missing"},
        {"{\"a\": \"x\x01y\"}", "x.jsonl:2:9: not valid JSON: a control character"},
        {"{\"a\": \"\\u0000\"}", "x.jsonl:2:14: not valid JSON: the character \\u0000"},
        {"{\"a\": \"\\ud800\"}", "x.jsonl:2:14: not valid JSON: half of a surrogate pair"},
        {"{\"a\": \"\\ud800\\u0041\"}", "x.jsonl:2:20: not valid JSON: half of a surrogate"},
        {"{\"a\": \"\\x\"}", "x.jsonl:2:9: not valid JSON: an unknown escape"},
        {"{\"a\": \"x", "x.jsonl:2:9: not valid JSON: the text ends inside a string"},
        {"{\"a\": nul}", "x.jsonl:2:7: not valid JSON: a value is missing"},
        {"{\"z\": [1, {\"y\": 2], 3}}", "x.jsonl:2:18: not valid JSON: ',' or '}' is missing"},
        {"{\"z\": [1 2]}", "x.jsonl:2:10: not valid JSON: ',' or ']' is missing"},
        {"{a: 1}", "x.jsonl:2:2: not valid JSON"},
        {"{\"a\": 1, \"a\": 2}", "x.jsonl:2: key \"a\" is given twice"},
        {"{\"a\": 1e999}", "x.jsonl:2:7: not valid JSON: the number is too large"},
        {"[1, 2]", "x.jsonl:2: a record is an object"},
        {"17", "x.jsonl:2:"},
        {"{\"a\": {\"b\": 1}}", "x.jsonl:2: key \"a\": an object inside the record"},
        {"{\"a\": [1, 2]}", "x.jsonl:2: key \"a\": a list is only read where"},
        {"{\"t\": [[1], 2]}", "x.jsonl:2: key \"t\": element 1 is no plain value"},
        {"{\"t\": [2, {}]}", "x.jsonl:2: key \"t\": element 2 is no plain value"},
        {"{\"t\": [\"x\", \"a|b\"]}",
         "x.jsonl:2: key \"t\": the element \"a|b\" contains the separator \"|\""},
        {"{\"a\": \"\xFF\"}", "x.jsonl:2: byte 8 of the line, 0xFF, is not valid UTF-8"},
    };
    static const char *const NAMES[] = {"a", "t"};
    static const char *const SEPARATORS[] = {NULL, "|"};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[1000];
        records r;
        snprintf(text, sizeof text, "{\"a\": 1, \"t\": [5, 6], \"other\": {\"x\": [1]}}\n%s\n",
                 CASES[i][0]);
        check_ok(open_lines(&r, *state, "x.jsonl", text, NULL));
        choose(&r, NAMES, SEPARATORS, 2);
        check_record(&r, "1~5|6");
        check_fails(read_on(&r), DIP_ERR_FORMAT, CASES[i][1]);
        records_close(&r);
    }
}

static void a_bad_first_record_is_known_at_the_start(void **state) {
    static const char *const CASES[][2] = {
        {"", "x.jsonl is empty"},
        {"\n\r\n\n", "x.jsonl is empty"},
        {"a\tb\n1\t2\n", "x.jsonl:1: a record is an object"},
        {"\n[1]\n", "x.jsonl:2: a record is an object"},
        {"\"a\"\n", "x.jsonl:1:"},
        {"{\"\xFF\": 1}\n", "x.jsonl:1: byte 3 of the line"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        records r;
        check_fails(open_lines(&r, *state, "x.jsonl", CASES[i][0], NULL), DIP_ERR_FORMAT,
                    CASES[i][1]);
    }
}

static void an_error_of_the_caller_names_the_key(void **state) {
    records r;
    check_ok(open_lines(&r, *state, "x.jsonl", "{\"id\": 1, \"price\": \"dear\"}\n", NULL));
    check_record(&r, "1~dear");
    check_fails(dip_block_fail(&r.block, 1, check_error(), "\"%s\" is bad", "dear"), DIP_ERR_FORMAT,
                "x.jsonl:1: key \"price\": \"dear\" is bad");
    check_end(&r);
}

/* Brackets in a value that is not wanted: no recursion, and a limit. */
static void depth_is_limited(void **state) {
    for (int depth = 500; depth < 530; depth++) {
        char text[1200] = "{\"a\": 1}\n{\"z\": ";
        records r;
        for (int i = 0; i < depth; i++) {
            strcat(text, "[");
        }
        for (int i = 0; i < depth; i++) {
            strcat(text, "]");
        }
        strcat(text, "}\n");
        check_ok(open_lines(&r, *state, "x.jsonl", text, NULL));
        static const char *const NAMES[] = {"a"};
        choose(&r, NAMES, NULL, 1);
        check_record(&r, "1");
        if (depth <= 512) {
            check_record(&r, "");
            check_end(&r);
        } else {
            check_fails(read_on(&r), DIP_ERR_FORMAT, "too many brackets are open");
            records_close(&r);
        }
    }
}

/* Values longer than a page, and many records in one block. */
static void long_and_many_values_are_kept(void **state) {
    enum { LENGTH = 300000, ROWS = 5000 };
    char *text = malloc(2 * LENGTH + 100 * ROWS);
    size_t used = (size_t)sprintf(text, "{\"a\": \"");
    memset(text + used, 'x', LENGTH);
    used += LENGTH;
    used += (size_t)sprintf(text + used, "\"}\n");
    for (int i = 0; i < ROWS; i++) {
        used += (size_t)sprintf(text + used, "{\"a\": \"value number %d\"}\n", i);
    }
    records r;
    const dip_field *field = NULL;
    const char **kept = malloc(ROWS * sizeof *kept);
    check_ok(open_lines(&r, *state, "x.jsonl", text, NULL));
    check_ok(records_next(&r, &field));
    assert_int_equal(field[0].length, LENGTH);
    assert_int_equal(strspn(field[0].text, "x"), LENGTH);
    for (int i = 0; i < ROWS; i++) {
        check_ok(records_next(&r, &field));
        kept[i] = field[0].text;
    }
    for (int i = 0; i < ROWS; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "value number %d", i);
        assert_string_equal(kept[i], expected);
    }
    check_end(&r);
    free(kept);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(values_become_text),
        check_test_in_folder(lists_are_joined_where_a_separator_is_given),
        check_test_in_folder(lists_can_be_cut_again),
        check_test_in_folder(missing_keys_are_empty),
        check_test_in_folder(keys_are_looked_for_in_the_first_records),
        check_test_in_folder(blocks_of_every_size_give_the_same_records),
        check_test_in_folder(mistakes_are_named_at_their_line),
        check_test_in_folder(a_bad_first_record_is_known_at_the_start),
        check_test_in_folder(an_error_of_the_caller_names_the_key),
        check_test_in_folder(depth_is_limited),
        check_test_in_folder(long_and_many_values_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
