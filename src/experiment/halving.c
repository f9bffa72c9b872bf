/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/halving.h"

#include "base/mem.h"
#include "base/rng.h"
#include "model/augment.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS_PER_TRIAL = 64, CHANGES_NEAR = 2 };

dip_status dip_halving_config(const dip_halving *halving, const dip_candidate *candidate,
                              int64_t epochs, int64_t seed, dip_config *config, dip_error *err) {
    *config = halving->base;
    DIP_TRY(dip_settings_apply(&candidate->setting, config, err));
    config->evaluate = halving->base.evaluate; /* a preset may set it; all are judged alike */
    config->train.epochs = epochs;
    config->train.checkpoint_every = 0;
    config->seed = seed;
    return DIP_OK;
}

int64_t dip_halving_epochs(const dip_halving *halving, size_t rung) {
    int64_t epochs = halving->base.train.epochs;
    for (size_t r = rung + 1; r < halving->rungs; r++) {
        epochs /= halving->eta;
    }
    return epochs > 0 ? epochs : 1;
}

/* ---- drawing settings ------------------------------------------------------------------------ */

/* Whether an option means something beside the others: options of a second loss need one, and
 * views need augmentations. */
static bool is_idle(const dip_halving *halving, const dip_config *config, const char *key) {
    const bool has_loss = config->ssl.method != DIP_METHOD_NONE;
    const bool has_views = dip_method_has_views(config->ssl.method);
    const bool drops = dip_method_drops_values(config->ssl.method) ||
                       config->ssl.method == DIP_METHOD_FEATURE_DROPOUT;
    if (dip_run_ignores(halving->data->dataset, config, key)) {
        return true;
    }
    if (strcmp(key, "ssl.alpha") == 0) {
        return !has_loss || config->ssl.method == DIP_METHOD_FEATURE_DROPOUT;
    }
    if (strcmp(key, "ssl.dropout") == 0) {
        return !drops;
    }
    if (strcmp(key, "ssl.batch") == 0 || strcmp(key, "ssl.items") == 0) {
        return (!has_loss || config->ssl.method == DIP_METHOD_FEATURE_DROPOUT) &&
               config->train.extra_negatives == DIP_EXTRA_NONE;
    }
    if (strcmp(key, "train.id_dropout") == 0) {
        return config->ssl.method == DIP_METHOD_FEATURE_DROPOUT;
    }
    if (strcmp(key, "ssl.temperature") == 0) {
        return !has_views && config->ssl.method != DIP_METHOD_SPREAD_OUT &&
               config->ssl.method != DIP_METHOD_NOISE;
    }
    return false;
}

/* Whether an axis is drawn anew in a setting near a known one. */
static bool is_changed(const dip_halving *halving, dip_rng rng, uint64_t index, size_t axis) {
    const size_t n = halving->space->n;
    const dip_draw words = dip_rng_at(rng, index, n + axis);
    return dip_below(words.word[0], words.word[1], n) < CHANGES_NEAR;
}

/* Values drawn uniformly: of every axis, or of some where a known setting has the others. */
static dip_status draw_values(const dip_halving *halving, uint64_t index, bool near,
                              dip_settings *values, dip_error *err) {
    const dip_rng rng = dip_rng_make((uint64_t)halving->base.seed, DIP_DRAW_TRIAL);
    *values = (dip_settings){0};
    for (size_t a = 0; a < halving->space->n; a++) {
        const dip_choice *axis = &halving->space->axis[a];
        const dip_draw words = dip_rng_at(rng, index, a);
        const char *value = axis->value[dip_below(words.word[0], words.word[1], axis->n)];
        if (!near || is_changed(halving, rng, index, a)) {
            DIP_TRY(dip_settings_put(values, axis->key, value, err));
        }
    }
    return DIP_OK;
}

/* A rate that is drawn means what it means in the base, also near a setting whose rate goes with
 * the width of the towers, unless that is drawn as well. */
static dip_status keep_rate(const dip_halving *halving, dip_settings *setting, dip_error *err) {
    static const char WIDTH[] = "train.rate_width";
    dip_config config = halving->base;
    char value[DIP_VALUE_MAX];
    DIP_TRY(dip_settings_apply(setting, &config, err));
    if (config.train.rate_width == halving->base.train.rate_width) {
        return DIP_OK;
    }
    dip_options_get(dip_options_find(&dip_config_table, WIDTH), &halving->base, value);
    return dip_settings_put(setting, WIDTH, value, err);
}

/* Puts some values onto a setting: all of them, or those that do something beside the others. */
static dip_status put_values(const dip_halving *halving, const dip_settings *values,
                             const dip_config *unless_idle, dip_settings *setting, dip_error *err) {
    for (size_t i = 0; i < values->n; i++) {
        const dip_setting *one = &values->at[i];
        if (unless_idle == NULL || !is_idle(halving, unless_idle, one->key)) {
            DIP_TRY(dip_settings_put(setting, one->key, one->value, err));
        }
    }
    return DIP_OK;
}

static bool holds(const dip_settings *values, const char *key) {
    return dip_settings_find(values, key) < values->n;
}

/* What the known setting has and what was drawn must go together: feature dropout takes no dropped
 * ids beside it. */
static dip_status fit_known(const dip_halving *halving, const dip_settings *values,
                            const dip_config *config, dip_settings *setting, dip_error *err) {
    if (config->ssl.method == DIP_METHOD_FEATURE_DROPOUT && config->train.id_dropout > 0) {
        DIP_TRY(dip_settings_put(setting, "train.id_dropout", "0", err));
    }
    const bool draws_rate = holds(values, "train.rate") && !holds(values, "train.rate_width");
    return draws_rate ? keep_rate(halving, setting, err) : DIP_OK;
}

/* A setting drawn from the whole space, or near the known one, without options that would be
 * idle. */
static dip_status draw(const dip_halving *halving, uint64_t index, dip_settings *setting,
                       dip_error *err) {
    const double share = halving->known != NULL ? halving->near : 0;
    const bool near = floor((double)(index + 1) * share) > floor((double)index * share);
    const dip_settings start = near ? *halving->known : (dip_settings){0};
    dip_config config = halving->base;
    dip_settings values;
    dip_settings all = start;
    DIP_TRY(draw_values(halving, index, near, &values, err));
    DIP_TRY(put_values(halving, &values, NULL, &all, err));
    DIP_TRY(dip_settings_apply(&all, &config, err));
    *setting = start;
    DIP_TRY(put_values(halving, &values, &config, setting, err));
    return near ? fit_known(halving, &values, &config, setting, err) : DIP_OK;
}

/* Masks need two features, and a view cannot be a negative where there is none. */
static dip_status check_trainable(const dip_halving *halving, const dip_settings *setting,
                                  dip_error *err) {
    const dip_candidate candidate = {.setting = *setting};
    dip_config config;
    const int64_t epochs = dip_halving_epochs(halving, 0);
    DIP_TRY(dip_halving_config(halving, &candidate, epochs, 1, &config, err));
    return dip_trainer_check(halving->data->dataset, &config, err);
}

static dip_status run_of(const dip_halving *halving, size_t candidate, int64_t epochs, int64_t seed,
                         dip_run *run, dip_error *err) {
    *run = (dip_run){.data = halving->data};
    DIP_TRY(dip_halving_config(halving, &halving->candidates[candidate], epochs, seed, &run->config,
                               err));
    return dip_run_name(run, err);
}

/* Whether candidate n comes to the same runs as one before it. */
static dip_status is_repeated(const dip_halving *halving, size_t n, bool *repeated,
                              dip_error *err) {
    dip_candidate *candidate = &halving->candidates[n];
    dip_run run;
    *repeated = false;
    DIP_TRY(run_of(halving, n, 1, 1, &run, err));
    memcpy(candidate->key, run.key, sizeof candidate->key);
    for (size_t c = 0; c < n && !*repeated; c++) {
        *repeated = strcmp(halving->candidates[c].key, candidate->key) == 0;
    }
    return DIP_OK;
}

/* Keeps what has been put behind the candidates, unless it is one of them or, as *problem then
 * says, cannot be trained. */
static dip_status keep_if_new(dip_halving *halving, dip_error *problem, dip_error *err) {
    bool repeated = false;
    if (check_trainable(halving, &halving->candidates[halving->n].setting, problem) == DIP_OK) {
        DIP_TRY(is_repeated(halving, halving->n, &repeated, err));
        halving->n += !repeated;
    }
    return DIP_OK;
}

/* The base, the rival, and settings drawn, all different as far as the space has them. */
static dip_status draw_candidates(dip_halving *halving, dip_error *err) {
    const size_t most = (size_t)halving->trials;
    bool repeated = false;
    halving->candidates = dip_alloc(most, sizeof *halving->candidates, "settings", err);
    if (halving->candidates == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(is_repeated(halving, 0, &repeated, err));
    halving->n = 1;
    if (halving->rival != NULL) {
        halving->candidates[1].setting = *halving->rival;
        DIP_TRY(keep_if_new(halving, &halving->rival_problem, err));
        halving->known = halving->rival_problem.message[0] == '\0' ? halving->known : NULL;
    }
    halving->n_given = halving->n;
    for (uint64_t i = 0; halving->n < most && i < most * DRAWS_PER_TRIAL; i++) {
        DIP_TRY(draw(halving, i, &halving->candidates[halving->n].setting, err));
        DIP_TRY(keep_if_new(halving, NULL, err));
    }
    return DIP_OK;
}

/* ---- making runs ----------------------------------------------------------------------------- */

static dip_status add(const dip_halving *halving, dip_run_list *list, size_t candidate,
                      int64_t epochs, int64_t seed, dip_error *err) {
    char label[DIP_RUN_LABEL_BYTES];
    dip_run run;
    DIP_TRY(run_of(halving, candidate, epochs, seed, &run, err));
    snprintf(label, sizeof label, "setting %zu, %lld epochs, seed %lld", candidate,
             (long long)epochs, (long long)seed);
    dip_run_list_add(list, halving->folder, &run, label);
    return DIP_OK;
}

static dip_status make_all(dip_halving *halving, const dip_run_list *b, dip_error *err) {
    dip_workers *workers = &halving->workers;
    workers->total = workers->done;
    workers->runs_total = workers->runs_done + b->n;
    for (size_t i = 0; i < b->n; i++) {
        workers->total += dip_workers_work(&b->runs[i]);
    }
    return dip_workers_make(workers, b->runs, b->labels, b->n, err);
}

static dip_status score_of(const dip_halving *halving, size_t candidate, int64_t epochs,
                           int64_t seed, double *score, dip_error *err) {
    dip_run run;
    dip_run_result result;
    DIP_TRY(run_of(halving, candidate, epochs, seed, &run, err));
    DIP_TRY(dip_run_open(&result, halving->folder, run.key, err));
    *score = result.failed ? -1 : result.validation;
    dip_run_close(&result);
    return DIP_OK;
}

/* ---- rungs ----------------------------------------------------------------------------------- */

/* The candidates of a list by falling score; of equal ones the earlier first. */
static void sort(const dip_halving *halving, size_t *list, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const size_t moved = list[i];
        size_t at = i;
        while (at > 0 &&
               halving->candidates[list[at - 1]].score < halving->candidates[moved].score) {
            list[at] = list[at - 1];
            at--;
        }
        list[at] = moved;
    }
}

static dip_status climb(dip_halving *halving, size_t rung, const size_t *list, size_t n,
                        dip_error *err) {
    const int64_t epochs = dip_halving_epochs(halving, rung);
    dip_run_list b;
    DIP_TRY(dip_run_list_create(&b, n, err));
    dip_status status = DIP_OK;
    for (size_t i = 0; i < n && status == DIP_OK; i++) {
        status = add(halving, &b, list[i], epochs, 1, err);
    }
    if (status == DIP_OK) {
        status = make_all(halving, &b, err);
    }
    dip_run_list_free(&b);
    for (size_t i = 0; i < n && status == DIP_OK; i++) {
        dip_candidate *candidate = &halving->candidates[list[i]];
        candidate->rung = (int64_t)rung;
        status = score_of(halving, list[i], epochs, 1, &candidate->score, err);
    }
    return status;
}

static size_t count_rungs(const dip_halving *halving) {
    size_t rungs = 1;
    for (int64_t n = halving->trials; n / halving->eta >= halving->finalists; n /= halving->eta) {
        rungs++;
    }
    return rungs;
}

/* All rungs; list [candidates] then begins with those that are left, the best first. */
static dip_status climb_all(dip_halving *halving, size_t *list, size_t *left, dip_error *err) {
    size_t n = halving->n;
    for (size_t i = 0; i < n; i++) {
        list[i] = i;
    }
    for (size_t rung = 0; rung < halving->rungs; rung++) {
        DIP_TRY(climb(halving, rung, list, n, err));
        sort(halving, list, n);
        if (rung + 1 < halving->rungs) {
            n = n / (size_t)halving->eta > 0 ? n / (size_t)halving->eta : 1;
        }
    }
    *left = n < (size_t)halving->finalists ? n : (size_t)halving->finalists;
    return DIP_OK;
}

/* ---- finals ---------------------------------------------------------------------------------- */

static double mean_of(const double *values, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum = values[i] < 0 || sum < 0 ? -1 : sum + values[i];
    }
    return sum < 0 ? -1 : sum / (double)n;
}

static bool is_final(const dip_halving *halving, size_t candidate) {
    for (size_t i = 0; i < halving->n_finals; i++) {
        if (halving->finals[i] == candidate) {
            return true;
        }
    }
    return false;
}

/* The finalists, and what was given where it is not among them. */
static dip_status choose_finals(dip_halving *halving, const size_t *list, size_t left,
                                dip_error *err) {
    const size_t most = left + halving->n_given;
    halving->finals = dip_alloc(most, sizeof *halving->finals, "finalists", err);
    halving->values =
        dip_alloc(most * (size_t)halving->seeds, sizeof *halving->values, "finalists", err);
    if (halving->finals == NULL || halving->values == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < left; i++) {
        halving->finals[halving->n_finals++] = list[i];
    }
    for (size_t candidate = 0; candidate < halving->n_given; candidate++) {
        if (!is_final(halving, candidate)) {
            halving->finals[halving->n_finals++] = candidate;
        }
    }
    return DIP_OK;
}

static dip_status make_finals(dip_halving *halving, dip_error *err) {
    const int64_t epochs = halving->base.train.epochs;
    dip_run_list b;
    DIP_TRY(dip_run_list_create(&b, halving->n_finals * (size_t)halving->seeds, err));
    dip_status status = DIP_OK;
    for (size_t i = 0; i < halving->n_finals; i++) {
        for (int64_t seed = 1; seed <= halving->seeds && status == DIP_OK; seed++) {
            status = add(halving, &b, halving->finals[i], epochs, seed, err);
        }
    }
    if (status == DIP_OK) {
        status = make_all(halving, &b, err);
    }
    dip_run_list_free(&b);
    return status;
}

static dip_status rank_finals(dip_halving *halving, dip_error *err) {
    const int64_t epochs = halving->base.train.epochs;
    for (size_t i = 0; i < halving->n_finals; i++) {
        dip_candidate *candidate = &halving->candidates[halving->finals[i]];
        double values[DIP_TUNE_SEEDS_MAX];
        for (int64_t seed = 1; seed <= halving->seeds; seed++) {
            DIP_TRY(score_of(halving, halving->finals[i], epochs, seed, &values[seed - 1], err));
        }
        candidate->score = mean_of(values, halving->seeds);
        candidate->rung = (int64_t)halving->rungs;
    }
    sort(halving, halving->finals, halving->n_finals);
    for (size_t i = 0; i < halving->n_finals; i++) {
        for (int64_t seed = 1; seed <= halving->seeds; seed++) {
            DIP_TRY(score_of(halving, halving->finals[i], epochs, seed,
                             &halving->values[i * (size_t)halving->seeds + (size_t)seed - 1], err));
        }
    }
    return DIP_OK;
}

dip_status dip_halving_begin(dip_halving *halving, dip_error *err) {
    const dip_candidate base = {0};
    dip_config config;
    halving->rungs = count_rungs(halving);
    DIP_TRY(dip_halving_config(halving, &base, dip_halving_epochs(halving, 0), 1, &config, err));
    return dip_trainer_check(halving->data->dataset, &config, err);
}

dip_status dip_halving_run(dip_halving *halving, dip_error *err) {
    size_t left = 0;
    DIP_TRY(draw_candidates(halving, err));
    size_t *list = dip_alloc(halving->n, sizeof *list, "settings", err);
    if (list == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = climb_all(halving, list, &left, err);
    if (status == DIP_OK) {
        status = choose_finals(halving, list, left, err);
    }
    dip_free(list);
    DIP_TRY(status);
    DIP_TRY(make_finals(halving, err));
    return rank_finals(halving, err);
}

void dip_halving_free(dip_halving *halving) {
    dip_free(halving->candidates);
    dip_free(halving->finals);
    dip_free(halving->values);
    halving->candidates = NULL;
    halving->finals = NULL;
    halving->values = NULL;
}
