/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* dladdr, which POSIX has since 2024 only */
#include "experiment/page.h"

#include "base/mem.h"
#include "experiment/page_files.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PLOTLY "plotly.min.js"
#define MARK "@@"

enum {
    MARK_LENGTH = sizeof MARK - 1,
    PLOTLY_LIMIT = 1 << 26, /* bytes; the whole library has about 5 million */
    PLOTLY_HEAD = 4096      /* its name stands in the first lines */
};

typedef struct page {
    dip_writer *writer;
    const char *results;
    size_t results_bytes;
    const char *plotly;
} page;

/* ---- the parts ------------------------------------------------------------------------------- */

static dip_status put_style(const page *p, dip_error *err) {
    return dip_writer_put(p->writer, dip_page_css, dip_page_css_bytes, err);
}

static dip_status put_script(const page *p, dip_error *err) {
    return dip_writer_put(p->writer, dip_page_js, dip_page_js_bytes, err);
}

/* In JSON these three occur in texts only, where \u003c means the same as <. So no text can end the
 * element that the document stands in ("</script"), nor make it go on ("<!--"). */
static const char *escape_of(char c) {
    switch (c) {
    case '<':
        return "\\u003c";
    case '>':
        return "\\u003e";
    case '&':
        return "\\u0026";
    default:
        return NULL;
    }
}

static dip_status put_results(const page *p, dip_error *err) {
    size_t start = 0; /* bytes before it are written */
    for (size_t i = 0; i < p->results_bytes; i++) {
        const char *escape = escape_of(p->results[i]);
        if (escape != NULL) {
            DIP_TRY(dip_writer_put(p->writer, p->results + start, i - start, err));
            DIP_TRY(dip_writer_put(p->writer, escape, strlen(escape), err));
            start = i + 1;
        }
    }
    return dip_writer_put(p->writer, p->results + start, p->results_bytes - start, err);
}

/* Whether a script has a text that an HTML parser would take for its end or for a comment. A script
 * cannot be escaped as JSON can, so such a one is refused. */
static bool breaks_out(const char *script, size_t bytes) {
    static const char END[] = "</script";
    const char *end = script + bytes;
    for (const char *s = script; (s = memchr(s, '<', (size_t)(end - s))) != NULL; s++) {
        if (strncasecmp(s, END, sizeof END - 1) == 0 || strncmp(s, "<!--", 4) == 0) {
            return true;
        }
    }
    return false;
}

static dip_status check_plotly(const char *path, const char *script, size_t bytes, dip_error *err) {
    char head[PLOTLY_HEAD + 1];
    snprintf(head, sizeof head, "%s", script);
    if (strstr(head, "plotly.js v") == NULL) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s is not " PLOTLY " (\"plotly.js v\" does not stand at its beginning); "
                        "tools/plotly.sh fetches that file",
                        path);
    }
    if (breaks_out(script, bytes)) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s has \"</script\" or \"<!--\" in it and cannot stand in a page; use "
                        "the " PLOTLY " that tools/plotly.sh fetches",
                        path);
    }
    return DIP_OK;
}

/* Caller dip_free()s the script. */
static dip_status read_plotly(const char *path, char **script, size_t *bytes, dip_error *err) {
    DIP_TRY(dip_read_file(path, PLOTLY_LIMIT, script, bytes, err));
    const dip_status status = check_plotly(path, *script, *bytes, err);
    if (status != DIP_OK) {
        dip_free(*script);
        *script = NULL;
    }
    return status;
}

static dip_status put_plotly(const page *p, dip_error *err) {
    char *script = NULL;
    size_t bytes = 0;
    if (p->plotly == NULL) {
        return DIP_OK;
    }
    DIP_TRY(read_plotly(p->plotly, &script, &bytes, err));
    const dip_status status = dip_writer_put(p->writer, script, bytes, err);
    dip_free(script);
    return status;
}

/* ---- the frame ------------------------------------------------------------------------------- */

static const struct part {
    const char *name;
    dip_status (*put)(const page *p, dip_error *err);
} PARTS[] = {
    {"style", put_style}, {"plotly", put_plotly}, {"results", put_results}, {"script", put_script}};

static const struct part *find_part(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (strlen(PARTS[i].name) == length && memcmp(PARTS[i].name, name, length) == 0) {
            return &PARTS[i];
        }
    }
    return NULL;
}

/* The next marker in [at, end), or end. */
static const char *find_mark(const char *at, const char *end) {
    while ((at = memchr(at, MARK[0], (size_t)(end - at))) != NULL) {
        if (end - at >= MARK_LENGTH && memcmp(at, MARK, MARK_LENGTH) == 0) {
            return at;
        }
        at++;
    }
    return end;
}

dip_status dip_page_write(dip_writer *writer, const char *results, size_t bytes, const char *plotly,
                          dip_error *err) {
    const page p = {writer, results, bytes, plotly};
    const char *at = (const char *)dip_page_html;
    const char *end = at + dip_page_html_bytes;
    for (;;) {
        const char *mark = find_mark(at, end);
        DIP_TRY(dip_writer_put(writer, at, (size_t)(mark - at), err));
        if (mark == end) {
            return DIP_OK;
        }
        const char *name = mark + MARK_LENGTH;
        const char *close = find_mark(name, end);
        const struct part *part = find_part(name, (size_t)(close - name));
        assert(part != NULL && close != end);
        DIP_TRY(part->put(&p, err));
        at = close + MARK_LENGTH;
    }
}

/* ---- where the library of the figures is ----------------------------------------------------- */

/* *path = folder/name, when that is a file. */
static dip_status try_place(char **path, const char *folder, const char *name, dip_error *err) {
    char *place = dip_path_join(folder, name, err);
    if (place == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (dip_path_exists(place)) {
        *path = place;
    } else {
        dip_free(place);
    }
    return DIP_OK;
}

/* Beside the file that this code is in; or in share, as seen from lib and from bin. */
static dip_status search(char **path, dip_error *err) {
    static const char here = 0;
    static const char *const PLACES[] = {PLOTLY, DIP_SHARE_FROM_LIB "/" PLOTLY,
                                         DIP_SHARE_FROM_BIN "/" PLOTLY};
    Dl_info info;
    if (dladdr(&here, &info) == 0 || info.dli_fname == NULL) {
        return DIP_OK;
    }
    char *folder = dip_path_folder(info.dli_fname, err);
    if (folder == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = DIP_OK;
    for (size_t i = 0; i < 3 && status == DIP_OK && *path == NULL; i++) {
        status = try_place(path, folder, PLACES[i], err);
    }
    dip_free(folder);
    return status;
}

dip_status dip_page_find_plotly(char **path, const char *given, dip_error *err) {
    *path = NULL;
    if (given == NULL) {
        return search(path, err);
    }
    if (!dip_path_exists(given)) {
        return dip_fail(err, DIP_ERR_IO,
                        "%s, the library of the figures, is not there; tools/plotly.sh fetches "
                        "it into build/plotly",
                        given);
    }
    char *script = NULL;
    size_t bytes = 0;
    DIP_TRY(read_plotly(given, &script, &bytes, err));
    dip_free(script);
    *path = dip_copy_text(given, strlen(given), "a path", err);
    return *path != NULL ? DIP_OK : DIP_ERR_MEMORY;
}
