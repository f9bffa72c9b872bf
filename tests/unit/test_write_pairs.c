/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of pairs: every pair once, in order, but for the training pairs of a large dataset, of
 * which every stretch is a random sample of all.
 */
#include "plain.h"

#include "base/npy.h"
#include "data/dataset.h"
#include "prepare/write_pairs.h"

enum { N = 60000, PARTS = 4 };

/* Pair i is (i, 7 i), so that a pair says where it stood. */
typedef struct world {
    dip_scratch scratch;
    dip_pairs pairs;
    int64_t counts[PARTS];
    uint8_t part[N];
} world;

static void make(world *w, uint64_t seed) {
    plain_pairs plain = {.n = N,
                         .query = calloc(N, sizeof(int32_t)),
                         .item = calloc(N, sizeof(int32_t)),
                         .part = w->part};
    memset(w->counts, 0, sizeof w->counts);
    for (size_t i = 0; i < N; i++) {
        const size_t drawn = check_random_below(&seed, 10);
        w->part[i] = (uint8_t)(drawn < PARTS ? drawn : DIP_PART_TRAIN);
        w->counts[w->part[i]]++;
        plain.query[i] = (int32_t)i;
        plain.item[i] = (int32_t)(7 * i);
    }
    plain_scratch(&w->scratch);
    dip_pairs_init(&w->pairs, &w->scratch);
    plain_pairs_put(&plain, &w->pairs);
    free(plain.query);
    free(plain.item);
}

static void drop(world *w) {
    dip_pairs_free(&w->pairs);
    dip_scratch_free(&w->scratch);
}

/* The pairs of a part as they were written, as the places that they stood at. */
static size_t places_of(const dip_folder *in, size_t split, size_t *place) {
    char name[DIP_PART_NAME_MAX];
    dip_map map;
    dip_npy array;
    snprintf(name, sizeof name, "pairs-%s.npy", dip_split_names[split]);
    check_ok(dip_folder_map(in, name, &map, check_error()));
    check_ok(dip_npy_parse(&array, map.data, map.bytes, name, check_error()));
    const int32_t *pairs = array.data;
    for (int64_t i = 0; i < array.rows; i++) {
        assert_int_equal(pairs[2 * i + 1], 7 * pairs[2 * i]);
        place[i] = (size_t)pairs[2 * i];
    }
    dip_map_close(&map);
    return (size_t)array.rows;
}

static void write_all(world *w, check_folder *folder, size_t scatter, uint64_t seed) {
    static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 1};
    const dip_parts parts = {
        .pairs = &w->pairs, .counts = w->counts, .seed = seed, .scatter = scatter, .means = &MEANS};
    dip_folder_writer out;
    check_ok(dip_folder_create(&out, check_path(folder, "out"), true, check_error()));
    check_ok(dip_write_pairs(&parts, &out, check_error()));
    check_ok(dip_folder_publish(&out, "test", 1, NULL, check_error()));
}

/* Every pair of the part, each once. */
static void check_whole(const world *w, size_t split, const size_t *place, size_t n) {
    uint8_t *seen = calloc(N, 1);
    assert_int_equal(n, w->counts[split]);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w->part[place[i]], split);
        assert_int_equal(seen[place[i]]++, 0);
    }
    free(seen);
}

static bool is_in_order(const size_t *place, size_t n) {
    for (size_t i = 1; i < n; i++) {
        if (place[i] < place[i - 1]) {
            return false;
        }
    }
    return true;
}

/* How often the order begins anew: once a bucket. */
static size_t count_runs(const size_t *place, size_t n) {
    size_t runs = 1;
    for (size_t i = 1; i < n; i++) {
        runs += place[i] < place[i - 1];
    }
    return runs;
}

static void check_written(world *w, check_folder *folder, size_t scatter, size_t *train) {
    static size_t place[N];
    dip_folder in;
    write_all(w, folder, scatter, 5);
    check_ok(dip_folder_open(&in, check_path(folder, "out"), "test", 1, check_error()));
    for (size_t split = 0; split < DIP_N_SPLITS; split++) {
        const size_t n = places_of(&in, split, place);
        check_whole(w, split, place, n);
        if (split != DIP_PART_TRAIN) {
            assert_true(is_in_order(place, n));
        } else {
            memcpy(train, place, n * sizeof *place);
        }
    }
    dip_folder_close(&in);
}

static void every_pair_is_written_once(void **state) {
    static size_t train[N];
    world *w = calloc(1, sizeof *w);
    make(w, 1);
    const size_t n = (size_t)w->counts[DIP_PART_TRAIN];
    check_written(w, *state, n, train);
    assert_true(is_in_order(train, n));
    /* The ascending runs of a random order: (n + 1) / 2 with variance (n + 1) / 12. */
    const size_t scatter[] = {n - 1, n / 10, 997};
    for (size_t i = 0; i < sizeof scatter / sizeof scatter[0]; i++) {
        check_written(w, *state, scatter[i], train);
        check_near((double)count_runs(train, n), (double)(n + 1) / 2,
                   5 * sqrt((double)(n + 1) / 12));
    }
    drop(w);
    free(w);
}

enum { SCATTER = 3000 };

/* The places of a stretch are spread over all evenly, by the share of each tenth: within five
 * standard deviations of drawing them. */
static void check_stretch(const size_t *place, size_t n) {
    enum { TENTHS = 10 };
    const double deviation = sqrt(0.1 * 0.9 * (double)n);
    size_t tenth[TENTHS] = {0};
    for (size_t i = 0; i < n; i++) {
        tenth[place[i] / (N / TENTHS)]++;
    }
    for (size_t t = 0; t < TENTHS; t++) {
        check_near((double)tenth[t], 0.1 * (double)n, 5 * deviation);
    }
}

/* Any stretch is a sample of all, wherever it begins. */
static void a_stretch_is_a_sample_of_all(void **state) {
    static size_t train[N];
    world *w = calloc(1, sizeof *w);
    make(w, 2);
    const size_t n = (size_t)w->counts[DIP_PART_TRAIN];
    check_written(w, *state, SCATTER, train);
    for (size_t from = 0; from + 2 * SCATTER <= n; from += SCATTER / 7) {
        check_stretch(train + from, SCATTER / 2);
        check_stretch(train + from, SCATTER);
        check_stretch(train + from, SCATTER + SCATTER / 2);
    }
    drop(w);
    free(w);
}

/* The seed draws the buckets; nothing else does. */
static void the_seed_scatters(void **state) {
    static size_t place[3][N];
    static const uint64_t SEEDS[] = {1, 1, 2};
    world *w = calloc(1, sizeof *w);
    size_t same = 0;
    make(w, 3);
    const size_t n = (size_t)w->counts[DIP_PART_TRAIN];
    for (size_t i = 0; i < 3; i++) {
        dip_folder in;
        write_all(w, *state, 1000, SEEDS[i]);
        check_ok(dip_folder_open(&in, check_path(*state, "out"), "test", 1, check_error()));
        assert_int_equal(places_of(&in, DIP_PART_TRAIN, place[i]), n);
        dip_folder_close(&in);
    }
    assert_memory_equal(place[0], place[1], n * sizeof place[0][0]);
    for (size_t i = 0; i < n; i++) {
        same += place[0][i] == place[2][i];
    }
    assert_true(same < n / 100);
    drop(w);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(every_pair_is_written_once),
        check_test_in_folder(a_stretch_is_a_sample_of_all),
        check_test_in_folder(the_seed_scatters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
