/* SPDX-License-Identifier: Apache-2.0
 *
 * The project file of RecBole's atomic files:
 *
 *   type        feature                           example
 *   token       id of the entity, or categorical  item_id: {type: id, column: "item_id:token"}
 *   token_seq   bag of tokens, or text            genre: {type: bag, separator: " ", ...}
 *   float       numeric
 *   float_seq   none: left out with a warning
 */
#include "import/recbole.h"

#include "base/mem.h"
#include "import/yaml_text.h"

#include <ctype.h>
#include <string.h>

static dip_status put(dip_text *yaml, const char *text, dip_error *err) {
    return dip_text_put(yaml, text, strlen(text), err);
}

static dip_status put_quoted(dip_text *yaml, const char *text, dip_error *err) {
    return dip_yaml_put_quoted(yaml, text, strlen(text), err);
}

/* Whether a name is one of a list "a,b,c". */
static bool is_listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; *at != '\0';) {
        const size_t size = strcspn(at, ",");
        if (size == length && strncmp(at, name, size) == 0) {
            return true;
        }
        at += size + (at[size] == ',');
    }
    return false;
}

/* Whether a name is or ends with a word that stands for text: "title", "movie_title". */
static bool sounds_like_text(const char *name) {
    static const char *const WORDS[] = {"title", "name", "description"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        const size_t size = strlen(WORDS[i]);
        bool is_same = length >= size && (length == size || name[length - size - 1] == '_');
        for (size_t k = 0; is_same && k < size; k++) {
            is_same = tolower((unsigned char)name[length - size + k]) == WORDS[i][k];
        }
        if (is_same) {
            return true;
        }
    }
    return false;
}

static bool is_text(const dip_recbole *recbole, const dip_recbole_field *field) {
    if (recbole->options->text[0] != '\0') {
        return is_listed(recbole->options->text, field->name);
    }
    return field->type <= DIP_RECBOLE_TOKEN_SEQ && sounds_like_text(field->name);
}

/* A feature's name, without the characters that may not stand in one. */
static void name_feature(char name[DIP_TEXT_MAX], const dip_recbole_field *field) {
    size_t i = 0;
    for (; field->name[i] != '\0'; i++) {
        const char c = field->name[i];
        name[i] = c;
        if (c == ',' || c == '=' || c == '/' || c == '\n') {
            name[i] = '_';
        }
    }
    name[i] = '\0';
}

/* Two names may become the same, or be the same with different types; then the column's place
 * tells them apart. */
static dip_status put_name(dip_text *yaml, const dip_recbole_file *file, size_t index,
                           dip_error *err) {
    char name[DIP_TEXT_MAX];
    char other[DIP_TEXT_MAX];
    bool is_taken = false;
    name_feature(name, &file->fields[index]);
    for (size_t i = 0; i < index && !is_taken; i++) {
        name_feature(other, &file->fields[i]);
        is_taken = strcmp(name, other) == 0;
    }
    dip_text unique = {0};
    dip_status status = is_taken ? dip_text_printf(&unique, err, "%.200s_%zu", name, index + 1)
                                 : dip_text_put(&unique, name, strlen(name), err);
    if (status == DIP_OK) {
        status = dip_yaml_put_quoted(yaml, unique.data, unique.length, err);
    }
    dip_text_free(&unique);
    return status;
}

/* What stands in a feature's braces before the column; NULL: it is left out. */
static const char *describe(const dip_recbole *recbole, const dip_recbole_field *field,
                            const char *id) {
    if (strcmp(field->name, id) == 0) {
        return "type: id";
    }
    if (is_text(recbole, field)) {
        return "type: text, ngrams: [1, 2]";
    }
    switch (field->type) {
    case DIP_RECBOLE_TOKEN:
        return "type: categorical";
    case DIP_RECBOLE_TOKEN_SEQ:
        return "type: bag, separator: \" \"";
    case DIP_RECBOLE_FLOAT:
        return "type: numeric";
    case DIP_RECBOLE_FLOAT_SEQ:
        break;
    }
    return NULL;
}

static dip_status put_feature(dip_recbole *recbole, dip_text *yaml, const dip_recbole_file *file,
                              size_t index, const char *id, dip_error *err) {
    const dip_recbole_field *field = &file->fields[index];
    const char *settings = describe(recbole, field, id);
    if (settings == NULL) {
        return dip_recbole_warn(recbole, err,
                                "%s: column %s, a list of numbers, has no feature to become; it is "
                                "left out",
                                file->path, field->column);
    }
    DIP_TRY(put(yaml, "    ", err));
    DIP_TRY(put_name(yaml, file, index, err));
    DIP_TRY(dip_text_printf(yaml, err, ": {%s, column: ", settings));
    DIP_TRY(put_quoted(yaml, field->column, err));
    return put(yaml, "}\n", err);
}

/* The section of an entity that has a file. */
static dip_status put_entity(dip_recbole *recbole, dip_text *yaml, const dip_recbole_file *file,
                             const char *name, const char *id, dip_error *err) {
    DIP_TRY(put(yaml, "  file: ", err));
    DIP_TRY(put_quoted(yaml, name, err));
    DIP_TRY(put(yaml, "\n  id: ", err));
    DIP_TRY(put_quoted(yaml, dip_recbole_find(file, id)->column, err));
    DIP_TRY(put(yaml, "\n  features:\n", err));
    for (size_t i = 0; i < file->n_fields; i++) {
        DIP_TRY(put_feature(recbole, yaml, file, i, id, err));
    }
    return DIP_OK;
}

/* Items that are known by their ids only. */
static dip_status put_ids(const dip_recbole *recbole, dip_text *yaml, const char *items,
                          dip_error *err) {
    DIP_TRY(put(yaml, "  file: ", err));
    DIP_TRY(put_quoted(yaml, items, err));
    DIP_TRY(put(yaml, "\n  id: ", err));
    DIP_TRY(put_quoted(yaml, recbole->item->column, err));
    DIP_TRY(put(yaml, "\n  features:\n    \"item\": {type: id, column: ", err));
    DIP_TRY(put_quoted(yaml, recbole->item->column, err));
    return put(yaml, "}\n", err);
}

static dip_status put_interactions(dip_recbole *recbole, dip_text *yaml, const char *name,
                                   dip_error *err) {
    DIP_TRY(put(yaml, "interactions:\n  file: ", err));
    DIP_TRY(put_quoted(yaml, name, err));
    DIP_TRY(put(yaml, "\n  query: ", err));
    DIP_TRY(put_quoted(yaml, recbole->user->column, err));
    DIP_TRY(put(yaml, "\n  item: ", err));
    DIP_TRY(put_quoted(yaml, recbole->item->column, err));
    if (recbole->time == NULL) {
        DIP_TRY(dip_recbole_warn(recbole, err,
                                 "there is no column timestamp:float: pairs are split at random; "
                                 "name a time with --time"));
        return put(yaml, "\nsplit: {by: pair, test: 0.1, validation: 0.05}\n", err);
    }
    DIP_TRY(put(yaml, "\n  time: ", err));
    DIP_TRY(put_quoted(yaml, recbole->time->column, err));
    return put(yaml, "\nsplit: {by: time, test: 0.1, validation: 0.05}\n", err);
}

dip_status dip_recbole_put_project(dip_recbole *recbole, dip_text *yaml,
                                   const char *const names[DIP_RECBOLE_PARTS], const char *items,
                                   dip_error *err) {
    const dip_recbole_file *file = recbole->file;
    DIP_TRY(put(yaml, "# RecBole's atomic files, read where they are.\nitems:\n", err));
    DIP_TRY(items != NULL ? put_ids(recbole, yaml, items, err)
                          : put_entity(recbole, yaml, &file[DIP_RECBOLE_ITEM],
                                       names[DIP_RECBOLE_ITEM], recbole->item->name, err));
    DIP_TRY(put(yaml, "queries:\n", err));
    if (file[DIP_RECBOLE_USER].path != NULL) {
        DIP_TRY(put_entity(recbole, yaml, &file[DIP_RECBOLE_USER], names[DIP_RECBOLE_USER],
                           recbole->user->name, err));
    } else {
        DIP_TRY(put(yaml, "  id: ", err));
        DIP_TRY(put_quoted(yaml, recbole->user->column, err));
        DIP_TRY(put(yaml, "\n", err));
    }
    return put_interactions(recbole, yaml, names[DIP_RECBOLE_INTER], err);
}
