/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed files for tests, by the same libraries that the reader uses, called from the other
 * side.
 */
#ifndef DIP_TESTS_UNIT_COMPRESS_H
#define DIP_TESTS_UNIT_COMPRESS_H

#include <stddef.h>

/* Writes the text plain, gzipped or as zstd, by the ending of the path, cut into this many members
 * or frames. */
void compress_to(const char *path, const char *text, size_t bytes, size_t members);

#endif
