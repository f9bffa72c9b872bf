/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spool.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BUFFER = 1 << 10 };

void dip_scratch_init(dip_scratch *scratch, const char *folder, size_t memory) {
    memset(scratch, 0, sizeof *scratch);
    scratch->folder = folder;
    scratch->fd = -1;
    scratch->most_kept = memory / DIP_SPOOL_EXTENT;
    pthread_mutex_init(&scratch->lock, NULL);
}

void dip_scratch_free(dip_scratch *scratch) {
    if (scratch->folder == NULL) {
        return;
    }
    if (scratch->fd >= 0) {
        dip_vfs_get()->close(scratch->fd);
    }
    for (size_t i = 0; i < scratch->n_free_kept; i++) {
        dip_free(scratch->free_kept[i]);
    }
    dip_free((void *)scratch->free_kept);
    dip_free(scratch->free_extent);
    pthread_mutex_destroy(&scratch->lock);
    memset(scratch, 0, sizeof *scratch);
}

uint64_t dip_scratch_bytes(const dip_scratch *scratch) {
    return scratch->n_extents * DIP_SPOOL_EXTENT;
}

/* An extent in memory while there may be one more, else a place in the file. The lock is held. */
static dip_status take_locked(dip_scratch *scratch, dip_extent *extent, dip_error *err) {
    *extent = (dip_extent){0};
    if (scratch->n_free_kept > 0) {
        extent->memory = scratch->free_kept[--scratch->n_free_kept];
        return DIP_OK;
    }
    if (scratch->n_kept < scratch->most_kept) {
        extent->memory = dip_alloc(DIP_SPOOL_EXTENT, 1, "temporary data", err);
        scratch->n_kept += extent->memory != NULL;
        return extent->memory != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    if (scratch->fd < 0) {
        DIP_TRY(dip_open_nameless(scratch->folder, &scratch->fd, err));
    }
    extent->place =
        scratch->n_free > 0 ? scratch->free_extent[--scratch->n_free] : scratch->n_extents++;
    return DIP_OK;
}

static dip_status take_extent(dip_scratch *scratch, dip_extent *extent, dip_error *err) {
    pthread_mutex_lock(&scratch->lock);
    const dip_status status = take_locked(scratch, extent, err);
    pthread_mutex_unlock(&scratch->lock);
    return status;
}

/* A place that cannot be remembered for want of memory is lost until the file is closed. */
static void give_locked(dip_scratch *scratch, const dip_extent *extent) {
    if (extent->memory == NULL) {
        if (dip_grow((void **)&scratch->free_extent, &scratch->free_capacity, scratch->n_free + 1,
                     sizeof *scratch->free_extent, "free extents", NULL) == DIP_OK) {
            scratch->free_extent[scratch->n_free++] = extent->place;
        }
        return;
    }
    if (dip_grow((void **)&scratch->free_kept, &scratch->kept_capacity, scratch->n_free_kept + 1,
                 sizeof *scratch->free_kept, "free extents", NULL) == DIP_OK) {
        scratch->free_kept[scratch->n_free_kept++] = extent->memory;
        return;
    }
    dip_free(extent->memory);
    scratch->n_kept--;
}

static void give_extents(dip_scratch *scratch, const dip_extent *extent, size_t n) {
    pthread_mutex_lock(&scratch->lock);
    for (size_t i = 0; i < n; i++) {
        give_locked(scratch, &extent[i]);
    }
    pthread_mutex_unlock(&scratch->lock);
}

static dip_status fail_scratch(const dip_scratch *scratch, const char *action, int number,
                               dip_error *err) {
    char what[64];
    snprintf(what, sizeof what, "%s temporary data in", action);
    return dip_fail_errno(err, number, what, scratch->folder);
}

static dip_status write_extent(dip_scratch *scratch, uint64_t extent, const unsigned char *data,
                               dip_error *err) {
    size_t done = 0;
    while (done < DIP_SPOOL_EXTENT) {
        const off_t offset = (off_t)(extent * DIP_SPOOL_EXTENT + done);
        const ssize_t n =
            dip_vfs_get()->pwrite(scratch->fd, data + done, DIP_SPOOL_EXTENT - done, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail_scratch(scratch, "write", n < 0 ? errno : EIO, err);
        }
        done += (size_t)n;
    }
    return DIP_OK;
}

static dip_status read_extent(const dip_scratch *scratch, uint64_t extent, unsigned char *data,
                              dip_error *err) {
    size_t done = 0;
    while (done < DIP_SPOOL_EXTENT) {
        const off_t offset = (off_t)(extent * DIP_SPOOL_EXTENT + done);
        const ssize_t n =
            dip_vfs_get()->pread(scratch->fd, data + done, DIP_SPOOL_EXTENT - done, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail_scratch(scratch, "read", n < 0 ? errno : EIO, err);
        }
        done += (size_t)n;
    }
    return DIP_OK;
}

/* Makes the full buffer an extent: in memory the two change places, otherwise it is written. */
static dip_status flush(dip_spool *spool, dip_error *err) {
    DIP_TRY(dip_grow((void **)&spool->extent, &spool->extent_capacity, spool->n_extents + 1,
                     sizeof *spool->extent, "a list of extents", err));
    dip_extent *extent = &spool->extent[spool->n_extents];
    DIP_TRY(take_extent(spool->scratch, extent, err));
    spool->n_extents++;
    spool->used = 0;
    if (extent->memory == NULL) {
        return write_extent(spool->scratch, extent->place, spool->buffer, err);
    }
    unsigned char *next = extent->memory;
    extent->memory = spool->buffer;
    spool->buffer = next;
    return DIP_OK;
}

/* The buffer begins small and doubles, so that many short spools cost little. */
static dip_status grow_buffer(dip_spool *spool, size_t need, dip_error *err) {
    size_t wanted = FIRST_BUFFER;
    while (wanted < need && wanted < DIP_SPOOL_EXTENT) {
        wanted *= 2;
    }
    if (wanted <= spool->capacity) {
        return DIP_OK;
    }
    unsigned char *grown = dip_alloc(wanted, 1, "a buffer of temporary data", err);
    if (grown == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (spool->used > 0) {
        memcpy(grown, spool->buffer, spool->used);
    }
    dip_free(spool->buffer);
    spool->buffer = grown;
    spool->capacity = wanted;
    return DIP_OK;
}

dip_status dip_spool_put(dip_spool *spool, const void *data, size_t bytes, dip_error *err) {
    const unsigned char *source = data;
    while (bytes > 0) {
        if (spool->used == DIP_SPOOL_EXTENT) {
            DIP_TRY(flush(spool, err));
        }
        const size_t room = DIP_SPOOL_EXTENT - spool->used;
        const size_t part = bytes < room ? bytes : room;
        DIP_TRY(grow_buffer(spool, spool->used + part, err));
        memcpy(spool->buffer + spool->used, source, part);
        spool->used += part;
        source += part;
        bytes -= part;
    }
    return DIP_OK;
}

static dip_status refill_from_file(dip_spool_cursor *cursor, uint64_t place, dip_error *err) {
    if (cursor->buffer == NULL) {
        cursor->buffer = dip_alloc(DIP_SPOOL_EXTENT, 1, "a buffer of temporary data", err);
        if (cursor->buffer == NULL) {
            return DIP_ERR_MEMORY;
        }
    }
    cursor->data = cursor->buffer;
    return read_extent(cursor->spool->scratch, place, cursor->buffer, err);
}

/* Goes on to the next extent, or to the end of the sequence, which is in the spool's buffer. */
static dip_status refill(dip_spool_cursor *cursor, dip_error *err) {
    const dip_spool *spool = cursor->spool;
    cursor->at = 0;
    cursor->filled = 0;
    if (cursor->next_extent < spool->n_extents) {
        const dip_extent *extent = &spool->extent[cursor->next_extent++];
        cursor->data = extent->memory;
        if (extent->memory == NULL) {
            DIP_TRY(refill_from_file(cursor, extent->place, err));
        }
        cursor->filled = DIP_SPOOL_EXTENT;
        return DIP_OK;
    }
    cursor->filled = cursor->next_extent == spool->n_extents ? spool->used : 0;
    cursor->next_extent = spool->n_extents + 1;
    cursor->data = spool->buffer;
    return DIP_OK;
}

dip_status dip_spool_read(dip_spool_cursor *cursor, void *data, size_t bytes, size_t *got,
                          dip_error *err) {
    unsigned char *target = data;
    *got = 0;
    while (*got < bytes) {
        if (cursor->at == cursor->filled) {
            if (cursor->next_extent > cursor->spool->n_extents) {
                return DIP_OK;
            }
            DIP_TRY(refill(cursor, err));
            continue;
        }
        const size_t left = cursor->filled - cursor->at;
        const size_t part = bytes - *got < left ? bytes - *got : left;
        memcpy(target + *got, cursor->data + cursor->at, part);
        cursor->at += part;
        *got += part;
    }
    return DIP_OK;
}

dip_status dip_spool_get(dip_spool_cursor *cursor, void *data, size_t bytes, dip_error *err) {
    size_t got = 0;
    DIP_TRY(dip_spool_read(cursor, data, bytes, &got, err));
    if (got != bytes) {
        return dip_fail(err, DIP_ERR_FAILED, "temporary data in %s ends %zu bytes early",
                        cursor->spool->scratch->folder, bytes - got);
    }
    return DIP_OK;
}

void dip_spool_cursor_free(dip_spool_cursor *cursor) {
    const dip_spool *spool = cursor->spool;
    dip_free(cursor->buffer);
    *cursor = (dip_spool_cursor){.spool = spool};
}

void dip_spool_free(dip_spool *spool) {
    dip_scratch *scratch = spool->scratch;
    if (spool->n_extents > 0) {
        give_extents(scratch, spool->extent, spool->n_extents);
    }
    dip_free(spool->buffer);
    dip_free(spool->extent);
    *spool = (dip_spool){.scratch = scratch};
}
