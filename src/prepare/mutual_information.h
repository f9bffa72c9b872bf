/* SPDX-License-Identifier: Apache-2.0
 *
 * Mutual information of two categorical features over the catalogue (Eq. 4):
 *
 *   I(F, G) = sum over (a, b) of P(a, b) log( P(a, b) / (P(a) P(b)) )      [nats]
 *
 * An item carries total weight 1, spread evenly over its value pairs, so that bags count like
 * single values; an item without a value has the one value "missing", which is its default
 * embedding.
 */
#ifndef DIP_PREPARE_MUTUAL_INFORMATION_H
#define DIP_PREPARE_MUTUAL_INFORMATION_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* A feature's codes: row i has [offsets[i], offsets[i + 1]), each >= 0. */
typedef struct dip_codes {
    const int64_t *offsets;
    const int32_t *codes;
} dip_codes;

/* I of two features over the rows with use[row] != 0; the entropy H(F) = I(F, F) when both are the
 * same. */
dip_status dip_mutual_information(const dip_codes *f, const dip_codes *g, const uint8_t *use,
                                  size_t n_rows, double *information, dip_error *err);

#endif
