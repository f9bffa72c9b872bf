/* SPDX-License-Identifier: Apache-2.0
 *
 * What the passes of a Wikipedia import share. A pass reads one table to its end:
 *
 *   page           titles of namespace 0 get numbers, those of namespace 14 are categories
 *   page_props     which categories are hidden
 *   redirect       where a redirect leads; then chains are followed to a page
 *   linktarget     from the id of a link's target to the page or category
 *   categorylinks  pairs (page, category), sorted on disk; then pages.tsv is written
 *   pagelinks      pairs (page, page), sorted on disk; then links.tsv is written
 *
 * Memory holds what belongs to titles; pairs, which are many more, go through import/pairs.h.
 */
#ifndef DIP_IMPORT_WIKI_H
#define DIP_IMPORT_WIKI_H

#include "base/folder.h"
#include "base/progress.h"
#include "import/id_map.h"
#include "import/pairs.h"
#include "import/sql_dump.h"
#include "import/titles.h"
#include "import/wiki_files.h"

enum { DIP_WIKI_NAMESPACE_CATEGORY = 14 };

/* Numbers of titles and ids of pages are below this bit, which marks numbers of categories where
 * both may stand. */
#define DIP_WIKI_CATEGORY 0x80000000u

/* Where a redirect that leads to no page leads. */
#define DIP_WIKI_NOWHERE DIP_NO_TITLE

typedef struct dip_wiki_counts {
    uint64_t rows[DIP_WIKI_TABLES];
    uint64_t pages;
    uint64_t redirects;
    uint64_t redirects_elsewhere; /* to other namespaces, wikis, and pages that do not exist */
    uint64_t redirects_loops;
    uint64_t replaced_titles; /* titles and categories with bytes that are not UTF-8 */
    uint64_t hidden_categories;
    uint64_t used_categories;
    uint64_t page_categories; /* pairs in pages.tsv */
    uint64_t hidden_links;    /* pairs left out of it */
    uint64_t unknown_categories;
    uint64_t links;
    uint64_t from_namespace; /* links left out, by reason: what they come from, */
    uint64_t from_missing;
    uint64_t from_redirect;
    uint64_t to_namespace; /* and what they lead to */
    uint64_t to_missing;
    uint64_t to_redirect;
    uint64_t to_self;
    uint64_t repeated;
    uint64_t most_memory; /* of the tables and of sorting, together */
    uint64_t most_disk;   /* of temporary files */
} dip_wiki_counts;

typedef struct dip_wiki {
    dip_wiki_options options;
    dip_wiki_files files;
    const dip_watch *watch;
    dip_folder_writer folder;
    bool links_have_titles;  /* pagelinks has pl_title, */
    bool links_have_targets; /* and pl_target_id */
    bool categories_have_targets;

    dip_titles titles;    /* namespace 0, pages and redirects */
    dip_numbers page_id;  /* by number of title */
    dip_numbers lead;     /* by number of title: of the page's own title, or of where it leads */
    dip_id_set redirects; /* numbers of titles */
    dip_titles categories;
    dip_id_map by_page;     /* page id: number of title, or DIP_WIKI_CATEGORY + number */
    dip_id_map targets;     /* linktarget id: page id, 0 behind a redirect that leads nowhere, or
                             * DIP_WIKI_CATEGORY + number */
    dip_id_set missing;     /* linktarget ids of namespace 0 without a page */
    dip_id_set hidden;      /* numbers of categories */
    dip_id_set used;        /* numbers of categories that stand in pages.tsv */
    dip_id_set hidden_root; /* numbers of categories whose members are hidden */
    dip_pairs *pairs;
    uint32_t last_from; /* of the link read last, and what that is */
    int last_source;
    dip_wiki_counts counts;
} dip_wiki;

typedef dip_status (*dip_wiki_row_fn)(dip_wiki *wiki, const dip_sql_dump *dump,
                                      const dip_sql_value *values, dip_error *err);

/* Opens the dump of a table. */
dip_status dip_wiki_open(const dip_wiki *wiki, dip_wiki_table table, dip_sql_dump **dump,
                         dip_error *err);

/* Calls `row` for each row with the values of these columns, tells progress, and closes the dump
 * whatever happens. */
dip_status dip_wiki_read(dip_wiki *wiki, dip_wiki_table table, dip_sql_dump *dump,
                         const char *const *columns, size_t n, dip_wiki_row_fn row, dip_error *err);

/* A value that is an id, from 0 (which is none) to a limit. */
dip_status dip_wiki_id(const dip_sql_dump *dump, const dip_sql_value *values, size_t wanted,
                       uint32_t limit, uint32_t *id, dip_error *err);

/* Makes the sorter of pairs with the memory that is left. */
dip_status dip_wiki_begin_pairs(dip_wiki *wiki, dip_error *err);
void dip_wiki_end_pairs(dip_wiki *wiki);

/* Whether a title's number is that of a page, and not of a redirect. */
static inline bool dip_wiki_is_page(const dip_wiki *wiki, uint32_t number) {
    return !dip_id_set_has(&wiki->redirects, number);
}

/* The passes, in their order. */
dip_status dip_wiki_read_pages(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_read_page_props(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_read_redirects(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_read_targets(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_read_categories(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_write_pages(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_read_links(dip_wiki *wiki, dip_error *err);
dip_status dip_wiki_write_links(dip_wiki *wiki, dip_error *err);

/* A number and a byte behind it, as text; returns the end. */
static inline char *dip_wiki_put_number(char *text, uint32_t number, char behind) {
    char digits[10];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0) {
        *text++ = digits[--n];
    }
    *text++ = behind;
    return text;
}

#endif
