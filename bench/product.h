/* SPDX-License-Identifier: Apache-2.0
 *
 * One matrix product by oneDNN with weights in the layout that the library likes best, made once
 * and run many times. product.c is the only file of the benchmark that knows oneDNN, whose C
 * interface differs between versions 2 and 3.
 */
#ifndef DIP_BENCH_PRODUCT_H
#define DIP_BENCH_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct bench_product bench_product;

typedef struct product_shape {
    int64_t m;
    int64_t n;
    int64_t k;
    bool is_bf16;
    bool is_bf16_result; /* else the result is fp32 */
} product_shape;

/* NULL when oneDNN has no such product on this machine, or no memory. What is made inside a
 * parallel region runs on the calling thread. */
bench_product *product_create(product_shape shape);

void product_run(bench_product *product);

void product_free(bench_product *product);

/* The version of oneDNN in use, as "2.6.3". */
const char *product_library(void);

#endif
