/* SPDX-License-Identifier: Apache-2.0
 *
 * A run from the recipe to the published folder.
 */
#include "generate/generation.h"

#include "base/mem.h"
#include "config/config.h"
#include "data/dataset.h"

#include <omp.h>
#include <string.h>

#define TABLES_FORMAT "diptych-tables"

static dip_status make_memory(dip_generation *g, dip_error *err) {
    const dip_world *world = &g->world;
    g->count = dip_alloc((size_t)world->items, sizeof *g->count, "counts of items", err);
    g->links = dip_alloc((size_t)g->threads, sizeof *g->links, "pairs of queries", err);
    if (g->count == NULL || g->links == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (int i = 0; i < g->threads; i++) {
        DIP_TRY(dip_links_create(&g->links[i], world, err));
    }
    if (!world->queries_are_items) {
        g->query_trains = dip_alloc((size_t)world->queries, 1, "training queries", err);
        return g->query_trains != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

static void free_memory(dip_generation *g) {
    for (int i = 0; g->links != NULL && i < g->threads; i++) {
        dip_links_free(&g->links[i]);
    }
    dip_free(g->links);
    dip_free(g->count);
    dip_free(g->query_trains);
}

static dip_status put_project(dip_generation *g, dip_error *err) {
    dip_text yaml = {0};
    dip_status status = dip_generation_project(g, &yaml, err);
    if (status == DIP_OK) {
        status = dip_folder_put(&g->folder, "project.yaml", yaml.data, yaml.length, err);
    }
    dip_text_free(&yaml);
    return status;
}

static dip_status fill_truth(dip_generation *g, json_t *truth, dip_error *err) {
    json_t *recipe = NULL;
    json_t *best = NULL;
    json_t *information = NULL;
    DIP_TRY(dip_json_set(truth, "created_by", json_pack("s+", "diptych ", dip_version()), err));
    DIP_TRY(dip_recipe_to_json(g->recipe, &recipe, err));
    DIP_TRY(dip_json_set(truth, "recipe", recipe, err));
    DIP_TRY(
        dip_json_set(truth, "pairs",
                     json_pack("{s:I, s:I, s:I}", "train", (json_int_t)g->n_pairs[0], "validation",
                               (json_int_t)g->n_pairs[1], "test", (json_int_t)g->n_pairs[2]),
                     err));
    DIP_TRY(dip_generation_best(g, &best, err));
    DIP_TRY(dip_json_set(truth, "best", best, err));
    DIP_TRY(dip_generation_information(g, &information, err));
    return dip_json_set(truth, "mutual_information", information, err);
}

static dip_status put_truth(dip_generation *g, json_t *truth, dip_error *err) {
    char *text = NULL;
    DIP_TRY(fill_truth(g, truth, err));
    DIP_TRY(dip_json_dump(truth, &text, err));
    const dip_status status = dip_folder_put(&g->folder, "truth.json", text, strlen(text), err);
    dip_free(text);
    DIP_TRY(status);
    return g->recipe->truth ? dip_generation_truth_tables(g, err) : DIP_OK;
}

static dip_status make_parts(dip_generation *g, json_t *manifest, json_t *truth, dip_error *err) {
    DIP_TRY(make_memory(g, err));
    if (g->recipe->format == DIP_RECIPE_DATASET) {
        DIP_TRY(dip_generation_dataset(g, manifest, err));
    } else {
        DIP_TRY(
            dip_json_set(manifest, "created_by", json_pack("s+", "diptych ", dip_version()), err));
        DIP_TRY(put_project(g, err));
        DIP_TRY(dip_generation_tables(g, err));
    }
    return put_truth(g, truth, err);
}

static dip_status make_and_publish(dip_generation *g, const char *output, bool replace,
                                   json_t *manifest, json_t *truth, dip_error *err) {
    const bool is_dataset = g->recipe->format == DIP_RECIPE_DATASET;
    DIP_TRY(dip_folder_create(&g->folder, output, replace, err));
    dip_status status = make_parts(g, manifest, truth, err);
    if (status == DIP_OK) {
        status = dip_folder_publish(&g->folder, is_dataset ? DIP_DATASET_FORMAT : TABLES_FORMAT,
                                    DIP_DATASET_VERSION, manifest, err);
    }
    dip_folder_abort(&g->folder);
    return status;
}

static dip_status run(dip_generation *g, const char *output, bool replace, json_t **summary,
                      dip_error *err) {
    json_t *manifest = NULL;
    json_t *truth = NULL;
    dip_status status = dip_json_new_object(&manifest, err);
    if (status == DIP_OK) {
        status = dip_json_new_object(&truth, err);
    }
    if (status == DIP_OK) {
        status = make_and_publish(g, output, replace, manifest, truth, err);
    }
    json_decref(manifest);
    if (status == DIP_OK && summary != NULL) {
        *summary = truth;
    } else {
        json_decref(truth);
    }
    return status;
}

dip_status dip_generate_world(const dip_recipe *recipe, const char *output, bool replace,
                              const dip_watch *watch, json_t **summary, dip_error *err) {
    dip_config defaults;
    dip_recipe settled = *recipe;
    DIP_TRY(dip_recipe_settle(&settled, err));
    dip_options_default(&dip_config_table, &defaults, sizeof defaults);
    const int threads = settled.threads > 0 ? (int)settled.threads : omp_get_max_threads();
    dip_generation g = {.recipe = &settled,
                        .world = dip_world_make(&settled, defaults.split.seed),
                        .threads = threads,
                        .watch = watch};
    const dip_status status = run(&g, output, replace, summary, err);
    free_memory(&g);
    return status;
}
