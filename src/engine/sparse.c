/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sparse.h"

#include "base/mem.h"
#include "math/vec.h"

#include <omp.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, LINE = 16 };

static size_t count_tables(const dip_params *params) {
    size_t n = 0;
    for (size_t i = 0; i < params->n; i++) {
        n += params->list[i].kind == DIP_PARAM_TABLE;
    }
    return n;
}

dip_status dip_sparse_create(dip_sparse *sparse, const dip_params *params, int threads,
                             dip_error *err) {
    memset(sparse, 0, sizeof *sparse);
    sparse->threads = threads;
    sparse->n_tables = count_tables(params);
    sparse->table = dip_alloc(sparse->n_tables, sizeof *sparse->table, "sparse updates", err);
    if (sparse->table == NULL) {
        return DIP_ERR_MEMORY;
    }
    size_t t = 0;
    for (size_t i = 0; i < params->n; i++) {
        if (params->list[i].kind == DIP_PARAM_TABLE) {
            sparse->table[t++].param = (int)i;
            sparse->width =
                params->list[i].columns > sparse->width ? params->list[i].columns : sparse->width;
        }
    }
    /* Whole cache lines, so that threads do not share one. */
    sparse->stride = (sparse->width / LINE + 1) * LINE;
    sparse->sums =
        dip_alloc((size_t)threads, sparse->stride * sizeof *sparse->sums, "sparse updates", err);
    if (sparse->sums == NULL) {
        dip_sparse_free(sparse);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

static dip_status collect_block(dip_touched *touched, const dip_pass *pass, size_t f,
                                dip_error *err) {
    const dip_tower *tower = pass->tower;
    const dip_block *block = &tower->block[f];
    for (size_t i = 0; i < pass->n; i++) {
        const dip_span *span = &pass->span[i * tower->n_blocks + f];
        if (span->n == 0) {
            continue;
        }
        DIP_TRY(dip_grow((void **)&touched->list, &touched->capacity, touched->n + span->n,
                         sizeof *touched->list, "sparse gradients", err));
        const dip_real factor = dip_pool_factor(block->pool, span->n);
        const dip_real *gradient = pass->dx + i * tower->input + block->offset;
        for (uint32_t j = 0; j < span->n; j++) {
            touched->list[touched->n++] = (dip_term){(uint32_t)pass->kept[span->start + j],
                                                     span->n > 1 ? factor : 1, gradient};
        }
    }
    return DIP_OK;
}

/* One counting pass of the radix sort, by eleven bits of the row. */
static void sort_digit(const dip_term *from, dip_term *to, size_t n, unsigned shift) {
    size_t place[DIGITS] = {0};
    for (size_t i = 0; i < n; i++) {
        place[(from[i].row >> shift) & (DIGITS - 1)]++;
    }
    size_t total = 0;
    for (size_t d = 0; d < DIGITS; d++) {
        const size_t count = place[d];
        place[d] = total;
        total += count;
    }
    for (size_t i = 0; i < n; i++) {
        to[place[(from[i].row >> shift) & (DIGITS - 1)]++] = from[i];
    }
}

static dip_status sort_by_row(dip_touched *touched, dip_error *err) {
    uint32_t largest = 0;
    for (size_t i = 0; i < touched->n; i++) {
        largest = touched->list[i].row > largest ? touched->list[i].row : largest;
    }
    DIP_TRY(dip_grow((void **)&touched->spare, &touched->spare_capacity, touched->capacity,
                     sizeof *touched->spare, "sparse gradients", err));
    for (unsigned shift = 0; shift < 32 && (largest >> shift) != 0; shift += DIGIT_BITS) {
        sort_digit(touched->list, touched->spare, touched->n, shift);
        dip_term *swapped = touched->list;
        const size_t capacity = touched->capacity;
        touched->list = touched->spare;
        touched->capacity = touched->spare_capacity;
        touched->spare = swapped;
        touched->spare_capacity = capacity;
    }
    return DIP_OK;
}

static dip_status find_rows(dip_touched *touched, dip_error *err) {
    DIP_TRY(dip_grow((void **)&touched->first, &touched->first_capacity, touched->n + 1,
                     sizeof *touched->first, "sparse gradients", err));
    touched->n_rows = 0;
    for (size_t i = 0; i < touched->n; i++) {
        if (i == 0 || touched->list[i].row != touched->list[i - 1].row) {
            touched->first[touched->n_rows++] = i;
        }
    }
    touched->first[touched->n_rows] = touched->n;
    return DIP_OK;
}

static dip_status collect_table(dip_touched *touched, const dip_pass *const *pass, size_t n_passes,
                                dip_error *err) {
    touched->n = 0;
    for (size_t p = 0; p < n_passes; p++) {
        for (size_t f = 0; f < pass[p]->tower->n_blocks; f++) {
            if (pass[p]->tower->block[f].table == touched->param) {
                DIP_TRY(collect_block(touched, pass[p], f, err));
            }
        }
    }
    DIP_TRY(sort_by_row(touched, err));
    return find_rows(touched, err);
}

dip_status dip_sparse_collect(dip_sparse *sparse, const dip_pass *const *pass, size_t n_passes,
                              dip_error *err) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(sparse->threads)
    for (size_t t = 0; t < sparse->n_tables; t++) {
        dip_touched *touched = &sparse->table[t];
        touched->status = collect_table(touched, pass, n_passes, &touched->problem);
    }
    for (size_t t = 0; t < sparse->n_tables; t++) {
        const dip_touched *touched = &sparse->table[t];
        if (touched->status != DIP_OK) {
            return dip_fail(err, touched->status, "%s", touched->problem.message);
        }
    }
    return DIP_OK;
}

/* Rows of which the memory is asked for ahead: by then, some have been summed and updated. */
enum { AHEAD = 6 };

static void update_row(const dip_touched *touched, size_t r, dip_real *sum, dip_param *param,
                       const dip_optimizer *optimizer, const dip_update *update) {
    const size_t width = param->columns;
    const dip_term *term = &touched->list[touched->first[r]];
    if (r + AHEAD < touched->n_rows) {
        dip_optimizer_prefetch(optimizer, param, (size_t)touched->param,
                               touched->list[touched->first[r + AHEAD]].row);
    }
    dip_vec_sum_terms(width, touched->first[r + 1] - touched->first[r], term, sum);
    dip_optimizer_apply(optimizer, update, param, (size_t)touched->param, term->row * width, width,
                        sum);
}

void dip_sparse_update(dip_sparse *sparse, dip_params *params, const dip_optimizer *optimizer,
                       const dip_update *update) {
#pragma omp parallel num_threads(sparse->threads)
    {
        dip_real *sum = sparse->sums + (size_t)omp_get_thread_num() * sparse->stride;
        for (size_t t = 0; t < sparse->n_tables; t++) {
            const dip_touched *touched = &sparse->table[t];
            dip_param *param = &params->list[touched->param];
            /* A popular row takes long, so rows are handed out as threads come for them; each
             * row's sum is the same whoever makes it. */
#pragma omp for schedule(dynamic, 32) nowait
            for (size_t r = 0; r < touched->n_rows; r++) {
                update_row(touched, r, sum, param, optimizer, update);
            }
        }
    }
}

void dip_sparse_free(dip_sparse *sparse) {
    for (size_t t = 0; sparse->table != NULL && t < sparse->n_tables; t++) {
        dip_free(sparse->table[t].list);
        dip_free(sparse->table[t].spare);
        dip_free(sparse->table[t].first);
    }
    dip_free(sparse->table);
    dip_free(sparse->sums);
    memset(sparse, 0, sizeof *sparse);
}
