/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of the training pairs: one window gives the permutation that earlier versions gave,
 * several windows give a permutation too, in which each window has one turn; turns and places are
 * uniform; and an epoch over a large file leaves little of it in the memory of the process.
 */
#include "fixture.h"
#include "train/trainer.h"

static dip_rng shuffle(uint64_t seed) {
    return dip_rng_make(seed, DIP_DRAW_SHUFFLE);
}

/* The streams of one window never change: a checkpoint of an earlier version goes on to the same
 * bits. */
static void one_window_is_one_permutation(void **state) {
    (void)state;
    static const uint64_t SIZES[] = {1, 2, 63, 64, 1000, 100003};
    for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
        const uint64_t n = SIZES[s];
        const uint64_t windows[] = {0, n, n + 1, UINT64_C(1) << 26};
        for (size_t w = 0; w < 4; w++) {
            const uint64_t epoch = 7 * w;
            const dip_order order = dip_order_make(shuffle(3), epoch, n, windows[w]);
            const dip_permutation whole = dip_permutation_make(shuffle(3), epoch, n);
            assert_true(order.n_windows == 1);
            for (uint64_t i = 0; i < n; i += 1 + n / 500) {
                assert_true(dip_order_row(&order, i) == dip_permute(&whole, i));
            }
        }
    }
}

/* Places of one window follow each other, and their rows are its range. */
static void check_order(uint64_t n, uint64_t size, uint64_t epoch, uint64_t *rows) {
    const dip_order order = dip_order_make(shuffle(11), epoch, n, size);
    uint8_t *seen = calloc(n, 1);
    assert_non_null(seen);
    assert_true(order.n_windows == (n + size - 1) / size);
    uint64_t place = 0;
    while (place < n) {
        const dip_window window = dip_order_window(&order, place);
        assert_true(window.place == place && window.row == window.number * size);
        assert_true(window.n == (window.row + size <= n ? size : n - window.row));
        for (uint64_t i = 0; i < window.n; i++, place++) {
            const dip_window again = dip_order_window(&order, place);
            const uint64_t row = dip_order_row(&order, place);
            assert_true(again.place == window.place && again.number == window.number);
            assert_true(row >= window.row && row < window.row + window.n && !seen[row]);
            seen[row] = 1;
            rows[place] = row;
        }
    }
    assert_true(place == n);
    free(seen);
}

static void every_pair_comes_once_an_epoch(void **state) {
    (void)state;
    static uint64_t rows[2][1100];
    static const uint64_t WINDOWS[] = {1, 2, 3, 7, 10, 64, 99, 333, 1000};
    for (uint64_t n = 2; n < 1100; n += 1 + n / 7) {
        for (size_t w = 0; w < sizeof WINDOWS / sizeof WINDOWS[0]; w++) {
            if (WINDOWS[w] < n) {
                check_order(n, WINDOWS[w], 0, rows[0]);
                check_order(n, WINDOWS[w], 1, rows[1]);
            }
        }
    }
    check_order(1000, 333, 0, rows[0]);
    check_order(1000, 333, 1, rows[1]);
    size_t same = 0;
    for (size_t i = 0; i < 1000; i++) {
        same += rows[0][i] == rows[1][i];
    }
    assert_true(same < 20); /* about 1 + 2 are expected by chance, if the turns differ or not */
}

/* Over many epochs each window has each turn equally often, and so has each pair each place within
 * its window. The last, shorter one too. */
static void turns_and_places_are_uniform(void **state) {
    (void)state;
    enum { EPOCHS = 20000, WINDOWS = 5, SIZE = 10, LAST = 4, N = 4 * SIZE + LAST };
    static int64_t turns[WINDOWS][WINDOWS];
    static int64_t places[N][SIZE];
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        const dip_order order = dip_order_make(shuffle(5), epoch, N, SIZE);
        size_t turn = 0;
        for (uint64_t place = 0; place < N; turn++) {
            const dip_window window = dip_order_window(&order, place);
            turns[window.number][turn]++;
            for (uint64_t i = 0; i < window.n; i++, place++) {
                places[dip_order_row(&order, place)][i]++;
            }
        }
        assert_int_equal(turn, WINDOWS);
    }
    for (size_t w = 0; w < WINDOWS; w++) {
        for (size_t t = 0; t < WINDOWS; t++) {
            check_share(turns[w][t], EPOCHS, 1.0 / WINDOWS, 4);
        }
    }
    for (size_t row = 0; row < N; row++) {
        const size_t size = row < 4 * SIZE ? SIZE : LAST;
        for (size_t i = 0; i < size; i++) {
            check_share(places[row][i], EPOCHS, 1.0 / (double)size, 4.5);
        }
    }
}

/* ---- what is said to the system -------------------------------------------------------------- */

enum { ADVISED_MAX = 4096 };

typedef struct advised {
    size_t at;
    size_t bytes;
    dip_advice advice;
} advised;

static const unsigned char *map_base;
static advised said[ADVISED_MAX];
static size_t n_said;

static int note_advice(void *data, size_t bytes, dip_advice advice) {
    assert_true(n_said < ADVISED_MAX);
    said[n_said++] = (advised){(size_t)((unsigned char *)data - map_base), bytes, advice};
    return 0;
}

/* How many windows are asked for and not let go, at most. Each is asked for before its first
 * place. */
static void the_next_window_is_asked_for(void **state) {
    (void)state;
    enum { PAGE = 4096, SIZE = PAGE / 8, WINDOWS = 9, N = WINDOWS * SIZE, STEP = 50, EPOCHS = 4 };
    static unsigned char pages[WINDOWS * PAGE];
    dip_vfs table = *dip_vfs_system();
    table.advise = note_advice;
    map_base = pages;
    n_said = 0;
    dip_map map = {.data = pages, .bytes = sizeof pages, .base = pages};
    dip_ahead ahead = {{0}, {0}, 0};
    bool is_in[WINDOWS] = {false};
    dip_vfs_set(&table);
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        const dip_order order = dip_order_make(shuffle(2), epoch, N, SIZE);
        for (uint64_t begin = 0; begin < N; begin += STEP) {
            const size_t before = n_said;
            const uint64_t end = begin + STEP < N ? begin + STEP : N;
            dip_ahead_move(&ahead, &order, &map, 0, begin, end);
            for (size_t i = before; i < n_said; i++) {
                is_in[said[i].at / PAGE] = said[i].advice == DIP_ADVICE_SOON;
                assert_int_equal(said[i].bytes, PAGE);
            }
            size_t count = 0;
            for (size_t w = 0; w < WINDOWS; w++) {
                count += is_in[w];
            }
            assert_true(is_in[dip_order_window(&order, begin).number]);
            assert_true(is_in[dip_order_window(&order, end - 1).number]);
            assert_true(count <= 2);
        }
    }
    dip_vfs_set(NULL);
    assert_in_range(n_said, 2 * WINDOWS * EPOCHS - 8, 2 * WINDOWS * EPOCHS + 2);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* File pages in the memory of this process, in bytes. */
static size_t file_pages(void) {
    char line[256];
    size_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "RssFile: %zu kB", &kilobytes) == 1) {
            break;
        }
    }
    fclose(file);
    return kilobytes * 1024;
}

/* A part of 80 MiB. */
enum { LARGE_PAIRS = 10 << 20, LARGE_WINDOW = 1 << 20, WINDOW_BYTES = 8 * LARGE_WINDOW };

static void replace_pairs(check_folder *folder, const dip_dataset *d) {
    const int64_t n = d->n_pairs[0];
    int32_t *pairs = malloc((size_t)LARGE_PAIRS * 2 * sizeof *pairs);
    assert_non_null(pairs);
    for (int64_t i = 0; i < LARGE_PAIRS; i++) {
        memcpy(pairs + 2 * i, d->pairs[0] + 2 * (i % n), 2 * sizeof *pairs);
    }
    const dip_npy array = {.type = DIP_NPY_I32, .rows = LARGE_PAIRS, .columns = 2, .data = pairs};
    fixture_replace_array(folder, "pairs-train.npy", &array);
    free(pairs);
}

/* Fills the batches of an epoch; the most file pages that are seen meanwhile. */
static size_t walk_epoch(dip_trainer *t) {
    size_t most = 0;
    for (; t->step < t->steps_per_epoch; t->step++) {
        dip_batch batch;
        dip_trainer_fill(t, &batch);
        if (t->step % 8 == 0) {
            const size_t now = file_pages();
            most = now > most ? now : most;
        }
    }
    t->step = 0;
    return most;
}

static void an_epoch_over_a_large_file_takes_little_memory(void **state) {
    dip_dataset d;
    dip_trainer t;
    fixture_write_random(*state, (fixture_size){60, 500, 1},
                         "split: {test: 0, validation: 0}\nmodel: {dim: 4, hidden: 8}\n");
    check_ok(fixture_prepare(*state, NULL));
    check_ok(dip_dataset_load(&d, check_path(*state, "data"), check_error()));
    replace_pairs(*state, &d);
    dip_dataset_release(&d);
    const size_t before = file_pages();
    check_ok(dip_dataset_load(&d, check_path(*state, "data"), check_error()));
    const size_t opened = file_pages();
    dip_config config = d.config;
    config.train.batch = 16384;
    config.ssl.batch = 2;
    config.train.shuffle_window = LARGE_WINDOW;
    check_ok(dip_trainer_init(&t, &d, &config, check_error()));
    const size_t most = walk_epoch(&t);
    dip_trainer_release(&t);
    config.train.shuffle_window = 0;
    check_ok(dip_trainer_init(&t, &d, &config, check_error()));
    const size_t whole = walk_epoch(&t);
    dip_trainer_release(&t);
    dip_dataset_release(&d);
    print_message("file pages: opened +%zu, windows +%zu, one window +%zu KiB\n",
                  (opened - before) / 1024, (most - before) / 1024, (whole - before) / 1024);
    assert_true(opened < before + 3 * DIP_MAP_PIECE);
    assert_true(most < before + 4 * (size_t)WINDOW_BYTES);
    assert_true(whole > before + 8 * (size_t)LARGE_PAIRS * 9 / 10); /* the measure can fail */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_window_is_one_permutation),
        cmocka_unit_test(every_pair_comes_once_an_epoch),
        cmocka_unit_test(turns_and_places_are_uniform),
        cmocka_unit_test(the_next_window_is_asked_for),
        check_test_in_folder(an_epoch_over_a_large_file_takes_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
