/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: errors with their place, typed look-ups, and a canonical text.
 */
#include "base/json.h"
#include "check.h"

static dip_status parse(json_t **json, const char *text) {
    return dip_json_parse(json, text, strlen(text), "x.json", check_error());
}

static void errors_name_line_and_column(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *place;
    } CASES[] = {
        {"", "x.json:1:0: "},
        {"{", "x.json:1:1: "},
        {"{\"a\": 1,\n \"b\": }", "x.json:2:7: "},
        {"{\"a\": 1,\n\n \"b\" 2}", "x.json:3:6: "},
        {"[1, 2\n", "x.json:2:0: "},
        {"{\"a\": 1, \"a\": 2}", "x.json:1:"},
        {"{\"a\": NaN}", "x.json:1:9: "},
        {"{\"a\": \"\xFF\"}", "x.json:1:"},
        {"{\"a\": \"\\u0000\"}", "x.json:1:"},
        {"{} x", "x.json:1:4: "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        json_t *json = NULL;
        check_fails(parse(&json, CASES[i].text), DIP_ERR_FORMAT, CASES[i].place);
        assert_null(json);
    }
}

static void a_key_given_twice_is_refused(void **state) {
    (void)state;
    json_t *json = NULL;
    check_fails(parse(&json, "{\"a\": 1, \"b\": {\"c\": 1, \"c\": 1}}"), DIP_ERR_FORMAT,
                "duplicate");
}

static void look_ups_return_what_is_there(void **state) {
    (void)state;
    json_t *json = NULL;
    const char *text = NULL;
    int64_t integer = 0;
    double number = 0;
    json_t *part = NULL;
    check_ok(parse(&json, "{\"t\": \"x\", \"i\": -5, \"n\": 0.5, \"o\": {}, \"a\": [1]}"));
    check_ok(dip_json_text(json, "t", &text, check_error()));
    assert_string_equal(text, "x");
    check_ok(dip_json_integer(json, "i", -5, -5, &integer, check_error()));
    assert_int_equal(integer, -5);
    check_ok(dip_json_number(json, "n", &number, check_error()));
    assert_true(number == 0.5);
    check_ok(dip_json_number(json, "i", &number, check_error()));
    assert_true(number == -5);
    check_ok(dip_json_object(json, "o", &part, check_error()));
    assert_true(json_is_object(part));
    check_ok(dip_json_array(json, "a", &part, check_error()));
    assert_int_equal(json_array_size(part), 1);
    json_decref(json);
}

static void look_ups_name_a_missing_key(void **state) {
    (void)state;
    json_t *json = json_object();
    const char *text = NULL;
    int64_t integer = 0;
    double number = 0;
    json_t *part = NULL;
    check_fails(dip_json_text(json, "k", &text, check_error()), DIP_ERR_FORMAT, "\"k\"");
    check_fails(dip_json_integer(json, "k", 0, 9, &integer, check_error()), DIP_ERR_FORMAT,
                "\"k\"");
    check_fails(dip_json_number(json, "k", &number, check_error()), DIP_ERR_FORMAT, "\"k\"");
    check_fails(dip_json_object(json, "k", &part, check_error()), DIP_ERR_FORMAT, "\"k\"");
    check_fails(dip_json_array(json, "k", &part, check_error()), DIP_ERR_FORMAT, "missing");
    json_decref(json);
}

static void look_ups_refuse_another_type(void **state) {
    (void)state;
    json_t *json = NULL;
    const char *text = NULL;
    int64_t integer = 7;
    double number = 7;
    json_t *part = NULL;
    check_ok(parse(&json, "{\"n\": null, \"t\": \"5\", \"r\": 5.0, \"b\": true, \"a\": []}"));
    check_fails(dip_json_text(json, "n", &text, check_error()), DIP_ERR_FORMAT, "not a string");
    check_fails(dip_json_integer(json, "t", 0, 9, &integer, check_error()), DIP_ERR_FORMAT,
                "not an integer");
    check_fails(dip_json_integer(json, "r", 0, 9, &integer, check_error()), DIP_ERR_FORMAT,
                "not an integer");
    check_fails(dip_json_number(json, "b", &number, check_error()), DIP_ERR_FORMAT, "not a number");
    check_fails(dip_json_object(json, "a", &part, check_error()), DIP_ERR_FORMAT, "not an object");
    check_fails(dip_json_array(json, "t", &part, check_error()), DIP_ERR_FORMAT, "not an array");
    assert_int_equal(integer, 7);
    assert_true(number == 7);
    json_decref(json);
}

static void integers_keep_to_their_range(void **state) {
    (void)state;
    json_t *json = NULL;
    int64_t integer = 7;
    check_ok(parse(&json, "{\"i\": 10, \"big\": 9223372036854775807}"));
    check_fails(dip_json_integer(json, "i", 0, 9, &integer, check_error()), DIP_ERR_FORMAT,
                "is 10, outside 0 to 9");
    check_fails(dip_json_integer(json, "i", 11, 19, &integer, check_error()), DIP_ERR_FORMAT, "10");
    assert_int_equal(integer, 7);
    check_ok(dip_json_integer(json, "i", 10, 10, &integer, check_error()));
    check_ok(dip_json_integer(json, "big", 0, INT64_MAX, &integer, check_error()));
    assert_true(integer == INT64_MAX);
    json_decref(json);
    check_fails(parse(&json, "{\"i\": 9223372036854775808}"), DIP_ERR_FORMAT, "x.json:1:");
}

static void a_value_that_could_not_be_made_is_reported(void **state) {
    (void)state;
    json_t *object = json_object();
    json_t *array = json_array();
    check_fails(dip_json_set(object, "k", NULL, check_error()), DIP_ERR_MEMORY, "memory");
    check_fails(dip_json_append(array, NULL, check_error()), DIP_ERR_MEMORY, "memory");
    assert_int_equal(json_object_size(object), 0);
    assert_int_equal(json_array_size(array), 0);
    json_decref(object);
    json_decref(array);
}

static void the_text_keeps_the_order_of_keys_and_reads_back(void **state) {
    (void)state;
    static const char SOURCE[] =
        "{\"z\": 1, \"a\": [0.1, 1e300, -0.0, 5e-324], \"\xC3\xA9\": \"\xF0\x9F\x98\x80\\n\"}";
    json_t *json = NULL;
    json_t *again = NULL;
    char *text = NULL;
    char *second = NULL;
    check_ok(parse(&json, SOURCE));
    check_ok(dip_json_dump(json, &text, check_error()));
    for (const char *at = text; *at != '\0'; at++) {
        assert_true((unsigned char)*at < 0x80);
    }
    assert_true(strstr(text, "\"z\"") < strstr(text, "\"a\""));
    check_ok(parse(&again, text));
    assert_true(json_equal(json, again));
    check_ok(dip_json_dump(again, &second, check_error()));
    assert_string_equal(text, second);
    dip_free(text);
    dip_free(second);
    dip_free(NULL);
    json_decref(json);
    json_decref(again);
}

/* json.h promises it; tools such as diff and cat want it. */
static void the_text_ends_with_a_newline(void **state) {
    (void)state;
    json_t *json = json_object();
    char *text = NULL;
    check_ok(dip_json_dump(json, &text, check_error()));
    const size_t length = strlen(text);
    const char last = text[length - 1];
    dip_free(text);
    json_decref(json);
    assert_int_equal(last, '\n');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(a_key_given_twice_is_refused),
        cmocka_unit_test(look_ups_return_what_is_there),
        cmocka_unit_test(look_ups_name_a_missing_key),
        cmocka_unit_test(look_ups_refuse_another_type),
        cmocka_unit_test(integers_keep_to_their_range),
        cmocka_unit_test(a_value_that_could_not_be_made_is_reported),
        cmocka_unit_test(the_text_keeps_the_order_of_keys_and_reads_back),
        cmocka_unit_test(the_text_ends_with_a_newline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
