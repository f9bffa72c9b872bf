/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products against their definition in double, in every orientation, inside larger matrices.
 */
#include "check.h"
#include "math/gemm.h"

enum { SIDE = 80 };

typedef struct matrix {
    float data[SIDE * SIDE];
} matrix;

static void fill(matrix *m, uint64_t *random) {
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        m->data[i] = (float)(2 * check_random_unit(random) - 1);
    }
}

static double element(const dip_operand *x, size_t i, size_t j) {
    return (double)(x->transposed ? x->data[j * x->stride + i] : x->data[i * x->stride + j]);
}

static void check_product(size_t m, size_t n, size_t k, int orientation, float beta,
                          uint64_t *random) {
    static matrix a;
    static matrix b;
    static matrix c;
    static matrix before;
    const float alpha = 1.5f;
    fill(&a, random);
    fill(&b, random);
    fill(&c, random);
    before = c;
    const dip_operand left = {a.data, SIDE, (orientation & 1) != 0};
    const dip_operand right = {b.data, SIDE - 3, (orientation & 2) != 0};
    dip_gemm(m, n, k, alpha, left, right, beta, c.data, SIDE - 1);
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t j = 0; j < SIDE - 1; j++) {
            const size_t at = i * (SIDE - 1) + j;
            double sum = 0;
            for (size_t l = 0; l < k && i < m && j < n; l++) {
                sum += element(&left, i, l) * element(&right, l, j);
            }
            const double old = (double)before.data[at];
            const double expected = i < m && j < n ? (double)alpha * sum + (double)beta * old : old;
            check_near((double)c.data[at], expected, i < m && j < n ? 1e-5 : 0);
        }
    }
}

static void products_are_their_definition(void **state) {
    (void)state;
    static const size_t SIZES[][3] = {{1, 1, 1},    {3, 5, 7},   {16, 16, 16},
                                      {77, 1, 13},  {1, 77, 13}, {64, 64, 1},
                                      {70, 70, 70}, {2, 3, 77},  {33, 47, 65}};
    uint64_t random = 1;
    for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
        for (int orientation = 0; orientation < 4; orientation++) {
            check_product(SIZES[s][0], SIZES[s][1], SIZES[s][2], orientation, 0, &random);
            check_product(SIZES[s][0], SIZES[s][1], SIZES[s][2], orientation, 1, &random);
            check_product(SIZES[s][0], SIZES[s][1], SIZES[s][2], orientation, -0.5f, &random);
        }
    }
}

/* Ranking reuses tiles in which excluded rows stand as -INFINITY. */
static void without_beta_the_old_content_does_not_matter(void **state) {
    (void)state;
    static const float OLD[] = {NAN, INFINITY, -INFINITY};
    const float a[] = {1, 2};
    const float b[] = {3, 4, 5, 6};
    for (size_t i = 0; i < 3; i++) {
        float c[2] = {OLD[i], OLD[i]};
        dip_gemm(1, 2, 2, 1, (dip_operand){a, 2, false}, (dip_operand){b, 2, true}, 0, c, 2);
        assert_true(c[0] == 11);
        assert_true(c[1] == 17);
    }
}

static void panels_cover_all_rows(void **state) {
    (void)state;
    for (size_t rows = 0; rows < 200 * DIP_PANEL; rows++) {
        size_t sum = 0;
        assert_true(dip_panel_count(rows) <= dip_panel_most(rows));
        assert_true(dip_panel_most(rows) <= dip_panel_most(rows + 1));
        for (size_t p = 0; p < dip_panel_count(rows); p++) {
            const size_t n = dip_panel_rows(rows, p);
            assert_in_range(n, 1, DIP_PANEL);
            assert_int_equal(dip_panel_first(rows, p), sum);
            assert_int_equal(sum % 2, 0);
            sum += n;
        }
        assert_int_equal(sum, rows);
    }
}

static void two_threads_get_equal_panels(void **state) {
    (void)state;
    assert_int_equal(dip_panel_count(1), 1);
    assert_int_equal(dip_panel_count(128), 1);
    assert_int_equal(dip_panel_count(129), 2);
    assert_int_equal(dip_panel_rows(129, 0), 66);
    assert_int_equal(dip_panel_rows(129, 1), 63);
    assert_int_equal(dip_panel_count(877), 8);
    assert_int_equal(dip_panel_rows(877, 0), 110);
    assert_int_equal(dip_panel_rows(877, 7), 107);
    assert_int_equal(dip_panel_count(1024), 8);
    assert_int_equal(dip_panel_rows(1024, 7), 128);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_their_definition),
        cmocka_unit_test(without_beta_the_old_content_does_not_matter),
        cmocka_unit_test(panels_cover_all_rows),
        cmocka_unit_test(two_threads_get_equal_panels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
