/* SPDX-License-Identifier: Apache-2.0
 *
 * The table categorylinks, and pages.tsv: a page's id, its title, and its categories in the order
 * in which they first occur in the dumps.
 */
#include "import/wiki.h"

#include "base/text.h"

/* Where hidden categories are members of a category: MediaWiki's names for it in the languages with
 * many pages, and names that large wikis gave it. A wiki in one language has no category with a
 * name in another. */
static const char *const HIDDEN_ROOTS[] = {
    "Hidden_categories",
    "Versteckte_Kategorien",
    "Kategorie:Versteckt",
    "Cat\xc3\xa9gories_cach\xc3\xa9"
    "es",
    "Cat\xc3\xa9gorie_cach\xc3\xa9"
    "e",
    "Categor\xc3\xad"
    "as_ocultas",
    "Wikipedia:Categor\xc3\xad"
    "as_ocultas",
    "Categorie_nascoste",
    "Categorias_ocultas",
    "Verborgen_categorie\xc3\xabn",
    "Dolda_kategorier",
    "Ukryte_kategorie",
    "Kategorie_ukryte",
    "\xd0\xa1\xd0\xba\xd1\x80\xd1\x8b\xd1\x82\xd1\x8b\xd0\xb5_\xd0\xba\xd0\xb0\xd1\x82\xd0\xb5"
    "\xd0\xb3\xd0\xbe\xd1\x80\xd0\xb8\xd0\xb8",
    "\xe9\x9a\xa0\xe3\x81\x97\xe3\x82\xab\xe3\x83\x86\xe3\x82\xb4\xe3\x83\xaa",
    "\xe9\x9a\x90\xe8\x97\x8f\xe5\x88\x86\xe7\xb1\xbb",
    "\xe9\x9a\xb1\xe8\x97\x8f\xe5\x88\x86\xe9\xa1\x9e",
};

/* ---- hidden categories ----------------------------------------------------------------------- */

static dip_status add_root(dip_wiki *wiki, const char *name, dip_error *err) {
    char title[DIP_TEXT_MAX];
    uint32_t number = 0;
    bool is_new = false;
    size_t length = 0;
    for (; name[length] != '\0'; length++) {
        title[length] = name[length];
        if (name[length] == ' ') {
            title[length] = '_';
        }
    }
    DIP_TRY(dip_titles_put(&wiki->categories, title, length, &number, &is_new, err));
    return dip_id_set_put(&wiki->hidden_root, number, err);
}

/* The categories whose members are hidden, unless page_props has said which are. */
static dip_status add_roots(dip_wiki *wiki, dip_error *err) {
    if (wiki->options.hidden_category[0] != '\0') {
        return add_root(wiki, wiki->options.hidden_category, err);
    }
    if (wiki->files.path[DIP_WIKI_PAGE_PROPS] != NULL) {
        return DIP_OK;
    }
    for (size_t i = 0; i < sizeof HIDDEN_ROOTS / sizeof HIDDEN_ROOTS[0]; i++) {
        DIP_TRY(add_root(wiki, HIDDEN_ROOTS[i], err));
    }
    return DIP_OK;
}

/* ---- categorylinks --------------------------------------------------------------------------- */

/* What the three columns may be called, and where in the row they are. */
typedef enum category_column { FROM, TARGET, TITLE } category_column;

static dip_status add_pair(dip_wiki *wiki, uint32_t from, uint32_t category, dip_error *err) {
    uint32_t number = 0;
    if (!dip_id_map_get(&wiki->by_page, from, &number)) {
        return DIP_OK;
    }
    if ((number & DIP_WIKI_CATEGORY) != 0) {
        return dip_id_set_has(&wiki->hidden_root, category)
                   ? dip_id_set_put(&wiki->hidden, number & ~DIP_WIKI_CATEGORY, err)
                   : DIP_OK;
    }
    return dip_wiki_is_page(wiki, number) ? dip_pairs_put(wiki->pairs, from, category, err)
                                          : DIP_OK;
}

/* With cl_to, the category's title. */
static dip_status title_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                            size_t title_column, dip_error *err) {
    const char *title = NULL;
    size_t length = 0;
    uint32_t from = 0;
    uint32_t number = 0;
    bool is_new = false;
    DIP_TRY(dip_wiki_id(dump, values, FROM, UINT32_MAX, &from, err));
    DIP_TRY(dip_sql_dump_text(dump, title_column, &title, &length, err));
    DIP_TRY(dip_titles_put(&wiki->categories, title, length, &number, &is_new, err));
    return add_pair(wiki, from, number, err);
}

static dip_status old_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                          dip_error *err) {
    return title_row(wiki, dump, values, 1, err);
}

/* With cl_target_id. */
static dip_status new_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                          dip_error *err) {
    uint32_t from = 0;
    uint32_t target = 0;
    uint32_t number = 0;
    DIP_TRY(dip_wiki_id(dump, values, FROM, UINT32_MAX, &from, err));
    DIP_TRY(dip_wiki_id(dump, values, TARGET, UINT32_MAX, &target, err));
    if (!dip_id_map_get(&wiki->targets, target, &number) || (number & DIP_WIKI_CATEGORY) == 0) {
        wiki->counts.unknown_categories++;
        return DIP_OK;
    }
    return add_pair(wiki, from, number & ~DIP_WIKI_CATEGORY, err);
}

/* While a wiki is being moved from one to the other, a row may have either. */
static dip_status mixed_row(dip_wiki *wiki, const dip_sql_dump *dump, const dip_sql_value *values,
                            dip_error *err) {
    return values[TARGET].kind != DIP_SQL_NULL ? new_row(wiki, dump, values, err)
                                               : title_row(wiki, dump, values, TITLE, err);
}

dip_status dip_wiki_read_categories(dip_wiki *wiki, dip_error *err) {
    static const char *const OLD[] = {"cl_from", "cl_to"};
    static const char *const NEW[] = {"cl_from", "cl_target_id"};
    static const char *const MIXED[] = {"cl_from", "cl_target_id", "cl_to"};
    dip_sql_dump *dump = NULL;
    DIP_TRY(add_roots(wiki, err));
    DIP_TRY(dip_wiki_begin_pairs(wiki, err));
    DIP_TRY(dip_wiki_open(wiki, DIP_WIKI_CATEGORYLINKS, &dump, err));
    const bool has_target = dip_sql_dump_has(dump, NEW[1]);
    const bool has_title = dip_sql_dump_has(dump, OLD[1]);
    if (has_target && has_title) {
        return dip_wiki_read(wiki, DIP_WIKI_CATEGORYLINKS, dump, MIXED, 3, mixed_row, err);
    }
    return has_target ? dip_wiki_read(wiki, DIP_WIKI_CATEGORYLINKS, dump, NEW, 2, new_row, err)
                      : dip_wiki_read(wiki, DIP_WIKI_CATEGORYLINKS, dump, OLD, 2, old_row, err);
}

/* ---- pages.tsv ------------------------------------------------------------------------------- */

/* Puts a title with blanks for underscores, and for the bytes that cannot stand in a cell. */
static dip_status put_plain(dip_text *line, const char *title, size_t length, dip_error *err) {
    const size_t start = line->length;
    DIP_TRY(dip_text_put(line, title, length, err));
    for (size_t i = start; i < line->length; i++) {
        const char c = line->data[i];
        if (c == '_' || c == '\t' || c == '\n' || c == '\r' || c == '\0' || c == '|') {
            line->data[i] = ' ';
        }
    }
    return DIP_OK;
}

/* A title, in which bytes that are not UTF-8 become U+FFFD. */
static dip_status put_title(dip_wiki *wiki, dip_text *line, const char *title, size_t length,
                            dip_error *err) {
    bool is_replaced = false;
    for (;;) {
        const size_t good = dip_utf8_check(title, length);
        DIP_TRY(put_plain(line, title, good, err));
        if (good == length) {
            break;
        }
        is_replaced = true;
        DIP_TRY(dip_text_put(line, "\xef\xbf\xbd", 3, err));
        title += good + 1;
        length -= good + 1;
    }
    wiki->counts.replaced_titles += is_replaced;
    return DIP_OK;
}

static dip_status put_category(dip_wiki *wiki, dip_text *line, uint32_t category, bool *is_first,
                               dip_error *err) {
    size_t length = 0;
    if (dip_id_set_has(&wiki->hidden, category)) {
        wiki->counts.hidden_links++;
        return DIP_OK;
    }
    if (!dip_id_set_has(&wiki->used, category)) {
        wiki->counts.used_categories++;
        DIP_TRY(dip_id_set_put(&wiki->used, category, err));
    }
    DIP_TRY(dip_text_put(line, "|", !*is_first, err));
    const char *title = dip_titles_get(&wiki->categories, category, &length);
    *is_first = false;
    wiki->counts.page_categories++;
    return put_title(wiki, line, title, length, err);
}

typedef struct pair {
    uint32_t page;
    uint32_t category;
    bool is_there;
} pair;

static dip_status next_pair(dip_wiki *wiki, pair *next, dip_error *err) {
    const dip_status status = dip_pairs_next(wiki->pairs, &next->page, &next->category, err);
    next->is_there = status == DIP_OK;
    return status == DIP_END ? DIP_OK : status;
}

static dip_status put_page(dip_wiki *wiki, dip_text *line, uint32_t id, uint32_t number, pair *next,
                           dip_error *err) {
    char text[16];
    size_t length = 0;
    bool is_first = true;
    dip_text_clear(line);
    DIP_TRY(dip_text_put(line, text, (size_t)(dip_wiki_put_number(text, id, '\t') - text), err));
    const char *title = dip_titles_get(&wiki->titles, number, &length);
    DIP_TRY(put_title(wiki, line, title, length, err));
    DIP_TRY(dip_text_put(line, "\t", 1, err));
    while (next->is_there && next->page == id) {
        DIP_TRY(put_category(wiki, line, next->category, &is_first, err));
        DIP_TRY(next_pair(wiki, next, err));
    }
    return dip_text_put(line, "\n", 1, err);
}

static dip_status tell_written(const dip_wiki *wiki, uint64_t done, dip_error *err) {
    const dip_progress progress = {.phase = "writing pages.tsv",
                                   .unit = "pages",
                                   .detail = "",
                                   .done = done,
                                   .total = wiki->counts.pages};
    return (done & 0xfff) == 0 || done == wiki->counts.pages ? dip_tell(wiki->watch, &progress, err)
                                                             : DIP_OK;
}

static dip_status write_rows(dip_wiki *wiki, dip_writer *writer, dip_text *line, dip_error *err) {
    static const char HEADER[] = "page_id\ttitle\tcategories\n";
    pair next = {0};
    uint32_t id = 0;
    uint32_t number = 0;
    uint64_t done = 0;
    DIP_TRY(dip_writer_put(writer, HEADER, sizeof HEADER - 1, err));
    DIP_TRY(next_pair(wiki, &next, err));
    for (; dip_id_map_from(&wiki->by_page, &id, &number); id++) {
        if ((number & DIP_WIKI_CATEGORY) != 0 || !dip_wiki_is_page(wiki, number)) {
            continue;
        }
        DIP_TRY(put_page(wiki, line, id, number, &next, err));
        DIP_TRY(dip_writer_put(writer, line->data, line->length, err));
        DIP_TRY(tell_written(wiki, ++done, err));
    }
    return DIP_OK;
}

static uint64_t count_hidden(const dip_wiki *wiki) {
    uint64_t n = 0;
    for (uint32_t c = 0; c < dip_titles_count(&wiki->categories); c++) {
        n += dip_id_set_has(&wiki->hidden, c);
    }
    return n;
}

dip_status dip_wiki_write_pages(dip_wiki *wiki, dip_error *err) {
    dip_text line = {0};
    dip_writer *writer = NULL;
    wiki->counts.hidden_categories = count_hidden(wiki);
    DIP_TRY(dip_pairs_sort(wiki->pairs, err));
    DIP_TRY(dip_folder_begin(&wiki->folder, "pages.tsv", &writer, err));
    dip_status status = write_rows(wiki, writer, &line, err);
    dip_text_free(&line);
    dip_wiki_end_pairs(wiki);
    return status == DIP_OK ? dip_folder_end(&wiki->folder, err) : status;
}
