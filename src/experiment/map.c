/* SPDX-License-Identifier: Apache-2.0
 *
 * The map of items: the vectors of several methods in two dimensions each (tsne.h), with the items'
 * titles and one feature as colour.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "data/vocab.h"
#include "experiment/figures.h"
#include "experiment/tsne.h"
#include "experiment/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLOURS = 10, PERPLEXITY = 30, ITERATIONS = 750 };

static bool has_values(const dip_dataset *dataset, const dip_feature *feature) {
    return feature->type != DIP_FEATURE_ID && feature->table >= 0 &&
           dataset->schema.tables[feature->table].is_vocabulary &&
           dataset->schema.tables[feature->table].rows > 0;
}

static dip_status no_category(const dip_dataset *dataset, const char *wanted, bool is_there,
                              dip_error *err) {
    const dip_entity *items = &dataset->schema.items;
    char list[400] = "";
    for (size_t f = 0; f < items->n_features; f++) {
        const size_t used = strlen(list);
        if (has_values(dataset, &items->features[f])) {
            snprintf(list + used, sizeof list - used, "%s%.60s", used > 0 ? ", " : "",
                     items->features[f].name);
        }
    }
    return dip_fail(err, DIP_ERR_USAGE,
                    is_there ? "the feature \"%s\" has no values that could colour the map; "
                               "there are: %s"
                             : "the items have no feature \"%s\" to colour the map by; there are: "
                               "%s",
                    wanted, list[0] != '\0' ? list : "none");
}

dip_status dip_map_category(const dip_dataset *dataset, const char *wanted, int *feature,
                            dip_error *err) {
    const dip_entity *items = &dataset->schema.items;
    int bag = -1;
    *feature = -1;
    for (size_t f = 0; f < items->n_features; f++) {
        const dip_feature *each = &items->features[f];
        if (wanted[0] != '\0' && strcmp(each->name, wanted) == 0) {
            *feature = (int)f;
            return has_values(dataset, each) ? DIP_OK : no_category(dataset, wanted, true, err);
        }
        if (wanted[0] == '\0' && has_values(dataset, each)) {
            if (each->type == DIP_FEATURE_CATEGORICAL && *feature < 0) {
                *feature = (int)f;
            }
            bag = bag < 0 && each->type == DIP_FEATURE_BAG ? (int)f : bag;
        }
    }
    if (wanted[0] != '\0') {
        return no_category(dataset, wanted, false, err);
    }
    *feature = *feature >= 0 ? *feature : bag;
    return DIP_OK;
}

/* ---- which items, and their colours ---------------------------------------------------------- */

typedef struct mapping {
    const dip_dataset *dataset;
    size_t n;
    int64_t *item;   /* [n] rows, ascending */
    int32_t *colour; /* [n] place among the categories */
    int64_t *counts; /* [rows of the table] items with each value */
    int32_t *place;  /* [rows of the table] of its value among the categories, -1: "other" */
} mapping;

static int by_row(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* All items, or as many drawn at random. */
static dip_status draw_items(mapping *map, int64_t most, dip_error *err) {
    const int64_t n = map->dataset->items.n;
    map->n = (size_t)(n < most ? n : most);
    map->item = dip_alloc(map->n, sizeof *map->item, "items of the map", err);
    map->colour = dip_alloc(map->n, sizeof *map->colour, "colours of the map", err);
    if (map->item == NULL || map->colour == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_permutation order =
        dip_permutation_make(dip_rng_make(1, DIP_DRAW_MAP_ITEMS), 0, (uint64_t)n);
    for (size_t i = 0; i < map->n; i++) {
        map->item[i] = n <= most ? (int64_t)i : (int64_t)dip_permute(&order, i);
    }
    qsort(map->item, map->n, sizeof *map->item, by_row);
    return DIP_OK;
}

/* The first value of an item, or -1. */
static int32_t value_of(const dip_column *column, int64_t item) {
    if (column->offsets == NULL) {
        return column->codes[item];
    }
    return column->offsets[item] < column->offsets[item + 1] ? column->codes[column->offsets[item]]
                                                             : -1;
}

/* The values with most items, by falling number, become categories. */
static dip_status rank_values(mapping *map, const dip_feature *feature, const dip_vocab *vocab,
                              json_t *categories, dip_error *err) {
    for (int colour = 0; colour < COLOURS; colour++) {
        size_t best = vocab->n;
        for (size_t v = 0; v < vocab->n; v++) {
            if (map->place[v] < 0 && map->counts[v] > 0 &&
                (best == vocab->n || map->counts[v] > map->counts[best])) {
                best = v;
            }
        }
        if (best == vocab->n) {
            break;
        }
        size_t length = 0;
        const char *text = dip_vocab_text(vocab, best, &length);
        map->place[best] = colour;
        DIP_TRY(dip_json_append(categories, json_stringn(text, length), err));
    }
    (void)feature;
    return dip_json_append(categories, json_string("other"), err);
}

static dip_status colour_items(mapping *map, const dip_feature *feature, const dip_column *column,
                               json_t *categories, dip_error *err) {
    const int64_t rows = map->dataset->schema.tables[feature->table].rows;
    char name[DIP_PART_NAME_MAX];
    dip_vocab vocab = {0};
    dip_part_name(name, "vocab", (size_t)feature->table,
                  map->dataset->schema.tables[feature->table].name, ".tsv");
    map->counts = dip_alloc((size_t)rows, sizeof *map->counts, "values of the map", err);
    map->place = dip_alloc((size_t)rows, sizeof *map->place, "values of the map", err);
    if (map->counts == NULL || map->place == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (int64_t v = 0; v < rows; v++) {
        map->place[v] = -1;
    }
    for (size_t i = 0; i < map->n; i++) {
        const int32_t value = value_of(column, map->item[i]);
        map->counts[value >= 0 ? value : 0] += value >= 0;
    }
    DIP_TRY(dip_vocab_read(&vocab, &map->dataset->folder, name, rows, err));
    const dip_status status = rank_values(map, feature, &vocab, categories, err);
    dip_vocab_free(&vocab);
    DIP_TRY(status);
    const int32_t other = (int32_t)json_array_size(categories) - 1;
    for (size_t i = 0; i < map->n; i++) {
        const int32_t value = value_of(column, map->item[i]);
        map->colour[i] = value >= 0 && map->place[value] >= 0 ? map->place[value] : other;
    }
    return DIP_OK;
}

static dip_status put_items(const mapping *map, json_t *figure, dip_error *err) {
    const dip_rows *rows = &map->dataset->items;
    json_t *titles = NULL;
    json_t *colours = NULL;
    DIP_TRY(dip_json_put_array(figure, "titles", &titles, err));
    DIP_TRY(dip_json_put_array(figure, "category_of", &colours, err));
    for (size_t i = 0; i < map->n; i++) {
        size_t length = 0;
        const char *text = dip_strings_at(&rows->titles, map->item[i], &length);
        if (length == 0) {
            text = dip_strings_at(&rows->ids, map->item[i], &length);
        }
        DIP_TRY(dip_json_append(titles, json_stringn(text, length), err));
        DIP_TRY(dip_json_append(colours, json_integer(map->colour[i]), err));
    }
    return DIP_OK;
}

/* ---- coordinates ----------------------------------------------------------------------------- */

/* Two decimals are finer than a point is drawn. */
static dip_status put_coordinates(const float *xy, size_t n, json_t *panel, dip_error *err) {
    static const char *const KEYS[] = {"x", "y"};
    for (size_t axis = 0; axis < 2; axis++) {
        json_t *list = NULL;
        DIP_TRY(dip_json_put_array(panel, KEYS[axis], &list, err));
        for (size_t i = 0; i < n; i++) {
            const double value = round(100 * (double)xy[2 * i + axis]) / 100;
            DIP_TRY(dip_json_append(list, json_real(value), err));
        }
    }
    return DIP_OK;
}

static dip_status draw(const mapping *map, const float *vectors, size_t width, int threads,
                       const dip_watch *watch, json_t *panel, dip_error *err) {
    float *chosen = dip_alloc(map->n, width * sizeof *chosen, "vectors of the map", err);
    float *xy = dip_alloc(map->n, 2 * sizeof *xy, "the map", err);
    const dip_tsne_settings settings = {
        .perplexity = PERPLEXITY, .iterations = ITERATIONS, .seed = 1, .threads = threads};
    dip_status status = chosen != NULL && xy != NULL ? DIP_OK : DIP_ERR_MEMORY;
    for (size_t i = 0; i < map->n && status == DIP_OK; i++) {
        memcpy(chosen + i * width, vectors + (size_t)map->item[i] * width, width * sizeof *chosen);
    }
    if (status == DIP_OK) {
        status = dip_tsne(chosen, map->n, width, &settings, watch, xy, err);
    }
    if (status == DIP_OK) {
        status = put_coordinates(xy, map->n, panel, err);
    }
    dip_free(chosen);
    dip_free(xy);
    return status;
}

static dip_status add_panel(const dip_figure_sources *sources, const mapping *map, size_t condition,
                            size_t method, json_t *panels, dip_error *err) {
    const dip_study *study = sources->study;
    const float *vectors = NULL;
    int64_t items = 0;
    int64_t width = 0;
    json_t *panel = NULL;
    dip_run_result result;
    dip_map file;
    size_t at = 0;
    const dip_study_run *run = dip_study_next(study, &at, condition, method, -1);
    DIP_TRY(dip_run_open(&result, study->folder, run->key, err));
    if (result.failed) {
        dip_run_close(&result);
        return DIP_OK;
    }
    dip_status status = dip_run_vectors(&result, &file, &vectors, &items, &width, err);
    dip_run_close(&result);
    DIP_TRY(status);
    status = dip_json_append_object(panels, &panel, err);
    if (status == DIP_OK) {
        status = dip_json_set(panel, "label", json_string(study->plan->method[method].label), err);
    }
    if (status == DIP_OK) {
        status =
            draw(map, vectors, (size_t)width, study->workers.threads, sources->watch, panel, err);
    }
    dip_map_close(&file);
    return status;
}

static dip_status fill(const dip_figure_sources *sources, const dip_plan_figure *plan,
                       size_t condition, mapping *map, json_t *figure, dip_error *err) {
    const dip_entity *entity = &map->dataset->schema.items;
    json_t *categories = NULL;
    json_t *panels = NULL;
    int feature = -1;
    DIP_TRY(dip_map_category(map->dataset, sources->category, &feature, err));
    DIP_TRY(draw_items(map, sources->map_items, err));
    DIP_TRY(dip_json_set(figure, "category",
                         feature >= 0 ? json_string(entity->features[feature].name) : json_null(),
                         err));
    DIP_TRY(dip_json_put_array(figure, "categories", &categories, err));
    if (feature >= 0) {
        DIP_TRY(colour_items(map, &entity->features[feature], &map->dataset->items.columns[feature],
                             categories, err));
    } else {
        DIP_TRY(dip_json_append(categories, json_string("items"), err));
    }
    DIP_TRY(put_items(map, figure, err));
    DIP_TRY(dip_json_put_array(figure, "panels", &panels, err));
    for (size_t m = 0; m < plan->methods.n; m++) {
        DIP_TRY(add_panel(sources, map, condition, plan->methods.at[m], panels, err));
    }
    return DIP_OK;
}

dip_status dip_figure_map(const dip_figure_sources *sources, const dip_plan_figure *plan,
                          size_t condition, json_t *figure, dip_error *err) {
    mapping map = {.dataset = dip_study_data_of(sources->study, condition)->dataset};
    const dip_status status = fill(sources, plan, condition, &map, figure, err);
    dip_free(map.item);
    dip_free(map.colour);
    dip_free(map.counts);
    dip_free(map.place);
    return status;
}
