/* SPDX-License-Identifier: Apache-2.0
 *
 * Large zeroed blocks of memory: from the heap, or from a file that no name leads to, for tables
 * larger than the memory. The file's space is reserved before it is mapped, so that a full disk is
 * an error here and not a signal later.
 */
#ifndef DIP_BASE_REGION_H
#define DIP_BASE_REGION_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct dip_region {
    void *data;
    size_t bytes; /* of a file */
    bool is_file;
} dip_region;

/* folder: where the file goes; "" or NULL takes the heap.
 * DIP_ERR_IO when the folder cannot hold it, with the bytes needed and free. */
dip_status dip_region_create(dip_region *region, size_t count, size_t size, const char *folder,
                             const char *purpose, dip_error *err);

/* Gives memory or disk space back; safe on a zeroed region. */
void dip_region_free(dip_region *region);

#endif
