/* SPDX-License-Identifier: Apache-2.0
 *
 * Right sizes and checksums for folders in memory, whatever their content.
 */
#ifndef DIP_TESTS_FUZZ_SEAL_H
#define DIP_TESTS_FUZZ_SEAL_H

#include "base/folder.h"

/* Corrects what a manifest says about a part, when it says something. */
void seal_part_in_memory(json_t *manifest, const char *folder, const char *part);

/* Writes the manifest of a folder with its right checksum. */
void seal_manifest_in_memory(json_t *manifest, const char *folder);

#endif
