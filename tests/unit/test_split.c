/* SPDX-License-Identifier: Apache-2.0
 *
 * The split: shares, what is kept together, and what never moves. Shares are checked within four
 * standard deviations of fixed seeds.
 */
#include "plain.h"
#include "prepare/split.h"

enum { N = 20000, ROWS = 100000 };

typedef struct world {
    int32_t query[N];
    int32_t item[N];
    double time[N];
    uint8_t part[N];
} world;

static dip_config config_of(int by, double test, double validation) {
    dip_config config;
    dip_options_default(&dip_config_table, &config, sizeof config);
    config.split.by = by;
    config.split.test = test;
    config.split.validation = validation;
    return config;
}

static world *make_world(uint64_t seed) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    for (size_t i = 0; i < N; i++) {
        w->query[i] = (int32_t)check_random_below(&seed, ROWS);
        w->item[i] = (int32_t)check_random_below(&seed, ROWS);
        w->time[i] = check_random_unit(&seed);
    }
    return w;
}

static size_t count(const uint8_t *part, size_t n, int wanted) {
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        found += part[i] == wanted;
    }
    return found;
}

static dip_status try_split(world *w, size_t n, const dip_config *config) {
    static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 2};
    const plain_pairs plain = {n, w->query, w->item, w->time, w->part};
    dip_scratch scratch;
    dip_pairs pairs;
    int64_t counts[DIP_PART_UNUSED + 1];
    plain_scratch(&scratch);
    dip_pairs_init(&pairs, &scratch);
    plain_pairs_put(&plain, &pairs);
    const dip_status status = dip_split(&pairs, config, &MEANS, counts, check_error());
    plain_pairs found = plain_pairs_of(&pairs);
    memcpy(w->part, found.part, n);
    for (int part = DIP_PART_TRAIN; part <= DIP_PART_UNUSED; part++) {
        assert_int_equal(counts[part], count(w->part, n, part));
    }
    assert_memory_equal(found.query, w->query, n * sizeof *w->query);
    assert_memory_equal(found.item, w->item, n * sizeof *w->item);
    plain_pairs_free(&found);
    dip_pairs_free(&pairs);
    dip_scratch_free(&scratch);
    return status;
}

static void split(world *w, size_t n, const dip_config *config) {
    check_ok(try_split(w, n, config));
}

/* Every `step`-th pair is a unit of its own; the units fall into the parts by their shares. */
static void check_shares(const world *w, size_t step, double test, double validation) {
    size_t n[3] = {0};
    size_t units = 0;
    for (size_t i = 0; i < N; i += step) {
        n[w->part[i]]++;
        units++;
    }
    check_share(n[DIP_PART_TEST], units, test, 4);
    check_share(n[DIP_PART_VALIDATION], units, validation, 4);
    check_share(n[DIP_PART_TRAIN], units, 1 - test - validation, 4);
}

static void pairs_are_split_by_their_shares(void **state) {
    (void)state;
    static const double SHARES[][2] = {{0.1, 0.05}, {0.2, 0.1}, {0.5, 0}, {0, 0.3}, {0.01, 0.01}};
    for (size_t s = 0; s < sizeof SHARES / sizeof SHARES[0]; s++) {
        world *w = make_world(s);
        const dip_config config = config_of(DIP_SPLIT_PAIR, SHARES[s][0], SHARES[s][1]);
        split(w, N, &config);
        check_shares(w, 1, SHARES[s][0], SHARES[s][1]);
        free(w);
    }
}

static void nothing_is_held_out_when_nothing_is_asked_for(void **state) {
    (void)state;
    for (int by = DIP_SPLIT_PAIR; by <= DIP_SPLIT_TIME; by++) {
        world *w = make_world(1);
        const dip_config config = config_of(by, 0, 0);
        split(w, N, &config);
        assert_int_equal(count(w->part, N, DIP_PART_TRAIN), N);
        free(w);
    }
}

/* Pairs 2 i and 2 i + 1 are the reverse of each other. */
static world *mirrored_world(void) {
    world *w = make_world(2);
    for (size_t i = 0; i < N; i += 2) {
        w->query[i + 1] = w->item[i];
        w->item[i + 1] = w->query[i];
    }
    return w;
}

static void an_unordered_pair_stays_with_its_reverse(void **state) {
    (void)state;
    world *w = mirrored_world();
    const dip_config config = config_of(DIP_SPLIT_UNORDERED_PAIR, 0.2, 0.1);
    split(w, N, &config);
    for (size_t i = 0; i < N; i += 2) {
        assert_int_equal(w->part[i], w->part[i + 1]);
    }
    check_shares(w, 2, 0.2, 0.1);
    free(w);
}

static void an_ordered_pair_is_drawn_apart_from_its_reverse(void **state) {
    (void)state;
    size_t both = 0;
    world *w = mirrored_world();
    const dip_config config = config_of(DIP_SPLIT_PAIR, 0.2, 0.1);
    split(w, N, &config);
    for (size_t i = 0; i < N; i += 2) {
        both += w->part[i] == DIP_PART_TEST && w->part[i + 1] == DIP_PART_TEST;
    }
    check_share(both, N / 2, 0.2 * 0.2, 4);
    free(w);
}

static void all_pairs_of_a_query_stay_together(void **state) {
    (void)state;
    enum { PER_QUERY = 4 };
    world *w = make_world(3);
    const dip_config config = config_of(DIP_SPLIT_QUERY, 0.2, 0.1);
    for (size_t i = 0; i < N; i++) {
        w->query[i] = (int32_t)(i / PER_QUERY);
    }
    split(w, N, &config);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(w->part[i], w->part[i / PER_QUERY * PER_QUERY]);
    }
    check_shares(w, PER_QUERY, 0.2, 0.1);
    free(w);
}

static void other_pairs_do_not_move_a_pair(void **state) {
    (void)state;
    static const int KINDS[] = {DIP_SPLIT_PAIR, DIP_SPLIT_UNORDERED_PAIR, DIP_SPLIT_QUERY};
    for (size_t k = 0; k < 3; k++) {
        for (size_t n = 100; n < N; n = n * 3) {
            world *all = make_world(4);
            world *some = make_world(4);
            const dip_config config = config_of(KINDS[k], 0.2, 0.1);
            split(all, N, &config);
            split(some, n, &config);
            assert_memory_equal(all->part, some->part, n);
            free(all);
            free(some);
        }
    }
}

static void the_split_depends_on_its_own_seed_alone(void **state) {
    (void)state;
    world *a = make_world(5);
    world *b = make_world(5);
    world *c = make_world(5);
    dip_config config = config_of(DIP_SPLIT_PAIR, 0.5, 0);
    split(a, N, &config);
    config.seed = 99;
    split(b, N, &config);
    assert_memory_equal(a->part, b->part, N);
    config.split.seed = 2;
    split(c, N, &config);
    size_t same = 0;
    for (size_t i = 0; i < N; i++) {
        same += a->part[i] == c->part[i];
    }
    check_share(same, N, 0.5, 4);
    free(a);
    free(b);
    free(c);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void check_time_order(const world *w, size_t n) {
    double latest[3] = {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
    double earliest[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
    for (size_t i = 0; i < n; i++) {
        latest[w->part[i]] = fmax(latest[w->part[i]], w->time[i]);
        earliest[w->part[i]] = fmin(earliest[w->part[i]], w->time[i]);
    }
    assert_true(latest[DIP_PART_TRAIN] < earliest[DIP_PART_VALIDATION]);
    assert_true(latest[DIP_PART_TRAIN] < earliest[DIP_PART_TEST]);
    assert_true(latest[DIP_PART_VALIDATION] < earliest[DIP_PART_TEST]);
}

static void time_is_cut_once_for_all(void **state) {
    (void)state;
    static const double SHARES[][2] = {{0.1, 0.05}, {0.25, 0.25}, {0.2, 0}, {0, 0.2}};
    for (size_t s = 0; s < sizeof SHARES / sizeof SHARES[0]; s++) {
        world *w = make_world(6);
        const dip_config config = config_of(DIP_SPLIT_TIME, SHARES[s][0], SHARES[s][1]);
        split(w, N, &config);
        check_time_order(w, N);
        assert_int_equal(count(w->part, N, DIP_PART_TEST), (size_t)(N * SHARES[s][0] + 0.5));
        assert_int_equal(count(w->part, N, DIP_PART_VALIDATION), (size_t)(N * SHARES[s][1] + 0.5));
        free(w);
    }
}

static void equal_times_stay_together(void **state) {
    (void)state;
    for (size_t levels = 2; levels < 40; levels++) {
        world *w = make_world(levels);
        const dip_config config = config_of(DIP_SPLIT_TIME, 0.1, 0.1);
        uint64_t random = levels;
        for (size_t i = 0; i < 1000; i++) {
            w->time[i] = (double)check_random_below(&random, levels) - 3;
        }
        split(w, 1000, &config);
        check_time_order(w, 1000);
        assert_true(count(w->part, 1000, DIP_PART_TEST) >= 100);
        free(w);
    }
}

static void the_cut_in_time_does_not_depend_on_the_order_of_pairs(void **state) {
    (void)state;
    world *w = make_world(7);
    world *reversed = make_world(7);
    const dip_config config = config_of(DIP_SPLIT_TIME, 0.1, 0.05);
    for (size_t i = 0; i < N; i++) {
        w->time[i] = floor(w->time[i] * 50);
        reversed->time[N - 1 - i] = w->time[i];
    }
    split(w, N, &config);
    split(reversed, N, &config);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(w->part[i], reversed->part[N - 1 - i]);
    }
    free(w);
    free(reversed);
}

/* ---- a column, and the fraction -------------------------------------------------------------- */

static void a_column_has_the_last_word(void **state) {
    (void)state;
    world *w = make_world(8);
    world *before = make_world(8);
    const dip_config config = config_of(DIP_SPLIT_COLUMN, 0.9, 0.05);
    for (size_t i = 0; i < N; i++) {
        w->part[i] = (uint8_t)(i % 3);
        before->part[i] = (uint8_t)(i % 3);
    }
    split(w, N, &config);
    assert_memory_equal(w->part, before->part, N);
    free(w);
    free(before);
}

static void a_fraction_is_a_subset_of_the_same_training_pairs(void **state) {
    (void)state;
    static const double FRACTIONS[] = {0.9, 0.5, 0.1, 0.02};
    for (int by = DIP_SPLIT_PAIR; by <= DIP_SPLIT_COLUMN; by++) {
        world *whole = make_world(9);
        world *larger = make_world(9);
        dip_config config = config_of(by, 0.2, 0.1);
        split(whole, N, &config);
        memcpy(larger, whole, sizeof *whole);
        const size_t trains = count(whole->part, N, DIP_PART_TRAIN);
        for (size_t f = 0; f < 4; f++) {
            world *w = make_world(9);
            config.split.train_fraction = FRACTIONS[f];
            split(w, N, &config);
            for (size_t i = 0; i < N; i++) {
                const bool left_out = w->part[i] == DIP_PART_UNUSED;
                assert_int_equal(left_out ? DIP_PART_TRAIN : w->part[i], whole->part[i]);
                assert_false(w->part[i] == DIP_PART_TRAIN && larger->part[i] != DIP_PART_TRAIN);
            }
            check_share(count(w->part, N, DIP_PART_TRAIN), trains, FRACTIONS[f], 4);
            memcpy(larger, w, sizeof *w);
            free(w);
        }
        free(whole);
        free(larger);
    }
}

static void a_split_without_training_pairs_is_refused(void **state) {
    (void)state;
    world *w = make_world(10);
    dip_config config = config_of(DIP_SPLIT_COLUMN, 0.1, 0.1);
    memset(w->part, DIP_PART_TEST, 3);
    check_fails(try_split(w, 3, &config), DIP_ERR_FAILED, "3 pairs");
    config = config_of(DIP_SPLIT_TIME, 0.9, 0.05);
    check_fails(try_split(w, 3, &config), DIP_ERR_FAILED, "split.test");
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_split_by_their_shares),
        cmocka_unit_test(nothing_is_held_out_when_nothing_is_asked_for),
        cmocka_unit_test(an_unordered_pair_stays_with_its_reverse),
        cmocka_unit_test(an_ordered_pair_is_drawn_apart_from_its_reverse),
        cmocka_unit_test(all_pairs_of_a_query_stay_together),
        cmocka_unit_test(other_pairs_do_not_move_a_pair),
        cmocka_unit_test(the_split_depends_on_its_own_seed_alone),
        cmocka_unit_test(time_is_cut_once_for_all),
        cmocka_unit_test(equal_times_stay_together),
        cmocka_unit_test(the_cut_in_time_does_not_depend_on_the_order_of_pairs),
        cmocka_unit_test(a_column_has_the_last_word),
        cmocka_unit_test(a_fraction_is_a_subset_of_the_same_training_pairs),
        cmocka_unit_test(a_split_without_training_pairs_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
