/* SPDX-License-Identifier: Apache-2.0
 *
 * Sparse updates against the plain way: the gradient of a whole table summed occurrence by
 * occurrence, then one update of each row that occurs. Rows agree in the first digit of the radix
 * sort (11 bits) and differ in the second, they come again within a bag, a batch and across passes,
 * and Adagrad tells one update of a row from two.
 */
#include "engine/sparse.h"
#include "grad/tiny.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TABLE_ROWS = 6000, DIM = 3, EXAMPLES = 40, LONGEST = 5, PASSES = 2 };

#define RATE 0.3

/* Two features over one table: an id and a bag. */
typedef struct sparse_case {
    dip_schema schema;
    dip_table table;
    dip_feature features[2];
    dip_column columns[2];
    dip_rows rows;
    int32_t id[EXAMPLES];
    int64_t offsets[EXAMPLES + 1];
    int32_t bag[EXAMPLES * LONGEST];
    int32_t row[EXAMPLES];
    dip_config config;
    dip_towers towers;
    dip_pass pass[PASSES];
} sparse_case;

/* Few distinct rows, spread so that several agree in their low eleven bits. */
static int32_t draw_row(uint64_t *state) {
    const int32_t low = (int32_t)((tiny_noise(state) + 1) * 10);
    const int32_t high = (int32_t)((tiny_noise(state) + 1) * 1.5);
    const int32_t row = low + 2048 * high;
    return row < TABLE_ROWS ? row : low;
}

static void fill_rows(sparse_case *c) {
    uint64_t state = 321;
    for (size_t i = 0; i < EXAMPLES; i++) {
        c->row[i] = (int32_t)i;
        c->id[i] = i % 9 == 8 ? -1 : draw_row(&state);
        c->offsets[i + 1] = c->offsets[i];
        for (size_t j = 0; j < i % (LONGEST + 1); j++) {
            c->bag[c->offsets[i + 1]++] = draw_row(&state);
        }
    }
    c->columns[0] = (dip_column){.codes = c->id};
    c->columns[1] = (dip_column){.offsets = c->offsets, .codes = c->bag};
    c->rows = (dip_rows){.n = EXAMPLES, .columns = c->columns};
}

static void fill_schema(sparse_case *c, int pool) {
    snprintf(c->table.name, sizeof c->table.name, "value");
    c->table.rows = TABLE_ROWS;
    c->features[0] = (dip_feature){.type = DIP_FEATURE_ID, .deviation = 1};
    c->features[1] = (dip_feature){.type = DIP_FEATURE_BAG, .pool = pool, .deviation = 1};
    c->schema.tables = &c->table;
    c->schema.n_tables = 1;
    c->schema.queries_are_items = true;
    c->schema.items.n_features = 2;
    c->schema.items.features = c->features;
}

/* Only dx matters to the sparse update: it is filled with numbers, without a backward pass. */
static sparse_case *make_case(int pool) {
    sparse_case *c = calloc(1, sizeof *c);
    dip_error err = {0};
    uint64_t state = 77;
    assert_non_null(c);
    fill_rows(c);
    fill_schema(c, pool);
    tiny_config_make(&c->config);
    tiny_set(&c->config, "train.optimizer", "adagrad");
    tiny_set(&c->config, "train.decay", "0.1");
    assert_int_equal(dip_towers_create(&c->towers, &c->schema, &c->config, &err), DIP_OK);
    assert_int_equal(dip_params_alloc(&c->towers.params, true, &err), DIP_OK);
    dip_params_init(&c->towers.params, 3);
    for (size_t p = 0; p < PASSES; p++) {
        dip_pass *pass = &c->pass[p];
        assert_int_equal(dip_pass_create(pass, &c->towers.item, EXAMPLES, 1, true, &err), DIP_OK);
        assert_int_equal(dip_pass_load(pass, &c->rows, c->row, EXAMPLES, NULL, &err), DIP_OK);
        for (size_t i = 0; i < EXAMPLES * pass->tower->input; i++) {
            pass->dx[i] = tiny_noise(&state);
        }
    }
    return c;
}

static void free_case(sparse_case *c) {
    for (size_t p = 0; p < PASSES; p++) {
        dip_pass_free(&c->pass[p]);
    }
    dip_towers_free(&c->towers);
    free(c);
}

static double factor_of(int pool, int64_t n) {
    return pool == DIP_POOL_SUM ? 1 : pool == DIP_POOL_MEAN ? 1 / (double)n : 1 / sqrt((double)n);
}

static void add_row(double *gradient, bool *touched, int32_t row, double factor,
                    const dip_real *dx) {
    touched[row] = true;
    for (size_t k = 0; k < DIM; k++) {
        gradient[(size_t)row * DIM + k] += factor * dx[k];
    }
}

static void sum_plainly(const sparse_case *c, int pool, double *gradient, bool *touched) {
    for (size_t p = 0; p < PASSES; p++) {
        for (size_t i = 0; i < EXAMPLES; i++) {
            const dip_real *dx = c->pass[p].dx + i * 2 * DIM;
            const int64_t n = c->offsets[i + 1] - c->offsets[i];
            if (c->id[i] >= 0) {
                add_row(gradient, touched, c->id[i], 1, dx);
            }
            for (int64_t j = c->offsets[i]; j < c->offsets[i + 1]; j++) {
                add_row(gradient, touched, c->bag[j], factor_of(pool, n), dx + DIM);
            }
        }
    }
}

/* The first step of Adagrad from 0, after decay. */
static double expected_value(double value, double g) {
    const double decayed = value - RATE * 0.1 * value;
    return decayed - RATE * g / (sqrt(g * g) + 1e-10);
}

static void run_update(sparse_case *c) {
    dip_sparse sparse;
    dip_optimizer optimizer;
    dip_error err = {0};
    dip_params *params = &c->towers.params;
    const dip_pass *passes[PASSES] = {&c->pass[0], &c->pass[1]};
    assert_int_equal(dip_optimizer_create(&optimizer, params, &c->config, &err), DIP_OK);
    assert_int_equal(dip_sparse_create(&sparse, params, 2, &err), DIP_OK);
    assert_int_equal(dip_sparse_collect(&sparse, passes, PASSES, &err), DIP_OK);
    const dip_update update = dip_optimizer_begin(&optimizer, RATE);
    dip_sparse_update(&sparse, params, &optimizer, &update);
    dip_sparse_free(&sparse);
    dip_optimizer_free(&optimizer);
}

static void check_pool(int pool) {
    sparse_case *c = make_case(pool);
    double *gradient = calloc(TABLE_ROWS * DIM, sizeof *gradient);
    bool *touched = calloc(TABLE_ROWS, sizeof *touched);
    dip_real *before = malloc(TABLE_ROWS * DIM * sizeof *before);
    assert_non_null(gradient);
    assert_non_null(touched);
    assert_non_null(before);
    const dip_param *table = &c->towers.params.list[0];
    assert_int_equal(table->kind, DIP_PARAM_TABLE);
    memcpy(before, table->value, TABLE_ROWS * DIM * sizeof *before);
    sum_plainly(c, pool, gradient, touched);
    run_update(c);
    for (size_t i = 0; i < TABLE_ROWS * DIM; i++) {
        if (touched[i / DIM]) {
            assert_true(fabs(table->value[i] - expected_value(before[i], gradient[i])) < 1e-9);
        } else {
            assert_true(table->value[i] == before[i]);
        }
    }
    free(gradient);
    free(touched);
    free(before);
    free_case(c);
}

static void every_touched_row_is_updated_once_with_the_sum_of_its_occurrences(void **state) {
    (void)state;
    check_pool(DIP_POOL_MEAN);
    check_pool(DIP_POOL_SUM);
    check_pool(DIP_POOL_SQRTN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_touched_row_is_updated_once_with_the_sum_of_its_occurrences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
