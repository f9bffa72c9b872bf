/* SPDX-License-Identifier: Apache-2.0
 *
 * Trains at one setting and prints its speed as one JSON object.
 *
 *   bench_step DATASET [--check N] [--windows N] [--seconds S] [--lockstep] [--KEY VALUE ...]
 *
 * First N steps (--check) whose losses are reported and not timed, then windows of S seconds whose
 * median is the speed. With --lockstep, it prints a line when it is ready and then runs a window
 * for each line that it reads, so that a driver can alternate with another program.
 */
#include "base/json.h"
#include "diptych.h"
#include "plain.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { WINDOWS_MAX = 1000, LOSS_STEPS = 50, VALUE_SIZE = 512 };

typedef struct measurement {
    const char *path;
    int64_t check;
    int64_t windows;
    double seconds;
    bool is_lockstep;
    dip_dataset *dataset;
    dip_config *config;
    dip_trainer *trainer;
    double setup_seconds;
    double loss[3]; /* total, main and self: means over the last steps of the check */
    int64_t loss_steps;
    size_t n_rates;
    double rate[WINDOWS_MAX]; /* examples a second */
    double timed_seconds;
    double cpu_seconds;
    int64_t timed_steps;
    int64_t timed_examples;
    uint64_t allocations;
    double phase[DIP_PHASES];
    dip_step last;
} measurement;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Peak resident memory of this process, in MB (10^6 bytes). Linux keeps the maximum of getrusage
 * across exec, so a large parent would show in it. */
static double peak_mb(void) {
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kib = strtod(line + 6, NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    if (kib <= 0) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        kib = (double)usage.ru_maxrss;
    }
    return kib * 1024 / 1e6;
}

/* ---- running --------------------------------------------------------------------------------- */

static dip_status make_step(measurement *bench, dip_error *err) {
    const dip_status status = dip_trainer_step(bench->trainer, &bench->last, err);
    return status == DIP_END ? dip_fail(err, DIP_ERR_FAILED, "the epochs are over") : status;
}

static dip_status run_check(measurement *bench, dip_error *err) {
    for (int64_t i = 0; i < bench->check; i++) {
        DIP_TRY(make_step(bench, err));
        if (bench->check - i <= LOSS_STEPS) {
            bench->loss[0] += bench->last.loss;
            bench->loss[1] += bench->last.loss_main;
            bench->loss[2] += bench->last.loss_self;
            bench->loss_steps++;
        }
    }
    for (size_t i = 0; i < 3 && bench->loss_steps > 0; i++) {
        bench->loss[i] /= (double)bench->loss_steps;
    }
    return DIP_OK;
}

static dip_status run_window(measurement *bench, double seconds, dip_error *err) {
    double before[DIP_PHASES];
    const uint64_t allocations = dip_mem_allocations();
    const int64_t examples = bench->last.examples;
    const double cpu = cpu_now();
    const double begin = now();
    double end = begin;
    memcpy(before, dip_engine_seconds(bench->trainer->engine), sizeof before);
    if (bench->n_rates == WINDOWS_MAX) {
        return dip_fail(err, DIP_ERR_FAILED, "more than %d windows", WINDOWS_MAX);
    }
    while (end - begin < seconds) {
        DIP_TRY(make_step(bench, err));
        bench->timed_steps++;
        end = now();
    }
    const double *after = dip_engine_seconds(bench->trainer->engine);
    for (size_t i = 0; i < DIP_PHASES; i++) {
        bench->phase[i] += after[i] - before[i];
    }
    bench->rate[bench->n_rates++] = (double)(bench->last.examples - examples) / (end - begin);
    bench->timed_examples += bench->last.examples - examples;
    bench->timed_seconds += end - begin;
    bench->cpu_seconds += cpu_now() - cpu;
    bench->allocations += dip_mem_allocations() - allocations;
    return DIP_OK;
}

static int order_doubles(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_rate(const measurement *bench) {
    double sorted[WINDOWS_MAX];
    const size_t n = bench->n_rates;
    memcpy(sorted, bench->rate, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, order_doubles);
    return n == 0 ? 0 : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* ---- output ---------------------------------------------------------------------------------- */

static dip_status print_line(json_t *object, dip_error *err) {
    char *text = NULL;
    const dip_status status = dip_json_dump_compact(object, &text, err);
    if (status == DIP_OK) {
        fputs(text, stdout);
        if (text[0] == '\0' || text[strlen(text) - 1] != '\n') {
            putchar('\n');
        }
        fflush(stdout);
    }
    dip_free(text);
    json_decref(object);
    return status;
}

static dip_status print_window(const measurement *bench, dip_error *err) {
    return print_line(json_pack("{s:f}", "examples_per_s", bench->rate[bench->n_rates - 1]), err);
}

static json_t *phases_of(const measurement *bench, double steps) {
    json_t *phases = json_object();
    double other = bench->timed_seconds;
    for (size_t i = 0; i < DIP_PHASES; i++) {
        other -= bench->phase[i];
        json_object_set_new(phases, dip_phase_name((dip_phase)i),
                            json_real(1e3 * bench->phase[i] / steps));
    }
    json_object_set_new(phases, "other", json_real(1e3 * other / steps));
    return phases;
}

static json_t *table_rows_of(const dip_dataset *dataset) {
    json_t *tables = json_object();
    for (size_t t = 0; t < dataset->schema.n_tables; t++) {
        json_object_set_new(tables, dataset->schema.tables[t].name,
                            json_integer(dataset->schema.tables[t].rows));
    }
    return tables;
}

static json_t *rates_of(const measurement *bench) {
    json_t *rates = json_array();
    for (size_t i = 0; i < bench->n_rates; i++) {
        json_array_append_new(rates, json_real(bench->rate[i]));
    }
    return rates;
}

static dip_status print_result(const measurement *bench, dip_error *err) {
    const double steps = bench->timed_steps > 0 ? (double)bench->timed_steps : 1;
    const double seconds = bench->timed_seconds > 0 ? bench->timed_seconds : 1;
    char precision[VALUE_SIZE];
    char method[VALUE_SIZE];
    plain_cost cost;
    DIP_TRY(plain_cost_of(bench->dataset, &bench->trainer->config, &cost, err));
    DIP_TRY(dip_config_get(bench->config, "train.precision", precision, sizeof precision, err));
    DIP_TRY(dip_config_get(bench->config, "ssl.method", method, sizeof method, err));
    json_t *object = json_pack(
        "{s:s, s:I, s:I, s:I, s:s, s:I, s:f, s:f, s:I, s:f, s:f, s:f, s:f, s:f}", /* */
        "ssl", method, "batch", (json_int_t)bench->trainer->config.train.batch, "dim",
        (json_int_t)bench->config->model.dim, "threads",
        (json_int_t)dip_engine_threads(bench->config), "precision", precision, "items",
        (json_int_t)dip_dataset_item_count(bench->dataset), "examples_per_s", median_rate(bench),
        "ms_per_step", 1e3 * seconds / steps, "steps", (json_int_t)bench->timed_steps, "seconds",
        bench->timed_seconds, "cores_busy", bench->cpu_seconds / seconds, "allocations_per_step",
        (double)bench->allocations / steps, "peak_rss_mb", peak_mb(), "setup_s",
        bench->setup_seconds);
    json_t *bytes = json_pack("{s:f, s:f, s:f, s:f, s:f}", "rows", cost.bytes_rows, "codes",
                              cost.bytes_codes, "activations", cost.bytes_activations, "weights",
                              cost.bytes_weights, "logits", cost.bytes_logits);
    json_t *more = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "plain_operations_per_example", cost.operations,
        "plain_gflops", 1e-9 * cost.operations * median_rate(bench), "bytes_per_example",
        cost.bytes, "values_per_example", cost.values, "rows_per_example", cost.rows, "check_loss",
        bench->loss[0], "check_loss_main", bench->loss[1], "check_loss_self", bench->loss[2]);
    if (object == NULL || bytes == NULL || more == NULL) {
        return dip_fail(err, DIP_ERR_MEMORY, "out of memory");
    }
    json_object_update(object, more);
    json_decref(more);
    json_object_set_new(object, "final_loss", json_real(bench->last.loss));
    json_object_set_new(object, "bytes", bytes);
    json_object_set_new(object, "phases", phases_of(bench, steps));
    json_object_set_new(object, "windows", rates_of(bench));
    json_object_set_new(object, "tables", table_rows_of(bench->dataset));
    return print_line(object, err);
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* A setting of this program; false when the key is an option of the library. */
static bool set_own(measurement *bench, const char *key, const char *value) {
    if (strcmp(key, "check") == 0) {
        bench->check = strtoll(value, NULL, 10);
    } else if (strcmp(key, "windows") == 0) {
        bench->windows = strtoll(value, NULL, 10);
    } else if (strcmp(key, "seconds") == 0) {
        bench->seconds = strtod(value, NULL);
    } else {
        return false;
    }
    return true;
}

static dip_status read_arguments(measurement *bench, int argc, char **argv, dip_error *err) {
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--lockstep") == 0) {
            bench->is_lockstep = true;
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc) {
            return dip_fail(err, DIP_ERR_USAGE, "%s: write --KEY VALUE", argv[i]);
        }
        if (!set_own(bench, argv[i] + 2, argv[i + 1])) {
            DIP_TRY(dip_config_set(bench->config, argv[i] + 2, argv[i + 1], err));
        }
        i++;
    }
    return DIP_OK;
}

static dip_status run(measurement *bench, int argc, char **argv, dip_error *err) {
    char line[64];
    const double begin = now();
    DIP_TRY(dip_dataset_open(&bench->dataset, bench->path, err));
    DIP_TRY(dip_dataset_config(bench->dataset, &bench->config, err));
    DIP_TRY(dip_config_set(bench->config, "train.epochs", "100000", err));
    DIP_TRY(read_arguments(bench, argc, argv, err));
    DIP_TRY(dip_trainer_create(&bench->trainer, bench->dataset, bench->config, err));
    bench->setup_seconds = now() - begin;
    DIP_TRY(run_check(bench, err));
    if (!bench->is_lockstep) {
        for (int64_t i = 0; i < bench->windows; i++) {
            DIP_TRY(run_window(bench, bench->seconds, err));
        }
        return print_result(bench, err);
    }
    DIP_TRY(print_line(json_pack("{s:b}", "ready", 1), err));
    while (fgets(line, sizeof line, stdin) != NULL) {
        DIP_TRY(run_window(bench, bench->seconds, err));
        DIP_TRY(print_window(bench, err));
    }
    return print_result(bench, err);
}

int main(int argc, char **argv) {
    static measurement bench = {.check = 20, .windows = 5, .seconds = 0.5};
    dip_error err = {0};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_step DATASET [--check N] [--windows N] [--seconds S] "
                        "[--lockstep] [--KEY VALUE ...]\n");
        return DIP_ERR_USAGE;
    }
    bench.path = argv[1];
    const dip_status status = run(&bench, argc, argv, &err);
    if (status != DIP_OK) {
        fprintf(stderr, "bench_step: %s\n", err.message);
    }
    dip_trainer_free(bench.trainer);
    dip_config_free(bench.config);
    dip_dataset_close(bench.dataset);
    return (int)status;
}
