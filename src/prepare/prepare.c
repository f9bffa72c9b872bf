/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/prepare.h"

#include "base/mem.h"
#include "data/dataset.h"
#include "data/tables.h"
#include "prepare/growth.h"
#include "prepare/information.h"
#include "prepare/split.h"
#include "prepare/summary.h"
#include "prepare/write.h"

#include <omp.h>
#include <string.h>
#include <unistd.h>

/* The least that prepare can work in, and what it takes beside texts, pairs and runs. */
#define LEAST_MEMORY ((size_t)64 << 20)
enum { SMALL_MEMORY_BLOCKS = 2 };

typedef struct preparation {
    const dip_project *project;
    dip_means means;
    dip_config config; /* as the manifest keeps it */
    dip_schema schema;
    dip_raw raw;
    dip_pairs pairs;
    dip_fit fit;
    dip_leaks leaks;
    int64_t counts[DIP_PART_UNUSED + 1];
    double *information; /* [k x k] */
    double information_share;
    dip_growth *growth; /* NULL: none */
    int64_t n_gone;
    json_t *summary;
} preparation;

static size_t machine_memory(void) {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && bytes > 0 ? (size_t)pages * (size_t)bytes : (size_t)4 << 30;
}

dip_status dip_prepare_means(dip_means *means, const dip_config *config, const dip_watch *watch,
                             dip_error *err) {
    const size_t asked = (size_t)config->prepare.memory;
    const size_t memory = asked > 0 ? asked : machine_memory() / 2;
    if (asked > 0 && asked < LEAST_MEMORY) {
        return dip_fail(err, DIP_ERR_USAGE, "prepare.memory: at least %zuM are needed",
                        LEAST_MEMORY >> 20);
    }
    *means =
        (dip_means){.memory = memory / 2,
                    .kept = (memory > LEAST_MEMORY ? memory - LEAST_MEMORY : 0) / 4,
                    .threads = config->threads > 0 ? (int)config->threads : omp_get_max_threads(),
                    .watch = watch};
    if (memory < 8 * LEAST_MEMORY) {
        means->round_blocks = SMALL_MEMORY_BLOCKS * (size_t)means->threads;
    }
    return DIP_OK;
}

/* ---- queries that are only known from the interactions --------------------------------------- */

static dip_status mark_used(const dip_pairs *pairs, uint8_t *used, dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            used[cursor.chunk.rows[i][0]] = 1;
        }
    }
    dip_pairs_end(&cursor);
    return status;
}

/* An id that came with unknown items only is no query: the others close up. */
static dip_status close_up(preparation *p, uint8_t *used, dip_error *err) {
    const size_t n = (size_t)p->raw.queries.n;
    DIP_TRY(mark_used(&p->pairs, used, err));
    int32_t *row = dip_alloc(n, sizeof *row, "query rows", err);
    if (row == NULL) {
        return DIP_ERR_MEMORY;
    }
    int32_t kept = 0;
    memset(used, 1, (size_t)dip_growth_rows(p->growth, DIP_SIDE_QUERY));
    for (size_t i = 0; i < n; i++) {
        row[i] = kept;
        kept += used[i];
    }
    dip_status status = DIP_OK;
    const bool keeps_all = (size_t)kept == n;
    if (!keeps_all) {
        status = dip_pairs_renumber(&p->pairs, row, err);
    }
    dip_free(row);
    DIP_TRY(status);
    return dip_ingest_finish(&p->raw, &p->schema, keeps_all ? NULL : used, &p->means, err);
}

/* Rows of a dataset that grows take the places of their numbers. */
static dip_status order_rows(preparation *p, dip_error *err) {
    const dip_schema *schema = &p->schema;
    int64_t n_gone = 0;
    DIP_TRY(dip_growth_order(&p->raw.items, &schema->items, &p->n_gone, err));
    if (!schema->queries_are_items && schema->queries.source.files.n > 0) {
        DIP_TRY(dip_growth_order(&p->raw.queries, &schema->queries, &n_gone, err));
    }
    p->n_gone += n_gone;
    return DIP_OK;
}

static dip_status finish_ingest(preparation *p, dip_error *err) {
    const dip_schema *schema = &p->schema;
    if (schema->queries_are_items || schema->queries.source.files.n > 0) {
        return dip_ingest_finish(&p->raw, schema, NULL, &p->means, err);
    }
    uint8_t *used = dip_alloc((size_t)p->raw.queries.n, 1, "used queries", err);
    if (used == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = close_up(p, used, err);
    dip_free(used);
    return status;
}

/* ---- the steps ------------------------------------------------------------------------------- */

static dip_status collect_pairs(preparation *p, dip_error *err) {
    DIP_TRY(dip_pairs_collect(&p->pairs, &p->raw, p->schema.queries_are_items, &p->means, err));
    if (p->pairs.n > 0) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s has no usable pair (%lld with unknown ids); do its ids match the \"id\" "
                    "columns?",
                    p->raw.pairs_name, (long long)p->pairs.n_unknown);
}

static dip_status measure_information(preparation *p, dip_error *err) {
    const size_t k = p->schema.items.n_features;
    p->information = dip_alloc(k * k, sizeof *p->information, "the mutual information", err);
    if (p->information == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_columns items = dip_columns_of_raw(&p->raw, &p->schema, DIP_SIDE_ITEM, p->fit.kept);
    return dip_information_measure(&items, p->fit.item_trains, (uint64_t)p->config.split.seed,
                                   DIP_INFORMATION_LIMITS, &p->means, p->information,
                                   &p->information_share, err);
}

static dip_status write_all(preparation *p, dip_folder_writer *folder, dip_error *err) {
    const dip_summary summary = {.config = &p->config,
                                 .schema = &p->schema,
                                 .fit = &p->fit,
                                 .n_items = (int64_t)p->raw.items.n,
                                 .n_queries = (int64_t)p->raw.queries.n,
                                 .pairs = &p->pairs,
                                 .unknown = &p->raw.unknown,
                                 .leaks = &p->leaks,
                                 .counts = p->counts,
                                 .information_share = p->information_share,
                                 .n_gone = p->n_gone};
    const dip_parts parts = {
        .raw = &p->raw,
        .columns = {dip_columns_of_raw(&p->raw, &p->schema, DIP_SIDE_ITEM, p->fit.kept),
                    dip_columns_of_raw(&p->raw, &p->schema, DIP_SIDE_QUERY, p->fit.kept)},
        .fit = &p->fit,
        .pairs = &p->pairs,
        .schema = &p->schema,
        .counts = p->counts,
        .information = p->information,
        .seed = (uint64_t)p->config.split.seed,
        .scatter = DIP_SCATTER_PAIRS,
        .means = &p->means};
    DIP_TRY(dip_summary_fill(&summary, &p->summary, err));
    if (p->growth != NULL) {
        json_t *lineage = NULL;
        DIP_TRY(dip_growth_lineage(p->growth, &lineage, err));
        DIP_TRY(dip_json_set(p->summary, "lineage", lineage, err));
    }
    return dip_parts_write(&parts, folder, err);
}

static dip_status run(preparation *p, dip_folder_writer *folder, dip_error *err) {
    const dip_project *project = p->project;
    DIP_TRY(dip_schema_copy(&p->schema, &project->schema, err));
    DIP_TRY(dip_tables_lay_out(&p->schema, err));
    if (project->config.prepare.grow[0] != '\0') {
        DIP_TRY(dip_growth_open(&p->growth, project->config.prepare.grow, &p->schema, err));
        p->means.growth = p->growth;
    }
    DIP_TRY(dip_ingest(&p->raw, project, &p->schema, folder->parent, &p->means, err));
    DIP_TRY(collect_pairs(p, err));
    DIP_TRY(finish_ingest(p, err));
    if (p->growth != NULL) {
        DIP_TRY(order_rows(p, err));
    }
    p->pairs.phase = "splitting pairs";
    DIP_TRY(dip_split(&p->pairs, &p->config, &p->means, p->counts, err));
    p->pairs.phase = "counting training pairs";
    DIP_TRY(dip_fit_all(&p->fit, &p->raw, &p->pairs, &p->schema, &p->means, &p->raw.scratch, err));
    p->pairs.phase = "looking for leaks";
    DIP_TRY(dip_leaks_count(&p->pairs, &p->fit, p->schema.queries_are_items,
                            p->counts[DIP_PART_TEST], &p->means, &p->leaks, err));
    DIP_TRY(measure_information(p, err));
    p->pairs.phase = "writing pairs";
    return write_all(p, folder, err);
}

static void preparation_free(preparation *p) {
    dip_free(p->information);
    dip_fit_free(&p->fit, &p->schema);
    dip_pairs_free(&p->pairs);
    dip_raw_free(&p->raw);
    dip_schema_free(&p->schema);
    json_decref(p->summary);
    dip_growth_close(p->growth);
}

dip_status dip_prepare_by(const dip_project *project, const char *output, bool replace,
                          const dip_means *means, json_t **summary, dip_error *err) {
    preparation p = {
        .project = project, .means = *means, .config = project->config, .information_share = 1};
    dip_folder_writer folder;
    /* How it was made is no property of the dataset; what it grew from stands in its lineage. */
    p.config.prepare.memory = 0;
    p.config.prepare.grow[0] = '\0';
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

dip_status dip_prepare_dataset(const dip_project *project, const char *output, bool replace,
                               const dip_watch *watch, json_t **summary, dip_error *err) {
    dip_means means;
    DIP_TRY(dip_prepare_means(&means, &project->config, watch, err));
    return dip_prepare_by(project, output, replace, &means, summary, err);
}
