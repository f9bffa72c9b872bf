/* SPDX-License-Identifier: Apache-2.0
 *
 * The learning rate of a step, by hand.
 */
#include "check.h"
#include "train/schedule.h"

static dip_config config_of(int schedule, double rate, int64_t warmup) {
    dip_config config;
    dip_options_default(&dip_config_table, &config, sizeof config);
    config.train.schedule = schedule;
    config.train.rate = rate;
    config.train.warmup = warmup;
    return config;
}

static void check_rates(int schedule, int64_t warmup, const double *expected, int64_t total) {
    const dip_config config = config_of(schedule, 8, warmup);
    for (int64_t step = 1; step <= total; step++) {
        check_near(dip_schedule_rate(&config, step, total), expected[step - 1], 1e-12);
    }
}

static void a_constant_rate_stays(void **state) {
    (void)state;
    static const double PLAIN[] = {8, 8, 8, 8};
    static const double WARM[] = {2, 4, 6, 8, 8, 8};
    check_rates(DIP_SCHEDULE_CONSTANT, 0, PLAIN, 4);
    check_rates(DIP_SCHEDULE_CONSTANT, 4, WARM, 6);
}

/* The default towers' first layer has 1024 units. */
static void the_rate_goes_with_the_width_it_is_meant_for(void **state) {
    (void)state;
    static const double WIDER[] = {2, 2, 2};
    static const double NARROWER[] = {4, 8, 12};
    dip_config config = config_of(DIP_SCHEDULE_CONSTANT, 8, 0);
    config.train.rate_width = 256;
    for (int64_t step = 1; step <= 3; step++) {
        check_near(dip_schedule_rate(&config, step, 3), WIDER[step - 1], 1e-12);
    }
    config.model.hidden.value[0] = 128;
    config.train.warmup = 4;
    for (int64_t step = 1; step <= 3; step++) {
        check_near(dip_schedule_rate(&config, step, 4), NARROWER[step - 1], 1e-12);
    }
    config.train.rate_width = 0;
    check_near(dip_schedule_rate(&config, 4, 4), 8, 1e-12);
}

static void a_linear_rate_falls_in_equal_steps(void **state) {
    (void)state;
    static const double PLAIN[] = {8, 6, 4, 2};
    static const double WARM[] = {4, 8, 8, 6, 4, 2};
    static const double ONE[] = {8};
    check_rates(DIP_SCHEDULE_LINEAR, 0, PLAIN, 4);
    check_rates(DIP_SCHEDULE_LINEAR, 2, WARM, 6);
    check_rates(DIP_SCHEDULE_LINEAR, 0, ONE, 1);
}

static void a_cosine_rate_falls_along_half_a_wave(void **state) {
    (void)state;
    const double half = sqrt(0.5);
    const double plain[] = {8, 4 * (1 + half), 4, 4 * (1 - half)};
    const double warm[] = {8.0 / 3, 16.0 / 3, 8, 8, 4 * (1 + half), 4, 4 * (1 - half)};
    check_rates(DIP_SCHEDULE_COSINE, 0, plain, 4);
    check_rates(DIP_SCHEDULE_COSINE, 3, warm, 7);
}

static void a_warm_up_longer_than_the_run_never_ends(void **state) {
    (void)state;
    static const double RATES[] = {1, 2, 3, 4};
    for (int schedule = DIP_SCHEDULE_CONSTANT; schedule <= DIP_SCHEDULE_COSINE; schedule++) {
        check_rates(schedule, 8, RATES, 4);
    }
}

static void rates_never_rise_behind_the_warm_up_nor_reach_zero(void **state) {
    (void)state;
    for (int schedule = DIP_SCHEDULE_CONSTANT; schedule <= DIP_SCHEDULE_COSINE; schedule++) {
        const dip_config config = config_of(schedule, 0.05, 10);
        double before = 0.05;
        for (int64_t step = 11; step <= 1000; step++) {
            const double rate = dip_schedule_rate(&config, step, 1000);
            assert_true(rate > 0 && rate <= before);
            before = rate;
        }
        check_close(dip_schedule_rate(&config, 10, 1000), 0.05, 1e-12);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_stays),
        cmocka_unit_test(the_rate_goes_with_the_width_it_is_meant_for),
        cmocka_unit_test(a_linear_rate_falls_in_equal_steps),
        cmocka_unit_test(a_cosine_rate_falls_along_half_a_wave),
        cmocka_unit_test(a_warm_up_longer_than_the_run_never_ends),
        cmocka_unit_test(rates_never_rise_behind_the_warm_up_nor_reach_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
