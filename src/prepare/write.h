/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a dataset, from scratch space into the folder that is to be published.
 */
#ifndef DIP_PREPARE_WRITE_H
#define DIP_PREPARE_WRITE_H

#include "base/folder.h"
#include "prepare/fit.h"

/* Training pairs that a window of an epoch covers at least: when there are more, they are scattered
 * over the file, so that every stretch of it is a random sample of all. */
enum { DIP_SCATTER_PAIRS = 1 << 26 };

typedef struct dip_parts {
    const dip_raw *raw;
    const dip_fit *fit;
    const dip_pairs *pairs;
    const dip_schema *schema;
    const int64_t *counts; /* of pairs by dip_part */
    const double *information;
    uint64_t seed;
    size_t scatter; /* more training pairs than this are scattered: DIP_SCATTER_PAIRS */
    const dip_means *means;
} dip_parts;

dip_status dip_parts_write(const dip_parts *parts, dip_folder_writer *folder, dip_error *err);

#endif
