/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/prepare.h"

#include "base/mem.h"
#include "base/npy.h"
#include "data/dataset.h"
#include "prepare/fit.h"
#include "prepare/ingest.h"
#include "prepare/mutual_information.h"
#include "prepare/split.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bins that a plain number is cut into for its mutual information. */
enum { NUMBER_BINS = 20 };

typedef struct preparation {
    const dip_project *project;
    const dip_watch *watch;
    dip_schema schema;
    dip_raw raw;
    dip_fit fit;
    dip_leaks leaks;
    double *information; /* [k x k] */
    int64_t *bin_offsets[DIP_FEATURES_MAX];
    int32_t *bin_codes[DIP_FEATURES_MAX];
    json_t *summary;
} preparation;

/* ---- mutual information ---------------------------------------------------------------------- */

/* Numbers have no values of their own: the normalised column is cut into bins of equal width over
 * two deviations to either side of the mean; the outer bins take the rest. */
static dip_status bin_number(preparation *p, size_t f, dip_error *err) {
    const size_t n = p->raw.items.ids.n;
    const double *numbers = p->raw.items.columns[f].numbers;
    double edges[NUMBER_BINS];
    dip_feature bins = {.edges = edges};
    for (size_t b = 1; b < NUMBER_BINS; b++) {
        edges[bins.n_edges++] = -2.0 + 4.0 * (double)b / NUMBER_BINS;
    }
    p->bin_offsets[f] = dip_alloc(n + 1, sizeof **p->bin_offsets, "number bins", err);
    p->bin_codes[f] = dip_alloc(n, sizeof **p->bin_codes, "number bins", err);
    if (p->bin_offsets[f] == NULL || p->bin_codes[f] == NULL) {
        return DIP_ERR_MEMORY;
    }
    int64_t used = 0;
    for (size_t row = 0; row < n; row++) {
        if (!isnan(numbers[row])) {
            p->bin_codes[f][used++] = dip_values_bucket(&bins, numbers[row]);
        }
        p->bin_offsets[f][row + 1] = used;
    }
    return DIP_OK;
}

static dip_status measure_information(preparation *p, dip_error *err) {
    const dip_entity *items = &p->schema.items;
    const size_t k = items->n_features;
    dip_codes codes[DIP_FEATURES_MAX];
    p->information = dip_alloc(k * k, sizeof *p->information, "the mutual information", err);
    if (p->information == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t f = 0; f < k; f++) {
        const dip_raw_column *column = &p->raw.items.columns[f];
        codes[f] = (dip_codes){column->offsets, column->codes};
        if (items->features[f].table < 0) {
            DIP_TRY(bin_number(p, f, err));
            codes[f] = (dip_codes){p->bin_offsets[f], p->bin_codes[f]};
        }
    }
    return dip_mutual_information_matrix(codes, k, p->fit.item_trains, p->raw.items.ids.n,
                                         p->information, p->watch, err);
}

/* ---- writing --------------------------------------------------------------------------------- */

static dip_status put_strings(dip_folder_writer *folder, const char *stem, const size_t *start,
                              const char *bytes, size_t n, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    int64_t *offsets = dip_alloc(n + 1, sizeof *offsets, "string offsets", err);
    if (offsets == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; start != NULL && i <= n; i++) {
        offsets[i] = (int64_t)start[i];
    }
    snprintf(name, sizeof name, "%s.offsets.npy", stem);
    dip_status status = dip_npy_put(folder, name, DIP_NPY_I64, offsets, (int64_t)n + 1, 0, err);
    if (status == DIP_OK) {
        snprintf(name, sizeof name, "%s.bytes.npy", stem);
        status =
            dip_npy_put(folder, name, DIP_NPY_U8, bytes != NULL ? bytes : "", offsets[n], 0, err);
    }
    dip_free(offsets);
    return status;
}

static dip_status put_number(dip_folder_writer *folder, const char *name, const double *numbers,
                             size_t n, dip_error *err) {
    float *narrow = dip_alloc(n, sizeof *narrow, "a numeric column", err);
    if (narrow == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        narrow[i] = (float)numbers[i];
    }
    const dip_status status = dip_npy_put(folder, name, DIP_NPY_F32, narrow, (int64_t)n, 0, err);
    dip_free(narrow);
    return status;
}

static dip_status put_single(dip_folder_writer *folder, const char *name,
                             const dip_raw_column *column, size_t n, dip_error *err) {
    int32_t *codes = dip_alloc(n, sizeof *codes, "a feature column", err);
    if (codes == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const bool has_value = column->offsets[i + 1] > column->offsets[i];
        codes[i] = has_value ? column->codes[column->offsets[i]] : -1;
    }
    const dip_status status = dip_npy_put(folder, name, DIP_NPY_I32, codes, (int64_t)n, 0, err);
    dip_free(codes);
    return status;
}

static dip_status put_column(dip_folder_writer *folder, const char *prefix, size_t index,
                             const dip_feature *feature, const dip_raw_column *column, size_t n,
                             dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    if (dip_feature_is_bag(feature)) {
        dip_part_name(name, prefix, index, feature->name, ".offsets.npy");
        DIP_TRY(dip_npy_put(folder, name, DIP_NPY_I64, column->offsets, (int64_t)n + 1, 0, err));
        dip_part_name(name, prefix, index, feature->name, ".values.npy");
        return dip_npy_put(folder, name, DIP_NPY_I32,
                           column->codes != NULL ? column->codes : (const void *)"",
                           (int64_t)column->n_codes, 0, err);
    }
    dip_part_name(name, prefix, index, feature->name, ".npy");
    return feature->table < 0 ? put_number(folder, name, column->numbers, n, err)
                              : put_single(folder, name, column, n, err);
}

static dip_status put_side(dip_folder_writer *folder, const char *prefix, const dip_entity *entity,
                           const dip_raw_entity *side, dip_error *err) {
    char stem[DIP_PART_NAME_MAX];
    snprintf(stem, sizeof stem, "%s-ids", prefix);
    DIP_TRY(put_strings(folder, stem, side->ids.start, side->ids.bytes.data, side->ids.n, err));
    snprintf(stem, sizeof stem, "%s-titles", prefix);
    DIP_TRY(put_strings(folder, stem, side->title_start, side->titles.data, side->ids.n, err));
    for (size_t f = 0; f < entity->n_features; f++) {
        DIP_TRY(put_column(folder, prefix, f, &entity->features[f], &side->columns[f], side->ids.n,
                           err));
    }
    return DIP_OK;
}

static dip_status put_pairs(dip_folder_writer *folder, const dip_pairs *pairs, size_t part,
                            dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    int32_t *list = dip_alloc(2 * pairs->n, sizeof *list, "pairs", err);
    if (list == NULL) {
        return DIP_ERR_MEMORY;
    }
    int64_t n = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->part[i] == part) {
            list[2 * n] = pairs->query[i];
            list[2 * n + 1] = pairs->item[i];
            n++;
        }
    }
    snprintf(name, sizeof name, "pairs-%s.npy", dip_split_names[part]);
    const dip_status status = dip_npy_put(folder, name, DIP_NPY_I32, list, n, 2, err);
    dip_free(list);
    return status;
}

static dip_status put_vocabularies(dip_folder_writer *folder, const preparation *p,
                                   dip_error *err) {
    for (size_t t = 0; t < p->schema.n_tables; t++) {
        char name[DIP_PART_NAME_MAX];
        if (p->schema.tables[t].is_vocabulary) {
            dip_part_name(name, "vocab", t, p->schema.tables[t].name, ".tsv");
            DIP_TRY(dip_vocab_write(&p->fit.vocabs[t], folder, name, err));
        }
    }
    return DIP_OK;
}

static dip_status put_parts(dip_folder_writer *folder, const preparation *p, dip_error *err) {
    const int64_t n = (int64_t)p->raw.items.ids.n;
    const int64_t k = (int64_t)p->schema.items.n_features;
    DIP_TRY(put_vocabularies(folder, p, err));
    DIP_TRY(put_side(folder, "item", &p->schema.items, &p->raw.items, err));
    if (!p->schema.queries_are_items) {
        DIP_TRY(put_side(folder, "query", &p->schema.queries, &p->raw.queries, err));
    }
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        DIP_TRY(put_pairs(folder, &p->raw.pairs, s, err));
    }
    DIP_TRY(dip_npy_put(folder, "item-count.npy", DIP_NPY_I64, p->fit.item_count, n, 0, err));
    DIP_TRY(dip_npy_put(folder, "item-trains.npy", DIP_NPY_U8, p->fit.item_trains, n, 0, err));
    return dip_npy_put(folder, "mutual-information.npy", DIP_NPY_F64, p->information, k, k, err);
}

/* ---- the summary ----------------------------------------------------------------------------- */

static int64_t count_cold(const preparation *p) {
    int64_t cold = 0;
    for (size_t i = 0; i < p->raw.pairs.n; i++) {
        cold +=
            p->raw.pairs.part[i] == DIP_PART_TEST && p->fit.item_count[p->raw.pairs.item[i]] == 0;
    }
    return cold;
}

static dip_status add_counts(const preparation *p, json_t *summary, dip_error *err) {
    json_t *counts = NULL;
    DIP_TRY(dip_json_new_object(&counts, err));
    DIP_TRY(dip_json_set(summary, "counts", counts, err));
    DIP_TRY(dip_json_set(counts, "item_rows", json_integer((json_int_t)p->raw.items.ids.n), err));
    if (!p->schema.queries_are_items) {
        DIP_TRY(dip_json_set(counts, "query_rows", json_integer((json_int_t)p->raw.queries.ids.n),
                             err));
    }
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"pairs", (int64_t)p->raw.pairs.n},
                {"train", p->leaks.train_pairs},
                {"validation", p->leaks.validation_pairs},
                {"test", p->leaks.test_pairs},
                {"unused", p->leaks.unused_pairs},
                {"duplicates", p->raw.n_duplicates},
                {"self_pairs", p->raw.n_self},
                {"unknown_ids", p->raw.unknown.n},
                {"reversed_test_pairs", p->leaks.reversed_test_pairs},
                {"test_pairs_of_trained_queries", p->leaks.test_pairs_of_trained_queries},
                {"cold_test_pairs", count_cold(p)}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DIP_TRY(dip_json_set(counts, rows[i].key, json_integer(rows[i].value), err));
    }
    return DIP_OK;
}

static dip_status warn(json_t *warnings, dip_error *err, const char *format, ...) DIP_PRINTF(3, 4);

static dip_status warn(json_t *warnings, dip_error *err, const char *format, ...) {
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_json_append(warnings, json_string(text), err);
}

static dip_status warn_unknown(const preparation *p, json_t *warnings, dip_error *err) {
    char list[900] = "";
    size_t used = 0;
    for (int64_t i = 0; i < p->raw.unknown.n && i < DIP_SHOWN_UNKNOWN; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? "; " : "",
                                 p->raw.unknown.shown[i]);
    }
    return warn(warnings, err,
                "%lld interactions name an unknown id and are left out: %s (to stop instead: "
                "prepare.unknown_ids: stop)",
                (long long)p->raw.unknown.n, list);
}

static dip_status warn_leaks(const preparation *p, json_t *warnings, dip_error *err) {
    const int by = p->project->config.split.by;
    if (p->leaks.reversed_test_pairs > 0) {
        DIP_TRY(warn(warnings, err,
                     "the split leaks: for %lld of %lld test pairs the reverse pair trains "
                     "(split.by: unordered_pair keeps both together)",
                     (long long)p->leaks.reversed_test_pairs, (long long)p->leaks.test_pairs));
    }
    if (by != DIP_SPLIT_TIME && by != DIP_SPLIT_COLUMN) {
        return warn(warnings, err,
                    "the split is not by time: training knows pairs that are newer than test pairs "
                    "(split.by: time, with a time column, is the honest cut for forecasting)");
    }
    return DIP_OK;
}

static dip_status warn_features(const preparation *p, json_t *warnings, dip_error *err) {
    for (size_t t = 0; t < p->schema.n_tables; t++) {
        if (p->schema.tables[t].rows < 2) {
            DIP_TRY(warn(warnings, err, "table \"%s\" has %lld value(s): its feature tells nothing",
                         p->schema.tables[t].name, (long long)p->schema.tables[t].rows));
        }
    }
    return DIP_OK;
}

static dip_status add_warnings(const preparation *p, json_t *summary, dip_error *err) {
    json_t *warnings = NULL;
    DIP_TRY(dip_json_new_array(&warnings, err));
    DIP_TRY(dip_json_set(summary, "warnings", warnings, err));
    if (p->raw.unknown.n > 0) {
        DIP_TRY(warn_unknown(p, warnings, err));
    }
    if (p->raw.n_duplicates > 0) {
        DIP_TRY(warn(warnings, err, "%lld repeated pairs are kept once",
                     (long long)p->raw.n_duplicates));
    }
    if (p->raw.n_self > 0) {
        DIP_TRY(warn(warnings, err, "%lld pairs of an item with itself are left out",
                     (long long)p->raw.n_self));
    }
    if (p->leaks.test_pairs == 0) {
        DIP_TRY(warn(warnings, err, "there are no test pairs: evaluate has nothing to measure"));
    }
    DIP_TRY(warn_leaks(p, warnings, err));
    return warn_features(p, warnings, err);
}

static dip_status fill_summary(preparation *p, dip_error *err) {
    json_t *schema = NULL;
    json_t *config = NULL;
    DIP_TRY(dip_json_new_object(&p->summary, err));
    DIP_TRY(
        dip_json_set(p->summary, "created_by", json_pack("s+", "diptych ", dip_version()), err));
    DIP_TRY(dip_schema_to_json(&p->schema, &schema, err));
    DIP_TRY(dip_json_set(p->summary, "schema", schema, err));
    DIP_TRY(dip_config_to_json(&p->project->config, &config, err));
    DIP_TRY(dip_json_set(p->summary, "config", config, err));
    DIP_TRY(add_counts(p, p->summary, err));
    return add_warnings(p, p->summary, err);
}

static dip_status run(preparation *p, dip_folder_writer *folder, dip_error *err) {
    const dip_project *project = p->project;
    DIP_TRY(dip_schema_copy(&p->schema, &project->schema, err));
    DIP_TRY(dip_fit_tables(&p->schema, err));
    DIP_TRY(dip_ingest(&p->raw, project, &p->schema, p->watch, err));
    DIP_TRY(dip_split(&p->raw.pairs, &project->config, err));
    const size_t n_queries = dip_raw_side(&p->raw, &p->schema, DIP_SIDE_QUERY)->ids.n;
    DIP_TRY(dip_split_leaks(&p->raw.pairs, p->schema.queries_are_items, (int64_t)n_queries,
                            &p->leaks, err));
    DIP_TRY(dip_fit_all(&p->fit, &p->raw, &p->schema, err));
    DIP_TRY(measure_information(p, err));
    DIP_TRY(fill_summary(p, err));
    return put_parts(folder, p, err);
}

static void preparation_free(preparation *p) {
    for (size_t f = 0; f < DIP_FEATURES_MAX; f++) {
        dip_free(p->bin_offsets[f]);
        dip_free(p->bin_codes[f]);
    }
    dip_free(p->information);
    dip_fit_free(&p->fit, &p->schema);
    dip_raw_free(&p->raw, &p->schema);
    dip_schema_free(&p->schema);
    json_decref(p->summary);
}

dip_status dip_prepare_dataset(const dip_project *project, const char *output, bool replace,
                               const dip_watch *watch, json_t **summary, dip_error *err) {
    preparation p = {.project = project, .watch = watch};
    dip_folder_writer folder;
    DIP_TRY(dip_folder_create(&folder, output, replace, err));
    dip_status status = run(&p, &folder, err);
    if (status == DIP_OK) {
        status =
            dip_folder_publish(&folder, DIP_DATASET_FORMAT, DIP_DATASET_VERSION, p.summary, err);
    }
    if (status == DIP_OK && summary != NULL) {
        *summary = json_incref(p.summary);
    }
    dip_folder_abort(&folder);
    preparation_free(&p);
    return status;
}
