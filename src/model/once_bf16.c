/* SPDX-License-Identifier: Apache-2.0 */
#include "model/once_bf16.h"

#include "base/mem.h"

#include <string.h>

/* Values at most are this part of a batch. The rows that a value saves must pay for adding its
 * product to each example and for summing the examples' gradients. */
enum { LEAST_EXAMPLES_A_VALUE = 4 };

/* A table of more rows than this many times a batch's examples seldom has so few of them in it. */
enum { MOST_ROWS_AN_EXAMPLE = 4 };

/* ---- memory ---------------------------------------------------------------------------------- */

static bool is_eligible(const dip_tower_block *block, size_t capacity) {
    return block->table >= 0 && !block->is_bag && block->offset % DIP_BLOCK == 0 &&
           block->width % DIP_BLOCK == 0 && block->rows / MOST_ROWS_AN_EXAMPLE <= capacity;
}

static void *take(size_t count, size_t size, bool *is_whole, dip_error *err) {
    void *memory = *is_whole ? dip_alloc(count, size, "repeated values of a batch", err) : NULL;
    *is_whole = memory != NULL;
    return memory;
}

/* The products are used up when the sums are made, and both when another pass has its turn: they
 * have one memory, which is the lender's where its feature has as many values. */
static dip_status take_sums(dip_once *once, const dip_once *lender, dip_error *err) {
    const size_t product = once->most * once->out * sizeof(float);
    const size_t rows = once->most * dip_row_stride(once->out) * sizeof(dip_bf16);
    const size_t packed = dip_packed_size(once->most, once->out) * sizeof(dip_bf16);
    const bool fits = lender != NULL && lender->most >= once->most && lender->out == once->out;
    bool is_whole = true;
    once->borrows = fits;
    once->product =
        fits ? lender->product
             : take(product > rows + packed ? product : rows + packed, 1, &is_whole, err);
    if (is_whole) {
        once->sum = (dip_bf16 *)once->product;
        once->sum_packed = once->sum + rows / sizeof(dip_bf16);
    }
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status create_one(dip_once *once, const dip_tower *tower, size_t f, size_t capacity,
                             const dip_once *lender, dip_error *err) {
    const dip_tower_block *block = &tower->block[f];
    const size_t most = capacity / LEAST_EXAMPLES_A_VALUE;
    bool is_whole = true;
    if (!is_eligible(block, capacity) || most == 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_distinct_create(&once->values, capacity, 1, err));
    once->block = block;
    once->most = block->rows + 1 < most ? block->rows + 1 : most;
    once->out = dip_wide(tower->layer[0].out);
    once->code = take(capacity, sizeof *once->code, &is_whole, err);
    once->first = take(once->most + 1, sizeof *once->first, &is_whole, err);
    once->member = take(capacity, sizeof *once->member, &is_whole, err);
    once->rows =
        take(once->most + 1, dip_row_stride(block->width) * sizeof *once->rows, &is_whole, err);
    once->packed =
        take(dip_packed_size(once->most, block->width), sizeof *once->packed, &is_whole, err);
    once->gradient = take(once->most, block->width * sizeof *once->gradient, &is_whole, err);
    return is_whole ? take_sums(once, lender, err) : DIP_ERR_MEMORY;
}

dip_status dip_once_create(dip_once **out, const dip_tower *tower, size_t capacity,
                           const dip_once *lender, dip_error *err) {
    dip_once *once = dip_alloc(tower->n_blocks, sizeof *once, "repeated values of a batch", err);
    if (once == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_status status =
            create_one(&once[f], tower, f, capacity, lender != NULL ? &lender[f] : NULL, err);
        if (status != DIP_OK) {
            dip_once_free(once, tower);
            return status;
        }
    }
    *out = once;
    return DIP_OK;
}

void dip_once_free(dip_once *once, const dip_tower *tower) {
    for (size_t f = 0; once != NULL && f < tower->n_blocks; f++) {
        dip_distinct_free(&once[f].values);
        dip_free(once[f].code);
        dip_free(once[f].first);
        dip_free(once[f].member);
        dip_free(once[f].rows);
        dip_free(once[f].packed);
        dip_free(once[f].borrows ? NULL : once[f].product);
        dip_free(once[f].gradient);
    }
    dip_free(once);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Members by value, each value's in ascending order: a counting sort. */
static void sort_members(dip_once *once, size_t examples) {
    const uint32_t *place = once->values.place;
    memset(once->first, 0, (once->n + 1) * sizeof *once->first);
    for (size_t i = 0; i < examples; i++) {
        once->first[place[i] + 1]++;
    }
    for (size_t v = 0; v < once->n; v++) {
        once->first[v + 1] += once->first[v];
    }
    /* While members are placed, first[v] is where the next one goes; then it is where v ends. */
    for (size_t i = 0; i < examples; i++) {
        once->member[once->first[place[i]]++] = (uint32_t)i;
    }
    memmove(once->first + 1, once->first, once->n * sizeof *once->first);
    once->first[0] = 0;
}

/* And packs them, as a left operand; the partner of a last odd row is 0. */
static void round_embeddings(dip_once *once, const dip_params *params, int fallback) {
    const dip_bf16_kernels *kernels = dip_bf16_get();
    const dip_tower_block *block = once->block;
    const size_t stride = dip_row_stride(block->width);
    for (size_t v = 0; v < once->n; v++) {
        const int32_t row = once->values.row[v];
        const dip_real *embedding =
            row < 0 ? params->list[fallback].value + block->offset
                    : params->list[block->table].value + (size_t)row * block->width;
        kernels->round(block->width, embedding, once->rows + v * stride);
    }
    memset(once->rows + once->n * stride, 0, block->width * sizeof *once->rows);
    for (size_t v = 0; v < once->n; v += 2) {
        kernels->interleave(block->width / DIP_BLOCK, once->rows + v * stride,
                            once->rows + (v + 1) * stride, dip_packed_block(once->n),
                            once->packed + v * DIP_BLOCK);
    }
    for (size_t b = 0; b < block->width / DIP_BLOCK; b++) {
        kernels->make_left(dip_pairs(once->n), once->packed + b * dip_packed_block(once->n));
    }
}

void dip_once_find(dip_once *once, const dip_pass *pass, const dip_params *params, size_t f) {
    const size_t most = pass->n / LEAST_EXAMPLES_A_VALUE;
    once->n = 0;
    if ((pass->mask >> f) & 1) {
        return;
    }
    for (size_t i = 0; i < pass->n; i++) {
        const dip_span *span = &pass->span[i * pass->tower->n_blocks + f];
        once->code[i] = span->n > 0 ? pass->kept[span->start] : -1;
    }
    if (dip_distinct_find_few(&once->values, once->code, pass->n,
                              most < once->most ? most : once->most)) {
        once->n = once->values.n;
        sort_members(once, pass->n);
        round_embeddings(once, params, pass->tower->fallback);
    }
}

/* ---- products -------------------------------------------------------------------------------- */

void dip_once_multiply(const dip_once *once, const dip_bf16 *weight, size_t in,
                       size_t column_block) {
    const dip_tower_block *block = once->block;
    const dip_bf16 *columns = weight + column_block * dip_packed_block(dip_wide(in));
    dip_bf16_get()->tile(&(dip_tile){.m = once->n,
                                     .a = {once->rows, dip_row_stride(block->width)},
                                     .b = columns + block->offset * DIP_BLOCK,
                                     .pairs = block->width / 2,
                                     .c = once->product + column_block * once->n * DIP_BLOCK,
                                     .ldc = DIP_BLOCK});
}

void dip_once_sum(const dip_once *once, const dip_bf16 *gradients, size_t examples,
                  size_t column_block) {
    dip_bf16_get()->sum_groups(once->n, once->first, once->member,
                               gradients + column_block * dip_packed_block(examples),
                               once->sum + column_block * DIP_BLOCK, dip_row_stride(once->out),
                               once->sum_packed + column_block * dip_packed_block(once->n));
}

size_t dip_once_pieces(const dip_once *once) {
    return (once->n + DIP_BLOCK - 1) / DIP_BLOCK;
}

void dip_once_backward(const dip_once *once, const dip_bf16 *weight, size_t piece) {
    const dip_tower_block *block = once->block;
    const size_t first = piece * DIP_BLOCK;
    const size_t left = once->n - first;
    const size_t stride = dip_row_stride(once->out);
    for (size_t column = 0; column < block->width; column += DIP_BLOCK) {
        const size_t row_block = (block->offset + column) / DIP_BLOCK;
        dip_bf16_get()->tile(&(dip_tile){.m = left < DIP_BLOCK ? left : DIP_BLOCK,
                                         .a = {once->sum + first * stride, stride},
                                         .b = weight + row_block * dip_packed_block(once->out),
                                         .pairs = once->out / 2,
                                         .c = once->gradient + first * block->width + column,
                                         .ldc = block->width});
    }
}
