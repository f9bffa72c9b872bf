/* SPDX-License-Identifier: Apache-2.0 */
#include "grad/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One whole token as a number; strtod reads "nan" too. */
static double read_number(const vector_file *file, FILE *stream, const char *what) {
    char text[40];
    char *end = text;
    double number = 0;
    if (fscanf(stream, "%39s", text) == 1) {
        number = strtod(text, &end);
    }
    if (end == text || *end != '\0') {
        fail_msg("%s: %s lacks a number", file->name, what);
    }
    return number;
}

static void read_array(vector_file *file, FILE *stream) {
    assert_true(file->n < VECTOR_ARRAYS_MAX);
    vector_array *array = &file->list[file->n++];
    assert_int_equal(fscanf(stream, "%99s", array->name), 1);
    array->rows = (size_t)read_number(file, stream, array->name);
    array->columns = (size_t)read_number(file, stream, array->name);
    const size_t n = array->rows * array->columns;
    array->data = calloc(n, sizeof *array->data);
    assert_non_null(array->data);
    for (size_t i = 0; i < n; i++) {
        array->data[i] = read_number(file, stream, array->name);
    }
}

static void read_line(vector_file *file, FILE *stream, const char *word) {
    char key[VECTOR_NAME_MAX];
    char value[VECTOR_NAME_MAX];
    if (strcmp(word, "#") == 0) {
        assert_int_equal(fscanf(stream, "%*[^\n]"), 0);
    } else if (strcmp(word, "option") == 0) {
        assert_int_equal(fscanf(stream, "%99s %99s", key, value), 2);
        tiny_set(&file->config, key, value);
    } else if (strcmp(word, "kind") == 0) {
        assert_int_equal(fscanf(stream, "%99s", value), 1);
        file->kind = strcmp(value, "own") == 0 ? TINY_OWN_QUERIES : TINY_ITEMS_ARE_QUERIES;
    } else if (strcmp(word, "array") == 0) {
        read_array(file, stream);
    } else {
        fail_msg("%s: unknown word %s", file->name, word);
    }
}

vector_file *vector_read(const char *name) {
    char path[1000];
    char word[VECTOR_NAME_MAX];
    vector_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    snprintf(file->name, sizeof file->name, "%s.txt", name);
    snprintf(path, sizeof path, "%s/tests/vectors/%s", DIP_SOURCE_DIR, file->name);
    dip_options_default(&dip_config_table, &file->config, sizeof file->config);
    tiny_set(&file->config, "train.precision", "fp32");
    FILE *stream = fopen(path, "r");
    if (stream == NULL) {
        fail_msg("cannot open %s", path);
    }
    while (fscanf(stream, "%99s", word) == 1) {
        read_line(file, stream, word);
    }
    fclose(stream);
    return file;
}

const vector_array *vector_find(const vector_file *file, const char *name) {
    for (size_t i = 0; i < file->n; i++) {
        if (strcmp(file->list[i].name, name) == 0) {
            return &file->list[i];
        }
    }
    return NULL;
}

const double *vector_get(const vector_file *file, const char *prefix, const char *name, size_t n) {
    char whole[VECTOR_NAME_MAX + DIP_PARAM_NAME_MAX];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    const vector_array *array = vector_find(file, whole);
    if (array == NULL || array->rows * array->columns != n) {
        fail_msg("%s: no array %s of %zu elements", file->name, whole, n);
        return NULL;
    }
    return array->data;
}

void vector_free(vector_file *file) {
    for (size_t i = 0; i < file->n; i++) {
        free(file->list[i].data);
    }
    free(file);
}
