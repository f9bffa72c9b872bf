/* SPDX-License-Identifier: Apache-2.0 */
#include "model/softmax_bf16.h"

#include "base/mem.h"
#include "math/exp.h"
#include "math/vec.h"

#include <math.h>
#include <omp.h>

/* Logits span at most this much below their bound when one shift serves all rows: exp(-80) is still
 * a normal number. */
#define SPAN_MAX 80.0f

/* Products of rounded unit vectors stay below this. */
#define COSINE_MAX 1.01f

/* What one thread needs for a unit of rows. */
struct dip_softmax_bf16_unit {
    float c[DIP_SOFTMAX_UNIT * DIP_BLOCK];        /* a tile of products */
    float sum[DIP_SOFTMAX_UNIT * DIP_BF16_LANES]; /* exponentials by row and lane */
    float factor[DIP_SOFTMAX_UNIT];               /* w/(n tau) / Z */
    float positive[DIP_SOFTMAX_UNIT];             /* u_i . v_p(i) */
    dip_bf16 *e;                                  /* [unit x columns] */
    dip_bf16 *rows;                               /* [unit x d] */
};

typedef struct job {
    dip_softmax_bf16 *softmax;
    const dip_softmax_input *in;
    const dip_bf16_kernels *kernels;
    float *du;
    float *dv;
    size_t m;       /* columns */
    size_t m_wide;  /* rounded up to a multiple of 64 */
    float scale;    /* w/(n tau) */
    bool has_right; /* positives are left out of e and added to Z by themselves */
    size_t first;   /* of the strip */
    size_t rows;
} job;

/* ---- memory ---------------------------------------------------------------------------------- */

static void *take(size_t count, size_t size, bool *is_whole, dip_error *err) {
    void *memory = *is_whole ? dip_alloc(count, size, "the softmax of a batch", err) : NULL;
    *is_whole = memory != NULL;
    return memory;
}

static bool take_scratch(dip_softmax_bf16 *s, size_t columns, dip_error *err) {
    bool is_whole = true;
    s->scratch = take((size_t)s->threads, sizeof(dip_softmax_bf16_unit *), &is_whole, err);
    for (int t = 0; t < s->threads && is_whole; t++) {
        s->scratch[t] = take(1, sizeof **s->scratch, &is_whole, err);
        if (is_whole) {
            s->scratch[t]->e =
                take(DIP_SOFTMAX_UNIT, dip_row_stride(columns) * sizeof(dip_bf16), &is_whole, err);
            s->scratch[t]->rows = take(DIP_SOFTMAX_UNIT, s->d * sizeof(dip_bf16), &is_whole, err);
        }
    }
    return is_whole;
}

dip_status dip_softmax_bf16_create(dip_softmax_bf16 *s, size_t rows, size_t columns, size_t width,
                                   int threads, dip_error *err) {
    bool is_whole = true;
    const size_t strip = rows < DIP_SOFTMAX_ROWS ? rows : DIP_SOFTMAX_ROWS;
    memset(s, 0, sizeof *s);
    s->threads = threads;
    s->d = dip_wide(width);
    s->u = take(rows, s->d * sizeof *s->u, &is_whole, err);
    s->v = take(dip_packed_size(columns, s->d), sizeof *s->v, &is_whole, err);
    s->v_across = take(dip_packed_size(s->d, columns), sizeof *s->v_across, &is_whole, err);
    s->e = take(dip_packed_size(strip, columns), sizeof *s->e, &is_whole, err);
    s->u_scaled = take(dip_packed_size(strip, s->d), sizeof *s->u_scaled, &is_whole, err);
    s->offset = take(dip_wide(columns), sizeof *s->offset, &is_whole, err);
    s->item = take(dip_wide(columns), sizeof *s->item, &is_whole, err);
    s->also = take(dip_wide(columns), sizeof *s->also, &is_whole, err);
    s->row_item = take(rows, sizeof *s->row_item, &is_whole, err);
    s->row_also = take(rows, sizeof *s->row_also, &is_whole, err);
    s->positive = take(rows, sizeof *s->positive, &is_whole, err);
    s->member = take(rows, sizeof *s->member, &is_whole, err);
    s->first = take(columns + 1, sizeof *s->first, &is_whole, err);
    s->shift = take(rows, sizeof *s->shift, &is_whole, err);
    s->pull = take(rows, sizeof *s->pull, &is_whole, err);
    s->row_loss = take(rows, sizeof *s->row_loss, &is_whole, err);
    if (!is_whole || !take_scratch(s, columns, err)) {
        dip_softmax_bf16_free(s);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

void dip_softmax_bf16_free(dip_softmax_bf16 *s) {
    for (int t = 0; s->scratch != NULL && t < s->threads; t++) {
        if (s->scratch[t] != NULL) {
            dip_free(s->scratch[t]->e);
            dip_free(s->scratch[t]->rows);
        }
        dip_free(s->scratch[t]);
    }
    dip_free(s->scratch);
    dip_free(s->u);
    dip_free(s->v);
    dip_free(s->v_across);
    dip_free(s->e);
    dip_free(s->u_scaled);
    dip_free(s->offset);
    dip_free(s->item);
    dip_free(s->also);
    dip_free(s->row_item);
    dip_free(s->row_also);
    dip_free(s->positive);
    dip_free(s->member);
    dip_free(s->first);
    dip_free(s->shift);
    dip_free(s->pull);
    dip_free(s->row_loss);
    memset(s, 0, sizeof *s);
}

/* ---- operands -------------------------------------------------------------------------------- */

/* n rows of x [n x d], rounded to rows at the padded width. */
static void round_rows(const job *j, const float *x, size_t n, dip_bf16 *rows) {
    for (size_t i = 0; i < n; i++) {
        j->kernels->round(j->in->d, x + i * j->in->d, rows + i * j->softmax->d);
    }
}

/* Packs n rows at the padded width to rows first ... of P(X), whose blocks are `step` apart. The
 * partner of a last odd row is 0. */
static void pack_rows(const job *j, dip_bf16 *rows, size_t n, size_t columns, size_t first,
                      size_t step, dip_bf16 *packed) {
    if (n % 2 != 0) {
        memset(rows + n * columns, 0, columns * sizeof *rows);
    }
    for (size_t i = 0; i < n; i += 2) {
        j->kernels->interleave(columns / DIP_BLOCK, rows + i * columns, rows + (i + 1) * columns,
                               step, packed + (first + i) * DIP_BLOCK);
    }
}

/* V in both packed forms, 64 candidates at a time. */
static void pack_candidates(const job *j, dip_bf16 *rows, size_t block) {
    dip_softmax_bf16 *s = j->softmax;
    const size_t first = block * DIP_BLOCK;
    const size_t n = j->m - first < DIP_BLOCK ? j->m - first : DIP_BLOCK;
    round_rows(j, j->in->v + first * j->in->d, n, rows);
    pack_rows(j, rows, n, s->d, first, dip_packed_block(j->m), s->v);
    j->kernels->pack_transposed(n, s->d, rows, s->d, s->v_across + block * dip_packed_block(s->d));
}

static void fill_columns(const job *j) {
    dip_softmax_bf16 *s = j->softmax;
    for (size_t i = 0; i < j->m_wide; i++) {
        const float offset = j->in->log_p != NULL && i < j->m ? j->in->log_p[i] : 0;
        s->offset[i] = i < j->m ? offset : INFINITY;
        s->item[i] = j->in->item != NULL && i < j->m ? j->in->item[i] : -1;
        s->also[i] = j->in->also != NULL && i < j->m ? j->in->also[i] : -1;
    }
}

/* The positives, and the rows by them: a counting sort, which keeps the order of the rows. */
static void fill_positives(const job *j) {
    dip_softmax_bf16 *s = j->softmax;
    memset(s->first, 0, (j->m + 1) * sizeof *s->first);
    for (size_t i = 0; i < j->in->n; i++) {
        const size_t p = dip_softmax_positive(j->in, i);
        s->positive[i] = (uint32_t)p;
        s->row_item[i] = s->item[p];
        s->row_also[i] = s->also[p];
        s->first[p]++;
    }
    uint32_t total = 0;
    for (size_t c = 0; c <= j->m; c++) {
        total += s->first[c];
        s->first[c] = total;
    }
    for (size_t i = j->in->n; i-- > 0;) {
        s->member[--s->first[s->positive[i]]] = (uint32_t)i;
    }
}

/* The same shift for all rows when no exponential can vanish under it; else 0, and each row finds
 * its own. */
static bool fill_shifts(const job *j) {
    const float bound = COSINE_MAX / j->in->temperature;
    float least = INFINITY;
    float most = -INFINITY;
    for (size_t i = 0; i < j->m; i++) {
        least = fminf(least, j->softmax->offset[i]);
        most = fmaxf(most, j->softmax->offset[i]);
    }
    for (size_t i = 0; j->has_right && i < j->in->n; i++) {
        least = fminf(least, j->in->own[i]);
        most = fmaxf(most, j->in->own[i]);
    }
    for (size_t i = 0; i < j->in->n; i++) {
        j->softmax->shift[i] = bound - least;
    }
    return 2 * bound + most - least < SPAN_MAX;
}

/* ---- a unit of rows -------------------------------------------------------------------------- */

static void product_tile(const job *j, size_t first, size_t rows, size_t block, float *c,
                         dip_bf16 *target) {
    const dip_softmax_bf16 *s = j->softmax;
    const dip_left u = {s->u + first * s->d, s->d};
    const dip_bf16 *v = s->v_across + block * dip_packed_block(s->d);
    const bool is_last = (block + 1) * DIP_BLOCK >= j->m;
    j->kernels->tile(&(dip_tile){.m = rows,
                                 .a = u,
                                 .b = v,
                                 .pairs = dip_pairs(s->d),
                                 .c = c,
                                 .ldc = DIP_BLOCK,
                                 .next = is_last ? NULL : v + dip_packed_block(s->d),
                                 .target = target});
}

/* What is taken from the logit of row i's positive. */
static float own_offset(const job *j, size_t i) {
    return j->in->own != NULL ? j->in->own[i] : j->softmax->offset[j->softmax->positive[i]];
}

/* The largest logit of each row. */
static void find_shifts(const job *j, dip_softmax_bf16_unit *unit, size_t first, size_t rows) {
    dip_softmax_bf16 *s = j->softmax;
    for (size_t i = 0; i < rows; i++) {
        s->shift[first + i] = -INFINITY;
    }
    for (size_t block = 0; block < j->m_wide / DIP_BLOCK; block++) {
        product_tile(j, first, rows, block, unit->c, NULL);
        for (size_t e = 0; e < rows * DIP_BLOCK; e++) {
            const size_t row = first + e / DIP_BLOCK;
            float *shift = &s->shift[row];
            const size_t column = block * DIP_BLOCK + e % DIP_BLOCK;
            const bool is_own = j->has_right && column == s->positive[row];
            const float offset = is_own ? own_offset(j, row) : s->offset[column];
            *shift = fmaxf(*shift, fmaf(unit->c[e], 1 / j->in->temperature, -offset));
        }
    }
}

/* No column: a row's positive is left out with its item. */
static const ptrdiff_t NOWHERE = -DIP_SOFTMAX_UNIT;

/* Keeps the products of positives that are in a block of columns. */
static void note_positives(const job *j, dip_softmax_bf16_unit *unit, size_t first, size_t rows,
                           size_t column) {
    for (size_t i = 0; i < rows; i++) {
        const size_t at = j->softmax->positive[first + i] - column;
        if (at < DIP_BLOCK) {
            unit->positive[i] = unit->c[i * DIP_BLOCK + at];
        }
    }
}

static void exponentials(const job *j, dip_softmax_bf16_unit *unit, size_t first, size_t rows) {
    const dip_softmax_bf16 *s = j->softmax;
    const bool masks_hits = j->in->item != NULL;
    const bool masks_also = j->in->also != NULL;
    memset(unit->sum, 0, sizeof unit->sum);
    for (size_t block = 0; block < j->m_wide / DIP_BLOCK; block++) {
        const size_t column = block * DIP_BLOCK;
        dip_bf16 *packed =
            s->e + block * dip_packed_block(j->rows) + (first - j->first) * DIP_BLOCK;
        product_tile(j, first, rows, block, unit->c, packed);
        note_positives(j, unit, first, rows, column);
        const dip_exp_tile tile = {.m = rows,
                                   .c = unit->c,
                                   .scale = 1 / j->in->temperature,
                                   .offset = s->offset + column,
                                   .shift = s->shift + first,
                                   .row_item = masks_hits ? s->row_item + first : NULL,
                                   .column_item = masks_hits ? s->item + column : NULL,
                                   .row_also = masks_also ? s->row_also + first : NULL,
                                   .column_also = masks_also ? s->also + column : NULL,
                                   .positive = j->has_right ? NOWHERE : (ptrdiff_t)(first - column),
                                   .e = unit->e + column,
                                   .lde = dip_row_stride(j->m),
                                   .packed = packed,
                                   .sum = unit->sum};
        j->kernels->exp(&tile);
    }
}

/* Sums the lanes pairwise, always in the same tree. */
static float fold(const float lanes[DIP_BF16_LANES]) {
    float sum[DIP_BF16_LANES];
    memcpy(sum, lanes, sizeof sum);
    for (size_t width = DIP_BF16_LANES / 2; width > 0; width /= 2) {
        for (size_t l = 0; l < width; l++) {
            sum[l] += sum[l + width];
        }
    }
    return sum[0];
}

static void finish_rows(const job *j, dip_softmax_bf16_unit *unit, size_t first, size_t rows) {
    const dip_softmax_bf16 *s = j->softmax;
    for (size_t i = 0; i < rows; i++) {
        const float offset = own_offset(j, first + i);
        const float logit = fmaf(unit->positive[i], 1 / j->in->temperature, -offset);
        const float own = j->has_right ? dip_exp(logit - s->shift[first + i]) : 0;
        const float z = fold(unit->sum + i * DIP_BF16_LANES) + own;
        unit->factor[i] = j->scale / z;
        s->pull[first + i] = j->scale - unit->factor[i] * own;
        s->row_loss[first + i] = log((double)z) + (double)s->shift[first + i] - (double)logit;
    }
}

/* du_i = factor_i sum_j e_ij v_j - pull_i v_p(i) */
static void query_gradients(const job *j, dip_softmax_bf16_unit *unit, size_t first, size_t rows) {
    const dip_softmax_bf16 *s = j->softmax;
    const size_t d = j->in->d;
    const dip_left e = {unit->e, dip_row_stride(j->m)};
    for (size_t block = 0; block < dip_blocks(d); block++) {
        const size_t column = block * DIP_BLOCK;
        const bool is_last = block + 1 == dip_blocks(d);
        const dip_bf16 *v = s->v + block * dip_packed_block(j->m);
        const size_t width = d - column < DIP_BLOCK ? d - column : DIP_BLOCK;
        j->kernels->tile(&(dip_tile){.m = rows,
                                     .a = e,
                                     .b = v,
                                     .pairs = dip_pairs(j->m),
                                     .c = unit->c,
                                     .ldc = DIP_BLOCK,
                                     .next = is_last ? NULL : v + dip_packed_block(j->m)});
        j->kernels->combine(&(dip_combine){.m = rows,
                                           .columns = width,
                                           .a = unit->factor,
                                           .c = unit->c,
                                           .ldc = DIP_BLOCK,
                                           .b = s->pull + first,
                                           .x = j->in->v + column,
                                           .ldx = d,
                                           .place = s->positive + first,
                                           .y = j->du + first * d + column,
                                           .ldy = d});
    }
}

/* The rows of u for the products of dv, each scaled by its factor. */
static void scale_queries(const job *j, dip_softmax_bf16_unit *unit, size_t first, size_t rows) {
    const dip_softmax_bf16 *s = j->softmax;
    const size_t d = j->in->d;
    for (size_t i = 0; i < rows; i++) {
        j->kernels->scale(d, unit->factor[i], j->in->u + (first + i) * d, unit->rows + i * s->d);
    }
    pack_rows(j, unit->rows, rows, s->d, first - j->first, dip_packed_block(j->rows), s->u_scaled);
}

static void row_unit(const job *j, bool has_bound, size_t at) {
    dip_softmax_bf16_unit *unit = j->softmax->scratch[omp_get_thread_num()];
    const size_t left = j->rows - at;
    const size_t rows = left < DIP_SOFTMAX_UNIT ? left : DIP_SOFTMAX_UNIT;
    const size_t first = j->first + at;
    if (!has_bound) {
        find_shifts(j, unit, first, rows);
    }
    exponentials(j, unit, first, rows);
    finish_rows(j, unit, first, rows);
    query_gradients(j, unit, first, rows);
    scale_queries(j, unit, first, rows);
}

/* ---- a block of candidates ------------------------------------------------------------------- */

/* dv_j -= pull_i u_i for the rows of the strip of which j is the positive. */
static void pull_column(const job *j, size_t column) {
    const dip_softmax_bf16 *s = j->softmax;
    const size_t d = j->in->d;
    for (uint32_t at = s->first[column]; at < s->first[column + 1]; at++) {
        const size_t row = s->member[at];
        if (row >= j->first && row < j->first + j->rows) {
            dip_vec_axpy(d, -s->pull[row], j->in->u + row * d, j->dv + column * d);
        }
    }
}

/* Adds sum_i e_ij (factor_i u_i) over the strip to 64 columns of dv_j, for n candidates. Sums
 * continue from strip to strip; through `c` where the vectors end within the 64 columns. */
static void column_tile(const job *j, size_t first, size_t n, size_t column, float *c) {
    const dip_softmax_bf16 *s = j->softmax;
    const size_t d = j->in->d;
    const size_t bytes = (d - column) * sizeof *c;
    const bool is_whole = d - column >= DIP_BLOCK;
    float *dv = j->dv + first * d + column;
    for (size_t i = 0; !is_whole && j->first > 0 && i < n; i++) {
        memcpy(c + i * DIP_BLOCK, dv + i * d, bytes);
    }
    const size_t block = dip_packed_block(j->rows);
    const dip_bf16 *e = s->e + first / DIP_BLOCK * block;
    const bool is_last = column + DIP_BLOCK >= d;
    const bool has_more = first + DIP_BLOCK < j->m;
    j->kernels->tile(&(dip_tile){.m = n,
                                 .a = {e, 0},
                                 .b = s->u_scaled + column / DIP_BLOCK * block,
                                 .pairs = dip_pairs(j->rows),
                                 .add = j->first > 0,
                                 .c = is_whole ? dv : c,
                                 .ldc = is_whole ? d : DIP_BLOCK,
                                 .next = is_last && has_more ? e + block : NULL});
    for (size_t i = 0; !is_whole && i < n; i++) {
        memcpy(dv + i * d, c + i * DIP_BLOCK, bytes);
    }
}

/* Adds the strip's part of dv_j = sum_i e_ij (factor_i u_i) - pull_i u_i, for 64 candidates. */
static void column_unit(const job *j, size_t block) {
    const size_t first = block * DIP_BLOCK;
    const size_t n = j->m - first < DIP_BLOCK ? j->m - first : DIP_BLOCK;
    j->kernels->make_left(dip_pairs(j->rows), j->softmax->e + block * dip_packed_block(j->rows));
    for (size_t column = 0; column < j->in->d; column += DIP_BLOCK) {
        column_tile(j, first, n, column, j->softmax->scratch[omp_get_thread_num()]->c);
    }
    for (size_t i = 0; i < n; i++) {
        pull_column(j, first + i);
    }
}

/* ---- the loss -------------------------------------------------------------------------------- */

static void run_strip(const job *whole, bool has_bound, size_t first) {
    job j = *whole;
    const size_t left = j.in->n - first;
    j.first = first;
    j.rows = left < DIP_SOFTMAX_ROWS ? left : DIP_SOFTMAX_ROWS;
#pragma omp for schedule(static, 1)
    for (size_t at = 0; at < j.rows; at += DIP_SOFTMAX_UNIT) {
        row_unit(&j, has_bound, at);
    }
#pragma omp for schedule(static)
    for (size_t block = 0; block < dip_blocks(j.m); block++) {
        column_unit(&j, block);
    }
}

double dip_softmax_bf16_loss(dip_softmax_bf16 *s, const dip_softmax_input *in, float *du,
                             float *dv) {
    job j = {.softmax = s,
             .in = in,
             .kernels = dip_bf16_get(),
             .du = du,
             .dv = dv,
             .m = dip_softmax_columns(in),
             .has_right = in->own != NULL && in->item != NULL,
             .scale = in->weight / ((float)in->n * in->temperature)};
    j.m_wide = dip_wide(j.m);
    fill_columns(&j);
    fill_positives(&j);
    const bool has_bound = fill_shifts(&j);
#pragma omp parallel num_threads(s->threads)
    {
        dip_bf16 *rows = s->scratch[omp_get_thread_num()]->rows;
#pragma omp for schedule(static)
        for (size_t block = 0; block < dip_blocks(j.m); block++) {
            pack_candidates(&j, rows, block);
        }
#pragma omp for schedule(static)
        for (size_t i = 0; i < in->n; i++) {
            round_rows(&j, in->u + i * in->d, 1, s->u + i * s->d);
        }
        for (size_t first = 0; first < in->n; first += DIP_SOFTMAX_ROWS) {
            run_strip(&j, has_bound, first);
        }
    }
    double sum = 0;
    for (size_t i = 0; i < in->n; i++) {
        sum += s->row_loss[i];
    }
    return sum / (double)in->n;
}
