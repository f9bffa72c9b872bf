/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/outcome.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "evaluate/baselines.h"
#include "evaluate/ranks.h"

#include <math.h>
#include <string.h>

/* ---- the runs of a method -------------------------------------------------------------------- */

typedef struct gathering {
    const dip_study *study;
    const dip_study_data *data;
    dip_config config; /* of the condition; its lists and protocol */
    dip_outcome *outcome;
    uint8_t *group;  /* [items] popularity */
    uint16_t *rank;  /* [test pairs] */
    dip_scores work; /* of the run that is being added */
} gathering;

static dip_status score(gathering *g, dip_error *err) {
    dip_scores_free(&g->work);
    return dip_scores_from_ranks(&g->work, &g->data->questions[1], g->rank,
                                 dip_run_longest(&g->config), &g->config.evaluate.k,
                                 g->config.evaluate.protocol, err);
}

static void count_hits(gathering *g, dip_group_hits *hits) {
    for (size_t k = 0; k < g->outcome->k.n; k++) {
        dip_hits_by_decile(&g->data->questions[1], g->group, g->rank,
                           (size_t)g->outcome->k.value[k], g->outcome->group_pairs, hits->among[k]);
    }
}

static dip_status add_run(gathering *g, dip_method_outcome *method, const dip_study_run *run,
                          dip_error *err) {
    dip_run_result result;
    double *mean = method->seed + (size_t)(run->seed - 1) * g->outcome->width;
    DIP_TRY(dip_run_open(&result, g->study->folder, run->key, err));
    if (result.failed) {
        dip_run_close(&result);
        return DIP_OK;
    }
    dip_status status =
        dip_run_ranks(&result, 1, dip_questions_pairs(&g->data->questions[1]), g->rank, err);
    dip_run_close(&result);
    if (status == DIP_OK) {
        status = score(g, err);
    }
    if (status == DIP_OK && method->groups.total == NULL) {
        status = dip_groups_create(&method->groups, &g->work, 1, err);
    }
    DIP_TRY(status);
    dip_groups_add(&method->groups, &g->work);
    dip_scores_mean(&g->work, mean);
    count_hits(g, &method->hits[method->n_good++]);
    return DIP_OK;
}

static dip_status gather_method(gathering *g, size_t m, dip_error *err) {
    dip_method_outcome *method = &g->outcome->methods[m];
    const dip_study_run *run = NULL;
    method->n = (size_t)g->study->plan->seeds;
    method->seed = dip_alloc(method->n, g->outcome->width * sizeof *method->seed, "metrics", err);
    method->hits = dip_alloc(method->n, sizeof *method->hits, "metrics", err);
    if (method->seed == NULL || method->hits == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < method->n * g->outcome->width; i++) {
        method->seed[i] = NAN;
    }
    for (size_t at = 0; (run = dip_study_next(g->study, &at, g->outcome->condition, m, -1)) != NULL;
         at++) {
        DIP_TRY(add_run(g, method, run, err));
    }
    return DIP_OK;
}

static dip_status compare(gathering *g, size_t m, const dip_watch *watch, dip_error *err) {
    dip_outcome *outcome = g->outcome;
    dip_method_outcome *method = &outcome->methods[m];
    const dip_method_outcome *baseline = &outcome->methods[g->study->plan->baseline];
    if (method == baseline || method->n_good == 0 || baseline->n_good == 0) {
        return DIP_OK;
    }
    method->difference = dip_alloc(outcome->width, sizeof *method->difference, "differences", err);
    if (method->difference == NULL) {
        return DIP_ERR_MEMORY;
    }
    return dip_compare_groups(&method->groups, &baseline->groups, g->config.evaluate.bootstrap,
                              dip_engine_threads(&g->config), watch, method->difference, err);
}

/* ---- rankings without a model ---------------------------------------------------------------- */

/* The metrics of the lists in `items`; they say too what the slices hold. */
static dip_status score_lists(gathering *g, const int64_t *items, double *mean, dip_error *err) {
    dip_outcome *outcome = g->outcome;
    dip_ranks_of_lists(&g->data->questions[1], items, dip_run_longest(&g->config), g->rank);
    DIP_TRY(score(g, err));
    dip_scores_mean(&g->work, mean);
    memcpy(outcome->pairs, g->work.pairs, sizeof outcome->pairs);
    memcpy(outcome->queries, g->work.queries, sizeof outcome->queries);
    return DIP_OK;
}

static dip_status rank_references(gathering *g, dip_error *err) {
    const dip_questions *questions = &g->data->questions[1];
    const size_t longest = dip_run_longest(&g->config);
    int64_t *items = dip_alloc(questions->n, longest * sizeof *items, "ranked items", err);
    if (items == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = dip_rank_popular(questions, g->data->dataset, longest, items, err);
    if (status == DIP_OK) {
        status = score_lists(g, items, g->outcome->popular, err);
    }
    if (status == DIP_OK) {
        dip_rank_random(questions, g->data->dataset, longest, 1, items);
        status = score_lists(g, items, g->outcome->random, err);
    }
    dip_free(items);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static dip_status allocate(gathering *g, dip_error *err) {
    dip_outcome *outcome = g->outcome;
    const size_t pairs = dip_questions_pairs(&g->data->questions[1]);
    outcome->methods = dip_alloc(outcome->n_methods, sizeof *outcome->methods, "results", err);
    outcome->popular = dip_alloc(outcome->width, sizeof *outcome->popular, "metrics", err);
    outcome->random = dip_alloc(outcome->width, sizeof *outcome->random, "metrics", err);
    g->group = dip_alloc((size_t)g->data->dataset->items.n, 1, "popularity", err);
    g->rank = dip_alloc(pairs, sizeof *g->rank, "ranks", err);
    return outcome->methods != NULL && outcome->popular != NULL && outcome->random != NULL &&
                   g->group != NULL && g->rank != NULL
               ? dip_popularity_groups(g->data->dataset, g->group, err)
               : DIP_ERR_MEMORY;
}

static dip_status gather(gathering *g, const dip_watch *watch, dip_error *err) {
    DIP_TRY(allocate(g, err));
    DIP_TRY(rank_references(g, err));
    for (size_t m = 0; m < g->outcome->n_methods; m++) {
        DIP_TRY(gather_method(g, m, err));
    }
    for (size_t m = 0; m < g->outcome->n_methods; m++) {
        DIP_TRY(compare(g, m, watch, err));
    }
    return DIP_OK;
}

dip_status dip_outcome_create(dip_outcome *outcome, const dip_study *study, size_t condition,
                              const dip_watch *watch, dip_error *err) {
    gathering g = {.study = study, .data = dip_study_data_of(study, condition), .outcome = outcome};
    memset(outcome, 0, sizeof *outcome);
    DIP_TRY(dip_study_config(study, condition, study->plan->baseline, NULL, 1, &g.config, err));
    g.config.threads = study->workers.threads;
    outcome->condition = condition;
    outcome->k = g.config.evaluate.k;
    outcome->width = DIP_N_SLICES * outcome->k.n * DIP_N_METRICS;
    outcome->n_methods = study->plan->n_methods;
    const dip_status status = gather(&g, watch, err);
    dip_scores_free(&g.work);
    dip_free(g.group);
    dip_free(g.rank);
    if (status != DIP_OK) {
        dip_outcome_free(outcome);
    }
    return status;
}

dip_status dip_outcome_place(const dip_outcome *outcome, const dip_plan_column *column,
                             size_t *place, dip_error *err) {
    for (size_t i = 0; i < outcome->k.n; i++) {
        if (outcome->k.value[i] == column->k) {
            *place = (column->slice * outcome->k.n + i) * DIP_N_METRICS + column->metric;
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ERR_USAGE,
                    "a table or figure asks for lists of %lld, which evaluate.k does not name",
                    (long long)column->k);
}

void dip_outcome_free(dip_outcome *outcome) {
    for (size_t m = 0; outcome->methods != NULL && m < outcome->n_methods; m++) {
        dip_groups_free(&outcome->methods[m].groups);
        dip_free(outcome->methods[m].seed);
        dip_free(outcome->methods[m].hits);
        dip_free(outcome->methods[m].difference);
    }
    dip_free(outcome->methods);
    dip_free(outcome->popular);
    dip_free(outcome->random);
    memset(outcome, 0, sizeof *outcome);
}
