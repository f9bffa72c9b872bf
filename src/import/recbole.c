/* SPDX-License-Identifier: Apache-2.0 */
#include "import/recbole.h"

#include "base/mem.h"
#include "base/output.h"
#include "base/progress.h"
#include "data/project.h"
#include "import/lines.h"
#include "import/titles.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS "items.tsv"

enum { TELL_EVERY = 1 << 16 };

#define TEXT(key, member, help)                                                                    \
    { key, DIP_OPTION_TEXT, offsetof(dip_recbole_options, member), "", 0, 0, NULL, help }

static const dip_option ROWS[] = {
    TEXT("user", user, "the user's column in the .inter file, without its type"),
    TEXT("item", item, "the item's column"),
    TEXT("time", time, "the time's column"),
    TEXT("text", text, "columns that are text, by commas"),
};

static const dip_option_table TABLE = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};

dip_status dip_recbole_options_read(dip_recbole_options *options, const char *const *names,
                                    const char *const *values, size_t n, dip_error *err) {
    dip_options_default(&TABLE, options, sizeof *options);
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(dip_options_set(&TABLE, options, names[i], values[i], err));
    }
    return DIP_OK;
}

dip_status dip_recbole_warn(dip_recbole *recbole, dip_error *err, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_json_append(recbole->warnings, json_string(text), err);
}

/* ---- items from interactions ----------------------------------------------------------------- */

/* The cell of a column; false when the line is too short. */
static bool find_cell(const char *line, size_t length, size_t column, const char **cell,
                      size_t *size) {
    const char *const end = line + length;
    for (size_t i = 0;; i++) {
        const char *tab = memchr(line, '\t', (size_t)(end - line));
        const char *stop = tab != NULL ? tab : end;
        if (i == column) {
            *cell = line;
            *size = (size_t)(stop - line);
            return true;
        }
        if (tab == NULL) {
            return false;
        }
        line = tab + 1;
    }
}

static dip_status tell(const dip_lines *lines, const dip_watch *watch, dip_error *err) {
    const dip_progress progress = {.phase = "reading items from the interactions",
                                   .unit = "bytes",
                                   .detail = "",
                                   .done = dip_stream_position(lines->stream),
                                   .total = dip_stream_size(lines->stream)};
    return dip_tell(watch, &progress, err);
}

static dip_status put_item(dip_output *items, dip_titles *known, const char *id, size_t length,
                           dip_error *err) {
    uint32_t number = 0;
    bool is_new = false;
    DIP_TRY(dip_titles_put(known, id, length, &number, &is_new, err));
    if (!is_new) {
        return DIP_OK;
    }
    DIP_TRY(dip_writer_put(&items->writer, id, length, err));
    return dip_writer_put(&items->writer, "\n", 1, err);
}

/* Each id once, in the order in which they come. Memory: the distinct ids and about 25 bytes for
 * each. */
static dip_status copy_items(const dip_recbole *recbole, dip_lines *lines, dip_output *items,
                             dip_titles *known, const dip_watch *watch, dip_error *err) {
    const size_t column = (size_t)(recbole->item - recbole->file[DIP_RECBOLE_INTER].fields);
    const char *line = NULL;
    size_t length = 0;
    DIP_TRY(dip_lines_next(lines, &line, &length, err));
    DIP_TRY(
        dip_writer_put(&items->writer, recbole->item->column, strlen(recbole->item->column), err));
    DIP_TRY(dip_writer_put(&items->writer, "\n", 1, err));
    for (;;) {
        const char *cell = NULL;
        size_t size = 0;
        const dip_status status = dip_lines_next(lines, &line, &length, err);
        if (status == DIP_END) {
            return DIP_OK;
        }
        DIP_TRY(status);
        if (length > 0 && (!find_cell(line, length, column, &cell, &size) || size == 0)) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: column %s: there is no item",
                            lines->path, (unsigned long long)lines->number, recbole->item->column);
        }
        DIP_TRY(length > 0 ? put_item(items, known, cell, size, err) : DIP_OK);
        DIP_TRY(lines->number % TELL_EVERY == 0 ? tell(lines, watch, err) : DIP_OK);
    }
}

static dip_status write_items(const dip_recbole *recbole, dip_output *items, const dip_watch *watch,
                              size_t *n, dip_error *err) {
    dip_lines lines = {0};
    dip_titles known = {0};
    dip_status status = dip_lines_open(&lines, recbole->file[DIP_RECBOLE_INTER].path, err);
    if (status == DIP_OK) {
        status = copy_items(recbole, &lines, items, &known, watch, err);
    }
    *n = dip_titles_count(&known);
    dip_titles_free(&known);
    dip_lines_close(&lines);
    return status == DIP_OK ? dip_output_close(items, err) : status;
}

/* ---- the project file ------------------------------------------------------------------------ */

/* A path as it should stand in a project file in a folder: without the folder when it is inside,
 * else absolute. */
static dip_status spell_path(const char *folder, const char *path, char **spelled, dip_error *err) {
    char *whole = realpath(path, NULL);
    char *base = realpath(folder, NULL);
    dip_status status = DIP_OK;
    if (whole == NULL || base == NULL) {
        status = dip_fail_errno(err, errno, "find", whole == NULL ? path : folder);
    } else {
        const size_t length = strlen(base);
        const bool is_inside = strncmp(whole, base, length) == 0 && whole[length] == '/';
        const char *kept = is_inside ? whole + length + 1 : whole;
        *spelled = dip_copy_text(kept, strlen(kept), "a path", err);
        status = *spelled != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    free(whole);
    free(base);
    return status;
}

/* What is about to be published is a project that can be read. */
static dip_status check_project(const char *path, dip_error *err) {
    dip_project project;
    DIP_TRY(dip_project_read(&project, path, err));
    dip_project_release(&project);
    return DIP_OK;
}

static dip_status write_project(dip_recbole *recbole, dip_output *out, dip_error *err) {
    char *names[DIP_RECBOLE_PARTS] = {NULL};
    dip_text yaml = {0};
    dip_status status = DIP_OK;
    const bool has_items = recbole->file[DIP_RECBOLE_ITEM].path != NULL;
    for (size_t p = 0; p < DIP_RECBOLE_PARTS && status == DIP_OK; p++) {
        if (recbole->file[p].path != NULL) {
            status = spell_path(out->folder, recbole->file[p].path, &names[p], err);
        }
    }
    if (status == DIP_OK) {
        const char *const spelled[DIP_RECBOLE_PARTS] = {names[0], names[1], names[2]};
        status = dip_recbole_put_project(recbole, &yaml, spelled, has_items ? NULL : ITEMS, err);
    }
    if (status == DIP_OK) {
        status = dip_writer_put(&out->writer, yaml.data, yaml.length, err);
    }
    for (size_t p = 0; p < DIP_RECBOLE_PARTS; p++) {
        dip_free(names[p]);
    }
    dip_text_free(&yaml);
    DIP_TRY(status);
    DIP_TRY(dip_output_close(out, err));
    return check_project(out->work, err);
}

static dip_status summarise(const dip_recbole *recbole, size_t n_items, json_t *summary,
                            dip_error *err) {
    static const char *const KEYS[] = {"interactions", "items", "users"};
    for (size_t p = 0; p < DIP_RECBOLE_PARTS; p++) {
        const char *path = recbole->file[p].path;
        DIP_TRY(
            dip_json_set(summary, KEYS[p], path != NULL ? json_string(path) : json_null(), err));
    }
    DIP_TRY(dip_json_set(summary, "user", json_string(recbole->user->column), err));
    DIP_TRY(dip_json_set(summary, "item", json_string(recbole->item->column), err));
    DIP_TRY(dip_json_set(summary, "time",
                         recbole->time != NULL ? json_string(recbole->time->column) : json_null(),
                         err));
    if (recbole->file[DIP_RECBOLE_ITEM].path == NULL) {
        DIP_TRY(dip_json_set(summary, "items_found", json_integer((json_int_t)n_items), err));
    }
    return dip_json_set(summary, "warnings", json_incref(recbole->warnings), err);
}

/* Both files are whole before the first gets its name. */
static dip_status write_both(dip_recbole *recbole, dip_output *out, dip_output *items, bool replace,
                             const dip_watch *watch, json_t *summary, dip_error *err) {
    size_t n_items = 0;
    char *path = NULL;
    const bool has_items = recbole->file[DIP_RECBOLE_ITEM].path != NULL;
    if (!has_items) {
        path = dip_path_join(out->folder, ITEMS, err);
        dip_status status =
            path != NULL ? dip_output_open(items, path, replace, err) : DIP_ERR_MEMORY;
        dip_free(path);
        DIP_TRY(status);
        DIP_TRY(write_items(recbole, items, watch, &n_items, err));
    }
    DIP_TRY(write_project(recbole, out, err));
    DIP_TRY(summarise(recbole, n_items, summary, err));
    DIP_TRY(has_items ? DIP_OK : dip_output_publish(items, err));
    return dip_output_publish(out, err);
}

static dip_status import(dip_recbole *recbole, const char *source, const char *path, bool replace,
                         const dip_watch *watch, json_t *summary, dip_error *err) {
    dip_output out = {.writer = {.fd = -1}};
    dip_output items = {.writer = {.fd = -1}};
    DIP_TRY(dip_recbole_open(recbole, source, err));
    dip_status status = dip_output_open(&out, path, replace, err);
    if (status == DIP_OK) {
        status = write_both(recbole, &out, &items, replace, watch, summary, err);
    }
    dip_output_free(&items);
    dip_output_free(&out);
    return status;
}

dip_status dip_recbole_import(const char *source, const dip_recbole_options *options,
                              const char *output_path, bool replace, const dip_watch *watch,
                              json_t **summary, dip_error *err) {
    dip_recbole recbole = {.options = options};
    json_t *json = NULL;
    DIP_TRY(dip_json_new_object(&json, err));
    dip_status status = dip_json_new_array(&recbole.warnings, err);
    if (status == DIP_OK) {
        status = import(&recbole, source, output_path, replace, watch, json, err);
    }
    dip_recbole_close(&recbole);
    if (status != DIP_OK || summary == NULL) {
        json_decref(json);
    } else {
        *summary = json;
    }
    return status;
}
