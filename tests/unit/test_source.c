/* SPDX-License-Identifier: Apache-2.0
 *
 * What the project file says about files: lists, patterns, layouts, and the stored form.
 */
#include "check.h"
#include "data/schema.h"

#define ITEMS(source)                                                                              \
    "items: {" source ", id: a, features: {a: {type: id}}}\n"                                      \
    "interactions: {file: p.tsv, query: q, item: i}\n"

static dip_status read_text(dip_schema *schema, check_folder *folder, const char *text) {
    dip_yaml yaml;
    const char *path = check_path(folder, "p.yaml");
    check_write_text(path, text);
    DIP_TRY(dip_yaml_load(&yaml, path, check_error()));
    const dip_status status = dip_schema_read(schema, &yaml, check_error());
    dip_yaml_free(&yaml);
    if (status != DIP_OK) {
        dip_schema_free(schema);
    }
    return status;
}

static const char *folder_of(check_folder *folder) {
    static char path[1000];
    snprintf(path, sizeof path, "%s", check_path(folder, "x"));
    *strrchr(path, '/') = '\0';
    return path;
}

static dip_status find_paths(dip_names *paths, check_folder *folder, const char *text) {
    dip_schema s;
    check_ok(read_text(&s, folder, text));
    *paths = (dip_names){0};
    const dip_status status =
        dip_source_paths(&s.items.source, folder_of(folder), "p.yaml", paths, check_error());
    dip_schema_free(&s);
    return status;
}

/* The files are these, in this order, separated by blanks. */
static void check_paths(check_folder *folder, const char *text, const char *expected) {
    dip_names paths;
    char found[1000] = "";
    check_ok(find_paths(&paths, folder, text));
    const size_t prefix = strlen(folder_of(folder)) + 1;
    for (size_t i = 0; i < paths.n; i++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i > 0 ? " " : "",
                 paths.name[i] + prefix);
    }
    assert_string_equal(found, expected);
    dip_names_free(&paths);
}

static void write_some(check_folder *folder) {
    static const char *const NAMES[] = {"b.tsv",   "a.tsv",   "B.tsv",  "c.csv",
                                        "d/2.tsv", "d/1.tsv", "[x].tsv"};
    mkdir(check_path(folder, "d"), 0777);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        check_write_text(check_path(folder, NAMES[i]), "a\n1\n");
    }
}

static void names_lists_and_patterns_become_paths(void **state) {
    write_some(*state);
    check_paths(*state, ITEMS("file: a.tsv"), "a.tsv");
    check_paths(*state, ITEMS("file: none.tsv"), "none.tsv");
    check_paths(*state, ITEMS("file: [c.csv, a.tsv, d/2.tsv]"), "c.csv a.tsv d/2.tsv");
    check_paths(*state, ITEMS("file: '?.tsv'"), "B.tsv a.tsv b.tsv");
    check_paths(*state, ITEMS("file: '[ab].tsv'"), "a.tsv b.tsv");
    check_paths(*state, ITEMS("file: 'd/*'"), "d/1.tsv d/2.tsv");
    check_paths(*state, ITEMS("file: ['d/*.tsv', '*.csv', a.tsv]"), "d/1.tsv d/2.tsv c.csv a.tsv");
    check_paths(*state, ITEMS("file: '[x].tsv'"), "[x].tsv");
}

static void an_absolute_pattern_stays_where_it_is(void **state) {
    char text[2000];
    write_some(*state);
    snprintf(text, sizeof text, ITEMS("file: '%s/d/*.tsv'"), folder_of(*state));
    check_paths(*state, text, "d/1.tsv d/2.tsv");
}

/* Special characters in the folder's name mean nothing. */
static void a_folder_with_special_characters_is_taken_as_it_is(void **state) {
    dip_schema s;
    dip_names paths = {0};
    mkdir(check_path(*state, "[a]*"), 0777);
    mkdir(check_path(*state, "a"), 0777);
    check_write_text(check_path(*state, "[a]*/1.tsv"), "a\n");
    check_write_text(check_path(*state, "a/2.tsv"), "a\n");
    check_ok(read_text(&s, *state, ITEMS("file: '*.tsv'")));
    check_ok(
        dip_source_paths(&s.items.source, check_path(*state, "[a]*"), "p", &paths, check_error()));
    assert_int_equal(paths.n, 1);
    assert_string_equal(paths.name[0], check_path(*state, "[a]*/1.tsv"));
    dip_names_free(&paths);
    dip_schema_free(&s);
}

static void what_cannot_be_read_is_named_at_its_place(void **state) {
    dip_names paths;
    write_some(*state);
    check_fails(find_paths(&paths, *state, ITEMS("file: '*.txt'")), DIP_ERR_USAGE,
                "p.yaml:1:15: no file matches \"*.txt\"");
    check_fails(find_paths(&paths, *state, ITEMS("file: [a.tsv, 'z*']")), DIP_ERR_USAGE,
                "p.yaml:1:15: no file matches \"z*\"");
    check_fails(find_paths(&paths, *state, ITEMS("file: [a.tsv, b.tsv, a.tsv]")), DIP_ERR_USAGE,
                "a.tsv would be read twice");
    check_fails(find_paths(&paths, *state, ITEMS("file: ['*.tsv', d/1.tsv, b.tsv]")), DIP_ERR_USAGE,
                "b.tsv would be read twice");
}

static void mistakes_in_the_project_file_are_named(void **state) {
    static const char *const CASES[][2] = {
        {ITEMS("file: []"), "p.yaml:1:15: the list is empty"},
        {ITEMS("file: ''"), "p.yaml:1:15: a name is expected"},
        {ITEMS("file: [a.tsv, [b.tsv]]"), "p.yaml:1:23: a name is expected"},
        {ITEMS("file: {a: b}"), "p.yaml:1:15: a name is expected"},
        {ITEMS("file: a, format: xml"), "p.yaml:1:18: format: \"xml\" is not allowed"},
        {ITEMS("file: a, encoding: utf7"), "encoding: \"utf7\" is not allowed"},
        {ITEMS("file: a, columns: []"), "the list is empty"},
        {ITEMS("fiel: a"), "p.yaml:1:9: unknown setting \"fiel\"; did you mean \"file\"?"},
        {ITEMS("file: a, delimeter: b"), "did you mean \"delimiter\"?"},
        {"items: {file: a, id: a, features: {a: {delimiter: x}}}\n", "unknown feature setting"},
        {"items: {file: a, id: a, features: {a: {type: id}}}\n"
         "interactions: {query: q, item: i, colums: [a]}\n",
         "p.yaml:2:35: unknown setting \"colums\"; did you mean \"columns\"?"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_schema s;
        check_fails(read_text(&s, *state, CASES[i][0]), DIP_ERR_USAGE, CASES[i][1]);
    }
}

static void layouts_are_read(void **state) {
    dip_schema s;
    check_ok(read_text(&s, *state,
                       ITEMS("file: a.dat, format: tsv, columns: [a, b c], delimiter: '::', "
                             "encoding: latin1")));
    const dip_source *source = &s.items.source;
    assert_int_equal(source->format, DIP_FORMAT_TSV);
    assert_int_equal(source->encoding, DIP_ENCODING_LATIN1);
    assert_string_equal(source->delimiter, "::");
    assert_int_equal(source->columns.n, 2);
    assert_string_equal(source->columns.name[1], "b c");
    assert_int_equal(s.interactions.columns.n, 0);
    assert_int_equal(s.interactions.format, DIP_FORMAT_BY_NAME);
    dip_schema_free(&s);
}

static void check_same(const dip_names *a, const dip_names *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->name[i], b->name[i]);
    }
}

/* Stored and read back, and copied. */
static void sources_are_stored_as_written(void **state) {
    static const char *const TEXTS[] = {
        ITEMS("file: a.tsv"), ITEMS("file: '*.tsv'"), ITEMS("file: [b.csv, 'a*.tsv']"),
        ITEMS("file: a.dat, format: csv, columns: [a, b], delimiter: ';', encoding: latin1")};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        dip_schema s;
        dip_source again = {0};
        dip_source copy = {0};
        json_t *json = json_object();
        check_ok(read_text(&s, *state, TEXTS[i]));
        const dip_source *source = &s.items.source;
        check_ok(dip_source_to_json(source, json, check_error()));
        assert_int_equal(json_object_size(json), i < 3 ? 1 : 5);
        check_ok(dip_source_from_json(&again, json, check_error()));
        check_ok(dip_source_copy(&copy, &again, check_error()));
        check_same(&copy.files, &source->files);
        check_same(&copy.columns, &source->columns);
        assert_string_equal(copy.delimiter, source->delimiter);
        assert_int_equal(copy.format, source->format);
        assert_int_equal(copy.encoding, source->encoding);
        dip_source_free(&again);
        dip_source_free(&copy);
        dip_schema_free(&s);
        json_decref(json);
    }
}

static void stored_nonsense_is_refused(void **state) {
    static const char *const TEXTS[] = {"{}",
                                        "{\"file\": 5}",
                                        "{\"file\": []}",
                                        "{\"file\": [\"a\", 5]}",
                                        "{\"file\": [\"\"]}",
                                        "{\"file\": \"a\", \"format\": \"xml\"}",
                                        "{\"file\": \"a\", \"format\": 1}",
                                        "{\"file\": \"a\", \"columns\": \"b\"}",
                                        "{\"file\": \"a\", \"columns\": [1]}"};
    (void)state;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        dip_source source = {0};
        json_t *json = json_loads(TEXTS[i], 0, NULL);
        assert_int_equal(dip_source_from_json(&source, json, check_error()), DIP_ERR_FORMAT);
        dip_source_free(&source);
        json_decref(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(names_lists_and_patterns_become_paths),
        check_test_in_folder(an_absolute_pattern_stays_where_it_is),
        check_test_in_folder(a_folder_with_special_characters_is_taken_as_it_is),
        check_test_in_folder(what_cannot_be_read_is_named_at_its_place),
        check_test_in_folder(mistakes_in_the_project_file_are_named),
        check_test_in_folder(layouts_are_read),
        check_test_in_folder(sources_are_stored_as_written),
        cmocka_unit_test(stored_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
