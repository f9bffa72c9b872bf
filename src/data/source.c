/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source.h"

#include "base/file.h"
#include "base/mem.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_FILES_MAX = 100000 };

#define SOURCE(member) offsetof(dip_source, member)

/* clang-format off */
static const dip_option ROWS[] = {
    {"format", DIP_OPTION_CHOICE, SOURCE(format), "auto", 0, 0, "auto|tsv|csv|jsonl|parquet|arrow",
     "how the files are written, when their names do not say it"},
    {"delimiter", DIP_OPTION_TEXT, SOURCE(delimiter), "", 0, 0, NULL,
     "what stands between the columns, when it is no tab and no comma"},
    {"encoding", DIP_OPTION_CHOICE, SOURCE(encoding), "utf8", 0, 0, "utf8|latin1",
     "the characters of the files"},
};
/* clang-format on */

const dip_option_table dip_source_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};

bool dip_source_has_key(const char *key) {
    return strcmp(key, "file") == 0 || strcmp(key, "columns") == 0 ||
           dip_options_find(&dip_source_table, key) != NULL;
}

void dip_source_free(dip_source *source) {
    dip_names_free(&source->files);
    dip_names_free(&source->columns);
    memset(source, 0, sizeof *source);
}

static dip_status copy_names(dip_names *copy, const dip_names *names, dip_error *err) {
    *copy = (dip_names){0};
    return dip_names_add_all(copy, (const char *const *)names->name, names->n, err);
}

dip_status dip_source_copy(dip_source *copy, const dip_source *source, dip_error *err) {
    *copy = *source;
    copy->columns = (dip_names){0};
    DIP_TRY(copy_names(&copy->files, &source->files, err));
    return copy_names(&copy->columns, &source->columns, err);
}

/* ---- from the project file ------------------------------------------------------------------- */

static dip_status add_name(dip_names *names, const dip_yaml *yaml, const dip_yaml_node *node,
                           dip_error *err) {
    const char *name = dip_yaml_text(node);
    if (name == NULL || name[0] == '\0' || strlen(name) != node->data.scalar.length) {
        return dip_yaml_fail(yaml, node, err, "a name is expected, or a list of names");
    }
    return dip_names_add(names, name, strlen(name), err);
}

static dip_status read_names(dip_names *names, dip_yaml *yaml, const dip_yaml_node *node,
                             dip_error *err) {
    if (!dip_yaml_is_list(node)) {
        return add_name(names, yaml, node, err);
    }
    if (dip_yaml_count(node) == 0) {
        return dip_yaml_fail(yaml, node, err, "the list is empty");
    }
    for (size_t i = 0; i < dip_yaml_count(node); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(yaml, node, i, &key, &value);
        DIP_TRY(add_name(names, yaml, value, err));
    }
    return DIP_OK;
}

dip_status dip_source_set(dip_source *source, dip_yaml *yaml, const dip_yaml_node *key,
                          const dip_yaml_node *value, dip_error *err) {
    const char *name = dip_yaml_text(key);
    char text[DIP_VALUE_MAX];
    if (strcmp(name, "file") == 0) {
        source->line = value->start_mark.line + 1;
        source->position = value->start_mark.column + 1;
        return read_names(&source->files, yaml, value, err);
    }
    if (strcmp(name, "columns") == 0) {
        return read_names(&source->columns, yaml, value, err);
    }
    DIP_TRY(dip_yaml_scalar(yaml, value, text, sizeof text, err));
    const dip_status status = dip_options_set(&dip_source_table, source, name, text, err);
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(yaml, key, status, err);
}

/* ---- patterns -------------------------------------------------------------------------------- */

static dip_status at_place(const dip_source *source, const char *project, dip_status status,
                           dip_error *err) {
    return status == DIP_OK ? DIP_OK
                            : dip_fail_context(err, status, "%s:%zu:%zu", project, source->line,
                                               source->position);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* folder/name as a pattern in which only the name has special characters. */
static dip_status make_pattern(dip_text *pattern, const char *folder, const char *name,
                               dip_error *err) {
    for (const char *c = folder; name[0] != '/' && *c != '\0'; c++) {
        if (strchr("*?[]\\", *c) != NULL) {
            DIP_TRY(dip_text_put(pattern, "\\", 1, err));
        }
        DIP_TRY(dip_text_put(pattern, c, 1, err));
    }
    if (name[0] != '/') {
        DIP_TRY(dip_text_put(pattern, "/", 1, err));
    }
    return dip_text_put(pattern, name, strlen(name), err);
}

static dip_status add_matches(dip_names *list, const glob_t *found, dip_error *err) {
    const size_t first = list->n;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        DIP_TRY(dip_names_add(list, found->gl_pathv[i], strlen(found->gl_pathv[i]), err));
    }
    qsort(list->name + first, list->n - first, sizeof *list->name, by_bytes);
    return DIP_OK;
}

static dip_status expand(dip_names *list, const char *folder, const char *name, dip_error *err) {
    glob_t found = {0};
    dip_text pattern = {0};
    dip_status status = make_pattern(&pattern, folder, name, err);
    const int outcome = status == DIP_OK ? glob(pattern.data, GLOB_NOSORT, NULL, &found) : 0;
    if (outcome == GLOB_NOMATCH) {
        status = dip_fail(err, DIP_ERR_USAGE, "no file matches \"%s\"", name);
    } else if (outcome == GLOB_NOSPACE) {
        status = dip_fail(err, DIP_ERR_MEMORY, "out of memory for the files of \"%s\"", name);
    } else if (outcome != 0) {
        status = dip_fail(err, DIP_ERR_IO, "the folders of \"%s\" cannot be read", name);
    }
    if (status == DIP_OK) {
        status = add_matches(list, &found, err);
    }
    globfree(&found);
    dip_text_free(&pattern);
    return status;
}

/* A name with special characters is taken as it is when there is such a file. */
static dip_status add_path(dip_names *list, const char *folder, const char *name, dip_error *err) {
    char *path = name[0] == '/' ? dip_copy_text(name, strlen(name), "a path", err)
                                : dip_path_join(folder, name, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    const bool is_pattern = strpbrk(name, "*?[") != NULL && !dip_path_exists(path);
    const dip_status status =
        is_pattern ? expand(list, folder, name, err) : dip_names_add(list, path, strlen(path), err);
    dip_free(path);
    return status;
}

static dip_status check_distinct(const dip_names *list, dip_error *err) {
    char **sorted = dip_alloc(list->n, sizeof *sorted, "paths", err);
    if (sorted == NULL) {
        return DIP_ERR_MEMORY;
    }
    memcpy(sorted, list->name, list->n * sizeof *sorted);
    qsort(sorted, list->n, sizeof *sorted, by_bytes);
    dip_status status = DIP_OK;
    for (size_t i = 1; i < list->n && status == DIP_OK; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            status = dip_fail(err, DIP_ERR_USAGE, "%s would be read twice", sorted[i]);
        }
    }
    dip_free(sorted);
    return status;
}

static dip_status find_paths(const dip_source *source, const char *folder, dip_names *list,
                             dip_error *err) {
    for (size_t i = 0; i < source->files.n; i++) {
        DIP_TRY(add_path(list, folder, source->files.name[i], err));
    }
    return check_distinct(list, err);
}

dip_status dip_source_paths(const dip_source *source, const char *folder, const char *project,
                            dip_names *paths, dip_error *err) {
    dip_names list = {0};
    const dip_status status =
        at_place(source, project, find_paths(source, folder, &list, err), err);
    if (status != DIP_OK) {
        dip_names_free(&list);
        return status;
    }
    *paths = list;
    return DIP_OK;
}

dip_status dip_source_open(dip_reader **reader, const dip_source *source, const char *folder,
                           const char *project, dip_error *err) {
    dip_names paths = {0};
    const dip_dialect dialect = {
        .format = (dip_format)source->format,
        .columns = (const char *const *)source->columns.name,
        .n_columns = source->columns.n,
        .delimiter = source->delimiter[0] != '\0' ? source->delimiter : NULL,
        .encoding = (dip_encoding)source->encoding,
        .block_bytes = source->block_bytes,
    };
    DIP_TRY(dip_source_paths(source, folder, project, &paths, err));
    const dip_status status =
        dip_reader_open(reader, (const char *const *)paths.name, paths.n, &dialect, err);
    dip_names_free(&paths);
    return status;
}

/* ---- stored form ----------------------------------------------------------------------------- */

static dip_status names_to_json(json_t *object, const char *key, const dip_names *names,
                                dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_new_array(&list, err));
    DIP_TRY(dip_json_set(object, key, list, err));
    for (size_t i = 0; i < names->n; i++) {
        DIP_TRY(dip_json_append(list, json_string(names->name[i]), err));
    }
    return DIP_OK;
}

dip_status dip_source_to_json(const dip_source *source, json_t *object, dip_error *err) {
    if (source->files.n > 1) {
        DIP_TRY(names_to_json(object, "file", &source->files, err));
    } else {
        const char *file = source->files.n == 1 ? source->files.name[0] : "";
        DIP_TRY(dip_json_set(object, "file", json_string(file), err));
    }
    for (size_t i = 0; i < dip_source_table.n; i++) {
        const dip_option *row = &dip_source_table.row[i];
        char text[DIP_VALUE_MAX];
        dip_options_get(row, source, text);
        if (strcmp(text, row->fallback) != 0) {
            DIP_TRY(dip_json_set(object, row->key, json_string(text), err));
        }
    }
    return source->columns.n == 0 ? DIP_OK
                                  : names_to_json(object, "columns", &source->columns, err);
}

static dip_status names_from_json(dip_names *names, const json_t *list, const char *key,
                                  dip_error *err) {
    if (json_array_size(list) == 0 || json_array_size(list) > SOURCE_FILES_MAX) {
        return dip_fail(err, DIP_ERR_FORMAT, "key \"%s\" is no list of names", key);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL || name[0] == '\0') {
            return dip_fail(err, DIP_ERR_FORMAT, "key \"%s\" is no list of names", key);
        }
        DIP_TRY(dip_names_add(names, name, strlen(name), err));
    }
    return DIP_OK;
}

static dip_status files_from_json(dip_source *source, const json_t *object, dip_error *err) {
    const json_t *file = json_object_get(object, "file");
    const char *name = NULL;
    if (json_is_array(file)) {
        return names_from_json(&source->files, file, "file", err);
    }
    DIP_TRY(dip_json_text(object, "file", &name, err));
    return name[0] == '\0' ? DIP_OK : dip_names_add(&source->files, name, strlen(name), err);
}

dip_status dip_source_from_json(dip_source *source, const json_t *object, dip_error *err) {
    dip_options_default(&dip_source_table, source, sizeof *source);
    DIP_TRY(files_from_json(source, object, err));
    for (size_t i = 0; i < dip_source_table.n; i++) {
        const char *key = dip_source_table.row[i].key;
        const char *text = NULL;
        if (json_object_get(object, key) == NULL) {
            continue;
        }
        DIP_TRY(dip_json_text(object, key, &text, err));
        if (dip_options_set(&dip_source_table, source, key, text, err) != DIP_OK) {
            return dip_fail_context(err, DIP_ERR_FORMAT, "stored schema");
        }
    }
    const json_t *columns = json_object_get(object, "columns");
    return columns == NULL ? DIP_OK : names_from_json(&source->columns, columns, "columns", err);
}
