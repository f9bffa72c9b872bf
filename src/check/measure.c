/* SPDX-License-Identifier: Apache-2.0
 *
 * How long training takes: real steps on the dataset, in memory, and a small piece of a validation.
 *
 *   an epoch      steps an epoch x seconds a step, and one validation
 *   validation    (items + queries) x seconds a row to encode + queries x items x seconds a score
 */
#include "base/clock.h"
#include "base/mem.h"
#include "check/forecast.h"
#include "engine/encode.h"
#include "engine/rank.h"
#include "train/trainer.h"

/* Steps before the clock starts, and how long it runs: until there are enough steps, or they have
 * taken long enough. */
enum { WARM_STEPS = 3, LEAST_STEPS = 3, ENOUGH_STEPS = 60 };
static const double ENOUGH_SECONDS = 2.0;

/* Rows and queries of the piece of a validation. */
enum { SAMPLE_ROWS = 8192, SAMPLE_QUERIES = 256 };

typedef struct timing {
    int64_t steps;
    double seconds;
    double examples;
    double encode_row; /* seconds */
    double score;      /* seconds a query and item */
} timing;

static dip_status time_steps(const dip_checkup *check, dip_trainer *trainer, timing *t,
                             dip_error *err) {
    dip_step step = {0};
    double start = 0;
    double examples = 0;
    const dip_progress progress = {
        .phase = "measuring training", .unit = "steps", .detail = "", .total = ENOUGH_STEPS};
    for (int64_t i = 0; i < WARM_STEPS + ENOUGH_STEPS; i++) {
        dip_progress now = progress;
        now.done = i > WARM_STEPS ? (uint64_t)(i - WARM_STEPS) : 0;
        DIP_TRY(dip_tell(check->watch, &now, err));
        if (trainer->step == trainer->total_steps) {
            trainer->step = 0;
        }
        const int64_t at = trainer->step;
        DIP_TRY(dip_trainer_advance(trainer, &step, err));
        const double seen = (double)trainer->dataset->n_pairs[0] * (double)(trainer->step - at) /
                            (double)trainer->steps_per_epoch;
        examples += i >= WARM_STEPS ? seen : 0;
        t->steps = i + 1 - WARM_STEPS;
        if (i + 1 == WARM_STEPS) {
            start = dip_seconds();
        }
        t->seconds = dip_seconds() - start;
        if (t->steps >= LEAST_STEPS && t->seconds > ENOUGH_SECONDS) {
            break;
        }
    }
    t->examples = examples;
    return DIP_OK;
}

static dip_status time_rank(const dip_encode_job *encoded, const float *vectors, size_t d, size_t k,
                            timing *t, dip_error *err) {
    const size_t n = encoded->n < SAMPLE_QUERIES ? encoded->n : SAMPLE_QUERIES;
    int64_t *items = dip_alloc(n, k * sizeof *items, "ranked items", err);
    float *scores = dip_alloc(n, k * sizeof *scores, "ranked scores", err);
    dip_status status = items != NULL && scores != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        const dip_rank_job job = {.queries = vectors,
                                  .n = n,
                                  .catalogue = vectors,
                                  .m = encoded->n,
                                  .d = d,
                                  .k = k,
                                  .threads = encoded->threads};
        const double start = dip_seconds();
        status = dip_rank(&job, items, scores, err);
        t->score = (dip_seconds() - start) / ((double)n * (double)encoded->n);
    }
    dip_free(items);
    dip_free(scores);
    return status;
}

static dip_status time_validation(const dip_trainer *trainer, timing *t, dip_error *err) {
    const dip_towers *towers = dip_engine_towers(trainer->engine);
    const dip_rows *rows = &trainer->dataset->items;
    const size_t d = towers->item.output;
    const dip_encode_job job = {.towers = towers,
                                .side = DIP_SIDE_ITEM,
                                .rows = rows,
                                .n = rows->n < SAMPLE_ROWS ? (size_t)rows->n : SAMPLE_ROWS,
                                .threads = dip_engine_threads(&trainer->config)};
    float *vectors = dip_alloc(job.n, d * sizeof *vectors, "item vectors", err);
    if (vectors == NULL) {
        return DIP_ERR_MEMORY;
    }
    const double start = dip_seconds();
    dip_status status = dip_encode(&job, vectors, err);
    t->encode_row = (dip_seconds() - start) / (double)job.n;
    if (status == DIP_OK) {
        status = time_rank(&job, vectors, d, (size_t)trainer->config.train.metric_k, t, err);
    }
    dip_free(vectors);
    return status;
}

static dip_status put_times(const dip_checkup *check, const dip_trainer *trainer, const timing *t,
                            json_t *object, dip_error *err) {
    const double m = (double)check->dataset->items.n;
    const double q = (double)check->n_valid_asked;
    const double epochs = (double)trainer->config.train.epochs;
    const double a_step = t->seconds / (double)t->steps;
    const double steps = a_step * (double)trainer->steps_per_epoch;
    const double validation =
        check->dataset->n_pairs[1] > 0 ? (m + q) * t->encode_row + m * q * t->score : 0;
    DIP_TRY(dip_put_integer(object, "measured_steps", t->steps, err));
    DIP_TRY(dip_put_real(object, "measured_seconds", t->seconds, err));
    DIP_TRY(dip_put_real(object, "seconds_a_step", a_step, err));
    DIP_TRY(dip_put_real(object, "examples_per_second", t->examples / t->seconds, err));
    DIP_TRY(dip_put_integer(object, "threads", dip_engine_threads(&trainer->config), err));
    DIP_TRY(dip_put_text(object, "precision", dip_engine_precision(&trainer->config), err));
    DIP_TRY(dip_put_integer(object, "steps_per_epoch", trainer->steps_per_epoch, err));
    DIP_TRY(dip_put_integer(object, "steps", trainer->total_steps, err));
    DIP_TRY(dip_put_real(object, "epoch_training_seconds", steps, err));
    DIP_TRY(dip_put_real(object, "epoch_validation_seconds", validation, err));
    DIP_TRY(dip_put_real(object, "epoch_seconds", steps + validation, err));
    return dip_put_real(object, "total_seconds", epochs * (steps + validation), err);
}

/* Steps have both losses: those of an epoch of one alone are shorter. */
static dip_status measure(const dip_checkup *check, json_t *object, dip_error *err) {
    dip_config config = *check->config;
    dip_trainer trainer;
    timing t = {0};
    dip_error why = {DIP_OK, ""};
    config.ssl.pretrain = 0;
    DIP_TRY(dip_trainer_init(&trainer, check->dataset, &config, err));
    dip_status status = time_steps(check, &trainer, &t, &why);
    if (status == DIP_ERR_NONFINITE) {
        dip_trainer_release(&trainer);
        DIP_TRY(dip_put_text(object, "not_measured", "a loss was not finite", err));
        return dip_find(check, DIP_PROBLEM, "training", "Lower train.rate.", err,
                        "The first steps of training are not finite: %s", why.message);
    }
    if (status == DIP_OK) {
        status = time_validation(&trainer, &t, &why);
    }
    if (status == DIP_OK) {
        status = put_times(check, &trainer, &t, object, &why);
    }
    dip_trainer_release(&trainer);
    return status == DIP_OK ? DIP_OK : dip_fail(err, status, "%s", why.message);
}

dip_status dip_check_time(const dip_checkup *check, const dip_forecast *sizes, json_t *forecast,
                          dip_error *err) {
    json_t *object = NULL;
    const bool in_folder = check->config->train.table_folder[0] != '\0';
    const double needed = sizes->memory.total - sizes->memory.dataset -
                          (in_folder ? sizes->memory.tables + sizes->memory.optimizer : 0);
    DIP_TRY(dip_json_put_object(forecast, "time", &object, err));
    if (!check->measures) {
        return dip_put_text(object, "not_measured", "it was not asked for", err);
    }
    if (sizes->machine_available > 0 && needed > 0.8 * sizes->machine_available) {
        return dip_put_text(object, "not_measured", "the free memory is too small to train", err);
    }
    return measure(check, object, err);
}
