/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "evaluate/evaluate.h"
#include "train/session.h"

#include <stdio.h>
#include <string.h>

typedef struct run {
    dip_session session;
    dip_questions questions; /* the validation's; empty without one */
    bool validates;
    bool is_finished; /* the model at the output is marked so */
    double start;
    int64_t examples_before; /* of the processes that the run was in before */
} run;

/* ---- steps ----------------------------------------------------------------------------------- */

static void describe_step(const run *r, char *detail, size_t size) {
    const dip_record *record = &r->session.record;
    const dip_config *config = &r->session.trainer.config;
    const dip_step *s = &record->last;
    int used =
        snprintf(detail, size, "epoch %lld/%lld  loss %.4f (main %.4f", (long long)s->epoch + 1,
                 (long long)config->train.epochs, s->loss, s->loss_main);
    if (s->loss_self != 0) {
        used += snprintf(detail + used, size - (size_t)used, ", self %.4f", s->loss_self);
    }
    used += snprintf(detail + used, size - (size_t)used, ")");
    if (record->best_epoch >= 0) {
        char name[DIP_VALUE_MAX];
        dip_record_metric_name(config, name);
        used +=
            snprintf(detail + used, size - (size_t)used, "  best %.40s %.4f", name, record->best);
    }
    if (record->skipped > 0) {
        snprintf(detail + used, size - (size_t)used, "  %lld batches left out",
                 (long long)record->skipped);
    }
}

static dip_status tell_step(const run *r, dip_error *err) {
    char detail[300];
    const dip_trainer *trainer = &r->session.trainer;
    describe_step(r, detail, sizeof detail);
    const dip_progress progress = {
        .phase = "training",
        .unit = "examples",
        .detail = detail,
        .done = (uint64_t)r->session.record.last.examples,
        .total = (uint64_t)(trainer->dataset->n_pairs[0] * trainer->config.train.epochs)};
    return dip_tell(r->session.watch, &progress, err);
}

/* The batch that was just found not to be finite is left out, or training gives up. */
static dip_status leave_out(run *r, const char *reason, dip_error *err) {
    const dip_record *record = &r->session.record;
    const int64_t limit = r->session.trainer.config.train.nonfinite_limit;
    DIP_TRY(dip_session_skip(&r->session, reason, err));
    if (record->skipped_in_a_row < limit) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_NONFINITE,
                    "%s; the %lld batches before this point were not finite "
                    "(train.nonfinite_limit), they are listed in %s/%s",
                    reason, (long long)record->skipped_in_a_row, r->session.dir.path,
                    DIP_QUARANTINE_FILE);
}

static dip_status make_step(run *r, dip_error *err) {
    dip_session *session = &r->session;
    dip_trainer *trainer = &session->trainer;
    dip_error found = {DIP_OK, ""};
    const int64_t every = trainer->config.train.checkpoint_every;
    const dip_status status = dip_trainer_advance(trainer, &session->record.last, &found);
    if (status == DIP_ERR_NONFINITE) {
        DIP_TRY(leave_out(r, found.message, err));
    } else if (status != DIP_OK) {
        return dip_fail(err, status, "%s", found.message);
    } else {
        session->record.skipped_in_a_row = 0;
        DIP_TRY(dip_record_note_step(&session->record, err));
        DIP_TRY(dip_session_log(session, err));
        if (every > 0 && trainer->step % every == 0) {
            DIP_TRY(dip_session_checkpoint(session, err));
        }
    }
    return tell_step(r, err);
}

/* ---- epochs ---------------------------------------------------------------------------------- */

static dip_status validate(run *r, bool *is_better, dip_error *err) {
    double value = 0;
    dip_trainer *trainer = &r->session.trainer;
    dip_record *record = &r->session.record;
    dip_trainer_swap_average(trainer);
    const dip_status status =
        dip_evaluate_metric(dip_engine_towers(trainer->engine), trainer->dataset, &trainer->config,
                            &r->questions, r->session.watch, &value, err);
    dip_trainer_swap_average(trainer);
    DIP_TRY(status);
    DIP_TRY(dip_record_note_epoch(record, &trainer->config, value, err));
    *is_better = record->best_epoch < 0 || value > record->best;
    if (*is_better) {
        record->best = value;
        record->best_epoch = record->epochs;
    }
    return DIP_OK;
}

/* Without a validation split every epoch is saved, so that the last good one is there. Parameters
 * behind which batches are not finite are neither validated nor saved nor averaged, nor those that
 * the main loss has not seen yet. */
static dip_status end_epoch(run *r, dip_error *err) {
    dip_session *session = &r->session;
    dip_record *record = &session->record;
    const dip_config *config = &session->trainer.config;
    const bool is_pretraining = record->epochs < config->ssl.pretrain;
    bool is_better = record->skipped_in_a_row == 0 && !is_pretraining;
    if (is_better) {
        dip_average_add(&session->trainer.average,
                        &dip_engine_towers(session->trainer.engine)->params, session->trainer.step);
    }
    if (is_better && r->validates) {
        DIP_TRY(validate(r, &is_better, err));
    }
    record->epochs++;
    DIP_TRY(dip_session_log(session, err));
    if (!is_better) {
        return DIP_OK;
    }
    r->is_finished = record->epochs == config->train.epochs;
    DIP_TRY(dip_session_save(session, r->is_finished, err));
    return config->train.checkpoint_every > 0 && !r->is_finished
               ? dip_session_checkpoint(session, err)
               : DIP_OK;
}

static bool is_over(const run *r) {
    const dip_record *record = &r->session.record;
    const dip_config *config = &r->session.trainer.config;
    const bool is_patient = !r->validates || config->train.patience == 0 || record->epochs == 0;
    const int64_t last = config->ssl.pretrain - 1; /* of the epochs before the main loss */
    const int64_t best = record->best_epoch > last ? record->best_epoch : last;
    return record->epochs == config->train.epochs ||
           (!is_patient && record->epochs - 1 - best >= config->train.patience);
}

static dip_status run_epochs(run *r, dip_error *err) {
    const dip_trainer *trainer = &r->session.trainer;
    DIP_TRY(tell_step(r, err));
    while (!is_over(r)) {
        const int64_t end = (r->session.record.epochs + 1) * trainer->steps_per_epoch;
        while (trainer->step < end) {
            DIP_TRY(make_step(r, err));
        }
        DIP_TRY(end_epoch(r, err));
    }
    return DIP_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

static dip_status finish(run *r, dip_error *err) {
    const dip_record *record = &r->session.record;
    if (record->skipped_in_a_row > 0) {
        return dip_fail(err, DIP_ERR_NONFINITE,
                        "the last %lld batches of the run were not finite; they are listed in "
                        "%s/%s",
                        (long long)record->skipped_in_a_row, r->session.dir.path,
                        DIP_QUARANTINE_FILE);
    }
    if (!r->is_finished) {
        DIP_TRY(dip_model_finish(r->session.output, record->metrics.data, record->quarantine.data,
                                 err));
    }
    dip_session_finish(&r->session);
    return DIP_OK;
}

/* The run is asked to stop: what there is of it is kept, so that it can go on later. */
static dip_status interrupt(run *r, dip_error *err) {
    dip_error why = {DIP_OK, ""};
    if (r->session.trainer.step == 0) {
        return DIP_ERR_INTERRUPTED;
    }
    const dip_status status = dip_session_checkpoint(&r->session, &why);
    if (status != DIP_OK) {
        return dip_fail(err, status, "interrupted at step %lld, which could not be kept: %s",
                        (long long)r->session.trainer.step, why.message);
    }
    return dip_fail_context(err, DIP_ERR_INTERRUPTED,
                            "the checkpoint of step %lld is in %s, --resume goes on with it",
                            (long long)r->session.trainer.step, r->session.dir.path);
}

/* What is left after a failure, in front of its text. */
static dip_status explain(const run *r, dip_status status, dip_error *err) {
    const dip_session *session = &r->session;
    if (session->record.is_saved) {
        dip_fail_context(err, status, "the last good model (epoch %lld) is kept in %s",
                         (long long)(r->validates ? session->record.best_epoch + 1
                                                  : session->record.saved_step /
                                                        session->trainer.steps_per_epoch),
                         session->output);
    }
    if (status != DIP_ERR_INTERRUPTED && session->written.step >= 0) {
        dip_fail_context(err, status, "the last whole checkpoint is of step %lld",
                         (long long)session->written.step);
    }
    return status;
}

static dip_status fill_report(const run *r, json_t *report, dip_error *err) {
    const dip_session *session = &r->session;
    const bool was_finished = session->finished != NULL;
    const double seconds = was_finished ? 0 : dip_seconds() - r->start;
    const double examples = (double)(session->record.last.examples - r->examples_before);
    DIP_TRY(dip_json_set(report, "seconds", json_real(seconds), err));
    DIP_TRY(dip_json_set(report, "examples_per_second",
                         json_real(seconds > 0 ? examples / seconds : 0), err));
    if (was_finished) {
        DIP_TRY(dip_json_set(report, "was_finished", json_true(), err));
    }
    if (session->resumed_from >= 0) {
        DIP_TRY(dip_json_set(report, "resumed_from", json_integer(session->resumed_from), err));
    }
    if (session->record.skipped > 0) {
        DIP_TRY(dip_json_set(report, "quarantine", json_string(DIP_QUARANTINE_FILE), err));
    }
    return json_array_size(session->warnings) > 0
               ? dip_json_set(report, "warnings", json_incref(session->warnings), err)
               : DIP_OK;
}

static dip_status make_report(const run *r, json_t **out, dip_error *err) {
    json_t *report = NULL;
    if (r->session.finished != NULL) {
        report = json_deep_copy(r->session.finished);
    } else {
        DIP_TRY(dip_record_summary(&r->session.record, &r->session.trainer.config, &report, err));
    }
    const dip_status status = report != NULL
                                  ? fill_report(r, report, err)
                                  : dip_fail(err, DIP_ERR_MEMORY, "out of memory for a report");
    if (status != DIP_OK) {
        json_decref(report);
        return status;
    }
    *out = report;
    return DIP_OK;
}

static dip_status work(run *r, dip_error *err) {
    r->examples_before = r->session.record.last.examples;
    r->start = dip_seconds();
    dip_status status = run_epochs(r, err);
    if (status == DIP_OK) {
        status = finish(r, err);
    }
    if (status == DIP_ERR_INTERRUPTED) {
        status = interrupt(r, err);
    }
    return status == DIP_OK ? DIP_OK : explain(r, status, err);
}

static dip_status train(run *r, const dip_dataset *dataset, const dip_config *config,
                        json_t **report, dip_error *err) {
    DIP_TRY(dip_session_check(&r->session, err));
    DIP_TRY(dip_trainer_init(&r->session.trainer, dataset, config, err));
    r->validates = dataset->n_pairs[1] > 0;
    if (r->validates) {
        DIP_TRY(dip_questions_create(&r->questions, dataset, 1, true, true, err));
    }
    DIP_TRY(dip_session_begin(&r->session, err));
    if (r->session.finished == NULL) {
        DIP_TRY(work(r, err));
    }
    return report != NULL ? make_report(r, report, err) : DIP_OK;
}

dip_status dip_train_run(const dip_dataset *dataset, const dip_config *config,
                         const dip_run_request *request, json_t **report, dip_error *err) {
    run r = {.session = {.output = request->output,
                         .replaces = request->replaces,
                         .resumes = request->resumes,
                         .watch = request->watch,
                         .dir = {.lock = -1, .metrics = -1}}};
    const dip_status status = train(&r, dataset, config, report, err);
    dip_questions_free(&r.questions);
    dip_session_free(&r.session);
    return status;
}
