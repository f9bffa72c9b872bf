/* SPDX-License-Identifier: Apache-2.0
 *
 * The distinct rows of a batch, against a search through all of them.
 */
#include "check.h"
#include "model/distinct.h"

enum { MOST = 700, WIDTH = 70 };

static void check_batch(size_t n, size_t kinds, int threads, uint64_t *random) {
    static int32_t row[MOST];
    static float vectors[MOST * WIDTH];
    static float all[MOST * WIDTH];
    static float sums[MOST * WIDTH];
    dip_distinct distinct;
    check_ok(dip_distinct_create(&distinct, MOST, threads, check_error()));
    for (size_t i = 0; i < n; i++) {
        row[i] = (int32_t)(check_random_below(random, kinds) * 1048576);
    }
    dip_distinct_find(&distinct, row, n);
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;
        while (row[first] != row[i]) {
            first++;
        }
        assert_int_equal(distinct.place[i], first == i ? found : distinct.place[first]);
        assert_int_equal(distinct.row[distinct.place[i]], row[i]);
        found += first == i;
    }
    assert_int_equal(distinct.n, found);
    for (size_t e = 0; e < MOST * WIDTH; e++) {
        vectors[e] = (float)check_random_below(random, 1000);
    }
    dip_distinct_spread(&distinct, n, WIDTH, vectors, all);
    for (size_t e = 0; e < n * WIDTH; e++) {
        assert_true(all[e] == vectors[distinct.place[e / WIDTH] * WIDTH + e % WIDTH]);
    }
    dip_distinct_sum(&distinct, n, WIDTH, all, sums);
    for (size_t k = 0; k < distinct.n; k++) {
        double expected = 0;
        for (size_t i = 0; i < n; i++) {
            expected += distinct.place[i] == k ? (double)vectors[k * WIDTH + 3] : 0;
        }
        assert_true((double)sums[k * WIDTH + 3] == expected); /* small integers: exact */
    }
    dip_distinct_free(&distinct);
}

static void rows_are_found_once_and_gradients_added(void **state) {
    (void)state;
    uint64_t random = 3;
    check_batch(1, 1, 1, &random);
    check_batch(MOST, 1, 2, &random);
    check_batch(MOST, 50, 1, &random);
    check_batch(MOST - 3, 900, 3, &random);
    check_batch(MOST, 100000, 2, &random);
}

static void all_may_be_kept(void **state) {
    (void)state;
    const int32_t row[] = {5, 5, 7};
    dip_distinct distinct;
    check_ok(dip_distinct_create(&distinct, 3, 1, check_error()));
    dip_distinct_keep_all(&distinct, row, 3);
    assert_int_equal(distinct.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(distinct.row[i], row[i]);
        assert_int_equal(distinct.place[i], i);
    }
    dip_distinct_free(&distinct);
}

static void more_than_wanted_are_not_looked_for(void **state) {
    (void)state;
    const int32_t row[] = {-1, 9, -1, 9, 4, 9};
    dip_distinct distinct;
    check_ok(dip_distinct_create(&distinct, 6, 1, check_error()));
    assert_false(dip_distinct_find_few(&distinct, row, 6, 2));
    assert_true(dip_distinct_find_few(&distinct, row, 4, 2));
    assert_true(dip_distinct_find_few(&distinct, row, 6, 3));
    assert_int_equal(distinct.n, 3);
    assert_int_equal(distinct.row[0], -1);
    assert_int_equal(distinct.place[5], 1);
    assert_false(dip_distinct_find_few(&distinct, row, 1, 0));
    assert_true(dip_distinct_find_few(&distinct, row, 0, 0));
    dip_distinct_free(&distinct);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_once_and_gradients_added),
        cmocka_unit_test(all_may_be_kept),
        cmocka_unit_test(more_than_wanted_are_not_looked_for),
    };
    return cmocka_run_group_tests_name("distinct", tests, NULL, NULL);
}
