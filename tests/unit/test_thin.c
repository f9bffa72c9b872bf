/* SPDX-License-Identifier: Apache-2.0
 *
 * A dataset with a share of another one's training pairs is what prepare makes of the raw files
 * with that share: the same pairs, counts, known cells and mutual information, in the tables of the
 * larger dataset. Real and random projects.
 */
#include "fixture.h"
#include "projects.h"
#include "shares.h"

#include "data/tables.h"
#include "data/vocab.h"

enum { PROJECTS = 12 };

/* ---- three datasets -------------------------------------------------------------------------- */

/* The whole, its share, and what prepare makes of the same files with the share. */
typedef struct three {
    dip_dataset whole;
    dip_dataset share;
    dip_dataset prepared;
} three;

static void make(three *d, check_folder *folder, const char *yaml, double fraction) {
    shares_prepare(folder, yaml, 1, "whole", &d->whole);
    shares_prepare(folder, yaml, fraction, "prepared", &d->prepared);
    shares_thin(folder, &d->whole, fraction, "share", &SHARES_MEANS, &d->share);
}

static void release(three *d) {
    dip_dataset_release(&d->whole);
    dip_dataset_release(&d->share);
    dip_dataset_release(&d->prepared);
}

/* ---- comparing with prepare ------------------------------------------------------------------ */

static void read_vocabulary(const dip_dataset *dataset, size_t table, dip_vocab *vocab) {
    const dip_table *known = &dataset->schema.tables[table];
    char name[DIP_PART_NAME_MAX];
    dip_part_name(name, "vocab", table, known->name, ".tsv");
    check_ok(dip_vocab_read(vocab, &dataset->folder, name, known->rows, check_error()));
}

/* The place in `there` of each value of `here`, or -1. The caller free()s it. */
static int32_t *map_values(const dip_vocab *here, const dip_vocab *there) {
    int32_t *place = calloc(here->n + 1, sizeof *place);
    for (size_t row = 0; row < here->n; row++) {
        size_t length = 0;
        const char *text = dip_vocab_text(here, row, &length);
        place[row] = dip_vocab_find(there, text, length);
    }
    return place;
}

/* The values of a row: none, one, or those of a bag. */
static size_t cell(const dip_column *column, int64_t row, const int32_t **codes) {
    if (column->offsets != NULL) {
        *codes = column->codes + column->offsets[row];
        return (size_t)(column->offsets[row + 1] - column->offsets[row]);
    }
    *codes = column->codes + row;
    return column->codes[row] >= 0;
}

/* The same cells by value; `place` NULL: by code. */
static void check_column(const dip_column *found, const dip_column *expected, int64_t n,
                         const int32_t *place) {
    for (int64_t row = 0; row < n; row++) {
        const int32_t *a = NULL;
        const int32_t *b = NULL;
        const size_t values = cell(found, row, &a);
        assert_int_equal(values, cell(expected, row, &b));
        for (size_t v = 0; v < values; v++) {
            assert_int_equal(place != NULL ? place[a[v]] : a[v], b[v]);
        }
    }
}

static bool is_cut(const dip_schema *schema, const dip_feature *feature) {
    return feature->table >= 0 &&
           dip_tables_first_feature(schema, (size_t)feature->table)->max_vocab > 0;
}

/* Numbers keep what was fitted on the whole; numbers of prepare are missing in the same rows. */
static void check_numbers(const dip_column *found, const dip_column *whole,
                          const dip_column *expected, int64_t n) {
    assert_memory_equal(found->numbers, whole->numbers, (size_t)n * sizeof *found->numbers);
    for (int64_t row = 0; row < n; row++) {
        assert_int_equal(isnan(found->numbers[row]), isnan(expected->numbers[row]));
    }
}

static void check_feature(const three *d, dip_side side, size_t f, int32_t *const *places) {
    const dip_feature *feature = &dip_schema_entity(&d->share.schema, side)->features[f];
    const dip_column *found = &dip_dataset_rows(&d->share, side)->columns[f];
    const dip_column *whole = &dip_dataset_rows(&d->whole, side)->columns[f];
    const dip_column *expected = &dip_dataset_rows(&d->prepared, side)->columns[f];
    const int64_t n = dip_dataset_rows(&d->share, side)->n;
    if (feature->table < 0) {
        check_numbers(found, whole, expected, n);
    } else if (!d->share.schema.tables[feature->table].is_vocabulary) {
        check_column(found, whole, n, NULL);
    } else if (!is_cut(&d->share.schema, feature)) {
        check_column(found, expected, n, places[feature->table]);
    }
}

static void check_strings(const dip_strings *found, const dip_strings *expected, int64_t n) {
    assert_memory_equal(found->offsets, expected->offsets, (size_t)(n + 1) * sizeof(int64_t));
    assert_memory_equal(found->bytes, expected->bytes, (size_t)found->offsets[n]);
}

static void check_side(const three *d, dip_side side, int32_t *const *places) {
    const dip_rows *found = dip_dataset_rows(&d->share, side);
    const dip_rows *expected = dip_dataset_rows(&d->prepared, side);
    assert_int_equal(found->n, expected->n);
    check_strings(&found->ids, &expected->ids, found->n);
    check_strings(&found->titles, &expected->titles, found->n);
    for (size_t f = 0; f < dip_schema_entity(&d->share.schema, side)->n_features; f++) {
        check_feature(d, side, f, places);
    }
}

/* Counts agree; a value that prepare drops is counted below min_count. Rows stay those of the
 * whole. */
static int32_t *check_vocabulary(const three *d, size_t table) {
    dip_vocab found;
    dip_vocab whole;
    dip_vocab expected;
    read_vocabulary(&d->share, table, &found);
    read_vocabulary(&d->whole, table, &whole);
    read_vocabulary(&d->prepared, table, &expected);
    const dip_feature *settings = dip_tables_first_feature(&d->share.schema, table);
    int32_t *place = map_values(&found, &expected);
    assert_int_equal(found.n, whole.n);
    for (size_t row = 0; row < found.n; row++) {
        size_t length[2];
        const char *text = dip_vocab_text(&found, row, &length[0]);
        assert_memory_equal(text, dip_vocab_text(&whole, row, &length[1]), length[0]);
        assert_int_equal(length[0], length[1]);
        if (place[row] >= 0) {
            assert_int_equal(found.count[row], expected.count[place[row]]);
        } else {
            assert_true(settings->max_vocab > 0 || found.count[row] < settings->min_count);
        }
    }
    dip_vocab_free(&found);
    dip_vocab_free(&whole);
    dip_vocab_free(&expected);
    return place;
}

/* Of features whose values are the same: numbers are cut anew by prepare. */
static void check_information(const three *d) {
    const dip_entity *items = &d->share.schema.items;
    const size_t k = items->n_features;
    for (size_t at = 0; at < k * k; at++) {
        const dip_feature *a = &items->features[at / k];
        const dip_feature *b = &items->features[at % k];
        if (a->type != DIP_FEATURE_NUMERIC && b->type != DIP_FEATURE_NUMERIC &&
            !is_cut(&d->share.schema, a) && !is_cut(&d->share.schema, b)) {
            check_near(d->share.mutual_information[at], d->prepared.mutual_information[at], 1e-12);
        }
    }
}

static void check_key(const three *d, const char *key) {
    const json_t *found = json_object_get(d->share.folder.manifest, key);
    const json_t *expected = json_object_get(d->prepared.folder.manifest, key);
    assert_non_null(found);
    if (!json_equal(found, expected)) {
        char *texts[2] = {json_dumps(found, 0), json_dumps(expected, 0)};
        fail_msg("%s: %s, not %s", key, texts[0], texts[1]);
    }
}

static void check_pairs(const three *d) {
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        assert_int_equal(d->share.n_pairs[s], d->prepared.n_pairs[s]);
        assert_memory_equal(d->share.pairs[s], d->prepared.pairs[s],
                            (size_t)d->share.n_pairs[s] * 2 * sizeof(int32_t));
    }
    assert_memory_equal(d->share.item_count, d->prepared.item_count,
                        (size_t)d->share.items.n * sizeof(int64_t));
    assert_memory_equal(d->share.item_trains, d->prepared.item_trains, (size_t)d->share.items.n);
}

static void check_like_prepare(const three *d) {
    int32_t *places[2 * DIP_FEATURES_MAX] = {NULL};
    for (size_t t = 0; t < d->share.schema.n_tables; t++) {
        if (d->share.schema.tables[t].is_vocabulary) {
            places[t] = check_vocabulary(d, t);
        }
    }
    check_pairs(d);
    check_side(d, DIP_SIDE_ITEM, places);
    check_side(d, DIP_SIDE_QUERY, places);
    check_information(d);
    check_key(d, "counts");
    check_key(d, "config");
    check_key(d, "warnings");
    for (size_t t = 0; t < d->share.schema.n_tables; t++) {
        free(places[t]);
    }
}

static void real_data_like_prepare(void **state) {
    static const char *const NAMES[] = {"docs-small", "packages-small"};
    static const double FRACTIONS[] = {0.5, 0.1, 0.01};
    for (size_t i = 0; i < 2; i++) {
        for (size_t f = 0; f < 3; f++) {
            char yaml[CHECK_PATH_MAX];
            three d;
            snprintf(yaml, sizeof yaml, "%s/data/%s/project.yaml", DIP_SOURCE_DIR, NAMES[i]);
            make(&d, *state, yaml, FRACTIONS[f]);
            check_like_prepare(&d);
            check_share(d.share.n_pairs[0], d.whole.n_pairs[0], FRACTIONS[f], 5);
            release(&d);
        }
    }
}

static void random_projects_like_prepare(void **state) {
    for (size_t number = 0; number < PROJECTS; number++) {
        three d;
        projects_write(*state, number);
        make(&d, *state, check_path(*state, "project.yaml"), number % 2 == 0 ? 0.5 : 0.2);
        check_like_prepare(&d);
        release(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(real_data_like_prepare),
        check_test_in_folder(random_projects_like_prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
