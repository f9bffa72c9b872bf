/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of many rankings by both protocols, per slice, against a slow count from the definitions.
 */
#include "catalogue.h"
#include "evaluate/ranks.h"
#include "evaluate/scores.h"

static const int32_t NONE[] = {-1};
static const dip_list AT_2_AND_4 = {2, {2, 4}};

static double mean_of(const dip_scores *s, const double *mean, size_t slice, size_t k, int metric) {
    return mean[dip_scores_place(s, slice, k, (size_t)metric)];
}

/* Two queries: 0 with the right items 2, 3, 4 and 1 with the right item 5; item 2 alone is
 * popular. */
static void make_example(catalogue *c, dip_questions *q) {
    static const int32_t TRAIN[] = {6, 2, 7, 2, 8, 3, -1};
    static const int32_t TEST[] = {0, 2, 0, 3, 0, 4, 1, 5, -1};
    catalogue_from_lists(c, 9, true, TRAIN, NONE, TEST);
    check_ok(dip_questions_create(q, &c->dataset, 2, false, false, check_error()));
}

static const int64_t EXAMPLE_LISTS[] = {3, 8, 2, 7,  /* of query 0: hits at places 1 and 3 */
                                        6, 7, 8, 5}; /* of query 1: a hit at place 4 */

static void the_standard_protocol_by_hand(void **state) {
    (void)state;
    catalogue c;
    dip_questions q;
    dip_scores s;
    double mean[DIP_N_SLICES * 2 * DIP_N_METRICS];
    make_example(&c, &q);
    check_ok(dip_scores_create(&s, &q, EXAMPLE_LISTS, 4, &AT_2_AND_4, DIP_PROTOCOL_STANDARD,
                               check_error()));
    dip_scores_mean(&s, mean);
    assert_int_equal(s.queries[DIP_SLICE_ALL], 2);
    assert_int_equal(s.pairs[DIP_SLICE_ALL], 4);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 0, DIP_METRIC_RECALL), (1.0 / 3) / 2, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 1, DIP_METRIC_RECALL), (2.0 / 3 + 1) / 2, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 1, DIP_METRIC_MAP), ((1 + 2.0 / 3) / 3 + 0.25) / 2,
                1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 1, DIP_METRIC_MRR), (1 + 0.25) / 2, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 0, DIP_METRIC_HIT_RATE), 0.5, 1e-6);
    /* head: item 2 alone, asked by query 0 */
    assert_int_equal(s.queries[DIP_SLICE_HEAD], 1);
    assert_int_equal(s.pairs[DIP_SLICE_HEAD], 1);
    check_close(mean_of(&s, mean, DIP_SLICE_HEAD, 1, DIP_METRIC_RECALL), 1, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_HEAD, 1, DIP_METRIC_MAP), 1.0 / 3, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_HEAD, 0, DIP_METRIC_RECALL), 0, 0);
    /* cold: 4 of query 0 is missed, 5 of query 1 is found at place 4 */
    assert_int_equal(s.queries[DIP_SLICE_COLD], 2);
    check_close(mean_of(&s, mean, DIP_SLICE_COLD, 1, DIP_METRIC_RECALL), 0.5, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_COLD, 1, DIP_METRIC_MAP), 0.125, 1e-6);
    dip_scores_free(&s);
    dip_questions_free(&q);
    catalogue_free(&c);
}

static void the_papers_protocol_by_hand(void **state) {
    (void)state;
    catalogue c;
    dip_questions q;
    dip_scores s;
    double mean[DIP_N_SLICES * 2 * DIP_N_METRICS];
    make_example(&c, &q);
    check_ok(dip_scores_create(&s, &q, EXAMPLE_LISTS, 4, &AT_2_AND_4, DIP_PROTOCOL_PAPER,
                               check_error()));
    dip_scores_mean(&s, mean);
    /* four examples: places 3 (item 2), 1 (item 3), none (item 4), 4 (item 5) */
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 0, DIP_METRIC_RECALL), 1.0 / 4, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 1, DIP_METRIC_RECALL), 3.0 / 4, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 1, DIP_METRIC_MAP), (1.0 / 3 + 1 + 0.25) / 4,
                1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_ALL, 1, DIP_METRIC_MRR), (1.0 / 3 + 1 + 0.25) / 4,
                1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_TAIL, 1, DIP_METRIC_RECALL), 2.0 / 3, 1e-6);
    check_close(mean_of(&s, mean, DIP_SLICE_COLD, 1, DIP_METRIC_MAP), 0.25 / 2, 1e-6);
    assert_int_equal(s.pairs[DIP_SLICE_TAIL], 3);
    assert_int_equal(s.queries[DIP_SLICE_TAIL], 2);
    dip_scores_free(&s);
    dip_questions_free(&q);
    catalogue_free(&c);
}

/* ---- a slow version -------------------------------------------------------------------------- */

/* Sums of the five metrics for one example: the right items are marked in a table. */
static void add_slow(double sum[DIP_N_METRICS], const int64_t *list, size_t longest,
                     const bool *is_right, size_t n_right, size_t k) {
    double found = 0;
    double precision = 0;
    double gain = 0;
    double ideal = 0;
    double first = 0;
    for (size_t i = 0; i < k && i < longest && list[i] >= 0; i++) {
        if (is_right[list[i]]) {
            found++;
            precision += found / ((double)i + 1);
            gain += log(2) / log((double)i + 2);
            first = first > 0 ? first : 1 / ((double)i + 1);
        }
    }
    for (size_t i = 0; i < k && i < n_right; i++) {
        ideal += log(2) / log((double)i + 2);
    }
    sum[DIP_METRIC_RECALL] += found / (double)n_right;
    sum[DIP_METRIC_MAP] += precision / (double)(n_right < k ? n_right : k);
    sum[DIP_METRIC_NDCG] += gain / ideal;
    sum[DIP_METRIC_MRR] += first;
    sum[DIP_METRIC_HIT_RATE] += found > 0;
}

/* One slice, one k: the means over all examples. Right items of other slices count as wrong. */
static void slow_means(const catalogue *c, const dip_questions *q, const int64_t *lists,
                       size_t longest, size_t slice, size_t k, int protocol,
                       double mean[DIP_N_METRICS]) {
    double examples = 0;
    memset(mean, 0, DIP_N_METRICS * sizeof *mean);
    for (size_t i = 0; i < q->n; i++) {
        bool is_right[100] = {false};
        size_t n_right = 0;
        for (int64_t item = 0; item < c->dataset.items.n; item++) {
            if (!catalogue_has(c, 2, q->query[i], item) || ((q->slices[item] >> slice) & 1) == 0) {
                continue;
            }
            is_right[item] = true;
            n_right++;
            if (protocol == DIP_PROTOCOL_PAPER) {
                add_slow(mean, lists + i * longest, longest, is_right, 1, k);
                is_right[item] = false;
                examples++;
            }
        }
        if (protocol == DIP_PROTOCOL_STANDARD && n_right > 0) {
            add_slow(mean, lists + i * longest, longest, is_right, n_right, k);
            examples++;
        }
    }
    for (size_t m = 0; m < DIP_N_METRICS; m++) {
        mean[m] = examples > 0 ? mean[m] / examples : 0;
    }
}

/* Lists of distinct items, some ending early. */
static int64_t *random_lists(size_t n, size_t n_items, size_t longest, uint64_t *random) {
    int64_t *lists = malloc((n * longest + 1) * sizeof *lists);
    assert_non_null(lists);
    for (size_t i = 0; i < n; i++) {
        const size_t length = check_random_below(random, longest + 1);
        const size_t first = check_random_below(random, n_items);
        for (size_t j = 0; j < longest; j++) {
            const bool is_there = j < length && j < n_items;
            lists[i * longest + j] = is_there ? (int64_t)((first + j * 7) % n_items) : -1;
        }
    }
    return lists;
}

static void check_scores(const catalogue *c, const dip_questions *q, const int64_t *lists,
                         size_t longest, const dip_list *k, int protocol) {
    dip_scores s;
    double *mean = malloc(DIP_N_SLICES * k->n * DIP_N_METRICS * sizeof *mean);
    check_ok(dip_scores_create(&s, q, lists, longest, k, protocol, check_error()));
    dip_scores_mean(&s, mean);
    for (size_t slice = 0; slice < DIP_N_SLICES; slice++) {
        for (size_t at = 0; at < k->n; at++) {
            double expected[DIP_N_METRICS];
            slow_means(c, q, lists, longest, slice, (size_t)k->value[at], protocol, expected);
            for (int m = 0; m < DIP_N_METRICS; m++) {
                check_near(mean_of(&s, mean, slice, at, m), expected[m], 1e-5);
            }
        }
    }
    dip_scores_free(&s);
    free(mean);
}

static void random_rankings_agree_with_the_definitions(void **state) {
    (void)state;
    static const dip_list LENGTHS = {4, {1, 5, 10, 20}};
    uint64_t random = 1;
    for (int round = 0; round < 100; round++) {
        catalogue c;
        dip_questions q;
        const size_t n = 31 + 10 * check_random_below(&random, 7); /* shares no factor with 7 */
        catalogue_make(&c, (catalogue_size){n, n, 10 + check_random_below(&random, 300), true},
                       &random);
        check_ok(dip_questions_create(&q, &c.dataset, 2, true, true, check_error()));
        int64_t *lists = random_lists(q.n, n % 7 == 0 ? n + 1 : n, 20, &random);
        for (size_t i = 0; i < q.n * 20; i++) {
            lists[i] = lists[i] < (int64_t)n ? lists[i] : -1;
        }
        check_scores(&c, &q, lists, 20, &LENGTHS, DIP_PROTOCOL_STANDARD);
        check_scores(&c, &q, lists, 20, &LENGTHS, DIP_PROTOCOL_PAPER);
        free(lists);
        dip_questions_free(&q);
        catalogue_free(&c);
    }
}

/* ---- ranks ----------------------------------------------------------------------------------- */

/* Lists cut to their first `length` places. */
static int64_t *cut_lists(const int64_t *lists, size_t n, size_t longest, size_t length) {
    int64_t *cut = malloc((n * length + 1) * sizeof *cut);
    for (size_t i = 0; i < n; i++) {
        memcpy(cut + i * length, lists + i * longest, length * sizeof *cut);
    }
    return cut;
}

/* Ranks in lists of 20, scored at 7 and 3, give what lists of 7 give. */
static void check_ranks(const dip_questions *q, const int64_t *lists, int protocol) {
    static const dip_list LENGTHS = {2, {7, 3}};
    dip_scores of_lists;
    dip_scores of_ranks;
    int64_t *cut = cut_lists(lists, q->n, 20, 7);
    uint16_t *rank = malloc((dip_questions_pairs(q) + 1) * sizeof *rank);
    dip_ranks_of_lists(q, lists, 20, rank);
    check_ok(dip_scores_create(&of_lists, q, cut, 7, &LENGTHS, protocol, check_error()));
    check_ok(dip_scores_from_ranks(&of_ranks, q, rank, 20, &LENGTHS, protocol, check_error()));
    assert_memory_equal(of_ranks.sum, of_lists.sum, q->n * of_lists.width * sizeof *of_ranks.sum);
    assert_memory_equal(of_ranks.weight, of_lists.weight,
                        q->n * DIP_N_SLICES * sizeof *of_ranks.weight);
    assert_memory_equal(of_ranks.pairs, of_lists.pairs, sizeof of_ranks.pairs);
    assert_memory_equal(of_ranks.queries, of_lists.queries, sizeof of_ranks.queries);
    dip_scores_free(&of_lists);
    dip_scores_free(&of_ranks);
    free(cut);
    free(rank);
}

static void ranks_in_longer_lists_give_the_same_bits(void **state) {
    (void)state;
    uint64_t random = 8;
    for (int round = 0; round < 20; round++) {
        catalogue c;
        dip_questions q;
        catalogue_make(&c, (catalogue_size){61, 61, 300, true}, &random);
        check_ok(dip_questions_create(&q, &c.dataset, 2, true, true, check_error()));
        int64_t *lists = random_lists(q.n, 61, 20, &random);
        check_ranks(&q, lists, DIP_PROTOCOL_STANDARD);
        check_ranks(&q, lists, DIP_PROTOCOL_PAPER);
        free(lists);
        dip_questions_free(&q);
        catalogue_free(&c);
    }
}

/* Also ranks beyond every list that is scored. */
static void ranks_behind_the_list_are_misses(void **state) {
    (void)state;
    static const uint16_t RANK[] = {60000, 11, 10, 65535};
    static const dip_list TEN = {1, {10}};
    catalogue c;
    dip_questions q;
    dip_scores s;
    double mean[DIP_N_SLICES * DIP_N_METRICS];
    make_example(&c, &q);
    for (int protocol = DIP_PROTOCOL_STANDARD; protocol <= DIP_PROTOCOL_PAPER; protocol++) {
        check_ok(dip_scores_from_ranks(&s, &q, RANK, 65535, &TEN, protocol, check_error()));
        dip_scores_mean(&s, mean);
        const double examples = protocol == DIP_PROTOCOL_PAPER ? 4 : 2;
        const double right = protocol == DIP_PROTOCOL_PAPER ? 1 : 3;
        check_close(mean_of(&s, mean, DIP_SLICE_ALL, 0, DIP_METRIC_RECALL), 1 / right / examples,
                    1e-6);
        check_close(mean_of(&s, mean, DIP_SLICE_ALL, 0, DIP_METRIC_MRR), 0.1 / examples, 1e-6);
        dip_scores_free(&s);
    }
    dip_questions_free(&q);
    catalogue_free(&c);
}

static void lengths_that_were_not_ranked_are_refused(void **state) {
    (void)state;
    static const dip_list WRONG[] = {{1, {5}}, {2, {3, 0}}, {1, {-1}}, {1, {INT64_MIN}}};
    static const dip_list LONGEST = {1, {1001}};
    static const uint16_t RANK[] = {0, 0, 0, 0};
    catalogue c;
    dip_questions q;
    dip_scores s;
    make_example(&c, &q);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        check_fails(dip_scores_create(&s, &q, EXAMPLE_LISTS, 4, &WRONG[i], DIP_PROTOCOL_PAPER,
                                      check_error()),
                    DIP_ERR_USAGE, "these allow 1 to 4");
    }
    check_fails(
        dip_scores_from_ranks(&s, &q, RANK, 2000, &LONGEST, DIP_PROTOCOL_PAPER, check_error()),
        DIP_ERR_USAGE, "1001");
    dip_questions_free(&q);
    catalogue_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standard_protocol_by_hand),
        cmocka_unit_test(the_papers_protocol_by_hand),
        cmocka_unit_test(random_rankings_agree_with_the_definitions),
        cmocka_unit_test(ranks_in_longer_lists_give_the_same_bits),
        cmocka_unit_test(ranks_behind_the_list_are_misses),
        cmocka_unit_test(lengths_that_were_not_ranked_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
