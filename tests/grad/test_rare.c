/* SPDX-License-Identifier: Apache-2.0
 *
 * Rare ids (model/rare.h): which they are, that they are to a step what missing ones are, and that
 * the rows of a model's file say the same without marks.
 *
 *   item            0 1 2 3 4 5 6 7 8
 *   training pairs  5 1 6 2 4 3 1 2 0, and the id of item 8 is unknown
 *   query           0 1 2 3 4
 *   training pairs  5 4 5 5 5, and the id of query 4 is unknown
 */
#include "grad/engine_case.h"
#include "model/rare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const THREE[][2] = {{"train.id_min_pairs", "3"}, {NULL, NULL}};
static const char *const THREE_AND_DROPPED[][2] = {{"train.id_min_pairs", "3"},
                                                   {"train.query_min_pairs", "5"},
                                                   {"train.id_dropout", "0.5"},
                                                   {NULL, NULL}};
static const char *const ALL[][2] = {
    {"train.id_min_pairs", "3"}, {"train.query_min_pairs", "5"}, {NULL, NULL}};
static const char *const NONE[][2] = {{NULL, NULL}};

static const int32_t WITHOUT_RARE[TINY_ITEMS] = {0, -1, 2, -1, 4, 5, -1, -1, -1};
static const int32_t QUERIES_WITHOUT_RARE[TINY_QUERIES] = {0, -1, 2, 3, -1};

/* Both kinds of queries, and all that the towers can share. */
static const struct {
    tiny_kind kind;
    const char *share;
} TOWERS[] = {{TINY_ITEMS_ARE_QUERIES, "tables"},
              {TINY_ITEMS_ARE_QUERIES, "none"},
              {TINY_ITEMS_ARE_QUERIES, "all"},
              {TINY_OWN_QUERIES, "tables"},
              {TINY_OWN_QUERIES, "none"}};
enum { N_TOWERS = sizeof TOWERS / sizeof TOWERS[0] };

static setting setting_of(size_t t, const char *method, const char *const (*more)[2]) {
    return (setting){TOWERS[t].kind, TOWERS[t].share, "exact", "yes", method, "items", 0, more};
}

static void gradients_are_right(void **state) {
    (void)state;
    for (size_t t = 0; t < N_TOWERS; t++) {
        const setting s = setting_of(t, t % 2 == 0 ? "cfm" : "noise", THREE_AND_DROPPED);
        difference_worst worst = {0};
        char text[100];
        case_check(&worst, &s);
        snprintf(text, sizeof text, "rare ids, towers %zu", t);
        difference_report(&worst, text);
    }
}

/* The marks of a block are those of a list, and only the rows of marked ids are 0. */
static void check_block(const dip_towers *towers, const dip_tower_block *block,
                        const int32_t *without_rare) {
    for (size_t id = 0; id < block->rows; id++) {
        const dip_real *row = towers->params.list[block->table].value + id * block->width;
        const bool is_rare = without_rare[id] < 0;
        assert_int_equal(block->rare[id], is_rare);
        for (size_t c = 0; c < block->width; c++) {
            assert_true((row[c] == 0) == is_rare);
        }
    }
}

static void ids_with_fewer_pairs_are_rare(void **state) {
    (void)state;
    for (size_t t = 0; t < N_TOWERS; t++) {
        const bool has_own = TOWERS[t].kind == TINY_OWN_QUERIES;
        const setting three = setting_of(t, "none", THREE);
        const setting all = setting_of(t, "none", ALL);
        engine_case *k = case_create(&three, 1);
        const dip_towers *towers = dip_engine_towers(k->engine);
        check_block(towers, &towers->item.block[0], WITHOUT_RARE);
        assert_true((towers->query.block[0].rare == NULL) == has_own);
        case_free(k);
        k = case_create(&all, 1);
        towers = dip_engine_towers(k->engine);
        check_block(towers, &towers->item.block[0], WITHOUT_RARE);
        check_block(towers, &towers->query.block[0], has_own ? QUERIES_WITHOUT_RARE : WITHOUT_RARE);
        assert_null(towers->item.block[1].rare);
        assert_null(towers->query.block[1].rare);
        case_free(k);
    }
}

/* The same step in a world where the rare ids are not there, with the same bits. */
static void a_rare_id_is_a_missing_one(void **state) {
    (void)state;
    static const char *const METHODS[] = {"none", "cfm", "feature-dropout"};
    for (size_t t = 0; t < N_TOWERS; t++) {
        for (size_t m = 0; m < sizeof METHODS / sizeof METHODS[0]; m++) {
            const setting with = setting_of(t, METHODS[m], ALL);
            const setting without = setting_of(t, METHODS[m], NONE);
            engine_case *k = case_create(&with, 2);
            engine_case *other = case_create(&without, 2);
            dip_losses found;
            dip_losses expected;
            dip_error err = {0};
            other->world.item_columns[0].codes = WITHOUT_RARE;
            if (TOWERS[t].kind == TINY_OWN_QUERIES) {
                other->world.query_columns[0].codes = QUERIES_WITHOUT_RARE;
            }
            for (int step = 0; step < 3; step++) {
                assert_int_equal(dip_engine_compute(k->engine, &k->batch, &found, &err), DIP_OK);
                assert_int_equal(dip_engine_compute(other->engine, &other->batch, &expected, &err),
                                 DIP_OK);
                assert_true(found.total == expected.total && found.main == expected.main);
                dip_engine_update(k->engine, 0.1);
                dip_engine_update(other->engine, 0.1);
            }
            case_free(other);
            case_free(k);
        }
    }
}

enum { WIDTH = 4 };

static void encode(engine_case *k, dip_side side, dip_real *u) {
    const dip_towers *towers = dip_engine_towers(k->engine);
    const dip_rows *rows = dip_dataset_rows(&k->world.dataset, side);
    int32_t row[TINY_ITEMS];
    dip_pass pass;
    dip_error err = {0};
    for (int32_t i = 0; i < rows->n; i++) {
        row[i] = i;
    }
    assert_int_equal(
        dip_pass_create(&pass, dip_towers_side(towers, side), TINY_ITEMS, 1, false, &err), DIP_OK);
    assert_int_equal(dip_pass_load(&pass, rows, row, (size_t)rows->n, NULL, &err), DIP_OK);
    dip_pass_forward(&pass, &towers->params);
    memcpy(u, pass.u, (size_t)rows->n * WIDTH * sizeof *u);
    dip_pass_free(&pass);
}

static void take_marks(dip_tower *tower, uint8_t *kept[TINY_ITEM_FEATURES]) {
    for (size_t f = 0; f < tower->n_blocks; f++) {
        uint8_t *marks = tower->block[f].rare;
        tower->block[f].rare = kept[f];
        kept[f] = marks;
    }
}

static void filled_rows_need_no_marks(void **state) {
    (void)state;
    for (size_t t = 0; t < N_TOWERS; t++) {
        const setting s = setting_of(t, "none", ALL);
        engine_case *k = case_create(&s, 3);
        dip_towers *towers = dip_engine_towers(k->engine);
        for (int side = DIP_SIDE_ITEM; side <= DIP_SIDE_QUERY; side++) {
            uint8_t *kept_item[TINY_ITEM_FEATURES] = {NULL};
            uint8_t *kept_query[TINY_ITEM_FEATURES] = {NULL};
            dip_real marked[TINY_ITEMS * WIDTH] = {0};
            dip_real bare[TINY_ITEMS * WIDTH] = {0};
            dip_real filled[TINY_ITEMS * WIDTH] = {0};
            encode(k, (dip_side)side, marked);
            dip_rare_fill(towers);
            take_marks(&towers->item, kept_item);
            take_marks(&towers->query, kept_query);
            encode(k, (dip_side)side, filled);
            assert_memory_equal(filled, marked, sizeof filled);
            take_marks(&towers->item, kept_item);
            take_marks(&towers->query, kept_query);
            dip_rare_clear(towers);
            take_marks(&towers->item, kept_item);
            take_marks(&towers->query, kept_query);
            encode(k, (dip_side)side, bare);
            assert_memory_not_equal(bare, marked, sizeof bare);
            take_marks(&towers->item, kept_item);
            take_marks(&towers->query, kept_query);
        }
        case_free(k);
    }
}

typedef struct idle_case {
    tiny_kind kind;
    dip_side side;
    int type;       /* of every feature; -1: one is an id, as the world has it */
    int second;     /* table of the second feature; -1: its own */
    const char *is; /* part of the reason; NULL: ids are marked */
} idle_case;

/* A query of which nothing is left is one of anybody; an item would be any item. */
static const idle_case IDLE[] = {
    {TINY_ITEMS_ARE_QUERIES, DIP_SIDE_ITEM, DIP_FEATURE_BAG, -1, "no feature of the items"},
    {TINY_ITEMS_ARE_QUERIES, DIP_SIDE_ITEM, DIP_FEATURE_ID, -1, "something must be left"},
    {TINY_ITEMS_ARE_QUERIES, DIP_SIDE_ITEM, -1, 0, "that of another feature"},
    {TINY_ITEMS_ARE_QUERIES, DIP_SIDE_ITEM, -1, -1, NULL},
    {TINY_OWN_QUERIES, DIP_SIDE_QUERY, DIP_FEATURE_BAG, -1, "no feature of the queries"},
    {TINY_OWN_QUERIES, DIP_SIDE_QUERY, DIP_FEATURE_ID, -1, NULL},
    {TINY_OWN_QUERIES, DIP_SIDE_QUERY, -1, TINY_USER_TABLE, "that of another feature"},
    {TINY_OWN_QUERIES, DIP_SIDE_QUERY, -1, -1, NULL},
};

static void where_no_id_can_be_rare_the_reason_is_given(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof IDLE / sizeof IDLE[0]; i++) {
        const idle_case *c = &IDLE[i];
        const bool is_query = c->side == DIP_SIDE_QUERY;
        tiny_world world;
        dip_config config;
        dip_engine *engine = NULL;
        dip_error err = {0};
        tiny_world_make(&world, c->kind);
        tiny_config_make(&config);
        dip_feature *features = is_query ? world.query_features : world.item_features;
        const size_t n = is_query ? TINY_QUERY_FEATURES : TINY_ITEM_FEATURES;
        for (size_t f = 0; c->type >= 0 && f < n; f++) {
            features[f].type = is_query && features[f].table < 0 ? DIP_FEATURE_NUMERIC : c->type;
        }
        if (c->second >= 0) {
            features[1].table = c->second;
        }
        for (int wants = 0; wants < 2; wants++) {
            tiny_set(&config, is_query ? "train.query_min_pairs" : "train.id_min_pairs",
                     wants ? "3" : "0");
            assert_int_equal(dip_engine_create(&engine, &world.dataset, &config, &err), DIP_OK);
            const dip_towers *towers = dip_engine_towers(engine);
            const char *reason = dip_rare_idle(towers, &world.dataset.schema, &config, c->side);
            const dip_tower_block *block = &dip_towers_side(towers, c->side)->block[0];
            assert_int_equal(reason != NULL, wants && c->is != NULL);
            assert_true(reason == NULL || strstr(reason, c->is) != NULL);
            assert_int_equal(block->rare != NULL, wants && c->is == NULL);
            dip_engine_free(engine);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_right),
        cmocka_unit_test(ids_with_fewer_pairs_are_rare),
        cmocka_unit_test(a_rare_id_is_a_missing_one),
        cmocka_unit_test(filled_rows_need_no_marks),
        cmocka_unit_test(where_no_id_can_be_rare_the_reason_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
