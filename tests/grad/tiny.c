/* SPDX-License-Identifier: Apache-2.0 */
#include "grad/tiny.h"

#include "model/augment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the data -------------------------------------------------------------------------------- */

enum { TABLE_ID, TABLE_KIND, TABLE_TAGS, TABLE_WORDS, TABLE_USER = TINY_USER_TABLE };

static const int32_t ITEM_ID[TINY_ITEMS] = {0, 1, 2, 3, 4, 5, 6, 7, -1};
static const int32_t ITEM_KIND[TINY_ITEMS] = {0, 1, -1, 2, 3, 0, 1, -1, 2};
static const int64_t TAGS_OFFSETS[TINY_ITEMS + 1] = {0, 3, 4, 4, 10, 12, 14, 19, 19, 21};
static const int32_t TAGS[] = {0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 2, 2, 5, 1, 6, 0, 3, 3, 1, 4, 2};
static const int64_t WORDS_OFFSETS[TINY_ITEMS + 1] = {0, 2, 5, 6, 6, 10, 11, 13, 18, 20};
static const int32_t WORDS[] = {0, 1, 2, 3, 4, 1, 0, 0, 3, 2, 4, 2, 1, 3, 0, 1, 2, 4, 1, 4};
static const int64_t MARKS_OFFSETS[TINY_ITEMS + 1] = {0, 1, 3, 5, 5, 8, 8, 9, 11, 12};
static const int32_t MARKS[] = {1, 0, 6, 5, 3, 4, 2, 1, 2, 6, 6, 3};
static const float PRICE[TINY_ITEMS] = {0.5f, -1.25f, NAN, 2.0f, 0.25f, -0.75f, 1.5f, NAN, -0.5f};

static const int32_t QUERY_USER[TINY_QUERIES] = {0, 1, 2, 3, -1};
static const int64_t HISTORY_OFFSETS[TINY_QUERIES + 1] = {0, 2, 2, 5, 6, 9};
static const int32_t HISTORY[] = {0, 3, 6, 1, 2, 5, 4, 4, 0};
static const float AGE[TINY_QUERIES] = {-1.0f, 0.5f, NAN, 1.25f, 0.75f};

/* Training pairs of each item; the last one is in none. */
static const int64_t COUNTS[TINY_ITEMS] = {5, 1, 6, 2, 4, 3, 1, 2, 0};

static const int32_t BATCH_QUERY_ITEMS[TINY_BATCH] = {0, 3, 5, 7, 2, 8};
static const int32_t BATCH_QUERY_OWN[TINY_BATCH] = {0, 1, 2, 3, 4, 0};
static const int32_t BATCH_ITEM[TINY_BATCH] = {3, 0, 4, 0, 6, 2};
static const int32_t BATCH_SELF[TINY_BATCH] = {2, 3, 4, 6, 7, 8};
static const int32_t BATCH_QUERIES[] = {3, 0, 4, 2};

static void name_table(tiny_world *world, int table, const char *name, int64_t rows) {
    world->tables[table].rows = rows;
    world->tables[table].is_vocabulary = true;
    snprintf(world->tables[table].name, sizeof world->tables[table].name, "%s", name);
}

static dip_feature make_feature(const char *name, int type, int pool, int table) {
    dip_feature feature;
    dip_options_default(&dip_feature_table, &feature, sizeof feature);
    snprintf(feature.name, sizeof feature.name, "%s", name);
    snprintf(feature.column, sizeof feature.column, "%s", name);
    feature.type = type;
    feature.pool = pool;
    feature.table = table;
    feature.deviation = 1;
    return feature;
}

static void make_items(tiny_world *world) {
    dip_feature *f = world->item_features;
    dip_column *c = world->item_columns;
    f[0] = make_feature("id", DIP_FEATURE_ID, DIP_POOL_MEAN, TABLE_ID);
    f[1] = make_feature("kind", DIP_FEATURE_CATEGORICAL, DIP_POOL_MEAN, TABLE_KIND);
    f[2] = make_feature("tags", DIP_FEATURE_BAG, DIP_POOL_MEAN, TABLE_TAGS);
    f[3] = make_feature("words", DIP_FEATURE_TEXT, DIP_POOL_SQRTN, TABLE_WORDS);
    f[4] = make_feature("marks", DIP_FEATURE_BAG, DIP_POOL_SUM, TABLE_TAGS);
    f[5] = make_feature("price", DIP_FEATURE_NUMERIC, DIP_POOL_MEAN, -1);
    c[0] = (dip_column){.codes = ITEM_ID};
    c[1] = (dip_column){.codes = ITEM_KIND};
    c[2] = (dip_column){.offsets = TAGS_OFFSETS, .codes = TAGS};
    c[3] = (dip_column){.offsets = WORDS_OFFSETS, .codes = WORDS};
    c[4] = (dip_column){.offsets = MARKS_OFFSETS, .codes = MARKS};
    c[5] = (dip_column){.numbers = PRICE};
    world->dataset.schema.items.n_features = TINY_ITEM_FEATURES;
    world->dataset.schema.items.features = f;
    world->dataset.items.n = TINY_ITEMS;
    world->dataset.items.columns = c;
}

static void make_queries(tiny_world *world) {
    dip_feature *f = world->query_features;
    dip_column *c = world->query_columns;
    f[0] = make_feature("user", DIP_FEATURE_ID, DIP_POOL_MEAN, TABLE_USER);
    f[1] = make_feature("history", DIP_FEATURE_BAG, DIP_POOL_SQRTN, TABLE_TAGS);
    f[2] = make_feature("age", DIP_FEATURE_NUMERIC, DIP_POOL_MEAN, -1);
    c[0] = (dip_column){.codes = QUERY_USER};
    c[1] = (dip_column){.offsets = HISTORY_OFFSETS, .codes = HISTORY};
    c[2] = (dip_column){.numbers = AGE};
    world->dataset.schema.queries.n_features = TINY_QUERY_FEATURES;
    world->dataset.schema.queries.features = f;
    world->dataset.queries.n = TINY_QUERIES;
    world->dataset.queries.columns = c;
}

static void make_pairs(tiny_world *world, int32_t n_queries) {
    size_t n = 0;
    for (size_t i = 0; i < TINY_ITEMS; i++) {
        world->item_count[i] = COUNTS[i];
        world->item_trains[i] = COUNTS[i] > 0;
        for (int64_t k = 0; k < COUNTS[i]; k++) {
            world->pairs[2 * n] = (int32_t)(7 * n + 3) % n_queries;
            world->pairs[2 * n + 1] = (int32_t)i;
            n++;
        }
    }
    assert_int_equal(n, TINY_PAIRS);
}

/* Any symmetric matrix without ties in a row would do. */
static void make_information(tiny_world *world) {
    for (size_t f = 0; f < TINY_ITEM_FEATURES; f++) {
        for (size_t g = 0; g < TINY_ITEM_FEATURES; g++) {
            world->information[f * TINY_ITEM_FEATURES + g] =
                0.1 * (double)((f * g * 7 + f + g) % 11) + 0.001 * (double)(f + g);
        }
    }
}

void tiny_world_make(tiny_world *world, tiny_kind kind) {
    memset(world, 0, sizeof *world);
    dip_dataset *dataset = &world->dataset;
    name_table(world, TABLE_ID, "id", 8);
    name_table(world, TABLE_KIND, "kind", 4);
    name_table(world, TABLE_TAGS, "tags", 7);
    name_table(world, TABLE_WORDS, "words", 5);
    name_table(world, TABLE_USER, "query.user", 4);
    dataset->schema.tables = world->tables;
    dataset->schema.n_tables = kind == TINY_OWN_QUERIES ? TINY_TABLES : TINY_TABLES - 1;
    dataset->schema.queries_are_items = kind == TINY_ITEMS_ARE_QUERIES;
    make_items(world);
    if (kind == TINY_OWN_QUERIES) {
        make_queries(world);
    }
    make_pairs(world, kind == TINY_OWN_QUERIES ? TINY_QUERIES : TINY_ITEMS);
    make_information(world);
    dataset->n_pairs[0] = TINY_PAIRS;
    dataset->pairs[0] = world->pairs;
    dataset->item_count = world->item_count;
    dataset->item_trains = world->item_trains;
    dataset->mutual_information = world->information;
}

/* ---- configuration and batches --------------------------------------------------------------- */

void tiny_set(dip_config *config, const char *key, const char *text) {
    dip_error err = {0};
    if (dip_options_set(&dip_config_table, config, key, text, &err) != DIP_OK) {
        fail_msg("%s = %s: %s", key, text, err.message);
    }
}

void tiny_config_make(dip_config *config) {
    static const char *const SETTINGS[][2] = {
        {"threads", "1"},          {"model.dim", "3"},           {"model.hidden", "5,4"},
        {"train.batch", "8"},      {"train.precision", "fp32"},  {"train.optimizer", "sgd"},
        {"train.rate", "1"},       {"train.temperature", "0.4"}, {"train.logq", "none"},
        {"train.mask_hits", "no"}, {"ssl.method", "none"},       {"ssl.alpha", "0.7"},
        {"ssl.dropout", "0.4"},    {"ssl.temperature", "0.3"},   {"ssl.batch", "7"}};
    dip_options_default(&dip_config_table, config, sizeof *config);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++) {
        tiny_set(config, SETTINGS[i][0], SETTINGS[i][1]);
    }
}

static dip_augmenter make_augmenter(const tiny_world *world, const dip_config *config) {
    dip_augmenter augmenter;
    dip_error err = {0};
    if (dip_augmenter_make(&augmenter, config->ssl.method, TINY_ITEM_FEATURES, world->information,
                           (uint64_t)config->seed, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    return augmenter;
}

/* Any matrix of information would do. */
static dip_self_queries make_self_queries(const tiny_world *world, const dip_config *config,
                                          uint64_t step) {
    dip_augmenter augmenter;
    dip_error err = {0};
    const bool is_same = world->dataset.schema.queries_are_items;
    const size_t k = is_same ? TINY_ITEM_FEATURES : TINY_QUERY_FEATURES;
    if (dip_augmenter_make_queries(&augmenter, config->ssl.method, k, world->information,
                                   (uint64_t)config->seed, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    return (dip_self_queries){.n = sizeof BATCH_QUERIES / sizeof BATCH_QUERIES[0],
                              .row = BATCH_QUERIES,
                              .masks = dip_augmenter_draw(&augmenter, step)};
}

dip_batch tiny_batch_make(const tiny_world *world, const dip_config *config, uint64_t step) {
    const dip_augmenter augmenter = make_augmenter(world, config);
    const bool is_same = world->dataset.schema.queries_are_items;
    return (dip_batch){.n = TINY_BATCH,
                       .query = is_same ? BATCH_QUERY_ITEMS : BATCH_QUERY_OWN,
                       .item = BATCH_ITEM,
                       .n_self = TINY_BATCH,
                       .self_items = TINY_ITEMS,
                       .self = BATCH_SELF,
                       .masks = dip_augmenter_draw(&augmenter, step),
                       .queries = make_self_queries(world, config, step),
                       .step = step};
}

void tiny_batch_mask_each(const tiny_world *world, const dip_config *config, dip_batch *batch,
                          uint64_t h[TINY_BATCH], uint64_t g[TINY_BATCH]) {
    const dip_augmenter augmenter = make_augmenter(world, config);
    if (config->ssl.masks == DIP_MASKS_BATCH) {
        return;
    }
    for (size_t i = 0; i < batch->n_self; i++) {
        const dip_masks masks = dip_augmenter_draw_example(&augmenter, batch->step, i);
        h[i] = masks.h;
        g[i] = masks.g;
    }
    batch->each_h = h;
    batch->each_g = g;
}

/* ---- the passes of a step -------------------------------------------------------------------- */

static dip_view self_view(const dip_config *config, const dip_batch *batch, bool is_h) {
    const dip_purpose purpose = is_h ? DIP_DRAW_VIEW_H : DIP_DRAW_VIEW_G;
    const bool drops = dip_method_drops_values(config->ssl.method);
    if (!dip_method_has_views(config->ssl.method)) {
        return (dip_view){.mask = 0};
    }
    return (dip_view){.mask = is_h ? batch->masks.h : batch->masks.g,
                      .each = is_h ? batch->each_h : batch->each_g,
                      .value_dropout = drops ? config->ssl.dropout : 0,
                      .rng = dip_rng_make((uint64_t)config->seed, purpose),
                      .step = batch->step};
}

static dip_view query_view(const dip_config *config, const dip_batch *batch, bool is_h) {
    const dip_purpose purpose = is_h ? DIP_DRAW_QUERY_H : DIP_DRAW_QUERY_G;
    dip_view view = self_view(config, batch, is_h);
    view.mask = is_h ? batch->queries.masks.h : batch->queries.masks.g;
    view.each = is_h ? batch->queries.each_h : batch->queries.each_g;
    view.rng = dip_rng_make((uint64_t)config->seed, purpose);
    return view;
}

size_t tiny_passes(const tiny_world *world, const dip_config *config, const dip_towers *towers,
                   const dip_batch *batch, tiny_pass list[TINY_PASSES]) {
    const dip_dataset *dataset = &world->dataset;
    const int method = config->ssl.method;
    const bool drops_features = method == DIP_METHOD_FEATURE_DROPOUT;
    const dip_view dropout = {.feature_dropout =
                                  drops_features ? config->ssl.dropout : config->train.id_dropout,
                              .droppable = drops_features ? UINT64_MAX : TINY_ID_FEATURE,
                              .rng = dip_rng_make((uint64_t)config->seed, DIP_DRAW_FEATURE),
                              .step = batch->step};
    dip_view extra = dropout;
    extra.rng = dip_rng_make((uint64_t)config->seed, DIP_DRAW_EXTRA_FEATURE);
    size_t n = 0;
    list[n++] = (tiny_pass){.tower = &towers->query,
                            .rows = dip_dataset_rows(dataset, DIP_SIDE_QUERY),
                            .row = batch->query,
                            .n = batch->n};
    list[n++] = (tiny_pass){&towers->item, &dataset->items, batch->item, batch->n, dropout};
    if (config->train.extra_negatives == DIP_EXTRA_ITEMS) {
        list[n++] = (tiny_pass){&towers->item, &dataset->items, batch->self, batch->n_self, extra};
    }
    if (method == DIP_METHOD_NONE || drops_features) {
        return n;
    }
    const int views = dip_method_has_views(method) ? 2 : 1;
    for (int view = 0; view < views; view++) {
        list[n++] = (tiny_pass){&towers->item, &dataset->items, batch->self, batch->n_self,
                                self_view(config, batch, view == 0)};
    }
    for (int view = 0; config->ssl.towers == DIP_TOWERS_BOTH && view < views; view++) {
        list[n++] =
            (tiny_pass){&towers->query, dip_dataset_rows(dataset, DIP_SIDE_QUERY),
                        batch->queries.row, batch->queries.n, query_view(config, batch, view == 0)};
    }
    return n;
}

static double preactivation(const dip_pass *pass, const dip_params *params, size_t l, size_t i,
                            size_t j) {
    const dip_layer *layer = &pass->tower->layer[l];
    const dip_real *in = (l > 0 ? pass->layer[l - 1] : pass->x) + i * layer->in;
    const dip_real *weight = params->list[layer->weight].value;
    double sum = (double)params->list[layer->bias].value[j];
    for (size_t k = 0; k < layer->in; k++) {
        sum += (double)in[k] * (double)weight[k * layer->out + j];
    }
    return sum;
}

tiny_margin tiny_pass_margin(const dip_pass *pass, const dip_params *params) {
    tiny_margin margin = {INFINITY, INFINITY};
    for (size_t i = 0; i < pass->n; i++) {
        margin.norm = fmin(margin.norm, (double)pass->norm[i]);
        for (size_t l = 0; l + 1 < pass->tower->n_layers; l++) {
            for (size_t j = 0; j < pass->tower->layer[l].out; j++) {
                margin.preactivation =
                    fmin(margin.preactivation, fabs(preactivation(pass, params, l, i, j)));
            }
        }
    }
    return margin;
}

/* FNV-1a, one step a unit. */
uint64_t tiny_pass_pattern(const dip_pass *pass, uint64_t hash) {
    for (size_t l = 0; l + 1 < pass->tower->n_layers; l++) {
        for (size_t i = 0; i < pass->n * pass->tower->layer[l].out; i++) {
            hash = (hash ^ (uint64_t)(pass->layer[l][i] > 0)) * 1099511628211u;
        }
    }
    return hash;
}

double tiny_noise(uint64_t *state) {
    const dip_rng rng = {{0x74696e79u, 0x6e6f6973u}};
    return 2 * dip_unit(dip_rng_at(rng, (*state)++, 0).word[0]) - 1;
}
