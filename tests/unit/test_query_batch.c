/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries of the second loss: uniform and distinct, with masks of their own, and the mutual
 * information of their features against one computed here from the columns.
 */
#include "check.h"
#include "prepare/query_information.h"
#include "train/query_batch.h"

enum { QUERIES = 50, LEAST = 40, FEATURES = 4, STEPS = 3000, BATCH = 7, LONGEST = 3 };

typedef struct shop {
    dip_dataset dataset;
    dip_config config;
    dip_feature features[FEATURES];
    dip_column columns[FEATURES]; /* two codes that go together, a bag, a number */
    int32_t kind[QUERIES];
    int32_t country[QUERIES];
    int64_t offsets[QUERIES + 1];
    int32_t tags[QUERIES * LONGEST];
    float age[QUERIES];
    int32_t pairs[2 * QUERIES];
} shop;

/* Queries from LEAST on have no training pair. */
static void make(shop *s) {
    uint64_t random = 21;
    memset(s, 0, sizeof *s);
    dip_options_default(&dip_config_table, &s->config, sizeof s->config);
    for (int32_t i = 0; i < QUERIES; i++) {
        s->kind[i] = (int32_t)check_random_below(&random, 4) - 1;
        s->country[i] = check_random_below(&random, 5) == 0 ? 2 : s->kind[i] / 2;
        s->age[i] = i % 6 == 0 ? NAN : (float)(5 * check_random_unit(&random) - 2.5);
        s->offsets[i + 1] = s->offsets[i];
        for (uint64_t left = check_random_below(&random, LONGEST + 1); left > 0; left--) {
            s->tags[s->offsets[i + 1]++] = (int32_t)check_random_below(&random, 3);
        }
        s->pairs[2 * i] = i % LEAST;
    }
    s->columns[0] = (dip_column){.codes = s->kind};
    s->columns[1] = (dip_column){.codes = s->country};
    s->columns[2] = (dip_column){.offsets = s->offsets, .codes = s->tags};
    s->columns[3] = (dip_column){.numbers = s->age};
    s->dataset.queries = (dip_rows){.n = QUERIES, .columns = s->columns};
    s->dataset.schema.queries.n_features = FEATURES;
    s->dataset.schema.queries.features = s->features;
    s->dataset.n_pairs[0] = QUERIES;
    s->dataset.pairs[0] = s->pairs;
    s->config.ssl.batch = BATCH;
    s->config.ssl.towers = DIP_TOWERS_BOTH;
    s->config.threads = 2;
}

/* ---- information ----------------------------------------------------------------------------- */

enum { VALUES = 24 };

/* The share of each value of a feature in a row; value 0 is missing. */
static void shares(const shop *s, size_t f, size_t row, double share[VALUES]) {
    memset(share, 0, VALUES * sizeof *share);
    const double n = (double)(s->offsets[row + 1] - s->offsets[row]);
    if (f < 2) {
        share[(f == 0 ? s->kind : s->country)[row] + 1] = 1;
    } else if (f == 2) {
        share[0] = n == 0;
        for (int64_t at = s->offsets[row]; at < s->offsets[row + 1]; at++) {
            share[s->tags[at] + 1] += 1 / n;
        }
    } else if (isnan(s->age[row])) {
        share[0] = 1;
    } else {
        size_t bin = 0;
        while (bin < 19 && (double)s->age[row] >= -1.8 + 0.2 * (double)bin) {
            bin++;
        }
        share[bin + 1] = 1;
    }
}

/* Eq. 4 with the whole joint table. */
static double information_of(const shop *s, size_t f, size_t g) {
    static double joint[VALUES][VALUES];
    double a[VALUES] = {0};
    double b[VALUES] = {0};
    double sum = 0;
    memset(joint, 0, sizeof joint);
    for (size_t row = 0; row < LEAST; row++) {
        double x[VALUES];
        double y[VALUES];
        shares(s, f, row, x);
        shares(s, g, row, y);
        for (size_t i = 0; i < VALUES; i++) {
            a[i] += x[i] / LEAST;
            b[i] += y[i] / LEAST;
            for (size_t j = 0; j < VALUES; j++) {
                /* A feature with itself has its entropy. */
                joint[i][j] += (f == g ? (i == j ? x[i] : 0) : x[i] * y[j]) / LEAST;
            }
        }
    }
    for (size_t i = 0; i < VALUES; i++) {
        for (size_t j = 0; j < VALUES; j++) {
            sum += joint[i][j] > 0 ? joint[i][j] * log(joint[i][j] / (a[i] * b[j])) : 0;
        }
    }
    return sum;
}

static void information_is_that_of_queries_with_training_pairs(void **state) {
    (void)state;
    static shop s;
    double matrix[FEATURES * FEATURES];
    make(&s);
    check_ok(dip_query_information(&s.dataset, 1, matrix, check_error()));
    for (size_t f = 0; f < FEATURES; f++) {
        for (size_t g = 0; g < FEATURES; g++) {
            check_near(matrix[f * FEATURES + g], information_of(&s, f, g), 1e-9);
        }
    }
    /* The two that go together know more of each other than of the rest. */
    assert_true(matrix[1] > matrix[2] && matrix[1] > 0.2);
}

/* ---- batches --------------------------------------------------------------------------------- */

static void queries_are_distinct_and_uniform(void **state) {
    (void)state;
    static shop s;
    dip_query_batch batch;
    int64_t count[QUERIES] = {0};
    make(&s);
    check_ok(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()));
    for (uint64_t step = 0; step < STEPS; step++) {
        const dip_self_queries q = dip_query_batch_fill(&batch, step);
        assert_int_equal(q.n, BATCH);
        for (size_t i = 0; i < q.n; i++) {
            assert_in_range(q.row[i], 0, QUERIES - 1);
            count[q.row[i]]++;
            for (size_t j = 0; j < i; j++) {
                assert_int_not_equal(q.row[i], q.row[j]);
            }
        }
        assert_int_equal(q.masks.h & q.masks.g, 0);
        assert_int_equal(q.masks.h | q.masks.g, (1 << FEATURES) - 1);
    }
    for (size_t i = 0; i < QUERIES; i++) {
        check_share(count[i], STEPS, (double)BATCH / QUERIES, 4);
    }
    dip_query_batch_free(&batch);
}

static void a_step_always_has_the_same_queries_and_masks(void **state) {
    (void)state;
    static shop s;
    dip_query_batch one;
    dip_query_batch three;
    make(&s);
    s.config.ssl.masks = DIP_MASKS_EXAMPLE;
    check_ok(dip_query_batch_create(&one, &s.dataset, &s.config, check_error()));
    s.config.threads = 3;
    check_ok(dip_query_batch_create(&three, &s.dataset, &s.config, check_error()));
    dip_query_batch_fill(&three, 4);
    const dip_self_queries a = dip_query_batch_fill(&one, 9);
    const dip_self_queries b = dip_query_batch_fill(&three, 9);
    assert_memory_equal(a.row, b.row, BATCH * sizeof *a.row);
    assert_memory_equal(a.each_h, b.each_h, BATCH * sizeof *a.each_h);
    assert_memory_equal(a.each_g, b.each_g, BATCH * sizeof *a.each_g);
    assert_true(a.masks.h == b.masks.h);
    bool differs = false;
    for (size_t i = 1; i < BATCH; i++) {
        differs = differs || a.each_h[i] != a.each_h[0];
    }
    assert_true(differs);
    dip_query_batch_free(&one);
    dip_query_batch_free(&three);
}

static void one_feature_cannot_be_masked(void **state) {
    (void)state;
    static const int METHODS[] = {DIP_METHOD_CFM, DIP_METHOD_RFM, DIP_METHOD_CFM_NO_COMPLEMENT};
    static shop s;
    dip_query_batch batch;
    make(&s);
    s.dataset.schema.queries.n_features = 1;
    for (size_t m = 0; m < sizeof METHODS / sizeof METHODS[0]; m++) {
        s.config.ssl.method = METHODS[m];
        check_fails(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()),
                    DIP_ERR_USAGE, "at least two query features and there is 1; use item");
        dip_query_batch_free(&batch);
    }
    s.config.ssl.method = DIP_METHOD_NOISE;
    check_ok(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()));
    assert_int_equal(dip_query_batch_fill(&batch, 1).n, BATCH);
    dip_query_batch_free(&batch);
}

/* A batch never has more queries than there are, and one is none. */
static void few_queries_make_a_small_batch(void **state) {
    (void)state;
    static shop s;
    dip_query_batch batch;
    make(&s);
    s.config.ssl.method = DIP_METHOD_RFM;
    s.dataset.queries.n = 3;
    check_ok(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()));
    assert_int_equal(dip_query_batch_fill(&batch, 1).n, 3);
    dip_query_batch_free(&batch);
    s.dataset.queries.n = 1;
    check_fails(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()),
                DIP_ERR_FAILED, "there are 1 queries");
    dip_query_batch_free(&batch);
}

static void without_a_second_loss_on_queries_there_are_none(void **state) {
    (void)state;
    static shop s;
    dip_query_batch batch;
    make(&s);
    s.config.ssl.method = DIP_METHOD_NONE;
    check_ok(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()));
    assert_int_equal(dip_query_batch_fill(&batch, 1).n, 0);
    s.config.ssl.method = DIP_METHOD_CFM;
    s.config.ssl.towers = DIP_TOWERS_ITEM;
    check_ok(dip_query_batch_create(&batch, &s.dataset, &s.config, check_error()));
    assert_int_equal(dip_query_batch_fill(&batch, 1).n, 0);
    dip_query_batch_free(&batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(information_is_that_of_queries_with_training_pairs),
        cmocka_unit_test(queries_are_distinct_and_uniform),
        cmocka_unit_test(a_step_always_has_the_same_queries_and_masks),
        cmocka_unit_test(one_feature_cannot_be_masked),
        cmocka_unit_test(few_queries_make_a_small_batch),
        cmocka_unit_test(without_a_second_loss_on_queries_there_are_none),
    };
    return cmocka_run_group_tests_name("query batch", tests, NULL, NULL);
}
