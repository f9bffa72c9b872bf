/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML: a tree whose errors name file, line and column.
 */
#include "base/yaml.h"
#include "check.h"

static dip_status load(dip_yaml *yaml, check_folder *folder, const char *text) {
    check_write_text(check_path(folder, "p.yaml"), text);
    return dip_yaml_load(yaml, check_path(folder, "p.yaml"), check_error());
}

static void a_tree_is_walked_by_key_and_place(void **state) {
    dip_yaml yaml;
    dip_yaml_node *key = NULL;
    dip_yaml_node *value = NULL;
    check_ok(load(&yaml, *state, "a: 1\nlist: [x, 'y z', \"w\"]\nmap:\n  inner: deep\n"));
    dip_yaml_node *root = dip_yaml_root(&yaml);
    assert_true(dip_yaml_is_map(root));
    assert_int_equal(dip_yaml_count(root), 3);
    dip_yaml_at(&yaml, root, 1, &key, &value);
    assert_string_equal(dip_yaml_text(key), "list");
    assert_true(dip_yaml_is_list(value));
    assert_int_equal(dip_yaml_count(value), 3);
    dip_yaml_at(&yaml, value, 1, &key, &value);
    assert_null(key);
    assert_string_equal(dip_yaml_text(value), "y z");
    value = dip_yaml_get(&yaml, dip_yaml_get(&yaml, root, "map"), "inner");
    assert_string_equal(dip_yaml_text(value), "deep");
    assert_int_equal(dip_yaml_count(value), 0);
    assert_null(dip_yaml_get(&yaml, root, "none"));
    assert_null(dip_yaml_text(root));
    dip_yaml_free(&yaml);
}

static void errors_name_file_line_and_column(void **state) {
    static const struct {
        const char *text;
        dip_status status;
        const char *part;
    } CASES[] = {
        {"a: 1\nb: [1, 2\n", DIP_ERR_FORMAT, "p.yaml:3:1: not valid YAML"},
        {"a: 1\n\tb: 2\n", DIP_ERR_FORMAT, "p.yaml:2:1: not valid YAML"},
        {"a: \"open\n", DIP_ERR_FORMAT, "p.yaml:2:1: not valid YAML"},
        {"a: 1\nb: 2\n  a: 3\n", DIP_ERR_FORMAT, "p.yaml:3:4: not valid YAML"},
        {"a: 1\nb: 2\na: 3\n", DIP_ERR_USAGE, "p.yaml:3:1: key \"a\" is given twice"},
        {"m:\n  x: 1\n  y: 2\n  x: 3\n", DIP_ERR_USAGE, "p.yaml:4:3: key \"x\" is given twice"},
        {"a: 1\n? [1, 2]\n: 3\n", DIP_ERR_USAGE, "p.yaml:2:3: a key must be plain text"},
        {"", DIP_ERR_FORMAT, "mapping"},
        {"- a\n- b\n", DIP_ERR_FORMAT, "mapping"},
        {"just text\n", DIP_ERR_FORMAT, "mapping"},
        {"a: *nowhere\n", DIP_ERR_FORMAT, "p.yaml:1:"},
        {"a: \xFF\n", DIP_ERR_FORMAT, "p.yaml:1:"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_yaml yaml;
        check_fails(load(&yaml, *state, CASES[i].text), CASES[i].status, CASES[i].part);
    }
}

static void a_missing_file_is_named(void **state) {
    dip_yaml yaml;
    check_fails(dip_yaml_load(&yaml, check_path(*state, "none.yaml"), check_error()), DIP_ERR_IO,
                "none.yaml");
}

static void scalars_and_lists_become_text(void **state) {
    dip_yaml yaml;
    char text[32];
    check_ok(load(&yaml, *state, "a: 0.50\nb: [8, 4 , 2]\nc: []\nd: \"\"\ne: {}\nf: [[1]]\n"));
    dip_yaml_node *root = dip_yaml_root(&yaml);
    check_ok(
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "a"), text, sizeof text, check_error()));
    assert_string_equal(text, "0.50");
    check_ok(
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "b"), text, sizeof text, check_error()));
    assert_string_equal(text, "8,4,2");
    check_ok(
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "c"), text, sizeof text, check_error()));
    assert_string_equal(text, "");
    check_ok(
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "d"), text, sizeof text, check_error()));
    assert_string_equal(text, "");
    check_fails(
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "e"), text, sizeof text, check_error()),
        DIP_ERR_USAGE, "p.yaml:5:4: a plain value is expected");
    check_fails(
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "f"), text, sizeof text, check_error()),
        DIP_ERR_USAGE, "p.yaml:6:5: a plain value is expected");
    dip_yaml_free(&yaml);
}

static void a_text_fits_or_is_refused(void **state) {
    dip_yaml yaml;
    char text[4];
    check_ok(load(&yaml, *state, "a: abc\nb: abcd\nc: [1, 2, 3]\nd: \"a\\0b\"\n"));
    dip_yaml_node *root = dip_yaml_root(&yaml);
    check_ok(dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "a"), text, 4, check_error()));
    assert_string_equal(text, "abc");
    check_fails(dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "b"), text, 4, check_error()),
                DIP_ERR_USAGE, "p.yaml:2:4: ");
    check_fails(dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "c"), text, 4, check_error()),
                DIP_ERR_USAGE, "p.yaml:3:4: ");
    check_fails(dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "d"), text, 4, check_error()),
                DIP_ERR_USAGE, "p.yaml:4:4: ");
    dip_yaml_free(&yaml);
}

/* A list member with a NUL byte must not be cut at it silently. */
static void a_nul_byte_in_a_list_is_refused(void **state) {
    dip_yaml yaml;
    char text[32];
    check_ok(load(&yaml, *state, "a: [\"1\\0x\", 2]\n"));
    dip_yaml_node *root = dip_yaml_root(&yaml);
    const dip_status status =
        dip_yaml_scalar(&yaml, dip_yaml_get(&yaml, root, "a"), text, sizeof text, check_error());
    dip_yaml_free(&yaml);
    assert_int_equal(status, DIP_ERR_USAGE);
}

static void locate_puts_the_place_before_a_text(void **state) {
    dip_yaml yaml;
    check_ok(load(&yaml, *state, "a: 1\nbc:   deep\n"));
    const dip_yaml_node *node = dip_yaml_get(&yaml, dip_yaml_root(&yaml), "bc");
    check_fails(dip_yaml_fail(&yaml, node, check_error(), "bad \"%s\"", "x"), DIP_ERR_USAGE,
                "p.yaml:2:7: bad \"x\"");
    dip_fail(check_error(), DIP_ERR_FORMAT, "inner");
    assert_int_equal(dip_yaml_locate(&yaml, node, DIP_ERR_FORMAT, check_error()), DIP_ERR_FORMAT);
    assert_non_null(strstr(check_error()->message, "p.yaml:2:7: inner"));
    dip_yaml_free(&yaml);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(a_tree_is_walked_by_key_and_place),
        check_test_in_folder(errors_name_file_line_and_column),
        check_test_in_folder(a_missing_file_is_named),
        check_test_in_folder(scalars_and_lists_become_text),
        check_test_in_folder(a_text_fits_or_is_refused),
        check_test_in_folder(a_nul_byte_in_a_list_is_refused),
        check_test_in_folder(locate_puts_the_place_before_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
