/* SPDX-License-Identifier: Apache-2.0
 *
 * Which examples a step sees: every training pair once an epoch, uniform and distinct items for the
 * second loss, all of it a function of seed and step.
 */
#include "fixture.h"
#include "train/trainer.h"

#include "train/schedule.h"

static const char OPTIONS[] = "split: {test: 0.2, validation: 0.1}\n"
                              "model: {dim: 4, hidden: 8}\n"
                              "threads: 1\n";

static void load(dip_dataset *d, check_folder *folder, size_t n_items, size_t n_pairs) {
    fixture_write_random(folder, (fixture_size){n_items, n_pairs, 1}, OPTIONS);
    check_ok(fixture_prepare(folder, NULL));
    check_ok(dip_dataset_load(d, check_path(folder, "data"), check_error()));
}

static void start(dip_trainer *t, const dip_dataset *d, const dip_config *config) {
    check_ok(dip_trainer_init(t, d, config, check_error()));
}

/* The pair that stands at a place of the training pairs, found by value. */
static int64_t find_pair(const dip_dataset *d, int32_t query, int32_t item) {
    int64_t i = 0;
    while (i < d->n_pairs[0] && (d->pairs[0][2 * i] != query || d->pairs[0][2 * i + 1] != item)) {
        i++;
    }
    return i;
}

/* Fills one epoch; order (may be NULL) gets the places of the pairs in the order in which they
 * come. */
static void check_epoch(dip_trainer *t, const dip_dataset *d, int64_t batch_size, int64_t *order) {
    const int64_t n = d->n_pairs[0];
    uint8_t *seen = calloc((size_t)n, 1);
    int64_t used = 0;
    assert_non_null(seen);
    for (int64_t step = 0; step < t->steps_per_epoch; step++) {
        dip_batch batch;
        dip_trainer_fill(t, &batch);
        assert_in_range(batch.n, n / t->steps_per_epoch, batch_size);
        assert_true((int64_t)batch.n <= n / t->steps_per_epoch + 1);
        for (size_t i = 0; i < batch.n; i++) {
            const int64_t place = find_pair(d, batch.query[i], batch.item[i]);
            assert_true(place < n && !seen[place]);
            seen[place] = 1;
            if (order != NULL) {
                order[used] = place;
            }
            used++;
        }
        t->step++;
    }
    assert_int_equal(used, n);
    free(seen);
}

static void every_training_pair_is_seen_once_an_epoch(void **state) {
    static const int64_t BATCHES[] = {2, 3, 7, 64, 100, 1024, 65536};
    dip_dataset d;
    load(&d, *state, 60, 500);
    for (size_t b = 0; b < sizeof BATCHES / sizeof BATCHES[0]; b++) {
        dip_trainer t;
        dip_config config = d.config;
        config.train.batch = BATCHES[b];
        start(&t, &d, &config);
        const int64_t size = BATCHES[b] < d.n_pairs[0] ? BATCHES[b] : d.n_pairs[0];
        assert_int_equal(t.steps_per_epoch, (d.n_pairs[0] + size - 1) / size);
        assert_int_equal(t.total_steps, t.steps_per_epoch * config.train.epochs);
        for (int epoch = 0; epoch < 3; epoch++) {
            check_epoch(&t, &d, size, NULL);
        }
        dip_trainer_release(&t);
    }
    dip_dataset_release(&d);
}

static size_t count_equal(const int64_t *a, const int64_t *b, int64_t n) {
    size_t same = 0;
    for (int64_t i = 0; i < n; i++) {
        same += a[i] == b[i];
    }
    return same;
}

static void epochs_and_seeds_have_orders_of_their_own(void **state) {
    dip_dataset d;
    dip_trainer t;
    int64_t order[4][500];
    load(&d, *state, 60, 500);
    dip_config config = d.config;
    config.train.batch = 32;
    start(&t, &d, &config);
    check_epoch(&t, &d, 32, order[0]);
    check_epoch(&t, &d, 32, order[1]);
    dip_trainer_release(&t);
    start(&t, &d, &config);
    check_epoch(&t, &d, 32, order[2]);
    dip_trainer_release(&t);
    config.seed = 2;
    start(&t, &d, &config);
    check_epoch(&t, &d, 32, order[3]);
    dip_trainer_release(&t);
    const int64_t n = d.n_pairs[0];
    assert_int_equal(count_equal(order[0], order[2], n), n);
    assert_true(count_equal(order[0], order[1], n) < 10); /* one on average */
    assert_true(count_equal(order[0], order[3], n) < 10);
    dip_dataset_release(&d);
}

/* Marks the items of a batch of the second loss; they are distinct and inside. */
static void count_self(const dip_batch *batch, int64_t n_items, int64_t *count) {
    for (size_t i = 0; i < batch->n_self; i++) {
        assert_in_range(batch->self[i], 0, n_items - 1);
        count[batch->self[i]]++;
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(batch->self[i], batch->self[j]);
        }
    }
}

static void items_of_the_second_loss_are_distinct_and_uniform(void **state) {
    enum { ITEMS = 61, STEPS = 12000, BATCH = 10 };
    int64_t count[ITEMS] = {0};
    dip_dataset d;
    dip_trainer t;
    load(&d, *state, ITEMS, 300);
    dip_config config = d.config;
    config.ssl.batch = BATCH;
    start(&t, &d, &config);
    assert_int_equal(t.n_self, BATCH);
    for (t.step = 0; t.step < STEPS; t.step++) {
        dip_batch batch;
        dip_trainer_fill(&t, &batch);
        assert_int_equal(batch.n_self, BATCH);
        count_self(&batch, ITEMS, count);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        check_share(count[i], STEPS, (double)BATCH / ITEMS, 4);
    }
    dip_trainer_release(&t);
    dip_dataset_release(&d);
}

/* Many more items than pairs: some never train. */
static void items_of_the_second_loss_can_be_the_trained_ones(void **state) {
    enum { ITEMS = 200, STEPS = 2000, BATCH = 8 };
    int64_t count[ITEMS] = {0};
    int64_t trained = 0;
    dip_dataset d;
    dip_trainer t;
    load(&d, *state, ITEMS, 60);
    dip_config config = d.config;
    config.ssl.batch = BATCH;
    config.ssl.items = DIP_SSL_TRAINING;
    start(&t, &d, &config);
    for (t.step = 0; t.step < STEPS; t.step++) {
        dip_batch batch;
        dip_trainer_fill(&t, &batch);
        count_self(&batch, ITEMS, count);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        trained += d.item_trains[i];
    }
    assert_in_range(trained, 20, ITEMS - 20);
    for (size_t i = 0; i < ITEMS; i++) {
        if (d.item_trains[i]) {
            check_share(count[i], STEPS, (double)BATCH / (double)trained, 4);
        } else {
            assert_int_equal(count[i], 0);
        }
    }
    dip_trainer_release(&t);
    dip_dataset_release(&d);
}

static void items_can_have_masks_of_their_own(void **state) {
    dip_dataset d;
    dip_trainer t;
    dip_batch batch;
    int64_t others = 0;
    load(&d, *state, 60, 500);
    dip_config config = d.config;
    start(&t, &d, &config);
    dip_trainer_fill(&t, &batch);
    assert_null(batch.each_h);
    dip_trainer_release(&t);
    config.ssl.masks = DIP_MASKS_EXAMPLE;
    start(&t, &d, &config);
    t.step = 9;
    dip_trainer_fill(&t, &batch);
    for (size_t i = 0; i < batch.n_self; i++) {
        const dip_masks masks = dip_augmenter_draw_example(&t.augmenter, 9, i);
        assert_true(batch.each_h[i] == masks.h && batch.each_g[i] == masks.g);
        others += batch.each_h[i] != batch.each_h[0];
    }
    assert_true(others > 0);
    dip_trainer_release(&t);
    dip_dataset_release(&d);
}

/* Which losses a step has is a matter of its epoch. */
static void pretraining_is_the_first_epochs(void **state) {
    dip_dataset d;
    load(&d, *state, 60, 500);
    for (int after = 0; after < 2; after++) {
        dip_trainer t;
        dip_batch batch;
        dip_config config = d.config;
        config.train.batch = 64;
        config.ssl.pretrain = 2;
        config.ssl.after_pretrain = after;
        start(&t, &d, &config);
        for (t.step = 0; t.step < t.total_steps; t.step++) {
            dip_trainer_fill(&t, &batch);
            const bool is_pretraining = t.step < 2 * t.steps_per_epoch;
            assert_int_equal(batch.skips_main, is_pretraining);
            assert_int_equal(batch.skips_self, !is_pretraining && after == DIP_AFTER_STOP);
        }
        dip_trainer_release(&t);
    }
    dip_dataset_release(&d);
}

static void pretraining_needs_a_second_loss_and_leaves_an_epoch(void **state) {
    dip_dataset d;
    dip_trainer t;
    load(&d, *state, 60, 500);
    dip_config config = d.config;
    config.ssl.pretrain = config.train.epochs;
    check_fails(dip_trainer_init(&t, &d, &config, check_error()), DIP_ERR_USAGE,
                "leave none of train.epochs");
    config.ssl.pretrain = 1;
    config.ssl.method = DIP_METHOD_FEATURE_DROPOUT;
    check_fails(dip_trainer_init(&t, &d, &config, check_error()), DIP_ERR_USAGE,
                "no second loss to train alone");
    config.ssl.method = DIP_METHOD_CFM;
    config.ssl.after_pretrain = DIP_AFTER_STOP;
    config.train.extra_negatives = DIP_EXTRA_VIEWS;
    check_fails(dip_trainer_init(&t, &d, &config, check_error()), DIP_ERR_USAGE,
                "ssl.after_pretrain: stop");
    dip_dataset_release(&d);
}

static void the_second_batch_is_as_large_as_asked_and_possible(void **state) {
    static const int64_t CASES[][3] = {{0, 16, 16},
                                       {5, 16, 5},
                                       {40, 16, 40},
                                       {1000, 16, 60},
                                       {0, 1000, 60}}; /* asked, train.batch, given */
    dip_dataset d;
    load(&d, *state, 60, 500);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t count[60] = {0};
        dip_trainer t;
        dip_batch batch;
        dip_config config = d.config;
        config.ssl.batch = CASES[i][0];
        config.train.batch = CASES[i][1];
        start(&t, &d, &config);
        dip_trainer_fill(&t, &batch);
        assert_int_equal(batch.n_self, CASES[i][2]);
        count_self(&batch, 60, count);
        dip_trainer_release(&t);
    }
    dip_dataset_release(&d);
}

/* So a run that is resumed at a step sees what it would have seen. */
static void a_batch_is_a_function_of_its_step(void **state) {
    enum { STEPS = 40 };
    dip_dataset d;
    dip_trainer forward;
    dip_trainer backward;
    load(&d, *state, 60, 500);
    dip_config config = d.config;
    config.train.batch = 32;
    start(&forward, &d, &config);
    start(&backward, &d, &config);
    for (int64_t step = 0; step < STEPS; step++) {
        backward.step = STEPS - 1;
        for (; backward.step >= step; backward.step--) {
            dip_batch b;
            dip_trainer_fill(&backward, &b);
        }
        dip_batch a;
        dip_batch b;
        forward.step = step;
        backward.step = step;
        dip_trainer_fill(&forward, &a);
        dip_trainer_fill(&backward, &b);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.query, b.query, a.n * sizeof *a.query);
        assert_memory_equal(a.item, b.item, a.n * sizeof *a.item);
        assert_memory_equal(a.self, b.self, a.n_self * sizeof *a.self);
        assert_true(a.masks.h == b.masks.h && a.masks.g == b.masks.g);
        assert_true(a.step == (uint64_t)step);
    }
    dip_trainer_release(&forward);
    dip_trainer_release(&backward);
    dip_dataset_release(&d);
}

static void masks_are_those_of_the_augmenter(void **state) {
    dip_dataset d;
    dip_trainer t;
    dip_augmenter a;
    int64_t different = 0;
    load(&d, *state, 60, 300);
    const dip_config config = d.config;
    start(&t, &d, &config);
    check_ok(dip_augmenter_make(&a, config.ssl.method, d.schema.items.n_features,
                                d.mutual_information, (uint64_t)config.seed, check_error()));
    dip_masks before = {0, 0};
    for (t.step = 0; t.step < 100; t.step++) {
        dip_batch batch;
        dip_trainer_fill(&t, &batch);
        const dip_masks masks = dip_augmenter_draw(&a, (uint64_t)t.step);
        assert_true(batch.masks.h == masks.h && batch.masks.g == masks.g);
        different += batch.masks.h != before.h;
        before = batch.masks;
    }
    assert_true(different > 30); /* a new mask every step: two of three by chance */
    dip_trainer_release(&t);
    dip_dataset_release(&d);
}

static void steps_are_counted_to_the_end(void **state) {
    dip_dataset d;
    dip_trainer t;
    load(&d, *state, 40, 100);
    dip_config config = d.config;
    config.train.batch = 16;
    config.train.epochs = 3;
    config.train.schedule = DIP_SCHEDULE_LINEAR;
    config.train.warmup = 2;
    start(&t, &d, &config);
    int64_t examples = 0;
    for (int64_t i = 1; i <= t.total_steps; i++) {
        dip_batch batch;
        dip_step step;
        dip_trainer_fill(&t, &batch);
        examples += (int64_t)batch.n;
        check_ok(dip_trainer_advance(&t, &step, check_error()));
        assert_int_equal(step.step, i);
        assert_int_equal(step.epoch, (i - 1) / t.steps_per_epoch);
        assert_int_equal(step.examples, examples);
        assert_true(step.rate == dip_schedule_rate(&config, i, t.total_steps));
        check_close(step.loss, step.loss_main + config.ssl.alpha * step.loss_self, 1e-6);
        assert_true(step.gradient_norm > 0);
    }
    assert_int_equal(examples, 3 * d.n_pairs[0]);
    dip_step untouched = {.step = 42};
    assert_int_equal(dip_trainer_advance(&t, &untouched, check_error()), DIP_END);
    assert_int_equal(dip_trainer_advance(&t, NULL, check_error()), DIP_END);
    assert_int_equal(untouched.step, 42);
    assert_int_equal(t.step, t.total_steps);
    dip_trainer_release(&t);
    dip_dataset_release(&d);
}

static void too_little_to_train_on_is_refused(void **state) {
    static const char YAML[] = "items: {file: items.tsv, id: id, features: {id: {}, kind: {}}}\n"
                               "interactions: {file: pairs.tsv, query: q, item: i}\n"
                               "split: {by: column, column: part}\n"
                               "model: {dim: 4, hidden: 8}\n";
    dip_dataset d;
    dip_trainer t;
    fixture_load(&d, *state, YAML, "id\tkind\na\tx\nb\ty\nc\tz\n",
                 "q\ti\tpart\na\tb\ttrain\nb\tc\ttest\n");
    check_fails(dip_trainer_init(&t, &d, &d.config, check_error()), DIP_ERR_FAILED,
                "1 training pair");
    dip_dataset_release(&d);
}

/* Two pairs in one step: no batch of a single pair, which has no negatives. */
static void two_training_pairs_make_one_batch(void **state) {
    static const char YAML[] = "items: {file: items.tsv, id: id, features: {id: {}, kind: {}}}\n"
                               "interactions: {file: pairs.tsv, query: q, item: i}\n"
                               "split: {test: 0, validation: 0}\n"
                               "model: {dim: 4, hidden: 8}\n";
    dip_dataset d;
    dip_trainer t;
    dip_batch batch;
    fixture_load(&d, *state, YAML, "id\tkind\na\tx\nb\ty\nc\tz\n", "q\ti\na\tb\nb\tc\n");
    start(&t, &d, &d.config);
    dip_trainer_fill(&t, &batch);
    assert_int_equal(t.steps_per_epoch, 1);
    assert_int_equal(batch.n, 2);
    assert_int_equal(batch.n_self, 3);
    check_ok(dip_trainer_advance(&t, NULL, check_error()));
    dip_trainer_release(&t);
    dip_dataset_release(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(every_training_pair_is_seen_once_an_epoch),
        check_test_in_folder(epochs_and_seeds_have_orders_of_their_own),
        check_test_in_folder(items_of_the_second_loss_are_distinct_and_uniform),
        check_test_in_folder(items_of_the_second_loss_can_be_the_trained_ones),
        check_test_in_folder(items_can_have_masks_of_their_own),
        check_test_in_folder(pretraining_is_the_first_epochs),
        check_test_in_folder(pretraining_needs_a_second_loss_and_leaves_an_epoch),
        check_test_in_folder(the_second_batch_is_as_large_as_asked_and_possible),
        check_test_in_folder(a_batch_is_a_function_of_its_step),
        check_test_in_folder(masks_are_those_of_the_augmenter),
        check_test_in_folder(steps_are_counted_to_the_end),
        check_test_in_folder(too_little_to_train_on_is_refused),
        check_test_in_folder(two_training_pairs_make_one_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
