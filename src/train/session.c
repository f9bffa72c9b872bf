/* SPDX-License-Identifier: Apache-2.0 */
#include "train/session.h"

#include "base/folder.h"
#include "base/mem.h"
#include "base/sweep.h"
#include "model/augment.h"
#include "model/rare.h"
#include "train/checkpoint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The quarantine lists the pairs of a batch until it is this long; then steps and places only. */
enum { QUARANTINE_DETAIL = 16 << 20, SENTENCE_MAX = 1400 };

static dip_status warn(dip_session *session, dip_error *err, const char *format, ...)
    DIP_PRINTF(3, 4);

static dip_status warn(dip_session *session, dip_error *err, const char *format, ...) {
    char text[SENTENCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dip_say(session->watch, text);
    return dip_json_append(session->warnings, json_string(text), err);
}

/* ---- before the work ------------------------------------------------------------------------- */

static dip_status check_parent(const char *output, dip_error *err) {
    char *parent = dip_path_folder(output, err);
    char *name = dip_path_name(output, err);
    dip_status status = DIP_ERR_MEMORY;
    if (parent != NULL && name != NULL) {
        status =
            dip_path_is_folder(parent)
                ? DIP_OK
                : dip_fail_errno(err, dip_path_exists(parent) ? ENOTDIR : ENOENT, "create", output);
        dip_sweep_dead_writers(parent, name);
    }
    dip_free(parent);
    dip_free(name);
    return status;
}

static dip_status refuse_to_lose(const dip_session *session, dip_error *err) {
    int64_t *steps = NULL;
    size_t n = 0;
    DIP_TRY(dip_rundir_list(&session->dir, &steps, &n, err));
    const long long newest = n > 0 ? (long long)steps[0] : 0;
    dip_free(steps);
    return n == 0 ? DIP_OK
                  : dip_fail(err, DIP_ERR_USAGE,
                             "%s holds a run that was stopped at step %lld: --resume goes on with "
                             "it, --force begins anew and removes it",
                             session->dir.path, newest);
}

dip_status dip_session_check(dip_session *session, dip_error *err) {
    session->resumed_from = -1;
    session->written.step = -1;
    session->record = dip_record_new(session->replaces);
    const bool may_exist = session->replaces || session->resumes;
    DIP_TRY(dip_rundir_init(&session->dir, session->output, err));
    DIP_TRY(may_exist ? DIP_OK : refuse_to_lose(session, err));
    DIP_TRY(dip_folder_check_target(session->output, may_exist, err));
    DIP_TRY(check_parent(session->output, err));
    return dip_json_new_array(&session->warnings, err);
}

/* ---- the model at the output ----------------------------------------------------------------- */

/* config.json of the model at the output; NULL when nothing, or something else, is there. */
static dip_status read_output(const dip_session *session, json_t **description, dip_error *err) {
    dip_folder folder;
    *description = NULL;
    if (!dip_path_exists(session->output)) {
        return DIP_OK;
    }
    dip_status status =
        dip_folder_open(&folder, session->output, DIP_MODEL_FORMAT, DIP_MODEL_VERSION, err);
    if (status != DIP_OK) {
        return status == DIP_ERR_FORMAT ? DIP_OK : status;
    }
    status = dip_model_read_description(&folder, description, err);
    dip_folder_close(&folder);
    return status;
}

/* Whether the model at the output comes from this dataset and these options: then it is what this
 * run makes. */
static bool is_own(const dip_session *session, const json_t *description) {
    return description != NULL &&
           dip_checkpoint_check_origin(description, &session->trainer, "model", session->output,
                                       NULL) == DIP_OK;
}

/* Whether a finished model of this very run is there; then session->finished is set. */
static void look_for_end(dip_session *session, const json_t *description) {
    json_t *training = json_object_get(description, "training");
    if (json_is_true(json_object_get(training, "finished")) && is_own(session, description)) {
        session->finished = json_incref(training);
    }
}

/* ---- going on -------------------------------------------------------------------------------- */

/* A folder under the name of another step is damaged as well. */
static dip_status open_step(dip_checkpoint *checkpoint, const char *path, int64_t step,
                            dip_error *err) {
    DIP_TRY(dip_checkpoint_open(checkpoint, path, err));
    if (checkpoint->step == step) {
        return DIP_OK;
    }
    dip_fail(err, DIP_ERR_FORMAT, "%s holds step %lld", path, (long long)checkpoint->step);
    dip_checkpoint_close(checkpoint);
    return DIP_ERR_FORMAT;
}

/* Opens the newest whole checkpoint. Damaged ones are named and passed over; *found is false
 * without any checkpoint. */
static dip_status open_newest(dip_session *session, dip_checkpoint *checkpoint, bool *found,
                              dip_error *err) {
    int64_t *steps = NULL;
    size_t n = 0;
    dip_error why = {DIP_OK, ""};
    *found = false;
    DIP_TRY(dip_rundir_list(&session->dir, &steps, &n, err));
    dip_status status = DIP_OK;
    for (size_t i = 0; i < n && !*found && status == DIP_OK; i++) {
        char *path = dip_rundir_checkpoint(&session->dir, steps[i], err);
        status = path != NULL ? open_step(checkpoint, path, steps[i], &why) : DIP_ERR_MEMORY;
        dip_free(path);
        *found = status == DIP_OK;
        if (status == DIP_ERR_FORMAT) {
            status = warn(session, err, "checkpoint passed over: %s", why.message);
        } else if (status != DIP_OK && why.code != DIP_OK) {
            status = dip_fail(err, status, "%s", why.message);
        }
    }
    dip_free(steps);
    if (status == DIP_OK && !*found && n > 0) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "none of the %zu checkpoints in %s is whole (%s); --force without --resume "
                        "begins anew",
                        n, session->dir.path, why.message);
    }
    return status;
}

/* Damaged ones that are newer than the one in use would later count as the newest. */
static dip_status discard_newer(const dip_session *session, int64_t step, dip_error *err) {
    int64_t *steps = NULL;
    size_t n = 0;
    DIP_TRY(dip_rundir_list(&session->dir, &steps, &n, err));
    for (size_t i = 0; i < n && steps[i] > step; i++) {
        dip_rundir_discard(&session->dir, steps[i]);
    }
    dip_free(steps);
    return DIP_OK;
}

static dip_status restore(dip_session *session, const dip_checkpoint *checkpoint, dip_error *err) {
    dip_text machine = {0};
    dip_status status = dip_checkpoint_check(checkpoint, &session->trainer, err);
    if (status == DIP_OK) {
        status = dip_checkpoint_compare_machine(checkpoint, &machine, err);
    }
    if (status == DIP_OK && machine.length > 0) {
        status =
            warn(session, err, "checkpoint %s was written elsewhere, so the bits may differ: %s",
                 checkpoint->folder.path, machine.data);
    }
    dip_text_free(&machine);
    DIP_TRY(status);
    return dip_checkpoint_restore(checkpoint, &session->trainer, &session->record, err);
}

static dip_status restore_step(dip_session *session, int64_t step, dip_error *err) {
    dip_checkpoint checkpoint;
    char *path = dip_rundir_checkpoint(&session->dir, step, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = dip_checkpoint_open(&checkpoint, path, err);
    dip_free(path);
    if (status == DIP_OK) {
        status = restore(session, &checkpoint, err);
        dip_checkpoint_close(&checkpoint);
    }
    return status;
}

/* The checkpoint counts on a model at the output that is gone: it is made again from the checkpoint
 * of the step at which it was saved. */
static dip_status make_output_again(dip_session *session, int64_t step, dip_error *err) {
    const int64_t saved = session->record.saved_step;
    dip_error why = {DIP_OK, ""};
    if (restore_step(session, saved, &why) != DIP_OK || session->record.saved_step != saved) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the model of step %lld that the checkpoint of step %lld counts on is not "
                        "at %s any more, nor is a checkpoint of it (%s); --force without --resume "
                        "begins anew",
                        (long long)saved, (long long)step, session->output, why.message);
    }
    DIP_TRY(dip_session_save(session, false, err));
    DIP_TRY(warn(session, err,
                 "%s was gone and has been made again from the checkpoint of step %lld",
                 session->output, (long long)saved));
    return restore_step(session, step, err);
}

/* Whether what is at the output may be replaced by this run: it is its own, or the run was allowed
 * to. */
static dip_status check_output(dip_session *session, const json_t *description, dip_error *err) {
    const bool may_replace = session->replaces || session->record.replaces;
    if (description == NULL) {
        return may_replace || !dip_path_exists(session->output)
                   ? DIP_OK
                   : dip_folder_check_target(session->output, false, err);
    }
    const dip_status status = dip_checkpoint_check_origin(
        description, &session->trainer, "model", session->output, may_replace ? NULL : err);
    return may_replace ? DIP_OK : status;
}

static dip_status go_on(dip_session *session, const dip_checkpoint *checkpoint,
                        const json_t *description, dip_error *err) {
    const int64_t step = checkpoint->step;
    DIP_TRY(restore(session, checkpoint, err));
    DIP_TRY(check_output(session, description, err));
    DIP_TRY(discard_newer(session, step, err));
    if (session->record.is_saved && !is_own(session, description)) {
        DIP_TRY(make_output_again(session, step, err));
    }
    session->resumed_from = step;
    session->written = (dip_position){step, session->record.epochs, session->record.skipped};
    return dip_rundir_put_quarantine(&session->dir, &session->record.quarantine, err);
}

static dip_status resume(dip_session *session, const json_t *description, dip_error *err) {
    dip_checkpoint checkpoint;
    bool found = false;
    if (dip_path_exists(session->dir.path)) {
        DIP_TRY(dip_rundir_hold(&session->dir, err));
        DIP_TRY(open_newest(session, &checkpoint, &found, err));
    }
    if (!found) {
        return check_output(session, description, err);
    }
    const dip_status status = go_on(session, &checkpoint, description, err);
    dip_checkpoint_close(&checkpoint);
    return status;
}

/* A finished run may have been killed before it removed its checkpoints. Those of another run
 * stay. */
static dip_status clear_after_end(dip_session *session, dip_error *err) {
    dip_checkpoint checkpoint;
    bool found = false;
    if (!dip_path_exists(session->dir.path)) {
        return DIP_OK;
    }
    DIP_TRY(dip_rundir_hold(&session->dir, err));
    if (open_newest(session, &checkpoint, &found, NULL) != DIP_OK) {
        return DIP_OK;
    }
    const bool is_ours =
        !found || dip_checkpoint_check(&checkpoint, &session->trainer, NULL) == DIP_OK;
    if (found) {
        dip_checkpoint_close(&checkpoint);
    }
    if (is_ours) {
        dip_rundir_remove(&session->dir);
    }
    return DIP_OK;
}

static dip_status begin_anew(dip_session *session, dip_error *err) {
    if (dip_path_exists(session->dir.path)) {
        DIP_TRY(dip_rundir_hold(&session->dir, err));
        DIP_TRY(discard_newer(session, -1, err));
        return dip_rundir_put_quarantine(&session->dir, &session->record.quarantine, err);
    }
    return DIP_OK;
}

static dip_status begin_resumed(dip_session *session, dip_error *err) {
    json_t *description = NULL;
    DIP_TRY(read_output(session, &description, err));
    look_for_end(session, description);
    const dip_status status = session->finished != NULL ? clear_after_end(session, err)
                                                        : resume(session, description, err);
    json_decref(description);
    return status;
}

/* Dropped values make no views where nothing has several. */
static dip_status warn_of_alike_views(dip_session *session, dip_error *err) {
    static const char *const NAMES[] = {[DIP_SIDE_ITEM] = "items", [DIP_SIDE_QUERY] = "queries"};
    const dip_config *config = &session->trainer.config;
    const dip_schema *schema = &session->trainer.dataset->schema;
    const bool has_queries = dip_engine_has_queries(config) && !schema->queries_are_items;
    for (int side = DIP_SIDE_ITEM; side <= (has_queries ? DIP_SIDE_QUERY : DIP_SIDE_ITEM); side++) {
        const dip_entity *entity = dip_schema_entity(schema, (dip_side)side);
        if (dip_engine_has_second_loss(config) && dip_views_are_alike(config, entity)) {
            char text[SENTENCE_MAX];
            dip_views_explain(config, NAMES[side], text, sizeof text);
            DIP_TRY(warn(session, err, "%s", text));
        }
    }
    return DIP_OK;
}

/* A preset serves every catalogue: where it can leave no ids out, or its views are all alike, the
 * run says so. */
static dip_status warn_of_idle_options(dip_session *session, dip_error *err) {
    const dip_trainer *trainer = &session->trainer;
    const dip_schema *schema = &trainer->dataset->schema;
    const char *which = dip_engine_idle_id_dropout(schema, &trainer->config);
    static const char *const LEAST[] = {
        [DIP_SIDE_ITEM] = "train.id_min_pairs", [DIP_SIDE_QUERY] = "train.query_min_pairs"};
    if (which != NULL) {
        DIP_TRY(warn(session, err,
                     "train.id_dropout drops nothing: %s of the items' features is of type id, "
                     "and it needs one that is and one that is not",
                     which));
    }
    for (int side = DIP_SIDE_ITEM; side <= DIP_SIDE_QUERY; side++) {
        const char *why = dip_rare_idle(dip_engine_towers(trainer->engine), schema,
                                        &trainer->config, (dip_side)side);
        if (why != NULL) {
            DIP_TRY(warn(session, err, "%s leaves all ids: %s", LEAST[side], why));
        }
    }
    return warn_of_alike_views(session, err);
}

dip_status dip_session_begin(dip_session *session, dip_error *err) {
    DIP_TRY(session->resumes ? begin_resumed(session, err) : begin_anew(session, err));
    if (session->finished != NULL) {
        return DIP_OK;
    }
    DIP_TRY(warn_of_idle_options(session, err));
    if (session->trainer.config.train.checkpoint_every > 0) {
        DIP_TRY(dip_rundir_hold(&session->dir, err));
    }
    return dip_session_log(session, err);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static dip_status rotate(const dip_session *session, dip_error *err) {
    int64_t *steps = NULL;
    size_t n = 0;
    const size_t keep = (size_t)session->trainer.config.train.checkpoint_keep;
    DIP_TRY(dip_rundir_list(&session->dir, &steps, &n, err));
    for (size_t i = keep; i < n; i++) {
        if (steps[i] != session->record.saved_step) {
            dip_rundir_discard(&session->dir, steps[i]);
        }
    }
    dip_free(steps);
    return DIP_OK;
}

/* One that is damaged may be replaced, which dip_folder_create refuses. */
static dip_status write_at(const dip_session *session, const char *path, dip_error *err) {
    dip_checkpoint checkpoint;
    if (dip_path_exists(path) && dip_folder_check_target(path, true, NULL) != DIP_OK) {
        dip_rundir_discard(&session->dir, session->trainer.step);
    }
    DIP_TRY(dip_checkpoint_write(&session->trainer, &session->record, path, err));
    const dip_status status = dip_checkpoint_open(&checkpoint, path, err);
    if (status != DIP_OK) {
        return dip_fail_context(err, status, "a checkpoint that was just written");
    }
    dip_checkpoint_close(&checkpoint);
    return DIP_OK;
}

dip_status dip_session_checkpoint(dip_session *session, dip_error *err) {
    const dip_position here = {session->trainer.step, session->record.epochs,
                               session->record.skipped};
    if (memcmp(&here, &session->written, sizeof here) == 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_rundir_hold(&session->dir, err));
    char *path = dip_rundir_checkpoint(&session->dir, here.step, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = write_at(session, path, err);
    dip_free(path);
    DIP_TRY(status);
    session->written = here;
    return session->record.skipped_in_a_row > 0 ? DIP_OK : rotate(session, err);
}

/* ---- the run --------------------------------------------------------------------------------- */

dip_status dip_session_save(dip_session *session, bool is_last, dip_error *err) {
    dip_record *record = &session->record;
    dip_trainer *trainer = &session->trainer;
    const bool may_replace = session->replaces || session->resumes || record->is_saved;
    json_t *summary = NULL;
    DIP_TRY(dip_record_summary(record, &trainer->config, &summary, err));
    const dip_model_source source = {.towers = dip_engine_towers(trainer->engine),
                                     .config = &trainer->config,
                                     .dataset = trainer->dataset,
                                     .training = summary,
                                     .metrics = record->metrics.data,
                                     .quarantine = record->quarantine.data};
    dip_status status = is_last ? dip_json_set(summary, "finished", json_true(), err) : DIP_OK;
    if (status == DIP_OK) {
        dip_trainer_swap_average(trainer);
        status = dip_model_write(&source, session->output, may_replace, err);
        dip_trainer_swap_average(trainer);
    }
    json_decref(summary);
    if (status == DIP_OK) {
        record->is_saved = true;
        record->saved_step = trainer->step;
    }
    return status;
}

dip_status dip_session_log(dip_session *session, dip_error *err) {
    return dip_rundir_is_held(&session->dir)
               ? dip_rundir_put_metrics(&session->dir, &session->record.metrics, err)
               : DIP_OK;
}

dip_status dip_session_skip(dip_session *session, const char *reason, dip_error *err) {
    dip_record *record = &session->record;
    const bool with_pairs = record->quarantine.length < QUARANTINE_DETAIL;
    DIP_TRY(dip_trainer_describe_batch(&session->trainer, reason, with_pairs, &record->quarantine,
                                       err));
    dip_trainer_pass_over(&session->trainer);
    record->skipped++;
    record->skipped_in_a_row++;
    DIP_TRY(dip_rundir_hold(&session->dir, err));
    DIP_TRY(dip_session_log(session, err));
    return dip_rundir_put_quarantine(&session->dir, &record->quarantine, err);
}

void dip_session_finish(dip_session *session) {
    if (dip_rundir_is_held(&session->dir)) {
        dip_rundir_remove(&session->dir);
    }
}

void dip_session_free(dip_session *session) {
    dip_rundir_close(&session->dir);
    dip_record_free(&session->record);
    dip_trainer_release(&session->trainer);
    json_decref(session->warnings);
    json_decref(session->finished);
    session->warnings = NULL;
    session->finished = NULL;
}
