/* SPDX-License-Identifier: Apache-2.0
 *
 * Files through the table of functions: whole reads and writes over short and interrupted calls,
 * the running checksum, and errors that name the path.
 */
#include "base/file.h"
#include "base/mem.h"
#include "check.h"

#include <errno.h>

/* ---- a file system that is slow and unreliable ----------------------------------------------- */

static struct {
    unsigned calls;
    int open_files;
    bool fail_write;
    bool fail_fsync;
    bool fail_close;
    bool fail_read;
} fake;

static int fake_open(const char *path, int flags, mode_t mode) {
    const int fd = dip_vfs_system()->open(path, flags, mode);
    fake.open_files += fd >= 0;
    return fd;
}

static int fake_close(int fd) {
    fake.open_files--;
    const int result = dip_vfs_system()->close(fd);
    if (fake.fail_close) {
        errno = EIO;
        return -1;
    }
    return result;
}

/* Every third call is interrupted, the others do a few bytes. */
static bool is_interrupted(void) {
    errno = EINTR;
    return fake.calls++ % 3 == 0;
}

static size_t a_few(size_t bytes) {
    const size_t few = 1 + fake.calls * 7919 % 5000;
    return bytes < few ? bytes : few;
}

static ssize_t fake_read(int fd, void *data, size_t bytes) {
    if (fake.fail_read) {
        errno = EIO;
        return -1;
    }
    return is_interrupted() ? -1 : dip_vfs_system()->read(fd, data, a_few(bytes));
}

static ssize_t fake_write(int fd, const void *data, size_t bytes) {
    if (fake.fail_write) {
        errno = ENOSPC;
        return -1;
    }
    return is_interrupted() ? -1 : dip_vfs_system()->write(fd, data, a_few(bytes));
}

static int fake_fsync(int fd) {
    errno = EIO;
    return fake.fail_fsync ? -1 : dip_vfs_system()->fsync(fd);
}

static void use_fake(void) {
    static dip_vfs table;
    table = *dip_vfs_system();
    table.open = fake_open;
    table.close = fake_close;
    table.read = fake_read;
    table.write = fake_write;
    table.fsync = fake_fsync;
    memset(&fake, 0, sizeof fake);
    dip_vfs_set(&table);
}

static int leave(void **state) {
    dip_vfs_set(NULL);
    return check_leave_folder(state);
}

static void the_table_can_be_replaced_and_restored(void **state) {
    (void)state;
    assert_ptr_equal(dip_vfs_get(), dip_vfs_system());
    use_fake();
    assert_ptr_not_equal(dip_vfs_get(), dip_vfs_system());
    dip_vfs_set(NULL);
    assert_ptr_equal(dip_vfs_get(), dip_vfs_system());
}

/* ---- reading --------------------------------------------------------------------------------- */

static char *random_bytes(size_t bytes) {
    uint64_t random = bytes;
    char *data = malloc(bytes + 1);
    assert_non_null(data);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (char)check_random(&random);
    }
    return data;
}

static void check_whole_read(const char *path, size_t bytes) {
    char *expected = random_bytes(bytes);
    char *data = NULL;
    size_t got = 0;
    check_write(path, expected, bytes);
    check_ok(dip_read_file(path, bytes, &data, &got, check_error()));
    assert_int_equal(got, bytes);
    assert_memory_equal(data, expected, bytes);
    assert_int_equal(data[bytes], 0);
    dip_free(data);
    free(expected);
}

static void a_file_of_any_size_is_read_whole(void **state) {
    static const size_t SIZES[] = {0, 1, 63, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 5};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        check_whole_read(check_path(*state, "data"), SIZES[i]);
        use_fake();
        check_whole_read(check_path(*state, "data"), SIZES[i]);
        assert_int_equal(fake.open_files, 0);
        dip_vfs_set(NULL);
    }
}

static void a_file_over_the_limit_is_refused(void **state) {
    char *data = NULL;
    size_t got = 0;
    check_write_text(check_path(*state, "big"), "12345");
    use_fake();
    check_fails(dip_read_file(check_path(*state, "big"), 4, &data, &got, check_error()),
                DIP_ERR_FORMAT, "larger than the 4 bytes");
    assert_null(data);
    assert_int_equal(fake.open_files, 0);
    check_ok(dip_read_file(check_path(*state, "big"), 5, &data, &got, check_error()));
    dip_free(data);
}

static void failing_reads_name_the_file(void **state) {
    char *data = NULL;
    size_t got = 0;
    check_fails(dip_read_file(check_path(*state, "none"), 9, &data, &got, check_error()),
                DIP_ERR_IO, "/none");
    check_write_text(check_path(*state, "bad"), "x");
    use_fake();
    fake.fail_read = true;
    check_fails(dip_read_file(check_path(*state, "bad"), 9, &data, &got, check_error()), DIP_ERR_IO,
                "cannot read ");
    assert_non_null(strstr(check_error()->message, "/bad"));
    assert_int_equal(fake.open_files, 0);
    assert_null(data);
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void paths_are_taken_apart(void **state) {
    (void)state;
    static const char *const CASES[][3] = {
        {"a", ".", "a"},     {"a/", ".", "a"},    {"a/b", "a", "b"},           {"a/b/", "a", "b"},
        {"a/b//", "a", "b"}, {"/a", "/", "a"},    {"/a/", "/", "a"},           {"/a/b", "/a", "b"},
        {"./a", ".", "a"},   {"../a", "..", "a"}, {"/a.b/c.d", "/a.b", "c.d"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char *folder = dip_path_folder(CASES[i][0], check_error());
        char *name = dip_path_name(CASES[i][0], check_error());
        assert_string_equal(folder, CASES[i][1]);
        assert_string_equal(name, CASES[i][2]);
        dip_free(folder);
        dip_free(name);
    }
    char *joined = dip_path_join("a/b", "c", check_error());
    assert_string_equal(joined, "a/b/c");
    dip_free(joined);
}

static void existence_and_folders_are_told(void **state) {
    check_write_text(check_path(*state, "file"), "");
    assert_int_equal(symlink("/no/where", check_path(*state, "dangling")), 0);
    assert_int_equal(symlink(".", check_path(*state, "link")), 0);
    assert_true(dip_path_exists(check_path(*state, "file")));
    assert_true(dip_path_exists(check_path(*state, "dangling")));
    assert_false(dip_path_exists(check_path(*state, "none")));
    assert_true(dip_path_is_folder(check_path(*state, ".")));
    assert_true(dip_path_is_folder(check_path(*state, "link")));
    assert_false(dip_path_is_folder(check_path(*state, "file")));
    assert_false(dip_path_is_folder(check_path(*state, "none")));
}

static void a_folder_is_synced_or_named(void **state) {
    check_ok(dip_sync_folder(check_path(*state, "."), check_error()));
    check_fails(dip_sync_folder(check_path(*state, "none"), check_error()), DIP_ERR_IO, "/none");
    use_fake();
    fake.fail_fsync = true;
    check_fails(dip_sync_folder(check_path(*state, "."), check_error()), DIP_ERR_IO, "sync");
    assert_int_equal(fake.open_files, 0);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Writes in pieces of many sizes and compares what stands in the file, its size and its
 * checksum. */
static void check_written(const char *path, size_t bytes, size_t piece) {
    char *data = random_bytes(bytes);
    dip_writer writer;
    uint64_t written = 0;
    uint64_t hash = 0;
    size_t got = 0;
    remove(path);
    check_ok(dip_writer_open(&writer, path, check_error()));
    for (size_t at = 0; at < bytes; at += piece) {
        const size_t n = bytes - at < piece ? bytes - at : piece;
        check_ok(dip_writer_put(&writer, data + at, n, check_error()));
    }
    check_ok(dip_writer_close(&writer, &written, &hash, check_error()));
    char *found = check_read(path, &got);
    assert_true(written == bytes);
    assert_int_equal(got, bytes);
    assert_memory_equal(found, data, bytes);
    assert_true(hash == dip_hash(data, bytes));
    free(found);
    free(data);
}

static void what_is_put_stands_in_the_file(void **state) {
    static const size_t SIZES[] = {0, 1, 65535, 65536, 65537, 300001};
    static const size_t PIECES[] = {1, 13, 65536, 100000, 400000};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        for (size_t p = 0; p < sizeof PIECES / sizeof PIECES[0]; p++) {
            check_written(check_path(*state, "out"), SIZES[i], PIECES[p]);
        }
    }
}

static void short_and_interrupted_writes_go_on(void **state) {
    use_fake();
    check_written(check_path(*state, "out"), 300001, 777);
    assert_int_equal(fake.open_files, 0);
}

static void lines_are_formatted(void **state) {
    dip_writer writer;
    uint64_t bytes = 0;
    uint64_t hash = 0;
    size_t got = 0;
    char long_text[600];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    check_ok(dip_writer_open(&writer, check_path(*state, "out"), check_error()));
    check_ok(dip_writer_printf(&writer, check_error(), "%s\t%d\n", "a", 5));
    check_fails(dip_writer_printf(&writer, check_error(), "%s", long_text), DIP_ERR_FAILED,
                "too long");
    check_ok(dip_writer_close(&writer, &bytes, &hash, check_error()));
    char *found = check_read(check_path(*state, "out"), &got);
    assert_string_equal(found, "a\t5\n");
    free(found);
}

static void an_existing_file_is_never_overwritten(void **state) {
    dip_writer writer;
    size_t got = 0;
    check_write_text(check_path(*state, "out"), "old");
    check_fails(dip_writer_open(&writer, check_path(*state, "out"), check_error()), DIP_ERR_IO,
                "cannot create ");
    dip_writer_abandon(&writer);
    char *found = check_read(check_path(*state, "out"), &got);
    assert_string_equal(found, "old");
    free(found);
    assert_int_equal(symlink("target", check_path(*state, "link")), 0);
    check_fails(dip_writer_open(&writer, check_path(*state, "link"), check_error()), DIP_ERR_IO,
                "/link");
    assert_false(dip_path_exists(check_path(*state, "target")));
}

static void failing_writes_syncs_and_closes_are_reported(void **state) {
    static const char *const PARTS[] = {"cannot write ", "cannot sync ", "cannot close "};
    for (int kind = 0; kind < 3; kind++) {
        dip_writer writer;
        uint64_t bytes = 42;
        uint64_t hash = 42;
        use_fake();
        remove(check_path(*state, "out"));
        check_ok(dip_writer_open(&writer, check_path(*state, "out"), check_error()));
        check_ok(dip_writer_put(&writer, "x", 1, check_error()));
        fake.fail_write = kind == 0;
        fake.fail_fsync = kind == 1;
        fake.fail_close = kind == 2;
        check_fails(dip_writer_close(&writer, &bytes, &hash, check_error()), DIP_ERR_IO,
                    PARTS[kind]);
        assert_non_null(strstr(check_error()->message, "/out"));
        assert_int_equal(fake.open_files, 0);
        assert_true(bytes == 42 && hash == 42);
        dip_writer_abandon(&writer);
        assert_int_equal(fake.open_files, 0);
    }
}

static void a_write_that_fails_in_the_middle_is_reported_at_once(void **state) {
    dip_writer writer;
    char *data = random_bytes(200000);
    use_fake();
    check_ok(dip_writer_open(&writer, check_path(*state, "out"), check_error()));
    fake.fail_write = true;
    check_fails(dip_writer_put(&writer, data, 200000, check_error()), DIP_ERR_IO, "cannot write ");
    dip_writer_abandon(&writer);
    assert_int_equal(fake.open_files, 0);
    free(data);
}

static void abandoning_is_safe_at_any_time(void **state) {
    dip_writer writer = {0};
    dip_writer_abandon(&writer);
    use_fake();
    check_ok(dip_writer_open(&writer, check_path(*state, "out"), check_error()));
    check_ok(dip_writer_put(&writer, "x", 1, check_error()));
    dip_writer_abandon(&writer);
    dip_writer_abandon(&writer);
    assert_int_equal(fake.open_files, 0);
}

static void a_writer_without_memory_opens_nothing(void **state) {
    use_fake();
    for (int64_t n = 0; n < 3; n++) {
        dip_writer writer;
        dip_mem_fail_after(n, 0);
        check_fails(dip_writer_open(&writer, check_path(*state, "out"), check_error()),
                    DIP_ERR_MEMORY, "memory");
        dip_mem_fail_after(-1, 0);
        assert_false(dip_path_exists(check_path(*state, "out")));
        assert_int_equal(fake.open_files, 0);
    }
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void a_file_is_mapped_whole(void **state) {
    dip_map map;
    check_write_text(check_path(*state, "data"), "mapped");
    check_ok(dip_map_open(&map, check_path(*state, "data"), check_error()));
    assert_int_equal(map.bytes, 6);
    assert_memory_equal(map.data, "mapped", 6);
    dip_map_close(&map);
    assert_null(map.data);
    dip_map_close(&map);
    check_write_text(check_path(*state, "empty"), "");
    check_ok(dip_map_open(&map, check_path(*state, "empty"), check_error()));
    assert_int_equal(map.bytes, 0);
    assert_non_null(map.data);
    dip_map_close(&map);
    assert_null(map.data);
}

static void only_regular_files_are_mapped(void **state) {
    dip_map map;
    use_fake();
    check_fails(dip_map_open(&map, check_path(*state, "none"), check_error()), DIP_ERR_IO, "/none");
    check_fails(dip_map_open(&map, check_path(*state, "."), check_error()), DIP_ERR_FORMAT,
                "not a regular file");
    check_write_text(check_path(*state, "data"), "x");
    assert_int_equal(symlink("data", check_path(*state, "link")), 0);
    check_fails(dip_map_open(&map, check_path(*state, "link"), check_error()), DIP_ERR_FORMAT,
                "/link");
    assert_int_equal(fake.open_files, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, check_enter_folder, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_table_can_be_replaced_and_restored),
        TEST(a_file_of_any_size_is_read_whole),
        TEST(a_file_over_the_limit_is_refused),
        TEST(failing_reads_name_the_file),
        TEST(paths_are_taken_apart),
        TEST(existence_and_folders_are_told),
        TEST(a_folder_is_synced_or_named),
        TEST(what_is_put_stands_in_the_file),
        TEST(short_and_interrupted_writes_go_on),
        TEST(lines_are_formatted),
        TEST(an_existing_file_is_never_overwritten),
        TEST(failing_writes_syncs_and_closes_are_reported),
        TEST(a_write_that_fails_in_the_middle_is_reported_at_once),
        TEST(abandoning_is_safe_at_any_time),
        TEST(a_writer_without_memory_opens_nothing),
        TEST(a_file_is_mapped_whole),
        TEST(only_regular_files_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
