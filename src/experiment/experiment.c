/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/experiment.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/text.h"
#include "check/check.h"
#include "engine/engine.h"
#include "experiment/csv.h"
#include "experiment/page.h"
#include "experiment/results.h"
#include "experiment/values.h"
#include "experiment/workplace.h"
#include "prepare/prepare.h"
#include "prepare/thin.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct experiment {
    const dip_experiment_request *request;
    dip_experiment_settings settings;
    dip_plan *plan;
    dip_config base;
    dip_settings overrides;
    dip_workplace place;
    char *plotly;
    double fraction[DIP_PLAN_LIST];      /* of each data */
    dip_dataset *thinned[DIP_PLAN_LIST]; /* NULL for the dataset itself */
    json_t *checks[DIP_PLAN_LIST];
    dip_study_data data[DIP_PLAN_LIST];
    dip_study study;
} experiment;

/* ---- before anything takes time -------------------------------------------------------------- */

static dip_status check_columns(const experiment *e, const dip_plan_columns *columns,
                                dip_error *err) {
    for (size_t i = 0; i < columns->n; i++) {
        const dip_list *k = &e->base.evaluate.k;
        size_t at = 0;
        while (at < k->n && k->value[at] != columns->at[i].k) {
            at++;
        }
        if (at == k->n) {
            char text[DIP_PLAN_NAME_MAX];
            char lengths[DIP_VALUE_MAX];
            dip_plan_column_text(&columns->at[i], text);
            dip_options_get(dip_options_find(&dip_config_table, "evaluate.k"), &e->base, lengths);
            return dip_fail(err, DIP_ERR_USAGE,
                            "the study asks for %s, and evaluate.k does not name %lld (it is %s); "
                            "name it there, or change the study's column",
                            text, (long long)columns->at[i].k, lengths);
        }
    }
    return DIP_OK;
}

/* The share of the training pairs that a condition asks for, of those that the dataset has. */
static dip_status fraction_of(const experiment *e, size_t condition, double *fraction,
                              dip_error *err) {
    const dip_config *dataset = &e->request->dataset->config;
    dip_config config = *dataset;
    DIP_TRY(dip_settings_apply(&e->plan->condition[condition].options, &config, err));
    *fraction = config.split.train_fraction / dataset->split.train_fraction;
    if (*fraction > 1 + 1e-9) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "the condition \"%s\" asks for %g of the training pairs and the dataset "
                        "has been prepared with %g of them (split.train_fraction)",
                        e->plan->condition[condition].name, config.split.train_fraction,
                        dataset->split.train_fraction);
    }
    return DIP_OK;
}

/* The place of the conditions' shares among the different ones. */
static dip_status sort_fractions(experiment *e, dip_error *err) {
    for (size_t c = 0; c < e->plan->n_conditions; c++) {
        double fraction = 1;
        size_t d = 0;
        DIP_TRY(fraction_of(e, c, &fraction, err));
        while (d < e->study.n_data && fabs(e->fraction[d] - fraction) > 1e-9) {
            d++;
        }
        e->fraction[d] = fraction;
        e->study.data_of[c] = d;
        e->study.n_data += d == e->study.n_data;
    }
    return DIP_OK;
}

static dip_status check_plan(experiment *e, dip_error *err) {
    const dip_dataset *dataset = e->request->dataset;
    int category = -1;
    for (size_t i = 0; i < e->plan->n_tables; i++) {
        DIP_TRY(check_columns(e, &e->plan->table[i].columns, err));
    }
    for (size_t i = 0; i < e->plan->n_figures; i++) {
        DIP_TRY(check_columns(e, &e->plan->figure[i].columns, err));
    }
    DIP_TRY(dip_map_category(dataset, e->settings.category, &category, err));
    for (size_t split = 1; split < DIP_N_SPLITS; split++) {
        if (dataset->n_pairs[split] == 0) {
            return dip_fail(err, DIP_ERR_FAILED,
                            "the %s split has no pairs, and a study %s it; set split.%s above 0 "
                            "and prepare again",
                            dip_split_names[split], split == 1 ? "chooses on" : "is judged on",
                            dip_split_names[split]);
        }
    }
    DIP_TRY(sort_fractions(e, err));
    return dip_study_check(e->plan, &e->base, dataset, err);
}

/* ---- data ------------------------------------------------------------------------------------ */

/* Opens the thinned dataset that an earlier process made, or makes it. Its name has the identity
 * of the whole one, so that it is never another one's. */
static dip_status open_thinned(experiment *e, size_t d, dip_error *err) {
    const dip_dataset *whole = e->request->dataset;
    char name[96];
    snprintf(name, sizeof name, "%s-%g.dip", dip_folder_identity(&whole->folder), e->fraction[d]);
    char *path = dip_path_join(e->place.data, name, err);
    dip_dataset *opened = dip_alloc(1, sizeof *opened, "a dataset", err);
    dip_status status = path != NULL && opened != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK &&
        (!dip_path_exists(path) || dip_dataset_load(opened, path, NULL) != DIP_OK)) {
        dip_means means;
        status = dip_prepare_means(&means, &e->base, e->request->watch, err);
        if (status == DIP_OK) {
            status = dip_thin(whole, e->fraction[d], path, true, &means, err);
        }
        if (status == DIP_OK) {
            status = dip_dataset_load(opened, path, err);
        }
    }
    dip_free(path);
    if (status != DIP_OK) {
        dip_free(opened);
        return status;
    }
    e->thinned[d] = opened;
    return DIP_OK;
}

static dip_status ask_questions(experiment *e, size_t d, dip_error *err) {
    const bool standard = e->base.evaluate.protocol == DIP_PROTOCOL_STANDARD;
    for (size_t split = 0; split < 2; split++) {
        DIP_TRY(dip_questions_create(&e->data[d].questions[split], e->data[d].dataset, split + 1,
                                     standard, e->base.evaluate.exclude_query, err));
    }
    return DIP_OK;
}

/* Not the public handle: it only lends the dataset to the study. */
static dip_dataset *borrowed(const dip_dataset *dataset) {
    union {
        const dip_dataset *in;
        dip_dataset *out;
    } cast = {dataset};
    return cast.out;
}

static dip_status open_data(experiment *e, dip_error *err) {
    dip_config masked = e->base;
    masked.ssl.method = DIP_METHOD_CFM;
    for (size_t d = 0; d < e->study.n_data; d++) {
        if (e->fraction[d] < 1 - 1e-9) {
            DIP_TRY(open_thinned(e, d, err));
        }
        e->data[d].dataset = e->thinned[d] != NULL ? e->thinned[d] : borrowed(e->request->dataset);
        DIP_TRY(ask_questions(e, d, err));
        DIP_TRY(dip_check_dataset(e->data[d].dataset, &masked, false, e->request->watch,
                                  &e->checks[d], err));
    }
    return DIP_OK;
}

/* Bytes that the largest run will take, as the check forecasts them. */
static double bytes_of_a_run(const experiment *e) {
    double most = 0;
    for (size_t d = 0; d < e->study.n_data; d++) {
        const double bytes = dip_check_bytes(e->checks[d], "total");
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* ---- running --------------------------------------------------------------------------------- */

static dip_status run_study(experiment *e, dip_error *err) {
    dip_study *study = &e->study;
    study->plan = e->plan;
    study->base = e->base;
    study->folder = e->place.runs;
    study->data = e->data;
    study->workers = (dip_workers){.folder = e->place.runs,
                                   .threads = dip_engine_threads(&e->base),
                                   .watch = e->request->watch};
    study->workers.jobs =
        dip_workers_jobs(e->settings.jobs, study->workers.threads, bytes_of_a_run(e),
                         dip_check_bytes(e->checks[0], "machine_available"));
    DIP_TRY(dip_study_begin(study, err));
    return dip_study_execute(study, err);
}

/* ---- writing --------------------------------------------------------------------------------- */

enum { RESULTS, TABLES, RUNS, FIGURES, PAGE, FILES };

static dip_status begin_file(const experiment *e, int file, dip_output *out, dip_error *err) {
    static const char *const NAMES[] = {"results.json", "tables.csv", "runs.csv", "figures.csv",
                                        "index.html"};
    char *path = dip_path_join(e->request->output, NAMES[file], err);
    const dip_status status = path != NULL ? dip_output_open(out, path, true, err) : DIP_ERR_MEMORY;
    dip_free(path);
    return status;
}

static dip_status put_file(const experiment *e, int file, const json_t *results, const char *json,
                           dip_output *out, dip_error *err) {
    typedef dip_status (*csv_fn)(const json_t *, dip_text *, dip_error *);
    static const csv_fn CSV[] = {
        [TABLES] = dip_csv_tables, [RUNS] = dip_csv_runs, [FIGURES] = dip_csv_figures};
    dip_text csv = {0};
    if (file == RESULTS) {
        return dip_writer_put(&out->writer, json, strlen(json), err);
    }
    if (file == PAGE) {
        return dip_page_write(&out->writer, json, strlen(json), e->plotly, err);
    }
    dip_status status = CSV[file](results, &csv, err);
    if (status == DIP_OK) {
        status = dip_writer_put(&out->writer, csv.data, csv.length, err);
    }
    dip_text_free(&csv);
    return status;
}

/* All files are written before one of them takes its name, so that a full disk leaves the older
 * report as it was. The page comes last: where it is, the rest is too. */
static dip_status write_files(const experiment *e, const json_t *results, const char *json,
                              dip_output out[FILES], dip_error *err) {
    for (int i = 0; i < FILES; i++) {
        DIP_TRY(begin_file(e, i, &out[i], err));
        DIP_TRY(put_file(e, i, results, json, &out[i], err));
        DIP_TRY(dip_output_close(&out[i], err));
    }
    for (int i = 0; i < FILES; i++) {
        DIP_TRY(dip_output_publish(&out[i], err));
    }
    return DIP_OK;
}

static dip_status write_report(const experiment *e, const json_t *results, dip_error *err) {
    char *json = NULL;
    dip_output out[FILES];
    for (int i = 0; i < FILES; i++) {
        out[i] = (dip_output){.writer = {.fd = -1}};
    }
    dip_status status = dip_json_dump(results, &json, err);
    if (status == DIP_OK) {
        status = write_files(e, results, json, out, err);
    }
    for (int i = 0; i < FILES; i++) {
        dip_output_free(&out[i]);
    }
    dip_free(json);
    return status;
}

static dip_status warn_plotly(const experiment *e, json_t *results, dip_error *err) {
    static const char *const TEXT =
        "plotly.min.js was not found, so the page shows tables where figures would be; "
        "tools/plotly.sh fetches it, and --plotly FILE names it";
    if (e->plotly != NULL) {
        return DIP_OK;
    }
    return dip_json_append(json_object_get(results, "warnings"), json_string(TEXT), err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Of what a plan says; not of where it was read from. */
static uint64_t hash_of(const dip_plan *plan) {
    const size_t start = offsetof(dip_plan, options);
    return XXH3_64bits((const char *)plan + start, sizeof *plan - start);
}

static dip_status run(experiment *e, json_t **report, dip_error *err) {
    const double start = dip_seconds();
    const dip_experiment_request *request = e->request;
    json_t *results = NULL;
    DIP_TRY(dip_experiment_resolve(request, &e->settings, &e->plan, &e->base, &e->overrides, err));
    DIP_TRY(check_plan(e, err));
    DIP_TRY(dip_page_find_plotly(&e->plotly,
                                 e->settings.plotly[0] != '\0' ? e->settings.plotly : NULL, err));
    const dip_claim claim = {.output = request->output,
                             .dataset = request->dataset,
                             .base = &e->base,
                             .study = dip_last_name(e->plan->name),
                             .hash = hash_of(e->plan),
                             .replaces = request->replaces};
    DIP_TRY(dip_workplace_open(&e->place, &claim, err));
    DIP_TRY(open_data(e, err));
    DIP_TRY(run_study(e, err));
    const dip_results_sources sources = {.study = &e->study,
                                         .settings = &e->settings,
                                         .overrides = &e->overrides,
                                         .dataset = request->dataset,
                                         .checks = (const json_t *const *)e->checks,
                                         .seconds = dip_seconds() - start,
                                         .watch = request->watch};
    DIP_TRY(dip_results_make(&sources, &results, err));
    dip_status status = warn_plotly(e, results, err);
    if (status == DIP_OK) {
        status = write_report(e, results, err);
    }
    if (status != DIP_OK || report == NULL) {
        json_decref(results);
        return status;
    }
    *report = results;
    return DIP_OK;
}

static void release(experiment *e) {
    dip_study_free(&e->study);
    for (size_t d = 0; d < DIP_PLAN_LIST; d++) {
        dip_questions_free(&e->data[d].questions[0]);
        dip_questions_free(&e->data[d].questions[1]);
        json_decref(e->checks[d]);
        if (e->thinned[d] != NULL) {
            dip_dataset_release(e->thinned[d]);
            dip_free(e->thinned[d]);
        }
    }
    dip_workplace_close(&e->place);
    dip_free(e->plotly);
    dip_free(e->plan);
    dip_free(e);
}

dip_status dip_experiment_run(const dip_experiment_request *request, json_t **report,
                              dip_error *err) {
    experiment *e = dip_alloc(1, sizeof *e, "a study", err);
    if (e == NULL) {
        return DIP_ERR_MEMORY;
    }
    e->request = request;
    e->place.lock = -1;
    dip_status status = run(e, report, err);
    if (status == DIP_ERR_INTERRUPTED) {
        status = dip_workplace_interrupted(err);
    }
    release(e);
    return status;
}
