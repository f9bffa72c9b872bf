/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/tune.h"

#include "base/mem.h"
#include "base/output.h"
#include "check/check.h"
#include "engine/engine.h"
#include "experiment/tune_parts.h"
#include "experiment/values.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(dip_tune_settings, member)
#define TEXT(key, member, fallback, help)                                                          \
    { key, DIP_OPTION_TEXT, AT(member), fallback, 0, 0, NULL, help }
#define INTEGER(key, member, fallback, low, high, help)                                            \
    { key, DIP_OPTION_INTEGER, AT(member), fallback, low, high, NULL, help }
#define NUMBER(key, member, fallback, low, high, help)                                             \
    { key, DIP_OPTION_NUMBER, AT(member), fallback, low, high, NULL, help }

/* clang-format off */
static const dip_option ROWS[] = {
    TEXT("space", space, "",
         "a YAML file of options and the values they may take, instead of the one built in"),
    TEXT("preset", preset, "", "options to begin with, before those that are given"),
    TEXT("rival", rival, "best",
         "without --preset, a preset that is tried too and is always a finalist; none for none"),
    INTEGER("trials", trials, "27", 2, 10000,
            "settings to try, that of the dataset and the rival among them"),
    NUMBER("near", near, "0.5", 0, 1,
           "share of the draws that take the rival, or else --preset, with about two options "
           "drawn anew; the others are drawn from the whole space"),
    INTEGER("eta", eta, "3", 2, 100, "of n settings at a rung, n / eta go on to the next"),
    INTEGER("finalists", finalists, "3", 1, 100, "settings that are trained with several seeds"),
    INTEGER("seeds", seeds, "3", 1, DIP_TUNE_SEEDS_MAX, "seeds of a finalist"),
    INTEGER("jobs", jobs, "0", 0, 256, "runs at a time; 0 takes as many as cores and memory allow"),
};
/* clang-format on */

const dip_option_table dip_tune_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};
/* ---- before ---------------------------------------------------------------------------------- */

/* The rival is the preset with the options that are given, as far as they change numbers, and as
 * many epochs as the others have; a mistake in its name is told now. */
static dip_status name_rival(dip_tuning *t, dip_error *err) {
    const dip_dataset *dataset = t->request->dataset;
    dip_config config = dataset->config;
    dip_settings all = t->overrides;
    char epochs[DIP_VALUE_MAX];
    if (t->settings.preset[0] != '\0' || strcmp(t->settings.rival, "none") == 0) {
        return DIP_OK;
    }
    snprintf(all.preset, sizeof all.preset, "%.*s", DIP_PLAN_NAME_MAX - 1, t->settings.rival);
    DIP_TRY(dip_settings_apply(&all, &config, err));
    memcpy(t->rival.preset, all.preset, sizeof all.preset);
    for (size_t i = 0; i < all.n; i++) {
        if (!dip_run_ignores(dataset, &config, all.at[i].key)) {
            DIP_TRY(dip_settings_put(&t->rival, all.at[i].key, all.at[i].value, err));
        }
    }
    snprintf(epochs, sizeof epochs, "%lld", (long long)t->base.train.epochs);
    return dip_settings_put(&t->rival, "train.epochs", epochs, err);
}

static dip_status read_request(dip_tuning *t, dip_error *err) {
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
static dip_status fix_given(dip_tuning *t, dip_error *err) {
    size_t kept = 0;
    for (size_t a = 0; a < t->space.n; a++) {
        if (dip_settings_find(&t->overrides, t->space.axis[a].key) == t->overrides.n) {
            t->space.axis[kept++] = t->space.axis[a];
        }
    }
    t->space.n = kept;
    return kept > 0 ? DIP_OK
                    : dip_fail(err, DIP_ERR_USAGE,
                               "every option of the space is given, so there is nothing to vary");
}

static dip_status open_data(dip_tuning *t, dip_error *err) {
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

static dip_status choose_jobs(dip_tuning *t, dip_error *err) {
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

static dip_status search(dip_tuning *t, dip_error *err) {
    dip_halving *halving = &t->halving;
    halving->folder = t->place.runs;
    halving->workers = (dip_workers){.folder = t->place.runs,
                                     .threads = dip_engine_threads(&t->base),
                                     .watch = t->request->watch};
    DIP_TRY(choose_jobs(t, err));
    return dip_halving_run(halving, err);
}

/* ---- files ----------------------------------------------------------------------------------- */

static dip_status put_file(const dip_tuning *t, const char *name, const char *text, size_t bytes,
                           dip_error *err) {
    char *path = dip_path_join(t->request->output, name, err);
    const dip_status status =
        path != NULL ? dip_output_put(path, text, bytes, err) : DIP_ERR_MEMORY;
    dip_free(path);
    return status;
}

static dip_status write_files(const dip_tuning *t, const json_t *report, dip_error *err) {
    dip_text yaml = {0};
    char *text = NULL;
    dip_status status = dip_json_dump(report, &text, err);
    if (status == DIP_OK) {
        status = put_file(t, "tune.json", text, strlen(text), err);
    }
    if (status == DIP_OK) {
        status = dip_tune_yaml(t, &yaml, err);
    }
    if (status == DIP_OK) {
        status = put_file(t, "best.yaml", yaml.data, yaml.length, err);
    }
    dip_free(text);
    dip_text_free(&yaml);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static dip_status run(dip_tuning *t, json_t **report, dip_error *err) {
    static const dip_settings BASE_ALONE = {.n = 0};
    json_t *made = NULL;
    DIP_TRY(read_request(t, err));
    DIP_TRY(fix_given(t, err));
    dip_tune_settings hashed = t->settings;
    hashed.jobs = 0;
    const dip_claim claim = {.output = t->request->output,
                             .dataset = t->request->dataset,
                             .base = &t->base,
                             .study = DIP_STUDY_OF_TUNE,
                             .hash = XXH3_64bits(&t->space, sizeof t->space) ^
                                     XXH3_64bits(&hashed, sizeof hashed),
                             .replaces = t->request->replaces};
    const bool has_rival = t->rival.preset[0] != '\0';
    const bool has_preset = t->settings.preset[0] != '\0';
    DIP_TRY(open_data(t, err));
    t->halving = (dip_halving){.base = t->base,
                               .data = &t->data,
                               .space = &t->space,
                               .rival = has_rival ? &t->rival : NULL,
                               .known = has_rival    ? &t->rival
                                        : has_preset ? &BASE_ALONE
                                                     : NULL,
                               .near = t->settings.near,
                               .trials = t->settings.trials,
                               .eta = t->settings.eta,
                               .finalists = t->settings.finalists,
                               .seeds = t->settings.seeds};
    DIP_TRY(dip_halving_begin(&t->halving, err));
    DIP_TRY(dip_workplace_open(&t->place, &claim, err));
    DIP_TRY(search(t, err));
    DIP_TRY(dip_json_new_object(&made, err));
    dip_status status = dip_tune_report(t, made, err);
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
    dip_tuning *t = dip_alloc(1, sizeof *t, "a search", err);
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
