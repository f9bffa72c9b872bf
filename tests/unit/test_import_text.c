/* SPDX-License-Identifier: Apache-2.0
 *
 * What imports read and write as text: lines of every length, and YAML that reads back.
 */
#include "base/yaml.h"
#include "check.h"
#include "compress.h"
#include "import/lines.h"
#include "import/yaml_text.h"

/* Lengths around the size of a read, and much longer. */
static const size_t LENGTHS[] = {0, 1, 262142, 262143, 262144, 262145, 3, 0, 1000000, 5, 0};
enum { N_LENGTHS = sizeof LENGTHS / sizeof LENGTHS[0] };

/* Lines with an ending, the last one without; *text is malloc()ed. */
static size_t make_text(char **text, const char *ending) {
    size_t used = 0;
    *text = malloc((size_t)4 << 20);
    assert_non_null(*text);
    for (size_t i = 0; i < N_LENGTHS; i++) {
        memset(*text + used, (int)('a' + i), LENGTHS[i]);
        used += LENGTHS[i];
        if (i + 1 < N_LENGTHS) {
            memcpy(*text + used, ending, strlen(ending));
            used += strlen(ending);
        }
    }
    return used;
}

static void lines_are_cut_wherever_reads_end(void **state) {
    static const char *const NAMES[] = {"a.txt", "a.txt.gz", "a.txt.zst"};
    static const char *const ENDINGS[] = {"\n", "\r\n"};
    for (size_t k = 0; k < 6; k++) {
        char *text = NULL;
        dip_lines lines;
        const char *line = NULL;
        size_t length = 0;
        const size_t bytes = make_text(&text, ENDINGS[k % 2]);
        const char *path = check_path(*state, NAMES[k / 2]);
        compress_to(path, text, bytes, 3);
        check_ok(dip_lines_open(&lines, path, check_error()));
        /* The last line is empty and has no end: it is none. */
        for (size_t i = 0; i + 1 < N_LENGTHS; i++) {
            check_ok(dip_lines_next(&lines, &line, &length, check_error()));
            assert_int_equal(length, LENGTHS[i]);
            assert_int_equal(lines.number, i + 1);
            assert_true(length == 0 ||
                        (line[0] == (char)('a' + i) && line[length - 1] == (char)('a' + i)));
        }
        assert_int_equal(dip_lines_next(&lines, &line, &length, check_error()), DIP_END);
        dip_lines_close(&lines);
        free(text);
    }
}

static void a_last_line_needs_no_end(void **state) {
    const char *path = check_path(*state, "a.txt");
    dip_lines lines;
    const char *line = NULL;
    size_t length = 0;
    check_write_text(path, "one\r\ntwo");
    check_ok(dip_lines_open(&lines, path, check_error()));
    check_ok(dip_lines_next(&lines, &line, &length, check_error()));
    assert_int_equal(length, 3);
    check_ok(dip_lines_next(&lines, &line, &length, check_error()));
    assert_int_equal(length, 3);
    assert_memory_equal(line, "two", 3);
    assert_int_equal(dip_lines_next(&lines, &line, &length, check_error()), DIP_END);
    dip_lines_close(&lines);
}

static void a_line_without_end_is_bounded(void **state) {
    const size_t bytes = DIP_LINE_LIMIT + (2 << 20);
    const char *path = check_path(*state, "a.txt.gz");
    char *text = calloc(bytes, 1);
    dip_lines lines;
    const char *line = NULL;
    size_t length = 0;
    assert_non_null(text);
    compress_to(path, text, bytes, 1);
    check_ok(dip_lines_open(&lines, path, check_error()));
    check_fails(dip_lines_next(&lines, &line, &length, check_error()), DIP_ERR_FORMAT,
                ":1: the line is longer than 16 MiB");
    dip_lines_close(&lines);
    free(text);
}

/* A character as UTF-8; returns its length. */
static size_t encode(uint32_t c, char text[4]) {
    if (c < 0x80) {
        text[0] = (char)c;
        return 1;
    }
    const size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; c >>= 6) {
        text[i] = (char)(0x80 | (c & 0x3F));
    }
    text[0] = (char)((0xF00u >> size) | c);
    return size;
}

/* Every character but NUL and surrogates, in texts of a thousand: libyaml reads them back. */
static void quoted_text_reads_back(void **state) {
    const char *path = check_path(*state, "a.yaml");
    for (uint32_t first = 1; first < 0x110000; first += 1000) {
        char text[4096];
        size_t length = 0;
        dip_text yaml = {0};
        dip_yaml document;
        for (uint32_t c = first; c < first + 1000 && c < 0x110000; c++) {
            length += c < 0xD800 || c > 0xDFFF ? encode(c, text + length) : 0;
        }
        check_ok(dip_text_put(&yaml, "key: ", 5, check_error()));
        check_ok(dip_yaml_put_quoted(&yaml, text, length, check_error()));
        check_write(path, yaml.data, yaml.length);
        check_ok(dip_yaml_load(&document, path, check_error()));
        const dip_yaml_node *node = dip_yaml_get(&document, dip_yaml_root(&document), "key");
        assert_int_equal(node->data.scalar.length, length);
        assert_memory_equal(node->data.scalar.value, text, length);
        dip_yaml_free(&document);
        dip_text_free(&yaml);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(lines_are_cut_wherever_reads_end),
        check_test_in_folder(a_last_line_needs_no_end),
        check_test_in_folder(a_line_without_end_is_bounded),
        check_test_in_folder(quoted_text_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
