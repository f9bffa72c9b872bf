/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact ranking against a full sort of all scores. Vectors hold small integers, so that every
 * product is exact in float and there are many ties.
 */
#include "check.h"
#include "engine/rank.h"

typedef struct problem {
    size_t n;
    size_t m;
    size_t d;
    size_t k;
    float *queries;
    float *catalogue;
    int64_t *start;
    int32_t *excluded;
} problem;

static float *random_vectors(size_t count, uint64_t *random) {
    float *v = malloc((count > 0 ? count : 1) * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < count; i++) {
        v[i] = (float)check_random_below(random, 7) - 3;
    }
    return v;
}

/* Each query is denied about a share of the rows: none, some, or all. */
static problem make_problem(size_t n, size_t m, size_t d, size_t k, uint64_t *random) {
    problem p = {n,
                 m,
                 d,
                 k,
                 random_vectors(n * d, random),
                 random_vectors(m * d, random),
                 calloc(n + 1, sizeof *p.start),
                 calloc(n * m + 1, sizeof *p.excluded)};
    for (size_t q = 0; q < n; q++) {
        const size_t tenths = check_random_below(random, 5) * check_random_below(random, 4);
        int64_t used = p.start[q];
        for (size_t row = 0; row < m; row++) {
            if (check_random_below(random, 10) < tenths) {
                p.excluded[used++] = (int32_t)row;
            }
        }
        p.start[q + 1] = used;
    }
    return p;
}

static void free_problem(problem *p) {
    free(p->queries);
    free(p->catalogue);
    free(p->start);
    free(p->excluded);
}

typedef struct entry {
    float score;
    int64_t row;
} entry;

static int best_first(const void *left, const void *right) {
    const entry *a = left;
    const entry *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static size_t sort_all(const problem *p, size_t q, bool with_excluded, entry *list) {
    size_t kept = 0;
    int64_t next = p->start[q];
    for (size_t row = 0; row < p->m; row++) {
        if (with_excluded && next < p->start[q + 1] && p->excluded[next] == (int32_t)row) {
            next++;
            continue;
        }
        float score = 0;
        for (size_t c = 0; c < p->d; c++) {
            score += p->queries[q * p->d + c] * p->catalogue[row * p->d + c];
        }
        list[kept++] = (entry){score, (int64_t)row};
    }
    qsort(list, kept, sizeof *list, best_first);
    return kept;
}

static void check_ranking(const problem *p, bool with_excluded, int threads) {
    const dip_excluded excluded = {p->start, p->excluded};
    const dip_rank_job job = {.queries = p->queries,
                              .n = p->n,
                              .catalogue = p->catalogue,
                              .m = p->m,
                              .d = p->d,
                              .k = p->k,
                              .excluded = with_excluded ? &excluded : NULL,
                              .threads = threads};
    int64_t *items = malloc((p->n * p->k + 1) * sizeof *items);
    float *scores = malloc((p->n * p->k + 1) * sizeof *scores);
    entry *list = malloc((p->m + 1) * sizeof *list);
    check_ok(dip_rank(&job, items, scores, check_error()));
    for (size_t q = 0; q < p->n; q++) {
        const size_t kept = sort_all(p, q, with_excluded, list);
        for (size_t i = 0; i < p->k; i++) {
            assert_int_equal(items[q * p->k + i], i < kept ? list[i].row : -1);
            assert_true(scores[q * p->k + i] == (i < kept ? list[i].score : -INFINITY));
        }
    }
    free(items);
    free(scores);
    free(list);
}

static void check_all(size_t n, size_t m, size_t d, size_t k, uint64_t *random) {
    problem p = make_problem(n, m, d, k, random);
    for (int threads = 1; threads <= 3; threads++) {
        check_ranking(&p, false, threads);
        check_ranking(&p, true, threads);
    }
    free_problem(&p);
}

static void it_equals_a_full_sort(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 60; round++) {
        check_all(1 + check_random_below(&random, 20), 1 + check_random_below(&random, 300),
                  1 + check_random_below(&random, 40), 1 + check_random_below(&random, 30),
                  &random);
    }
}

/* A tile is 64 queries by 1024 items. */
static void tiles_meet_without_a_seam(void **state) {
    (void)state;
    static const size_t QUERIES[] = {1, 63, 64, 65};
    static const size_t ITEMS[] = {1023, 1024, 1025, 2050};
    uint64_t random = 2;
    for (size_t q = 0; q < 4; q++) {
        for (size_t i = 0; i < 4; i++) {
            check_all(QUERIES[q], ITEMS[i], 5, 12, &random);
        }
    }
    check_all(1100, 3, 4, 2, &random);
}

static void lists_longer_than_the_catalogue_end_with_nothing(void **state) {
    (void)state;
    uint64_t random = 3;
    check_all(5, 7, 3, 20, &random);
    check_all(3, 1, 2, 1, &random);
    check_all(3, 1030, 2, 1100, &random);
}

static void no_queries_are_no_work(void **state) {
    (void)state;
    uint64_t random = 4;
    check_all(0, 10, 3, 5, &random);
}

static void a_query_that_is_not_a_number_ranks_nothing(void **state) {
    (void)state;
    const float queries[] = {NAN, 1, 1, 1};
    const float catalogue[] = {1, 0, 0, 1, NAN, 1};
    const dip_rank_job job = {
        .queries = queries, .n = 2, .catalogue = catalogue, .m = 3, .d = 2, .k = 3, .threads = 1};
    int64_t items[6];
    float scores[6];
    check_ok(dip_rank(&job, items, scores, check_error()));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(items[i], -1);
        assert_true(scores[i] == -INFINITY);
    }
    assert_int_equal(items[3], 0);
    assert_int_equal(items[4], 1);
    assert_int_equal(items[5], -1);
}

static int stop_at_second(void *context, const dip_progress *progress) {
    int *calls = context;
    assert_int_equal(progress->total, 1500);
    assert_true(progress->done <= 1500);
    return ++*calls == 2;
}

static void ranking_can_be_interrupted(void **state) {
    (void)state;
    uint64_t random = 5;
    int calls = 0;
    const dip_watch watch = {.on_progress = stop_at_second, .context = &calls};
    problem p = make_problem(1500, 5000, 3, 2, &random);
    const dip_rank_job job = {.queries = p.queries,
                              .n = p.n,
                              .catalogue = p.catalogue,
                              .m = p.m,
                              .d = p.d,
                              .k = p.k,
                              .threads = 1,
                              .watch = &watch};
    int64_t *items = malloc(p.n * p.k * sizeof *items);
    float *scores = malloc(p.n * p.k * sizeof *scores);
    check_fails(dip_rank(&job, items, scores, check_error()), DIP_ERR_INTERRUPTED, "ranking");
    assert_int_equal(calls, 2);
    free(items);
    free(scores);
    free_problem(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_equals_a_full_sort),
        cmocka_unit_test(tiles_meet_without_a_seam),
        cmocka_unit_test(lists_longer_than_the_catalogue_end_with_nothing),
        cmocka_unit_test(no_queries_are_no_work),
        cmocka_unit_test(a_query_that_is_not_a_number_ranks_nothing),
        cmocka_unit_test(ranking_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
