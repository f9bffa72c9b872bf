/* SPDX-License-Identifier: Apache-2.0
 *
 * RecBole's atomic files: tab-separated tables whose header cells carry types, as in
 * "item_id:token" or "genre:token_seq". They stay where they are; a project file is written that
 * names them.
 */
#ifndef DIP_IMPORT_RECBOLE_H
#define DIP_IMPORT_RECBOLE_H

#include "base/json.h"
#include "base/options.h"
#include "base/text.h"

typedef struct dip_recbole_options {
    char user[DIP_TEXT_MAX];
    char item[DIP_TEXT_MAX];
    char time[DIP_TEXT_MAX];
    char text[DIP_TEXT_MAX];
} dip_recbole_options;

dip_status dip_recbole_options_read(dip_recbole_options *options, const char *const *names,
                                    const char *const *values, size_t n, dip_error *err);

/* source: a folder with one NAME.inter, or the path of the files without their endings. output: the
 * project file. summary: which files and columns are used, warnings; the caller json_decref()s
 * it. */
dip_status dip_recbole_import(const char *source, const dip_recbole_options *options,
                              const char *output, bool replace, const dip_watch *watch,
                              json_t **summary, dip_error *err);

/* ---- the parts of the work, for recbole*.c --------------------------------------------------- */

typedef enum dip_recbole_type {
    DIP_RECBOLE_TOKEN,
    DIP_RECBOLE_TOKEN_SEQ,
    DIP_RECBOLE_FLOAT,
    DIP_RECBOLE_FLOAT_SEQ
} dip_recbole_type;

typedef struct dip_recbole_field {
    char *column; /* as it stands in the header: "item_id:token" */
    char *name;   /* "item_id" */
    dip_recbole_type type;
} dip_recbole_field;

typedef struct dip_recbole_file {
    char *path; /* NULL: there is no such file */
    dip_recbole_field *fields;
    size_t n_fields;
} dip_recbole_file;

typedef enum dip_recbole_part {
    DIP_RECBOLE_INTER,
    DIP_RECBOLE_ITEM,
    DIP_RECBOLE_USER,
    DIP_RECBOLE_PARTS
} dip_recbole_part;

typedef struct dip_recbole {
    const dip_recbole_options *options;
    dip_recbole_file file[DIP_RECBOLE_PARTS];
    const dip_recbole_field *user; /* of the .inter file */
    const dip_recbole_field *item;
    const dip_recbole_field *time; /* NULL: there is none */
    json_t *warnings;
} dip_recbole;

/* Finds the files and reads their headers. */
dip_status dip_recbole_open(dip_recbole *recbole, const char *source, dip_error *err);
void dip_recbole_close(dip_recbole *recbole);

/* The field of a name, or NULL. */
const dip_recbole_field *dip_recbole_find(const dip_recbole_file *file, const char *name);

/* One more sentence among the warnings. */
dip_status dip_recbole_warn(dip_recbole *recbole, dip_error *err, const char *format, ...)
    DIP_PRINTF(3, 4);

/* Puts the project file's text. names: the paths as they are to stand in it; items: that of the
 * items when they come from the interactions, else NULL. */
dip_status dip_recbole_put_project(dip_recbole *recbole, dip_text *yaml,
                                   const char *const names[DIP_RECBOLE_PARTS], const char *items,
                                   dip_error *err);

#endif
