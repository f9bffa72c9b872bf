/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a dataset are a function of the files and the options alone: not of the memory that
 * prepare has, nor of the threads, nor of how the files are cut into blocks and rounds. Random
 * projects with every kind of feature, split, query and mistake that is no error.
 */
#include "fixture.h"
#include "projects.h"

#include <dirent.h>

enum { PROJECTS = 12, LARGE = PROJECTS_LARGE };

/* ---- comparing ------------------------------------------------------------------------------- */

static size_t count_parts(const char *path) {
    size_t n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        n++;
    }
    closedir(folder);
    return n - 2;
}

static void check_same(check_folder *folder, const char *what) {
    const char *expected = check_path(folder, "expected");
    DIR *parts = opendir(expected);
    assert_non_null(parts);
    assert_int_equal(count_parts(check_path(folder, "data")), count_parts(expected));
    for (struct dirent *entry = readdir(parts); entry != NULL; entry = readdir(parts)) {
        char name[300];
        size_t bytes[2] = {0};
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(name, sizeof name, "expected/%s", entry->d_name);
        char *left = check_read(check_path(folder, name), &bytes[0]);
        snprintf(name, sizeof name, "data/%s", entry->d_name);
        char *right = check_read(check_path(folder, name), &bytes[1]);
        if (bytes[0] != bytes[1] || memcmp(left, right, bytes[0]) != 0) {
            fail_msg("%s differs: %s", entry->d_name, what);
        }
        free(left);
        free(right);
    }
    closedir(parts);
}

typedef struct cutting {
    size_t block_bytes;
    size_t round_blocks;
    int threads;
} cutting;

static void check_means(check_folder *folder, size_t number, size_t memory, const cutting *c,
                        const json_t *expected) {
    /* None, one piece and many pieces of temporary data stay in memory, in turn. */
    static const size_t KEPT[] = {0, 100000, 50 << 20};
    const dip_means means = {.memory = memory,
                             .kept = KEPT[(number + c->round_blocks + memory) % 3],
                             .threads = c->threads,
                             .round_blocks = c->round_blocks};
    char what[200];
    json_t *summary = NULL;
    snprintf(what, sizeof what,
             "project %zu, memory %zu + %zu, blocks of %zu, rounds of %zu, %d threads", number,
             memory, means.kept, c->block_bytes, c->round_blocks, c->threads);
    if (fixture_prepare_by(folder, &means, c->block_bytes, &summary) != DIP_OK) {
        fail_msg("%s: %s", what, check_error()->message);
    }
    check_same(folder, what);
    assert_true(json_equal(summary, expected));
    json_decref(summary);
}

/* Between nothing and all there is memory for some of the numberings. */
static void check_project(check_folder *folder, size_t number) {
    static const size_t MEMORIES[] = {0, 1 << 16, 3 << 20, 8 << 20, SIZE_MAX};
    static const cutting SMALL[] = {{1, 1, 1}, {60, 3, 2}, {700, 1, 3}, {700, 3, 1}, {0, 1, 2}};
    static const cutting LARGER[] = {{30000, 1, 2}, {100000, 3, 3}};
    const dip_means plain = {.memory = SIZE_MAX, .threads = 1, .round_blocks = 1};
    const bool is_large = number >= LARGE;
    const cutting *cuttings = is_large ? LARGER : SMALL;
    const size_t n = is_large ? 2 : 5;
    json_t *expected = NULL;
    projects_write(folder, number);
    check_ok(fixture_prepare_by(folder, &plain, 0, &expected));
    assert_int_equal(rename(check_path(folder, "data"), check_path(folder, "expected")), 0);
    for (size_t m = 0; m < sizeof MEMORIES / sizeof MEMORIES[0]; m++) {
        for (size_t c = 0; c < n; c++) {
            /* Without any memory every value is a run of its own; a few thousand are too many. */
            if (!is_large || MEMORIES[m] > 0) {
                check_means(folder, number, MEMORIES[m], &cuttings[c], expected);
            }
        }
    }
    json_decref(expected);
}

/* What the projects are to have, by the counts of their summaries. */
static void check_is_rich(const json_t *summary) {
    static const char *const KEYS[] = {"train", "test", "duplicates", "unknown_ids"};
    const json_t *counts = json_object_get(summary, "counts");
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        assert_true(json_integer_value(json_object_get(counts, KEYS[i])) > 0);
    }
}

static void projects_are_rich(void **state) {
    static const dip_means PLAIN = {.memory = SIZE_MAX, .threads = 1};
    for (size_t number = 3; number < LARGE; number++) {
        json_t *summary = NULL;
        projects_write(*state, number);
        check_ok(fixture_prepare_by(*state, &PLAIN, 0, &summary));
        check_is_rich(summary);
        json_decref(summary);
    }
}

static void check_projects(size_t from, size_t to) {
    for (size_t number = from; number < to; number++) {
        check_folder *own = NULL;
        assert_int_equal(check_enter_folder((void **)&own), 0);
        check_project(own, number);
        assert_int_equal(check_leave_folder((void **)&own), 0);
    }
}

static void small_datasets_do_not_depend_on_means(void **state) {
    (void)state;
    check_projects(0, LARGE);
}

static void larger_datasets_do_not_depend_on_means(void **state) {
    (void)state;
    check_projects(LARGE, PROJECTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(projects_are_rich),
        cmocka_unit_test(small_datasets_do_not_depend_on_means),
        cmocka_unit_test(larger_datasets_do_not_depend_on_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
