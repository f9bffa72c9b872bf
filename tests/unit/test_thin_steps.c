/* SPDX-License-Identifier: Apache-2.0
 *
 * Thinning by itself: what all pairs, shares of shares, other means and other writers' datasets
 * give, and every way in which nothing must be left behind.
 */
#include "fixture.h"
#include "projects.h"
#include "shares.h"

#include <dirent.h>
#include <errno.h>

enum { PROJECTS = 12 };

/* ---- the whole, in steps, by other means ----------------------------------------------------- */

static void check_identical(const dip_dataset *found, const dip_dataset *expected) {
    assert_string_equal(dip_folder_identity(&found->folder),
                        dip_folder_identity(&expected->folder));
}

/* Part by part and key by key. */
static void all_pairs_give_the_same_dataset(void **state) {
    for (size_t number = 0; number < PROJECTS; number++) {
        dip_dataset whole;
        dip_dataset share;
        projects_write(*state, number);
        shares_prepare(*state, check_path(*state, "project.yaml"), 1, "whole", &whole);
        shares_thin(*state, &whole, 1, "share", &SHARES_MEANS, &share);
        check_identical(&share, &whole);
        dip_dataset_release(&share);
        dip_dataset_release(&whole);
    }
}

static void a_share_of_a_share_is_the_product(void **state) {
    dip_dataset d[4];
    fixture_write_random(*state, (fixture_size){80, 3000, 5}, "");
    shares_prepare(*state, check_path(*state, "project.yaml"), 1, "whole", &d[0]);
    shares_thin(*state, &d[0], 0.5, "half", &SHARES_MEANS, &d[1]);
    shares_thin(*state, &d[1], 0.25, "of-half", &SHARES_MEANS, &d[2]);
    shares_thin(*state, &d[0], 0.125, "eighth", &SHARES_MEANS, &d[3]);
    check_identical(&d[2], &d[3]);
    assert_true(d[3].config.split.train_fraction == 0.125);
    for (size_t i = 0; i < 4; i++) {
        dip_dataset_release(&d[i]);
    }
}

static void means_do_not_change_the_bytes(void **state) {
    static const dip_means OTHER[] = {{.memory = 0, .threads = 1},
                                      {.memory = 0, .kept = 1 << 20, .threads = 3},
                                      {.memory = SIZE_MAX, .threads = 4}};
    dip_dataset whole;
    dip_dataset share;
    projects_write(*state, PROJECTS_LARGE);
    shares_prepare(*state, check_path(*state, "project.yaml"), 1, "whole", &whole);
    shares_thin(*state, &whole, 0.3, "share", &SHARES_MEANS, &share);
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        dip_dataset other;
        shares_thin(*state, &whole, 0.3, "other", &OTHER[i], &other);
        check_identical(&other, &share);
        dip_dataset_release(&other);
    }
    dip_dataset_release(&share);
    dip_dataset_release(&whole);
}

/* A dataset that has grown knows values that no training row has any more. */
static void a_grown_dataset_stays_what_it_is(void **state) {
    char options[CHECK_PATH_MAX + 100];
    dip_dataset old;
    dip_dataset whole;
    dip_dataset share;
    fixture_write_random(*state, (fixture_size){60, 300, 1}, "");
    shares_prepare(*state, check_path(*state, "project.yaml"), 1, "old", &old);
    snprintf(options, sizeof options, "prepare: {grow: %s}\n", check_path(*state, "old"));
    fixture_write_random(*state, (fixture_size){70, 60, 2}, options);
    shares_prepare(*state, check_path(*state, "project.yaml"), 1, "whole", &whole);
    assert_int_equal(json_array_size(json_object_get(whole.folder.manifest, "lineage")), 1);
    shares_thin(*state, &whole, 1, "share", &SHARES_MEANS, &share);
    check_identical(&share, &whole);
    dip_dataset_release(&share);
    shares_thin(*state, &whole, 0.5, "share", &SHARES_MEANS, &share);
    assert_true(json_equal(json_object_get(share.folder.manifest, "lineage"),
                           json_object_get(whole.folder.manifest, "lineage")));
    dip_dataset_release(&share);
    dip_dataset_release(&whole);
    dip_dataset_release(&old);
}

static void generate(check_folder *folder, const char *items, const char *pairs,
                     dip_dataset *dataset) {
    const char *const settings[][2] = {
        {"items", items}, {"pairs", pairs}, {"queries", items}, {"format", "dataset"}};
    const char *path = check_path(folder, "whole");
    dip_recipe *recipe = NULL;
    fixture_fast_files();
    check_ok(dip_recipe_create(&recipe, check_error()));
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        check_ok(dip_recipe_set(recipe, settings[i][0], settings[i][1], check_error()));
    }
    check_ok(dip_generate(recipe, path, 0, NULL, NULL, check_error()));
    dip_recipe_free(recipe);
    check_ok(dip_dataset_load(dataset, path, check_error()));
}

/* More rows and pairs than are walked at a time. */
static void long_columns_are_walked_in_pieces(void **state) {
    dip_dataset whole;
    dip_dataset share;
    const char *name = NULL;
    json_t *part = NULL;
    size_t n = 0;
    generate(*state, "20000", "100000", &whole);
    shares_thin(*state, &whole, 1, "share", &SHARES_MEANS, &share);
    const json_t *after = json_object_get(share.folder.manifest, "parts");
    json_object_foreach(json_object_get(whole.folder.manifest, "parts"), name, part) {
        /* Whose sums have another order where a generator adds them. */
        const bool is_near = strcmp(name, "mutual-information.npy") == 0;
        if (!is_near && !json_equal(json_object_get(after, name), part)) {
            fail_msg("%s differs", name);
        }
        n++;
    }
    assert_int_equal(json_object_size(after), n);
    const size_t k = whole.schema.items.n_features;
    for (size_t at = 0; at < k * k; at++) {
        check_near(share.mutual_information[at], whole.mutual_information[at], 1e-10);
    }
    dip_dataset_release(&share);
    dip_dataset_release(&whole);
}

/* What `generate` adds goes on, and check finds the counts to be those of the pairs. */
static void a_generated_dataset_keeps_its_truth(void **state) {
    static const char *const PARTS[] = {"truth.json", "project.yaml"};
    dip_dataset whole;
    dip_dataset share;
    generate(*state, "200", "1000", &whole);
    shares_thin(*state, &whole, 0.3, "share", &SHARES_MEANS, &share);
    check_share(share.n_pairs[0], whole.n_pairs[0], 0.3, 5);
    const json_t *before = json_object_get(whole.folder.manifest, "parts");
    const json_t *after = json_object_get(share.folder.manifest, "parts");
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(json_object_get(before, PARTS[i]));
        assert_true(
            json_equal(json_object_get(after, PARTS[i]), json_object_get(before, PARTS[i])));
    }
    dip_report *report = NULL;
    check_ok(dip_check(&share, &share.config, DIP_QUICK, NULL, &report, check_error()));
    assert_null(strstr(dip_report_json(report), "item-count.npy"));
    assert_null(strstr(dip_report_json(report), "item-trains.npy"));
    dip_report_free(report);
    dip_dataset_release(&share);
    dip_dataset_release(&whole);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void make_small(check_folder *folder, dip_dataset *whole) {
    fixture_write_random(folder, (fixture_size){30, 60, 3}, "split: {test: 0.1, seed: 4}\n");
    shares_prepare(folder, check_path(folder, "project.yaml"), 1, "whole", whole);
}

static void check_nothing_left(check_folder *folder) {
    DIR *entries = opendir(folder->path);
    size_t n = 0;
    assert_non_null(entries);
    while (readdir(entries) != NULL) {
        n++;
    }
    closedir(entries);
    assert_int_equal(n - 2, 4); /* whole, project.yaml, items.tsv, pairs.tsv */
}

static void shares_that_cannot_be_are_refused(void **state) {
    static const double WRONG[] = {0, -0.5, 1.0000001, NAN, INFINITY};
    const char *path = check_path(*state, "share");
    dip_dataset whole;
    make_small(*state, &whole);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        check_fails(dip_thin(&whole, WRONG[i], path, false, &SHARES_MEANS, check_error()),
                    DIP_ERR_USAGE, "above 0 and at most 1");
    }
    check_fails(dip_thin(&whole, 0.00001, path, false, &SHARES_MEANS, check_error()), DIP_ERR_USAGE,
                "split.train_fraction");
    check_fails(dip_thin(&whole, 0.0002, path, false, &SHARES_MEANS, check_error()), DIP_ERR_FAILED,
                "leaves 0 of the ");
    check_fails(dip_thin(&whole, 0.0002, path, false, &SHARES_MEANS, check_error()), DIP_ERR_FAILED,
                "at least 2 are needed");
    check_nothing_left(*state);
    dip_dataset_release(&whole);
}

static void an_output_is_replaced_only_when_asked(void **state) {
    const char *path = check_path(*state, "whole");
    dip_dataset whole;
    dip_dataset share;
    make_small(*state, &whole);
    check_fails(dip_thin(&whole, 0.5, path, false, &SHARES_MEANS, check_error()), DIP_ERR_USAGE,
                "exists");
    const int64_t before = whole.n_pairs[0];
    shares_thin(*state, &whole, 0.5, "whole", &SHARES_MEANS, &share);
    assert_in_range(share.n_pairs[0], 2, before - 1);
    assert_in_range(whole.pairs[0][2 * before - 1], 0, whole.items.n - 1);
    dip_dataset_release(&share);
    dip_dataset_release(&whole);
    check_nothing_left(*state);
}

static int stop_later(void *context, const dip_progress *progress) {
    int *left = context;
    assert_true(strlen(progress->phase) > 0);
    return (*left)-- == 0;
}

/* Wherever the watch says stop. */
static void an_interruption_leaves_nothing(void **state) {
    dip_status status = DIP_ERR_INTERRUPTED;
    dip_dataset whole;
    int stops = 0;
    make_small(*state, &whole);
    for (; status == DIP_ERR_INTERRUPTED; stops++) {
        int left = stops;
        const dip_watch watch = {.on_progress = stop_later, .context = &left};
        const dip_means means = {.memory = SIZE_MAX, .threads = 1, .watch = &watch};
        status = dip_thin(&whole, 0.5, check_path(*state, "share"), false, &means, check_error());
        if (status == DIP_ERR_INTERRUPTED) {
            check_nothing_left(*state);
        }
    }
    check_ok(status);
    assert_in_range(stops, 10, 60);
    dip_dataset_release(&whole);
}

static ssize_t no_space(int fd, const void *data, size_t bytes, off_t offset) {
    (void)fd;
    (void)data;
    (void)bytes;
    (void)offset;
    errno = ENOSPC;
    return -1;
}

/* The scratch space of a dataset with more pairs than one piece of it holds. */
static void a_full_disk_is_an_error(void **state) {
    enum { PAIRS = 80000 };
    dip_dataset whole;
    fixture_write_random(*state, (fixture_size){300, PAIRS, 3}, "");
    shares_prepare(*state, check_path(*state, "project.yaml"), 1, "whole", &whole);
    const dip_vfs *before = dip_vfs_get();
    dip_vfs full = *before;
    full.pwrite = no_space;
    dip_vfs_set(&full);
    const dip_status status =
        dip_thin(&whole, 0.5, check_path(*state, "share"), false, &SHARES_MEANS, check_error());
    dip_vfs_set(before);
    assert_int_equal(status, DIP_ERR_IO);
    assert_non_null(strstr(check_error()->message, strerror(ENOSPC)));
    assert_non_null(strstr(check_error()->message, ((check_folder *)*state)->path));
    check_nothing_left(*state);
    dip_dataset_release(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(all_pairs_give_the_same_dataset),
        check_test_in_folder(a_share_of_a_share_is_the_product),
        check_test_in_folder(means_do_not_change_the_bytes),
        check_test_in_folder(a_grown_dataset_stays_what_it_is),
        check_test_in_folder(long_columns_are_walked_in_pieces),
        check_test_in_folder(a_generated_dataset_keeps_its_truth),
        check_test_in_folder(shares_that_cannot_be_are_refused),
        check_test_in_folder(an_output_is_replaced_only_when_asked),
        check_test_in_folder(an_interruption_leaves_nothing),
        check_test_in_folder(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
