/* SPDX-License-Identifier: Apache-2.0
 *
 * The page of a report: every part once and in its place, texts of the data escaped, the library of
 * figures put in when it is given and refused when it is something else.
 */
#include "base/mem.h"
#include "check.h"
#include "experiment/page.h"
#include "experiment/page_files.h"

#include <jansson.h>

static const char PLOTLY[] = "/**\n* plotly.js v0.0.0\n*/\nvar a = 1 < 2 && 'Plotly';\n";

/* Writes a page and reads it again; the caller free()s it. */
static char *page_of(check_folder *folder, const char *results, const char *plotly) {
    const char *path = check_path(folder, "index.html");
    dip_writer writer;
    uint64_t hash = 0;
    uint64_t written = 0;
    size_t bytes = 0;
    unlink(path);
    check_ok(dip_writer_open(&writer, path, check_error()));
    check_ok(dip_page_write(&writer, results, strlen(results), plotly, check_error()));
    check_ok(dip_writer_close(&writer, &written, &hash, check_error()));
    char *page = check_read(path, &bytes);
    assert_int_equal(bytes, written);
    return page;
}

static size_t occurrences(const char *text, const char *part) {
    size_t n = 0;
    while ((text = strstr(text, part)) != NULL) {
        n++;
        text += strlen(part);
    }
    return n;
}

static void every_part_stands_in_the_page_once(void **state) {
    const char *plotly = check_path(*state, "plotly.min.js");
    check_write_text(plotly, PLOTLY);
    char *page = page_of(*state, "{\"format\": \"diptych-report\"}", plotly);
    assert_int_equal(occurrences(page, "@@"), 0);
    assert_int_equal(occurrences(page, (const char *)dip_page_css), 1);
    assert_int_equal(occurrences(page, (const char *)dip_page_js), 1);
    assert_int_equal(occurrences(page, PLOTLY), 1);
    assert_int_equal(occurrences(page, "{\"format\": \"diptych-report\"}"), 1);
    free(page);
}

static void the_frame_names_each_part_once(void **state) {
    (void)state;
    static const char *const MARKS[] = {"@@style@@", "@@plotly@@", "@@results@@", "@@script@@"};
    const char *at = (const char *)dip_page_html;
    assert_int_equal(occurrences(at, "@@"), 2 * 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(occurrences((const char *)dip_page_html, MARKS[i]), 1);
        at = strstr(at, MARKS[i]);
        assert_non_null(at);
    }
}

/* The files are put in without a change, so they must not hold what ends their element. */
static void the_files_of_the_page_can_stand_in_it(void **state) {
    (void)state;
    assert_int_equal(strlen((const char *)dip_page_html), dip_page_html_bytes);
    assert_int_equal(strlen((const char *)dip_page_css), dip_page_css_bytes);
    assert_int_equal(strlen((const char *)dip_page_js), dip_page_js_bytes);
    assert_null(strstr((const char *)dip_page_css, "</s"));
    assert_null(strstr((const char *)dip_page_js, "</s"));
    assert_null(strstr((const char *)dip_page_js, "<!--"));
    assert_null(strstr((const char *)dip_page_js, "innerHTML"));
    assert_null(strstr((const char *)dip_page_js, "insertAdjacentHTML"));
}

/* The document between the tags of its element. */
static char *results_in(char *page) {
    static const char START[] = "<script type=\"application/json\" id=\"results\">\n";
    assert_int_equal(occurrences(page, START), 1);
    char *results = strstr(page, START) + strlen(START);
    char *end = strstr(results, "</script>");
    assert_non_null(end);
    *end = '\0';
    return results;
}

static void texts_of_the_data_are_escaped_and_mean_the_same(void **state) {
    static const char *const HOSTILE[] = {
        "</script><script>alert(1)</script>",
        "<!-- <script> -->",
        "a & b && c &lt; <",
        "@@style@@ @@plotly@@ @@results@@ @@script@@ @@other@@",
        "\\u003c \\ \" ' \n \t %s %n $& ]]>",
        "\xE2\x80\xA8 \xE6\xBC\xA2 \xF0\x9F\x98\x80",
        "<",
        "",
    };
    for (size_t i = 0; i < sizeof HOSTILE / sizeof HOSTILE[0]; i++) {
        json_t *json = json_pack("{s:s, s:[f, n]}", HOSTILE[i], HOSTILE[i], "values", 0.25);
        char *text = json_dumps(json, 0);
        char *page = page_of(*state, text, NULL);
        char *results = results_in(page);
        assert_null(strpbrk(results, "<>&"));
        json_t *again = json_loads(results, 0, NULL);
        assert_true(json_equal(json, again));
        json_decref(again);
        json_decref(json);
        free(text);
        free(page);
    }
}

static void a_page_without_figures_has_the_rest(void **state) {
    char *page = page_of(*state, "{}", NULL);
    assert_int_equal(occurrences(page, "@@"), 0);
    assert_int_equal(occurrences(page, "<script>\n\n</script>"), 1);
    assert_int_equal(occurrences(page, (const char *)dip_page_js), 1);
    free(page);
}

static dip_status write_with(check_folder *folder, const char *plotly) {
    dip_writer writer;
    const char *path = check_path(folder, "refused.html");
    unlink(path);
    check_ok(dip_writer_open(&writer, path, check_error()));
    const dip_status status = dip_page_write(&writer, "{}", 2, plotly, check_error());
    dip_writer_abandon(&writer);
    return status;
}

static void a_file_that_is_not_plotly_is_refused(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } BAD[] = {
        {"", "is not plotly.min.js"},
        {"alert(1);\n", "is not plotly.min.js"},
        {"/* plotly.js v3 */ '</SCRIPT>'", "cannot stand in a page"},
        {"/* plotly.js v3 */ a<b<</script", "cannot stand in a page"},
        {"/* plotly.js v3 */ '<!--'", "cannot stand in a page"},
    };
    const char *path = check_path(*state, "bad.js");
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        check_write_text(path, BAD[i].text);
        check_fails(write_with(*state, path), DIP_ERR_FORMAT, BAD[i].part);
    }
    check_write_text(path, "/* plotly.js v3 */ a </ script; b < /script/; c <! --d <");
    check_ok(write_with(*state, path));
}

static void plotly_that_is_not_there_is_an_error_that_names_it(void **state) {
    char *path = NULL;
    const char *missing = check_path(*state, "none.js");
    check_fails(dip_page_find_plotly(&path, missing, check_error()), DIP_ERR_IO, missing);
    assert_null(path);
    check_fails(write_with(*state, missing), DIP_ERR_IO, missing);
}

static void plotly_that_is_given_is_taken(void **state) {
    char *path = NULL;
    const char *given = check_path(*state, "plotly.js");
    check_write_text(given, PLOTLY);
    check_ok(dip_page_find_plotly(&path, given, check_error()));
    assert_string_equal(path, given);
    dip_free(path);
    path = NULL;
    check_write_text(given, "alert(1);");
    check_fails(dip_page_find_plotly(&path, given, check_error()), DIP_ERR_FORMAT,
                "is not plotly.min.js");
    assert_null(path);
}

/* folder of this program + "/" + name; the caller free()s it. */
static char *beside_program(const char *name) {
    char own[CHECK_PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    assert_true(length > 0);
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    const size_t size = strlen(own) + strlen(name) + 2;
    char *path = malloc(size);
    assert_non_null(path);
    snprintf(path, size, "%s/%s", own, name);
    return path;
}

/* What is found is this file. */
static void check_found(const char *wanted) {
    char *path = NULL;
    struct stat a;
    struct stat b;
    check_ok(dip_page_find_plotly(&path, NULL, check_error()));
    assert_non_null(path);
    assert_int_equal(stat(path, &a), 0);
    assert_int_equal(stat(wanted, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    dip_free(path);
}

static void plotly_is_found_beside_the_program_and_in_share(void **state) {
    (void)state;
    char *beside = beside_program("plotly.min.js");
    char *share = beside_program("../share");
    char *folder = beside_program("../share/diptych");
    char *in_share = beside_program("../share/diptych/plotly.min.js");
    char *path = NULL;
    unlink(beside);
    unlink(in_share);
    check_ok(dip_page_find_plotly(&path, NULL, check_error()));
    assert_null(path);
    mkdir(share, 0777);
    mkdir(folder, 0777);
    check_write_text(in_share, PLOTLY);
    check_found(in_share);
    check_write_text(beside, PLOTLY);
    check_found(beside);
    unlink(beside);
    unlink(in_share);
    rmdir(folder);
    rmdir(share);
    free(beside);
    free(share);
    free(folder);
    free(in_share);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(every_part_stands_in_the_page_once),
        cmocka_unit_test(the_frame_names_each_part_once),
        cmocka_unit_test(the_files_of_the_page_can_stand_in_it),
        check_test_in_folder(texts_of_the_data_are_escaped_and_mean_the_same),
        check_test_in_folder(a_page_without_figures_has_the_rest),
        check_test_in_folder(a_file_that_is_not_plotly_is_refused),
        check_test_in_folder(plotly_that_is_not_there_is_an_error_that_names_it),
        check_test_in_folder(plotly_that_is_given_is_taken),
        cmocka_unit_test(plotly_is_found_beside_the_program_and_in_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
