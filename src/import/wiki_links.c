/* SPDX-License-Identifier: Apache-2.0
 *
 * The table pagelinks, and links.tsv: the ids of two pages, ordered by source, then target.
 */
#include "import/wiki.h"

/* The columns may be three or five; pl_from is the first, and then comes where a link leads. */
enum { FROM, FROM_NAMESPACE, TARGET };

/* What a link comes from. Links of a page stand together, so that the last answer is kept. */
typedef enum source { SOURCE_PAGE, SOURCE_REDIRECT, SOURCE_CATEGORY, SOURCE_MISSING } source;

static source find_source(const dip_wiki *wiki, uint32_t from) {
    uint32_t number = 0;
    if (!dip_id_map_get(&wiki->by_page, from, &number)) {
        return SOURCE_MISSING;
    }
    if ((number & DIP_WIKI_CATEGORY) != 0) {
        return SOURCE_CATEGORY;
    }
    return dip_wiki_is_page(wiki, number) ? SOURCE_PAGE : SOURCE_REDIRECT;
}

/* Whether a link comes from a page of namespace 0; when not, it is counted. */
static dip_status check_source(dip_wiki *wiki, const dip_sql_dump *dump,
                               const dip_sql_value *values, uint32_t *from, bool *is_page,
                               dip_error *err) {
    int64_t space = 0;
    dip_wiki_counts *counts = &wiki->counts;
    DIP_TRY(dip_wiki_id(dump, values, FROM, UINT32_MAX, from, err));
    DIP_TRY(dip_sql_dump_integer(dump, FROM_NAMESPACE, INT32_MIN, INT32_MAX, &space, err));
    *is_page = false;
    if (space != 0) {
        counts->from_namespace++;
        return DIP_OK;
    }
    if (*from != wiki->last_from) {
        wiki->last_from = *from;
        wiki->last_source = find_source(wiki, *from);
    }
    *is_page = wiki->last_source == SOURCE_PAGE;
    counts->from_redirect += wiki->last_source == SOURCE_REDIRECT;
    counts->from_namespace += wiki->last_source == SOURCE_CATEGORY;
    counts->from_missing += wiki->last_source == SOURCE_MISSING;
    return DIP_OK;
}

/* Keeps a link to a page; 0 stands for a redirect that leads nowhere. */
static dip_status keep(dip_wiki *wiki, uint32_t from, uint32_t page, dip_error *err) {
    if (page == 0 || page == from) {
        wiki->counts.to_redirect += page == 0;
        wiki->counts.to_self += page != 0;
        return DIP_OK;
    }
    return dip_pairs_put(wiki->pairs, from, page, err);
}

/* pl_target_id. */
static dip_status new_target(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                             uint32_t from, dip_error *err) {
    uint32_t target = 0;
    uint32_t page = 0;
    DIP_TRY(dip_wiki_id(dump, values, TARGET, UINT32_MAX, &target, err));
    if (dip_id_map_get(&wiki->targets, target, &page) && (page & DIP_WIKI_CATEGORY) == 0) {
        return keep(wiki, from, page, err);
    }
    const bool is_missing = dip_id_set_has(&wiki->missing, target);
    wiki->counts.to_missing += is_missing;
    wiki->counts.to_namespace += !is_missing;
    return DIP_OK;
}

/* pl_namespace and pl_title, from a column on. */
static dip_status old_target(dip_wiki *wiki, const dip_sql_dump *dump, size_t column, uint32_t from,
                             dip_error *err) {
    const char *title = NULL;
    size_t length = 0;
    int64_t space = 0;
    DIP_TRY(dip_sql_dump_integer(dump, column, INT32_MIN, INT32_MAX, &space, err));
    if (space != 0) {
        wiki->counts.to_namespace++;
        return DIP_OK;
    }
    DIP_TRY(dip_sql_dump_text(dump, column + 1, &title, &length, err));
    const uint32_t number = dip_titles_find(&wiki->titles, title, length);
    if (number == DIP_NO_TITLE) {
        wiki->counts.to_missing++;
        return DIP_OK;
    }
    const uint32_t end = dip_numbers_get(&wiki->lead, number);
    return keep(wiki, from, end != DIP_WIKI_NOWHERE ? dip_numbers_get(&wiki->page_id, end) : 0,
                err);
}

static dip_status new_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                          dip_error *err) {
    uint32_t from = 0;
    bool is_page = false;
    DIP_TRY(check_source(wiki, dump, values, &from, &is_page, err));
    return is_page ? new_target(wiki, dump, values, from, err) : DIP_OK;
}

static dip_status old_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                          dip_error *err) {
    uint32_t from = 0;
    bool is_page = false;
    DIP_TRY(check_source(wiki, dump, values, &from, &is_page, err));
    return is_page ? old_target(wiki, dump, 2, from, err) : DIP_OK;
}

/* While a wiki is being moved from one to the other, a row may have either. */
static dip_status mixed_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                            dip_error *err) {
    uint32_t from = 0;
    bool is_page = false;
    DIP_TRY(check_source(wiki, dump, values, &from, &is_page, err));
    if (!is_page) {
        return DIP_OK;
    }
    return values[TARGET].kind != DIP_SQL_NULL ? new_target(wiki, dump, values, from, err)
                                               : old_target(wiki, dump, 3, from, err);
}

dip_status dip_wiki_read_links(dip_wiki *wiki, dip_error *err) {
    static const char *const NEW[] = {"pl_from", "pl_from_namespace", "pl_target_id"};
    static const char *const OLD[] = {"pl_from", "pl_from_namespace", "pl_namespace", "pl_title"};
    static const char *const MIXED[] = {"pl_from", "pl_from_namespace", "pl_target_id",
                                        "pl_namespace", "pl_title"};
    dip_sql_dump *dump = NULL;
    wiki->last_from = 0;
    wiki->last_source = SOURCE_MISSING;
    DIP_TRY(dip_wiki_begin_pairs(wiki, err));
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_PAGELINKS, &dump, err));
    if (wiki->links_have_targets && wiki->links_have_titles) {
        return dip_wiki_read(wiki, DIP_WIKI_PAGELINKS, dump, MIXED, 5, mixed_row, err);
    }
    return wiki->links_have_targets
               ? dip_wiki_read(wiki, DIP_WIKI_PAGELINKS, dump, NEW, 3, new_row, err)
               : dip_wiki_read(wiki, DIP_WIKI_PAGELINKS, dump, OLD, 4, old_row, err);
}

/* ---- links.tsv ------------------------------------------------------------------------------- */

static dip_status write_rows(dip_wiki *wiki, dip_writer *writer, dip_error *err) {
    static const char HEADER[] = "source\ttarget\n";
    dip_progress progress = {
        .phase = "writing links.tsv", .unit = "links", .detail = "", .total = 0};
    progress.total = dip_pairs_put_count(wiki->pairs);
    DIP_TRY(dip_writer_put(writer, HEADER, sizeof HEADER - 1, err));
    for (;;) {
        char line[32];
        uint32_t from = 0;
        uint32_t to = 0;
        const dip_status status = dip_pairs_next(wiki->pairs, &from, &to, err);
        if (status == DIP_END) {
            return DIP_OK;
        }
        DIP_TRY(status);
        char *end = dip_wiki_put_number(line, from, '\t');
        end = dip_wiki_put_number(end, to, '\n');
        DIP_TRY(dip_writer_put(writer, line, (size_t)(end - line), err));
        progress.done = dip_pairs_next_count(wiki->pairs);
        if ((progress.done & 0xffff) == 0) {
            DIP_TRY(dip_tell(wiki->watch, &progress, err));
        }
    }
}

dip_status dip_wiki_write_links(dip_wiki *wiki, dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_pairs_sort(wiki->pairs, err));
    DIP_TRY(dip_folder_begin(&wiki->folder, "links.tsv", &writer, err));
    DIP_TRY(write_rows(wiki, writer, err));
    wiki->counts.links = dip_pairs_next_count(wiki->pairs);
    wiki->counts.repeated = dip_pairs_put_count(wiki->pairs) - wiki->counts.links;
    dip_wiki_end_pairs(wiki);
    return dip_folder_end(&wiki->folder, err);
}
