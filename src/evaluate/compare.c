/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/compare.h"

#include "base/mem.h"

#include <math.h>

/* ---- Student's t ----------------------------------------------------------------------------- */

/* 1 / B(v/2, 1/2), by B(a + 1, 1/2) = B(a, 1/2) a / (a + 1/2) from B(1/2, 1/2) = pi and
 * B(1, 1/2) = 2; no gamma function, whose logarithm would lose digits. */
static double inverse_beta(size_t v) {
    double value = v % 2 == 1 ? 1 / acos(-1.0) : 0.5;
    for (size_t i = v % 2 == 1 ? 1 : 2; i < v; i += 2) {
        value *= (double)(i + 1) / (double)i;
    }
    return value;
}

/* The continued fraction of a B(a, b) I_x(a, b) / (x^a (1 - x)^b), by Lentz's method as modified by
 * Thompson and Barnett (1986). It converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b) {
    enum { TERMS = 100000 };
    static const double TINY = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < TINY ? TINY : d);
    double value = d;
    for (int m = 1; m < TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        value *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        const double step = d * c;
        value *= step;
        if (fabs(step - 1) < 3e-16) {
            break;
        }
    }
    return value;
}

double dip_student_p(double t, size_t degrees) {
    const double v = (double)degrees;
    const double a = v / 2;
    const double square = t * t;
    if (isnan(t) || degrees < 1) {
        return NAN;
    }
    if (isinf(square)) {
        return 0;
    }
    /* x and 1 - x, each without cancellation. */
    const double x = v / (v + square);
    const double rest = square / (v + square);
    const double front = exp(-a * log1p(square / v)) * sqrt(rest) * inverse_beta(degrees);
    if (x < (a + 1) / (a + 2.5)) {
        return front * beta_fraction(x, a, 0.5) / a;
    }
    return 1 - front * beta_fraction(rest, 0.5, a) / 0.5;
}

double dip_student_t(double p, size_t degrees) {
    double low = 0;
    double high = 1;
    if (!(p > 0 && p <= 1) || degrees < 1) {
        return NAN;
    }
    while (dip_student_p(high, degrees) > p) {
        high *= 2;
    }
    /* p falls with t; halving ends when no number lies between. */
    for (double middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
        if (dip_student_p(middle, degrees) > p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* ---- by seed --------------------------------------------------------------------------------- */

static double difference_at(const double *a, const double *b, size_t i) {
    return b == NULL ? a[i] : a[i] - b[i];
}

/* Mean and deviation of a, or of a - b. Relative to the first, so that equal numbers have a
 * deviation of exactly 0. */
static void moments(const double *a, const double *b, size_t n, double *mean, double *sd) {
    const double first = difference_at(a, b, 0);
    double shift = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        shift += difference_at(a, b, i) - first;
    }
    shift /= (double)n;
    for (size_t i = 0; i < n; i++) {
        const double off = difference_at(a, b, i) - first - shift;
        squares += off * off;
    }
    *mean = first + shift;
    *sd = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
}

dip_spread dip_spread_of(const double *values, size_t n) {
    dip_spread s = {NAN, NAN, NAN, NAN};
    if (n == 0) {
        return s;
    }
    moments(values, NULL, n, &s.mean, &s.sd);
    if (n > 1) {
        const double half = dip_student_t(0.05, n - 1) * s.sd / sqrt((double)n);
        s.low = s.mean - half;
        s.high = s.mean + half;
    }
    return s;
}

double dip_paired_t(const double *a, const double *b, size_t n) {
    double mean = 0;
    double sd = 0;
    if (n < 2) {
        return NAN;
    }
    moments(a, b, n, &mean, &sd);
    if (sd == 0) {
        return mean == 0 ? 1 : 0;
    }
    return dip_student_p(mean * sqrt((double)n) / sd, n - 1);
}

/* ---- by query -------------------------------------------------------------------------------- */

static bool same_examples(const dip_groups *a, const dip_groups *b) {
    for (size_t i = 0; i < a->n; i++) {
        const double *x = a->total + i * a->columns + a->width;
        const double *y = b->total + i * b->columns + b->width;
        for (size_t s = 0; s < DIP_N_SLICES; s++) {
            if (x[s] * (double)b->runs != y[s] * (double)a->runs) {
                return false;
            }
        }
    }
    return true;
}

static dip_status check_groups(const dip_groups *a, const dip_groups *b, dip_error *err) {
    if (a->runs < 1 || b->runs < 1) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "nothing to compare: %lld runs of one method, %lld of the other",
                        (long long)a->runs, (long long)b->runs);
    }
    if (a->n_queries != b->n_queries || a->width != b->width || a->seed != b->seed ||
        !same_examples(a, b)) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "the two methods answered different questions (%zu and %zu queries, %zu "
                        "and %zu columns): compare runs of one split, protocol, list lengths and "
                        "resampling seed",
                        a->n_queries, b->n_queries, a->width, b->width);
    }
    return DIP_OK;
}

/* d = a - b with the examples of one run: a mean of d is the difference of the means. */
static void subtract(dip_groups *d, const dip_groups *a, const dip_groups *b) {
    const double runs_a = (double)a->runs;
    const double runs_b = (double)b->runs;
    for (size_t i = 0; i < d->n; i++) {
        double *total = d->total + i * d->columns;
        const double *x = a->total + i * d->columns;
        const double *y = b->total + i * d->columns;
        for (size_t c = 0; c < d->width; c++) {
            total[c] = x[c] / runs_a - y[c] / runs_b;
        }
        for (size_t c = d->width; c < d->columns; c++) {
            total[c] = x[c] / runs_a;
        }
    }
}

/* The smallest p that m differences, all to one side, can have in a sign test. */
static double smallest_p(const dip_groups *d, size_t column) {
    int m = 0;
    for (size_t i = 0; i < d->n; i++) {
        m += d->total[i * d->columns + column] != 0;
    }
    return m > 0 ? ldexp(1, 1 - m) : 1;
}

static bool has_examples(const dip_groups *d, size_t column) {
    const size_t slice = column / (d->width / DIP_N_SLICES);
    for (size_t i = 0; i < d->n; i++) {
        if (d->total[i * d->columns + d->width + slice] > 0) {
            return true;
        }
    }
    return false;
}

static double share_p(const double *sorted, size_t n) {
    size_t below = 0;
    size_t above = 0;
    for (size_t r = 0; r < n; r++) {
        below += sorted[r] <= 0;
        above += sorted[r] >= 0;
    }
    const size_t fewer = below < above ? below : above;
    return fmin(1, 2 * (double)(fewer + 1) / (double)(n + 1));
}

static void judge(const dip_groups *d, const double *means, size_t resamples, double *list,
                  dip_difference *difference) {
    for (size_t c = 0; c < d->width; c++) {
        dip_difference *found = &difference[c];
        const double mean = found->mean;
        *found = (dip_difference){NAN, NAN, NAN, NAN};
        if (!has_examples(d, c)) {
            continue;
        }
        found->mean = mean;
        if (resamples > 0) {
            dip_percentiles(means, d->width, resamples, c, list, &found->low, &found->high);
            found->p = fmax(share_p(list, resamples), smallest_p(d, c));
        }
    }
}

/* The means of the differences, in the table that is used for resamples afterwards. */
static void put_means(const dip_groups *d, double *mean, dip_difference *difference) {
    dip_groups_mean(d, mean);
    for (size_t c = 0; c < d->width; c++) {
        difference[c].mean = mean[c];
    }
}

static dip_status compare(const dip_groups *d, size_t resamples, int threads,
                          const dip_watch *watch, dip_difference *difference, dip_error *err) {
    const size_t rows = resamples > 0 ? resamples : 1;
    double *means = dip_alloc(rows, d->width * sizeof *means, "bootstrap means", err);
    double *list = dip_alloc(rows, sizeof *list, "bootstrap means", err);
    dip_status status = means != NULL && list != NULL ? DIP_OK : DIP_ERR_MEMORY;
    if (status == DIP_OK) {
        put_means(d, means, difference);
        status = dip_groups_resample(d, resamples, threads, watch, means, err);
    }
    if (status == DIP_OK) {
        judge(d, means, resamples, list, difference);
    }
    dip_free(means);
    dip_free(list);
    return status;
}

dip_status dip_compare_groups(const dip_groups *a, const dip_groups *b, int64_t resamples,
                              int threads, const dip_watch *watch, dip_difference *difference,
                              dip_error *err) {
    dip_groups d = *a;
    DIP_TRY(check_groups(a, b, err));
    d.runs = 1;
    d.total = dip_alloc(d.n, d.columns * sizeof *d.total, "bootstrap groups", err);
    if (d.total == NULL) {
        return DIP_ERR_MEMORY;
    }
    subtract(&d, a, b);
    const dip_status status = compare(&d, resamples > 0 && d.n > 0 ? (size_t)resamples : 0, threads,
                                      watch, difference, err);
    dip_free(d.total);
    return status;
}

/* ---- many tests together --------------------------------------------------------------------- */

void dip_holm(const double *p, size_t n, double *adjusted) {
    double left = 0;
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        adjusted[i] = NAN;
        left += !isnan(p[i]);
    }
    /* Takes the smallest p that has no adjusted value yet, again and again. */
    for (; left > 0; left--) {
        size_t next = n;
        for (size_t i = 0; i < n; i++) {
            if (isnan(adjusted[i]) && !isnan(p[i]) && (next == n || p[i] < p[next])) {
                next = i;
            }
        }
        largest = fmax(largest, fmin(1, left * p[next]));
        adjusted[next] = largest;
    }
}
