/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOCK_BYTES = 16 };

static dip_status held_by_another(int fd, const char *path, const char *doing, dip_error *err) {
    char number[LOCK_BYTES + 1] = "";
    const ssize_t got = dip_vfs_get()->read(fd, number, LOCK_BYTES);
    number[got > 0 ? got : 0] = '\0';
    return dip_fail(err, DIP_ERR_FAILED, "another process (%ld) %s; it holds %s",
                    strtol(number, NULL, 10), doing, path);
}

/* Whether a path still names an open file: the folder may have been removed meanwhile. */
static bool is_same_file(int fd, const char *path) {
    struct stat a;
    struct stat b;
    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Writes this process's number over the last one's: both are as wide. */
static dip_status sign(int fd, const char *path, dip_error *err) {
    char number[LOCK_BYTES + 1];
    snprintf(number, sizeof number, "%-*ld\n", LOCK_BYTES - 1, (long)getpid());
    const ssize_t n = dip_vfs_get()->write(fd, number, LOCK_BYTES);
    return n >= 0 || errno == EINTR ? DIP_OK : dip_fail_errno(err, errno, "write", path);
}

dip_status dip_lock_take(const char *path, const char *doing, int *fd, bool *again,
                         dip_error *err) {
    const dip_vfs *vfs = dip_vfs_get();
    const int file = vfs->open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    *again = file < 0 && errno == ENOENT;
    if (file < 0) {
        return dip_fail_errno(err, errno, "create", path);
    }
    dip_status status = DIP_OK;
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK ? held_by_another(file, path, doing, err)
                                      : dip_fail_errno(err, errno, "lock", path);
    } else if (!is_same_file(file, path)) {
        *again = true;
        status = dip_fail(err, DIP_ERR_IO, "%s was removed meanwhile", path);
    } else {
        status = sign(file, path, err);
    }
    if (status != DIP_OK) {
        vfs->close(file);
        return status;
    }
    *fd = file;
    return DIP_OK;
}

void dip_lock_drop(int fd) {
    if (fd >= 0) {
        dip_vfs_get()->close(fd);
    }
}
