/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts pairs-train, pairs-validation and pairs-test.
 */
#ifndef DIP_PREPARE_WRITE_PAIRS_H
#define DIP_PREPARE_WRITE_PAIRS_H

#include "prepare/write.h"

dip_status dip_write_pairs(const dip_parts *parts, dip_folder_writer *folder, dip_error *err);

#endif
