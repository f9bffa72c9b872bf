/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranking metrics of one list: examples worked by hand for both protocols, and a slow version
 * written from the definitions.
 */
#include "check.h"
#include "evaluate/metrics.h"

enum { RECALL, MAP, NDCG, MRR, HIT_RATE };

static void check_metrics(const bool *hit, size_t length, size_t right, size_t k,
                          const double expected[DIP_N_METRICS]) {
    double found[DIP_N_METRICS];
    dip_metrics(hit, length, right, k, found);
    for (size_t m = 0; m < DIP_N_METRICS; m++) {
        check_close(found[m], expected[m], 1e-12);
    }
}

/* Three right items, two of them found, at places 1 and 3. */
static void several_right_items_by_hand(void **state) {
    (void)state;
    static const bool HIT[] = {true, false, true, false, false};
    const double ideal3 = 1 + 1 / log2(3) + 0.5;
    const double at5[] = {2.0 / 3, (1 + 2.0 / 3) / 3, 1.5 / ideal3, 1, 1};
    const double at2[] = {1.0 / 3, 1.0 / 2, 1 / (1 + 1 / log2(3)), 1, 1};
    const double at1[] = {1.0 / 3, 1, 1, 1, 1};
    check_metrics(HIT, 5, 3, 5, at5);
    check_metrics(HIT, 5, 3, 2, at2);
    check_metrics(HIT, 5, 3, 1, at1);
}

/* More right items than places: a list full of hits is perfect but for recall. */
static void a_full_list_of_hits_by_hand(void **state) {
    (void)state;
    static const bool HIT[] = {true, true, true};
    const double expected[] = {3.0 / 10, 1, 1, 1, 1};
    check_metrics(HIT, 3, 10, 3, expected);
}

/* The paper's protocol: one right item. Recall is the hit, MAP the reciprocal rank. */
static void one_right_item_by_hand(void **state) {
    (void)state;
    static const bool HIT[] = {false, false, true, false};
    const double found[] = {1, 1.0 / 3, 0.5, 1.0 / 3, 1};
    const double missed[] = {0, 0, 0, 0, 0};
    check_metrics(HIT, 4, 1, 4, found);
    check_metrics(HIT, 4, 1, 3, found);
    check_metrics(HIT, 4, 1, 2, missed);
    check_metrics(HIT, 4, 1, 1000, found);
}

static void no_hits_and_empty_lists_are_zero(void **state) {
    (void)state;
    static const bool HIT[4] = {false};
    const double zero[] = {0, 0, 0, 0, 0};
    check_metrics(HIT, 4, 3, 4, zero);
    check_metrics(HIT, 0, 3, 10, zero);
    check_metrics(NULL, 0, 1, 10, zero);
}

/* A list may be shorter than K: what is not there is no hit. */
static void a_short_list_is_judged_like_a_long_one(void **state) {
    (void)state;
    static const bool HIT[10] = {false, true, true};
    for (size_t k = 3; k <= 10; k++) {
        double expected[DIP_N_METRICS];
        dip_metrics(HIT, 10, 4, k, expected);
        check_metrics(HIT, 3, 4, k, expected);
    }
}

/* ---- a slow version -------------------------------------------------------------------------- */

static size_t hits_before(const bool *hit, size_t end) {
    size_t n = 0;
    for (size_t i = 0; i < end; i++) {
        n += hit[i];
    }
    return n;
}

static void slow_metrics(const bool *hit, size_t length, size_t right, size_t k,
                         double metric[DIP_N_METRICS]) {
    const size_t cut = length < k ? length : k;
    double precisions = 0;
    double gain = 0;
    double ideal = 0;
    metric[MRR] = 0;
    for (size_t i = cut; i-- > 0;) {
        if (hit[i]) {
            precisions += (double)hits_before(hit, i + 1) / (double)(i + 1);
            gain += log(2) / log((double)i + 2);
            metric[MRR] = 1 / ((double)i + 1);
        }
    }
    for (size_t i = 0; i < k && i < right; i++) {
        ideal += log(2) / log((double)i + 2);
    }
    metric[RECALL] = (double)hits_before(hit, cut) / (double)right;
    metric[MAP] = precisions / fmin((double)k, (double)right);
    metric[NDCG] = gain / ideal;
    metric[HIT_RATE] = hits_before(hit, cut) > 0 ? 1 : 0;
}

static void random_lists_agree_with_the_definitions(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        bool hit[60];
        double expected[DIP_N_METRICS];
        const size_t length = check_random_below(&random, 61);
        const size_t k = length + check_random_below(&random, 10) + (length == 0);
        const size_t rarity = 1 + check_random_below(&random, 20);
        for (size_t i = 0; i < length; i++) {
            hit[i] = check_random_below(&random, rarity) == 0;
        }
        const size_t right = hits_before(hit, length) + check_random_below(&random, 30);
        const size_t at = 1 + check_random_below(&random, k);
        if (right > 0) {
            slow_metrics(hit, length, right, at, expected);
            check_metrics(hit, length, right, at, expected);
        }
    }
}

static void metrics_lie_between_0_and_1_and_recall_grows_with_k(void **state) {
    (void)state;
    uint64_t random = 2;
    for (int round = 0; round < 2000; round++) {
        bool hit[30];
        double before = 0;
        for (size_t i = 0; i < 30; i++) {
            hit[i] = check_random_below(&random, 4) == 0;
        }
        const size_t right = 1 + hits_before(hit, 30);
        for (size_t k = 1; k <= 30; k++) {
            double metric[DIP_N_METRICS];
            dip_metrics(hit, 30, right, k, metric);
            for (size_t m = 0; m < DIP_N_METRICS; m++) {
                assert_true(metric[m] >= 0 && metric[m] <= 1);
            }
            assert_true(metric[RECALL] >= before);
            before = metric[RECALL];
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_right_items_by_hand),
        cmocka_unit_test(a_full_list_of_hits_by_hand),
        cmocka_unit_test(one_right_item_by_hand),
        cmocka_unit_test(no_hits_and_empty_lists_are_zero),
        cmocka_unit_test(a_short_list_is_judged_like_a_long_one),
        cmocka_unit_test(random_lists_agree_with_the_definitions),
        cmocka_unit_test(metrics_lie_between_0_and_1_and_recall_grows_with_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
