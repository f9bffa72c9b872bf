/* SPDX-License-Identifier: Apache-2.0
 *
 * The shop of tests/fault/world.h as folders in memory: a dataset, a model and a checkpoint, to
 * which an input makes changes that their checksums then cover. An input is a list of changes:
 *
 *   kind (1 byte)   part (1)   place (2)   length (1)   content (length)
 *
 * Every list of bytes is such a list; what is cut off counts as 0.
 */
#ifndef DIP_TESTS_FUZZ_SHOP_H
#define DIP_TESTS_FUZZ_SHOP_H

#include "base/folder.h"
#include "fuzz/fuzz.h"

#define SHOP_DATASET MEMORY_ROOT "dataset"
#define SHOP_MODEL MEMORY_ROOT "model"
#define SHOP_CHECKPOINT MEMORY_ROOT "checkpoint"

typedef enum shop_folder { SHOP_IS_DATASET, SHOP_IS_MODEL, SHOP_IS_CHECKPOINT } shop_folder;

/* Makes the three folders; does nothing the second time. */
void shop_make(void);

/* Applies changes to a folder and opens it. False when its manifest is not one that dip_folder_open
 * lets through; fuzz_manifest.c looks at those. */
bool shop_open_changed(dip_folder *folder, shop_folder which, input in);

/* Takes the changes back. */
void shop_restore(shop_folder which);

#endif
