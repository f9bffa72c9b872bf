/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/evaluate.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "evaluate/baselines.h"
#include "evaluate/bootstrap.h"
#include "evaluate/ranks.h"
#include "evaluate/scores.h"
#include "evaluate/vectors.h"
#include "math/vec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COSINE_PAIRS = 20000 };

/* Far from what working models show: those of the demo have a mean cosine of 0.18 to 0.49 and a
 * distinct share of 0.09 to 0.82. A model whose vectors are all equal passes both. */
static const double COLLAPSED_COSINE = 0.9;
static const double COLLAPSED_DISTINCT = 0.01;

static int64_t longest_list(const dip_list *k) {
    int64_t longest = 0;
    for (size_t i = 0; i < k->n; i++) {
        longest = k->value[i] > longest ? k->value[i] : longest;
    }
    return longest;
}

/* ---- one metric, for training ---------------------------------------------------------------- */

static dip_status metric_of(const uint16_t *rank, const dip_config *config,
                            const dip_questions *questions, double *value, dip_error *err) {
    const dip_list k = {1, {config->train.metric_k}};
    double mean[DIP_N_SLICES * DIP_N_METRICS];
    dip_scores scores;
    DIP_TRY(dip_scores_from_ranks(&scores, questions, rank, (size_t)config->train.metric_k, &k,
                                  DIP_PROTOCOL_STANDARD, err));
    dip_scores_mean(&scores, mean);
    *value = mean[dip_scores_place(&scores, DIP_SLICE_ALL, 0, (size_t)config->train.metric)];
    dip_scores_free(&scores);
    return DIP_OK;
}

dip_status dip_evaluate_metric(const dip_towers *towers, const dip_dataset *dataset,
                               const dip_config *config, const dip_questions *questions,
                               const dip_watch *watch, double *value, dip_error *err) {
    uint16_t *rank = dip_alloc(dip_questions_pairs(questions), sizeof *rank, "ranks", err);
    if (rank == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = dip_rank_pairs(towers, dataset, config, questions,
                                       (size_t)config->train.metric_k, watch, rank, err);
    if (status == DIP_OK) {
        status = metric_of(rank, config, questions, value, err);
    }
    dip_free(rank);
    return status;
}

/* ---- the report ------------------------------------------------------------------------------ */

typedef struct evaluation {
    const dip_towers *towers;
    const dip_dataset *dataset;
    const dip_config *config;
    const dip_watch *watch;
    int threads;
    size_t k; /* longest list */
    dip_questions questions;
    dip_vectors vectors;
    int64_t *items; /* [n x k] the ranking being scored */
    double mean_cosine;
    double distinct_share;
    json_t *report;
    json_t *warnings;
} evaluation;

static dip_status put_slice(json_t *object, const dip_scores *scores, size_t slice,
                            const double *mean, const double *low, const double *high,
                            dip_error *err) {
    json_t *values = NULL;
    DIP_TRY(dip_json_new_object(&values, err));
    DIP_TRY(dip_json_set(object, dip_slice_names[slice], values, err));
    DIP_TRY(dip_json_set(values, "pairs", json_integer(scores->pairs[slice]), err));
    DIP_TRY(dip_json_set(values, "queries", json_integer(scores->queries[slice]), err));
    for (size_t k = 0; k < scores->k.n; k++) {
        for (size_t m = 0; m < DIP_N_METRICS; m++) {
            char key[64];
            const size_t at = dip_scores_place(scores, slice, k, m);
            snprintf(key, sizeof key, "%s@%lld", dip_metric_names[m],
                     (long long)scores->k.value[k]);
            DIP_TRY(dip_json_set(values, key, json_real(mean[at]), err));
            if (low != NULL) {
                strncat(key, "_interval", sizeof key - strlen(key) - 1);
                DIP_TRY(dip_json_set(values, key, json_pack("[f,f]", low[at], high[at]), err));
            }
        }
    }
    return DIP_OK;
}

static dip_status put_scores(const evaluation *e, json_t *object, const dip_scores *scores,
                             bool with_intervals, dip_error *err) {
    double *table = dip_alloc(3, scores->width * sizeof *table, "metrics", err);
    if (table == NULL) {
        return DIP_ERR_MEMORY;
    }
    double *low = table + scores->width;
    double *high = low + scores->width;
    dip_status status = DIP_OK;
    dip_scores_mean(scores, table);
    if (with_intervals) {
        status =
            dip_scores_bootstrap(scores, e->config->evaluate.bootstrap, (uint64_t)e->config->seed,
                                 e->threads, e->watch, low, high, err);
    }
    for (size_t s = 0; s < DIP_N_SLICES && status == DIP_OK; s++) {
        status = put_slice(object, scores, s, table, with_intervals ? low : NULL, high, err);
    }
    dip_free(table);
    return status;
}

/* Scores e->items into an object of the report. */
static dip_status score_ranking(const evaluation *e, json_t *object, bool with_intervals,
                                dip_error *err) {
    dip_scores scores;
    DIP_TRY(dip_scores_create(&scores, &e->questions, e->items, e->k, &e->config->evaluate.k,
                              e->config->evaluate.protocol, err));
    const dip_status status = put_scores(e, object, &scores, with_intervals, err);
    dip_scores_free(&scores);
    return status;
}

static dip_status add_baselines(evaluation *e, dip_error *err) {
    json_t *baselines = NULL;
    json_t *popular = NULL;
    json_t *random = NULL;
    DIP_TRY(dip_json_new_object(&baselines, err));
    DIP_TRY(dip_json_set(e->report, "baselines", baselines, err));
    DIP_TRY(dip_json_new_object(&popular, err));
    DIP_TRY(dip_json_set(baselines, "top_popular", popular, err));
    DIP_TRY(dip_json_new_object(&random, err));
    DIP_TRY(dip_json_set(baselines, "random", random, err));
    DIP_TRY(dip_rank_popular(&e->questions, e->dataset, e->k, e->items, err));
    DIP_TRY(score_ranking(e, popular, false, err));
    dip_rank_random(&e->questions, e->dataset, e->k, (uint64_t)e->config->seed, e->items);
    return score_ranking(e, random, false, err);
}

/* Mean cosine of random pairs of distinct items. */
static double mean_cosine(const evaluation *e) {
    const size_t d = e->towers->item.output;
    const uint64_t m = (uint64_t)e->dataset->items.n;
    const dip_rng rng = dip_rng_make((uint64_t)e->config->seed, DIP_DRAW_COSINE);
    double sum = 0;
    int64_t n = 0;
    for (uint64_t i = 0; i < COSINE_PAIRS; i++) {
        const dip_draw draw = dip_rng_at(rng, i, 0);
        const uint64_t a = dip_below(draw.word[0], draw.word[1], m);
        const uint64_t b = dip_below(draw.word[2], draw.word[3], m);
        if (a != b) {
            sum += (double)dip_vec_dot(d, e->vectors.items + a * d, e->vectors.items + b * d);
            n++;
        }
    }
    return n > 0 ? sum / (double)n : 0;
}

/* Distinct items in the lists, as a share of the most that there could be. */
static dip_status measure_distinct(evaluation *e, dip_error *err) {
    const size_t m = (size_t)e->dataset->items.n;
    uint8_t *is_listed = dip_alloc(m, 1, "listed items", err);
    if (is_listed == NULL) {
        return DIP_ERR_MEMORY;
    }
    size_t distinct = 0;
    for (size_t i = 0; i < e->questions.n * e->k; i++) {
        if (e->items[i] >= 0 && !is_listed[e->items[i]]) {
            is_listed[e->items[i]] = 1;
            distinct++;
        }
    }
    dip_free(is_listed);
    const size_t most = e->questions.n * e->k < m ? e->questions.n * e->k : m;
    e->distinct_share = most > 0 ? (double)distinct / (double)most : 0;
    DIP_TRY(dip_json_set(e->report, "distinct_items", json_integer((json_int_t)distinct), err));
    return dip_json_set(e->report, "mean_cosine", json_real(e->mean_cosine), err);
}

static double report_number(const json_t *object, const char *metric, int64_t k) {
    char key[64];
    snprintf(key, sizeof key, "%s@%lld", metric, (long long)k);
    return json_number_value(json_object_get(json_object_get(object, "all"), key));
}

static dip_status warn(const evaluation *e, dip_error *err, const char *format, ...)
    DIP_PRINTF(3, 4);

static dip_status warn(const evaluation *e, dip_error *err, const char *format, ...) {
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_json_append(e->warnings, json_string(text), err);
}

static dip_status warn_popular(const evaluation *e, dip_error *err) {
    const json_t *popular = json_object_get(json_object_get(e->report, "baselines"), "top_popular");
    const int64_t k = (int64_t)e->k;
    const double model = report_number(e->report, "recall", k);
    const double baseline = report_number(popular, "recall", k);
    if (model >= baseline) {
        return DIP_OK;
    }
    const char *cause = e->config->train.logq == DIP_LOGQ_NONE
                            ? "without the sampling-bias correction the softmax punishes popular "
                              "items: try train.logq: exact"
                            : "too few steps, or a rate or temperature far off: look at the losses "
                              "in metrics.jsonl";
    return warn(e, err,
                "the model is worse than TopPopular: recall@%lld %.4f against %.4f. Likely cause: "
                "%s",
                (long long)k, model, baseline, cause);
}

static dip_status warn_collapse(const evaluation *e, dip_error *err) {
    if (e->mean_cosine > COLLAPSED_COSINE) {
        return warn(e, err,
                    "the item vectors have collapsed: two random items have a mean cosine of %.3f. "
                    "Likely cause: too high a train.temperature or train.rate",
                    e->mean_cosine);
    }
    if (e->distinct_share < COLLAPSED_DISTINCT) {
        return warn(e, err,
                    "the lists hold only %.2f%% of the items that they could: nearly all queries "
                    "get the same ones. Likely cause: too few steps, or query features that say "
                    "nothing",
                    100 * e->distinct_share);
    }
    return DIP_OK;
}

static dip_status warn_slices(const evaluation *e, dip_error *err) {
    for (size_t s = DIP_SLICE_HEAD; s < DIP_N_SLICES; s++) {
        const json_t *slice = json_object_get(e->report, dip_slice_names[s]);
        if (json_integer_value(json_object_get(slice, "pairs")) == 0) {
            DIP_TRY(warn(e, err, "the slice \"%s\" has no pairs: its zeros measure nothing",
                         dip_slice_names[s]));
        }
    }
    return DIP_OK;
}

static dip_status begin_report(evaluation *e, dip_error *err) {
    char protocol[DIP_VALUE_MAX];
    char split[DIP_VALUE_MAX];
    json_t *lengths = NULL;
    dip_options_get(dip_options_find(&dip_config_table, "evaluate.protocol"), e->config, protocol);
    dip_options_get(dip_options_find(&dip_config_table, "evaluate.split"), e->config, split);
    DIP_TRY(dip_json_new_object(&e->report, err));
    DIP_TRY(dip_json_set(e->report, "protocol", json_string(protocol), err));
    DIP_TRY(dip_json_set(e->report, "split", json_string(split), err));
    DIP_TRY(dip_json_new_array(&lengths, err));
    DIP_TRY(dip_json_set(e->report, "k", lengths, err));
    for (size_t i = 0; i < e->config->evaluate.k.n; i++) {
        DIP_TRY(dip_json_append(lengths, json_integer(e->config->evaluate.k.value[i]), err));
    }
    return DIP_OK;
}

static dip_status ask(evaluation *e, dip_error *err) {
    const dip_config *config = e->config;
    const size_t split = config->evaluate.split == DIP_EVALUATE_VALIDATION ? 1 : 2;
    if (e->dataset->n_pairs[split] == 0) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the %s split has no pairs; set split.%s above 0 and prepare again",
                        dip_split_names[split], dip_split_names[split]);
    }
    DIP_TRY(dip_questions_create(&e->questions, e->dataset, split,
                                 config->evaluate.protocol == DIP_PROTOCOL_STANDARD,
                                 config->evaluate.exclude_query, err));
    e->items = dip_alloc(e->questions.n, e->k * sizeof *e->items, "ranked items", err);
    return e->items != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status add_warnings(evaluation *e, dip_error *err) {
    DIP_TRY(dip_json_new_array(&e->warnings, err));
    DIP_TRY(dip_json_set(e->report, "warnings", e->warnings, err));
    DIP_TRY(warn_popular(e, err));
    DIP_TRY(warn_collapse(e, err));
    return warn_slices(e, err);
}

static dip_status rank_model(evaluation *e, dip_error *err) {
    const dip_vectors_job job = {.vectors = &e->vectors,
                                 .questions = &e->questions,
                                 .n = e->questions.n,
                                 .k = e->k,
                                 .threads = e->threads,
                                 .watch = e->watch};
    DIP_TRY(dip_vectors_create(&e->vectors, e->towers, e->dataset, &e->questions, e->threads,
                               e->watch, err));
    return dip_vectors_rank(&job, e->items, err);
}

static dip_status run(evaluation *e, dip_error *err) {
    const double start = dip_seconds();
    DIP_TRY(begin_report(e, err));
    DIP_TRY(ask(e, err));
    DIP_TRY(rank_model(e, err));
    DIP_TRY(score_ranking(e, e->report, e->config->evaluate.bootstrap > 0, err));
    e->mean_cosine = mean_cosine(e);
    DIP_TRY(measure_distinct(e, err));
    DIP_TRY(add_baselines(e, err));
    DIP_TRY(add_warnings(e, err));
    return dip_json_set(e->report, "seconds", json_real(dip_seconds() - start), err);
}

dip_status dip_evaluate_report(const dip_towers *towers, const dip_dataset *dataset,
                               const dip_config *config, const dip_watch *watch, json_t **report,
                               dip_error *err) {
    evaluation e = {.towers = towers,
                    .dataset = dataset,
                    .config = config,
                    .watch = watch,
                    .threads = dip_engine_threads(config),
                    .k = (size_t)longest_list(&config->evaluate.k)};
    const dip_status status = run(&e, err);
    if (status == DIP_OK) {
        *report = json_incref(e.report);
    }
    dip_questions_free(&e.questions);
    dip_vectors_free(&e.vectors);
    dip_free(e.items);
    json_decref(e.report);
    return status;
}
