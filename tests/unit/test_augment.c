/* SPDX-License-Identifier: Apache-2.0
 *
 * Feature masks: what is never split across the views, never lost, and drawn equally often. Counts
 * are of fixed seeds.
 */
#include "check.h"
#include "model/augment.h"

enum { STEPS = 200 };

static uint64_t all_of(size_t k) {
    return k == 64 ? UINT64_MAX : (UINT64_C(1) << k) - 1;
}

static size_t count_bits(uint64_t mask) {
    size_t n = 0;
    for (; mask != 0; mask &= mask - 1) {
        n++;
    }
    return n;
}

/* Correlates beside the seed: floor(k/2), but one feature stays alive. */
static size_t correlates(size_t k) {
    return k / 2 < k - 2 ? k / 2 : k - 2;
}

/* A symmetric matrix of random information with some ties. */
static void random_information(double *matrix, size_t k, uint64_t *random) {
    for (size_t f = 0; f < k; f++) {
        for (size_t g = f; g < k; g++) {
            matrix[f * k + g] = (double)check_random_below(random, 3 * k) / 10;
            matrix[g * k + f] = matrix[f * k + g];
        }
    }
}

/* The seed and the others of highest information, by selecting one after the other. */
static uint64_t slow_mask(const double *matrix, size_t k, size_t seed) {
    uint64_t mask = UINT64_C(1) << seed;
    for (size_t n = 0; n < correlates(k); n++) {
        size_t best = k;
        for (size_t f = 0; f < k; f++) {
            const bool is_free = ((mask >> f) & 1) == 0;
            if (is_free && (best == k || matrix[seed * k + f] > matrix[seed * k + best])) {
                best = f;
            }
        }
        mask |= UINT64_C(1) << best;
    }
    return mask;
}

static dip_augmenter make(int method, size_t k, const double *matrix, uint64_t seed) {
    dip_augmenter a;
    check_ok(dip_augmenter_make(&a, method, k, matrix, seed, check_error()));
    return a;
}

static const int CFM[] = {DIP_METHOD_CFM, DIP_METHOD_CFM_NO_DROPOUT, DIP_METHOD_CFM_NO_COMPLEMENT};
static const int MASKING[] = {DIP_METHOD_CFM, DIP_METHOD_CFM_NO_DROPOUT,
                              DIP_METHOD_CFM_NO_COMPLEMENT, DIP_METHOD_RFM,
                              DIP_METHOD_RFM_NO_COMPLEMENT};
static const int COMPLEMENTARY[] = {DIP_METHOD_CFM, DIP_METHOD_CFM_NO_DROPOUT, DIP_METHOD_RFM};

static void a_view_never_loses_all_features(void **state) {
    (void)state;
    static double matrix[64 * 64];
    uint64_t random = 1;
    for (size_t k = 2; k <= 64; k++) {
        random_information(matrix, k, &random);
        for (size_t m = 0; m < sizeof MASKING / sizeof MASKING[0]; m++) {
            const dip_augmenter a = make(MASKING[m], k, matrix, k);
            for (uint64_t step = 0; step < STEPS; step++) {
                const dip_masks masks = dip_augmenter_draw(&a, step);
                assert_true((masks.h & ~all_of(k)) == 0 && (masks.g & ~all_of(k)) == 0);
                assert_true(masks.h != all_of(k) && masks.g != all_of(k));
                assert_true(masks.h != 0 && masks.g != 0);
            }
        }
    }
}

static void complementary_masks_cover_every_feature_once(void **state) {
    (void)state;
    static double matrix[64 * 64];
    uint64_t random = 2;
    for (size_t k = 2; k <= 64; k++) {
        random_information(matrix, k, &random);
        for (size_t m = 0; m < sizeof COMPLEMENTARY / sizeof COMPLEMENTARY[0]; m++) {
            const dip_augmenter a = make(COMPLEMENTARY[m], k, matrix, k);
            for (uint64_t step = 0; step < STEPS; step++) {
                const dip_masks masks = dip_augmenter_draw(&a, step);
                assert_true((masks.h & masks.g) == 0);
                assert_true((masks.h | masks.g) == all_of(k));
            }
        }
    }
}

/* The mask is that of some seed, so a seed and its correlates are never split across the views. */
static bool is_seeds_mask(const double *matrix, size_t k, uint64_t mask) {
    for (size_t seed = 0; seed < k; seed++) {
        if (slow_mask(matrix, k, seed) == mask) {
            return true;
        }
    }
    return false;
}

static void cfm_masks_a_seed_with_all_its_correlates(void **state) {
    (void)state;
    static double matrix[64 * 64];
    uint64_t random = 3;
    for (size_t k = 2; k <= 64; k++) {
        random_information(matrix, k, &random);
        for (size_t m = 0; m < sizeof CFM / sizeof CFM[0]; m++) {
            const dip_augmenter a = make(CFM[m], k, matrix, k);
            for (uint64_t step = 0; step < 20; step++) {
                const dip_masks masks = dip_augmenter_draw(&a, step);
                assert_int_equal(count_bits(masks.h), correlates(k) + 1);
                assert_true(is_seeds_mask(matrix, k, masks.h));
                if (CFM[m] == DIP_METHOD_CFM_NO_COMPLEMENT) {
                    assert_true(is_seeds_mask(matrix, k, masks.g));
                }
            }
        }
    }
}

/* Two groups of features that tell of each other: a mask is always one whole group. */
static void cfm_keeps_correlated_groups_together(void **state) {
    (void)state;
    enum { K = 6 };
    double matrix[K * K];
    for (size_t f = 0; f < K; f++) {
        for (size_t g = 0; g < K; g++) {
            matrix[f * K + g] = f % 2 == g % 2 ? 1 : 0.1;
        }
    }
    /* n = 3 correlates for groups of 3: the group, and one of the others. */
    const dip_augmenter a = make(DIP_METHOD_CFM, K, matrix, 1);
    for (uint64_t step = 0; step < STEPS; step++) {
        const uint64_t h = dip_augmenter_draw(&a, step).h;
        assert_true((h & 0x15) == 0x15 || (h & 0x2A) == 0x2A);
    }
}

/* The correlates of seed s are s + 1, s + 2, ... around a ring, so that each mask tells its
 * seed. */
static void ring_information(double *matrix, size_t k) {
    for (size_t s = 0; s < k; s++) {
        for (size_t f = 0; f < k; f++) {
            matrix[s * k + f] = -(double)((f + k - s) % k);
        }
    }
}

static size_t seed_of(const double *matrix, size_t k, uint64_t mask) {
    size_t seed = 0;
    while (seed < k && slow_mask(matrix, k, seed) != mask) {
        seed++;
    }
    assert_true(seed < k);
    return seed;
}

static void every_feature_is_seed_equally_often(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    static double matrix[64 * 64];
    static const size_t SIZES[] = {2, 3, 4, 5, 7, 16, 64};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        const size_t k = SIZES[i];
        int64_t count[64] = {0};
        ring_information(matrix, k);
        const dip_augmenter a = make(DIP_METHOD_CFM, k, matrix, 5);
        for (uint64_t step = 0; step < DRAWS; step++) {
            count[seed_of(matrix, k, dip_augmenter_draw(&a, step).h)]++;
        }
        for (size_t seed = 0; seed < k; seed++) {
            check_share(count[seed], DRAWS, 1 / (double)k, 4);
        }
    }
}

static void cfm_without_complement_draws_two_independent_seeds(void **state) {
    (void)state;
    enum { K = 5, DRAWS = 50000 };
    double matrix[K * K];
    int64_t count[K][K] = {{0}};
    ring_information(matrix, K);
    const dip_augmenter a = make(DIP_METHOD_CFM_NO_COMPLEMENT, K, matrix, 6);
    for (uint64_t step = 0; step < DRAWS; step++) {
        const dip_masks masks = dip_augmenter_draw(&a, step);
        count[seed_of(matrix, K, masks.h)][seed_of(matrix, K, masks.g)]++;
    }
    for (size_t h = 0; h < K; h++) {
        for (size_t g = 0; g < K; g++) {
            check_share(count[h][g], DRAWS, 1.0 / (K * K), 4);
        }
    }
}

static void rfm_masks_half_of_the_features(void **state) {
    (void)state;
    for (size_t k = 2; k <= 64; k++) {
        const dip_augmenter a = make(DIP_METHOD_RFM, k, NULL, k);
        const dip_augmenter b = make(DIP_METHOD_RFM_NO_COMPLEMENT, k, NULL, k);
        for (uint64_t step = 0; step < STEPS; step++) {
            assert_int_equal(count_bits(dip_augmenter_draw(&a, step).h), k / 2);
            assert_int_equal(count_bits(dip_augmenter_draw(&b, step).h), k / 2);
            assert_int_equal(count_bits(dip_augmenter_draw(&b, step).g), k / 2);
        }
    }
}

/* A split at random: each feature is masked equally often, within 4% or four standard
 * deviations. */
static void rfm_masks_every_feature_equally_often(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    for (size_t k = 2; k <= 16; k++) {
        int64_t count[16] = {0};
        const dip_augmenter a = make(DIP_METHOD_RFM, k, NULL, 7);
        const double share = (double)(k / 2) / (double)k;
        for (uint64_t step = 0; step < DRAWS; step++) {
            const uint64_t h = dip_augmenter_draw(&a, step).h;
            for (size_t f = 0; f < k; f++) {
                count[f] += (int64_t)((h >> f) & 1);
            }
        }
        for (size_t f = 0; f < k; f++) {
            check_near((double)count[f] / DRAWS, share,
                       fmax(0.04 * share, 4 * sqrt(share * (1 - share) / DRAWS)));
        }
    }
}

/* And each way to split them is equally likely: five features have ten halves. */
static void rfm_splits_in_every_way_equally_often(void **state) {
    (void)state;
    enum { DRAWS = 40000, K_MAX = 6 };
    static const double WAYS[] = {0, 0, 2, 3, 6, 10, 20};
    for (size_t k = 2; k <= K_MAX; k++) {
        int64_t count[1 << K_MAX] = {0};
        const dip_augmenter a = make(DIP_METHOD_RFM, k, NULL, 8);
        for (uint64_t step = 0; step < DRAWS; step++) {
            count[dip_augmenter_draw(&a, step).h]++;
        }
        for (size_t mask = 0; mask < (size_t)1 << k; mask++) {
            if (count_bits(mask) == k / 2) {
                check_share(count[mask], DRAWS, 1 / WAYS[k], 5);
            }
        }
    }
}

static void rfm_without_complement_draws_two_independent_halves(void **state) {
    (void)state;
    enum { K = 4, DRAWS = 72000 };
    static int64_t count[1 << K][1 << K];
    const dip_augmenter a = make(DIP_METHOD_RFM_NO_COMPLEMENT, K, NULL, 9);
    for (uint64_t step = 0; step < DRAWS; step++) {
        const dip_masks masks = dip_augmenter_draw(&a, step);
        count[masks.h][masks.g]++;
    }
    for (size_t h = 0; h < 1 << K; h++) {
        for (size_t g = 0; g < 1 << K; g++) {
            const bool is_half = count_bits(h) == K / 2 && count_bits(g) == K / 2;
            check_near((double)count[h][g], is_half ? DRAWS / 36.0 : 0, is_half ? 200 : 0);
        }
    }
}

static void every_step_draws_anew_and_a_step_always_the_same(void **state) {
    (void)state;
    enum { K = 16 };
    double matrix[K * K];
    ring_information(matrix, K);
    for (size_t m = 0; m < sizeof MASKING / sizeof MASKING[0]; m++) {
        const dip_augmenter a = make(MASKING[m], K, matrix, 10);
        const dip_augmenter again = make(MASKING[m], K, matrix, 10);
        const dip_augmenter other = make(MASKING[m], K, matrix, 11);
        int64_t same_as_before = 0;
        int64_t same_as_other = 0;
        for (uint64_t step = 1; step <= 1000; step++) {
            const dip_masks masks = dip_augmenter_draw(&a, step);
            const dip_masks repeat = dip_augmenter_draw(&again, step);
            assert_true(masks.h == repeat.h && masks.g == repeat.g);
            same_as_before += masks.h == dip_augmenter_draw(&a, step - 1).h;
            same_as_other += masks.h == dip_augmenter_draw(&other, step).h;
        }
        /* By chance 1 in 16 for CFM, far fewer for RFM. */
        assert_true(same_as_before < 100);
        assert_true(same_as_other < 100);
    }
}

/* What holds for the masks of a batch holds for those of its examples. */
static void examples_draw_masks_of_the_same_kind(void **state) {
    (void)state;
    static double matrix[64 * 64];
    uint64_t random = 12;
    for (size_t k = 2; k <= 64; k += 3) {
        random_information(matrix, k, &random);
        for (size_t m = 0; m < sizeof MASKING / sizeof MASKING[0]; m++) {
            const dip_augmenter a = make(MASKING[m], k, matrix, k);
            const bool is_whole = MASKING[m] != DIP_METHOD_CFM_NO_COMPLEMENT &&
                                  MASKING[m] != DIP_METHOD_RFM_NO_COMPLEMENT;
            const bool is_random = m >= 3;
            for (size_t example = 0; example < STEPS; example++) {
                const dip_masks masks = dip_augmenter_draw_example(&a, example % 7, example);
                assert_true(!is_whole || masks.g == (all_of(k) & ~masks.h));
                assert_true(is_random ? count_bits(masks.h) == k / 2
                                      : is_seeds_mask(matrix, k, masks.h));
                assert_true(is_whole || (is_random ? count_bits(masks.g) == k / 2
                                                   : is_seeds_mask(matrix, k, masks.g)));
            }
        }
    }
}

/* Seeds of one step's examples, and those of two examples that follow each other. */
static void examples_draw_independent_masks(void **state) {
    (void)state;
    enum { K = 5, DRAWS = 50000 };
    double matrix[K * K];
    int64_t count[K][K] = {{0}};
    int64_t halves = 0;
    int64_t as_batch = 0;
    ring_information(matrix, K);
    const dip_augmenter cfm = make(DIP_METHOD_CFM, K, matrix, 6);
    const dip_augmenter rfm = make(DIP_METHOD_RFM, 4, NULL, 6);
    for (size_t i = 0; i < DRAWS; i++) {
        const uint64_t step = i % 10;
        const uint64_t h = dip_augmenter_draw_example(&cfm, step, i).h;
        const uint64_t next = dip_augmenter_draw_example(&cfm, step, i + 1).h;
        count[seed_of(matrix, K, h)][seed_of(matrix, K, next)]++;
        as_batch += h == dip_augmenter_draw(&cfm, step).h;
        halves += dip_augmenter_draw_example(&rfm, step, i).h ==
                  dip_augmenter_draw_example(&rfm, step, i + 1).h;
    }
    for (size_t a = 0; a < K; a++) {
        for (size_t b = 0; b < K; b++) {
            check_share(count[a][b], DRAWS, 1.0 / (K * K), 4);
        }
    }
    check_share(as_batch, DRAWS, 1.0 / K, 4);
    check_share(halves, DRAWS, 1.0 / 6, 4);
}

static void methods_without_masks_mask_nothing(void **state) {
    (void)state;
    static const int PLAIN[] = {
        DIP_METHOD_NONE,       DIP_METHOD_DROPOUT,           DIP_METHOD_FEATURE_DROPOUT,
        DIP_METHOD_SPREAD_OUT, DIP_METHOD_SPREAD_OUT_SQUARE, DIP_METHOD_SPREAD_OUT_MOMENTS,
        DIP_METHOD_NOISE};
    for (size_t m = 0; m < sizeof PLAIN / sizeof PLAIN[0]; m++) {
        for (size_t k = 1; k <= 64; k += 21) {
            const dip_augmenter a = make(PLAIN[m], k, NULL, 1);
            const dip_masks masks = dip_augmenter_draw(&a, 3);
            assert_true(masks.h == 0 && masks.g == 0);
        }
    }
}

static void one_feature_cannot_be_masked(void **state) {
    (void)state;
    static const double ONE[1] = {1};
    for (size_t m = 0; m < sizeof MASKING / sizeof MASKING[0]; m++) {
        dip_augmenter a;
        check_fails(dip_augmenter_make(&a, MASKING[m], 1, ONE, 1, check_error()), DIP_ERR_USAGE,
                    "at least two item features");
    }
}

static void methods_say_what_they_do(void **state) {
    (void)state;
    static const struct {
        int method;
        bool has_views;
        bool drops_values;
    } METHODS[] = {{DIP_METHOD_NONE, false, false},
                   {DIP_METHOD_CFM, true, true},
                   {DIP_METHOD_CFM_NO_COMPLEMENT, true, true},
                   {DIP_METHOD_CFM_NO_DROPOUT, true, false},
                   {DIP_METHOD_RFM, true, true},
                   {DIP_METHOD_RFM_NO_COMPLEMENT, true, true},
                   {DIP_METHOD_DROPOUT, true, true},
                   {DIP_METHOD_FEATURE_DROPOUT, false, false},
                   {DIP_METHOD_SPREAD_OUT, false, false},
                   {DIP_METHOD_SPREAD_OUT_SQUARE, false, false},
                   {DIP_METHOD_SPREAD_OUT_MOMENTS, false, false},
                   {DIP_METHOD_NOISE, false, false}};
    for (size_t m = 0; m < sizeof METHODS / sizeof METHODS[0]; m++) {
        assert_int_equal(dip_method_has_views(METHODS[m].method), METHODS[m].has_views);
        assert_int_equal(dip_method_drops_values(METHODS[m].method), METHODS[m].drops_values);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_never_loses_all_features),
        cmocka_unit_test(complementary_masks_cover_every_feature_once),
        cmocka_unit_test(cfm_masks_a_seed_with_all_its_correlates),
        cmocka_unit_test(cfm_keeps_correlated_groups_together),
        cmocka_unit_test(every_feature_is_seed_equally_often),
        cmocka_unit_test(cfm_without_complement_draws_two_independent_seeds),
        cmocka_unit_test(rfm_masks_half_of_the_features),
        cmocka_unit_test(rfm_masks_every_feature_equally_often),
        cmocka_unit_test(rfm_splits_in_every_way_equally_often),
        cmocka_unit_test(rfm_without_complement_draws_two_independent_halves),
        cmocka_unit_test(every_step_draws_anew_and_a_step_always_the_same),
        cmocka_unit_test(examples_draw_masks_of_the_same_kind),
        cmocka_unit_test(examples_draw_independent_masks),
        cmocka_unit_test(methods_without_masks_mask_nothing),
        cmocka_unit_test(one_feature_cannot_be_masked),
        cmocka_unit_test(methods_say_what_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
