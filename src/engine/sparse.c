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
    sparse->order = dip_alloc(sparse->n_tables, sizeof *sparse->order, "sparse updates", err);
    if (sparse->table == NULL || sparse->order == NULL) {
        dip_sparse_free(sparse);
        return DIP_ERR_MEMORY;
    }
    size_t t = 0;
    for (size_t i = 0; i < params->n; i++) {
        if (params->list[i].kind == DIP_PARAM_TABLE) {
            sparse->order[t] = t;
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

static size_t count_block(const dip_pass *pass, size_t f) {
    size_t n = pass->by_value[f].n;
    if (n > 0) {
        return n;
    }
    for (size_t i = 0; i < pass->n; i++) {
        n += pass->span[i * pass->tower->n_blocks + f].n;
    }
    return n;
}

/* The same of a block with its gradients by value; the default is a dense tensor. */
static void collect_values(dip_touched *touched, const dip_by_value *values, size_t width) {
    for (size_t v = 0; v < values->n; v++) {
        if (values->value[v] >= 0) {
            touched->list[touched->n++] =
                (dip_term){(uint32_t)values->value[v], 1, values->gradient + v * width};
        }
    }
}

/* Adds the occurrences of a block, for which there is room. */
static void collect_block(dip_touched *touched, const dip_pass *pass, size_t f) {
    const dip_tower *tower = pass->tower;
    const dip_tower_block *block = &tower->block[f];
    if (pass->by_value[f].n > 0) {
        collect_values(touched, &pass->by_value[f], block->width);
        return;
    }
    dip_term *term = touched->list + touched->n;
    for (size_t i = 0; i < pass->n; i++) {
        const dip_span *span = &pass->span[i * tower->n_blocks + f];
        if (span->n == 0) {
            continue;
        }
        const dip_real factor = span->n > 1 ? dip_pool_factor(block->pool, span->n) : 1;
        const dip_real *gradient = pass->dx + i * tower->input + block->offset;
        for (uint32_t j = 0; j < span->n; j++) {
            *term++ = (dip_term){(uint32_t)pass->kept[span->start + j], factor, gradient};
        }
    }
    touched->n = (size_t)(term - touched->list);
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

static void sort_by_row(dip_touched *touched) {
    uint32_t largest = 0;
    for (size_t i = 0; i < touched->n; i++) {
        largest = touched->list[i].row > largest ? touched->list[i].row : largest;
    }
    for (unsigned shift = 0; shift < 32 && (largest >> shift) != 0; shift += DIGIT_BITS) {
        sort_digit(touched->list, touched->spare, touched->n, shift);
        dip_term *swapped = touched->list;
        touched->list = touched->spare;
        touched->spare = swapped;
    }
}

static void find_rows(dip_touched *touched) {
    touched->n_rows = 0;
    for (size_t i = 0; i < touched->n; i++) {
        if (i == 0 || touched->list[i].row != touched->list[i - 1].row) {
            touched->first[touched->n_rows++] = i;
        }
    }
    touched->first[touched->n_rows] = touched->n;
}

/* Room for n occurrences; the lists hold nothing that is still needed. */
static dip_status make_room(dip_touched *touched, size_t n, dip_error *err) {
    static const char PURPOSE[] = "sparse gradients";
    if (n < touched->capacity) {
        return DIP_OK;
    }
    const size_t wanted = dip_roomy(n + 1);
    dip_free(touched->list);
    dip_free(touched->spare);
    dip_free(touched->first);
    touched->capacity = 0;
    touched->list = dip_alloc(wanted, sizeof *touched->list, PURPOSE, err);
    touched->spare = dip_alloc(wanted, sizeof *touched->spare, PURPOSE, err);
    touched->first = dip_alloc(wanted, sizeof *touched->first, PURPOSE, err);
    if (touched->list == NULL || touched->spare == NULL || touched->first == NULL) {
        return DIP_ERR_MEMORY;
    }
    touched->capacity = wanted;
    return DIP_OK;
}

static dip_status collect_table(dip_touched *touched, const dip_pass *const *pass, size_t n_passes,
                                dip_error *err) {
    size_t n = 0;
    for (size_t p = 0; p < n_passes; p++) {
        for (size_t f = 0; f < pass[p]->tower->n_blocks; f++) {
            n += pass[p]->tower->block[f].table == touched->param ? count_block(pass[p], f) : 0;
        }
    }
    touched->n = 0;
    touched->n_rows = 0;
    DIP_TRY(make_room(touched, n, err));
    for (size_t p = 0; p < n_passes; p++) {
        for (size_t f = 0; f < pass[p]->tower->n_blocks; f++) {
            if (pass[p]->tower->block[f].table == touched->param) {
                collect_block(touched, pass[p], f);
            }
        }
    }
    sort_by_row(touched);
    find_rows(touched);
    return DIP_OK;
}

/* A long table that is taken last keeps one thread at work while the others wait. */
static void sort_by_length(dip_sparse *sparse) {
    for (size_t i = 1; i < sparse->n_tables; i++) {
        const size_t table = sparse->order[i];
        size_t at = i;
        for (; at > 0 && sparse->table[sparse->order[at - 1]].n < sparse->table[table].n; at--) {
            sparse->order[at] = sparse->order[at - 1];
        }
        sparse->order[at] = table;
    }
}

dip_status dip_sparse_collect(dip_sparse *sparse, const dip_pass *const *pass, size_t n_passes,
                              dip_error *err) {
    sort_by_length(sparse);
#pragma omp parallel for schedule(dynamic, 1) num_threads(sparse->threads)
    for (size_t t = 0; t < sparse->n_tables; t++) {
        dip_touched *touched = &sparse->table[sparse->order[t]];
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

/* Rows that are handed to a thread at a time, and those of which the memory is asked for ahead: by
 * then, some have been summed and updated. */
enum { ROWS_AT_ONCE = 32, AHEAD = 6 };

static void ask_for_row(const dip_touched *touched, size_t r, const dip_param *param,
                        const dip_optimizer *optimizer) {
    dip_optimizer_prefetch(optimizer, param, (size_t)touched->param,
                           touched->list[touched->first[r]].row);
}

static void update_row(const dip_touched *touched, size_t r, dip_real *sum, dip_param *param,
                       const dip_optimizer *optimizer, const dip_update *update) {
    const size_t width = param->columns;
    const dip_term *term = &touched->list[touched->first[r]];
    dip_vec_sum_terms(width, touched->first[r + 1] - touched->first[r], term, sum);
    dip_optimizer_apply(optimizer, update, param, (size_t)touched->param, term->row * width, width,
                        sum);
}

/* What another thread asked for is not in this one's cache, so each begins by asking. */
static void update_rows(const dip_touched *touched, size_t first, dip_real *sum, dip_param *param,
                        const dip_optimizer *optimizer, const dip_update *update) {
    const size_t left = touched->n_rows - first;
    const size_t end = first + (left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE);
    for (size_t r = first; r < end && r < first + AHEAD; r++) {
        ask_for_row(touched, r, param, optimizer);
    }
    for (size_t r = first; r < end; r++) {
        if (r + AHEAD < end) {
            ask_for_row(touched, r + AHEAD, param, optimizer);
        }
        update_row(touched, r, sum, param, optimizer, update);
    }
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
#pragma omp for schedule(dynamic, 1) nowait
            for (size_t first = 0; first < touched->n_rows; first += ROWS_AT_ONCE) {
                update_rows(touched, first, sum, param, optimizer, update);
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
    dip_free(sparse->order);
    dip_free(sparse->sums);
    memset(sparse, 0, sizeof *sparse);
}
