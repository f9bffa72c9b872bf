/* SPDX-License-Identifier: Apache-2.0
 *
 * A tower turns a set of features into a unit vector:
 *
 *   x   input, the concatenation of one block a feature: its (pooled) embedding, or its number
 *   h_l = relu(h_{l-1} W_l + b_l), h_0 = x; the last layer z has no relu
 *   u   = z / |z|, so that a product of two outputs is their cosine
 *
 * A feature that is masked, missing, unknown or rare, or whose values are all dropped, puts its
 * learned default into its block. This file lays the tensors out; pass.h runs batches through.
 */
#ifndef DIP_MODEL_TOWER_H
#define DIP_MODEL_TOWER_H

#include "config/config.h"
#include "data/schema.h"
#include "model/params.h"

typedef struct dip_tower_block {
    int table;     /* parameter index, or -1 for a plain number */
    size_t rows;   /* of the table */
    uint8_t *rare; /* [rows] whether a value is as good as missing; NULL: none is. Both towers'
                      may be the same (rare.h) */
    int pool;      /* dip_pool */
    bool is_bag;
    size_t offset; /* first column in x */
    size_t width;
} dip_tower_block;

typedef struct dip_layer {
    int weight; /* parameter index, [in x out] */
    int bias;   /* parameter index, [1 x out] */
    size_t in;
    size_t out;
} dip_layer;

typedef struct dip_tower {
    size_t n_blocks;
    dip_tower_block block[DIP_FEATURES_MAX];
    size_t input; /* width of x */
    int fallback; /* parameter index of the defaults, [1 x input] */
    size_t n_layers;
    dip_layer layer[DIP_LIST_MAX];
    size_t output; /* width of u */
} dip_tower;

/* Both towers of a model, over one list of tensors. */
typedef struct dip_towers {
    dip_params params;
    dip_tower item;
    dip_tower query;
} dip_towers;

/* Registers all tensors; nothing is allocated for their values yet. */
dip_status dip_towers_create(dip_towers *towers, const dip_schema *schema, const dip_config *config,
                             dip_error *err);
void dip_towers_free(dip_towers *towers);

/* Whether the one value of a feature has an embedding: it is neither unknown nor rare. */
static inline bool dip_block_knows(const dip_tower_block *block, int32_t code) {
    return code >= 0 && (block->rare == NULL || !block->rare[code]);
}

static inline const dip_tower *dip_towers_side(const dip_towers *towers, dip_side side) {
    return side == DIP_SIDE_QUERY ? &towers->query : &towers->item;
}

#endif
