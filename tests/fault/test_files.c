/* SPDX-License-Identifier: Apache-2.0
 *
 * R8: every file operation failing. Each time: DIP_ERR_IO with the path and the system's words,
 * the old output intact or the new one whole, no temporary folder, no descriptor left open, and an
 * fsync that failed is not tried again. And the order of publishing: write, fsync, close of each
 * part, the manifest last, fsync of the folder, rename, fsync of its parent.
 */
#include "fault/faulty.h"
#include "fault/scenarios.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Operations that are failed one by one with each error; of the others a sample. */
enum { ALL_UP_TO = 40, SAMPLE = 60, SHOWN = 8 };

static world shop;
static int complaints;

/* ---- every operation failing ----------------------------------------------------------------- */

static void complain(const scenario *s, const char *what, const char *text) {
    if (complaints++ < SHOWN) {
        print_error("%s, operation %ld (%s) failing with %s%s: %s%s\n", s->name, plan.fail_at,
                    plan.failed_op < N_OPS ? OP_NAMES[plan.failed_op] : "none",
                    strerror(plan.error), plan.stays ? " and all later ones" : "", what, text);
    }
}

/* A file of scratch space, whose name is gone as soon as it is open. */
static bool is_nameless(const char *path) {
    return strstr(path, "/.diptych-temporary.") != NULL;
}

/* Whether the descriptor of the failed operation was opened to write what lasts: what the last
 * opening of its path was for, because a file may be read back later. */
static bool was_created(void) {
    const size_t at = (size_t)plan.fail_at < plan.n_events ? (size_t)plan.fail_at : 0;
    bool created = false;
    if (is_nameless(plan.events[at].path)) {
        return false;
    }
    for (size_t i = 0; i < at; i++) {
        if (plan.events[i].op == OP_OPEN &&
            strcmp(plan.events[i].path, plan.events[at].path) == 0) {
            created = plan.events[i].creates;
        }
    }
    return created;
}

/* An interrupted read or write is repeated; files that were only read need not be closed well; a
 * system that does not tell its free memory, takes no advice or cannot exchange names is helped
 * out; a clean-up that fails is no failure of the work. */
static bool may_succeed(void) {
    const size_t at = (size_t)plan.fail_at < plan.n_events ? (size_t)plan.fail_at : 0;
    if (strncmp(plan.events[at].path, "/proc/", strlen("/proc/")) == 0) {
        return true;
    }
    switch (plan.failed_op) {
    case OP_READ:
    case OP_WRITE:
    case OP_PREAD:
    case OP_PWRITE:
        return plan.error == EINTR && !plan.stays;
    case OP_EXCHANGE:
        return (plan.error == ENOSYS || plan.error == EINVAL) && !plan.stays;
    case OP_CLOSE:
        return !was_created();
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_ADVISE:
        return true;
    default:
        return false;
    }
}

static void check_status(const scenario *s, dip_status status, const dip_error *err) {
    if (status == DIP_OK && plan.failed_op < N_OPS && !may_succeed()) {
        complain(s, "it said ok", "");
    }
    if (status != DIP_OK && status != DIP_ERR_IO) {
        complain(s, dip_status_name(status), err->message);
    }
    if (status == DIP_ERR_IO && strstr(err->message, strerror(plan.error)) == NULL) {
        complain(s, "the system's words are missing: ", err->message);
    }
    if (status == DIP_ERR_IO && strstr(err->message, shop.root) == NULL) {
        complain(s, "the path is missing: ", err->message);
    }
}

/* When nothing works any more a temporary folder cannot be removed; nor when its removal failed. */
static bool may_leave_hidden(void) {
    return plan.stays || plan.failed_op == OP_UNLINK || plan.failed_op == OP_RMDIR;
}

static size_t open_descriptors(void) {
    names list;
    list_names("/proc/self/fd", &list);
    return list.n;
}

static void sweep_hidden(void) {
    names list;
    list_names(shop.root, &list);
    for (size_t i = 0; i < list.n; i++) {
        if (list.name[i][0] == '.') {
            remove_tree(world_path(&shop, list.name[i]));
        }
    }
}

static void fail_one(const scenario *s, long at, int error, bool stays, uint64_t old,
                     uint64_t new) {
    dip_error err = {DIP_OK, ""};
    sweep_hidden();
    scenario_reset(s, &shop);
    const size_t descriptors = open_descriptors();
    faults_begin();
    plan.fail_at = at;
    plan.error = error;
    plan.stays = stays;
    const dip_status status = s->run(&shop, &err);
    faults_end();
    check_status(s, status, &err);
    const char *problem = scenario_problem(s, &shop, old, new);
    if (problem != NULL) {
        complain(s, problem, "");
    }
    if (count_hidden(shop.root) > 0 && !may_leave_hidden()) {
        complain(s, "a temporary folder is left", "");
    }
    if (plan.fsynced_again) {
        complain(s, "fsync was tried again on the same descriptor", "");
    }
    if (open_descriptors() != descriptors) {
        complain(s, "a descriptor is left open", "");
    }
}

/* The number of operations of an undisturbed run, and the hashes of old and new output. */
static long measure(const scenario *s, uint64_t *old, uint64_t *new) {
    dip_error err = {DIP_OK, ""};
    sweep_hidden();
    scenario_reset(s, &shop);
    *old = s->old != NULL ? folder_hash(world_path(&shop, s->output)) : 0;
    faults_begin();
    assert_int_equal(s->run(&shop, &err), DIP_OK);
    faults_end();
    *new = s->output != NULL ? folder_hash(world_path(&shop, s->output)) : 0;
    return plan.done;
}

static void sweep(const scenario *s, const int *errors, size_t n_errors, bool stays) {
    uint64_t old = 0;
    uint64_t new = 0;
    uint64_t state = 362436069362436069u;
    const long total = measure(s, &old, &new);
    const long listed = total < ALL_UP_TO + SAMPLE ? total : ALL_UP_TO + SAMPLE;
    for (size_t e = 0; e < n_errors; e++) {
        for (long i = 0; i < listed; i++) {
            const bool is_listed = total <= ALL_UP_TO + SAMPLE || i < ALL_UP_TO;
            const long at =
                is_listed ? i : ALL_UP_TO + (long)draw_below(&state, (size_t)(total - ALL_UP_TO));
            fail_one(s, at, errors[e], stays, old, new);
        }
    }
}

/* Every operation behind the last write: where publishing happens. */
static void sweep_publishing(const scenario *s, const int *errors, size_t n_errors) {
    uint64_t old = 0;
    uint64_t new = 0;
    const long total = measure(s, &old, &new);
    long last_write = 0;
    for (size_t i = 0; i < plan.n_events; i++) {
        last_write = plan.events[i].op == OP_WRITE ? (long)i : last_write;
    }
    for (size_t e = 0; e < n_errors; e++) {
        for (long at = last_write - 2; s->output != NULL && at < total; at++) {
            fail_one(s, at < 0 ? 0 : at, errors[e], false, old, new);
            fail_one(s, at < 0 ? 0 : at, errors[e], true, old, new);
        }
    }
}

static void sweep_all(const scenario *s) {
    static const int ERRORS[] = {EIO, ENOSPC, EINTR, EMFILE, EDQUOT, EACCES};
    static const int DEAD[] = {EIO};
    complaints = 0;
    sweep(s, ERRORS, sizeof ERRORS / sizeof ERRORS[0], false);
    sweep(s, DEAD, 1, true);
    sweep_publishing(s, ERRORS, 2);
    assert_int_equal(complaints, 0);
}

#define SCENARIO_TEST(name, index)                                                                 \
    static void name##_with_failing_files(void **state) {                                          \
        (void)state;                                                                               \
        sweep_all(&SCENARIOS[index]);                                                              \
    }

SCENARIO_TEST(prepare, 0)
SCENARIO_TEST(prepare_replace, 1)
SCENARIO_TEST(open_dataset, 2)
SCENARIO_TEST(two_steps, 3)
SCENARIO_TEST(train, 4)
SCENARIO_TEST(train_replace, 5)
SCENARIO_TEST(serve, 6)
SCENARIO_TEST(inspect, 7)
SCENARIO_TEST(check, 8)
SCENARIO_TEST(generate_dataset, 9)
SCENARIO_TEST(generate_tables, 10)
SCENARIO_TEST(prepare_spilled, 11)
SCENARIO_TEST(thin, 12)

static void few_bytes_at_a_time_change_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        const scenario *s = &SCENARIOS[i];
        uint64_t old = 0;
        uint64_t new = 0;
        dip_error err = {DIP_OK, ""};
        measure(s, &old, &new);
        scenario_reset(s, &shop);
        faults_begin();
        plan.is_short = true;
        const dip_status status = s->run(&shop, &err);
        faults_end();
        if (status != DIP_OK) {
            fail_msg("%s: %s", s->name, err.message);
        }
        if (s->output != NULL) {
            assert_true(folder_hash(world_path(&shop, s->output)) == new);
        }
    }
}

/* The sweep over failing files meets the reads and writes of scratch space. */
static void little_memory_uses_the_disk(void **state) {
    (void)state;
    uint64_t hash = 0;
    size_t n[N_OPS] = {0};
    measure(&SCENARIOS[11], &hash, &hash);
    assert_true(plan.n_events < EVENTS_MAX);
    for (size_t i = 0; i < plan.n_events; i++) {
        n[plan.events[i].op] += is_nameless(plan.events[i].path);
    }
    assert_int_equal(n[OP_OPEN], 1);
    assert_int_equal(n[OP_UNLINK], 1);
    assert_int_equal(n[OP_CLOSE], 1);
    assert_true(n[OP_PWRITE] > 20);
    assert_true(n[OP_PREAD] > 20);
}

/* A system without renameat2: the old output is moved aside, and comes back when publishing
 * fails. */
static void names_that_cannot_be_exchanged(void **state) {
    (void)state;
    static const int ERRORS[] = {ENOSYS, EINVAL};
    uint64_t old = 0;
    uint64_t new = 0;
    complaints = 0;
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        const scenario *s = &SCENARIOS[i];
        if (s->old == NULL) {
            continue;
        }
        const long total = measure(s, &old, &new);
        long exchange = 0;
        while (exchange < total && plan.events[exchange].op != OP_EXCHANGE) {
            exchange++;
        }
        for (size_t e = 0; e < 2; e++) {
            fail_one(s, exchange, ERRORS[e], false, old, new);
            assert_true(folder_hash(world_path(&shop, s->output)) == new);
            assert_int_equal(count_hidden(shop.root), 0);
        }
    }
    assert_int_equal(complaints, 0);
}

/* ---- the order of publishing ----------------------------------------------------------------- */

/* The first event of a kind on a path, from an event on; n_events when there is none. */
static size_t find(op kind, const char *path, size_t from) {
    size_t i = from;
    while (i < plan.n_events &&
           (plan.events[i].op != kind || strcmp(plan.events[i].path, path) != 0)) {
        i++;
    }
    return i;
}

/* A created file is written, then fsynced once, then closed; returns where. */
static size_t check_part(size_t created) {
    const event *e = &plan.events[created];
    const size_t synced = find(OP_FSYNC, e->path, created);
    const size_t closed = find(OP_CLOSE, e->path, created);
    assert_true(synced < plan.n_events && closed < plan.n_events && synced < closed);
    assert_true(find(OP_FSYNC, e->path, synced + 1) == plan.n_events);
    assert_true(find(OP_WRITE, e->path, synced + 1) == plan.n_events);
    return closed;
}

/* The folder in which the temporary folder of an output is made. */
static void check_order(const scenario *s) {
    uint64_t hash = 0;
    size_t last_closed = 0;
    size_t last_created = plan.n_events;
    char work[EVENT_PATH] = "";
    measure(s, &hash, &hash);
    for (size_t i = 0; i < plan.n_events; i++) {
        if (plan.events[i].op == OP_MKDIR) {
            snprintf(work, sizeof work, "%s", plan.events[i].path);
        }
        if (plan.events[i].op == OP_OPEN && plan.events[i].creates &&
            !is_nameless(plan.events[i].path)) {
            assert_true(strncmp(plan.events[i].path, work, strlen(work)) == 0);
            last_closed = check_part(i);
            last_created = i;
        }
    }
    const char *target = world_path(&shop, s->output);
    assert_non_null(strstr(plan.events[last_created].path, "/manifest.json"));
    const size_t folder_synced = find(OP_FSYNC, work, last_closed);
    const size_t renamed = find(s->old != NULL ? OP_EXCHANGE : OP_RENAME, work, 0);
    const size_t parent_synced = find(OP_FSYNC, shop.root, renamed);
    assert_true(last_closed < folder_synced && folder_synced < renamed);
    assert_true(renamed < parent_synced && parent_synced < plan.n_events);
    assert_string_equal(plan.events[renamed].target, target);
    for (size_t i = 0; i < renamed; i++) {
        const bool removes = plan.events[i].op == OP_UNLINK || plan.events[i].op == OP_RMDIR;
        assert_false(removes && strncmp(plan.events[i].path, target, strlen(target)) == 0);
    }
}

static void publishing_keeps_its_order(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        if (SCENARIOS[i].output != NULL) {
            check_order(&SCENARIOS[i]);
        }
    }
}

/* The old output leaves the disk only after the new one's name has been made to last. */
static void old_output_goes_last(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SCENARIOS; i++) {
        const scenario *s = &SCENARIOS[i];
        uint64_t hash = 0;
        size_t first_removed = 0;
        if (s->old == NULL) {
            continue;
        }
        measure(s, &hash, &hash);
        while (plan.events[first_removed].op != OP_UNLINK) {
            first_removed++;
            assert_true(first_removed < plan.n_events);
        }
        size_t renamed = 0;
        while (plan.events[renamed].op != OP_EXCHANGE) {
            renamed++;
        }
        if (find(OP_FSYNC, shop.root, renamed) > first_removed) {
            fail_msg("%s: the old output is deleted before the parent folder is fsynced: after a "
                     "power loss its name may still stand for what was deleted",
                     s->name);
        }
    }
}

static int make(void **state) {
    (void)state;
    world_fill(&shop);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    world_remove(&shop);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishing_keeps_its_order),
        cmocka_unit_test(old_output_goes_last),
        cmocka_unit_test(few_bytes_at_a_time_change_nothing),
        cmocka_unit_test(little_memory_uses_the_disk),
        cmocka_unit_test(names_that_cannot_be_exchanged),
        cmocka_unit_test(prepare_with_failing_files),
        cmocka_unit_test(prepare_replace_with_failing_files),
        cmocka_unit_test(open_dataset_with_failing_files),
        cmocka_unit_test(two_steps_with_failing_files),
        cmocka_unit_test(train_with_failing_files),
        cmocka_unit_test(train_replace_with_failing_files),
        cmocka_unit_test(serve_with_failing_files),
        cmocka_unit_test(inspect_with_failing_files),
        cmocka_unit_test(check_with_failing_files),
        cmocka_unit_test(generate_dataset_with_failing_files),
        cmocka_unit_test(generate_tables_with_failing_files),
        cmocka_unit_test(prepare_spilled_with_failing_files),
        cmocka_unit_test(thin_with_failing_files),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
