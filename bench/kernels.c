/* SPDX-License-Identifier: Apache-2.0
 *
 * The time of a call of each vector kernel on each tier that the processor has, for a vector that
 * stays in the first-level cache and for one that does not, and the traffic that this makes:
 *
 *   bench_kernels [n in cache] [n beyond]
 *
 * Times are the shortest of several rounds, for the machine may be shared.
 */
#include "math/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 9,
    TABLE_ROWS = 1 << 19,
    TABLE_WIDTH = 64,
    FEW_ROWS = 64,
    BAG = 20,
    BAGS = 1 << 15
};

typedef struct bench {
    size_t n;
    float *a, *b, *c, *d;
    float *table; /* [TABLE_ROWS x TABLE_WIDTH] */
    int32_t *row; /* [BAGS x BAG] */
    dip_term *term;
    size_t bag;             /* the next one */
    volatile double result; /* keeps what is computed alive */
} bench;

typedef void (*call)(const dip_kernels *k, bench *b);

static void run_axpy(const dip_kernels *k, bench *b) {
    k->axpy(b->n, 1e-9f, b->a, b->b);
}

static void run_dot(const dip_kernels *k, bench *b) {
    b->result = (double)k->dot(b->n, b->a, b->b);
}

static void run_max(const dip_kernels *k, bench *b) {
    b->result = (double)k->max(b->n, b->a);
}

static void run_exp_sum(const dip_kernels *k, bench *b) {
    b->result = (double)k->exp_sum(b->n, 0.5f, b->c); /* settles between 0 and 1 */
}

static void run_is_finite(const dip_kernels *k, bench *b) {
    b->result = k->is_finite(b->n, b->a);
}

static void run_square_sum(const dip_kernels *k, bench *b) {
    b->result = k->square_sum(b->n, b->a);
}

static void run_bias(const dip_kernels *k, bench *b) {
    k->bias(1, b->n, b->a, true, b->b);
}

static void run_relu_backward(const dip_kernels *k, bench *b) {
    k->relu_backward(b->n, b->a, b->b);
}

static void run_normalise(const dip_kernels *k, bench *b) {
    b->result = (double)k->normalise(b->n, b->a, b->c);
}

static void run_normalise_backward(const dip_kernels *k, bench *b) {
    k->normalise_backward(b->n, b->a, 1.5f, b->b, b->c);
}

static void run_find_above(const dip_kernels *k, bench *b) {
    b->result = (double)k->find_above(b->n, b->a, 2.0f);
}

static void run_pool(const dip_kernels *k, bench *b) {
    b->bag = (b->bag + 1) % BAGS;
    k->pool(TABLE_WIDTH, BAG, b->row + b->bag * BAG, 0.05f, b->table, b->c);
}

static void run_sum_terms(const dip_kernels *k, bench *b) {
    b->bag = (b->bag + 1) % BAGS;
    k->sum_terms(TABLE_WIDTH, BAG, b->term + b->bag * BAG, b->c);
}

static const dip_rule RULE = {.rate = 1e-9f,
                              .beta1 = 0.9f,
                              .beta2 = 0.999f,
                              .rest1 = 0.1f,
                              .rest2 = 0.001f,
                              .correction1 = 1,
                              .correction2 = 1};

static void run_sgd(const dip_kernels *k, bench *b) {
    k->sgd(b->n, &RULE, b->a, b->b);
}

static void run_adagrad(const dip_kernels *k, bench *b) {
    k->adagrad(b->n, &RULE, b->a, b->b, b->d);
}

static void run_adagrad_row(const dip_kernels *k, bench *b) {
    k->adagrad_row(b->n, &RULE, b->a, b->b, b->d);
}

static void run_adam(const dip_kernels *k, bench *b) {
    k->adam(b->n, &RULE, b->a, b->b, b->c, b->d);
}

/* Floats read and written per element; 0 for those that work on rows of the table. */
static const struct {
    const char *name;
    call run;
    double traffic;
} KERNELS[] = {{"axpy", run_axpy, 3},
               {"dot", run_dot, 2},
               {"max", run_max, 1},
               {"exp_sum", run_exp_sum, 2},
               {"is_finite", run_is_finite, 1},
               {"square_sum", run_square_sum, 1},
               {"bias, relu", run_bias, 3},
               {"relu_backward", run_relu_backward, 3},
               {"normalise", run_normalise, 2},
               {"normalise_backward", run_normalise_backward, 3},
               {"top-k scan", run_find_above, 1},
               {"sgd", run_sgd, 3},
               {"adagrad", run_adagrad, 5},
               {"adagrad, row-wise", run_adagrad_row, 3},
               {"adam", run_adam, 7},
               {"pool 20 rows of 64", run_pool, 0},
               {"sum 20 terms of 64", run_sum_terms, 0}};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of one call. */
static double time_call(call run, const dip_kernels *k, bench *b) {
    size_t repeats = 1;
    double best = 1e9;
    for (int round = 0; round < ROUNDS;) {
        const double begin = now();
        for (size_t i = 0; i < repeats; i++) {
            run(k, b);
        }
        const double spent = now() - begin;
        if (spent < 2e-3) {
            repeats *= 2;
            continue;
        }
        best = spent / (double)repeats < best ? spent / (double)repeats : best;
        round++;
    }
    return best;
}

/* Bags of rows, from a few that stay in cache or from all of the table. */
static void draw_bags(bench *b, size_t rows) {
    uint64_t random = 1;
    for (size_t j = 0; j < (size_t)BAGS * BAG; j++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const size_t row = (size_t)(random >> 33) % rows;
        b->row[j] = (int32_t)row;
        b->term[j] = (dip_term){.factor = 0.5f, .x = b->table + row * TABLE_WIDTH};
    }
}

static void fill(bench *b, size_t n, bool in_cache) {
    draw_bags(b, in_cache ? FEW_ROWS : TABLE_ROWS);
    b->n = n;
    for (size_t i = 0; i < n; i++) {
        b->a[i] = 1e-3f * (float)(i % 1000) - 0.5f;
        b->b[i] = b->a[n - 1 - i] * 0.7f;
        b->c[i] = 0.5f;
        b->d[i] = 0.1f;
    }
}

/* The best tier with a table of its own. */
static int last_tier(void) {
    const dip_isa best = dip_isa_of_processor();
    return best < DIP_ISA_AVX512 ? (int)best : DIP_ISA_AVX512;
}

static void print_row(size_t kernel, bench *b) {
    const double bytes = KERNELS[kernel].traffic > 0 ? 4 * KERNELS[kernel].traffic * (double)b->n
                                                     : 4.0 * TABLE_WIDTH * (BAG + 1);
    printf("%-20s %9zu", KERNELS[kernel].name, KERNELS[kernel].traffic > 0 ? b->n : TABLE_WIDTH);
    double slowest = 0;
    double seconds = 0;
    for (int isa = DIP_ISA_REFERENCE; isa <= last_tier(); isa++) {
        seconds = time_call(KERNELS[kernel].run, dip_kernels_of((dip_isa)isa), b);
        slowest = isa == DIP_ISA_REFERENCE ? seconds : slowest;
        printf(" %11.1f ns %6.1f GB/s", 1e9 * seconds, 1e-9 * bytes / seconds);
    }
    printf(" %6.1fx\n", slowest / seconds);
}

static void *make(size_t n, size_t size) {
    void *x = aligned_alloc(64, (n * size + 63) / 64 * 64); /* as the library's own memory */
    if (x == NULL) {
        fprintf(stderr, "no memory for %zu bytes\n", n * size);
        exit(EXIT_FAILURE);
    }
    memset(x, 0, n * size); /* every page is there before the clock runs */
    return x;
}

static void make_all(bench *b, size_t n) {
    b->a = make(n, sizeof *b->a);
    b->b = make(n, sizeof *b->b);
    b->c = make(n, sizeof *b->c);
    b->d = make(n, sizeof *b->d);
    b->table = make((size_t)TABLE_ROWS * TABLE_WIDTH, sizeof *b->table);
    b->row = make((size_t)BAGS * BAG, sizeof *b->row);
    b->term = make((size_t)BAGS * BAG, sizeof *b->term);
}

static void free_all(bench *b) {
    free(b->a);
    free(b->b);
    free(b->c);
    free(b->d);
    free(b->table);
    free(b->row);
    free(b->term);
}

int main(int argc, char **argv) {
    const size_t sizes[] = {argc > 1 ? strtoul(argv[1], NULL, 10) : 1024,
                            argc > 2 ? strtoul(argv[2], NULL, 10) : 1 << 24};
    const size_t most = (sizes[0] > sizes[1] ? sizes[0] : sizes[1]) + TABLE_WIDTH;
    static bench b;
    make_all(&b, most);
    printf("%-20s %9s", "", "n");
    for (int isa = DIP_ISA_REFERENCE; isa <= last_tier(); isa++) {
        printf(" %26s", dip_isa_name((dip_isa)isa));
    }
    printf("\n");
    for (size_t s = 0; s < 2; s++) {
        for (size_t k = 0; k < sizeof KERNELS / sizeof *KERNELS; k++) {
            fill(&b, sizes[s], s == 0);
            print_row(k, &b);
        }
    }
    free_all(&b);
    return 0;
}
