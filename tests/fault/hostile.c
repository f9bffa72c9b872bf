/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/hostile.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 4, MEGABYTES = 2048 };

/* The address sanitizer has a limit of its own, which it must be told; gcc asks for it by name. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "max_allocation_size_mb=2048:allocator_may_return_null=1";
}

static void train_a_step(const world *w, const dip_dataset *dataset) {
    dip_config *config = NULL;
    dip_trainer *trainer = NULL;
    if (dip_dataset_config(dataset, &config, NULL) == DIP_OK &&
        dip_config_set(config, "threads", "1", NULL) == DIP_OK &&
        dip_config_set(config, "train.batch", "8", NULL) == DIP_OK &&
        dip_trainer_create(&trainer, dataset, config, NULL) == DIP_OK &&
        dip_trainer_step(trainer, NULL, NULL) == DIP_OK) {
        const dip_status status =
            dip_trainer_save(trainer, world_path(w, "forged.model"), DIP_REPLACE, NULL);
        (void)status;
    }
    dip_trainer_free(trainer);
    dip_config_free(config);
}

static void look_at_rows(const dip_dataset *dataset) {
    volatile unsigned sum = 0;
    for (int64_t row = -1; row <= dip_dataset_item_count(dataset); row++) {
        size_t length = 0;
        const char *id = dip_dataset_item_id(dataset, row, &length);
        for (size_t i = 0; id != NULL && i < length; i++) {
            sum += (unsigned char)id[i];
        }
        const char *title = dip_dataset_item_title(dataset, row, &length);
        for (size_t i = 0; title != NULL && i < length; i++) {
            sum += (unsigned char)title[i];
        }
    }
    (void)sum;
}

static void evaluate(const dip_model *model, const dip_dataset *dataset) {
    dip_config *config = NULL;
    dip_report *report = NULL;
    if (dip_model_config(model, &config, NULL) == DIP_OK) {
        const dip_status status = dip_evaluate(model, dataset, config, NULL, &report, NULL);
        (void)status;
    }
    dip_report_free(report);
    dip_config_free(config);
}

static void search(const dip_model *model, const dip_dataset *dataset) {
    dip_index *index = NULL;
    int64_t items[5];
    float scores[5];
    size_t found = 0;
    if (dip_index_build(&index, model, dataset, NULL, NULL) == DIP_OK) {
        const dip_status status = dip_index_recommend(index, "u1", 5, items, scores, &found, NULL);
        (void)status;
    }
    dip_index_free(index);
    evaluate(model, dataset);
}

dip_status use_dataset(const world *w, dip_error *err) {
    dip_dataset *dataset = NULL;
    dip_model *model = NULL;
    const dip_status status = dip_dataset_open(&dataset, w->dataset, err);
    if (status == DIP_OK) {
        look_at_rows(dataset);
        train_a_step(w, dataset);
        if (dip_model_load(&model, w->model, NULL) == DIP_OK) {
            search(model, dataset);
        }
        dip_model_free(model);
    }
    dip_dataset_close(dataset);
    return status;
}

static void encode(const dip_model *model) {
    static const char *const ITEM[] = {"id", "title", "tags", "brand", "price", "year"};
    static const char *const ITEM_CELLS[] = {
        "i1", "chair table lamp", "red|t0|t1|t2|t3|t4", "brand1", "9e9", "2999"};
    static const char *const QUERY[] = {"user", "likes", "age"};
    static const char *const QUERY_CELLS[] = {"u1", "brand0|brand1|brand2", "99"};
    float *vector = calloc(dip_model_dim(model), sizeof *vector);
    for (size_t f = 0; vector != NULL && f < 6; f++) {
        const dip_status status =
            dip_model_encode_features(model, "item", ITEM + f, ITEM_CELLS + f, 1, vector, NULL);
        (void)status;
    }
    for (size_t f = 0; vector != NULL && f < 3; f++) {
        const dip_status status =
            dip_model_encode_features(model, "query", QUERY + f, QUERY_CELLS + f, 1, vector, NULL);
        (void)status;
    }
    free(vector);
}

dip_status use_model(const world *w, dip_error *err) {
    dip_model *model = NULL;
    dip_dataset *dataset = NULL;
    const dip_status status = dip_model_load(&model, w->model, err);
    if (status == DIP_OK) {
        encode(model);
        if (dip_dataset_open(&dataset, w->dataset, NULL) == DIP_OK) {
            search(model, dataset);
        }
    }
    dip_dataset_close(dataset);
    dip_model_free(model);
    return status;
}

/* Forged sizes must not eat the machine's memory when they are believed. */
static void limit_memory(void) {
    const rlim_t bytes = (rlim_t)MEGABYTES << 20;
    const struct rlimit limit = {bytes, bytes};
    if (!is_sanitized()) {
        setrlimit(RLIMIT_AS, &limit);
    }
}

/* The child: its exit code is the status, its message goes through the pipe. The test framework's
 * signal handlers are taken out, for they would go on with the next test. */
static _Noreturn void be_child(const world *w, use_fn use, int pipe_end) {
    static const int SIGNALS[] = {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    const struct rlimit no_core = {0, 0};
    dip_error err = {DIP_OK, ""};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        signal(SIGNALS[i], SIG_DFL);
    }
    setrlimit(RLIMIT_CORE, &no_core);
    limit_memory();
    alarm(SECONDS);
    const dip_status status = use(w, &err);
    const ssize_t written = write(pipe_end, err.message, sizeof err.message);
    _exit(written == (ssize_t)sizeof err.message ? (int)status : 99);
}

attempt try_use(const world *w, use_fn use) {
    attempt a = {0, DIP_OK, ""};
    int ends[2];
    int state = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        be_child(w, use, ends[1]);
    }
    close(ends[1]);
    const ssize_t got = read(ends[0], a.message, sizeof a.message);
    close(ends[0]);
    assert_int_equal(waitpid(child, &state, 0), child);
    a.signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    a.status = WIFEXITED(state) ? (dip_status)WEXITSTATUS(state) : DIP_OK;
    if (got != (ssize_t)sizeof a.message) {
        a.signal = a.signal != 0 ? a.signal : SIGABRT; /* a sanitizer ended it */
        a.message[0] = '\0';
    }
    return a;
}

int complain_unless_refused(const attempt *a, const char *what, const char *detail,
                            const char *named, bool may_open) {
    const bool is_refused = a->status == DIP_ERR_FORMAT && strstr(a->message, named) != NULL;
    if (a->signal == 0 && (is_refused || (may_open && a->status == DIP_OK))) {
        return 0;
    }
    if (a->signal != 0) {
        print_error("%s = %s: %s\n", what, detail,
                    a->signal == SIGALRM ? "hangs" : strsignal(a->signal));
    } else {
        print_error("%s = %s: \"%s\", not \"bad file\" with the name of %s: %s\n", what, detail,
                    dip_status_name(a->status), named, a->message);
    }
    return 1;
}

static void forge(const char *folder, const char *file, const forgery *f) {
    json_t *json = load_json(folder, file);
    json_t *value = f->json != NULL ? json_loads(f->json, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(f->json == NULL || value != NULL);
    json_put(json, f->path, value);
    if (strcmp(file, "manifest.json") == 0) {
        seal_manifest(folder, json);
    } else {
        seal_json(folder, file, json);
    }
    json_decref(json);
}

int try_forgeries(const world *w, const char *folder, const char *file, const char *named,
                  use_fn use, const forgery *list, size_t n) {
    int complaints = 0;
    char manifest_path[2 * WORLD_PATH_MAX];
    char path[2 * WORLD_PATH_MAX];
    snprintf(manifest_path, sizeof manifest_path, "%s/manifest.json", folder);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    blob manifest = read_blob(manifest_path);
    blob good = read_blob(path);
    for (size_t i = 0; i < n; i++) {
        forge(folder, file, &list[i]);
        const attempt a = try_use(w, use);
        complaints += complain_unless_refused(&a, list[i].path,
                                              list[i].json != NULL ? list[i].json : "(removed)",
                                              named, list[i].may_open);
        write_blob(path, good.data, good.bytes);
        write_blob(manifest_path, manifest.data, manifest.bytes);
    }
    free_blob(&good);
    free_blob(&manifest);
    return complaints;
}
