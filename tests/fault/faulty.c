/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/faulty.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const OP_NAMES[N_OPS] = {"open",    "read",       "write",  "fsync",  "close", "fstat",
                                     "rename",  "exchange",   "unlink", "mkdir",  "rmdir", "map",
                                     "reserve", "map_shared", "pread",  "pwrite", "advise"};

enum { DESCRIPTORS = 256, SHORT_BYTES = 7 };

faults plan;

static char path_of[DESCRIPTORS][EVENT_PATH];
static bool fsync_failed[DESCRIPTORS];

static const char *known_path(int fd) {
    return fd >= 0 && fd < DESCRIPTORS ? path_of[fd] : "?";
}

/* Counts and records an operation; true when it must fail. */
static bool note(op kind, int fd, const char *path, const char *target, bool creates) {
    const long number = plan.done++;
    const bool fails =
        plan.fail_at >= 0 && (number == plan.fail_at || (plan.stays && number > plan.fail_at));
    if (plan.n_events < EVENTS_MAX) {
        event *e = &plan.events[plan.n_events++];
        *e = (event){.op = kind, .fd = fd, .creates = creates, .failed = fails};
        snprintf(e->path, sizeof e->path, "%s", path);
        snprintf(e->target, sizeof e->target, "%s", target);
    }
    if (fails) {
        plan.failed_op = number == plan.fail_at ? kind : plan.failed_op;
        errno = plan.error;
    }
    return fails;
}

static int faulty_open(const char *path, int flags, mode_t mode) {
    if (note(OP_OPEN, -1, path, "", (flags & O_CREAT) != 0)) {
        return -1;
    }
    const int fd = dip_vfs_system()->open(path, flags, mode);
    if (fd >= 0 && fd < DESCRIPTORS) {
        snprintf(path_of[fd], sizeof path_of[0], "%s", path);
        fsync_failed[fd] = false;
        plan.events[plan.n_events - 1].fd = fd;
    }
    return fd;
}

static size_t shortened(size_t bytes) {
    return plan.is_short && bytes > SHORT_BYTES ? SHORT_BYTES : bytes;
}

static ssize_t faulty_read(int fd, void *data, size_t bytes) {
    return note(OP_READ, fd, known_path(fd), "", false) ? -1 : read(fd, data, shortened(bytes));
}

static ssize_t faulty_write(int fd, const void *data, size_t bytes) {
    return note(OP_WRITE, fd, known_path(fd), "", false) ? -1 : write(fd, data, shortened(bytes));
}

static int faulty_fsync(int fd) {
    const bool is_known = fd >= 0 && fd < DESCRIPTORS;
    plan.fsynced_again = plan.fsynced_again || (is_known && fsync_failed[fd]);
    if (!note(OP_FSYNC, fd, known_path(fd), "", false)) {
        return 0;
    }
    if (is_known) {
        fsync_failed[fd] = true;
    }
    return -1;
}

/* As on Linux, a close that fails has closed. */
static int faulty_close(int fd) {
    const bool fails = note(OP_CLOSE, fd, known_path(fd), "", false);
    const int closed = close(fd);
    if (fails) {
        errno = plan.error;
    }
    return fails ? -1 : closed;
}

static int faulty_fstat(int fd, struct stat *status) {
    return note(OP_FSTAT, fd, known_path(fd), "", false) ? -1 : dip_vfs_system()->fstat(fd, status);
}

/* Asking what a name stands for is not counted: most callers take a failure for an answer. */
static int faulty_stat(const char *path, struct stat *status) {
    return dip_vfs_system()->stat(path, status);
}

static int faulty_lstat(const char *path, struct stat *status) {
    return dip_vfs_system()->lstat(path, status);
}

static int faulty_rename(const char *from, const char *to) {
    return note(OP_RENAME, -1, from, to, false) ? -1 : rename(from, to);
}

static int faulty_exchange(const char *a, const char *b) {
    return note(OP_EXCHANGE, -1, a, b, false) ? -1 : dip_vfs_system()->exchange(a, b);
}

static int faulty_unlink(const char *path) {
    return note(OP_UNLINK, -1, path, "", false) ? -1 : unlink(path);
}

static int faulty_mkdir(const char *path, mode_t mode) {
    return note(OP_MKDIR, -1, path, "", false) ? -1 : dip_vfs_system()->mkdir(path, mode);
}

static int faulty_rmdir(const char *path) {
    return note(OP_RMDIR, -1, path, "", false) ? -1 : rmdir(path);
}

static void *faulty_map(int fd, size_t bytes) {
    return note(OP_MAP, fd, known_path(fd), "", false) ? MAP_FAILED
                                                       : dip_vfs_system()->map(fd, bytes);
}

static int faulty_reserve(int fd, size_t bytes) {
    return note(OP_RESERVE, fd, known_path(fd), "", false) ? plan.error
                                                           : dip_vfs_system()->reserve(fd, bytes);
}

static void *faulty_map_shared(int fd, size_t bytes) {
    return note(OP_MAP_SHARED, fd, known_path(fd), "", false)
               ? MAP_FAILED
               : dip_vfs_system()->map_shared(fd, bytes);
}

static ssize_t faulty_pread(int fd, void *data, size_t bytes, off_t offset) {
    return note(OP_PREAD, fd, known_path(fd), "", false)
               ? -1
               : pread(fd, data, shortened(bytes), offset);
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t bytes, off_t offset) {
    return note(OP_PWRITE, fd, known_path(fd), "", false)
               ? -1
               : pwrite(fd, data, shortened(bytes), offset);
}

static int faulty_advise(void *data, size_t bytes, dip_advice advice) {
    return note(OP_ADVISE, -1, "", "", false) ? -1 : dip_vfs_system()->advise(data, bytes, advice);
}

static const dip_vfs FAULTY = {.open = faulty_open,
                               .read = faulty_read,
                               .write = faulty_write,
                               .fsync = faulty_fsync,
                               .close = faulty_close,
                               .fstat = faulty_fstat,
                               .stat = faulty_stat,
                               .lstat = faulty_lstat,
                               .rename = faulty_rename,
                               .exchange = faulty_exchange,
                               .unlink = faulty_unlink,
                               .mkdir = faulty_mkdir,
                               .rmdir = faulty_rmdir,
                               .map = faulty_map,
                               .unmap = munmap,
                               .reserve = faulty_reserve,
                               .map_shared = faulty_map_shared,
                               .pread = faulty_pread,
                               .pwrite = faulty_pwrite,
                               .advise = faulty_advise};

void faults_begin(void) {
    plan.fail_at = -1;
    plan.stays = false;
    plan.error = EIO;
    plan.is_short = false;
    plan.done = 0;
    plan.fsynced_again = false;
    plan.failed_op = N_OPS;
    plan.n_events = 0;
    memset(fsync_failed, 0, sizeof fsync_failed);
    dip_vfs_set(&FAULTY);
}

void faults_end(void) {
    dip_vfs_set(NULL);
}
