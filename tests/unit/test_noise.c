/* SPDX-License-Identifier: Apache-2.0
 *
 * Noise views: how far they move a vector, and where to. Counts are of fixed seeds.
 */
#include "check.h"
#include "model/noise.h"

enum { ROWS = 300, MOST = 19 };

typedef struct views {
    float u[ROWS * MOST];
    float y[ROWS * MOST];
    float norm[ROWS];
} views;

/* Unit vectors; the second element of every fifth is 0. */
static void fill(views *v, size_t d) {
    uint64_t random = 8;
    for (size_t i = 0; i < ROWS; i++) {
        double squares = 0;
        for (size_t c = 0; c < d; c++) {
            const double x = 2 * check_random_unit(&random) - 1;
            v->u[i * d + c] = i % 5 == 0 && c == 1 ? 0 : (float)x;
            squares += pow((double)v->u[i * d + c], 2);
        }
        for (size_t c = 0; c < d; c++) {
            v->u[i * d + c] /= (float)sqrt(squares);
        }
    }
}

static dip_noise noise_of(double length, int threads) {
    return (dip_noise){length, dip_rng_make(3, DIP_DRAW_VIEW_H), 7, threads};
}

/* a = |a| y: |a - u| is the length, a is a unit vector's y times its norm, and no element changes
 * its sign. */
static void check_views(const views *v, size_t d, double length) {
    for (size_t i = 0; i < ROWS; i++) {
        double squares = 0;
        double moved = 0;
        bool has_zero = false;
        for (size_t c = 0; c < d; c++) {
            const double u = (double)v->u[i * d + c];
            const double y = (double)v->y[i * d + c];
            squares += y * y;
            moved += pow(y * (double)v->norm[i] - u, 2);
            has_zero = has_zero || u == 0;
            assert_true(u == 0 ? y == 0 : (u > 0) == (y > 0));
            assert_true(fabs(y * (double)v->norm[i]) >= fabs(u) - 1e-6);
        }
        check_near(squares, 1, 1e-6);
        if (!has_zero) {
            check_near(sqrt(moved), length, 1e-6);
        }
    }
}

static void a_view_is_as_far_as_asked_in_the_same_orthant(void **state) {
    (void)state;
    static views v;
    static const double LENGTHS[] = {0, 0.1, 0.5, 3};
    for (size_t d = 1; d <= MOST; d += 6) {
        for (size_t l = 0; l < sizeof LENGTHS / sizeof LENGTHS[0]; l++) {
            const dip_noise noise = noise_of(LENGTHS[l], 2);
            fill(&v, d);
            dip_noise_forward(&noise, ROWS, d, v.u, v.y, v.norm);
            check_views(&v, d, LENGTHS[l]);
        }
    }
}

/* Every element is moved by as much as any other, whatever its place in a group of four. */
static void all_elements_move_alike(void **state) {
    (void)state;
    enum { D = 6 };
    static views v;
    const dip_noise noise = noise_of(0.5, 1);
    double moved[D] = {0};
    fill(&v, D);
    dip_noise_forward(&noise, ROWS, D, v.u, v.y, v.norm);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t c = 0; c < D; c++) {
            moved[c] += fabs((double)v.y[i * D + c] * (double)v.norm[i] - (double)v.u[i * D + c]);
        }
    }
    /* Where an element is 0 it stays: a fifth of the second ones. */
    for (size_t c = 0; c < D; c++) {
        check_close(moved[c] / (c == 1 ? 0.8 : 1), moved[0], 0.1);
    }
}

static void views_differ_by_row_step_and_purpose_only(void **state) {
    (void)state;
    enum { D = 8 };
    static views v;
    static views other;
    const dip_noise one = noise_of(0.3, 1);
    const dip_noise three = noise_of(0.3, 3);
    dip_noise later = one;
    dip_noise second = one;
    later.step++;
    second.rng = dip_rng_make(3, DIP_DRAW_VIEW_G);
    fill(&v, D);
    dip_noise_forward(&one, ROWS, D, v.u, v.y, v.norm);
    dip_noise_forward(&three, ROWS, D, v.u, other.y, other.norm);
    assert_memory_equal(v.y, other.y, ROWS * D * sizeof *v.y);
    dip_noise_forward(&later, ROWS, D, v.u, other.y, other.norm);
    assert_memory_not_equal(v.y, other.y, D * sizeof *v.y);
    dip_noise_forward(&second, ROWS, D, v.u, other.y, other.norm);
    assert_memory_not_equal(v.y, other.y, D * sizeof *v.y);
    memcpy(v.u + D, v.u, D * sizeof *v.u);
    dip_noise_forward(&one, ROWS, D, v.u, v.y, v.norm);
    assert_memory_not_equal(v.y, v.y + D, D * sizeof *v.y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_as_far_as_asked_in_the_same_orthant),
        cmocka_unit_test(all_elements_move_alike),
        cmocka_unit_test(views_differ_by_row_step_and_purpose_only),
    };
    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
