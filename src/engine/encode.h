/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit vectors of many rows, in blocks.
 */
#ifndef DIP_ENGINE_ENCODE_H
#define DIP_ENGINE_ENCODE_H

#include "base/progress.h"
#include "data/dataset.h"
#include "model/tower.h"

typedef struct dip_encode_job {
    const dip_towers *towers;
    dip_side side;
    const dip_rows *rows;
    const int32_t *row; /* [n]; NULL means rows 0 ... n - 1 */
    size_t n;
    int threads;
    const dip_watch *watch; /* may be NULL */
} dip_encode_job;

/* vectors [n x D] out. */
dip_status dip_encode(const dip_encode_job *job, dip_real *vectors, dip_error *err);

#endif
