/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files there are, and what their headers say.
 */
#include "base/file.h"
#include "base/mem.h"
#include "import/lines.h"
#include "import/recbole.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const ENDINGS[DIP_RECBOLE_PARTS] = {".inter", ".item", ".user"};
static const char *const COMPRESSIONS[] = {"", ".gz", ".zst"};
static const char *const TYPES[] = {"token", "token_seq", "float", "float_seq"};

enum { N_COMPRESSIONS = sizeof COMPRESSIONS / sizeof COMPRESSIONS[0], N_TYPES = 4 };

/* ---- files ----------------------------------------------------------------------------------- */

/* Length of a name without .inter and what may follow, or 0. */
static size_t stem_length(const char *name) {
    for (size_t i = 0; i < N_COMPRESSIONS; i++) {
        char ending[16];
        const int size = snprintf(ending, sizeof ending, ".inter%s", COMPRESSIONS[i]);
        if (dip_name_ends_with(name, ending)) {
            return strlen(name) - (size_t)size;
        }
    }
    return 0;
}

/* The stem of the one .inter file of a folder. */
static dip_status find_stem(const char *folder, DIR *entries, char stem[DIP_TEXT_MAX],
                            dip_error *err) {
    char known[400] = "";
    size_t n = 0;
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const size_t length = stem_length(entry->d_name);
        if (length == 0 || length >= DIP_TEXT_MAX) {
            continue;
        }
        memcpy(stem, entry->d_name, length);
        stem[length] = '\0';
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", n > 0 ? ", " : "", entry->d_name);
        n++;
    }
    if (n == 1) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_USAGE, "%s has %s%s; %s", folder,
                    n == 0 ? "no file NAME.inter" : "several: ", known,
                    n == 0 ? "is it a data set of RecBole's atomic files?"
                           : "name one by its path without the ending");
}

/* The path of the files without their endings. */
static dip_status find_prefix(const char *source, char **prefix, dip_error *err) {
    char stem[DIP_TEXT_MAX];
    if (!dip_path_is_folder(source)) {
        const size_t length = stem_length(source);
        *prefix = dip_copy_text(source, length > 0 ? length : strlen(source), "a path", err);
        return *prefix != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    DIR *entries = opendir(source);
    if (entries == NULL) {
        return dip_fail_errno(err, errno, "open folder", source);
    }
    const dip_status status = find_stem(source, entries, stem, err);
    closedir(entries);
    if (status != DIP_OK) {
        return status;
    }
    *prefix = dip_path_join(source, stem, err);
    return *prefix != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

/* prefix.ENDING, plain or compressed; the path stays NULL when there is none. */
static dip_status find_file(dip_recbole_file *file, const char *prefix, const char *ending,
                            dip_error *err) {
    for (size_t i = 0; i < N_COMPRESSIONS; i++) {
        dip_text path = {0};
        const dip_status status =
            dip_text_printf(&path, err, "%s%s%s", prefix, ending, COMPRESSIONS[i]);
        if (status == DIP_OK && dip_path_exists(path.data)) {
            file->path = path.data;
            return DIP_OK;
        }
        dip_text_free(&path);
        DIP_TRY(status);
    }
    return DIP_OK;
}

/* ---- headers --------------------------------------------------------------------------------- */

static dip_status bad_cell(const dip_recbole_file *file, const char *cell, size_t length,
                           dip_error *err) {
    const int shown = (int)(length < 60 ? length : 60);
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:1: column %zu: \"%.*s\" is not NAME:TYPE with the type token, token_seq, "
                    "float or float_seq",
                    file->path, file->n_fields + 1, shown, cell);
}

static dip_status add_field(dip_recbole_file *file, const char *cell, size_t length,
                            dip_error *err) {
    size_t name = length;
    while (name > 0 && cell[name - 1] != ':') {
        name--;
    }
    size_t type = 0;
    while (type < N_TYPES && (strlen(TYPES[type]) != length - name ||
                              memcmp(TYPES[type], cell + name, length - name) != 0)) {
        type++;
    }
    if (name < 2 || type == N_TYPES) {
        return bad_cell(file, cell, length, err);
    }
    dip_recbole_field *field = &file->fields[file->n_fields++];
    field->type = (dip_recbole_type)type;
    field->column = dip_copy_text(cell, length, "a column's name", err);
    field->name = dip_copy_text(cell, name - 1, "a column's name", err);
    if (field->column == NULL || field->name == NULL) {
        return DIP_ERR_MEMORY;
    }
    return length < DIP_TEXT_MAX
               ? DIP_OK
               : dip_fail(err, DIP_ERR_FORMAT, "%s:1: column %zu: a name of %zu bytes is too long",
                          file->path, file->n_fields, length);
}

static dip_status cut_header(dip_recbole_file *file, const char *line, size_t length,
                             dip_error *err) {
    size_t n = 1;
    for (size_t i = 0; i < length; i++) {
        n += line[i] == '\t';
    }
    if (dip_utf8_check(line, length) != length) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:1: the header is not UTF-8", file->path);
    }
    file->fields = dip_alloc(n, sizeof *file->fields, "columns", err);
    if (file->fields == NULL) {
        return DIP_ERR_MEMORY;
    }
    size_t start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i == length || line[i] == '\t') {
            DIP_TRY(add_field(file, line + start, i - start, err));
            start = i + 1;
        }
    }
    return DIP_OK;
}

static dip_status read_header(dip_recbole_file *file, dip_error *err) {
    dip_lines lines = {0};
    const char *line = NULL;
    size_t length = 0;
    dip_status status = dip_lines_open(&lines, file->path, err);
    if (status == DIP_OK) {
        status = dip_lines_next(&lines, &line, &length, err);
    }
    if (status == DIP_END) {
        status = dip_fail(err, DIP_ERR_FORMAT, "%s is empty", file->path);
    }
    if (status == DIP_OK) {
        const size_t mark = length >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        status = cut_header(file, line + mark, length - mark, err);
    }
    dip_lines_close(&lines);
    return status;
}

const dip_recbole_field *dip_recbole_find(const dip_recbole_file *file, const char *name) {
    for (size_t i = 0; i < file->n_fields; i++) {
        if (strcmp(file->fields[i].name, name) == 0) {
            return &file->fields[i];
        }
    }
    return NULL;
}

/* ---- roles ----------------------------------------------------------------------------------- */

/* A field that the caller named, or has its usual name, or is the n-th token; *field stays NULL
 * when there is none. */
static dip_status find_role(const dip_recbole *recbole, const char *wanted, const char *usual,
                            size_t token, const dip_recbole_field **field, dip_error *err) {
    const dip_recbole_file *file = &recbole->file[DIP_RECBOLE_INTER];
    *field = dip_recbole_find(file, wanted[0] != '\0' ? wanted : usual);
    if (*field == NULL && wanted[0] != '\0') {
        return dip_fail(err, DIP_ERR_USAGE, "%s has no column %s:TYPE", file->path, wanted);
    }
    for (size_t i = 0; i < file->n_fields && *field == NULL; i++) {
        if (file->fields[i].type == DIP_RECBOLE_TOKEN && token-- == 0) {
            *field = &file->fields[i];
        }
    }
    return DIP_OK;
}

/* The id of the other file must be one of its columns. */
static dip_status check_id(const dip_recbole_file *file, const char *name, dip_error *err) {
    if (file->path == NULL || dip_recbole_find(file, name) != NULL) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:1: there is no column %s:token, the id in the "
                    "interactions",
                    file->path, name);
}

static dip_status find_roles(dip_recbole *recbole, dip_error *err) {
    const dip_recbole_options *options = recbole->options;
    DIP_TRY(find_role(recbole, options->user, "user_id", 0, &recbole->user, err));
    DIP_TRY(find_role(recbole, options->item, "item_id", 1, &recbole->item, err));
    DIP_TRY(find_role(recbole, options->time, "timestamp", SIZE_MAX, &recbole->time, err));
    if (recbole->user == NULL || recbole->item == NULL || recbole->user == recbole->item) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:1: two columns NAME:token are expected, of the user and of the item; "
                        "name them with --user and --item",
                        recbole->file[DIP_RECBOLE_INTER].path);
    }
    DIP_TRY(check_id(&recbole->file[DIP_RECBOLE_ITEM], recbole->item->name, err));
    return check_id(&recbole->file[DIP_RECBOLE_USER], recbole->user->name, err);
}

static dip_status open_files(dip_recbole *recbole, const char *prefix, dip_error *err) {
    for (size_t p = 0; p < DIP_RECBOLE_PARTS; p++) {
        DIP_TRY(find_file(&recbole->file[p], prefix, ENDINGS[p], err));
        if (recbole->file[p].path != NULL) {
            DIP_TRY(read_header(&recbole->file[p], err));
        } else if (p == DIP_RECBOLE_INTER) {
            return dip_fail(err, DIP_ERR_IO, "there is no file %s.inter", prefix);
        }
    }
    return find_roles(recbole, err);
}

dip_status dip_recbole_open(dip_recbole *recbole, const char *source, dip_error *err) {
    char *prefix = NULL;
    DIP_TRY(find_prefix(source, &prefix, err));
    const dip_status status = open_files(recbole, prefix, err);
    dip_free(prefix);
    return status;
}

void dip_recbole_close(dip_recbole *recbole) {
    for (size_t p = 0; p < DIP_RECBOLE_PARTS; p++) {
        dip_recbole_file *file = &recbole->file[p];
        for (size_t i = 0; i < file->n_fields; i++) {
            dip_free(file->fields[i].column);
            dip_free(file->fields[i].name);
        }
        dip_free(file->fields);
        dip_free(file->path);
    }
    json_decref(recbole->warnings);
}
