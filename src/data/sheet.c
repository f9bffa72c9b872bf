/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sheet.h"

#include "base/mem.h"
#include "data/arrow_table.h"
#include "data/stream.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 60 };

/* What the end of a name says; RecBole's atomic files are TSV. */
static const struct {
    const char *ending;
    dip_format format;
} ENDINGS[] = {
    {".tsv", DIP_FORMAT_TSV},       {".csv", DIP_FORMAT_CSV},         {".jsonl", DIP_FORMAT_JSONL},
    {".ndjson", DIP_FORMAT_JSONL},  {".inter", DIP_FORMAT_TSV},       {".item", DIP_FORMAT_TSV},
    {".user", DIP_FORMAT_TSV},      {".kg", DIP_FORMAT_TSV},          {".link", DIP_FORMAT_TSV},
    {".net", DIP_FORMAT_TSV},       {".parquet", DIP_FORMAT_PARQUET}, {".arrow", DIP_FORMAT_ARROW},
    {".feather", DIP_FORMAT_ARROW},
};

static dip_format format_of(const char *path) {
    char name[32] = "";
    const size_t length = strlen(path);
    const size_t cut = dip_name_ends_with(path, ".gz")    ? 3
                       : dip_name_ends_with(path, ".zst") ? 4
                                                          : 0;
    const size_t kept = length - cut < sizeof name ? length - cut : sizeof name - 1;
    memcpy(name, path + length - cut - kept, kept);
    for (size_t i = 0; i < sizeof ENDINGS / sizeof ENDINGS[0]; i++) {
        if (dip_name_ends_with(name, ENDINGS[i].ending)) {
            return ENDINGS[i].format;
        }
    }
    return DIP_FORMAT_BY_NAME;
}

/* Parquet and Arrow say themselves what they hold, and compress themselves. */
static dip_status check_arrow(const dip_sheet *sheet, const dip_dialect *dialect, dip_error *err) {
    if (dip_name_ends_with(sheet->path, ".gz") || dip_name_ends_with(sheet->path, ".zst")) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: Parquet and Arrow files are not read through .gz or .zst; unpack it",
                        sheet->path);
    }
    if (dialect->delimiter != NULL || dialect->n_columns > 0 ||
        dialect->encoding != DIP_ENCODING_UTF8) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: \"delimiter\", \"columns\" and \"encoding\" do not go with Parquet "
                        "and Arrow files",
                        sheet->path);
    }
    return DIP_OK;
}

static dip_status set_format(dip_sheet *sheet, const dip_dialect *dialect, dip_error *err) {
    sheet->format =
        dialect->format != DIP_FORMAT_BY_NAME ? dialect->format : format_of(sheet->path);
    if (sheet->format == DIP_FORMAT_BY_NAME && dialect->delimiter != NULL) {
        sheet->format = DIP_FORMAT_TSV;
    }
    if (sheet->format == DIP_FORMAT_BY_NAME) {
        return dip_fail(
            err, DIP_ERR_USAGE,
            "%s: the name must end in .tsv or .csv (or .jsonl, .ndjson, .parquet, .arrow, "
            ".feather, .inter, .item, .user, .kg, .link, .net), with .gz or .zst after it when "
            "compressed; or "
            "say what it is with \"format\" or \"delimiter\"",
            sheet->path);
    }
    if (dip_sheet_is_arrow(sheet)) {
        return check_arrow(sheet, dialect, err);
    }
    if (dip_sheet_is_json(sheet) && (dialect->delimiter != NULL || dialect->n_columns > 0)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: \"delimiter\" and \"columns\" do not go with JSON lines", sheet->path);
    }
    return DIP_OK;
}

static dip_status set_delimiter(dip_sheet *sheet, const dip_dialect *dialect, dip_error *err) {
    const char *delimiter = dialect->delimiter != NULL    ? dialect->delimiter
                            : dip_sheet_has_quotes(sheet) ? ","
                                                          : "\t";
    const size_t length = strlen(delimiter);
    if (length == 0 || strpbrk(delimiter, "\r\n") != NULL) {
        return dip_fail(err, DIP_ERR_USAGE, "%s: a delimiter is no empty text and no line end",
                        sheet->path);
    }
    if (dip_sheet_has_quotes(sheet) && (length > 1 || delimiter[0] == '"')) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: the delimiter of CSV is one byte and no quote, not \"%s\"; with "
                        "\"format: tsv\" it may be longer, and quotes mean nothing",
                        sheet->path, delimiter);
    }
    sheet->separator = delimiter[0];
    sheet->delimiter_length = length;
    sheet->delimiter = dip_copy_text(delimiter, length, "a delimiter", err);
    return sheet->delimiter != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status fill_sheet(dip_sheet *sheet, const char *path, const dip_dialect *dialect,
                             dip_error *err) {
    sheet->path = dip_copy_text(path, strlen(path), "a path", err);
    if (sheet->path == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(set_format(sheet, dialect, err));
    DIP_TRY(set_delimiter(sheet, dialect, err));
    sheet->has_header =
        dialect->n_columns == 0 && !dip_sheet_is_json(sheet) && !dip_sheet_is_arrow(sheet);
    for (size_t i = 0; i < dialect->n_columns; i++) {
        bool is_new = false;
        const char *name = dialect->columns[i];
        DIP_TRY(dip_sheet_add_name(sheet, name, strlen(name), &is_new, err));
        if (!is_new) {
            return dip_fail(err, DIP_ERR_USAGE, "%s: \"columns\" names \"%s\" twice", path, name);
        }
    }
    return DIP_OK;
}

dip_status dip_sheet_create(dip_sheet **out, const char *path, const dip_dialect *dialect,
                            dip_error *err) {
    dip_sheet *sheet = dip_alloc(1, sizeof *sheet, "an input file's columns", err);
    if (sheet == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = fill_sheet(sheet, path, dialect, err);
    if (status != DIP_OK) {
        dip_sheet_free(sheet);
        return status;
    }
    *out = sheet;
    return DIP_OK;
}

void dip_sheet_free(dip_sheet *sheet) {
    if (sheet == NULL) {
        return;
    }
    for (size_t i = 0; i < sheet->n_columns; i++) {
        dip_free(sheet->names[i]);
    }
    dip_arrow_sheet_free(sheet);
    dip_free(sheet->names);
    dip_free(sheet->column);
    dip_free(sheet->target);
    dip_free(sheet->repeat);
    dip_free(sheet->delimiter);
    dip_free(sheet->path);
    dip_free(sheet);
}

static bool has_name(const dip_sheet *sheet, const char *name, size_t length) {
    for (size_t i = 0; i < sheet->n_columns; i++) {
        if (strlen(sheet->names[i]) == length && memcmp(sheet->names[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

dip_status dip_sheet_add_name(dip_sheet *sheet, const char *name, size_t length, bool *is_new,
                              dip_error *err) {
    *is_new = !has_name(sheet, name, length);
    if (!*is_new) {
        return DIP_OK;
    }
    if (sheet->n_columns == DIP_COLUMN_LIMIT) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:1: more than %d columns", sheet->path,
                        DIP_COLUMN_LIMIT);
    }
    DIP_TRY(dip_grow((void **)&sheet->names, &sheet->name_capacity, sheet->n_columns + 1,
                     sizeof *sheet->names, "column names", err));
    char *copy = dip_copy_text(name, length, "a column name", err);
    if (copy == NULL) {
        return DIP_ERR_MEMORY;
    }
    sheet->names[sheet->n_columns++] = copy;
    return DIP_OK;
}

dip_status dip_sheet_find(const dip_sheet *sheet, const char *name, size_t *column,
                          dip_error *err) {
    char known[400] = "";
    size_t used = 0;
    const char *nearest = NULL;
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i < sheet->n_columns; i++) {
        if (strcmp(sheet->names[i], name) == 0) {
            *column = i;
            return DIP_OK;
        }
        unsigned distance = 0;
        if (dip_spelling_is_near(name, sheet->names[i], &distance) && distance < best) {
            best = distance;
            nearest = sheet->names[i];
        }
        if (used < sizeof known - 1) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                     sheet->names[i]);
        }
    }
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:1: there is no column \"%s\"%s%s%s; the columns are %s", sheet->path, name,
                    nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                    nearest != NULL ? "\"?" : "", known);
}

static dip_status alloc_selection(dip_sheet *sheet, dip_error *err) {
    sheet->column = dip_alloc(sheet->n_wanted, sizeof *sheet->column, "wanted columns", err);
    sheet->repeat = dip_alloc(2 * sheet->n_wanted, sizeof *sheet->repeat, "wanted columns", err);
    sheet->target = dip_alloc(sheet->n_columns, sizeof *sheet->target, "wanted columns", err);
    return sheet->column != NULL && sheet->repeat != NULL && sheet->target != NULL ? DIP_OK
                                                                                   : DIP_ERR_MEMORY;
}

dip_status dip_sheet_select(dip_sheet *sheet, const dip_wanted *wanted, size_t n_wanted,
                            dip_error *err) {
    sheet->wanted = wanted;
    sheet->n_wanted = n_wanted;
    if (dip_sheet_is_json(sheet)) {
        return DIP_OK;
    }
    DIP_TRY(alloc_selection(sheet, err));
    for (size_t c = 0; c < sheet->n_columns; c++) {
        sheet->target[c] = (uint32_t)n_wanted;
    }
    for (size_t i = 0; i < n_wanted; i++) {
        size_t column = 0;
        DIP_TRY(dip_sheet_find(sheet, wanted[i].name, &column, err));
        sheet->column[i] = column;
        if (sheet->target[column] == n_wanted) {
            sheet->target[column] = (uint32_t)i;
            continue;
        }
        sheet->repeat[2 * sheet->n_repeats] = i;
        sheet->repeat[2 * sheet->n_repeats + 1] = sheet->target[column];
        sheet->n_repeats++;
    }
    return DIP_OK;
}

int dip_shown_length(const char *text, size_t length) {
    if (length <= SHOWN_BYTES) {
        return (int)length;
    }
    size_t cut = SHOWN_BYTES;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return (int)cut;
}
