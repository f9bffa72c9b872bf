/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of mutual information of prepared rows: that of all training rows while they are few;
 * of a random share of them, near to it, beyond.
 */
#include "fixture.h"
#include "plain.h"

#include "data/tables.h"
#include "prepare/information.h"
#include "prepare/mutual_information.h"
#include "prepare/split.h"

static const char YAML[] = "items:\n"
                           "  file: items.tsv\n"
                           "  id: id\n"
                           "  features:\n"
                           "    kind: {type: categorical}\n"
                           "    copy: {type: categorical, column: kind, min_count: 3}\n"
                           "    tags: {type: bag}\n"
                           "    hashed: {type: bag, column: tags, hash_buckets: 5}\n"
                           "    price: {type: numeric}\n"
                           "    rank: {type: numeric, column: price, buckets: 6}\n"
                           "interactions: {file: pairs.tsv, query: q, item: i}\n"
                           "split: {test: 0.2, validation: 0.1}\n";

enum { K = 6, FEW = 400, MANY = 4000 };

static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 2};
static const dip_information_limits ALL = {UINT64_MAX, UINT64_MAX};

typedef struct world {
    dip_project project;
    dip_raw raw;
    dip_pairs pairs;
    dip_fit fit;
} world;

/* A price that knows something of the kind, tags that know something of both; some cells empty. */
static void write_items(check_folder *folder, size_t n, uint64_t *random) {
    dip_text text = {0};
    check_ok(dip_text_printf(&text, check_error(), "id\tkind\ttags\tprice\n"));
    for (size_t i = 0; i < n; i++) {
        const size_t kind = check_random_below(random, 8);
        const size_t price = kind * 10 + check_random_below(random, 30);
        check_ok(dip_text_printf(&text, check_error(), "i%zu\t", i));
        if (kind > 0) {
            check_ok(dip_text_printf(&text, check_error(), "k%zu", kind));
        }
        check_ok(dip_text_printf(&text, check_error(), "\t%s%zu|t%zu\t", kind % 3 == 0 ? "" : "s",
                                 kind / 2, check_random_below(random, 6)));
        if (price % 7 != 0) {
            check_ok(dip_text_printf(&text, check_error(), "%zu", price));
        }
        check_ok(dip_text_printf(&text, check_error(), "\n"));
    }
    check_write(check_path(folder, "items.tsv"), text.data, text.length);
    dip_text_free(&text);
}

static void write_pairs(check_folder *folder, size_t n, uint64_t *random) {
    dip_text text = {0};
    check_ok(dip_text_printf(&text, check_error(), "q\ti\n"));
    for (size_t i = 0; i < n; i++) {
        check_ok(dip_text_printf(&text, check_error(), "i%zu\ti%zu\n",
                                 check_random_below(random, n), check_random_below(random, n)));
    }
    check_write(check_path(folder, "pairs.tsv"), text.data, text.length);
    dip_text_free(&text);
}

static void make(world *w, check_folder *folder, size_t n, uint64_t seed) {
    int64_t counts[DIP_PART_UNUSED + 1];
    memset(w, 0, sizeof *w);
    check_write_text(check_path(folder, "project.yaml"), YAML);
    write_items(folder, n, &seed);
    write_pairs(folder, n, &seed);
    check_ok(fixture_project(&w->project, folder));
    dip_schema *schema = &w->project.schema;
    check_ok(dip_tables_lay_out(schema, check_error()));
    check_ok(dip_ingest(&w->raw, &w->project, schema, folder->path, &MEANS, check_error()));
    check_ok(dip_pairs_collect(&w->pairs, &w->raw, true, &MEANS, check_error()));
    check_ok(dip_ingest_finish(&w->raw, schema, NULL, &MEANS, check_error()));
    check_ok(dip_split(&w->pairs, &w->project.config, &MEANS, counts, check_error()));
    check_ok(
        dip_fit_all(&w->fit, &w->raw, &w->pairs, schema, &MEANS, &w->raw.scratch, check_error()));
}

static void release(world *w) {
    dip_fit_free(&w->fit, &w->project.schema);
    dip_pairs_free(&w->pairs);
    dip_raw_free(&w->raw);
    dip_project_release(&w->project);
}

/* Twenty bins of two deviations to either side; a missing number is in none. */
static plain_cells bins_of(const world *w, size_t f) {
    size_t n = 0;
    double *numbers = plain_final_numbers(&w->fit, &w->raw.items, &w->project.schema.items, f, &n);
    plain_cells cells = {
        .n = n, .offset = calloc(n + 1, sizeof(size_t)), .code = calloc(n + 1, sizeof(int32_t))};
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(numbers[i])) {
            const double bin = floor((numbers[i] + 2) / 0.2);
            cells.code[used++] = (int32_t)fmin(fmax(bin, 0), 19);
        }
        cells.offset[i + 1] = used;
    }
    free(numbers);
    return cells;
}

/* The matrix over all training rows at once. */
static void measure_all(const world *w, double *matrix) {
    dip_codes codes[K];
    plain_cells cells[K];
    int64_t *offsets[K];
    for (size_t f = 0; f < K; f++) {
        const dip_feature *feature = &w->project.schema.items.features[f];
        cells[f] = feature->table < 0
                       ? bins_of(w, f)
                       : plain_final(&w->fit, &w->raw.items, &w->project.schema.items, f);
        offsets[f] = calloc(cells[f].n + 1, sizeof *offsets[f]);
        for (size_t i = 0; i <= cells[f].n; i++) {
            offsets[f][i] = (int64_t)cells[f].offset[i];
        }
        codes[f] = (dip_codes){offsets[f], cells[f].code};
    }
    for (size_t at = 0; at < K * K; at++) {
        check_ok(dip_mutual_information(&codes[at / K], &codes[at % K], w->fit.item_trains,
                                        (size_t)w->raw.items.n, &matrix[at], check_error()));
    }
    for (size_t f = 0; f < K; f++) {
        plain_cells_free(&cells[f]);
        free(offsets[f]);
    }
}

static uint64_t training_rows(const world *w) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < w->raw.items.n; i++) {
        n += w->fit.item_trains[i];
    }
    return n;
}

static void measure(const world *w, uint64_t seed, dip_information_limits limits, int threads,
                    double *matrix, double *share) {
    const dip_means means = {.memory = SIZE_MAX, .threads = threads};
    const dip_columns items =
        dip_columns_of_raw(&w->raw, &w->project.schema, DIP_SIDE_ITEM, w->fit.kept);
    check_ok(dip_information_measure(&items, w->fit.item_trains, seed, limits, &means, matrix,
                                     share, check_error()));
}

static void few_rows_are_measured_exactly(void **state) {
    world w;
    double expected[K * K];
    double found[K * K];
    double share = 0;
    make(&w, *state, FEW, 1);
    assert_in_range(training_rows(&w), FEW / 4, FEW - 20);
    measure_all(&w, expected);
    for (int threads = 1; threads < 4; threads++) {
        measure(&w, 1, ALL, threads, found, &share);
        assert_memory_equal(found, expected, sizeof found);
        assert_true(share == 1);
        measure(&w, 1, DIP_INFORMATION_LIMITS, threads, found, &share);
        assert_memory_equal(found, expected, sizeof found);
        measure(&w, 1, (dip_information_limits){training_rows(&w), UINT64_MAX}, threads, found,
                &share);
        assert_memory_equal(found, expected, sizeof found);
        assert_true(share == 1);
    }
    check_near(found[0 * K + 1], found[1 * K + 1], 1e-12); /* a copy knows all of itself */
    assert_true(found[0 * K + 4] > 0.1);
    release(&w);
}

/* A plug-in estimate over n rows is off by its bias, about the free cells over 2 n, and by a
 * standard deviation below 1 / sqrt(n). */
static void check_estimate(const double *found, const double *expected, double n, bool differs) {
    static const double MOST_CELLS = 21 * 12;
    size_t different = 0;
    for (size_t i = 0; i < (size_t)K * K; i++) {
        check_near(found[i], expected[i], MOST_CELLS / (2 * n) + 4 / sqrt(n));
        different += found[i] != expected[i];
    }
    assert_true(different > 0 || !differs);
}

static void many_rows_are_measured_by_a_share(void **state) {
    world w;
    double expected[K * K];
    double found[2][K * K];
    double share = 0;
    make(&w, *state, MANY, 2);
    const uint64_t training = training_rows(&w);
    measure_all(&w, expected);
    for (uint64_t seed = 1; seed < 4; seed++) {
        measure(&w, seed, (dip_information_limits){training / 2, UINT64_MAX}, 1, found[0], &share);
        check_close(share, (double)(training / 2) / (double)training, 1e-12);
        check_estimate(found[0], expected, (double)training / 2, true);
        measure(&w, seed, (dip_information_limits){training / 2, UINT64_MAX}, 3, found[1], &share);
        assert_memory_equal(found[0], found[1], sizeof found[0]);
        measure(&w, seed + 1, (dip_information_limits){training / 2, UINT64_MAX}, 1, found[1],
                &share);
        assert_true(memcmp(found[0], found[1], sizeof found[0]) != 0);
    }
    release(&w);
}

/* Bags have up to four value pairs a row: only what is above the limit is measured by a share. */
static void many_values_are_measured_by_a_share(void **state) {
    world w;
    double expected[K * K];
    double found[K * K];
    double share = 0;
    make(&w, *state, MANY, 3);
    const uint64_t training = training_rows(&w);
    measure_all(&w, expected);
    measure(&w, 1, (dip_information_limits){UINT64_MAX, training}, 2, found, &share);
    check_estimate(found, expected, (double)training / 4, true);
    assert_true(share < 0.5 && share > 0.2);
    assert_true(found[0 * K + 4] == expected[0 * K + 4]); /* single values */
    assert_true(found[0 * K + 2] != expected[0 * K + 2]);
    measure(&w, 1, (dip_information_limits){training / 2, training / 2}, 2, found, &share);
    check_estimate(found, expected, (double)training / 8, true);
    assert_true(share < 0.25 && share > 0.1);
    release(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(few_rows_are_measured_exactly),
        check_test_in_folder(many_rows_are_measured_by_a_share),
        check_test_in_folder(many_values_are_measured_by_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
