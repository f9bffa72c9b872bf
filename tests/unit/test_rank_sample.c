/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches that guess by samples of the catalogue, against dip_rank_scan, which computes every
 * score exactly: guesses that hold, guesses that fail, and how often they should.
 */
#include "check.h"
#include "engine/rank_pass.h"
#include "engine/rank_sample.h"
#include "engine/rank_scan.h"
#include "math/isa.h"

enum { D = 3, STRIP = 4096 };

typedef struct problem {
    dip_rank_job job;
    float *queries;
    float *catalogue;
    int64_t *start;
    int32_t *row;
    dip_excluded excluded;
} problem;

static float *numbers(size_t n, uint64_t *random) {
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(0.5 + check_random_unit(random));
    }
    return x;
}

/* Query q is denied q % 5 rows. */
static void make_problem(problem *p, size_t n, size_t m, size_t k, uint64_t *random) {
    *p = (problem){.queries = numbers(n * D, random),
                   .catalogue = numbers(m * D, random),
                   .start = calloc(n + 1, sizeof *p->start),
                   .row = calloc(4 * n + 1, sizeof *p->row)};
    for (size_t q = 0; q < n; q++) {
        int64_t at = p->start[q];
        for (size_t i = 0; i < q % 5; i++) {
            p->row[at++] = (int32_t)(i * m / 5 + check_random_below(random, m / 5));
        }
        p->start[q + 1] = at;
    }
    p->excluded = (dip_excluded){p->start, p->row};
    p->job = (dip_rank_job){.queries = p->queries,
                            .n = n,
                            .catalogue = p->catalogue,
                            .m = m,
                            .d = D,
                            .k = k,
                            .excluded = &p->excluded,
                            .threads = 2};
}

static void free_problem(problem *p) {
    free(p->queries);
    free(p->catalogue);
    free(p->start);
    free(p->row);
}

static void check_as_scan(const problem *p) {
    const size_t n = p->job.n * p->job.k;
    int64_t *items = malloc(2 * n * sizeof *items);
    float *scores = malloc(2 * n * sizeof *scores);
    check_ok(dip_rank(&p->job, items, scores, check_error()));
    check_ok(dip_rank_scan(&p->job, items + n, scores + n, check_error()));
    assert_memory_equal(items, items + n, n * sizeof *items);
    assert_memory_equal(scores, scores + n, n * sizeof *scores);
    free(items);
    free(scores);
}

/* How many results are not proven after a pass with guesses. */
static size_t count_unproven(const problem *p) {
    int64_t *items = malloc(p->job.n * p->job.k * sizeof *items);
    float *scores = malloc(p->job.n * p->job.k * sizeof *scores);
    bool *unproven = calloc(p->job.n, sizeof *unproven);
    check_ok(dip_rank_pass(&p->job, items, scores, unproven, check_error()));
    size_t count = 0;
    for (size_t q = 0; q < p->job.n; q++) {
        count += unproven[q];
    }
    free(items);
    free(scores);
    free(unproven);
    return count;
}

static bool guesses(void) {
    return dip_isa_get() >= DIP_ISA_AVX512_BF16;
}

static void guesses_that_hold_give_the_best(void **state) {
    (void)state;
    uint64_t random = 1;
    problem p;
    make_problem(&p, 600, 40000, 40, &random);
    assert_int_equal(count_unproven(&p), 0);
    check_as_scan(&p);
    free_problem(&p);
}

/* The best rows come first in the order that is taken for random. */
static void put_best_first(problem *p, size_t rows) {
    for (size_t place = 0; place < rows; place++) {
        for (size_t c = 0; c < D; c++) {
            p->catalogue[(size_t)dip_rank_row_at(p->job.m, place) * D + c] += 10;
        }
    }
}

static void guesses_that_fail_give_the_best(void **state) {
    (void)state;
    uint64_t random = 2;
    problem p;
    make_problem(&p, 600, 40000, 40, &random);
    put_best_first(&p, 50);
    assert_int_equal(count_unproven(&p), guesses() ? 600 : 0);
    check_as_scan(&p);
    free_problem(&p);
}

/* Lists so long that there are 128 at a time: the second round guesses nothing. */
static void a_round_whose_guesses_fail_is_the_last_that_guesses(void **state) {
    (void)state;
    uint64_t random = 3;
    problem p;
    make_problem(&p, 150, 60000, 30000, &random);
    put_best_first(&p, 30010);
    assert_int_equal(count_unproven(&p), guesses() ? 128 : 0);
    check_as_scan(&p);
    free_problem(&p);
}

/* The last strip has three rows, and in its block lie what the first one left beyond them. Row
 * `bad` of the first strip is no number, and the best of all is the last row. */
static void check_beside_no_number(size_t k, size_t (*row_at)(size_t place)) {
    enum { ROWS = STRIP + 3 };
    uint64_t random = 4;
    problem p;
    make_problem(&p, 40, ROWS, k, &random);
    for (size_t c = 0; c < D; c++) {
        p.catalogue[row_at(5) * D + c] = NAN;
        p.catalogue[row_at(STRIP) * D + c] = 9;
    }
    check_as_scan(&p);
    free_problem(&p);
}

static size_t itself(size_t place) {
    return place;
}

static size_t scattered(size_t place) {
    return (size_t)dip_rank_row_at(STRIP + 3, place);
}

static void what_an_earlier_strip_left_hides_nothing(void **state) {
    (void)state;
    check_beside_no_number(1, itself);
    check_beside_no_number(60, scattered);
}

static void the_order_of_rows_is_a_permutation(void **state) {
    (void)state;
    static bool seen[5000];
    for (size_t m = 1; m <= 5000; m += 1 + m / 3) {
        memset(seen, 0, sizeof seen);
        for (size_t place = 0; place < m; place++) {
            const size_t row = (size_t)dip_rank_row_at(m, place);
            assert_true(row < m && !seen[row]);
            seen[row] = true;
        }
    }
}

/* P(X >= least) for X binomial of k and p. */
static double tail(size_t k, double p, size_t least) {
    double sum = 0;
    for (size_t i = least; i <= k; i++) {
        const double x = (double)i;
        const double all = (double)k;
        sum += exp(lgamma(all + 1) - lgamma(x + 1) - lgamma(all - x + 1) + x * log(p) +
                   (all - x) * log1p(-p));
    }
    return sum;
}

/* That a guess fails for any strip, by the sum over them; where all k are wanted none can. */
static void guesses_seldom_fail(void **state) {
    (void)state;
    static const struct {
        size_t k;
        double most;
    } CASES[] = {{1, 0}, {7, 0}, {10, 1e-12}, {50, 3e-8}, {100, 3e-7}, {1000, 1e-5}};
    const size_t m = 1000000;
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++) {
        const size_t k = CASES[c].k;
        double sum = 0;
        for (size_t seen = STRIP; seen < m; seen += STRIP) {
            const size_t wanted = dip_rank_wanted(k, seen, m);
            assert_true(wanted >= 1 && wanted <= k);
            sum += wanted < k ? tail(k, (double)seen / (double)m, wanted) : 0;
        }
        assert_true(sum <= CASES[c].most);
        assert_int_equal(dip_rank_wanted(k, m, m), k);
    }
    assert_int_equal(dip_rank_wanted(50, STRIP, m), 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guesses_that_hold_give_the_best),
        cmocka_unit_test(guesses_that_fail_give_the_best),
        cmocka_unit_test(a_round_whose_guesses_fail_is_the_last_that_guesses),
        cmocka_unit_test(what_an_earlier_strip_left_hides_nothing),
        cmocka_unit_test(the_order_of_rows_is_a_permutation),
        cmocka_unit_test(guesses_seldom_fail),
    };
    return cmocka_run_group_tests_name("samples of a search", tests, NULL, NULL);
}
