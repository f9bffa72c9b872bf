/* SPDX-License-Identifier: Apache-2.0
 *
 * Order statistics against sorting.
 */
#include "plain.h"

#include "base/order.h"
#include "prepare/quantiles.h"

enum { MOST = 30000, MOST_RANKS = 1000 };

typedef struct numbers {
    size_t n;
    double list[MOST];
    uint8_t use[MOST];
} numbers;

/* The numbers that count, sorted. */
static size_t sorted(const numbers *x, bool by_use, double *list) {
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        if (!isnan(x->list[i]) && (!by_use || x->use[i] != 0)) {
            list[n++] = x->list[i];
        }
    }
    qsort(list, n, sizeof *list, dip_order_double);
    return n;
}

/* All ranks when they are few; otherwise n_ranks of them, the first and the last included. */
static void check_ranks(const numbers *x, bool by_use, size_t n_ranks) {
    static double list[MOST];
    static double found[MOST_RANKS];
    uint64_t rank[MOST_RANKS];
    dip_scratch scratch;
    const size_t n = sorted(x, by_use, list);
    assert_true(n > 0 && n_ranks <= MOST_RANKS);
    for (size_t r = 0; r < n_ranks; r++) {
        rank[r] = n_ranks == 1 ? n / 2 : r * (n - 1) / (n_ranks - 1);
    }
    plain_scratch(&scratch);
    dip_spool spool = {.scratch = &scratch};
    check_ok(dip_spool_put(&spool, x->list, x->n * sizeof *x->list, check_error()));
    check_ok(dip_quantiles(&spool, by_use ? x->use : NULL, rank, n_ranks, found, check_error()));
    for (size_t r = 0; r < n_ranks; r++) {
        assert_true(found[r] == list[rank[r]]);
    }
    dip_spool_free(&spool);
    dip_scratch_free(&scratch);
}

static void check_all(const numbers *x) {
    static const size_t RANKS[] = {1, 2, 31, 32, 33, 64, MOST_RANKS};
    for (size_t i = 0; i < sizeof RANKS / sizeof RANKS[0]; i++) {
        check_ranks(x, false, RANKS[i]);
        check_ranks(x, true, RANKS[i]);
    }
}

static numbers *draw(size_t n, uint64_t seed, double (*one)(uint64_t *random)) {
    numbers *x = calloc(1, sizeof *x);
    assert_non_null(x);
    x->n = n;
    for (size_t i = 0; i < n; i++) {
        x->list[i] = one(&seed);
        x->use[i] = i == 0 || check_random_below(&seed, 3) > 0;
    }
    return x;
}

static void check_kind(double (*one)(uint64_t *random)) {
    static const size_t SIZES[] = {1, 2, 7, 4095, 4096, 4097, MOST};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        numbers *x = draw(SIZES[i], i, one);
        x->list[0] = isnan(x->list[0]) ? 1 : x->list[0];
        check_all(x);
        free(x);
    }
}

/* Numbers of both signs and of every size. */
static double of_any_size(uint64_t *random) {
    const double size = exp2(floor(2000 * check_random_unit(random)) - 1020);
    return (check_random_unit(random) - 0.5) * size;
}

static double repeated(uint64_t *random) {
    return (double)check_random_below(random, 5) - 2;
}

/* The same first digits: only the last ones tell numbers apart. */
static double near_one(uint64_t *random) {
    return 1 + (double)check_random_below(random, 70000) * 0x1p-52;
}

static double negative(uint64_t *random) {
    return -check_random_unit(random) * 1000;
}

static double zero_or_missing(uint64_t *random) {
    static const double ZEROS[] = {0.0, -0.0, NAN, 5e-324, -5e-324};
    return ZEROS[check_random_below(random, 5)];
}

static double often_missing(uint64_t *random) {
    const double number = of_any_size(random);
    return check_random_below(random, 3) == 0 ? number : copysign(NAN, number);
}

static void ranks_are_those_of_sorting(void **state) {
    (void)state;
    check_kind(of_any_size);
    check_kind(repeated);
    check_kind(near_one);
    check_kind(negative);
    check_kind(zero_or_missing);
    check_kind(often_missing);
}

static void every_rank_of_a_few_numbers(void **state) {
    (void)state;
    for (size_t n = 1; n < 60; n++) {
        numbers *x = draw(n, n, n % 2 == 0 ? of_any_size : repeated);
        check_ranks(x, false, n);
        free(x);
    }
}

/* One rank may be asked for often. */
static void ranks_may_repeat(void **state) {
    (void)state;
    numbers *x = draw(10, 3, of_any_size);
    check_ranks(x, false, MOST_RANKS);
    free(x);
}

static void no_rank_is_no_work(void **state) {
    (void)state;
    dip_scratch scratch;
    plain_scratch(&scratch);
    const dip_spool empty = {.scratch = &scratch};
    check_ok(dip_quantiles(&empty, NULL, NULL, 0, NULL, check_error()));
    dip_scratch_free(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_those_of_sorting),
        cmocka_unit_test(every_rank_of_a_few_numbers),
        cmocka_unit_test(ranks_may_repeat),
        cmocka_unit_test(no_rank_is_no_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
