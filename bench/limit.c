/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's matrix-product limit, printed as one JSON object: the best rate over shapes of this
 * workload and square ones, each thread at work on products of its own.
 *
 *   bench_limit [--threads T] [--seconds S] [--best]
 *
 * For each precision and 1 ... T threads (1 and T only). S seconds a shape. --best looks at fewer
 * shapes.
 */
#include "product.h"
#include "registers.h"

#include <jansson.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct size3 {
    int64_t m;
    int64_t n;
    int64_t k;
} size3;

/* Layers of [1024, 128] on 5 features of 64 or 128, forward and backward, whole batches and panels;
 * a softmax; squares. The few that tend to be fastest come first. */
static const size3 SHAPES[] = {
    {1024, 1024, 1024}, {1024, 1024, 640}, {1024, 1024, 320}, {512, 512, 512},   {2048, 2048, 2048},
    {1024, 320, 1024},  {1024, 640, 1024}, {1024, 128, 1024}, {1024, 1024, 128}, {320, 1024, 1024},
    {256, 1024, 320},   {128, 1024, 320},  {128, 1024, 1024}, {64, 1024, 320}};
enum { N_SHAPES = sizeof SHAPES / sizeof SHAPES[0], FEW_SHAPES = 4, ROUNDS = 20000 };

typedef struct record {
    double gflops;
    char what[64];
} record;

/* Processor time of the calling thread: on a machine that is not idle, what another program takes
 * from a thread does not lower the limit, which would make fractions of it look high. On an idle
 * one this is the wall clock. */
static double thread_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Calls per check of the clock, so that the clock costs nothing beside small products. */
static int calls_between(const size3 *shape) {
    const double operations = 2.0 * (double)shape->m * (double)shape->n * (double)shape->k;
    return operations < 1e9 ? (int)(1e9 / operations) : 1;
}

/* Operations a second of all threads on one shape; 0 where there is no such product. */
static double product_rate(const size3 *shape, bool is_bf16, bool is_bf16_result, int threads,
                           double seconds) {
    const product_shape wanted = {shape->m, shape->n, shape->k, is_bf16, is_bf16_result};
    const double operations = 2.0 * (double)shape->m * (double)shape->n * (double)shape->k;
    double rate = 0;
    /* Also one thread is a parallel region, of two threads of which one has nothing to do: in a
     * region of one, oneDNN would start threads of its own. */
#pragma omp parallel num_threads(threads > 1 ? threads : 2) reduction(+ : rate)
    {
        const bool works = omp_get_thread_num() < threads;
        bench_product *mine = works ? product_create(wanted) : NULL;
        if (mine != NULL) {
            product_run(mine);
        }
#pragma omp barrier
        if (mine != NULL) {
            const double begin = thread_now();
            double end = begin;
            double calls = 0;
            while (end - begin < seconds) {
                for (int i = 0; i < calls_between(shape); i++) {
                    product_run(mine);
                    calls++;
                }
                end = thread_now();
            }
            rate += operations * calls / (end - begin);
        }
        product_free(mine);
    }
    return rate;
}

static double register_rate(bool is_bf16, int threads, double seconds) {
    double rate = 0;
    if (is_bf16 ? !registers_have_bf16() : !registers_have_fp32()) {
        return 0;
    }
#pragma omp parallel num_threads(threads) reduction(+ : rate)
    {
        const double begin = thread_now();
        double end = begin;
        double done = 0;
        while (end - begin < seconds) {
            done += is_bf16 ? registers_bf16(ROUNDS) : registers_fp32(ROUNDS);
            end = thread_now();
        }
        rate += done / (end - begin);
    }
    return rate;
}

static void keep(record *best, double rate, const char *what) {
    if (1e-9 * rate > best->gflops) {
        best->gflops = 1e-9 * rate;
        snprintf(best->what, sizeof best->what, "%s", what);
    }
}

static json_t *measure(bool is_bf16, int threads, size_t n_shapes, double seconds) {
    record product = {0};
    record registers = {0};
    json_t *rates = json_object();
    for (size_t i = 0; i < n_shapes; i++) {
        for (int result = 0; result <= (is_bf16 ? 1 : 0); result++) {
            char what[64];
            const double rate = product_rate(&SHAPES[i], is_bf16, result == 1, threads, seconds);
            snprintf(what, sizeof what, "%lldx%lldx%lld %s", (long long)SHAPES[i].m,
                     (long long)SHAPES[i].n, (long long)SHAPES[i].k,
                     result == 1 ? "to bf16" : "to fp32");
            json_object_set_new(rates, what, json_real(1e-9 * rate));
            keep(&product, rate, what);
        }
    }
    keep(&registers, register_rate(is_bf16, threads, 2 * seconds), "registers");
    const record *limit = product.gflops >= registers.gflops ? &product : &registers;
    return json_pack("{s:s, s:i, s:f, s:s, s:f, s:s, s:f, s:o}", "precision",
                     is_bf16 ? "bf16" : "fp32", "threads", threads, "gflops", limit->gflops, "by",
                     limit->what, "product_gflops", product.gflops, "product_shape", product.what,
                     "register_gflops", registers.gflops, "products", rates);
}

static void print_and_free(json_t *object) {
    char *text = json_dumps(object, JSON_REAL_PRECISION(6));
    puts(text != NULL ? text : "{}");
    free(text);
    json_decref(object);
}

int main(int argc, char **argv) {
    int threads = omp_get_num_procs();
    double seconds = 0.1;
    size_t n_shapes = N_SHAPES;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--best") == 0) {
            n_shapes = FEW_SHAPES;
        } else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            threads = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = atof(argv[++i]);
        } else {
            fprintf(stderr, "usage: bench_limit [--threads T] [--seconds S] [--best]\n");
            return 2;
        }
    }
    json_t *limits = json_array();
    for (int precision = 0; precision < 2; precision++) {
        json_array_append_new(limits, measure(precision == 1, 1, n_shapes, seconds));
        if (threads > 1) {
            json_array_append_new(limits, measure(precision == 1, threads, n_shapes, seconds));
        }
    }
    print_and_free(json_pack("{s:s, s:o}", "onednn", product_library(), "limits", limits));
    return 0;
}
