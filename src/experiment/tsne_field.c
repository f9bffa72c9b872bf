/* SPDX-License-Identifier: Apache-2.0
 *
 * Repulsion of all pairs as a convolution on a grid (Linderman et al., "Fast interpolation-based
 * t-SNE for improved visualization of single-cell RNA-seq data", Nature Methods 2019), with the
 * splines of particle-mesh methods (Essmann et al., J. Chem. Phys. 1995) in place of polynomials in
 * boxes. A kernel K between points is approximated by cubic B-splines B around nodes,
 *
 *   K(y_i - y_j) = sum over nodes a, b of B(y_i - a) C(a - b) B(y_j - b),
 *
 * with C such that the sum meets K at nodes: in the Fourier domain C = K / b^2, b the transform of
 * a spline's values at nodes, per dimension. Three kernels act on one charge of 1 a point:
 * dx q^2, dy q^2 and q, with q = 1 / (1 + dx^2 + dy^2). They are so smooth that nodes 1/3 apart are
 * enough.
 *
 * Charges and fields are real, so two columns share a complex transform and half of the spectrum is
 * kept. The grid has `size` rows and columns, transforms twice as many: nothing wraps around.
 */
#include "experiment/tsne_parts.h"

#include "base/mem.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <string.h>

/* Nodes are `SPACING` apart, less where the map is small: a grid has SIZES[0] nodes at least. Wider
 * where it is larger than the last size. */
#define SPACING (1.0 / 3)
enum { BAND = 16, SIZE_COUNT = 8 };
static const size_t SIZES[SIZE_COUNT] = {128, 192, 256, 384, 512, 768, 1024, 1536};

/* Nodes beyond the points: four that a spline touches, and more since the splines of a kernel swing
 * for some nodes around the distance where it changes its sign to repeat. */
enum { MARGIN = 10 };

/* What a thread needs: sequences of the transforms. */
typedef struct scratch {
    dip_lanes *spectrum;
    dip_lanes *one;
    dip_lanes *two;
} scratch;

struct dip_tsne_field {
    size_t n;
    int threads;
    const dip_tsne_kernels *kernels;
    double spacing;
    size_t size;     /* N */
    size_t length;   /* M = 2 N */
    size_t blocks;   /* of DIP_TSNE_LANES rows of the half spectrum, M / 2 + 1 of them */
    dip_fft fft;     /* of M */
    float *kernel;   /* [3][blocks][M][lanes]: real for q, imaginary for the others */
    float *grid;     /* [N x N] charges */
    float *fields;   /* [N x N x DIP_TSNE_NODE] */
    dip_lanes *half; /* [3][blocks * lanes][N / lanes]: columns transformed, in groups of lanes */
    scratch *scratch;
    int32_t *order;    /* [n] points by the first row that they touch, then by index */
    int32_t *row;      /* [n] that row */
    size_t *row_start; /* [SIZES[last] + 1] */
    double *sums;      /* [slices] */
};

/* ---- memory ---------------------------------------------------------------------------------- */

static void free_grid(dip_tsne_field *field) {
    for (int t = 0; field->scratch != NULL && t < field->threads; t++) {
        dip_free(field->scratch[t].spectrum);
        dip_free(field->scratch[t].one);
        dip_free(field->scratch[t].two);
    }
    dip_free(field->scratch);
    dip_free(field->fft.cosine);
    dip_free(field->fft.sine);
    dip_free(field->kernel);
    dip_free(field->grid);
    dip_free(field->fields);
    dip_free(field->half);
    field->scratch = NULL;
    field->fft = (dip_fft){0};
    field->kernel = field->grid = field->fields = NULL;
    field->half = NULL;
    field->size = 0;
}

void dip_tsne_field_free(dip_tsne_field *field) {
    if (field == NULL) {
        return;
    }
    free_grid(field);
    dip_free(field->order);
    dip_free(field->row);
    dip_free(field->row_start);
    dip_free(field->sums);
    dip_free(field);
}

dip_tsne_field *dip_tsne_field_create(size_t n, int threads, dip_error *err) {
    static const char PURPOSE[] = "points of a map";
    dip_tsne_field *field = dip_alloc(1, sizeof *field, PURPOSE, err);
    if (field == NULL) {
        return NULL;
    }
    field->n = n;
    field->threads = threads;
    field->kernels = dip_tsne_kernels_get();
    field->order = dip_alloc(n, sizeof *field->order, PURPOSE, err);
    field->row = dip_alloc(n, sizeof *field->row, PURPOSE, err);
    field->row_start = dip_alloc(SIZES[SIZE_COUNT - 1] + 1, sizeof *field->row_start, PURPOSE, err);
    field->sums = dip_alloc(dip_tsne_slices(n), sizeof *field->sums, PURPOSE, err);
    if (field->order == NULL || field->row == NULL || field->row_start == NULL ||
        field->sums == NULL) {
        dip_tsne_field_free(field);
        return NULL;
    }
    return field;
}

static dip_status alloc_scratch(dip_tsne_field *field, dip_error *err) {
    for (int t = 0; t < field->threads; t++) {
        scratch *s = &field->scratch[t];
        s->spectrum = dip_alloc(field->length, sizeof *s->spectrum, "transforms", err);
        s->one = dip_alloc(field->length, sizeof *s->one, "transforms", err);
        s->two = dip_alloc(field->length, sizeof *s->two, "transforms", err);
        if (s->spectrum == NULL || s->one == NULL || s->two == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    return DIP_OK;
}

static dip_status alloc_grid(dip_tsne_field *field, size_t size, dip_error *err) {
    static const char PURPOSE[] = "the grid of a map";
    free_grid(field);
    field->length = 2 * size;
    field->blocks = size / DIP_TSNE_LANES + 1;
    field->fft.n = field->length;
    field->fft.cosine = dip_alloc(field->length, sizeof(float), PURPOSE, err);
    field->fft.sine = dip_alloc(field->length, sizeof(float), PURPOSE, err);
    field->kernel = dip_alloc(DIP_TSNE_FIELDS * field->blocks * field->length,
                              DIP_TSNE_LANES * sizeof(float), PURPOSE, err);
    field->grid = dip_alloc(size * size, sizeof(float), PURPOSE, err);
    field->fields = dip_alloc(size * size, DIP_TSNE_NODE * sizeof(float), PURPOSE, err);
    field->half =
        dip_alloc(DIP_TSNE_FIELDS * field->blocks * size, sizeof *field->half, PURPOSE, err);
    field->scratch = dip_alloc((size_t)field->threads, sizeof *field->scratch, PURPOSE, err);
    if (field->fft.cosine == NULL || field->fft.sine == NULL || field->kernel == NULL ||
        field->grid == NULL || field->fields == NULL || field->half == NULL ||
        field->scratch == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < field->length; i++) {
        const double angle = 2 * M_PI * (double)i / (double)field->length;
        field->fft.cosine[i] = (float)cos(angle);
        field->fft.sine[i] = (float)sin(angle);
    }
    DIP_TRY(alloc_scratch(field, err));
    field->size = size;
    return DIP_OK;
}

/* ---- forward transforms ---------------------------------------------------------------------- */

/* Real values [rows x columns], zero below, and their half spectrum along the columns. */
typedef struct columns {
    const float *values;
    size_t rows;
    size_t columns;
    dip_lanes *half; /* [blocks * lanes][columns / lanes] */
} columns;

/* Two groups of columns as the real and imaginary parts of one sequence z = a + i b:
 * A_k = (Z_k + conj Z_-k) / 2, B_k = (Z_k - conj Z_-k) / 2i. */
static void transform_columns(const dip_tsne_field *field, const columns *c, size_t pair) {
    scratch *s = &field->scratch[omp_get_thread_num()];
    const size_t groups = c->columns / DIP_TSNE_LANES;
    const size_t m = field->length;
    for (size_t r = 0; r < c->rows; r++) {
        const float *a = c->values + r * c->columns + pair * DIP_TSNE_LANES;
        memcpy(s->one[r].re, a, sizeof s->one[r].re);
        memcpy(s->one[r].im, a + c->columns / 2, sizeof s->one[r].im);
    }
    memset(s->one + c->rows, 0, (m - c->rows) * sizeof *s->one);
    const dip_lanes *z = field->kernels->fft(&field->fft, s->one, s->two);
    for (size_t k = 0; k <= m / 2; k++) {
        const dip_lanes *p = &z[k];
        const dip_lanes *q = &z[k == 0 ? 0 : m - k];
        dip_lanes *a = &c->half[k * groups + pair];
        dip_lanes *b = a + groups / 2;
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            a->re[l] = 0.5f * (p->re[l] + q->re[l]);
            a->im[l] = 0.5f * (p->im[l] - q->im[l]);
            b->re[l] = 0.5f * (p->im[l] + q->im[l]);
            b->im[l] = 0.5f * (q->re[l] - p->re[l]);
        }
    }
}

/* Between rows of groups of columns and sequences of lanes of rows. */
static void turn_in(const dip_lanes *half, size_t groups, dip_lanes *sequence) {
    for (size_t g = 0; g < groups; g++) {
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            const dip_lanes *from = &half[l * groups + g];
            for (size_t i = 0; i < DIP_TSNE_LANES; i++) {
                sequence[g * DIP_TSNE_LANES + i].re[l] = from->re[i];
                sequence[g * DIP_TSNE_LANES + i].im[l] = from->im[i];
            }
        }
    }
}

static void turn_out(const dip_lanes *sequence, size_t groups, dip_lanes *half) {
    for (size_t g = 0; g < groups; g++) {
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            dip_lanes *to = &half[l * groups + g];
            for (size_t i = 0; i < DIP_TSNE_LANES; i++) {
                to->re[i] = sequence[g * DIP_TSNE_LANES + i].re[l];
                to->im[i] = sequence[g * DIP_TSNE_LANES + i].im[l];
            }
        }
    }
}

/* The spectrum of a block of rows of the half spectrum along the columns. */
static dip_lanes *transform_rows(const dip_tsne_field *field, const dip_lanes *half, size_t groups,
                                 size_t block, scratch *s) {
    const size_t filled = groups * DIP_TSNE_LANES;
    turn_in(half + block * DIP_TSNE_LANES * groups, groups, s->one);
    memset(s->one + filled, 0, (field->length - filled) * sizeof *s->one);
    return field->kernels->fft(&field->fft, s->one, s->two);
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* A kernel at distance (dx, dy): x, y, then q. */
static double kernel_at(size_t kind, double dx, double dy) {
    const double q = 1 / (1 + dx * dx + dy * dy);
    return kind == 0 ? dx * q * q : kind == 1 ? dy * q * q : q;
}

/* Node i of M stands for the distance i, or i - M; in the middle an odd kernel is 0. */
static void sample_row(const dip_tsne_field *field, size_t kind, size_t row, float *values) {
    const size_t m = field->length;
    const double dy = field->spacing * ((double)row - (row > m / 2 ? (double)m : 0));
    for (size_t c = 0; c < m; c++) {
        const double dx = field->spacing * ((double)c - (c > m / 2 ? (double)m : 0));
        const size_t place = kind == 0 ? c : row;
        const int is_middle = kind != 2 && place == m / 2;
        values[c] = is_middle ? 0 : (float)kernel_at(kind, dx, dy);
    }
}

/* 1 / b^2: of the spline's values 1/6, 2/3, 1/6 at nodes. */
static double sharpen(const dip_tsne_field *field, size_t k) {
    const double b = (2 + (double)field->fft.cosine[k % field->length]) / 3;
    return 1 / (b * b);
}

/* C of a block of rows, with the scale of the inverse transforms. */
static void keep_kernel(const dip_tsne_field *field, size_t kind, size_t block,
                        const dip_lanes *spectrum) {
    const size_t m = field->length;
    const double scale = 1 / ((double)m * (double)m);
    float *kernel = field->kernel + (kind * field->blocks + block) * m * DIP_TSNE_LANES;
    for (size_t c = 0; c < m; c++) {
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            const double factor =
                scale * sharpen(field, c) * sharpen(field, block * DIP_TSNE_LANES + l);
            const float value = kind == 2 ? spectrum[c].re[l] : spectrum[c].im[l];
            kernel[c * DIP_TSNE_LANES + l] = (float)(factor * (double)value);
        }
    }
}

static dip_status make_kernels(dip_tsne_field *field, dip_error *err) {
    const size_t m = field->length;
    const size_t groups = m / DIP_TSNE_LANES;
    float *values = dip_alloc(m * m, sizeof *values, "kernels of a map", err);
    dip_lanes *half =
        dip_alloc(field->blocks * DIP_TSNE_LANES * groups, sizeof *half, "kernels of a map", err);
    if (values == NULL || half == NULL) {
        dip_free(values);
        dip_free(half);
        return DIP_ERR_MEMORY;
    }
    const columns c = {values, m, m, half};
    for (size_t kind = 0; kind < DIP_TSNE_FIELDS; kind++) {
#pragma omp parallel num_threads(field->threads)
        {
#pragma omp for schedule(static)
            for (size_t row = 0; row < m; row++) {
                sample_row(field, kind, row, values + row * m);
            }
#pragma omp for schedule(static)
            for (size_t pair = 0; pair < groups / 2; pair++) {
                transform_columns(field, &c, pair);
            }
#pragma omp for schedule(static)
            for (size_t block = 0; block < field->blocks; block++) {
                scratch *s = &field->scratch[omp_get_thread_num()];
                keep_kernel(field, kind, block, transform_rows(field, half, groups, block, s));
            }
        }
    }
    dip_free(values);
    dip_free(half);
    return DIP_OK;
}

/* ---- convolution ----------------------------------------------------------------------------- */

/* conj(C S) for one kernel: the inverse transform is the conjugate of the forward one of the
 * conjugate. */
static void multiply(const dip_tsne_field *field, size_t kind, size_t block,
                     const dip_lanes *spectrum, dip_lanes *product) {
    const size_t m = field->length;
    const float *kernel = field->kernel + (kind * field->blocks + block) * m * DIP_TSNE_LANES;
    for (size_t c = 0; c < m; c++) {
        const float *k = kernel + c * DIP_TSNE_LANES;
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            const float re = k[l] * spectrum[c].re[l];
            const float im = k[l] * spectrum[c].im[l];
            product[c].re[l] = kind == 2 ? re : -im;
            product[c].im[l] = kind == 2 ? -im : -re;
        }
    }
}

/* Rows of the half spectrum: on to the whole spectrum, and back for each kernel, as conjugates. */
static void convolve_rows(const dip_tsne_field *field, size_t block) {
    const size_t groups = field->size / DIP_TSNE_LANES;
    const size_t plane = field->blocks * DIP_TSNE_LANES * groups;
    scratch s = field->scratch[omp_get_thread_num()];
    const dip_lanes *spectrum = transform_rows(field, field->half, groups, block, &s);
    dip_lanes *one = s.spectrum;
    dip_lanes *two = spectrum == s.one ? s.two : s.one;
    for (size_t kind = DIP_TSNE_FIELDS; kind-- > 0;) {
        multiply(field, kind, block, spectrum, one);
        const dip_lanes *result = field->kernels->fft(&field->fft, one, two);
        turn_out(result, groups, field->half + kind * plane + block * DIP_TSNE_LANES * groups);
    }
}

/* Back along two groups of columns at once; `half` holds conjugates. */
static void restore_columns(const dip_tsne_field *field, size_t kind, size_t pair) {
    scratch *s = &field->scratch[omp_get_thread_num()];
    const size_t groups = field->size / DIP_TSNE_LANES;
    const size_t m = field->length;
    const dip_lanes *half = field->half + kind * field->blocks * DIP_TSNE_LANES * groups;
    for (size_t k = 0; k <= m / 2; k++) {
        const dip_lanes *a = &half[k * groups + pair];
        const dip_lanes *b = a + groups / 2;
        dip_lanes *z = &s->one[k];
        dip_lanes *mirrored = &s->one[k == 0 ? 0 : m - k];
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            mirrored->re[l] = a->re[l] - b->im[l];
            mirrored->im[l] = -a->im[l] - b->re[l];
            z->re[l] = a->re[l] + b->im[l];
            z->im[l] = a->im[l] - b->re[l];
        }
    }
    const dip_lanes *z = field->kernels->fft(&field->fft, s->one, s->two);
    for (size_t r = 0; r < field->size; r++) {
        float *to = field->fields + (r * field->size + pair * DIP_TSNE_LANES) * DIP_TSNE_NODE;
        float *other = to + field->size / 2 * DIP_TSNE_NODE;
        for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
            to[l * DIP_TSNE_NODE + kind] = z[r].re[l];
            other[l * DIP_TSNE_NODE + kind] = -z[r].im[l];
        }
    }
}

static void convolve(const dip_tsne_field *field) {
    const columns c = {field->grid, field->size, field->size, field->half};
    const size_t pairs = field->size / DIP_TSNE_LANES / 2;
#pragma omp parallel num_threads(field->threads)
    {
#pragma omp for schedule(static)
        for (size_t pair = 0; pair < pairs; pair++) {
            transform_columns(field, &c, pair);
        }
#pragma omp for schedule(static)
        for (size_t block = 0; block < field->blocks; block++) {
            convolve_rows(field, block);
        }
#pragma omp for schedule(static)
        for (size_t job = 0; job < DIP_TSNE_FIELDS * pairs; job++) {
            restore_columns(field, job / pairs, job % pairs);
        }
    }
}

/* ---- points and grid ------------------------------------------------------------------------- */

typedef struct bounds {
    float low;
    float high;
} bounds;

static bounds bounds_of(const float *x, size_t n) {
    bounds b = {x[0], x[0]};
    for (size_t i = 1; i < n; i++) {
        b.low = x[i] < b.low ? x[i] : b.low;
        b.high = x[i] > b.high ? x[i] : b.high;
    }
    return b;
}

static bool fits(double span, double spacing, size_t size) {
    return size > 0 && span / spacing + MARGIN <= (double)size;
}

/* Keeps the grid while points fit in it and do not fill too little of it, since the kernels cost
 * some iterations. */
static dip_status choose_grid(dip_tsne_field *field, double span, dip_error *err) {
    size_t size = SIZES[SIZE_COUNT - 1];
    double spacing = SPACING;
    for (size_t i = SIZE_COUNT; i-- > 0 && fits(span, spacing, SIZES[i]);) {
        size = SIZES[i];
    }
    while (!fits(span, spacing, size)) {
        spacing *= 2;
    }
    while (size == SIZES[0] && spacing > 0x1p-40 && fits(span, spacing / 2, size)) {
        spacing /= 2;
    }
    const bool is_fine = field->spacing <= fmax(spacing, fmin(2 * spacing, SPACING));
    if (is_fine && field->size <= 2 * size && fits(span, field->spacing, field->size)) {
        return DIP_OK;
    }
    if (field->size != size) {
        DIP_TRY(alloc_grid(field, size, err));
    }
    field->spacing = spacing;
    return make_kernels(field, err);
}

/* A counting sort by row. */
static void sort_points(dip_tsne_field *field, const dip_tsne_places *places) {
    size_t *start = field->row_start;
    memset(start, 0, (field->size + 1) * sizeof *start);
    for (size_t i = 0; i < field->n; i++) {
        const size_t row = dip_tsne_node(places->y[i], places->bottom, places->density);
        field->row[i] = (int32_t)row;
        start[row + 1]++;
    }
    for (size_t r = 0; r < field->size; r++) {
        start[r + 1] += start[r];
    }
    for (size_t i = 0; i < field->n; i++) {
        field->order[start[field->row[i]]++] = (int32_t)i;
    }
    memmove(start + 1, start, field->size * sizeof *start);
    start[0] = 0;
}

/* A node's charges are added in the order of points, whoever adds them. */
static void spread_points(const dip_tsne_field *field, const dip_tsne_places *places) {
    const size_t size = field->size;
#pragma omp parallel for schedule(dynamic) num_threads(field->threads)
    for (size_t first = 0; first < size; first += BAND) {
        const size_t end = first + BAND < size ? first + BAND : size;
        const size_t begin = field->row_start[first < 3 ? 0 : first - 3];
        memset(field->grid + first * size, 0, (end - first) * size * sizeof *field->grid);
        field->kernels->spread(places, field->order + begin, field->row_start[end] - begin, first,
                               end, field->grid);
    }
}

static double look_up_points(const dip_tsne_field *field, const dip_tsne_places *places, float *fx,
                             float *fy) {
    const size_t slices = dip_tsne_slices(field->n);
#pragma omp parallel for schedule(dynamic) num_threads(field->threads)
    for (size_t s = 0; s < slices; s++) {
        const size_t first = s * DIP_TSNE_SLICE;
        const size_t end = dip_tsne_slice_end(field->n, s);
        field->sums[s] = field->kernels->look_up(places, field->order + first, end - first,
                                                 field->fields, fx, fy);
    }
    double z = 0;
    for (size_t s = 0; s < slices; s++) {
        z += field->sums[s];
    }
    return z;
}

dip_status dip_tsne_repel(dip_tsne_field *field, const float *x, const float *y, float *fx,
                          float *fy, double *z, dip_error *err) {
    const bounds h = bounds_of(x, field->n);
    const bounds v = bounds_of(y, field->n);
    const double width = (double)h.high - (double)h.low;
    const double height = (double)v.high - (double)v.low;
    DIP_TRY(choose_grid(field, width > height ? width : height, err));
    const dip_tsne_places places = {x, y, field->size, h.low, v.low, (float)(1 / field->spacing)};
    sort_points(field, &places);
    spread_points(field, &places);
    convolve(field);
    *z = look_up_points(field, &places, fx, fy) - (double)field->n;
    return DIP_OK;
}
