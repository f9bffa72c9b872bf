/* SPDX-License-Identifier: Apache-2.0 */
#include "train/trainer.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/schedule.h"

#include <string.h>

/* A batch never has more rows than there are. */
static void cut_batches(dip_trainer *trainer) {
    struct dip_config *config = &trainer->config;
    const int64_t pairs = trainer->dataset->n_pairs[0];
    const int64_t wanted = config->ssl.batch > 0 ? config->ssl.batch : config->train.batch;
    config->train.batch = config->train.batch < pairs ? config->train.batch : pairs;
    config->ssl.batch = wanted < (int64_t)trainer->n_pool ? wanted : (int64_t)trainer->n_pool;
}

static dip_status make_pool(dip_trainer *trainer, dip_error *err) {
    const dip_dataset *dataset = trainer->dataset;
    trainer->n_pool = (size_t)dataset->items.n;
    if (trainer->config.ssl.items == DIP_SSL_CATALOGUE) {
        return DIP_OK;
    }
    trainer->pool = dip_alloc(trainer->n_pool, sizeof *trainer->pool, "training items", err);
    if (trainer->pool == NULL) {
        return DIP_ERR_MEMORY;
    }
    trainer->n_pool = 0;
    for (int64_t i = 0; i < dataset->items.n; i++) {
        if (dataset->item_trains[i]) {
            trainer->pool[trainer->n_pool++] = (int32_t)i;
        }
    }
    return DIP_OK;
}

static dip_status check_sizes(const dip_trainer *trainer, dip_error *err) {
    if (trainer->dataset->n_pairs[0] < 2) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the dataset has %lld training pair(s); in-batch negatives need two",
                        (long long)trainer->dataset->n_pairs[0]);
    }
    if (trainer->n_pool < 2) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "there are %zu items for the second loss; it needs two", trainer->n_pool);
    }
    return DIP_OK;
}

static dip_status check_pretraining(const dip_config *config, dip_error *err) {
    if (config->ssl.pretrain > 0 && !dip_engine_has_second_loss(config)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "ssl.pretrain: %lld: there is no second loss to train alone; choose an "
                        "ssl.method such as cfm, and ssl.alpha above 0",
                        (long long)config->ssl.pretrain);
    }
    if (config->ssl.pretrain >= config->train.epochs) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "ssl.pretrain: %lld epochs leave none of train.epochs (%lld) for the main "
                        "loss",
                        (long long)config->ssl.pretrain, (long long)config->train.epochs);
    }
    return DIP_OK;
}

dip_status dip_trainer_check(const dip_dataset *dataset, const dip_config *config, dip_error *err) {
    const dip_schema *schema = &dataset->schema;
    dip_augmenter augmenter;
    DIP_TRY(check_pretraining(config, err));
    DIP_TRY(dip_engine_check(config, err));
    DIP_TRY(dip_augmenter_make(&augmenter, config->ssl.method, schema->items.n_features,
                               dataset->mutual_information, 1, err));
    if (!dip_engine_has_queries(config) || schema->queries_are_items ||
        schema->queries.n_features > 1) {
        return DIP_OK;
    }
    return dip_augmenter_make_queries(&augmenter, config->ssl.method, schema->queries.n_features,
                                      NULL, 1, err);
}

static dip_status alloc_batches(dip_trainer *trainer, dip_error *err) {
    const size_t n = (size_t)trainer->config.train.batch;
    trainer->n_self = (size_t)trainer->config.ssl.batch;
    trainer->query = dip_alloc(n, sizeof *trainer->query, "a batch", err);
    trainer->item = dip_alloc(n, sizeof *trainer->item, "a batch", err);
    trainer->self = dip_alloc(trainer->n_self, sizeof *trainer->self, "a batch", err);
    if (trainer->query == NULL || trainer->item == NULL || trainer->self == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (trainer->config.ssl.masks == DIP_MASKS_BATCH) {
        return DIP_OK;
    }
    trainer->each_h = dip_alloc(trainer->n_self, sizeof *trainer->each_h, "masks", err);
    trainer->each_g = dip_alloc(trainer->n_self, sizeof *trainer->each_g, "masks", err);
    return trainer->each_h != NULL && trainer->each_g != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status init(dip_trainer *trainer, dip_error *err) {
    const dip_dataset *dataset = trainer->dataset;
    struct dip_config *config = &trainer->config;
    DIP_TRY(make_pool(trainer, err));
    DIP_TRY(check_sizes(trainer, err));
    DIP_TRY(dip_trainer_check(dataset, config, err));
    cut_batches(trainer);
    DIP_TRY(alloc_batches(trainer, err));
    DIP_TRY(dip_augmenter_make(&trainer->augmenter, config->ssl.method,
                               dataset->schema.items.n_features, dataset->mutual_information,
                               (uint64_t)config->seed, err));
    DIP_TRY(dip_query_batch_create(&trainer->queries, dataset, config, err));
    trainer->rng_shuffle = dip_rng_make((uint64_t)config->seed, DIP_DRAW_SHUFFLE);
    trainer->rng_items = dip_rng_make((uint64_t)config->seed, DIP_DRAW_ITEMS);
    trainer->steps_per_epoch =
        (dataset->n_pairs[0] + config->train.batch - 1) / config->train.batch;
    trainer->total_steps = trainer->steps_per_epoch * config->train.epochs;
    DIP_TRY(dip_engine_create(&trainer->engine, dataset, config, err));
    return dip_average_create(&trainer->average, &dip_engine_towers(trainer->engine)->params,
                              config->train.average, err);
}

dip_status dip_trainer_init(dip_trainer *trainer, const dip_dataset *dataset,
                            const dip_config *config, dip_error *err) {
    memset(trainer, 0, sizeof *trainer);
    trainer->dataset = dataset;
    trainer->config = *config;
    const dip_status status = init(trainer, err);
    if (status != DIP_OK) {
        dip_trainer_release(trainer);
    }
    return status;
}

typedef struct span {
    int64_t begin;
    int64_t end;
} span;

/* Places in the epoch's order. The pairs of an epoch are dealt evenly to its steps, so that the
 * last batch is not a tiny one. */
static span pairs_of(const dip_trainer *trainer, int64_t within) {
    const int64_t pairs = trainer->dataset->n_pairs[0];
    return (span){pairs * within / trainer->steps_per_epoch,
                  pairs * (within + 1) / trainer->steps_per_epoch};
}

/* From places to rows of the training pairs. */
static dip_order order_of(const dip_trainer *trainer, int64_t epoch) {
    return dip_order_make(trainer->rng_shuffle, (uint64_t)epoch,
                          (uint64_t)trainer->dataset->n_pairs[0],
                          (uint64_t)trainer->config.train.shuffle_window);
}

/* Pairs that are no part of a map are in memory anyway. */
static void look_ahead(dip_trainer *trainer, const dip_order *order, span pairs) {
    const dip_dataset *dataset = trainer->dataset;
    const unsigned char *data = (const unsigned char *)dataset->pairs[0];
    const dip_map *map = dip_dataset_map(dataset, data);
    if (map != NULL) {
        dip_ahead_move(&trainer->ahead, order, map, (size_t)(data - map->data),
                       (uint64_t)pairs.begin, (uint64_t)pairs.end);
    }
}

/* The pairs of the window at rest.begin, up to its end or rest.end; returns where it stopped. */
static int64_t fill_from_window(dip_trainer *trainer, const dip_order *order, span rest,
                                int64_t first) {
    const dip_window window = dip_order_window(order, (uint64_t)rest.begin);
    const dip_permutation within = dip_order_within(order, &window);
    const int64_t start = (int64_t)window.place;
    const int64_t window_end = start + (int64_t)window.n;
    const int64_t end = window_end < rest.end ? window_end : rest.end;
    const int32_t *pairs = trainer->dataset->pairs[0] + 2 * window.row;
#pragma omp parallel for schedule(static) num_threads(dip_engine_threads(&trainer->config))
    for (int64_t i = rest.begin; i < end; i++) {
        const int32_t *pair = pairs + 2 * dip_permute(&within, (uint64_t)(i - start));
        trainer->query[i - first] = pair[0];
        trainer->item[i - first] = pair[1];
    }
    return end;
}

static size_t fill_pairs(dip_trainer *trainer, int64_t epoch, int64_t within) {
    const span pairs = pairs_of(trainer, within);
    const dip_order order = order_of(trainer, epoch);
    look_ahead(trainer, &order, pairs);
    for (int64_t done = pairs.begin; done < pairs.end;) {
        done = fill_from_window(trainer, &order, (span){done, pairs.end}, pairs.begin);
    }
    return (size_t)(pairs.end - pairs.begin);
}

/* The first places of a permutation of its own for each step: uniform, and distinct in the
 * batch. */
static void fill_self(dip_trainer *trainer) {
    const dip_permutation order = dip_permutation_make(trainer->rng_items, (uint64_t)trainer->step,
                                                       (uint64_t)trainer->n_pool);
#pragma omp parallel for schedule(static) num_threads(dip_engine_threads(&trainer->config))
    for (size_t i = 0; i < trainer->n_self; i++) {
        const uint64_t at = dip_permute(&order, i);
        trainer->self[i] = trainer->pool != NULL ? trainer->pool[at] : (int32_t)at;
    }
}

static void fill_masks(dip_trainer *trainer) {
#pragma omp parallel for schedule(static) num_threads(dip_engine_threads(&trainer->config))
    for (size_t i = 0; i < trainer->n_self; i++) {
        const dip_masks masks =
            dip_augmenter_draw_example(&trainer->augmenter, (uint64_t)trainer->step, i);
        trainer->each_h[i] = masks.h;
        trainer->each_g[i] = masks.g;
    }
}

/* Whether a loss looks at the uniform items. */
static bool needs_self(const dip_config *config) {
    return dip_engine_has_second_loss(config) || config->train.extra_negatives != DIP_EXTRA_NONE;
}

void dip_trainer_fill(dip_trainer *trainer, dip_batch *batch) {
    const dip_config *config = &trainer->config;
    const int64_t epoch = trainer->step / trainer->steps_per_epoch;
    const size_t n = fill_pairs(trainer, epoch, trainer->step % trainer->steps_per_epoch);
    if (needs_self(config)) {
        fill_self(trainer);
    }
    if (trainer->each_h != NULL) {
        fill_masks(trainer);
    }
    *batch =
        (dip_batch){.n = n,
                    .query = trainer->query,
                    .item = trainer->item,
                    .n_self = trainer->n_self,
                    .self = trainer->self,
                    .self_items = trainer->n_pool,
                    .masks = dip_augmenter_draw(&trainer->augmenter, (uint64_t)trainer->step),
                    .each_h = trainer->each_h,
                    .each_g = trainer->each_g,
                    .queries = dip_query_batch_fill(&trainer->queries, (uint64_t)trainer->step),
                    .skips_main = epoch < config->ssl.pretrain,
                    .skips_self = config->ssl.after_pretrain == DIP_AFTER_STOP &&
                                  config->ssl.pretrain > 0 && epoch >= config->ssl.pretrain,
                    .step = (uint64_t)trainer->step};
}

/* Pairs seen after a number of steps. */
static int64_t examples_after(const dip_trainer *trainer, int64_t step) {
    const int64_t pairs = trainer->dataset->n_pairs[0];
    return step / trainer->steps_per_epoch * pairs +
           pairs * (step % trainer->steps_per_epoch) / trainer->steps_per_epoch;
}

dip_status dip_trainer_advance(dip_trainer *trainer, dip_step *step, dip_error *err) {
    dip_batch batch;
    dip_losses losses;
    if (trainer->step >= trainer->total_steps) {
        return DIP_END;
    }
    dip_trainer_fill(trainer, &batch);
    const dip_status status = dip_engine_compute(trainer->engine, &batch, &losses, err);
    if (status != DIP_OK) {
        return dip_fail_context(err, status, "step %lld", (long long)trainer->step + 1);
    }
    const int64_t epoch = trainer->step / trainer->steps_per_epoch;
    const double rate =
        dip_schedule_rate(&trainer->config, trainer->step + 1, trainer->total_steps);
    dip_engine_update(trainer->engine, rate);
    trainer->step++;
    if (step != NULL) {
        *step = (dip_step){.step = trainer->step,
                           .epoch = epoch,
                           .examples = examples_after(trainer, trainer->step),
                           .loss = losses.total,
                           .loss_main = losses.main,
                           .loss_self = losses.self,
                           .rate = rate,
                           .gradient_norm = losses.gradient_norm};
    }
    return DIP_OK;
}

void dip_trainer_pass_over(dip_trainer *trainer) {
    if (trainer->step < trainer->total_steps) {
        trainer->step++;
    }
}

void dip_trainer_swap_average(dip_trainer *trainer) {
    dip_average_swap(&trainer->average, &dip_engine_towers(trainer->engine)->params);
}

/* JSON takes valid UTF-8 only; a message may have been cut within a letter. */
static json_t *ascii(const char *text) {
    char copy[sizeof(dip_error)];
    size_t n = 0;
    for (; text[n] != '\0' && n < sizeof copy - 1; n++) {
        copy[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
    }
    copy[n] = '\0';
    return json_string(copy);
}

static dip_status list_pairs(const dip_trainer *trainer, int64_t epoch, span pairs, json_t *line,
                             dip_error *err) {
    const dip_order order = order_of(trainer, epoch);
    json_t *rows = NULL;
    DIP_TRY(dip_json_new_array(&rows, err));
    DIP_TRY(dip_json_set(line, "pairs", rows, err));
    for (int64_t i = pairs.begin; i < pairs.end; i++) {
        const uint64_t row = dip_order_row(&order, (uint64_t)i);
        DIP_TRY(dip_json_append(rows, json_integer((json_int_t)row), err));
    }
    return DIP_OK;
}

static dip_status describe(const dip_trainer *trainer, const char *reason, bool with_pairs,
                           json_t *line, dip_error *err) {
    const int64_t epoch = trainer->step / trainer->steps_per_epoch;
    const span pairs = pairs_of(trainer, trainer->step % trainer->steps_per_epoch);
    DIP_TRY(dip_json_set(line, "step", json_integer(trainer->step + 1), err));
    DIP_TRY(dip_json_set(line, "epoch", json_integer(epoch), err));
    DIP_TRY(dip_json_set(line, "first", json_integer(pairs.begin), err));
    DIP_TRY(dip_json_set(line, "last", json_integer(pairs.end - 1), err));
    DIP_TRY(dip_json_set(line, "reason", ascii(reason), err));
    return with_pairs ? list_pairs(trainer, epoch, pairs, line, err) : DIP_OK;
}

dip_status dip_trainer_describe_batch(const dip_trainer *trainer, const char *reason,
                                      bool with_pairs, dip_text *text, dip_error *err) {
    json_t *line = NULL;
    char *dumped = NULL;
    DIP_TRY(dip_json_new_object(&line, err));
    dip_status status = describe(trainer, reason, with_pairs, line, err);
    if (status == DIP_OK) {
        status = dip_json_dump_compact(line, &dumped, err);
    }
    const size_t before = text->length;
    if (status == DIP_OK) {
        status = dip_text_put(text, dumped, strlen(dumped), err);
    }
    if (status == DIP_OK) {
        status = dip_text_put(text, "\n", 1, err);
        text->length = status == DIP_OK ? text->length : before;
    }
    dip_free(dumped);
    json_decref(line);
    return status;
}

void dip_trainer_release(dip_trainer *trainer) {
    dip_average_free(&trainer->average);
    dip_engine_free(trainer->engine);
    dip_free(trainer->query);
    dip_free(trainer->item);
    dip_free(trainer->self);
    dip_free(trainer->each_h);
    dip_free(trainer->each_g);
    dip_free(trainer->pool);
    dip_query_batch_free(&trainer->queries);
    memset(trainer, 0, sizeof *trainer);
}
