/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation: zeroed, aligned, counted, and failing where a test wants it to.
 */
#include "base/mem.h"
#include "check.h"

static int leave_failures_off(void **state) {
    (void)state;
    dip_mem_fail_after(-1, 0);
    return 0;
}

static void memory_is_zeroed_and_aligned(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes < 200; bytes++) {
        unsigned char *block = dip_alloc(bytes, 1, "a test", check_error());
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t i = 0; i < bytes; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xFF, bytes);
        dip_free(block);
    }
    dip_free(NULL);
}

static void a_size_that_overflows_is_refused_with_its_purpose(void **state) {
    (void)state;
    assert_null(dip_alloc(SIZE_MAX / 2, 3, "a huge test", check_error()));
    assert_int_equal(check_error()->code, DIP_ERR_MEMORY);
    assert_non_null(strstr(check_error()->message, "a huge test"));
    assert_null(dip_alloc(SIZE_MAX - 8, 1, "a huge test", NULL));
}

static void growing_keeps_the_old_part_and_zeroes_the_new(void **state) {
    (void)state;
    int *list = NULL;
    size_t capacity = 0;
    for (size_t need = 1; need < 5000; need = need * 2 + 1) {
        const size_t before = capacity;
        check_ok(dip_grow((void **)&list, &capacity, need, sizeof *list, "a list", check_error()));
        assert_true(capacity >= need);
        for (size_t i = 0; i < capacity; i++) {
            assert_int_equal(list[i], i < before ? (int)i : 0);
            list[i] = (int)i;
        }
    }
    dip_free(list);
}

static void growing_within_the_capacity_allocates_nothing(void **state) {
    (void)state;
    char *text = NULL;
    size_t capacity = 0;
    check_ok(dip_grow((void **)&text, &capacity, 10, 1, "a text", check_error()));
    const char *const before = text;
    const uint64_t allocations = dip_mem_allocations();
    check_ok(dip_grow((void **)&text, &capacity, capacity, 1, "a text", check_error()));
    assert_ptr_equal(text, before);
    assert_true(dip_mem_allocations() == allocations);
    dip_free(text);
}

static void a_failed_growth_leaves_the_old_block(void **state) {
    (void)state;
    char *text = NULL;
    size_t capacity = 0;
    check_ok(dip_grow((void **)&text, &capacity, 10, 1, "a text", check_error()));
    memcpy(text, "kept", 5);
    const size_t before = capacity;
    dip_mem_fail_after(0, 0);
    check_fails(dip_grow((void **)&text, &capacity, 1000, 1, "a text", check_error()),
                DIP_ERR_MEMORY, "a text");
    assert_true(capacity == before);
    assert_string_equal(text, "kept");
    check_fails(dip_grow((void **)&text, &capacity, SIZE_MAX, 8, "a text", check_error()),
                DIP_ERR_MEMORY, "a text");
    assert_string_equal(text, "kept");
    dip_free(text);
}

static void a_copy_ends_with_nul(void **state) {
    (void)state;
    char *copy = dip_copy_text("abcdef", 3, "a text", check_error());
    char *empty = dip_copy_text(NULL, 0, "a text", check_error());
    assert_string_equal(copy, "abc");
    assert_string_equal(empty, "");
    dip_free(copy);
    dip_free(empty);
}

static bool allocation_works(void) {
    void *block = dip_alloc(1, 1, "a test", NULL);
    const bool works = block != NULL;
    dip_free(block);
    return works;
}

static void only_the_wanted_allocation_fails(void **state) {
    (void)state;
    for (int64_t n = 0; n < 5; n++) {
        dip_mem_fail_after(n, 0);
        for (int64_t i = 0; i < 10; i++) {
            assert_int_equal(allocation_works(), i != n);
        }
    }
}

static void sticky_failures_last_until_they_are_turned_off(void **state) {
    (void)state;
    dip_mem_fail_after(2, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(allocation_works(), i < 2);
    }
    dip_mem_fail_after(-1, 0);
    assert_true(allocation_works());
}

static void allocations_are_counted(void **state) {
    (void)state;
    const uint64_t before = dip_mem_allocations();
    for (int i = 0; i < 7; i++) {
        assert_true(allocation_works());
    }
    assert_true(dip_mem_allocations() == before + 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(a_size_that_overflows_is_refused_with_its_purpose),
        cmocka_unit_test(growing_keeps_the_old_part_and_zeroes_the_new),
        cmocka_unit_test(growing_within_the_capacity_allocates_nothing),
        cmocka_unit_test_teardown(a_failed_growth_leaves_the_old_block, leave_failures_off),
        cmocka_unit_test(a_copy_ends_with_nul),
        cmocka_unit_test_teardown(only_the_wanted_allocation_fails, leave_failures_off),
        cmocka_unit_test_teardown(sticky_failures_last_until_they_are_turned_off,
                                  leave_failures_off),
        cmocka_unit_test(allocations_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
