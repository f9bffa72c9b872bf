/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints that do not fit: damaged ones are named and passed over; those of another dataset,
 * configuration, precision or version are refused with the difference named; forged ones, whose
 * checksums are right, too.
 */
#include "resume/runs.h"

#include "base/mem.h"
#include "fault/reseal.h"
#include "train/checkpoint.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static runs r;

static const setting EVERY_3[] = {{"train.checkpoint_every", "3"}, {NULL, NULL}};

enum { NEWEST = 7, OLDER = 6 };

/* A run stopped at step 7 that also has the checkpoint of step 6. */
static const char *stop(void) {
    runs_clear(&r, "m");
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, 0, NEWEST);
    return runs_checkpoint(&r, "m", NEWEST);
}

static void refused(dip_status expected, const setting *settings, const char *text) {
    dip_error err = {DIP_OK, ""};
    assert_int_equal(runs_train(&r, "m", settings, DIP_RESUME, 0, &err), expected);
    if (strstr(err.message, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, err.message);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void flip(const char *path, const blob *b) {
    b->data[b->bytes / 2] ^= 1;
    write_blob(path, b->data, b->bytes);
}

static void cut(const char *path, const blob *b) {
    write_blob(path, b->data, b->bytes / 2);
}

static void lose(const char *path, const blob *b) {
    (void)b;
    assert_int_equal(unlink(path), 0);
}

static const char *const PARTS[] = {"manifest.json", "checkpoint.safetensors", "metrics.jsonl"};
typedef void (*damage_fn)(const char *path, const blob *b);
static const damage_fn DAMAGES[] = {flip, cut, lose};

enum { N_PARTS = 3, N_DAMAGES = 3 };

static void damage(long step, const char *part, damage_fn how) {
    char path[2 * WORLD_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", runs_checkpoint(&r, "m", step), part);
    blob b = read_blob(path);
    how(path, &b);
    free_blob(&b);
}

/* The run goes on from the one before, to the same end. */
static void a_damaged_checkpoint_is_named_and_passed_over(void **state) {
    (void)state;
    runs_expect(&r, DIP_OK, "straight", EVERY_3, 0, 0);
    for (size_t p = 0; p < N_PARTS; p++) {
        for (size_t d = 0; d < N_DAMAGES; d++) {
            stop();
            damage(NEWEST, PARTS[p], DAMAGES[d]);
            runs_expect(&r, DIP_OK, "m", EVERY_3, DIP_RESUME, 0);
            assert_non_null(strstr(r.messages, "step-000000000007"));
            assert_non_null(strstr(r.report, "\"resumed_from\": 6"));
            assert_non_null(strstr(r.report, "step-000000000007"));
            runs_check_same(&r, "m", "straight");
        }
    }
    runs_clear(&r, "straight");
}

static void without_a_whole_one_it_does_not_start_over(void **state) {
    (void)state;
    stop();
    for (long step = 1; step <= NEWEST; step++) {
        if (access(runs_checkpoint(&r, "m", step), F_OK) == 0) {
            damage(step, PARTS[step % N_PARTS], flip);
        }
    }
    refused(DIP_ERR_FORMAT, EVERY_3, "checkpoints in");
    assert_non_null(strstr(r.messages, "step-000000000007"));
    assert_non_null(strstr(r.messages, "step-000000000006"));
    assert_int_equal(access(runs_checkpoint(&r, "m", NEWEST), F_OK), 0);
    runs_expect(&r, DIP_OK, "m", EVERY_3, DIP_REPLACE, 0);
}

/* Every byte of a checkpoint counts. */
static void any_flipped_byte_is_noticed(void **state) {
    (void)state;
    uint64_t random = 7;
    dip_checkpoint checkpoint;
    char path[2 * WORLD_PATH_MAX];
    const char *folder = stop();
    for (size_t i = 0; i < 600; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, PARTS[i % N_PARTS]);
        blob b = read_blob(path);
        const size_t at = draw_below(&random, b.bytes);
        b.data[at] ^= (unsigned char)(1u << draw_below(&random, 8));
        write_blob(path, b.data, b.bytes);
        assert_int_equal(dip_checkpoint_open(&checkpoint, folder, NULL), DIP_ERR_FORMAT);
        free_blob(&b);
        stop();
    }
}

/* ---- other runs ------------------------------------------------------------------------------ */

/* Each with a value that is neither the default nor set by the runs. */
static void other_options_are_named(void **state) {
    (void)state;
    static const setting CHANGED[] = {{"seed", "2"},
                                      {"model.dim", "5"},
                                      {"model.hidden", "6,5"},
                                      {"model.share", "none"},
                                      {"train.batch", "9"},
                                      {"train.epochs", "9"},
                                      {"train.rate", "0.1"},
                                      {"train.optimizer", "sgd"},
                                      {"train.logq", "none"},
                                      {"train.decay", "0.1"},
                                      {"train.schedule", "cosine"},
                                      {"train.warmup", "1"},
                                      {"train.beta1", "0.8"},
                                      {"train.patience", "7"},
                                      {"train.metric", "mrr"},
                                      {"ssl.method", "rfm"},
                                      {"ssl.alpha", "0.5"},
                                      {"ssl.dropout", "0.5"},
                                      {"ssl.batch", "4"},
                                      {"ssl.items", "training"},
                                      {"train.temperature", "0.08"},
                                      {"ssl.masks", "example"},
                                      {"ssl.noise", "0.2"},
                                      {"ssl.symmetric", "yes"},
                                      {"ssl.mask_same", "yes"},
                                      {"ssl.towers", "both"},
                                      {"ssl.pretrain", "1"},
                                      {"ssl.after_pretrain", "stop"}};
    stop();
    for (size_t i = 0; i < sizeof CHANGED / sizeof CHANGED[0]; i++) {
        char text[200];
        const setting settings[] = {CHANGED[i], {NULL, NULL}};
        snprintf(text, sizeof text, "and is \"%s\" now", CHANGED[i].value);
        refused(DIP_ERR_USAGE, settings, CHANGED[i].key);
        refused(DIP_ERR_USAGE, settings, text);
    }
}

static void options_that_change_nothing_are_free(void **state) {
    (void)state;
    static const setting CHANGED[] = {{"threads", "2"},
                                      {"train.checkpoint_every", "5"},
                                      {"train.checkpoint_keep", "4"},
                                      {"train.nonfinite_limit", "3"},
                                      {"train.table_folder", "."},
                                      {"evaluate.bootstrap", "7"},
                                      {"evaluate.k", "4"},
                                      {NULL, NULL}};
    stop();
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", CHANGED, DIP_RESUME, 1);
    assert_string_equal(r.messages, "");
}

static void another_dataset_is_named(void **state) {
    (void)state;
    dip_project *project = NULL;
    dip_dataset *other = NULL;
    dip_dataset *own = r.dataset;
    stop();
    assert_int_equal(dip_project_load(&project, r.shop.project, NULL), DIP_OK);
    assert_int_equal(dip_project_set(project, "split.seed", "5", NULL), DIP_OK);
    const char *path = world_path(&r.shop, "other.dip");
    assert_int_equal(dip_prepare(project, path, 0, NULL, NULL, NULL), DIP_OK);
    dip_project_free(project);
    assert_int_equal(dip_dataset_open(&other, path, NULL), DIP_OK);
    r.dataset = other;
    refused(DIP_ERR_FAILED, EVERY_3, "was made from another dataset: ");
    refused(DIP_ERR_FAILED, EVERY_3, "other.dip with checksum");
    r.dataset = own;
    dip_dataset_close(other);
}

/* ---- forged ---------------------------------------------------------------------------------- */

typedef struct forgery {
    const char *path; /* in the manifest */
    const char *json; /* the new value; NULL removes it */
    dip_status status;
    const char *text; /* in the error, or in the warnings of a run that goes on */
} forgery;

static const forgery FORGERIES[] = {
    {"version", "2", DIP_ERR_FORMAT, "format version 2; this diptych"},
    {"machine/precision", "\"fp16\"", DIP_ERR_FAILED, "computed in fp16"},
    {"machine/instructions", "\"mmx\"", DIP_OK, "vector instructions was mmx, is"},
    {"machine/onednn", "\"0.1\"", DIP_OK, "oneDNN was 0.1, is"},
    {"machine/compiler", "\"acc\"", DIP_OK, "compiler was acc, is"},
    {"machine/diptych", "\"0.0.1\"", DIP_OK, "diptych was 0.0.1, is"},
    {"machine", NULL, DIP_ERR_FORMAT, "machine"},
    {"config/seed", "7", DIP_ERR_USAGE, "seed was \"?\" then"},
    {"config/seed", NULL, DIP_OK, ""}, /* the default */
    {"config/no.such", "\"1\"", DIP_ERR_USAGE, "no.such is unknown"},
    {"config", NULL, DIP_ERR_FORMAT, "config"},
    {"dataset/identity", "\"0\"", DIP_ERR_FAILED, "another dataset"},
    {"dataset", NULL, DIP_ERR_FORMAT, "dataset"},
    {"state", NULL, DIP_ERR_FORMAT, "state"},
    {"state/epochs", "-1", DIP_ERR_FORMAT, "epochs"},
    {"state/epochs", "2", DIP_ERR_FORMAT, "contradict"},
    {"state/epochs", "9223372036854775807", DIP_ERR_FORMAT, "contradict"},
    {"state/best_epoch", "8", DIP_ERR_FORMAT, "contradict"},
    {"state/last_step", "8", DIP_ERR_FORMAT, "contradict"},
    {"state/saved_step", "99", DIP_ERR_FORMAT, "contradict"},
    {"state/best", "\"x\"", DIP_ERR_FORMAT, "best"},
    {"state/is_saved", "1", DIP_ERR_FORMAT, "is_saved"},
    {"state/skipped", "1", DIP_ERR_FORMAT, "quarantine.jsonl"},
    {"optimizer_step", "8", DIP_ERR_FORMAT, "optimizer_step"},
    {"optimizer_step", "-1", DIP_ERR_FORMAT, "optimizer_step"},
};

static void forge(const char *folder, const forgery *f) {
    json_t *manifest = load_json(folder, "manifest.json");
    json_put(manifest, f->path,
             f->json != NULL ? json_loads(f->json, JSON_DECODE_ANY, NULL) : NULL);
    seal_manifest(folder, manifest);
    json_decref(manifest);
}

static void forged_manifests_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof FORGERIES / sizeof FORGERIES[0]; i++) {
        const forgery *f = &FORGERIES[i];
        dip_error err = {DIP_OK, ""};
        forge(stop(), f);
        const dip_status status = runs_train(&r, "m", EVERY_3, DIP_RESUME, 0, &err);
        const char *said = status == DIP_OK ? r.messages : err.message;
        if (status != f->status || strstr(said, f->text) == NULL) {
            fail_msg("%s: %s: %s", f->path, dip_status_name(status), said);
        }
    }
}

/* A folder under another step's name is damage: its numbers are right, its place is not. */
static void a_renamed_checkpoint_is_passed_over(void **state) {
    (void)state;
    char from[2 * WORLD_PATH_MAX];
    snprintf(from, sizeof from, "%s", stop());
    assert_int_equal(rename(from, runs_checkpoint(&r, "m", 9)), 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "m", EVERY_3, DIP_RESUME, 1);
    assert_non_null(strstr(r.messages, "holds step 7"));
}

/* Values that are not finite, tensors of another shape. */
static void forged_tensors_are_refused(void **state) {
    (void)state;
    static const float BAD[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        const char *folder = stop();
        char path[2 * WORLD_PATH_MAX];
        snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder);
        blob b = read_blob(path);
        memcpy(b.data + b.bytes - sizeof(float), &BAD[i], sizeof(float));
        seal_part(folder, "checkpoint.safetensors", b.data, b.bytes);
        free_blob(&b);
        refused(DIP_ERR_FORMAT, EVERY_3, "not finite");
    }
    const char *folder = stop();
    seal_part(folder, "checkpoint.safetensors", "", 0);
    refused(DIP_ERR_FORMAT, EVERY_3, "too short");
}

/* ---- writing --------------------------------------------------------------------------------- */

static void parameters_that_are_not_finite_are_not_written(void **state) {
    (void)state;
    dip_trainer trainer;
    dip_record record = dip_record_new(false);
    dip_error err = {DIP_OK, ""};
    const char *path = world_path(&r.shop, "bad");
    dip_config *config = world_config(r.dataset);
    assert_int_equal(dip_trainer_init(&trainer, r.dataset, config, &err), DIP_OK);
    dip_params *params = &dip_engine_towers(trainer.engine)->params;
    for (size_t i = 0; i < params->n; i++) {
        const dip_real kept = params->list[i].value[0];
        params->list[i].value[0] = i % 2 ? NAN : INFINITY;
        assert_int_equal(dip_checkpoint_write(&trainer, &record, path, &err), DIP_ERR_NONFINITE);
        assert_non_null(strstr(err.message, params->list[i].name));
        assert_int_not_equal(access(path, F_OK), 0);
        params->list[i].value[0] = kept;
    }
    assert_int_equal(dip_checkpoint_write(&trainer, &record, path, &err), DIP_OK);
    assert_int_equal(count_hidden(r.shop.root), 0);
    dip_trainer_release(&trainer);
    dip_config_free(config);
    remove_tree(path);
}

static int make(void **state) {
    (void)state;
    runs_make(&r);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    runs_remove(&r);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_checkpoint_is_named_and_passed_over),
        cmocka_unit_test(without_a_whole_one_it_does_not_start_over),
        cmocka_unit_test(any_flipped_byte_is_noticed),
        cmocka_unit_test(other_options_are_named),
        cmocka_unit_test(options_that_change_nothing_are_free),
        cmocka_unit_test(another_dataset_is_named),
        cmocka_unit_test(forged_manifests_are_refused),
        cmocka_unit_test(a_renamed_checkpoint_is_passed_over),
        cmocka_unit_test(forged_tensors_are_refused),
        cmocka_unit_test(parameters_that_are_not_finite_are_not_written),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
