/* SPDX-License-Identifier: Apache-2.0
 *
 * Files in memory: a table for dip_vfs_set that serves every name under MEMORY_ROOT from memory and
 * all others from the system. A file lies in a block of its exact size, so that the address
 * sanitizer sees a read beyond its end, which a mapped page would hide.
 */
#ifndef DIP_TESTS_MEMORY_FILES_H
#define DIP_TESTS_MEMORY_FILES_H

#include <stddef.h>

#define MEMORY_ROOT "/memory-files/"

/* Puts the table in force. */
void memory_files_begin(void);

/* The content of a file, or NULL; `name` is what follows MEMORY_ROOT. */
const unsigned char *memory_file(const char *name, size_t *bytes);

/* Makes or replaces a file. */
void memory_file_put(const char *name, const void *data, size_t bytes);

void memory_file_remove(const char *name);

#endif
