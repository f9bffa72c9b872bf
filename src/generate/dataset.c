/* SPDX-License-Identifier: Apache-2.0
 *
 * A world as a dataset, part by part what prepare makes of its tables.
 *
 * The size of a part stands in its header, and how many pairs are for training is known only when
 * all have been made; so pairs go to scratch space first, one sequence for each part of the split.
 */
#include "data/dataset.h"
#include "base/mem.h"
#include "data/project.h"
#include "data/values.h"
#include "generate/columns.h"
#include "prepare/mutual_information.h"

#include <stdio.h>
#include <string.h>

/* Above this, the mutual information of the features is the planted one: what could be measured on
 * a sample would be further from the truth. */
enum { MEASURED_ROWS = 65536 };

enum { COPY_BYTES = 1 << 20 };

typedef struct building {
    dip_generation *g;
    dip_project project;
    dip_fitted fitted;
    int64_t cold_test_pairs;
    double information[DIP_ITEM_FEATURES][DIP_ITEM_FEATURES];
} building;

/* ---- the schema ------------------------------------------------------------------------------ */

/* The project file becomes a part, and is read like any other. */
static dip_status read_project(building *b, dip_error *err) {
    dip_text yaml = {0};
    dip_folder_writer *folder = &b->g->folder;
    dip_status status = dip_generation_project(b->g, &yaml, err);
    if (status == DIP_OK) {
        status = dip_folder_put(folder, "project.yaml", yaml.data, yaml.length, err);
    }
    dip_text_free(&yaml);
    DIP_TRY(status);
    char *path = dip_path_join(folder->work, "project.yaml", err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    status = dip_project_read(&b->project, path, err);
    dip_free(path);
    return status;
}

static void place_tables(dip_schema *schema, dip_entity *entity, const char *prefix) {
    for (size_t f = 0; f < entity->n_features; f++) {
        dip_feature *feature = &entity->features[f];
        if (feature->type == DIP_FEATURE_NUMERIC && feature->buckets == 0) {
            continue;
        }
        dip_table *table = &schema->tables[schema->n_tables];
        snprintf(table->name, sizeof table->name, "%s%.200s", prefix, feature->name);
        table->rows = feature->buckets;
        table->is_vocabulary = feature->buckets == 0;
        feature->table = (int)schema->n_tables++;
    }
}

static dip_status make_schema(building *b, dip_error *err) {
    dip_schema *schema = &b->project.schema;
    DIP_TRY(read_project(b, err));
    schema->tables =
        dip_alloc(DIP_ITEM_FEATURES + DIP_QUERY_FEATURES, sizeof *schema->tables, "tables", err);
    if (schema->tables == NULL) {
        return DIP_ERR_MEMORY;
    }
    place_tables(schema, &schema->items, "");
    place_tables(schema, &schema->queries, "query.");
    return DIP_OK;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void count_cold(building *b, const char *data, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 2 * sizeof(int32_t)) {
        int32_t pair[2];
        memcpy(pair, data + at, sizeof pair);
        b->cold_test_pairs += dip_generation_count(b->g, pair[1]) == 0;
    }
}

static dip_status copy_spool(building *b, size_t part, const dip_spool *spool, char *buffer,
                             dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_writer *writer = NULL;
    dip_spool_cursor cursor = {.spool = spool};
    dip_status status = DIP_OK;
    size_t got = COPY_BYTES;
    snprintf(name, sizeof name, "pairs-%s.npy", dip_split_names[part]);
    DIP_TRY(dip_npy_begin(&b->g->folder, name, DIP_NPY_I32, b->g->n_pairs[part], 2, &writer, err));
    while (got == COPY_BYTES && status == DIP_OK) {
        status = dip_spool_read(&cursor, buffer, COPY_BYTES, &got, err);
        if (status == DIP_OK) {
            status = dip_writer_put(writer, buffer, got, err);
        }
        if (status == DIP_OK && part == 2) {
            count_cold(b, buffer, got);
        }
    }
    dip_spool_cursor_free(&cursor);
    return status == DIP_OK ? dip_folder_end(&b->g->folder, err) : status;
}

/* A spool gives its space back as soon as it has become a part. */
static dip_status copy_spools(building *b, dip_spool spools[DIP_N_PARTS], dip_error *err) {
    char *buffer = dip_alloc(COPY_BYTES, 1, "pairs", err);
    dip_status status = buffer != NULL ? DIP_OK : DIP_ERR_MEMORY;
    for (size_t part = 0; part < DIP_N_PARTS && status == DIP_OK; part++) {
        status = copy_spool(b, part, &spools[part], buffer, err);
        dip_spool_free(&spools[part]);
    }
    dip_free(buffer);
    return status;
}

static dip_status put_pairs(building *b, dip_error *err) {
    dip_scratch scratch;
    dip_scratch_init(&scratch, b->g->folder.work, 0);
    dip_spool spools[DIP_N_PARTS] = {
        {.scratch = &scratch}, {.scratch = &scratch}, {.scratch = &scratch}};
    dip_status status = dip_generation_pairs(b->g, NULL, spools, err);
    if (status == DIP_OK) {
        status = copy_spools(b, spools, err);
    }
    for (size_t part = 0; part < DIP_N_PARTS; part++) {
        dip_spool_free(&spools[part]);
    }
    dip_scratch_free(&scratch);
    return status;
}

/* ---- mutual information ---------------------------------------------------------------------- */

typedef struct sample {
    int64_t *offsets[DIP_ITEM_FEATURES];
    int32_t *codes[DIP_ITEM_FEATURES];
    uint8_t *use;
    int64_t n;
} sample;

/* Prices as prepare cuts them: 20 bins of equal width over two deviations to either side. */
static int32_t price_bin(const dip_feature *feature, int32_t cents) {
    enum { BINS = 20 };
    double edges[BINS];
    dip_feature bins = {.edges = edges};
    for (size_t b = 1; b < BINS; b++) {
        edges[bins.n_edges++] = -2.0 + 4.0 * (double)b / BINS;
    }
    return dip_values_bucket(&bins, dip_values_normalise(feature, cents / 100.0));
}

static void add_row(const building *b, sample *s, int64_t row) {
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        dip_cell cell = dip_item_cell(&b->g->world, row, (dip_item_feature)f);
        if (f == DIP_ITEM_PRICE) {
            cell.value[0] = price_bin(&b->project.schema.items.features[f], cell.value[0]);
        }
        const int64_t at = s->offsets[f][s->n];
        memcpy(s->codes[f] + at, cell.value, (size_t)cell.n * sizeof(int32_t));
        s->offsets[f][s->n + 1] = at + cell.n;
    }
    s->use[s->n++] = 1;
}

static dip_status create_sample(sample *s, size_t rows, dip_error *err) {
    s->use = dip_alloc(rows, 1, "rows for the mutual information", err);
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        s->offsets[f] = dip_alloc(rows + 1, sizeof **s->offsets, "values of a feature", err);
        s->codes[f] = dip_alloc(rows * DIP_CELL_MAX, sizeof **s->codes, "values of a feature", err);
        if (s->offsets[f] == NULL || s->codes[f] == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    return s->use != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status measure(building *b, sample *s, dip_error *err) {
    dip_codes codes[DIP_ITEM_FEATURES];
    DIP_TRY(create_sample(s, (size_t)b->fitted.training_items, err));
    for (int64_t row = 0; row < b->g->world.items; row++) {
        if (dip_generation_item_trains(b->g, row)) {
            add_row(b, s, row);
        }
    }
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        codes[f] = (dip_codes){s->offsets[f], s->codes[f]};
    }
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        for (int g = 0; g <= f; g++) {
            double *found = &b->information[f][g];
            DIP_TRY(dip_mutual_information(&codes[f], &codes[g], s->use, (size_t)s->n, found, err));
            b->information[g][f] = *found;
        }
    }
    return DIP_OK;
}

static dip_status put_information(building *b, dip_error *err) {
    sample s = {.n = 0};
    dip_status status = DIP_OK;
    if (b->fitted.training_items > MEASURED_ROWS) {
        dip_generation_planted(b->g, b->information);
    } else {
        status = measure(b, &s, err);
    }
    dip_free(s.use);
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        dip_free(s.offsets[f]);
        dip_free(s.codes[f]);
    }
    DIP_TRY(status);
    return dip_npy_put(&b->g->folder, "mutual-information.npy", DIP_NPY_F64, b->information,
                       DIP_ITEM_FEATURES, DIP_ITEM_FEATURES, err);
}

/* ---- the manifest ---------------------------------------------------------------------------- */

static dip_status add_counts(const building *b, json_t *manifest, dip_error *err) {
    const dip_generation *g = b->g;
    json_t *counts = NULL;
    DIP_TRY(dip_json_new_object(&counts, err));
    DIP_TRY(dip_json_set(manifest, "counts", counts, err));
    DIP_TRY(dip_json_set(counts, "item_rows", json_integer(g->world.items), err));
    if (!g->world.queries_are_items) {
        DIP_TRY(dip_json_set(counts, "query_rows", json_integer(g->world.queries), err));
    }
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"pairs", g->world.pairs},
                {"train", g->n_pairs[0]},
                {"validation", g->n_pairs[1]},
                {"test", g->n_pairs[2]},
                {"unused", 0},
                {"duplicates", 0},
                {"self_pairs", 0},
                {"unknown_ids", 0},
                {"reversed_test_pairs", 0}, /* the split keeps both directions together */
                {"test_pairs_of_trained_queries", g->test_pairs_of_trained_queries},
                {"cold_test_pairs", b->cold_test_pairs}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DIP_TRY(dip_json_set(counts, rows[i].key, json_integer(rows[i].value), err));
    }
    return DIP_OK;
}

static dip_status fill_manifest(const building *b, json_t *manifest, dip_error *err) {
    json_t *schema = NULL;
    json_t *config = NULL;
    json_t *warnings = NULL;
    DIP_TRY(dip_json_set(manifest, "created_by", json_pack("s+", "diptych ", dip_version()), err));
    DIP_TRY(dip_schema_to_json(&b->project.schema, &schema, err));
    DIP_TRY(dip_json_set(manifest, "schema", schema, err));
    DIP_TRY(dip_config_to_json(&b->project.config, &config, err));
    DIP_TRY(dip_json_set(manifest, "config", config, err));
    DIP_TRY(add_counts(b, manifest, err));
    DIP_TRY(dip_json_new_array(&warnings, err));
    return dip_json_set(manifest, "warnings", warnings, err);
}

static dip_status build(building *b, json_t *manifest, dip_error *err) {
    dip_generation *g = b->g;
    dip_schema *schema = &b->project.schema;
    DIP_TRY(make_schema(b, err));
    DIP_TRY(put_pairs(b, err));
    DIP_TRY(dip_fitted_create(&b->fitted, g, schema, err));
    DIP_TRY(dip_put_vocabularies(g, &b->fitted, schema, false, err));
    DIP_TRY(dip_put_side(g, &b->fitted, schema, false, err));
    if (!schema->queries_are_items) {
        DIP_TRY(dip_put_vocabularies(g, &b->fitted, schema, true, err));
        DIP_TRY(dip_put_side(g, &b->fitted, schema, true, err));
    }
    DIP_TRY(dip_put_counts(g, err));
    DIP_TRY(put_information(b, err));
    return fill_manifest(b, manifest, err);
}

dip_status dip_generation_dataset(dip_generation *g, json_t *manifest, dip_error *err) {
    building b = {.g = g};
    const dip_status status = build(&b, manifest, err);
    dip_fitted_free(&b.fitted);
    dip_project_release(&b.project);
    return status;
}
