/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Far beyond any project file, and small enough that no content makes the parser slow. */
enum { YAML_LIMIT = 1 << 20, YAML_DEPTH = 256, YAML_ENTRIES = 4096 };

/* The line of a byte; the reader's errors come with an offset only. */
static size_t line_of(const yaml_parser_t *parser, size_t offset) {
    const unsigned char *text = parser->input.string.start;
    size_t line = 1;
    for (size_t i = 0; i < offset && text + i < parser->input.string.end; i++) {
        line += text[i] == '\n';
    }
    return line;
}

static dip_status parse_problem(const yaml_parser_t *parser, const char *path, dip_error *err) {
    if (parser->error == YAML_MEMORY_ERROR || parser->problem == NULL) {
        return dip_fail(err, DIP_ERR_MEMORY, "out of memory while reading %s", path);
    }
    if (parser->error == YAML_READER_ERROR) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%zu: not valid YAML: byte %zu of the file: %s",
                        path, line_of(parser, parser->problem_offset), parser->problem_offset + 1,
                        parser->problem);
    }
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%zu:%zu: not valid YAML: %s", path,
                    parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                    parser->problem);
}

/* A second document would be ignored silently. */
static dip_status check_end(yaml_parser_t *parser, const char *path, dip_error *err) {
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next)) {
        return parse_problem(parser, path, err);
    }
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    const size_t line = next.start_mark.line + 1;
    yaml_document_delete(&next);
    return root == NULL
               ? DIP_OK
               : dip_fail(err, DIP_ERR_FORMAT, "%s:%zu: a second document begins; a file holds one",
                          path, line);
}

static dip_status parse_document(dip_yaml *yaml, const char *text, size_t bytes, dip_error *err) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return dip_fail(err, DIP_ERR_MEMORY, "out of memory while reading %s", yaml->path);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    dip_status status = DIP_OK;
    if (yaml_parser_load(&parser, &yaml->document)) {
        yaml->is_loaded = true;
        status = check_end(&parser, yaml->path, err);
    } else {
        status = parse_problem(&parser, yaml->path, err);
    }
    yaml_parser_delete(&parser);
    return status;
}

static dip_status check_duplicates(dip_yaml *yaml, dip_error *err) {
    for (dip_yaml_node *node = yaml->document.nodes.start; node < yaml->document.nodes.top;
         node++) {
        if (dip_yaml_is_map(node) && dip_yaml_count(node) > YAML_ENTRIES) {
            return dip_yaml_fail(yaml, node, err, "a mapping of %zu keys, more than %d",
                                 dip_yaml_count(node), YAML_ENTRIES);
        }
        for (size_t i = 0; dip_yaml_is_map(node) && i < dip_yaml_count(node); i++) {
            dip_yaml_node *key = NULL;
            dip_yaml_node *value = NULL;
            dip_yaml_at(yaml, node, i, &key, &value);
            if (dip_yaml_text(key) == NULL) {
                return dip_yaml_fail(yaml, key, err, "a key must be plain text");
            }
            if (dip_yaml_get(yaml, node, dip_yaml_text(key)) != value) {
                return dip_yaml_fail(yaml, key, err, "key \"%s\" is given twice",
                                     dip_yaml_text(key));
            }
        }
    }
    return DIP_OK;
}

/* Time of libyaml grows with the square of the nesting of brackets. They are counted before it
 * starts, those in texts and comments too: nobody leaves 256 of them open. */
static dip_status check_depth(const char *text, size_t bytes, const char *path, dip_error *err) {
    int64_t depth = 0;
    size_t line = 1;
    for (size_t i = 0; i < bytes; i++) {
        line += text[i] == '\n';
        depth += (text[i] == '[' || text[i] == '{') - (text[i] == ']' || text[i] == '}');
        if (depth > YAML_DEPTH) {
            return dip_fail(err, DIP_ERR_FORMAT,
                            "%s:%zu: not valid YAML: more than %d open brackets", path, line,
                            YAML_DEPTH);
        }
    }
    return DIP_OK;
}

static dip_status parse(dip_yaml *yaml, const char *text, size_t bytes, const char *path,
                        dip_error *err) {
    yaml->path = dip_copy_text(path, strlen(path), "a path", err);
    if (yaml->path == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(check_depth(text, bytes, path, err));
    DIP_TRY(parse_document(yaml, text, bytes, err));
    const dip_yaml_node *root = dip_yaml_root(yaml);
    if (root == NULL || !dip_yaml_is_map(root)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: no mapping of keys to values is in it", path);
    }
    return check_duplicates(yaml, err);
}

dip_status dip_yaml_parse(dip_yaml *yaml, const char *text, size_t bytes, const char *path,
                          dip_error *err) {
    memset(yaml, 0, sizeof *yaml);
    const dip_status status = parse(yaml, text, bytes, path, err);
    if (status != DIP_OK) {
        dip_yaml_free(yaml);
    }
    return status;
}

dip_status dip_yaml_load(dip_yaml *yaml, const char *path, dip_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    memset(yaml, 0, sizeof *yaml);
    DIP_TRY(dip_read_file(path, YAML_LIMIT, &text, &bytes, err));
    const dip_status status = dip_yaml_parse(yaml, text, bytes, path, err);
    dip_free(text);
    return status;
}

void dip_yaml_free(dip_yaml *yaml) {
    if (yaml->is_loaded) {
        yaml_document_delete(&yaml->document);
    }
    dip_free(yaml->path);
    memset(yaml, 0, sizeof *yaml);
}

dip_yaml_node *dip_yaml_root(dip_yaml *yaml) {
    return yaml_document_get_root_node(&yaml->document);
}

bool dip_yaml_is_map(const dip_yaml_node *node) {
    return node->type == YAML_MAPPING_NODE;
}

bool dip_yaml_is_list(const dip_yaml_node *node) {
    return node->type == YAML_SEQUENCE_NODE;
}

const char *dip_yaml_text(const dip_yaml_node *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

size_t dip_yaml_count(const dip_yaml_node *node) {
    if (node->type == YAML_MAPPING_NODE) {
        return (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    }
    return 0;
}

void dip_yaml_at(dip_yaml *yaml, const dip_yaml_node *node, size_t index, dip_yaml_node **key,
                 dip_yaml_node **value) {
    if (node->type == YAML_MAPPING_NODE) {
        const yaml_node_pair_t *pair = node->data.mapping.pairs.start + index;
        *key = yaml_document_get_node(&yaml->document, pair->key);
        *value = yaml_document_get_node(&yaml->document, pair->value);
        return;
    }
    *key = NULL;
    *value = yaml_document_get_node(&yaml->document, node->data.sequence.items.start[index]);
}

dip_yaml_node *dip_yaml_get(dip_yaml *yaml, const dip_yaml_node *map, const char *key) {
    for (size_t i = 0; i < dip_yaml_count(map); i++) {
        dip_yaml_node *name_node = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(yaml, map, i, &name_node, &value);
        const char *name = name_node != NULL ? dip_yaml_text(name_node) : NULL;
        if (name != NULL && strcmp(name, key) == 0) {
            return value;
        }
    }
    return NULL;
}

/* The text of a scalar, which is not cut by a NUL byte. */
static dip_status plain_text(const dip_yaml *yaml, const dip_yaml_node *node, const char **text,
                             dip_error *err) {
    *text = dip_yaml_text(node);
    if (*text == NULL) {
        return dip_yaml_fail(yaml, node, err, "a plain value is expected");
    }
    if (strlen(*text) != node->data.scalar.length) {
        return dip_yaml_fail(yaml, node, err, "the value holds a NUL byte");
    }
    return DIP_OK;
}

static dip_status join_list(dip_yaml *yaml, const dip_yaml_node *list, char *text, size_t capacity,
                            dip_error *err) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < dip_yaml_count(list); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(yaml, list, i, &key, &value);
        const char *part = NULL;
        DIP_TRY(plain_text(yaml, value, &part, err));
        const int n = snprintf(text + used, capacity - used, "%s%s", i > 0 ? "," : "", part);
        if (n < 0 || (size_t)n >= capacity - used) {
            return dip_yaml_fail(yaml, list, err, "the list is too long");
        }
        used += (size_t)n;
    }
    return DIP_OK;
}

dip_status dip_yaml_scalar(dip_yaml *yaml, const dip_yaml_node *node, char *text, size_t capacity,
                           dip_error *err) {
    if (dip_yaml_is_list(node)) {
        return join_list(yaml, node, text, capacity, err);
    }
    const char *value = NULL;
    DIP_TRY(plain_text(yaml, node, &value, err));
    if (strlen(value) >= capacity) {
        return dip_yaml_fail(yaml, node, err, "the value is too long");
    }
    memcpy(text, value, strlen(value) + 1);
    return DIP_OK;
}

dip_status dip_yaml_fail(const dip_yaml *yaml, const dip_yaml_node *node, dip_error *err,
                         const char *format, ...) {
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dip_fail(err, DIP_ERR_USAGE, "%s", text);
    return dip_yaml_locate(yaml, node, DIP_ERR_USAGE, err);
}

dip_status dip_yaml_locate(const dip_yaml *yaml, const dip_yaml_node *node, dip_status status,
                           dip_error *err) {
    return dip_fail_context(err, status, "%s:%zu:%zu", yaml->path, node->start_mark.line + 1,
                            node->start_mark.column + 1);
}
