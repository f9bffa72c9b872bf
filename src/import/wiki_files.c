/* SPDX-License-Identifier: Apache-2.0 */
#include "import/wiki_files.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DATE_MAX = 32 };

const char *const dip_wiki_table_names[DIP_WIKI_TABLES] = {
    "page", "redirect", "linktarget", "categorylinks", "pagelinks", "page_props"};

/* The tables without which nothing can be imported. What linktarget is needed for shows later. */
#define NEEDED                                                                                     \
    (1u << DIP_WIKI_PAGE | 1u << DIP_WIKI_REDIRECT | 1u << DIP_WIKI_CATEGORYLINKS |                \
     1u << DIP_WIKI_PAGELINKS)

#define AT(member) offsetof(dip_wiki_options, member)
#define TEXT(key, member, help)                                                                    \
    { key, DIP_OPTION_TEXT, AT(member), "", 0, 0, NULL, help }

static const dip_option ROWS[] = {
    TEXT("dumps", dumps, "the folder of the dumps"),
    TEXT("wiki", wiki, "the wiki, such as simplewiki; may be left out when there is one"),
    TEXT("date", date, "the dumps' date; default: the newest whole one"),
    TEXT("page", file[DIP_WIKI_PAGE], "a file of the table page"),
    TEXT("redirect", file[DIP_WIKI_REDIRECT], "a file of the table redirect"),
    TEXT("linktarget", file[DIP_WIKI_LINKTARGET], "a file of the table linktarget"),
    TEXT("categorylinks", file[DIP_WIKI_CATEGORYLINKS], "a file of the table categorylinks"),
    TEXT("pagelinks", file[DIP_WIKI_PAGELINKS], "a file of the table pagelinks"),
    TEXT("page_props", file[DIP_WIKI_PAGE_PROPS], "a file of the table page_props"),
    TEXT("hidden_category", hidden_category, "the category whose members are hidden categories"),
    {"memory", DIP_OPTION_SIZE, AT(memory), "4G", 1 << 27, 1e15, NULL,
     "memory to take; more goes to temporary files beside the output"},
};

const dip_option_table dip_wiki_option_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};

dip_status dip_wiki_options_read(dip_wiki_options *options, const char *const *names,
                                 const char *const *values, size_t n, dip_error *err) {
    dip_options_default(&dip_wiki_option_table, options, sizeof *options);
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(dip_options_set(&dip_wiki_option_table, options, names[i], values[i], err));
    }
    return DIP_OK;
}

/* ---- names ----------------------------------------------------------------------------------- */

typedef struct found {
    char wiki[DIP_TEXT_MAX];
    char date[DATE_MAX];
    size_t table;
    char name[DIP_TEXT_MAX];
} found;

typedef struct listing {
    found *entries;
    size_t n;
    size_t capacity;
} listing;

/* Length of a name without .sql and what follows, or 0. */
static size_t stem_length(const char *name) {
    static const char *const ENDINGS[] = {".sql", ".sql.gz", ".sql.zst"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ENDINGS / sizeof ENDINGS[0]; i++) {
        const size_t size = strlen(ENDINGS[i]);
        if (length > size && strcmp(name + length - size, ENDINGS[i]) == 0) {
            return length - size;
        }
    }
    return 0;
}

/* The last '-' before a place, or NULL. */
static const char *dash_before(const char *name, const char *end) {
    while (end > name && end[-1] != '-') {
        end--;
    }
    return end > name ? end - 1 : NULL;
}

static void copy_part(char *target, const char *from, const char *to) {
    memcpy(target, from, (size_t)(to - from));
    target[to - from] = '\0';
}

/* WIKI-DATE-TABLE.sql...; false for any other name. */
static bool parse_name(const char *name, found *entry) {
    const size_t length = stem_length(name);
    const char *end = name + length;
    const char *second = length > 0 && length < DIP_TEXT_MAX ? dash_before(name, end) : NULL;
    const char *first = second != NULL ? dash_before(name, second) : NULL;
    if (first == NULL || first == name || second - first > DATE_MAX ||
        strlen(name) >= DIP_TEXT_MAX) {
        return false;
    }
    for (entry->table = 0; entry->table < DIP_WIKI_TABLES; entry->table++) {
        const char *table = dip_wiki_table_names[entry->table];
        if (strlen(table) == (size_t)(end - second - 1) &&
            strncmp(table, second + 1, strlen(table)) == 0) {
            copy_part(entry->wiki, name, first);
            copy_part(entry->date, first + 1, second);
            copy_part(entry->name, name, name + strlen(name));
            return true;
        }
    }
    return false;
}

/* By wiki, then date, newest first, then table and name. */
static int compare(const void *left, const void *right) {
    const found *a = left;
    const found *b = right;
    const int by_wiki = strcmp(a->wiki, b->wiki);
    const int by_date = strcmp(b->date, a->date);
    const int by_table = (a->table > b->table) - (a->table < b->table);
    return by_wiki != 0   ? by_wiki
           : by_date != 0 ? by_date
           : by_table     ? by_table
                          : strcmp(a->name, b->name);
}

static dip_status list_folder(listing *list, const char *path, dip_error *err) {
    DIR *folder = opendir(path);
    dip_status status = DIP_OK;
    if (folder == NULL) {
        return dip_fail_errno(err, errno, "open folder", path);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && status == DIP_OK;
         entry = readdir(folder)) {
        found parsed;
        if (!parse_name(entry->d_name, &parsed)) {
            continue;
        }
        status = dip_grow((void **)&list->entries, &list->capacity, list->n + 1,
                          sizeof *list->entries, "names of dumps", err);
        if (status == DIP_OK) {
            list->entries[list->n++] = parsed;
        }
    }
    closedir(folder);
    if (list->n > 0) {
        qsort(list->entries, list->n, sizeof *list->entries, compare);
    }
    return status;
}

/* ---- choice ---------------------------------------------------------------------------------- */

/* The entries of one wiki and date begin at a place; where they end, and which tables they are. */
static size_t end_of_date(const listing *list, size_t begin, unsigned *tables) {
    size_t end = begin;
    *tables = 0;
    while (end < list->n && strcmp(list->entries[end].wiki, list->entries[begin].wiki) == 0 &&
           strcmp(list->entries[end].date, list->entries[begin].date) == 0) {
        *tables |= 1u << list->entries[end++].table;
    }
    return end;
}

static dip_status describe_missing(dip_text *text, unsigned tables, dip_error *err) {
    const char *between = "";
    for (size_t t = 0; t < DIP_WIKI_TABLES; t++) {
        if ((NEEDED & ~tables & 1u << t) != 0) {
            DIP_TRY(dip_text_printf(text, err, "%s%s", between, dip_wiki_table_names[t]));
            between = ", ";
        }
    }
    return DIP_OK;
}

/* What a folder has, for an error: dates with what they lack, or wikis. */
static dip_status describe(const listing *list, const dip_wiki_options *options, dip_text *text,
                           dip_error *err) {
    size_t begin = 0;
    while (begin < list->n && text->length < 500) {
        const found *entry = &list->entries[begin];
        unsigned tables = 0;
        const size_t end = end_of_date(list, begin, &tables);
        begin = end;
        if (options->wiki[0] != '\0' && strcmp(entry->wiki, options->wiki) != 0) {
            continue;
        }
        DIP_TRY(dip_text_printf(text, err, "%s%.60s of %.30s", text->length > 0 ? "; " : "",
                                entry->wiki, entry->date));
        if ((NEEDED & ~tables) != 0) {
            DIP_TRY(dip_text_printf(text, err, " without "));
            DIP_TRY(describe_missing(text, tables, err));
        }
    }
    return DIP_OK;
}

static dip_status refuse(const listing *list, const dip_wiki_options *options, const char *why,
                         dip_error *err) {
    dip_text text = {0};
    dip_status status = describe(list, options, &text, err);
    if (status == DIP_OK) {
        status = dip_fail(err, DIP_ERR_USAGE, "%s: %s; there is %s", options->dumps, why,
                          text.length > 0 ? text.data : "no file WIKI-DATE-TABLE.sql.gz");
    }
    dip_text_free(&text);
    return status;
}

/* Whether the entries are of more than one wiki. */
static bool has_several_wikis(const listing *list) {
    return list->n > 0 && strcmp(list->entries[0].wiki, list->entries[list->n - 1].wiki) != 0;
}

/* The first entry of the date to take, newest dates coming first; list->n when there is none. */
static size_t choose(const listing *list, const dip_wiki_options *options, unsigned needed,
                     size_t *end) {
    size_t begin = 0;
    while (begin < list->n) {
        const found *entry = &list->entries[begin];
        unsigned tables = 0;
        *end = end_of_date(list, begin, &tables);
        if ((options->wiki[0] == '\0' || strcmp(options->wiki, entry->wiki) == 0) &&
            (options->date[0] == '\0' || strcmp(options->date, entry->date) == 0) &&
            (needed & ~tables) == 0) {
            break;
        }
        begin = *end;
    }
    return begin;
}

static dip_status take_entry(dip_wiki_files *files, const dip_wiki_options *options,
                             const found *entry, dip_error *err) {
    if (files->path[entry->table] != NULL) {
        return DIP_OK;
    }
    files->path[entry->table] = dip_path_join(options->dumps, entry->name, err);
    return files->path[entry->table] != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status find_in_folder(dip_wiki_files *files, const listing *list,
                                 const dip_wiki_options *options, unsigned named, dip_error *err) {
    size_t end = 0;
    if (options->wiki[0] == '\0' && has_several_wikis(list)) {
        return refuse(list, options, "dumps of several wikis; say which one with --wiki", err);
    }
    const size_t begin = choose(list, options, NEEDED & ~named, &end);
    if (begin == list->n) {
        return refuse(list, options,
                      options->date[0] != '\0' ? "no whole set of dumps of that date"
                                               : "no date has page, redirect, categorylinks and "
                                                 "pagelinks",
                      err);
    }
    for (size_t i = begin; i < end; i++) {
        DIP_TRY(take_entry(files, options, &list->entries[i], err));
    }
    const found *first = &list->entries[begin];
    files->wiki = dip_copy_text(first->wiki, strlen(first->wiki), "a wiki's name", err);
    files->date = dip_copy_text(first->date, strlen(first->date), "a date", err);
    return files->wiki != NULL && files->date != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status take_named(dip_wiki_files *files, const dip_wiki_options *options,
                             unsigned *named, dip_error *err) {
    for (size_t t = 0; t < DIP_WIKI_TABLES; t++) {
        const char *path = options->file[t];
        if (path[0] == '\0') {
            continue;
        }
        files->path[t] = dip_copy_text(path, strlen(path), "a path", err);
        if (files->path[t] == NULL) {
            return DIP_ERR_MEMORY;
        }
        *named |= 1u << t;
    }
    return DIP_OK;
}

static dip_status check_named(unsigned named, dip_error *err) {
    dip_text missing = {0};
    dip_status status = describe_missing(&missing, named, err);
    if (status == DIP_OK && missing.length > 0) {
        status = dip_fail(err, DIP_ERR_USAGE,
                          "no file for %s: name the folder of the dumps with --dumps, or each file",
                          missing.data);
    }
    dip_text_free(&missing);
    return status;
}

static dip_status find_files(dip_wiki_files *files, const dip_wiki_options *options,
                             dip_error *err) {
    unsigned named = 0;
    DIP_TRY(take_named(files, options, &named, err));
    if (options->dumps[0] == '\0') {
        DIP_TRY(check_named(named, err));
        files->wiki = dip_copy_text("", 0, "a wiki's name", err);
        files->date = dip_copy_text("", 0, "a date", err);
        return files->wiki != NULL && files->date != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    listing list = {0};
    dip_status status = list_folder(&list, options->dumps, err);
    if (status == DIP_OK) {
        status = find_in_folder(files, &list, options, named, err);
    }
    dip_free(list.entries);
    return status;
}

dip_status dip_wiki_files_find(dip_wiki_files *files, const dip_wiki_options *options,
                               dip_error *err) {
    memset(files, 0, sizeof *files);
    const dip_status status = find_files(files, options, err);
    if (status != DIP_OK) {
        dip_wiki_files_free(files);
    }
    return status;
}

void dip_wiki_files_free(dip_wiki_files *files) {
    dip_free(files->wiki);
    dip_free(files->date);
    for (size_t t = 0; t < DIP_WIKI_TABLES; t++) {
        dip_free(files->path[t]);
    }
    memset(files, 0, sizeof *files);
}
