/* SPDX-License-Identifier: Apache-2.0
 *
 * Rankings without a model: the most popular items, and a random order, under the same exclusions.
 */
#include "catalogue.h"
#include "evaluate/baselines.h"

static bool is_excluded(const dip_questions *q, size_t i, int64_t item) {
    for (int64_t j = q->excluded_start[i]; j < q->excluded_start[i + 1]; j++) {
        if (q->excluded_row[j] == item) {
            return true;
        }
    }
    return false;
}

/* Takes the best remaining item again and again. */
static void check_popular(const catalogue *c, const dip_questions *q, size_t k,
                          const int64_t *items) {
    for (size_t i = 0; i < q->n; i++) {
        bool taken[200] = {false};
        for (size_t place = 0; place < k; place++) {
            int64_t best = -1;
            for (int64_t item = 0; item < c->dataset.items.n; item++) {
                const bool is_free = !taken[item] && !is_excluded(q, i, item);
                if (is_free && (best < 0 || c->count[item] > c->count[best])) {
                    best = item;
                }
            }
            assert_int_equal(items[i * k + place], best);
            if (best >= 0) {
                taken[best] = true;
            }
        }
    }
}

static void make(catalogue *c, dip_questions *q, size_t n, size_t n_pairs, uint64_t *random) {
    catalogue_make(c, (catalogue_size){n, n, n_pairs, true}, random);
    check_ok(dip_questions_create(q, &c->dataset, 2, true, true, check_error()));
}

static void the_most_popular_items_come_first(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 30; round++) {
        catalogue c;
        dip_questions q;
        const size_t n = 3 + check_random_below(&random, 60);
        const size_t k = 1 + check_random_below(&random, 80);
        make(&c, &q, n, 20 * n, &random);
        int64_t *items = malloc((q.n * k + 1) * sizeof *items);
        check_ok(dip_rank_popular(&q, &c.dataset, k, items, check_error()));
        check_popular(&c, &q, k, items);
        free(items);
        dip_questions_free(&q);
        catalogue_free(&c);
    }
}

/* Each list holds distinct, allowed items, and all of them when it is long enough. */
static void check_random_lists(const catalogue *c, const dip_questions *q, size_t k,
                               const int64_t *items) {
    for (size_t i = 0; i < q->n; i++) {
        bool seen[200] = {false};
        const int64_t allowed =
            c->dataset.items.n - (q->excluded_start[i + 1] - q->excluded_start[i]);
        for (size_t place = 0; place < k; place++) {
            const int64_t item = items[i * k + place];
            assert_int_equal(item < 0, (int64_t)place >= allowed);
            if (item >= 0) {
                assert_true(item < c->dataset.items.n);
                assert_false(seen[item] || is_excluded(q, i, item));
                seen[item] = true;
            }
        }
    }
}

static void random_lists_are_allowed_and_repeat_nothing(void **state) {
    (void)state;
    uint64_t random = 2;
    for (int round = 0; round < 30; round++) {
        catalogue c;
        dip_questions q;
        const size_t n = 3 + check_random_below(&random, 60);
        const size_t k = 1 + check_random_below(&random, 80);
        make(&c, &q, n, 5 * n, &random);
        int64_t *items = malloc((q.n * k + 1) * sizeof *items);
        dip_rank_random(&q, &c.dataset, k, 1, items);
        check_random_lists(&c, &q, k, items);
        free(items);
        dip_questions_free(&q);
        catalogue_free(&c);
    }
}

static void random_lists_depend_on_seed_and_query_alone(void **state) {
    (void)state;
    enum { K = 20 };
    uint64_t random = 3;
    catalogue c;
    dip_questions q;
    make(&c, &q, 100, 300, &random);
    int64_t *items = malloc(q.n * K * sizeof *items);
    int64_t *again = malloc(q.n * K * sizeof *again);
    int64_t *other = malloc(q.n * K * sizeof *other);
    dip_rank_random(&q, &c.dataset, K, 1, items);
    dip_rank_random(&q, &c.dataset, K, 1, again);
    dip_rank_random(&q, &c.dataset, K, 2, other);
    assert_memory_equal(items, again, q.n * K * sizeof *items);
    assert_memory_not_equal(items, other, q.n * K * sizeof *items);
    assert_memory_not_equal(items, items + K, K * sizeof *items);
    /* The first question alone: its list does not change. */
    q.n = 1;
    dip_rank_random(&q, &c.dataset, K, 1, again);
    assert_memory_equal(items, again, K * sizeof *items);
    free(items);
    free(again);
    free(other);
    dip_questions_free(&q);
    catalogue_free(&c);
}

/* Without exclusions, each item stands first equally often. */
static void random_lists_are_uniform(void **state) {
    (void)state;
    enum { N = 20, SEEDS = 8000 };
    static const int32_t NONE[] = {-1};
    static const int32_t TEST[] = {3, 1, -1};
    int64_t count[N] = {0};
    catalogue c;
    dip_questions q;
    catalogue_from_lists(&c, N, true, NONE, NONE, TEST);
    check_ok(dip_questions_create(&q, &c.dataset, 2, false, false, check_error()));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int64_t item = -1;
        dip_rank_random(&q, &c.dataset, 1, seed, &item);
        count[item]++;
    }
    for (size_t i = 0; i < N; i++) {
        check_share(count[i], SEEDS, 1.0 / N, 4);
    }
    dip_questions_free(&q);
    catalogue_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_popular_items_come_first),
        cmocka_unit_test(random_lists_are_allowed_and_repeat_nothing),
        cmocka_unit_test(random_lists_depend_on_seed_and_query_alone),
        cmocka_unit_test(random_lists_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
