/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows that look the same, against a comparison of every pair of rows cell by cell.
 */
#include "check.h"
#include "engine/visible.h"

enum { ROWS = 60, FEATURES = 4, LONGEST = 4 };

typedef struct shop {
    dip_rows rows;
    dip_column columns[FEATURES]; /* a code, a number, two bags */
    int32_t code[ROWS];
    float number[ROWS];
    int64_t offsets[2][ROWS + 1];
    int32_t bag[2][ROWS * LONGEST];
} shop;

/* Few values, so that many cells agree; -1 and NaN are missing, and 0 has two signs. */
static void fill(shop *s, uint64_t *random) {
    static const float NUMBERS[] = {0.0f, -0.0f, 1.0f, NAN};
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < ROWS; i++) {
        s->code[i] = (int32_t)check_random_below(random, 3) - 1;
        s->number[i] = NUMBERS[check_random_below(random, 4)];
        for (size_t b = 0; b < 2; b++) {
            int64_t end = s->offsets[b][i];
            for (uint64_t left = check_random_below(random, LONGEST); left > 0; left--) {
                s->bag[b][end++] = (int32_t)check_random_below(random, 2);
            }
            s->offsets[b][i + 1] = end;
        }
    }
    s->columns[0] = (dip_column){.codes = s->code};
    s->columns[1] = (dip_column){.numbers = s->number};
    s->columns[2] = (dip_column){.offsets = s->offsets[0], .codes = s->bag[0]};
    s->columns[3] = (dip_column){.offsets = s->offsets[1], .codes = s->bag[1]};
    s->rows = (dip_rows){.n = ROWS, .columns = s->columns};
}

/* What a cell shows: how often each of two values, or a number, or nothing. */
typedef struct cell {
    double value[3];
} cell;

static cell cell_of(const shop *s, size_t f, int32_t row, uint64_t mask) {
    cell c = {{0, 0, 0}};
    if ((mask >> f) & 1) {
        return c;
    }
    if (f == 0) {
        c.value[0] = s->code[row] + 1;
    } else if (f == 1) {
        c.value[0] = isnan(s->number[row]) ? 0 : 1;
        c.value[1] = isnan(s->number[row]) ? 0 : (double)s->number[row];
    } else {
        for (int64_t at = s->offsets[f - 2][row]; at < s->offsets[f - 2][row + 1]; at++) {
            c.value[s->bag[f - 2][at]]++;
        }
    }
    return c;
}

static bool looks_same(const shop *s, int32_t a, uint64_t mask_a, int32_t b, uint64_t mask_b) {
    bool is_same = true;
    for (size_t f = 0; f < FEATURES; f++) {
        const cell x = cell_of(s, f, a, mask_a);
        const cell y = cell_of(s, f, b, mask_b);
        for (size_t v = 0; v < 3; v++) {
            is_same = is_same && x.value[v] == y.value[v];
        }
    }
    return is_same;
}

/* Returns the pairs that look the same. */
static size_t compare(const shop *s, const dip_sight *sight, const int32_t *number) {
    size_t found = 0;
    for (size_t i = 0; i < sight->n; i++) {
        for (size_t j = 0; j < i; j++) {
            const uint64_t a = sight->each != NULL ? sight->each[i] : sight->mask;
            const uint64_t b = sight->each != NULL ? sight->each[j] : sight->mask;
            const bool is_same = looks_same(s, sight->row[i], a, sight->row[j], b);
            assert_int_equal(number[i] == number[j], is_same);
            found += is_same;
        }
    }
    return found;
}

static void rows_that_show_the_same_get_the_same_number(void **state) {
    (void)state;
    static shop s;
    dip_visible visible;
    uint64_t random = 5;
    int32_t row[ROWS];
    uint64_t each[ROWS];
    size_t found = 0;
    check_ok(dip_visible_create(&visible, ROWS, 2, check_error()));
    for (uint64_t mask = 0; mask < 1 << FEATURES; mask++) {
        fill(&s, &random);
        for (size_t i = 0; i < ROWS; i++) {
            row[i] = (int32_t)(i * 7 % ROWS);
            each[i] = check_random_below(&random, 1 << FEATURES);
        }
        const dip_tower tower = {.n_blocks = FEATURES};
        dip_sight sight = {&s.rows, &tower, row, ROWS, mask, NULL};
        dip_visible_find(&visible, &sight, visible.h);
        found += compare(&s, &sight, visible.h);
        sight.each = each;
        dip_visible_find(&visible, &sight, visible.g);
        found += compare(&s, &sight, visible.g);
    }
    assert_true(found > 1000);
    dip_visible_free(&visible);
}

/* Only what is masked or missing is the default: code 0 and number 0 are values. */
static void zero_is_not_the_default(void **state) {
    (void)state;
    static shop s;
    dip_visible visible;
    const int32_t row[3] = {0, 1, 2};
    memset(&s, 0, sizeof s);
    uint64_t random = 1;
    fill(&s, &random);
    s.code[1] = -1;
    s.number[0] = 0;
    s.number[1] = 0;
    s.number[2] = NAN;
    check_ok(dip_visible_create(&visible, 3, 1, check_error()));
    const dip_tower tower = {.n_blocks = 2};
    dip_sight sight = {&s.rows, &tower, row, 3, 0, NULL};
    s.code[0] = 0;
    s.code[2] = -1;
    dip_visible_find(&visible, &sight, visible.h);
    assert_int_not_equal(visible.h[0], visible.h[1]);
    assert_int_not_equal(visible.h[1], visible.h[2]);
    dip_visible_free(&visible);
}

/* Codes 0 and 1 are rare: they show what a missing one shows. */
static void a_rare_value_is_the_default(void **state) {
    (void)state;
    static shop s;
    dip_visible visible;
    uint8_t rare[3] = {1, 1, 0};
    dip_tower tower = {.n_blocks = 2};
    const int32_t row[4] = {0, 1, 2, 3};
    memset(&s, 0, sizeof s);
    uint64_t random = 2;
    fill(&s, &random);
    const int32_t code[4] = {0, 1, -1, 2};
    for (size_t i = 0; i < 4; i++) {
        s.code[i] = code[i];
        s.number[i] = 7;
    }
    check_ok(dip_visible_create(&visible, 4, 1, check_error()));
    dip_sight sight = {&s.rows, &tower, row, 4, 0, NULL};
    dip_visible_find(&visible, &sight, visible.h);
    assert_int_not_equal(visible.h[0], visible.h[1]);
    assert_int_not_equal(visible.h[0], visible.h[2]);
    tower.block[0].rare = rare;
    dip_visible_find(&visible, &sight, visible.h);
    assert_int_equal(visible.h[0], visible.h[1]);
    assert_int_equal(visible.h[0], visible.h[2]);
    assert_int_not_equal(visible.h[0], visible.h[3]);
    dip_visible_free(&visible);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rare_value_is_the_default),
        cmocka_unit_test(rows_that_show_the_same_get_the_same_number),
        cmocka_unit_test(zero_is_not_the_default),
    };
    return cmocka_run_group_tests_name("visible", tests, NULL, NULL);
}
