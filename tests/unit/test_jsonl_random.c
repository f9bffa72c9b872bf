/* SPDX-License-Identifier: Apache-2.0
 *
 * Random JSON, whole and damaged, against jansson: both refuse it, or both read the same values.
 */
#include "compress.h"
#include "records.h"

#include <jansson.h>

enum { ROUNDS = 30000, MOST = 2000 };

static void put(char *text, const char *piece) {
    strcat(text, piece);
}

static void put_string(char *text, uint64_t *random) {
    static const char *const PIECES[] = {"a",
                                         "b c",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\xC3\xA9",
                                         "\\/",
                                         "{",
                                         "\xF0\x9F\x98\x80",
                                         "longer than eight bytes",
                                         "\\u0041"};
    put(text, "\"");
    for (size_t n = check_random_below(random, 6); n > 0; n--) {
        put(text, PIECES[check_random_below(random, 13)]);
    }
    put(text, "\"");
}

static void put_blank(char *text, uint64_t *random) {
    static const char *const BLANKS[] = {"", "", " ", "\t", "  ", " \t "};
    put(text, BLANKS[check_random_below(random, 6)]);
}

static void put_object(char *text, size_t depth, bool is_top, uint64_t *random);

static void put_value(char *text, size_t depth, uint64_t *random) {
    static const char *const PLAIN[] = {"0",
                                        "-1",
                                        "17",
                                        "2.50",
                                        "1e3",
                                        "-0.125",
                                        "1E-7",
                                        "true",
                                        "false",
                                        "null",
                                        "0.1",
                                        "1234567890123",
                                        "3.141592653589793238",
                                        "\"\"",
                                        "1.0",
                                        "0.00012"};
    const size_t kind = check_random_below(random, depth > 0 ? 10 : 7);
    if (kind < 4) {
        put(text, PLAIN[check_random_below(random, 16)]);
    } else if (kind < 7) {
        put_string(text, random);
    } else if (kind == 7) {
        put_object(text, depth - 1, false, random);
    } else {
        put(text, "[");
        put_blank(text, random);
        for (size_t n = check_random_below(random, 4); n > 0; n--) {
            put_value(text, depth - 1, random);
            put_blank(text, random);
            put(text, n > 1 ? "," : "");
        }
        put(text, "]");
    }
}

/* Keys are distinct: of the top, the wanted ones among them. */
static void put_object(char *text, size_t depth, bool is_top, uint64_t *random) {
    const size_t n = check_random_below(random, 5);
    put(text, "{");
    put_blank(text, random);
    for (size_t i = 0; i < n; i++) {
        char key[40];
        snprintf(key, sizeof key, "\"%c%s\"", (char)('a' + i), is_top ? "" : "\\t");
        put(text, key);
        put_blank(text, random);
        put(text, ":");
        put_blank(text, random);
        put_value(text, depth, random);
        put_blank(text, random);
        put(text, i + 1 < n ? "," : "");
        put_blank(text, random);
    }
    put(text, "}");
}

/* Replaces, removes or doubles a byte. */
static void damage(char *text, uint64_t *random) {
    static const char BYTES[] = "{}[]:,\"\\u0e.-+1 tfn/\x01\xC3";
    const size_t length = strlen(text);
    const size_t at = check_random_below(random, length);
    switch (check_random_below(random, 3)) {
    case 0:
        text[at] = BYTES[check_random_below(random, sizeof BYTES - 1)];
        break;
    case 1:
        memmove(text + at, text + at + 1, length - at);
        break;
    default:
        memmove(text + at + 1, text + at, length - at + 1);
        break;
    }
}

/* The text of a value that is read, or NULL where it must be refused. */
static const char *text_of(const json_t *value, char shown[MOST]) {
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return json_string_value(value);
    case JSON_INTEGER:
        snprintf(shown, MOST, "%lld", (long long)json_integer_value(value));
        return shown;
    case JSON_REAL:
        for (int precision = 15; precision <= 17; precision++) {
            snprintf(shown, MOST, "%.*g", precision, json_real_value(value));
            if (strtod(shown, NULL) == json_real_value(value)) {
                break;
            }
        }
        return shown;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "";
    default:
        return NULL;
    }
}

/* What jansson refuses and we read: keys that are not wanted may repeat, numbers may be large. */
static bool is_our_matter(const json_error_t *problem) {
    const enum json_error_code code = json_error_code(problem);
    return code == json_error_duplicate_key || code == json_error_numeric_overflow;
}

/* Wanted values of the tail of a file, whose first record has been read. */
static void check_against(records *r, const json_t *object, const json_error_t *problem,
                          const char *text) {
    static const char *const NAMES[] = {"a", "b", "c"};
    const dip_field *field = NULL;
    const dip_status status = records_next(r, &field);
    if (!json_is_object(object)) {
        if (status == DIP_OK && !is_our_matter(problem)) {
            fail_msg("read, but jansson says %s: %s", problem->text, text);
        }
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        char shown[MOST];
        const char *expected = text_of(json_object_get(object, NAMES[i]), shown);
        /* Integers are as written. */
        if (status == DIP_OK && strcmp(field[i].text, "-0") == 0) {
            expected = expected != NULL && strcmp(expected, "0") == 0 ? "-0" : expected;
        }
        if ((expected == NULL && status == DIP_OK) ||
            (status == DIP_OK && strcmp(field[i].text, expected) != 0)) {
            fail_msg("%s: \"%s\", not \"%s\": %s", NAMES[i], field[i].text,
                     expected != NULL ? expected : "an error", text);
        }
        if (expected == NULL) {
            assert_int_equal(status, DIP_ERR_FORMAT);
            return;
        }
    }
    if (status != DIP_OK) {
        fail_msg("refused (%s), but jansson reads it: %s", check_error()->message, text);
    }
}

static void both_read_the_same(void **state) {
    static const char FIRST[] = "{\"a\": 1, \"b\": 2, \"c\": 3}\n";
    static char text[1 << 16];
    uint64_t random = 3;
    size_t read = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const char *path = check_path(*state, "x.jsonl");
        json_error_t problem = {0};
        records r;
        strcpy(text, FIRST);
        char *line = text + strlen(text);
        put_object(line, 4, true, &random);
        for (int n = round % 4; n > 1; n--) {
            damage(line, &random);
        }
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &problem);
        read += json_is_object(object);
        strcat(text, "\n");
        check_write_text(path, text);
        check_ok(records_open(&r, path, NULL));
        size_t columns[3] = {0, 1, 2};
        check_ok(dip_reader_select(r.reader, columns, NULL, 3, check_error()));
        check_record(&r, "1~2~3");
        if (line[0] != '\n') {
            check_against(&r, object, &problem, line);
        }
        records_close(&r);
        /* A file that is written anew in place is flushed by some file systems. */
        assert_int_equal(unlink(path), 0);
        json_decref(object);
    }
    assert_in_range(read, ROUNDS / 2, ROUNDS - 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(both_read_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
