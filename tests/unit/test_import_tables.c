/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables behind imports: titles with numbers, ids with values, pairs sorted on disk. Each is
 * compared with plain arrays.
 */
#include "check.h"
#include "import/id_map.h"
#include "import/pairs.h"
#include "import/titles.h"

/* ---- titles ---------------------------------------------------------------------------------- */

static void titles_are_numbered_in_order(void **state) {
    enum { N = 300000 };
    dip_titles titles = {0};
    (void)state;
    assert_int_equal(dip_titles_find(&titles, "x", 1), DIP_NO_TITLE);
    for (uint32_t i = 0; i < 2 * N; i++) {
        char text[32];
        uint32_t number = 0;
        bool is_new = false;
        const int length = snprintf(text, sizeof text, "Title_%u", i % N);
        check_ok(dip_titles_put(&titles, text, (size_t)length, &number, &is_new, check_error()));
        assert_int_equal(number, i % N);
        assert_int_equal(is_new, i < N);
    }
    assert_int_equal(dip_titles_count(&titles), N);
    for (uint32_t i = 0; i < N; i += 7) {
        char text[32];
        size_t length = 0;
        const int expected = snprintf(text, sizeof text, "Title_%u", i);
        const char *title = dip_titles_get(&titles, i, &length);
        assert_int_equal(length, expected);
        assert_memory_equal(title, text, length);
        assert_int_equal(dip_titles_find(&titles, text, length), i);
    }
    assert_int_equal(dip_titles_find(&titles, "Title_", 6), DIP_NO_TITLE);
    assert_true(dip_titles_bytes(&titles) > 0);
    dip_titles_free(&titles);
}

static void titles_of_every_length(void **state) {
    static char text[DIP_TITLE_BYTES + 2];
    dip_titles titles = {0};
    uint32_t number = 0;
    bool is_new = false;
    (void)state;
    memset(text, '\xff', sizeof text);
    /* More than one chunk of the arena. */
    for (size_t n = 0; n <= DIP_TITLE_BYTES; n += n < 300 ? 1 : 97) {
        check_ok(dip_titles_put(&titles, text, n, &number, &is_new, check_error()));
        assert_true(is_new);
    }
    for (size_t n = 0, i = 0; n <= DIP_TITLE_BYTES; n += n < 300 ? 1 : 97, i++) {
        size_t length = 0;
        assert_int_equal(dip_titles_find(&titles, text, n), i);
        assert_memory_equal(dip_titles_get(&titles, (uint32_t)i, &length), text, n);
        assert_int_equal(length, n);
    }
    check_fails(dip_titles_put(&titles, text, DIP_TITLE_BYTES + 1, &number, &is_new, check_error()),
                DIP_ERR_FAILED, "a title of 65536 bytes is too long");
    dip_titles_free(&titles);
}

/* ---- ids ------------------------------------------------------------------------------------- */

static int by_id(const void *left, const void *right) {
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* n distinct ids, dense at first and far apart at the end of the range. */
static uint32_t *some_ids(size_t n) {
    uint64_t random = 5;
    uint32_t *ids = malloc(n * sizeof *ids);
    assert_non_null(ids);
    uint32_t id = 1;
    for (size_t i = 0; i < n; i++) {
        ids[i] = id;
        const size_t step = i < n / 2 ? 3 : (size_t)(UINT32_MAX - id) / (2 * (n - i));
        id += 1 + (uint32_t)check_random_below(&random, step > 0 ? step : 1);
    }
    ids[n - 1] = UINT32_MAX;
    return ids;
}

static void check_map(const dip_id_map *map, const uint32_t *ids, size_t n) {
    uint32_t id = 0;
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(dip_id_map_get(map, ids[i], &value));
        assert_int_equal(value, ~ids[i]);
        const bool is_gap = i + 1 < n && ids[i] + 1 < ids[i + 1];
        assert_false(is_gap && dip_id_map_get(map, ids[i] + 1, &value));
    }
    for (size_t i = 0; i < n; i++) {
        assert_true(dip_id_map_from(map, &id, &value));
        assert_int_equal(id, ids[i]);
        assert_int_equal(value, ~ids[i]);
        id++;
    }
    id = 0;
    assert_false(dip_id_map_get(map, 0, &value));
}

static void ids_lead_to_their_values(void **state) {
    enum { N = 50000 };
    uint32_t *ids = some_ids(N);
    uint32_t twice = 0;
    (void)state;
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        dip_id_map map = {0};
        uint64_t random = 9;
        for (size_t i = N - 1; shuffled && i > 0; i--) {
            const size_t other = check_random_below(&random, i + 1);
            const uint32_t moved = ids[i];
            ids[i] = ids[other];
            ids[other] = moved;
        }
        for (size_t i = 0; i < N; i++) {
            check_ok(dip_id_map_put(&map, ids[i], ~ids[i], check_error()));
        }
        check_ok(dip_id_map_seal(&map, &twice, check_error()));
        qsort(ids, N, sizeof *ids, by_id);
        check_map(&map, ids, N);
        dip_id_map_free(&map);
    }
    free(ids);
}

static void an_id_that_occurs_twice_is_named(void **state) {
    static const uint32_t IDS[] = {7, 9, 8, 9};
    dip_id_map map = {0};
    uint32_t twice = 0;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        check_ok(dip_id_map_put(&map, IDS[i], 0, check_error()));
    }
    check_fails(dip_id_map_seal(&map, &twice, check_error()), DIP_ERR_FAILED,
                "the id 9 occurs twice");
    assert_int_equal(twice, 9);
    dip_id_map_free(&map);
}

static void sets_hold_what_was_put_in(void **state) {
    enum { N = 20000 };
    dip_id_set set = {0};
    uint32_t *ids = some_ids(N);
    (void)state;
    assert_false(dip_id_set_has(&set, 5));
    for (size_t i = 0; i < N; i += 2) {
        check_ok(dip_id_set_put(&set, ids[i], check_error()));
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(dip_id_set_has(&set, ids[i]), i % 2 == 0);
    }
    dip_id_set_free(&set);
    free(ids);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static int by_key(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* n pairs with numbers below two limits, in memory and in the sorter; *distinct after sorting. */
static void check_pairs(void **state, size_t n, uint32_t first, uint32_t second, bool ascends) {
    dip_pairs *pairs = NULL;
    uint64_t random = n;
    uint64_t *keys = malloc((n + 1) * sizeof *keys);
    assert_non_null(keys);
    check_ok(dip_pairs_create(&pairs, check_path(*state, "."), 1, check_error()));
    for (size_t i = 0; i < n; i++) {
        const uint32_t a =
            ascends ? (uint32_t)(i / 50) : (uint32_t)check_random_below(&random, first);
        const uint32_t b = (uint32_t)check_random_below(&random, second);
        keys[i] = (uint64_t)a << 32 | b;
        check_ok(dip_pairs_put(pairs, a, b, check_error()));
    }
    qsort(keys, n, sizeof *keys, by_key);
    check_ok(dip_pairs_sort(pairs, check_error()));
    assert_int_equal(dip_pairs_put_count(pairs), n);
    /* Runs of a few distinct pairs are too short for the file. */
    const bool spills = n > DIP_PAIRS_LEAST / 16;
    assert_true(spills || dip_pairs_file_bytes(pairs) == 0);
    assert_true(!spills || second < 1000 || dip_pairs_file_bytes(pairs) > 0);
    uint64_t distinct = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = 0;
        uint32_t b = 0;
        if (i > 0 && keys[i] == keys[i - 1]) {
            continue;
        }
        check_ok(dip_pairs_next(pairs, &a, &b, check_error()));
        assert_true(((uint64_t)a << 32 | b) == keys[i]);
        distinct++;
    }
    uint32_t end = 0;
    assert_int_equal(dip_pairs_next(pairs, &end, &end, check_error()), DIP_END);
    assert_int_equal(dip_pairs_next_count(pairs), distinct);
    dip_pairs_free(pairs);
    free(keys);
}

static void pairs_come_out_sorted_and_once(void **state) {
    static const size_t COUNTS[] = {0, 1, 2, 1000, 65535, 65536, 65537, 131072, 700000};
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        check_pairs(state, COUNTS[i], UINT32_MAX, UINT32_MAX, false);
        check_pairs(state, COUNTS[i], 300, 300, false);
        check_pairs(state, COUNTS[i], 1, 1, false);
        check_pairs(state, COUNTS[i], 0, 1000000, true);
    }
}

static void too_little_memory_is_said(void **state) {
    dip_pairs *pairs = NULL;
    dip_status status = DIP_OK;
    check_ok(dip_pairs_create(&pairs, check_path(*state, "."), 1, check_error()));
    const uint64_t most = (uint64_t)(DIP_PAIRS_RUNS + 1) * (DIP_PAIRS_LEAST / 16);
    for (uint64_t i = 0; i < most && status == DIP_OK; i++) {
        status = dip_pairs_put(pairs, (uint32_t)i, 0, check_error());
    }
    check_ok(status);
    check_fails(dip_pairs_put(pairs, 1, 1, check_error()), DIP_ERR_FAILED,
                "1 MB of memory are too few to sort 26279936 pairs; allow more");
    dip_pairs_free(pairs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles_are_numbered_in_order),
        cmocka_unit_test(titles_of_every_length),
        cmocka_unit_test(ids_lead_to_their_values),
        cmocka_unit_test(an_id_that_occurs_twice_is_named),
        cmocka_unit_test(sets_hold_what_was_put_in),
        check_test_in_folder(pairs_come_out_sorted_and_once),
        check_test_in_folder(too_little_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
