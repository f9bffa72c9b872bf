/* SPDX-License-Identifier: Apache-2.0
 *
 * A world as text: the tables and the project file that prepare reads.
 */
#include "generate/generation.h"

#include <stdio.h>
#include <string.h>

/* Bytes of a row of any table. */
enum { ROW_MAX_BYTES = 512 };

const char *const dip_item_feature_names[DIP_ITEM_FEATURES] = {
    "item_id", "category", "group", "brand", "tags", "title", "price"};
const char *const dip_query_feature_names[DIP_QUERY_FEATURES] = {"user_id", "country", "interests",
                                                                 "age"};
const dip_space dip_item_spaces[DIP_ITEM_FEATURES] = {
    [DIP_ITEM_ID] = DIP_SPACE_ITEM,     [DIP_ITEM_CATEGORY] = DIP_SPACE_CATEGORY,
    [DIP_ITEM_GROUP] = DIP_SPACE_GROUP, [DIP_ITEM_BRAND] = DIP_SPACE_BRAND,
    [DIP_ITEM_TAGS] = DIP_SPACE_TAG,    [DIP_ITEM_TITLE] = DIP_SPACE_WORD};
const dip_space dip_query_spaces[DIP_QUERY_FEATURES] = {[DIP_QUERY_ID] = DIP_SPACE_QUERY,
                                                        [DIP_QUERY_COUNTRY] = DIP_SPACE_COUNTRY,
                                                        [DIP_QUERY_INTERESTS] = DIP_SPACE_TAG};

const char *dip_generation_query_column(const dip_generation *g) {
    return g->world.queries_are_items ? "source" : "user_id";
}

const char *dip_generation_item_column(const dip_generation *g) {
    return g->world.queries_are_items ? "target" : "item_id";
}

dip_status dip_generation_project(const dip_generation *g, dip_text *yaml, dip_error *err) {
    static const char ITEMS[] = "items:\n"
                                "  file: items.tsv\n"
                                "  id: item_id\n"
                                "  features:\n"
                                "    item_id:  {type: id}\n"
                                "    category: {type: categorical}\n"
                                "    group:    {type: categorical}\n"
                                "    brand:    {type: categorical}\n"
                                "    tags:     {type: bag, separator: \"|\"}\n"
                                "    title:    {type: text}\n"
                                "    price:    {type: numeric}\n";
    static const char QUERIES[] = "queries:\n"
                                  "  file: queries.tsv\n"
                                  "  id: user_id\n"
                                  "  features:\n"
                                  "    user_id:   {type: id}\n"
                                  "    country:   {type: categorical}\n"
                                  "    interests: {type: bag, separator: \"|\"}\n"
                                  "    age:       {type: numeric, buckets: %d}\n";
    DIP_TRY(dip_text_printf(yaml, err, "%s", ITEMS));
    if (!g->world.queries_are_items) {
        DIP_TRY(dip_text_printf(yaml, err, QUERIES, DIP_AGE_BUCKETS));
    }
    DIP_TRY(dip_text_printf(yaml, err,
                            "interactions: {file: interactions.tsv, query: %s, item: %s, "
                            "time: timestamp}\n",
                            dip_generation_query_column(g), dip_generation_item_column(g)));
    return dip_text_printf(yaml, err, "split: {test: %.17g, validation: %.17g, by: %s}\n",
                           g->recipe->test, g->recipe->validation,
                           g->world.queries_are_items ? "unordered_pair" : "pair");
}

/* ---- tables of rows -------------------------------------------------------------------------- */

typedef struct table {
    const dip_generation *g;
    int64_t rows;
    char *(*row)(const dip_world *world, int64_t row, char *out);
    dip_writer *writer;
} table;

static char *put_price(char *out, int32_t cents) {
    out = dip_put_number(out, (uint64_t)cents / 100);
    *out++ = '.';
    *out++ = (char)('0' + cents / 10 % 10);
    *out++ = (char)('0' + cents % 10);
    return out;
}

static char *item_row(const dip_world *world, int64_t row, char *out) {
    for (int f = 0; f < DIP_ITEM_PRICE; f++) {
        const dip_cell cell = dip_item_cell(world, row, (dip_item_feature)f);
        out = dip_cell_text(world, dip_item_spaces[f], &cell, f == DIP_ITEM_TITLE ? ' ' : '|', out);
        *out++ = '\t';
    }
    return put_price(out, dip_item_cell(world, row, DIP_ITEM_PRICE).value[0]);
}

static char *query_row(const dip_world *world, int64_t row, char *out) {
    for (int f = 0; f < DIP_QUERY_AGE; f++) {
        const dip_cell cell = dip_query_cell(world, row, (dip_query_feature)f);
        out = dip_cell_text(world, dip_query_spaces[f], &cell, '|', out);
        *out++ = '\t';
    }
    return dip_put_number(out, (uint64_t)dip_query_cell(world, row, DIP_QUERY_AGE).value[0]);
}

static char *put_place(char *out, int64_t cluster, int64_t group) {
    *out++ = '\t';
    out = dip_put_number(out, (uint64_t)cluster);
    *out++ = '\t';
    return dip_put_number(out, (uint64_t)group);
}

static char *item_truth(const dip_world *world, int64_t row, char *out) {
    const int64_t place = dip_scatter_from(&world->order, row);
    out = dip_value_text(world, DIP_SPACE_ITEM, row, out);
    *out++ = '\t';
    out = dip_put_number(out, (uint64_t)place);
    return put_place(out, dip_world_cluster(world, place), dip_world_group(world, place));
}

static char *query_truth(const dip_world *world, int64_t row, char *out) {
    const int64_t cluster = dip_world_query_cluster(world, row);
    out = dip_value_text(world, DIP_SPACE_QUERY, row, out);
    return put_place(out, cluster, cluster % world->groups);
}

static size_t fill(void *context, int64_t chunk, int thread, char *out) {
    const table *t = context;
    const int64_t first = chunk * DIP_ROWS_A_CHUNK;
    const int64_t end = first + DIP_ROWS_A_CHUNK < t->rows ? first + DIP_ROWS_A_CHUNK : t->rows;
    char *at = out;
    (void)thread;
    for (int64_t row = first; row < end; row++) {
        at = t->row(&t->g->world, row, at);
        *at++ = '\n';
    }
    return (size_t)(at - out);
}

static dip_status take(void *context, int64_t chunk, const char *data, size_t bytes,
                       dip_error *err) {
    const table *t = context;
    (void)chunk;
    return dip_writer_put(t->writer, data, bytes, err);
}

static dip_status put_table(dip_generation *g, const char *name, const char *header, table t,
                            dip_error *err) {
    char phase[64];
    DIP_TRY(dip_folder_begin(&g->folder, name, &t.writer, err));
    DIP_TRY(dip_writer_put(t.writer, header, strlen(header), err));
    t.g = g;
    snprintf(phase, sizeof phase, "making %s", name);
    const dip_chunks chunks = {.n = (t.rows + DIP_ROWS_A_CHUNK - 1) / DIP_ROWS_A_CHUNK,
                               .capacity = (size_t)DIP_ROWS_A_CHUNK * ROW_MAX_BYTES,
                               .threads = g->threads,
                               .watch = g->watch,
                               .phase = phase,
                               .unit = "rows",
                               .total = (uint64_t)t.rows,
                               .context = &t,
                               .fill = fill,
                               .take = take};
    DIP_TRY(dip_chunks_run(&chunks, err));
    return dip_folder_end(&g->folder, err);
}

static dip_status put_interactions(dip_generation *g, dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_folder_begin(&g->folder, "interactions.tsv", &writer, err));
    DIP_TRY(dip_writer_printf(writer, err, "%s\t%s\ttimestamp\n", dip_generation_query_column(g),
                              dip_generation_item_column(g)));
    DIP_TRY(dip_generation_pairs(g, writer, NULL, err));
    return dip_folder_end(&g->folder, err);
}

dip_status dip_generation_tables(dip_generation *g, dip_error *err) {
    DIP_TRY(put_table(g, "items.tsv", "item_id\tcategory\tgroup\tbrand\ttags\ttitle\tprice\n",
                      (table){.rows = g->world.items, .row = item_row}, err));
    if (!g->world.queries_are_items) {
        DIP_TRY(put_table(g, "queries.tsv", "user_id\tcountry\tinterests\tage\n",
                          (table){.rows = g->world.queries, .row = query_row}, err));
    }
    return put_interactions(g, err);
}

dip_status dip_generation_truth_tables(dip_generation *g, dip_error *err) {
    DIP_TRY(put_table(g, "truth-items.tsv", "item_id\tplace\tcluster\tgroup\n",
                      (table){.rows = g->world.items, .row = item_truth}, err));
    if (g->world.queries_are_items) {
        return DIP_OK;
    }
    return put_table(g, "truth-queries.tsv", "user_id\tcluster\tgroup\n",
                     (table){.rows = g->world.queries, .row = query_truth}, err);
}
