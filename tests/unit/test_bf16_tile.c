/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of bfloat16 numbers: the two references against a product in double, and those with
 * processor instructions against the references, bit by bit.
 */
#include "bf16_numbers.h"
#include "math/isa.h"

enum { M = 24, PAIRS = 40, COLUMNS = 2 * DIP_BLOCK };

static void skip_without_instructions(void) {
    if (dip_isa_of_processor() < DIP_ISA_AVX512_BF16 || dip_bf16_of(DIP_ISA_AVX512_BF16) == NULL) {
        skip();
    }
}

/* The plain kernels with the chains of sums of a tier. */
static const dip_bf16_kernels *plain(dip_isa isa) {
    return isa == DIP_ISA_AMX_BF16 ? &dip_bf16_reference_amx : &dip_bf16_reference;
}

/* Row-major X [rows x COLUMNS] and its packed form. */
static void pack(size_t rows, const dip_bf16 *x, dip_bf16 *packed) {
    static const dip_bf16 zeros[COLUMNS];
    for (size_t p = 0; p < dip_pairs(rows); p++) {
        const dip_bf16 *odd = 2 * p + 1 < rows ? x + (2 * p + 1) * COLUMNS : zeros;
        dip_bf16_reference.interleave(dip_blocks(COLUMNS), x + 2 * p * COLUMNS, odd,
                                      dip_packed_block(rows), packed + p * 2 * DIP_BLOCK);
    }
}

/* One block with each of the two chains of sums. */
static void the_reference_tile_is_a_matrix_product(void **state) {
    (void)state;
    static dip_bf16 a[M * 2 * PAIRS];
    static dip_bf16 b[2 * PAIRS * COLUMNS];
    static dip_bf16 packed[2 * (PAIRS + DIP_TILE_PAIRS) * COLUMNS];
    static float c[M * DIP_BLOCK];
    uint64_t random = 2;
    fill(a, sizeof a / sizeof *a, &random, false);
    fill(b, sizeof b / sizeof *b, &random, false);
    pack(2 * PAIRS, b, packed);
    for (size_t block = 0; block < 2; block++) {
        const dip_left left = {a, 2 * PAIRS};
        const dip_tile tile = {.m = M,
                               .a = left,
                               .b = packed + block * dip_packed_block(2 * PAIRS),
                               .pairs = PAIRS,
                               .c = c,
                               .ldc = DIP_BLOCK};
        plain(block == 0 ? DIP_ISA_AVX512_BF16 : DIP_ISA_AMX_BF16)->tile(&tile);
        for (size_t e = 0; e < M * DIP_BLOCK; e++) {
            double sum = 0;
            double size = 0;
            for (size_t k = 0; k < 2 * PAIRS; k++) {
                const double product =
                    (double)dip_bf16_value(a[e / DIP_BLOCK * 2 * PAIRS + k]) *
                    (double)dip_bf16_value(b[k * COLUMNS + block * DIP_BLOCK + e % DIP_BLOCK]);
                sum += product;
                size += fabs(product);
            }
            check_near(c[e], sum, 2 * PAIRS * 0x1p-24 * size);
        }
    }
}

enum { MOST = 70 };

/* One product of m rows by both kernels: row-major, or where m is a multiple of 3 the transpose of
 * a packed block. */
static void check_tile(const dip_bf16_kernels *kernels, const dip_bf16_kernels *reference, size_t m,
                       size_t pairs, uint64_t *random) {
    static dip_bf16 a[MOST * 2 * PAIRS];
    static dip_bf16 left[2][2 * DIP_BLOCK * (PAIRS + DIP_TILE_PAIRS)];
    static dip_bf16 b[2 * PAIRS * DIP_BLOCK];
    static float c[MOST * 80];
    static float expected[MOST * 80];
    static dip_bf16 target[MOST * DIP_BLOCK];
    const bool is_packed = m % 3 == 0 && m <= DIP_BLOCK;
    const size_t used = dip_packed_block(2 * pairs);
    fill(a, sizeof a / sizeof *a, random, m == 5);
    fill(b, sizeof b / sizeof *b, random, m == 5);
    fill(left[0], sizeof left[0] / sizeof *left[0], random, m == 33);
    memcpy(left[1], left[0], sizeof left[0]);
    kernels->make_left(pairs, left[0]);
    reference->make_left(pairs, left[1]);
    assert_memory_equal(left[0], left[1], used * sizeof *left[0]);
    for (size_t i = 0; i < MOST * 80; i++) {
        c[i] = expected[i] = hard_number(random, false);
    }
    dip_tile tile = {.m = m,
                     .a = is_packed ? (dip_left){left[0], 0} : (dip_left){a, 2 * PAIRS},
                     .b = b,
                     .pairs = pairs,
                     .add = m % 2 == 0,
                     .c = c,
                     .ldc = m % 4 == 1 ? 80 : DIP_BLOCK,
                     .next = m % 2 == 0 ? b : NULL,
                     .target = m % 4 == 0 ? target : NULL};
    kernels->tile(&tile);
    tile.c = expected;
    reference->tile(&tile);
    check_same(c, expected, MOST * 80);
}

/* On each tier that the processor has. What is beyond the rows of c, and between them, stays. */
static void every_tile_has_the_bits_of_the_reference(void **state) {
    (void)state;
    skip_without_instructions();
    uint64_t random = 3;
    for (int isa = DIP_ISA_AVX512_BF16; isa <= (int)dip_isa_of_processor(); isa++) {
        for (size_t m = 1; m <= MOST; m++) {
            for (size_t pairs = 0; pairs <= PAIRS; pairs += m % 5 == 0 ? 1 : 8) {
                check_tile(dip_bf16_of((dip_isa)isa), plain((dip_isa)isa), m, pairs, &random);
            }
        }
    }
}

/* A product of more parts than stay in the first-level cache. */
static void a_long_tile_has_the_bits_of_the_reference(void **state) {
    (void)state;
    skip_without_instructions();
    enum { LONG = 523, M_LONG = 37 };
    static dip_bf16 a[M_LONG * 2 * LONG];
    static dip_bf16 b[2 * LONG * DIP_BLOCK];
    static float c[2][M_LONG * DIP_BLOCK];
    uint64_t random = 7;
    fill(a, sizeof a / sizeof *a, &random, false);
    fill(b, sizeof b / sizeof *b, &random, false);
    for (int isa = DIP_ISA_AVX512_BF16; isa <= (int)dip_isa_of_processor(); isa++) {
        dip_tile tile = {.m = M_LONG, .a = {a, 2 * LONG}, .b = b, .pairs = LONG, .ldc = DIP_BLOCK};
        tile.c = c[0];
        dip_bf16_of((dip_isa)isa)->tile(&tile);
        tile.c = c[1];
        plain((dip_isa)isa)->tile(&tile);
        check_same(c[0], c[1], M_LONG * DIP_BLOCK);
    }
}

/* The transpose of a packed matrix against the same numbers as rows, with the references and with
 * what the processor has. */
static void a_left_form_gives_the_bits_of_its_rows(void **state) {
    (void)state;
    enum { LONG = 300, WIDTH = 2 * LONG };
    static dip_bf16 rows[DIP_BLOCK * WIDTH];
    static dip_bf16 block[2 * (LONG + DIP_TILE_PAIRS) * DIP_BLOCK];
    static dip_bf16 b[2 * LONG * DIP_BLOCK];
    static float c[2][DIP_BLOCK * DIP_BLOCK];
    const dip_bf16_kernels *const kernels[] = {&dip_bf16_reference, &dip_bf16_reference_amx,
                                               dip_bf16_get()};
    uint64_t random = 9;
    fill(rows, sizeof rows / sizeof *rows, &random, false);
    fill(b, sizeof b / sizeof *b, &random, false);
    for (size_t k = 0; k < 6; k++) {
        for (size_t e = 0; e < DIP_BLOCK * DIP_BLOCK; e++) {
            c[0][e] = c[1][e] = hard_number(&random, false);
        }
        for (size_t i = 0; i < DIP_BLOCK; i++) {
            for (size_t x = 0; x < WIDTH; x++) {
                block[x / 2 * 2 * DIP_BLOCK + 2 * i + x % 2] = rows[i * WIDTH + x];
            }
        }
        kernels[k / 2]->make_left(LONG, block);
        dip_tile tile = {.m = DIP_BLOCK - 5 * (k % 2),
                         .a = {rows, WIDTH},
                         .b = b,
                         .pairs = LONG,
                         .add = k % 2 == 0,
                         .c = c[0],
                         .ldc = DIP_BLOCK};
        kernels[k / 2]->tile(&tile);
        tile.a = (dip_left){block, 0};
        tile.c = c[1];
        kernels[k / 2]->tile(&tile);
        check_same(c[0], c[1], DIP_BLOCK * DIP_BLOCK);
    }
}

/* The left form for AMX: 16 pairs of a column are one row of 64 bytes, and what is missing 0. */
static void left_forms_are_transposed_by_sixteen_pairs(void **state) {
    (void)state;
    enum { SOME = 21, TILE_ROW = 2 * DIP_TILE_PAIRS };
    static dip_bf16 x[2 * SOME * DIP_BLOCK];
    static dip_bf16 block[2 * 2 * DIP_TILE_PAIRS * DIP_BLOCK];
    uint64_t random = 8;
    fill(x, sizeof x / sizeof *x, &random, false);
    fill(block, sizeof block / sizeof *block, &random, true);
    for (size_t row = 0; row < 2 * SOME; row++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            block[row / 2 * 2 * DIP_BLOCK + 2 * j + row % 2] = x[row * DIP_BLOCK + j];
        }
    }
    dip_bf16_reference_amx.make_left(SOME, block);
    for (size_t row = 0; row < 2 * 2 * DIP_TILE_PAIRS; row++) {
        for (size_t j = 0; j < DIP_BLOCK; j++) {
            const size_t tile = row / TILE_ROW;
            const size_t at = (tile * DIP_BLOCK + j) * TILE_ROW + row % TILE_ROW;
            assert_int_equal(block[at], row < 2 * SOME ? x[row * DIP_BLOCK + j] : 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_tile_is_a_matrix_product),
        cmocka_unit_test(every_tile_has_the_bits_of_the_reference),
        cmocka_unit_test(a_long_tile_has_the_bits_of_the_reference),
        cmocka_unit_test(a_left_form_gives_the_bits_of_its_rows),
        cmocka_unit_test(left_forms_are_transposed_by_sixteen_pairs),
    };
    return cmocka_run_group_tests_name("bf16 products", tests, NULL, NULL);
}
