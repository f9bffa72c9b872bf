/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses and error texts: what a failed call leaves behind for people.
 */
#include "check.h"

#include <errno.h>

static void fail_fills_code_and_text(void **state) {
    (void)state;
    dip_error err = {0};
    assert_int_equal(dip_fail(&err, DIP_ERR_FORMAT, "%s:%d", "x.tsv", 7), DIP_ERR_FORMAT);
    assert_int_equal(err.code, DIP_ERR_FORMAT);
    assert_string_equal(err.message, "x.tsv:7");
}

static void fail_accepts_no_place_for_the_text(void **state) {
    (void)state;
    assert_int_equal(dip_fail(NULL, DIP_ERR_USAGE, "%d", 1), DIP_ERR_USAGE);
    assert_int_equal(dip_fail_errno(NULL, ENOENT, "open", "x"), DIP_ERR_IO);
    assert_int_equal(dip_fail_context(NULL, DIP_ERR_USAGE, "x"), DIP_ERR_USAGE);
}

static void fail_errno_names_action_path_and_reason(void **state) {
    (void)state;
    dip_error err = {0};
    assert_int_equal(dip_fail_errno(&err, ENOENT, "open", "/no/file"), DIP_ERR_IO);
    assert_non_null(strstr(err.message, "cannot open /no/file: "));
    assert_non_null(strstr(err.message, strerror(ENOENT)));
}

static void context_stands_before_the_inner_text(void **state) {
    (void)state;
    dip_error err = {0};
    dip_fail(&err, DIP_ERR_USAGE, "inner");
    assert_int_equal(dip_fail_context(&err, DIP_ERR_FORMAT, "outer %d", 3), DIP_ERR_FORMAT);
    assert_int_equal(err.code, DIP_ERR_FORMAT);
    assert_string_equal(err.message, "outer 3: inner");
}

static void a_long_text_is_cut_and_ends(void **state) {
    (void)state;
    char text[4 * sizeof(dip_error)];
    dip_error err = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    dip_fail(&err, DIP_ERR_FORMAT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    dip_fail_context(&err, DIP_ERR_FORMAT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    dip_fail_context(&err, DIP_ERR_FORMAT, "short");
    assert_memory_equal(err.message, "short: xxx", 10);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void every_status_has_a_name_of_its_own(void **state) {
    (void)state;
    for (int a = DIP_OK; a <= DIP_END; a++) {
        assert_string_not_equal(dip_status_name((dip_status)a), "unknown");
        for (int b = DIP_OK; b < a; b++) {
            assert_string_not_equal(dip_status_name((dip_status)a), dip_status_name((dip_status)b));
        }
    }
    assert_string_equal(dip_status_name((dip_status)(DIP_END + 1)), "unknown");
    assert_string_equal(dip_status_name((dip_status)-1), "unknown");
}

static void the_version_is_that_of_the_header(void **state) {
    (void)state;
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", DIP_VERSION_MAJOR, DIP_VERSION_MINOR,
             DIP_VERSION_PATCH);
    assert_string_equal(dip_version(), text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_code_and_text),
        cmocka_unit_test(fail_accepts_no_place_for_the_text),
        cmocka_unit_test(fail_errno_names_action_path_and_reason),
        cmocka_unit_test(context_stands_before_the_inner_text),
        cmocka_unit_test(a_long_text_is_cut_and_ends),
        cmocka_unit_test(every_status_has_a_name_of_its_own),
        cmocka_unit_test(the_version_is_that_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
