/* SPDX-License-Identifier: Apache-2.0
 *
 * The distinct pairs of records: against a plain search among all earlier ones, in few parts and in
 * many.
 */
#include "plain.h"

/* Records as ingestion leaves them, and the same as plain arrays. */
typedef struct records {
    dip_raw raw;
    plain_pairs all; /* -1: unknown */
} records;

static void make(records *r, size_t n, size_t rows, bool has_time, bool has_part,
                 uint64_t *random) {
    memset(r, 0, sizeof *r);
    dip_raw *raw = &r->raw;
    plain_scratch(&raw->scratch);
    dip_column_init(&raw->query_rows, &raw->scratch);
    dip_column_init(&raw->item_rows, &raw->scratch);
    raw->times.scratch = &raw->scratch;
    raw->parts.scratch = &raw->scratch;
    raw->n_records = n;
    r->all = (plain_pairs){.n = n,
                           .query = calloc(n + 1, sizeof(int32_t)),
                           .item = calloc(n + 1, sizeof(int32_t)),
                           .time = calloc(n + 1, sizeof(double)),
                           .part = calloc(n + 1, 1)};
    for (size_t i = 0; i < n; i++) {
        r->all.query[i] = (int32_t)check_random_below(random, rows + 1) - 1;
        r->all.item[i] = (int32_t)check_random_below(random, rows + 1) - 1;
        r->all.time[i] = check_random_unit(random);
        r->all.part[i] = (uint8_t)check_random_below(random, 3);
    }
    const size_t bytes = n * sizeof(int32_t);
    check_ok(dip_spool_put(&raw->query_rows.codes, r->all.query, bytes, check_error()));
    check_ok(dip_spool_put(&raw->item_rows.codes, r->all.item, bytes, check_error()));
    if (has_time) {
        check_ok(dip_spool_put(&raw->times, r->all.time, n * sizeof(double), check_error()));
    }
    if (has_part) {
        check_ok(dip_spool_put(&raw->parts, r->all.part, n, check_error()));
    }
}

/* What must be left, and what is counted. */
typedef struct result {
    size_t n;
    size_t *record; /* of each pair that is left */
    int64_t n_unknown;
    int64_t n_self;
    int64_t n_duplicates;
} result;

/* A bit a pair, of the square of all: the slow way, and another one. */
static void reduce(result *left, const plain_pairs *all, size_t rows, bool queries_are_items) {
    uint8_t *seen = calloc(rows * rows + 1, 1);
    memset(left, 0, sizeof *left);
    left->record = calloc(all->n + 1, sizeof *left->record);
    for (size_t i = 0; i < all->n; i++) {
        if (all->query[i] < 0 || all->item[i] < 0) {
            left->n_unknown++;
            continue;
        }
        uint8_t *is_seen = &seen[(size_t)all->query[i] * rows + (size_t)all->item[i]];
        if (queries_are_items && all->query[i] == all->item[i]) {
            left->n_self++;
        } else if (*is_seen) {
            left->n_duplicates++;
        } else {
            left->record[left->n++] = i;
            *is_seen = 1;
        }
    }
    free(seen);
}

static void check_pairs(const dip_pairs *pairs, const plain_pairs *all, const result *left,
                        bool has_time, bool has_part) {
    plain_pairs found = plain_pairs_of(pairs);
    assert_int_equal(pairs->has_time, has_time && all->n > 0);
    assert_int_equal(pairs->has_part, has_part && all->n > 0);
    assert_int_equal(pairs->n_unknown, left->n_unknown);
    assert_int_equal(pairs->n_self, left->n_self);
    assert_int_equal(pairs->n_duplicates, left->n_duplicates);
    assert_int_equal(found.n, left->n);
    for (size_t i = 0; i < found.n; i++) {
        const size_t record = left->record[i];
        assert_int_equal(found.query[i], all->query[record]);
        assert_int_equal(found.item[i], all->item[record]);
        assert_true(!has_time || found.time[i] == all->time[record]);
        assert_true(!has_part || found.part[i] == all->part[record]);
    }
    plain_pairs_free(&found);
}

static void check_collection(size_t n, size_t rows, unsigned flags, const dip_means *means) {
    const bool queries_are_items = (flags & 1) != 0;
    const bool has_time = (flags & 2) != 0;
    const bool has_part = (flags & 4) != 0;
    uint64_t random = n + rows;
    records r;
    result left;
    dip_pairs pairs;
    make(&r, n, rows, has_time, has_part, &random);
    reduce(&left, &r.all, rows, queries_are_items);
    check_ok(dip_pairs_collect(&pairs, &r.raw, queries_are_items, means, check_error()));
    check_pairs(&pairs, &r.all, &left, has_time, has_part);
    dip_pairs_free(&pairs);
    dip_raw_free(&r.raw);
    plain_pairs_free(&r.all);
    free(left.record);
}

static void pairs_are_those_of_a_plain_search(void **state) {
    (void)state;
    static const struct {
        size_t n;
        size_t rows;
    } SIZES[] = {{0, 1}, {1, 1}, {2, 1}, {40, 3}, {3000, 20}, {3000, 2000}, {100000, 700}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        for (unsigned flags = 0; flags < 8; flags++) {
            const dip_means wide = {.memory = SIZE_MAX, .threads = 1 + (int)flags % 3};
            const dip_means some = {.memory = SIZES[i].n * 2, .threads = 2};
            const dip_means none = {.memory = 0, .threads = 2};
            check_collection(SIZES[i].n, SIZES[i].rows, flags, &wide);
            check_collection(SIZES[i].n, SIZES[i].rows, flags, &some);
            if (flags % 3 == 0) {
                check_collection(SIZES[i].n, SIZES[i].rows, flags, &none);
            }
        }
    }
}

static void queries_can_be_renumbered(void **state) {
    (void)state;
    enum { N = 50000, ROWS = 300 };
    uint64_t random = 9;
    int32_t row[ROWS];
    dip_scratch scratch;
    dip_pairs pairs;
    plain_pairs before = {.n = N,
                          .query = calloc(N, sizeof(int32_t)),
                          .item = calloc(N, sizeof(int32_t)),
                          .time = calloc(N, sizeof(double))};
    for (size_t i = 0; i < N; i++) {
        before.query[i] = (int32_t)check_random_below(&random, ROWS);
        before.item[i] = (int32_t)check_random_below(&random, 1 << 30);
        before.time[i] = check_random_unit(&random);
    }
    for (size_t i = 0; i < ROWS; i++) {
        row[i] = (int32_t)check_random_below(&random, 1 << 30);
    }
    plain_scratch(&scratch);
    dip_pairs_init(&pairs, &scratch);
    plain_pairs_put(&before, &pairs);
    check_ok(dip_pairs_renumber(&pairs, row, check_error()));
    plain_pairs after = plain_pairs_of(&pairs);
    assert_int_equal(after.n, N);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(after.query[i], row[before.query[i]]);
    }
    assert_memory_equal(after.item, before.item, N * sizeof *after.item);
    assert_memory_equal(after.time, before.time, N * sizeof *after.time);
    plain_pairs_free(&after);
    plain_pairs_free(&before);
    dip_pairs_free(&pairs);
    dip_scratch_free(&scratch);
}

static int stop_at_once(void *context, const dip_progress *progress) {
    dip_progress *seen = context;
    *seen = *progress;
    return 1;
}

/* Walks over many pairs say how far they are, and can be stopped. */
static void long_walks_can_be_interrupted(void **state) {
    (void)state;
    enum { MANY = 33 * DIP_PAIRS_CHUNK };
    static const int32_t ROWS[DIP_PAIRS_CHUNK][2];
    dip_progress seen = {.done = 0};
    const dip_watch watch = {.on_progress = stop_at_once, .context = &seen};
    dip_scratch scratch;
    dip_pairs pairs;
    dip_pairs_cursor cursor;
    plain_scratch(&scratch);
    dip_pairs_init(&pairs, &scratch);
    pairs.watch = &watch;
    pairs.phase = "walking";
    for (pairs.n = 0; pairs.n < MANY; pairs.n += DIP_PAIRS_CHUNK) {
        check_ok(dip_spool_put(&pairs.rows, ROWS, sizeof ROWS, check_error()));
    }
    check_ok(dip_pairs_begin(&cursor, &pairs, check_error()));
    for (size_t chunk = 0; chunk < 32; chunk++) {
        check_ok(dip_pairs_next(&cursor, check_error()));
        assert_int_equal(cursor.chunk.n, DIP_PAIRS_CHUNK);
    }
    check_fails(dip_pairs_next(&cursor, check_error()), DIP_ERR_INTERRUPTED, "walking");
    assert_int_equal(seen.done, 32 * DIP_PAIRS_CHUNK);
    assert_int_equal(seen.total, MANY);
    dip_pairs_end(&cursor);
    dip_pairs_free(&pairs);
    dip_scratch_free(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_those_of_a_plain_search),
        cmocka_unit_test(queries_can_be_renumbered),
        cmocka_unit_test(long_walks_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
