/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks of memory from the heap and from nameless files.
 */
#include "base/region.h"
#include "check.h"

#include <dirent.h>

static size_t entries(const char *path) {
    size_t n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        n++;
    }
    closedir(folder);
    return n - 2;
}

static void check_block(const char *folder) {
    enum { N = 300000 };
    dip_region region = {0};
    check_ok(dip_region_create(&region, N, sizeof(int), folder, "a table", check_error()));
    int *data = region.data;
    for (int i = 0; i < N; i++) {
        assert_int_equal(data[i], 0);
        data[i] = i;
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(data[i], i);
    }
    dip_region_free(&region);
    dip_region_free(&region);
}

static void a_block_is_zeroed_and_keeps_what_is_written(void **state) {
    check_folder *folder = *state;
    check_block(NULL);
    check_block("");
    check_block(folder->path);
}

static void a_file_has_no_name(void **state) {
    check_folder *folder = *state;
    dip_region a = {0};
    dip_region b = {0};
    check_ok(dip_region_create(&a, 10, 4096, folder->path, "a table", check_error()));
    check_ok(dip_region_create(&b, 10, 4096, folder->path, "a table", check_error()));
    assert_int_equal(entries(folder->path), 0);
    dip_region_free(&a);
    dip_region_free(&b);
}

static void a_folder_that_is_not_there_is_named(void **state) {
    check_folder *folder = *state;
    dip_region region = {0};
    const char *missing = check_path(folder, "missing");
    check_fails(dip_region_create(&region, 10, 10, missing, "a table", check_error()), DIP_ERR_IO,
                missing);
    assert_null(region.data);
}

static void more_than_the_disk_holds_is_refused_with_the_bytes(void **state) {
    check_folder *folder = *state;
    dip_region region = {0};
    check_fails(dip_region_create(&region, (size_t)1 << 40, 1 << 10, folder->path, "table id",
                                  check_error()),
                DIP_ERR_IO, "cannot reserve 1125899906842624 bytes");
    assert_non_null(strstr(check_error()->message, "table id"));
    assert_null(region.data);
    assert_int_equal(entries(folder->path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(a_block_is_zeroed_and_keeps_what_is_written),
        check_test_in_folder(a_file_has_no_name),
        check_test_in_folder(a_folder_that_is_not_there_is_named),
        check_test_in_folder(more_than_the_disk_holds_is_refused_with_the_bytes),
    };
    return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
