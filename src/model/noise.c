/* SPDX-License-Identifier: Apache-2.0 */
#include "model/noise.h"

#include "math/vec.h"

static void draw_row(const dip_noise *noise, size_t example, size_t d, dip_real *w) {
    for (size_t c = 0; c < d; c += 4) {
        const dip_draw draw =
            dip_rng_at(noise->rng, noise->step, ((uint64_t)example << 32) | (c / 4));
        for (size_t k = c; k < d && k < c + 4; k++) {
            w[k] = (dip_real)dip_unit(draw.word[k - c]);
        }
    }
}

static dip_real with_sign_of(dip_real size, dip_real u) {
    return u > 0 ? size : (u < 0 ? -size : 0);
}

void dip_noise_forward(const dip_noise *noise, size_t n, size_t d, const dip_real *u, dip_real *y,
                       dip_real *norm) {
    const dip_real length = (dip_real)noise->length;
#pragma omp parallel for schedule(static) num_threads(noise->threads)
    for (size_t i = 0; i < n; i++) {
        dip_real *row = y + i * d;
        draw_row(noise, i, d, row);
        dip_vec_normalise(d, row, row);
        for (size_t c = 0; c < d; c++) {
            const dip_real from = u[i * d + c];
            row[c] = from + with_sign_of(length * row[c], from);
        }
        norm[i] = dip_vec_normalise(d, row, row);
    }
}

/* a = u + what does not depend on u, so da = du. */
void dip_noise_backward(const dip_noise *noise, size_t n, size_t d, const dip_real *y,
                        const dip_real *norm, dip_real *dy, dip_real *du) {
#pragma omp parallel for schedule(static) num_threads(noise->threads)
    for (size_t i = 0; i < n; i++) {
        const size_t at = i * d;
        dip_vec_normalise_backward(d, y + at, norm[i], dy + at, dy + at);
        dip_vec_axpy(d, 1, dy + at, du + at);
    }
}
