/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a batch: which values of which features reach the input of a tower under a view. The
 * batch is in memory: an id, a short bag, a long bag and a number for every row. Rates are checked
 * within four standard deviations of fixed seeds. (The numbers of the model are tested in
 * tests/grad.)
 */
#include "check.h"
#include "model/pass.h"

#include "base/mem.h"

enum { ROWS = 2000, SHORT = 3, LONG = 10, F = 4, DIM = 2 };
enum { ID, SHORT_BAG, LONG_BAG, NUMBER };

typedef struct world {
    dip_schema schema;
    dip_towers towers;
    dip_pass pass;
    dip_rows rows;
    dip_column columns[F];
    int32_t id[ROWS];
    int64_t offsets[2][ROWS + 1];
    int32_t values[2][ROWS * LONG];
    float number[ROWS];
    int32_t row[ROWS];
} world;

static void make_schema(dip_schema *schema, int pool) {
    static const int TYPES[F] = {DIP_FEATURE_ID, DIP_FEATURE_BAG, DIP_FEATURE_TEXT,
                                 DIP_FEATURE_NUMERIC};
    schema->queries_are_items = true;
    schema->n_tables = 3;
    schema->tables = dip_alloc(3, sizeof *schema->tables, "tables", check_error());
    schema->items.n_features = F;
    schema->items.features = dip_alloc(F, sizeof *schema->items.features, "f", check_error());
    for (size_t f = 0; f < F; f++) {
        dip_feature *feature = &schema->items.features[f];
        dip_options_default(&dip_feature_table, feature, sizeof *feature);
        snprintf(feature->name, sizeof feature->name, "f%zu", f);
        feature->type = TYPES[f];
        feature->pool = pool;
        feature->table = f < 3 ? (int)f : -1;
        feature->deviation = 1;
        if (f < 3) {
            snprintf(schema->tables[f].name, sizeof schema->tables[f].name, "t%zu", f);
            schema->tables[f].rows = ROWS * LONG;
        }
    }
}

/* Value j of the bag of row i is i * length + j: what is kept tells where it came from. */
static void fill_rows(world *w) {
    static const int64_t LENGTHS[2] = {SHORT, LONG};
    for (int32_t i = 0; i < ROWS; i++) {
        w->id[i] = i;
        w->row[i] = i;
        w->number[i] = (float)i + 0.5f;
        for (size_t b = 0; b < 2; b++) {
            w->offsets[b][i + 1] = w->offsets[b][i] + LENGTHS[b];
            for (int64_t j = w->offsets[b][i]; j < w->offsets[b][i + 1]; j++) {
                w->values[b][j] = (int32_t)j;
            }
        }
    }
    w->columns[ID].codes = w->id;
    w->columns[SHORT_BAG] = (dip_column){w->offsets[0], w->values[0], NULL};
    w->columns[LONG_BAG] = (dip_column){w->offsets[1], w->values[1], NULL};
    w->columns[NUMBER].numbers = w->number;
    w->rows = (dip_rows){.n = ROWS, .columns = w->columns};
}

static world *make_world(int pool, int threads) {
    world *w = calloc(1, sizeof *w);
    dip_config config;
    assert_non_null(w);
    make_schema(&w->schema, pool);
    fill_rows(w);
    dip_options_default(&dip_config_table, &config, sizeof config);
    config.model.dim = DIM;
    config.model.hidden = (dip_list){1, {3}};
    check_ok(dip_towers_create(&w->towers, &w->schema, &config, check_error()));
    check_ok(dip_params_alloc(&w->towers.params, false, check_error()));
    dip_params_init(&w->towers.params, 1);
    check_ok(dip_pass_create(&w->pass, &w->towers.item, ROWS, threads, false, check_error()));
    return w;
}

static void free_world(world *w) {
    dip_pass_free(&w->pass);
    dip_towers_free(&w->towers);
    dip_schema_free(&w->schema);
    free(w);
}

static const dip_span *span_of(const world *w, size_t i, size_t f) {
    return &w->pass.span[i * F + f];
}

static void load(world *w, size_t n, const dip_view *view) {
    check_ok(dip_pass_load(&w->pass, &w->rows, w->row, n, view, check_error()));
}

/* Which of the values of a bag are kept, as bits; they stand in their order. */
static uint32_t kept_of(const world *w, size_t i, size_t f) {
    const dip_span *span = span_of(w, i, f);
    const int32_t first = (int32_t)(w->columns[f].offsets[w->row[i]]);
    uint32_t kept = 0;
    int32_t before = -1;
    for (uint32_t j = 0; j < span->n; j++) {
        const int32_t place = w->pass.kept[span->start + j] - first;
        assert_in_range(place, 0, LONG - 1);
        assert_true(place > before);
        before = place;
        kept |= 1u << place;
    }
    return kept;
}

static void without_a_view_everything_is_kept(void **state) {
    (void)state;
    const dip_view plain = {.step = 3};
    for (int v = 0; v < 2; v++) {
        world *w = make_world(DIP_POOL_MEAN, 2);
        load(w, ROWS, v == 0 ? NULL : &plain);
        for (size_t i = 0; i < ROWS; i++) {
            assert_int_equal(span_of(w, i, ID)->n, 1);
            assert_int_equal(w->pass.kept[span_of(w, i, ID)->start], (int32_t)i);
            assert_int_equal(kept_of(w, i, SHORT_BAG), (1 << SHORT) - 1);
            assert_int_equal(kept_of(w, i, LONG_BAG), (1 << LONG) - 1);
            assert_true(dip_span_has_number(span_of(w, i, NUMBER)));
            assert_int_equal(span_of(w, i, NUMBER)->n, 0);
        }
        free_world(w);
    }
}

static dip_view dropping(double rate, dip_purpose purpose, uint64_t step) {
    return (dip_view){.value_dropout = rate, .rng = dip_rng_make(1, purpose), .step = step};
}

static void values_are_dropped_at_their_rate(void **state) {
    (void)state;
    static const double RATES[] = {0.01, 0.3, 0.5, 0.9, 0.99};
    world *w = make_world(DIP_POOL_MEAN, 2);
    for (size_t r = 0; r < sizeof RATES / sizeof RATES[0]; r++) {
        const dip_view view = dropping(RATES[r], DIP_DRAW_VIEW_H, r);
        int64_t dropped[LONG] = {0};
        load(w, ROWS, &view);
        for (size_t i = 0; i < ROWS; i++) {
            const uint32_t kept = kept_of(w, i, LONG_BAG);
            for (size_t j = 0; j < LONG; j++) {
                dropped[j] += ((kept >> j) & 1) == 0;
            }
            assert_int_equal(span_of(w, i, ID)->n, 1); /* no bag, so nothing is dropped */
            assert_true(dip_span_has_number(span_of(w, i, NUMBER)));
        }
        int64_t sum = 0;
        for (size_t j = 0; j < LONG; j++) {
            check_share(dropped[j], ROWS, RATES[r], 4);
            sum += dropped[j];
        }
        check_share(sum, ROWS * LONG, RATES[r], 4);
    }
    free_world(w);
}

/* Values of one bag fall independently of each other: neighbours share a draw's words, not its
 * luck. */
static void values_of_a_bag_fall_independently(void **state) {
    (void)state;
    const double rate = 0.4;
    const dip_view view = dropping(rate, DIP_DRAW_VIEW_H, 7);
    int64_t both[LONG][LONG] = {{0}};
    world *w = make_world(DIP_POOL_MEAN, 1);
    load(w, ROWS, &view);
    for (size_t i = 0; i < ROWS; i++) {
        const uint32_t kept = kept_of(w, i, LONG_BAG);
        for (size_t a = 0; a < LONG; a++) {
            for (size_t b = 0; b < a; b++) {
                both[a][b] += ((kept >> a) & (kept >> b) & 1) != 0;
            }
        }
    }
    for (size_t a = 0; a < LONG; a++) {
        for (size_t b = 0; b < a; b++) {
            check_share(both[a][b], ROWS, (1 - rate) * (1 - rate), 4);
        }
    }
    free_world(w);
}

/* The same value in two batches: two views, two steps, or two bags of one example. */
static void check_independent(const uint32_t *a, const uint32_t *b, size_t bits, double rate) {
    int64_t both = 0;
    int64_t one = 0;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < bits; j++) {
            const uint32_t x = (a[i] >> j) & 1;
            const uint32_t y = (b[i] >> j) & 1;
            both += (int64_t)(x & y);
            one += (int64_t)(x ^ y);
        }
    }
    const double n = (double)(ROWS * bits);
    check_share(both, n, (1 - rate) * (1 - rate), 4);
    check_share(one, n, 2 * rate * (1 - rate), 4);
}

static void keep_all(world *w, const dip_view *view, size_t f, uint32_t *kept) {
    load(w, ROWS, view);
    for (size_t i = 0; i < ROWS; i++) {
        kept[i] = kept_of(w, i, f);
    }
}

static void the_views_drop_independently(void **state) {
    (void)state;
    static uint32_t h[ROWS];
    static uint32_t g[ROWS];
    static uint32_t later[ROWS];
    static uint32_t other_bag[ROWS];
    const double rate = 0.3;
    const dip_view view_h = dropping(rate, DIP_DRAW_VIEW_H, 5);
    const dip_view view_g = dropping(rate, DIP_DRAW_VIEW_G, 5);
    const dip_view next = dropping(rate, DIP_DRAW_VIEW_H, 6);
    world *w = make_world(DIP_POOL_MEAN, 2);
    keep_all(w, &view_h, LONG_BAG, h);
    keep_all(w, &view_g, LONG_BAG, g);
    keep_all(w, &next, LONG_BAG, later);
    keep_all(w, &view_h, SHORT_BAG, other_bag);
    check_independent(h, g, LONG, rate);
    check_independent(h, later, LONG, rate);
    check_independent(h, other_bag, SHORT, rate);
    free_world(w);
}

static void a_step_always_drops_the_same_on_any_number_of_threads(void **state) {
    (void)state;
    static uint32_t kept[3][ROWS];
    const dip_view view = dropping(0.3, DIP_DRAW_VIEW_H, 5);
    for (int threads = 1; threads <= 3; threads++) {
        world *w = make_world(DIP_POOL_MEAN, threads);
        keep_all(w, &view, LONG_BAG, kept[threads - 1]);
        free_world(w);
    }
    assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
    assert_memory_equal(kept[0], kept[2], sizeof kept[0]);
}

/* ---- what reaches the tower ------------------------------------------------------------------ */

/* Block f of example i is the default of that feature. */
static bool is_default(const world *w, size_t i, size_t f) {
    const dip_tower *tower = &w->towers.item;
    const dip_tower_block *block = &tower->block[f];
    const float *x = w->pass.x + i * tower->input + block->offset;
    const float *fallback = w->towers.params.list[tower->fallback].value + block->offset;
    return memcmp(x, fallback, block->width * sizeof *x) == 0;
}

static void a_bag_that_loses_everything_takes_its_default(void **state) {
    (void)state;
    const dip_view view = dropping(0.7, DIP_DRAW_VIEW_H, 1);
    int64_t empty = 0;
    world *w = make_world(DIP_POOL_MEAN, 2);
    load(w, ROWS, &view);
    dip_pass_forward(&w->pass, &w->towers.params);
    for (size_t i = 0; i < ROWS; i++) {
        const bool lost = span_of(w, i, SHORT_BAG)->n == 0;
        assert_int_equal(is_default(w, i, SHORT_BAG), lost);
        assert_false(is_default(w, i, ID) || is_default(w, i, NUMBER));
        empty += lost;
    }
    check_share(empty, ROWS, 0.7 * 0.7 * 0.7, 4);
    free_world(w);
}

static void a_masked_feature_takes_its_default_in_every_example(void **state) {
    (void)state;
    world *w = make_world(DIP_POOL_MEAN, 2);
    for (uint64_t mask = 0; mask < 1 << F; mask++) {
        const dip_view view = {.mask = mask};
        load(w, 200, &view);
        dip_pass_forward(&w->pass, &w->towers.params);
        for (size_t i = 0; i < 200; i++) {
            for (size_t f = 0; f < F; f++) {
                assert_int_equal(is_default(w, i, f), (mask >> f) & 1);
            }
        }
    }
    free_world(w);
}

static void masks_of_single_examples_are_theirs(void **state) {
    (void)state;
    world *w = make_world(DIP_POOL_MEAN, 2);
    uint64_t each[200];
    for (size_t i = 0; i < 200; i++) {
        each[i] = (i * 5 + 1) % (1 << F);
    }
    const dip_view view = {.mask = 1, .each = each};
    load(w, 200, &view);
    dip_pass_forward(&w->pass, &w->towers.params);
    for (size_t i = 0; i < 200; i++) {
        for (size_t f = 0; f < F; f++) {
            assert_int_equal(is_default(w, i, f), (each[i] >> f) & 1);
        }
    }
    assert_int_equal(w->pass.mask, 0);
    free_world(w);
}

static void missing_values_take_their_default(void **state) {
    (void)state;
    world *w = make_world(DIP_POOL_MEAN, 1);
    w->id[3] = -1;
    w->number[4] = NAN;
    w->offsets[0][6] = w->offsets[0][5]; /* row 5 has no value; row 6 has six */
    load(w, 10, NULL);
    dip_pass_forward(&w->pass, &w->towers.params);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(is_default(w, i, ID), i == 3);
        assert_int_equal(is_default(w, i, NUMBER), i == 4);
        assert_int_equal(is_default(w, i, SHORT_BAG), i == 5);
        assert_false(is_default(w, i, LONG_BAG));
    }
    free_world(w);
}

/* Kept values are pooled: their mean, their sum, or the sum over sqrt(n); a number goes in as it
 * is. */
static void check_pooling(int pool, double power) {
    const dip_view view = dropping(0.4, DIP_DRAW_VIEW_H, 2);
    world *w = make_world(pool, 2);
    const dip_tower *tower = &w->towers.item;
    load(w, ROWS, &view);
    dip_pass_forward(&w->pass, &w->towers.params);
    for (size_t i = 0; i < ROWS; i++) {
        const float *x = w->pass.x + i * tower->input;
        const dip_span *span = span_of(w, i, LONG_BAG);
        const float *table = w->towers.params.list[tower->block[LONG_BAG].table].value;
        for (size_t c = 0; c < DIM && span->n > 0; c++) {
            double sum = 0;
            for (uint32_t j = 0; j < span->n; j++) {
                sum += (double)table[(size_t)w->pass.kept[span->start + j] * DIM + c];
            }
            check_near((double)x[tower->block[LONG_BAG].offset + c], sum / pow(span->n, power),
                       1e-5);
        }
        assert_true(x[tower->block[NUMBER].offset] == (float)i + 0.5f);
    }
    free_world(w);
}

static void kept_values_are_pooled(void **state) {
    (void)state;
    check_pooling(DIP_POOL_MEAN, 1);
    check_pooling(DIP_POOL_SUM, 0);
    check_pooling(DIP_POOL_SQRTN, 0.5);
    for (uint32_t n = 1; n < 20; n++) {
        check_close((double)dip_pool_factor(DIP_POOL_MEAN, n), 1.0 / n, 1e-7);
        check_close((double)dip_pool_factor(DIP_POOL_SUM, n), 1, 0);
        check_close((double)dip_pool_factor(DIP_POOL_SQRTN, n), 1 / sqrt(n), 1e-7);
    }
}

/* ---- feature dropout ------------------------------------------------------------------------- */

static bool is_masked(const world *w, size_t i, size_t f) {
    return span_of(w, i, f)->n == 0 && !dip_span_has_number(span_of(w, i, f));
}

/* When all would be masked one stays, so a feature is masked with p - p^F / F. */
static void features_are_dropped_at_their_rate_but_never_all(void **state) {
    (void)state;
    static const double RATES[] = {0.1, 0.5, 0.9};
    world *w = make_world(DIP_POOL_MEAN, 2);
    for (size_t r = 0; r < 3; r++) {
        const dip_view view = {.feature_dropout = RATES[r],
                               .droppable = UINT64_MAX,
                               .rng = dip_rng_make(1, DIP_DRAW_FEATURE),
                               .step = r};
        int64_t masked[F] = {0};
        load(w, ROWS, &view);
        for (size_t i = 0; i < ROWS; i++) {
            size_t lost = 0;
            for (size_t f = 0; f < F; f++) {
                masked[f] += is_masked(w, i, f);
                lost += is_masked(w, i, f);
            }
            assert_true(lost < F);
        }
        for (size_t f = 0; f < F; f++) {
            check_share(masked[f], ROWS, RATES[r] - pow(RATES[r], F) / F, 4);
        }
    }
    free_world(w);
}

/* One that is the only droppable feature has no need to stay. */
static void only_what_is_droppable_is_dropped(void **state) {
    (void)state;
    enum { DROPPED = 1 };
    static const double RATES[] = {0.1, 0.5, 0.9};
    world *w = make_world(DIP_POOL_MEAN, 2);
    for (size_t r = 0; r < 3; r++) {
        const dip_view view = {.feature_dropout = RATES[r],
                               .droppable = 1 << DROPPED,
                               .rng = dip_rng_make(2, DIP_DRAW_FEATURE),
                               .step = r};
        int64_t masked = 0;
        load(w, ROWS, &view);
        for (size_t i = 0; i < ROWS; i++) {
            for (size_t f = 0; f < F; f++) {
                assert_true(f == DROPPED || !is_masked(w, i, f));
            }
            masked += is_masked(w, i, DROPPED);
        }
        check_share(masked, ROWS, RATES[r], 4);
    }
    free_world(w);
}

static void a_bag_longer_than_ever_is_loaded(void **state) {
    (void)state;
    enum { HUGE = 5000 };
    static int64_t offsets[3] = {0, HUGE, HUGE + 1};
    static int32_t codes[HUGE + 1];
    world *w = make_world(DIP_POOL_MEAN, 1);
    load(w, 1, NULL);
    w->columns[LONG_BAG] = (dip_column){offsets, codes, NULL};
    load(w, 2, NULL);
    assert_int_equal(span_of(w, 0, LONG_BAG)->n, HUGE);
    assert_int_equal(span_of(w, 1, LONG_BAG)->n, 1);
    assert_int_equal(w->pass.kept[span_of(w, 1, ID)->start], 1);
    free_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_view_everything_is_kept),
        cmocka_unit_test(values_are_dropped_at_their_rate),
        cmocka_unit_test(values_of_a_bag_fall_independently),
        cmocka_unit_test(the_views_drop_independently),
        cmocka_unit_test(a_step_always_drops_the_same_on_any_number_of_threads),
        cmocka_unit_test(a_bag_that_loses_everything_takes_its_default),
        cmocka_unit_test(a_masked_feature_takes_its_default_in_every_example),
        cmocka_unit_test(masks_of_single_examples_are_theirs),
        cmocka_unit_test(missing_values_take_their_default),
        cmocka_unit_test(kept_values_are_pooled),
        cmocka_unit_test(features_are_dropped_at_their_rate_but_never_all),
        cmocka_unit_test(only_what_is_droppable_is_dropped),
        cmocka_unit_test(a_bag_longer_than_ever_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
