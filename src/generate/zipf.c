/* SPDX-License-Identifier: Apache-2.0
 *
 * Rejection-inversion (W. Hoermann and G. Derflinger, "Rejection-inversion to generate variates
 * from monotone discrete distributions", ACM TOMACS 6(3), 1996). With h(x) = x^-s and its integral
 *
 *   H(x) = (x^(1 - s) - 1) / (1 - s),      log x when s = 1,
 *
 * a uniform u between H(n + 1/2) and H(3/2) - h(1) is inverted, x = H^-1(u), and rounded to k. The
 * area between k - 1/2 and k + 1/2 is at least h(k), because h is convex; so k is accepted when u
 * lies in the part of that area that has size h(k), which is u >= H(k + 1/2) - h(k).
 */
#include "generate/zipf.h"

#include <math.h>

/* Terms of a harmonic number that are summed one by one before the formula takes over. */
enum { EXACT_TERMS = 1000 };

/* (e^y - 1) / y, and log(1 + y) / y, also near 0: s may be close to 1. */
static double growth(double y) {
    return fabs(y) > 1e-8 ? expm1(y) / y : 1 + y / 2;
}

static double log_ratio(double y) {
    return fabs(y) > 1e-8 ? log1p(y) / y : 1 - y / 2;
}

static double density(double x, double s) {
    return exp(-s * log(x));
}

static double integral(double x, double s) {
    const double log_x = log(x);
    return log_x * growth((1 - s) * log_x);
}

static double inverse_integral(double u, double s) {
    const double y = fmax(u * (1 - s), -1);
    return exp(u * log_ratio(y));
}

/* The first terms are summed; the rest is Euler and Maclaurin's formula, whose error after these
 * two corrections is below 1e-15 of the sum. */
static double harmonic(int64_t n, double s) {
    double sum = 0;
    const int64_t exact = n < EXACT_TERMS ? n : EXACT_TERMS;
    for (int64_t k = exact; k >= 1; k--) {
        sum += density((double)k, s);
    }
    if (n == exact) {
        return sum;
    }
    const double a = (double)exact;
    const double b = (double)n;
    sum += integral(b, s) - integral(a, s);
    sum += (density(b, s) - density(a, s)) / 2;
    return sum + s * (density(a, s) / a - density(b, s) / b) / 12;
}

dip_zipf dip_zipf_make(int64_t n, double s) {
    return (dip_zipf){
        .n = n,
        .s = s,
        .mass = harmonic(n, s),
        .low = integral(1.5, s) - 1,
        .high = integral((double)n + 0.5, s),
        .sure = 2 - inverse_integral(integral(2.5, s) - density(2, s), s),
    };
}

/* 53 bits in (0, 1). */
static double fine_unit(uint32_t high, uint32_t low) {
    const uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

static int64_t nearest_rank(const dip_zipf *zipf, double x) {
    const double limit = (double)zipf->n;
    return (int64_t)fmin(fmax(x + 0.5, 1), limit);
}

int64_t dip_zipf_draw(const dip_zipf *zipf, dip_rng rng, uint64_t a, uint64_t b, dip_draw first) {
    dip_draw draw = first;
    for (uint64_t attempt = 1;; attempt++) {
        const double share = fine_unit(draw.word[1], draw.word[2]);
        const double u = zipf->high + share * (zipf->low - zipf->high);
        const double x = inverse_integral(u, zipf->s);
        const int64_t k = nearest_rank(zipf, x);
        const double at = (double)k;
        if (at - x <= zipf->sure || u >= integral(at + 0.5, zipf->s) - density(at, zipf->s)) {
            return k - 1;
        }
        draw = dip_rng_at(rng, a, b | attempt << 32);
    }
}

double dip_zipf_probability(const dip_zipf *zipf, int64_t rank) {
    return density((double)rank + 1, zipf->s) / zipf->mass;
}

double dip_zipf_entropy(const dip_zipf *zipf) {
    double sum = 0;
    for (int64_t k = zipf->n - 1; k >= 0; k--) {
        const double p = dip_zipf_probability(zipf, k);
        sum -= p * log(p);
    }
    return sum;
}
