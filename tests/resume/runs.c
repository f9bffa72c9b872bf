/* SPDX-License-Identifier: Apache-2.0 */
#include "resume/runs.h"

#include <string.h>

/* What a run reports to. */
typedef struct watcher {
    runs *r;
    long calls; /* of the phase; in training one before the first step, one after each */
    long stop_at;
} watcher;

static int on_progress(void *context, const dip_progress *progress) {
    watcher *w = context;
    if (strcmp(progress->phase, w->r->phase != NULL ? w->r->phase : "training") != 0) {
        return 0;
    }
    return w->stop_at > 0 && w->calls++ >= w->stop_at;
}

static void on_message(void *context, const char *text) {
    const watcher *w = context;
    const size_t used = strlen(w->r->messages);
    snprintf(w->r->messages + used, sizeof w->r->messages - used, "%s\n", text);
}

void runs_make(runs *r) {
    dip_error err = {DIP_OK, ""};
    memset(r, 0, sizeof *r);
    world_fill(&r->shop);
    if (dip_dataset_open(&r->dataset, r->shop.dataset, &err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
}

void runs_remove(runs *r) {
    dip_dataset_close(r->dataset);
    world_remove(&r->shop);
}

static dip_status configure(dip_config *config, const setting *settings, dip_error *err) {
    static const setting FIRST[] = {
        {"train.epochs", "8"}, {"train.patience", "0"}, {"train.metric_k", "3"}, {NULL, NULL}};
    const setting *lists[] = {FIRST, settings};
    for (size_t i = 0; i < 2; i++) {
        for (const setting *s = lists[i]; s != NULL && s->key != NULL; s++) {
            const dip_status status = dip_config_set(config, s->key, s->value, err);
            if (status != DIP_OK) {
                return status;
            }
        }
    }
    return DIP_OK;
}

dip_status runs_train(runs *r, const char *output, const setting *settings, unsigned flags,
                      long stop_at, dip_error *err) {
    dip_config *config = NULL;
    dip_report *report = NULL;
    watcher w = {r, 0, stop_at};
    const dip_watch watch = {on_progress, &w, on_message};
    r->messages[0] = '\0';
    dip_status status = dip_dataset_config(r->dataset, &config, err);
    if (status == DIP_OK) {
        status = configure(config, settings, err);
    }
    if (status == DIP_OK) {
        status = dip_train(r->dataset, config, world_path(&r->shop, output), flags, &watch, &report,
                           err);
    }
    if (status == DIP_OK) {
        snprintf(r->report, sizeof r->report, "%s", dip_report_json(report));
    }
    dip_report_free(report);
    dip_config_free(config);
    return status;
}

void runs_expect(runs *r, dip_status expected, const char *output, const setting *settings,
                 unsigned flags, long stop_at) {
    dip_error err = {DIP_OK, ""};
    const dip_status status = runs_train(r, output, settings, flags, stop_at, &err);
    if (status != expected) {
        fail_msg("%s: %s", dip_status_name(status), err.message);
    }
}

const char *runs_checkpoint(const runs *r, const char *output, long step) {
    char name[200];
    snprintf(name, sizeof name, "%s.checkpoints/step-%012ld", output, step);
    return world_path(&r->shop, name);
}

bool runs_same_file(const runs *r, const char *a, const char *b) {
    blob one = read_blob(world_path(&r->shop, a));
    blob two = read_blob(world_path(&r->shop, b));
    const bool is_same = one.bytes == two.bytes && memcmp(one.data, two.data, one.bytes) == 0;
    free_blob(&one);
    free_blob(&two);
    return is_same;
}

void runs_check_same(const runs *r, const char *output, const char *straight) {
    static const char *const PARTS[] = {"model.safetensors", "metrics.jsonl"};
    char a[200];
    char b[200];
    for (size_t i = 0; i < 2; i++) {
        snprintf(a, sizeof a, "%s/%s", output, PARTS[i]);
        snprintf(b, sizeof b, "%s/%s", straight, PARTS[i]);
        if (!runs_same_file(r, a, b)) {
            fail_msg("%s and %s differ", a, b);
        }
    }
    names list;
    snprintf(a, sizeof a, "%s.checkpoints", output);
    list_names(r->shop.root, &list);
    assert_false(has_name(&list, a));
    assert_int_equal(count_hidden(r->shop.root), 0);
}

void runs_clear(const runs *r, const char *output) {
    char name[200];
    snprintf(name, sizeof name, "%s.checkpoints", output);
    remove_tree(world_path(&r->shop, output));
    remove_tree(world_path(&r->shop, name));
}
