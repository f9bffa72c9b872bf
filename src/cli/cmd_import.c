/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/progress_bar.h"

#include <string.h>

enum { SETTINGS_MAX = 32 };

typedef struct settings {
    const char *names[SETTINGS_MAX];
    const char *values[SETTINGS_MAX];
    size_t n;
} settings;

/* The flags of a command that are settings of the library, which writes '_' for '-'. */
static settings gather(const cli_args *args, char spelled[SETTINGS_MAX][64]) {
    static const char *const OURS[] = {"output", "force", "json", "quiet", "help"};
    settings found = {.n = 0};
    for (size_t i = 0; i < args->n_flags && found.n < SETTINGS_MAX; i++) {
        const char *name = args->given[i].flag->name;
        bool is_ours = false;
        for (size_t k = 0; k < sizeof OURS / sizeof OURS[0]; k++) {
            is_ours |= strcmp(name, OURS[k]) == 0;
        }
        if (is_ours) {
            continue;
        }
        snprintf(spelled[found.n], sizeof spelled[0], "%s", name);
        for (char *c = spelled[found.n]; *c != '\0'; c++) {
            if (*c == '-') {
                *c = '_';
            }
        }
        found.names[found.n] = spelled[found.n];
        found.values[found.n++] = args->given[i].value;
    }
    return found;
}

static double number(const dip_report *report, const char *path) {
    double value = 0;
    return dip_report_number(report, path, &value, NULL) == DIP_OK ? value : 0;
}

typedef struct line {
    const char *path;
    const char *text;
} line;

static void print_lines(const dip_report *report, const line *lines, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char count[32];
        if (number(report, lines[i].path) > 0) {
            printf("  %16s %s\n", cli_thousands(number(report, lines[i].path), count),
                   lines[i].text);
        }
    }
}

/* What every import does after its work: JSON or text, warnings. */
static int finish_import(const cli_args *args, dip_report *report, const char *output,
                         void (*print)(const dip_report *report, const char *output)) {
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print(report, output);
    }
    if (!cli_has(args, "quiet")) {
        cli_print_warnings(report);
    }
    dip_report_free(report);
    return DIP_OK;
}

/* ---- wikipedia ------------------------------------------------------------------------------- */

static const cli_flag WIKIPEDIA_FLAGS[] = {
    {"output", 'o', "DIR", "the folder to write (needed)"},
    {"dumps", 'd', "DIR", "the folder with the files WIKI-DATE-TABLE.sql.gz"},
    {"wiki", 'w', "NAME", "which wiki, such as simplewiki; needed when DIR has several"},
    {"date", 0, "DATE", "which date; default: the newest that has all tables"},
    {"page", 0, "FILE", "the table page: ids, titles (needed, as the next three, without --dumps)"},
    {"redirect", 0, "FILE", "the table redirect: where redirects lead"},
    {"categorylinks", 0, "FILE", "the table categorylinks: which page is in which category"},
    {"pagelinks", 0, "FILE", "the table pagelinks: which page links to which title"},
    {"linktarget", 0, "FILE", "the table linktarget: titles of targets, for dumps since 2024"},
    {"page-props", 0, "FILE", "the table page_props, if there is one: which categories are hidden"},
    {"hidden-category", 0, "NAME",
     "the category whose members are hidden; default without page_props: its usual names"},
    {"memory", 'm', "SIZE",
     "memory to take, such as 2G (default 4G): the titles must fit; links go to temporary files in "
     "the output's folder, 8 bytes each"},
    {"force", 'f', NULL, "replace an existing import"},
    {NULL, 0, NULL, NULL},
};

static void print_wikipedia(const dip_report *report, const char *output) {
    static const line DROPPED[] = {
        {"links/dropped/from_namespace", "from other namespaces"},
        {"links/dropped/from_redirect", "from redirects"},
        {"links/dropped/from_missing", "from pages that are not in the table page"},
        {"links/dropped/to_namespace", "to other namespaces"},
        {"links/dropped/to_missing", "to pages that do not exist"},
        {"links/dropped/to_redirect", "to redirects that lead to no page"},
        {"links/dropped/to_self", "of a page to itself, redirects followed"},
        {"links/dropped/repeated", "repeated, redirects followed"},
    };
    char a[32];
    char b[32];
    char c[32];
    char d[32];
    printf("%s: %s pages, %s links; %s redirects followed; %s categories, %s more hidden\n", output,
           cli_thousands(number(report, "pages"), a),
           cli_thousands(number(report, "links/kept"), b),
           cli_thousands(number(report, "redirects/all"), c),
           cli_thousands(number(report, "categories/used"), d),
           cli_thousands(number(report, "categories/hidden"), (char[32]){0}));
    printf("of %s rows of pagelinks these were left out\n",
           cli_thousands(number(report, "links/rows"), a));
    print_lines(report, DROPPED, sizeof DROPPED / sizeof DROPPED[0]);
    printf("next: diptych prepare %s/project.yaml -o DATASET\n", output);
}

static int run_wikipedia(const cli_args *args) {
    dip_error err;
    dip_report *report = NULL;
    cli_bar bar;
    char spelled[SETTINGS_MAX][64];
    const char *output = cli_value(args, "output");
    if (output == NULL) {
        fprintf(stderr, "diptych import wikipedia: -o DIR is missing: where to write the tables\n");
        return DIP_ERR_USAGE;
    }
    const settings given = gather(args, spelled);
    const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
    const dip_status status =
        dip_import_wikipedia(given.names, given.values, given.n, output,
                             cli_has(args, "force") ? DIP_REPLACE : 0, &watch, &report, &err);
    cli_bar_stop(&bar);
    return status != DIP_OK ? cli_fail(&err) : finish_import(args, report, output, print_wikipedia);
}

static const cli_command WIKIPEDIA = {
    .name = "import wikipedia",
    .summary = "SQL dumps of a Wikipedia -> pages, links and a project file",
    .usage = "--dumps DIR [--wiki NAME] -o DIR [flags]",
    .description =
        "Reads the tables page, redirect, categorylinks, pagelinks, linktarget and page_props of a "
        "wiki in any language (dumps.wikimedia.org; .sql, .sql.gz or .sql.zst, of the layouts "
        "before and since linktarget) and writes pages.tsv (id, title, categories without hidden "
        "ones), links.tsv (source, target) and project.yaml. Kept are links from page to page of "
        "namespace 0, redirects followed, each once.",
    .example = "diptych import wikipedia --dumps dumps --wiki simplewiki -o simple",
    .flags = WIKIPEDIA_FLAGS,
    .run = run_wikipedia,
};

/* ---- recbole --------------------------------------------------------------------------------- */

static const cli_flag RECBOLE_FLAGS[] = {
    {"output", 'o', "FILE", "the project file to write (needed)"},
    {"user", 0, "NAME",
     "the user's column of NAME.inter, without its type; default: user_id, else "
     "the first token"},
    {"item", 0, "NAME", "the item's column; default: item_id, else the second token"},
    {"time", 0, "NAME", "the time's column; default: timestamp, if there is one"},
    {"text", 0, "NAMES",
     "columns that are text, by commas; default: what is called or ends in title, name or "
     "description"},
    {"force", 'f', NULL, "replace an existing project file, and items.tsv"},
    {NULL, 0, NULL, NULL},
};

static void print_recbole(const dip_report *report, const char *output) {
    const char *items = dip_report_text(report, "items");
    const char *users = dip_report_text(report, "users");
    const char *time = dip_report_text(report, "time");
    char count[32];
    printf("%s: interactions of %s, query %s, item %s%s%s\n", output,
           dip_report_text(report, "interactions"), dip_report_text(report, "user"),
           dip_report_text(report, "item"), time != NULL ? ", time " : "",
           time != NULL ? time : "");
    if (items != NULL) {
        printf("items of %s\n", items);
    } else {
        printf("%s items of the interactions in items.tsv\n",
               cli_thousands(number(report, "items_found"), count));
    }
    printf("users of %s\n", users != NULL ? users : "the interactions");
    printf("next: diptych prepare %s -o DATASET\n", output);
}

static int run_recbole(const cli_args *args) {
    dip_error err;
    dip_report *report = NULL;
    cli_bar bar;
    char spelled[SETTINGS_MAX][64];
    const char *output = cli_value(args, "output");
    if (output == NULL) {
        fprintf(stderr, "diptych import recbole: -o FILE is missing: the project file to write\n");
        return DIP_ERR_USAGE;
    }
    const settings given = gather(args, spelled);
    const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
    const dip_status status =
        dip_import_recbole(args->positional[0], given.names, given.values, given.n, output,
                           cli_has(args, "force") ? DIP_REPLACE : 0, &watch, &report, &err);
    cli_bar_stop(&bar);
    return status != DIP_OK ? cli_fail(&err) : finish_import(args, report, output, print_recbole);
}

static const cli_command RECBOLE = {
    .name = "import recbole",
    .summary = "RecBole's atomic files -> a project file that reads them where they are",
    .usage = "DIR|PREFIX -o project.yaml [flags]",
    .description =
        "Looks at the headers of NAME.inter, NAME.item and NAME.user, whose cells are NAME:TYPE, "
        "and writes a project file: token becomes the id or a category, token_seq a bag of tokens "
        "or text, float a number; float_seq is left out. With timestamp:float the split is by "
        "time. Without NAME.item the items are gathered from the interactions into items.tsv "
        "beside the project file.",
    .example = "diptych import recbole ml-100k -o ml-100k/project.yaml --text movie_title",
    .flags = RECBOLE_FLAGS,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_recbole,
};

/* ---- the family ------------------------------------------------------------------------------ */

static const cli_command *const KINDS[] = {&WIKIPEDIA, &RECBOLE, NULL};

const cli_command cli_import = {
    .name = "import",
    .summary = "other people's files -> a project file that prepare takes",
    .usage = "KIND ...",
    .description = "Makes a project file from files that were not made for diptych.",
    .family = KINDS,
};
