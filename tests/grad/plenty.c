/* SPDX-License-Identifier: Apache-2.0 */
#include "grad/plenty.h"

#include "grad/tiny.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int32_t plenty_below(uint64_t *state, int32_t n) {
    return (int32_t)((tiny_noise(state) + 1) / 2 * n);
}

static void fill_columns(plenty *w) {
    uint64_t state = 99;
    for (int32_t i = 0; i < PLENTY_ITEMS; i++) {
        w->id[i] = i % 50 == 49 ? -1 : i;
        w->price[i] = (float)tiny_noise(&state);
        w->item_count[i] = 1 + plenty_below(&state, 100);
        w->dataset.n_pairs[0] += w->item_count[i];
        w->offsets[i + 1] = w->offsets[i];
        for (int32_t left = plenty_below(&state, PLENTY_LONGEST_BAG + 1); left > 0; left--) {
            w->tags[w->offsets[i + 1]++] = plenty_below(&state, PLENTY_TAGS);
        }
    }
    w->columns[0] = (dip_column){.codes = w->id};
    w->columns[1] = (dip_column){.offsets = w->offsets, .codes = w->tags};
    w->columns[2] = (dip_column){.numbers = w->price};
}

plenty *plenty_make(void) {
    plenty *w = calloc(1, sizeof *w);
    assert_non_null(w);
    fill_columns(w);
    snprintf(w->tables[0].name, sizeof w->tables[0].name, "id");
    snprintf(w->tables[1].name, sizeof w->tables[1].name, "tags");
    w->tables[0].rows = PLENTY_ITEMS;
    w->tables[1].rows = PLENTY_TAGS;
    w->features[0] = (dip_feature){.type = DIP_FEATURE_ID, .table = 0, .deviation = 1};
    w->features[1] = (dip_feature){.type = DIP_FEATURE_BAG, .table = 1, .deviation = 1};
    w->features[2] = (dip_feature){.type = DIP_FEATURE_NUMERIC, .table = -1, .deviation = 1};
    w->dataset.schema.tables = w->tables;
    w->dataset.schema.n_tables = 2;
    w->dataset.schema.queries_are_items = true;
    w->dataset.schema.items.n_features = PLENTY_FEATURES;
    w->dataset.schema.items.features = w->features;
    w->dataset.items.n = PLENTY_ITEMS;
    w->dataset.items.columns = w->columns;
    w->dataset.item_count = w->item_count;
    return w;
}
