/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of text files beside a naive cut, and what is written as YAML read again.
 */
#include "base/yaml.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"
#include "import/lines.h"
#include "import/yaml_text.h"

#include <stdlib.h>
#include <string.h>

/* A text in quotes is read by libyaml as it was. */
static void quote_and_read(const char *text, size_t length) {
    dip_text yaml = {0};
    dip_yaml parsed;
    dip_error err = {DIP_OK, ""};
    CLAIM(dip_text_put(&yaml, "key: ", 5, NULL) == DIP_OK);
    CLAIM(dip_yaml_put_quoted(&yaml, text, length, NULL) == DIP_OK);
    CLAIM(dip_text_put(&yaml, "\n", 1, NULL) == DIP_OK);
    const dip_status status = dip_yaml_parse(&parsed, yaml.data, yaml.length, "q.yaml", &err);
    if (strpbrk(yaml.data, "[{") == NULL) {
        CLAIM(status == DIP_OK);
    }
    if (status == DIP_OK) {
        const dip_yaml_node *value = dip_yaml_get(&parsed, dip_yaml_root(&parsed), "key");
        CLAIM(value != NULL && dip_yaml_text(value) != NULL);
        CLAIM(value->data.scalar.length == length);
        CLAIM(memcmp(dip_yaml_text(value), text, length) == 0);
        dip_yaml_free(&parsed);
    }
    dip_text_free(&yaml);
}

static void check_lines(const char *text, size_t bytes) {
    dip_lines lines;
    dip_error err = {DIP_OK, ""};
    size_t begin = 0;
    uint64_t number = 0;
    CLAIM(dip_lines_open(&lines, MEMORY_ROOT "input.txt", &err) == DIP_OK);
    while (begin < bytes) {
        size_t end = begin;
        const char *line = NULL;
        size_t length = 0;
        while (end < bytes && text[end] != '\n') {
            end++;
        }
        const size_t expected = end - begin - (end > begin && text[end - 1] == '\r');
        CLAIM(dip_lines_next(&lines, &line, &length, &err) == DIP_OK);
        CLAIM(length == expected && memcmp(line, text + begin, length) == 0);
        CLAIM(lines.number == ++number);
        begin = end + 1;
    }
    const char *line = NULL;
    size_t length = 0;
    CLAIM(dip_lines_next(&lines, &line, &length, &err) == DIP_END);
    dip_lines_close(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static bool is_ready;
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    memory_file_put("input.txt", data, bytes);
    char *text = copy_of(data, bytes);
    check_lines(text, bytes);
    if (dip_utf8_check(text, bytes) == bytes) {
        quote_and_read(text, bytes);
    }
    free(text);
    return 0;
}
