/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run.h"

#include "base/folder.h"
#include "base/mem.h"
#include "base/text.h"
#include "evaluate/evaluate.h"
#include "train/trainer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Steps between two lines of metrics.jsonl. */
enum { METRICS_EVERY = 10 };

typedef struct run {
    dip_trainer trainer;
    dip_questions questions; /* the validation's; empty without one */
    bool validates;
    const char *output;
    bool replace;
    const dip_watch *watch;
    dip_text metrics; /* metrics.jsonl so far */
    double start;
    double best;
    int64_t best_epoch; /* -1 before the first validation */
    int64_t epochs;     /* finished */
    dip_step last;
    bool is_saved;
} run;

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static dip_status note_step(run *r, const dip_step *s, dip_error *err) {
    if (s->step % METRICS_EVERY != 0 && s->step != 1) {
        return DIP_OK;
    }
    return dip_text_printf(&r->metrics, err,
                           "{\"step\": %lld, \"epoch\": %lld, \"examples\": %lld, \"loss\": %.9g, "
                           "\"loss_main\": %.9g, \"loss_self\": %.9g, \"rate\": %.9g, "
                           "\"gradient_norm\": %.9g}\n",
                           (long long)s->step, (long long)s->epoch, (long long)s->examples, s->loss,
                           s->loss_main, s->loss_self, s->rate, s->gradient_norm);
}

static void metric_name(const dip_config *config, char text[DIP_VALUE_MAX]) {
    char name[DIP_VALUE_MAX];
    dip_options_get(dip_options_find(&dip_config_table, "train.metric"), config, name);
    snprintf(text, DIP_VALUE_MAX, "%.200s@%lld", name, (long long)config->train.metric_k);
}

static dip_status tell_step(const run *r, const dip_step *s, dip_error *err) {
    char detail[200];
    int used = snprintf(detail, sizeof detail, "epoch %lld/%lld  loss %.4f (main %.4f",
                        (long long)s->epoch + 1, (long long)r->trainer.config.train.epochs, s->loss,
                        s->loss_main);
    if (s->loss_self != 0) {
        used += snprintf(detail + used, sizeof detail - (size_t)used, ", self %.4f", s->loss_self);
    }
    used += snprintf(detail + used, sizeof detail - (size_t)used, ")");
    if (r->best_epoch >= 0) {
        char name[DIP_VALUE_MAX];
        metric_name(&r->trainer.config, name);
        snprintf(detail + used, sizeof detail - (size_t)used, "  best %.40s %.4f", name, r->best);
    }
    const dip_progress progress = {
        .phase = "training",
        .unit = "examples",
        .detail = detail,
        .done = (uint64_t)s->examples,
        .total = (uint64_t)(r->trainer.dataset->n_pairs[0] * r->trainer.config.train.epochs)};
    return dip_tell(r->watch, &progress, err);
}

static dip_status fill_state(const run *r, json_t *state, dip_error *err) {
    const struct {
        const char *key;
        json_t *value;
    } rows[] = {
        {"steps", json_integer(r->last.step)},        {"epochs", json_integer(r->epochs)},
        {"examples", json_integer(r->last.examples)}, {"loss", json_real(r->last.loss)},
        {"loss_main", json_real(r->last.loss_main)},  {"loss_self", json_real(r->last.loss_self)}};
    dip_status status = DIP_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const dip_status one = dip_json_set(state, rows[i].key, rows[i].value, err);
        status = one != DIP_OK ? one : status;
    }
    if (status != DIP_OK || !r->validates || r->best_epoch < 0) {
        return status;
    }
    char name[DIP_VALUE_MAX];
    metric_name(&r->trainer.config, name);
    DIP_TRY(dip_json_set(state, "validation_metric", json_string(name), err));
    DIP_TRY(dip_json_set(state, "best_validation", json_real(r->best), err));
    return dip_json_set(state, "best_epoch", json_integer(r->best_epoch + 1), err);
}

/* How far training went, for the model and the report. */
static dip_status training_state(const run *r, json_t **out, dip_error *err) {
    json_t *state = NULL;
    DIP_TRY(dip_json_new_object(&state, err));
    const dip_status status = fill_state(r, state, err);
    if (status != DIP_OK) {
        json_decref(state);
        return status;
    }
    *out = state;
    return DIP_OK;
}

/* The first save obeys the caller's replace flag; later ones replace our own. */
static dip_status save(run *r, dip_error *err) {
    json_t *state = NULL;
    DIP_TRY(training_state(r, &state, err));
    const char *metrics = r->metrics.data != NULL ? r->metrics.data : "";
    const dip_status status =
        dip_trainer_write(&r->trainer, r->output, r->replace || r->is_saved, metrics, state, err);
    json_decref(state);
    r->is_saved = r->is_saved || status == DIP_OK;
    return status;
}

static dip_status validate(run *r, bool *is_better, dip_error *err) {
    char name[DIP_VALUE_MAX];
    double value = 0;
    const dip_config *config = &r->trainer.config;
    DIP_TRY(dip_evaluate_metric(dip_engine_towers(r->trainer.engine), r->trainer.dataset, config,
                                &r->questions, r->watch, &value, err));
    metric_name(config, name);
    DIP_TRY(dip_text_printf(&r->metrics, err, "{\"epoch\": %lld, \"validation_%s\": %.9g}\n",
                            (long long)r->epochs, name, value));
    *is_better = r->best_epoch < 0 || value > r->best;
    if (*is_better) {
        r->best = value;
        r->best_epoch = r->epochs - 1;
    }
    return DIP_OK;
}

static dip_status run_epoch(run *r, dip_error *err) {
    for (int64_t i = 0; i < r->trainer.steps_per_epoch; i++) {
        DIP_TRY(dip_trainer_advance(&r->trainer, &r->last, err));
        DIP_TRY(note_step(r, &r->last, err));
        DIP_TRY(tell_step(r, &r->last, err));
    }
    r->epochs++;
    return DIP_OK;
}

/* Without a validation split every epoch is saved, so that the last good one is there. */
static dip_status run_epochs(run *r, dip_error *err) {
    const dip_config *config = &r->trainer.config;
    while (r->epochs < config->train.epochs) {
        bool is_better = true;
        DIP_TRY(run_epoch(r, err));
        if (r->validates) {
            DIP_TRY(validate(r, &is_better, err));
        }
        if (is_better) {
            DIP_TRY(save(r, err));
        }
        if (r->validates && config->train.patience > 0 &&
            r->epochs - 1 - r->best_epoch >= config->train.patience) {
            break;
        }
    }
    return DIP_OK;
}

/* A run that could not be saved must not begin. */
static dip_status check_output(const run *r, dip_error *err) {
    DIP_TRY(dip_folder_check_target(r->output, r->replace, err));
    char *parent = dip_path_folder(r->output, err);
    if (parent == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status =
        dip_path_is_folder(parent)
            ? DIP_OK
            : dip_fail_errno(err, dip_path_exists(parent) ? ENOTDIR : ENOENT, "create", r->output);
    dip_free(parent);
    return status;
}

static dip_status make_report(const run *r, json_t **report, dip_error *err) {
    json_t *state = NULL;
    const double seconds = now_seconds() - r->start;
    DIP_TRY(training_state(r, &state, err));
    dip_status status = dip_json_set(state, "seconds", json_real(seconds), err);
    if (status == DIP_OK) {
        status = dip_json_set(state, "examples_per_second",
                              json_real((double)r->last.examples / seconds), err);
    }
    if (status != DIP_OK) {
        json_decref(state);
        return status;
    }
    *report = state;
    return DIP_OK;
}

static dip_status train(run *r, const dip_dataset *dataset, const dip_config *config,
                        json_t **report, dip_error *err) {
    DIP_TRY(check_output(r, err));
    DIP_TRY(dip_trainer_init(&r->trainer, dataset, config, err));
    r->validates = dataset->n_pairs[1] > 0;
    if (r->validates) {
        DIP_TRY(dip_questions_create(&r->questions, dataset, 1, true, true, err));
    }
    r->start = now_seconds();
    const dip_status status = run_epochs(r, err);
    if (status != DIP_OK && r->is_saved) {
        return dip_fail_context(err, status, "the last good model (epoch %lld) is kept in %s",
                                (long long)(r->validates ? r->best_epoch + 1 : r->epochs),
                                r->output);
    }
    DIP_TRY(status);
    return report != NULL ? make_report(r, report, err) : DIP_OK;
}

dip_status dip_train_run(const dip_dataset *dataset, const dip_config *config, const char *output,
                         bool replace, const dip_watch *watch, json_t **report, dip_error *err) {
    run r = {.output = output, .replace = replace, .watch = watch, .best_epoch = -1};
    const dip_status status = train(&r, dataset, config, report, err);
    dip_questions_free(&r.questions);
    dip_text_free(&r.metrics);
    dip_trainer_release(&r.trainer);
    return status;
}
