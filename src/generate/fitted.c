/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/fitted.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dip_status create_ranked(dip_ranked *ranked, const dip_world *world, dip_space space,
                                dip_error *err) {
    *ranked = (dip_ranked){.space = space, .n = dip_space_size(world, space)};
    const size_t n = (size_t)ranked->n;
    ranked->count = dip_alloc(n, sizeof *ranked->count, "a vocabulary", err);
    ranked->row = dip_alloc(n, sizeof *ranked->row, "a vocabulary", err);
    ranked->value = dip_alloc(n, sizeof *ranked->value, "a vocabulary", err);
    return ranked->count != NULL && ranked->row != NULL && ranked->value != NULL ? DIP_OK
                                                                                 : DIP_ERR_MEMORY;
}

/* ---- counting -------------------------------------------------------------------------------- */

typedef struct counting {
    dip_generation *g;
    dip_fitted *fitted;
    bool of_queries;
    int64_t rows;
} counting;

static void count_cell(dip_ranked *ranked, const dip_cell *cell) {
    for (int i = 0; i < cell->n; i++) {
        __atomic_fetch_add(&ranked->count[cell->value[i]], 1, __ATOMIC_RELAXED);
    }
}

static void count_item(const counting *c, int64_t row) {
    const dip_world *world = &c->g->world;
    for (int f = DIP_ITEM_CATEGORY; f <= DIP_ITEM_TITLE; f++) {
        const dip_cell cell = dip_item_cell(world, row, (dip_item_feature)f);
        count_cell(&c->fitted->item[f], &cell);
    }
    const int32_t cents = dip_item_cell(world, row, DIP_ITEM_PRICE).value[0];
    __atomic_fetch_add(&c->fitted->cents[cents], 1, __ATOMIC_RELAXED);
}

static void count_query(const counting *c, int64_t row) {
    const dip_world *world = &c->g->world;
    for (int f = DIP_QUERY_COUNTRY; f <= DIP_QUERY_INTERESTS; f++) {
        const dip_cell cell = dip_query_cell(world, row, (dip_query_feature)f);
        count_cell(&c->fitted->query[f], &cell);
    }
    const int32_t age = dip_query_cell(world, row, DIP_QUERY_AGE).value[0];
    __atomic_fetch_add(&c->fitted->ages[age], 1, __ATOMIC_RELAXED);
}

static size_t fill(void *context, int64_t chunk, int thread, char *out) {
    const counting *c = context;
    const int64_t end = (chunk + 1) * DIP_ROWS_A_CHUNK;
    int64_t trained = 0;
    (void)thread;
    for (int64_t row = chunk * DIP_ROWS_A_CHUNK; row < end && row < c->rows; row++) {
        if (c->of_queries && dip_generation_query_trains(c->g, row)) {
            count_query(c, row);
            trained++;
        } else if (!c->of_queries && dip_generation_item_trains(c->g, row)) {
            count_item(c, row);
            trained++;
        }
    }
    memcpy(out, &trained, sizeof trained);
    return sizeof trained;
}

static dip_status take(void *context, int64_t chunk, const char *data, size_t bytes,
                       dip_error *err) {
    counting *c = context;
    int64_t trained = 0;
    (void)err;
    memcpy(&trained, data, bytes);
    int64_t *total = c->of_queries ? &c->fitted->training_queries : &c->fitted->training_items;
    (c->of_queries ? c->fitted->query_base : c->fitted->item_base)[chunk] = *total;
    *total += trained;
    return DIP_OK;
}

static dip_status count_rows(dip_generation *g, dip_fitted *fitted, bool of_queries,
                             dip_error *err) {
    counting c = {.g = g, .fitted = fitted, .of_queries = of_queries};
    c.rows = of_queries ? g->world.queries : g->world.items;
    const dip_chunks chunks = {.n = (c.rows + DIP_ROWS_A_CHUNK - 1) / DIP_ROWS_A_CHUNK,
                               .capacity = sizeof(int64_t),
                               .threads = g->threads,
                               .watch = g->watch,
                               .phase = of_queries ? "counting queries" : "counting items",
                               .unit = "rows",
                               .total = (uint64_t)c.rows,
                               .context = &c,
                               .fill = fill,
                               .take = take};
    int64_t **base = of_queries ? &fitted->query_base : &fitted->item_base;
    *base = dip_alloc((size_t)chunks.n, sizeof **base, "training rows", err);
    return *base != NULL ? dip_chunks_run(&chunks, err) : DIP_ERR_MEMORY;
}

/* ---- ranking --------------------------------------------------------------------------------- */

typedef struct candidate {
    int64_t count;
    int32_t value;
    char text[DIP_VALUE_TEXT_MAX]; /* NUL-terminated */
} candidate;

static int by_count_then_text(const void *left, const void *right) {
    const candidate *a = left;
    const candidate *b = right;
    return a->count != b->count ? (a->count > b->count ? -1 : 1) : strcmp(a->text, b->text);
}

static dip_status rank(dip_ranked *ranked, const dip_world *world, dip_error *err) {
    candidate *list = dip_alloc((size_t)ranked->n, sizeof *list, "a vocabulary's ranking", err);
    if (list == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (int64_t value = 0; value < ranked->n; value++) {
        ranked->row[value] = -1;
        if (ranked->count[value] > 0) {
            candidate *c = &list[ranked->kept++];
            c->count = ranked->count[value];
            c->value = (int32_t)value;
            *dip_value_text(world, ranked->space, value, c->text) = '\0';
        }
    }
    qsort(list, (size_t)ranked->kept, sizeof *list, by_count_then_text);
    for (int64_t row = 0; row < ranked->kept; row++) {
        ranked->value[row] = list[row].value;
        ranked->row[list[row].value] = (int32_t)row;
    }
    dip_free(list);
    return DIP_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void fit_price(dip_feature *feature, const dip_fitted *fitted) {
    const double n = (double)fitted->training_items;
    double sum = 0;
    double squares = 0;
    for (int cents = 0; cents <= DIP_CENTS_MAX; cents++) {
        sum += (double)fitted->cents[cents] * cents;
    }
    for (int cents = 0; cents <= DIP_CENTS_MAX; cents++) {
        const double delta = cents - sum / n;
        squares += (double)fitted->cents[cents] * delta * delta;
    }
    feature->mean = sum / n / 100;
    feature->deviation = squares > 0 ? sqrt(squares / n) / 100 : 1;
}

/* The age at a place of the sorted list of training queries. */
static int age_at(const int64_t *ages, int64_t place) {
    int age = DIP_AGE_LOW;
    while (place >= ages[age]) {
        place -= ages[age++];
    }
    return age;
}

static dip_status fit_ages(dip_feature *feature, const dip_fitted *fitted, dip_error *err) {
    const int64_t n = fitted->training_queries;
    feature->edges = dip_alloc(DIP_AGE_BUCKETS, sizeof *feature->edges, "bucket edges", err);
    if (feature->edges == NULL) {
        return DIP_ERR_MEMORY;
    }
    double last = age_at(fitted->ages, 0);
    for (int64_t b = 1; b < DIP_AGE_BUCKETS; b++) {
        const double edge = age_at(fitted->ages, b * n / DIP_AGE_BUCKETS);
        if (edge > last) {
            feature->edges[feature->n_edges++] = edge;
            last = edge;
        }
    }
    return DIP_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static dip_status fit_items(dip_fitted *fitted, dip_generation *g, dip_schema *schema,
                            dip_error *err) {
    for (int f = DIP_ITEM_CATEGORY; f <= DIP_ITEM_TITLE; f++) {
        DIP_TRY(create_ranked(&fitted->item[f], &g->world, dip_item_spaces[f], err));
    }
    fitted->cents = dip_alloc(DIP_CENTS_MAX + 1, sizeof *fitted->cents, "prices", err);
    if (fitted->cents == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(count_rows(g, fitted, false, err));
    for (int f = DIP_ITEM_CATEGORY; f <= DIP_ITEM_TITLE; f++) {
        DIP_TRY(rank(&fitted->item[f], &g->world, err));
        schema->tables[schema->items.features[f].table].rows = fitted->item[f].kept;
    }
    schema->tables[schema->items.features[DIP_ITEM_ID].table].rows = fitted->training_items;
    fit_price(&schema->items.features[DIP_ITEM_PRICE], fitted);
    return DIP_OK;
}

static dip_status fit_queries(dip_fitted *fitted, dip_generation *g, dip_schema *schema,
                              dip_error *err) {
    for (int f = DIP_QUERY_COUNTRY; f <= DIP_QUERY_INTERESTS; f++) {
        DIP_TRY(create_ranked(&fitted->query[f], &g->world, dip_query_spaces[f], err));
    }
    fitted->ages = dip_alloc(DIP_AGE_LOW + DIP_AGES, sizeof *fitted->ages, "ages", err);
    if (fitted->ages == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(count_rows(g, fitted, true, err));
    for (int f = DIP_QUERY_COUNTRY; f <= DIP_QUERY_INTERESTS; f++) {
        DIP_TRY(rank(&fitted->query[f], &g->world, err));
        schema->tables[schema->queries.features[f].table].rows = fitted->query[f].kept;
    }
    schema->tables[schema->queries.features[DIP_QUERY_ID].table].rows = fitted->training_queries;
    return fit_ages(&schema->queries.features[DIP_QUERY_AGE], fitted, err);
}

dip_status dip_fitted_create(dip_fitted *fitted, dip_generation *g, dip_schema *schema,
                             dip_error *err) {
    memset(fitted, 0, sizeof *fitted);
    DIP_TRY(fit_items(fitted, g, schema, err));
    return g->world.queries_are_items ? DIP_OK : fit_queries(fitted, g, schema, err);
}

static void ranked_free(dip_ranked *ranked) {
    dip_free(ranked->count);
    dip_free(ranked->row);
    dip_free(ranked->value);
}

void dip_fitted_free(dip_fitted *fitted) {
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        ranked_free(&fitted->item[f]);
    }
    for (int f = 0; f < DIP_QUERY_FEATURES; f++) {
        ranked_free(&fitted->query[f]);
    }
    dip_free(fitted->cents);
    dip_free(fitted->ages);
    dip_free(fitted->item_base);
    dip_free(fitted->query_base);
    memset(fitted, 0, sizeof *fitted);
}
