/* SPDX-License-Identifier: Apache-2.0
 *
 * The generated world: the law of links against plain sums and against draws, how pairs are shared
 * out, what a query's links are, and the best ranking against sorting.
 */
#include "check.h"
#include "generate/oracle.h"
#include "generate/world.h"

static dip_world make_world(int64_t items, int64_t pairs, int64_t queries, double zipf,
                            int64_t clusters, int64_t groups) {
    dip_recipe recipe = {0};
    dip_options_default(&dip_recipe_table, &recipe, sizeof recipe);
    recipe.items = items;
    recipe.pairs = pairs;
    recipe.queries = queries;
    recipe.zipf = zipf;
    recipe.clusters = clusters;
    recipe.groups = groups;
    check_ok(dip_recipe_settle(&recipe, check_error()));
    return dip_world_make(&recipe, 1);
}

/* From the description alone: members of a class in order of popularity have weights r^-s. */
static double class_probability(int64_t items, int64_t classes, int64_t place, double s) {
    double sum = 0;
    for (int64_t other = place % classes; other < items; other += classes) {
        sum += pow((double)(other / classes) + 1, -s);
    }
    return pow((double)(place / classes) + 1, -s) / sum;
}

static double plain_probability(const dip_world *w, int64_t cluster, int64_t place, double s) {
    double p = 0.2 * class_probability(w->items, 1, place, s);
    if (place % w->groups == cluster % w->groups) {
        p += 0.2 * class_probability(w->items, w->groups, place, s);
    }
    if (place % w->clusters == cluster) {
        p += 0.6 * class_probability(w->items, w->clusters, place, s);
    }
    return p;
}

static void the_law_is_the_mixture(void **state) {
    (void)state;
    static const double S[] = {0, 0.7, 1, 1.5};
    for (size_t i = 0; i < sizeof S / sizeof S[0]; i++) {
        const dip_world world = make_world(331, 1000, 0, S[i], 12, 4);
        for (int64_t cluster = 0; cluster < 12; cluster++) {
            double sum = 0;
            for (int64_t place = 0; place < 331; place++) {
                const double p = dip_world_probability(&world, cluster, place);
                check_close(p, plain_probability(&world, cluster, place, S[i]), 1e-12);
                sum += p;
            }
            check_close(sum, 1, 1e-12);
        }
    }
}

/* Pearson's statistic, mean n - 1 and variance 2 (n - 1), within five deviations. */
static void draws_follow_the_law(void **state) {
    (void)state;
    enum { ITEMS = 131, DRAWS = 400000 };
    static const double S[] = {0, 1, 1.5};
    for (size_t i = 0; i < sizeof S / sizeof S[0]; i++) {
        const dip_world world = make_world(ITEMS, 500, 0, S[i], 12, 4);
        for (int64_t cluster = 0; cluster < 12; cluster += 5) {
            double count[ITEMS] = {0};
            double statistic = 0;
            for (int64_t d = 0; d < DRAWS; d++) {
                count[dip_world_draw(&world, cluster, d % 1000, (uint64_t)(d / 1000))]++;
            }
            for (int64_t place = 0; place < ITEMS; place++) {
                const double expected = DRAWS * plain_probability(&world, cluster, place, S[i]);
                statistic += (count[place] - expected) * (count[place] - expected) / expected;
            }
            check_near(statistic, ITEMS - 1, 5 * sqrt(2.0 * ITEMS));
        }
    }
}

static void pairs_are_shared_out_exactly(void **state) {
    (void)state;
    static const struct {
        int64_t items, pairs, queries;
    } CASES[] = {{32, 1, 0},       {32, 64, 0},           {1000, 999, 0},  {1000, 62000, 0},
                 {100, 1, 100000}, {100, 600000, 100000}, {5000, 10, 257}, {5000, 70001, 511}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const dip_world world =
            make_world(CASES[i].items, CASES[i].pairs, CASES[i].queries, 1, 0, 0);
        int64_t sum = 0;
        int64_t queries = 0;
        for (int64_t block = 0; block < dip_world_blocks(&world); block++) {
            int64_t degree[DIP_WORLD_BLOCK];
            assert_true(dip_world_pairs_before(&world, block) == sum);
            const int64_t n = dip_world_degrees(&world, block, degree);
            for (int64_t q = 0; q < n; q++) {
                assert_true(degree[q] >= 0 && degree[q] <= dip_world_most_pairs(&world));
                sum += degree[q];
            }
            queries += n;
        }
        assert_true(sum == CASES[i].pairs);
        assert_true(queries == world.queries);
    }
}

/* Activity 1 / (u + 0.05): the mean is log(21), and a tenth of the queries, those with u < 0.1, has
 * log(3) / log(21) = 0.361 of the pairs. */
static void some_queries_are_much_more_active(void **state) {
    (void)state;
    enum { QUERIES = 25600 };
    const dip_world world = make_world(100000, 20 * QUERIES, QUERIES, 1, 0, 0);
    double active = 0;
    for (int64_t block = 0; block < dip_world_blocks(&world); block++) {
        int64_t degree[DIP_WORLD_BLOCK];
        dip_world_degrees(&world, block, degree);
        for (int64_t q = 0; q < DIP_WORLD_BLOCK; q++) {
            active += degree[q] >= 44 ? (double)degree[q] : 0; /* 20 / log(21) / 0.15 = 43.8 */
        }
    }
    check_near(active / (20 * QUERIES), 0.361, 0.03);
}

static void links_are_distinct_and_never_to_oneself(void **state) {
    (void)state;
    const dip_world world = make_world(400, 10000, 0, 1.5, 0, 0);
    dip_links links;
    check_ok(dip_links_create(&links, &world, check_error()));
    for (int64_t block = 0; block < dip_world_blocks(&world); block++) {
        int64_t degree[DIP_WORLD_BLOCK];
        const int64_t n = dip_world_degrees(&world, block, degree);
        for (int64_t q = 0; q < n; q++) {
            const int64_t query = block * DIP_WORLD_BLOCK + q;
            bool seen[400] = {false};
            dip_world_links(&world, query, degree[q], &links);
            for (int64_t k = 0; k < degree[q]; k++) {
                assert_false(seen[links.place[k]]);
                seen[links.place[k]] = true;
                assert_true(dip_scatter_to(&world.order, links.place[k]) != query);
            }
        }
    }
    dip_links_free(&links);
}

static const dip_world *compared;
static int64_t compared_cluster;

static int by_law(const void *left, const void *right) {
    const int32_t a = *(const int32_t *)left;
    const int32_t b = *(const int32_t *)right;
    const double p = dip_world_probability(compared, compared_cluster, a);
    const double q = dip_world_probability(compared, compared_cluster, b);
    return p != q ? (p > q ? -1 : 1) : (a > b) - (a < b);
}

static void the_oracle_sorts_by_the_law(void **state) {
    (void)state;
    enum { ITEMS = 301 };
    static const double S[] = {0.5, 1, 1.5};
    uint64_t random = 8;
    for (size_t i = 0; i < sizeof S / sizeof S[0]; i++) {
        const dip_world world = make_world(ITEMS, 1000, 0, S[i], 12, 4);
        for (int64_t cluster = 0; cluster < 12; cluster++) {
            int32_t skip[ITEMS];
            int32_t sorted[ITEMS];
            int32_t found[ITEMS + 1];
            size_t n_skip = 0;
            size_t n = 0;
            for (int32_t place = 0; place < ITEMS; place++) {
                const bool is_skipped = check_random_below(&random, 4) == 0;
                skip[n_skip] = place;
                sorted[n] = place;
                n_skip += is_skipped;
                n += !is_skipped;
            }
            compared = &world;
            compared_cluster = cluster;
            qsort(sorted, n, sizeof *sorted, by_law);
            assert_true(dip_oracle(&world, cluster, skip, n_skip, ITEMS + 1, found) == (int64_t)n);
            assert_memory_equal(found, sorted, n * sizeof *sorted);
            assert_true(dip_oracle(&world, cluster, skip, n_skip, 7, found) == 7);
            assert_memory_equal(found, sorted, 7 * sizeof *sorted);
        }
    }
}

static void the_split_has_its_shares(void **state) {
    (void)state;
    const dip_world world = make_world(1000, 1000, 0, 1, 0, 0);
    int64_t n[3] = {0};
    for (int64_t query = 0; query < 300; query++) {
        for (int64_t item = query + 1; item < 300; item++) {
            n[dip_world_part(&world, query, item)]++;
            assert_int_equal(dip_world_part(&world, query, item),
                             dip_world_part(&world, item, query));
        }
    }
    check_share(n[1], 300 * 299 / 2, 0.05, 5);
    check_share(n[2], 300 * 299 / 2, 0.1, 5);
}

static void recipes_that_cannot_be_met_are_refused(void **state) {
    (void)state;
    dip_recipe recipe = {0};
    dip_options_default(&dip_recipe_table, &recipe, sizeof recipe);
    recipe.pairs = 10000 * 625 + 1;
    check_fails(dip_recipe_settle(&recipe, check_error()), DIP_ERR_USAGE, "at most 6250000");
    recipe.pairs = 10000 * 625;
    check_ok(dip_recipe_settle(&recipe, check_error()));
    recipe.clusters = 100;
    recipe.groups = 7;
    check_fails(dip_recipe_settle(&recipe, check_error()), DIP_ERR_USAGE, "multiple of groups (7)");
    recipe.clusters = 7000;
    check_fails(dip_recipe_settle(&recipe, check_error()), DIP_ERR_USAGE, "clusters is 7000");
    recipe.clusters = 70;
    recipe.within_cluster = 0.9;
    check_fails(dip_recipe_settle(&recipe, check_error()), DIP_ERR_USAGE, "1.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_law_is_the_mixture),
        cmocka_unit_test(draws_follow_the_law),
        cmocka_unit_test(pairs_are_shared_out_exactly),
        cmocka_unit_test(some_queries_are_much_more_active),
        cmocka_unit_test(links_are_distinct_and_never_to_oneself),
        cmocka_unit_test(the_oracle_sorts_by_the_law),
        cmocka_unit_test(the_split_has_its_shares),
        cmocka_unit_test(recipes_that_cannot_be_met_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
