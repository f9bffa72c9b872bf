/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products. gemm.c is the only file that knows oneDNN.
 */
#ifndef DIP_MATH_GEMM_H
#define DIP_MATH_GEMM_H

#include "math/real.h"

#include <stdbool.h>
#include <stddef.h>

/* A row-major matrix operand: element (i, j) is at data[i * stride + j], before transposition. */
typedef struct dip_operand {
    const dip_real *data;
    size_t stride;
    bool transposed;
} dip_operand;

/* C = alpha op(A) op(B) + beta C, with C [m x n] at stride ldc, op(A) [m x k], op(B) [k x n].
 *
 * Runs on the calling thread: callers divide work into panels whose sizes do not depend on the
 * number of threads, so that results have the same bits for any number. */
void dip_gemm(size_t m, size_t n, size_t k, dip_real alpha, dip_operand a, dip_operand b,
              dip_real beta, dip_real *c, size_t ldc);

/* Holds oneDNN to the tier of math/isa.h. dip_gemm does it; whoever calls oneDNN otherwise does it
 * first. Thread-safe. */
void dip_gemm_obey_isa(void);

/* The version of oneDNN, "major.minor.patch". */
enum { DIP_GEMM_VERSION_MAX = 48 };
void dip_gemm_version(char text[DIP_GEMM_VERSION_MAX]);

/* Rows of a panel at most: enough for an efficient product, few enough that a batch of 1024
 * divides among eight threads. Rows are cut into panels of one size, an even number of rows, of
 * which the last may lack some. More than one panel are an even number of them as far as that goes,
 * so that two threads have equally much to do: 877 rows are 7 panels of 110 and one of 107. */
enum { DIP_PANEL = 128 };

/* Panels of so many rows or of fewer, at most. */
static inline size_t dip_panel_most(size_t rows) {
    const size_t least = (rows + DIP_PANEL - 1) / DIP_PANEL;
    return least > 1 ? least + least % 2 : least;
}

static inline size_t dip_panel_size(size_t rows) {
    const size_t most = dip_panel_most(rows);
    const size_t size = most > 0 ? (rows + most - 1) / most : 0;
    return size + size % 2;
}

static inline size_t dip_panel_count(size_t rows) {
    const size_t size = dip_panel_size(rows);
    return size > 0 ? (rows + size - 1) / size : 0;
}

static inline size_t dip_panel_first(size_t rows, size_t panel) {
    return panel * dip_panel_size(rows);
}

static inline size_t dip_panel_rows(size_t rows, size_t panel) {
    const size_t size = dip_panel_size(rows);
    const size_t left = rows - panel * size;
    return left < size ? left : size;
}

#endif
