/* SPDX-License-Identifier: Apache-2.0
 *
 * Imports with every allocation and every file operation failing: the right status, a text, no
 * leak, no descriptor left open, nothing temporary left, and the output whole or not there.
 */
#include "fault/faulty.h"
#include "fault/heap.h"
#include "fault/world.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { ALL_UP_TO = 150, SAMPLE = 60, SHOWN = 8, LINKS = 3000 };

static world place;
static int complaints;

/* ---- what is imported ------------------------------------------------------------------------ */

#define HEAD "-- MySQL dump 10.19\n"
#define TAIL "\n-- Dump completed on 2024-01-20\n"

static const char *const DUMPS[][2] = {
    {"page",
     HEAD "CREATE TABLE `page` (`page_id` int, `page_namespace` int, `page_title` "
          "varbinary(255), `page_is_redirect` tinyint);\n"
          "INSERT INTO `page` VALUES (1,0,'A',0),(2,0,'B\\'s',0),(3,0,'C',1),(4,14,'Cat',0),"
          "(5,14,'Hid',0),(6,0,'D\xff',0);" TAIL},
    {"redirect", HEAD "CREATE TABLE `redirect` (`rd_from` int, `rd_namespace` int, `rd_title` "
                      "varbinary(255), `rd_interwiki` varbinary(32));\n"
                      "INSERT INTO `redirect` VALUES (3,0,'A',NULL);" TAIL},
    {"linktarget", HEAD "CREATE TABLE `linktarget` (`lt_id` bigint, `lt_namespace` int, `lt_title` "
                        "varbinary(255));\n"
                        "INSERT INTO `linktarget` VALUES (9,0,'A'),(10,0,'B\\'s'),(11,0,'C'),"
                        "(12,14,'Cat'),(13,14,'Hid'),(14,0,'Red');" TAIL},
    {"categorylinks", HEAD "CREATE TABLE `categorylinks` (`cl_from` int, `cl_target_id` bigint);\n"
                           "INSERT INTO `categorylinks` VALUES (1,12),(2,12),(2,13),(6,12);" TAIL},
    {"page_props", HEAD "CREATE TABLE `page_props` (`pp_page` int, `pp_propname` varbinary(60));\n"
                        "INSERT INTO `page_props` VALUES (5,'hiddencat');" TAIL},
    {"pagelinks", HEAD "CREATE TABLE `pagelinks` (`pl_from` int, `pl_from_namespace` int, "
                       "`pl_target_id` bigint);\n"
                       "INSERT INTO `pagelinks` VALUES (1,0,10),(1,0,14),(2,0,9),(2,0,11),(6,0,11),"
                       "(6,0,10);" TAIL},
};

static void make_files(void) {
    static char text[LINKS * 40];
    world_make(&place);
    assert_int_equal(mkdir(world_path(&place, "wiki"), 0777), 0);
    for (size_t i = 0; i < sizeof DUMPS / sizeof DUMPS[0]; i++) {
        char name[128];
        snprintf(name, sizeof name, "wiki/testwiki-20240120-%s.sql", DUMPS[i][0]);
        write_blob(world_path(&place, name), DUMPS[i][1], strlen(DUMPS[i][1]));
    }
    size_t used = (size_t)sprintf(text, "user_id:token\titem_id:token\n");
    for (int i = 0; i < LINKS; i++) {
        used += (size_t)sprintf(text + used, "u%d\ti%d\n", i % 70, i % 300);
    }
    write_blob(world_path(&place, "ml.inter"), text, used);
}

static dip_status import_wikipedia(dip_error *err) {
    static const char *const NAMES[] = {"dumps", "memory"};
    const char *values[] = {world_path(&place, "wiki"), "256M"};
    dip_report *report = NULL;
    const dip_status status =
        dip_import_wikipedia(NAMES, values, 2, world_path(&place, "out"), 0, NULL, &report, err);
    dip_report_free(report);
    return status;
}

static dip_status import_recbole(dip_error *err) {
    dip_report *report = NULL;
    const dip_status status = dip_import_recbole(world_path(&place, "ml"), NULL, NULL, 0,
                                                 world_path(&place, "out"), 0, NULL, &report, err);
    dip_report_free(report);
    return status;
}

typedef struct job {
    const char *name;
    dip_status (*run)(dip_error *err);
    const char *second; /* a file that is written before the output, or NULL */
} job;

static const job WIKIPEDIA = {"wikipedia", import_wikipedia, NULL};
static const job RECBOLE = {"recbole", import_recbole, "items.tsv"};

/* ---- what is left ---------------------------------------------------------------------------- */

static void remove_outputs(void) {
    names list;
    remove_tree(world_path(&place, "out"));
    remove_tree(world_path(&place, "items.tsv"));
    list_names(place.root, &list);
    for (size_t i = 0; i < list.n; i++) {
        if (list.name[i][0] == '.') {
            remove_tree(world_path(&place, list.name[i]));
        }
    }
}

static bool is_there(const char *name) {
    struct stat status;
    return stat(world_path(&place, name), &status) == 0;
}

/* A hash of a folder or a file; 0 when there is none. */
static uint64_t hash_of(const char *name) {
    struct stat status;
    if (stat(world_path(&place, name), &status) != 0) {
        return 0;
    }
    if (S_ISDIR(status.st_mode)) {
        return folder_hash(world_path(&place, name));
    }
    blob b = read_blob(world_path(&place, name));
    uint64_t hash = 1;
    for (size_t i = 0; i < b.bytes; i++) {
        hash = hash * 31 + b.data[i];
    }
    free_blob(&b);
    return hash;
}

static size_t open_descriptors(void) {
    names list;
    list_names("/proc/self/fd", &list);
    return list.n;
}

static void complain(const job *j, long at, const char *what, const char *text) {
    if (complaints++ < SHOWN) {
        print_error("%s, failure %ld: %s%s\n", j->name, at, what, text);
    }
}

/* What holds whatever failed. */
static void check_left(const job *j, long at, dip_status status, const dip_error *err,
                       uint64_t whole, bool may_leave_hidden) {
    const uint64_t found = hash_of("out");
    if (found != 0 && found != whole) {
        complain(j, at, "the output is not whole: ", err->message);
    }
    if (status == DIP_OK && found != whole) {
        complain(j, at, "it said ok without an output", "");
    }
    if (count_hidden(place.root) > 0 && !may_leave_hidden) {
        complain(j, at, "something temporary is left: ", err->message);
    }
    if (j->second == NULL && is_there("items.tsv")) {
        complain(j, at, "items.tsv is there", "");
    }
}

static long pick(long i, long total, uint64_t *state) {
    return total <= ALL_UP_TO + SAMPLE || i < ALL_UP_TO
               ? i
               : ALL_UP_TO + (long)draw_below(state, (size_t)(total - ALL_UP_TO));
}

/* ---- the sweeps ------------------------------------------------------------------------------ */

static uint64_t run_well(const job *j) {
    dip_error err = {DIP_OK, ""};
    remove_outputs();
    if (j->run(&err) != DIP_OK) {
        fail_msg("%s", err.message);
    }
    return hash_of("out");
}

static void without_memory(const job *j) {
    uint64_t state = 88172645463325252u;
    complaints = 0;
    const uint64_t whole = run_well(j);
    const uint64_t before = dip_mem_allocations();
    run_well(j);
    const long total = (long)(dip_mem_allocations() - before);
    for (long i = 0; i < 2 * (total < ALL_UP_TO + SAMPLE ? total : ALL_UP_TO + SAMPLE); i++) {
        dip_error err = {DIP_OK, ""};
        remove_outputs();
        const long live = heap_live();
        const long at = pick(i / 2, total, &state);
        dip_mem_fail_after(at, i % 2 == 1);
        const dip_status status = j->run(&err);
        dip_mem_fail_after(-1, 0);
        if (status != DIP_ERR_MEMORY || strstr(err.message, " bytes for ") == NULL) {
            complain(j, at, dip_status_name(status), err.message);
        }
        if (heap_live() != live) {
            complain(j, at, "blocks leak after: ", err.message);
        }
        check_left(j, at, status, &err, whole, false);
    }
    print_message("%s: %ld allocations\n", j->name, total);
    assert_int_equal(complaints, 0);
}

/* Removing what is temporary may fail without harm to the output, and so may closing a file that
 * was read. */
static bool may_succeed(void) {
    return plan.failed_op == OP_UNLINK || plan.failed_op == OP_RMDIR ||
           plan.failed_op == OP_CLOSE || plan.error == EINTR || plan.failed_op >= N_OPS;
}

static void with_failing_files(const job *j) {
    static const int ERRORS[] = {EIO, ENOSPC, EINTR};
    uint64_t state = 362436069362436069u;
    complaints = 0;
    const uint64_t whole = run_well(j);
    remove_outputs();
    faults_begin();
    dip_error err = {DIP_OK, ""};
    assert_int_equal(j->run(&err), DIP_OK);
    faults_end();
    const long total = plan.done;
    const long tries = total < ALL_UP_TO + SAMPLE ? total : ALL_UP_TO + SAMPLE;
    for (long i = 0; i < 3 * tries; i++) {
        const long at = pick(i / 3, total, &state);
        remove_outputs();
        const size_t descriptors = open_descriptors();
        faults_begin();
        plan.fail_at = at;
        plan.error = ERRORS[i % 3];
        const dip_status status = j->run(&err);
        faults_end();
        if (status == DIP_OK ? !may_succeed() : status != DIP_ERR_IO) {
            complain(j, at, dip_status_name(status), err.message);
        }
        if (status != DIP_OK && (strstr(err.message, strerror(plan.error)) == NULL ||
                                 strstr(err.message, place.root) == NULL)) {
            complain(j, at, "path or the system's words are missing: ", err.message);
        }
        if (open_descriptors() != descriptors) {
            complain(j, at, "a descriptor is left open: ", err.message);
        }
        check_left(j, at, status, &err, whole,
                   plan.failed_op == OP_UNLINK || plan.failed_op == OP_RMDIR);
    }
    print_message("%s: %ld operations\n", j->name, total);
    assert_int_equal(complaints, 0);
}

static void wikipedia_without_memory(void **state) {
    (void)state;
    without_memory(&WIKIPEDIA);
}

static void recbole_without_memory(void **state) {
    (void)state;
    without_memory(&RECBOLE);
}

static void wikipedia_with_failing_files(void **state) {
    (void)state;
    with_failing_files(&WIKIPEDIA);
}

static void recbole_with_failing_files(void **state) {
    (void)state;
    with_failing_files(&RECBOLE);
}

static int make(void **state) {
    (void)state;
    make_files();
    return 0;
}

static int unmake(void **state) {
    (void)state;
    world_remove(&place);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wikipedia_without_memory),
        cmocka_unit_test(recbole_without_memory),
        cmocka_unit_test(wikipedia_with_failing_files),
        cmocka_unit_test(recbole_with_failing_files),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
