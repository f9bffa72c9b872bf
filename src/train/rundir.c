/* SPDX-License-Identifier: Apache-2.0 */
#include "train/rundir.h"

#include "base/lock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_FILE "lock"
#define STEP_PREFIX "step-"
#define SUFFIX ".checkpoints"

enum { STEP_DIGITS = 12, NAME_BYTES = 64, ATTEMPTS = 100, PATH_BYTES = 4096 };

dip_status dip_rundir_init(dip_rundir *dir, const char *output, dip_error *err) {
    size_t length = strlen(output);
    while (length > 1 && output[length - 1] == '/') {
        length--;
    }
    *dir = (dip_rundir){.lock = -1, .metrics = -1};
    dir->path = dip_alloc(length + sizeof SUFFIX, 1, "a path", err);
    if (dir->path == NULL) {
        return DIP_ERR_MEMORY;
    }
    memcpy(dir->path, output, length);
    memcpy(dir->path + length, SUFFIX, sizeof SUFFIX);
    return DIP_OK;
}

/* ---- the lock -------------------------------------------------------------------------------- */

/* The name of a new folder is made to last, or the checkpoints in it would not. */
static dip_status make_folder(const dip_rundir *dir, dip_error *err) {
    if (dip_vfs_get()->mkdir(dir->path, 0777) != 0) {
        return errno == EEXIST ? DIP_OK : dip_fail_errno(err, errno, "create folder", dir->path);
    }
    char *parent = dip_path_folder(dir->path, err);
    if (parent == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_sync_folder(parent, err);
    dip_free(parent);
    return status;
}

static dip_status make_and_lock(dip_rundir *dir, bool *again, dip_error *err) {
    *again = false;
    DIP_TRY(make_folder(dir, err));
    char *path = dip_path_join(dir->path, LOCK_FILE, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    char doing[PATH_BYTES];
    snprintf(doing, sizeof doing, "trains into %.*s", (int)(strlen(dir->path) - strlen(SUFFIX)),
             dir->path);
    const dip_status status = dip_lock_take(path, doing, &dir->lock, again, err);
    dip_free(path);
    return status;
}

dip_status dip_rundir_hold(dip_rundir *dir, dip_error *err) {
    dip_status status = DIP_OK;
    bool again = !dip_rundir_is_held(dir);
    for (int i = 0; again && i < ATTEMPTS; i++) {
        status = make_and_lock(dir, &again, err);
    }
    if (status == DIP_OK) {
        dip_sweep_all_writers(dir->path);
    }
    return status;
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* The step in a name such as "step-000000000123"; -1 for other names. */
static int64_t step_of(const char *name) {
    int64_t step = -1;
    const size_t prefix = strlen(STEP_PREFIX);
    const bool fits = strncmp(name, STEP_PREFIX, prefix) == 0 &&
                      strlen(name) == prefix + STEP_DIGITS &&
                      strspn(name + prefix, "0123456789") == STEP_DIGITS;
    return fits && dip_parse_integer(name + prefix, &step) ? step : -1;
}

static int newest_first(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a < b) - (a > b);
}

dip_status dip_rundir_list(const dip_rundir *dir, int64_t **steps, size_t *n, dip_error *err) {
    size_t capacity = 0;
    dip_status status = DIP_OK;
    *steps = NULL;
    *n = 0;
    DIR *folder = opendir(dir->path);
    if (folder == NULL) {
        return errno == ENOENT ? DIP_OK : dip_fail_errno(err, errno, "open folder", dir->path);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && status == DIP_OK;
         entry = readdir(folder)) {
        const int64_t step = step_of(entry->d_name);
        if (step >= 0) {
            status = dip_grow((void **)steps, &capacity, *n + 1, sizeof **steps,
                              "a list of checkpoints", err);
        }
        if (step >= 0 && status == DIP_OK) {
            (*steps)[(*n)++] = step;
        }
    }
    closedir(folder);
    if (status != DIP_OK) {
        dip_free(*steps);
        *steps = NULL;
        *n = 0;
        return status;
    }
    if (*n > 0) {
        qsort(*steps, *n, sizeof **steps, newest_first);
    }
    return DIP_OK;
}

static void name_step(char name[NAME_BYTES], int64_t step) {
    snprintf(name, NAME_BYTES, STEP_PREFIX "%0*lld", STEP_DIGITS, (long long)step);
}

char *dip_rundir_checkpoint(const dip_rundir *dir, int64_t step, dip_error *err) {
    char name[NAME_BYTES];
    name_step(name, step);
    return dip_path_join(dir->path, name, err);
}

void dip_rundir_discard(const dip_rundir *dir, int64_t step) {
    char name[NAME_BYTES];
    name_step(name, step);
    dip_discard_folder(dir->path, name);
}

/* ---- files to watch -------------------------------------------------------------------------- */

static dip_status write_all(int fd, const char *data, size_t bytes, const char *path,
                            dip_error *err) {
    while (bytes > 0) {
        const ssize_t n = dip_vfs_get()->write(fd, data, bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return dip_fail_errno(err, n < 0 ? errno : EIO, "write", path);
        }
        data += n;
        bytes -= (size_t)n;
    }
    return DIP_OK;
}

static dip_status open_anew(const char *path, int *fd, dip_error *err) {
    *fd = dip_vfs_get()->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    return *fd >= 0 ? DIP_OK : dip_fail_errno(err, errno, "create", path);
}

dip_status dip_rundir_put_metrics(dip_rundir *dir, const dip_text *metrics, dip_error *err) {
    if (dir->metrics >= 0 && dir->written == metrics->length) {
        return DIP_OK;
    }
    char *path = dip_path_join(dir->path, DIP_METRICS_FILE, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = dir->metrics >= 0 ? DIP_OK : open_anew(path, &dir->metrics, err);
    if (status == DIP_OK && metrics->length > dir->written) {
        status = write_all(dir->metrics, metrics->data + dir->written,
                           metrics->length - dir->written, path, err);
    }
    if (status == DIP_OK) {
        dir->written = metrics->length;
    }
    dip_free(path);
    return status;
}

dip_status dip_rundir_put_quarantine(const dip_rundir *dir, const dip_text *quarantine,
                                     dip_error *err) {
    int fd = -1;
    char *path = dip_path_join(dir->path, DIP_QUARANTINE_FILE, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = DIP_OK;
    if (quarantine->length > 0) {
        status = open_anew(path, &fd, err);
    } else if (dip_path_exists(path)) {
        dip_vfs_get()->unlink(path);
    }
    if (fd >= 0) {
        status = write_all(fd, quarantine->data, quarantine->length, path, err);
        dip_vfs_get()->close(fd);
    }
    dip_free(path);
    return status;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Like all that cleans up, it allocates nothing. */
static bool path_in(char path[PATH_BYTES], const dip_rundir *dir, const char *name) {
    const int length = snprintf(path, PATH_BYTES, "%s/%s", dir->path, name);
    return length > 0 && length < PATH_BYTES && dip_path_exists(path);
}

static void remove_file(const dip_rundir *dir, const char *name) {
    char path[PATH_BYTES];
    if (path_in(path, dir, name)) {
        dip_vfs_get()->unlink(path);
    }
}

/* How many checkpoints there are; they are taken away when asked. */
static size_t count_steps(const dip_rundir *dir, bool discards) {
    size_t n = 0;
    DIR *folder = opendir(dir->path);
    if (folder == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const bool is_step = step_of(entry->d_name) >= 0;
        n += is_step;
        if (is_step && discards) {
            dip_discard_folder(dir->path, entry->d_name);
        }
    }
    closedir(folder);
    return n;
}

static void let_go(dip_rundir *dir) {
    if (dir->metrics >= 0) {
        dip_vfs_get()->close(dir->metrics);
    }
    if (dir->lock >= 0) {
        dip_lock_drop(dir->lock);
    }
    dir->metrics = -1;
    dir->lock = -1;
    dir->written = 0;
}

/* The lock goes last, so that nobody else can begin before the rest is gone. */
void dip_rundir_remove(dip_rundir *dir) {
    count_steps(dir, true);
    dip_sweep_all_writers(dir->path);
    remove_file(dir, DIP_METRICS_FILE);
    remove_file(dir, DIP_QUARANTINE_FILE);
    remove_file(dir, LOCK_FILE);
    dip_vfs_get()->rmdir(dir->path);
    let_go(dir);
}

/* Whether somebody could still want what is in the folder. */
static bool is_of_use(const dip_rundir *dir) {
    char path[PATH_BYTES];
    return count_steps(dir, false) > 0 || path_in(path, dir, DIP_QUARANTINE_FILE);
}

void dip_rundir_close(dip_rundir *dir) {
    if (dir->path == NULL) {
        return;
    }
    if (dip_rundir_is_held(dir) && !is_of_use(dir)) {
        dip_rundir_remove(dir);
    }
    let_go(dir);
    dip_free(dir->path);
    dir->path = NULL;
}
