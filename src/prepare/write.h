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
    const dip_raw *raw;     /* ids and titles */
    dip_columns columns[2]; /* by dip_side; the queries' unused when they are items */
    const dip_fit *fit;
    const dip_pairs *pairs;
    const dip_schema *schema;
    const int64_t *counts; /* of pairs by dip_part */
    const double *information;
    uint64_t seed;
    size_t scatter; /* more training pairs are scattered: DIP_SCATTER_PAIRS; 0: never */
    const dip_means *means;
} dip_parts;

dip_status dip_parts_write(const dip_parts *parts, dip_folder_writer *folder, dip_error *err);

/* Some of them: the columns of a side; the counts of the items and the mutual information. raw is
 * not needed. */
dip_status dip_parts_write_columns(const dip_parts *parts, dip_side side, dip_folder_writer *folder,
                                   dip_error *err);
dip_status dip_parts_write_statistics(const dip_parts *parts, dip_folder_writer *folder,
                                      dip_error *err);

/* Says that a part is being written. */
dip_status dip_parts_tell(const dip_parts *parts, const char *name, dip_error *err);

#endif
