/* SPDX-License-Identifier: Apache-2.0 */
#include "import/wikipedia.h"

#include "import/wiki.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "diptych-import"

/* What sorting must be left with; the program itself, buffers and the like are not counted one by
 * one. */
#define SORT_LEAST ((uint64_t)32 << 20)
#define OTHER_MEMORY ((uint64_t)48 << 20)

enum { TELL_EVERY = 4096, FORMAT_VERSION = 1 };

/* ---- reading a table ------------------------------------------------------------------------- */

dip_status dip_wiki_open(const dip_wiki *wiki, dip_wiki_table table, dip_sql_dump **dump,
                         dip_error *err) {
    return dip_sql_dump_open(dump, wiki->files.path[table], dip_wiki_table_names[table], err);
}

static dip_status tell(const dip_wiki *wiki, dip_wiki_table table, const dip_sql_dump *dump,
                       dip_error *err) {
    char phase[300];
    char detail[64];
    const char *path = wiki->files.path[table];
    const char *slash = strrchr(path, '/');
    snprintf(phase, sizeof phase, "reading %s", slash != NULL ? slash + 1 : path);
    snprintf(detail, sizeof detail, "%llu rows", (unsigned long long)wiki->counts.rows[table]);
    const dip_progress progress = {.phase = phase,
                                   .unit = "bytes",
                                   .detail = detail,
                                   .done = dip_sql_dump_position(dump),
                                   .total = dip_sql_dump_size(dump)};
    return dip_tell(wiki->watch, &progress, err);
}

static dip_status read_rows(dip_wiki *wiki, dip_wiki_table table, dip_sql_dump *dump,
                            dip_wiki_row_fn row, dip_error *err) {
    for (;;) {
        const dip_sql_value *values = NULL;
        const dip_status status = dip_sql_dump_next(dump, &values, err);
        if (status == DIP_END) {
            return tell(wiki, table, dump, err);
        }
        DIP_TRY(status);
        DIP_TRY(row(wiki, dump, values, err));
        if (++wiki->counts.rows[table] % TELL_EVERY == 0) {
            DIP_TRY(tell(wiki, table, dump, err));
        }
    }
}

dip_status dip_wiki_read(dip_wiki *wiki, dip_wiki_table table, dip_sql_dump *dump,
                         const char *const *columns, size_t n, dip_wiki_row_fn row,
                         dip_error *err) {
    dip_status status = dip_sql_dump_select(dump, columns, n, err);
    if (status == DIP_OK) {
        status = read_rows(wiki, table, dump, row, err);
    }
    dip_sql_dump_close(dump);
    return status;
}

dip_status dip_wiki_id(const dip_sql_dump *dump, const dip_sql_value *values, size_t wanted,
                       uint32_t limit, uint32_t *id, dip_error *err) {
    const dip_sql_value *value = &values[wanted];
    if (value->kind == DIP_SQL_INTEGER && value->integer >= 0 && value->integer <= limit) {
        *id = (uint32_t)value->integer;
        return DIP_OK;
    }
    int64_t number = 0;
    return dip_sql_dump_integer(dump, wanted, 0, limit, &number, err);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static uint64_t tables_bytes(const dip_wiki *wiki) {
    return dip_titles_bytes(&wiki->titles) + dip_titles_bytes(&wiki->categories) +
           dip_numbers_bytes(&wiki->page_id) + dip_numbers_bytes(&wiki->lead) +
           dip_id_map_bytes(&wiki->by_page) + dip_id_map_bytes(&wiki->targets) +
           dip_id_set_bytes(&wiki->missing) + dip_id_set_bytes(&wiki->hidden) +
           dip_id_set_bytes(&wiki->used) + dip_id_set_bytes(&wiki->hidden_root) +
           dip_id_set_bytes(&wiki->redirects);
}

dip_status dip_wiki_begin_pairs(dip_wiki *wiki, dip_error *err) {
    dip_mem_trim();
    const uint64_t tables = tables_bytes(wiki);
    const uint64_t memory = (uint64_t)wiki->options.memory;
    const uint64_t needed = tables + OTHER_MEMORY + SORT_LEAST;
    if (memory < needed) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the titles and ids of this wiki take %llu MB; allow at least %lluM of "
                        "memory, not %lluM",
                        (unsigned long long)(tables >> 20), (unsigned long long)(needed >> 20) + 1,
                        (unsigned long long)(memory >> 20));
    }
    return dip_pairs_create(&wiki->pairs, wiki->folder.work,
                            (size_t)(memory - tables - OTHER_MEMORY), err);
}

void dip_wiki_end_pairs(dip_wiki *wiki) {
    const uint64_t disk = dip_pairs_file_bytes(wiki->pairs);
    wiki->counts.most_disk = disk > wiki->counts.most_disk ? disk : wiki->counts.most_disk;
    dip_pairs_free(wiki->pairs);
    wiki->pairs = NULL;
}

static void note_memory(dip_wiki *wiki) {
    const uint64_t bytes = tables_bytes(wiki);
    wiki->counts.most_memory = bytes > wiki->counts.most_memory ? bytes : wiki->counts.most_memory;
}

/* ---- the passes ------------------------------------------------------------------------------ */

/* Which columns the two tables of links have; the first look at them, before hours of work. */
static dip_status look_at_links(dip_wiki *wiki, dip_error *err) {
    dip_sql_dump *dump = NULL;
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_PAGELINKS, &dump, err));
    wiki->links_have_targets = dip_sql_dump_has(dump, "pl_target_id");
    wiki->links_have_titles = dip_sql_dump_has(dump, "pl_title");
    dip_sql_dump_close(dump);
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_CATEGORYLINKS, &dump, err));
    wiki->categories_have_targets = dip_sql_dump_has(dump, "cl_target_id");
    dip_sql_dump_close(dump);
    if ((wiki->links_have_targets || wiki->categories_have_targets) &&
        wiki->files.path[DIP_WIKI_LINKTARGET] == NULL) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s names its targets by ids of the table linktarget, and there is no "
                        "file of it: fetch it, or name it with --linktarget",
                        wiki->files.path[wiki->links_have_targets ? DIP_WIKI_PAGELINKS
                                                                  : DIP_WIKI_CATEGORYLINKS]);
    }
    return DIP_OK;
}

/* Tables that the links do not need. */
static void free_categories(dip_wiki *wiki) {
    dip_titles_free(&wiki->categories);
    dip_id_set_free(&wiki->hidden);
    dip_id_set_free(&wiki->used);
    dip_id_set_free(&wiki->hidden_root);
    if (!wiki->links_have_titles) {
        dip_titles_free(&wiki->titles);
        dip_numbers_free(&wiki->lead);
        dip_numbers_free(&wiki->page_id);
    }
}

static dip_status put_text(dip_wiki *wiki, const char *text, dip_error *err) {
    return dip_folder_put(&wiki->folder, "project.yaml", text, strlen(text), err);
}

static dip_status write_project(dip_wiki *wiki, dip_error *err) {
    return put_text(wiki,
                    "# Pages of a Wikipedia that link to each other: which page does this one link "
                    "to?\n"
                    "items:\n"
                    "  file: pages.tsv\n"
                    "  id: page_id\n"
                    "  title: title\n"
                    "  features:\n"
                    "    page_id: {type: id}\n"
                    "    title: {type: text, ngrams: [1, 2], min_count: 2}\n"
                    "    categories: {type: bag, separator: \"|\"}\n"
                    "interactions: {file: links.tsv, query: source, item: target}\n"
                    "split: {by: pair, test: 0.1, validation: 0.01}\n"
                    "model: {dim: 64, hidden: [1024, 128]}\n"
                    "train: {batch: 1024, temperature: 0.07}\n",
                    err);
}

static dip_status run_passes(dip_wiki *wiki, dip_error *err) {
    DIP_TRY(look_at_links(wiki, err));
    DIP_TRY(dip_wiki_read_pages(wiki, err));
    DIP_TRY(dip_wiki_read_page_props(wiki, err));
    DIP_TRY(dip_wiki_read_redirects(wiki, err));
    DIP_TRY(dip_wiki_read_targets(wiki, err));
    DIP_TRY(dip_wiki_read_categories(wiki, err));
    note_memory(wiki);
    DIP_TRY(dip_wiki_write_pages(wiki, err));
    free_categories(wiki);
    DIP_TRY(dip_wiki_read_links(wiki, err));
    note_memory(wiki);
    DIP_TRY(dip_wiki_write_links(wiki, err));
    return write_project(wiki, err);
}

/* ---- the report ------------------------------------------------------------------------------ */

static dip_status warn(json_t *warnings, dip_error *err, const char *format, ...) DIP_PRINTF(3, 4);

static dip_status warn(json_t *warnings, dip_error *err, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_json_append(warnings, json_string(text), err);
}

static dip_status add_warnings(const dip_wiki *wiki, json_t *summary, dip_error *err) {
    const dip_wiki_counts *c = &wiki->counts;
    json_t *warnings = NULL;
    DIP_TRY(dip_json_new_array(&warnings, err));
    DIP_TRY(dip_json_set(summary, "warnings", warnings, err));
    if (c->replaced_titles > 0) {
        DIP_TRY(warn(warnings, err,
                     "%llu titles of pages and categories have bytes that are not UTF-8; U+FFFD "
                     "stands for them in pages.tsv",
                     (unsigned long long)c->replaced_titles));
    }
    if (c->hidden_categories == 0) {
        DIP_TRY(warn(warnings, err,
                     "no hidden categories were found, so that all stay; fetch the table "
                     "page_props, or name the category whose members are hidden with "
                     "--hidden-category"));
    }
    if (c->unknown_categories > 0) {
        DIP_TRY(warn(warnings, err,
                     "%llu rows of categorylinks name a target that linktarget lacks; are the "
                     "dumps of one date?",
                     (unsigned long long)c->unknown_categories));
    }
    if (c->links == 0) {
        DIP_TRY(warn(warnings, err, "no link was kept"));
    }
    return DIP_OK;
}

static json_int_t number(uint64_t value) {
    return (json_int_t)value;
}

static json_t *describe_links(const dip_wiki_counts *c) {
    return json_pack("{s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}}", "rows",
                     number(c->rows[DIP_WIKI_PAGELINKS]), "kept", number(c->links), "dropped",
                     "from_namespace", number(c->from_namespace), "from_missing",
                     number(c->from_missing), "from_redirect", number(c->from_redirect),
                     "to_namespace", number(c->to_namespace), "to_missing", number(c->to_missing),
                     "to_redirect", number(c->to_redirect), "to_self", number(c->to_self),
                     "repeated", number(c->repeated));
}

static json_t *describe_files(const dip_wiki *wiki) {
    json_t *files = json_object();
    for (size_t t = 0; t < DIP_WIKI_TABLES; t++) {
        const char *path = wiki->files.path[t];
        const char *slash = path != NULL ? strrchr(path, '/') : NULL;
        if (path != NULL) {
            json_object_set_new(files, dip_wiki_table_names[t],
                                json_string(slash != NULL ? slash + 1 : path));
        }
    }
    return files;
}

static dip_status describe(const dip_wiki *wiki, json_t *summary, dip_error *err) {
    const dip_wiki_counts *c = &wiki->counts;
    DIP_TRY(dip_json_set(summary, "wiki", json_string(wiki->files.wiki), err));
    DIP_TRY(dip_json_set(summary, "date", json_string(wiki->files.date), err));
    DIP_TRY(dip_json_set(summary, "files", describe_files(wiki), err));
    DIP_TRY(dip_json_set(summary, "pages", json_integer(number(c->pages)), err));
    DIP_TRY(
        dip_json_set(summary, "redirects",
                     json_pack("{s:I, s:I, s:I}", "all", number(c->redirects), "elsewhere",
                               number(c->redirects_elsewhere), "loops", number(c->redirects_loops)),
                     err));
    DIP_TRY(
        dip_json_set(summary, "categories",
                     json_pack("{s:I, s:I, s:I, s:I, s:I}", "used", number(c->used_categories),
                               "hidden", number(c->hidden_categories), "of_pages",
                               number(c->page_categories), "of_pages_hidden",
                               number(c->hidden_links), "unknown", number(c->unknown_categories)),
                     err));
    DIP_TRY(dip_json_set(summary, "links", describe_links(c), err));
    DIP_TRY(
        dip_json_set(summary, "replaced_titles", json_integer(number(c->replaced_titles)), err));
    return add_warnings(wiki, summary, err);
}

/* What depends on the machine and not on the dumps stays out of the published folder. */
static dip_status describe_costs(const dip_wiki *wiki, json_t *summary, dip_error *err) {
    return dip_json_set(summary, "costs",
                        json_pack("{s:I, s:I}", "table_bytes", number(wiki->counts.most_memory),
                                  "temporary_bytes", number(wiki->counts.most_disk)),
                        err);
}

/* ---- everything ------------------------------------------------------------------------------ */

static dip_status publish(dip_wiki *wiki, json_t *summary, dip_error *err) {
    DIP_TRY(describe(wiki, summary, err));
    DIP_TRY(dip_folder_publish(&wiki->folder, FORMAT, FORMAT_VERSION, summary, err));
    return describe_costs(wiki, summary, err);
}

static void free_wiki(dip_wiki *wiki) {
    free_categories(wiki);
    dip_pairs_free(wiki->pairs);
    dip_folder_abort(&wiki->folder);
    dip_titles_free(&wiki->titles);
    dip_numbers_free(&wiki->page_id);
    dip_numbers_free(&wiki->lead);
    dip_id_map_free(&wiki->by_page);
    dip_id_map_free(&wiki->targets);
    dip_id_set_free(&wiki->missing);
    dip_id_set_free(&wiki->redirects);
    dip_wiki_files_free(&wiki->files);
    dip_free(wiki);
}

static dip_status import(dip_wiki *wiki, const char *output, bool replace, json_t *summary,
                         dip_error *err) {
    DIP_TRY(dip_wiki_files_find(&wiki->files, &wiki->options, err));
    DIP_TRY(dip_folder_create(&wiki->folder, output, replace, err));
    DIP_TRY(run_passes(wiki, err));
    return publish(wiki, summary, err);
}

dip_status dip_wikipedia_import(const dip_wiki_options *options, const char *output, bool replace,
                                const dip_watch *watch, json_t **summary, dip_error *err) {
    json_t *json = NULL;
    DIP_TRY(dip_json_new_object(&json, err));
    dip_wiki *wiki = dip_alloc(1, sizeof *wiki, "an import", err);
    dip_status status = DIP_ERR_MEMORY;
    if (wiki != NULL) {
        wiki->options = *options;
        wiki->watch = watch;
        wiki->folder.writer.fd = -1;
        status = import(wiki, output, replace, json, err);
        free_wiki(wiki);
    }
    if (status != DIP_OK || summary == NULL) {
        json_decref(json);
    } else {
        *summary = json;
    }
    return status;
}
