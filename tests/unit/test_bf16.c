/* SPDX-License-Identifier: Apache-2.0
 *
 * bfloat16 kernels but products: the reference against definitions in double, and the kernels with
 * processor instructions against the reference, bit by bit.
 */
#include "bf16_numbers.h"
#include "math/exp.h"
#include "math/isa.h"

enum { M = 24, COLUMNS = 2 * DIP_BLOCK };

/* The kernels under test; skips where the processor has none. */
static const dip_bf16_kernels *fast(void) {
    if (dip_isa_of_processor() < DIP_ISA_AVX512_BF16 || dip_bf16_of(DIP_ISA_AVX512_BF16) == NULL) {
        skip();
    }
    return dip_bf16_of(dip_isa_of_processor());
}

static void rounding_takes_the_nearest_and_ties_to_even(void **state) {
    (void)state;
    const struct {
        float x;
        dip_bf16 rounded;
    } rows[] = {{1.0f, 0x3f80},          {-2.0f, 0xc000},         {0x1.01p0f, 0x3f80},
                {0x1.03p0f, 0x3f82},     {0x1.010002p0f, 0x3f81}, {INFINITY, 0x7f80},
                {3.4028235e38f, 0x7f80}, {1e-40f, 0x0000},        {-1e-40f, 0x8000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(dip_bf16_round(rows[i].x), rows[i].rounded);
    }
    assert_true(isnan(dip_bf16_value(dip_bf16_round(NAN))));
}

static void rounding_is_off_by_half_a_unit_at_most(void **state) {
    (void)state;
    uint64_t random = 1;
    for (size_t i = 0; i < 100000; i++) {
        const float x = hard_number(&random, false);
        check_close(dip_bf16_value(dip_bf16_round(x)), x, 0x1p-8);
    }
}

static void small_kernels_have_the_bits_of_the_reference(void **state) {
    (void)state;
    const dip_bf16_kernels *kernels = fast();
    uint64_t random = 4;
    static float x[M * DIP_BLOCK];
    static dip_bf16 h[M * DIP_BLOCK];
    static dip_bf16 y[2][M * DIP_BLOCK];
    static dip_bf16 packed[2][M * DIP_BLOCK];
    float sum[2][DIP_BLOCK];
    float bias[DIP_BLOCK];
    uint64_t alive[2][M];
    for (size_t round = 0; round < 50; round++) {
        const dip_bf16_kernels *both[2] = {kernels, &dip_bf16_reference};
        for (size_t i = 0; i < M * DIP_BLOCK; i++) {
            x[i] = hard_number(&random, round % 2 == 0);
            h[i] = dip_bf16_round(hard_number(&random, round % 2 == 0));
        }
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            bias[j] = sum[0][j] = sum[1][j] = hard_number(&random, false);
        }
        memset(y, 0, sizeof y);
        for (size_t k = 0; k < 2; k++) {
            both[k]->round(round * 7, x, y[k]);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        const size_t m = M - round % 3;
        for (size_t k = 0; k < 2; k++) {
            memset(alive[k], 0xff, sizeof alive[k]);
            both[k]->relu(m, x, bias, y[k], DIP_BLOCK, packed[k], alive[k]);
        }
        assert_memory_equal(alive[0], alive[1], sizeof alive[0]);
        for (size_t e = 0; e < m * DIP_BLOCK; e++) {
            const bool is_alive = (alive[0][e / DIP_BLOCK] >> (e % DIP_BLOCK)) & 1;
            assert_true(isnan(dip_bf16_value(y[0][e])) ||
                        is_alive == (dip_bf16_value(y[0][e]) > 0));
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        assert_memory_equal(packed[0], packed[1], sizeof packed[0]);
        for (size_t k = 0; k < 2; k++) {
            both[k]->relu_backward(m, x, alive[0], y[k], DIP_BLOCK, packed[k], sum[k]);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        assert_memory_equal(packed[0], packed[1], sizeof packed[0]);
        check_same(sum[0], sum[1], DIP_BLOCK);
        uint32_t place[M];
        for (size_t i = 0; i < M; i++) {
            place[i] = (uint32_t)((i * 7 + round) % M);
        }
        static float added[2][M * DIP_BLOCK];
        for (size_t k = 0; k < 2; k++) {
            memcpy(added[k], x, sizeof x);
            both[k]->add_rows(m, added[k], x, place);
        }
        check_same(added[0], added[1], M * DIP_BLOCK);
        for (size_t k = 0; k < 2; k++) {
            memcpy(added[k], x, sizeof x);
            both[k]->combine(&(dip_combine){.m = m,
                                            .columns = round % 2 == 0 ? DIP_BLOCK : 1 + round,
                                            .a = round % 3 == 0 ? NULL : x + 5,
                                            .c = added[k],
                                            .ldc = DIP_BLOCK,
                                            .b = round % 5 == 0 ? NULL : x + 100,
                                            .x = x,
                                            .ldx = round % 4 == 0 ? 0 : DIP_BLOCK,
                                            .place = round % 2 == 0 ? place : NULL,
                                            .y = added[k],
                                            .ldy = DIP_BLOCK});
            both[k]->scale(round * 7, bias[0], x, y[k]);
        }
        check_same(added[0], added[1], M * DIP_BLOCK);
        for (size_t i = 0; i < round * 7; i++) { /* the sign of what is not a number is left open */
            const bool is_number = !isnan(dip_bf16_value(y[1][i]));
            assert_true(is_number ? y[0][i] == y[1][i] : isnan(dip_bf16_value(y[0][i])));
        }
        memcpy(y[0], y[1], sizeof y[0]);
        const size_t groups = 1 + round % (M - 2);
        uint32_t first[M];
        for (size_t g = 0; g <= groups; g++) {
            first[g] = (uint32_t)(g * M / groups);
        }
        /* The sign of a sum that is not a number is left open, so only numbers are summed. */
        static dip_bf16 numbers[M * DIP_BLOCK];
        fill(numbers, M * DIP_BLOCK, &random, false);
        for (size_t k = 0; k < 2; k++) {
            both[k]->sum_groups(groups, first, place, numbers, y[k], DIP_BLOCK, packed[k]);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        assert_memory_equal(packed[0], packed[1], sizeof packed[0]);
        for (size_t k = 0; k < 2; k++) {
            both[k]->interleave(2, h, h + 5 * DIP_BLOCK, 4 * DIP_BLOCK, y[k]);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
    }
}

/* By hand: the rows of the groups are known numbers, so that their sums are too. */
static void groups_are_summed_and_rows_added(void **state) {
    (void)state;
    enum { ROWS = 5, GROUPS = 3 };
    static const uint32_t FIRST[GROUPS + 1] = {0, 2, 2, 5};
    static const uint32_t MEMBER[ROWS] = {1, 4, 0, 2, 3};
    static const float SUM[GROUPS] = {2 + 16, 0, 1 + 4 + 8};
    static const uint32_t PLACE[2] = {2, 0};
    const dip_bf16_kernels *both[2] = {dip_bf16_get(), &dip_bf16_reference};
    static dip_bf16 x[6 * DIP_BLOCK];
    for (size_t k = 0; k < 2; k++) {
        dip_bf16 y[GROUPS * DIP_BLOCK];
        dip_bf16 packed[4 * DIP_BLOCK];
        float c[2 * DIP_BLOCK];
        float table[3 * DIP_BLOCK];
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            for (size_t i = 0; i < ROWS; i++) { /* row i holds 2^i plus its column, halved */
                const float number = (float)(1 << i) + 0.5f * (float)(j % 4);
                x[i / 2 * 2 * DIP_BLOCK + 2 * j + i % 2] = dip_bf16_round(number);
            }
            for (size_t i = 0; i < 3; i++) {
                table[i * DIP_BLOCK + j] = (float)(100 * i + j);
            }
            c[j] = 1;
            c[DIP_BLOCK + j] = 2;
        }
        both[k]->sum_groups(GROUPS, FIRST, MEMBER, x, y, DIP_BLOCK, packed);
        both[k]->add_rows(2, c, table, PLACE);
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            for (size_t g = 0; g < GROUPS; g++) {
                const float half = 0.5f * (float)(j % 4) * (float)(FIRST[g + 1] - FIRST[g]);
                const dip_bf16 wanted = dip_bf16_round(SUM[g] + half);
                assert_int_equal(y[g * DIP_BLOCK + j], wanted);
                assert_int_equal(packed[g / 2 * 2 * DIP_BLOCK + 2 * j + g % 2], wanted);
            }
            assert_int_equal(packed[2 * DIP_BLOCK + 2 * j + 1], 0);
            assert_true(c[j] == 201 + (float)j);
            assert_true(c[DIP_BLOCK + j] == 2 + (float)j);
        }
    }
}

/* By hand: 2 c - 3 x, and c + one row. */
static void rows_are_combined(void **state) {
    (void)state;
    enum { ROWS = 3, COLUMNS_USED = 37 };
    static const float TWOS[ROWS] = {2, 2, 2};
    static const float THREES[ROWS] = {3, 3, 3};
    static const uint32_t PLACE[ROWS] = {2, 0, 2};
    const dip_bf16_kernels *both[2] = {dip_bf16_get(), &dip_bf16_reference};
    static float c[ROWS * DIP_BLOCK];
    static float x[ROWS * COLUMNS_USED];
    for (size_t e = 0; e < ROWS * DIP_BLOCK; e++) {
        c[e] = (float)e;
    }
    for (size_t e = 0; e < ROWS * COLUMNS_USED; e++) {
        x[e] = 1000 + (float)e;
    }
    for (size_t k = 0; k < 2; k++) {
        float y[ROWS * COLUMNS_USED + 1] = {0};
        dip_combine rows = {.m = ROWS,
                            .columns = COLUMNS_USED,
                            .a = TWOS,
                            .c = c,
                            .ldc = DIP_BLOCK,
                            .b = THREES,
                            .x = x,
                            .ldx = COLUMNS_USED,
                            .place = PLACE,
                            .y = y,
                            .ldy = COLUMNS_USED};
        both[k]->combine(&rows);
        for (size_t e = 0; e < ROWS * COLUMNS_USED; e++) {
            const size_t i = e / COLUMNS_USED;
            const size_t j = e % COLUMNS_USED;
            assert_true(y[e] == 2 * c[i * DIP_BLOCK + j] - 3 * x[PLACE[i] * COLUMNS_USED + j]);
        }
        rows.a = rows.b = NULL;
        rows.place = NULL;
        rows.ldx = 0;
        both[k]->combine(&rows);
        for (size_t e = 0; e < ROWS * COLUMNS_USED; e++) {
            assert_true(y[e] ==
                        c[e / COLUMNS_USED * DIP_BLOCK + e % COLUMNS_USED] + x[e % COLUMNS_USED]);
        }
        assert_true(y[ROWS * COLUMNS_USED] == 0);
    }
}

/* Every place that is not finite is found, and none beside the 64 columns. */
static void what_is_not_finite_is_found(void **state) {
    (void)state;
    enum { ROWS = 7, STRIDE = 70 };
    static const float BAD[] = {INFINITY, -INFINITY, NAN};
    const dip_bf16_kernels *both[2] = {dip_bf16_get(), &dip_bf16_reference};
    static float c[ROWS * STRIDE];
    for (size_t e = 0; e < ROWS * STRIDE; e++) {
        c[e] = e % 2 == 0 ? 3.4e38f : -3.4e38f;
    }
    for (size_t k = 0; k < 2; k++) {
        assert_true(both[k]->is_finite(ROWS, c, STRIDE));
        for (size_t e = 0; e < ROWS * STRIDE; e++) {
            const float kept = c[e];
            c[e] = BAD[e % 3];
            assert_int_equal(both[k]->is_finite(ROWS, c, STRIDE), e % STRIDE >= DIP_BLOCK);
            c[e] = kept;
        }
    }
}

static void check_transposed(const dip_bf16_kernels *kernels, size_t m, size_t width) {
    enum { WIDEST = 96 };
    static dip_bf16 x[DIP_BLOCK * WIDEST];
    static dip_bf16 packed[DIP_BLOCK * WIDEST];
    uint64_t random = 5;
    fill(x, DIP_BLOCK * WIDEST, &random, false);
    memset(packed, 0xff, sizeof packed);
    kernels->pack_transposed(m, width, x, WIDEST, packed);
    for (size_t k = 0; k < width + width % 2; k++) {
        for (size_t i = 0; i < DIP_BLOCK; i++) {
            const dip_bf16 expected = k < width && i < m ? x[i * WIDEST + k] : 0;
            assert_int_equal(packed[k / 2 * 2 * DIP_BLOCK + 2 * i + k % 2], expected);
        }
    }
}

static void packing_the_transpose_is_packing_after_transposing(void **state) {
    (void)state;
    const size_t widths[] = {1, 37, 64, 96};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        for (size_t m = 1; m <= DIP_BLOCK; m += 9) {
            check_transposed(&dip_bf16_reference, m, widths[w]);
            check_transposed(dip_bf16_get(), m, widths[w]);
        }
    }
}

/* ---- exp ------------------------------------------------------------------------------------- */

static void exp_is_right_to_two_units(void **state) {
    (void)state;
    for (double x = -87; x <= 88; x += 0.0007) {
        const float rounded = (float)x;
        check_close(dip_exp(rounded), exp((double)rounded), 2.4e-7);
    }
    assert_true(dip_exp(0) == 1);
    assert_true(dip_exp(-INFINITY) == 0);
    assert_true(dip_exp(-150) == 0);
    assert_true(isinf(dip_exp(100)));
    assert_true(isinf(dip_exp(INFINITY)));
    assert_true(isnan(dip_exp(NAN)));
}

static void exponentials_have_the_bits_of_the_reference(void **state) {
    (void)state;
    const dip_bf16_kernels *both[2] = {fast(), &dip_bf16_reference};
    uint64_t random = 6;
    static float c[M * DIP_BLOCK];
    static dip_bf16 e[2][M * DIP_BLOCK];
    static dip_bf16 packed[2][M * DIP_BLOCK];
    static float sum[2][M * DIP_BF16_LANES];
    float offset[DIP_BLOCK];
    float shift[M];
    int32_t items[DIP_BLOCK + M];
    int32_t others[DIP_BLOCK + M];
    for (size_t round = 0; round < 60; round++) {
        for (size_t i = 0; i < M * DIP_BLOCK; i++) {
            c[i] = round == 7 ? hard_number(&random, true) : (float)check_random_unit(&random);
        }
        for (size_t i = 0; i < DIP_BLOCK + M; i++) {
            items[i] = (int32_t)check_random_below(&random, 20);
            others[i] = (int32_t)check_random_below(&random, 30);
        }
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            offset[j] = j < 50 ? -5 * (float)check_random_unit(&random) : INFINITY;
        }
        for (size_t i = 0; i < M; i++) {
            shift[i] = 20 * (float)check_random_unit(&random);
        }
        memset(sum, 0, sizeof sum);
        for (size_t k = 0; k < 2; k++) {
            const dip_exp_tile tile = {.m = M - round % 2,
                                       .c = c,
                                       .scale = 14,
                                       .offset = offset,
                                       .shift = shift,
                                       .row_item = round % 3 == 0 ? NULL : items + DIP_BLOCK,
                                       .column_item = round % 3 == 0 ? NULL : items,
                                       .row_also = round % 3 == 1 ? others + DIP_BLOCK : NULL,
                                       .column_also = round % 3 == 1 ? others : NULL,
                                       .positive = (ptrdiff_t)round - 20,
                                       .e = e[k],
                                       .lde = DIP_BLOCK,
                                       .packed = packed[k],
                                       .sum = sum[k]};
            both[k]->exp(&tile);
        }
        assert_memory_equal(e[0], e[1], sizeof e[0]);
        assert_memory_equal(packed[0], packed[1], sizeof packed[0]);
        check_same(sum[0], sum[1], M * DIP_BF16_LANES);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_takes_the_nearest_and_ties_to_even),
        cmocka_unit_test(rounding_is_off_by_half_a_unit_at_most),
        cmocka_unit_test(small_kernels_have_the_bits_of_the_reference),
        cmocka_unit_test(groups_are_summed_and_rows_added),
        cmocka_unit_test(rows_are_combined),
        cmocka_unit_test(what_is_not_finite_is_found),
        cmocka_unit_test(packing_the_transpose_is_packing_after_transposing),
        cmocka_unit_test(exp_is_right_to_two_units),
        cmocka_unit_test(exponentials_have_the_bits_of_the_reference),
    };
    return cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
