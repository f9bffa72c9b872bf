/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns in scratch space: codes come back in order, holes filled from the answers of their part,
 * rows with their counts.
 */
#include "plain.h"

enum { MANY = 100000 };

/* A column of random codes: some known, some missing, the others holes with an answer. */
typedef struct made {
    dip_scratch scratch;
    dip_column_data column;
    int32_t *code; /* [n] as they must come back */
    size_t n;
} made;

static void make(made *m, size_t n, uint64_t *random) {
    plain_scratch(&m->scratch);
    dip_column_init(&m->column, &m->scratch);
    m->n = n;
    m->code = calloc(n + 1, sizeof *m->code);
    for (size_t i = 0; i < n; i++) {
        const size_t kind = check_random_below(random, 4);
        const size_t part = check_random_below(random, DIP_TEXT_PARTS);
        const int32_t hole = (int32_t)(-2 - (int64_t)part);
        m->code[i] = kind == 0 ? DIP_CODE_UNKNOWN : (int32_t)check_random_below(random, 1 << 30);
        const int32_t *stored = kind < 2 ? &m->code[i] : &hole;
        check_ok(dip_spool_put(&m->column.codes, stored, sizeof *stored, check_error()));
        if (kind == 3) { /* answered as unknown */
            m->code[i] = DIP_CODE_UNKNOWN;
        }
        if (kind >= 2) {
            check_ok(dip_spool_put(&m->column.stream.answers[part], &m->code[i], sizeof m->code[i],
                                   check_error()));
        }
    }
}

static void drop(made *m) {
    dip_column_free(&m->column);
    dip_scratch_free(&m->scratch);
    free(m->code);
}

static void codes_come_back_with_holes_filled(void **state) {
    (void)state;
    static const size_t SIZES[] = {0, 1, 8191, 8192, 8193, MANY};
    static const size_t STEPS[] = {1, 7, 8192, 100000};
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        made m;
        make(&m, SIZES[i], &random);
        for (size_t s = 0; s < sizeof STEPS / sizeof STEPS[0]; s++) {
            int32_t *found = calloc(STEPS[s], sizeof *found);
            dip_column_cursor cursor;
            size_t at = 0;
            size_t got = 0;
            dip_column_begin(&cursor, &m.column);
            do {
                check_ok(dip_column_codes(&cursor, found, STEPS[s], &got, check_error()));
                assert_true(at + got <= m.n);
                assert_memory_equal(found, m.code + at, got * sizeof *found);
                at += got;
            } while (got == STEPS[s]);
            assert_int_equal(at, m.n);
            dip_column_end(&cursor);
            free(found);
        }
        drop(&m);
    }
}

static void a_single_value_may_be_missing(void **state) {
    (void)state;
    static const size_t SIZES[] = {0, 1, 8192, MANY};
    uint64_t random = 2;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        made m;
        make(&m, SIZES[i], &random);
        plain_cells cells = plain_column(&m.column, false);
        assert_int_equal(cells.n, m.n);
        for (size_t row = 0; row < m.n; row++) {
            const size_t n = cells.offset[row + 1] - cells.offset[row];
            assert_int_equal(n, m.code[row] != DIP_CODE_UNKNOWN);
            assert_true(n == 0 || cells.code[cells.offset[row]] == m.code[row]);
        }
        plain_cells_free(&cells);
        drop(&m);
    }
}

/* Bags of 0 to 5 values, and one of many. */
static void bags_have_their_counts(void **state) {
    (void)state;
    uint64_t random = 3;
    for (size_t n = 1; n <= MANY; n *= 100) {
        made m;
        make(&m, n, &random);
        size_t *end = calloc(n + 40000, sizeof *end);
        size_t rows = 0;
        for (size_t at = 0; at < n || rows % 1000 != 0; rows++) {
            const size_t wanted = rows == 3 ? 30000 : check_random_below(&random, 6);
            const uint32_t count = (uint32_t)(n - at < wanted ? n - at : wanted);
            check_ok(dip_spool_put(&m.column.counts, &count, sizeof count, check_error()));
            at += count;
            end[rows] = at;
        }
        plain_cells cells = plain_column(&m.column, true);
        assert_int_equal(cells.n, rows);
        for (size_t row = 0; row < rows; row++) {
            assert_int_equal(cells.offset[row + 1], end[row]);
        }
        assert_memory_equal(cells.code, m.code, n * sizeof *m.code);
        plain_cells_free(&cells);
        free(end);
        drop(&m);
    }
}

/* A column can be read again and by several cursors at once. */
static void cursors_do_not_disturb_each_other(void **state) {
    (void)state;
    enum { CURSORS = 3, N = 30000 };
    uint64_t random = 4;
    made m;
    dip_column_cursor cursor[CURSORS];
    size_t at[CURSORS] = {0};
    make(&m, N, &random);
    for (size_t c = 0; c < CURSORS; c++) {
        dip_column_begin(&cursor[c], &m.column);
    }
    for (size_t turn = 0; at[0] < N || at[1] < N || at[2] < N; turn++) {
        int32_t found[1000];
        size_t got = 0;
        const size_t c = turn % CURSORS;
        check_ok(dip_column_codes(&cursor[c], found, 1 + check_random_below(&random, 1000), &got,
                                  check_error()));
        assert_memory_equal(found, m.code + at[c], got * sizeof *found);
        at[c] += got;
    }
    for (size_t c = 0; c < CURSORS; c++) {
        dip_column_end(&cursor[c]);
    }
    drop(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_come_back_with_holes_filled),
        cmocka_unit_test(a_single_value_may_be_missing),
        cmocka_unit_test(bags_have_their_counts),
        cmocka_unit_test(cursors_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
