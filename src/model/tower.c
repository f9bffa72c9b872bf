/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tower.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The names of tensors say who shares them. */
typedef struct naming {
    const char *tables;
    const char *fallback;
    const char *layers;
} naming;

static naming names_of(dip_side side, int share, bool queries_are_items) {
    const bool is_item = side == DIP_SIDE_ITEM;
    const char *own = is_item ? "item." : "query.";
    naming names = {own, own, own};
    if (share != DIP_SHARE_NONE) {
        names.tables = "";
        names.fallback = queries_are_items ? "" : own;
    }
    if (share == DIP_SHARE_ALL) {
        names.layers = "";
    }
    return names;
}

typedef struct tensor_name {
    const char *prefix;
    const char *stem;
    const char *ending;
} tensor_name;

static dip_status add_tensor(dip_params *params, tensor_name name, dip_param shape, int *index,
                             dip_error *err) {
    snprintf(shape.name, sizeof shape.name, "%s%s%s", name.prefix, name.stem, name.ending);
    return dip_params_add(params, &shape, index, err);
}

/* Embeddings start with norm about 1: uniform with standard deviation 1 / sqrt(dim). */
static double embedding_scale(size_t dim) {
    return sqrt(3.0 / (double)dim);
}

static dip_status add_block(dip_tower *tower, dip_params *params, const dip_schema *schema,
                            const dip_feature *feature, size_t dim, const naming *names,
                            dip_error *err) {
    dip_tower_block *block = &tower->block[tower->n_blocks++];
    *block = (dip_tower_block){.table = -1,
                               .pool = feature->pool,
                               .is_bag = dip_feature_is_bag(feature),
                               .offset = tower->input,
                               .width = feature->table < 0 ? 1 : dim};
    tower->input += block->width;
    if (feature->table < 0) {
        return DIP_OK;
    }
    const dip_table *table = &schema->tables[feature->table];
    /* A table without rows (every value was too rare) keeps one that nothing looks up. */
    const size_t rows = table->rows > 0 ? (size_t)table->rows : 1;
    block->rows = rows;
    const dip_param shape = {.kind = DIP_PARAM_TABLE,
                             .rows = rows,
                             .columns = dim,
                             .scale = embedding_scale(dim),
                             .decays = true};
    return add_tensor(params, (tensor_name){names->tables, "embedding.", table->name}, shape,
                      &block->table, err);
}

/* Glorot and Bengio (2010): uniform with limit sqrt(6 / (in + out)). */
static dip_status add_layer(dip_tower *tower, dip_params *params, size_t in, size_t out,
                            const naming *names, dip_error *err) {
    char stem[32];
    dip_layer *layer = &tower->layer[tower->n_layers];
    snprintf(stem, sizeof stem, "layer%zu", tower->n_layers);
    *layer = (dip_layer){.in = in, .out = out};
    tower->n_layers++;
    const dip_param weight = {.kind = DIP_PARAM_DENSE,
                              .rows = in,
                              .columns = out,
                              .scale = sqrt(6.0 / (double)(in + out)),
                              .decays = true};
    const dip_param bias = {.kind = DIP_PARAM_DENSE, .rows = 1, .columns = out};
    DIP_TRY(add_tensor(params, (tensor_name){names->layers, stem, ".weight"}, weight,
                       &layer->weight, err));
    return add_tensor(params, (tensor_name){names->layers, stem, ".bias"}, bias, &layer->bias, err);
}

static dip_status build_tower(dip_tower *tower, dip_params *params, const dip_schema *schema,
                              const dip_config *config, dip_side side, dip_error *err) {
    const dip_entity *entity = dip_schema_entity(schema, side);
    const size_t dim = (size_t)config->model.dim;
    const naming names = names_of(side, config->model.share, schema->queries_are_items);
    memset(tower, 0, sizeof *tower);
    for (size_t f = 0; f < entity->n_features; f++) {
        DIP_TRY(add_block(tower, params, schema, &entity->features[f], dim, &names, err));
    }
    const dip_param fallback = {
        .kind = DIP_PARAM_DENSE, .rows = 1, .columns = tower->input, .scale = embedding_scale(dim)};
    DIP_TRY(add_tensor(params, (tensor_name){names.fallback, "default", ""}, fallback,
                       &tower->fallback, err));
    size_t width = tower->input;
    for (size_t l = 0; l < config->model.hidden.n; l++) {
        DIP_TRY(
            add_layer(tower, params, width, (size_t)config->model.hidden.value[l], &names, err));
        width = (size_t)config->model.hidden.value[l];
    }
    tower->output = width;
    return DIP_OK;
}

static dip_status build(dip_towers *towers, const dip_schema *schema, const dip_config *config,
                        dip_error *err) {
    DIP_TRY(dip_params_create(&towers->params, err));
    DIP_TRY(build_tower(&towers->item, &towers->params, schema, config, DIP_SIDE_ITEM, err));
    return build_tower(&towers->query, &towers->params, schema, config, DIP_SIDE_QUERY, err);
}

dip_status dip_towers_create(dip_towers *towers, const dip_schema *schema, const dip_config *config,
                             dip_error *err) {
    memset(towers, 0, sizeof *towers);
    if (config->model.share == DIP_SHARE_ALL && !schema->queries_are_items) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "model.share: all needs queries that are items; use tables or none");
    }
    const dip_status status = build(towers, schema, config, err);
    if (status != DIP_OK) {
        dip_towers_free(towers);
    }
    return status;
}

void dip_towers_free(dip_towers *towers) {
    for (size_t f = 0; f < DIP_FEATURES_MAX; f++) {
        uint8_t *rare = towers->item.block[f].rare;
        uint8_t *own = towers->query.block[f].rare;
        dip_free(rare);
        dip_free(own != rare ? own : NULL);
    }
    dip_params_free(&towers->params);
    memset(towers, 0, sizeof *towers);
}
