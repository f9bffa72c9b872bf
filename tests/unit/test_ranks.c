/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranks of held-out pairs: by a model against a count of the better items, in given lists against
 * a search, and their hits by popularity.
 */
#include "catalogue.h"
#include "evaluate/ranks.h"
#include "fixture.h"

#include "base/mem.h"
#include "engine/encode.h"

static const char OPTIONS[] = "split: {test: 0.5, validation: 0.1}\n"
                              "model: {dim: 8, hidden: \"16,8\"}\n"
                              "threads: 2\n";
static const int32_t NONE[] = {-1};

enum { ITEMS = 90, PAIRS = 1200, DIM = 8 };

typedef struct world {
    dip_dataset dataset;
    dip_towers towers;
    float items[ITEMS * DIM];
    float queries[ITEMS * DIM];
} world;

static void encode(const world *w, dip_side side, float *vectors) {
    const dip_encode_job job = {
        .towers = &w->towers, .side = side, .rows = &w->dataset.items, .n = ITEMS, .threads = 1};
    check_ok(dip_encode(&job, vectors, check_error()));
}

static world *make_world(check_folder *folder) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    fixture_write_random(folder, (fixture_size){ITEMS, PAIRS, 9}, OPTIONS);
    check_ok(fixture_prepare(folder, NULL));
    check_ok(dip_dataset_load(&w->dataset, check_path(folder, "data"), check_error()));
    check_ok(dip_towers_create(&w->towers, &w->dataset.schema, &w->dataset.config, check_error()));
    check_ok(dip_params_alloc(&w->towers.params, false, check_error()));
    dip_params_init(&w->towers.params, 3);
    encode(w, DIP_SIDE_ITEM, w->items);
    encode(w, DIP_SIDE_QUERY, w->queries);
    return w;
}

static void free_world(world *w) {
    dip_towers_free(&w->towers);
    dip_dataset_release(&w->dataset);
    free(w);
}

static dip_questions ask(const world *w, bool exclude_training, bool exclude_query) {
    dip_questions q;
    check_ok(
        dip_questions_create(&q, &w->dataset, 2, exclude_training, exclude_query, check_error()));
    return q;
}

static dip_status rank_pairs(const world *w, const dip_questions *q, size_t longest, int threads,
                             const dip_watch *watch, uint16_t **rank) {
    dip_config config = w->dataset.config;
    config.threads = threads;
    *rank = calloc(dip_questions_pairs(q) + 1, sizeof **rank);
    assert_non_null(*rank);
    return dip_rank_pairs(&w->towers, &w->dataset, &config, q, longest, watch, *rank,
                          check_error());
}

/* ---- by a model ------------------------------------------------------------------------------ */

static bool is_excluded(const dip_questions *q, size_t i, int32_t item) {
    for (int64_t j = q->excluded_start[i]; j < q->excluded_start[i + 1]; j++) {
        if (q->excluded_row[j] == item) {
            return true;
        }
    }
    return false;
}

static double cosine(const world *w, int32_t query, int32_t item) {
    double sum = 0;
    for (int32_t c = 0; c < DIM; c++) {
        sum += (double)w->queries[query * DIM + c] * (double)w->items[item * DIM + c];
    }
    return sum;
}

/* One more than the allowed items that are better. */
static int slow_rank(const world *w, const dip_questions *q, size_t i, int32_t item) {
    const double own = cosine(w, q->query[i], item);
    int rank = 1;
    for (int32_t other = 0; other < ITEMS; other++) {
        rank += other != item && !is_excluded(q, i, other) && cosine(w, q->query[i], other) > own;
    }
    return rank;
}

static void check_against_count(const world *w, const dip_questions *q, size_t longest) {
    uint16_t *rank = NULL;
    check_ok(rank_pairs(w, q, longest, 2, NULL, &rank));
    for (size_t i = 0; i < q->n; i++) {
        for (int64_t p = q->start[i]; p < q->start[i + 1]; p++) {
            const int expected = slow_rank(w, q, i, q->right[p]);
            assert_int_equal(rank[p], (size_t)expected <= longest ? expected : 0);
        }
    }
    free(rank);
}

/* Of 65535 places 64 lists are held at a time, so that the queries come in two parts. */
static void ranks_are_one_more_than_the_better_items(void **state) {
    static const size_t LENGTHS[] = {1, 5, 40, ITEMS, 500, DIP_RANK_MAX};
    world *w = make_world(*state);
    for (int excluded = 0; excluded < 4; excluded++) {
        dip_questions q = ask(w, excluded & 1, excluded & 2);
        assert_true(q.n > 64 && dip_questions_pairs(&q) > 500);
        for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
            check_against_count(w, &q, LENGTHS[i]);
        }
        dip_questions_free(&q);
    }
    free_world(w);
}

static void ranks_do_not_depend_on_threads(void **state) {
    world *w = make_world(*state);
    dip_questions q = ask(w, true, true);
    uint16_t *one = NULL;
    uint16_t *three = NULL;
    check_ok(rank_pairs(w, &q, 20, 1, NULL, &one));
    check_ok(rank_pairs(w, &q, 20, 3, NULL, &three));
    assert_memory_equal(one, three, dip_questions_pairs(&q) * sizeof *one);
    free(one);
    free(three);
    dip_questions_free(&q);
    free_world(w);
}

static void lists_of_impossible_length_are_refused(void **state) {
    world *w = make_world(*state);
    dip_questions q = ask(w, true, true);
    uint16_t *rank = NULL;
    check_fails(rank_pairs(w, &q, DIP_RANK_MAX + 1, 1, NULL, &rank), DIP_ERR_USAGE, "65536");
    free(rank);
    check_fails(rank_pairs(w, &q, 0, 1, NULL, &rank), DIP_ERR_USAGE, "lists of 0 items");
    free(rank);
    dip_questions_free(&q);
    free_world(w);
}

typedef struct seen {
    size_t n_queries;
    uint64_t done; /* of the ranking */
    size_t calls;
    size_t stop_at;
} seen;

static int look(void *context, const dip_progress *progress) {
    seen *s = context;
    if (strcmp(progress->phase, "ranking") != 0) {
        return 0;
    }
    assert_int_equal(progress->total, s->n_queries);
    assert_true(progress->done >= s->done && progress->done <= progress->total);
    s->done = progress->done;
    s->calls++;
    return s->calls == s->stop_at;
}

static void progress_is_that_of_all_queries(void **state) {
    world *w = make_world(*state);
    dip_questions q = ask(w, true, true);
    seen s = {.n_queries = q.n};
    const dip_watch watch = {.on_progress = look, .context = &s};
    uint16_t *rank = NULL;
    check_ok(rank_pairs(w, &q, DIP_RANK_MAX, 1, &watch, &rank));
    assert_int_equal(s.calls, 2);
    assert_int_equal(s.done, q.n);
    free(rank);
    for (size_t stop_at = 1; stop_at <= 2; stop_at++) {
        s = (seen){.n_queries = q.n, .stop_at = stop_at};
        check_fails(rank_pairs(w, &q, DIP_RANK_MAX, 1, &watch, &rank), DIP_ERR_INTERRUPTED,
                    "while ranking");
        free(rank);
    }
    dip_questions_free(&q);
    free_world(w);
}

static void every_failed_allocation_is_reported(void **state) {
    world *w = make_world(*state);
    dip_questions q = ask(w, true, true);
    dip_status status = DIP_ERR_MEMORY;
    for (int64_t n = 0; status == DIP_ERR_MEMORY; n++) {
        uint16_t *rank = NULL;
        assert_true(n < 200);
        dip_mem_fail_after(n, 0);
        status = rank_pairs(w, &q, 10, 2, NULL, &rank);
        dip_mem_fail_after(-1, 0);
        assert_true(n > 4 || status == DIP_ERR_MEMORY);
        free(rank);
    }
    check_ok(status);
    dip_questions_free(&q);
    free_world(w);
}

/* ---- in lists -------------------------------------------------------------------------------- */

static void places_in_lists_by_hand(void **state) {
    (void)state;
    static const int32_t TEST[] = {0, 2, 0, 3, 0, 4, 1, 5, 6, 0, -1};
    static const int64_t LISTS[] = {3, 8, 2, 7, 6, 5, -1, 0, -1, 0, 0, 0};
    static const uint16_t EXPECTED[] = {3, 1, 0, 2, 0};
    uint16_t rank[] = {9, 9, 9, 9, 9};
    catalogue c;
    dip_questions q;
    catalogue_from_lists(&c, 9, true, NONE, NONE, TEST);
    check_ok(dip_questions_create(&q, &c.dataset, 2, false, false, check_error()));
    assert_int_equal(dip_questions_pairs(&q), 5);
    dip_ranks_of_lists(&q, LISTS, 4, rank);
    assert_memory_equal(rank, EXPECTED, sizeof EXPECTED);
    dip_questions_free(&q);
    catalogue_free(&c);
}

static void no_questions_have_no_ranks(void **state) {
    (void)state;
    catalogue c;
    dip_questions q;
    uint16_t rank = 7;
    catalogue_from_lists(&c, 9, true, NONE, NONE, NONE);
    check_ok(dip_questions_create(&q, &c.dataset, 2, false, false, check_error()));
    assert_int_equal(dip_questions_pairs(&q), 0);
    dip_ranks_of_lists(&q, NULL, 4, &rank);
    assert_int_equal(rank, 7);
    dip_questions_free(&q);
    catalogue_free(&c);
}

/* ---- by popularity --------------------------------------------------------------------------- */

static void hits_are_counted_where_the_item_belongs(void **state) {
    (void)state;
    enum { N = 80, K = 6 };
    uint64_t random = 3;
    uint8_t group[N];
    int64_t pairs[DIP_N_POPULARITY_GROUPS];
    int64_t hits[DIP_N_POPULARITY_GROUPS];
    catalogue c;
    dip_questions q;
    catalogue_make(&c, (catalogue_size){N, N, 900, true}, &random);
    check_ok(dip_questions_create(&q, &c.dataset, 2, true, true, check_error()));
    check_ok(dip_popularity_groups(&c.dataset, group, check_error()));
    const size_t n = dip_questions_pairs(&q);
    uint16_t *rank = malloc(n * sizeof *rank);
    for (size_t p = 0; p < n; p++) {
        rank[p] = (uint16_t)check_random_below(&random, 12);
    }
    dip_hits_by_decile(&q, group, rank, K, pairs, hits);
    int64_t all = 0;
    for (uint8_t g = 0; g < DIP_N_POPULARITY_GROUPS; g++) {
        int64_t expected_pairs = 0;
        int64_t expected_hits = 0;
        for (size_t p = 0; p < n; p++) {
            const bool is_here = group[q.right[p]] == g;
            expected_pairs += is_here;
            expected_hits += is_here && rank[p] >= 1 && rank[p] <= K;
        }
        assert_int_equal(pairs[g], expected_pairs);
        assert_int_equal(hits[g], expected_hits);
        all += pairs[g];
    }
    assert_int_equal(all, n);
    assert_true(pairs[0] > pairs[9]);
    free(rank);
    dip_questions_free(&q);
    catalogue_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(ranks_are_one_more_than_the_better_items),
        check_test_in_folder(ranks_do_not_depend_on_threads),
        check_test_in_folder(lists_of_impossible_length_are_refused),
        check_test_in_folder(progress_is_that_of_all_queries),
        check_test_in_folder(every_failed_allocation_is_reported),
        cmocka_unit_test(places_in_lists_by_hand),
        cmocka_unit_test(no_questions_have_no_ranks),
        cmocka_unit_test(hits_are_counted_where_the_item_belongs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
