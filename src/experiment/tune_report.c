/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/engine.h"
#include "evaluate/compare.h"
#include "evaluate/ranks.h"
#include "experiment/tune_parts.h"
#include "experiment/values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- how sure -------------------------------------------------------------------------------- */

/* Sums of groups of queries over the seeds of a finalist, of the training metric alone. */
static dip_status group_final(const dip_tuning *t, size_t final, dip_groups *groups,
                              dip_error *err) {
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
static size_t column_of(const dip_tuning *t) {
    return (size_t)t->base.train.metric;
}

static dip_status compare(const dip_tuning *t, size_t other, dip_difference *difference,
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
static dip_status judge(const dip_tuning *t, verdicts *v, dip_error *err) {
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

static dip_status verdicts_make(const dip_tuning *t, verdicts *v, dip_error *err) {
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

static dip_status put_candidates(const dip_tuning *t, json_t *report, dip_error *err) {
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

static dip_status put_rungs(const dip_tuning *t, json_t *report, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(report, "rungs", &list, err));
    for (size_t r = 0; r < t->halving.rungs; r++) {
        DIP_TRY(dip_json_append(list, json_integer(dip_halving_epochs(&t->halving, r)), err));
    }
    return DIP_OK;
}

static dip_status put_final(const dip_tuning *t, const verdicts *v, size_t i, json_t *list,
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

static dip_status put_finals(const dip_tuning *t, json_t *list, dip_error *err) {
    verdicts v;
    dip_status status = verdicts_make(t, &v, err);
    for (size_t i = 0; i < t->halving.n_finals && status == DIP_OK; i++) {
        status = put_final(t, &v, i, list, err);
    }
    verdicts_free(&v);
    return status;
}

dip_status dip_tune_report(const dip_tuning *t, json_t *report, dip_error *err) {
    char metric[DIP_VALUE_MAX];
    json_t *list = NULL;
    dip_options_get(dip_options_find(&dip_config_table, "train.metric"), &t->base, metric);
    const size_t used = strlen(metric);
    snprintf(metric + used, sizeof metric - used, "@%lld", (long long)t->base.train.metric_k);
    DIP_TRY(dip_json_set(report, "metric", json_string(metric), err));
    DIP_TRY(dip_json_set(report, "split", json_string("validation"), err));
    DIP_TRY(put_rungs(t, report, err));
    if (t->halving.rival_problem.message[0] != '\0') {
        DIP_TRY(dip_json_set(report, "rival", json_string(t->rival.preset), err));
        DIP_TRY(dip_json_set(report, "rival_left_out",
                             json_string(t->halving.rival_problem.message), err));
    }
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

/* ---- best.yaml ------------------------------------------------------------------------------- */

/* The value stands in quotes, so that YAML takes no part of it for its own. */
static dip_status put_option(dip_text *text, const char *key, const char *value, dip_error *err) {
    DIP_TRY(dip_text_printf(text, err, "%s: '", key));
    for (const char *c = value; *c != '\0'; c++) {
        DIP_TRY(dip_text_put(text, *c == '\'' ? "''" : c, *c == '\'' ? 2 : 1, err));
    }
    return dip_text_put(text, "'\n", 2, err);
}

dip_status dip_tune_yaml(const dip_tuning *t, dip_text *text, dip_error *err) {
    const dip_settings *best = &t->halving.candidates[t->halving.finals[0]].setting;
    const char *preset = best->preset[0] != '\0' ? best->preset : t->settings.preset;
    size_t n = 0;
    DIP_TRY(dip_text_printf(text, err, "# Made by diptych tune: for train --options FILE.\n"));
    if (preset[0] != '\0') {
        DIP_TRY(put_option(text, "preset", preset, err));
        n++;
    }
    for (size_t i = 0; i < t->overrides.n; i++) {
        const dip_setting *given = &t->overrides.at[i];
        const bool is_of_search = strcmp(given->key, "threads") == 0; /* not of what it found */
        if (!is_of_search && dip_settings_find(best, given->key) == best->n) {
            DIP_TRY(put_option(text, given->key, given->value, err));
            n++;
        }
    }
    for (size_t i = 0; i < best->n; i++) {
        DIP_TRY(put_option(text, best->at[i].key, best->at[i].value, err));
        n++;
    }
    return n == 0 ? dip_text_printf(text, err, "{}\n") : DIP_OK;
}
