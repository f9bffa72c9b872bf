/* SPDX-License-Identifier: Apache-2.0
 *
 * The features of the generated world: how often they tell of their cluster, the laws of the values
 * that tell nothing, and the texts of values. Seeds are fixed.
 */
#include "check.h"
#include "generate/cells.h"

enum { ITEMS = 40000, CLUSTERS = 20, GROUPS = 5 };

static dip_world make_world(double noise) {
    dip_recipe recipe = {0};
    dip_options_default(&dip_recipe_table, &recipe, sizeof recipe);
    recipe.items = ITEMS;
    recipe.queries = ITEMS;
    recipe.clusters = CLUSTERS;
    recipe.groups = GROUPS;
    recipe.noise = noise;
    check_ok(dip_recipe_settle(&recipe, check_error()));
    return dip_world_make(&recipe, 1);
}

static int64_t cluster_of(const dip_world *world, int64_t row) {
    return dip_world_cluster(world, dip_scatter_from(&world->order, row));
}

/* With probability noise another cluster is drawn, which may be the own one. */
static void features_tell_of_the_cluster_but_for_the_noise(void **state) {
    (void)state;
    static const double NOISE[] = {0, 0.3, 1};
    for (size_t i = 0; i < sizeof NOISE / sizeof NOISE[0]; i++) {
        const dip_world world = make_world(NOISE[i]);
        const double rest = 1 - NOISE[i];
        int64_t category = 0, group = 0, tags = 0, title = 0, country = 0, interests = 0;
        for (int64_t row = 0; row < ITEMS; row++) {
            const int64_t c = cluster_of(&world, row);
            const int64_t q = dip_world_query_cluster(&world, row);
            const int32_t tag = dip_item_cell(&world, row, DIP_ITEM_TAGS).value[0];
            const int32_t word = dip_item_cell(&world, row, DIP_ITEM_TITLE).value[1];
            const int32_t interest = dip_query_cell(&world, row, DIP_QUERY_INTERESTS).value[2];
            category += dip_item_cell(&world, row, DIP_ITEM_CATEGORY).value[0] == c;
            group += dip_item_cell(&world, row, DIP_ITEM_GROUP).value[0] == c % GROUPS;
            tags += (tag - 200) / 8 == c;
            title += (word - 900) / 12 == c;
            country += dip_query_cell(&world, row, DIP_QUERY_COUNTRY).value[0] == q % GROUPS;
            interests += (interest - 200) / 8 == q;
        }
        check_share(category, ITEMS, rest + NOISE[i] / CLUSTERS, 5);
        check_share(tags, ITEMS, rest + NOISE[i] / CLUSTERS, 5);
        check_share(title, ITEMS, rest + NOISE[i] / CLUSTERS, 5);
        check_share(interests, ITEMS, rest + NOISE[i] / CLUSTERS, 5);
        check_share(group, ITEMS, rest + NOISE[i] / GROUPS, 5);
        check_share(country, ITEMS, rest + NOISE[i] / GROUPS, 5);
    }
}

static void bags_hold_distinct_values_of_their_lists(void **state) {
    (void)state;
    const dip_world world = make_world(0.2);
    int64_t own_tag[8] = {0};
    int64_t first_popular = 0;
    for (int64_t row = 0; row < ITEMS; row++) {
        const dip_cell tags = dip_item_cell(&world, row, DIP_ITEM_TAGS);
        const dip_cell title = dip_item_cell(&world, row, DIP_ITEM_TITLE);
        assert_int_equal(tags.n, 5);
        assert_int_equal(title.n, 6);
        for (int i = 0; i < 3; i++) {
            own_tag[(tags.value[i] - 200) % 8]++;
            assert_int_equal((tags.value[i] - 200) / 8, (tags.value[0] - 200) / 8);
            assert_int_equal((title.value[2 * i + 1] - 900) / 12, (title.value[1] - 900) / 12);
            assert_int_equal(title.value[2 * i] / 300, i);
        }
        assert_true(tags.value[3] < 100 && tags.value[4] >= 100 && tags.value[4] < 200);
        for (int i = 0; i < 6; i++) {
            for (int j = 0; j < i; j++) {
                assert_true(i >= 5 || tags.value[i] != tags.value[j]);
                assert_true(title.value[i] != title.value[j]);
            }
        }
        first_popular += tags.value[3] == 0;
    }
    for (int i = 0; i < 8; i++) {
        check_share(own_tag[i], ITEMS, 3.0 / 8, 5);
    }
    double mass = 0;
    for (int k = 100; k >= 1; k--) {
        mass += 1.0 / k;
    }
    check_share(first_popular, ITEMS, 1 / mass, 5);
}

/* The mean of a cluster's prices is its own, the variance that of two uniform numbers. */
static void prices_surround_the_mean_of_their_cluster(void **state) {
    (void)state;
    const dip_world world = make_world(0.2);
    double sum[CLUSTERS] = {0};
    double squares = 0;
    for (int64_t row = 0; row < ITEMS; row++) {
        const int64_t c = cluster_of(&world, row);
        const double off =
            dip_item_cell(&world, row, DIP_ITEM_PRICE).value[0] - dip_cluster_cents(&world, c);
        assert_true(fabs(off) <= DIP_CENTS_NOISE + 0.5);
        sum[c] += off;
        squares += off * off;
    }
    const double variance = 1500.0 * 1500 / 6;
    check_close(squares / ITEMS, variance, 0.03);
    for (int c = 0; c < CLUSTERS; c++) {
        check_near(sum[c] * CLUSTERS / ITEMS, 0, 5 * sqrt(variance * CLUSTERS / ITEMS));
    }
}

static int by_text(const void *left, const void *right) {
    return strcmp(left, right);
}

static void texts_are_distinct_in_every_space(void **state) {
    (void)state;
    enum { N = 40000, WIDTH = DIP_VALUE_TEXT_MAX };
    const dip_world world = make_world(0);
    static char text[N][WIDTH];
    for (int space = DIP_SPACE_ITEM; space <= DIP_SPACE_COUNTRY; space++) {
        const bool is_word = space == DIP_SPACE_TAG || space == DIP_SPACE_WORD;
        const int64_t size = is_word ? N : dip_space_size(&world, (dip_space)space);
        for (int64_t i = 0; i < size; i++) {
            *dip_value_text(&world, (dip_space)space, i, text[i]) = '\0';
            /* Ids: the order of their bytes is that of the rows. */
            assert_true(is_word || i == 0 || strcmp(text[i - 1], text[i]) < 0);
        }
        qsort(text, (size_t)size, WIDTH, by_text);
        for (int64_t i = 1; i < size; i++) {
            assert_string_not_equal(text[i - 1], text[i]);
        }
    }
}

static void numbers_are_written_plainly(void **state) {
    (void)state;
    static const uint64_t NUMBERS[] = {0, 7, 10, 999, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        char found[24];
        char expected[24];
        *dip_put_number(found, NUMBERS[i]) = '\0';
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)NUMBERS[i]);
        assert_string_equal(found, expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_tell_of_the_cluster_but_for_the_noise),
        cmocka_unit_test(bags_hold_distinct_values_of_their_lists),
        cmocka_unit_test(prices_surround_the_mean_of_their_cluster),
        cmocka_unit_test(texts_are_distinct_in_every_space),
        cmocka_unit_test(numbers_are_written_plainly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
