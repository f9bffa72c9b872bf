/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables page, page_props, redirect and linktarget.
 */
#include "import/wiki.h"

enum { MOST_HOPS = 16 };

/* ---- page ------------------------------------------------------------------------------------ */

static dip_status add_page(dip_wiki *wiki, const dip_sql_dump *dump, uint32_t id, bool is_redirect,
                           dip_error *err) {
    const char *title = NULL;
    size_t length = 0;
    uint32_t number = 0;
    bool is_new = false;
    DIP_TRY(dip_sql_dump_text(dump, 2, &title, &length, err));
    DIP_TRY(dip_titles_put(&wiki->titles, title, length, &number, &is_new, err));
    if (!is_new) {
        return dip_sql_dump_fail(dump, 2, err, "the title occurs twice in namespace 0");
    }
    DIP_TRY(dip_numbers_put(&wiki->page_id, id, err));
    DIP_TRY(dip_numbers_put(&wiki->lead, is_redirect ? DIP_WIKI_NOWHERE : number, err));
    wiki->counts.pages += !is_redirect;
    wiki->counts.redirects += is_redirect;
    if (is_redirect) {
        DIP_TRY(dip_id_set_put(&wiki->redirects, number, err));
    }
    return dip_id_map_put(&wiki->by_page, id, number, err);
}

static dip_status add_category(dip_wiki *wiki, const dip_sql_dump *dump, uint32_t id,
                               dip_error *err) {
    const char *title = NULL;
    size_t length = 0;
    uint32_t number = 0;
    bool is_new = false;
    DIP_TRY(dip_sql_dump_text(dump, 2, &title, &length, err));
    DIP_TRY(dip_titles_put(&wiki->categories, title, length, &number, &is_new, err));
    return dip_id_map_put(&wiki->by_page, id, DIP_WIKI_CATEGORY | number, err);
}

static dip_status page_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                           dip_error *err) {
    int64_t number = 0;
    int64_t space = 0;
    int64_t is_redirect = 0;
    (void)values;
    DIP_TRY(dip_sql_dump_integer(dump, 0, 1, DIP_WIKI_CATEGORY - 1, &number, err));
    const uint32_t id = (uint32_t)number;
    DIP_TRY(dip_sql_dump_integer(dump, 1, INT32_MIN, INT32_MAX, &space, err));
    if (space == DIP_WIKI_NAMESPACE_CATEGORY) {
        return add_category(wiki, dump, id, err);
    }
    if (space != 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_sql_dump_integer(dump, 3, 0, 1, &is_redirect, err));
    return add_page(wiki, dump, id, is_redirect == 1, err);
}

dip_status dip_wiki_read_pages(dip_wiki *wiki, dip_error *err) {
    static const char *const COLUMNS[] = {"page_id", "page_namespace", "page_title",
                                          "page_is_redirect"};
    dip_sql_dump *dump = NULL;
    uint32_t twice = 0;
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_PAGE, &dump, err));
    DIP_TRY(dip_wiki_read(wiki, DIP_WIKI_PAGE, dump, COLUMNS, 4, page_row, err));
    const dip_status status = dip_id_map_seal(&wiki->by_page, &twice, err);
    if (status == DIP_ERR_FAILED) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: table page, column page_id: %lu occurs twice",
                        wiki->files.path[DIP_WIKI_PAGE], (unsigned long)twice);
    }
    if (status == DIP_OK && wiki->counts.pages == 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s has no page of namespace 0",
                        wiki->files.path[DIP_WIKI_PAGE]);
    }
    return status;
}

/* ---- page_props ------------------------------------------------------------------------------ */

static dip_status page_prop_row(dip_wiki *wiki, const dip_sql_dump *dump,
                                const dip_sql_value *values, dip_error *err) {
    static const char HIDDEN[] = "hiddencat";
    uint32_t id = 0;
    uint32_t number = 0;
    if (values[1].kind != DIP_SQL_TEXT || values[1].length != sizeof HIDDEN - 1 ||
        memcmp(values[1].text, HIDDEN, sizeof HIDDEN - 1) != 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_wiki_id(dump, values, 0, DIP_WIKI_CATEGORY - 1, &id, err));
    if (!dip_id_map_get(&wiki->by_page, id, &number) || (number & DIP_WIKI_CATEGORY) == 0) {
        return DIP_OK;
    }
    return dip_id_set_put(&wiki->hidden, number & ~DIP_WIKI_CATEGORY, err);
}

dip_status dip_wiki_read_page_props(dip_wiki *wiki, dip_error *err) {
    static const char *const COLUMNS[] = {"pp_page", "pp_propname"};
    dip_sql_dump *dump = NULL;
    if (wiki->files.path[DIP_WIKI_PAGE_PROPS] == NULL) {
        return DIP_OK;
    }
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_PAGE_PROPS, &dump, err));
    return dip_wiki_read(wiki, DIP_WIKI_PAGE_PROPS, dump, COLUMNS, 2, page_prop_row, err);
}

/* ---- redirect -------------------------------------------------------------------------------- */

/* Whether a redirect leads to another wiki. */
static bool leaves_the_wiki(const dip_sql_value *interwiki) {
    return interwiki->kind == DIP_SQL_TEXT && interwiki->length > 0;
}

/* Rows whose page is gone or has become an article are left over from edits: they are passed
 * over. */
static dip_status redirect_row(dip_wiki *wiki, const dip_sql_dump *dump,
                               const dip_sql_value *values, dip_error *err) {
    const char *title = NULL;
    size_t length = 0;
    uint32_t id = 0;
    uint32_t number = 0;
    int64_t space = 0;
    DIP_TRY(dip_wiki_id(dump, values, 0, UINT32_MAX, &id, err));
    DIP_TRY(dip_sql_dump_integer(dump, 1, INT32_MIN, INT32_MAX, &space, err));
    if (!dip_id_map_get(&wiki->by_page, id, &number) || (number & DIP_WIKI_CATEGORY) != 0 ||
        dip_wiki_is_page(wiki, number)) {
        return DIP_OK;
    }
    if (space != 0 || leaves_the_wiki(&values[3])) {
        return DIP_OK;
    }
    DIP_TRY(dip_sql_dump_text(dump, 2, &title, &length, err));
    /* DIP_NO_TITLE is DIP_WIKI_NOWHERE. */
    dip_numbers_set(&wiki->lead, number, dip_titles_find(&wiki->titles, title, length));
    return DIP_OK;
}

/* Where a title leads after all hops, or DIP_WIKI_NOWHERE. */
static uint32_t follow(const dip_wiki *wiki, uint32_t number, bool *loops) {
    for (int hops = 0; hops < MOST_HOPS; hops++) {
        if (number == DIP_WIKI_NOWHERE || dip_wiki_is_page(wiki, number)) {
            return number;
        }
        number = dip_numbers_get(&wiki->lead, number);
    }
    *loops = true;
    return DIP_WIKI_NOWHERE;
}

/* Replaces leads by where they end. The new list is filled apart, so that the number of hops that
 * is allowed does not depend on the order. */
static dip_status follow_all(dip_wiki *wiki, dip_error *err) {
    dip_numbers ends = {0};
    dip_status status = DIP_OK;
    for (uint32_t number = 0; number < wiki->lead.n && status == DIP_OK; number++) {
        bool loops = false;
        const uint32_t end = follow(wiki, number, &loops);
        wiki->counts.redirects_loops += loops;
        wiki->counts.redirects_elsewhere += end == DIP_WIKI_NOWHERE && !loops;
        status = dip_numbers_put(&ends, end, err);
    }
    dip_numbers_free(&wiki->lead);
    wiki->lead = ends;
    return status;
}

dip_status dip_wiki_read_redirects(dip_wiki *wiki, dip_error *err) {
    static const char *const COLUMNS[] = {"rd_from", "rd_namespace", "rd_title", "rd_interwiki"};
    dip_sql_dump *dump = NULL;
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_REDIRECT, &dump, err));
    DIP_TRY(dip_wiki_read(wiki, DIP_WIKI_REDIRECT, dump, COLUMNS, 4, redirect_row, err));
    return follow_all(wiki, err);
}

/* ---- linktarget ------------------------------------------------------------------------------ */

static dip_status add_page_target(dip_wiki *wiki, uint32_t id, const char *title, size_t length,
                                  dip_error *err) {
    const uint32_t number = dip_titles_find(&wiki->titles, title, length);
    if (number == DIP_NO_TITLE) {
        return dip_id_set_put(&wiki->missing, id, err);
    }
    const uint32_t end = dip_numbers_get(&wiki->lead, number);
    const uint32_t page = end != DIP_WIKI_NOWHERE ? dip_numbers_get(&wiki->page_id, end) : 0;
    return dip_id_map_put(&wiki->targets, id, page, err);
}

static dip_status add_category_target(dip_wiki *wiki, uint32_t id, const char *title, size_t length,
                                      dip_error *err) {
    uint32_t number = 0;
    bool is_new = false;
    DIP_TRY(dip_titles_put(&wiki->categories, title, length, &number, &is_new, err));
    return dip_id_map_put(&wiki->targets, id, DIP_WIKI_CATEGORY | number, err);
}

static dip_status target_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                             dip_error *err) {
    const char *title = NULL;
    size_t length = 0;
    uint32_t id = 0;
    int64_t space = 0;
    DIP_TRY(dip_wiki_id(dump, values, 0, UINT32_MAX, &id, err));
    DIP_TRY(dip_sql_dump_integer(dump, 1, INT32_MIN, INT32_MAX, &space, err));
    if (space != 0 && space != DIP_WIKI_NAMESPACE_CATEGORY) {
        return DIP_OK;
    }
    DIP_TRY(dip_sql_dump_text(dump, 2, &title, &length, err));
    return space == 0 ? add_page_target(wiki, id, title, length, err)
                      : add_category_target(wiki, id, title, length, err);
}

dip_status dip_wiki_read_targets(dip_wiki *wiki, dip_error *err) {
    static const char *const COLUMNS[] = {"lt_id", "lt_namespace", "lt_title"};
    dip_sql_dump *dump = NULL;
    uint32_t twice = 0;
    if (!wiki->links_have_targets && !wiki->categories_have_targets) {
        return DIP_OK;
    }
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_LINKTARGET, &dump, err));
    DIP_TRY(dip_wiki_read(wiki, DIP_WIKI_LINKTARGET, dump, COLUMNS, 3, target_row, err));
    const dip_status status = dip_id_map_seal(&wiki->targets, &twice, err);
    if (status == DIP_ERR_FAILED) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: table linktarget, column lt_id: %lu occurs twice",
                        wiki->files.path[DIP_WIKI_LINKTARGET], (unsigned long)twice);
    }
    return status;
}
