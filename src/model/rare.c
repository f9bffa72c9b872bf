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

static bool takes_part(const dip_towers *towers, const dip_schema *schema, dip_side side,
                       size_t f) {
    const bool has_items = side == DIP_SIDE_ITEM || schema->queries_are_items;
    return has_items && ((dip_schema_spare_ids(schema) >> f) & 1) != 0 &&
           is_alone(towers, dip_towers_side(towers, side), f);
}

const char *dip_rare_idle(const dip_towers *towers, const dip_schema *schema,
                          const dip_config *config) {
    if (config->train.id_min_pairs == 0) {
        return NULL;
    }
    if (dip_schema_spare_ids(schema) == 0) {
        return dip_schema_ids(schema) == 0
                   ? "no feature of the items is of type id"
                   : "each feature of the items is of type id, and something must be left";
    }
    for (size_t f = 0; f < schema->items.n_features; f++) {
        if (takes_part(towers, schema, DIP_SIDE_ITEM, f)) {
            return NULL;
        }
    }
    return "the vocabulary of the items' ids is also that of another feature; give them one of "
           "their own";
}

/* ---- marks ----------------------------------------------------------------------------------- */

static int64_t *count_pairs(const dip_dataset *dataset, const dip_column *column, size_t rows,
                            dip_error *err) {
    int64_t *count = dip_alloc(rows, sizeof *count, "training pairs of ids", err);
    for (int64_t i = 0; count != NULL && i < dataset->items.n; i++) {
        if (column->codes[i] >= 0) {
            count[column->codes[i]] += dataset->item_count[i];
        }
    }
    return count;
}

static dip_status mark_block(dip_tower_block *block, const dip_dataset *dataset, size_t f,
                             int64_t least, dip_error *err) {
    int64_t *count = count_pairs(dataset, &dataset->items.columns[f], block->rows, err);
    block->rare =
        count != NULL ? dip_alloc(block->rows, sizeof *block->rare, "rare ids", err) : NULL;
    for (size_t v = 0; block->rare != NULL && v < block->rows; v++) {
        block->rare[v] = count[v] < least;
    }
    dip_free(count);
    return block->rare != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

dip_status dip_rare_mark(dip_towers *towers, const dip_dataset *dataset, const dip_config *config,
                         dip_error *err) {
    const dip_schema *schema = &dataset->schema;
    for (size_t f = 0; config->train.id_min_pairs > 0 && f < schema->items.n_features; f++) {
        if (takes_part(towers, schema, DIP_SIDE_ITEM, f)) {
            DIP_TRY(
                mark_block(&towers->item.block[f], dataset, f, config->train.id_min_pairs, err));
        }
        dip_tower_block *own = &towers->query.block[f];
        if (!takes_part(towers, schema, DIP_SIDE_QUERY, f)) {
            continue;
        }
        if (own->table == towers->item.block[f].table) {
            own->rare = towers->item.block[f].rare;
        } else {
            DIP_TRY(mark_block(own, dataset, f, config->train.id_min_pairs, err));
        }
    }
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
