/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): madvise */
#include "base/region.h"

#include "base/checked.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

static dip_status fail_space(const char *folder, size_t bytes, const char *purpose, int number,
                             dip_error *err) {
    struct statvfs disk;
    const bool is_known = statvfs(folder, &disk) == 0;
    char text[128];
    if (strerror_r(number, text, sizeof text) != 0) {
        snprintf(text, sizeof text, "error %d", number);
    }
    return dip_fail(err, DIP_ERR_IO, "cannot reserve %zu bytes in %s for %s: %s (%llu bytes free)",
                    bytes, folder, purpose, text,
                    is_known ? (unsigned long long)disk.f_bavail * disk.f_frsize : 0ULL);
}

static dip_status map_file(dip_region *region, size_t bytes, const char *folder,
                           const char *purpose, dip_error *err) {
    const dip_vfs *vfs = dip_vfs_get();
    int fd = -1;
    DIP_TRY(dip_open_nameless(folder, &fd, err));
    const int reserved = vfs->reserve(fd, bytes);
    void *data = reserved == 0 ? vfs->map_shared(fd, bytes) : MAP_FAILED;
    const int number = reserved != 0 ? reserved : errno;
    vfs->close(fd);
    if (data == MAP_FAILED) {
        return fail_space(folder, bytes, purpose, number, err);
    }
    /* Rows are touched in no order: reading ahead would fetch pages that nobody asked for. */
    madvise(data, bytes, MADV_RANDOM);
    *region = (dip_region){.data = data, .bytes = bytes, .is_file = true};
    return DIP_OK;
}

dip_status dip_region_create(dip_region *region, size_t count, size_t size, const char *folder,
                             const char *purpose, dip_error *err) {
    size_t bytes = 0;
    if (folder != NULL && folder[0] != '\0' && dip_mul_ok(count, size, &bytes) && bytes > 0) {
        return map_file(region, bytes, folder, purpose, err);
    }
    void *data = dip_alloc(count, size, purpose, err);
    if (data == NULL) {
        return DIP_ERR_MEMORY;
    }
    *region = (dip_region){.data = data};
    return DIP_OK;
}

void dip_region_free(dip_region *region) {
    if (region->is_file) {
        munmap(region->data, region->bytes);
    } else {
        dip_free(region->data);
    }
    memset(region, 0, sizeof *region);
}
