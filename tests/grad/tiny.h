/* SPDX-License-Identifier: Apache-2.0
 *
 * Datasets of nine items that live in memory, for tests of the model's numbers: every kind of
 * feature, every pooling, missing values, unknown ids, empty bags, bags longer than one group of
 * random draws, and one table that serves two features and both towers.
 *
 *   item features   id | kind | tags (bag, mean) | words (text, sqrtn) | marks (bag, sum, table
 *                   tags) | price
 *   query features  user | history (bag, sqrtn, table tags) | age; or the items themselves
 *
 * tools/gen_vectors.py holds the same worlds; test_vectors.c compares the two.
 */
#ifndef DIP_TESTS_GRAD_TINY_H
#define DIP_TESTS_GRAD_TINY_H

#include "data/dataset.h"
#include "engine/engine.h"
#include "model/pass.h"

enum {
    TINY_ITEMS = 9,
    TINY_QUERIES = 5,
    TINY_ITEM_FEATURES = 6,
    TINY_ID_FEATURE = 1, /* of items, as a mask */
    TINY_QUERY_FEATURES = 3,
    TINY_USER_TABLE = 4, /* of the queries' ids */
    TINY_TABLES = 5,
    TINY_PAIRS = 24,
    TINY_BATCH = 6,
    TINY_PASSES = 7
};

typedef enum tiny_kind { TINY_ITEMS_ARE_QUERIES, TINY_OWN_QUERIES } tiny_kind;

/* Points into itself: never copy one. Nothing needs to be freed. */
typedef struct tiny_world {
    dip_dataset dataset;
    dip_table tables[TINY_TABLES];
    dip_feature item_features[TINY_ITEM_FEATURES];
    dip_feature query_features[TINY_QUERY_FEATURES];
    dip_column item_columns[TINY_ITEM_FEATURES];
    dip_column query_columns[TINY_QUERY_FEATURES];
    int32_t pairs[2 * TINY_PAIRS];
    int64_t item_count[TINY_ITEMS];
    uint8_t item_trains[TINY_ITEMS];
    double information[TINY_ITEM_FEATURES * TINY_ITEM_FEATURES];
} tiny_world;

void tiny_world_make(tiny_world *world, tiny_kind kind);

/* The defaults of the option table, then widths that suit the tiny worlds: dim 3, hidden 5,4, room
 * for two more pairs than a batch has, one thread, temperatures at which all negatives count. */
void tiny_config_make(dip_config *config);

/* Sets an option by its text; a failure is a failed assertion. */
void tiny_set(dip_config *config, const char *key, const char *text);

/* Six pairs, two of them with the same item, six items and four queries of the second loss, and the
 * masks that the configured method draws at this step. */
dip_batch tiny_batch_make(const tiny_world *world, const dip_config *config, uint64_t step);

/* With ssl.masks = example: masks for each item of the second loss, kept in h and g. */
void tiny_batch_mask_each(const tiny_world *world, const dip_config *config, dip_batch *batch,
                          uint64_t h[TINY_BATCH], uint64_t g[TINY_BATCH]);

/* The inputs of one pass of a step. */
typedef struct tiny_pass {
    const dip_tower *tower;
    const dip_rows *rows;
    const int32_t *row;
    size_t n;
    dip_view view;
} tiny_pass;

/* The passes that the engine makes for a batch: query, item, extra negatives, and those of the
 * second loss on items and on queries. */
size_t tiny_passes(const tiny_world *world, const dip_config *config, const dip_towers *towers,
                   const dip_batch *batch, tiny_pass list[TINY_PASSES]);

/* How far a pass is from where its outputs have no derivative. */
typedef struct tiny_margin {
    double preactivation; /* smallest |h W + b| before a ReLU */
    double norm;          /* smallest |z| */
} tiny_margin;

/* Of a pass after dip_pass_forward. */
tiny_margin tiny_pass_margin(const dip_pass *pass, const dip_params *params);

/* A hash over which hidden units of a pass are active, continued from `hash`. A layer is linear
 * in one parameter as long as the pattern of the layers below stands, so equal patterns at two
 * values of a parameter mean that no unit changes its side in between. */
uint64_t tiny_pass_pattern(const dip_pass *pass, uint64_t hash);

/* The next of a fixed sequence of numbers in [-1, 1); *state starts at any value. */
double tiny_noise(uint64_t *state);

#endif
