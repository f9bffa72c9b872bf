/* SPDX-License-Identifier: Apache-2.0
 *
 * The evaluation of a model as a whole: the report of an untrained model against a ranking of the
 * whole catalogue by sorting all cosines.
 */
#include "evaluate/evaluate.h"
#include "fixture.h"

#include "engine/encode.h"

static const char OPTIONS[] = "split: {test: 0.3, validation: 0.2}\n"
                              "model: {dim: 8, hidden: \"16,8\"}\n"
                              "threads: 2\n"
                              "evaluate: {k: \"3,20\", bootstrap: 50}\n";

enum { ITEMS = 70, PAIRS = 900, DIM = 8 };

typedef struct world {
    dip_dataset dataset;
    dip_towers towers;
    float items[ITEMS * DIM];
    float queries[ITEMS * DIM];
} world;

static void encode(const world *w, dip_side side, float *vectors) {
    const dip_encode_job job = {
        .towers = &w->towers, .side = side, .rows = &w->dataset.items, .n = ITEMS, .threads = 1};
    check_ok(dip_encode(&job, vectors, check_error()));
}

static world *make_world(check_folder *folder) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    fixture_write_random(folder, (fixture_size){ITEMS, PAIRS, 5}, OPTIONS);
    check_ok(fixture_prepare(folder, NULL));
    check_ok(dip_dataset_load(&w->dataset, check_path(folder, "data"), check_error()));
    check_ok(dip_towers_create(&w->towers, &w->dataset.schema, &w->dataset.config, check_error()));
    check_ok(dip_params_alloc(&w->towers.params, false, check_error()));
    dip_params_init(&w->towers.params, 3);
    encode(w, DIP_SIDE_ITEM, w->items);
    encode(w, DIP_SIDE_QUERY, w->queries);
    return w;
}

static void free_world(world *w) {
    dip_towers_free(&w->towers);
    dip_dataset_release(&w->dataset);
    free(w);
}

static bool has_pair(const dip_dataset *d, size_t split, int32_t query, int32_t item) {
    for (int64_t i = 0; i < d->n_pairs[split]; i++) {
        if (d->pairs[split][2 * i] == query && d->pairs[split][2 * i + 1] == item) {
            return true;
        }
    }
    return false;
}

static double cosine(const world *w, int32_t query, int32_t item) {
    double sum = 0;
    for (size_t c = 0; c < DIM; c++) {
        sum += (double)w->queries[query * DIM + (int32_t)c] *
               (double)w->items[item * DIM + (int32_t)c];
    }
    return sum;
}

/* How many allowed items come before this one, the query's training items left out or not. */
static int place_of(const world *w, int32_t query, int32_t item, bool standard) {
    const double own = cosine(w, query, item);
    int place = 0;
    for (int32_t other = 0; other < ITEMS; other++) {
        const bool allowed =
            other != query && !(standard && has_pair(&w->dataset, 0, query, other));
        place += allowed && other != item && cosine(w, query, other) > own;
    }
    return place;
}

/* recall@k and MRR@k over all held-out pairs of a split. */
static void slow_recall(const world *w, size_t split, int k, bool standard, double *recall,
                        double *mrr) {
    double examples = 0;
    *recall = 0;
    *mrr = 0;
    for (int32_t query = 0; query < ITEMS; query++) {
        int right = 0;
        int hits = 0;
        int first = k;
        for (int32_t item = 0; item < ITEMS; item++) {
            if (!has_pair(&w->dataset, split, query, item)) {
                continue;
            }
            const int place = place_of(w, query, item, standard);
            right++;
            hits += place < k;
            first = place < first ? place : first;
            *mrr += !standard && place < k ? 1.0 / (place + 1) : 0;
        }
        *recall += standard ? (right > 0 ? (double)hits / right : 0) : hits;
        *mrr += standard && first < k ? 1.0 / (first + 1) : 0;
        examples += standard ? right > 0 : right;
    }
    *recall /= examples;
    *mrr /= examples;
}

static double number_at(const json_t *report, const char *slice, const char *key) {
    const json_t *value = json_object_get(json_object_get(report, slice), key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static json_t *evaluate(const world *w, const dip_config *config) {
    json_t *report = NULL;
    check_ok(dip_evaluate_report(&w->towers, &w->dataset, config, NULL, &report, check_error()));
    return report;
}

static void the_report_is_that_of_a_full_ranking(void **state) {
    world *w = make_world(*state);
    for (int protocol = DIP_PROTOCOL_STANDARD; protocol <= DIP_PROTOCOL_PAPER; protocol++) {
        for (int split = DIP_EVALUATE_TEST; split <= DIP_EVALUATE_VALIDATION; split++) {
            const size_t part = split == DIP_EVALUATE_TEST ? 2 : 1;
            dip_config config = w->dataset.config;
            double recall = 0;
            double mrr = 0;
            config.evaluate.protocol = protocol;
            config.evaluate.split = split;
            json_t *report = evaluate(w, &config);
            slow_recall(w, part, 3, protocol == DIP_PROTOCOL_STANDARD, &recall, &mrr);
            check_near(number_at(report, "all", "recall@3"), recall, 1e-6);
            check_near(number_at(report, "all", "mrr@3"), mrr, 1e-6);
            slow_recall(w, part, 20, protocol == DIP_PROTOCOL_STANDARD, &recall, &mrr);
            check_near(number_at(report, "all", "recall@20"), recall, 1e-6);
            check_near(number_at(report, "all", "mrr@20"), mrr, 1e-6);
            assert_int_equal(number_at(report, "all", "pairs"), w->dataset.n_pairs[part]);
            json_decref(report);
        }
    }
    free_world(w);
}

static void slices_add_up_and_intervals_hold_the_mean(void **state) {
    static const char *const SLICES[] = {"all", "head", "tail", "cold"};
    world *w = make_world(*state);
    json_t *report = evaluate(w, &w->dataset.config);
    assert_int_equal(number_at(report, "head", "pairs") + number_at(report, "tail", "pairs"),
                     number_at(report, "all", "pairs"));
    for (size_t s = 0; s < 4; s++) {
        const json_t *interval =
            json_object_get(json_object_get(report, SLICES[s]), "recall@20_interval");
        const double mean = number_at(report, SLICES[s], "recall@20");
        assert_true(json_number_value(json_array_get(interval, 0)) <= mean);
        assert_true(json_number_value(json_array_get(interval, 1)) >= mean);
    }
    json_decref(report);
    dip_config config = w->dataset.config;
    config.evaluate.bootstrap = 0;
    report = evaluate(w, &config);
    assert_null(json_object_get(json_object_get(report, "all"), "recall@20_interval"));
    json_decref(report);
    free_world(w);
}

/* What chance gives: 20 places for the allowed items of each query. */
static double expected_chance(const world *w) {
    double sum = 0;
    double queries = 0;
    for (int32_t query = 0; query < ITEMS; query++) {
        int allowed = ITEMS - 1;
        bool asked = false;
        for (int32_t item = 0; item < ITEMS; item++) {
            allowed -= has_pair(&w->dataset, 0, query, item);
            asked = asked || has_pair(&w->dataset, 2, query, item);
        }
        sum += asked ? 20.0 / allowed : 0;
        queries += asked;
    }
    return sum / queries;
}

static double baseline_recall(const json_t *report, const char *name) {
    const json_t *baselines = json_object_get(report, "baselines");
    return number_at(json_object_get(baselines, name), "all", "recall@20");
}

/* The mean over 40 seeds has a standard deviation of 0.03 / sqrt(40), measured on one seed's
 * queries. */
static void baselines_stand_beside_the_model(void **state) {
    enum { SEEDS = 40 };
    world *w = make_world(*state);
    double chance = 0;
    double popular = 0;
    for (int64_t seed = 0; seed < SEEDS; seed++) {
        dip_config config = w->dataset.config;
        config.seed = seed;
        config.evaluate.bootstrap = 0;
        json_t *report = evaluate(w, &config);
        chance += baseline_recall(report, "random") / SEEDS;
        assert_true(seed == 0 || popular == baseline_recall(report, "top_popular"));
        popular = baseline_recall(report, "top_popular");
        json_decref(report);
    }
    assert_true(popular > 0);
    check_near(chance, expected_chance(w), 4 * 0.03 / sqrt(SEEDS));
    free_world(w);
}

static void the_validation_metric_is_the_reports(void **state) {
    world *w = make_world(*state);
    dip_questions questions;
    dip_config config = w->dataset.config;
    check_ok(dip_questions_create(&questions, &w->dataset, 1, true, true, check_error()));
    config.evaluate.split = DIP_EVALUATE_VALIDATION;
    config.train.metric_k = 20;
    json_t *report = evaluate(w, &config);
    static const char *const KEYS[] = {"recall@20", "map@20", "ndcg@20", "mrr@20", "hit_rate@20"};
    for (int metric = DIP_METRIC_RECALL; metric <= DIP_METRIC_HIT_RATE; metric++) {
        double value = 0;
        config.train.metric = metric;
        check_ok(dip_evaluate_metric(&w->towers, &w->dataset, &config, &questions, NULL, &value,
                                     check_error()));
        check_near(value, number_at(report, "all", KEYS[metric]), 1e-9);
    }
    json_decref(report);
    dip_questions_free(&questions);
    free_world(w);
}

static void the_report_does_not_depend_on_threads(void **state) {
    world *w = make_world(*state);
    char *texts[2];
    for (int threads = 1; threads <= 2; threads++) {
        dip_config config = w->dataset.config;
        config.threads = threads;
        json_t *report = evaluate(w, &config);
        json_object_del(report, "seconds");
        check_ok(dip_json_dump(report, &texts[threads - 1], check_error()));
        json_decref(report);
    }
    assert_string_equal(texts[0], texts[1]);
    dip_free(texts[0]);
    dip_free(texts[1]);
    free_world(w);
}

static void a_split_without_pairs_is_refused(void **state) {
    static const char YAML[] = "items: {file: items.tsv, id: id, features: {id: {}, kind: {}}}\n"
                               "interactions: {file: pairs.tsv, query: q, item: i}\n"
                               "split: {test: 0, validation: 0}\n"
                               "model: {dim: 4, hidden: 8}\n";
    dip_dataset d;
    dip_towers towers;
    json_t *report = NULL;
    fixture_load(&d, *state, YAML, "id\tkind\na\tx\nb\ty\nc\tz\n", "q\ti\na\tb\nb\tc\n");
    check_ok(dip_towers_create(&towers, &d.schema, &d.config, check_error()));
    check_fails(dip_evaluate_report(&towers, &d, &d.config, NULL, &report, check_error()),
                DIP_ERR_FAILED, "the test split has no pairs");
    assert_null(report);
    dip_towers_free(&towers);
    dip_dataset_release(&d);
}

static int stop(void *context, const dip_progress *progress) {
    (void)context;
    (void)progress;
    return 1;
}

static void an_evaluation_can_be_interrupted(void **state) {
    world *w = make_world(*state);
    const dip_watch watch = {.on_progress = stop, .context = NULL};
    json_t *report = NULL;
    check_fails(dip_evaluate_report(&w->towers, &w->dataset, &w->dataset.config, &watch, &report,
                                    check_error()),
                DIP_ERR_INTERRUPTED, "interrupted");
    assert_null(report);
    free_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(the_report_is_that_of_a_full_ranking),
        check_test_in_folder(slices_add_up_and_intervals_hold_the_mean),
        check_test_in_folder(baselines_stand_beside_the_model),
        check_test_in_folder(the_validation_metric_is_the_reports),
        check_test_in_folder(the_report_does_not_depend_on_threads),
        check_test_in_folder(a_split_without_pairs_is_refused),
        check_test_in_folder(an_evaluation_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
