/* SPDX-License-Identifier: Apache-2.0 */
#include "clouds.h"

float *clouds_floats(size_t n) {
    float *x = calloc(n > 0 ? n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

double clouds_normal(uint64_t *random) {
    const double radius = sqrt(-2 * log(1 - check_random_unit(random)));
    return radius * cos(2 * M_PI * check_random_unit(random));
}

void clouds_make_unit(size_t n, size_t d, float *v) {
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t c = 0; c < d; c++) {
            squares += (double)v[i * d + c] * (double)v[i * d + c];
        }
        for (size_t c = 0; c < d; c++) {
            v[i * d + c] = (float)((double)v[i * d + c] / sqrt(squares));
        }
    }
}

float *clouds_make(size_t n, size_t d, size_t clusters, double noise, uint64_t seed) {
    uint64_t random = seed;
    float *centres = clouds_floats(clusters * d);
    float *v = clouds_floats(n * d);
    for (size_t c = 0; c < clusters * d; c++) {
        centres[c] = (float)clouds_normal(&random);
    }
    for (size_t i = 0; i < n * d; i++) {
        v[i] = centres[i / d % clusters * d + i % d] + (float)(noise * clouds_normal(&random));
    }
    clouds_make_unit(n, d, v);
    free(centres);
    return v;
}

double clouds_squared(const float *v, size_t d, size_t i, size_t j) {
    double sum = 0;
    for (size_t c = 0; c < d; c++) {
        const double difference = (double)v[i * d + c] - (double)v[j * d + c];
        sum += difference * difference;
    }
    return sum;
}
