/* SPDX-License-Identifier: Apache-2.0
 *
 * Every file operation and every allocation of runs with checkpoints failing, once and for good.
 * Each time: the right status and a text with the path, and after that the run can be resumed to
 * the bits of an undisturbed one, with nothing left beside it.
 */
#include "resume/runs.h"

#include "base/mem.h"
#include "fault/faulty.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static runs r;
static int complaints;

enum { SHOWN = 8, SAMPLE = 100, LAST = 40 };

static const setting SETTINGS[] = {{"train.checkpoint_every", "3"},
                                   {"train.checkpoint_keep", "1"},
                                   {"train.epochs", "3"},
                                   {NULL, NULL}};

/* ---- the runs that are disturbed ------------------------------------------------------------- */

typedef struct job {
    const char *name;
    const char *before; /* what stands there at first: NULL, or the name of a copy */
    long stop_at;
    dip_status expected;
} job;

/* Writes four checkpoints and rotates; goes on from one and ends; finds itself finished. */
static const job JOBS[] = {{"a run that is stopped", NULL, 7, DIP_ERR_INTERRUPTED},
                           {"a run that goes on", "stopped", 0, DIP_OK},
                           {"a run that goes on and is stopped", "stopped", 3, DIP_ERR_INTERRUPTED},
                           {"a run that is finished", "finished", 0, DIP_OK}};

enum { N_JOBS = sizeof JOBS / sizeof JOBS[0] };

static const char *joined(const char *name, const char *end) {
    static char text[4][200];
    static size_t turn;
    char *mine = text[turn++ % 4];
    snprintf(mine, sizeof text[0], "%s%s", name, end);
    return mine;
}

/* Copies an output with its checkpoints. */
static void copy_run(const char *from, const char *to) {
    names list;
    runs_clear(&r, to);
    copy_folder(world_path(&r.shop, from), world_path(&r.shop, to));
    list_names(world_path(&r.shop, joined(from, ".checkpoints")), &list);
    if (list.n == 0) {
        return;
    }
    assert_int_equal(mkdir(world_path(&r.shop, joined(to, ".checkpoints")), 0777), 0);
    for (size_t i = 0; i < list.n; i++) {
        char source[2 * WORLD_PATH_MAX];
        char target[2 * WORLD_PATH_MAX];
        snprintf(source, sizeof source, "%s.checkpoints/%s", world_path(&r.shop, from),
                 list.name[i]);
        snprintf(target, sizeof target, "%s.checkpoints/%s", world_path(&r.shop, to), list.name[i]);
        if (strncmp(list.name[i], "step-", 5) == 0) {
            copy_folder(source, target);
        } else {
            blob b = read_blob(source);
            write_blob(target, b.data, b.bytes);
            free_blob(&b);
        }
    }
}

/* What a writer that could not clean up has left is swept by later processes, not by its own. */
static void sweep_hidden(void) {
    names list;
    list_names(r.shop.root, &list);
    for (size_t i = 0; i < list.n; i++) {
        if (list.name[i][0] == '.') {
            remove_tree(world_path(&r.shop, list.name[i]));
        }
    }
}

static void reset(const job *j) {
    runs_clear(&r, "m");
    sweep_hidden();
    if (j->before != NULL) {
        copy_run(j->before, "m");
    }
}

static dip_status run(const job *j, dip_error *err) {
    return runs_train(&r, "m", SETTINGS, DIP_RESUME, j->stop_at, err);
}

static void complain(const job *j, long at, const char *fault, const char *what, const char *text) {
    if (complaints++ < SHOWN) {
        print_error("%s, %s %ld failing: %s %s\n", j->name, fault, at, what, text);
    }
}

/* Whatever happened, it can be resumed to the end. */
static void check_resumable(const job *j, long at, const char *fault) {
    dip_error err = {DIP_OK, ""};
    const dip_status status = runs_train(&r, "m", SETTINGS, DIP_RESUME, 0, &err);
    if (status != DIP_OK) {
        complain(j, at, fault, "it cannot be resumed:", err.message);
    } else if (r.messages[0] != '\0') {
        complain(j, at, fault, "there are warnings:", r.messages);
    } else {
        runs_check_same(&r, "m", "straight");
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Clean-ups and closes of what was only read may fail without being a failure of the work. */
static bool may_succeed(void) {
    switch (plan.failed_op) {
    case OP_READ:
    case OP_WRITE:
        return plan.error == EINTR;
    case OP_CLOSE:
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_RENAME: /* of a checkpoint that is taken away */
        return true;
    default:
        return false;
    }
}

static void fail_file(const job *j, long at, int error, bool stays) {
    dip_error err = {DIP_OK, ""};
    reset(j);
    faults_begin();
    plan.fail_at = at;
    plan.error = error;
    plan.stays = stays;
    const dip_status status = run(j, &err);
    faults_end();
    const char *name = plan.failed_op < N_OPS ? OP_NAMES[plan.failed_op] : "none";
    if (status == j->expected && plan.failed_op < N_OPS && !may_succeed()) {
        complain(j, at, name, "it went on", "");
    }
    if (status != j->expected && status != DIP_ERR_IO) {
        complain(j, at, name, dip_status_name(status), err.message);
    }
    if (status == DIP_ERR_IO && (strstr(err.message, strerror(error)) == NULL ||
                                 strstr(err.message, r.shop.root) == NULL)) {
        complain(j, at, name, "path or reason is missing:", err.message);
    }
    if (stays || plan.failed_op == OP_UNLINK || plan.failed_op == OP_RMDIR) {
        sweep_hidden();
    }
    if (plan.fsynced_again) {
        complain(j, at, name, "fsync was tried again on the same descriptor", "");
    }
    check_resumable(j, at, name);
}

static void every_file_operation_failing(void **state) {
    (void)state;
    static const int ERRORS[] = {ENOSPC, EIO, EINTR, EMFILE};
    complaints = 0;
    for (size_t i = 0; i < N_JOBS; i++) {
        dip_error err = {DIP_OK, ""};
        reset(&JOBS[i]);
        faults_begin();
        assert_int_equal(run(&JOBS[i], &err), JOBS[i].expected);
        faults_end();
        const long total = plan.done;
        const long step = is_sanitized() ? 7 : 1;
        for (long at = 0; at < total; at += step) {
            fail_file(&JOBS[i], at, ERRORS[at % 4], false);
            fail_file(&JOBS[i], at, EIO, true);
        }
        print_message("%s: %ld operations\n", JOBS[i].name, total);
    }
    assert_int_equal(complaints, 0);
}

/* The text says how much room is needed and how much there is; training ends with it, and the
 * checkpoint before stays. */
static void a_full_disk_is_explained(void **state) {
    (void)state;
    dip_error err = {DIP_OK, ""};
    reset(&JOBS[1]);
    faults_begin();
    assert_int_equal(run(&JOBS[1], &err), DIP_OK);
    long at = 0; /* the first write into a checkpoint */
    while (plan.events[at].op != OP_WRITE ||
           strstr(plan.events[at].path, "checkpoint.safetensors") == NULL) {
        at++;
    }
    reset(&JOBS[1]);
    faults_begin();
    plan.fail_at = at;
    plan.error = ENOSPC;
    assert_int_equal(run(&JOBS[1], &err), DIP_ERR_IO);
    faults_end();
    assert_non_null(strstr(err.message, " bytes needed, "));
    assert_non_null(strstr(err.message, " free)"));
    assert_non_null(strstr(err.message, strerror(ENOSPC)));
    assert_non_null(strstr(err.message, "last whole checkpoint is of step 7"));
    assert_true(folder_hash(runs_checkpoint(&r, "m", 7)) != 0);
}

/* ---- the order of writing -------------------------------------------------------------------- */

static long find(op kind, const char *path, long from) {
    while ((size_t)from < plan.n_events &&
           (plan.events[from].op != kind || strcmp(plan.events[from].path, path) != 0)) {
        from++;
    }
    return from;
}

/* A checkpoint is taken away only after a newer one has a lasting name and was read back. */
static void the_oldest_goes_after_the_newest_was_verified(void **state) {
    (void)state;
    dip_error err = {DIP_OK, ""};
    long taken = 0;
    reset(&JOBS[0]);
    faults_begin();
    assert_int_equal(run(&JOBS[0], &err), DIP_ERR_INTERRUPTED);
    faults_end();
    const char *folder = world_path(&r.shop, "m.checkpoints");
    for (long i = 0; (size_t)i < plan.n_events; i++) {
        const event *e = &plan.events[i];
        if (e->op != OP_RENAME || strstr(e->target, ".old") == NULL) {
            continue;
        }
        long published = i; /* the last checkpoint that got its name before */
        while (plan.events[published].op != OP_RENAME && plan.events[published].op != OP_EXCHANGE
                   ? true
                   : strstr(plan.events[published].target, ".old") != NULL) {
            published--;
            assert_true(published > 0);
        }
        char part[EVENT_PATH + 40];
        snprintf(part, sizeof part, "%.*s/checkpoint.safetensors", EVENT_PATH,
                 plan.events[published].target);
        assert_true(find(OP_FSYNC, folder, published) < i);
        assert_true(find(OP_OPEN, part, published) < i);
        taken++;
    }
    assert_true(taken > 0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static long json_countdown = -1;
static bool json_stays;
static long json_count;
static long json_live;

static void *json_acquire(size_t bytes) {
    json_count++;
    if (json_countdown == 0) {
        json_countdown = json_stays ? 0 : -1;
        return NULL;
    }
    json_countdown -= json_countdown > 0;
    void *pointer = malloc(bytes);
    json_live += pointer != NULL;
    return pointer;
}

static void json_release(void *pointer) {
    json_live -= pointer != NULL;
    free(pointer);
}

static void own_fail_after(long n, bool sticky) {
    dip_mem_fail_after(n, sticky);
}

static long own_count(void) {
    return (long)dip_mem_allocations();
}

static void json_fail_after(long n, bool sticky) {
    json_stays = sticky;
    json_countdown = n;
}

static long json_counted(void) {
    return json_count;
}

static void fail_allocation(const job *j, long at, void (*fail_after)(long, bool), bool sticky,
                            bool is_json) {
    dip_error err = {DIP_OK, ""};
    const char *name = is_json ? "allocation of JSON" : "allocation";
    reset(j);
    const long live = json_live;
    fail_after(at, sticky);
    const dip_status status = run(j, &err);
    fail_after(-1, false);
    /* A library that takes a failed allocation for a mistake in a text cannot be seen through. */
    const bool is_mistaken = is_json && !sticky;
    if (status != DIP_ERR_MEMORY && !is_mistaken) {
        complain(j, at, name, dip_status_name(status), err.message);
    }
    if (json_live != live) {
        complain(j, at, name, "JSON leaks after", err.message);
    }
    check_resumable(j, at, name);
}

/* Few allocations are all listed; of many a sample, and the last ones, which make the report. */
static void sweep_memory(void (*fail_after)(long, bool), long (*count)(void), bool is_json) {
    complaints = 0;
    uint64_t random = 5;
    for (size_t i = 0; i < N_JOBS; i++) {
        dip_error err = {DIP_OK, ""};
        reset(&JOBS[i]);
        const long before = count();
        assert_int_equal(run(&JOBS[i], &err), JOBS[i].expected);
        const long total = count() - before;
        const long listed = is_sanitized() ? SAMPLE / 5 : SAMPLE;
        const bool lists_all = total < listed + LAST;
        for (long n = 0; n < (lists_all ? total : listed + LAST); n++) {
            const long drawn = (long)draw_below(&random, (size_t)total);
            const long at = lists_all ? n : n < listed ? drawn : total - 1 - (n - listed);
            fail_allocation(&JOBS[i], at, fail_after, false, is_json);
            fail_allocation(&JOBS[i], at, fail_after, true, is_json);
        }
        print_message("%s: %ld allocations\n", JOBS[i].name, total);
    }
    assert_int_equal(complaints, 0);
}

static void allocations_failing(void **state) {
    (void)state;
    sweep_memory(own_fail_after, own_count, false);
}

static void allocations_of_json_failing(void **state) {
    (void)state;
    sweep_memory(json_fail_after, json_counted, true);
}

static int make(void **state) {
    (void)state;
    json_set_alloc_funcs(json_acquire, json_release);
    runs_make(&r);
    runs_expect(&r, DIP_OK, "straight", SETTINGS, 0, 0);
    runs_expect(&r, DIP_OK, "finished", SETTINGS, 0, 0);
    runs_expect(&r, DIP_ERR_INTERRUPTED, "stopped", SETTINGS, 0, 7);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    runs_remove(&r);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_goes_after_the_newest_was_verified),
        cmocka_unit_test(a_full_disk_is_explained),
        cmocka_unit_test(every_file_operation_failing),
        cmocka_unit_test(allocations_failing),
        cmocka_unit_test(allocations_of_json_failing),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
