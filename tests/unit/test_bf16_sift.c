/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of a product that reach a bound, against a look at every value of it.
 */
#include "bf16_numbers.h"
#include "math/isa.h"

enum { MOST_ROWS = 3 * DIP_BLOCK, MOST_COLUMNS = 3 * DIP_BLOCK, MOST_PAIRS = 80 };
enum { MOST_HITS = MOST_ROWS * MOST_COLUMNS };

typedef struct problem {
    dip_bf16 a[MOST_ROWS * 2 * MOST_PAIRS];
    dip_bf16 b[2 * MOST_PAIRS * MOST_COLUMNS];
    float bound[MOST_COLUMNS];
} problem;

/* In some, a few numbers of A, B and the bounds are infinite or missing. */
static void make_problem(problem *p, bool with_specials, uint64_t *random) {
    static const float BOUNDS[] = {NAN, INFINITY, -INFINITY, -1e6f, 0, 1e3f, 1e6f, 1e8f};
    const uint64_t first = with_specials ? 0 : 3;
    fill(p->a, sizeof p->a / sizeof *p->a, random, false);
    fill(p->b, sizeof p->b / sizeof *p->b, random, false);
    for (size_t i = 0; with_specials && i < 5; i++) {
        fill(p->a + check_random_below(random, sizeof p->a / sizeof *p->a), 1, random, true);
        fill(p->b + check_random_below(random, sizeof p->b / sizeof *p->b), 1, random, true);
    }
    for (size_t i = 0; i < MOST_COLUMNS; i++) {
        const bool is_special = check_random_below(random, 8) == 0;
        p->bound[i] = BOUNDS[is_special ? first + check_random_below(random, 8 - first)
                                        : 4 + check_random_below(random, 4)];
    }
}

/* What is to be said of a value. */
typedef enum verdict { NO, YES, EITHER } verdict;

static verdict judge(float value, float bound) {
    if (isnan(bound) || value >= bound) {
        return YES;
    }
    return !isnan(value) ? NO : bound == -INFINITY ? YES : EITHER;
}

/* Every value, by a product of the kernels themselves: value and verdict [m x 64 blocks]. */
static void look_at_all(const dip_bf16_kernels *kernels, const dip_sift *s, float *value,
                        verdict *wanted) {
    static float c[DIP_BLOCK * DIP_BLOCK];
    const size_t columns = s->blocks * DIP_BLOCK;
    for (size_t row = 0; row < s->m; row += DIP_BLOCK) {
        for (size_t column = 0; column < columns; column += DIP_BLOCK) {
            const size_t rows = s->m - row < DIP_BLOCK ? s->m - row : DIP_BLOCK;
            kernels->tile(&(dip_tile){.m = rows,
                                      .a = {s->a + row * s->stride, s->stride},
                                      .b = s->b + column * 2 * s->pairs,
                                      .pairs = s->pairs,
                                      .c = c,
                                      .ldc = DIP_BLOCK});
            for (size_t e = 0; e < rows * DIP_BLOCK; e++) {
                const size_t j = column + e % DIP_BLOCK;
                const size_t at = (row + e / DIP_BLOCK) * columns + j;
                value[at] = c[e];
                wanted[at] = judge(c[e], s->bound[j]);
            }
        }
    }
}

/* What is found is what there is, once each, and the rows of a column come in their order. */
static size_t check_sift(const dip_bf16_kernels *kernels, const problem *p, size_t m, size_t blocks,
                         size_t pairs) {
    static float c[DIP_BLOCK * DIP_BLOCK];
    static dip_hit hits[MOST_HITS];
    static float value[MOST_HITS];
    static verdict wanted[MOST_HITS];
    static bool found[MOST_HITS];
    const dip_sift sift = {.m = m,
                           .a = p->a,
                           .stride = 2 * MOST_PAIRS,
                           .b = p->b,
                           .blocks = blocks,
                           .pairs = pairs,
                           .bound = p->bound,
                           .c = c,
                           .hits = hits};
    const size_t columns = blocks * DIP_BLOCK;
    look_at_all(kernels, &sift, value, wanted);
    memset(found, 0, sizeof found);
    const size_t n = kernels->sift(&sift);
    int64_t last[MOST_COLUMNS];
    memset(last, 0xff, sizeof last);
    for (size_t h = 0; h < n; h++) {
        assert_true(hits[h].row < m && hits[h].column < columns);
        assert_true(hits[h].row > last[hits[h].column]);
        last[hits[h].column] = hits[h].row;
        const size_t at = hits[h].row * columns + hits[h].column;
        assert_true(wanted[at] != NO);
        check_same(&hits[h].value, &value[at], 1);
        found[at] = true;
    }
    for (size_t at = 0; at < m * columns; at++) {
        assert_true(found[at] || wanted[at] != YES);
    }
    return n;
}

static void check_all_shapes(const dip_bf16_kernels *kernels, uint64_t *random) {
    static problem p;
    size_t found = 0;
    size_t all = 0;
    for (size_t m = 0; m <= MOST_ROWS; m += m % 16 == 1 ? 7 : 4) {
        const size_t pairs = DIP_TILE_PAIRS * (1 + check_random_below(random, 5));
        const size_t blocks = 1 + check_random_below(random, 3);
        make_problem(&p, m % 2 == 0, random);
        found += check_sift(kernels, &p, m, blocks, pairs);
        make_problem(&p, m % 2 == 1, random);
        found += check_sift(kernels, &p, m, blocks, pairs);
        all += 2 * m * blocks * DIP_BLOCK;
    }
    assert_true(found > all / 5 && found < all * 4 / 5);
}

static void the_references_find_what_there_is(void **state) {
    (void)state;
    uint64_t random = 1;
    check_all_shapes(&dip_bf16_reference, &random);
    check_all_shapes(&dip_bf16_reference_amx, &random);
}

static void every_tier_finds_what_there_is(void **state) {
    (void)state;
    if (dip_isa_of_processor() < DIP_ISA_AVX512_BF16 || dip_bf16_of(DIP_ISA_AVX512_BF16) == NULL) {
        skip();
    }
    uint64_t random = 2;
    for (int isa = DIP_ISA_AVX512_BF16; isa <= (int)dip_isa_of_processor(); isa++) {
        check_all_shapes(dip_bf16_of((dip_isa)isa), &random);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_references_find_what_there_is),
        cmocka_unit_test(every_tier_finds_what_there_is),
    };
    return cmocka_run_group_tests_name("bf16 sift", tests, NULL, NULL);
}
