/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of prepare from the split on, with the mapped columns and pairs of a dataset in place
 * of scratch space.
 */
#include "prepare/thin.h"

#include "base/mem.h"
#include "base/number.h"
#include "data/tables.h"
#include "data/vocab.h"
#include "prepare/information.h"
#include "prepare/split.h"
#include "prepare/summary.h"
#include "prepare/write_pairs.h"

#include <stdio.h>
#include <string.h>

enum { FEWEST_PAIRS = 2 };

typedef struct thinning {
    const dip_dataset *dataset;
    const dip_means *means;
    dip_folder_writer *folder;
    dip_config config; /* as the manifest keeps it */
    dip_scratch scratch;
    dip_pairs pairs;
    dip_fit fit;
    dip_leaks leaks;
    int64_t counts[DIP_PART_UNUSED + 1];
    int64_t n_unused; /* that the dataset left out already */
    double *information;
    double information_share;
    dip_parts parts;
    json_t *summary;
} thinning;

/* ---- the pairs ------------------------------------------------------------------------------- */

/* What the dataset left out, the new one leaves out too. */
static dip_status read_counts(thinning *t, dip_error *err) {
    json_t *counts = NULL;
    DIP_TRY(dip_json_object(t->dataset->folder.manifest, "counts", &counts, err));
    const struct {
        const char *key;
        int64_t *value;
    } rows[] = {{"unused", &t->n_unused},
                {"duplicates", &t->pairs.n_duplicates},
                {"self_pairs", &t->pairs.n_self},
                {"unknown_ids", &t->pairs.n_unknown}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DIP_TRY(dip_json_integer(counts, rows[i].key, 0, INT64_MAX / 2, rows[i].value, err));
    }
    return DIP_OK;
}

static dip_status draw_pairs(thinning *t, double fraction, dip_error *err) {
    dip_pairs_of_dataset(&t->pairs, t->dataset);
    t->pairs.watch = t->means->watch;
    t->pairs.phase = "drawing training pairs";
    DIP_TRY(dip_split(&t->pairs, &t->config, t->means, t->counts, err));
    if (t->counts[DIP_PART_TRAIN] >= FEWEST_PAIRS) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_FAILED,
                    "a share of %g leaves %lld of the %lld training pairs of %s, and at least %d "
                    "are needed; take a larger share",
                    fraction, (long long)t->counts[DIP_PART_TRAIN],
                    (long long)t->dataset->n_pairs[DIP_PART_TRAIN], t->dataset->folder.path,
                    FEWEST_PAIRS);
}

static dip_status count_pairs(thinning *t, dip_error *err) {
    const dip_dataset *dataset = t->dataset;
    const bool queries_are_items = dataset->schema.queries_are_items;
    t->pairs.phase = "counting training pairs";
    DIP_TRY(dip_fit_mark(&t->fit, dataset->items.n, dataset->queries.n, &t->pairs,
                         queries_are_items, err));
    t->pairs.phase = "looking for leaks";
    return dip_leaks_count(&t->pairs, &t->fit, queries_are_items, t->counts[DIP_PART_TEST],
                           t->means, &t->leaks, err);
}

/* ---- vocabularies ---------------------------------------------------------------------------- */

/* A vocabulary on its way into the new dataset. */
typedef struct recount {
    dip_kept *kept;
    const int64_t *count; /* [rows] in the training rows that are left */
    int64_t rows;
    int64_t min_count;
    const char *name;
    dip_writer *writer;
} recount;

/* A count that did not fall below min_count by this thinning makes nothing unknown. */
static dip_status put_line(const recount *r, int64_t row, const char *line, size_t length,
                           dip_error *err) {
    size_t value_length = 0;
    int64_t before = 0;
    if (row >= r->rows || !dip_vocab_split(line, length, &value_length, &before)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%lld: not \"value TAB count\" of one of %lld rows",
                        r->name, (long long)row + 1, (long long)r->rows);
    }
    const int64_t count = r->count[row];
    const bool is_known = count >= r->min_count || count >= before;
    r->kept->remap[row] = is_known ? (int32_t)row : DIP_CODE_UNKNOWN;
    r->kept->rows += is_known;
    return dip_vocab_put_escaped(r->writer, line, value_length, count, err);
}

static dip_status put_lines(const recount *r, const dip_map *map, dip_error *err) {
    const char *const text = (const char *)map->data;
    size_t at = 0;
    size_t passed = 0;
    for (int64_t row = 0; at < map->bytes; row++) {
        const char *stop = memchr(text + at, '\n', map->bytes - at);
        const size_t end = stop != NULL ? (size_t)(stop - text) : map->bytes;
        DIP_TRY(put_line(r, row, text + at, end - at, err));
        at = end + 1;
        if (map->bytes > DIP_MAP_LARGE && at - passed > DIP_MAP_PIECE) {
            dip_map_advise(map, passed, at - passed, DIP_ADVICE_DONE);
            passed = at;
        }
    }
    return DIP_OK;
}

/* The counts of a vocabulary come from columns whose codes are those of the dataset. */
static dip_status count_values(const thinning *t, size_t table, int64_t *count, dip_error *err) {
    dip_columns sides[2] = {t->parts.columns[DIP_SIDE_ITEM]};
    if (!t->dataset->schema.queries_are_items) {
        sides[DIP_SIDE_QUERY] = t->parts.columns[DIP_SIDE_QUERY];
    }
    sides[DIP_SIDE_ITEM].kept = NULL;
    sides[DIP_SIDE_QUERY].kept = NULL;
    return dip_fit_count(&t->fit, sides, table, count, err);
}

static dip_status put_counted(thinning *t, size_t table, recount *r, dip_error *err) {
    dip_map map;
    DIP_TRY(dip_folder_map(&t->dataset->folder, r->name, &map, err));
    dip_status status = dip_folder_begin(t->folder, r->name, &r->writer, err);
    if (status == DIP_OK) {
        r->kept = &t->fit.kept[table];
        status = put_lines(r, &map, err);
    }
    dip_map_close(&map);
    return status == DIP_OK ? dip_folder_end(t->folder, err) : status;
}

static dip_status put_vocabulary(thinning *t, size_t table, dip_error *err) {
    const dip_table *known = &t->dataset->schema.tables[table];
    const dip_feature *settings = dip_tables_first_feature(&t->dataset->schema, table);
    const size_t rows = (size_t)known->rows;
    char name[DIP_PART_NAME_MAX];
    dip_part_name(name, "vocab", table, known->name, ".tsv");
    DIP_TRY(dip_parts_tell(&t->parts, name, err));
    t->fit.kept[table].remap = dip_alloc(rows, sizeof(int32_t), "a vocabulary's renumbering", err);
    int64_t *count = dip_alloc(rows, sizeof *count, "value counts", err);
    if (t->fit.kept[table].remap == NULL || count == NULL) {
        dip_free(count);
        return DIP_ERR_MEMORY;
    }
    recount r = {.count = count,
                 .rows = known->rows,
                 .min_count = settings != NULL ? settings->min_count : 1,
                 .name = name};
    dip_status status = count_values(t, table, count, err);
    if (status == DIP_OK) {
        status = put_counted(t, table, &r, err);
    }
    dip_free(count);
    return status;
}

static dip_status put_vocabularies(thinning *t, dip_error *err) {
    const dip_schema *schema = &t->dataset->schema;
    for (size_t table = 0; table < schema->n_tables; table++) {
        if (schema->tables[table].is_vocabulary) {
            DIP_TRY(put_vocabulary(t, table, err));
        }
    }
    return DIP_OK;
}

/* ---- the other parts ------------------------------------------------------------------------- */

static dip_status put_pieces(dip_writer *writer, const dip_map *map, dip_error *err) {
    for (size_t at = 0; at < map->bytes; at += DIP_MAP_PIECE) {
        const size_t left = map->bytes - at;
        const size_t n = left < DIP_MAP_PIECE ? left : DIP_MAP_PIECE;
        DIP_TRY(dip_writer_put(writer, map->data + at, n, err));
        if (map->bytes > DIP_MAP_LARGE) {
            dip_map_advise(map, at, n, DIP_ADVICE_DONE);
        }
    }
    return DIP_OK;
}

static dip_status copy_part(thinning *t, const char *name, dip_error *err) {
    dip_map map;
    dip_writer *writer = NULL;
    DIP_TRY(dip_parts_tell(&t->parts, name, err));
    DIP_TRY(dip_folder_map(&t->dataset->folder, name, &map, err));
    dip_status status = dip_folder_begin(t->folder, name, &writer, err);
    if (status == DIP_OK) {
        status = put_pieces(writer, &map, err);
    }
    dip_map_close(&map);
    return status == DIP_OK ? dip_folder_end(t->folder, err) : status;
}

static dip_status put_side(thinning *t, dip_side side, dip_error *err) {
    static const char *const TEXTS[] = {"ids.offsets.npy", "ids.bytes.npy", "titles.offsets.npy",
                                        "titles.bytes.npy"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        char name[DIP_PART_NAME_MAX];
        snprintf(name, sizeof name, "%s-%s", side == DIP_SIDE_ITEM ? "item" : "query", TEXTS[i]);
        DIP_TRY(copy_part(t, name, err));
    }
    return dip_parts_write_columns(&t->parts, side, t->folder, err);
}

/* What other writers than prepare put into a dataset. */
static dip_status copy_rest(thinning *t, dip_error *err) {
    const char *name = NULL;
    json_t *part = NULL;
    json_object_foreach(json_object_get(t->dataset->folder.manifest, "parts"), name, part) {
        if (json_object_get(t->folder->parts, name) == NULL) {
            DIP_TRY(copy_part(t, name, err));
        }
    }
    return DIP_OK;
}

static dip_status put_parts(thinning *t, dip_error *err) {
    DIP_TRY(put_side(t, DIP_SIDE_ITEM, err));
    if (!t->dataset->schema.queries_are_items) {
        DIP_TRY(put_side(t, DIP_SIDE_QUERY, err));
    }
    t->pairs.phase = "writing pairs";
    DIP_TRY(dip_write_split(&t->parts, DIP_PART_TRAIN, t->folder, err));
    DIP_TRY(copy_part(t, "pairs-validation.npy", err));
    DIP_TRY(copy_part(t, "pairs-test.npy", err));
    DIP_TRY(dip_parts_write_statistics(&t->parts, t->folder, err));
    return copy_rest(t, err);
}

/* ---- the steps ------------------------------------------------------------------------------- */

/* Set as text, in which the manifest keeps it, and within the option's range. */
static dip_status set_fraction(thinning *t, double fraction, dip_error *err) {
    char text[DIP_NUMBER_MAX];
    t->config = t->dataset->config;
    if (!(fraction > 0 && fraction <= 1)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "a share of the training pairs is above 0 and at most 1, not %g", fraction);
    }
    dip_print_number(t->config.split.train_fraction * fraction, text);
    const dip_status status =
        dip_options_set(&dip_config_table, &t->config, "split.train_fraction", text, err);
    return status == DIP_OK ? DIP_OK
                            : dip_fail_context(err, status, "a share of %g of %s", fraction,
                                               t->dataset->folder.path);
}

static dip_status fill_parts(thinning *t, dip_error *err) {
    const dip_dataset *dataset = t->dataset;
    const dip_schema *schema = &dataset->schema;
    const size_t k = schema->items.n_features;
    t->fit.kept = dip_alloc(schema->n_tables, sizeof *t->fit.kept, "vocabularies", err);
    t->information = dip_alloc(k * k, sizeof *t->information, "the mutual information", err);
    if (t->fit.kept == NULL || t->information == NULL) {
        return DIP_ERR_MEMORY;
    }
    t->parts =
        (dip_parts){.columns = {dip_columns_of_dataset(dataset, DIP_SIDE_ITEM, t->fit.kept),
                                dip_columns_of_dataset(dataset, DIP_SIDE_QUERY, t->fit.kept)},
                    .fit = &t->fit,
                    .pairs = &t->pairs,
                    .schema = schema,
                    .counts = t->counts,
                    .information = t->information,
                    .means = t->means};
    return DIP_OK;
}

/* Keys of the manifest that prepare does not know go on, such as the lineage. */
static dip_status carry_keys(thinning *t, dip_error *err) {
    static const char *const OWN[] = {"format", "version", "parts", "checksum"};
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(t->dataset->folder.manifest, key, value) {
        bool is_own = json_object_get(t->summary, key) != NULL;
        for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
            is_own = is_own || strcmp(key, OWN[i]) == 0;
        }
        if (!is_own) {
            DIP_TRY(dip_json_set(t->summary, key, json_incref(value), err));
        }
    }
    return DIP_OK;
}

static dip_status summarise(thinning *t, dip_error *err) {
    json_t *warnings = NULL;
    DIP_TRY(dip_json_array(t->dataset->folder.manifest, "warnings", &warnings, err));
    const dip_summary summary = {.config = &t->config,
                                 .schema = &t->dataset->schema,
                                 .fit = &t->fit,
                                 .n_items = t->dataset->items.n,
                                 .n_queries = t->dataset->queries.n,
                                 .pairs = &t->pairs,
                                 .leaks = &t->leaks,
                                 .counts = t->counts,
                                 .n_unused = t->n_unused,
                                 .information_share = t->information_share,
                                 .before = warnings};
    DIP_TRY(dip_summary_fill(&summary, &t->summary, err));
    return carry_keys(t, err);
}

static dip_status run(thinning *t, double fraction, dip_error *err) {
    DIP_TRY(read_counts(t, err));
    DIP_TRY(fill_parts(t, err));
    DIP_TRY(draw_pairs(t, fraction, err));
    DIP_TRY(count_pairs(t, err));
    DIP_TRY(put_vocabularies(t, err));
    DIP_TRY(dip_information_measure(&t->parts.columns[DIP_SIDE_ITEM], t->fit.item_trains,
                                    (uint64_t)t->config.split.seed, DIP_INFORMATION_LIMITS,
                                    t->means, t->information, &t->information_share, err));
    DIP_TRY(put_parts(t, err));
    return summarise(t, err);
}

dip_status dip_thin(const dip_dataset *dataset, double fraction, const char *output, bool replace,
                    const dip_means *means, dip_error *err) {
    thinning t = {.dataset = dataset, .means = means, .information_share = 1};
    dip_folder_writer folder;
    DIP_TRY(set_fraction(&t, fraction, err));
    DIP_TRY(dip_folder_create(&folder, output, replace, err));
    t.folder = &folder;
    dip_scratch_init(&t.scratch, folder.parent, means->kept);
    dip_pairs_init(&t.pairs, &t.scratch);
    dip_status status = run(&t, fraction, err);
    if (status == DIP_OK) {
        status =
            dip_folder_publish(&folder, DIP_DATASET_FORMAT, DIP_DATASET_VERSION, t.summary, err);
    }
    dip_free(t.information);
    dip_fit_free(&t.fit, &dataset->schema);
    dip_pairs_free(&t.pairs);
    dip_scratch_free(&t.scratch);
    json_decref(t.summary);
    dip_folder_abort(&folder);
    return status;
}
