/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of many files and blocks: where records are cut, which columns come, who reports what
 * first.
 */
#include "base/mem.h"
#include "compress.h"
#include "records.h"

#include <pthread.h>

static dip_status open_files(records *r, check_folder *folder, const char *const *names, size_t n,
                             const dip_dialect *dialect) {
    const char *paths[8];
    char kept[8][1000];
    for (size_t i = 0; i < n; i++) {
        snprintf(kept[i], sizeof kept[i], "%s", check_path(folder, names[i]));
        paths[i] = kept[i];
    }
    *r = (records){0};
    return dip_reader_open(&r->reader, paths, n, dialect, check_error());
}

static void write_text(check_folder *folder, const char *name, const char *text) {
    compress_to(check_path(folder, name), text, strlen(text), 1);
}

static void select_names(records *r, const char *const *names, size_t n) {
    size_t columns[8];
    for (size_t i = 0; i < n; i++) {
        check_ok(dip_reader_column(r->reader, names[i], &columns[i], check_error()));
    }
    check_ok(dip_reader_select(r->reader, columns, NULL, n, check_error()));
}

/* Reads on until something is wrong. */
static dip_status read_on(records *r) {
    const dip_field *field = NULL;
    dip_status status = DIP_OK;
    while (status == DIP_OK) {
        status = records_next(r, &field);
    }
    return status;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* One text in blocks of every size: records, lines and the block's own end. */
static void records_cross_the_borders_of_blocks(void **state) {
    static const char TSV[] = "a\tb\n1\t2\n\n33\t\r\n4444444444444\t5\n6\t7777777777777777777777";
    static const char CSV[] = "a,b\n1,2\n\n\"3\n3\",\r\n\"4,\"\"4\"\"\n\n4\",\"5\"\n6,7777777";
    for (size_t bytes = 2; bytes < 90; bytes++) {
        const dip_dialect dialect = {.block_bytes = bytes};
        records r;
        write_text(*state, "x.tsv", TSV);
        check_ok(records_open(&r, check_path(*state, "x.tsv"), &dialect));
        check_record(&r, "1~2");
        assert_int_equal(dip_block_line(&r.block), 2);
        check_record(&r, "33~");
        assert_int_equal(dip_block_line(&r.block), 4);
        check_record(&r, "4444444444444~5");
        check_record(&r, "6~7777777777777777777777");
        assert_int_equal(dip_block_line(&r.block), 6);
        check_end(&r);
        write_text(*state, "x.csv", CSV);
        check_ok(records_open(&r, check_path(*state, "x.csv"), &dialect));
        check_record(&r, "1~2");
        check_record(&r, "3\n3~");
        assert_int_equal(dip_block_line(&r.block), 4);
        check_record(&r, "4,\"4\"\n\n4~5");
        assert_int_equal(dip_block_line(&r.block), 6);
        check_record(&r, "6~7777777");
        assert_int_equal(dip_block_line(&r.block), 9);
        check_end(&r);
    }
}

/* What was cut stays where it is until the block is taken again. */
static void fields_last_as_long_as_their_block(void **state) {
    static const char *const NAMES[] = {"x.tsv", "x.csv", "x.jsonl"};
    static const char *const TEXTS[] = {"a\tb\n1\tone\n2\ttwo\n", "a,b\n\"1\",\"o\"\"ne\"\n2,two\n",
                                        "{\"a\": 1, \"b\": \"one\"}\n{\"a\": 2, \"b\": \"two\"}\n"};
    for (size_t i = 0; i < 3; i++) {
        records r;
        const dip_field *field = NULL;
        write_text(*state, NAMES[i], TEXTS[i]);
        check_ok(records_open(&r, check_path(*state, NAMES[i]), NULL));
        check_ok(records_next(&r, &field));
        const dip_field first = field[1];
        check_record(&r, "2~two");
        assert_string_equal(first.text, i == 1 ? "o\"ne" : "one");
        check_end(&r);
    }
}

typedef struct cutter {
    dip_block block;
    uint64_t sum;
    uint64_t records;
    dip_status status;
} cutter;

static void *cut_block(void *context) {
    cutter *c = context;
    const dip_field *field = NULL;
    while ((c->status = dip_block_next(&c->block, &field, NULL)) == DIP_OK) {
        c->sum += strtoull(field[0].text, NULL, 10);
        c->records++;
    }
    return NULL;
}

/* Blocks are cut by several threads at once while the next ones are taken. */
static void threads_cut_blocks_at_once(void **state) {
    enum { ROWS = 20000, THREADS = 4 };
    const dip_dialect dialect = {.block_bytes = 3000};
    char *text = malloc(40 * ROWS);
    size_t used = (size_t)sprintf(text, "n,title\n");
    for (int i = 0; i < ROWS; i++) {
        used += (size_t)sprintf(text + used, "%d,\"a \"\"title\"\"\n%d\"\n", i, i);
    }
    compress_to(check_path(*state, "x.csv"), text, used, 1);
    free(text);
    static cutter cutters[THREADS];
    uint64_t sum = 0;
    uint64_t rows = 0;
    records r;
    dip_status status = records_open(&r, check_path(*state, "x.csv"), &dialect);
    memset(cutters, 0, sizeof cutters);
    while (status == DIP_OK) {
        pthread_t threads[THREADS];
        int n = 0;
        while (n < THREADS && status == DIP_OK) {
            status = dip_reader_take(r.reader, &cutters[n].block, check_error());
            if (status == DIP_OK) {
                assert_int_equal(pthread_create(&threads[n], NULL, cut_block, &cutters[n]), 0);
                n++;
            }
        }
        for (int i = 0; i < n; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(cutters[i].status, DIP_END);
        }
    }
    assert_int_equal(status, DIP_END);
    for (int i = 0; i < THREADS; i++) {
        sum += cutters[i].sum;
        rows += cutters[i].records;
        dip_block_free(&cutters[i].block);
    }
    assert_int_equal(rows, ROWS);
    assert_true(sum == (uint64_t)ROWS * (ROWS - 1) / 2);
    records_close(&r);
}

/* ---- columns --------------------------------------------------------------------------------- */

static void chosen_columns_come_in_the_chosen_order(void **state) {
    static const char *const CHOSEN[] = {"c", "a", "c", "d", "c"};
    records r;
    write_text(*state, "x.tsv", "a\tb\tc\td\n1\t2\t3\t4\n\t\t\t\n");
    check_ok(records_open(&r, check_path(*state, "x.tsv"), NULL));
    select_names(&r, CHOSEN, 5);
    check_record(&r, "3~1~3~4~3");
    check_fails(dip_block_fail(&r.block, 3, check_error(), "too %s", "dear"), DIP_ERR_FORMAT,
                "x.tsv:2: column 4 (d): too dear");
    check_record(&r, "~~~~");
    check_end(&r);
    write_text(*state, "x.csv", "a,b,c,d\n1,\"2\",\"3\"\"\",4\n");
    check_ok(records_open(&r, check_path(*state, "x.csv"), NULL));
    select_names(&r, CHOSEN, 5);
    check_record(&r, "3\"~1~3\"~4~3\"");
    check_end(&r);
}

/* Columns that are not chosen are looked at all the same. */
static void what_is_not_chosen_is_checked(void **state) {
    static const char *const CHOSEN[] = {"a"};
    static const char *const BAD[][2] = {
        {"a\tb\n1\t2\t3\n", "x.tsv:2: 3 fields where the header has 2"},
        {"a\tb\n1\t\xFF\n", "x.tsv:2: column 2 (b): byte 3 of the line, 0xFF"},
    };
    for (size_t i = 0; i < 2; i++) {
        records r;
        write_text(*state, "x.tsv", BAD[i][0]);
        check_ok(records_open(&r, check_path(*state, "x.tsv"), NULL));
        select_names(&r, CHOSEN, 1);
        check_fails(read_on(&r), DIP_ERR_FORMAT, BAD[i][1]);
        records_close(&r);
    }
}

/* ---- many files ------------------------------------------------------------------------------ */

static void files_follow_each_other_and_are_mapped_by_name(void **state) {
    static const char *const NAMES[] = {"1.tsv", "2.csv.gz", "3.tsv.zst", "4.jsonl", "5.tsv"};
    static const char *const CHOSEN[] = {"b", "a"};
    records r;
    write_text(*state, NAMES[0], "a\tb\n1\t2\n3\t4");
    write_text(*state, NAMES[1], "more,b,a\nx,\"6\",5\n");
    write_text(*state, NAMES[2],
               "\xEF\xBB\xBF"
               "b\ta\n");
    write_text(*state, NAMES[3], "{\"b\": 8, \"a\": 7}\n{\"a\": 9}\n");
    write_text(*state, NAMES[4], "b\ta\n12\t11\n");
    check_ok(open_files(&r, *state, NAMES, 5, NULL));
    select_names(&r, CHOSEN, 2);
    check_record(&r, "2~1");
    check_record(&r, "4~3");
    assert_int_equal(dip_block_line(&r.block), 3);
    check_record(&r, "6~5");
    assert_int_equal(dip_block_line(&r.block), 2);
    assert_non_null(strstr(dip_block_path(&r.block), "2.csv.gz"));
    check_fails(dip_block_fail(&r.block, 0, check_error(), "bad"), DIP_ERR_FORMAT,
                "2.csv.gz:2: column 2 (b): bad");
    check_record(&r, "8~7");
    check_record(&r, "~9");
    check_record(&r, "12~11");
    assert_true(dip_reader_position(r.reader) == dip_reader_size(r.reader));
    assert_non_null(strstr(dip_reader_name(r.reader), "1.tsv and 4 more"));
    check_end(&r);
}

static void a_later_file_must_have_the_columns_too(void **state) {
    static const char *const NAMES[] = {"1.tsv", "2.tsv"};
    static const char *const CHOSEN[] = {"kind"};
    records r;
    write_text(*state, "1.tsv", "a\tkind\n1\t2\n");
    write_text(*state, "2.tsv", "a\tkinds\n3\t4\n");
    check_ok(open_files(&r, *state, NAMES, 2, NULL));
    select_names(&r, CHOSEN, 1);
    check_record(&r, "2");
    check_fails(
        read_on(&r), DIP_ERR_FORMAT,
        "2.tsv:1: there is no column \"kind\"; did you mean \"kinds\"?; the columns are a, kinds");
    records_close(&r);
    write_text(*state, "2.tsv", "");
    check_ok(open_files(&r, *state, NAMES, 2, NULL));
    check_fails(read_on(&r), DIP_ERR_FORMAT, "2.tsv is empty");
    records_close(&r);
}

static void a_missing_file_is_known_at_the_start(void **state) {
    static const char *const NAMES[] = {"1.tsv", "none.tsv"};
    records r;
    write_text(*state, "1.tsv", "a\n1\n");
    check_fails(open_files(&r, *state, NAMES, 2, NULL), DIP_ERR_IO, "none.tsv");
    assert_null(r.reader);
    check_fails(dip_reader_open(&r.reader, NULL, 0, NULL, check_error()), DIP_ERR_USAGE,
                "at least one file");
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* The records before a bad one are read, whatever the size of the blocks, and its error is the
 * same. */
static void errors_do_not_depend_on_the_blocks(void **state) {
    static const char *const CASES[][3] = {
        {"x.tsv", "a\tb\n1\t2\n3\t4\n5\n6\t7\xFF\n", "x.tsv:4: 1 fields where the header has 2"},
        {"x.tsv", "a\tb\n1\t2\n3\t4\n5\t\xC3\n6\n", "x.tsv:4: column 2 (b): byte 3 of the line"},
        {"x.csv", "a,b\n1,2\n3,4\n\"5\"x,6\n7,\"8\n", "x.csv:4: column 1: a quote stands inside"},
        {"x.csv", "a,b\n1,2\n3,4\n5,\"\n6\n\n7,8\n", "x.csv:4: a quote opened here is never"},
        {"x.csv", "a,b\n1,2\n3,\"4\"\n\"5\n\",\"6\n\xFF\"\n", "x.csv:4: column 2 (b): byte 9 of"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        for (size_t bytes = 2; bytes < 60; bytes++) {
            const dip_dialect dialect = {.block_bytes = bytes};
            records r;
            write_text(*state, CASES[i][0], CASES[i][1]);
            check_ok(records_open(&r, check_path(*state, CASES[i][0]), &dialect));
            check_record(&r, "1~2");
            check_record(&r, "3~4");
            check_fails(read_on(&r), DIP_ERR_FORMAT, CASES[i][2]);
            records_close(&r);
        }
    }
}

/* Reads a table of four formats; true when all was read, false when memory was short. */
static bool read_in_little_memory(check_folder *folder, int64_t n) {
    static const char *const NAMES[] = {"1.tsv", "2.csv.gz", "3.jsonl", "4.tsv.zst"};
    static const char *const CHOSEN[] = {"b", "a", "b"};
    static const char *const SEPARATORS[] = {"|", NULL, ";"};
    const dip_dialect dialect = {.block_bytes = 16};
    records r;
    size_t columns[3] = {0};
    dip_mem_fail_after(n, 0);
    dip_status status = open_files(&r, folder, NAMES, 4, &dialect);
    for (size_t i = 0; i < 3 && status == DIP_OK; i++) {
        status = dip_reader_column(r.reader, CHOSEN[i], &columns[i], check_error());
    }
    if (status == DIP_OK) {
        status = dip_reader_select(r.reader, columns, SEPARATORS, 3, check_error());
    }
    status = status == DIP_OK ? read_on(&r) : status;
    dip_mem_fail_after(-1, 0);
    records_close(&r);
    if (status != DIP_END) {
        assert_int_equal(status, DIP_ERR_MEMORY);
    }
    return status == DIP_END;
}

static void every_allocation_may_fail(void **state) {
    int64_t n = 0;
    write_text(*state, "1.tsv", "a\tb\n1\t2\n3\t4444444444444444444444444444\n");
    write_text(*state, "2.csv.gz", "more,b,a\nx,\"6\"\"\",5\n");
    write_text(*state, "3.jsonl", "{\"b\": [8, 2.5e10], \"a\": 7}\n{\"a\": \"x\"}\n");
    write_text(*state, "4.tsv.zst", "b\ta\n5\t6\n");
    while (!read_in_little_memory(*state, n)) {
        n++;
    }
    assert_in_range(n, 40, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(records_cross_the_borders_of_blocks),
        check_test_in_folder(fields_last_as_long_as_their_block),
        check_test_in_folder(threads_cut_blocks_at_once),
        check_test_in_folder(chosen_columns_come_in_the_chosen_order),
        check_test_in_folder(what_is_not_chosen_is_checked),
        check_test_in_folder(files_follow_each_other_and_are_mapped_by_name),
        check_test_in_folder(a_later_file_must_have_the_columns_too),
        check_test_in_folder(a_missing_file_is_known_at_the_start),
        check_test_in_folder(errors_do_not_depend_on_the_blocks),
        check_test_in_folder(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
