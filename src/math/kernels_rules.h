/* SPDX-License-Identifier: Apache-2.0
 *
 * The update rules over sixteen lanes: the second half of kernels_body.h. The constants of a rule
 * are copied, for the compiler cannot know that no parameter is one of them.
 */
#ifndef DIP_MATH_KERNELS_RULES_H
#define DIP_MATH_KERNELS_RULES_H

#include "math/kernels.h"

/* w - decay w, or w. */
DIP_INLINE lanes decayed(const dip_rule *rule, lanes w) {
    return rule->decay > 0 ? sub(w, mul(all(rule->decay), w)) : w;
}

DIP_INLINE void sgd_step(const dip_rule *rule, const float *g, float *w, size_t n) {
    store(w, sub(decayed(rule, load(w, n)), mul(all(rule->rate), load(g, n))), n);
}

static void sgd(size_t n, const dip_rule *rule, const float *g, float *w) {
    const dip_rule r = *rule;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        sgd_step(&r, g + i, w + i, LANES);
    }
    if (i < n) {
        sgd_step(&r, g + i, w + i, n - i);
    }
}

DIP_INLINE void adagrad_step(const dip_rule *rule, const float *g, float *w, float *s, size_t n) {
    const lanes gradient = load(g, n);
    const lanes squares = add(load(s, n), mul(gradient, gradient));
    const lanes size = add(root(squares), all(DIP_ADAGRAD_FLOOR));
    store(s, squares, n);
    store(w, sub(decayed(rule, load(w, n)), quotient(mul(all(rule->rate), gradient), size)), n);
}

static void adagrad(size_t n, const dip_rule *rule, const float *g, float *w, float *s) {
    const dip_rule r = *rule;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        adagrad_step(&r, g + i, w + i, s + i, LANES);
    }
    if (i < n) {
        adagrad_step(&r, g + i, w + i, s + i, n - i);
    }
}

static void adagrad_row(size_t n, const dip_rule *rule, const float *g, float *w, float *s) {
    if (n == 0) {
        return;
    }
    *s += dot(n, g, g) / (float)n;
    dip_rule r = *rule;
    r.rate = rule->rate / (dip_sqrt(*s) + DIP_ADAGRAD_FLOOR);
    sgd(n, &r, g, w);
}

DIP_INLINE void adam_step(const dip_rule *rule, const float *g, float *w, float *m, float *v,
                          size_t n) {
    const lanes gradient = load(g, n);
    const lanes first = add(mul(all(rule->beta1), load(m, n)), mul(all(rule->rest1), gradient));
    const lanes second =
        add(mul(all(rule->beta2), load(v, n)), mul(mul(all(rule->rest2), gradient), gradient));
    const lanes move = mul(all(rule->rate), mul(first, all(rule->correction1)));
    const lanes size = add(root(mul(second, all(rule->correction2))), all(DIP_ADAM_FLOOR));
    store(m, first, n);
    store(v, second, n);
    store(w, sub(decayed(rule, load(w, n)), quotient(move, size)), n);
}

static void adam(size_t n, const dip_rule *rule, const float *g, float *w, float *m, float *v) {
    const dip_rule r = *rule;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        adam_step(&r, g + i, w + i, m + i, v + i, LANES);
    }
    if (i < n) {
        adam_step(&r, g + i, w + i, m + i, v + i, n - i);
    }
}

static const dip_kernels TABLE = {.axpy = axpy,
                                  .scale = scale,
                                  .dot = dot,
                                  .max = max,
                                  .exp_sum = exp_sum,
                                  .bias = bias_rows,
                                  .relu_backward = relu_backward,
                                  .normalise = normalise,
                                  .normalise_backward = normalise_backward,
                                  .is_finite = is_finite,
                                  .square_sum = square_sum,
                                  .pool = pool,
                                  .sum_terms = sum_terms,
                                  .sgd = sgd,
                                  .adagrad = adagrad,
                                  .adagrad_row = adagrad_row,
                                  .adam = adam,
                                  .find_above = find_above,
                                  .count_above = count_above};

#endif
