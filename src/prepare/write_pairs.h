/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts pairs-train, pairs-validation and pairs-test.
 */
#ifndef DIP_PREPARE_WRITE_PAIRS_H
#define DIP_PREPARE_WRITE_PAIRS_H

#include "prepare/write.h"

/* One of them: s is its dip_part. */
dip_status dip_write_split(const dip_parts *parts, size_t s, dip_folder_writer *folder,
                           dip_error *err);

dip_status dip_write_pairs(const dip_parts *parts, dip_folder_writer *folder, dip_error *err);

#endif
