/* SPDX-License-Identifier: Apache-2.0
 *
 * The leaks of a check, with tables so small that the pairs are looked up in many parts, against a
 * search through all pairs; and findings about a dataset that is at odds with itself. The other
 * numbers are checked in tests/cli/test_check.py.
 */
#include "fixture.h"

#include "base/mem.h"
#include "check/check.h"
#include "check/parts.h"

static const char OPTIONS[] = "split: {test: 0.2, validation: 0.1}\n"
                              "model: {dim: 4, hidden: 8}\n"
                              "threads: 1\n";

static void replace_pairs(check_folder *folder, const char *part, const int32_t *pairs, int64_t n) {
    const dip_npy array = {.type = DIP_NPY_I32, .rows = n, .columns = 2, .data = pairs};
    fixture_replace_array(folder, part, &array);
}

/* Random pairs of 40 items: many stand in several splits, some reversed, some twice. */
static void load_leaky(dip_dataset *d, check_folder *folder) {
    enum { ITEMS = 40, N = 400 };
    static const char *const PARTS[] = {"pairs-train.npy", "pairs-validation.npy",
                                        "pairs-test.npy"};
    uint64_t random = 9;
    fixture_write_random(folder, (fixture_size){ITEMS, 300, 1}, OPTIONS);
    check_ok(fixture_prepare(folder, NULL));
    for (size_t s = 0; s < 3; s++) {
        int32_t pairs[2 * N];
        for (size_t i = 0; i < 2 * N; i++) {
            pairs[i] = (int32_t)check_random_below(&random, ITEMS);
        }
        replace_pairs(folder, PARTS[s], pairs, N);
    }
    check_ok(dip_dataset_load(d, check_path(folder, "data"), check_error()));
}

static bool has(const dip_dataset *d, size_t split, int64_t before, int32_t query, int32_t item) {
    for (int64_t i = 0; i < before; i++) {
        if (d->pairs[split][2 * i] == query && d->pairs[split][2 * i + 1] == item) {
            return true;
        }
    }
    return false;
}

/* What the report must say of a split, by comparing each pair with each other. */
static void check_split(const dip_dataset *d, size_t split, const json_t *found) {
    int64_t repeated = 0;
    int64_t trains = 0;
    int64_t reversed = 0;
    int64_t validates = 0;
    for (int64_t i = 0; i < d->n_pairs[split]; i++) {
        const int32_t query = d->pairs[split][2 * i];
        const int32_t item = d->pairs[split][2 * i + 1];
        if (has(d, split, i, query, item)) {
            repeated++;
            continue;
        }
        trains += has(d, 0, d->n_pairs[0], query, item);
        reversed += has(d, 0, d->n_pairs[0], item, query);
        validates += has(d, 1, d->n_pairs[1], query, item);
    }
    assert_true(repeated > 10 && trains > 10 && reversed > 10 && validates > 10);
    assert_int_equal(json_integer_value(json_object_get(found, "repeated_pairs")), repeated);
    assert_int_equal(json_integer_value(json_object_get(found, "pairs_that_train")), trains);
    assert_int_equal(json_integer_value(json_object_get(found, "reversed_pairs_that_train")),
                     reversed);
    if (split == 2) {
        assert_int_equal(json_integer_value(json_object_get(found, "pairs_that_validate")),
                         validates);
    }
}

static void leaks_are_the_same_in_any_number_of_parts(void **state) {
    dip_dataset d;
    load_leaky(&d, *state);
    static const size_t SLOTS[] = {64, 128, 256, 1024, DIP_LEAK_SLOTS};
    for (size_t i = 0; i < sizeof SLOTS / sizeof SLOTS[0]; i++) {
        dip_checkup check = {.dataset = &d, .config = &d.config, .slots_most = SLOTS[i]};
        check_ok(dip_json_new_object(&check.report, check_error()));
        check_ok(dip_json_new_array(&check.findings, check_error()));
        check_ok(dip_check_pairs(&check, check_error()));
        check_ok(dip_check_leaks(&check, check_error()));
        const json_t *splits = json_object_get(check.report, "splits");
        check_split(&d, 1, json_object_get(splits, "validation"));
        check_split(&d, 2, json_object_get(splits, "test"));
        dip_free(check.item_count);
        dip_free(check.item_facts);
        json_decref(check.report);
        json_decref(check.findings);
    }
    dip_dataset_release(&d);
}

/* The finding about something, or NULL. */
static const char *level_of(const json_t *report, const char *about) {
    size_t i = 0;
    json_t *finding = NULL;
    json_array_foreach(json_object_get(report, "findings"), i, finding) {
        if (strcmp(json_string_value(json_object_get(finding, "about")), about) == 0) {
            return json_string_value(json_object_get(finding, "level"));
        }
    }
    return NULL;
}

static void counts_that_are_not_of_the_pairs_are_problems(void **state) {
    dip_dataset d;
    json_t *report = NULL;
    load_leaky(&d, *state);
    check_ok(dip_check_dataset(&d, &d.config, false, NULL, &report, check_error()));
    assert_string_equal(level_of(report, "item-count.npy"), "problem");
    assert_string_equal(level_of(report, "test split"), "problem");
    json_decref(report);
    dip_dataset_release(&d);
    fixture_write_random(*state, (fixture_size){40, 300, 1}, OPTIONS);
    check_ok(fixture_prepare(*state, NULL));
    check_ok(dip_dataset_load(&d, check_path(*state, "data"), check_error()));
    check_ok(dip_check_dataset(&d, &d.config, true, NULL, &report, check_error()));
    assert_null(level_of(report, "item-count.npy"));
    assert_null(level_of(report, "item-trains.npy"));
    json_decref(report);
    dip_dataset_release(&d);
}

static int stop(void *context, const dip_progress *progress) {
    (void)progress;
    int *left = context;
    return (*left)-- == 0;
}

/* Whenever the caller asks to stop, it stops, and nothing is left. */
static void a_check_can_be_interrupted(void **state) {
    dip_dataset d;
    dip_report *report = NULL;
    dip_status status = DIP_ERR_INTERRUPTED;
    int calls = 0;
    fixture_write_random(*state, (fixture_size){40, 300, 1}, OPTIONS);
    check_ok(fixture_prepare(*state, NULL));
    check_ok(dip_dataset_load(&d, check_path(*state, "data"), check_error()));
    for (; status == DIP_ERR_INTERRUPTED; calls++) {
        int left = calls;
        const dip_watch watch = {stop, &left, NULL};
        assert_true(calls < 1000);
        status = dip_check(&d, &d.config, 0, &watch, &report, check_error());
    }
    check_ok(status);
    assert_true(calls > 10);
    dip_report_free(report);
    check_fails(dip_check(&d, &d.config, DIP_REPLACE, NULL, &report, check_error()), DIP_ERR_USAGE,
                "unknown flags");
    check_fails(dip_check(&d, NULL, 0, NULL, &report, check_error()), DIP_ERR_USAGE, "config");
    dip_dataset_release(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(leaks_are_the_same_in_any_number_of_parts),
        check_test_in_folder(counts_that_are_not_of_the_pairs_are_problems),
        check_test_in_folder(a_check_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
