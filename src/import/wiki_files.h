/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of a Wikipedia import, and which files of a folder of dumps they mean. Dumps are
 * named  WIKI-DATE-TABLE.sql.gz , such as simplewiki-20240120-page.sql.gz.
 */
#ifndef DIP_IMPORT_WIKI_FILES_H
#define DIP_IMPORT_WIKI_FILES_H

#include "base/options.h"

typedef enum dip_wiki_table {
    DIP_WIKI_PAGE,
    DIP_WIKI_REDIRECT,
    DIP_WIKI_LINKTARGET,
    DIP_WIKI_CATEGORYLINKS,
    DIP_WIKI_PAGELINKS,
    DIP_WIKI_PAGE_PROPS,
    DIP_WIKI_TABLES
} dip_wiki_table;

extern const char *const dip_wiki_table_names[DIP_WIKI_TABLES];

typedef struct dip_wiki_options {
    char dumps[DIP_TEXT_MAX];
    char wiki[DIP_TEXT_MAX];
    char date[DIP_TEXT_MAX];
    char file[DIP_WIKI_TABLES][DIP_TEXT_MAX];
    char hidden_category[DIP_TEXT_MAX];
    int64_t memory;
} dip_wiki_options;

extern const dip_option_table dip_wiki_option_table;

/* Options from names and values; those that are not named have their defaults. */
dip_status dip_wiki_options_read(dip_wiki_options *options, const char *const *names,
                                 const char *const *values, size_t n, dip_error *err);

typedef struct dip_wiki_files {
    char *wiki; /* "" when no folder was given */
    char *date;
    char *path[DIP_WIKI_TABLES]; /* NULL: there is none */
} dip_wiki_files;

/* Finds the files: those named by hand, the others in the folder of dumps: of the wiki, and of the
 * newest date that has page, redirect, categorylinks and pagelinks.
 *
 * DIP_ERR_USAGE   none, or several wikis; the text lists what there is. */
dip_status dip_wiki_files_find(dip_wiki_files *files, const dip_wiki_options *options,
                               dip_error *err);

void dip_wiki_files_free(dip_wiki_files *files);

#endif
