/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rare.h"

#include "base/mem.h"

#include <string.h>

/* ---- which features -------------------------------------------------------------------------- */

/* Whether each block that reads a block's table is the same feature with the same default. */
static bool is_alone(const dip_towers *towers, const dip_tower *tower, size_t f) {
    for (int side = DIP_SIDE_ITEM; side <= DIP_SIDE_QUERY; side++) {
        const dip_tower *other = dip_towers_side(towers, (dip_side)side);
        for (size_t b = 0; b < other->n_blocks; b++) {
            const bool is_same = other->fallback == tower->fallback &&
                                 other->block[b].offset == tower->block[f].offset;
            if (other->block[b].table == tower->block[f].table && !is_same) {
                return false;
            }
        }
    }
    return true;
}

static bool has_own_queries(const dip_schema *schema, dip_side side) {
    return side == DIP_SIDE_QUERY && !schema->queries_are_items;
}

/* Training pairs that an id of a side needs. */
static int64_t least_of(const dip_schema *schema, const dip_config *config, dip_side side) {
    return has_own_queries(schema, side) ? config->train.query_min_pairs
                                         : config->train.id_min_pairs;
}

/* The ids of a side, as a mask, that what is described can do without. */
static uint64_t ids_of(const dip_schema *schema, dip_side side) {
    return has_own_queries(schema, side) ? dip_entity_ids(&schema->queries)
                                         : dip_schema_spare_ids(schema);
}

static bool takes_part(const dip_towers *towers, const dip_schema *schema, dip_side side,
                       size_t f) {
    return ((ids_of(schema, side) >> f) & 1) != 0 &&
           is_alone(towers, dip_towers_side(towers, side), f);
}

static const char *why_no_ids(const dip_schema *schema, dip_side side) {
    if (side == DIP_SIDE_QUERY) {
        return "no feature of the queries is of type id";
    }
    return dip_entity_ids(&schema->items) == 0
               ? "no feature of the items is of type id"
               : "each feature of the items is of type id, and something must be left";
}

const char *dip_rare_idle(const dip_towers *towers, const dip_schema *schema,
                          const dip_config *config, dip_side side) {
    const bool is_twin = side == DIP_SIDE_QUERY && schema->queries_are_items;
    if (is_twin || least_of(schema, config, side) == 0) {
        return NULL;
    }
    if (ids_of(schema, side) == 0) {
        return why_no_ids(schema, side);
    }
    for (size_t f = 0; f < dip_schema_entity(schema, side)->n_features; f++) {
        if (takes_part(towers, schema, side, f)) {
            return NULL;
        }
    }
    return "their vocabulary is also that of another feature; give them one of their own";
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void count_items(const dip_dataset *dataset, const dip_column *column, int64_t *count) {
    for (int64_t i = 0; i < dataset->items.n; i++) {
        if (column->codes[i] >= 0) {
            count[column->codes[i]] += dataset->item_count[i];
        }
    }
}

static void count_queries(const dip_dataset *dataset, const dip_column *column, int64_t *count) {
    for (int64_t i = 0; i < dataset->n_pairs[0]; i++) {
        const int32_t *pair = dataset->pairs[0] + 2 * i;
        const int32_t code = column->codes[pair[0]];
        if (code >= 0) {
            count[code]++;
        }
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
    }
}

static dip_status mark_block(dip_tower_block *block, const dip_dataset *dataset, dip_side side,
                             size_t f, int64_t least, dip_error *err) {
    const dip_column *column = &dip_dataset_rows(dataset, side)->columns[f];
    int64_t *count = dip_alloc(block->rows, sizeof *count, "training pairs of ids", err);
    block->rare =
        count != NULL ? dip_alloc(block->rows, sizeof *block->rare, "rare ids", err) : NULL;
    if (block->rare == NULL) {
        dip_free(count);
        return DIP_ERR_MEMORY;
    }
    if (has_own_queries(&dataset->schema, side)) {
        count_queries(dataset, column, count);
    } else {
        count_items(dataset, column, count);
    }
    for (size_t v = 0; v < block->rows; v++) {
        block->rare[v] = count[v] < least;
    }
    dip_free(count);
    return DIP_OK;
}

static dip_status mark_side(dip_towers *towers, const dip_dataset *dataset,
                            const dip_config *config, dip_side side, dip_error *err) {
    const dip_schema *schema = &dataset->schema;
    const int64_t least = least_of(schema, config, side);
    dip_tower *tower = side == DIP_SIDE_ITEM ? &towers->item : &towers->query;
    for (size_t f = 0; least > 0 && f < tower->n_blocks; f++) {
        dip_tower_block *block = &tower->block[f];
        const dip_tower_block *first = &towers->item.block[f];
        if (!takes_part(towers, schema, side, f)) {
            continue;
        }
        if (side == DIP_SIDE_QUERY && schema->queries_are_items && block->table == first->table) {
            block->rare = first->rare;
        } else {
            DIP_TRY(mark_block(block, dataset, side, f, least, err));
        }
    }
    return DIP_OK;
}

dip_status dip_rare_mark(dip_towers *towers, const dip_dataset *dataset, const dip_config *config,
                         dip_error *err) {
    DIP_TRY(mark_side(towers, dataset, config, DIP_SIDE_ITEM, err));
    DIP_TRY(mark_side(towers, dataset, config, DIP_SIDE_QUERY, err));
    dip_rare_clear(towers);
    return DIP_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Each marked row of a block becomes `source`, or 0 without one. */
static void set_rows(const dip_towers *towers, const dip_tower_block *block,
                     const dip_real *source) {
    if (block->rare == NULL) {
        return;
    }
    dip_real *table = towers->params.list[block->table].value;
    const size_t bytes = block->width * sizeof *table;
    for (size_t v = 0; v < block->rows; v++) {
        dip_real *row = table + v * block->width;
        if (block->rare[v] && source != NULL) {
            memcpy(row, source, bytes);
        } else if (block->rare[v]) {
            memset(row, 0, bytes);
        }
    }
}

/* A table that both towers share is set once. */
static void set_all(const dip_towers *towers, bool fills) {
    for (int side = DIP_SIDE_ITEM; side <= DIP_SIDE_QUERY; side++) {
        const dip_tower *tower = dip_towers_side(towers, (dip_side)side);
        const dip_real *fallback = towers->params.list[tower->fallback].value;
        for (size_t f = 0; f < tower->n_blocks; f++) {
            const dip_tower_block *block = &tower->block[f];
            if (side == DIP_SIDE_ITEM || block->rare != towers->item.block[f].rare) {
                set_rows(towers, block, fills ? fallback + block->offset : NULL);
            }
        }
    }
}

void dip_rare_fill(const dip_towers *towers) {
    set_all(towers, true);
}

void dip_rare_clear(const dip_towers *towers) {
    set_all(towers, false);
}
