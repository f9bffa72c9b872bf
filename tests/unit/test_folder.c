/* SPDX-License-Identifier: Apache-2.0
 *
 * Published folders: nothing is seen before it is whole, nothing is left behind, and an old output
 * goes in one step.
 */
#include "base/folder.h"
#include "base/mem.h"
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>

static const char PART[] = "some content, long enough to be altered in many places\n";

static dip_status publish(const char *path, bool replace, const char *content) {
    dip_folder_writer folder;
    DIP_TRY(dip_folder_create(&folder, path, replace, check_error()));
    json_t *keys = json_pack("{s:s, s:[f, i]}", "note", "caf\xC3\xA9 \"x\"", "numbers", 0.1, 7);
    dip_status status =
        dip_folder_put(&folder, "part-1.txt", content, strlen(content), check_error());
    if (status == DIP_OK) {
        status = dip_folder_put(&folder, "empty.bin", "", 0, check_error());
    }
    if (status == DIP_OK) {
        status = dip_folder_publish(&folder, "test-format", 3, keys, check_error());
    }
    dip_folder_abort(&folder);
    json_decref(keys);
    return status;
}

/* Entries of a folder, "." and ".." left out. */
static int count_entries(const char *path) {
    DIR *folder = opendir(path);
    int entries = 0;
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        entries++;
    }
    closedir(folder);
    return entries - 2;
}

static dip_status open_folder(dip_folder *folder, const char *path) {
    return dip_folder_open(folder, path, "test-format", 3, check_error());
}

static void check_content(const char *path, const char *content) {
    dip_folder folder;
    dip_map map;
    check_ok(open_folder(&folder, path));
    check_ok(dip_folder_map(&folder, "part-1.txt", &map, check_error()));
    assert_int_equal(map.bytes, strlen(content));
    assert_memory_equal(map.data, content, map.bytes);
    dip_map_close(&map);
    check_ok(dip_folder_map(&folder, "empty.bin", &map, check_error()));
    assert_int_equal(map.bytes, 0);
    dip_map_close(&map);
    dip_folder_close(&folder);
}

static void a_published_folder_reads_back(void **state) {
    const char *path = check_path(*state, "out");
    dip_folder folder;
    check_ok(publish(path, false, PART));
    check_content(path, PART);
    assert_int_equal(count_entries(path), 3);
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
    check_ok(open_folder(&folder, path));
    assert_string_equal(json_string_value(json_object_get(folder.manifest, "note")),
                        "caf\xC3\xA9 \"x\"");
    assert_int_equal(strlen(dip_folder_identity(&folder)), 16);
    dip_folder_close(&folder);
}

static void the_same_content_has_the_same_identity(void **state) {
    char identity[3][32];
    static const char *const CONTENTS[3] = {"a", "a", "b"};
    for (int i = 0; i < 3; i++) {
        const char *path = check_path(*state, i == 0 ? "x" : i == 1 ? "y" : "z");
        dip_folder folder;
        check_ok(publish(path, false, CONTENTS[i]));
        check_ok(open_folder(&folder, path));
        snprintf(identity[i], sizeof identity[i], "%s", dip_folder_identity(&folder));
        dip_folder_close(&folder);
    }
    assert_string_equal(identity[0], identity[1]);
    assert_string_not_equal(identity[0], identity[2]);
}

static void an_existing_target_is_refused(void **state) {
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    check_fails(publish(path, false, "new"), DIP_ERR_USAGE, "exists");
    check_content(path, PART);
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
    check_write_text(check_path(*state, "file"), "x");
    check_fails(publish(check_path(*state, "file"), false, "new"), DIP_ERR_USAGE, "exists");
    assert_int_equal(symlink("/no/where", check_path(*state, "dangling")), 0);
    check_fails(publish(check_path(*state, "dangling"), false, "new"), DIP_ERR_USAGE, "exists");
}

static void only_our_own_folders_are_replaced(void **state) {
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    check_ok(publish(path, true, "new"));
    check_content(path, "new");
    assert_int_equal(mkdir(check_path(*state, "empty"), 0777), 0);
    check_ok(publish(check_path(*state, "empty"), true, "new"));
    check_content(check_path(*state, "empty"), "new");
    assert_int_equal(mkdir(check_path(*state, "mine"), 0777), 0);
    check_write_text(check_path(*state, "mine/thesis.txt"), "x");
    check_fails(publish(check_path(*state, "mine"), true, "new"), DIP_ERR_USAGE,
                "not a folder that diptych wrote");
    check_fails(publish(check_path(*state, "mine/thesis.txt"), true, "new"), DIP_ERR_USAGE,
                "not a folder that diptych wrote");
    assert_true(dip_path_exists(check_path(*state, "mine/thesis.txt")));
    assert_int_equal(count_entries(check_path(*state, ".")), 3);
}

static void replacing_where_nothing_stands_is_fine(void **state) {
    check_ok(publish(check_path(*state, "out"), true, PART));
    check_content(check_path(*state, "out"), PART);
}

static void a_target_may_end_with_a_slash(void **state) {
    check_ok(publish(check_path(*state, "out/"), false, PART));
    check_content(check_path(*state, "out"), PART);
    check_ok(publish(check_path(*state, "out//"), true, "new"));
    check_content(check_path(*state, "out"), "new");
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

static void a_missing_parent_is_named(void **state) {
    check_fails(publish(check_path(*state, "no/out"), false, PART), DIP_ERR_IO, "/no/");
}

static void nothing_is_seen_before_publishing_and_nothing_left_after_aborting(void **state) {
    const char *path = check_path(*state, "out");
    dip_folder_writer folder;
    dip_writer *writer = NULL;
    check_ok(dip_folder_create(&folder, path, false, check_error()));
    check_ok(dip_folder_put(&folder, "one", "1", 1, check_error()));
    check_ok(dip_folder_begin(&folder, "two", &writer, check_error()));
    check_ok(dip_writer_put(writer, "half a part", 11, check_error()));
    assert_false(dip_path_exists(path));
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
    dip_folder_abort(&folder);
    assert_int_equal(count_entries(check_path(*state, ".")), 0);
    dip_folder_abort(&folder);
    dip_folder_writer never = {0};
    dip_folder_abort(&never);
}

static void an_aborted_replacement_leaves_the_old_output(void **state) {
    const char *path = check_path(*state, "out");
    dip_folder_writer folder;
    check_ok(publish(path, false, PART));
    check_ok(dip_folder_create(&folder, path, true, check_error()));
    check_ok(dip_folder_put(&folder, "part-1.txt", "new", 3, check_error()));
    dip_folder_abort(&folder);
    check_content(path, PART);
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

static void a_target_that_appears_meanwhile_is_not_replaced(void **state) {
    const char *path = check_path(*state, "out");
    dip_folder_writer folder;
    check_ok(dip_folder_create(&folder, path, false, check_error()));
    check_ok(dip_folder_put(&folder, "part-1.txt", "mine", 4, check_error()));
    check_ok(publish(path, false, PART));
    check_fails(dip_folder_publish(&folder, "test-format", 3, NULL, check_error()), DIP_ERR_USAGE,
                "meanwhile");
    check_content(path, PART);
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

/* ---- failing file systems -------------------------------------------------------------------- */

static struct {
    int exchange_errno; /* 0: exchange works */
    int renames_left;   /* later ones fail */
    int exchanges;
} fake;

static int fake_exchange(const char *a, const char *b) {
    fake.exchanges++;
    if (fake.exchange_errno != 0) {
        errno = fake.exchange_errno;
        return -1;
    }
    return dip_vfs_system()->exchange(a, b);
}

static int fake_rename(const char *from, const char *to) {
    if (fake.renames_left-- <= 0) {
        errno = EACCES;
        return -1;
    }
    return dip_vfs_system()->rename(from, to);
}

static void use_fake(int exchange_errno, int renames) {
    static dip_vfs table;
    table = *dip_vfs_system();
    table.exchange = fake_exchange;
    table.rename = fake_rename;
    fake.exchange_errno = exchange_errno;
    fake.renames_left = renames;
    fake.exchanges = 0;
    dip_vfs_set(&table);
}

static int leave(void **state) {
    dip_vfs_set(NULL);
    dip_mem_fail_after(-1, 0);
    return check_leave_folder(state);
}

static void an_old_output_is_exchanged_in_one_step(void **state) {
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    use_fake(0, 0);
    check_ok(publish(path, true, "new"));
    assert_int_equal(fake.exchanges, 1);
    check_content(path, "new");
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

static void without_an_exchange_the_old_output_is_moved_aside(void **state) {
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    use_fake(ENOSYS, 2);
    check_ok(publish(path, true, "new"));
    check_content(path, "new");
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
    use_fake(EINVAL, 2);
    check_ok(publish(path, true, PART));
    check_content(path, PART);
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

static void a_failed_publication_leaves_the_old_output_and_nothing_else(void **state) {
    static const int ERRORS[] = {EIO, ENOSYS};
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    for (size_t i = 0; i < 2; i++) {
        use_fake(ERRORS[i], 0);
        check_fails(publish(path, true, "new"), DIP_ERR_IO, "cannot publish ");
        check_content(path, PART);
        assert_int_equal(count_entries(check_path(*state, ".")), 1);
    }
    use_fake(0, 0);
    check_fails(publish(check_path(*state, "other"), false, PART), DIP_ERR_IO, "/other");
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

static int rename_fails_once(const char *from, const char *to) {
    if (++fake.renames_left == 2) {
        errno = EIO;
        return -1;
    }
    return dip_vfs_system()->rename(from, to);
}

/* The old output is aside when the new one cannot take its place: it comes back. */
static void an_old_output_that_was_moved_aside_comes_back(void **state) {
    static dip_vfs table;
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    use_fake(ENOSYS, 0);
    table = *dip_vfs_get();
    table.rename = rename_fails_once;
    dip_vfs_set(&table);
    check_fails(publish(path, true, "new"), DIP_ERR_IO, "cannot publish ");
    check_content(path, PART);
    assert_int_equal(count_entries(check_path(*state, ".")), 1);
}

static void every_failed_allocation_leaves_nothing(void **state) {
    dip_status status = DIP_ERR_MEMORY;
    int64_t n = 0;
    for (; status != DIP_OK; n++) {
        assert_true(n < 1000);
        dip_mem_fail_after(n, 0);
        status = publish(check_path(*state, "out"), false, PART);
        dip_mem_fail_after(-1, 0);
        if (status != DIP_OK) {
            assert_int_equal(status, DIP_ERR_MEMORY);
            assert_int_equal(count_entries(check_path(*state, ".")), 0);
        }
    }
    assert_true(n > 5);
    check_content(check_path(*state, "out"), PART);
}

/* ---- dead writers ---------------------------------------------------------------------------- */

/* The id of a process that has ended. */
static long dead_pid(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return (long)pid;
}

static void make_stale(check_folder *folder, const char *target, long pid) {
    char name[256];
    char file[300];
    snprintf(name, sizeof name, ".%s.tmp.%ld.00c0ffee", target, pid);
    snprintf(file, sizeof file, "%s/part", name);
    assert_int_equal(mkdir(check_path(folder, name), 0777), 0);
    check_write_text(check_path(folder, file), "unfinished");
}

static void the_leavings_of_dead_writers_are_swept(void **state) {
    const long pid = dead_pid();
    char other[64];
    char living[64];
    snprintf(other, sizeof other, ".other.tmp.%ld.00c0ffee", pid);
    snprintf(living, sizeof living, ".out.tmp.%ld.00c0ffee", (long)getpid());
    make_stale(*state, "out", pid);
    make_stale(*state, "other", pid);
    make_stale(*state, "out", (long)getpid());
    check_ok(publish(check_path(*state, "out"), false, PART));
    assert_true(dip_path_exists(check_path(*state, other)));
    assert_true(dip_path_exists(check_path(*state, living)));
    assert_int_equal(count_entries(check_path(*state, ".")), 3);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, check_enter_folder, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_published_folder_reads_back),
        TEST(the_same_content_has_the_same_identity),
        TEST(an_existing_target_is_refused),
        TEST(only_our_own_folders_are_replaced),
        TEST(replacing_where_nothing_stands_is_fine),
        TEST(a_target_may_end_with_a_slash),
        TEST(a_missing_parent_is_named),
        TEST(nothing_is_seen_before_publishing_and_nothing_left_after_aborting),
        TEST(an_aborted_replacement_leaves_the_old_output),
        TEST(a_target_that_appears_meanwhile_is_not_replaced),
        TEST(an_old_output_is_exchanged_in_one_step),
        TEST(without_an_exchange_the_old_output_is_moved_aside),
        TEST(a_failed_publication_leaves_the_old_output_and_nothing_else),
        TEST(an_old_output_that_was_moved_aside_comes_back),
        TEST(every_failed_allocation_leaves_nothing),
        TEST(the_leavings_of_dead_writers_are_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
