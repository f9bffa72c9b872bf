/* SPDX-License-Identifier: Apache-2.0
 *
 * Mutual information: cases worked by hand, identities, and a slow sum over the whole joint table.
 */
#include "check.h"
#include "prepare/mutual_information.h"

enum { MAX_ROWS = 60, MAX_CODES = 5, MAX_VALUES = 4 };

static const uint8_t ALL[MAX_ROWS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

typedef struct column {
    int64_t offsets[MAX_ROWS + 1];
    int32_t codes[MAX_ROWS * MAX_VALUES];
} column;

static dip_codes codes_of(const column *c) {
    return (dip_codes){c->offsets, c->codes};
}

/* One code a row; -1 is missing. */
static column single(const int32_t *codes, size_t n) {
    column c = {{0}, {0}};
    for (size_t i = 0; i < n; i++) {
        c.offsets[i + 1] = c.offsets[i] + (codes[i] >= 0);
        c.codes[c.offsets[i]] = codes[i];
    }
    return c;
}

static double information(const column *f, const column *g, const uint8_t *use, size_t n) {
    const dip_codes left = codes_of(f);
    const dip_codes right = codes_of(g);
    double found = NAN;
    check_ok(dip_mutual_information(&left, &right, use, n, &found, check_error()));
    return found;
}

static double single_information(const int32_t *f, const int32_t *g, size_t n) {
    const column left = single(f, n);
    const column right = single(g, n);
    return information(&left, &right, ALL, n);
}

static void independent_features_share_nothing(void **state) {
    (void)state;
    static const int32_t F[] = {0, 0, 1, 1};
    static const int32_t G[] = {0, 1, 0, 1};
    static const int32_t CONSTANT[] = {3, 3, 3, 3};
    check_near(single_information(F, G, 4), 0, 1e-12);
    check_near(single_information(F, CONSTANT, 4), 0, 1e-12);
    check_near(single_information(CONSTANT, CONSTANT, 4), 0, 1e-12);
}

static void equal_features_share_their_entropy(void **state) {
    (void)state;
    static const int32_t HALF[] = {0, 0, 1, 1};
    static const int32_t QUARTERS[] = {0, 1, 2, 3};
    static const int32_t SKEWED[] = {0, 0, 0, 1};
    check_close(single_information(HALF, HALF, 4), log(2), 1e-12);
    check_close(single_information(QUARTERS, QUARTERS, 4), log(4), 1e-12);
    check_close(single_information(SKEWED, SKEWED, 4), 0.75 * log(4.0 / 3) + 0.25 * log(4), 1e-12);
}

static void renamed_values_change_nothing(void **state) {
    (void)state;
    static const int32_t F[] = {0, 0, 1, 2, 2, 2};
    static const int32_t G[] = {70000, 70000, 5, 2147483646, 2147483646, 2147483646};
    check_close(single_information(F, G, 6), single_information(F, F, 6), 1e-12);
}

static void a_function_of_a_feature_shares_its_own_entropy(void **state) {
    (void)state;
    static const int32_t F[] = {0, 1, 2, 3};
    static const int32_t G[] = {0, 0, 1, 1};
    check_close(single_information(F, G, 4), log(2), 1e-12);
}

/* P(f, g) = 1/2, 1/4, 0, 1/4: worked by hand from Eq. 4. */
static void a_case_worked_by_hand(void **state) {
    (void)state;
    static const int32_t F[] = {0, 0, 0, 1};
    static const int32_t G[] = {0, 0, 1, 1};
    const double expected = 0.5 * log(0.5 / (0.75 * 0.5)) + 0.25 * log(0.25 / (0.75 * 0.5)) +
                            0.25 * log(0.25 / (0.25 * 0.5));
    check_close(single_information(F, G, 4), expected, 1e-12);
}

static void missing_is_a_value_of_its_own(void **state) {
    (void)state;
    static const int32_t F[] = {0, -1, 0, -1};
    static const int32_t G[] = {0, 1, 0, 1};
    static const int32_t NONE[] = {-1, -1, -1, -1};
    check_close(single_information(F, G, 4), log(2), 1e-12);
    check_close(single_information(F, F, 4), log(2), 1e-12);
    check_near(single_information(NONE, NONE, 4), 0, 1e-12);
    check_near(single_information(NONE, G, 4), 0, 1e-12);
}

/* Two items, the bags {0, 1} and {2, 3}: the bag tells the item, as G does. */
static void a_bag_spreads_the_weight_of_its_item(void **state) {
    (void)state;
    const column bag = {{0, 2, 4}, {0, 1, 2, 3}};
    const column g = {{0, 1, 2}, {0, 1}};
    check_close(information(&bag, &g, ALL, 2), log(2), 1e-12);
    /* {0, 1} and {0}: P(0, a) = 1/4, P(1, a) = 1/4, P(0, b) = 1/2 */
    const column other = {{0, 2, 3}, {0, 1, 0}};
    const double expected = 0.25 * log(0.25 / (0.75 * 0.5)) + 0.25 * log(0.25 / (0.25 * 0.5)) +
                            0.5 * log(0.5 / (0.75 * 0.5));
    check_close(information(&other, &g, ALL, 2), expected, 1e-12);
    /* A bag of many values weighs no more than one of one. */
    check_close(information(&other, &other, ALL, 2), 0.75 * log(4.0 / 3) + 0.25 * log(4), 1e-12);
}

static void only_the_rows_in_use_count(void **state) {
    (void)state;
    static const int32_t F[] = {0, 0, 1, 1, 0, 1};
    static const int32_t G[] = {0, 1, 0, 1, 0, 1};
    static const uint8_t USE[] = {1, 0, 0, 1, 0, 0};
    static const uint8_t NONE[6] = {0};
    const column f = single(F, 6);
    const column g = single(G, 6);
    check_close(information(&f, &g, USE, 6), log(2), 1e-12);
    check_near(information(&f, &g, NONE, 6), 0, 0);
}

/* ---- random cases ---------------------------------------------------------------------------- */

static column random_column(size_t n, size_t most, uint64_t *random) {
    column c = {{0}, {0}};
    for (size_t i = 0; i < n; i++) {
        bool taken[MAX_CODES] = {false};
        c.offsets[i + 1] = c.offsets[i];
        for (size_t v = check_random_below(random, most + 1); v > 0; v--) {
            const size_t code = check_random_below(random, MAX_CODES);
            if (!taken[code]) {
                c.codes[c.offsets[i + 1]++] = (int32_t)code;
                taken[code] = true;
            }
        }
    }
    return c;
}

/* The whole table of P(a, b), place 0 for missing. A feature with itself pairs each value with
 * itself. */
static double slow_information(const column *f, const column *g, const uint8_t *use, size_t n) {
    double joint[MAX_CODES + 1][MAX_CODES + 1] = {{0}};
    double left[MAX_CODES + 1] = {0};
    double right[MAX_CODES + 1] = {0};
    double total = 0;
    for (size_t row = 0; row < n; row++) {
        const int64_t a = f->offsets[row + 1] - f->offsets[row];
        const int64_t b = g->offsets[row + 1] - g->offsets[row];
        const double weight = 1.0 / (double)((a > 0 ? a : 1) * (b > 0 && f != g ? b : 1));
        total += use[row] != 0;
        for (int64_t i = 0; use[row] && i < (a > 0 ? a : 1); i++) {
            for (int64_t j = f == g ? i : 0; j < (f == g ? i + 1 : b > 0 ? b : 1); j++) {
                const size_t x = a > 0 ? (size_t)f->codes[f->offsets[row] + i] + 1 : 0;
                const size_t y = b > 0 ? (size_t)g->codes[g->offsets[row] + j] + 1 : 0;
                joint[x][y] += weight;
                left[x] += weight;
                right[y] += weight;
            }
        }
    }
    double sum = 0;
    for (size_t x = 0; x <= MAX_CODES; x++) {
        for (size_t y = 0; y <= MAX_CODES; y++) {
            sum += joint[x][y] > 0
                       ? joint[x][y] / total * log(joint[x][y] * total / (left[x] * right[y]))
                       : 0;
        }
    }
    return sum;
}

static void it_equals_the_sum_over_the_whole_table(void **state) {
    (void)state;
    uint64_t random = 4;
    for (int round = 0; round < 2000; round++) {
        const size_t n = 1 + check_random_below(&random, MAX_ROWS);
        const column f = random_column(n, 1 + check_random_below(&random, MAX_VALUES), &random);
        const column g = random_column(n, 1 + check_random_below(&random, MAX_VALUES), &random);
        uint8_t use[MAX_ROWS];
        for (size_t i = 0; i < n; i++) {
            use[i] = i == 0 || check_random_below(&random, 3) > 0;
        }
        const double found = information(&f, &g, use, n);
        check_near(found, slow_information(&f, &g, use, n), 1e-12);
        check_near(information(&g, &f, use, n), found, 1e-12);
        check_near(information(&f, &f, use, n), slow_information(&f, &f, use, n), 1e-12);
        assert_true(found >= 0);
    }
}

static void features_with_many_values_fit(void **state) {
    (void)state;
    enum { MANY = 20000 };
    int64_t *offsets = calloc(MANY + 1, sizeof *offsets);
    int32_t *codes = calloc(MANY, sizeof *codes);
    int32_t *halves = calloc(MANY, sizeof *halves);
    uint8_t *use = calloc(MANY, 1);
    for (int32_t i = 0; i < MANY; i++) {
        offsets[i + 1] = i + 1;
        codes[i] = i;
        halves[i] = i % 2;
        use[i] = 1;
    }
    const dip_codes f = {offsets, codes};
    const dip_codes g = {offsets, halves};
    double found = 0;
    check_ok(dip_mutual_information(&f, &f, use, MANY, &found, check_error()));
    check_close(found, log(MANY), 1e-10);
    check_ok(dip_mutual_information(&f, &g, use, MANY, &found, check_error()));
    check_close(found, log(2), 1e-10);
    free(offsets);
    free(codes);
    free(halves);
    free(use);
}

/* ---- all pairs of features ------------------------------------------------------------------- */

static void every_pair_is_symmetric_and_below_the_entropies(void **state) {
    (void)state;
    enum { K = 5, ROWS = 40 };
    uint64_t random = 6;
    column columns[K];
    dip_codes codes[K];
    double matrix[K][K];
    for (size_t f = 0; f < K; f++) {
        columns[f] = random_column(ROWS, f < 2 ? 1 : 3, &random);
        codes[f] = codes_of(&columns[f]);
    }
    for (size_t f = 0; f < K; f++) {
        for (size_t g = 0; g < K; g++) {
            check_ok(dip_mutual_information(&codes[f], &codes[g], ALL, ROWS, &matrix[f][g],
                                            check_error()));
            check_near(matrix[f][g], slow_information(&columns[f], &columns[g], ALL, ROWS), 1e-12);
            check_near(matrix[f][g], g < f ? matrix[g][f] : matrix[f][g], 1e-12);
        }
    }
    /* Single-valued features: no more than the smaller entropy. */
    assert_true(matrix[0][1] <= fmin(matrix[0][0], matrix[1][1]) + 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_features_share_nothing),
        cmocka_unit_test(equal_features_share_their_entropy),
        cmocka_unit_test(renamed_values_change_nothing),
        cmocka_unit_test(a_function_of_a_feature_shares_its_own_entropy),
        cmocka_unit_test(a_case_worked_by_hand),
        cmocka_unit_test(missing_is_a_value_of_its_own),
        cmocka_unit_test(a_bag_spreads_the_weight_of_its_item),
        cmocka_unit_test(only_the_rows_in_use_count),
        cmocka_unit_test(it_equals_the_sum_over_the_whole_table),
        cmocka_unit_test(features_with_many_values_fit),
        cmocka_unit_test(every_pair_is_symmetric_and_below_the_entropies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
