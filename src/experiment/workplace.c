/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/workplace.h"

#include "base/lock.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/sweep.h"
#include "experiment/runs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "diptych-study"
#define STUDY_FILE "study.json"
#define LOCK_FILE "lock"

enum { PATH_BYTES = 4096, STUDY_MAX_BYTES = 1 << 20, ATTEMPTS = 100 };

static dip_status make_folder(const char *path, dip_error *err) {
    if (dip_vfs_get()->mkdir(path, 0777) != 0 && errno != EEXIST) {
        return dip_fail_errno(err, errno, "create folder", path);
    }
    return DIP_OK;
}

/* What a study that was killed before it wrote its name may have left is nothing. */
static bool is_nothing(const char *name) {
    static const char *const NOTHING[] = {".", "..", LOCK_FILE, "." STUDY_FILE ".partial"};
    for (size_t i = 0; i < sizeof NOTHING / sizeof NOTHING[0]; i++) {
        if (strcmp(name, NOTHING[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_empty(const char *path) {
    DIR *folder = opendir(path);
    bool empty = folder != NULL;
    for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
         entry = readdir(folder)) {
        empty = empty && is_nothing(entry->d_name);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return empty;
}

/* ---- whose it is ----------------------------------------------------------------------------- */

/* What two requests must have in common to share a report. */
static dip_status describe(const dip_claim *claim, json_t **out, dip_error *err) {
    char hash[32];
    dip_config config = *claim->base;
    json_t *object = NULL;
    json_t *options = NULL;
    config.threads = 0; /* no number depends on it */
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)claim->hash);
    DIP_TRY(dip_json_new_object(&object, err));
    dip_status status = dip_config_to_json(&config, &options, err);
    if (status == DIP_OK) {
        status = dip_json_set(object, "options", options, err);
    }
    if (status == DIP_OK) {
        json_t *rest = json_pack("{s:s, s:i, s:s, s:s, s:s}", "format", FORMAT, "version", 1,
                                 "dataset", dip_folder_identity(&claim->dataset->folder), "study",
                                 claim->study, "plan", hash);
        status = rest != NULL && json_object_update(object, rest) == 0
                     ? DIP_OK
                     : dip_fail(err, DIP_ERR_MEMORY, "out of memory for the study");
        json_decref(rest);
    }
    if (status != DIP_OK) {
        json_decref(object);
        return status;
    }
    *out = object;
    return DIP_OK;
}

static dip_status differs(const char *output, const char *what, const char *old, const char *now,
                          dip_error *err) {
    return dip_fail(err, DIP_ERR_USAGE,
                    "%s holds a study with another %s (%.60s there, %.60s now); give another "
                    "folder, or --force to put this one in its place: finished runs are kept",
                    output, what, old, now);
}

/* Names the first option that differs. */
static dip_status compare_options(const char *output, const json_t *old, const json_t *now,
                                  dip_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(dip_json_readable(now), key, value) {
        const char *before = json_string_value(json_object_get(old, key));
        if (before == NULL || strcmp(before, json_string_value(value)) != 0) {
            return differs(output, key, before != NULL ? before : "none", json_string_value(value),
                           err);
        }
    }
    return DIP_OK;
}

static bool is_same_text(const json_t *old, const json_t *now, const char *key) {
    const char *before = json_string_value(json_object_get(old, key));
    return before != NULL && strcmp(before, json_string_value(json_object_get(now, key))) == 0;
}

static dip_status compare(const char *output, const json_t *old, const json_t *now,
                          dip_error *err) {
    static const char *const KEYS[] = {"format", "dataset", "study"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        if (!is_same_text(old, now, KEYS[i])) {
            const char *before = json_string_value(json_object_get(old, KEYS[i]));
            return differs(output, KEYS[i], before != NULL ? before : "none",
                           json_string_value(json_object_get(now, KEYS[i])), err);
        }
    }
    DIP_TRY(compare_options(output, json_object_get(old, "options"),
                            json_object_get(now, "options"), err));
    if (!is_same_text(old, now, "plan")) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s holds \"%.60s\" with other contents or another number of seeds; give "
                        "another folder, or --force to put this one in its place: finished runs "
                        "are kept",
                        output, json_string_value(json_object_get(now, "study")));
    }
    return DIP_OK;
}

static bool is_search(const json_t *study) {
    const char *name = json_string_value(json_object_get(study, "study"));
    return name != NULL && strcmp(name, DIP_STUDY_OF_TUNE) == 0;
}

/* Their files have other names, so those of one would stay beside those of the other. */
static dip_status check_kind(const char *output, const json_t *old, const json_t *now,
                             dip_error *err) {
    if (is_search(old) == is_search(now)) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_USAGE, "%s holds %s; give another folder", output,
                    is_search(old) ? "a search for options (tune)" : "a comparison (experiment)");
}

static dip_status read_old(const char *path, json_t **old, dip_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    dip_status status = dip_read_file(path, STUDY_MAX_BYTES, &text, &bytes, err);
    if (status == DIP_OK) {
        status = dip_json_parse(old, text, bytes, path, err);
    }
    dip_free(text);
    return status;
}

static dip_status check_old(const dip_claim *claim, const char *path, const json_t *study,
                            dip_error *err) {
    json_t *old = NULL;
    dip_status status = read_old(path, &old, claim->replaces ? NULL : err);
    if (status != DIP_OK && claim->replaces) {
        return DIP_OK; /* what cannot be read is replaced */
    }
    if (status == DIP_OK) {
        status = check_kind(claim->output, old, study, err);
    }
    if (status == DIP_OK && !claim->replaces) {
        status = compare(claim->output, old, study, err);
    }
    json_decref(old);
    return status;
}

/* Writes study.json where there is none, or another one is replaced. */
static dip_status take(const dip_claim *claim, const json_t *study, dip_error *err) {
    char *path = dip_path_join(claim->output, STUDY_FILE, err);
    char *text = NULL;
    dip_status status = path != NULL ? DIP_OK : DIP_ERR_MEMORY;
    const bool is_old = status == DIP_OK && dip_path_exists(path);
    if (is_old) {
        status = check_old(claim, path, study, err);
    }
    if (status == DIP_OK && (!is_old || claim->replaces)) {
        status = dip_json_dump(study, &text, err);
        if (status == DIP_OK) {
            status = dip_output_put(path, text, strlen(text), err);
        }
    }
    dip_free(text);
    dip_free(path);
    return status;
}

/* A folder that is neither empty nor of a study is not touched. */
static dip_status check_output(const char *output, dip_error *err) {
    char path[PATH_BYTES];
    if (!dip_path_exists(output)) {
        return DIP_OK;
    }
    const int n = snprintf(path, sizeof path, "%s/%s", output, STUDY_FILE);
    if (!dip_path_is_folder(output)) {
        return dip_fail(err, DIP_ERR_USAGE, "%s is not a folder", output);
    }
    if (n > 0 && n < PATH_BYTES && !dip_path_exists(path) && !is_empty(output)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s is in use: it is neither empty nor the folder of a study; give "
                        "another name",
                        output);
    }
    return DIP_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

static dip_status lock(dip_workplace *place, const char *output, dip_error *err) {
    char path[PATH_BYTES];
    char doing[PATH_BYTES];
    snprintf(path, sizeof path, "%s/" LOCK_FILE, output);
    snprintf(doing, sizeof doing, "runs a study in %s", output);
    dip_status status = DIP_OK;
    bool again = true;
    for (int i = 0; again && i < ATTEMPTS; i++) {
        again = false;
        status = dip_lock_take(path, doing, &place->lock, &again, err);
    }
    return status;
}

static dip_status make_inner(const char *output, const char *name, char **path, dip_error *err) {
    *path = dip_path_join(output, name, err);
    DIP_TRY(*path != NULL ? make_folder(*path, err) : DIP_ERR_MEMORY);
    dip_sweep_all_writers(*path);
    return DIP_OK;
}

dip_status dip_workplace_open(dip_workplace *place, const dip_claim *claim, dip_error *err) {
    json_t *study = NULL;
    DIP_TRY(check_output(claim->output, err));
    DIP_TRY(describe(claim, &study, err));
    dip_status status = make_folder(claim->output, err);
    if (status == DIP_OK) {
        status = lock(place, claim->output, err);
    }
    if (status == DIP_OK) {
        status = take(claim, study, err);
    }
    json_decref(study);
    DIP_TRY(status);
    DIP_TRY(make_inner(claim->output, "runs", &place->runs, err));
    dip_runs_sweep(place->runs);
    return make_inner(claim->output, "data", &place->data, err);
}

dip_status dip_workplace_interrupted(dip_error *err) {
    const dip_error why = err != NULL ? *err : (dip_error){DIP_ERR_INTERRUPTED, ""};
    return dip_fail(err, DIP_ERR_INTERRUPTED,
                    "%s; finished runs are kept, and the same command goes on with the others",
                    why.message);
}

void dip_workplace_close(dip_workplace *place) {
    dip_lock_drop(place->lock);
    dip_free(place->runs);
    dip_free(place->data);
    *place = (dip_workplace){.lock = -1};
}
