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

/* A tile is 256 queries, of which 64 at a time meet 512 items; a strip has 4096 items. */
static void tiles_meet_without_a_seam(void **state) {
    (void)state;
    static const struct {
        size_t queries;
        size_t items;
    } SIZES[] = {{1, 511},   {16, 513},  {17, 512},  {63, 63},   {64, 64},   {65, 65},
                 {65, 1025}, {257, 514}, {320, 129}, {20, 4095}, {20, 4097}, {33, 8193}};
    uint64_t random = 2;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        check_all(SIZES[i].queries, SIZES[i].items, 5, 12, &random);
    }
    check_all(1100, 3, 4, 2, &random);
}

/* More than there are lists of 65 rows for in their memory. */
static void rounds_meet_without_a_seam(void **state) {
    (void)state;
    uint64_t random = 6;
    check_all(90000, 70, 2, 1, &random);
}

enum { MANY = 40, ITEMS = 3000, D = 3, K = 12 };

/* Rows that are equal, better one after the other, worse one after the other, and equal but for a
 * few: `kind` 0 to 3. */
static float ordered_score(int kind, size_t row) {
    const float scores[] = {2, (float)row, (float)(ITEMS - row), row % 700 == 699 ? 3 : 2};
    return scores[kind];
}

static void any_order_of_the_scores_gives_the_best(void **state) {
    (void)state;
    uint64_t random = 7;
    for (int kind = 0; kind < 4; kind++) {
        problem p = make_problem(MANY, ITEMS, D, K, &random);
        for (size_t i = 0; i < MANY * D; i++) {
            p.queries[i] = i % D == 0 ? (float)(1 + i % 5) : 0;
        }
        for (size_t row = 0; row < ITEMS; row++) {
            p.catalogue[row * D] = ordered_score(kind, row);
        }
        for (int threads = 1; threads <= 2; threads++) {
            check_ranking(&p, false, threads);
            check_ranking(&p, true, threads);
        }
        free_problem(&p);
    }
}

/* Numbers below the smallest normal one, whose products may be taken for 0, and others that are too
 * large for bfloat16 or for a product in float. */
static void any_size_of_the_numbers_gives_the_best(void **state) {
    (void)state;
    static const struct {
        float query;
        float item;
    } SCALES[] = {{1, 0x1p-145f},        {0x1p-70f, 0x1p-75f}, {0x1p-30f, 0x1p-115f},
                  {0x1p-130f, 0x1p20f},  {0x1p62f, 0x1p55f},   {0x1p-20f, 0x1p125f},
                  {0x1p-120f, 0x1p120f}, {1, 0x1p-60f}};
    uint64_t random = 8;
    for (size_t s = 0; s < sizeof SCALES / sizeof SCALES[0]; s++) {
        problem p = make_problem(MANY, ITEMS, D, K, &random);
        for (size_t i = 0; i < MANY * D; i++) {
            p.queries[i] *= SCALES[s].query;
        }
        for (size_t i = 0; i < ITEMS * D; i++) {
            p.catalogue[i] *= SCALES[s].item;
        }
        check_ranking(&p, true, 2);
        free_problem(&p);
    }
}

/* As alone: dip_rank_scan, which takes few queries, computes every score exactly. */
static void check_as_alone(const problem *p) {
    int64_t *items = malloc(2 * p->n * p->k * sizeof *items);
    float *scores = malloc(2 * p->n * p->k * sizeof *scores);
    dip_rank_job job = {.queries = p->queries,
                        .n = p->n,
                        .catalogue = p->catalogue,
                        .m = p->m,
                        .d = p->d,
                        .k = p->k,
                        .threads = 2};
    check_ok(dip_rank(&job, items, scores, check_error()));
    int64_t *const items_alone = items + p->n * p->k;
    float *const scores_alone = scores + p->n * p->k;
    job.n = 1;
    for (size_t q = 0; q < p->n; q++) {
        job.queries = p->queries + q * p->d;
        check_ok(dip_rank(&job, items_alone + q * p->k, scores_alone + q * p->k, check_error()));
    }
    assert_memory_equal(items, items_alone, p->n * p->k * sizeof *items);
    assert_memory_equal(scores, scores_alone, p->n * p->k * sizeof *scores);
    free(items);
    free(scores);
}

static void infinite_and_missing_numbers_rank_as_alone(void **state) {
    (void)state;
    uint64_t random = 9;
    problem p = make_problem(MANY, ITEMS, D, K, &random);
    for (size_t i = 0; i < 400; i++) {
        static const float SPECIALS[] = {INFINITY, -INFINITY, NAN, 3.4e38f, -3.4e38f};
        const float special = SPECIALS[check_random_below(&random, 5)];
        p.catalogue[check_random_below(&random, ITEMS * D)] = special;
        p.queries[check_random_below(&random, 6 * D)] = special;
    }
    check_as_alone(&p);
    free_problem(&p);
}

/* With u half a unit of the last place of bfloat16, numbers 1 + 5u become 1 + 4u, and 1 + 3u and
 * 1 + 7u become 1 + 4u and 1 + 8u: the first item is the best and seems to be worse by 4u. */
static void rounding_at_its_worst_ranks_as_alone(void **state) {
    (void)state;
    problem p = {.n = MANY, .m = 2, .d = 2, .k = 1};
    float catalogue[] = {1 + 5 * 0x1p-8f, 0, 0, 1 + 7 * 0x1p-8f};
    float queries[2 * MANY];
    for (size_t i = 0; i < 2 * MANY; i++) {
        queries[i] = i % 2 == 0 ? 1 + 5 * 0x1p-8f : 1 + 3 * 0x1p-8f;
    }
    p.queries = queries;
    p.catalogue = catalogue;
    check_as_alone(&p);
    /* Both become 1, and so does the query: the second seems to be worse by 2u than it is. */
    float close[] = {1 + 0x1p-8f - 0x1p-20f, 1 + 0x1p-8f};
    for (size_t i = 0; i < MANY; i++) {
        queries[i] = 1 + 0x1p-8f;
    }
    p.d = 1;
    p.catalogue = close;
    check_as_alone(&p);
    uint64_t random = 13;
    for (size_t round = 0; round < 40; round++) {
        p = make_problem(MANY, 200 + 10 * round, 1 + round % 3, 1 + round, &random);
        for (size_t i = 0; i < p.n * p.d; i++) {
            p.queries[i] = 1 + (float)check_random_below(&random, 256) * 0x1p-8f;
        }
        for (size_t i = 0; i < p.m * p.d; i++) {
            p.catalogue[i] = 1 + (float)check_random_below(&random, 256) * 0x1p-8f;
        }
        check_as_alone(&p);
        free_problem(&p);
    }
}

/* Vectors so close to each other that bfloat16 cannot tell their scores apart. */
static void scores_that_are_nearly_equal_rank_as_alone(void **state) {
    (void)state;
    enum { WIDE = 96 };
    uint64_t random = 10;
    for (int round = 0; round < 8; round++) {
        const double noise = pow(10, -round);
        problem p = make_problem(MANY, ITEMS, WIDE, K, &random);
        for (size_t i = 0; i < MANY * WIDE; i++) {
            p.queries[i] = (float)(check_random_unit(&random) - 0.5);
        }
        for (size_t i = 0; i < ITEMS * WIDE; i++) {
            const double mean = sin((double)(i % WIDE));
            p.catalogue[i] = (float)(mean + noise * (check_random_unit(&random) - 0.5));
        }
        check_as_alone(&p);
        free_problem(&p);
    }
}

/* The last item has the best score, but its products with the first half are -9/8 of the largest
 * float, and those with the second half bring it back. */
static void a_sum_that_overflows_on_its_way_ranks_as_alone(void **state) {
    (void)state;
    enum { WIDE = 64 };
    const float large = 0x1p62f;
    uint64_t random = 11;
    problem p = make_problem(MANY, ITEMS, WIDE, K, &random);
    for (size_t i = 0; i < MANY * WIDE; i++) {
        p.queries[i] = 8 * large;
    }
    memset(p.catalogue, 0, ITEMS * WIDE * sizeof *p.catalogue);
    for (size_t row = 0; row < ITEMS; row++) {
        p.catalogue[row * WIDE] = (float)(row % 97) / 300 * large;
    }
    for (size_t c = 0; c < WIDE; c += 2) {
        p.catalogue[(ITEMS - 1) * WIDE + c] = (c < WIDE / 2 ? -9 : 10) / 16.0f * large;
    }
    check_as_alone(&p);
    int64_t items[MANY * K];
    float scores[MANY * K];
    const dip_rank_job job = {p.queries, MANY, p.catalogue, ITEMS, WIDE, K, NULL, 1, NULL};
    check_ok(dip_rank(&job, items, scores, check_error()));
    assert_int_equal(items[0], ITEMS - 1);
    free_problem(&p);
}

static void lists_longer_than_the_catalogue_end_with_nothing(void **state) {
    (void)state;
    uint64_t random = 3;
    check_all(5, 7, 3, 20, &random);
    check_all(3, 1, 2, 1, &random);
    check_all(3, 1030, 2, 1100, &random);
    check_all(20, 7, 3, 20, &random);
    check_all(20, 1030, 2, 1100, &random);
    check_all(20, 0, 2, 3, &random);
}

/* Lists that are much shorter than the catalogue, and longer than any that the others ask for. */
static void long_lists_equal_a_full_sort(void **state) {
    (void)state;
    uint64_t random = 12;
    check_all(20, 3000, 7, 200, &random);
    check_all(20, 3000, 2, 1000, &random);
}

static void no_queries_are_no_work(void **state) {
    (void)state;
    uint64_t random = 4;
    check_all(0, 10, 3, 5, &random);
}

static void a_query_that_is_not_a_number_ranks_nothing(void **state) {
    (void)state;
    const float catalogue[] = {1, 0, 0, 1, NAN, 1};
    float queries[2 * MANY] = {NAN, 1};
    for (size_t i = 2; i < 2 * MANY; i++) {
        queries[i] = 1;
    }
    for (size_t n = 2; n <= MANY; n += MANY - 2) {
        const dip_rank_job job = {.queries = queries,
                                  .n = n,
                                  .catalogue = catalogue,
                                  .m = 3,
                                  .d = 2,
                                  .k = 3,
                                  .threads = 1};
        int64_t items[3 * MANY];
        float scores[3 * MANY];
        check_ok(dip_rank(&job, items, scores, check_error()));
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(items[i], -1);
            assert_true(scores[i] == -INFINITY);
        }
        assert_int_equal(items[3], 0);
        assert_int_equal(items[4], 1);
        assert_int_equal(items[5], -1);
    }
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
        cmocka_unit_test(rounds_meet_without_a_seam),
        cmocka_unit_test(any_order_of_the_scores_gives_the_best),
        cmocka_unit_test(any_size_of_the_numbers_gives_the_best),
        cmocka_unit_test(infinite_and_missing_numbers_rank_as_alone),
        cmocka_unit_test(scores_that_are_nearly_equal_rank_as_alone),
        cmocka_unit_test(a_sum_that_overflows_on_its_way_ranks_as_alone),
        cmocka_unit_test(lists_longer_than_the_catalogue_end_with_nothing),
        cmocka_unit_test(long_lists_equal_a_full_sort),
        cmocka_unit_test(rounding_at_its_worst_ranks_as_alone),
        cmocka_unit_test(no_queries_are_no_work),
        cmocka_unit_test(a_query_that_is_not_a_number_ranks_nothing),
        cmocka_unit_test(ranking_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
