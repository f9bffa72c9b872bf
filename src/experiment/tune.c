/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/tune.h"

#include "base/mem.h"
#include "base/output.h"
#include "base/text.h"
#include "check/check.h"
#include "engine/engine.h"
#include "evaluate/compare.h"
#include "evaluate/ranks.h"
#include "experiment/halving.h"
#include "experiment/values.h"
#include "experiment/workplace.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct tune_settings {
    char space[DIP_TEXT_MAX];
    char preset[DIP_TEXT_MAX];
    char rival[DIP_TEXT_MAX];
    int64_t trials;
    int64_t eta;
    int64_t finalists;
    int64_t seeds;
    int64_t jobs;
} tune_settings;

#define AT(member) offsetof(tune_settings, member)
#define TEXT(key, member, fallback, help)                                                          \
    { key, DIP_OPTION_TEXT, AT(member), fallback, 0, 0, NULL, help }
#define INTEGER(key, member, fallback, low, high, help)                                            \
    { key, DIP_OPTION_INTEGER, AT(member), fallback, low, high, NULL, help }

/* clang-format off */
static const dip_option ROWS[] = {
    TEXT("space", space, "",
         "a YAML file of options and the values they may take, instead of the one built in"),
    TEXT("preset", preset, "", "options to begin with, before those that are given"),
    TEXT("rival", rival, "best",
         "without --preset, a preset that is tried too and is always a finalist; none for none"),
    INTEGER("trials", trials, "27", 2, 10000,
            "settings to try, that of the dataset and the rival among them"),
    INTEGER("eta", eta, "3", 2, 100, "of n settings at a rung, n / eta go on to the next"),
    INTEGER("finalists", finalists, "3", 1, 100, "settings that are trained with several seeds"),
    INTEGER("seeds", seeds, "3", 1, DIP_TUNE_SEEDS_MAX, "seeds of a finalist"),
    INTEGER("jobs", jobs, "0", 0, 256, "runs at a time; 0 takes as many as cores and memory allow"),
};
/* clang-format on */

const dip_option_table dip_tune_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};

typedef struct tuning {
    const dip_experiment_request *request;
    tune_settings settings;
    dip_space space;
    dip_settings overrides;
    dip_settings rival; /* its preset is empty where there is none */
    dip_config base;
    dip_workplace place;
    dip_study_data data;
    dip_halving halving;
} tuning;

/* ---- before ---------------------------------------------------------------------------------- */

/* The rival is the preset with the options that are given and as many epochs as the others have; a
 * mistake in its name is told now. */
static dip_status name_rival(tuning *t, dip_error *err) {
    dip_config config = t->request->dataset->config;
    char epochs[DIP_VALUE_MAX];
    if (t->settings.preset[0] != '\0' || strcmp(t->settings.rival, "none") == 0) {
        return DIP_OK;
    }
    t->rival = t->overrides;
    snprintf(t->rival.preset, sizeof t->rival.preset, "%.63s", t->settings.rival);
    snprintf(epochs, sizeof epochs, "%lld", (long long)t->base.train.epochs);
    DIP_TRY(dip_settings_put(&t->rival, "train.epochs", epochs, err));
    return dip_settings_apply(&t->rival, &config, err);
}

static dip_status read_request(tuning *t, dip_error *err) {
    const dip_experiment_request *request = t->request;
    dip_options_default(&dip_tune_table, &t->settings, sizeof t->settings);
    t->base = request->dataset->config;
    for (size_t i = 0; i < request->n; i++) {
        const char *name = request->names[i];
        if (dip_options_find(&dip_config_table, name) != NULL || strchr(name, '.') != NULL) {
            DIP_TRY(dip_settings_put(&t->overrides, name, request->values[i], err));
        } else {
            DIP_TRY(dip_options_set(&dip_tune_table, &t->settings, name, request->values[i], err));
        }
    }
    if (t->settings.preset[0] != '\0') {
        DIP_TRY(dip_config_apply_preset(&t->base, t->settings.preset, err));
    }
    DIP_TRY(dip_settings_apply(&t->overrides, &t->base, err));
    DIP_TRY(name_rival(t, err));
    t->base.evaluate.k = (dip_list){.n = 1, .value = {t->base.train.metric_k}};
    return t->settings.space[0] != '\0' ? dip_space_read(&t->space, t->settings.space, err)
                                        : dip_space_default(&t->space, err);
}

/* An option that is given is not varied. */
static dip_status fix_given(tuning *t, dip_error *err) {
    size_t kept = 0;
    for (size_t a = 0; a < t->space.n; a++) {
        bool is_given = false;
        for (size_t i = 0; i < t->overrides.n; i++) {
            is_given = is_given || strcmp(t->overrides.at[i].key, t->space.axis[a].key) == 0;
        }
        if (!is_given) {
            t->space.axis[kept++] = t->space.axis[a];
        }
    }
    t->space.n = kept;
    return kept > 0 ? DIP_OK
                    : dip_fail(err, DIP_ERR_USAGE,
                               "every option of the space is given, so there is nothing to vary");
}

static dip_status open_data(tuning *t, dip_error *err) {
    const dip_dataset *dataset = t->request->dataset;
    const bool standard = t->base.evaluate.protocol == DIP_PROTOCOL_STANDARD;
    if (dataset->n_pairs[1] == 0) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the validation split has no pairs, and tuning is judged on it; set "
                        "split.validation above 0 and prepare again");
    }
    union {
        const dip_dataset *in;
        dip_dataset *out;
    } borrowed = {dataset};
    t->data.dataset = borrowed.out;
    return dip_questions_create(&t->data.questions[0], dataset, 1, standard,
                                t->base.evaluate.exclude_query, err);
}

/* ---- running --------------------------------------------------------------------------------- */

static dip_status choose_jobs(tuning *t, dip_error *err) {
    dip_workers *workers = &t->halving.workers;
    json_t *check = NULL;
    DIP_TRY(
        dip_check_dataset(t->request->dataset, &t->base, false, t->request->watch, &check, err));
    workers->jobs =
        dip_workers_jobs(t->settings.jobs, workers->threads, dip_check_bytes(check, "total"),
                         dip_check_bytes(check, "machine_available"));
    json_decref(check);
    return DIP_OK;
}

static dip_status search(tuning *t, dip_error *err) {
    dip_halving *halving = &t->halving;
    halving->folder = t->place.runs;
    halving->workers = (dip_workers){.folder = t->place.runs,
                                     .threads = dip_engine_threads(&t->base),
                                     .watch = t->request->watch};
    DIP_TRY(choose_jobs(t, err));
    return dip_halving_run(halving, err);
}

/* ---- how sure -------------------------------------------------------------------------------- */

/* Sums of groups of queries over the seeds of a finalist, of the training metric alone. */
static dip_status group_final(const tuning *t, size_t final, dip_groups *groups, dip_error *err) {
    const dip_halving *halving = &t->halving;
    const dip_candidate *candidate = &halving->candidates[halving->finals[final]];
    const size_t pairs = dip_questions_pairs(&t->data.questions[0]);
    uint16_t *rank = dip_alloc(pairs, sizeof *rank, "ranks", err);
    dip_status status = rank != NULL ? DIP_OK : DIP_ERR_MEMORY;
    for (int64_t seed = 1; seed <= halving->seeds && status == DIP_OK; seed++) {
        dip_run run = {.data = &t->data};
        dip_run_result result;
        dip_scores scores = {0};
        status =
            dip_halving_config(halving, candidate, t->base.train.epochs, seed, &run.config, err);
        if (status == DIP_OK) {
            status = dip_run_name(&run, err);
        }
        if (status == DIP_OK) {
            status = dip_run_open(&result, t->place.runs, run.key, err);
        }
        if (status != DIP_OK) {
            break;
        }
        if (result.failed) {
            dip_run_close(&result);
            continue;
        }
        status = dip_run_ranks(&result, 0, pairs, rank, err);
        dip_run_close(&result);
        if (status == DIP_OK) {
            status = dip_scores_from_ranks(&scores, &t->data.questions[0], rank,
                                           dip_run_longest(&t->base), &t->base.evaluate.k,
                                           t->base.evaluate.protocol, err);
        }
        if (status == DIP_OK && groups->total == NULL) {
            status = dip_groups_create(groups, &scores, 1, err);
        }
        if (status == DIP_OK) {
            dip_groups_add(groups, &scores);
        }
        dip_scores_free(&scores);
    }
    dip_free(rank);
    return status;
}

/* The metric that decides: evaluate.k is its list length alone (see read_request). */
static size_t column_of(const tuning *t) {
    return (size_t)t->base.train.metric;
}

static dip_status compare(const tuning *t, size_t other, dip_difference *difference,
                          dip_error *err) {
    dip_groups best = {0};
    dip_groups rest = {0};
    dip_difference *all = dip_alloc(DIP_N_SLICES * t->base.evaluate.k.n * DIP_N_METRICS,
                                    sizeof *all, "differences", err);
    dip_status status = all != NULL ? group_final(t, 0, &best, err) : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        status = group_final(t, other, &rest, err);
    }
    *difference = (dip_difference){NAN, NAN, NAN, NAN};
    if (status == DIP_OK && best.total != NULL && rest.total != NULL) {
        status = dip_compare_groups(&best, &rest, t->base.evaluate.bootstrap,
                                    dip_engine_threads(&t->base), t->request->watch, all, err);
        if (status == DIP_OK) {
            *difference = all[column_of(t)];
        }
    }
    dip_groups_free(&best);
    dip_groups_free(&rest);
    dip_free(all);
    return status;
}

/* The finalists against the best, both kinds of p adjusted for their number. */
typedef struct verdicts {
    dip_difference *difference; /* [finalists] */
    double *p_seed;
    double *p_query;
    double *raw;
} verdicts;

static void verdicts_free(verdicts *v) {
    dip_free(v->difference);
    dip_free(v->p_seed);
    dip_free(v->p_query);
    dip_free(v->raw);
}

static bool has_failed(const double *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (values[i] < 0) {
            return true;
        }
    }
    return false;
}

/* A finalist of which a seed diverged has no mean, and nothing is tested. */
static dip_status judge(const tuning *t, verdicts *v, dip_error *err) {
    const size_t n = t->halving.n_finals;
    const size_t seeds = (size_t)t->halving.seeds;
    for (size_t i = 0; i < n; i++) {
        const double *values = t->halving.values + i * seeds;
        const bool is_tested = i > 0 && !has_failed(values, seeds);
        v->difference[i] = (dip_difference){NAN, NAN, NAN, NAN};
        if (is_tested) {
            DIP_TRY(compare(t, i, &v->difference[i], err));
        }
        v->raw[i] = is_tested ? dip_paired_t(t->halving.values, values, seeds) : NAN;
    }
    dip_holm(v->raw, n, v->p_seed);
    for (size_t i = 0; i < n; i++) {
        v->raw[i] = v->difference[i].p;
    }
    dip_holm(v->raw, n, v->p_query);
    return DIP_OK;
}

static dip_status verdicts_make(const tuning *t, verdicts *v, dip_error *err) {
    static const char PURPOSE[] = "tests of finalists";
    const size_t n = t->halving.n_finals;
    *v = (verdicts){.difference = dip_alloc(n, sizeof *v->difference, PURPOSE, err),
                    .p_seed = dip_alloc(n, sizeof *v->p_seed, PURPOSE, err),
                    .p_query = dip_alloc(n, sizeof *v->p_query, PURPOSE, err),
                    .raw = dip_alloc(n, sizeof *v->raw, PURPOSE, err)};
    const bool is_whole =
        v->difference != NULL && v->p_seed != NULL && v->p_query != NULL && v->raw != NULL;
    return is_whole ? judge(t, v, err) : DIP_ERR_MEMORY;
}

/* ---- the report ------------------------------------------------------------------------------ */

static dip_status put_candidates(const tuning *t, json_t *report, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(report, "settings", &list, err));
    for (size_t i = 0; i < t->halving.n; i++) {
        const dip_candidate *candidate = &t->halving.candidates[i];
        json_t *object = NULL;
        DIP_TRY(dip_json_append_object(list, &object, err));
        DIP_TRY(dip_json_set(object, "setting", json_integer((json_int_t)i), err));
        DIP_TRY(dip_put_settings(object, "options", &candidate->setting, err));
        DIP_TRY(dip_json_set(object, "rung", json_integer(candidate->rung), err));
        DIP_TRY(dip_json_set(object, "score",
                             dip_real_or_null(candidate->score < 0 ? NAN : candidate->score), err));
    }
    return DIP_OK;
}

static dip_status put_rungs(const tuning *t, json_t *report, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(report, "rungs", &list, err));
    for (size_t r = 0; r < t->halving.rungs; r++) {
        DIP_TRY(dip_json_append(list, json_integer(dip_halving_epochs(&t->halving, r)), err));
    }
    return DIP_OK;
}

static dip_status put_final(const tuning *t, const verdicts *v, size_t i, json_t *list,
                            dip_error *err) {
    const dip_halving *halving = &t->halving;
    const size_t n = (size_t)halving->seeds;
    const double *values = halving->values + i * n;
    const dip_spread spread = dip_spread_of(values, has_failed(values, n) ? 0 : n);
    const dip_difference *difference = &v->difference[i];
    json_t *object = NULL;
    json_t *seeds = NULL;
    DIP_TRY(dip_json_append_object(list, &object, err));
    DIP_TRY(dip_json_set(object, "setting", json_integer((json_int_t)halving->finals[i]), err));
    DIP_TRY(
        dip_put_settings(object, "options", &halving->candidates[halving->finals[i]].setting, err));
    DIP_TRY(dip_json_set(object, "mean", dip_real_or_null(spread.mean), err));
    DIP_TRY(dip_json_set(object, "sd", dip_real_or_null(spread.sd), err));
    DIP_TRY(dip_json_put_array(object, "values", &seeds, err));
    for (int64_t s = 0; s < halving->seeds; s++) {
        DIP_TRY(dip_json_append(seeds, dip_real_or_null(values[s] < 0 ? NAN : values[s]), err));
    }
    DIP_TRY(dip_json_set(object, "p_seed", dip_real_or_null(v->p_seed[i]), err));
    DIP_TRY(dip_json_set(object, "p_query", dip_real_or_null(v->p_query[i]), err));
    DIP_TRY(dip_json_set(object, "behind", dip_real_or_null(difference->mean), err));
    DIP_TRY(dip_json_set(object, "behind_low", dip_real_or_null(difference->low), err));
    return dip_json_set(object, "behind_high", dip_real_or_null(difference->high), err);
}

static dip_status put_finals(const tuning *t, json_t *list, dip_error *err) {
    verdicts v;
    dip_status status = verdicts_make(t, &v, err);
    for (size_t i = 0; i < t->halving.n_finals && status == DIP_OK; i++) {
        status = put_final(t, &v, i, list, err);
    }
    verdicts_free(&v);
    return status;
}

static dip_status fill_report(const tuning *t, json_t *report, dip_error *err) {
    char metric[DIP_VALUE_MAX];
    json_t *list = NULL;
    dip_options_get(dip_options_find(&dip_config_table, "train.metric"), &t->base, metric);
    const size_t used = strlen(metric);
    snprintf(metric + used, sizeof metric - used, "@%lld", (long long)t->base.train.metric_k);
    DIP_TRY(dip_json_set(report, "metric", json_string(metric), err));
    DIP_TRY(dip_json_set(report, "split", json_string("validation"), err));
    DIP_TRY(put_rungs(t, report, err));
    DIP_TRY(put_candidates(t, report, err));
    DIP_TRY(dip_json_put_array(report, "finalists", &list, err));
    DIP_TRY(put_finals(t, list, err));
    if (t->halving.candidates[t->halving.finals[0]].score < 0) {
        return dip_fail(err, DIP_ERR_NONFINITE,
                        "every setting diverged with one seed at least; a lower train.rate may "
                        "help");
    }
    return dip_put_settings(report, "best", &t->halving.candidates[t->halving.finals[0]].setting,
                            err);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The value stands in quotes, so that YAML takes no part of it for its own. */
static dip_status put_option(dip_text *text, const char *key, const char *value, dip_error *err) {
    DIP_TRY(dip_text_printf(text, err, "%s: '", key));
    for (const char *c = value; *c != '\0'; c++) {
        DIP_TRY(dip_text_put(text, *c == '\'' ? "''" : c, *c == '\'' ? 2 : 1, err));
    }
    return dip_text_put(text, "'\n", 2, err);
}

/* What was given, and what was found on top of it. */
static dip_status make_yaml(const tuning *t, dip_text *text, dip_error *err) {
    const dip_settings *best = &t->halving.candidates[t->halving.finals[0]].setting;
    const char *preset = best->preset[0] != '\0' ? best->preset : t->settings.preset;
    dip_settings all = t->overrides;
    for (size_t i = 0; i < best->n; i++) {
        DIP_TRY(dip_settings_put(&all, best->at[i].key, best->at[i].value, err));
    }
    DIP_TRY(dip_text_printf(text, err, "# Made by diptych tune: for train --options FILE.\n"));
    if (preset[0] != '\0') {
        DIP_TRY(put_option(text, "preset", preset, err));
    }
    for (size_t i = 0; i < all.n; i++) {
        DIP_TRY(put_option(text, all.at[i].key, all.at[i].value, err));
    }
    const bool is_empty = preset[0] == '\0' && all.n == 0;
    return is_empty ? dip_text_printf(text, err, "{}\n") : DIP_OK;
}

static dip_status put_file(const tuning *t, const char *name, const char *text, size_t bytes,
                           dip_error *err) {
    char *path = dip_path_join(t->request->output, name, err);
    const dip_status status =
        path != NULL ? dip_output_put(path, text, bytes, err) : DIP_ERR_MEMORY;
    dip_free(path);
    return status;
}

static dip_status write_files(const tuning *t, const json_t *report, dip_error *err) {
    dip_text yaml = {0};
    char *text = NULL;
    dip_status status = dip_json_dump(report, &text, err);
    if (status == DIP_OK) {
        status = put_file(t, "tune.json", text, strlen(text), err);
    }
    if (status == DIP_OK) {
        status = make_yaml(t, &yaml, err);
    }
    if (status == DIP_OK) {
        status = put_file(t, "best.yaml", yaml.data, yaml.length, err);
    }
    dip_free(text);
    dip_text_free(&yaml);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static dip_status run(tuning *t, json_t **report, dip_error *err) {
    json_t *made = NULL;
    DIP_TRY(read_request(t, err));
    DIP_TRY(fix_given(t, err));
    tune_settings hashed = t->settings;
    hashed.jobs = 0;
    const dip_claim claim = {.output = t->request->output,
                             .dataset = t->request->dataset,
                             .base = &t->base,
                             .study = "tune",
                             .hash = XXH3_64bits(&t->space, sizeof t->space) ^
                                     XXH3_64bits(&hashed, sizeof hashed),
                             .replaces = t->request->replaces};
    DIP_TRY(open_data(t, err));
    t->halving = (dip_halving){.base = t->base,
                               .data = &t->data,
                               .space = &t->space,
                               .rival = t->rival.preset[0] != '\0' ? &t->rival : NULL,
                               .trials = t->settings.trials,
                               .eta = t->settings.eta,
                               .finalists = t->settings.finalists,
                               .seeds = t->settings.seeds};
    DIP_TRY(dip_halving_begin(&t->halving, err));
    DIP_TRY(dip_workplace_open(&t->place, &claim, err));
    DIP_TRY(search(t, err));
    DIP_TRY(dip_json_new_object(&made, err));
    dip_status status = fill_report(t, made, err);
    if (status == DIP_OK) {
        status = write_files(t, made, err);
    }
    if (status != DIP_OK || report == NULL) {
        json_decref(made);
        return status;
    }
    *report = made;
    return DIP_OK;
}

dip_status dip_tune_run(const dip_experiment_request *request, json_t **report, dip_error *err) {
    tuning *t = dip_alloc(1, sizeof *t, "a search", err);
    if (t == NULL) {
        return DIP_ERR_MEMORY;
    }
    t->request = request;
    t->place.lock = -1;
    dip_status status = run(t, report, err);
    if (status == DIP_ERR_INTERRUPTED) {
        status = dip_workplace_interrupted(err);
    }
    dip_halving_free(&t->halving);
    dip_questions_free(&t->data.questions[0]);
    dip_workplace_close(&t->place);
    dip_free(t);
    return status;
}
