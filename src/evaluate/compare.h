/* SPDX-License-Identifier: Apache-2.0
 *
 * Is one method better than another? Two paired tests, which ask different things, and what keeps
 * many tests honest together.
 *
 *   by seed    would other training seeds say the same? Student's t over the differences of runs
 *              with the same seed
 *   by query   would other queries say the same? Resampling of queries, each with its sums averaged
 *              over the seeds
 *
 * NaN stands for what cannot be known or was not tested.
 */
#ifndef DIP_EVALUATE_COMPARE_H
#define DIP_EVALUATE_COMPARE_H

#include "evaluate/bootstrap.h"

/* ---- by seed (Student, "The probable error of a mean", 1908) --------------------------------- */

/* P(|T| >= |t|) for Student's T with v >= 1 degrees of freedom,
 *
 *   p = I_x(v/2, 1/2),   x = v / (v + t^2),
 *
 * I the regularised incomplete beta function by its continued fraction (DLMF 8.17.22). */
double dip_student_p(double t, size_t degrees);

/* The t >= 0 with dip_student_p(t, degrees) = p, 0 < p <= 1: for p = 0.05 half the width of a 95%
 * interval in standard errors. */
double dip_student_t(double p, size_t degrees);

/* mean, sd = sqrt(sum (x - mean)^2 / (n - 1)), and the 95% interval of the mean,
 * mean -+ t sd / sqrt(n). With one value sd, low and high are NaN; with none all are. */
typedef struct dip_spread {
    double mean;
    double sd;
    double low;
    double high;
} dip_spread;

dip_spread dip_spread_of(const double *values, size_t n);

/* Two-sided p of the paired t-test of a [n] and b [n]: t = mean sqrt(n) / sd of the differences
 * a[i] - b[i]. Where all differences are equal there is no spread to compare with: p is 1 when they
 * are 0 and otherwise 0, the limit. NaN with fewer than two pairs. */
double dip_paired_t(const double *a, const double *b, size_t n);

/* ---- by query (Efron and Tibshirani, "An introduction to the bootstrap", 1993, ch. 13, 16) --- */

/* a - b in one column.
 *
 *   mean        sum a / sum w - sum b / sum w over the queries, w their examples
 *   low, high   95% percentile interval of that over resamples of the queries
 *   p           2 (min(#{<= 0}, #{>= 0}) + 1) / (R + 1) over the R resamples, at most 1; the + 1
 *               counts the sample itself (Davison and Hinkley, "Bootstrap methods and their
 *               application", 1997, ch. 4), and p is never below 2^(1 - m) for m queries (groups)
 *               that differ at all: even the sign test cannot say more about so few */
typedef struct dip_difference {
    double mean;
    double low;
    double high;
    double p;
} dip_difference;

/* Compares two methods in every column in one pass of resampling; `a` and `b` hold the runs of each
 * (any number, not 0) over the same questions with the same seed of the deal. difference [width]
 * out, all NaN in slices without examples; low, high and p NaN for resamples = 0. The same for any
 * number of threads.
 * DIP_ERR_USAGE   the groups are not of the same questions, list lengths, protocol and seed. */
dip_status dip_compare_groups(const dip_groups *a, const dip_groups *b, int64_t resamples,
                              int threads, const dip_watch *watch, dip_difference *difference,
                              dip_error *err);

/* ---- many tests together --------------------------------------------------------------------- */

/* Adjusted p-values that bound the chance of any false finding among n tests (Holm, "A simple
 * sequentially rejective multiple test procedure", 1979): with the m values that are not NaN in
 * ascending order p_1 ... p_m,
 *
 *   adjusted_i = max over j <= i of min(1, (m - j + 1) p_j).
 *
 * NaN stays NaN and does not count. adjusted [n] out, not the same array as p. */
void dip_holm(const double *p, size_t n, double *adjusted);

#endif
