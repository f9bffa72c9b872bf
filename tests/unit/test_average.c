/* SPDX-License-Identifier: Apache-2.0
 *
 * The running mean of parameters, by hand.
 */
#include "check.h"
#include "train/average.h"

#include <string.h>

/* A table of one value and a layer of many, so that several threads share it. */
enum { MANY = 1 << 19 };

static void make(dip_params *params, int threads) {
    const dip_param shapes[] = {
        {.name = "table", .kind = DIP_PARAM_TABLE, .rows = 1, .columns = 1},
        {.name = "layer", .kind = DIP_PARAM_DENSE, .rows = MANY / 2, .columns = 2}};
    int index = 0;
    memset(params, 0, sizeof *params);
    params->threads = threads;
    assert_int_equal(dip_params_create(params, NULL), DIP_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(dip_params_add(params, &shapes[i], &index, NULL), DIP_OK);
    }
    assert_int_equal(dip_params_alloc(params, false, NULL), DIP_OK);
}

/* The table's value is x; the layer's are x, x + 1, x + 2, ... */
static void fill(dip_params *params, double x) {
    params->list[0].value[0] = (dip_real)x;
    for (size_t i = 0; i < MANY; i++) {
        params->list[1].value[i] = (dip_real)(x + (double)i);
    }
}

static void expect(const dip_params *params, double x) {
    check_near(params->list[0].value[0], x, 1e-6);
    for (size_t i = 0; i < MANY; i += 1021) {
        check_near(params->list[1].value[i], x + (double)i, 1e-6 * (1 + (double)i));
    }
}

/* Ends 8, 4, 0, 16 with memory 2: means 8, 6, 3, 9.5; with memory 3: 8, 6, 4, 8. */
static void check_means(int64_t memory, const double *means, int threads) {
    static const double ENDS[] = {8, 4, 0, 16};
    dip_params params;
    dip_average average;
    make(&params, threads);
    assert_int_equal(dip_average_create(&average, &params, memory, NULL), DIP_OK);
    for (int64_t e = 0; e < 4; e++) {
        fill(&params, ENDS[e]);
        dip_average_add(&average, &params, 10 * (e + 1));
        dip_average_add(&average, &params, 10 * (e + 1));
        assert_int_equal(average.count, e + 1);
        dip_average_swap(&average, &params);
        expect(&params, means[e]);
        dip_average_swap(&average, &params);
        expect(&params, ENDS[e]);
    }
    dip_average_free(&average);
    dip_params_free(&params);
}

static void means_are_those_worked_by_hand(void **state) {
    (void)state;
    static const double OF_ONE[] = {8, 4, 0, 16};
    static const double OF_TWO[] = {8, 6, 3, 9.5};
    static const double OF_THREE[] = {8, 6, 4, 8};
    static const double OF_ALL[] = {8, 6, 4, 7};
    for (int threads = 0; threads <= 3; threads++) {
        check_means(1, OF_ONE, threads);
        check_means(2, OF_TWO, threads);
        check_means(3, OF_THREE, threads);
        check_means(1000, OF_ALL, threads);
    }
}

/* Fills, adds the end where asked to, and swaps: the parameters stay as they were. */
static void check_unchanged(int64_t memory, bool adds) {
    dip_params params;
    dip_average average;
    make(&params, 1);
    fill(&params, 7);
    assert_int_equal(dip_average_create(&average, &params, memory, NULL), DIP_OK);
    assert_true((average.mean == NULL) == (memory == 0));
    if (adds) {
        dip_average_add(&average, &params, 1);
    }
    dip_average_swap(&average, &params);
    expect(&params, 7);
    dip_average_free(&average);
    dip_params_free(&params);
}

static void an_empty_mean_is_not_shown(void **state) {
    (void)state;
    check_unchanged(2, false);
}

/* Memory 0 keeps nothing. */
static void without_a_mean_nothing_changes(void **state) {
    (void)state;
    check_unchanged(0, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_those_worked_by_hand),
        cmocka_unit_test(an_empty_mean_is_not_shown),
        cmocka_unit_test(without_a_mean_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
