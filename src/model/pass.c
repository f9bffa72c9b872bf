/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pass.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

static dip_real *alloc_matrix(size_t rows, size_t columns, bool *is_whole, dip_error *err) {
    dip_real *matrix =
        *is_whole ? dip_alloc(rows, columns * sizeof(dip_real), "activations of a batch", err)
                  : NULL;
    *is_whole = matrix != NULL;
    return matrix;
}

static dip_status alloc_layers(dip_pass *pass, bool with_backward, dip_error *err) {
    const dip_tower *tower = pass->tower;
    bool is_whole = true;
    pass->x = alloc_matrix(pass->capacity, tower->input, &is_whole, err);
    for (size_t l = 0; l < tower->n_layers; l++) {
        pass->layer[l] = alloc_matrix(pass->capacity, tower->layer[l].out, &is_whole, err);
        pass->dlayer[l] = with_backward
                              ? alloc_matrix(pass->capacity, tower->layer[l].out, &is_whole, err)
                              : NULL;
    }
    return is_whole ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status alloc_ends(dip_pass *pass, bool with_backward, dip_error *err) {
    const dip_tower *tower = pass->tower;
    bool is_whole = true;
    pass->u = alloc_matrix(pass->capacity, tower->output, &is_whole, err);
    pass->norm = alloc_matrix(pass->capacity, 1, &is_whole, err);
    if (with_backward) {
        pass->du = alloc_matrix(pass->capacity, tower->output, &is_whole, err);
        pass->dx = alloc_matrix(pass->capacity, tower->input, &is_whole, err);
    }
    if (!is_whole) {
        return DIP_ERR_MEMORY;
    }
    pass->span =
        dip_alloc(pass->capacity, tower->n_blocks * sizeof *pass->span, "features of a batch", err);
    return pass->span != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static dip_status create(dip_pass *pass, const dip_tower *tower, size_t capacity, int threads,
                         bool with_backward, dip_error *err) {
    memset(pass, 0, sizeof *pass);
    pass->tower = tower;
    pass->capacity = capacity;
    pass->threads = threads;
    return alloc_ends(pass, with_backward, err);
}

dip_status dip_pass_create(dip_pass *pass, const dip_tower *tower, size_t capacity, int threads,
                           bool with_backward, dip_error *err) {
    dip_status status = create(pass, tower, capacity, threads, with_backward, err);
    if (status == DIP_OK) {
        status = alloc_layers(pass, with_backward, err);
    }
    if (status != DIP_OK) {
        dip_pass_free(pass);
    }
    return status;
}

dip_status dip_pass_create_ends(dip_pass *pass, const dip_tower *tower, size_t capacity,
                                int threads, dip_error *err) {
    const dip_status status = create(pass, tower, capacity, threads, true, err);
    if (status != DIP_OK) {
        dip_pass_free(pass);
    }
    return status;
}

/* ---- loading --------------------------------------------------------------------------------- */

static size_t bag_length(const dip_column *column, int32_t row) {
    return column->offsets != NULL ? (size_t)(column->offsets[row + 1] - column->offsets[row]) : 1;
}

/* Where the values of each span may begin: room for all of them, dropped or not. The lengths are
 * looked up side by side, for they are scattered in memory; then they are summed. */
static size_t place_spans(dip_pass *pass, const dip_rows *rows, const int32_t *row, uint64_t mask) {
    const size_t n_blocks = pass->tower->n_blocks;
    size_t total = 0;
#pragma omp parallel for schedule(static) num_threads(pass->threads)
    for (size_t i = 0; i < pass->n; i++) {
        for (size_t f = 0; f < n_blocks; f++) {
            const bool is_masked = (mask >> f) & 1;
            pass->span[i * n_blocks + f].start =
                is_masked ? 0 : bag_length(&rows->columns[f], row[i]);
        }
    }
    for (size_t s = 0; s < pass->n * n_blocks; s++) {
        const size_t length = pass->span[s].start;
        pass->span[s].start = total;
        total += length;
    }
    return total;
}

/* The counter of the draws of one feature of one example. */
static uint64_t draw_place(size_t example, size_t feature, size_t group) {
    return ((uint64_t)example << 40) | ((uint64_t)feature << 32) | group;
}

static uint32_t copy_bag(int32_t *kept, const int32_t *codes, size_t length, size_t example,
                         size_t feature, const dip_view *view) {
    if (view == NULL || view->value_dropout <= 0) {
        memcpy(kept, codes, length * sizeof *kept);
        return (uint32_t)length;
    }
    uint32_t n = 0;
    for (size_t j = 0; j < length; j += 4) {
        const dip_draw draw =
            dip_rng_at(view->rng, view->step, draw_place(example, feature, j / 4));
        for (size_t l = j; l < length && l < j + 4; l++) {
            kept[n] = codes[l];
            n += dip_unit(draw.word[l - j]) >= view->value_dropout;
        }
    }
    return n;
}

static void load_span(dip_pass *pass, const dip_column *column, int32_t row, size_t i, size_t f,
                      const dip_view *view) {
    dip_span *span = &pass->span[i * pass->tower->n_blocks + f];
    int32_t *kept = pass->kept + span->start;
    span->n = 0;
    span->number = column->numbers != NULL ? column->numbers[row] : NAN;
    if (column->numbers != NULL) {
        return;
    }
    if (column->offsets == NULL) {
        kept[0] = column->codes[row];
        span->n = dip_block_knows(&pass->tower->block[f], column->codes[row]);
        return;
    }
    span->n =
        copy_bag(kept, column->codes + column->offsets[row], bag_length(column, row), i, f, view);
}

/* Group number of the feature-dropout draws: past any bag's groups of four values. */
#define FEATURE_GROUP UINT32_MAX

/* Which features of an example are masked. When feature dropout hits all of them, the one with the
 * largest draw stays, so that an example never loses everything. */
static uint64_t example_mask(const dip_view *view, size_t example, size_t n_blocks) {
    if (view == NULL || view->feature_dropout <= 0) {
        return view == NULL ? 0 : (view->each != NULL ? view->each[example] : view->mask);
    }
    uint64_t mask = 0;
    size_t survivor = 0;
    double largest = -1;
    for (size_t f = 0; f < n_blocks; f++) {
        const double u = dip_unit(
            dip_rng_at(view->rng, view->step, draw_place(example, f, FEATURE_GROUP)).word[0]);
        mask |= ((uint64_t)(u < view->feature_dropout) << f) & view->droppable;
        if (u > largest) {
            largest = u;
            survivor = f;
        }
    }
    const uint64_t all = UINT64_MAX >> (DIP_FEATURES_MAX - n_blocks);
    return view->mask | (mask == all ? mask & ~((uint64_t)1 << survivor) : mask);
}

static void load_example(dip_pass *pass, const dip_rows *rows, int32_t row, size_t i,
                         const dip_view *view) {
    const size_t n_blocks = pass->tower->n_blocks;
    const uint64_t mask = example_mask(view, i, n_blocks);
    for (size_t f = 0; f < n_blocks; f++) {
        if ((mask >> f) & 1) {
            pass->span[i * n_blocks + f].n = 0;
            pass->span[i * n_blocks + f].number = NAN;
        } else {
            load_span(pass, &rows->columns[f], row, i, f, view);
        }
    }
}

dip_status dip_pass_load(dip_pass *pass, const dip_rows *rows, const int32_t *row, size_t n,
                         const dip_view *view, dip_error *err) {
    pass->n = n;
    pass->mask = view != NULL && view->each == NULL ? view->mask : 0;
    if (place_spans(pass, rows, row, pass->mask) > pass->kept_capacity) {
        /* Room for batches with other masks too. */
        const size_t values = place_spans(pass, rows, row, 0);
        place_spans(pass, rows, row, pass->mask);
        DIP_TRY(dip_grow((void **)&pass->kept, &pass->kept_capacity, dip_roomy(values),
                         sizeof *pass->kept, "bag values of a batch", err));
    }
#pragma omp parallel for schedule(static) num_threads(pass->threads)
    for (size_t i = 0; i < n; i++) {
        load_example(pass, rows, row[i], i, view);
    }
    return DIP_OK;
}

/* ---- pooling --------------------------------------------------------------------------------- */

dip_real dip_pool_factor(int pool, uint32_t n) {
    switch (pool) {
    case DIP_POOL_SUM:
        return 1;
    case DIP_POOL_SQRTN:
        return (dip_real)(1 / sqrt((double)n));
    default:
        return (dip_real)1 / (dip_real)n;
    }
}

/* x_f = factor * sum of the kept embeddings, or the number, or the default. */
void dip_pass_pool(const dip_pass *pass, const dip_params *params, size_t i, size_t f,
                   dip_real *x) {
    const dip_tower *tower = pass->tower;
    const dip_tower_block *block = &tower->block[f];
    const dip_span *span = &pass->span[i * tower->n_blocks + f];
    if (dip_span_has_number(span)) {
        x[0] = span->number;
        return;
    }
    if (span->n == 0) {
        const dip_real *fallback = params->list[tower->fallback].value + block->offset;
        memcpy(x, fallback, block->width * sizeof *x);
        return;
    }
    const dip_real *table = params->list[block->table].value;
    const int32_t *kept = pass->kept + span->start;
    dip_vec_pool(block->width, span->n, kept, dip_pool_factor(block->pool, span->n), table, x);
}

/* Values of a bag that are asked for; pooling asks for further ones itself. */
enum { PREFETCH_VALUES = 8 };

void dip_pass_prefetch(const dip_pass *pass, const dip_params *params, size_t i) {
    const dip_tower *tower = pass->tower;
    for (size_t f = 0; f < tower->n_blocks; f++) {
        const dip_tower_block *block = &tower->block[f];
        const dip_span *span = &pass->span[i * tower->n_blocks + f];
        const uint32_t n = span->n < PREFETCH_VALUES ? span->n : PREFETCH_VALUES;
        for (uint32_t j = 0; j < n; j++) {
            const size_t row = (size_t)pass->kept[span->start + j];
            dip_vec_prefetch(block->width, params->list[block->table].value + row * block->width);
        }
    }
}

void dip_pass_free(dip_pass *pass) {
    dip_free(pass->x);
    dip_free(pass->u);
    dip_free(pass->norm);
    dip_free(pass->du);
    dip_free(pass->dx);
    dip_free(pass->span);
    dip_free(pass->kept);
    for (size_t l = 0; l < DIP_LIST_MAX; l++) {
        dip_free(pass->layer[l]);
        dip_free(pass->dlayer[l]);
    }
    memset(pass, 0, sizeof *pass);
}
