/* SPDX-License-Identifier: Apache-2.0
 *
 * Project files: schema and options together, with the place of every mistake.
 */
#include "fixture.h"

#include "base/mem.h"

#define SCHEMA_OF(file)                                                                            \
    "items: {file: " file ", id: i, features: {i: {type: id}}}\n"                                  \
    "interactions: {file: p.tsv, query: q, item: i}\n"
#define SCHEMA SCHEMA_OF("i.tsv")

static dip_status read_text(dip_project *project, check_folder *folder, const char *text) {
    check_write_text(check_path(folder, "project.yaml"), text);
    return fixture_project(project, folder);
}

static void options_are_read_from_their_sections(void **state) {
    dip_project p;
    check_ok(read_text(&p, *state,
                       SCHEMA "seed: 7\nthreads: 2\n"
                              "split: {test: 0.2, by: query}\n"
                              "model: {hidden: [32, 16], dim: 8}\n"
                              "train:\n  rate: 0.5\n  mask_hits: no\n"
                              "ssl: {method: rfm-no-complement}\n"
                              "evaluate: {k: 5}\n"));
    assert_int_equal(p.config.seed, 7);
    assert_int_equal(p.config.threads, 2);
    assert_true(p.config.split.test == 0.2);
    assert_int_equal(p.config.split.by, DIP_SPLIT_QUERY);
    assert_int_equal(p.config.model.hidden.n, 2);
    assert_int_equal(p.config.model.hidden.value[1], 16);
    assert_true(p.config.train.rate == 0.5);
    assert_false(p.config.train.mask_hits);
    assert_int_equal(p.config.ssl.method, DIP_METHOD_RFM_NO_COMPLEMENT);
    assert_int_equal(p.config.evaluate.k.n, 1);
    assert_int_equal(p.config.train.batch, 1024); /* a default */
    assert_string_equal(p.schema.items.id, "i");
    dip_project_release(&p);
}

/* Wherever it stands in the file. */
static void a_preset_gives_way_to_options(void **state) {
    dip_project p;
    check_ok(read_text(&p, *state, "train: {rate: 0.3}\npreset: paper\n" SCHEMA));
    assert_true(p.config.train.rate == 0.3);
    assert_int_equal(p.config.train.logq, DIP_LOGQ_NONE);
    dip_project_release(&p);
}

static void mistakes_are_named_at_their_place(void **state) {
    static const char *const CASES[][2] = {
        {SCHEMA "train:\n  rate: 0.1\n  bacth: 5\n",
         "project.yaml:5:3: unknown option \"train.bacth\"; did you mean \"train.batch\"?"},
        {SCHEMA "train: {rate: fast}\n", "project.yaml:3:9: train.rate: \"fast\" is not allowed"},
        {SCHEMA "trian: {rate: 1}\n",
         "project.yaml:3:1: unknown section \"trian\"; did you mean \"train\"?"},
        {SCHEMA "zzzzzz: {rate: 1}\n", "project.yaml:3:1: unknown section \"zzzzzz\""},
        {SCHEMA "train: 5\n", "project.yaml:3:1: "},
        {SCHEMA "seed: [1, 2]\n", "project.yaml:3:1: seed: \"1,2\" is not allowed"},
        {SCHEMA "seed: {a: 1}\n", "project.yaml:3:7: a plain value is expected"},
        {SCHEMA "preset: papre\n", "project.yaml:3:9: unknown preset \"papre\""},
        {SCHEMA "split: {test: 0.5, validation: 0.5}\n", "nothing is left to train on"},
        {SCHEMA "split: {by: time}\n", "names no \"time\" column"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        dip_project p;
        check_fails(read_text(&p, *state, CASES[i][0]), DIP_ERR_USAGE, CASES[i][1]);
        assert_null(p.path);
    }
}

static void a_missing_file_is_named(void **state) {
    dip_project p;
    check_fails(dip_project_read(&p, check_path(*state, "none.yaml"), check_error()), DIP_ERR_IO,
                "none.yaml");
}

/* Opens the items of a project whose table is `name`; the first column is the id. */
static void check_items_open(check_folder *folder, const char *name) {
    dip_project p;
    dip_reader *reader = NULL;
    size_t column = 1;
    char text[1000];
    snprintf(text, sizeof text, SCHEMA_OF("\"%s\""), name);
    check_ok(read_text(&p, folder, text));
    check_ok(dip_project_open(&reader, &p, &p.schema.items.source, check_error()));
    check_ok(dip_reader_column(reader, "i", &column, check_error()));
    assert_int_equal(column, 0);
    dip_reader_close(reader);
    dip_project_release(&p);
}

static void data_files_are_beside_the_project(void **state) {
    assert_int_equal(mkdir(check_path(*state, "sub"), 0777), 0);
    check_write_text(check_path(*state, "sub/x.tsv"), "i\n1\n");
    check_items_open(*state, "sub/x.tsv");
    check_items_open(*state, check_path(*state, "sub/x.tsv"));
}

static void every_option_can_be_set_in_the_file(void **state) {
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const dip_option *row = &dip_config_table.row[i];
        char text[2000];
        char section[DIP_TEXT_MAX];
        dip_project p;
        const char *dot = strchr(row->key, '.');
        if (dot == NULL) {
            snprintf(text, sizeof text, SCHEMA "%s: %s\n", row->key, row->fallback);
        } else {
            snprintf(section, sizeof section, "%.*s", (int)(dot - row->key), row->key);
            snprintf(text, sizeof text, SCHEMA "%s: {%s: [%s]}\n", section, dot + 1, row->fallback);
        }
        check_ok(read_text(&p, *state, text));
        char value[DIP_VALUE_MAX];
        dip_options_get(row, &p.config, value);
        assert_string_equal(value, row->fallback);
        dip_project_release(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(options_are_read_from_their_sections),
        check_test_in_folder(a_preset_gives_way_to_options),
        check_test_in_folder(mistakes_are_named_at_their_place),
        check_test_in_folder(a_missing_file_is_named),
        check_test_in_folder(data_files_are_beside_the_project),
        check_test_in_folder(every_option_can_be_set_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
