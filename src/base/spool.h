/* SPDX-License-Identifier: Apache-2.0
 *
 * Scratch space on disk: many sequences of bytes in one file that no name leads to, so that the
 * space comes back however the process ends. A sequence is written once, from its beginning to its
 * end, and then read, once or often. The first extents, as many as the scratch may keep, stay in
 * memory.
 *
 *   scratch   | extent of a | extent of b | extent of a | ...      all extents have one size
 */
#ifndef DIP_BASE_SPOOL_H
#define DIP_BASE_SPOOL_H

#include "base/status.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of an extent, and so of a sequence's buffer in memory. */
enum { DIP_SPOOL_EXTENT = 1 << 16 };

/* The file. Sequences of one scratch may be used by different threads at once. */
typedef struct dip_scratch {
    const char *folder; /* borrowed */
    int fd;             /* -1 until the first extent of the file is needed */
    pthread_mutex_t lock;
    uint64_t n_extents;    /* of the file */
    uint64_t *free_extent; /* [n_free] extents that were given back */
    size_t n_free;
    size_t free_capacity;
    size_t n_kept; /* extents in memory, used or not */
    size_t most_kept;
    unsigned char **free_kept; /* [n_free_kept] those not used */
    size_t n_free_kept;
    size_t kept_capacity;
} dip_scratch;

/* An extent: a place in the file, or memory. */
typedef struct dip_extent {
    uint64_t place;
    unsigned char *memory; /* NULL: in the file */
} dip_extent;

typedef struct dip_spool {
    dip_scratch *scratch;
    unsigned char *buffer;
    size_t capacity;
    size_t used; /* of the buffer */
    dip_extent *extent;
    size_t n_extents;
    size_t extent_capacity;
} dip_spool;

/* Where a sequence is being read. Zero it, but for the spool, to begin at the beginning. */
typedef struct dip_spool_cursor {
    const dip_spool *spool;
    unsigned char *buffer;     /* for extents of the file */
    const unsigned char *data; /* what is being read: the buffer, an extent or the spool's buffer */
    size_t at;
    size_t filled;
    size_t next_extent;
} dip_spool_cursor;

/* folder: where the file is made once it is needed; keeps the pointer.
 * memory: bytes that may stay out of the file, beside a buffer for each spool and cursor. */
void dip_scratch_init(dip_scratch *scratch, const char *folder, size_t memory);
void dip_scratch_free(dip_scratch *scratch);

/* The bytes that the file takes at its largest. */
uint64_t dip_scratch_bytes(const dip_scratch *scratch);

/* Appends to a spool whose field `scratch` is set and whose other fields were zeroed.
 *
 * DIP_ERR_IO   the disk is full or fails; the text names the folder. */
dip_status dip_spool_put(dip_spool *spool, const void *data, size_t bytes, dip_error *err);

static inline uint64_t dip_spool_bytes(const dip_spool *spool) {
    return (uint64_t)spool->n_extents * DIP_SPOOL_EXTENT + spool->used;
}

/* A spool must not be written while it is read.
 *
 * Reads up to `bytes` bytes; *got is less only at the end. */
dip_status dip_spool_read(dip_spool_cursor *cursor, void *data, size_t bytes, size_t *got,
                          dip_error *err);

/* Reads exactly `bytes` bytes that the caller knows to be there. */
dip_status dip_spool_get(dip_spool_cursor *cursor, void *data, size_t bytes, dip_error *err);

/* Gives back the cursor's buffer; the cursor can begin again. */
void dip_spool_cursor_free(dip_spool_cursor *cursor);

/* Gives the spool's memory and disk space back; the spool can be written anew. */
void dip_spool_free(dip_spool *spool);

#endif
