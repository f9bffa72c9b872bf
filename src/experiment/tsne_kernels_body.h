/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops of t-SNE: plain C whose loops over lanes the compiler turns into vector
 * instructions. To be included once by each tier's file.
 */
#ifndef DIP_EXPERIMENT_TSNE_KERNELS_BODY_H
#define DIP_EXPERIMENT_TSNE_KERNELS_BODY_H

#include "experiment/tsne_kernels.h"

enum { LANES = DIP_TSNE_LANES };

/* ---- Fourier transform ----------------------------------------------------------------------- */

/* Stockham's self-sorting transform (Cochran et al., "What is the fast Fourier transform?", 1967).
 * A pass of radix r turns n = r m, at stride s, into r transforms of length m at stride r s:
 *
 *   y[q + s (r p + t)] = w^(p t) sum over u of x[q + s (p + u m)] e^(-2 pi i t u / r)
 */
typedef struct pass {
    const dip_fft *fft;
    size_t n;
    size_t s;
    const dip_lanes *x;
    dip_lanes *y;
} pass;

typedef struct twiddle {
    float re;
    float im;
} twiddle;

static inline twiddle twiddle_of(const pass *f, size_t p, size_t t) {
    const size_t place = p * t * f->s;
    return (twiddle){f->fft->cosine[place], -f->fft->sine[place]};
}

static void pass_2(const pass *f) {
    const size_t m = f->n / 2;
    for (size_t p = 0; p < m; p++) {
        const twiddle w = twiddle_of(f, p, 1);
        for (size_t q = 0; q < f->s; q++) {
            const dip_lanes *restrict a = f->x + q + f->s * p;
            const dip_lanes *restrict b = a + f->s * m;
            dip_lanes *restrict y0 = f->y + q + f->s * 2 * p;
            dip_lanes *restrict y1 = y0 + f->s;
            for (size_t l = 0; l < LANES; l++) {
                const float re = a->re[l] - b->re[l];
                const float im = a->im[l] - b->im[l];
                y0->re[l] = a->re[l] + b->re[l];
                y0->im[l] = a->im[l] + b->im[l];
                y1->re[l] = re * w.re - im * w.im;
                y1->im[l] = re * w.im + im * w.re;
            }
        }
    }
}

static void pass_3(const pass *f) {
    const float half_root = 0.866025403784438647f; /* sin(2 pi / 3) */
    const size_t m = f->n / 3;
    for (size_t p = 0; p < m; p++) {
        const twiddle w1 = twiddle_of(f, p, 1);
        const twiddle w2 = twiddle_of(f, p, 2);
        for (size_t q = 0; q < f->s; q++) {
            const dip_lanes *restrict a = f->x + q + f->s * p;
            const dip_lanes *restrict b = a + f->s * m;
            const dip_lanes *restrict c = b + f->s * m;
            dip_lanes *restrict y0 = f->y + q + f->s * 3 * p;
            dip_lanes *restrict y1 = y0 + f->s;
            dip_lanes *restrict y2 = y1 + f->s;
            for (size_t l = 0; l < LANES; l++) {
                const float sum_re = b->re[l] + c->re[l];
                const float sum_im = b->im[l] + c->im[l];
                const float turn_re = half_root * (b->im[l] - c->im[l]);
                const float turn_im = half_root * (c->re[l] - b->re[l]);
                const float mid_re = a->re[l] - 0.5f * sum_re;
                const float mid_im = a->im[l] - 0.5f * sum_im;
                y0->re[l] = a->re[l] + sum_re;
                y0->im[l] = a->im[l] + sum_im;
                y1->re[l] = (mid_re + turn_re) * w1.re - (mid_im + turn_im) * w1.im;
                y1->im[l] = (mid_re + turn_re) * w1.im + (mid_im + turn_im) * w1.re;
                y2->re[l] = (mid_re - turn_re) * w2.re - (mid_im - turn_im) * w2.im;
                y2->im[l] = (mid_re - turn_re) * w2.im + (mid_im - turn_im) * w2.re;
            }
        }
    }
}

static inline void turn_4(const twiddle w[3], const dip_lanes *restrict x, size_t m,
                          dip_lanes *restrict y, size_t s) {
    const dip_lanes *restrict a = x;
    const dip_lanes *restrict b = a + m;
    const dip_lanes *restrict c = b + m;
    const dip_lanes *restrict d = c + m;
    dip_lanes *restrict y1 = y + s;
    dip_lanes *restrict y2 = y1 + s;
    dip_lanes *restrict y3 = y2 + s;
    for (size_t l = 0; l < LANES; l++) {
        const float ac_re = a->re[l] + c->re[l];
        const float ac_im = a->im[l] + c->im[l];
        const float bd_re = b->re[l] + d->re[l];
        const float bd_im = b->im[l] + d->im[l];
        /* (a - c) -+ i (b - d) */
        const float one_re = (a->re[l] - c->re[l]) + (b->im[l] - d->im[l]);
        const float one_im = (a->im[l] - c->im[l]) - (b->re[l] - d->re[l]);
        const float three_re = (a->re[l] - c->re[l]) - (b->im[l] - d->im[l]);
        const float three_im = (a->im[l] - c->im[l]) + (b->re[l] - d->re[l]);
        const float two_re = ac_re - bd_re;
        const float two_im = ac_im - bd_im;
        y->re[l] = ac_re + bd_re;
        y->im[l] = ac_im + bd_im;
        y1->re[l] = one_re * w[0].re - one_im * w[0].im;
        y1->im[l] = one_re * w[0].im + one_im * w[0].re;
        y2->re[l] = two_re * w[1].re - two_im * w[1].im;
        y2->im[l] = two_re * w[1].im + two_im * w[1].re;
        y3->re[l] = three_re * w[2].re - three_im * w[2].im;
        y3->im[l] = three_re * w[2].im + three_im * w[2].re;
    }
}

static void pass_4(const pass *f) {
    const size_t m = f->n / 4;
    for (size_t p = 0; p < m; p++) {
        const twiddle w[3] = {twiddle_of(f, p, 1), twiddle_of(f, p, 2), twiddle_of(f, p, 3)};
        for (size_t q = 0; q < f->s; q++) {
            turn_4(w, f->x + q + f->s * p, f->s * m, f->y + q + f->s * 4 * p, f->s);
        }
    }
}

static dip_lanes *fft(const dip_fft *plan, dip_lanes *x, dip_lanes *y) {
    size_t n = plan->n;
    size_t s = 1;
    while (n > 1) {
        const size_t radix = n % 4 == 0 ? 4 : n % 3 == 0 ? 3 : 2;
        const pass f = {plan, n, s, x, y};
        (radix == 4 ? pass_4 : radix == 3 ? pass_3 : pass_2)(&f);
        n /= radix;
        s *= radix;
        dip_lanes *const result = y;
        y = x;
        x = result;
    }
    return x;
}

/* ---- forces over lists and over all points --------------------------------------------------- */

/* The lanes' sum, pairwise. */
static float fold(float *lanes) {
    for (size_t width = LANES / 2; width > 0; width /= 2) {
        for (size_t l = 0; l < width; l++) {
            lanes[l] += lanes[l + width];
        }
    }
    return lanes[0];
}

typedef struct pull {
    float x[LANES];
    float y[LANES];
} pull;

static inline void pull_lanes(const int32_t *to, const float *weight, const float *x,
                              const float *y, float x_i, float y_i, pull *sum) {
    for (size_t l = 0; l < LANES; l++) {
        const float dx = x_i - x[to[l]];
        const float dy = y_i - y[to[l]];
        const float w = weight[l] / (1.0f + (dx * dx + dy * dy));
        sum->x[l] += w * dx;
        sum->y[l] += w * dy;
    }
}

static void attract(const dip_tsne_graph *graph, size_t first, size_t end, const float *x,
                    const float *y, float *fx, float *fy) {
    for (size_t i = first; i < end; i++) {
        int64_t e = graph->start[i];
        const int64_t last = graph->start[i + 1];
        pull sum = {{0}, {0}};
        for (; e + LANES <= last; e += LANES) {
            pull_lanes(graph->to + e, graph->weight + e, x, y, x[i], y[i], &sum);
        }
        int32_t to[LANES] = {0};
        float weight[LANES] = {0};
        for (size_t l = 0; e < last; l++, e++) {
            to[l] = graph->to[e];
            weight[l] = graph->weight[e];
        }
        pull_lanes(to, weight, x, y, x[i], y[i], &sum);
        fx[i] = fold(sum.x);
        fy[i] = fold(sum.y);
    }
}

typedef struct push {
    float x[LANES];
    float y[LANES];
    float z[LANES];
} push;

static inline void push_lane(float dx, float dy, size_t l, push *sum) {
    const float q = 1.0f / (1.0f + (dx * dx + dy * dy));
    sum->z[l] += q;
    sum->x[l] += q * q * dx;
    sum->y[l] += q * q * dy;
}

static double repel(size_t n, size_t first, size_t end, const float *x, const float *y, float *fx,
                    float *fy) {
    double z = 0;
    for (size_t i = first; i < end; i++) {
        push sum = {{0}, {0}, {0}};
        size_t j = 0;
        for (; j + LANES <= n; j += LANES) {
            for (size_t l = 0; l < LANES; l++) {
                push_lane(x[i] - x[j + l], y[i] - y[j + l], l, &sum);
            }
        }
        for (size_t l = 0; j < n; l++, j++) {
            push_lane(x[i] - x[j], y[i] - y[j], l, &sum);
        }
        fx[i] = fold(sum.x);
        fy[i] = fold(sum.y);
        z += (double)fold(sum.z);
    }
    return z;
}

/* ---- the grid -------------------------------------------------------------------------------- */

/* A cubic B-spline at the four nodes around a point. */
typedef struct spline {
    size_t node; /* the first of them */
    float w[4];
} spline;

static inline spline spline_at(float coordinate, float origin, float density) {
    const float sixth = 1.0f / 6.0f;
    spline s = {.node = dip_tsne_node(coordinate, origin, density)};
    const float t = (coordinate - origin) * density - (float)s.node;
    const float r = 1.0f - t;
    s.w[0] = r * r * r * sixth;
    s.w[1] = (4.0f + t * t * (3.0f * t - 6.0f)) * sixth;
    s.w[2] = (4.0f + r * r * (3.0f * r - 6.0f)) * sixth;
    s.w[3] = t * t * t * sixth;
    return s;
}

static void spread(const dip_tsne_places *places, const int32_t *order, size_t n, size_t first,
                   size_t end, float *grid) {
    for (size_t i = 0; i < n; i++) {
        const spline h = spline_at(places->x[order[i]], places->left, places->density);
        const spline v = spline_at(places->y[order[i]], places->bottom, places->density);
        for (size_t row = v.node; row < v.node + 4; row++) {
            if (row < first || row >= end) {
                continue;
            }
            float *g = grid + row * places->size + h.node;
            for (size_t c = 0; c < 4; c++) {
                g[c] += v.w[row - v.node] * h.w[c];
            }
        }
    }
}

static double look_up(const dip_tsne_places *places, const int32_t *order, size_t n,
                      const float *fields, float *fx, float *fy) {
    double z = 0;
    for (size_t i = 0; i < n; i++) {
        const spline h = spline_at(places->x[order[i]], places->left, places->density);
        const spline v = spline_at(places->y[order[i]], places->bottom, places->density);
        float sum[DIP_TSNE_NODE] = {0};
        for (size_t r = 0; r < 4; r++) {
            const float *node = fields + ((v.node + r) * places->size + h.node) * DIP_TSNE_NODE;
            for (size_t c = 0; c < 4; c++) {
                const float w = v.w[r] * h.w[c];
                for (size_t f = 0; f < DIP_TSNE_NODE; f++) {
                    sum[f] += w * node[c * DIP_TSNE_NODE + f];
                }
            }
        }
        fx[order[i]] = sum[0];
        fy[order[i]] = sum[1];
        z += (double)sum[2];
    }
    return z;
}

static const dip_tsne_kernels TABLE = {fft, attract, repel, spread, look_up};

#endif
