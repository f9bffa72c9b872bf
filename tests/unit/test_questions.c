/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions: held-out pairs grouped by query, what must not be ranked, and the popularity slices,
 * each against a search through all pairs.
 */
#include "catalogue.h"
#include "evaluate/questions.h"

#include "base/mem.h"

static const int32_t NONE[] = {-1};

/* Every held-out pair is in one place, in order; nothing else is. */
static void check_groups(const catalogue *c, const dip_questions *q, size_t split) {
    assert_int_equal(q->start[q->n], c->dataset.n_pairs[split]);
    for (size_t i = 0; i < q->n; i++) {
        assert_true(i == 0 || q->query[i] > q->query[i - 1]);
        assert_true(q->start[i + 1] > q->start[i]);
        for (int64_t j = q->start[i]; j < q->start[i + 1]; j++) {
            assert_true(j == q->start[i] || q->right[j] > q->right[j - 1]);
            assert_true(catalogue_has(c, split, q->query[i], q->right[j]));
        }
    }
}

static bool is_excluded(const dip_questions *q, size_t i, int32_t item) {
    for (int64_t j = q->excluded_start[i]; j < q->excluded_start[i + 1]; j++) {
        if (q->excluded_row[j] == item) {
            return true;
        }
    }
    return false;
}

static void check_excluded(const catalogue *c, const dip_questions *q, bool training, bool query) {
    for (size_t i = 0; i < q->n; i++) {
        for (int32_t item = 0; item < (int32_t)c->dataset.items.n; item++) {
            const bool is_query =
                query && c->dataset.schema.queries_are_items && item == q->query[i];
            const bool expected = is_query || (training && catalogue_has(c, 0, q->query[i], item));
            assert_int_equal(is_excluded(q, i, item), expected);
        }
        for (int64_t j = q->excluded_start[i] + 1; j < q->excluded_start[i + 1]; j++) {
            assert_true(q->excluded_row[j] > q->excluded_row[j - 1]);
        }
    }
    assert_ptr_equal(q->excluded.start, q->excluded_start);
    assert_ptr_equal(q->excluded.row, q->excluded_row);
}

/* An item is in the head when fewer than a tenth of the trained items come before it. */
static void check_slices(const catalogue *c, const dip_questions *q) {
    const int64_t n = c->dataset.items.n;
    int64_t trained = 0;
    int64_t heads = 0;
    for (int64_t i = 0; i < n; i++) {
        trained += c->count[i] > 0;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t before = 0;
        for (int64_t j = 0; j < n; j++) {
            before += c->count[j] > c->count[i] || (c->count[j] == c->count[i] && j < i);
        }
        const bool head = c->count[i] > 0 && before < (trained + 9) / 10;
        const unsigned expected = 1u << DIP_SLICE_ALL | (head ? 1u << DIP_SLICE_HEAD : 0) |
                                  (head ? 0 : 1u << DIP_SLICE_TAIL) |
                                  (c->count[i] == 0 ? 1u << DIP_SLICE_COLD : 0);
        assert_int_equal(q->slices[i], expected);
        heads += head;
    }
    assert_int_equal(q->n_head, heads);
}

static void random_datasets_agree_with_a_search(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 60; round++) {
        catalogue c;
        dip_questions q;
        const bool are_items = round % 2 == 0;
        const size_t n = 2 + check_random_below(&random, 60);
        const size_t n_queries = are_items ? n : 1 + check_random_below(&random, 40);
        catalogue_make(&c,
                       (catalogue_size){n, n_queries, check_random_below(&random, 300), are_items},
                       &random);
        for (size_t flags = 0; flags < 4; flags++) {
            const size_t split = 1 + flags % 2;
            check_ok(dip_questions_create(&q, &c.dataset, split, (flags & 1) != 0, (flags & 2) != 0,
                                          check_error()));
            check_groups(&c, &q, split);
            check_excluded(&c, &q, (flags & 1) != 0, (flags & 2) != 0);
            check_slices(&c, &q);
            dip_questions_free(&q);
        }
        catalogue_free(&c);
    }
}

static void pairs_of_a_query_become_one_question(void **state) {
    (void)state;
    static const int32_t TRAIN[] = {7, 1, 7, 9, 3, 2, -1};
    static const int32_t TEST[] = {7, 5, 3, 0, 7, 2, 3, 8, 7, 4, -1};
    catalogue c;
    dip_questions q;
    catalogue_from_lists(&c, 10, true, TRAIN, NONE, TEST);
    check_ok(dip_questions_create(&q, &c.dataset, 2, true, true, check_error()));
    assert_int_equal(q.n, 2);
    assert_int_equal(q.query[0], 3);
    assert_int_equal(q.query[1], 7);
    static const int32_t RIGHT[] = {0, 8, 2, 4, 5};
    static const int32_t EXCLUDED[] = {2, 3, 1, 7, 9};
    assert_memory_equal(q.right, RIGHT, sizeof RIGHT);
    assert_memory_equal(q.excluded_row, EXCLUDED, sizeof EXCLUDED);
    assert_int_equal(q.start[1], 2);
    assert_int_equal(q.excluded_start[1], 2);
    dip_questions_free(&q);
    catalogue_free(&c);
}

/* Ties of popularity are broken by row, so the head has exactly a tenth of the trained items. */
static void ties_at_the_end_of_the_head_are_broken_by_row(void **state) {
    (void)state;
    enum { ITEMS = 25 };
    int32_t train[2 * ITEMS + 1];
    size_t used = 0;
    catalogue c;
    dip_questions q;
    for (int32_t i = 0; i < ITEMS - 4; i++) { /* 21 items with one pair each */
        train[used++] = 24;
        train[used++] = i + 2;
    }
    train[used] = -1;
    catalogue_from_lists(&c, ITEMS, true, train, NONE, NONE);
    check_ok(dip_questions_create(&q, &c.dataset, 2, true, true, check_error()));
    assert_int_equal(q.n, 0);
    assert_int_equal(q.n_head, 3); /* a tenth of 21, rounded up */
    for (int32_t i = 0; i < ITEMS; i++) {
        assert_int_equal((q.slices[i] >> DIP_SLICE_HEAD) & 1, i >= 2 && i < 5);
    }
    dip_questions_free(&q);
    catalogue_free(&c);
}

static void without_training_pairs_all_items_are_cold(void **state) {
    (void)state;
    static const int32_t TEST[] = {0, 1, -1};
    catalogue c;
    dip_questions q;
    catalogue_from_lists(&c, 3, true, NONE, NONE, TEST);
    check_ok(dip_questions_create(&q, &c.dataset, 2, true, false, check_error()));
    assert_int_equal(q.n_head, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(q.slices[i],
                         1 << DIP_SLICE_ALL | 1 << DIP_SLICE_TAIL | 1 << DIP_SLICE_COLD);
    }
    assert_int_equal(q.excluded_start[1], 0);
    dip_questions_free(&q);
    catalogue_free(&c);
}

/* With n items of training pairs, the item that b others come before is in group 10 b / n. */
static void check_popularity(const catalogue *c) {
    const int64_t n = c->dataset.items.n;
    uint8_t *group = malloc((size_t)n);
    int64_t trained = 0;
    check_ok(dip_popularity_groups(&c->dataset, group, check_error()));
    for (int64_t i = 0; i < n; i++) {
        trained += c->count[i] > 0;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t before = 0;
        for (int64_t j = 0; j < n; j++) {
            before += c->count[j] > c->count[i] || (c->count[j] == c->count[i] && j < i);
        }
        assert_int_equal(group[i], c->count[i] > 0 ? 10 * before / trained : 10);
    }
    free(group);
}

static void popularity_groups_are_tenths_of_the_trained_items(void **state) {
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 50; round++) {
        catalogue c;
        dip_questions q;
        const size_t n = 1 + check_random_below(&random, 90);
        catalogue_make(&c, (catalogue_size){n, n, check_random_below(&random, 400), false},
                       &random);
        check_popularity(&c);
        check_ok(dip_questions_create(&q, &c.dataset, 2, true, true, check_error()));
        uint8_t *group = malloc(n);
        check_ok(dip_popularity_groups(&c.dataset, group, check_error()));
        for (size_t i = 0; i < n; i++) { /* the first is the head, the last is cold */
            assert_int_equal(group[i] == 0, (q.slices[i] >> DIP_SLICE_HEAD) & 1);
            assert_int_equal(group[i] == 10, (q.slices[i] >> DIP_SLICE_COLD) & 1);
        }
        free(group);
        dip_questions_free(&q);
        catalogue_free(&c);
    }
}

static void slices_are_named(void **state) {
    (void)state;
    assert_string_equal(dip_slice_names[DIP_SLICE_ALL], "all");
    assert_string_equal(dip_slice_names[DIP_SLICE_HEAD], "head");
    assert_string_equal(dip_slice_names[DIP_SLICE_TAIL], "tail");
    assert_string_equal(dip_slice_names[DIP_SLICE_COLD], "cold");
}

static void every_failed_allocation_is_reported(void **state) {
    (void)state;
    static const int32_t TRAIN[] = {0, 1, -1};
    static const int32_t TEST[] = {0, 2, -1};
    catalogue c;
    dip_questions q;
    dip_status status = DIP_ERR_MEMORY;
    catalogue_from_lists(&c, 3, true, TRAIN, NONE, TEST);
    for (int64_t n = 0; status == DIP_ERR_MEMORY; n++) {
        assert_true(n < 50);
        dip_mem_fail_after(n, 0);
        status = dip_questions_create(&q, &c.dataset, 2, true, true, check_error());
        dip_mem_fail_after(-1, 0);
    }
    check_ok(status);
    dip_questions_free(&q);
    catalogue_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_datasets_agree_with_a_search),
        cmocka_unit_test(pairs_of_a_query_become_one_question),
        cmocka_unit_test(ties_at_the_end_of_the_head_are_broken_by_row),
        cmocka_unit_test(without_training_pairs_all_items_are_cold),
        cmocka_unit_test(popularity_groups_are_tenths_of_the_trained_items),
        cmocka_unit_test(slices_are_named),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
