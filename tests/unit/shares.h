/* SPDX-License-Identifier: Apache-2.0
 *
 * Datasets in a test's folder, prepared with a share of the training pairs or thinned to one.
 */
#ifndef DIP_TESTS_UNIT_SHARES_H
#define DIP_TESTS_UNIT_SHARES_H

#include "fixture.h"
#include "prepare/thin.h"

extern const dip_means SHARES_MEANS;

/* Prepares a project file into folder/name, with `fraction` of the training pairs that it asks
 * for. */
void shares_prepare(check_folder *folder, const char *yaml, double fraction, const char *name,
                    dip_dataset *dataset);

/* Thins into folder/name. */
void shares_thin(check_folder *folder, const dip_dataset *whole, double fraction, const char *name,
                 const dip_means *means, dip_dataset *dataset);

#endif
