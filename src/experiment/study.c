/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/study.h"

#include "base/mem.h"
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>

static size_t n_cells(const dip_study *study) {
    return study->plan->n_conditions * study->plan->n_methods;
}

dip_status dip_study_config(const dip_study *study, size_t condition, size_t method,
                            const dip_settings *setting, int64_t seed, dip_config *config,
                            dip_error *err) {
    dip_config made = study->base;
    DIP_TRY(dip_settings_apply(&study->plan->condition[condition].options, &made, err));
    DIP_TRY(dip_settings_apply(&study->plan->method[method].options, &made, err));
    if (setting != NULL) {
        DIP_TRY(dip_settings_apply(setting, &made, err));
    }
    made.seed = seed;
    made.train.checkpoint_every = 0;
    *config = made;
    return DIP_OK;
}

const dip_study_run *dip_study_next(const dip_study *study, size_t *at, size_t condition,
                                    size_t method, int choice) {
    for (; *at < study->n_runs; (*at)++) {
        const dip_study_run *run = &study->runs[*at];
        if (run->condition == condition && run->method == method && run->choice == choice) {
            return run;
        }
    }
    return NULL;
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static dip_status check_setting(const dip_study *study, size_t condition, size_t method,
                                const dip_settings *setting, const dip_dataset *dataset,
                                dip_error *err) {
    dip_config config;
    DIP_TRY(dip_study_config(study, condition, method, setting, 1, &config, err));
    const dip_status status = dip_trainer_check(dataset, &config, err);
    return status == DIP_OK ? DIP_OK
                            : dip_fail_context(err, status, "the method \"%s\"",
                                               study->plan->method[method].name);
}

/* Every value of every choice, with the first values of the choices before it. */
static dip_status check_method(const dip_study *study, size_t condition, size_t m,
                               const dip_dataset *dataset, dip_error *err) {
    const dip_plan_method *method = &study->plan->method[m];
    dip_settings setting = {0};
    if (method->n_choices == 0) {
        return check_setting(study, condition, m, NULL, dataset, err);
    }
    for (size_t c = 0; c < method->n_choices; c++) {
        const dip_choice *choice = &method->choice[c];
        for (size_t v = choice->n; v-- > 0;) {
            DIP_TRY(dip_settings_put(&setting, choice->key, choice->value[v], err));
            DIP_TRY(check_setting(study, condition, m, &setting, dataset, err));
        }
    }
    return DIP_OK;
}

static dip_status check_everywhere(const dip_study *study, size_t m, const dip_dataset *dataset,
                                   dip_error *err) {
    for (size_t c = 0; c < study->plan->n_conditions; c++) {
        DIP_TRY(check_method(study, c, m, dataset, err));
    }
    return DIP_OK;
}

/* Whether a method can be trained, and those whose choices it begins with, one after the other. */
static bool is_possible(const dip_study *study, size_t m, const dip_dataset *dataset) {
    int next = (int)m;
    while (next >= 0 && check_everywhere(study, (size_t)next, dataset, NULL) == DIP_OK) {
        next = study->plan->method[next].like;
    }
    return next < 0;
}

#define POSSIBLE "; --methods %s compares the others"

/* Adds to an error what of the study is possible, if that leaves something to compare and fits. */
static dip_status name_possible(const dip_study *study, const dip_dataset *dataset,
                                dip_status status, dip_error *err) {
    const dip_plan *plan = study->plan;
    char names[DIP_PLAN_LIST * DIP_PLAN_NAME_MAX] = "";
    size_t n = 0;
    if (status != DIP_ERR_USAGE || !is_possible(study, plan->baseline, dataset)) {
        return status;
    }
    for (size_t m = 0; m < plan->n_methods; m++) {
        if (is_possible(study, m, dataset)) {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", n++ > 0 ? "," : "",
                     plan->method[m].name);
        }
    }
    const size_t used = strlen(err->message);
    if (n > 1 && used + strlen(names) + strlen(POSSIBLE) <= sizeof err->message) {
        snprintf(err->message + used, sizeof err->message - used, POSSIBLE, names);
    }
    return status;
}

dip_status dip_study_check(const dip_plan *plan, const dip_config *base, const dip_dataset *dataset,
                           dip_error *err) {
    const dip_study study = {.plan = plan, .base = *base};
    for (size_t m = 0; m < plan->n_methods; m++) {
        const dip_status status = check_everywhere(&study, m, dataset, err);
        if (status != DIP_OK) {
            return name_possible(&study, dataset, status, err);
        }
    }
    return DIP_OK;
}

dip_status dip_study_begin(dip_study *study, dip_error *err) {
    const dip_plan *plan = study->plan;
    study->cells = dip_alloc(n_cells(study), sizeof *study->cells, "a study", err);
    if (study->cells == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n_cells(study); i++) {
        dip_cell *cell = &study->cells[i];
        cell->condition = i / plan->n_methods;
        cell->method = i % plan->n_methods;
    }
    for (size_t f = 0; f < plan->n_figures; f++) {
        const dip_plan_figure *figure = &plan->figure[f];
        for (size_t m = 0; m < figure->methods.n && figure->kind == DIP_FIGURE_MAP; m++) {
            study->is_mapped[figure->methods.at[m]] = true;
        }
    }
    return DIP_OK;
}

/* Runs that a cell still has to ask for. */
static size_t runs_ahead(const dip_study *study, const dip_cell *cell) {
    const dip_plan_method *method = &study->plan->method[cell->method];
    size_t runs = cell->is_done ? 0 : (size_t)study->plan->seeds;
    for (size_t c = cell->stage; c < method->n_choices; c++) {
        runs += method->choice[c].n * (size_t)study->plan->choice_seeds;
    }
    return runs;
}

static dip_status add_run(dip_study *study, const dip_study_run *run, dip_error *err) {
    DIP_TRY(dip_grow((void **)&study->runs, &study->run_capacity, study->n_runs + 1,
                     sizeof *study->runs, "runs", err));
    study->runs[study->n_runs++] = *run;
    return DIP_OK;
}

static dip_status ask_choice(dip_study *study, const dip_cell *cell, dip_error *err) {
    const dip_choice *choice = &study->plan->method[cell->method].choice[cell->stage];
    for (size_t v = 0; v < choice->n; v++) {
        dip_study_run run = {.condition = cell->condition,
                             .method = cell->method,
                             .choice = (int)cell->stage,
                             .value = v,
                             .setting = cell->chosen};
        DIP_TRY(dip_settings_put(&run.setting, choice->key, choice->value[v], err));
        for (run.seed = 1; run.seed <= study->plan->choice_seeds; run.seed++) {
            DIP_TRY(add_run(study, &run, err));
        }
    }
    return DIP_OK;
}

static dip_status ask_final(dip_study *study, const dip_cell *cell, dip_error *err) {
    dip_study_run run = {.condition = cell->condition,
                         .method = cell->method,
                         .choice = -1,
                         .setting = cell->chosen};
    for (run.seed = 1; run.seed <= study->plan->seeds; run.seed++) {
        DIP_TRY(add_run(study, &run, err));
    }
    return DIP_OK;
}

/* Whether what a cell waits for is there: the values that another method has chosen. */
static bool is_ready(const dip_study *study, const dip_cell *cell) {
    const int like = study->plan->method[cell->method].like;
    if (cell->is_done || like < 0) {
        return !cell->is_done;
    }
    const dip_cell *other = dip_study_cell(study, cell->condition, (size_t)like);
    return other->stage >= study->plan->method[like].n_choices;
}

/* Adds the next runs of every cell that is ready. */
static dip_status ask_round(dip_study *study, dip_error *err) {
    for (size_t i = 0; i < n_cells(study); i++) {
        dip_cell *cell = &study->cells[i];
        const dip_plan_method *method = &study->plan->method[cell->method];
        if (!is_ready(study, cell)) {
            continue;
        }
        if (method->like >= 0 && cell->stage == 0) {
            cell->chosen = dip_study_cell(study, cell->condition, (size_t)method->like)->chosen;
        }
        DIP_TRY(cell->stage < method->n_choices ? ask_choice(study, cell, err)
                                                : ask_final(study, cell, err));
    }
    return DIP_OK;
}

/* ---- making a round -------------------------------------------------------------------------- */

static dip_status resolve(const dip_study *study, dip_study_run *asked, dip_run *run,
                          dip_error *err) {
    run->data = dip_study_data_of(study, asked->condition);
    DIP_TRY(dip_study_config(study, asked->condition, asked->method, &asked->setting, asked->seed,
                             &run->config, err));
    run->tests = asked->choice < 0;
    run->keeps_vectors = asked->choice < 0 && asked->seed == 1 && study->is_mapped[asked->method];
    DIP_TRY(dip_run_name(run, err));
    memcpy(asked->key, run->key, sizeof asked->key);
    return DIP_OK;
}

static void label_run(const dip_study *study, const dip_study_run *run,
                      char text[DIP_RUN_LABEL_BYTES]) {
    const dip_plan *plan = study->plan;
    int used =
        snprintf(text, DIP_RUN_LABEL_BYTES, "%s, %s, seed %lld", plan->method[run->method].name,
                 plan->condition[run->condition].name, (long long)run->seed);
    if (run->choice >= 0 && used > 0 && used < DIP_RUN_LABEL_BYTES) {
        const dip_choice *choice = &plan->method[run->method].choice[run->choice];
        snprintf(text + used, (size_t)(DIP_RUN_LABEL_BYTES - used), ", %s %s", choice->key,
                 choice->value[run->value]);
    }
}

/* The runs from `first` on that are not made yet. */
static dip_status list_missing(dip_study *study, size_t first, dip_run_list *round,
                               dip_error *err) {
    DIP_TRY(dip_run_list_create(round, study->n_runs - first, err));
    for (size_t i = first; i < study->n_runs; i++) {
        char label[DIP_RUN_LABEL_BYTES];
        dip_run run = {0};
        DIP_TRY(resolve(study, &study->runs[i], &run, err));
        label_run(study, &study->runs[i], label);
        dip_run_list_add(round, study->folder, &run, label);
    }
    return DIP_OK;
}

/* Work and number of all runs that are still to come, as far as one can know. */
static dip_status count_ahead(dip_study *study, const dip_run_list *round, dip_error *err) {
    dip_workers *workers = &study->workers;
    workers->total = workers->done;
    workers->runs_total = workers->runs_done;
    for (size_t i = 0; i < round->n; i++) {
        workers->total += dip_workers_work(&round->runs[i]);
        workers->runs_total++;
    }
    for (size_t i = 0; i < n_cells(study); i++) {
        const dip_cell *cell = &study->cells[i];
        const size_t n_choices = study->plan->method[cell->method].n_choices;
        dip_cell later = *cell;
        dip_run run = {.data = dip_study_data_of(study, cell->condition)};
        if (is_ready(study, cell)) { /* what this round makes is counted above */
            later.is_done = cell->stage >= n_choices;
            later.stage += cell->stage < n_choices;
        }
        DIP_TRY(dip_study_config(study, cell->condition, cell->method, NULL, 1, &run.config, err));
        workers->total += runs_ahead(study, &later) * dip_workers_work(&run);
        workers->runs_total += runs_ahead(study, &later);
    }
    return DIP_OK;
}

static dip_status make_round(dip_study *study, size_t first, dip_error *err) {
    dip_run_list round = {0};
    dip_status status = list_missing(study, first, &round, err);
    if (status == DIP_OK) {
        status = count_ahead(study, &round, err);
    }
    if (status == DIP_OK) {
        status = dip_workers_make(&study->workers, round.runs, round.labels, round.n, err);
    }
    dip_run_list_free(&round);
    return status;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Adds up the validation metric of the runs of one value; a failed run fails the value. */
static dip_status score_run(const dip_study *study, dip_cell *cell, const dip_study_run *run,
                            dip_error *err) {
    dip_run_result result;
    double *score = &cell->score[run->choice][run->value];
    DIP_TRY(dip_run_open(&result, study->folder, run->key, err));
    *score = result.failed || *score < 0
                 ? -1
                 : *score + result.validation / (double)study->plan->choice_seeds;
    dip_run_close(&result);
    return DIP_OK;
}

/* Takes the best value; of equal ones the first. Where every run diverged that is the first value,
 * whose final runs will then tell the same. */
static dip_status choose(dip_study *study, dip_cell *cell, size_t first, dip_error *err) {
    const dip_choice *choice = &study->plan->method[cell->method].choice[cell->stage];
    const int stage = (int)cell->stage;
    const dip_study_run *run = NULL;
    for (size_t at = first;
         (run = dip_study_next(study, &at, cell->condition, cell->method, stage)) != NULL; at++) {
        DIP_TRY(score_run(study, cell, run, err));
    }
    const double *score = cell->score[cell->stage];
    size_t best = 0;
    for (size_t v = 1; v < choice->n; v++) {
        best = score[v] > score[best] ? v : best;
    }
    cell->picked[cell->stage] = best;
    cell->stage++;
    return dip_settings_put(&cell->chosen, choice->key, choice->value[best], err);
}

/* Moves on the cells that asked for runs in this round. */
static dip_status advance(dip_study *study, size_t first, dip_error *err) {
    for (size_t i = 0; i < n_cells(study); i++) {
        dip_cell *cell = &study->cells[i];
        const bool chooses = cell->stage < study->plan->method[cell->method].n_choices;
        size_t at = first;
        if (cell->is_done || dip_study_next(study, &at, cell->condition, cell->method,
                                            chooses ? (int)cell->stage : -1) == NULL) {
            continue;
        }
        if (chooses) {
            DIP_TRY(choose(study, cell, first, err));
        } else {
            cell->is_done = true;
        }
    }
    return DIP_OK;
}

static bool is_finished(const dip_study *study) {
    for (size_t i = 0; i < n_cells(study); i++) {
        if (!study->cells[i].is_done) {
            return false;
        }
    }
    return true;
}

dip_status dip_study_execute(dip_study *study, dip_error *err) {
    while (!is_finished(study)) {
        const size_t first = study->n_runs;
        DIP_TRY(ask_round(study, err));
        DIP_TRY(make_round(study, first, err));
        DIP_TRY(advance(study, first, err));
    }
    return DIP_OK;
}

void dip_study_free(dip_study *study) {
    dip_free(study->cells);
    dip_free(study->runs);
    study->cells = NULL;
    study->runs = NULL;
}
