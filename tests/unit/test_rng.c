/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers: the published words of Philox, the words that our streams have promised to keep,
 * and permutations that are bijections and nearly uniform. Counts are of fixed seeds, so no test
 * can fail by chance.
 */
#include "base/rng.h"
#include "check.h"

static void check_words(dip_draw draw, const uint32_t word[4]) {
    for (int i = 0; i < 4; i++) {
        assert_int_equal(draw.word[i], word[i]);
    }
}

/* The known answers that its authors publish: Random123, kat_vectors, lines "philox4x32 10". */
static void philox_gives_its_published_words(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4];
        uint32_t key[2];
        uint32_t word[4];
    } CASES[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627E8D5u, 0xE169C58Du, 0xBC57AC4Cu, 0x9B00DBD8u}},
        {{0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu},
         {0xFFFFFFFFu, 0xFFFFFFFFu},
         {0x408F276Du, 0x41C83B0Eu, 0xA20BC7C6u, 0x6D5451FDu}},
        {{0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u},
         {0xA4093822u, 0x299F31D0u},
         {0xD16CFE09u, 0x94FDCCEBu, 0x5001E420u, 0x24126EA1u}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_words(dip_philox(CASES[i].counter, CASES[i].key), CASES[i].word);
    }
}

/* Computed by an independent program in Python from the definition in rng.h. They never change: a
 * change would silently give other splits and other models for the same seed. */
static void streams_keep_their_words(void **state) {
    (void)state;
    static const uint32_t INIT[4] = {0x43CBFD7Bu, 0x66512C67u, 0x6FFA1B6Au, 0xCF08172Cu};
    static const uint32_t SHUFFLE[4] = {0x3DA70EA8u, 0x737698DBu, 0x031B0DE1u, 0x5349D273u};
    static const uint32_t COSINE[4] = {0xC749941Eu, 0xD53D50C2u, 0xB11FF702u, 0xB6A82BA3u};
    check_words(dip_rng_at(dip_rng_make(1, DIP_DRAW_INIT), 0, 0), INIT);
    check_words(dip_rng_at(dip_rng_make(1, DIP_DRAW_SHUFFLE), 5, 7), SHUFFLE);
    check_words(dip_rng_at(dip_rng_make(UINT64_C(1) << 53, DIP_DRAW_COSINE),
                           (UINT64_C(1) << 40) + 3, UINT64_C(1) << 63),
                COSINE);
}

static void permutations_keep_their_order(void **state) {
    (void)state;
    static const uint64_t TEN[] = {0, 4, 7, 2, 3, 9, 8, 6, 5, 1};
    static const uint64_t MANY[] = {836203, 439007, 998737, 791329, 694395, 504425};
    const dip_permutation ten = dip_permutation_make(dip_rng_make(1, DIP_DRAW_SHUFFLE), 0, 10);
    const dip_permutation many = dip_permutation_make(dip_rng_make(7, DIP_DRAW_ITEMS), 9, 1000003);
    for (size_t i = 0; i < sizeof TEN / sizeof TEN[0]; i++) {
        assert_true(dip_permute(&ten, i) == TEN[i]);
    }
    for (size_t i = 0; i < sizeof MANY / sizeof MANY[0]; i++) {
        assert_true(dip_permute(&many, i) == MANY[i]);
    }
}

static void permutations_can_be_undone(void **state) {
    (void)state;
    static const uint64_t SIZES[] = {1, 2, 3, 63, 64, 65, 1000, 1000003, UINT64_C(1) << 40};
    for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
        const dip_permutation p =
            dip_permutation_make(dip_rng_make(s, DIP_DRAW_SHUFFLE), s, SIZES[s]);
        const uint64_t step = SIZES[s] / 1000 + 1;
        for (uint64_t i = 0; i < SIZES[s]; i += step) {
            assert_true(dip_permute_back(&p, dip_permute(&p, i)) == i);
            assert_true(dip_permute(&p, dip_permute_back(&p, i)) == i);
        }
    }
}

static int by_value(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void seeds_and_purposes_have_keys_of_their_own(void **state) {
    (void)state;
    enum { SEEDS = 1000, N = SEEDS * DIP_DRAW_LINK_TIME };
    static uint64_t keys[N];
    size_t n = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (int purpose = DIP_DRAW_INIT; purpose <= DIP_DRAW_LINK_TIME; purpose++) {
            const uint64_t wide = seed < SEEDS / 2 ? seed : seed << 40;
            const dip_rng rng = dip_rng_make(wide, (dip_purpose)purpose);
            keys[n++] = ((uint64_t)rng.key[0] << 32) | rng.key[1];
        }
    }
    qsort(keys, n, sizeof keys[0], by_value);
    for (size_t i = 1; i < n; i++) {
        assert_true(keys[i] != keys[i - 1]);
    }
}

static void all_128_bits_of_the_counter_count(void **state) {
    (void)state;
    const dip_rng rng = dip_rng_make(3, DIP_DRAW_SPLIT);
    const dip_draw base = dip_rng_at(rng, 0, 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        const dip_draw a = dip_rng_at(rng, UINT64_C(1) << bit, 0);
        const dip_draw b = dip_rng_at(rng, 0, UINT64_C(1) << bit);
        assert_memory_not_equal(&a, &base, sizeof base);
        assert_memory_not_equal(&b, &base, sizeof base);
        assert_memory_not_equal(&a, &b, sizeof a);
    }
}

static void below_reaches_both_ends_and_stays_inside(void **state) {
    (void)state;
    static const uint64_t N[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 33, UINT64_MAX};
    for (size_t i = 0; i < sizeof N / sizeof N[0]; i++) {
        assert_true(dip_below(0, 0, N[i]) == 0);
        assert_true(dip_below(UINT32_MAX, UINT32_MAX, N[i]) == N[i] - 1);
    }
    const dip_rng rng = dip_rng_make(11, DIP_DRAW_ITEMS);
    for (uint64_t n = 1; n < 2000; n++) {
        const dip_draw draw = dip_rng_at(rng, n, 0);
        assert_true(dip_below(draw.word[0], draw.word[1], n) < n);
    }
}

static void below_is_uniform(void **state) {
    (void)state;
    enum { SIDES = 6, N = 60000 };
    const dip_rng rng = dip_rng_make(12, DIP_DRAW_ITEMS);
    int64_t count[SIDES] = {0};
    for (uint64_t i = 0; i < N; i++) {
        const dip_draw draw = dip_rng_at(rng, i, 0);
        count[dip_below(draw.word[0], draw.word[1], SIDES)]++;
    }
    for (size_t side = 0; side < SIDES; side++) {
        check_share(count[side], N, 1.0 / SIDES, 4);
    }
}

static void unit_is_in_0_1_and_uniform(void **state) {
    (void)state;
    enum { BINS = 16, N = 20000 };
    assert_true(dip_unit(0) == 0);
    assert_true(dip_unit(UINT32_MAX) < 1);
    assert_true(dip_unit(UINT32_MAX) == 1 - 0x1p-24);
    assert_true(dip_unit(UINT32_C(1) << 31) == 0.5);
    const dip_rng rng = dip_rng_make(13, DIP_DRAW_SPLIT);
    int64_t count[4][BINS] = {{0}};
    for (uint64_t i = 0; i < N; i++) {
        const dip_draw draw = dip_rng_at(rng, 0, i);
        for (size_t w = 0; w < 4; w++) {
            count[w][(size_t)(dip_unit(draw.word[w]) * BINS)]++;
        }
    }
    for (size_t w = 0; w < 4; w++) {
        for (size_t bin = 0; bin < BINS; bin++) {
            check_share(count[w][bin], N, 1.0 / BINS, 4);
        }
    }
}

static void check_bijection(uint64_t n, uint64_t stream) {
    const dip_permutation order =
        dip_permutation_make(dip_rng_make(n, DIP_DRAW_SHUFFLE), stream, n);
    uint8_t *seen = calloc(n, 1);
    assert_non_null(seen);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t to = dip_permute(&order, i);
        assert_true(to < n);
        assert_false(seen[to]);
        seen[to] = 1;
    }
    free(seen);
}

static void a_permutation_is_a_bijection(void **state) {
    (void)state;
    static const uint64_t MORE[] = {127,  128,  129,  255,  256,   257,   1000,
                                    1023, 1024, 1025, 4097, 16384, 16385, 65537};
    for (uint64_t n = 1; n <= 70; n++) {
        for (uint64_t stream = 0; stream < 5; stream++) {
            check_bijection(n, stream);
        }
    }
    for (size_t i = 0; i < sizeof MORE / sizeof MORE[0]; i++) {
        check_bijection(MORE[i], UINT64_MAX - i);
    }
}

static void a_huge_permutation_stays_inside_and_repeats_nothing(void **state) {
    (void)state;
    enum { N = 2000 };
    static uint64_t seen[N];
    static const uint64_t SIZES[] = {(UINT64_C(1) << 32) + 1, (UINT64_C(1) << 40) - 3,
                                     (UINT64_C(1) << 62) + 1};
    for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
        const dip_permutation order =
            dip_permutation_make(dip_rng_make(2, DIP_DRAW_ITEMS), 0, SIZES[s]);
        for (uint64_t i = 0; i < N; i++) {
            seen[i] = dip_permute(&order, SIZES[s] - 1 - i);
            assert_true(seen[i] < SIZES[s]);
        }
        qsort(seen, N, sizeof seen[0], by_value);
        for (size_t i = 1; i < N; i++) {
            assert_true(seen[i] != seen[i - 1]);
        }
    }
}

static void streams_and_seeds_give_other_orders(void **state) {
    (void)state;
    enum { N = 1000 };
    const dip_permutation base = dip_permutation_make(dip_rng_make(1, DIP_DRAW_ITEMS), 0, N);
    const dip_permutation others[] = {
        dip_permutation_make(dip_rng_make(1, DIP_DRAW_ITEMS), 1, N),
        dip_permutation_make(dip_rng_make(2, DIP_DRAW_ITEMS), 0, N),
        dip_permutation_make(dip_rng_make(1, DIP_DRAW_SHUFFLE), 0, N)};
    for (size_t o = 0; o < 3; o++) {
        int64_t same = 0;
        for (uint64_t i = 0; i < N; i++) {
            same += dip_permute(&base, i) == dip_permute(&others[o], i);
        }
        /* Two random orders agree in one place on average; ten has probability 1e-7. */
        assert_true(same < 10);
    }
}

/* Over many streams, each index is sent to each place equally often: within `slack` of the mean. */
static void check_images(uint64_t n, uint64_t streams, double slack) {
    int64_t count[64][64] = {{0}};
    const dip_rng rng = dip_rng_make(5, DIP_DRAW_ITEMS);
    for (uint64_t stream = 0; stream < streams; stream++) {
        const dip_permutation order = dip_permutation_make(rng, stream, n);
        for (uint64_t i = 0; i < n; i++) {
            count[i][dip_permute(&order, i)]++;
        }
    }
    const double mean = (double)streams / (double)n;
    for (uint64_t i = 0; i < n; i++) {
        for (uint64_t to = 0; to < n; to++) {
            check_near((double)count[i][to], mean, slack * mean);
        }
    }
}

/* The slack is six standard deviations of a fair count for the larger n, and no less than 10%. */
static void every_index_goes_everywhere_about_equally_often(void **state) {
    (void)state;
    static const uint64_t N[] = {2, 3, 4, 5, 6, 7, 8, 9, 16, 17};
    for (size_t i = 0; i < sizeof N / sizeof N[0]; i++) {
        const uint64_t streams = 4000 * N[i];
        check_images(N[i], streams, fmax(0.1, 6 / sqrt(4000.0)));
    }
}

/* How far the sets of the first n/2 images are from equally frequent: what random masks are made
 * of. */
static void check_halves(uint64_t n, uint64_t streams, double slack) {
    static int64_t count[1 << 8];
    size_t subsets = 0;
    const dip_rng rng = dip_rng_make(6, DIP_DRAW_MASK);
    memset(count, 0, sizeof count);
    for (uint64_t stream = 0; stream < streams; stream++) {
        const dip_permutation order = dip_permutation_make(rng, stream, n);
        size_t mask = 0;
        for (uint64_t i = 0; i < n / 2; i++) {
            mask |= (size_t)1 << dip_permute(&order, i);
        }
        subsets += count[mask]++ == 0;
    }
    const double mean = (double)streams / (double)subsets;
    for (size_t mask = 0; mask < (size_t)1 << n; mask++) {
        if (count[mask] > 0) {
            check_near((double)count[mask], mean, slack * mean);
        }
    }
}

static void every_half_is_drawn_about_equally_often(void **state) {
    (void)state;
    static const struct {
        uint64_t n;
        uint64_t subsets;
    } CASES[] = {{2, 2}, {3, 3}, {4, 6}, {5, 10}, {6, 20}, {7, 35}, {8, 70}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_halves(CASES[i].n, 4000 * CASES[i].subsets, fmax(0.1, 6 / sqrt(4000.0)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_its_published_words),
        cmocka_unit_test(streams_keep_their_words),
        cmocka_unit_test(permutations_keep_their_order),
        cmocka_unit_test(permutations_can_be_undone),
        cmocka_unit_test(seeds_and_purposes_have_keys_of_their_own),
        cmocka_unit_test(all_128_bits_of_the_counter_count),
        cmocka_unit_test(below_reaches_both_ends_and_stays_inside),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(unit_is_in_0_1_and_uniform),
        cmocka_unit_test(a_permutation_is_a_bijection),
        cmocka_unit_test(a_huge_permutation_stays_inside_and_repeats_nothing),
        cmocka_unit_test(streams_and_seeds_give_other_orders),
        cmocka_unit_test(every_index_goes_everywhere_about_equally_often),
        cmocka_unit_test(every_half_is_drawn_about_equally_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
