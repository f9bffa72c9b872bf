/* SPDX-License-Identifier: Apache-2.0
 *
 * The Zipf law over ranks 0 ... n - 1:  P(k) = (k + 1)^-s / H(n, s),  H the generalised harmonic
 * number. A draw takes constant time and memory for any n, and is exact up to rounding.
 */
#ifndef DIP_GENERATE_ZIPF_H
#define DIP_GENERATE_ZIPF_H

#include "base/rng.h"

typedef struct dip_zipf {
    int64_t n;
    double s;
    double mass; /* H(n, s) */
    double low;  /* the sampler's integral at its ends */
    double high;
    double sure; /* a distance from the rank within which no test is needed */
} dip_zipf;

/* n >= 1, s >= 0. */
dip_zipf dip_zipf_make(int64_t n, double s);

/* The rank drawn at counter (a, b), b < 2^32. `first` is the draw at that counter, of which words
 * 1 and 2 are used; later attempts draw at (a, b + 2^32), (a, b + 2 * 2^32) and so on. */
int64_t dip_zipf_draw(const dip_zipf *zipf, dip_rng rng, uint64_t a, uint64_t b, dip_draw first);

/* P(rank). */
double dip_zipf_probability(const dip_zipf *zipf, int64_t rank);

/* -sum of P log P, in nats. Takes time in proportion to n. */
double dip_zipf_entropy(const dip_zipf *zipf);

#endif
